//! Plans: what would be sent instead, decided with the first message.

use std::collections::HashMap;

use serde_json::Value;

use crate::db::types::json_text;
use crate::domain::centre::apply::rendered;
use crate::domain::centre::fallback::{FallbackRow, Next, RuleFallback};
use crate::domain::centre::rule::RuleRow;
use crate::domain::centre::send::{ERROR_MAX, SendRow, SendStatus};
use crate::domain::centre::template::{Published, Rendered, Said, Translated};
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
    /// In which language, as far as the template tells.
    pub locale: Option<String>,
    /// What receivers of other languages are told.
    pub translated: Translated,
}

impl Plan {
    /// Of a rule with this payload, for receivers who read these languages; `None` when it has no fallback.
    pub fn of<'a>(
        rule: &RuleRow,
        versions: &HashMap<MessageTemplateId, Published>,
        payload: &Value,
        readers: impl Iterator<Item = &'a str>,
    ) -> Option<Self> {
        let fallback = rule.fallback()?;
        let version = versions.get(&fallback.template_id);
        let (rendered, fault) = match rendered(version, payload) {
            Ok(rendered) => (Some(rendered), String::new()),
            Err(fault) => (None, fault),
        };
        let (number, locale) =
            version.map_or((0, None), |version| (version.version, version.contents.locale.clone()));
        let translated = Translated::of(version, payload, readers);
        Some(Self { fallback, version: number, rendered, fault, locale, translated })
    }

    /// The row for one message of the rule, to a receiver who reads this language; `None` when nothing can call for it.
    pub fn row(&self, rule: &RuleRow, send: &SendRow, reader: Option<&str>) -> Option<FallbackRow> {
        let own = (self.locale.as_ref(), self.rendered.as_ref(), self.fault.as_str());
        let (locale, rendered, fault) = match self.translated.for_reader(reader) {
            None => own,
            Some(Said { locale, rendered }) => match rendered {
                Ok(rendered) => (Some(locale), Some(rendered), ""),
                Err(fault) => (Some(locale), None, fault.as_str()),
            },
        };
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
            body: json_text(&rendered),
            fault: fault.chars().take(ERROR_MAX).collect(),
            due_at: None,
            locale: locale.cloned(),
        };
        match row.next(send) {
            Next::Keep(due_at) if send.status == SendStatus::Unsent => Some(FallbackRow { due_at, ..row }),
            // Called for from the beginning: whoever stores it has it made.
            Next::Make => Some(row),
            _ => None,
        }
    }
}
