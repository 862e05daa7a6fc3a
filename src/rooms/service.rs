//! Making rooms. Input is checked here; the journal decides with the present state in hand.

use crate::app::App;
use crate::conversations::service::{self as conversations, SUBJECT_MAX};
use crate::conversations::view::View;
use crate::domain::actor::Actor;
use crate::domain::permission::{Operation, require};
use crate::journal::commands::{MakeRoom, OpenDirect};
use crate::journal::{Action, Command};
use crate::kernel::{Error, MemberId, Result};
use crate::members::profile::Checker;

/// Makes a free room with these members. Errors: `forbidden`, `limit_reached`, `validation_failed`.
pub async fn make(app: &App, actor: Actor, subject: &str, members: Vec<MemberId>) -> Result<View> {
    require(&actor, Operation::OpenRoom)?;
    let mut check = Checker::default();
    let subject = check.required_line("/subject", subject, SUBJECT_MAX);
    check.finish()?;
    open(app, actor, MakeRoom { subject, members }).await.map(|(room, _)| room)
}

/// Opens the direct room with another member of the staff, or finds it; tells whether it was made now. Errors:
/// `forbidden`, `validation_failed`.
pub async fn direct(app: &App, actor: Actor, member: MemberId) -> Result<(View, bool)> {
    require(&actor, Operation::OpenRoom)?;
    open(app, actor, OpenDirect { member }).await
}

async fn open(app: &App, actor: Actor, action: impl Into<Action>) -> Result<(View, bool)> {
    let reply = app.journal.submit(Command::new(actor, action)).await?;
    let id = reply.conversation.ok_or_else(|| Error::internal("a room was made without an id"))?;
    Ok((conversations::view(app, actor, id).await?, reply.created))
}
