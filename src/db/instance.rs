//! The store's identity: table `instance`, one row. Its epoch says which history the store holds; cursors embed it.
//!
//! Invariant: the epoch changes whenever history may have gone back (a restore), and at no other time.

use diesel::prelude::*;

use super::connection::{AnyConnection, Purpose, Target};
use super::schema::instance;
use crate::kernel::secret::random_key;
use crate::kernel::{Clock, Code, Error, Result};

const THE_ROW: i64 = 1;

/// The store's epoch, made when the store is new.
pub fn epoch(target: &Target, clock: &Clock) -> Result<String> {
    let mut connection = target.connect(Purpose::Write)?;
    if let Some(epoch) = read(&mut connection)? {
        return Ok(epoch);
    }
    let row =
        (instance::id.eq(THE_ROW), instance::epoch.eq(random_key(9)), instance::created_at.eq(clock.now().0));
    match diesel::insert_into(instance::table).values(row).execute(&mut connection) {
        Ok(_) => {}
        // Another process was first; its epoch holds.
        Err(cause) if super::error_kind::error_kind(&cause) == super::DbErrorKind::Unique => {}
        Err(cause) => return Err(cause.into()),
    }
    Ok(read(&mut connection)?.unwrap_or_default())
}

/// Starts a new epoch: every cursor of the old history is refused from now on. Fails when
/// no server was started on the store yet.
pub fn renew_epoch(connection: &mut AnyConnection) -> Result<String> {
    let epoch = random_key(9);
    let row = diesel::update(instance::table.filter(instance::id.eq(THE_ROW)));
    match row.set(instance::epoch.eq(&epoch)).execute(connection)? {
        0 => Err(Error::new(Code::InvalidParameter, "the store has no epoch yet: start the server once")),
        _ => Ok(epoch),
    }
}

fn read(connection: &mut AnyConnection) -> Result<Option<String>> {
    let row = instance::table.filter(instance::id.eq(THE_ROW)).select(instance::epoch);
    Ok(row.first(connection).optional()?)
}
