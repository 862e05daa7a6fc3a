//! What is done with message events.

use serde_json::{Map, Value};

use super::store;
use crate::app::App;
use crate::centre::sends::service::Traced;
use crate::centre::{digests, sends};
use crate::db::AnyConnection;
use crate::db::types::json_text;
use crate::domain::actor::Actor;
use crate::domain::centre::event::{BATCH_MAX, EventRow, PAYLOAD_MAX};
use crate::domain::permission::{Operation, require};
use crate::http::idempotency::{Once, once};
use crate::http::page::{Page, PageQuery};
use crate::kernel::text::is_key;
use crate::kernel::{Error, MemberId, MessageEventId, Result};
use crate::members::profile::Checker;

/// Something that happened.
#[derive(Debug, Clone)]
pub struct New {
    /// What kind of thing.
    pub key: String,
    /// What is known of it.
    pub payload: Map<String, Value>,
    /// The customer whom it is about.
    pub customer_id: Option<MemberId>,
    /// The customer whom it is about, by the merchant's own name for it.
    pub customer_external_id: Option<String>,
}

/// What became of an event.
#[derive(Debug, Clone)]
pub struct Trace {
    /// The event.
    pub event: EventRow,
    /// Its messages, each with its attempts and receipts.
    pub sends: Vec<Traced>,
    /// The events that it stands for, when it is a digest.
    pub digest_of: Vec<MessageEventId>,
    /// The digests that it went into, as far as they have ended.
    pub digested_as: Vec<MessageEventId>,
}

/// Stores events; their rules are applied in a moment. `pointer` is where the events stand in the request. Errors:
/// `forbidden`, `idempotency_conflict`, `validation_failed`.
pub async fn create(
    app: &App,
    actor: Actor,
    events: Vec<New>,
    pointer: impl Fn(usize) -> String,
    key: Option<Once>,
) -> Result<Vec<EventRow>> {
    require(&actor, Operation::SendMessages)?;
    let mut check = Checker::default();
    if !(1..=BATCH_MAX).contains(&events.len()) {
        check.wrong("/events", "out_of_range", format!("1 to {BATCH_MAX} events"));
    }
    let now = app.clock.now().0;
    let (mut rows, mut named) = (Vec::with_capacity(events.len()), Vec::new());
    for (index, event) in events.into_iter().enumerate() {
        let payload = json_text(&event.payload);
        if !is_key(&event.key) {
            check.wrong(&format!("{}/key", pointer(index)), "invalid", "1 to 64 of A-Z a-z 0-9 . _ : -");
        }
        if payload.len() > PAYLOAD_MAX {
            let detail = format!("at most {PAYLOAD_MAX} bytes of JSON");
            check.wrong(&format!("{}/payload", pointer(index)), "too_long", detail);
        }
        if event.customer_id.is_some() && event.customer_external_id.is_some() {
            let detail = "one of customer_id and customer_external_id";
            check.wrong(&format!("{}/customer_external_id", pointer(index)), "invalid", detail);
        }
        if let Some(customer) = event.customer_id {
            named.push((index, format!("{}/customer_id", pointer(index)), Named::Id(customer)));
        }
        if let Some(customer) = event.customer_external_id {
            let pointer = format!("{}/customer_external_id", pointer(index));
            named.push((index, pointer, Named::ExternalId(customer)));
        }
        rows.push(EventRow {
            id: MessageEventId(app.ids.next()?),
            tenant_id: actor.tenant,
            key: event.key,
            payload,
            created_by: Some(actor.member),
            created_at: now,
            expanded_at: None,
            decisions: None,
            customer_id: None,
            agent_id: None,
            rule_id: None,
            origin: None,
        });
    }
    check.finish()?;
    let write = move |connection: &mut AnyConnection| {
        // A repeated request makes nothing, so that nothing of it is looked up either: customers may be gone by then.
        let ids: Vec<MessageEventId> = once(connection, key.as_ref(), now, |connection| {
            let mut rows = rows.clone();
            for (index, pointer, named) in &named {
                let found = match named {
                    Named::Id(id) => store::customer(connection, actor.tenant, *id)?,
                    Named::ExternalId(id) => store::customer_of(connection, actor.tenant, id)?,
                };
                let missing = || Error::field(pointer.as_str(), "invalid", "there is no such customer");
                let customer = found.ok_or_else(missing)?;
                if let Some(row) = rows.get_mut(*index) {
                    row.customer_id = Some(customer);
                }
            }
            store::insert(connection, &rows)?;
            Ok(rows.iter().map(|row| row.id).collect())
        })?;
        // Of a repeated request these are the events of the first one.
        let found = ids.into_iter().map(|id| store::find(connection, actor.tenant, id));
        found.filter_map(Result::transpose).collect::<Result<Vec<_>>>()
    };
    let stored = app.db.write(write).await?;
    app.message_events.notify_one();
    Ok(stored)
}

/// How a request names a customer.
#[derive(Debug, Clone)]
enum Named {
    Id(MemberId),
    ExternalId(String),
}

/// The events of the tenant, the newest first; only those with this key when one is given. Errors: `forbidden`.
pub async fn list(app: &App, actor: Actor, key: Option<String>, page: PageQuery) -> Result<Page<EventRow>> {
    require(&actor, Operation::ReadMessageCentre)?;
    let (limit, before) = (page.limit()?, page.after::<MessageEventId>()?);
    let read = move |connection: &mut _| store::list(connection, actor.tenant, key, before, limit + 1);
    Ok(Page::new(app.db.read(read).await?, limit, |row| row.id))
}

/// What became of an event. Errors: `forbidden`, `not_found`.
pub async fn trace(app: &App, actor: Actor, id: MessageEventId) -> Result<Trace> {
    require(&actor, Operation::ReadMessageCentre)?;
    let read = move |connection: &mut AnyConnection| {
        let event = store::find(connection, actor.tenant, id)?.ok_or_else(Error::not_found)?;
        let rows = sends::store::of_event(connection, actor.tenant, id)?;
        let mut sends = Vec::with_capacity(rows.len());
        for row in rows {
            sends.push(sends::service::traced(connection, row)?);
        }
        let digest_of = match event.digest() {
            Some(digest) => digests::store::events_of(connection, actor.tenant, digest)?,
            None => Vec::new(),
        };
        let digested_as = digests::store::ended_with(connection, actor.tenant, id)?;
        Ok(Trace { event, sends, digest_of, digested_as })
    };
    app.db.read(read).await
}
