//! What a rule makes of an event: the same for events that are expanded and for those that are only tried.

use serde_json::Value;

use super::event::DecisionKind;
use super::rule::{Condition, RuleRow};
use super::template::{Rendered, VersionRow, render_text};
use crate::kernel::secret::token_hash;
use crate::kernel::{Error, MemberId, Result};

/// What is said of a template that nothing was published of.
const UNPUBLISHED: &str = "the template has no published version";

/// What a rule makes of an event, before it is looked whether the same was sent already.
#[derive(Debug, Clone, PartialEq)]
pub struct Applied {
    /// What it makes of it.
    pub decision: DecisionKind,
    /// Which condition does not hold, or what is wrong with the template; empty otherwise.
    pub detail: String,
    /// What is sent.
    pub rendered: Option<Rendered>,
    /// What tells whether the same was sent already; `None`: the rule does not ask.
    pub dedupe: Option<String>,
}

impl Applied {
    fn not(decision: DecisionKind, detail: impl Into<String>) -> Self {
        Self { decision, detail: detail.into(), rendered: None, dedupe: None }
    }

    /// Of a rule that the store holds in a form that cannot be read: it must not hold up others.
    pub fn unreadable(rule: &RuleRow, error: &Error) -> Self {
        log::error!(target: "deskwire::centre", "rule {} cannot be applied: {error}", rule.id);
        Self::not(DecisionKind::Template, "the rule cannot be read")
    }
}

/// Applies a rule with the published version of its template. Fails only when the store holds what cannot be read.
pub fn apply(
    rule: &RuleRow,
    version: Option<&VersionRow>,
    payload: &Value,
    customer: Option<MemberId>,
) -> Result<Applied> {
    if let Some(broken) = rule.read_conditions()?.iter().find(|condition| !condition.holds(payload)) {
        let Condition { path, operator, value } = broken;
        return Ok(Applied::not(DecisionKind::Conditions, format!("{path} {operator} {value}")));
    }
    let Some(version) = version else {
        return Ok(Applied::not(DecisionKind::Unpublished, UNPUBLISHED));
    };
    let (contents, variables) = version.read()?;
    let said = contents
        .content
        .render(&variables, payload)
        .and_then(|rendered| Ok((rendered, dedupe(rule, payload, customer)?)));
    Ok(match said {
        Ok((rendered, dedupe)) => {
            Applied { decision: DecisionKind::Send, detail: String::new(), rendered: Some(rendered), dedupe }
        }
        Err(fault) => Applied::not(DecisionKind::Template, format!("{}: {}", fault.pointer, fault.detail)),
    })
}

/// What the published version of a template says of a payload, or why it can say nothing. Fails only when the store holds
/// what cannot be read.
pub fn rendered(
    version: Option<&VersionRow>,
    payload: &Value,
) -> Result<std::result::Result<Rendered, String>> {
    let Some(version) = version else { return Ok(Err(UNPUBLISHED.to_owned())) };
    let (contents, variables) = version.read()?;
    let said = contents.content.render(&variables, payload);
    Ok(said.map_err(|fault| format!("{}: {}", fault.pointer, fault.detail)))
}

/// What tells whether two events are the same to a rule; those of two customers never are.
fn dedupe(
    rule: &RuleRow,
    payload: &Value,
    customer: Option<MemberId>,
) -> std::result::Result<Option<String>, super::template::Fault> {
    if rule.dedupe_seconds == 0 {
        return Ok(None);
    }
    let text = match rule.dedupe_key.is_empty() {
        // The fields of a JSON object are in order of their names.
        true => payload.to_string(),
        false => render_text(&rule.dedupe_key, "/dedupe_key", payload)?,
    };
    Ok(Some(match customer {
        Some(customer) => token_hash(&format!("{customer}\n{text}")),
        None => token_hash(&text),
    }))
}
