//! Reads of a tenant's whole log in the order of revs, as those follow it who work behind it. Every function takes the tenant.

use diesel::prelude::*;

use crate::db::AnyConnection;
use crate::db::schema::{group_message, import_row};
use crate::domain::entry::{EntryKind, EntryRow};
use crate::kernel::{Result, TenantId};
use crate::on;

/// Up to which rev entries were written before this time (unix milliseconds), where the clock did not jump. What was imported
/// stands under the revs of its import, whatever its times are: it is passed over.
pub fn written_before(connection: &mut AnyConnection, tenant: TenantId, at: i64, head: i64) -> Result<i64> {
    let (mut low, mut high) = (0, head);
    while low < high {
        let middle = low + (high - low) / 2;
        let next: Option<(i64, i64)> = group_message::table
            .filter(group_message::tenant_id.eq(tenant))
            .filter(group_message::rev.gt(middle))
            .filter(group_message::rev.le(high))
            .filter(group_message::client_msg_id.is_null().or(group_message::body_hash.is_not_null()))
            .order((group_message::rev.asc(), group_message::conversation_id.asc(), group_message::seq.asc()))
            .select((group_message::rev, group_message::created_at))
            .first(connection)
            .optional()?;
        match next {
            Some((rev, written)) if written < at => low = rev,
            _ => high = middle,
        }
    }
    Ok(low)
}

/// The last rev under which something was imported; 0: nothing was.
pub fn last_imported(connection: &mut AnyConnection, tenant: TenantId) -> Result<i64> {
    // The ledger tells whether it is worth a look at the log.
    let imports: i64 = import_row::table
        .filter(import_row::tenant_id.eq(tenant))
        .limit(1)
        .select(import_row::created_at)
        .first(connection)
        .optional()?
        .unwrap_or(0);
    if imports == 0 {
        return Ok(0);
    }
    let last: Option<i64> = group_message::table
        .filter(group_message::tenant_id.eq(tenant))
        .filter(group_message::client_msg_id.is_not_null())
        .filter(group_message::body_hash.is_null())
        .order(group_message::rev.desc())
        .select(group_message::rev)
        .first(connection)
        .optional()?;
    Ok(last.unwrap_or(0))
}

/// The next entries of these kinds after a rev and up to `head`, about `most` of them, and up to which rev these are all. The
/// entries of one rev stay together.
pub fn following(
    connection: &mut AnyConnection,
    tenant: TenantId,
    kinds: &[EntryKind],
    (after, head): (i64, i64),
    most: i64,
) -> Result<(Vec<EntryRow>, i64)> {
    let kinds: Vec<&str> = kinds.iter().map(|kind| kind.as_str()).collect();
    let mut rows: Vec<EntryRow> = on!(connection, inner => group_message::table
        .filter(group_message::tenant_id.eq(tenant))
        .filter(group_message::rev.gt(after))
        .filter(group_message::rev.le(head))
        .filter(group_message::kind.eq_any(&kinds))
        .order((group_message::rev.asc(), group_message::conversation_id.asc(), group_message::seq.asc()))
        .limit(most)
        .select(EntryRow::as_select())
        .load(inner))?;
    let is_full = i64::try_from(rows.len()).is_ok_and(|count| count == most);
    let Some(last) = rows.last().map(|row| row.rev).filter(|_| is_full) else { return Ok((rows, head)) };
    // A piece ends between two revs: one command's entries share one.
    rows.retain(|row| row.rev < last);
    if rows.is_empty() {
        let all = on!(connection, inner => group_message::table
            .filter(group_message::tenant_id.eq(tenant))
            .filter(group_message::rev.eq(last))
            .filter(group_message::kind.eq_any(&kinds))
            .order((group_message::conversation_id.asc(), group_message::seq.asc()))
            .select(EntryRow::as_select())
            .load(inner))?;
        return Ok((all, last));
    }
    Ok((rows, last - 1))
}
