//! One connection as HTTP sees it: the stream with a clock on what its client may take its time for. Owns the
//! deadlines of a request's head and of silence between requests.
//!
//! The clock of a head starts with the head's first byte, for every request on the connection. Silence before a head
//! lasts as long as keep-alive says, the first time too: a connection that was opened early is not cut early. When a
//! deadline passes, the connection ends without an answer, because no request was read. While a request is worked on
//! and while a socket is open nothing is measured here (bodies: `http::json`; sockets: `gateway`).
//!
//! The timer of the library under us starts with the connection, holds for the first request only and answers a bare
//! `408`; so it is switched off.

use std::cell::Cell;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use actix_web::rt::net::TcpStream;
use actix_web::rt::time::{Instant, Sleep, sleep_until};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::admission::AdmissionPermit;

/// How long a request's head may take from its first byte to its last.
pub const HEAD_TIMEOUT: Duration = Duration::from_secs(10);

/// What a connection is at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Nothing of the next request has come, since then.
    Silent(Instant),
    /// A request's head comes, since then.
    Head(Instant),
    /// A request is worked on.
    Busy,
    /// It has become a socket.
    Upgraded,
}

/// What the requests of a connection tell it. Found among a request's connection data.
#[derive(Debug, Clone)]
pub struct ConnectionState(Rc<Cell<Phase>>);

impl ConnectionState {
    /// A request was read.
    pub fn begin(&self) {
        self.0.set(Phase::Busy);
    }

    /// Its answer is ready; `upgraded` when it is that of a socket.
    pub fn end(&self, upgraded: bool) {
        self.0.set(if upgraded { Phase::Upgraded } else { Phase::Silent(Instant::now()) });
    }
}

/// A connection.
#[derive(Debug)]
pub struct Connection {
    stream: TcpStream,
    state: ConnectionState,
    keep_alive: Duration,
    /// Never later than the next deadline; allocated when first needed.
    timer: Option<Pin<Box<Sleep>>>,
    permit: AdmissionPermit,
}

impl Connection {
    /// A connection that was just accepted.
    pub fn new(stream: TcpStream, permit: AdmissionPermit, keep_alive: Duration) -> Self {
        let state = ConnectionState(Rc::new(Cell::new(Phase::Silent(Instant::now()))));
        Self { stream, state, keep_alive, timer: None, permit }
    }

    /// What its requests tell it.
    pub fn state(&self) -> ConnectionState {
        self.state.clone()
    }

    /// The other end.
    pub fn peer(&self) -> Option<SocketAddr> {
        self.stream.peer_addr().ok()
    }

    /// The stream and its place, for what is no HTTP any more: nothing is measured from here on.
    pub fn into_parts(self) -> (TcpStream, AdmissionPermit) {
        (self.stream, self.permit)
    }

    /// Ready when the client has taken more time than it has.
    fn poll_deadline(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let deadline = match self.state.0.get() {
            Phase::Silent(since) => since + self.keep_alive,
            Phase::Head(since) => since + HEAD_TIMEOUT,
            Phase::Busy => return Poll::Pending,
            Phase::Upgraded => {
                // An open socket keeps nothing that it does not need.
                self.timer = None;
                return Poll::Pending;
            }
        };
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(deadline)));
        if timer.deadline() > deadline {
            timer.as_mut().reset(deadline);
        }
        // The timer is not moved with every request: when it fires too early, it is set anew.
        while timer.as_mut().poll(context).is_ready() {
            if Instant::now() >= deadline {
                return Poll::Ready(());
            }
            timer.as_mut().reset(deadline);
        }
        Poll::Pending
    }

    /// Sees to it that the deadline wakes the task; a deadline that has passed ends the connection at its next read.
    fn watch(&mut self, context: &mut Context<'_>) {
        if self.poll_deadline(context).is_ready() {
            context.waker().wake_by_ref();
        }
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(context, buffer);
        if read.is_ready() {
            if buffer.filled().len() > before
                && let Phase::Silent(_) = self.state.0.get()
            {
                self.state.0.set(Phase::Head(Instant::now()));
            }
            return read;
        }
        match self.poll_deadline(context) {
            // The end of the stream: the library closes in its own order.
            Poll::Ready(()) => Poll::Ready(Ok(())),
            Poll::Pending => Poll::Pending,
        }
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        // An answer is written after its request has ended, and nothing need be read for a long time afterwards.
        self.watch(context);
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.watch(context);
        Pin::new(&mut self.stream).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
