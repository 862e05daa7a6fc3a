//! The table of socket frames. Owns every frame's name, data type, reply, phase and summary; the frame types, the
//! dispatch (`gateway::inbound`) and the AsyncAPI document are made from it. Does not own the data structs
//! ([`client`], [`server`]) or what a frame does. No I/O.
//!
//! To add a client frame: write its data struct in `client.rs` (and a new reply struct in `server.rs`), its handler
//! in the module of its subject, and one line in `client_frames!`:
//!
//! `"name" Data -> reply, Phase, Effect, handler, "summary";`
//!
//! - `reply`: `ok(Data)` for an `ok` frame with that data, `frame(READY)` for a server frame of its own, or `none`.
//! - `Phase` decides the handler's signature. `Live` and `Draining`: `fn(&Rc<Socket>, Actor, Option<FrameId>, Data) ->
//!   Result<()>`. `Always`: the same without the actor. `AwaitingHello`: the same, and without a result.
//!
//! To add a server frame: write its data struct in `server.rs` and one line in `server_frames!`; it is sent with
//! `wire::frame(table::NAME, &data)`, `wire::durable` or `wire::reply`.
//!
//! Invariants, all held by the compiler: a frame has a handler of the right signature, a data type with a schema, and
//! is sent with data of its own type only.

use std::marker::PhantomData;

use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

use super::client::Ping;
use super::server::{
    Bye, Entries, ErrorReply, GroupNotice, Lag, Live, MessageStreamNotice, OfferNotice, OkReply,
    PresenceNotice, QueueNotice, QueuePlaceNotice, Ready, Receipt, Reset, TypingNotice,
};
use super::{FrameId, client, server};
use crate::domain::centre::notification::Notification;
use crate::domain::entry::Entry;
use crate::sync::model::InboxRow;

/// Expands `$expand!` with all client frames: name, data, reply, phase, effect, handler, summary.
macro_rules! client_frames {
    ($expand:ident) => {
        $expand! {
            "hello" Hello -> frame(READY), AwaitingHello, Control, resume::start, "Sign in and resume. Answered by `ready`, what was missed, and `live`.";
            "auth" Auth -> ok(AuthReply), Draining, Control, commands::auth, "Renew the access token without reconnecting.";
            "message.send" MessageSend -> ok(MessageReply), Live, Write, commands::send, "Send a message; answered after the commit. A retry with the same client_msg_id gets the first answer.";
            "message.edit" MessageEdit -> ok(MessageReply), Live, Write, commands::edit, "Replace the content of an own message within the tenant's edit window (`window_expired` after it); the same content again changes nothing and is answered alike.";
            "message.recall" MessageRecall -> ok(MessageReply), Live, Write, commands::recall, "Recall a message: its content is removed. The sender may within the tenant's recall window, supervisors always; recalling again changes nothing and is answered alike.";
            "message.stream" MessageStream -> none, Live, Collected, stream::stream, "Bots: show the words of a message while they are made. The last ones of 250 ms are passed on, to who is connected; not answered unless it fails. The message itself is sent with the same client_msg_id.";
            "read" Read -> ok(ReadReply), Live, Collected, collect::read, "Report how far the log is read. Collected for 250 ms, the last one for a conversation counts; answered only when the frame has an id.";
            "mark_unread" MarkUnread -> ok(ReadReply), Live, Write, commands::mark_unread, "Move the read position back and start a new version.";
            "pull" Pull -> ok(PullReply), Draining, Read, commands::pull, "Read a conversation's log after a position.";
            "sync" Sync -> ok(SyncReply), Draining, Read, commands::sync, "Read what changed in the inbox since a cursor; the reply with more = false ends a lag.";
            "watch" Watch -> ok(WatchReply), Live, Read, watch::watch, "Receive conversations that one may read without being a participant, and (staff) the waiting ones. Ends with the socket.";
            "unwatch" Watch -> ok(WatchReply), Draining, Control, watch::unwatch, "Stop watching.";
            "presence" SetPresence -> ok(PresenceNotice), Live, Write, presence::set, "Staff: say what one is: online, busy, away or offline. It stays until it is said again, whatever becomes of the socket.";
            "typing" Typing -> none, Live, Collected, typing::typing, "Report that one types, or stopped; not answered unless it fails.";
            "ping" Ping -> frame(PONG), Always, Control, ping, "Ask whether the server is there; answered by `pong` with the same nonce.";
            "pong" Ping -> none, Always, Control, pong, "Answer the server's `ping` with its nonce.";
        }
    };
}
pub(crate) use client_frames;

