//! What is done for a search.

use std::time::Duration;

use tokio::sync::SemaphorePermit;

use super::check::{Asked, Hit, Place};
use super::find::find;
use super::{Found, objects};
use crate::app::App;
use crate::conversations::view::View;
use crate::domain::actor::Actor;
use crate::domain::member::Role;
use crate::domain::permission::{Operation, require};
use crate::kernel::{Code, Error, Result};
use crate::members::store::MemberRow;

/// How long a search waits for its turn.
const PATIENCE: Duration = Duration::from_secs(2);

/// Searches messages and notes. Errors: `not_found` for a conversation that the actor does not see, `busy` when others search.
pub async fn messages(app: &App, actor: Actor, asked: Asked) -> Result<Found<Hit, Place>> {
    require(&actor, Operation::ReadConversation)?;
    let _turn = turn(app).await?;
    app.db.read(move |connection| find(connection, actor, asked)).await
}

/// Searches accounts that the actor may list. Errors: `forbidden`, `busy` when others search.
pub async fn members(
    app: &App,
    actor: Actor,
    role: Option<Role>,
    asked: objects::Asked,
) -> Result<Found<MemberRow, i64>> {
    let scope = require(&actor, Operation::ReadMembers)?;
    let _turn = turn(app).await?;
    app.db.read(move |connection| objects::accounts(connection, actor, scope, role, &asked)).await
}

/// Searches conversations by their subjects. Errors: `busy` when others search.
pub async fn conversations(app: &App, actor: Actor, asked: objects::Asked) -> Result<Found<View, i64>> {
    require(&actor, Operation::ReadConversation)?;
    let _turn = turn(app).await?;
    app.db.read(move |connection| objects::conversations(connection, actor, &asked)).await
}

/// Waits for a turn.
async fn turn(app: &App) -> Result<SemaphorePermit<'_>> {
    let turn = tokio::time::timeout(PATIENCE, app.searches.acquire()).await;
    let turn = turn.ok().and_then(std::result::Result::ok);
    turn.ok_or_else(|| Error::new(Code::Busy, "too many searches at once: try again"))
}
