//! Cleaning up: what nobody will ask for again is taken away, by the first user of [`crate::journal::follower`].
//!
//! Owns what is old enough, and the queries that find and remove it. Visitors go through the journal, since others must
//! learn of it. Invariants: no log is ever touched; who could still come back is not cleaned (a live session, an open
//! conversation, any sign of life in time); every piece is bounded; processes share the work.

mod attributes;
mod filters;
mod find;

use std::time::Duration;

use diesel::dsl::{exists, not};
use diesel::prelude::*;
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, join_all};

use crate::db::schema::{
    auth_session, idempotency_key, lane_batch, message_attempt, message_binding, message_dedupe,
    message_digest, message_digest_event, message_event, message_fallback, message_receipt, message_send,
    message_throttle, notification, presence_change,
};
use crate::db::{AnyConnection, Db};
use crate::domain::actor::Principal;
use crate::domain::centre::send::SendStatus;
use crate::journal::audit;
use crate::journal::commands::ChangeMember;
use crate::journal::follower::{Follower, Progress, Schedule, Slice, Start, WHOLE_STORE};
use crate::journal::{Command, Journal};
use crate::kernel::id::first_id_at;
use crate::kernel::{
    AuditEventId, Clock, MessageBindingId, MessageEventId, MessageReceiptId, MessageSendId, NotificationId,
    PresenceChangeId, Result, SessionId, TenantId,
};
use crate::on;
use crate::settings::CleaningSettings;

/// Sessions and receipts that one piece removes.
const ROWS: i64 = 500;
/// Visitors that one piece removes: each is a command of its own.
const VISITORS: i64 = 50;
/// Members of the staff that one piece takes out of their conversations.
const STAFF: i64 = 20;
/// Events of the message centre that one piece removes, each with its messages and their attempts.
const EVENTS: i64 = 100;
/// How long idempotency keys are kept, in milliseconds: longer than the day that is promised.
const IDEMPOTENCY_MS: i64 = 2 * DAY_MS;
const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 24 * HOUR_MS;

/// The follower that cleans up.
pub struct Cleaning {
    /// The store.
    pub db: Db,
    /// Through which visitors go.
    pub journal: Journal,
    /// Tells what is old.
    pub clock: Clock,
    /// How old.
    pub settings: CleaningSettings,
}

impl Follower for Cleaning {
    fn name(&self) -> &'static str {
        "cleaning"
    }

    fn start(&self) -> Start {
        Start::Head
    }

    fn schedule(&self) -> Schedule {
        Schedule::Every(Duration::from_secs(self.settings.cleaning_minutes.saturating_mul(60)))
    }

    fn pause(&self) -> Duration {
        Duration::from_secs(5)
    }

    fn work<'a>(&'a self, slice: &'a Slice) -> BoxFuture<'a, Result<Progress>> {
        async move {
            let more = match slice.tenant {
                WHOLE_STORE => {
                    let receipts = self.receipts().await?;
                    let keys = self.keys().await?;
                    receipts || keys
                }
                tenant => {
                    let sessions = self.sessions(tenant).await?;
                    let visitors = self.visitors(tenant).await?;
                    let gone = self.gone_staff(tenant).await?;
                    let history = self.presence_history(tenant).await?;
                    let messages = self.messages(tenant).await?;
                    let audit = self.audit(tenant).await?;
                    let attributes = self.attributes(tenant).await?;
                    let filters = self.filters(tenant).await?;
                    sessions || visitors || gone || history || messages || audit || attributes || filters
                }
            };
            Ok(Progress { rev: slice.head, more })
        }
        .boxed()
    }
}

impl Cleaning {
    /// Removes receipts of batches that no lane asks for any more. Tells whether there may be more.
    async fn receipts(&self) -> Result<bool> {
        let before = first_id_at(self.clock.now().0 - self.settings.receipt_hours * HOUR_MS);
        let removed = self.db.write(move |connection| remove_receipts(connection, before)).await?;
        Ok(full(removed, ROWS))
    }

