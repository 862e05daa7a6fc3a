//! What can be asked of the journal, and what it answers. Each kind of command stands in a file of its own under
//! `commands`. No I/O.

use std::sync::Arc;

use super::commands::Action;
use crate::domain::actor::Principal;
use crate::domain::content::Body;
use crate::domain::conversation::{ConversationStatus, IfVersion};
use crate::domain::entry::EntryRow;
use crate::kernel::{ConversationId, GroupId, NotificationId, TenantId, trace};

/// One thing that somebody wants done to a tenant's log.
#[derive(Debug, Clone)]
pub struct Command {
    /// On whose behalf.
    pub actor: Principal,
    /// What.
    pub action: Action,
    /// The versions of the conversation that it may be based on; absent means any. Heeded by claim, assign, transfer,
    /// take over, dock, hand off, release, close, reopen, update, the answer to an offer and its withdrawal.
    pub if_version: Option<IfVersion>,
    /// The request that it comes from, for the audit log.
    pub request_id: Option<Arc<str>>,
}

impl Command {
    /// A command of one of the kinds under `commands`.
    pub fn new(actor: impl Into<Principal>, action: impl Into<Action>) -> Self {
        let (actor, action) = (actor.into(), action.into());
        Self { actor, action, if_version: None, request_id: trace::request_id() }
    }

    /// The same command, done only at one of these versions.
    #[must_use]
    pub fn based_on(self, if_version: Option<IfVersion>) -> Self {
        Self { if_version, ..self }
    }

    /// The tenant whose log it is about.
    pub const fn tenant(&self) -> TenantId {
        self.actor.tenant()
    }

    /// What it counts for in the queue's bound, in bytes.
    pub fn bytes(&self) -> usize {
        256 + self.action.bytes()
    }
}

/// A message that is to be sent.
#[derive(Debug, Clone)]
pub struct Draft {
    /// The sender's key: one entry per (conversation, sender, key), for ever.
    pub client_msg_id: String,
    /// What is said, checked.
    pub body: Body,
    /// The entry that it answers; must exist in the same log.
    pub reply_to_seq: Option<i64>,
    /// Of a bot: the version of the conversation on which its answer is based.
    pub version: Option<i64>,
}

/// Which log a message goes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogRef {
    /// The log with this id, be it a conversation's or a backstage log.
    Log(ConversationId),
    /// The backstage log behind this conversation; made when it is not there yet.
    BackstageOf(ConversationId),
}

impl LogRef {
    /// The id by which it was named.
    pub const fn id(self) -> ConversationId {
        match self {
            Self::Log(id) | Self::BackstageOf(id) => id,
        }
    }
}

/// What the journal did.
#[derive(Debug, Clone, Default)]
pub struct Reply {
    /// The conversation that the command was about.
    pub conversation: Option<ConversationId>,
    /// The group that the command was about.
    pub group: Option<GroupId>,
    /// The notification that was made or, for a retry, found.
    pub notification: Option<NotificationId>,
    /// The entry that was written or, for a retry, found.
    pub entry: Option<Arc<EntryRow>>,
    /// The rev under which it was done; 0 when nothing had to be done.
    pub rev: i64,
    /// The answer of an earlier command with the same key is given again.
    pub duplicate: bool,
    /// Open: a conversation was made (and not found).
    pub created: bool,
    /// Merge, change of a member, end of a group: conversations are left; repeat the command.
    pub more: bool,
    /// Import: where the conversation stands now; rooms stand nowhere.
    pub status: Option<ConversationStatus>,
    /// Read and mark_unread: the position that holds now, and its version.
    pub read: Option<(i64, i64)>,
}

impl Reply {
    /// An answer about this conversation.
    pub fn about(conversation: ConversationId) -> Self {
        Self { conversation: Some(conversation), ..Self::default() }
    }
}
