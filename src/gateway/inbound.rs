//! From a text frame to the command that it asks for. Owns the envelope, the order of the checks (rate, form, state)
//! and what each refusal says.

use std::rc::Rc;
use std::time::Instant;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use super::bucket::Verdict;
use super::protocol::client::{self, Ping};
use super::protocol::limits::UNANSWERED;
use super::protocol::table::{self, Allowed, Effect, client_frames};
use super::protocol::{FrameId, close};
use super::socket::{Phase, Socket};
use super::{collect, commands, presence, resume, stream, typing, watch, wire};
use crate::domain::actor::Actor;
use crate::http::json;
use crate::kernel::{Code, Error, Result};

/// A frame before its data is understood.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Envelope {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    id: Option<FrameId>,
    #[serde(default)]
    data: Option<Box<RawValue>>,
}

impl Envelope {
    fn data<T: DeserializeOwned>(&self) -> Result<T> {
        let data = self.data.as_ref().map_or("{}", |data| data.get());
        must_be_object(data, "data")?;
        json::parse(data.as_bytes())
    }
}

/// The parser would take a list of the fields for an object.
fn must_be_object(text: &str, what: &str) -> Result<()> {
    match text.trim_start().starts_with('[') {
        true => Err(Error::field("", "invalid", format!("{what} must be an object"))),
        false => Ok(()),
    }
}

/// Reads the envelope of a frame.
pub fn envelope(text: &str) -> Result<Envelope> {
    must_be_object(text, "a frame")?;
    // The path is needed for refusals only, so the usual frame is parsed without keeping track of it.
    let envelope: Envelope = match serde_json::from_str(text) {
        Ok(envelope) => envelope,
        Err(_) => json::parse(text.as_bytes())?,
    };
    match envelope.id.as_ref().is_none_or(FrameId::is_fair) {
        true => Ok(envelope),
        false => Err(Error::field("/id", "invalid", "id is a whole number or a string of at most 64 bytes")),
    }
}

/// Takes a frame's share of the limit. Returns false when the frame is not to be done.
pub fn may_pass(socket: &Rc<Socket>, id: Option<&FrameId>) -> bool {
    let verdict = socket.bucket.borrow_mut().take(Instant::now());
    match verdict {
        Verdict::Pass => {
            // Requests and frames have one budget.
            let counted = socket.actor.get().and_then(|actor| {
                socket.hub.app.limiter.member(&actor, socket.permit.address()?)?.check().err()
            });
            let Some(error) = counted else { return true };
            socket.reply(wire::error(id, &error, None));
        }
        Verdict::Wait(wait) => {
            let milliseconds = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX).max(1);
            let error =
                Error::new(Code::RateLimited, "too many frames on this socket").retry_after(milliseconds);
            socket.reply(wire::error(id, &error, None));
        }
        Verdict::Flood => socket.close(close::RATE_LIMITED, close::RATE_LIMITED.name),
    }
    false
}

/// Takes a control frame's share of the limit. One over it is ignored without a word.
pub fn control_may_pass(socket: &Socket) -> bool {
    let verdict = socket.bucket.borrow_mut().take(Instant::now());
    if verdict == Verdict::Flood {
        socket.close(close::RATE_LIMITED, close::RATE_LIMITED.name);
    }
    verdict == Verdict::Pass
}

/// Answers what is not a frame. As the first message it closes the socket.
pub fn refuse(socket: &Rc<Socket>, error: &Error) {
    if may_pass(socket, None) {
        socket.reply(wire::error(None, error, None));
        if socket.phase.get() == Phase::AwaitingHello {
            socket.close(close::PROTOCOL_ERROR, error.code.name());
        }
    }
}

/// Takes a text frame.
pub fn text(socket: &Rc<Socket>, text: &str) {
    match envelope(text) {
        Ok(envelope) => {
            if !may_pass(socket, envelope.id.as_ref()) {
                return;
            }
            let id = envelope.id.clone();
            if let Err(error) = dispatch(socket, envelope) {
                socket.reply(wire::error(id.as_ref(), &error, None));
            }
        }
        Err(error) => refuse(socket, &error),
    }
}

/// Calls a handler as the phase in which its frame is allowed demands.
macro_rules! call {
    (Always $effect:ident $handler:path, $data:ty, $socket:ident, $envelope:ident) => {{
        let data = $envelope.data::<$data>()?;
        $handler($socket, $envelope.id, data)
    }};
    (AwaitingHello $effect:ident $handler:path, $data:ty, $socket:ident, $envelope:ident) => {
        first::<$data>($socket, $envelope, $handler)
    };
    ($allowed:ident $effect:ident $handler:path, $data:ty, $socket:ident, $envelope:ident) => {{
        let actor = admit($socket, Allowed::$allowed, Effect::$effect)?;
        let data = $envelope.data::<$data>()?;
        $handler($socket, actor, $envelope.id, data)
    }};
}

