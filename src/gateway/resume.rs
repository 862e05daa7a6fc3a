//! Hello: who is there, and everything that it missed, without a gap before what happens next.
//!
//! The order makes it true. The socket is registered first, so whatever is committed from then on is held for it.
//! Then the head is read, then the rows and entries. Then `ready`, the entries, what was held and is newer than the
//! head, and `live`. A commit before the head is among the rows; a commit after it is among what was held, unless the
//! worker began to follow the tenant at a later head, which another socket had read: then the client is told to sync.

use std::panic::AssertUnwindSafe;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::FutureExt;

use super::keys;
use super::missed::{self, Missed};
use super::protocol::client::Hello;
use super::protocol::limits::{HELLO_CONVERSATIONS, limits};
use super::protocol::server::{Live, Myself, Ready, Reset, ResetReason};
use super::protocol::table;
use super::protocol::{CloseCode, FrameId, close};
use super::socket::{KeyOnSocket, Phase, Socket};
use super::sweep::next_ping;
use super::wire;
use crate::db::AnyConnection;
use crate::domain::actor::DeviceMark;
use crate::domain::api_key;
use crate::journal::ephemeral::Ephemeral;
use crate::journal::fail_point::FailPoint;
use crate::kernel::{Code, Error, Millis, Result, text};
use crate::security::Verified;

/// How long a hello may wait for its turn and for a connection.
const PATIENCE: Duration = Duration::from_secs(15);

/// Answers a hello in a task of its own.
pub fn start(socket: &Rc<Socket>, id: Option<FrameId>, hello: Hello) {
    socket.phase.set(Phase::Resuming);
    let now = Instant::now();
    socket.hello_at.set(now);
    socket.look_at.set(now + Duration::from_secs(1));
    let socket = socket.clone();
    actix_web::rt::spawn(Box::pin(async move {
        // A panic would leave the socket between two phases for ever.
        let greeted = AssertUnwindSafe(greet(&socket, hello)).catch_unwind().await;
        let greeted = match greeted {
            Ok(greeted) => greeted,
            Err(_) => Err(refusal(Error::internal("answering hello panicked"))),
        };
        if let Err((error, code)) = greeted {
            socket.reply(wire::error(id.as_ref(), &error, None));
            socket.close(code, error.code.name());
        }
    }));
}

/// What to close with when a hello is refused.
fn refusal(error: Error) -> (Error, CloseCode) {
    let code = match error.code {
        Code::TokenExpired => close::TOKEN_EXPIRED,
        Code::ApiKeyInvalid | Code::ApiKeyExpired => close::AUTH_FAILED,
        Code::AddressNotAllowed => close::FORBIDDEN,
        Code::TokenInvalid | Code::Unauthenticated | Code::SessionRevoked => close::AUTH_FAILED,
        Code::AccountDisabled | Code::TenantSuspended | Code::Banned | Code::Forbidden => close::FORBIDDEN,
        Code::ValidationFailed | Code::InvalidParameter => close::PROTOCOL_ERROR,
        _ => close::INTERNAL,
    };
    (error, code)
}

async fn greet(socket: &Rc<Socket>, hello: Hello) -> std::result::Result<(), (Error, CloseCode)> {
    check(&hello).map_err(refusal)?;
    let hub = socket.hub.clone();
    let app = &hub.app;
    let (mut verified, key) = verify(socket, &hello.token).await.map_err(refusal)?;
    verified.actor.origin.socket_device = DeviceMark::of(&hello.device);
    let actor = verified.actor;
    // Only now is the device of the socket known.
    if let Some(barred) = app.auth.barred(&actor) {
        return Err(refusal(barred.into()));
    }
    let device: Arc<str> = hello.device.as_str().into();
    let cap = app.settings.sockets_per_member;
    let Some(slot) = app.connections.slot(actor.tenant, actor.member, &device, socket.id, cap) else {
        let error = Error::new(Code::LimitReached, format!("a member has at most {cap} sockets"));
        return Err((error, close::CONNECTION_LIMIT));
    };
    if socket.phase.get() != Phase::Resuming {
        return Ok(());
    }
    *socket.key.borrow_mut() = key.map(Rc::new);
    hub.register(socket, actor, slot, verified.expires_at);
    let newer = u64::try_from(socket.id).unwrap_or_default();
    app.feed.ephemeral(Ephemeral::Replaced {
        tenant: actor.tenant,
        member: actor.member,
        device,
        socket: newer,
    });
    let resumed = hello.cursor.is_some();
    let epoch = app.epoch.clone();
    let read = move |connection: &mut AnyConnection| missed::read(connection, &actor, &epoch, &hello);
    // Many hellos at once wait for each other, and leave connections free for everybody else.
    let turn = app.connections.hello_turn(PATIENCE).await.map_err(refusal)?;
    if socket.phase.get() != Phase::Resuming {
        return Ok(());
    }
    let missed = app.db.read_within(PATIENCE, read).await.map_err(refusal)?;
    drop(turn);
    app.journal.fail_points().pause(FailPoint::Resume).await;
    hub.follow(actor.tenant, missed.head);
    if resumed {
        app.metrics.resumes.inc();
    }
    if missed.reset {
        app.metrics.cursors_refused.inc();
    }
    finish(socket, &verified, missed);
    Ok(())
}

