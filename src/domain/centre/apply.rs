//! What a rule makes of an event: the same for events that are expanded and for those that are only tried.

use serde_json::Value;

use super::digest::RuleDigest;
use super::event::DecisionKind;
use super::rule::{Condition, RuleRow};
use super::template::{Fault, Published, Rendered, render_text};
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
    /// What events have in common that are sent together; `None`: it is not collected.
    pub digest: Option<String>,
}

impl Applied {
    fn not(decision: DecisionKind, detail: impl Into<String>) -> Self {
        Self { decision, detail: detail.into(), rendered: None, dedupe: None, digest: None }
    }

    fn of_fault(fault: Fault) -> Self {
        Self::not(DecisionKind::Template, format!("{}: {}", fault.pointer, fault.detail))
    }

    /// Of a rule that the store holds in a form that cannot be read: it must not hold up others.
    pub fn unreadable(rule: &RuleRow, error: &Error) -> Self {
        log::error!(target: "deskwire::centre", "rule {} cannot be applied: {error}", rule.id);
        Self::not(DecisionKind::Template, "the rule cannot be read")
    }
}

/// What a rule is applied to.
#[derive(Debug, Clone, Copy)]
pub struct About<'a> {
    /// What is known of it.
    pub payload: &'a Value,
    /// The customer whom it is about.
    pub customer: Option<MemberId>,
    /// The agent whom it is about.
    pub agent: Option<MemberId>,
    /// Whether it stands for events that the rule collected: what is looked at of each was looked at then.
    pub is_digest: bool,
}

/// Applies a rule with the published version of its template. Fails only when the rule cannot be read.
pub fn apply(rule: &RuleRow, version: Option<&Published>, about: About<'_>) -> Result<Applied> {
    if !about.is_digest {
        let conditions = rule.read_conditions()?;
        if let Some(broken) = conditions.iter().find(|condition| !condition.holds(about.payload)) {
            let Condition { path, operator, value } = broken;
            return Ok(Applied::not(DecisionKind::Conditions, format!("{path} {operator} {value}")));
        }
        if let Some(digest) = rule.digest() {
            return Ok(collected(rule, &digest, about).unwrap_or_else(Applied::of_fault));
        }
    }
    let Some(version) = version else {
        return Ok(Applied::not(DecisionKind::Unpublished, UNPUBLISHED));
    };
    let said = version.contents.content.render(&version.variables, about.payload);
    let said = said.and_then(|rendered| Ok((rendered, dedupe(rule, about)?)));
    Ok(said.map_or_else(Applied::of_fault, |(rendered, dedupe)| Applied {
        rendered: Some(rendered),
        dedupe,
        ..Applied::not(DecisionKind::Send, "")
    }))
}

/// An event that is sent with others.
fn collected(rule: &RuleRow, digest: &RuleDigest, about: About<'_>) -> std::result::Result<Applied, Fault> {
    let text = match digest.key.is_empty() {
        true => String::new(),
        false => render_text(&digest.key, "/digest/key", about.payload)?,
    };
    let member = |id: Option<MemberId>| id.map(|id| id.to_string()).unwrap_or_default();
    let together = token_hash(&format!("{}\n{}\n{text}", member(about.customer), member(about.agent)));
    let dedupe = dedupe(rule, about)?;
    Ok(Applied { dedupe, digest: Some(together), ..Applied::not(DecisionKind::Digested, "") })
}

/// What the published version of a template says of a payload, or why it can say nothing.
pub fn rendered(version: Option<&Published>, payload: &Value) -> std::result::Result<Rendered, String> {
    let version = version.ok_or_else(|| UNPUBLISHED.to_owned())?;
    let said = version.contents.content.render(&version.variables, payload);
    said.map_err(|fault| format!("{}: {}", fault.pointer, fault.detail))
}

/// What tells whether two events are the same to a rule; those of two customers never are.
fn dedupe(rule: &RuleRow, about: About<'_>) -> std::result::Result<Option<String>, Fault> {
    if rule.dedupe_seconds == 0 || about.is_digest {
        return Ok(None);
    }
    let text = match rule.dedupe_key.is_empty() {
        // The fields of a JSON object are in order of their names.
        true => about.payload.to_string(),
        false => render_text(&rule.dedupe_key, "/dedupe_key", about.payload)?,
    };
    Ok(Some(match about.customer {
        Some(customer) => token_hash(&format!("{customer}\n{text}")),
        None => token_hash(&text),
    }))
}
