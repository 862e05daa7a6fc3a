//! What can be asked of the journal, and what it answers. No I/O.

use std::sync::Arc;

use crate::domain::actor::Actor;
use crate::domain::content::Body;
use crate::domain::conversation::{CloseReason, Priority};
use crate::domain::entry::EntryRow;
use crate::domain::member::{MemberStatus, Role};
use crate::kernel::{ConversationId, MemberId, SessionId};

/// One thing that a member wants done to a tenant's log.
#[derive(Debug, Clone)]
pub struct Command {
    /// On whose behalf. The journal checks the member's present role and state, not the token's.
    pub actor: Actor,
    /// What.
    pub action: Action,
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
}

/// Which log a message goes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Room {
    /// The room with this id, be it front or backstage.
    Log(ConversationId),
    /// The backstage room behind this conversation; made when it is not there yet.
    BackstageOf(ConversationId),
}

/// What.
#[derive(Debug, Clone)]
pub enum Action {
    /// Open a support conversation, or find the open one. With a message, that is sent in either case.
    Open {
        /// The visitor; a visitor can name only itself.
        customer: MemberId,
        /// At most 200 characters; may be empty.
        subject: String,
        /// The first message.
        message: Option<Draft>,
    },
    /// Send a message.
    Send {
        /// Where.
        room: Room,
        /// What.
        draft: Draft,
        /// How far the sending device has displayed the log.
        read_seq: Option<i64>,
    },
    /// Replace the words of an own message.
    Edit {
        /// The room.
        conversation: ConversationId,
        /// The message.
        seq: i64,
        /// The new words.
        body: Body,
    },
    /// Take back a message's words.
    Recall {
        /// The room.
        conversation: ConversationId,
        /// The message.
        seq: i64,
    },
    /// Take a waiting conversation.
    Claim {
        /// Which.
        conversation: ConversationId,
    },
    /// Give a conversation to an agent.
    Assign {
        /// Which.
        conversation: ConversationId,
        /// To whom.
        agent: MemberId,
        /// Why, for the staff; may be empty.
        note: String,
    },
    /// Let a conversation wait again.
    Release {
        /// Which.
        conversation: ConversationId,
        /// Why, for the staff; may be empty.
        note: String,
    },
    /// End a conversation.
    Close {
        /// Which.
        conversation: ConversationId,
        /// Why; the visitor sees it.
        reason: CloseReason,
        /// Why, for the staff; may be empty.
        note: String,
    },
    /// Let a closed conversation wait again.
    Reopen {
        /// Which.
        conversation: ConversationId,
    },
    /// Add a staff member to a conversation (the actor itself: join).
    AddMember {
        /// Where.
        conversation: ConversationId,
        /// Whom.
        member: MemberId,
    },
    /// Remove a staff member from a conversation (the actor itself: leave).
    RemoveMember {
        /// Where.
        conversation: ConversationId,
        /// Whom.
        member: MemberId,
    },
    /// Change what the staff keep about a conversation.
    Update {
        /// Which.
        conversation: ConversationId,
        /// A new subject (the visitor sees it).
        subject: Option<String>,
        /// A new priority.
        priority: Option<Priority>,
        /// New tags, all of them.
        tags: Option<Vec<String>>,
    },
    /// Say how far the log is read. Moves forward only; beyond the head means the head.
    Read {
        /// The room; a backstage room's position is kept apart.
        conversation: ConversationId,
        /// The last entry read.
        seq: i64,
        /// The version of the position that the device knows; absent means the present one.
        read_ver: Option<i64>,
    },
    /// Move the read position back (or forward) and start a new version.
    MarkUnread {
        /// The room; not a backstage room.
        conversation: ConversationId,
        /// The last entry that counts as read.
        seq: i64,
    },
    /// Say how far the log has reached a device. Takes no rev and has no reply that matters.
    Delivered {
        /// The room.
        conversation: ConversationId,
        /// The last entry received.
        seq: i64,
    },
    /// Change who may come in; takes a rev so that every process ends live sockets.
    Access(AccessChange),
}

/// A change of who may come in.
#[derive(Debug, Clone)]
pub enum AccessChange {
    /// Revoke one session of a member, or all of them, or all but one.
    RevokeSessions {
        /// Whose.
        member: MemberId,
        /// Only this one.
        only: Option<SessionId>,
        /// All but this one.
        except: Option<SessionId>,
        /// Kept in `auth_session.revoke_reason`: `signed_out`, `revoked`, `theft`, `password_changed`.
        reason: &'static str,
    },
    /// Change a member's role or state, or delete it. Ends its live sockets; a member that is disabled or deleted
    /// also loses its sessions.
    Member {
        /// Whom.
        member: MemberId,
        /// The new role.
        role: Option<Role>,
        /// The new state.
        status: Option<MemberStatus>,
        /// Soft delete: the login name and external id become free.
        delete: bool,
    },
    /// A visitor was recognised as an existing member: its conversations move there (at most 100 a command; more
    /// stay and the command is repeated), its sessions end.
    Merge {
        /// The anonymous visitor.
        from: MemberId,
        /// The recognised customer.
        into: MemberId,
    },
    /// Suspend or reopen the whole tenant.
    Tenant {
        /// Whether it may be used.
        suspended: bool,
    },
}

/// What the journal did.
#[derive(Debug, Clone, Default)]
pub struct Reply {
    /// The room that the command was about.
    pub conversation: Option<ConversationId>,
    /// The entry that was written or, for a retry, found.
    pub entry: Option<Arc<EntryRow>>,
    /// The rev under which it was done; 0 when nothing had to be done.
    pub rev: i64,
    /// The answer of an earlier command with the same key is given again.
    pub duplicate: bool,
    /// Open: a conversation was made (and not found).
    pub created: bool,
    /// Merge: conversations are left; repeat the command.
    pub more: bool,
    /// Read and mark_unread: the position that holds now, and its version.
    pub read: Option<(i64, i64)>,
}
