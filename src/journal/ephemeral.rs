//! What is told at once and never stored: it reaches the sockets of this process, or nobody.

use std::sync::Arc;

use crate::kernel::{ConversationId, MemberId, TenantId};

/// What is told at once and never stored.
#[derive(Debug, Clone)]
pub enum Ephemeral {
    /// A delivered position moved.
    Delivered {
        /// Whose tenant.
        tenant: TenantId,
        /// The conversation.
        conversation: ConversationId,
        /// Who received.
        member: MemberId,
        /// How far.
        seq: i64,
        /// Who is in the conversation.
        recipients: Arc<[MemberId]>,
    },
    /// Somebody types, or stopped.
    Typing {
        /// Whose tenant.
        tenant: TenantId,
        /// The conversation.
        conversation: ConversationId,
        /// Who types.
        member: MemberId,
        /// Whether.
        on: bool,
        /// Who is to see it.
        recipients: Arc<[MemberId]>,
    },
    /// A bot shows what it is about to say.
    Stream {
        /// Whose tenant.
        tenant: TenantId,
        /// What it shows.
        words: Arc<StreamedWords>,
        /// Who is to see it.
        recipients: Arc<[MemberId]>,
    },
    /// Waiting conversations have other places in the queue.
    Places {
        /// Whose tenant.
        tenant: TenantId,
        /// The places that changed.
        places: Arc<[PlaceInQueue]>,
    },
    /// This tenant's bans meet others than before: sockets of customers may have to go.
    Bans(TenantId),
    /// A device connected: its older socket must go.
    Replaced {
        /// Whose tenant.
        tenant: TenantId,
        /// The member.
        member: MemberId,
        /// The device.
        device: Arc<str>,
        /// The socket that stays (`ready.session_id`).
        socket: u64,
    },
}

/// Where a waiting conversation stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlaceInQueue {
    /// Which.
    pub conversation: ConversationId,
    /// Whose it is.
    pub customer: Option<MemberId>,
    /// Its place among those of its group, or of no group; 1 is served next.
    pub position: i64,
    /// Since when it waits, unix milliseconds.
    pub since: i64,
    /// How long it will still wait, in seconds, where that can be said.
    pub estimated_wait_seconds: Option<i64>,
}

/// What a bot is about to say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamedWords {
    /// Where.
    pub conversation: ConversationId,
    /// The bot.
    pub member: MemberId,
    /// The key of the message that it will be.
    pub client_msg_id: String,
    /// Which state of the words this is; of two, the one with the higher number is newer.
    pub n: i64,
    /// All words so far.
    pub text: String,
}
