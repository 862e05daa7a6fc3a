//! What the audit log tells of the rows of the domain. No I/O.
//!
//! Invariant: nothing secret is named here.

use serde_json::{Value, json};

use super::api_key::ApiKeyRow;
use super::audit::{AuditTarget, Audited};
use super::ban::BanRow;
use super::canned_reply::CannedReplyRow;
use super::centre::account::AccountRow;
use super::centre::recipient::{IdentityRow, OptOutRow, RecipientRow};
use super::centre::rule::RuleRow;
use super::centre::suppression::SuppressionRow;
use super::centre::template::TemplateRow;
use super::erasure::ErasureRow;
use super::export::ExportRow;
use super::group::GroupRow;

macro_rules! audited {
    ($($row:ident $target:ident { $($field:ident)+ } $($name:literal: $value:expr,)*)+) => {$(
        impl Audited for $row {
            const TARGET: AuditTarget = AuditTarget::$target;

            fn audit_id(&self) -> i64 {
                self.id.0
            }

            fn audit_facts(&self) -> Value {
                let value: &[(&str, fn(&$row) -> Value)] = &[$(($name, $value),)*];
                let mut facts = json!({$(stringify!($field): self.$field,)+});
                for (name, read) in value {
                    facts[*name] = read(self);
                }
                facts
            }
        }
    )+};
}

/// JSON that is stored as text, as JSON.
fn stored(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_default()
}

fn stored_option(text: Option<&String>) -> Value {
    text.map_or(Value::Null, |text| stored(text))
}

audited! {
    ApiKeyRow ApiKey { member_id name prefix expires_at revoked_at }
        "operations": |row| json!(row.operations.0), "networks": |row| json!(row.networks.0),
    BanRow Ban { kind value reason expires_at }
    CannedReplyRow CannedReply { scope shortcut title text }
        "scope_id": |row| json!(row.scope_id.to_string()),
    ErasureRow Erasure { member_id state }
    ExportRow Export { member_id state }
    GroupRow Group { name description routing_strategy serving }
    AccountRow ChannelAccount { name provider status host limit_count limit_seconds }
    TemplateRow MessageTemplate { name channel version locale }
        "content": |row| stored(&row.content), "variables": |row| stored(&row.variables),
        "translations": |row| stored_option(row.translations.as_ref()),
    RuleRow MessageRule {
        title key template_id account_id status priority delay_seconds ttl_seconds dedupe_seconds dedupe_key quiet_hours
        fallback_template_id fallback_account_id fallback_after_seconds throttle_count throttle_seconds throttle_by
        waiting_seconds
    }
        "conditions": |row| stored(&row.conditions), "recipients": |row| stored(&row.recipients),
        "fallback_on": |row| stored_option(row.fallback_on.as_ref()),
        "schedule": |row| stored_option(row.schedule.as_ref()), "digest": |row| stored_option(row.digest.as_ref()),
    RecipientRow MessageRecipient { member_id name phone email time_zone quiet_from quiet_until status locale }
    OptOutRow MessageOptOut { person_id channel priority source }
    SuppressionRow MessageSuppression { channel address reason code }
    IdentityRow MessageIdentity { account_id person_id openid }
}
