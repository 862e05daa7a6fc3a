//! The `data` of what a client sends. Unknown fields are refused.

use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::openapi::schema::{ArrayItems, KnownFormat, SchemaFormat, Type};
use utoipa::openapi::{ArrayBuilder, ObjectBuilder, RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

use crate::domain::content::MessageKind;
use crate::domain::entry::EntryKind;
use crate::kernel::json::given;
use crate::kernel::{ConversationId, Millis};
use crate::messages::api::MessageContent;
pub use crate::presence::api::SetPresence;

/// A conversation and the last entry of it that the client has without a hole before it.
pub type Position = (ConversationId, i64);

/// The schema of [`Position`]: a pair in a list.
#[derive(Debug, Clone, Copy)]
pub struct LogPosition;

impl PartialSchema for LogPosition {
    fn schema() -> RefOr<Schema> {
        let seq = ObjectBuilder::new()
            .schema_type(Type::Integer)
            .format(Some(SchemaFormat::KnownFormat(KnownFormat::Int64)))
            .minimum(Some(0))
            .description(Some("The last entry that the client has without a hole before it."));
        ArrayBuilder::new()
            .items(ArrayItems::False)
            .prefix_items([ConversationId::schema(), seq.into()].into_iter().filter_map(|one| match one {
                RefOr::T(schema) => Some(schema),
                RefOr::Ref(_) => None,
            }))
            .min_items(Some(2))
            .max_items(Some(2))
            .description(Some("A conversation and the last entry of it: `[id, seq]`."))
            .examples([json!(["3765201203527680000", 41])])
            .into()
    }
}

impl ToSchema for LogPosition {}

/// Sign in on this socket.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Hello {
    /// The access token, from `POST /api/v1/auth/login`, `/auth/refresh` or `/visitors`; or an API key.
    pub token: String,
    /// The device's own name, kept for good: 1 to 64 of `A-Z a-z 0-9 . _ : -`. A second socket of the same member
    /// and device replaces the first.
    pub device: String,
    /// The last cursor that the client stored; absent on the first visit.
    #[serde(default)]
    pub cursor: Option<String>,
    /// `ready.epoch` of the last visit. When the store was restored since, the client is told to `reset`.
    #[serde(default)]
    pub epoch: Option<String>,
    /// At most 100 conversations with the last seq that the client has: what follows is sent before `live`.
    #[serde(default)]
    #[schema(value_type = Vec<LogPosition>)]
    pub conversations: Vec<Position>,
}

/// A fresh access token of the same member.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Auth {
    /// A fresh access token, from `POST /api/v1/auth/refresh`.
    pub token: String,
}

/// A message.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MessageSend {
    /// The conversation; the id of its backstage log sends a note.
    pub conversation_id: ConversationId,
    /// The client's own key of the message: 1 to 64 of `A-Z a-z 0-9 . _ : -`. Once per conversation and sender.
    pub client_msg_id: String,
    /// What kind of message it is.
    #[schema(value_type = MessageKind)]
    pub kind: EntryKind,
    /// By kind.
    #[schema(value_type = MessageContent)]
    pub content: serde_json::Value,
    /// The seq of the entry that it answers.
    #[serde(default)]
    pub reply_to_seq: Option<i64>,
    /// The last seq that this device has displayed.
    #[serde(default)]
    pub read_seq: Option<i64>,
    /// Bots must give it with messages to a customer, others need not: the `version` of the conversation on which the
    /// answer is based.
    #[serde(default)]
    pub version: Option<i64>,
}

/// What a bot is about to say.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MessageStream {
    /// The conversation.
    pub conversation_id: ConversationId,
    /// The key of the message that it will be: 1 to 64 of `A-Z a-z 0-9 . _ : -`.
    pub client_msg_id: String,
    /// Which state of the words this is, from 1; it rises.
    pub n: i64,
    /// All words so far, at most 16,384 bytes.
    pub text: String,
    /// The `version` of the conversation on which the answer is based.
    pub version: i64,
}

/// New content for an own message.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MessageEdit {
    /// The conversation.
    pub conversation_id: ConversationId,
    /// The message.
    pub seq: i64,
    /// What kind of message it is.
    #[schema(value_type = MessageKind)]
    pub kind: EntryKind,
    /// By kind.
    #[schema(value_type = MessageContent)]
    pub content: serde_json::Value,
    /// `edited_at` of the message that these words are to replace; null: it was never edited. When the message was
    /// edited since, the answer is `stale_edit`. Absent: the last edit wins.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<Millis>)]
    pub base_edited_at: Option<Option<Millis>>,
}

/// Recall a message.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MessageRecall {
    /// The conversation.
    pub conversation_id: ConversationId,
    /// The message.
    pub seq: i64,
}

/// How far a log is read.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Read {
    /// The conversation.
    pub conversation_id: ConversationId,
    /// The last entry read; beyond the head means the head.
    pub seq: i64,
    /// The version of the read position that the client knows; an older version than the present one is ignored.
    #[serde(default)]
    pub read_ver: Option<i64>,
}

/// Count a conversation as unread from a position on.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MarkUnread {
    /// The conversation.
    pub conversation_id: ConversationId,
    /// The last entry that counts as read.
    pub seq: i64,
}

/// Read a log.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Pull {
    /// The conversation.
    pub conversation_id: ConversationId,
    /// Entries after this seq; 0 means from the first.
    pub after_seq: i64,
    /// 1 to 200; the default is 100.
    #[serde(default)]
    pub limit: Option<i64>,
}

/// Read what changed in the inbox.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Sync {
    /// The cursor of `lag`, or the one that the client stored, or that of the last `sync` reply.
    pub cursor: String,
    /// 1 to 200; the default is 200.
    #[serde(default)]
    pub limit: Option<i64>,
}

/// What to watch, or to stop watching.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Watch {
    /// At most 200 in all. A conversation brings its notes with it when one may read them.
    #[serde(default)]
    pub conversations: Vec<ConversationId>,
    /// Staff: the conversations that wait, as far as one sees them.
    #[serde(default)]
    pub waiting: bool,
}

/// The member types, or stopped.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Typing {
    /// The conversation; only participants may type.
    pub conversation_id: ConversationId,
    /// True while the member types; ends by itself after six seconds.
    pub on: bool,
}

/// A heartbeat, answered by `pong`.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Ping {
    /// Echoed in the `pong`; at most 64 bytes.
    #[serde(default)]
    pub nonce: String,
    /// From the client: how far entries have reached this device; stored at most every five seconds.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(value_type = Vec<LogPosition>)]
    pub delivered: Vec<Position>,
}
