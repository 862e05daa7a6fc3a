//! Queries over `group_message` and `message_revision`. Reads only; every function takes the tenant.

use std::fmt::Write as _;

use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::Bool;

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

/// Entries with seq above `after_seq`, in order, at most `limit`.
pub fn entries_after(
    connection: &mut AnyConnection,
    tenant: TenantId,
    conversation: ConversationId,
    after_seq: i64,
    limit: i64,
) -> Result<Vec<EntryRow>> {
    after(connection, tenant, conversation, after_seq, limit, Which::Everything)
}

/// Entries with seq below `before_seq`, the `limit` nearest to it, in order.
pub fn entries_before(
    connection: &mut AnyConnection,
    tenant: TenantId,
    conversation: ConversationId,
    before_seq: i64,
    limit: i64,
) -> Result<Vec<EntryRow>> {
    before(connection, tenant, conversation, before_seq, limit, Which::Everything)
}

/// [`entries_after`], of the wanted kind.
pub fn after(
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

/// [`entries_before`], of the wanted kind.
pub fn before(
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
    let mut rows: Vec<EntryRow> = query.load(connection)?;
    rows.reverse();
    Ok(rows)
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
        .first(connection)
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
                        .first(inner)
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
