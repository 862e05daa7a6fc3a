//! Pieces of a tenant's log for the followers that count conversations: entries in the order of their revs, the conversations
//! that they are of, and how a conversation stood before a command. Every function takes the tenant.
//!
//! A conversation's group and priority change behind it, so that how it stood before a rev is said by the first change since, and
//! by the conversation itself where there was none.

use std::collections::{BTreeSet, HashMap};

use diesel::prelude::*;
use serde::Deserialize;

use super::by_rev;
use crate::db::AnyConnection;
use crate::db::schema::{conversation, group_message};
use crate::domain::conversation::{CloseReason, ConversationKind, Priority};
use crate::domain::entry::{EntryKind, EntryRow};
use crate::domain::notice::GroupChangedContent;
use crate::kernel::{ConversationId, Error, GroupId, Result, TenantId};
use crate::on;

/// Notices whose first one since a rev says how a conversation stood then.
const MOVES: [EntryKind; 2] = [EntryKind::GroupChanged, EntryKind::PriorityChanged];

/// A conversation as far as it is counted.
#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = conversation)]
pub struct Facts {
    /// The conversation.
    pub id: ConversationId,
    /// What it is.
    pub kind: ConversationKind,
    /// The conversation in front of it.
    pub parent_id: Option<ConversationId>,
    backstage_id: Option<ConversationId>,
    group_id: Option<GroupId>,
    priority: Priority,
}

/// A notice of a log.
#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = group_message)]
pub struct Notice {
    /// The log.
    pub conversation_id: ConversationId,
    /// Its position there.
    pub seq: i64,
    /// Its position in the tenant's history.
    pub rev: i64,
    /// What happened.
    pub kind: EntryKind,
    /// Its content, as JSON.
    pub content: String,
}

/// What the notice of an end says.
#[derive(Debug, Clone, Copy, Deserialize)]
pub struct Closed {
    /// Why.
    pub reason: CloseReason,
}

/// What the notice says with which a customer goes on in another conversation.
#[derive(Debug, Clone, Copy, Deserialize)]
pub struct Merged {
    /// Where it asked before.
    pub conversation_id: ConversationId,
}

/// What the notice of another priority says.
#[derive(Debug, Clone, Copy, Deserialize)]
pub struct PriorityMove {
    /// The one before.
    pub from: Priority,
    /// The one since.
    pub to: Priority,
}

/// A piece of a tenant's log.
pub struct Piece {
    /// Its entries. Of one command changes of group and priority come last: what it ended belongs to what was before.
    pub entries: Vec<EntryRow>,
    /// Up to which rev these are all.
    pub rev: i64,
    facts: HashMap<ConversationId, Facts>,
    moves: Vec<Notice>,
}

impl Piece {
    /// Reads entries of these kinds: after the first rev of the window, up to the second one, at most so many.
    pub fn read(
        connection: &mut AnyConnection,
        tenant: TenantId,
        kinds: &[EntryKind],
        window: (i64, i64),
        most: i64,
    ) -> Result<Self> {
        let (mut entries, rev) = by_rev::following(connection, tenant, kinds, window, most)?;
        entries.sort_by_key(|entry| (entry.rev, MOVES.contains(&entry.kind)));
        // The conversations first, then the changes: a change between the two says what was before.
        let facts = facts(connection, tenant, entries.iter().map(|entry| entry.conversation_id).collect())?;
        let begun = |entry: &&EntryRow| matches!(entry.kind, EntryKind::Opened | EntryKind::Reopened);
        let behind =
            entries.iter().filter(begun).filter_map(|entry| facts.get(&entry.conversation_id)?.backstage_id);
        let moves = notices(connection, tenant, &MOVES, behind.collect())?;
        Ok(Self { entries, rev, facts, moves })
    }

    /// The conversation of an entry.
    pub fn facts(&self, id: ConversationId) -> Option<&Facts> {
        self.facts.get(&id)
    }

    /// Whose matter a conversation was before the command of this rev, and how urgent.
    pub fn stood(&self, facts: &Facts, rev: i64) -> Result<(Option<GroupId>, Priority)> {
        let first = |wanted: EntryKind| {
            let log = facts.backstage_id;
            self.moves
                .iter()
                .find(|one| Some(one.conversation_id) == log && one.rev >= rev && one.kind == wanted)
        };
        let group = match first(EntryKind::GroupChanged) {
            Some(change) => parse::<GroupChangedContent>(&change.content)?.from,
            None => facts.group_id,
        };
        let priority = match first(EntryKind::PriorityChanged) {
            Some(change) => parse::<PriorityMove>(&change.content)?.from,
            None => facts.priority,
        };
        Ok((group, priority))
    }
}

/// What a notice says.
pub fn parse<'a, T: Deserialize<'a>>(content: &'a str) -> Result<T> {
    serde_json::from_str(content).map_err(|cause| Error::internal(format!("a notice of the log: {cause}")))
}

/// All notices of these kinds in these logs, in the order of each.
pub fn notices(
    connection: &mut AnyConnection,
    tenant: TenantId,
    kinds: &[EntryKind],
    logs: BTreeSet<ConversationId>,
) -> Result<Vec<Notice>> {
    if logs.is_empty() {
        return Ok(Vec::new());
    }
    let words: Vec<&str> = kinds.iter().map(|kind| kind.as_str()).collect();
    Ok(on!(connection, inner => group_message::table
        .filter(group_message::tenant_id.eq(tenant))
        .filter(group_message::conversation_id.eq_any(logs))
        .filter(group_message::kind.eq_any(words))
        .order((group_message::conversation_id.asc(), group_message::seq.asc()))
        .select(Notice::as_select())
        .load(inner))?)
}

fn facts(
    connection: &mut AnyConnection,
    tenant: TenantId,
    ids: BTreeSet<ConversationId>,
) -> Result<HashMap<ConversationId, Facts>> {
    let rows: Vec<Facts> = on!(connection, inner => conversation::table
        .filter(conversation::tenant_id.eq(tenant))
        .filter(conversation::id.eq_any(ids))
        .select(Facts::as_select())
        .load(inner))?;
    Ok(rows.into_iter().map(|row| (row.id, row)).collect())
}