    /// Removes idempotency keys and dedupe keys whose time is over. Tells whether there may be more.
    async fn keys(&self) -> Result<bool> {
        let now = self.clock.now().0;
        let removed = self.db.write(move |connection| remove_keys(connection, now)).await?;
        Ok(full(removed, ROWS))
    }

    /// Removes old events of the message centre with their messages. Tells whether there may be more.
    async fn messages(&self, tenant: TenantId) -> Result<bool> {
        let before = self.clock.now().0 - self.settings.message_history_days * DAY_MS;
        let before = MessageEventId(first_id_at(before));
        let removed = self.db.write(move |connection| remove_messages(connection, tenant, before)).await?;
        let before = MessageReceiptId(before.0);
        let strays = self.db.write(move |connection| remove_strays(connection, tenant, before)).await?;
        let before = NotificationId(before.0);
        let told = self.db.write(move |connection| remove_notifications(connection, tenant, before)).await?;
        let before = MessageBindingId(before.0);
        let codes = self.db.write(move |connection| remove_bindings(connection, tenant, before)).await?;
        Ok(full(removed, EVENTS) || full(strays, ROWS) || full(told, ROWS) || full(codes, ROWS))
    }

    /// Removes sessions that ended long ago. Tells whether there may be more.
    async fn sessions(&self, tenant: TenantId) -> Result<bool> {
        let before = self.clock.now().0 - self.settings.dead_session_days * DAY_MS;
        let removed = self.db.write(move |connection| remove_sessions(connection, tenant, before)).await?;
        Ok(full(removed, ROWS))
    }

    /// Removes what the audit log told long ago. Tells whether there may be more.
    async fn audit(&self, tenant: TenantId) -> Result<bool> {
        let before = self.clock.now().0 - self.settings.audit_days * DAY_MS;
        let before = AuditEventId(first_id_at(before));
        let remove =
            move |connection: &mut AnyConnection| audit::remove_before(connection, tenant, before, ROWS);
        Ok(full(self.db.write(remove).await?, ROWS))
    }

    /// Removes what belongs to deleted custom attributes. Tells whether there may be more.
    async fn attributes(&self, tenant: TenantId) -> Result<bool> {
        let remove = move |connection: &mut AnyConnection| attributes::remove_deleted(connection, tenant);
        Ok(self.db.write(remove).await? > 0)
    }

    /// Removes saved filters that nobody has any more. Tells whether there may be more.
    async fn filters(&self, tenant: TenantId) -> Result<bool> {
        let remove = move |connection: &mut AnyConnection| filters::remove_ownerless(connection, tenant);
        Ok(full(self.db.write(remove).await?, ROWS))
    }

    /// Removes what members of the staff were long ago. Tells whether there may be more.
    async fn presence_history(&self, tenant: TenantId) -> Result<bool> {
        let before = self.clock.now().0 - self.settings.presence_history_days * DAY_MS;
        let before = PresenceChangeId(first_id_at(before));
        let removed = self.db.write(move |connection| remove_history(connection, tenant, before)).await?;
        Ok(full(removed, ROWS))
    }

    /// Deletes visitors that nobody knows and that will not come back. Tells whether there may be more.
    async fn visitors(&self, tenant: TenantId) -> Result<bool> {
        if self.settings.idle_visitor_days == 0 {
            return Ok(false);
        }
        let now = self.clock.now().0;
        let before = now - self.settings.idle_visitor_days * DAY_MS;
        let idle =
            self.db.read(move |connection| find::idle_visitors(connection, tenant, now, before)).await?;
        let commands = idle.iter().map(|visitor| {
            // That this may be done was decided by the operator's settings.
            let change = ChangeMember { delete: true, ..ChangeMember::of(*visitor) };
            self.journal.submit(Command::new(Principal::System(tenant), change))
        });
        for deleted in join_all(commands).await {
            deleted?;
        }
        Ok(full(idle.len(), VISITORS))
    }
}

