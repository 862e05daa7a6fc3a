//! Queries over `erasure`, and who a person is. Every function takes the tenant, but the one that looks for work.

use std::collections::BTreeMap;

use diesel::prelude::*;

use crate::db::AnyConnection;
use crate::db::schema::{conversation, erasure, group_message, member};
use crate::db::types::json_text;
use crate::domain::entry::EntryKind;
use crate::domain::erasure::{ErasureRow, ErasureState};
use crate::domain::member::Role;
use crate::kernel::{ConversationId, ErasureId, MemberId, Result, TenantId};
use crate::on;

/// How many rows of which table went.
pub type Counts = BTreeMap<String, i64>;

/// An erasure by its id.
pub fn find(connection: &mut AnyConnection, tenant: TenantId, id: ErasureId) -> Result<Option<ErasureRow>> {
    Ok(erasure::table
        .filter(erasure::id.eq(id))
        .filter(erasure::tenant_id.eq(tenant))
        .select(ErasureRow::as_select())
        .first(connection)
        .optional()?)
}

/// The erasure of a member.
pub fn of_member(
    connection: &mut AnyConnection,
    tenant: TenantId,
    member: MemberId,
) -> Result<Option<ErasureRow>> {
    Ok(erasure::table
        .filter(erasure::tenant_id.eq(tenant))
        .filter(erasure::member_id.eq(member))
        .select(ErasureRow::as_select())
        .first(connection)
        .optional()?)
}

/// Erasures below this one, the newest first, at most `limit`.
pub fn list(
    connection: &mut AnyConnection,
    tenant: TenantId,
    (member, state): (Option<MemberId>, Option<ErasureState>),
    before: Option<ErasureId>,
    limit: i64,
) -> Result<Vec<ErasureRow>> {
    let mut query = erasure::table
        .filter(erasure::tenant_id.eq(tenant))
        .filter(erasure::id.lt(before.unwrap_or(ErasureId(i64::MAX))))
        .into_boxed();
    if let Some(member) = member {
        query = query.filter(erasure::member_id.eq(member));
    }
    if let Some(state) = state {
        query = query.filter(erasure::state.eq(state));
    }
    Ok(query.order(erasure::id.desc()).limit(limit).select(ErasureRow::as_select()).load(connection)?)
}

/// Stores a new erasure.
pub fn insert(connection: &mut AnyConnection, row: &ErasureRow) -> QueryResult<usize> {
    diesel::insert_into(erasure::table).values(row).execute(connection)
}

/// Has an erasure that was done begin anew; gives whether it was done.
pub fn begin_anew(connection: &mut AnyConnection, row: &ErasureRow) -> Result<bool> {
    let done = erasure::table.find(row.id).filter(erasure::state.eq(ErasureState::Done));
    let changed = diesel::update(done)
        .set((
            erasure::state.eq(ErasureState::Running),
            erasure::requested_by.eq(row.requested_by),
            erasure::requested_at.eq(row.requested_at),
            erasure::finished_at.eq(None::<i64>),
        ))
        .execute(connection)?;
    Ok(changed > 0)
}

/// Erasures of all tenants that are under way, the oldest first.
pub fn running(connection: &mut AnyConnection, limit: i64) -> Result<Vec<ErasureRow>> {
    Ok(erasure::table
        .filter(erasure::state.eq(ErasureState::Running))
        .order(erasure::id.asc())
        .limit(limit)
        .select(ErasureRow::as_select())
        .load(connection)?)
}

/// All erasures, for the list of the operator.
pub fn all(connection: &mut AnyConnection, after: ErasureId, limit: i64) -> Result<Vec<ErasureRow>> {
    Ok(erasure::table
        .filter(erasure::id.gt(after))
        .order(erasure::id.asc())
        .limit(limit)
        .select(ErasureRow::as_select())
        .load(connection)?)
}

/// Adds to the receipt, in the transaction in which the rows went.
pub fn count(connection: &mut AnyConnection, id: ErasureId, counts: &Counts) -> Result<()> {
    if counts.values().all(|count| *count == 0) {
        return Ok(());
    }
    // Held before it is read, since two processes may work on it.
    diesel::update(erasure::table.find(id)).set(erasure::state.eq(erasure::state)).execute(connection)?;
    let receipt: String = erasure::table.find(id).select(erasure::receipt).first(connection)?;
    let mut all = receipt_of(&receipt);
    for (table, count) in counts.iter().filter(|(_, count)| **count > 0) {
        *all.entry(table.clone()).or_default() += count;
    }
    diesel::update(erasure::table.find(id)).set(erasure::receipt.eq(json_text(&all))).execute(connection)?;
    Ok(())
}

/// What a receipt says.
pub fn receipt_of(text: &str) -> Counts {
    serde_json::from_str(text).unwrap_or_default()
}

