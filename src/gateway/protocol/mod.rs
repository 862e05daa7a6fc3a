//! What is said on the socket: the types of every frame, the close codes and the limits. The AsyncAPI document is
//! generated from these same types and tables. No I/O.
//!
//! Every frame is one JSON object in one text message. From the client: `{"type", "id"?, "data"}`; `id` (a string of
//! at most 64 bytes, or a number) is echoed as `reply_to` of the `ok` or `error` that answers. From the server:
//! `{"type", "reply_to"?, "cursor"?, "data"}`; `cursor` stands on durable frames (`entry`, `entries`, `inbox`,
//! `reset`) and means: everything before this frame has been delivered.

pub mod client;
pub mod close;
pub mod limits;
pub mod server;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa::openapi::{RefOr, Schema};

pub use close::CloseCode;

/// The sub-protocol's name.
pub const SUB_PROTOCOL: &str = "deskwire.v1";

/// The client's own name for a frame; echoed as `reply_to`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(untagged)]
pub enum FrameId {
    /// At most 64 bytes.
    Text(String),
    /// Any whole number that JSON can hold.
    #[schema(value_type = i64)]
    Number(serde_json::Number),
}

impl FrameId {
    /// Whether it is short enough to be echoed.
    pub fn is_fair(&self) -> bool {
        match self {
            Self::Text(text) => text.len() <= crate::kernel::text::KEY_MAX,
            Self::Number(number) => number.is_i64() || number.is_u64(),
        }
    }
}

/// A row of the tables of frames.
#[derive(Clone, Copy)]
pub struct FrameType {
    /// The frame's `type`.
    pub name: &'static str,
    /// The name of the schema of its `data`.
    pub schema: &'static str,
    /// Client frames: the schema of the `data` of the `ok` that answers. Server frames: none.
    pub reply: Option<&'static str>,
    /// Whether it may carry `cursor` (server frames).
    pub durable: bool,
    /// What it is for.
    pub meaning: &'static str,
}

const fn asks(
    name: &'static str,
    schema: &'static str,
    reply: Option<&'static str>,
    meaning: &'static str,
) -> FrameType {
    FrameType { name, schema, reply, durable: false, meaning }
}

const fn tells(name: &'static str, schema: &'static str, durable: bool, meaning: &'static str) -> FrameType {
    FrameType { name, schema, reply: None, durable, meaning }
}

/// What a client may send. `hello` comes first, within five seconds.
pub const CLIENT_FRAMES: &[FrameType] = &[
    asks("hello", "Hello", None, "Sign in and resume. Answered by `ready`, what was missed, and `live`."),
    asks("auth", "Auth", Some("AuthReply"), "Renew the access token without reconnecting."),
    asks(
        "message.send",
        "MessageSend",
        Some("MessageReply"),
        "Send a message; answered after the commit. A retry with the same client_msg_id gets the first answer.",
    ),
    asks("message.edit", "MessageEdit", Some("MessageReply"), "Replace the words of an own message."),
    asks("message.recall", "MessageRecall", Some("MessageReply"), "Take back a message's words."),
    asks(
        "read",
        "Read",
        Some("ReadReply"),
        "Say how far the log is read. Collected for 250 ms, the last one for a conversation counts; answered only when the frame has an id.",
    ),
    asks(
        "mark_unread",
        "MarkUnread",
        Some("ReadReply"),
        "Move the read position back and start a new version.",
    ),
    asks("pull", "Pull", Some("PullReply"), "Read a conversation's log after a position."),
    asks(
        "sync",
        "Sync",
        Some("SyncReply"),
        "Read what changed in the inbox since a cursor; the reply with more = false ends a lag.",
    ),
    asks(
        "watch",
        "Watch",
        Some("WatchReply"),
        "See conversations that one may read without being in them, and (staff) the waiting ones. Ends with the socket.",
    ),
    asks("unwatch", "Watch", Some("WatchReply"), "Stop watching."),
    asks("typing", "Typing", None, "Say that one types, or stopped; not answered unless it fails."),
    asks("ping", "Ping", None, "Ask whether the server is there; answered by `pong` with the same nonce."),
    asks("pong", "Ping", None, "Answer the server's `ping` with its nonce."),
];