macro_rules! dispatch_rows {
    ($($name:literal $data:ident -> $reply:ident $(($answer:ident))?, $allowed:ident, $effect:ident, $handler:path, $meaning:literal;)+) => {
        fn dispatch(socket: &Rc<Socket>, envelope: Envelope) -> Result<()> {
            match envelope.kind.as_str() {
                $($name => call!($allowed $effect $handler, client::$data, socket, envelope),)+
                _ => Err(Error::new(Code::Unsupported, "this frame type is not known")),
            }
        }
    };
}

client_frames!(dispatch_rows);

/// The actor of a live socket, if a frame of this kind is accepted now.
fn admit(socket: &Socket, allowed: Allowed, effect: Effect) -> Result<Actor> {
    let Some(actor) = socket.actor.get().filter(|_| socket.is_live()) else {
        return Err(Error::new(Code::NotReady, Code::NotReady.meaning()));
    };
    // A socket that is not closed yet may still catch up; what was begun before finishes.
    if socket.hub.draining.get() && allowed != Allowed::Draining {
        return Err(Error::new(Code::Draining, Code::Draining.meaning()));
    }
    if effect == Effect::Write && socket.unanswered.get() >= UNANSWERED {
        let error = Error::new(Code::Busy, "too many commands wait for their answer on this socket");
        return Err(error.retry_after(100));
    }
    Ok(actor)
}

/// Takes the first frame; a socket whose first frame has the wrong form is closed.
fn first<T: DeserializeOwned>(
    socket: &Rc<Socket>,
    envelope: Envelope,
    handler: fn(&Rc<Socket>, Option<FrameId>, T),
) -> Result<()> {
    if socket.phase.get() != Phase::AwaitingHello {
        return Err(Error::new(
            Code::Unsupported,
            "hello is accepted once on a socket; renew the token with auth",
        ));
    }
    match envelope.data::<T>() {
        Ok(data) => handler(socket, envelope.id, data),
        Err(error) => {
            socket.reply(wire::error(envelope.id.as_ref(), &error, None));
            socket.close(close::PROTOCOL_ERROR, error.code.name());
        }
    }
    Ok(())
}

fn ping(socket: &Rc<Socket>, id: Option<FrameId>, ping: Ping) -> Result<()> {
    heartbeat(socket, &ping)?;
    let pong = Ping { nonce: ping.nonce, delivered: Vec::new() };
    socket.reply(wire::reply(table::PONG, id.as_ref(), &pong));
    Ok(())
}

fn pong(socket: &Rc<Socket>, _: Option<FrameId>, pong: Ping) -> Result<()> {
    heartbeat(socket, &pong)
}

fn heartbeat(socket: &Rc<Socket>, beat: &Ping) -> Result<()> {
    if beat.nonce.len() > crate::kernel::text::KEY_MAX {
        return Err(Error::field("/nonce", "too_long", "a nonce has at most 64 bytes"));
    }
    if !beat.delivered.is_empty() && socket.is_live() {
        collect::delivered(socket, &beat.delivered);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::protocol::client::{Hello, Read};
    use super::*;

    fn refused(text: &str) -> Option<(Code, Option<String>)> {
        let error = envelope(text).err()?;
        Some((error.code, error.fields.first().map(|field| field.pointer.clone())))
    }

    #[test]
    fn envelopes_are_strict_and_refusals_say_where() {
        assert!(envelope(r#"{"type":"ping"}"#).is_ok());
        assert!(envelope(r#"{"type":"ping","id":7,"data":{"nonce":"a"}}"#).is_ok());
        let field = |pointer: &str| Some((Code::ValidationFailed, Some(pointer.to_owned())));
        assert_eq!(refused(r#"{"id":1}"#), field("/type"));
        assert_eq!(refused(r#"{"type":"ping","more":1}"#), field("/more"));
        assert_eq!(refused(&format!(r#"{{"type":"ping","id":"{}"}}"#, "x".repeat(65))), field("/id"));
        assert_eq!(refused(r#"{"type":"ping","id":1.5}"#), field("/id"));
        assert_eq!(refused("{").map(|one| one.0), Some(Code::MalformedJson));
        assert_eq!(refused("[]").map(|one| one.0), Some(Code::ValidationFailed));
        assert_eq!(refused(r#"["ping"]"#).map(|one| one.0), Some(Code::ValidationFailed));
    }

    #[test]
    fn data_is_strict_too() -> Result<()> {
        let read = envelope(r#"{"type":"read","data":{"conversation_id":"5","seq":1,"who":2}}"#)?;
        let error = read.data::<Read>().err();
        assert_eq!(error.map(|error| error.fields[0].pointer.clone()).as_deref(), Some("/who"));
        let hello =
            envelope(r#"{"type":"hello","data":{"token":"t","device":"d","conversations":[["5",3]]}}"#)?;
        assert_eq!(hello.data::<Hello>()?.conversations, [(crate::kernel::ConversationId(5), 3)]);
        let nul = envelope(r#"{"type":"ping","data":{"nonce":"a\u0000"}}"#)?;
        assert!(nul.data::<Ping>().is_err());
        Ok(())
    }
}
