//! The inbox row: what one member needs to know of one conversation. No I/O.

use serde::Serialize;

use crate::conversations::view::View;
use crate::domain::entry::Entry;
use crate::kernel::ConversationId;

/// How far both sides have come. A read position says "everything up to here".
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Peers {
    /// The last entry that the customer has read.
    pub customer_read_seq: i64,
    /// The furthest that anybody of the staff has read.
    pub staff_read_seq: i64,
    /// The last entry that reached a device of the customer.
    pub customer_delivered_seq: i64,
    /// The furthest entry that reached a device of the staff.
    pub staff_delivered_seq: i64,
}

/// The notes behind a conversation, as its inbox row nests them. Staff only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Notes {
    /// The backstage log; its id works on all message routes.
    pub conversation_id: ConversationId,
    /// The head of its log.
    pub seq: i64,
    /// Notes by others that the member has not read; 100 means 100 or more.
    pub unread: i64,
}

/// One member's row of one conversation. A later row (by `rev`) replaces an earlier one.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct InboxRow {
    /// The conversation.
    pub conversation_id: ConversationId,
    /// The conversation as the member sees it; null once the member is no longer in it: drop the local copy.
    #[schema(required)]
    pub conversation: Option<View>,
    /// The head of the log; of a conversation that the member has left, the last entry that it may have.
    pub seq: i64,
    /// Messages in the log.
    pub msg_count: i64,
    /// The entry at `seq`; null once the member is no longer in the conversation.
    #[schema(required)]
    pub last_entry: Option<Entry>,
    /// How far the member has read.
    pub read_seq: i64,
    /// The version of the read position: rises with every mark_unread and every joining.
    pub read_ver: i64,
    /// Messages by others after `read_seq` that were not recalled; 100 means 100 or more. 0 after leaving.
    pub unread: i64,
    /// How far both sides have come.
    pub peers: Peers,
    /// The notes behind the conversation; absent for customers and while there are none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub notes: Option<Notes>,
    /// In the conversation, and the conversation is not closed.
    pub active: bool,
    /// The tenant's rev of the last change that this row shows.
    pub rev: i64,
}
