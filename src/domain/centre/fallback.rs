//! Fallbacks: what is sent instead when a message does not reach its person.
//!
//! Owns which ends of a send call for its fallback, and when silence does. Invariants: what is sent instead is decided with
//! the first message, so that no later change of the rule, of its templates or of the event touches it; it is made once, and
//! has no fallback of its own.

use diesel::prelude::*;
use serde::{Deserialize, Serialize};

use super::recipient::QuietHoursPolicy;
use super::send::{SendReason, SendRow, SendStatus};
use crate::db::schema::message_fallback;
use crate::kernel::{ChannelAccountId, MessageSendId, MessageTemplateId, TenantId};
use crate::text_enum;

/// Shortest silence of a provider that calls for a fallback, in seconds.
pub const FALLBACK_AFTER_MIN: i64 = 10;
/// Longest silence of a provider that calls for a fallback, in seconds: 7 days.
pub const FALLBACK_AFTER_MAX: i64 = 7 * 86_400;

text_enum! {
    /// Which end of a message calls for its fallback.
    FallbackTrigger {
        /// It was not sent, and will not be.
        Failed = "failed",
        /// The provider said later that it did not arrive.
        Undelivered = "undelivered",
        /// Its time was over before it was sent.
        Expired = "expired",
        /// Nobody knows whether it arrived: the person may hear both.
        Uncertain = "uncertain",
        /// It was not sent, because the person has no address on the channel, or one to which nothing is sent.
        NoAddress = "no_address",
    }
}

fn usual() -> Vec<FallbackTrigger> {
    vec![FallbackTrigger::Failed, FallbackTrigger::Undelivered, FallbackTrigger::Expired]
}

/// What is sent instead when a rule's message does not reach its person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RuleFallback {
    /// What is said instead.
    pub template_id: MessageTemplateId,
    /// Where that goes: an account of its template's channel.
    pub account_id: ChannelAccountId,
    /// Which ends call for it. Absent: `failed`, `undelivered` and `expired`.
    #[serde(default = "usual")]
    pub on: Vec<FallbackTrigger>,
    /// It is called for as well when no receipt has come so many seconds after the message went out. Absent: silence does not
    /// call for it. Only where the rule's account brings receipts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after_seconds: Option<i64>,
}

/// What becomes of a plan now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// It stays. At this time, unix milliseconds, silence or the end of the message's time calls for it.
    Keep(Option<i64>),
    /// The fallback is made.
    Make,
    /// Nothing will ever call for it.
    Never,
}

/// A row of `message_fallback`: what is sent instead of a send, until that is made or of no use.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Insertable)]
#[diesel(table_name = message_fallback, treat_none_as_default_value = false)]
pub struct FallbackRow {
    /// Instead of which send.
    pub send_id: MessageSendId,
    /// Whose.
    pub tenant_id: TenantId,
    /// The template.
    pub template_id: MessageTemplateId,
    /// Which version of it; 0: it had none.
    pub template_version: i64,
    /// Where it goes.
    pub account_id: ChannelAccountId,
    /// The JSON list of [`FallbackTrigger`]s.
    pub triggers: String,
    /// The silence that calls for it, in seconds.
    pub after_seconds: Option<i64>,
    /// What becomes of it in the person's quiet hours.
    pub quiet_hours: QuietHoursPolicy,
    /// How long it may go out, in seconds; 0: for ever.
    pub ttl_seconds: i64,
    /// What is said: JSON of the channel's form; null when nothing can be.
    pub body: String,
    /// Why nothing can be said; empty otherwise.
    pub fault: String,
    /// When it is looked again whether it is called for, unix milliseconds.
    pub due_at: Option<i64>,
    /// In which language it is said, as far as its template tells.
    pub locale: Option<String>,
}

impl FallbackRow {
    fn is_on(&self, trigger: FallbackTrigger) -> bool {
        serde_json::from_str::<Vec<FallbackTrigger>>(&self.triggers).is_ok_and(|on| on.contains(&trigger))
    }