impl Cleaning {
    /// Lets staff whose account came to its end, or that went while the process stopped, leave its conversations.
    /// Tells whether there may be more.
    async fn gone_staff(&self, tenant: TenantId) -> Result<bool> {
        let now = self.clock.now().0;
        let gone = self.db.read(move |connection| find::gone_staff(connection, tenant, now)).await?;
        let mut more = full(gone.len(), STAFF);
        for member in gone {
            let leave = Command::new(Principal::System(tenant), ChangeMember::of(member));
            more |= self.journal.submit(leave).await?.more;
        }
        Ok(more)
    }
}

fn full(count: usize, most: i64) -> bool {
    i64::try_from(count).is_ok_and(|count| count >= most)
}

fn remove_receipts(connection: &mut AnyConnection, before: i64) -> Result<usize> {
    let old = lane_batch::table.filter(lane_batch::id.lt(before)).select(lane_batch::id);
    let ids: Vec<i64> = old.order(lane_batch::id.asc()).limit(ROWS).load(connection)?;
    let Some(last) = ids.last() else { return Ok(0) };
    Ok(diesel::delete(lane_batch::table.filter(lane_batch::id.le(last))).execute(connection)?)
}

/// The largest of the counts.
fn remove_keys(connection: &mut AnyConnection, now: i64) -> Result<usize> {
    let last: Option<i64> = idempotency_key::table
        .filter(idempotency_key::created_at.lt(now - IDEMPOTENCY_MS))
        .order(idempotency_key::created_at.asc())
        .select(idempotency_key::created_at)
        .offset(ROWS - 1)
        .first(connection)
        .optional()?;
    let before = last.unwrap_or(now - IDEMPOTENCY_MS);
    let keys = diesel::delete(idempotency_key::table.filter(idempotency_key::created_at.lt(before)))
        .execute(connection)?;
    let last: Option<i64> = message_dedupe::table
        .filter(message_dedupe::until.lt(now))
        .order(message_dedupe::until.asc())
        .select(message_dedupe::until)
        .offset(ROWS - 1)
        .first(connection)
        .optional()?;
    let over = diesel::delete(message_dedupe::table.filter(message_dedupe::until.lt(last.unwrap_or(now))))
        .execute(connection)?;
    let last: Option<i64> = message_throttle::table
        .filter(message_throttle::until.lt(now))
        .order(message_throttle::until.asc())
        .select(message_throttle::until)
        .offset(ROWS - 1)
        .first(connection)
        .optional()?;
    let old = message_throttle::table.filter(message_throttle::until.lt(last.unwrap_or(now)));
    let counters = diesel::delete(old).execute(connection)?;
    Ok(keys.max(over).max(counters))
}

/// Events whose rules were applied, that no rule collects, and none of whose messages waits, is on its way, or is uncertain.
fn remove_messages(
    connection: &mut AnyConnection,
    tenant: TenantId,
    before: MessageEventId,
) -> Result<usize> {
    let live = [SendStatus::Unsent, SendStatus::Sending, SendStatus::Uncertain].map(SendStatus::as_str);
    let events: Vec<MessageEventId> = on!(connection, inner => message_event::table
        .filter(message_event::tenant_id.eq(tenant))
        .filter(message_event::id.lt(before))
        .filter(message_event::expanded_at.is_not_null())
        .filter(not(exists(message_send::table
            .filter(message_send::event_id.eq(message_event::id))
            .filter(message_send::status.eq_any(live)))))
        .filter(not(exists(message_digest_event::table
            .inner_join(message_digest::table.on(message_digest::id.eq(message_digest_event::digest_id)))
            .filter(message_digest_event::event_id.eq(message_event::id)))))
        .select(message_event::id)
        .order(message_event::id.asc())
        .limit(EVENTS)
        .load(inner))?;
    on!(connection, inner => {
        let sends = message_send::table
            .filter(message_send::event_id.eq_any(&events))
            .select(message_send::id)
            .load::<MessageSendId>(inner)?;
        diesel::delete(message_attempt::table.filter(message_attempt::send_id.eq_any(&sends))).execute(inner)?;
        diesel::delete(message_receipt::table.filter(message_receipt::send_id.eq_any(&sends))).execute(inner)?;
        diesel::delete(message_fallback::table.filter(message_fallback::send_id.eq_any(&sends))).execute(inner)?;
        diesel::delete(message_send::table.filter(message_send::id.eq_any(&sends))).execute(inner)?;
        diesel::delete(message_digest_event::table.filter(message_digest_event::event_id.eq_any(&events)))
            .execute(inner)?;
        diesel::delete(message_event::table.filter(message_event::id.eq_any(&events))).execute(inner)?;
    });
    Ok(events.len())
}

