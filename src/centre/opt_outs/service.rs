//! What is done with opt-outs.

use super::store;
use crate::app::App;
use crate::db::AnyConnection;
use crate::domain::actor::Actor;
use crate::domain::audit::Act;
use crate::domain::centre::account::Channel;
use crate::domain::centre::recipient::{OptOutRow, OptOutSource};
use crate::domain::centre::send::MessagePriority;
use crate::domain::permission::{Operation, require};
use crate::http::page::{Page, PageQuery};
use crate::kernel::{Error, OptOutId, PersonId, Result};

/// The opt-outs of the tenant in the order of their ids; only those of this person when one is given. Errors: `forbidden`.
pub async fn list(
    app: &App,
    actor: Actor,
    person: Option<PersonId>,
    page: PageQuery,
) -> Result<Page<OptOutRow>> {
    require(&actor, Operation::ReadMessageCentre)?;
    let (limit, after) = (page.limit()?, page.after::<OptOutId>()?);
    let read = move |connection: &mut _| store::list(connection, actor.tenant, person, after, limit + 1);
    Ok(Page::new(app.db.read(read).await?, limit, |row| row.id))
}

/// Writes down what a person does not want; gives what is written already when it is. Errors: `forbidden`,
/// `limit_reached`, `validation_failed`.
pub async fn create(
    app: &App,
    actor: Actor,
    person: PersonId,
    channel: Channel,
    priority: Option<MessagePriority>,
) -> Result<OptOutRow> {
    require(&actor, Operation::ManageMessageCentre)?;
    if !channel.has_recipients() {
        return Err(Error::field("/channel", "invalid", "messages of this channel go to no person"));
    }
    let row = OptOutRow {
        id: OptOutId(app.ids.next()?),
        tenant_id: actor.tenant,
        person_id: person,
        channel,
        priority: priority.map(|priority| priority.as_str().to_owned()).unwrap_or_default(),
        source: OptOutSource::Staff,
        created_at: app.clock.now().0,
    };
    let audit = app.auditor(&actor)?;
    let write = move |connection: &mut AnyConnection| {
        let kept = store::insert(connection, &row)?;
        // What was written before is given as it is.
        audit.note(connection, (kept.id == row.id).then(|| Act::created(&kept)))?;
        Ok(kept)
    };
    app.db.write(write).await
}

/// Deletes an opt-out. Errors: `forbidden`, `not_found`.
pub async fn delete(app: &App, actor: Actor, id: OptOutId) -> Result<()> {
    require(&actor, Operation::ManageMessageCentre)?;
    let audit = app.auditor(&actor)?;
    let write = move |connection: &mut AnyConnection| {
        let row = store::delete(connection, actor.tenant, id)?;
        audit.note(connection, Act::deleted(&row))
    };
    app.db.write(write).await
}
