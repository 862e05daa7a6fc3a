//! What is done with presences.

use super::store::{self, Only, PresenceRow};
use crate::app::App;
use crate::domain::actor::Actor;
use crate::domain::permission::{Operation, Scope, require};
use crate::domain::presence::{PresenceChangeRow, PresenceStatus, REASON_MAX};
use crate::http::page::{Page, PageQuery};
use crate::journal::Command;
use crate::journal::commands::SetPresence;
use crate::kernel::{Code, Error, MemberId, PresenceChangeId, Result};
use crate::members::profile::Checker;

/// The staff and what they are, in the order of their ids. Errors: `forbidden`.
pub async fn list(app: &App, actor: Actor, only: Only, page: PageQuery) -> Result<Page<PresenceRow>> {
    require(&actor, Operation::ReadPresence)?;
    let (limit, after) = (page.limit()?, page.after::<MemberId>()?);
    let read = move |connection: &mut _| store::list(connection, actor.tenant, only, after, limit + 1);
    Ok(Page::new(app.db.read(read).await?, limit, |row| row.id))
}

/// Says what the actor is. Errors: `forbidden`, `validation_failed`.
pub async fn set(app: &App, actor: Actor, status: PresenceStatus, reason: &str) -> Result<PresenceRow> {
    require(&actor, Operation::SetPresence)?;
    let mut check = Checker::default();
    let reason = check.line("/reason", reason, REASON_MAX);
    check.finish()?;
    app.journal.submit(Command::new(actor, SetPresence { status, reason })).await?;
    let only = Only { member: Some(actor.member), ..Only::default() };
    let rows = app.db.read(move |connection| store::list(connection, actor.tenant, only, None, 1)).await?;
    // One that is not there was disabled a moment ago.
    rows.into_iter().next().ok_or_else(|| Error::new(Code::AccountDisabled, Code::AccountDisabled.meaning()))
}

/// What a member of the staff was, newest first; also of one whose account is disabled or deleted. Errors: `not_found`,
/// `forbidden` for what others of the staff may read.
pub async fn history(
    app: &App,
    actor: Actor,
    member: MemberId,
    page: PageQuery,
) -> Result<Page<PresenceChangeRow>> {
    let scope = require(&actor, Operation::ReadPresenceHistory)?;
    let (limit, before) = (page.limit()?, page.after::<PresenceChangeId>()?);
    let rows = app
        .db
        .read(move |connection| {
            if !store::is_staff(connection, actor.tenant, member)? {
                return Err(Error::not_found());
            }
            if scope != Scope::Tenant && member != actor.member {
                return Err(Error::new(Code::Forbidden, "agents read their own history"));
            }
            store::history(connection, actor.tenant, member, before, limit + 1)
        })
        .await?;
    Ok(Page::new(rows, limit, |row| row.id))
}
