//! What a signed-in socket can ask for. Each command calls the service function that REST calls; here it only gets a
//! task of its own and its answer a frame.

use std::cell::Cell;
use std::future::Future;
use std::rc::Rc;

use serde::Serialize;

use super::protocol::client::{Auth, MarkUnread, MessageEdit, MessageRecall, MessageSend, Pull, Sync};
use super::protocol::limits::{PULL_ENTRIES, SYNC_ROWS};
use super::protocol::server::{AuthReply, MessageReply, PullReply, ReadReply, SyncReply};
use super::protocol::{FrameId, close};
use super::socket::Socket;
use super::wire;
use crate::domain::actor::Actor;
use crate::domain::entry::EntryRow;
use crate::journal::{LogRef, Reply};
use crate::kernel::{Code, ConversationId, Error, Millis, Result};
use crate::messages::api::{EditMessage, LogQuery, SendMessage};
use crate::messages::service as messages;
use crate::messages::store::Which;
use crate::sync::api::{SyncPage, SyncQuery};
use crate::sync::cursor::Cursor;
use crate::sync::service as positions;

/// Counts a command while it runs; wakes the socket when it is over, because reading may have been paused.
pub struct Running {
    socket: Rc<Socket>,
    counter: fn(&Socket) -> &Cell<u32>,
}

impl Running {
    /// Counts it.
    pub fn new(socket: &Rc<Socket>, counter: fn(&Socket) -> &Cell<u32>) -> Self {
        let count = counter(socket);
        count.set(count.get() + 1);
        Self { socket: socket.clone(), counter }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let count = (self.counter)(&self.socket);
        count.set(count.get().saturating_sub(1));
        self.socket.wake();
    }
}

/// The counter of commands that write.
pub fn writes(socket: &Socket) -> &Cell<u32> {
    &socket.unanswered
}

/// The counter of commands that read.
pub fn reads(socket: &Socket) -> &Cell<u32> {
    &socket.reading
}

/// Runs a command in a task of its own and answers with `ok` or `error`. Commands of one socket begin in the order of
/// their frames.
pub fn run<T: Serialize + 'static>(
    running: Running,
    id: Option<FrameId>,
    client_msg_id: Option<String>,
    work: impl Future<Output = Result<T>> + 'static,
) {
    let work = Box::pin(work);
    actix_web::rt::spawn(async move {
        let frame = match work.await {
            Ok(done) => wire::ok(id.as_ref(), &done),
            Err(error) => wire::error(id.as_ref(), &error, client_msg_id),
        };
        running.socket.reply(frame);
        drop(running);
    });
}

/// Renews the token in place. An API key needs none of that.
pub fn auth(socket: &Rc<Socket>, actor: Actor, id: Option<FrameId>, input: Auth) -> Result<()> {
    if actor.api_key().is_some() {
        let detail = "this socket is an API key's: it lasts as long as the key";
        return Err(Error::new(Code::Forbidden, detail));
    }
    let mut verified = socket.hub.app.auth.verify(&input.token, Some(socket.permit.client()))?;
    verified.actor.origin.socket_device = actor.origin.socket_device;
    let same = |actor: &Actor| (actor.tenant, actor.member) == (verified.actor.tenant, verified.actor.member);
    let Some(present) = Some(actor).filter(same) else {
        return Err(Error::new(Code::Forbidden, "the token belongs to another member: open another socket"));
    };
    if present.role != verified.actor.role {
        socket.close(close::TOKEN_EXPIRED, "role_changed");
        return Ok(());
    }
    socket.actor.set(Some(verified.actor));
    socket.token_expires_at.set(verified.expires_at);
    socket.reply(wire::ok(id.as_ref(), &AuthReply { token_expires_at: verified.expires_at }));
    Ok(())
}

fn message_reply(
    conversation_id: ConversationId,
    reply: &Reply,
    client_msg_id: Option<String>,
) -> MessageReply {
    let entry: Option<&EntryRow> = reply.entry.as_deref();
    MessageReply {
        conversation_id: reply.conversation.unwrap_or(conversation_id),
        seq: entry.map(|entry| entry.seq),
        rev: reply.rev,
        created_at: entry.map(|entry| Millis(entry.created_at)),
        duplicate: reply.duplicate,
        client_msg_id,
    }
}