/// Stores that an erasure is done. These counts take the place of those before: whoever erases again finds the same.
pub fn finish(connection: &mut AnyConnection, id: ErasureId, now: i64, counts: &Counts) -> Result<()> {
    let running = erasure::table.find(id).filter(erasure::state.eq(ErasureState::Running));
    if diesel::update(running).set(erasure::state.eq(ErasureState::Done)).execute(connection)? == 0 {
        return Ok(());
    }
    let receipt: String = erasure::table.find(id).select(erasure::receipt).first(connection)?;
    let mut all = receipt_of(&receipt);
    all.extend(counts.iter().filter(|(_, count)| **count > 0).map(|(table, count)| (table.clone(), *count)));
    diesel::update(erasure::table.find(id))
        .set((erasure::finished_at.eq(now), erasure::receipt.eq(json_text(&all))))
        .execute(connection)?;
    Ok(())
}

/// The role of an account, deleted or not, and whom it was recognised as.
pub fn account(
    connection: &mut AnyConnection,
    tenant: TenantId,
    id: MemberId,
) -> Result<Option<(Role, Option<MemberId>)>> {
    Ok(member::table
        .filter(member::tenant_id.eq(tenant))
        .filter(member::id.eq(id))
        .select((member::role, member::merged_into))
        .first(connection)
        .optional()?)
}

/// The account and all that were recognised as it, step by step.
pub fn accounts_of(connection: &mut AnyConnection, tenant: TenantId, id: MemberId) -> Result<Vec<MemberId>> {
    let (mut all, mut last) = (vec![id], vec![id]);
    while !last.is_empty() {
        let found: Vec<MemberId> = on!(connection, inner => member::table
            .filter(member::tenant_id.eq(tenant))
            .filter(member::merged_into.eq_any(&last))
            .select(member::id)
            .load(inner))?;
        last = found.into_iter().filter(|id| !all.contains(id)).collect();
        all.extend(&last);
    }
    Ok(all)
}

/// A conversation of a person.
#[derive(Debug, Clone, Copy)]
pub struct Logs {
    /// Its log.
    pub front: ConversationId,
    /// The log behind it.
    pub backstage: Option<ConversationId>,
}

/// The conversations of a person.
pub fn conversations_of(
    connection: &mut AnyConnection,
    tenant: TenantId,
    members: &[MemberId],
) -> Result<Vec<Logs>> {
    let rows: Vec<(ConversationId, Option<ConversationId>)> = on!(connection, inner => conversation::table
        .filter(conversation::tenant_id.eq(tenant))
        .filter(conversation::customer_id.eq_any(members))
        .order(conversation::id.asc())
        .select((conversation::id, conversation::backstage_id))
        .load(inner))?;
    Ok(rows.into_iter().map(|(front, backstage)| Logs { front, backstage }).collect())
}

/// The first entry of a log behind this one that is not erased.
pub fn next_erasable(connection: &mut AnyConnection, log: ConversationId, after: i64) -> Result<Option<i64>> {
    Ok(erasable(log, after)
        .order(group_message::seq.asc())
        .select(group_message::seq)
        .first(connection)
        .optional()?)
}

/// The last entry of a log, when nothing in it is left to be erased.
pub fn last_erased(connection: &mut AnyConnection, log: ConversationId) -> Result<Option<i64>> {
    let head: i64 = conversation::table.find(log).select(conversation::seq).first(connection)?;
    let left: i64 = erasable(log, 0).filter(group_message::seq.le(head)).count().get_result(connection)?;
    Ok((left == 0).then_some(head))
}

#[diesel::dsl::auto_type(no_type_alias)]
fn erasable(log: ConversationId, after: i64) -> _ {
    let told: EntryKind = EntryKind::Erased;
    group_message::table
        .filter(group_message::conversation_id.eq(log))
        .filter(group_message::seq.gt(after))
        .filter(group_message::erased_at.is_null())
        .filter(group_message::kind.ne(told))
}

/// How many entries of these logs are erased.
pub fn erased_entries(connection: &mut AnyConnection, logs: &[ConversationId]) -> Result<i64> {
    let mut count = 0;
    for log in logs {
        count += group_message::table
            .filter(group_message::conversation_id.eq(log))
            .filter(group_message::seq.gt(0))
            .filter(group_message::erased_at.is_not_null())
            .count()
            .get_result::<i64>(connection)?;
    }
    Ok(count)
}

/// Whether a log ends with the notice of its erasure.
pub fn is_told(connection: &mut AnyConnection, log: ConversationId) -> Result<bool> {
    let head: i64 = conversation::table.find(log).select(conversation::seq).first(connection)?;
    let kind: Option<EntryKind> =
        group_message::table.find((log, head)).select(group_message::kind).first(connection).optional()?;
    Ok(kind.is_none_or(|kind| kind == EntryKind::Erased))
}
