//! The one task of a socket: writes what waits, reads what comes. Written as a future by hand so that an idle socket
//! costs this struct and no more; whatever takes longer runs in a task of its own.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use actix_web::error::PayloadError;
use actix_ws::{AggregatedMessage, AggregatedMessageStream, ProtocolError};
use futures_util::Stream;

use super::protocol::close;
use super::socket::{Phase, Socket, Written};
use super::{collect, inbound, wire};
use crate::kernel::{Code, Error};

/// Frames that are read in one go before others get their turn.
const TURN: usize = 32;

/// The task.
pub struct SessionTask {
    socket: Rc<Socket>,
    stream: AggregatedMessageStream,
}

impl SessionTask {
    /// A task for a socket that has just connected.
    pub fn new(socket: Rc<Socket>, stream: AggregatedMessageStream) -> Self {
        Self { socket, stream }
    }

    fn receive(&self, message: AggregatedMessage) {
        let socket = &self.socket;
        // Whatever comes shows that the peer is there.
        socket.pinged_at.set(None);
        match message {
            AggregatedMessage::Text(text) => inbound::text(socket, &text),
            AggregatedMessage::Binary(_) => socket.close(close::PROTOCOL_ERROR, "binary_frame"),
            AggregatedMessage::Ping(bytes) => {
                if inbound::may_pass(socket, None) {
                    socket.pong(bytes);
                }
            }
            AggregatedMessage::Pong(_) => {}
            AggregatedMessage::Close(_) => socket.cut(),
        }
    }

    fn fail(&self, error: &ProtocolError) {
        match error {
            ProtocolError::Overflow => self.socket.close(close::TOO_LARGE, close::TOO_LARGE.name),
            ProtocolError::Io(cause) if cause.kind() == io::ErrorKind::InvalidData => {
                let error = Error::new(Code::MalformedJson, "the text is not UTF-8");
                self.socket.reply(wire::error(None, &error, None));
            }
            ProtocolError::Io(cause) => match cause.get_ref() {
                // The connection broke: there is nobody to tell.
                Some(inner) if inner.is::<PayloadError>() => self.socket.cut(),
                // The other cause that the library has is a fragmented message above the limit.
                _ => self.socket.close(close::TOO_LARGE, close::TOO_LARGE.name),
            },
            _ => self.socket.close(close::PROTOCOL_ERROR, close::PROTOCOL_ERROR.name),
        }
    }
}

impl Future for SessionTask {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        for _ in 0..TURN {
            match self.socket.write(context) {
                Written::Over => return Poll::Ready(()),
                Written::Blocked | Written::All => {}
            }
            if self.socket.is_congested() {
                return Poll::Pending;
            }
            match Pin::new(&mut self.stream).poll_next(context) {
                Poll::Ready(Some(Ok(message))) => self.receive(message),
                Poll::Ready(Some(Err(error))) => self.fail(&error),
                Poll::Ready(None) => return Poll::Ready(()),
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
