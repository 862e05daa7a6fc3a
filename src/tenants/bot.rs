//! The settings of the bot that answers first: how they are changed and shown.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::db::AnyConnection;
use crate::domain::member::{MemberStatus, Role};
use crate::domain::tenant::BotSettings;
use crate::kernel::json::given;
use crate::kernel::{Error, MemberId, Result, TenantId};
use crate::members::api::present;
use crate::members::profile::Checker;
use crate::members::store as members;

/// Shortest silence of a bot, in seconds.
pub const SILENCE_MIN_SECONDS: i64 = 5;
/// Longest silence of a bot, in seconds: an hour.
pub const SILENCE_MAX_SECONDS: i64 = 3_600;

/// Which bot answers customers before the staff do; absent fields stay.
#[derive(Debug, Clone, Copy, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UpdateBotSettings {
    /// The bot that answers what customers open or reopen from now on: a member with the role `bot`. null: none, and
    /// conversations wait for the staff at once.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<MemberId>)]
    member_id: Option<Option<MemberId>>,
    /// After so many seconds in which a customer waits for the bot's answer, the conversation is handed to the staff; 5 to
    /// 3,600.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = i64, required = false)]
    silence_seconds: Option<i64>,
}

impl UpdateBotSettings {
    /// Notes what is out of range.
    pub fn check(&self, check: &mut Checker) {
        let range = SILENCE_MIN_SECONDS..=SILENCE_MAX_SECONDS;
        if self.silence_seconds.is_some_and(|seconds| !range.contains(&seconds)) {
            let range = format!("{SILENCE_MIN_SECONDS} to {SILENCE_MAX_SECONDS}");
            check.wrong("/settings/bot/silence_seconds", "out_of_range", range);
        }
    }

    /// The settings with this change. Fails with `validation_failed` when there is no such bot.
    pub fn apply(
        &self,
        connection: &mut AnyConnection,
        tenant: TenantId,
        settings: BotSettings,
        now: i64,
    ) -> Result<BotSettings> {
        if let Some(Some(bot)) = self.member_id {
            let found = members::find(connection, tenant, bot)?;
            let usable = found.is_some_and(|row| {
                let ended = row.expires_at.is_some_and(|end| end <= now);
                row.role == Role::Bot && row.status == MemberStatus::Enabled && !ended
            });
            if !usable {
                let detail = "there is no such bot, or its account may not be used";
                return Err(Error::field("/settings/bot/member_id", "invalid", detail));
            }
        }
        Ok(BotSettings {
            member_id: self.member_id.unwrap_or(settings.member_id),
            silence_seconds: self.silence_seconds.unwrap_or(settings.silence_seconds),
        })
    }
}

/// Which bot answers customers before the staff do.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[schema(as = BotSettings)]
pub struct BotView {
    /// The bot; null: none.
    #[schema(required)]
    member_id: Option<MemberId>,
    /// After so many seconds in which a customer waits for the bot's answer, the conversation is handed to the staff.
    silence_seconds: i64,
}

impl From<BotSettings> for BotView {
    fn from(BotSettings { member_id, silence_seconds }: BotSettings) -> Self {
        Self { member_id, silence_seconds }
    }
}
