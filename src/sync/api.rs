//! What goes in and out of the routes of positions, inbox, sync and feed. The handlers stand in [`super::routes`].

use serde::{Deserialize, Serialize};

use crate::domain::centre::notification::Notification;
use crate::domain::entry::{Entry, EntryKind};

use super::model::InboxRow;

/// How far a log is read.
#[derive(Debug, Clone, Copy, Default, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReportRead {
    /// The last entry read; absent, or beyond the head, means the head.
    #[serde(default)]
    pub seq: Option<i64>,
    /// The version of the read position that this device knows. When somebody marked the conversation unread since,
    /// the report is ignored and the answer says where the position stands. Absent means the present version.
    #[serde(default)]
    pub read_ver: Option<i64>,
}

/// From where on a conversation is unread.
#[derive(Debug, Clone, Copy, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MarkUnread {
    /// The last entry that counts as read; 0 for none. Never before the member joined.
    pub seq: i64,
}

/// How far a log has reached a device.
#[derive(Debug, Clone, Copy, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReportDelivered {
    /// The last entry received.
    pub seq: i64,
}

/// Where a read position stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct ReadPosition {
    /// The last entry that counts as read.
    pub read_seq: i64,
    /// The version of the position.
    pub read_ver: i64,
}

impl From<(i64, i64)> for ReadPosition {
    fn from((read_seq, read_ver): (i64, i64)) -> Self {
        Self { read_seq, read_ver }
    }
}

/// Which part of the inbox is asked for.
#[derive(Debug, Clone, Default, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct InboxQuery {
    /// Most rows to return, 1 to 200; 50 when absent.
    #[param(minimum = 1, maximum = 200, default = 50)]
    pub limit: Option<u32>,
    /// `next_cursor` of the page before; absent for the first page.
    pub cursor: Option<String>,
}

/// One page of the inbox.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct InboxPage {
    /// The rows, the one with the newest entry first.
    pub data: Vec<InboxRow>,
    /// Give this as `cursor` to read on; null at the end.
    #[schema(required)]
    pub next_cursor: Option<String>,
    /// Give this to `GET /sync` once the last page is read: it brings the rows that moved while the pages were read.
    /// The same on every page.
    pub sync_cursor: String,
    /// Unread messages over all conversations that are not closed; each counts 100 at most.
    pub unread_total: i64,
}

/// From where on the inbox is followed.
#[derive(Debug, Clone, Default, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct SyncQuery {
    /// The cursor of the last answer, `sync_cursor` of `GET /inbox`, or the cursor of a socket's `live`. Absent on the
    /// first visit. Valid for this member only.
    pub cursor: Option<String>,
    /// Most rows to return, 1 to 200; 50 when absent. Rows of one change stay together, so there may be a few more.
    #[param(minimum = 1, maximum = 200, default = 50)]
    pub limit: Option<u32>,
}

/// What changed in the inbox.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct SyncPage {
    /// The changed rows, in order of `rev`; each replaces the client's copy. Without a cursor: the newest page of the
    /// inbox.
    pub rows: Vec<InboxRow>,
    /// Your notifications that were made or read in this time, in order of `rev`: the newest 100 (all of them are in
    /// `GET /notifications`). Without a cursor: none.
    pub notifications: Vec<Notification>,
    /// Store this and ask with it next time.
    pub cursor: String,
    /// There are more changed rows: ask again at once.
    pub more: bool,
    /// Only without a cursor: where `GET /inbox` goes on with older rows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub inbox_cursor: Option<String>,
    /// Unread messages over all conversations that are not closed; each counts 100 at most.
    pub unread_total: i64,
}

/// Which part of the tenant's feed is asked for.
#[derive(Debug, Clone, Default, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct FeedQuery {
    /// `next_cursor` of the last answer; absent to begin with the tenant's first entry.
    pub after: Option<String>,
    /// Most entries to return, 1 to 200; 50 when absent. Entries of one change stay together, so there may be more.
    #[param(minimum = 1, maximum = 200, default = 50)]
    pub limit: Option<u32>,
    /// Only entries of this kind.
    pub kind: Option<EntryKind>,
    /// `backstage`: the notes behind the conversations too. They are meant for staff only.
    pub include: Option<Include>,
}

crate::text_enum! {
    /// What the feed holds beside the conversations with visitors.
    Include {
        /// Notes and what else is for the staff only.
        Backstage = "backstage",
    }
}

/// One page of the tenant's feed.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct FeedPage {
    /// The entries in order of `rev`, each with its present content.
    pub data: Vec<Entry>,
    /// Ask with this next time. It moves on even when nothing matched.
    pub next_cursor: String,
    /// There is more to scan: ask again at once.
    pub more: bool,
}
