//! Reports: numbers of the work of a desk, by agent, group and tenant and by time.
//!
//! Owns the route `/reports`, the tables `report_stretch` and `report_bucket`, and the follower of the log that writes them.
//! Does not own what is measured and how it is added up (`domain::report`), nor the statements that add (`db::rollup`).
//!
//! Invariants: every number comes from the log, and a rebuild from its first rev comes to the same; what is counted is stored
//! in the transaction that moves the follower's cursor, so that each entry counts once; while the cursor stands at 0, nothing
//! that is stored counts. Reports lag behind the log, and say by how much.

pub mod api;
mod csv;
pub mod follower;
mod log;
pub mod rebuild;
pub mod service;
mod store;

use std::sync::Arc;

pub use api::routes;

use crate::app::App;
use crate::journal::follower::fold::Folding;

/// Starts what counts. Must be called on a tokio runtime.
pub fn spawn_tasks(app: &Arc<App>) {
    app.follow(Arc::new(Folding::<follower::Counter>::new(app.db.clone(), app.journal.clone())));
}
