//! Whether the store takes writes: what readiness asks after a write was refused for want of space or of the right.
//!
//! Owns the mark that a write was refused, and the probe that takes it away. Invariants: the probe writes as much as a
//! large message, so that a disk with room for small things only is not called free; it runs once a second at most.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use diesel::prelude::*;

use super::schema::store_probe;
use super::{AnyConnection, Db};
use crate::kernel::{Code, Error, Result};

/// How much the probe writes, in bytes.
const SIZE: usize = 262_144;
/// How long a probe's outcome holds.
const PAUSE: Duration = Duration::from_secs(1);
const THE_ROW: i64 = 1;

/// Whether a write was refused since the last probe that succeeded.
#[derive(Debug, Default)]
pub struct Refusals {
    refused: AtomicBool,
    probed: Mutex<Option<Instant>>,
}

impl Refusals {
    /// Takes down that the store refused a write.
    pub fn note(&self) {
        self.refused.store(true, Ordering::SeqCst);
    }

    fn may_probe(&self) -> bool {
        let mut probed = self.probed.lock().unwrap_or_else(PoisonError::into_inner);
        let may = probed.is_none_or(|at| at.elapsed() >= PAUSE);
        if may {
            *probed = Some(Instant::now());
        }
        may
    }
}

/// Fails with `storage_unavailable` while the store takes no writes.
pub async fn takes_writes(db: &Db) -> Result<()> {
    let refusals = db.refusals();
    if !refusals.refused.load(Ordering::SeqCst) {
        return Ok(());
    }
    let refused = || Error::new(Code::StorageUnavailable, "the store takes no writes").retry_after(2_000);
    if !refusals.may_probe() {
        return Err(refused());
    }
    db.write(write).await.map_err(|error| {
        log::warn!(target: "deskwire::db", "the store still takes no writes: {error}");
        refused()
    })?;
    refusals.refused.store(false, Ordering::SeqCst);
    Ok(())
}

fn write(connection: &mut AnyConnection) -> Result<()> {
    // Another text each time: some databases write nothing when nothing changes.
    let mut padding = crate::kernel::secret::random_key(16);
    padding.extend(std::iter::repeat_n('.', SIZE));
    let updated = diesel::update(store_probe::table.filter(store_probe::id.eq(THE_ROW)))
        .set(store_probe::padding.eq(&padding))
        .execute(connection)?;
    if updated == 0 {
        diesel::insert_into(store_probe::table)
            .values((store_probe::id.eq(THE_ROW), store_probe::padding.eq(&padding)))
            .execute(connection)?;
    }
    Ok(())
}