/// Sends a message.
pub fn send(socket: &Rc<Socket>, actor: Actor, id: Option<FrameId>, input: MessageSend) -> Result<()> {
    let app = socket.hub.app.clone();
    let key = input.client_msg_id.clone();
    socket.stream_ends(input.conversation_id, &key);
    run(Running::new(socket, writes), id, Some(key.clone()), async move {
        let MessageSend { conversation_id, client_msg_id, kind, content, reply_to_seq, read_seq, version } =
            input;
        let message = SendMessage { client_msg_id, kind, content, reply_to_seq, read_seq, version };
        let sent = messages::send(&app, actor, LogRef::Log(conversation_id), message).await?;
        Ok(MessageReply {
            conversation_id: sent.entry.conversation_id,
            seq: Some(sent.entry.seq),
            rev: sent.entry.rev,
            created_at: Some(Millis(sent.entry.created_at)),
            duplicate: sent.duplicate,
            client_msg_id: Some(key),
        })
    });
    Ok(())
}

/// Replaces the content of an own message.
pub fn edit(socket: &Rc<Socket>, actor: Actor, id: Option<FrameId>, input: MessageEdit) -> Result<()> {
    let app = socket.hub.app.clone();
    run(Running::new(socket, writes), id, None, async move {
        let MessageEdit { conversation_id, seq, kind, content, base_edited_at } = input;
        let edit = EditMessage { kind, content, base_edited_at };
        let reply = messages::edit(&app, actor, conversation_id, seq, edit).await?;
        Ok(message_reply(conversation_id, &reply, None))
    });
    Ok(())
}

/// Recalls a message: its content is removed.
pub fn recall(socket: &Rc<Socket>, actor: Actor, id: Option<FrameId>, input: MessageRecall) -> Result<()> {
    let app = socket.hub.app.clone();
    run(Running::new(socket, writes), id, None, async move {
        let reply = messages::recall(&app, actor, input.conversation_id, input.seq).await?;
        Ok(message_reply(input.conversation_id, &reply, None))
    });
    Ok(())
}

/// Moves the read position back.
pub fn mark_unread(socket: &Rc<Socket>, actor: Actor, id: Option<FrameId>, input: MarkUnread) -> Result<()> {
    let app = socket.hub.app.clone();
    run(Running::new(socket, writes), id, None, async move {
        let MarkUnread { conversation_id, seq } = input;
        let position = crate::sync::api::MarkUnread { seq };
        let now = positions::mark_unread(&app, actor, conversation_id, position).await?;
        Ok(ReadReply { conversation_id, read_seq: now.read_seq, read_ver: now.read_ver })
    });
    Ok(())
}

/// Reads a part of a log.
pub fn pull(socket: &Rc<Socket>, actor: Actor, id: Option<FrameId>, input: Pull) -> Result<()> {
    let app = socket.hub.app.clone();
    run(Running::new(socket, reads), id, None, async move {
        let after_seq = messages::position(input.after_seq, "/after_seq")?;
        let limit = Some(limit(input.limit, 100, PULL_ENTRIES)?);
        let query = LogQuery { after_seq: Some(after_seq), before_seq: None, limit };
        let log = LogRef::Log(input.conversation_id);
        let page = messages::log(&app, actor, log, query, Which::Everything).await?;
        Ok(PullReply { conversation_id: input.conversation_id, entries: page.data, head_seq: page.head_seq })
    });
    Ok(())
}

/// Reads what changed in the inbox. From the cursor of a lag, it ends the lag.
pub fn sync(socket: &Rc<Socket>, actor: Actor, id: Option<FrameId>, input: Sync) -> Result<()> {
    let app = socket.hub.app.clone();
    let socket = socket.clone();
    run(Running::new(&socket.clone(), reads), id, None, async move {
        let (lagging_from, times) = socket.lag.get();
        let limit = Some(limit(input.limit, SYNC_ROWS, SYNC_ROWS)?);
        let from = input.cursor.parse::<Cursor>()?.rev;
        let query = SyncQuery { cursor: Some(input.cursor), limit };
        let page = positions::delta(&app, actor, query).await?;
        if lagging_from.is_some_and(|lag| from <= lag) {
            let reached = page.cursor.parse::<Cursor>()?.rev;
            let (present, times_now) = socket.lag.get();
            // What was dropped while this was read is not covered by it.
            let still = page.more || times_now != times;
            socket.lag.set((still.then(|| present.map_or(reached, |lag| lag.max(reached))), times_now));
        }
        let SyncPage { rows, notifications, cursor, more, .. } = page;
        Ok(SyncReply { rows, notifications, cursor, more })
    });
    Ok(())
}

fn limit(given: Option<i64>, usual: i64, most: i64) -> Result<u32> {
    let limit = given.unwrap_or(usual);
    match (1..=most).contains(&limit) {
        true => Ok(u32::try_from(limit).unwrap_or(1)),
        false => Err(Error::field("/limit", "out_of_range", format!("limit is 1 to {most}"))),
    }
}