/// What the server may send.
pub const SERVER_FRAMES: &[FrameType] = &[
    tells(
        "ready",
        "Ready",
        false,
        "The hello was accepted: who one is, the inbox rows that changed, the limits.",
    ),
    tells("entry", "Entry", true, "One new entry of a log."),
    tells("entries", "Entries", true, "Entries of one log that were missed, in order of seq."),
    tells(
        "live",
        "Live",
        false,
        "Everything missed has been sent; what follows happens now. The cursor may be stored.",
    ),
    tells("inbox", "InboxRow", true, "A row of the own inbox changed; the row with the last rev wins."),
    tells(
        "receipt",
        "Receipt",
        false,
        "Read or delivered positions of a conversation moved; the highest wins.",
    ),
    tells("typing", "TypingNotice", false, "Somebody types, or stopped."),
    tells(
        "queue",
        "QueueNotice",
        false,
        "Watchers of the waiting: a conversation began or ceased to wait. Not durable: after connecting read the list over REST.",
    ),
    tells(
        "lag",
        "Lag",
        false,
        "This socket was too slow and durable frames were dropped: stop storing cursors and `sync` from this one.",
    ),
    tells("reset", "Reset", true, "Drop the local copy of one conversation, or of everything."),
    tells("ok", "Ok", false, "The frame named by `reply_to` was done; data by the type of that frame."),
    tells("error", "ErrorReply", false, "The frame named by `reply_to` was not done; the socket lives on."),
    tells("ping", "Ping", false, "Answer with `pong` and the same nonce within ten seconds."),
    tells("pong", "Ping", false, "The answer to the client's `ping`."),
    tells("bye", "Bye", false, "The server closes this socket now; what to do next."),
];

/// The schemas of all frames' data and of everything that they refer to, by name.
pub fn schemas() -> Vec<(String, RefOr<Schema>)> {
    let mut all = Vec::new();
    macro_rules! add {
        ($($kind:ty),+ $(,)?) => {$(
            all.push((<$kind>::name().into_owned(), <$kind as utoipa::PartialSchema>::schema()));
            <$kind>::schemas(&mut all);
        )+};
    }
    use client::{
        Auth, Hello, MarkUnread, MessageEdit, MessageRecall, MessageSend, Ping, Pull, Read, Sync, Typing,
        Watch,
    };
    use server::{
        AuthReply, Bye, Entries, ErrorReply, Lag, Live, MessageReply, Ok, PullReply, QueueNotice, ReadReply,
        Ready, Receipt, Reset, SyncReply, TypingNotice, WatchReply,
    };
    add!(
        Hello,
        Auth,
        MessageSend,
        MessageEdit,
        MessageRecall,
        Read,
        MarkUnread,
        Pull,
        Sync,
        Watch,
        Typing,
        Ping
    );
    add!(
        Ready,
        crate::domain::entry::Entry,
        Entries,
        Live,
        Receipt,
        TypingNotice,
        QueueNotice,
        Lag,
        Reset,
        Ok
    );
    add!(ErrorReply, Bye, AuthReply, MessageReply, ReadReply, PullReply, SyncReply, WatchReply, FrameId);
    all.sort_by(|left, right| left.0.cmp(&right.0));
    all.dedup_by(|left, right| left.0 == right.0);
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_schema_that_the_tables_name_exists() {
        let known: Vec<String> = schemas().into_iter().map(|(name, _)| name).collect();
        for frame in CLIENT_FRAMES.iter().chain(SERVER_FRAMES) {
            for name in [Some(frame.schema), frame.reply].into_iter().flatten() {
                assert!(known.iter().any(|one| one == name), "{name} of {}", frame.name);
            }
        }
    }
}
