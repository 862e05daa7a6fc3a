//! What can be done with messages. REST and sockets call the same functions.
//!
//! Here input is checked and handed to the journal, which decides with the present state in hand; reads check access
//! in the same read.

use std::sync::Arc;

use crate::app::App;
use crate::conversations::access;
use crate::domain::actor::Actor;
use crate::domain::conversation::ConversationKind;
use crate::journal::commands::{Edit, Recall, Send};
use crate::journal::{Command, Draft, LogRef, Reply};
use crate::kernel::{Code, ConversationId, Error, Result, text};

use super::api::{EditMessage, LogPage, LogQuery, SendMessage};
use super::store::{self, Which};
use crate::domain::content::Body;
use crate::domain::entry::{Entry, EntryKind, EntryRow, MESSAGE, RevisionRow};
use crate::domain::member::Role;

/// Most revisions that are shown of one message.
const REVISIONS_MAX: i64 = 200;
/// Bytes of entries in one page; it then holds fewer entries than were asked for.
const PAGE_BYTES: usize = 262_144;

/// A message that was sent, now or by an earlier try.
#[derive(Debug, Clone)]
pub struct Sent {
    /// The entry.
    pub entry: Arc<EntryRow>,
    /// The answer of an earlier try with the same `client_msg_id` is given again.
    pub duplicate: bool,
}

impl Sent {
    /// What the journal answered to a message.
    pub fn from_reply(reply: Reply) -> Result<Self> {
        let entry = reply.entry.ok_or_else(|| Error::internal("a message was sent without an entry"))?;
        Ok(Self { entry, duplicate: reply.duplicate })
    }
}

/// Checks a message of a member of this role. `pointer` is where it stands in the request.
pub fn draft(
    role: Role,
    client_msg_id: String,
    kind: EntryKind,
    content: &serde_json::Value,
    reply_to_seq: Option<i64>,
    pointer: &str,
) -> Result<Draft> {
    if !text::is_key(&client_msg_id) {
        return Err(Error::field(
            format!("{pointer}/client_msg_id"),
            "invalid",
            "client_msg_id is 1 to 64 of A-Z a-z 0-9 . _ : -",
        ));
    }
    let body = body(role, kind, content, pointer)?;
    Ok(Draft { client_msg_id, body, reply_to_seq, version: None })
}

fn body(role: Role, kind: EntryKind, content: &serde_json::Value, pointer: &str) -> Result<Body> {
    if !kind.is_message() {
        return Err(Error::field(format!("{pointer}/kind"), "invalid", "there is no such kind of message"));
    }
    Body::parse(role, kind, content, &format!("{pointer}/content"))
}

/// Checks a position that came from outside.
pub fn position(seq: i64, pointer: &str) -> Result<i64> {
    match seq >= 0 {
        true => Ok(seq),
        false => Err(Error::field(pointer, "out_of_range", "a position is 0 or more")),
    }
}

/// Sends a message. A retry with the same `client_msg_id` gets the first answer, whatever has happened since.
pub async fn send(app: &App, actor: Actor, log: LogRef, input: SendMessage) -> Result<Sent> {
    let SendMessage { client_msg_id, kind, content, reply_to_seq, read_seq, version } = input;
    let draft = draft(actor.role, client_msg_id, kind, &content, reply_to_seq, "")?;
    let draft = Draft { version, ..draft };
    let read_seq = read_seq.map(|seq| position(seq, "/read_seq")).transpose()?;
    Sent::from_reply(app.journal.submit(Command::new(actor, Send { log, draft, read_seq })).await?)
}

/// Gives an own message new words. Answers the message as it reads now.
pub async fn edit(
    app: &App,
    actor: Actor,
    conversation: ConversationId,
    seq: i64,
    input: EditMessage,
) -> Result<Reply> {
    if input.kind.has_attachment() {
        let detail = "a message with an attachment is recalled, not edited";
        return Err(Error::field("/kind", "invalid", detail));
    }
    let body = body(actor.role, input.kind, &input.content, "")?;
    let base_edited_at = input.base_edited_at.map(|base| base.map(|at| at.0));
    app.journal.submit(Command::new(actor, Edit { conversation, seq, body, base_edited_at })).await
}

/// Takes back a message's words. Answers the message without them.
pub async fn recall(app: &App, actor: Actor, conversation: ConversationId, seq: i64) -> Result<Reply> {
    app.journal.submit(Command::new(actor, Recall { conversation, seq })).await
}

/// The message that the journal's answer to an edit or a recall holds.
pub fn changed(reply: Reply) -> Result<Entry> {
    let entry = reply.entry.ok_or_else(|| Error::internal("a message was changed without an entry"))?;
    Ok(Entry::from(EntryRow::clone(&entry)))
}

/// One message. Notices are found in the log only.
pub async fn message(app: &App, actor: Actor, conversation: ConversationId, seq: i64) -> Result<Entry> {
    app.db
        .read(move |connection| {
            access::load(connection, &actor, conversation)?;
            store::find(connection, actor.tenant, conversation, seq)?
                .filter(|row| row.message_type == MESSAGE)
                .map(Entry::from)
                .ok_or_else(Error::not_found)
        })
        .await
}

/// The earlier words of one message.
pub async fn revisions(
    app: &App,
    actor: Actor,
    conversation: ConversationId,
    seq: i64,
) -> Result<Vec<RevisionRow>> {
    use crate::domain::permission::Operation;
    app.db
        .read(move |connection| {
            let access = access::load(connection, &actor, conversation)?;
            access.check(&actor, Operation::ReadRevisions)?;
            store::find(connection, actor.tenant, conversation, seq)?
                .filter(|row| row.message_type == MESSAGE)
                .ok_or_else(Error::not_found)?;
            store::revisions(connection, actor.tenant, conversation, seq, REVISIONS_MAX)
        })
        .await
}

/// A piece of a log.
pub async fn log(app: &App, actor: Actor, at: LogRef, query: LogQuery, which: Which) -> Result<LogPage> {
    let limit = crate::http::page::limit(query.limit)?;
    if query.after_seq.is_some() && query.before_seq.is_some() {
        return Err(Error::new(Code::InvalidParameter, "give after_seq or before_seq, not both"));
    }
    app.db
        .read(move |connection| {
            let id = match at {
                LogRef::Log(id) => id,
                LogRef::BackstageOf(front) => match backstage(connection, &actor, front)? {
                    Some(id) => id,
                    None => return Ok(LogPage::empty()),
                },
            };
            let head = access::load(connection, &actor, id)?.conversation.seq;
            let from = match (query.after_seq, query.before_seq) {
                (Some(after), _) => store::From::After(after),
                (None, before) => store::From::Before(before.unwrap_or(i64::MAX)),
            };
            let (rows, more) = store::page(connection, actor.tenant, id, from, limit, PAGE_BYTES, which)?;
            Ok(LogPage::new(id, head, rows, more))
        })
        .await
}

fn backstage(
    connection: &mut crate::db::AnyConnection,
    actor: &Actor,
    front: ConversationId,
) -> Result<Option<ConversationId>> {
    use crate::domain::permission::Operation;
    let access = access::load(connection, actor, front)?;
    if access.conversation.kind != ConversationKind::Support {
        return Err(Error::not_found());
    }
    access.check(actor, Operation::ReadNotes)?;
    Ok(access.conversation.backstage_id)
}
