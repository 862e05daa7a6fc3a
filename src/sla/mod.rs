//! SLA policies and clocks: how fast customers are to be answered, and who is told when that is missed.
//!
//! Owns the routes `/sla-policies` and `/conversations/{id}/sla-clocks`, the tables `sla_policy`, `sla_stretch`, `sla_clock` and
//! `sla_refresh`, the follower of the log that keeps the clocks, and the task that has warnings and breaches told. Does not own
//! what a clock is (`domain::sla`), nor the notices (`journal::commands::TellSla`).
//!
//! Invariants: the follower alone reads the log, and writes clocks in the transaction that moves its cursor; new targets are
//! given under the same row, so that neither writes over the other; a warning and a breach are notices of the log first, and
//! stand in the clock once the follower has read them; before that nothing is told again, because the command refuses whoever
//! has not read them. Tenants that never had a policy are not followed.

pub mod api;
mod check;
pub mod follower;
mod log;
pub mod refresh;
pub mod service;
mod store;
mod sweep;

use std::sync::Arc;

pub use api::routes;

use crate::app::App;
use crate::journal::follower::fold::Folding;
use crate::kernel::looks;

/// Starts what keeps the clocks and has them told. Must be called on a tokio runtime.
pub fn spawn_tasks(app: &Arc<App>) {
    app.follow(Arc::new(Folding::<follower::ClockKeeper>::new(app.db.clone(), app.journal.clone())));
    let sweep = sweep::Sweep { db: app.db.clone(), journal: app.journal.clone(), clock: app.clock.clone() };
    let (clock, shutdown) = (app.clock.clone(), app.tasks.shutdown().clone());
    app.tasks.spawn("sla", move || looks::run(sweep.clone(), clock.clone(), shutdown.clone()));
}