/// Expands `$expand!` with all server frames: constant, name, data, durable or live, summary.
macro_rules! server_frames {
    ($expand:ident) => {
        $expand! {
            READY "ready" Ready reply "The hello was accepted: who one is, the inbox rows that changed, the limits.";
            ENTRY "entry" Entry durable "One new entry of a log.";
            ENTRIES "entries" Entries durable "Entries of one log that were missed, in order of seq.";
            LIVE "live" Live live "Everything missed has been sent; what follows happens now. The cursor may be stored.";
            INBOX "inbox" InboxRow durable "A row of the own inbox changed; the row with the last rev wins.";
            RECEIPT "receipt" Receipt live "Read or delivered positions of a conversation moved; the highest wins.";
            TYPING "typing" TypingNotice live "A member types, or stopped.";
            MESSAGE_STREAM "message_stream" MessageStreamNotice live "A bot shows what it is about to say; the message itself comes as an entry with the same client_msg_id.";
            PRESENCE "presence" PresenceNotice live "The staff: a colleague said what it is, came or went, or serves more or fewer conversations; the last rev of a member wins. Not durable: after connecting read the list over REST.";
            OFFER "offer" OfferNotice live "Staff: a conversation is offered to you, by routing or by the colleague who serves it, or an offer ended; the last rev of an offer wins. Not durable: after connecting read `GET /offers`.";
            NOTIFICATION "notification" Notification durable "You are told something beside your conversations, or read it on another device; of one notification the last rev wins. Those of the time since your cursor come before `live`, the newest 100 of them; all of them are in `GET /notifications`.";
            QUEUE_PLACE "queue_place" QueuePlaceNotice live "A waiting conversation has another place, or another estimate: told to its customer and to who watches it, at most once a second. Not durable: after connecting read `GET /conversations/{id}/queue`.";
            QUEUE "queue" QueueNotice live "Watchers of the waiting: a conversation began or ceased to wait. Not durable: after connecting read the list over REST.";
            GROUP "group" GroupNotice live "The staff: one came into a group, left it, or is something else in it. What one sees of the waiting changed: read the list over REST again. When something may have gone out of sight, watches of conversations end with a `reset`. Not durable.";
            LAG "lag" Lag live "This socket was too slow and durable frames were dropped: stop storing cursors and `sync` from this one.";
            RESET "reset" Reset durable "Drop the local copy of one conversation, or of everything.";
            OK "ok" OkReply reply "The frame named by `reply_to` was done; data by the type of that frame.";
            ERROR "error" ErrorReply reply "The frame named by `reply_to` was not done; the socket stays open.";
            PING "ping" Ping live "Answer with `pong` and the same nonce within ten seconds.";
            PONG "pong" Ping reply "The answer to the client's `ping`.";
            BYE "bye" Bye live "The server closes this socket now; what to do next.";
        }
    };
}

/// When a client frame is accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Allowed {
    /// In every phase.
    Always,
    /// As the first frame, once.
    AwaitingHello,
    /// After `live`, until the server shuts down.
    Live,
    /// After `live`, also while the server shuts down: it finishes what was begun.
    Draining,
}

/// What a client frame costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// Changes this socket only.
    Control,
    /// Reads the store.
    Read,
    /// Changes the store; the unanswered ones of a socket are limited.
    Write,
    /// Collected and passed on together with others.
    Collected,
}

/// What answers a client frame that succeeds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reply {
    /// Nothing.
    None,
    /// `ok` with data of this schema.
    Ok(&'static str),
    /// The server frame of this name.
    Frame(&'static str),
}

/// A row of the table of client frames.
#[derive(Debug, Clone, Copy)]
pub struct ClientFrame {
    /// The frame's `type`.
    pub name: &'static str,
    /// The name of the schema of its `data`.
    pub schema: &'static str,
    /// What answers it.
    pub reply: Reply,
    /// When it is accepted.
    pub allowed: Allowed,
    /// What it costs.
    pub effect: Effect,
    /// What it is for.
    pub meaning: &'static str,
}

/// How a server frame is delivered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delivery {
    /// May carry `cursor`; what a client misses is sent again after it reconnects.
    Durable,
    /// Sent once.
    Live,
    /// Sent once, with `reply_to`.
    Reply,
}

