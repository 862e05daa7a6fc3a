//! What is done with sends by people; what becomes of them otherwise stands in `dispatch`.

use serde_json::{Value, json};

use super::store::{self, Filter};
use crate::app::App;
use crate::centre::{fallbacks, receipts};
use crate::db::AnyConnection;
use crate::domain::actor::Actor;
use crate::domain::audit::{Act, AuditAction, AuditTarget, Audited};
use crate::domain::centre::receipt::ReceiptRow;
use crate::domain::centre::send::{AttemptRow, SendEvent, SendReason, SendRow, SendStatus};
use crate::domain::permission::{Operation, require};
use crate::http::page::{Page, PageQuery};
use crate::kernel::{Code, Error, MessageSendId, Result};
use crate::text_enum;

text_enum! {
    /// What somebody found out about a message whose fate was unknown.
    Resolution {
        /// It arrived.
        Accepted = "accepted",
        /// It did not arrive: it is sent again.
        NotSent = "not_sent",
    }
}

/// The sends of the tenant, the newest first. Errors: `forbidden`.
pub async fn list(app: &App, actor: Actor, filter: Filter, page: PageQuery) -> Result<Page<SendRow>> {
    require(&actor, Operation::ReadMessageCentre)?;
    let (limit, before) = (page.limit()?, page.after::<MessageSendId>()?);
    let read = move |connection: &mut _| store::list(connection, actor.tenant, &filter, before, limit + 1);
    Ok(Page::new(app.db.read(read).await?, limit, |row| row.id))
}

/// A send with what became of it.
#[derive(Debug, Clone)]
pub struct Traced {
    /// The send.
    pub send: SendRow,
    /// Its newest attempts, the oldest first.
    pub attempts: Vec<AttemptRow>,
    /// The receipts of its provider, the oldest first.
    pub receipts: Vec<ReceiptRow>,
}

/// What became of a send of this tenant.
pub fn traced(connection: &mut AnyConnection, send: SendRow) -> Result<Traced> {
    let attempts = store::attempts(connection, send.tenant_id, send.id)?;
    // Only what went to a person has receipts.
    let receipts = match send.address.is_some() && send.number > 0 {
        true => receipts::store::of_send(connection, send.tenant_id, send.id, send.account_id)?,
        false => Vec::new(),
    };
    Ok(Traced { send, attempts, receipts })
}

/// One send with its attempts and receipts. Errors: `forbidden`, `not_found`.
pub async fn get(app: &App, actor: Actor, id: MessageSendId) -> Result<Traced> {
    require(&actor, Operation::ReadMessageCentre)?;
    let read = move |connection: &mut AnyConnection| {
        let row = store::find(connection, actor.tenant, id)?.ok_or_else(Error::not_found)?;
        traced(connection, row)
    };
    app.db.read(read).await
}

/// Calls a send back before it goes out; does nothing when it is cancelled already. Errors: `forbidden`, `not_found`,
/// `invalid_transition`.
pub async fn cancel(app: &App, actor: Actor, id: MessageSendId) -> Result<SendRow> {
    change(app, actor, id, SendEvent::Cancelled, |row, _| row).await
}

/// Has a send that failed, was not delivered, expired, was cancelled or is uncertain sent again, with all its attempts before
/// it. Errors: `forbidden`, `not_found`, `invalid_transition`.
pub async fn retry(app: &App, actor: Actor, id: MessageSendId) -> Result<SendRow> {
    change(app, actor, id, SendEvent::Retried, again).await
}

/// What changes of a send that is retried, beside its state.
pub fn again(row: SendRow, now: i64) -> SendRow {
    let may_duplicate = row.may_duplicate || row.status == SendStatus::Uncertain;
    // Its time is over, or may be before it goes out; who repeats it wants it all the same.
    SendRow { attempts: 0, slowed: 0, may_duplicate, next_at: now, expires_at: None, ..row }
}

/// Says what became of a send whose fate is unknown. Errors: `forbidden`, `not_found`, `invalid_transition`.
pub async fn resolve(app: &App, actor: Actor, id: MessageSendId, resolution: Resolution) -> Result<SendRow> {
    let event = match resolution {
        Resolution::Accepted => SendEvent::Accepted,
        Resolution::NotSent => SendEvent::NotSent,
    };
    let settle = move |row: SendRow, now: i64| match resolution {
        Resolution::Accepted => SendRow { sent_at: Some(now), ..row },
        Resolution::NotSent => SendRow { attempts: 0, slowed: 0, next_at: now, ..row },
    };
    change(app, actor, id, event, settle).await
}

/// Lets an event happen to a send, with what changes beside its state.
async fn change(
    app: &App,
    actor: Actor,
    id: MessageSendId,
    event: SendEvent,
    set: impl Fn(SendRow, i64) -> SendRow + Send + 'static,
) -> Result<SendRow> {
    require(&actor, Operation::SendMessages)?;
    let (now, ids, audit) = (app.clock.now().0, app.ids.clone(), app.auditor(&actor)?);
    let write = move |connection: &mut AnyConnection| {
        let row = store::find(connection, actor.tenant, id)?.ok_or_else(Error::not_found)?;
        if row.status == SendStatus::Cancelled && event == SendEvent::Cancelled {
            return Ok(row);
        }
        let Some(after) = apply(connection, &row, event, &set, now)? else {
            return Err(Error::new(Code::Busy, "the send changed meanwhile").retry_after(1_000));
        };
        fallbacks::make::follow(connection, &ids, &[id], now)?;
        audit.note(connection, Act::with_change(told(event), &row, &after))?;
        Ok(after)
    };
    let row = app.db.write(write).await?;
    app.message_sends.notify_one();
    Ok(row)
}

/// Lets an event that a person brings happen to a send; `None` when it changed meanwhile. What follows of its fallback is
/// left to the caller. Errors: `invalid_transition`.
pub fn apply(
    connection: &mut AnyConnection,
    row: &SendRow,
    event: SendEvent,
    set: &impl Fn(SendRow, i64) -> SendRow,
    now: i64,
) -> Result<Option<SendRow>> {
    // A worker's own events are not a person's: what is on its way comes back by itself.
    let next = row.status.after(event).filter(|_| row.status != SendStatus::Sending);
    let Some(status) = next else { return Err(refused(row.status)) };
    if row.reason == Some(SendReason::Template) {
        let error = Error::new(
            Code::InvalidTransition,
            "there is nothing to send: the template could not be rendered",
        );
        return Err(error.with("status", row.status.as_str()));
    }
    let after = SendRow { status, reason: None, updated_at: now, ..set(row.clone(), now) };
    Ok(store::change(connection, row, &after)?.then_some(after))
}

/// How the audit log calls what a person has happen to a send.
const fn told(event: SendEvent) -> AuditAction {
    match event {
        SendEvent::Cancelled => AuditAction::Cancel,
        SendEvent::Retried => AuditAction::Retry,
        _ => AuditAction::Resolve,
    }
}

impl Audited for SendRow {
    const TARGET: AuditTarget = AuditTarget::MessageSend;

    fn audit_id(&self) -> i64 {
        self.id.0
    }

    fn audit_facts(&self) -> Value {
        json!({"status": self.status, "may_duplicate": self.may_duplicate})
    }
}

fn refused(status: SendStatus) -> Error {
    Error::new(Code::InvalidTransition, format!("the send is {status}")).with("status", status.as_str())
}