/// Who says hello, by an access token or an API key.
async fn verify(socket: &Socket, token: &str) -> Result<(Verified, Option<KeyOnSocket>)> {
    let (app, address) = (&socket.hub.app, socket.permit.client());
    match api_key::is_meant(token) {
        true => keys::verify(app, token, address).await.map(|(verified, key)| (verified, Some(key))),
        false => Ok((app.auth.verify(token, Some(address))?, None)),
    }
}

fn check(hello: &Hello) -> Result<()> {
    if !text::is_key(&hello.device) {
        return Err(Error::field("/device", "invalid", "a device is 1 to 64 of A-Z a-z 0-9 . _ : -"));
    }
    if hello.conversations.len() > HELLO_CONVERSATIONS {
        let detail = format!("at most {HELLO_CONVERSATIONS} conversations");
        return Err(Error::field("/conversations", "too_long", detail));
    }
    match hello.conversations.iter().position(|(_, seq)| *seq < 0) {
        Some(index) => {
            Err(Error::field(format!("/conversations/{index}/1"), "out_of_range", "a position is 0 or more"))
        }
        None => Ok(()),
    }
}

/// Says everything in one go: nothing can come in between, since the worker does nothing else meanwhile.
fn finish(socket: &Rc<Socket>, verified: &Verified, missed: Missed) {
    if socket.phase.get() != Phase::Resuming {
        return;
    }
    let hub = &socket.hub;
    let settings = &hub.app.settings;
    let actor = verified.actor;
    let Missed { head, reset, rows, rows_until, more, unread_total, notifications, logs, gone } = missed;
    let told =
        |conversation_id, all, reason| wire::frame(table::RESET, &Reset { conversation_id, all, reason });
    if reset {
        socket.reply(told(None, true, ResetReason::CursorReset));
    }
    socket.reply(wire::frame(
        table::READY,
        &Ready {
            session_id: socket.id.to_string(),
            epoch: hub.app.epoch.clone(),
            cursor: hub.cursor(&actor, head),
            member: Myself { id: actor.member, role: actor.role },
            rows,
            unread_total,
            more,
            limits: limits(settings, actor.role),
            ping_interval_ms: settings.ping_seconds * 1_000,
            now: hub.app.clock.now(),
            token_expires_at: Some(verified.expires_at).filter(|end| *end != Millis(i64::MAX)),
        },
    ));
    gone.into_iter().for_each(|one| socket.reply(told(Some(one), false, ResetReason::Removed)));
    logs.iter().for_each(|log| socket.reply(wire::frame(table::ENTRIES, log)));
    notifications.iter().for_each(|one| socket.reply(wire::frame(table::NOTIFICATION, one)));
    let whole = socket.release(head);
    let tenants = hub.tenants.borrow();
    let tenant = tenants.get(&actor.tenant);
    let is_late = tenant.is_none_or(|tenant| head < tenant.follower.begun());
    let complete_until = rows_until.or(is_late.then_some(head));
    let reached = match tenant {
        Some(tenant) if whole && complete_until.is_none() => tenant.delivered_to(actor.member).max(head),
        _ => complete_until.unwrap_or(head),
    };
    drop(tenants);
    if let Some(until) = complete_until {
        // More rows than one page, or changes that were handed to nobody: the client syncs, as after any lag.
        socket.miss(until + 1, None);
    }
    socket.reply(wire::frame(table::LIVE, &Live { cursor: hub.cursor(&actor, reached) }));
    let now = Instant::now();
    socket.ping_at.set(now + next_ping(settings.ping_seconds));
    socket.look_at.set(now);
}
