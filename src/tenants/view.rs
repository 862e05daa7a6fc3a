//! How a tenant looks to its members: whole to the staff, and to customers without what only the staff have to know.

use serde::Serialize;
use utoipa::ToSchema;

use super::bot::BotView;
use super::routing::{QueueView, RoutingView};
use super::store::TenantRow;
use super::timers::TimersView;
use crate::domain::member::Role;
use crate::domain::tenant::TenantStatus;
use crate::kernel::{Millis, TenantId};

/// A tenant.
#[derive(Debug, Serialize, ToSchema)]
pub struct Tenant {
    /// The tenant.
    id: TenantId,
    /// The name in addresses and at sign-in.
    slug: String,
    /// The name for people.
    name: String,
    /// Whether it may be used.
    status: TenantStatus,
    /// What it decides for itself.
    settings: Settings,
    /// When it was made.
    created_at: Millis,
    /// When its name or settings last changed.
    updated_at: Millis,
}

/// What a tenant decides for itself. A customer gets the required fields, the staff all of them.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = TenantSettings)]
struct Settings {
    /// How long a message may be edited by its sender, in seconds; 0 means never.
    edit_window_seconds: i64,
    /// How long a message may be recalled by its sender, in seconds; 0 means never.
    recall_window_seconds: i64,
    /// How long after its end a customer may reopen a conversation, in seconds; 0 means never, null at any time.
    #[schema(required)]
    reopen_window_seconds: Option<i64>,
    /// How long after its end a customer may rate a conversation, in seconds; 0 means never.
    rating_window_seconds: i64,
    /// Whether a member of the staff may claim more conversations than its `max_accept`.
    #[serde(skip_serializing_if = "Option::is_none")]
    claim_above_max_accept: Option<bool>,
    /// Whether a member of the staff may be assigned more conversations than its `max_accept`.
    #[serde(skip_serializing_if = "Option::is_none")]
    assign_above_max_accept: Option<bool>,
    /// Whether a member of the staff may get more conversations by transfer than its `max_accept`.
    #[serde(skip_serializing_if = "Option::is_none")]
    transfer_above_max_accept: Option<bool>,
    /// How often a conversation may be transferred within an hour; 0 means never.
    #[serde(skip_serializing_if = "Option::is_none")]
    transfer_limit: Option<i64>,
    /// Whether, while an agent serves a conversation, only that agent of the staff may write in it. Notes stay open to
    /// all who are in it.
    #[serde(skip_serializing_if = "Option::is_none")]
    only_assignee_answers: Option<bool>,
    /// How long a member of the staff without a live socket still counts as connected, in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    presence_grace_seconds: Option<i64>,
    /// After how many seconds as offline an agent loses the conversations that it serves; null: it keeps them.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<i64>, required = false)]
    disconnect_requeue_seconds: Option<Option<i64>>,
    /// After how many seconds as away an agent loses the conversations that it serves; null: it keeps them.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<i64>, required = false)]
    away_requeue_seconds: Option<Option<i64>>,
    /// So many days after a support conversation was closed its words and files are erased; null: never.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<i64>, required = false)]
    retention_days: Option<Option<i64>>,
    /// After how much silence somebody is reminded, or a conversation closed.
    #[serde(skip_serializing_if = "Option::is_none")]
    timers: Option<TimersView>,
    /// How waiting conversations find their agents.
    #[serde(skip_serializing_if = "Option::is_none")]
    routing: Option<RoutingView>,
    /// How the queue is bounded.
    #[serde(skip_serializing_if = "Option::is_none")]
    queue: Option<QueueView>,
    /// Which bot answers customers before the staff do.
    #[serde(skip_serializing_if = "Option::is_none")]
    bot: Option<BotView>,
}

impl Tenant {
    /// The tenant as a member of this role sees it.
    pub fn new(row: TenantRow, reader: Role) -> Self {
        let settings = row.settings.0;
        let is_staff = reader.is_staff();
        let for_staff = |value: bool| is_staff.then_some(value);
        Self {
            id: row.id,
            slug: row.slug,
            name: row.name,
            status: row.status,
            settings: Settings {
                edit_window_seconds: settings.edit_window_seconds,
                recall_window_seconds: settings.recall_window_seconds,
                reopen_window_seconds: settings.reopen_window_seconds,
                rating_window_seconds: settings.rating_window_seconds,
                claim_above_max_accept: for_staff(settings.claim_above_max_accept),
                assign_above_max_accept: for_staff(settings.assign_above_max_accept),
                transfer_above_max_accept: for_staff(settings.transfer_above_max_accept),
                transfer_limit: is_staff.then_some(settings.transfer_limit),
                only_assignee_answers: for_staff(settings.only_assignee_answers),
                presence_grace_seconds: is_staff.then_some(settings.presence_grace_seconds),
                disconnect_requeue_seconds: is_staff.then_some(settings.disconnect_requeue_seconds),
                away_requeue_seconds: is_staff.then_some(settings.away_requeue_seconds),
                retention_days: is_staff.then_some(settings.retention_days),
                timers: is_staff.then(|| settings.timers.into()),
                routing: is_staff.then(|| settings.routing.into()),
                queue: is_staff.then(|| settings.queue.into()),
                bot: is_staff.then(|| settings.bot.into()),
            },
            created_at: Millis(row.created_at),
            updated_at: Millis(row.updated_at),
        }
    }
}
