//! One live socket as its worker knows it: who is on it, how frames reach it, and what its timers need. Owns the way
//! of a frame: straight into the connection when nothing waits, else through the outbox. Does not own what is sent.
//!
//! Invariants: nobody ever waits for a socket (the connection is tried once; what does not fit goes into the bounded
//! outbox and the session's task is woken); durable frames with a rev that the resume covered are dropped; no borrow
//! of a cell lives across a call into another socket.

use std::cell::{Cell, RefCell};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use actix_ws::{CloseReason, Message};
use bytestring::ByteString;
use futures_util::Sink;

use super::bucket::Bucket;
use super::hub::Hub;
use super::outbox::{Class, Item, Outbox};
use super::pending::Pending;
use super::protocol::CloseCode;
use super::protocol::limits::{HELLO_SECONDS, frame_rate};
use super::protocol::server::{Bye, Lag};
use super::wire;
use crate::connections::{ConnectionPermit, DeviceSlot};
use crate::domain::actor::Actor;
use crate::domain::member::Role;
use crate::kernel::{ConversationId, Millis};

/// Where a socket is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// It has not said hello.
    AwaitingHello,
    /// Its hello is being answered; durable frames are held back.
    Resuming,
    /// It follows.
    Live,
    /// `bye` has been said.
    Closing,
}

/// One live socket.
pub struct Socket {
    /// The socket's own id; higher is newer.
    pub id: i64,
    /// The worker's sockets.
    pub hub: Rc<Hub>,
    /// Where it is in its life.
    pub phase: Cell<Phase>,
    /// Who is on it, once hello was accepted.
    pub actor: Cell<Option<Actor>>,
    /// When the access token ends.
    pub token_expires_at: Cell<Millis>,
    /// Everything up to this rev was sent when the socket resumed.
    pub covered: Cell<i64>,
    /// The earliest rev that the client was told to sync from and has not yet; with the number of such times.
    pub lag: Cell<(Option<i64>, u32)>,
    /// How many frames it may send.
    pub bucket: RefCell<Bucket>,
    /// Message commands without an answer yet.
    pub unanswered: Cell<u32>,
    /// Reads that are under way.
    pub reading: Cell<u32>,
    /// What is collected before it is done, and what is watched; allocated when first needed.
    pub pending: RefCell<Option<Box<Pending>>>,
    /// When the timers have to look at this socket again.
    pub look_at: Cell<Instant>,
    /// When the last ping was sent, while it is unanswered.
    pub pinged_at: Cell<Option<Instant>>,
    /// When the next ping is due.
    pub ping_at: Cell<Instant>,
    /// Since when something waits to be written without progress.
    pub stalled_since: Cell<Option<Instant>>,
    /// When it connected.
    pub opened_at: Instant,
    /// When `bye` was said.
    pub closed_at: Cell<Option<Instant>>,
    held: RefCell<Option<Box<Outbox>>>,
    outbox: RefCell<Outbox>,
    closing: Cell<Option<CloseCode>>,
    connection: RefCell<Option<actix_ws::Session>>,
    waker: RefCell<Option<Waker>>,
    slot: RefCell<Option<DeviceSlot>>,
    _permit: ConnectionPermit,
}

/// What became of writing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Written {
    /// Everything.
    All,
    /// The connection is full.
    Blocked,
    /// The connection is gone or the close frame is out.
    Over,
}

impl Socket {
    /// A socket that has just connected.
    pub fn new(id: i64, hub: Rc<Hub>, connection: actix_ws::Session, place: ConnectionPermit) -> Rc<Self> {
        let now = Instant::now();
        let (rate, burst) = frame_rate(&hub.app.settings, Role::Customer);
        hub.app.metrics.sockets.inc();
        Rc::new(Self {
            id,
            phase: Cell::new(Phase::AwaitingHello),
            actor: Cell::new(None),
            token_expires_at: Cell::new(Millis(i64::MAX)),
            covered: Cell::new(0),
            lag: Cell::new((None, 0)),
            bucket: RefCell::new(Bucket::new(rate, burst, now)),
            unanswered: Cell::new(0),
            reading: Cell::new(0),
            pending: RefCell::new(None),
            look_at: Cell::new(now + Duration::from_secs(HELLO_SECONDS)),
            pinged_at: Cell::new(None),
            ping_at: Cell::new(now + Duration::from_secs(86_400)),
            stalled_since: Cell::new(None),
            opened_at: now,
            closed_at: Cell::new(None),
            held: RefCell::new(None),
            outbox: RefCell::new(Outbox::default()),
            closing: Cell::new(None),
            connection: RefCell::new(Some(connection)),
            waker: RefCell::new(None),
            slot: RefCell::new(None),
            hub,
            _permit: place,
        })
    }

