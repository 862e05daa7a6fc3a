//! The bodies of codes.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::service::Given;
use crate::domain::centre::binding::{BindingRow, BindingStatus};
use crate::kernel::{ChannelAccountId, MemberId, MessageBindingId, Millis, PersonId};

/// A QR code of WeChat that binds a person to an official account.
#[derive(Debug, Serialize, ToSchema)]
pub struct MessageBinding {
    /// The code.
    id: MessageBindingId,
    /// Of which account.
    account_id: ChannelAccountId,
    /// Whom it binds: a member (of the staff, or a customer) or a message recipient.
    person_id: PersonId,
    /// Who had it made.
    created_by: MemberId,
    /// What it is.
    status: BindingStatus,
    /// What the code holds; null unless it is pending.
    #[schema(required)]
    url: Option<String>,
    /// Where it is as SVG, with the same access token; null unless it is pending.
    #[schema(required)]
    svg_path: Option<String>,
    /// Where it is as PNG, with the same access token; null unless it is pending.
    #[schema(required)]
    png_path: Option<String>,
    /// When it was made.
    created_at: Millis,
    /// When it ends, unless it is scanned before.
    expires_at: Millis,
    /// When it bound; null: it did not.
    #[schema(required)]
    bound_at: Option<Millis>,
    /// When a scan was last refused because the WeChat account is bound to another person; null: none was.
    #[schema(required)]
    refused_at: Option<Millis>,
}

impl MessageBinding {
    /// A code at this time.
    pub fn of(row: BindingRow, now: Millis) -> Self {
        let status = row.status_at(now.0);
        let path = |kind: &str| format!("/api/v1/message-bindings/{}/qr.{kind}", row.id);
        let is_pending = status == BindingStatus::Pending;
        Self {
            id: row.id,
            account_id: row.account_id,
            person_id: row.person_id,
            created_by: row.created_by,
            status,
            svg_path: is_pending.then(|| path("svg")),
            png_path: is_pending.then(|| path("png")),
            url: is_pending.then_some(row.url),
            created_at: Millis(row.created_at),
            expires_at: Millis(row.expires_at),
            bound_at: row.bound_at.map(Millis),
            refused_at: row.refused_at.map(Millis),
        }
    }
}

/// A code that is wanted. Without `person_id` and `customer_external_id` it is for the caller.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateMessageBinding {
    /// Of which account of the provider `wechat`. Absent: the only one that is active.
    #[serde(default)]
    account_id: Option<ChannelAccountId>,
    /// For which member (of the staff, or a customer) or message recipient.
    #[serde(default)]
    person_id: Option<PersonId>,
    /// For which customer, by your own id.
    #[serde(default)]
    customer_external_id: Option<String>,
    /// How long it lives, in seconds. Absent: 600.
    #[serde(default)]
    expires_in_seconds: Option<i64>,
}

impl From<CreateMessageBinding> for Given {
    fn from(input: CreateMessageBinding) -> Self {
        let CreateMessageBinding { account_id, person_id, customer_external_id, expires_in_seconds } = input;
        Self { account_id, person_id, customer_external_id, expires_in_seconds }
    }
}

/// Which codes are asked for.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ListMessageBindings {
    /// Only those of this member or message recipient.
    pub(super) person_id: Option<PersonId>,
    /// Only those of this account.
    pub(super) account_id: Option<ChannelAccountId>,
    /// Most rows to return, 1 to 200; 50 when absent.
    #[param(minimum = 1, maximum = 200, default = 50)]
    pub(super) limit: Option<u32>,
    /// `next_cursor` of the page before; absent for the first page.
    pub(super) cursor: Option<String>,
}
