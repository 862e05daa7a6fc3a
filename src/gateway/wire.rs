//! Frames as text: each is serialised once and its bytes are shared by all sockets that get it.

use std::cell::RefCell;

use bytestring::ByteString;
use serde::Serialize;

use super::protocol::FrameId;
use super::protocol::server::ErrorReply;
use super::protocol::table::{ERROR, FrameOf, OK};
use crate::kernel::{Code, Error};
use crate::sync::cursor::Cursor;

#[derive(Serialize)]
struct Envelope<'a, T> {
    #[serde(rename = "type")]
    kind: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reply_to: Option<&'a FrameId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cursor: Option<&'a str>,
    data: &'a T,
}

/// A worker's encode buffer never keeps more than this.
const BUFFER_MAX: usize = 65_536;

thread_local! {
    static ENCODE_BUFFER: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// Written to the worker's encode buffer and copied once, so that a frame takes its own size and no more: strings
/// that grow leave holes between the buffers of connections, and holes are what idle sockets would pay for.
fn encode<T: Serialize>(envelope: &Envelope<'_, T>) -> ByteString {
    ENCODE_BUFFER.with_borrow_mut(|buffer| {
        buffer.clear();
        // Our own types always serialise: no map of theirs has keys that are no strings.
        if let Err(cause) = serde_json::to_writer(&mut *buffer, envelope) {
            log::error!(target: "deskwire::gateway", "a frame could not be written: {cause}");
        }
        let frame = ByteString::from(std::str::from_utf8(buffer).unwrap_or_default());
        if buffer.capacity() > BUFFER_MAX {
            *buffer = Vec::new();
        }
        frame
    })
}

/// A frame that answers nothing and moves no cursor.
pub fn frame<T: Serialize>(kind: FrameOf<T>, data: &T) -> ByteString {
    encode(&Envelope { kind: kind.name, reply_to: None, cursor: None, data })
}

/// A durable frame without its cursor, which is each member's own: serialised once, completed for each member.
pub struct Durable {
    text: ByteString,
    /// Where the cursor stands.
    at: usize,
}

/// Serialises a durable frame.
pub fn durable<T: Serialize>(kind: FrameOf<T>, data: &T) -> Durable {
    without_cursor(kind.name, data)
}

fn without_cursor<T: Serialize>(kind: &str, data: &T) -> Durable {
    let text = encode(&Envelope { kind, reply_to: None, cursor: Some(""), data });
    Durable { text, at: r#"{"type":"","cursor":""#.len() + kind.len() }
}

impl Durable {
    /// The frame with its cursor: everything up to it was delivered before.
    pub fn with(&self, cursor: Cursor) -> ByteString {
        let (before, after) = self.text.split_at_checked(self.at).unwrap_or_default();
        let mut frame = String::with_capacity(self.text.len() + Cursor::TEXT);
        frame.push_str(before);
        cursor.push_to(&mut frame);
        frame.push_str(after);
        ByteString::from(frame)
    }
}

/// A frame that answers.
pub fn reply<T: Serialize>(kind: FrameOf<T>, reply_to: Option<&FrameId>, data: &T) -> ByteString {
    encode(&Envelope { kind: kind.name, reply_to, cursor: None, data })
}

/// The `ok` frame, with the reply of the frame that it answers.
pub fn ok<T: Serialize>(reply_to: Option<&FrameId>, data: &T) -> ByteString {
    encode(&Envelope { kind: OK.name, reply_to, cursor: None, data })
}

/// The `error` frame of an error. An internal failure goes to the log and shows no inner text.
pub fn error(reply_to: Option<&FrameId>, error: &Error, client_msg_id: Option<String>) -> ByteString {
    if error.code == Code::Internal {
        log::error!(target: "deskwire::gateway", "a frame failed: {error}");
    }
    let data = ErrorReply {
        code: error.code.name(),
        detail: error.public_detail().to_owned(),
        retryable: error.code.retryable(),
        retry_after_ms: error.retry_after_ms,
        client_msg_id,
        errors: error.fields.clone(),
        context: error.context.clone(),
    };
    reply(ERROR, reply_to, &data)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::{MemberId, TenantId};
    use crate::sync::cursor::Reader;

    #[test]
    fn a_durable_frame_is_completed_with_the_cursor_of_each_member() {
        let frame = without_cursor("entry", &7);
        for member in [1, 2] {
            let cursor = Reader::member("e", TenantId(1), MemberId(member)).at(4);
            let expected = format!(r#"{{"type":"entry","cursor":"{cursor}","data":7}}"#);
            assert_eq!(frame.with(cursor), expected.as_str());
        }
    }
}
