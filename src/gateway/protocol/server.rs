//! The `data` of what the server sends. Fields and enums may grow: clients ignore what they do not know.

use serde::Serialize;
use utoipa::openapi::{Ref, RefOr, Schema, schema::AnyOfBuilder};
use utoipa::{PartialSchema, ToSchema};

use super::limits::Limit;
use crate::conversations::view::{StaffView, View};
use crate::domain::centre::notification::Notification;
use crate::domain::entry::Entry;
use crate::domain::group::GroupMemberType;
use crate::domain::member::Role;
use crate::domain::offer::OfferState;
use crate::domain::presence::PresenceStatus;
use crate::domain::transfer::TransferReason;
use crate::kernel::{ConversationId, FieldError, GroupId, MemberId, Millis, OfferId};
use crate::sync::model::InboxRow;
use crate::text_enum;

/// The socket is signed in. Without a cursor in `hello`, `rows` is the newest page of the inbox.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Ready {
    /// This socket, for support requests.
    pub session_id: String,
    /// The store's history; store it with the cursor.
    pub epoch: String,
    /// The tenant's head when the rows were read. Store the one of `live`, not this one.
    pub cursor: String,
    /// The member on this socket.
    pub member: Myself,
    /// Inbox rows: those that changed since the cursor, or the newest page. A conversation that the client meets here
    /// for the first time starts at the row's `seq`, not at 1.
    pub rows: Vec<InboxRow>,
    /// Unread messages in all conversations together.
    pub unread_total: i64,
    /// There are more rows: with a cursor a `lag` frame follows and `sync` from it brings them; without one
    /// `GET /inbox` does.
    pub more: bool,
    /// Every limit by name and unit.
    pub limits: Vec<Limit>,
    /// How often the server pings, plus or minus a fifth.
    pub ping_interval_ms: u64,
    /// The server's clock.
    pub now: Millis,
    /// Send `auth` with a fresh token before this. Of an API key: when it ends, or null.
    #[schema(required)]
    pub token_expires_at: Option<Millis>,
}

/// The member on this socket.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
pub struct Myself {
    /// The member.
    pub id: MemberId,
    /// Its role.
    pub role: Role,
}

/// Entries of one log, in order of seq.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Entries {
    /// Which log.
    pub conversation_id: ConversationId,
    /// The same objects as in `entry`.
    pub entries: Vec<Entry>,
    /// The log's head when they were read; when it is higher than the last entry's seq, pull the rest.
    pub head_seq: i64,
}

/// What was missed has been sent.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Live {
    /// Store this, unless a `lag` came.
    pub cursor: String,
}

/// Positions of a conversation. Fields that are absent did not move.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
pub struct Receipt {
    /// The conversation.
    pub conversation_id: ConversationId,
    /// How far the visitor has read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub customer_read_seq: Option<i64>,
    /// How far any of the staff has read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub staff_read_seq: Option<i64>,
    /// How far the log has reached the visitor.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub customer_delivered_seq: Option<i64>,
    /// How far the log has reached any of the staff.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub staff_delivered_seq: Option<i64>,
    /// One member's delivered position.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delivered: Option<MemberPosition>,
}

/// How far one member is.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
pub struct MemberPosition {
    /// The member.
    pub member_id: MemberId,
    /// The last entry.
    pub seq: i64,
}

/// A member types, or stopped.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
pub struct TypingNotice {
    /// The conversation.
    pub conversation_id: ConversationId,
    /// The member.
    pub member_id: MemberId,
    /// True while it types.
    pub on: bool,
    /// Forget it after so many milliseconds without another notice.
    pub ttl_ms: u64,
}

/// What a bot is about to say, until an entry of this member with this `client_msg_id` comes, or it answers no more.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct MessageStreamNotice {
    /// The conversation.
    pub conversation_id: ConversationId,
    /// The bot.
    pub member_id: MemberId,
    /// The key of the message that it will be.
    pub client_msg_id: String,
    /// Which state of the words this is: of two, the one with the higher number is newer.
    pub n: i64,
    /// All words so far.
    pub text: String,
    /// Forget it after so many milliseconds without another notice.
    pub ttl_ms: u64,
}

/// What a member of the staff is, and how many conversations it serves.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct PresenceNotice {
    /// Who.
    pub member_id: MemberId,
    /// What it says that it is.
    pub status: PresenceStatus,
    /// What it is for others: `status` while it is connected, else `offline`.
    pub effective_status: PresenceStatus,
    /// Whether it has a live socket, or had one less than `presence_grace_seconds` ago.
    pub connected: bool,
    /// Why; may be empty.
    pub reason: String,
    /// Since when it says so; null when it never said anything.
    #[schema(required)]
    pub since: Option<Millis>,
    /// When its last socket was known to live; while it is connected, when it came. Null when it never was connected.
    #[schema(required)]
    pub last_seen: Option<Millis>,
    /// How many conversations it serves.
    pub current_accept: i64,
    /// The rev of the change.
    pub rev: i64,
}

/// One came into a group, left it, or is something else in it.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
pub struct GroupNotice {
    /// The group.
    pub group_id: GroupId,
    /// As what one is in it now; null when one is not.
    #[schema(required)]
    pub member_type: Option<GroupMemberType>,
    /// The rev of the change.
    pub rev: i64,
}

/// A waiting conversation has another place in the queue.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct QueuePlaceNotice {
    /// The conversation.
    pub conversation_id: ConversationId,
    /// Its place among those of its group, or of no group: 1 is served next.
    pub position: i64,
    /// Since when it waits.
    pub waiting_since: Millis,
    /// How long it will still wait, in seconds; null when that cannot be said.
    #[schema(required)]
    pub estimated_wait_seconds: Option<i64>,
}