/// Receipts of messages that nobody knows.
fn remove_strays(
    connection: &mut AnyConnection,
    tenant: TenantId,
    before: MessageReceiptId,
) -> Result<usize> {
    let ids: Vec<MessageReceiptId> = message_receipt::table
        .filter(message_receipt::tenant_id.eq(tenant))
        .filter(message_receipt::id.lt(before))
        .filter(message_receipt::send_id.is_null())
        .select(message_receipt::id)
        .order(message_receipt::id.asc())
        .limit(ROWS)
        .load(connection)?;
    Ok(on!(connection, inner => diesel::delete(message_receipt::table
        .filter(message_receipt::id.eq_any(&ids)))
        .execute(inner))?)
}

/// Removes notifications that are older than messages are kept, read or not.
fn remove_notifications(
    connection: &mut AnyConnection,
    tenant: TenantId,
    before: NotificationId,
) -> Result<usize> {
    let ids: Vec<NotificationId> = notification::table
        .filter(notification::tenant_id.eq(tenant))
        .filter(notification::id.lt(before))
        .select(notification::id)
        .order(notification::id.asc())
        .limit(ROWS)
        .load(connection)?;
    Ok(on!(connection, inner => diesel::delete(notification::table
        .filter(notification::id.eq_any(&ids)))
        .execute(inner))?)
}

/// Removes codes that are older than messages are kept: none of them is pending any more, and what they bound stays.
fn remove_bindings(
    connection: &mut AnyConnection,
    tenant: TenantId,
    before: MessageBindingId,
) -> Result<usize> {
    let ids: Vec<MessageBindingId> = message_binding::table
        .filter(message_binding::tenant_id.eq(tenant))
        .filter(message_binding::id.lt(before))
        .select(message_binding::id)
        .order(message_binding::id.asc())
        .limit(ROWS)
        .load(connection)?;
    Ok(on!(connection, inner => diesel::delete(message_binding::table
        .filter(message_binding::id.eq_any(&ids)))
        .execute(inner))?)
}

fn remove_sessions(connection: &mut AnyConnection, tenant: TenantId, before: i64) -> Result<usize> {
    let ids: Vec<SessionId> = auth_session::table
        .filter(auth_session::tenant_id.eq(tenant))
        .filter(auth_session::expires_at.lt(before).or(auth_session::revoked_at.lt(before).assume_not_null()))
        .select(auth_session::id)
        .order(auth_session::id.asc())
        .limit(ROWS)
        .load(connection)?;
    let removed = on!(connection, inner => diesel::delete(auth_session::table
        .filter(auth_session::tenant_id.eq(tenant))
        .filter(auth_session::id.eq_any(&ids)))
        .execute(inner))?;
    Ok(removed)
}

/// Old rows of the history are read by nobody who decides, so that they need not go through the journal.
fn remove_history(
    connection: &mut AnyConnection,
    tenant: TenantId,
    before: PresenceChangeId,
) -> Result<usize> {
    let old = || presence_change::table.filter(presence_change::tenant_id.eq(tenant));
    let ids: Vec<PresenceChangeId> = old()
        .filter(presence_change::id.lt(before))
        .select(presence_change::id)
        .order(presence_change::id.asc())
        .limit(ROWS)
        .load(connection)?;
    let Some(last) = ids.last() else { return Ok(0) };
    Ok(diesel::delete(old().filter(presence_change::id.le(last))).execute(connection)?)
}
