//! Node numbers: the part of every id that keeps processes on one store apart. Owns the table `node`.
//!
//! Invariants: a number has one holder until its lease runs out by the database's clock; a holder that cannot renew
//! stops making ids before that, by its own; whoever takes a number makes ids later than those of the one before, so
//! the clocks of processes need not agree.

use diesel::prelude::*;

use super::connection::{AnyConnection, Purpose, Target};
use super::schema::node;
use super::time;
use crate::kernel::id::NODE_NUMBERS;
use crate::kernel::{Clock, Code, Error, IdGenerator, Result};

/// How long a lease lasts without renewal, in milliseconds. It is renewed every quarter of that.
pub const LEASE_MS: i64 = 120_000;

/// How many processes hold a number now.
pub fn live(connection: &mut AnyConnection) -> Result<i64> {
    let now = time::now(connection)?;
    Ok(node::table.filter(node::leased_until.ge(now)).count().get_result(connection)?)
}

/// A leased number.
#[derive(Debug, Clone)]
pub struct Lease {
    number: i32,
    holder: String,
}

impl Lease {
    /// Takes the first free number and tells the generator.
    pub fn acquire(target: &Target, clock: &Clock, ids: &IdGenerator) -> Result<Self> {
        let mut connection = target.connect(Purpose::Write)?;
        // Taken before the database is asked for its time, so it ends here before it ends there.
        let until = clock.now().0 + LEASE_MS;
        let holder = crate::kernel::secret::random_key(16);
        for number in 0..NODE_NUMBERS {
            let lease = Self { number, holder: holder.clone() };
            if lease.take(&mut connection, until)? {
                ids.lease(number, until);
                return Ok(lease);
            }
        }
        Err(Error::new(Code::StorageUnavailable, format!("all {NODE_NUMBERS} node numbers are leased")))
    }

    /// Renews the lease; when somebody else has the number by now, takes another one.
    pub fn renew(&mut self, target: &Target, clock: &Clock, ids: &IdGenerator) -> Result<()> {
        let mut connection = target.connect(Purpose::Write)?;
        let until = clock.now().0 + LEASE_MS;
        let leased_until = time::now(&mut connection)? + LEASE_MS;
        let renewed = diesel::update(
            node::table.filter(node::number.eq(self.number)).filter(node::holder.eq(&self.holder)),
        )
        .set((node::leased_until.eq(leased_until), node::ids_until.eq(until)))
        .execute(&mut connection)?;
        if renewed == 1 {
            ids.lease(self.number, until);
        } else {
            *self = Self::acquire(target, clock, ids)?;
        }
        Ok(())
    }

    /// Gives the number back.
    pub fn release(&self, target: &Target, clock: &Clock) -> Result<()> {
        let mut connection = target.connect(Purpose::Write)?;
        diesel::update(
            node::table.filter(node::number.eq(self.number)).filter(node::holder.eq(&self.holder)),
        )
        .set((node::leased_until.eq(0), node::ids_until.eq(clock.now().0)))
        .execute(&mut connection)?;
        Ok(())
    }

    fn take(&self, connection: &mut AnyConnection, until: i64) -> Result<bool> {
        let now = time::now(connection)?;
        let (mine, leased_until) = (until - LEASE_MS, now + LEASE_MS);
        let free = node::table
            .filter(node::number.eq(self.number))
            .filter(node::leased_until.lt(now))
            .filter(node::ids_until.le(mine));
        let taken = diesel::update(free)
            .set((
                node::holder.eq(&self.holder),
                node::leased_until.eq(leased_until),
                node::ids_until.eq(until),
            ))
            .execute(connection)?;
        if taken == 1 {
            return Ok(true);
        }
        let held: i64 = node::table.filter(node::number.eq(self.number)).count().get_result(connection)?;
        if held > 0 {
            return Ok(false);
        }
        let row = (
            node::number.eq(self.number),
            node::holder.eq(&self.holder),
            node::leased_until.eq(leased_until),
            node::ids_until.eq(until),
        );
        match diesel::insert_into(node::table).values(row).execute(connection) {
            Ok(_) => Ok(true),
            // Another process inserted the number between the count and the insert.
            Err(cause) if super::error_kind::error_kind(&cause) == super::DbErrorKind::Unique => Ok(false),
            Err(cause) => Err(cause.into()),
        }
    }
}
