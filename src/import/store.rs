//! Queries of the import: the ledger `import_row`, and what a log holds already. Every function takes the tenant.

use std::collections::{HashMap, HashSet};

use diesel::prelude::*;

use crate::db::AnyConnection;
use crate::db::schema::{channel_account, conversation, group_message, import_row, member};
use crate::domain::centre::account::{AccountRow, Channel};
use crate::kernel::{ConversationId, MemberId, Result, TenantId};
use crate::on;

/// What rows of a table became, by their keys.
pub fn find(
    connection: &mut AnyConnection,
    tenant: TenantId,
    (source, table): (&str, &str),
    keys: &[String],
) -> Result<HashMap<String, i64>> {
    let rows: Vec<(String, i64)> = on!(connection, inner => import_row::table
        .filter(import_row::tenant_id.eq(tenant))
        .filter(import_row::source.eq(source))
        .filter(import_row::source_table.eq(table))
        .filter(import_row::source_key.eq_any(keys))
        .select((import_row::source_key, import_row::target_id))
        .load(inner))?;
    Ok(rows.into_iter().collect())
}

/// Keeps what a row became. Fails with a unique violation when that is known.
pub fn keep(
    connection: &mut AnyConnection,
    tenant: TenantId,
    (source, table): (&str, &str),
    key: &str,
    target: i64,
    now: i64,
) -> Result<()> {
    let columns = (
        import_row::tenant_id.eq(tenant),
        import_row::source.eq(source),
        import_row::source_table.eq(table),
        import_row::source_key.eq(key),
        import_row::target_id.eq(target),
        import_row::created_at.eq(now),
    );
    diesel::insert_into(import_row::table).values(columns).execute(connection)?;
    Ok(())
}

/// The head of a log, and which of these keys its entries have; `None` when there is no such conversation.
pub fn log(
    connection: &mut AnyConnection,
    tenant: TenantId,
    id: ConversationId,
    keys: &[String],
) -> Result<Option<(i64, HashSet<String>)>> {
    let head: Option<i64> = conversation::table
        .filter(conversation::tenant_id.eq(tenant))
        .filter(conversation::id.eq(id))
        .select(conversation::seq)
        .first(connection)
        .optional()?;
    let Some(head) = head else { return Ok(None) };
    // Entries above the head that were written meanwhile are found too: then the piece that follows the head is refused.
    let known: Vec<Option<String>> = on!(connection, inner => group_message::table
        .filter(group_message::tenant_id.eq(tenant))
        .filter(group_message::conversation_id.eq(id))
        .filter(group_message::client_msg_id.eq_any(keys))
        .select(group_message::client_msg_id)
        .load(inner))?;
    Ok(Some((head, known.into_iter().flatten().collect())))
}

/// Keeps when an account was seen, where that is not known. Tells whether it was not.
pub fn seen(connection: &mut AnyConnection, tenant: TenantId, id: MemberId, at: i64) -> Result<bool> {
    let one = member::table.filter(member::tenant_id.eq(tenant)).filter(member::id.eq(id));
    let changed = diesel::update(one.filter(member::last_seen.is_null()))
        .set(member::last_seen.eq(at))
        .execute(connection)?;
    Ok(changed == 1)
}

/// The tenant's oldest channel account of a channel.
pub fn account(
    connection: &mut AnyConnection,
    tenant: TenantId,
    channel: Channel,
) -> Result<Option<AccountRow>> {
    let rows: Vec<AccountRow> = channel_account::table
        .filter(channel_account::tenant_id.eq(tenant))
        .filter(channel_account::deleted_at.is_null())
        .order(channel_account::id.asc())
        .select(AccountRow::as_select())
        .load(connection)?;
    Ok(rows.into_iter().find(|row| row.provider.channel() == channel))
}
