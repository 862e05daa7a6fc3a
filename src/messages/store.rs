//! Queries over `group_message` and `message_revision`. Reads only; every function takes the tenant.

use std::fmt::Write as _;

use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::Bool;

use super::budget::Budget;
use crate::db::AnyConnection;
use crate::db::schema::{group_message, message_revision};
use crate::kernel::{ConversationId, Result, TenantId};

use crate::domain::entry::{EntryRow, MESSAGE, RevisionRow};

/// How many pairs one statement asks a server for.
const PAIRS: usize = 200;

/// Which entries of a log are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    /// Messages only.
    Messages,
    /// Messages and notices.
    Everything,
}

/// A part of a log: the entries after `after`, up to and including `until`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Range {
    /// Which log.
    pub conversation: ConversationId,
    /// Not this one.
    pub after: i64,
    /// This one still.
    pub until: i64,
}

/// The entries of many parts of logs in one statement, in order of conversation and seq.
pub fn ranges(connection: &mut AnyConnection, tenant: TenantId, ranges: &[Range]) -> Result<Vec<EntryRow>> {
    if ranges.is_empty() {
        return Ok(Vec::new());
    }
    // The `+ 0` keeps every database from walking the tenant's whole log by the index of revs.
    let mut text = format!("group_message.tenant_id + 0 = {tenant} AND (");
    for (index, Range { conversation, after, until }) in ranges.iter().enumerate() {
        let or = if index == 0 { "" } else { " OR " };
        let _ = write!(
            text,
            "{or}(group_message.conversation_id = {conversation} AND group_message.seq > {after} AND group_message.seq <= {until})"
        );
    }
    text.push(')');
    Ok(group_message::table
        .filter(sql::<Bool>(&text))
        .order((group_message::conversation_id.asc(), group_message::seq.asc()))
        .select(EntryRow::as_select())
        .load(connection)?)
}

/// Entries with seq above `after_seq`, in order, at most `limit`.
fn after(
    connection: &mut AnyConnection,
    tenant: TenantId,
    conversation: ConversationId,
    after_seq: i64,
    limit: i64,
    which: Which,
) -> Result<Vec<EntryRow>> {
    let mut query = group_message::table
        .filter(group_message::conversation_id.eq(conversation))
        .filter(group_message::tenant_id.eq(tenant))
        .filter(group_message::seq.gt(after_seq))
        .order(group_message::seq.asc())
        .limit(limit)
        .select(EntryRow::as_select())
        .into_boxed();
    if which == Which::Messages {
        query = query.filter(group_message::message_type.eq(MESSAGE));
    }
    Ok(query.load(connection)?)
}

/// Entries with seq below `before_seq`, the nearest first, at most `limit`.
fn before(
    connection: &mut AnyConnection,
    tenant: TenantId,
    conversation: ConversationId,
    before_seq: i64,
    limit: i64,
    which: Which,
) -> Result<Vec<EntryRow>> {
    let mut query = group_message::table
        .filter(group_message::conversation_id.eq(conversation))
        .filter(group_message::tenant_id.eq(tenant))
        .filter(group_message::seq.lt(before_seq))
        .order(group_message::seq.desc())
        .limit(limit)
        .select(EntryRow::as_select())
        .into_boxed();
    if which == Which::Messages {
        query = query.filter(group_message::message_type.eq(MESSAGE));
    }
    Ok(query.load(connection)?)
}

/// Where a piece of a log begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum From {
    /// Forward, after this seq.
    After(i64),
    /// Backward, before this seq.
    Before(i64),
}

/// Entries that are read first, to learn how large they are.
const FIRST: i64 = 32;

/// At most `limit` entries in order of seq, and fewer when they take more than about `bytes`; at least one. Returns
/// also whether there are more in this direction. Reads in pieces that follow the size of what was read, so that no
/// more is read than is handed out.
pub fn page(
    connection: &mut AnyConnection,
    tenant: TenantId,
    conversation: ConversationId,
    from: From,
    limit: i64,
    bytes: usize,
    which: Which,
) -> Result<(Vec<EntryRow>, bool)> {
    let mut budget = Budget::new(bytes, FIRST);
    let mut page: Vec<EntryRow> = Vec::new();
    let mut more = true;
    while more {
        let left = limit - page.len() as i64;
        let Some(rows) = budget.rows().filter(|_| left > 0) else { break };
        let wanted = rows.min(left);
        // One more than is wanted tells whether there are more.
        let found = match (from, page.last().map(|row| row.seq)) {
            (From::After(seq), None) | (From::After(_), Some(seq)) => {
                after(connection, tenant, conversation, seq, wanted + 1, which)?
            }
            (From::Before(seq), None) | (From::Before(_), Some(seq)) => {
                before(connection, tenant, conversation, seq, wanted + 1, which)?
            }
        };
        more = found.len() as i64 > wanted;
        for row in found.into_iter().take(usize::try_from(wanted).unwrap_or_default()) {
            if !budget.take(&row.content) {
                return Ok((in_order(page, from), true));
            }
            page.push(row);
        }
    }
    Ok((in_order(page, from), more))
}