/// A conversation is offered to the member, by routing or by the colleague who serves it, or such an offer ended.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct OfferNotice {
    /// The offer.
    pub id: OfferId,
    /// What is offered.
    pub conversation_id: ConversationId,
    /// What became of it: while it is `offered`, accept or decline it over REST.
    pub state: OfferState,
    /// Since when.
    pub offered_at: Millis,
    /// Until when it can be accepted.
    pub expires_at: Millis,
    /// Who serves it and would hand it over; absent: it waits, and routing offers it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = MemberId, required = false)]
    pub from_agent_id: Option<MemberId>,
    /// Of a transfer: why, in one word.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = TransferReason, required = false)]
    pub reason: Option<TransferReason>,
    /// Of a transfer: why; may be empty.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String, required = false)]
    pub note: Option<String>,
    /// The rev of the change.
    pub rev: i64,
}

/// A conversation began or ceased to wait for staff, or came into or went out of sight while it waits.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct QueueNotice {
    /// The conversation.
    pub conversation_id: ConversationId,
    /// Whether it waits now.
    pub waiting: bool,
    /// The staff's view of it, while it waits.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<View>)]
    pub conversation: Option<StaffView>,
}

/// Durable frames were dropped.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Lag {
    /// `sync` from here until `more` is false; no cursor may be stored before.
    pub cursor: String,
    /// The conversations that frames were dropped of, when they are few.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub conversations: Vec<ConversationId>,
    /// Frames of any conversation may have been dropped.
    pub all: bool,
}

text_enum! {
    /// Why a local copy is to be dropped.
    ResetReason {
        /// One was removed from the conversation.
        Removed = "removed",
        /// A watched conversation may no longer be seen.
        Unwatched = "unwatched",
        /// The cursor belongs to another member or another history, or lies beyond the head.
        CursorReset = "cursor_reset",
    }
}

/// Drop the local copy.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
pub struct Reset {
    /// Of this conversation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub conversation_id: Option<ConversationId>,
    /// Of everything, the cursor included.
    pub all: bool,
    /// Why.
    pub reason: ResetReason,
}

/// The `data` of `ok`: one of the replies in the table of frames, by the type of the frame that it answers. Has a
/// schema only; each handler answers with its own reply.
#[derive(Debug, Clone, Copy)]
pub struct OkReply;

impl PartialSchema for OkReply {
    fn schema() -> RefOr<Schema> {
        let replies = super::table::ok_schemas().into_iter();
        let all = replies.fold(AnyOfBuilder::new(), |all, name| all.item(Ref::from_schema_name(name)));
        all.description(Some("By the type of the frame that it answers.")).into()
    }
}

impl ToSchema for OkReply {}

/// The token was renewed.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
pub struct AuthReply {
    /// Send the next one before this.
    pub token_expires_at: Millis,
}

/// The command is committed. The own `entry` frame may come before or after it: match by client_msg_id.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct MessageReply {
    /// The conversation.
    pub conversation_id: ConversationId,
    /// The message; null when there is none to name.
    #[schema(required)]
    pub seq: Option<i64>,
    /// The rev under which the command was committed; 0 when nothing had to be done.
    pub rev: i64,
    /// When the message was committed.
    #[schema(required)]
    pub created_at: Option<Millis>,
    /// This is the answer of an earlier frame with the same client_msg_id.
    pub duplicate: bool,
    /// The key that was sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_msg_id: Option<String>,
}

/// The read position that holds now.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
pub struct ReadReply {
    /// The conversation.
    pub conversation_id: ConversationId,
    /// The last entry read.
    pub read_seq: i64,
    /// The version of the position; rises with every `mark_unread`.
    pub read_ver: i64,
}

/// A part of a log.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct PullReply {
    /// Which log.
    pub conversation_id: ConversationId,
    /// In order of seq. Fewer than asked for when they are large.
    pub entries: Vec<Entry>,
    /// The log's head when they were read.
    pub head_seq: i64,
}

/// What changed in the inbox.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct SyncReply {
    /// In order of rev.
    pub rows: Vec<InboxRow>,
    /// Notifications of this time, made or read, in order of rev: the newest 100.
    pub notifications: Vec<Notification>,
    /// Store this.
    pub cursor: String,
    /// `sync` again from `cursor`.
    pub more: bool,
}

/// What is watched now.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct WatchReply {
    /// The conversations of the request with the heads of their logs: entries above arrive by themselves.
    pub conversations: Vec<Watched>,
    /// Whether waiting conversations are watched.
    pub waiting: bool,
}

/// A watched conversation.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
pub struct Watched {
    /// The conversation.
    pub conversation_id: ConversationId,
    /// The head of its log.
    pub head_seq: i64,
}

/// A frame was not done.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ErrorReply {
    /// For programs: one of the table of codes.
    #[schema(schema_with = crate::kernel::error::codes_schema)]
    pub code: &'static str,
    /// For people.
    pub detail: String,
    /// Whether the very same frame may succeed later.
    pub retryable: bool,
    /// When to repeat.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_after_ms: Option<u64>,
    /// The key of the message that was not sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_msg_id: Option<String>,
    /// Which fields are wrong; pointers start at `data`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldError>,
    /// The present state that the client needs to go on.
    #[serde(skip_serializing_if = "serde_json::Map::is_empty")]
    #[schema(value_type = Object)]
    pub context: serde_json::Map<String, serde_json::Value>,
}

/// The socket is closed now.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
pub struct Bye {
    /// The close code that follows.
    pub code: u16,
    /// Why.
    pub reason: &'static str,
    /// Whether to connect again.
    pub reconnect: bool,
    /// Not before so many milliseconds.
    pub after_ms: u64,
    /// Plus a random part of so many milliseconds.
    pub spread_ms: u64,
}