/// A row of the table of server frames.
#[derive(Debug, Clone, Copy)]
pub struct ServerFrame {
    /// The frame's `type`.
    pub name: &'static str,
    /// The name of the schema of its `data`.
    pub schema: &'static str,
    /// How it is delivered.
    pub delivery: Delivery,
    /// What it is for.
    pub meaning: &'static str,
}

/// The name of a server frame whose `data` is a `T`.
#[derive(Debug)]
pub struct FrameOf<T> {
    /// The frame's `type`.
    pub name: &'static str,
    data: PhantomData<fn(&T)>,
}

macro_rules! reply {
    (none) => {
        Reply::None
    };
    (ok $data:ident) => {
        Reply::Ok(stringify!($data))
    };
    (frame $frame:ident) => {
        Reply::Frame($frame.name)
    };
}

macro_rules! delivery {
    (durable) => {
        Delivery::Durable
    };
    (live) => {
        Delivery::Live
    };
    (reply) => {
        Delivery::Reply
    };
}

fn add<T: ToSchema>(all: &mut Vec<(String, RefOr<Schema>)>) {
    all.push((T::name().into_owned(), <T as PartialSchema>::schema()));
    T::schemas(all);
}

macro_rules! add_reply {
    ($all:ident ok $data:ident) => {
        add::<server::$data>($all);
    };
    ($all:ident $($other:ident)+) => {};
}

macro_rules! client_rows {
    ($($name:literal $data:ident -> $reply:ident $(($answer:ident))?, $allowed:ident, $effect:ident, $handler:path, $meaning:literal;)+) => {
        /// What a client may send.
        pub const CLIENT_FRAMES: &[ClientFrame] = &[$(ClientFrame {
            name: $name,
            schema: stringify!($data),
            reply: reply!($reply $($answer)?),
            allowed: Allowed::$allowed,
            effect: Effect::$effect,
            meaning: $meaning,
        },)+];

        fn add_client(all: &mut Vec<(String, RefOr<Schema>)>) {
            $(
                add::<client::$data>(all);
                add_reply!(all $reply $($answer)?);
            )+
        }
    };
}

macro_rules! server_rows {
    ($($constant:ident $name:literal $data:ident $delivery:ident $meaning:literal;)+) => {
        $(
            #[doc = $meaning]
            pub const $constant: FrameOf<$data> = FrameOf { name: $name, data: PhantomData };
        )+

        /// What the server may send.
        pub const SERVER_FRAMES: &[ServerFrame] = &[$(ServerFrame {
            name: $name,
            schema: stringify!($data),
            delivery: delivery!($delivery),
            meaning: $meaning,
        },)+];

        fn add_server(all: &mut Vec<(String, RefOr<Schema>)>) {
            $(add::<$data>(all);)+
        }
    };
}

client_frames!(client_rows);
server_frames!(server_rows);

/// The schemas of the `data` of all `ok` frames, each once.
pub fn ok_schemas() -> Vec<&'static str> {
    let mut all: Vec<_> = CLIENT_FRAMES
        .iter()
        .filter_map(|frame| match frame.reply {
            Reply::Ok(schema) => Some(schema),
            Reply::None | Reply::Frame(_) => None,
        })
        .collect();
    all.sort_unstable();
    all.dedup();
    all
}

/// The schemas of all frames' data and of everything that they refer to, by name.
pub fn schemas() -> Vec<(String, RefOr<Schema>)> {
    let mut all = Vec::new();
    add_client(&mut all);
    add_server(&mut all);
    add::<FrameId>(&mut all);
    all.sort_by(|left, right| left.0.cmp(&right.0));
    all.dedup_by(|left, right| left.0 == right.0);
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_every_schema_exists() {
        let known: Vec<String> = schemas().into_iter().map(|(name, _)| name).collect();
        let client = CLIENT_FRAMES.iter().map(|frame| (frame.name, frame.schema));
        let server = SERVER_FRAMES.iter().map(|frame| (frame.name, frame.schema));
        for (name, schema) in client.chain(server).chain(ok_schemas().into_iter().map(|one| ("ok", one))) {
            assert!(known.iter().any(|one| one == schema), "{schema} of {name}");
        }
        let mut names: Vec<_> = CLIENT_FRAMES.iter().map(|frame| frame.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), CLIENT_FRAMES.len());
        for frame in CLIENT_FRAMES {
            if let Reply::Frame(name) = frame.reply {
                let reply = SERVER_FRAMES.iter().find(|one| one.name == name);
                assert_eq!(reply.map(|one| one.delivery), Some(Delivery::Reply), "{}", frame.name);
            }
        }
    }
}