fn in_order(mut page: Vec<EntryRow>, from: From) -> Vec<EntryRow> {
    if matches!(from, From::Before(_)) {
        page.reverse();
    }
    page
}

/// One entry.
pub fn find(
    connection: &mut AnyConnection,
    tenant: TenantId,
    conversation: ConversationId,
    seq: i64,
) -> Result<Option<EntryRow>> {
    Ok(group_message::table
        .filter(group_message::conversation_id.eq(conversation))
        .filter(group_message::tenant_id.eq(tenant))
        .filter(group_message::seq.eq(seq))
        .select(EntryRow::as_select())
        .get_result(connection)
        .optional()?)
}

/// Reads these columns at these places of logs. SQLite looks each place up by its primary key with one prepared
/// statement: for a list of pairs it would walk the tenant's whole log. The servers take the list at once.
macro_rules! at_places {
    ($connection:expr, $tenant:expr, $places:expr, $row:ty = $columns:expr) => {{
        let mut rows = Vec::with_capacity($places.len());
        match $connection {
            #[cfg(feature = "sqlite")]
            AnyConnection::Sqlite(inner) => {
                for (conversation, seq) in $places {
                    let row: Option<$row> = group_message::table
                        .filter(group_message::conversation_id.eq(conversation))
                        .filter(group_message::seq.eq(seq))
                        .filter(group_message::tenant_id.eq($tenant))
                        .select($columns)
                        .get_result(inner)
                        .optional()?;
                    rows.extend(row);
                }
            }
            #[allow(unreachable_patterns, reason = "reachable with the features of the servers")]
            connection => {
                for chunk in $places.chunks(PAIRS) {
                    let found: Vec<$row> = group_message::table
                        .filter(sql::<Bool>(&pairs(connection, chunk)))
                        .filter(group_message::tenant_id.eq($tenant))
                        .select($columns)
                        .load(connection)?;
                    rows.extend(found);
                }
            }
        }
        Ok(rows)
    }};
}

/// The entries at these places, in no order; what does not exist is left out.
pub fn entries_at(
    connection: &mut AnyConnection,
    tenant: TenantId,
    places: &[(ConversationId, i64)],
) -> Result<Vec<EntryRow>> {
    at_places!(connection, tenant, places, EntryRow = EntryRow::as_select())
}

/// The running counts at a place of a log: messages and recalls up to and including it.
pub type Counts = (ConversationId, i64, i64, i64);

/// `(conversation, seq, msg_count, recall_count)` at these places, in no order.
pub fn counts_at(
    connection: &mut AnyConnection,
    tenant: TenantId,
    places: &[(ConversationId, i64)],
) -> Result<Vec<Counts>> {
    let columns = (
        group_message::conversation_id,
        group_message::seq,
        group_message::msg_count,
        group_message::recall_count,
    );
    at_places!(connection, tenant, places, Counts = columns)
}

/// `(conversation_id, seq) IN …` in the form for which the servers walk the primary key. Numbers of ours are written
/// out, so there is nothing to bind.
fn pairs(connection: &AnyConnection, places: &[(ConversationId, i64)]) -> String {
    // PostgreSQL takes the types of a list of VALUES from its first row.
    let (values, wide) = match connection {
        #[cfg(feature = "postgres")]
        AnyConnection::Postgresql(_) => ("VALUES ", "::bigint"),
        _ => ("", ""),
    };
    let mut text = format!("(group_message.conversation_id, group_message.seq) IN ({values}");
    for (index, (conversation, seq)) in places.iter().enumerate() {
        let comma = if index == 0 { "" } else { ", " };
        let _ = write!(text, "{comma}({conversation}{wide}, {seq}{wide})");
    }
    text.push(')');
    text
}

/// The earlier words of one message, the oldest first.
pub fn revisions(
    connection: &mut AnyConnection,
    tenant: TenantId,
    conversation: ConversationId,
    seq: i64,
    limit: i64,
) -> Result<Vec<RevisionRow>> {
    Ok(message_revision::table
        .filter(message_revision::conversation_id.eq(conversation))
        .filter(message_revision::seq.eq(seq))
        .filter(message_revision::tenant_id.eq(tenant))
        .order(message_revision::revision.asc())
        .limit(limit)
        .select(RevisionRow::as_select())
        .load(connection)?)
}
