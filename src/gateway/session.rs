//! The one task of a socket: writes what waits, reads what comes. Written as a future by hand so that an idle socket
//! costs this struct and no more; whatever takes longer runs in a task of its own.

use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use super::connection::Incoming;
use super::frames::{Fault, Message};
use super::protocol::close;
use super::protocol::limits::HELLO_BYTES;
use super::socket::{Phase, Socket};
use super::writer::Written;
use super::{collect, inbound};
use crate::kernel::{Code, Error};

/// Frames that are read in one go before others get their turn.
const TURN: usize = 32;

/// The task.
pub struct SessionTask {
    socket: Rc<Socket>,
}

impl SessionTask {
    /// A task for a socket that has just connected.
    pub fn new(socket: Rc<Socket>) -> Self {
        Self { socket }
    }

    fn poll_next(&self, context: &mut Context<'_>) -> Poll<Incoming> {
        let socket = &self.socket;
        let mut limit = socket.hub.app.settings.frame_limit;
        if socket.phase.get() == Phase::AwaitingHello {
            limit = limit.min(HELLO_BYTES);
        }
        let mut connection = socket.connection.borrow_mut();
        match connection.as_mut() {
            Some(connection) => connection.poll_next(context, limit),
            None => Poll::Ready(Incoming::End),
        }
    }

    fn poll_discard(&self, context: &mut Context<'_>) -> Poll<()> {
        let mut connection = self.socket.connection.borrow_mut();
        match connection.as_mut() {
            Some(connection) => connection.poll_discard(context),
            None => Poll::Ready(()),
        }
    }

    fn receive(&self, message: Message) {
        let socket = &self.socket;
        // Whatever comes shows that the peer is there.
        socket.pinged_at.set(None);
        match message {
            Message::Text(bytes) => match std::str::from_utf8(&bytes) {
                Ok(text) => inbound::text(socket, text),
                Err(_) => {
                    let error = Error::new(Code::MalformedJson, "the text is not UTF-8");
                    inbound::refuse(socket, &error);
                }
            },
            Message::Ping(payload) => {
                if inbound::control_may_pass(socket) {
                    let mut connection = socket.connection.borrow_mut();
                    if let Some(connection) = connection.as_mut() {
                        connection.pong(&payload);
                    }
                }
            }
            Message::Pong => {
                inbound::control_may_pass(socket);
            }
            Message::Close(code) => socket.answer_close(code),
        }
    }

    fn fail(&self, fault: Fault) {
        match fault {
            Fault::TooLarge => self.socket.close(close::TOO_LARGE, close::TOO_LARGE.name),
            Fault::Binary => self.socket.close(close::PROTOCOL_ERROR, "binary_frame"),
            Fault::Framing => self.socket.close(close::PROTOCOL_ERROR, close::PROTOCOL_ERROR.name),
        }
    }
}

impl Future for SessionTask {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        for _ in 0..TURN {
            match self.socket.write(context) {
                Written::Over => return Poll::Ready(()),
                Written::Blocked | Written::All => {}
            }
            if self.socket.said_close().is_some() {
                return self.poll_discard(context);
            }
            if self.socket.is_congested() {
                return Poll::Pending;
            }
            match self.poll_next(context) {
                Poll::Ready(Incoming::Message(message)) => self.receive(message),
                Poll::Ready(Incoming::Fault(fault)) => self.fail(fault),
                Poll::Ready(Incoming::End) => return Poll::Ready(()),
                Poll::Pending => return Poll::Pending,
            }
        }
        context.waker().wake_by_ref();
        Poll::Pending
    }
}

impl Drop for SessionTask {
    fn drop(&mut self) {
        let socket = &self.socket;
        if socket.phase.get() != Phase::AwaitingHello {
            collect::finish(socket);
        }
        socket.hub.remove(socket);
        socket.leave();
    }
}