    /// Signs somebody in; durable frames are held back until [`Socket::release`].
    pub fn sign_in(&self, actor: Actor, slot: DeviceSlot, expires_at: Millis) {
        let (rate, burst) = frame_rate(&self.hub.app.settings, actor.role);
        *self.bucket.borrow_mut() = Bucket::new(rate, burst, Instant::now());
        self.actor.set(Some(actor));
        self.token_expires_at.set(expires_at);
        *self.slot.borrow_mut() = Some(slot);
        *self.held.borrow_mut() = Some(Box::default());
    }

    /// The device, once somebody is signed in.
    pub fn device(&self) -> Option<Arc<str>> {
        self.slot.borrow().as_ref().map(|slot| slot.device.clone())
    }

    /// Whether a newer socket of the same device is connected to this process.
    pub fn is_replaced(&self) -> bool {
        self.slot.borrow().as_ref().is_some_and(DeviceSlot::is_taken)
    }

    /// Whether commands are taken.
    pub fn is_live(&self) -> bool {
        self.phase.get() == Phase::Live
    }

    /// Sends an answer or a control frame.
    pub fn reply(&self, bytes: ByteString) {
        self.send(Item { bytes, class: Class::Reply });
    }

    /// Sends what may be lost.
    pub fn ephemeral(&self, bytes: ByteString) {
        if self.is_live() {
            self.send(Item { bytes, class: Class::Ephemeral });
        }
    }

    /// Sends a part of the tenant's log.
    pub fn durable(&self, rev: i64, conversation: ConversationId, bytes: ByteString) {
        let item = Item { bytes, class: Class::Durable { rev, conversation } };
        match self.phase.get() {
            Phase::Resuming => {
                if let Some(held) = self.held.borrow_mut().as_mut() {
                    held.push(item);
                }
            }
            Phase::Live if rev > self.covered.get() => self.send(item),
            _ => {}
        }
    }

    /// Notes that durable frames from `rev` on could not be sent; without a conversation, of any.
    pub fn miss(&self, rev: i64, conversation: Option<ConversationId>) {
        match self.phase.get() {
            Phase::Resuming => {
                if let Some(held) = self.held.borrow_mut().as_mut() {
                    held.drop_durable(rev, conversation);
                }
            }
            Phase::Live if rev > self.covered.get() || conversation.is_none() => {
                self.outbox.borrow_mut().drop_durable(rev, conversation);
                self.wake();
            }
            _ => {}
        }
    }

    /// Lets go what was held back while hello was answered. The resume covered everything up to `head`. Returns
    /// whether nothing of it was dropped.
    pub fn release(&self, head: i64) -> bool {
        self.covered.set(head);
        self.phase.set(Phase::Live);
        let Some(mut held) = self.held.borrow_mut().take() else { return true };
        while let Some(item) = held.pop() {
            match item.class {
                Class::Durable { rev, .. } if rev <= head => {}
                _ => self.send(item),
            }
        }
        let Some(dropped) = held.take_dropped() else { return true };
        let from = dropped.after_rev.max(head) + 1;
        match dropped.all {
            true => self.miss(from, None),
            false => dropped.conversations.iter().for_each(|one| self.miss(from, Some(*one))),
        }
        false
    }

    fn send(&self, item: Item) {
        if self.closing.get().is_some() {
            return;
        }
        let mut outbox = self.outbox.borrow_mut();
        if outbox.is_idle() && self.try_write(&item.bytes) {
            return;
        }
        outbox.push(item);
        drop(outbox);
        self.wake();
    }

    /// Tries the connection once. The waker does nothing, because the session's task tries again with its own.
    fn try_write(&self, bytes: &ByteString) -> bool {
        let mut connection = self.connection.borrow_mut();
        let Some(connection) = connection.as_mut() else { return true };
        let mut context = Context::from_waker(Waker::noop());
        match Pin::new(&mut *connection).poll_ready(&mut context) {
            Poll::Ready(Ok(())) => Pin::new(connection).start_send(Message::Text(bytes.clone())).is_ok(),
            Poll::Ready(Err(_)) | Poll::Pending => false,
        }
    }

