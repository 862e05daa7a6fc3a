//! The one door to a conversation: loads it with the actor's own row and says how the actor stands to it.
//!
//! Invariants: a stranger learns nothing, not even that the id exists; a backstage conversation is seen exactly by the staff
//! who see its parent; a merged conversation also by the staff who see the one that goes on.

use std::collections::{HashMap, HashSet};

use crate::db::AnyConnection;
use crate::domain::actor::Actor;
use crate::domain::group::Sight;
use crate::domain::permission::{self, Operation, Relation, Scope};
use crate::groups;
use crate::kernel::{ConversationId, Error, Result};

use super::store;
use super::walks::Reach;
use crate::domain::conversation::{ConversationKind, ConversationRow, ParticipantRow};

/// A conversation that the actor may see.
#[derive(Debug, Clone)]
pub struct Access {
    /// The conversation that was asked for.
    pub conversation: ConversationRow,
    /// Of a backstage conversation: the conversation that it stands behind.
    pub parent: Option<ConversationRow>,
    /// The actor's own row, also when it has left; of a backstage conversation, the row in the parent.
    pub participant: Option<ParticipantRow>,
    /// Viewer or insider; never a stranger.
    pub relation: Relation,
}

impl Access {
    /// The support conversation: the conversation itself, or the parent of a backstage conversation.
    pub fn front(&self) -> &ConversationRow {
        self.parent.as_ref().unwrap_or(&self.conversation)
    }

    /// Checks one more right than that of reading: 403 when the actor may see the conversation but not do this.
    pub fn check(&self, actor: &Actor, operation: Operation) -> Result<()> {
        permission::check(actor, self.relation, operation)
    }
}

fn reads_notes(actor: &Actor) -> bool {
    permission::reach(actor, Operation::ReadNotes) != Scope::Never
}

/// Loads a conversation for an actor. Answers `not_found` for strangers.
pub fn load(connection: &mut AnyConnection, actor: &Actor, id: ConversationId) -> Result<Access> {
    let tenant = actor.tenant;
    let conversation = store::find(connection, tenant, id)?.ok_or_else(Error::not_found)?;
    let backstage = conversation.kind == ConversationKind::Backstage;
    if backstage && !reads_notes(actor) {
        return Err(Error::not_found());
    }
    let parent = match (backstage, conversation.parent_id) {
        (true, Some(parent)) => Some(store::find(connection, tenant, parent)?.ok_or_else(Error::not_found)?),
        _ => None,
    };
    let front = parent.as_ref().unwrap_or(&conversation);
    let participant = store::participant(connection, tenant, front.id, actor.member)?;
    let sight = sight(connection, actor, std::iter::once(front))?;
    let mut relation = permission::relation(actor, front, participant.as_ref(), &sight);
    if relation == Relation::Stranger {
        let fronts = std::iter::once(front);
        if !seen_by_merge(connection, actor, fronts)?.contains(&front.id) {
            return Err(Error::not_found());
        }
        relation = Relation::Viewer;
    }
    Ok(Access { conversation, parent, participant, relation })
}

/// Which conversations the actor may list. Errors: `forbidden`.
pub fn reach(connection: &mut AnyConnection, actor: &Actor) -> Result<Reach> {
    let scope = permission::require(actor, Operation::ReadConversation)?;
    let member = actor.member;
    if scope == Scope::Inside {
        return Ok(Reach::Insider(member));
    }
    if !matches!(scope, Scope::Tenant | Scope::Visible) {
        return Ok(Reach::Customer(member));
    }
    let sight = groups::store::sight(connection, actor)?;
    Ok(match scope {
        Scope::Visible => Reach::Agent { member, sight },
        _ if sight.is_whole() => Reach::Tenant,
        _ => Reach::Supervisor { member, sight },
    })
}

/// What the actor sees by its groups, as far as these conversations are concerned.
fn sight<'a>(
    connection: &mut AnyConnection,
    actor: &Actor,
    mut fronts: impl Iterator<Item = &'a ConversationRow>,
) -> Result<Sight> {
    match fronts.any(|row| row.group_id.is_some()) {
        true => groups::store::sight(connection, actor),
        false => Ok(Sight::whole()),
    }
}

/// Which of these conversations were merged into one that the actor sees: it may read them too.
fn seen_by_merge<'a>(
    connection: &mut AnyConnection,
    actor: &Actor,
    fronts: impl Iterator<Item = &'a ConversationRow>,
) -> Result<HashSet<ConversationId>> {
    let merged: Vec<(ConversationId, ConversationId)> =
        fronts.filter_map(|row| Some((row.id, row.merged_into_id?))).collect();
    let survivors: Vec<ConversationId> = merged.iter().map(|(_, survivor)| *survivor).collect();
    let rows = store::find_many(connection, actor.tenant, &survivors)?;
    let there = store::participants_of(connection, actor.tenant, &survivors, &[actor.member])?;
    let sight = sight(connection, actor, rows.iter())?;
    let seen: HashSet<ConversationId> = rows
        .iter()
        .filter(|row| {
            let participant = there.iter().find(|one| one.conversation_id == row.id);
            let survivor = permission::relation(actor, row, participant, &sight);
            permission::relation_by_merge(actor, survivor) != Relation::Stranger
        })
        .map(|row| row.id)
        .collect();
    Ok(merged.into_iter().filter(|(_, survivor)| seen.contains(survivor)).map(|(id, _)| id).collect())
}

/// Loads many at once, in a constant number of queries. What the actor may not see is left out.
pub fn load_many(
    connection: &mut AnyConnection,
    actor: &Actor,
    ids: &[ConversationId],
) -> Result<HashMap<ConversationId, Access>> {
    let tenant = actor.tenant;
    let visible = |row: &ConversationRow| row.kind != ConversationKind::Backstage || reads_notes(actor);
    let mut rows = store::find_many(connection, tenant, ids)?;
    rows.retain(visible);
    let parents: Vec<ConversationId> = rows.iter().filter_map(|row| row.parent_id).collect();
    let parents: HashMap<ConversationId, ConversationRow> =
        store::find_many(connection, tenant, &parents)?.into_iter().map(|row| (row.id, row)).collect();
    let fronts: Vec<ConversationId> = rows.iter().map(|row| row.parent_id.unwrap_or(row.id)).collect();
    let participants: HashMap<ConversationId, ParticipantRow> =
        store::participants_of(connection, tenant, &fronts, &[actor.member])?
            .into_iter()
            .map(|row| (row.conversation_id, row))
            .collect();
    let by_merge = seen_by_merge(connection, actor, rows.iter().chain(parents.values()))?;
    let sight = sight(connection, actor, rows.iter().chain(parents.values()))?;
    let mut found = HashMap::with_capacity(rows.len());
    for conversation in rows {
        let parent = match conversation.parent_id {
            None => None,
            Some(parent) => match parents.get(&parent) {
                Some(row) => Some(row.clone()),
                None => continue,
            },
        };
        let front = parent.as_ref().unwrap_or(&conversation);
        let participant = participants.get(&front.id).cloned();
        let mut relation = permission::relation(actor, front, participant.as_ref(), &sight);
        if relation == Relation::Stranger && by_merge.contains(&front.id) {
            relation = Relation::Viewer;
        }
        if relation != Relation::Stranger {
            found.insert(conversation.id, Access { conversation, parent, participant, relation });
        }
    }
    Ok(found)
}
