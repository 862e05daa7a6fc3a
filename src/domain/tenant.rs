//! What a tenant is: its state and its settings. No I/O.

use serde::{Deserialize, Serialize};

use super::routing::RoutingSettings;
use super::timers::TimerSettings;
use crate::kernel::MemberId;
use crate::text_enum;

text_enum! {
    /// Whether a tenant may be used.
    TenantStatus {
        /// It may.
        Active = "active",
        /// It may not: every request of its members answers `tenant_suspended`.
        Suspended = "suspended",
    }
}

/// What a tenant decides for itself, kept as JSON in `tenant.settings`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct TenantSettings {
    /// How long a message may be edited by its sender, in seconds; 0 means never.
    pub edit_window_seconds: i64,
    /// How long a message may be recalled by its sender, in seconds; 0 means never.
    pub recall_window_seconds: i64,
    /// How long after its end a customer may reopen a conversation, in seconds; 0 means never, `None` at any time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reopen_window_seconds: Option<i64>,
    /// How long after its end a customer may rate a conversation, in seconds; 0 means never.
    pub rating_window_seconds: i64,
    /// Whether a member of the staff may claim more conversations than its `max_accept`.
    pub claim_above_max_accept: bool,
    /// Whether a member of the staff may be assigned more conversations than its `max_accept`.
    pub assign_above_max_accept: bool,
    /// Whether a member of the staff may get more conversations by transfer than its `max_accept`.
    pub transfer_above_max_accept: bool,
    /// How often a conversation may be transferred within an hour; 0 means never.
    pub transfer_limit: i64,
    /// Whether, while an agent serves a conversation, only that agent of the staff may write in it. Notes stay open to
    /// all who are in it.
    pub only_assignee_answers: bool,
    /// How long a member of the staff without a live socket still counts as connected, in seconds.
    pub presence_grace_seconds: i64,
    /// After how many seconds as offline an agent loses the conversations that it serves; `None`: it keeps them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disconnect_requeue_seconds: Option<i64>,
    /// After how many seconds as away an agent loses the conversations that it serves; `None`: it keeps them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub away_requeue_seconds: Option<i64>,
    /// So many days after a support conversation was closed its words are erased; `None`: never.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retention_days: Option<i64>,
    /// After how much silence somebody is reminded, or a conversation closed.
    #[serde(skip_serializing_if = "TimerSettings::are_off")]
    pub timers: TimerSettings,
    /// How waiting conversations find their agents.
    pub routing: RoutingSettings,
    /// How many may wait.
    pub queue: QueueSettings,
    /// Which bot answers first.
    #[serde(skip_serializing_if = "BotSettings::is_default")]
    pub bot: BotSettings,
}

/// Which bot answers customers before the staff do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct BotSettings {
    /// The bot; absent means that conversations wait for the staff at once.
    pub member_id: Option<MemberId>,
    /// After so many seconds in which a customer waits for a bot's answer, the conversation is handed to the staff.
    pub silence_seconds: i64,
}

impl BotSettings {
    /// Whether nothing was decided.
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

impl Default for BotSettings {
    fn default() -> Self {
        Self { member_id: None, silence_seconds: 30 }
    }
}

/// How a tenant's queue is bounded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct QueueSettings {
    /// Whether visitors may open conversations.
    pub open: bool,
    /// Most conversations that may wait when a visitor opens one; absent means no limit.
    pub limit: Option<i64>,
}

impl Default for QueueSettings {
    fn default() -> Self {
        Self { open: true, limit: None }
    }
}

impl Default for TenantSettings {
    fn default() -> Self {
        Self {
            edit_window_seconds: 900,
            recall_window_seconds: 120,
            reopen_window_seconds: None,
            rating_window_seconds: 604_800,
            claim_above_max_accept: false,
            assign_above_max_accept: false,
            transfer_above_max_accept: false,
            transfer_limit: 10,
            only_assignee_answers: false,
            presence_grace_seconds: 30,
            disconnect_requeue_seconds: None,
            away_requeue_seconds: None,
            retention_days: None,
            timers: TimerSettings::default(),
            routing: RoutingSettings::default(),
            queue: QueueSettings::default(),
            bot: BotSettings::default(),
        }
    }
}