    /// Sends a WebSocket control frame if there is room.
    pub fn pong(&self, bytes: bytes::Bytes) {
        let mut connection = self.connection.borrow_mut();
        let Some(connection) = connection.as_mut() else { return };
        let mut context = Context::from_waker(Waker::noop());
        if let Poll::Ready(Ok(())) = Pin::new(&mut *connection).poll_ready(&mut context) {
            // A pong that cannot be sent is one that the peer will ask for again.
            let _ = Pin::new(connection).start_send(Message::Pong(bytes));
        }
    }

    /// Wakes the session's task.
    pub fn wake(&self) {
        if let Some(waker) = self.waker.borrow().as_ref() {
            waker.wake_by_ref();
        }
    }

    /// Writes what waits. Called by the session's task only.
    pub fn write(&self, context: &mut Context<'_>) -> Written {
        let mut waker = self.waker.borrow_mut();
        if !waker.as_ref().is_some_and(|waker| waker.will_wake(context.waker())) {
            *waker = Some(context.waker().clone());
        }
        drop(waker);
        loop {
            if !self.outbox.borrow().has_work() && self.closing.get().is_none() {
                self.stalled_since.set(None);
                return Written::All;
            }
            let mut connection = self.connection.borrow_mut();
            let Some(session) = connection.as_mut() else { return Written::Over };
            match Pin::new(&mut *session).poll_ready(context) {
                Poll::Pending => {
                    if self.stalled_since.get().is_none() {
                        self.stalled_since.set(Some(Instant::now()));
                    }
                    return Written::Blocked;
                }
                Poll::Ready(Err(_)) => {
                    *connection = None;
                    return Written::Over;
                }
                Poll::Ready(Ok(())) => {}
            }
            self.stalled_since.set(None);
            let Some(message) = self.next_message() else { continue };
            let over = matches!(message, Message::Close(_));
            if Pin::new(session).start_send(message).is_err() || over {
                *connection = None;
                return Written::Over;
            }
        }
    }

    fn next_message(&self) -> Option<Message> {
        let mut outbox = self.outbox.borrow_mut();
        if let Some(item) = outbox.pop() {
            return Some(Message::Text(item.bytes));
        }
        if let Some(dropped) = outbox.take_dropped() {
            drop(outbox);
            let (told, times) = self.lag.get();
            let from = told.map_or(dropped.after_rev, |told| told.min(dropped.after_rev));
            let from = from.max(0);
            self.lag.set((Some(from), times.wrapping_add(1)));
            self.hub.app.metrics.lags.inc();
            let cursor = self.hub.cursor(from);
            let lag = Lag { cursor, conversations: dropped.conversations, all: dropped.all };
            return Some(Message::Text(wire::frame("lag", &lag)));
        }
        let code = self.closing.get()?;
        let reason = CloseReason { code: code.code.into(), description: Some(code.name.to_owned()) };
        Some(Message::Close(Some(reason)))
    }

    /// Whether nothing more should be read from the client for now.
    pub fn is_congested(&self) -> bool {
        self.reading.get() >= 4 || self.outbox.borrow().is_congested() || self.closing.get().is_some()
    }

    /// Says `bye` and closes. Repeating it changes nothing.
    pub fn close(&self, code: CloseCode, reason: &'static str) {
        self.close_spread(code, reason, 0, 0);
    }

    /// Says `bye` with the time after which to come back, and closes.
    pub fn close_spread(&self, code: CloseCode, reason: &'static str, after_ms: u64, spread_ms: u64) {
        if self.closing.get().is_some() {
            return;
        }
        let bye = Bye { code: code.code, reason, reconnect: code.reconnect, after_ms, spread_ms };
        self.reply(wire::frame("bye", &bye));
        self.phase.set(Phase::Closing);
        self.closing.set(Some(code));
        self.closed_at.set(Some(Instant::now()));
        self.look_at.set(Instant::now() + Duration::from_secs(1));
        self.hub.app.metrics.closes.with_label_values(&[code.code.to_string().as_str()]).inc();
        self.wake();
    }

    /// Gives the connection up without another word.
    pub fn cut(&self) {
        *self.connection.borrow_mut() = None;
        self.phase.set(Phase::Closing);
        self.wake();
    }

    /// The task has ended: gives back the device's slot.
    pub fn leave(&self) {
        self.phase.set(Phase::Closing);
        *self.connection.borrow_mut() = None;
        *self.slot.borrow_mut() = None;
        self.hub.app.metrics.sockets.dec();
    }
}
