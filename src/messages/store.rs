//! Queries over `group_message` and `message_revision`. Reads only; every function takes the tenant.

use std::fmt::Write as _;

use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::Bool;

use crate::db::AnyConnection;
use crate::db::schema::{group_message, message_revision};
use crate::kernel::{ConversationId, Result, TenantId};

use super::model::{EntryRow, MESSAGE, RevisionRow};

/// How many pairs one statement of [`entries_at`] asks for.
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

/// The entries at these places, in no order; what does not exist is left out.
pub fn entries_at(
    connection: &mut AnyConnection,
    tenant: TenantId,
    places: &[(ConversationId, i64)],
) -> Result<Vec<EntryRow>> {
    let mut rows = Vec::with_capacity(places.len());
    for chunk in places.chunks(PAIRS) {
        let wanted = sql::<Bool>(&at_places(connection, tenant, chunk));
        let found: Vec<EntryRow> =
            group_message::table.filter(wanted).select(EntryRow::as_select()).load(connection)?;
        rows.extend(found);
    }
    Ok(rows)
}

/// The running counts at a place of a log: messages and recalls up to and including it.
pub type Counts = (ConversationId, i64, i64, i64);

/// `(conversation, seq, msg_count, recall_count)` at these places, in no order.
pub fn counts_at(
    connection: &mut AnyConnection,
    tenant: TenantId,
    places: &[(ConversationId, i64)],
) -> Result<Vec<Counts>> {
    let mut rows = Vec::with_capacity(places.len());
    for chunk in places.chunks(PAIRS) {
        let wanted = sql::<Bool>(&at_places(connection, tenant, chunk));
        let found: Vec<Counts> = group_message::table
            .filter(wanted)
            .select((
                group_message::conversation_id,
                group_message::seq,
                group_message::msg_count,
                group_message::recall_count,
            ))
            .load(connection)?;
        rows.extend(found);
    }
    Ok(rows)
}

/// The tenant and `(conversation_id, seq) IN …` in the form for which each database walks its primary key. SQLite
/// does so for a chain of OR only, and only when the index of tenants is not offered to it (that is the plus); else it
/// reads the tenant's whole log. Numbers of ours are written out, so there is nothing to bind.
fn at_places(connection: &AnyConnection, tenant: TenantId, places: &[(ConversationId, i64)]) -> String {
    #[cfg(feature = "sqlite")]
    if let AnyConnection::Sqlite(_) = connection {
        let mut text = format!("+group_message.tenant_id = {tenant} AND (");
        for (index, (conversation, seq)) in places.iter().enumerate() {
            let or = if index == 0 { "" } else { " OR " };
            let _ = write!(
                text,
                "{or}(group_message.conversation_id = {conversation} AND group_message.seq = {seq})"
            );
        }
        text.push(')');
        return text;
    }
    let values = match connection {
        #[cfg(feature = "mysql")]
        AnyConnection::Mysql(_) => "",
        _ => "VALUES ",
    };
    // PostgreSQL takes the columns' types from the first row.
    let wide = match connection {
        #[cfg(feature = "postgres")]
        AnyConnection::Postgresql(_) => "::bigint",
        _ => "",
    };
    let mut text = format!(
        "group_message.tenant_id = {tenant} AND (group_message.conversation_id, group_message.seq) IN ({values}"
    );
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
