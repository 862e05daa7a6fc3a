//! Notifications: what members are told inside the product. The source's third channel, EC, is taken for it.
//!
//! Owns the row that the journal keeps, and what members see of it. Invariant: a message makes one notification, however
//! often it is handed over.

use diesel::prelude::*;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::db::schema::notification;
use crate::kernel::{MemberId, MessageSendId, Millis, NotificationId, TenantId};

/// Longest title, rendered, in characters.
pub const TITLE_MAX: usize = 200;
/// Longest body, rendered, in characters.
pub const BODY_MAX: usize = 2_000;
/// Longest link, rendered, in characters.
pub const LINK_MAX: usize = 1_000;
/// Largest data, rendered, in bytes of JSON.
pub const DATA_MAX: usize = 4_096;
/// Most notifications that are named, or told again to a client that was away, at once.
pub const AT_ONCE: usize = 100;

/// A row of `notification`.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable)]
#[diesel(table_name = notification)]
pub struct NotificationRow {
    /// The notification.
    pub id: NotificationId,
    /// Whose.
    pub tenant_id: TenantId,
    /// Who is told.
    pub member_id: MemberId,
    /// The message that it came with.
    pub send_id: MessageSendId,
    /// The title.
    pub title: String,
    /// The text; may be empty.
    pub body: String,
    /// Where it leads.
    pub link: Option<String>,
    /// JSON for the client.
    pub data: Option<String>,
    /// When it was made, unix milliseconds.
    pub created_at: i64,
    /// When it was read, unix milliseconds.
    pub read_at: Option<i64>,
    /// The rev of the last change.
    pub rev: i64,
}

/// Which notifications are read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WhichNotifications {
    /// These, at most [`AT_ONCE`].
    These(Vec<NotificationId>),
    /// The unread ones up to this one.
    Until(NotificationId),
}

/// Something that the member is told, beside its conversations.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Notification {
    /// The notification.
    pub id: NotificationId,
    /// One line.
    pub title: String,
    /// The text; may be empty.
    pub body: String,
    /// Where it leads: an address of the web, or a path of the client's own that begins with `/`; null: nowhere.
    #[schema(required)]
    pub link: Option<String>,
    /// Whatever the template gives the client beside it; null: nothing.
    #[schema(required)]
    pub data: Option<Value>,
    /// When it was made.
    pub created_at: Millis,
    /// When it was read; null: it is unread.
    #[schema(required)]
    pub read_at: Option<Millis>,
    /// The rev of the last change: of one notification the highest wins.
    pub rev: i64,
}

impl From<&NotificationRow> for Notification {
    fn from(row: &NotificationRow) -> Self {
        Self {
            id: row.id,
            title: row.title.clone(),
            body: row.body.clone(),
            link: row.link.clone(),
            data: row.data.as_deref().and_then(|data| serde_json::from_str(data).ok()),
            created_at: Millis(row.created_at),
            read_at: row.read_at.map(Millis),
            rev: row.rev,
        }
    }
}

/// Why a link may not be shown: only the web and the client's own pages are led to, so that no link runs anything.
pub fn link_fault(link: &str) -> Option<&'static str> {
    let is_own = link.starts_with('/') && !link.starts_with("//") && !link.contains('\\');
    let is_web = url::Url::parse(link).is_ok_and(|url| matches!(url.scheme(), "http" | "https"));
    let is_line = !link.chars().any(|one| one.is_control() || one.is_whitespace());
    (!is_line || (!is_own && !is_web))
        .then_some("neither an http or https URL nor a path that begins with one /")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_lead_to_the_web_or_to_own_pages_only() {
        for good in ["/", "/orders/1?tab=2#top", "https://shop.example/orders/1", "http://shop.example"] {
            assert_eq!(link_fault(good), None, "{good}");
        }
        for bad in [
            "",
            "orders/1",
            "//evil.example/",
            "/\\evil.example",
            "javascript:alert(1)",
            "JavaScript:alert(1)",
            "data:text/html,x",
            "https://",
            "https://a b",
            "\thttps://a.example",
            "/a\nb",
            "file:///etc/passwd",
        ] {
            assert!(link_fault(bad).is_some(), "{bad:?}");
        }
    }
}
