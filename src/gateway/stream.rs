//! What bots are about to say, shown while it is made. Not stored: the last words of 250 ms are passed on, and forgotten when the
//! message itself comes.
//!
//! Invariant: words are passed on only while the bot answers the conversation, by the version that it read.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use super::collect;
use super::commands::{Running, reads};
use super::protocol::FrameId;
use super::protocol::client::MessageStream;
use super::protocol::limits::{STREAM_BYTES, STREAM_STATES, STREAMS};
use super::socket::Socket;
use super::wire;
use crate::conversations::{access, store};
use crate::db::AnyConnection;
use crate::domain::actor::Actor;
use crate::domain::conversation::ConversationRow;
use crate::domain::member::Role;
use crate::domain::permission::Operation;
use crate::journal::ephemeral::{Ephemeral, StreamedWords};
use crate::kernel::{Code, ConversationId, Error, MemberId, Result, text};

/// A bot shows the words of a message.
pub fn stream(socket: &Rc<Socket>, actor: Actor, id: Option<FrameId>, input: MessageStream) -> Result<()> {
    if actor.role != Role::Bot {
        return Err(Error::new(Code::Forbidden, "only bots show words before they send them"));
    }
    if !text::is_key(&input.client_msg_id) {
        let detail = "client_msg_id is 1 to 64 of A-Z a-z 0-9 . _ : -";
        return Err(Error::field("/client_msg_id", "invalid", detail));
    }
    if !(1..=STREAM_STATES).contains(&input.n) {
        return Err(Error::field("/n", "out_of_range", format!("n counts from 1 to {STREAM_STATES}")));
    }
    if input.text.len() > STREAM_BYTES {
        return Err(Error::field("/text", "too_long", format!("at most {STREAM_BYTES} bytes")));
    }
    match collect::with(socket, |pending| pending.stream(input, id, Instant::now())) {
        true => Ok(()),
        false => Err(Error::new(Code::LimitReached, format!("a socket shows at most {STREAMS} messages"))),
    }
}

/// Passes words on to who is in the conversation or watches it.
pub fn pass_on(socket: &Rc<Socket>, actor: Actor, words: MessageStream, id: Option<FrameId>) {
    let running = Running::new(socket, reads);
    let socket = socket.clone();
    actix_web::rt::spawn(Box::pin(async move {
        let (conversation, version) = (words.conversation_id, words.version);
        let read = move |connection: &mut AnyConnection| audience(connection, &actor, conversation, version);
        match socket.hub.app.db.read(read).await {
            Ok(recipients) => {
                let MessageStream { client_msg_id, n, text, .. } = words;
                let words = StreamedWords { conversation, member: actor.member, client_msg_id, n, text };
                let (tenant, words) = (actor.tenant, Arc::new(words));
                socket.hub.app.feed.ephemeral(Ephemeral::Stream { tenant, words, recipients });
            }
            Err(error) => {
                socket.stream_ends(conversation, &words.client_msg_id);
                socket.reply(wire::error(id.as_ref(), &error, Some(words.client_msg_id)));
            }
        }
        drop(running);
    }));
}

/// The others in the conversation, if the bot answers it by this version.
fn audience(
    connection: &mut AnyConnection,
    actor: &Actor,
    conversation: ConversationId,
    version: i64,
) -> Result<Arc<[MemberId]>> {
    let access = match access::load(connection, actor, conversation) {
        Err(error) if error.code == Code::NotFound => {
            return Err(was_in_control(connection, actor, conversation)?.unwrap_or(error));
        }
        loaded => loaded?,
    };
    let row = &access.conversation;
    if row.bot() != Some(actor.member) || row.version != version {
        return Err(not_in_control(row));
    }
    access.check(actor, Operation::SendMessage)?;
    let participants = store::participants_in(connection, actor.tenant, conversation)?;
    let inside = participants.into_iter().filter(|one| one.is_in() && one.member_id != actor.member);
    Ok(inside.map(|one| one.member_id).collect())
}

/// The refusal of a bot that answered this conversation once and does not see it any more.
fn was_in_control(
    connection: &mut AnyConnection,
    actor: &Actor,
    conversation: ConversationId,
) -> Result<Option<Error>> {
    let row = store::find(connection, actor.tenant, conversation)?;
    let there = store::participant(connection, actor.tenant, conversation, actor.member)?;
    Ok(row.filter(|_| there.is_some()).map(|row| not_in_control(&row)))
}

fn not_in_control(row: &ConversationRow) -> Error {
    let error = Error::new(Code::NotInControl, Code::NotInControl.meaning());
    error.with("version", row.version).with("status", row.status)
}
