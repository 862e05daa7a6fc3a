//! Taking in a list of erasures: what the store does not know of it begins.

use super::list::Listed;
use super::store;
use crate::app::App;
use crate::db::AnyConnection;
use crate::db::error_kind::{DbErrorKind, error_kind};
use crate::kernel::{ErasureId, Result};

/// Erasures that are read together.
const PAGE: i64 = 500;

/// Begins the listed erasures that the store does not know and whose accounts it holds; gives how many.
pub async fn adopt(app: &App, listed: Vec<Listed>) -> Result<usize> {
    let mut begun = 0;
    for one in listed {
        begun += usize::from(app.db.write(move |connection| begin(connection, one)).await?);
    }
    Ok(begun)
}

fn begin(connection: &mut AnyConnection, one: Listed) -> Result<bool> {
    let (tenant, member) = (one.tenant_id, one.member_id);
    if store::account(connection, tenant, member)?.is_none() {
        return Ok(false);
    }
    if let Some(known) = store::of_member(connection, tenant, member)? {
        // The copy may hold an earlier erasure of the same account, which was asked for once more since.
        return match known.requested_at < one.requested_at {
            true => store::begin_anew(connection, &one.row_of(known.id)),
            false => Ok(false),
        };
    }
    match store::insert(connection, &one.row()) {
        Ok(_) => Ok(true),
        Err(cause) if error_kind(&cause) == DbErrorKind::Unique => Ok(false),
        Err(cause) => Err(cause.into()),
    }
}

/// The list of everything that a store knows to be erased.
pub fn of_store(connection: &mut AnyConnection) -> Result<Vec<Listed>> {
    let (mut all, mut after) = (Vec::new(), ErasureId(0));
    loop {
        let rows = store::all(connection, after, PAGE)?;
        let Some(last) = rows.last() else { return Ok(all) };
        after = last.id;
        all.extend(rows.iter().map(Listed::from));
    }
}
