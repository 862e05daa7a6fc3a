//! What is done for a search.

use std::time::Duration;

use super::find::{Asked, Found, find};
use crate::app::App;
use crate::domain::actor::Actor;
use crate::domain::permission::{Operation, require};
use crate::kernel::{Code, Error, Result};

/// How long a search waits for its turn.
const PATIENCE: Duration = Duration::from_secs(2);

/// Searches messages and notes. Errors: `not_found` for a conversation that the actor does not see, `busy` when others search.
pub async fn messages(app: &App, actor: Actor, asked: Asked) -> Result<Found> {
    require(&actor, Operation::ReadConversation)?;
    let turn = tokio::time::timeout(PATIENCE, app.searches.acquire()).await;
    let _turn = turn
        .ok()
        .and_then(std::result::Result::ok)
        .ok_or_else(|| Error::new(Code::Busy, "too many searches at once: try again"))?;
    app.db.read(move |connection| find(connection, actor, asked)).await
}
