//! Plans: what would be sent instead, decided with the first message.

use std::collections::HashMap;

use serde_json::Value;

use crate::db::types::json_text;
use crate::domain::centre::apply::rendered;
use crate::domain::centre::fallback::{FallbackRow, Next, RuleFallback};
use crate::domain::centre::rule::RuleRow;
use crate::domain::centre::send::{ERROR_MAX, SendRow, SendStatus};
use crate::domain::centre::template::{Rendered, VersionRow};
use crate::kernel::MessageTemplateId;

/// What a rule sends instead of its messages about one event.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// What the rule says.
    pub fallback: RuleFallback,
    /// The version of the template; 0: it has none.
    pub version: i64,
    /// What is said; `None` when nothing can be.
    pub rendered: Option<Rendered>,
    /// Why not.
    pub fault: String,
}

impl Plan {
    /// Of a rule with this payload; `None` when it has no fallback.
    pub fn of(
        rule: &RuleRow,
        versions: &HashMap<MessageTemplateId, VersionRow>,
        payload: &Value,
    ) -> Option<Self> {
        let fallback = rule.fallback()?;
        let version = versions.get(&fallback.template_id);
        let said = rendered(version, payload).unwrap_or_else(|error| {
            log::error!(target: "deskwire::centre", "the fallback of rule {} is unreadable: {error}", rule.id);
            Err("the template cannot be read".to_owned())
        });
        let (rendered, fault) = match said {
            Ok(rendered) => (Some(rendered), String::new()),
            Err(fault) => (None, fault),
        };
        Some(Self { fallback, version: version.map_or(0, |version| version.version), rendered, fault })
    }

    /// The row for one message of the rule; `None` when nothing can call for it.
    pub fn row(&self, rule: &RuleRow, send: &SendRow) -> Option<FallbackRow> {
        let row = FallbackRow {
            send_id: send.id,
            tenant_id: send.tenant_id,
            template_id: self.fallback.template_id,
            template_version: self.version,
            account_id: self.fallback.account_id,
            triggers: json_text(&self.fallback.on),
            after_seconds: self.fallback.after_seconds,
            quiet_hours: rule.quiet_hours,
            ttl_seconds: rule.ttl_seconds,
            body: json_text(&self.rendered),
            fault: self.fault.chars().take(ERROR_MAX).collect(),
            due_at: None,
        };
        match row.next(send) {
            Next::Keep(due_at) if send.status == SendStatus::Unsent => Some(FallbackRow { due_at, ..row }),
            _ => None,
        }
    }
}
