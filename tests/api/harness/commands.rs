//! Commands for the journal's door, short enough to read a test by.

use deskwire::domain::actor::Actor;
use deskwire::domain::content::Body;
use deskwire::domain::conversation::CloseReason;
use deskwire::journal::{Action, Command, Draft, LogRef, Reply, commands};
use deskwire::kernel::{ConversationId, Result};

use super::TestApp;

/// A text message under this key.
pub fn draft(key: &str, text: &str) -> Draft {
    Draft {
        client_msg_id: key.to_owned(),
        body: Body::text(text).unwrap(),
        reply_to_seq: None,
        version: None,
    }
}

/// Opens the actor's own conversation, with a message.
pub fn open(actor: Actor, key: &str, text: &str) -> Command {
    let message = Some(draft(key, text));
    Command::new(actor, Action::Open(commands::Open { message, ..commands::Open::of(actor.member) }))
}

/// Sends a text.
pub fn send(actor: Actor, room: ConversationId, key: &str, text: &str) -> Command {
    Command::new(
        actor,
        Action::Send(commands::Send { log: LogRef::Log(room), draft: draft(key, text), read_seq: None }),
    )
}

/// Writes a note behind a conversation.
pub fn note(actor: Actor, room: ConversationId, key: &str, text: &str) -> Command {
    let action = Action::Send(commands::Send {
        log: LogRef::BackstageOf(room),
        draft: draft(key, text),
        read_seq: None,
    });
    Command::new(actor, action)
}

/// Takes a conversation.
pub fn claim(actor: Actor, conversation: ConversationId) -> Command {
    Command::new(actor, Action::Claim(commands::Claim { conversation }))
}

/// Ends a conversation.
pub fn close(actor: Actor, conversation: ConversationId) -> Command {
    Command::new(
        actor,
        Action::Close(commands::Close { conversation, reason: CloseReason::Resolved, note: String::new() }),
    )
}

/// Reads up to an entry.
pub fn read(actor: Actor, conversation: ConversationId, seq: i64) -> Command {
    Command::new(actor, Action::Read(commands::Read { conversation, seq, read_ver: None }))
}

impl TestApp {
    /// Submits a command that must succeed.
    pub async fn submit(&self, command: Command) -> Reply {
        let told = format!("{command:?}");
        self.journal.submit(command).await.unwrap_or_else(|error| panic!("{told}: {error}"))
    }

    /// Submits commands at once, so that they meet in batches; gives their answers in the same order.
    pub async fn submit_all(&self, commands: Vec<Command>) -> Vec<Result<Reply>> {
        futures_util::future::join_all(commands.into_iter().map(|command| self.journal.submit(command))).await
    }

    /// Opens a conversation of this visitor; gives its id.
    pub async fn open_room(&self, visitor: Actor) -> ConversationId {
        self.submit(open(visitor, "opening", "hello")).await.conversation.unwrap()
    }
}
