//! What is done with presences.

use super::store::{self, PresenceRow};
use crate::app::App;
use crate::domain::actor::Actor;
use crate::domain::permission::{Operation, require};
use crate::domain::presence::{PresenceStatus, REASON_MAX};
use crate::http::page::{Page, PageQuery};
use crate::journal::Command;
use crate::journal::commands::SetPresence;
use crate::kernel::{Code, Error, MemberId, Result};
use crate::members::profile::Checker;

/// The staff and what they say that they are, in the order of their ids. Errors: `forbidden`.
pub async fn list(
    app: &App,
    actor: Actor,
    status: Option<PresenceStatus>,
    page: PageQuery,
) -> Result<Page<PresenceRow>> {
    require(&actor, Operation::ReadPresence)?;
    let (limit, after) = (page.limit()?, page.after::<MemberId>()?);
    let read =
        move |connection: &mut _| store::list(connection, actor.tenant, (status, None), after, limit + 1);
    Ok(Page::new(app.db.read(read).await?, limit, |row| row.id))
}

/// Says what the actor is. Errors: `forbidden`, `validation_failed`.
pub async fn set(app: &App, actor: Actor, status: PresenceStatus, reason: &str) -> Result<PresenceRow> {
    require(&actor, Operation::SetPresence)?;
    let mut check = Checker::default();
    let reason = check.line("/reason", reason, REASON_MAX);
    check.finish()?;
    app.journal.submit(Command::new(actor, SetPresence { status, reason })).await?;
    let only = (None, Some(actor.member));
    let rows = app.db.read(move |connection| store::list(connection, actor.tenant, only, None, 1)).await?;
    // One that is not there was disabled a moment ago.
    rows.into_iter().next().ok_or_else(|| Error::new(Code::AccountDisabled, Code::AccountDisabled.meaning()))
}
