//! Searches of accounts and conversations by their short texts.

use std::cmp::Reverse;

use super::{Found, terms};
use crate::conversations::access;
use crate::conversations::view::{Cards, View};
use crate::db::AnyConnection;
use crate::domain::actor::Actor;
use crate::domain::conversation::ConversationKind;
use crate::domain::member::Role;
use crate::domain::permission::Scope;
use crate::domain::search::{ObjectType, Query, Term, clauses, fold};
use crate::kernel::{ConversationId, MemberId, Result};
use crate::members::store::{self as members, MemberRow};

/// Rows by which the rarest clause is told.
const COUNTED: i64 = 500;
/// Rows of the index that are looked at at once.
const LOOKED: i64 = 200;
/// Most rows of the index that one search looks at.
const LOOKED_MAX: i64 = 4_000;

/// What is looked for.
#[derive(Debug, Clone)]
pub struct Asked {
    /// The words.
    pub query: Query,
    /// Only objects with ids below this one.
    pub below: Option<i64>,
    /// How many.
    pub limit: usize,
}

/// Walks through the objects that the rarest clause proposes. `check` gives those of some that are hits, with their ids.
fn walk<T>(
    connection: &mut AnyConnection,
    actor: Actor,
    object_type: ObjectType,
    asked: &Asked,
    mut check: impl FnMut(&mut AnyConnection, &[i64]) -> Result<Vec<(i64, T)>>,
) -> Result<Found<T, i64>> {
    let mut found = Found::nothing();
    let Some(rarest) = rarest(connection, actor, object_type, asked)? else { return Ok(found) };
    let (mut below, mut looked) = (asked.below.unwrap_or(i64::MAX), 0);
    let mut last = None;
    loop {
        let mut ids = terms::newest(connection, actor.tenant, object_type, &rarest, below, LOOKED)?;
        let is_all = i64::try_from(ids.len()).is_ok_and(|count| count < LOOKED);
        let Some(lowest) = ids.last().copied() else { return Ok(found) };
        ids.dedup();
        let mut hits = check(connection, &ids)?;
        hits.sort_by_key(|(id, _)| Reverse(*id));
        for (id, hit) in hits {
            if found.hits.len() >= asked.limit {
                return Ok(Found { next: last, ..found });
            }
            found.hits.push(hit);
            last = Some(id);
        }
        if is_all {
            return Ok(found);
        }
        looked += LOOKED;
        // Another row of the same object may follow; it has been looked at.
        below = lowest;
        if looked >= LOOKED_MAX {
            return Ok(Found { next: Some(below), is_complete: false, ..found });
        }
    }
}

/// The clause with the fewest rows, as far as they are counted; none when one has no row.
fn rarest(
    connection: &mut AnyConnection,
    actor: Actor,
    object_type: ObjectType,
    asked: &Asked,
) -> Result<Option<Vec<Term>>> {
    let below = asked.below.unwrap_or(i64::MAX);
    let mut rarest: Option<(usize, Vec<Term>)> = None;
    for clause in clauses(actor.tenant, &asked.query) {
        let count = terms::newest(connection, actor.tenant, object_type, &clause, below, COUNTED)?.len();
        if count == 0 {
            return Ok(None);
        }
        if rarest.as_ref().is_none_or(|(least, _)| count < *least) {
            rarest = Some((count, clause));
        }
    }
    Ok(rarest.map(|(_, clause)| clause))
}

/// Accounts that the actor may list. Visitors who were recognised as another customer are left out.
pub fn accounts(
    connection: &mut AnyConnection,
    actor: Actor,
    scope: Scope,
    role: Option<Role>,
    asked: &Asked,
) -> Result<Found<MemberRow, i64>> {
    walk(connection, actor, ObjectType::Member, asked, |connection, ids| {
        let ids: Vec<MemberId> = ids.iter().map(|id| MemberId(*id)).collect();
        let rows = members::find_many(connection, actor.tenant, &ids)?;
        let is_hit = |row: &MemberRow| {
            let may_list = scope == Scope::Tenant || row.parent_id == Some(actor.member);
            let texts = members::texts(row).map(fold);
            may_list
                && row.merged_into.is_none()
                && role.is_none_or(|role| row.role == role)
                && asked.query.holds(&texts, &row.mobile)
        };
        Ok(rows.into_iter().filter(is_hit).map(|row| (row.id.0, row)).collect())
    })
}

/// Conversations and rooms that the actor sees, by their subjects.
pub fn conversations(
    connection: &mut AnyConnection,
    actor: Actor,
    asked: &Asked,
) -> Result<Found<View, i64>> {
    let found = walk(connection, actor, ObjectType::Conversation, asked, |connection, ids| {
        let ids: Vec<ConversationId> = ids.iter().map(|id| ConversationId(*id)).collect();
        let seen = access::load_many(connection, &actor, &ids)?;
        let rows = seen.into_values().map(|access| access.conversation);
        let hits = rows.filter(|row| {
            row.kind != ConversationKind::Backstage && asked.query.holds(&[fold(&row.subject)], "")
        });
        Ok(hits.map(|row| (row.id.0, row)).collect())
    })?;
    let cards = Cards::of(connection, actor.tenant, &found.hits)?;
    let hits = found.hits.iter().map(|row| View::new(row, &cards, actor.role)).collect();
    Ok(Found { hits, next: found.next, is_complete: found.is_complete })
}
