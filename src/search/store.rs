//! Queries over `search_posting`, and over what a search may look at. Every function takes the tenant.

use std::collections::{BTreeSet, HashSet};

use diesel::prelude::*;

use super::postings::Postings;
use crate::db::AnyConnection;
use crate::db::append::{Bytes, append};
use crate::db::schema::{conversation, conversation_member, group_message, search_posting};
use crate::domain::actor::Actor;
use crate::domain::conversation::ConversationStatus;
use crate::domain::entry::{EntryKind, EntryRow, MESSAGE};
use crate::domain::member::Role;
use crate::domain::search::Term;
use crate::groups;
use crate::kernel::{ConversationId, GroupId, MemberId, Result, TenantId};
use crate::on;

/// The table of the index.
const POSTINGS: Bytes =
    Bytes { table: "search_posting", key: ["tenant_id", "term", "chunk"], value: "postings" };
/// Conversations above which a search looks at all of the tenant's instead of the reader's.
const LOGS_MAX: i64 = 20_000;

/// A chunk and its postings.
pub type Row = (i64, Vec<u8>);

/// Adds postings behind those that are stored.
pub fn add(connection: &mut AnyConnection, tenant: TenantId, postings: &Postings) -> Result<()> {
    let rows = postings.iter().map(|((term, chunk), blob)| ([tenant.0, term.0, *chunk], &blob[..]));
    append(connection, POSTINGS, rows)
}

/// The newest rows of a term up to a chunk, at most `limit`, the newest first.
pub fn newest(
    connection: &mut AnyConnection,
    tenant: TenantId,
    term: Term,
    chunk: i64,
    limit: i64,
) -> Result<Vec<Row>> {
    Ok(search_posting::table
        .filter(search_posting::tenant_id.eq(tenant))
        .filter(search_posting::term.eq(term.0))
        .filter(search_posting::chunk.le(chunk))
        .order(search_posting::chunk.desc())
        .limit(limit)
        .select((search_posting::chunk, search_posting::postings))
        .load(connection)?)
}

/// The rows of a term at these chunks, in no order.
pub fn at(connection: &mut AnyConnection, tenant: TenantId, term: Term, chunks: &[i64]) -> Result<Vec<Row>> {
    Ok(on!(connection, inner => search_posting::table
        .filter(search_posting::tenant_id.eq(tenant))
        .filter(search_posting::term.eq(term.0))
        .filter(search_posting::chunk.eq_any(chunks))
        .select((search_posting::chunk, search_posting::postings))
        .load(inner))?)
}

/// Takes some of a tenant's postings away; whether there are more.
pub fn clear(connection: &mut AnyConnection, tenant: TenantId, rows: i64) -> Result<bool> {
    let last: Option<i64> = search_posting::table
        .filter(search_posting::tenant_id.eq(tenant))
        .order(search_posting::term.asc())
        .offset(rows)
        .select(search_posting::term)
        .first(connection)
        .optional()?;
    let all = search_posting::table.filter(search_posting::tenant_id.eq(tenant));
    match last {
        Some(last) => diesel::delete(all.filter(search_posting::term.le(last))).execute(connection)?,
        None => diesel::delete(all).execute(connection)?,
    };
    Ok(last.is_some())
}

/// The messages of these revs.
pub fn messages(connection: &mut AnyConnection, tenant: TenantId, revs: &[i64]) -> Result<Vec<EntryRow>> {
    Ok(on!(connection, inner => group_message::table
        .filter(group_message::tenant_id.eq(tenant))
        .filter(group_message::rev.eq_any(revs))
        .filter(group_message::message_type.eq(MESSAGE))
        .select(EntryRow::as_select())
        .load(inner))?)
}

/// The subjects of those of these conversations that have one.
pub fn subjects(
    connection: &mut AnyConnection,
    tenant: TenantId,
    conversations: BTreeSet<ConversationId>,
) -> Result<Vec<(ConversationId, String)>> {
    Ok(on!(connection, inner => conversation::table
        .filter(conversation::tenant_id.eq(tenant))
        .filter(conversation::id.eq_any(conversations))
        .filter(conversation::subject.ne(""))
        .select((conversation::id, conversation::subject))
        .load(inner))?)
}

/// The newest messages with revs above `after` and up to `until`, at most `limit`, the newest first.
pub fn newest_messages(
    connection: &mut AnyConnection,
    tenant: TenantId,
    (after, until): (i64, i64),
    limit: i64,
) -> Result<Vec<EntryRow>> {
    Ok(group_message::table
        .filter(group_message::tenant_id.eq(tenant))
        .filter(group_message::rev.gt(after))
        .filter(group_message::rev.le(until))
        .filter(group_message::message_type.eq(MESSAGE))
        .order((group_message::rev.desc(), group_message::conversation_id.desc(), group_message::seq.desc()))
        .limit(limit)
        .select(EntryRow::as_select())
        .load(connection)?)
}

