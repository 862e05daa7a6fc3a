//! Bindings: QR codes of WeChat, each of which ties one person to its openid at one official account, once.
//!
//! Owns the row, what a code can be, and what WeChat says of who follows an account. Does not own what is written then
//! (`centre::bindings`), nor WeChat's words (`centre::channels`). No I/O.

use diesel::prelude::*;

use crate::db::schema::message_binding;
use crate::kernel::{ChannelAccountId, MemberId, MessageBindingId, PersonId, TenantId};
use crate::text_enum;

/// Shortest life of a code, in seconds.
pub const LIFE_MIN: i64 = 60;
/// Longest life of a code, in seconds: a day. WeChat's end after 30 days (2 592 000).
pub const LIFE_MAX: i64 = 86_400;
/// How long a code lives when nobody says, in seconds.
pub const LIFE: i64 = 600;
/// Most codes of a person at an account within an hour.
pub const CODES_OF_PERSON: i64 = 10;
/// Most codes of an account within an hour; WeChat makes 100 000 a day.
pub const CODES_OF_ACCOUNT: i64 = 4_000;
/// Most of them when a customer asks: some are left for the staff, whatever visitors do.
pub const CODES_FOR_CUSTOMERS: i64 = 3_000;
/// Longest address in a code, in bytes; WeChat's have some 50.
pub const CODE_URL_MAX: usize = 512;

text_enum! {
    /// What a code is.
    BindingStatus {
        /// It waits to be scanned.
        Pending = "pending",
        /// It was scanned: messages reach the person.
        Bound = "bound",
        /// Nobody scanned it in time.
        Expired = "expired",
        /// It was called back, another one took its place, or WeChat did not make it.
        Cancelled = "cancelled",
        /// It was scanned, and what it bound is over: the person unfollowed the account, or its identity was deleted.
        Unbound = "unbound",
    }
}

/// A row of `message_binding`.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Insertable)]
#[diesel(table_name = message_binding, treat_none_as_default_value = false)]
pub struct BindingRow {
    /// The code.
    pub id: MessageBindingId,
    /// Whose.
    pub tenant_id: TenantId,
    /// Of which official account.
    pub account_id: ChannelAccountId,
    /// Whom it binds: a member or a message recipient.
    pub person_id: PersonId,
    /// Who had it made.
    pub created_by: MemberId,
    /// A hash of the scene: WeChat gives the scene back when the code is scanned.
    pub scene_hash: String,
    /// What the code holds, an address of WeChat's; empty before WeChat made it.
    pub url: String,
    /// What was written down last; [`BindingRow::status_at`] knows the time as well.
    pub status: BindingStatus,
    /// When it was made, unix milliseconds.
    pub created_at: i64,
    /// When it ends, unix milliseconds.
    pub expires_at: i64,
    /// When it was scanned by the one whom it bound, WeChat's unix milliseconds.
    pub scanned_at: Option<i64>,
    /// When it bound, unix milliseconds.
    pub bound_at: Option<i64>,
    /// When a scan was last refused, because the WeChat account is another person's; unix milliseconds.
    pub refused_at: Option<i64>,
}

impl BindingRow {
    /// What the code is at this time (unix milliseconds).
    pub fn status_at(&self, now: i64) -> BindingStatus {
        match self.status {
            BindingStatus::Pending if self.expires_at <= now => BindingStatus::Expired,
            status => status,
        }
    }
}

/// What WeChat says of somebody who follows an account, or does not any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Follow {
    /// Who.
    pub openid: String,
    /// What it did.
    pub act: FollowAct,
    /// When, WeChat's unix milliseconds.
    pub at: i64,
}

/// What somebody did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FollowAct {
    /// It scanned the code with this scene, and follows the account.
    Scanned(String),
    /// It unfollowed the account.
    Left,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_pending_expires() {
        let row = |status| BindingRow {
            id: MessageBindingId(1),
            tenant_id: TenantId(1),
            account_id: ChannelAccountId(1),
            person_id: PersonId(1),
            created_by: MemberId(1),
            scene_hash: String::new(),
            url: String::new(),
            status,
            created_at: 0,
            expires_at: 10,
            scanned_at: None,
            bound_at: None,
            refused_at: None,
        };
        for status in [BindingStatus::Bound, BindingStatus::Cancelled, BindingStatus::Unbound] {
            assert_eq!(row(status).status_at(11), status);
        }
        assert_eq!(row(BindingStatus::Pending).status_at(9), BindingStatus::Pending);
        assert_eq!(row(BindingStatus::Pending).status_at(10), BindingStatus::Expired);
    }
}