    /// What becomes of the plan now that its send stands so.
    pub fn next(&self, send: &SendRow) -> Next {
        let on = |trigger| if self.is_on(trigger) { Next::Make } else { Next::Keep(None) };
        let silence = |since: i64| self.after_seconds.map(|seconds| since + seconds * 1_000);
        match send.status {
            // What has failed, or was called back, may be sent again by somebody.
            SendStatus::Failed => on(FallbackTrigger::Failed),
            SendStatus::Expired => on(FallbackTrigger::Expired),
            SendStatus::Undelivered => on(FallbackTrigger::Undelivered),
            SendStatus::Cancelled | SendStatus::Sending => Next::Keep(None),
            SendStatus::Unsent => {
                Next::Keep(send.expires_at.filter(|_| self.is_on(FallbackTrigger::Expired)))
            }
            SendStatus::Uncertain => match on(FallbackTrigger::Uncertain) {
                Next::Make => Next::Make,
                _ => Next::Keep(silence(send.updated_at)),
            },
            SendStatus::Success => match (
                silence(send.sent_at.unwrap_or(send.updated_at)),
                self.is_on(FallbackTrigger::Undelivered),
            ) {
                (None, false) => Next::Never,
                (due, _) => Next::Keep(due),
            },
            SendStatus::Suppressed if send.reason.is_some_and(SendReason::is_no_address) => {
                match on(FallbackTrigger::NoAddress) {
                    Next::Make => Next::Make,
                    _ => Next::Never,
                }
            }
            SendStatus::Delivered | SendStatus::Suppressed => Next::Never,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::{MessageEventId, MessageRuleId};

    fn send(status: SendStatus) -> SendRow {
        SendRow {
            id: MessageSendId(1),
            tenant_id: TenantId(1),
            event_id: MessageEventId(1),
            step: String::new(),
            rule_id: MessageRuleId(1),
            template_id: MessageTemplateId(1),
            template_version: 1,
            account_id: ChannelAccountId(1),
            priority: 2,
            status,
            reason: None,
            recipient_type: None,
            recipient_id: None,
            address: None,
            body: String::new(),
            number: 1,
            attempts: 1,
            slowed: 0,
            may_duplicate: false,
            next_at: 0,
            expires_at: Some(9_000),
            lease_owner: None,
            lease_until: 0,
            provider_message_id: None,
            last_code: None,
            last_error: None,
            created_at: 0,
            updated_at: 2_000,
            sent_at: Some(1_000),
            fallback_of: None,
            locale: None,
        }
    }

    fn plan(triggers: &str, after_seconds: Option<i64>) -> FallbackRow {
        FallbackRow {
            send_id: MessageSendId(1),
            tenant_id: TenantId(1),
            template_id: MessageTemplateId(2),
            template_version: 1,
            account_id: ChannelAccountId(2),
            triggers: triggers.to_owned(),
            after_seconds,
            quiet_hours: QuietHoursPolicy::Defer,
            ttl_seconds: 0,
            body: String::new(),
            fault: String::new(),
            due_at: None,
            locale: None,
        }
    }

    /// Every state of a send, with what it makes of a plan on every end, of one on silence, and of one on both.
    #[test]
    fn ends_and_silence_call_for_a_fallback() {
        use SendStatus as S;
        let all = plan(r#"["failed","undelivered","expired","uncertain"]"#, None);
        let silent = plan("[]", Some(10));
        for (status, by_end, by_silence) in [
            (S::Unsent, Next::Keep(Some(9_000)), Next::Keep(None)),
            (S::Sending, Next::Keep(None), Next::Keep(None)),
            (S::Success, Next::Keep(None), Next::Keep(Some(11_000))),
            (S::Delivered, Next::Never, Next::Never),
            (S::Undelivered, Next::Make, Next::Keep(None)),
            (S::Failed, Next::Make, Next::Keep(None)),
            (S::Uncertain, Next::Make, Next::Keep(Some(12_000))),
            (S::Cancelled, Next::Keep(None), Next::Keep(None)),
            (S::Expired, Next::Make, Next::Keep(None)),
            (S::Suppressed, Next::Never, Next::Never),
        ] {
            assert_eq!(all.next(&send(status)), by_end, "{status}");
            assert_eq!(silent.next(&send(status)), by_silence, "{status}");
        }
        assert_eq!(plan(r#"["failed"]"#, None).next(&send(S::Success)), Next::Never);
        let nowhere = |reason| SendRow { reason: Some(reason), ..send(S::Suppressed) };
        let asks = plan(r#"["no_address"]"#, Some(10));
        assert_eq!(asks.next(&nowhere(SendReason::NoAddress)), Next::Make);
        assert_eq!(asks.next(&nowhere(SendReason::AddressSuppressed)), Next::Make);
        assert_eq!(asks.next(&nowhere(SendReason::OptedOut)), Next::Never);
        assert_eq!(all.next(&nowhere(SendReason::NoAddress)), Next::Never);
    }
}