/// The places of the messages that were edited in these revs, by the newest `limit` edits; some stand there twice.
pub fn newest_edits(
    connection: &mut AnyConnection,
    tenant: TenantId,
    (after, until): (i64, i64),
    limit: i64,
) -> Result<Vec<(ConversationId, i64)>> {
    let places: Vec<(ConversationId, Option<i64>)> = group_message::table
        .filter(group_message::tenant_id.eq(tenant))
        .filter(group_message::rev.gt(after))
        .filter(group_message::rev.le(until))
        .filter(group_message::kind.eq(EntryKind::Edited.as_str()))
        .order((group_message::rev.desc(), group_message::conversation_id.desc(), group_message::seq.desc()))
        .limit(limit)
        .select((group_message::conversation_id, group_message::ref_seq))
        .load(connection)?;
    Ok(places.into_iter().filter_map(|(conversation, seq)| Some((conversation, seq?))).collect())
}

type Pair = (ConversationId, Option<ConversationId>);

fn both(pairs: Vec<Pair>) -> impl Iterator<Item = ConversationId> {
    pairs.into_iter().flat_map(|(front, backstage)| [Some(front), backstage]).flatten()
}

/// The logs of a customer's conversations, those behind them too.
pub fn logs_of_customer(
    connection: &mut AnyConnection,
    tenant: TenantId,
    customer: MemberId,
) -> Result<Vec<ConversationId>> {
    let pairs = conversation::table
        .filter(conversation::tenant_id.eq(tenant))
        .filter(conversation::customer_id.eq(customer))
        .select((conversation::id, conversation::backstage_id))
        .load(connection)?;
    Ok(both(pairs).collect())
}

/// All logs that the actor may see, and maybe others; `None` when it may see whatever is the tenant's, or too much to list.
pub fn logs_of_reader(connection: &mut AnyConnection, actor: Actor) -> Result<Option<Vec<ConversationId>>> {
    if matches!(actor.role, Role::Supervisor | Role::Admin) {
        return Ok(None);
    }
    let mut pairs: Vec<Pair> = conversation_member::table
        .inner_join(conversation::table.on(conversation::id.eq(conversation_member::conversation_id)))
        .filter(conversation_member::member_id.eq(actor.member))
        .filter(conversation::tenant_id.eq(actor.tenant))
        .select((conversation::id, conversation::backstage_id))
        .limit(LOGS_MAX)
        .load(connection)?;
    let is_too_much = |pairs: &Vec<Pair>| i64::try_from(pairs.len()).is_ok_and(|count| count >= LOGS_MAX);
    if actor.role == Role::Customer {
        return Ok((!is_too_much(&pairs)).then(|| both(pairs).collect()));
    }
    pairs.extend(waiting(connection, actor.tenant)?);
    let groups: Vec<GroupId> = groups::store::sight(connection, &actor)?.groups().collect();
    pairs.extend(docked(connection, actor.tenant, &groups)?);
    if is_too_much(&pairs) {
        return Ok(None);
    }
    let merged = merged(connection, actor.tenant)?;
    if merged.len() as i64 >= LOGS_MAX {
        return Ok(None);
    }
    let seen: HashSet<ConversationId> = pairs.iter().map(|(front, _)| *front).collect();
    let older = merged.into_iter().filter(|(.., into)| into.is_some_and(|into| seen.contains(&into)));
    pairs.extend(older.map(|(front, backstage, _)| (front, backstage)));
    Ok(Some(both(pairs).collect()))
}

fn waiting(connection: &mut AnyConnection, tenant: TenantId) -> Result<Vec<Pair>> {
    Ok(conversation::table
        .filter(conversation::tenant_id.eq(tenant))
        .filter(conversation::status.eq(ConversationStatus::Open.as_str()))
        .select((conversation::id, conversation::backstage_id))
        .limit(LOGS_MAX)
        .load(connection)?)
}

fn docked(connection: &mut AnyConnection, tenant: TenantId, groups: &[GroupId]) -> Result<Vec<Pair>> {
    if groups.is_empty() {
        return Ok(Vec::new());
    }
    Ok(on!(connection, inner => conversation::table
        .filter(conversation::tenant_id.eq(tenant))
        .filter(conversation::group_id.eq_any(groups))
        .filter(conversation::status.eq(ConversationStatus::Pending.as_str()))
        .select((conversation::id, conversation::backstage_id))
        .limit(LOGS_MAX)
        .load(inner))?)
}

type Merged = (ConversationId, Option<ConversationId>, Option<ConversationId>);

fn merged(connection: &mut AnyConnection, tenant: TenantId) -> Result<Vec<Merged>> {
    Ok(conversation::table
        .filter(conversation::tenant_id.eq(tenant))
        .filter(conversation::merged_into_id.is_not_null())
        .select((conversation::id, conversation::backstage_id, conversation::merged_into_id))
        .limit(LOGS_MAX)
        .load(connection)?)
}
