//! One live socket as its worker knows it: who is on it, where it is in its life, and what its timers need. Does not
//! own how frames reach the connection (`writer`) nor what is sent.
//!
//! Invariants: durable frames with a rev that the resume covered are dropped; after the close was decided nothing
//! more is sent; no borrow of a cell lives across a call into another socket.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::task::Waker;
use std::time::{Duration, Instant};

use bytestring::ByteString;

use super::bucket::Bucket;
use super::connection::Connection;
use super::hub::Hub;
use super::outbox::{Class, Item, Outbox};
use super::pending::Pending;
use super::protocol::CloseCode;
use super::protocol::limits::{HELLO_SECONDS, frame_rate};
use super::protocol::server::Bye;
use super::protocol::table;
use super::wire;
use crate::attendance::Seat;
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
    /// The close was decided.
    Closing,
}

/// How a socket closes.
#[derive(Debug, Clone, Copy)]
pub enum Closing {
    /// The server says why.
    Bye(CloseCode),
    /// The client said close; its code is said back.
    Answer(Option<u16>),
}

/// The API key of a socket, without its secret.
pub struct KeyOnSocket {
    /// The key's prefix.
    pub prefix: String,
    /// Whether it is being asked whether the key is still good.
    pub is_checked: Cell<bool>,
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
    /// When its hello came.
    pub hello_at: Cell<Instant>,
    /// When the close was decided.
    pub closed_at: Cell<Option<Instant>>,
    pub(super) outbox: RefCell<Outbox>,
    pub(super) closing: Cell<Option<Closing>>,
    pub(super) connection: RefCell<Option<Connection>>,
    pub(super) waker: RefCell<Option<Waker>>,
    held: RefCell<Option<Box<Outbox>>>,
    slot: RefCell<Option<DeviceSlot>>,
    /// The staff only: what says that the member is connected.
    seat: RefCell<Option<Box<Seat>>>,
    /// The API key with which it was opened.
    pub key: RefCell<Option<Rc<KeyOnSocket>>>,
    /// Its place among the connections, which knows where it comes from.
    pub permit: ConnectionPermit,
}

impl Socket {
    /// A socket that has just connected.
    pub fn new(id: i64, hub: Rc<Hub>, connection: Connection, permit: ConnectionPermit) -> Rc<Self> {
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
            hello_at: Cell::new(now),
            closed_at: Cell::new(None),
            held: RefCell::new(None),
            outbox: RefCell::new(Outbox::default()),
            closing: Cell::new(None),
            connection: RefCell::new(Some(connection)),
            waker: RefCell::new(None),
            slot: RefCell::new(None),
            seat: RefCell::new(None),
            key: RefCell::new(None),
            hub,
            permit,
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
        let app = &self.hub.app;
        let seat = || Box::new(app.attendance.enter(actor.tenant, actor.member));
        // A bot serves nobody, so that nobody has to know whether it is connected.
        *self.seat.borrow_mut() = actor.role.is_person().then(seat);
    }

    /// A message is sent, or cannot be: the words of it that were collected are not passed on any more.
    pub fn stream_ends(&self, conversation: ConversationId, client_msg_id: &str) {
        let mut pending = self.pending.borrow_mut();
        if let Some(pending) = pending.as_mut() {
            pending.stream_ends(conversation, client_msg_id);
        }
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

    /// Sends a part of the tenant's log: under which rev it was committed, and up to which everything was sent before; of
    /// which conversation, if it is of one.
    pub fn durable(
        &self,
        (rev, after): (i64, i64),
        conversation: impl Into<Option<ConversationId>>,
        bytes: ByteString,
    ) {
        let conversation = conversation.into();
        let item = Item { bytes, class: Class::Durable { rev, after, conversation } };
        match self.phase.get() {
            Phase::Resuming => {
                let mut held = self.held.borrow_mut();
                if let Some(held) = held.as_mut() {
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
                let mut held = self.held.borrow_mut();
                if let Some(held) = held.as_mut() {
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
        self.reply(wire::frame(table::BYE, &bye));
        self.begin_closing(Closing::Bye(code));
        self.hub.app.metrics.closes.with_label_values(&[code.code.to_string().as_str()]).inc();
    }

    /// The client said close: says it back and ends. What still waits for the client is not wanted any more.
    pub fn answer_close(&self, code: Option<u16>) {
        if self.closing.get().is_none() {
            *self.outbox.borrow_mut() = Outbox::default();
            self.begin_closing(Closing::Answer(code));
        }
    }

    fn begin_closing(&self, how: Closing) {
        let now = Instant::now();
        self.phase.set(Phase::Closing);
        self.closing.set(Some(how));
        self.closed_at.set(Some(now));
        self.look_at.set(now + Duration::from_secs(1));
        *self.held.borrow_mut() = None;
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
        *self.seat.borrow_mut() = None;
        self.hub.app.metrics.sockets.dec();
    }
}
