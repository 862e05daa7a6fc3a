//! From a text frame to the command that it asks for. Owns the envelope, the order of the checks (rate, form, state)
//! and what each refusal says.

use std::rc::Rc;
use std::time::Instant;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use super::bucket::Verdict;
use super::protocol::client::{
    Auth, Hello, MarkUnread, MessageEdit, MessageRecall, MessageSend, Ping, Pull, Read, Sync, Typing, Watch,
};
use super::protocol::limits::UNANSWERED;
use super::protocol::{FrameId, close};
use super::socket::{Phase, Socket};
use super::{collect, commands, resume, typing, watch, wire};
use crate::http::json;
use crate::kernel::{Code, Error, Result};

/// What is still done while the server shuts down.
const WHILE_DRAINING: &[&str] = &["auth", "pull", "sync", "unwatch"];

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

/// Answers what is no frame. Who begins with such a thing is no client of ours.
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

fn dispatch(socket: &Rc<Socket>, envelope: Envelope) -> Result<()> {
    let kind = envelope.kind.as_str();
    if !super::protocol::CLIENT_FRAMES.iter().any(|frame| frame.name == kind) {
        return Err(Error::new(Code::Unsupported, "this frame type is not known"));
    }
    if kind == "ping" || kind == "pong" {
        return heartbeat(socket, kind, &envelope);
    }
    if kind == "hello" {
        if socket.phase.get() != Phase::AwaitingHello {
            return Err(Error::new(
                Code::Unsupported,
                "hello is said once on a socket; renew the token with auth",
            ));
        }
        match envelope.data::<Hello>() {
            Ok(hello) => resume::start(socket, envelope.id, hello),
            Err(error) => {
                socket.reply(wire::error(envelope.id.as_ref(), &error, None));
                socket.close(close::PROTOCOL_ERROR, error.code.name());
            }
        }
        return Ok(());
    }
    let Some(actor) = socket.actor.get().filter(|_| socket.is_live()) else {
        return Err(Error::new(Code::NotReady, Code::NotReady.meaning()));
    };
    // Who has not been sent away yet may still catch up; what was begun before finishes.
    if socket.hub.draining.get() && !WHILE_DRAINING.contains(&kind) {
        return Err(Error::new(Code::Draining, Code::Draining.meaning()));
    }
    let id = envelope.id.clone();
    match kind {
        "auth" => return commands::auth(socket, id, &envelope.data::<Auth>()?),
        "read" => {
            let read: Read = envelope.data()?;
            crate::messages::service::position(read.seq, "/seq")?;
            collect::read(socket, read, id);
        }
        "typing" => typing::typing(socket, actor, id, envelope.data::<Typing>()?),
        "watch" => watch::watch(socket, actor, id, envelope.data::<Watch>()?),
        "unwatch" => watch::unwatch(socket, id, &envelope.data::<Watch>()?),
        "pull" => commands::pull(socket, actor, id, envelope.data::<Pull>()?),
        "sync" => commands::sync(socket, actor, id, envelope.data::<Sync>()?),
        _ => {
            if socket.unanswered.get() >= UNANSWERED {
                let error = Error::new(Code::Busy, "too many commands wait for their answer on this socket");
                return Err(error.retry_after(100));
            }
            match kind {
                "message.send" => commands::send(socket, actor, id, envelope.data::<MessageSend>()?),
                "message.edit" => commands::edit(socket, actor, id, envelope.data::<MessageEdit>()?),
                "message.recall" => commands::recall(socket, actor, id, envelope.data::<MessageRecall>()?),
                "mark_unread" => commands::mark_unread(socket, actor, id, envelope.data::<MarkUnread>()?),
                _ => return Err(Error::internal("a frame of the table has no command")),
            }
        }
    }
    Ok(())
}

fn heartbeat(socket: &Rc<Socket>, kind: &str, envelope: &Envelope) -> Result<()> {
    let beat: Ping = envelope.data()?;
    if beat.nonce.len() > crate::kernel::text::KEY_MAX {
        return Err(Error::field("/nonce", "too_long", "a nonce has at most 64 bytes"));
    }
    if !beat.delivered.is_empty() && socket.is_live() {
        collect::delivered(socket, &beat.delivered);
    }
    if kind == "ping" {
        let pong = Ping { nonce: beat.nonce, delivered: Vec::new() };
        socket.reply(wire::reply("pong", envelope.id.as_ref(), &pong));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
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
