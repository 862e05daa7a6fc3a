//! Replaying erasures after a restore: what was erased after the backup was made is in the store again.

use std::sync::Arc;

use super::adopt::adopt;
use super::list::Listed;
use super::{store, worker};
use crate::app::App;
use crate::kernel::Result;

/// Begins the listed erasures and does them, on a store that no server uses. Files go when a server starts, which ends the
/// erasures. Gives how many were under way.
pub async fn replay(app: &Arc<App>, listed: Vec<Listed>) -> Result<usize> {
    adopt(app, listed).await?;
    let rows = app.db.read(|connection| store::running(connection, i64::MAX)).await?;
    for row in &rows {
        worker::run(app, row, worker::Beside::Nobody).await?;
    }
    Ok(rows.len())
}
