//! The way of a frame to the client: it waits in the socket's outbox until the socket's task writes it, many at once.
//!
//! Invariants: nobody waits for a socket: handing a frame over never blocks, and what does not fit into the bounds of
//! the outbox goes by its rules; a worker that hands over many frames in one go tries the connection itself now and
//! then, so that only a slow client meets those bounds; frames are written in the order in which they were handed over.

use std::task::{Context, Poll};
use std::time::Instant;

use super::connection::{Body, Connection, Wrote};
use super::frames;
use super::outbox::{Class, Item};
use super::protocol::limits::READS;
use super::protocol::server::Lag;
use super::protocol::table;
use super::socket::{Closing, Socket};
use super::wire;

/// What became of writing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Written {
    /// Everything.
    All,
    /// The connection is full.
    Blocked,
    /// The connection is gone.
    Over,
}

impl Socket {
    /// Hands a frame over.
    pub(super) fn send(&self, item: Item) {
        if self.closing.get().is_some() {
            return;
        }
        let mut outbox = self.outbox.borrow_mut();
        let was_idle = outbox.is_idle();
        outbox.push(item);
        let much = outbox.is_batch();
        drop(outbox);
        if much && self.stalled_since.get().is_none() {
            self.try_write();
        } else if was_idle {
            self.wake();
        }
    }

    /// Wakes the session's task.
    pub fn wake(&self) {
        let waker = self.waker.borrow();
        if let Some(waker) = waker.as_ref() {
            waker.wake_by_ref();
        }
    }

    /// One try without anybody to wake: the session's task was woken by the first frame that waited, and goes on.
    fn try_write(&self) {
        let mut connection = self.connection.borrow_mut();
        let Some(open) = connection.as_mut() else { return };
        let wrote = open.write(|| self.next_body(), |item| self.outbox.borrow_mut().put_back(item));
        if wrote == Wrote::Broken {
            *connection = None;
            drop(connection);
            self.wake();
        }
    }

    /// Writes what waits. Called by the session's task only.
    pub fn write(&self, context: &mut Context<'_>) -> Written {
        let mut waker = self.waker.borrow_mut();
        if !waker.as_ref().is_some_and(|waker| waker.will_wake(context.waker())) {
            *waker = Some(context.waker().clone());
        }
        drop(waker);
        let mut connection = self.connection.borrow_mut();
        loop {
            let Some(open) = connection.as_mut() else { return Written::Over };
            let closes = self.closing.get().is_some() && open.said_close().is_none();
            if !open.has_work() && !self.outbox.borrow().has_work() && !closes {
                self.stalled_since.set(None);
                return Written::All;
            }
            match open.poll_writable(context) {
                Poll::Pending => {
                    if self.stalled_since.get().is_none() {
                        self.stalled_since.set(Some(Instant::now()));
                    }
                    return Written::Blocked;
                }
                Poll::Ready(false) => {
                    *connection = None;
                    return Written::Over;
                }
                Poll::Ready(true) => {}
            }
            let wrote = open.write(|| self.next_body(), |item| self.outbox.borrow_mut().put_back(item));
            match wrote {
                Wrote::All | Wrote::Part => self.stalled_since.set(None),
                Wrote::Nothing => {}
                Wrote::Broken => *connection = None,
            }
        }
    }

    fn next_body(&self) -> Option<Body> {
        let mut outbox = self.outbox.borrow_mut();
        if let Some(item) = outbox.pop() {
            return Some(Body::Text(item));
        }
        if let Some(dropped) = outbox.take_dropped() {
            drop(outbox);
            let (told, times) = self.lag.get();
            let from = told.map_or(dropped.after_rev, |told| told.min(dropped.after_rev));
            let from = from.max(0);
            self.lag.set((Some(from), times.wrapping_add(1)));
            self.hub.app.metrics.lags.inc();
            let cursor = self.actor.get().map(|actor| self.hub.cursor(&actor, from)).unwrap_or_default();
            let lag = Lag { cursor, conversations: dropped.conversations, all: dropped.all };
            return Some(Body::Text(Item { bytes: wire::frame(table::LAG, &lag), class: Class::Reply }));
        }
        Some(Body::Close(match self.closing.get()? {
            Closing::Bye(code) => frames::close(Some(code.code), code.name),
            Closing::Answer(code) => frames::close(code, ""),
        }))
    }

    /// Whether nothing more should be read from the client for now.
    pub fn is_congested(&self) -> bool {
        self.reading.get() >= READS || self.outbox.borrow().is_congested() || self.closing.get().is_some()
    }

    /// When the close frame was written.
    pub fn said_close(&self) -> Option<Instant> {
        self.connection.borrow().as_ref().and_then(Connection::said_close)
    }
}
