//! What a rule makes of an event, with the messages that it becomes: one for each receiver, in its language.

use super::reach::Delivery;
use super::{store, throttle};
use crate::centre::digests;
use crate::centre::fallbacks::plan::Plan;
use crate::centre::recipients::resolve::Receiver;
use crate::db::AnyConnection;
use crate::db::types::json_text;
use crate::domain::centre::apply::Applied;
use crate::domain::centre::event::{Decision, DecisionKind, EventRow};
use crate::domain::centre::fallback::FallbackRow;
use crate::domain::centre::rule::RuleRow;
use crate::domain::centre::send::{ERROR_MAX, MessagePriority, SendReason, SendRow, SendStatus};
use crate::domain::centre::template::{Said, Translated};
use crate::kernel::{IdGenerator, MessageSendId, Result};

/// What a rule makes of an event.
#[derive(Debug, Clone)]
pub(super) struct Made {
    pub(super) rule: RuleRow,
    /// The version of its template; 0: none is published.
    pub(super) version: i64,
    /// The language of what is applied.
    pub(super) locale: Option<String>,
    pub(super) applied: Applied,
    pub(super) receivers: Vec<Receiver>,
    /// What those of other languages are told.
    pub(super) translated: Translated,
    pub(super) plan: Option<Plan>,
}

/// What a rule makes of an event now that it is known what was sent before; its messages, and what would be sent
/// instead of them, are added to the lists.
pub(super) fn decide(
    connection: &mut AnyConnection,
    ids: &IdGenerator,
    now: i64,
    event: &EventRow,
    made: &Made,
    (sends, plans): (&mut Vec<SendRow>, &mut Vec<FallbackRow>),
) -> Result<Decision> {
    let Made { rule, applied, receivers, translated, plan, .. } = made;
    let mut decision = Decision {
        rule_id: rule.id,
        decision: applied.decision,
        detail: applied.detail.clone(),
        send_ids: Vec::new(),
    };
    if let Some(hash) = &applied.dedupe {
        let until = now + rule.dedupe_seconds * 1_000;
        if !store::is_first(connection, rule.tenant_id, rule.id, hash, now, until)? {
            decision.decision = DecisionKind::Duplicate;
            return Ok(decision);
        }
    }
    if let Some((hash, digest)) = applied.digest.as_ref().zip(rule.digest()) {
        digests::store::collect(connection, ids, (rule, &digest), (event, hash), now)?;
        return Ok(decision);
    }
    if !matches!(applied.decision, DecisionKind::Send | DecisionKind::Template) {
        return Ok(decision);
    }
    let without_person = message(event, made, now);
    let mut rows: Vec<SendRow> =
        receivers.iter().map(|receiver| addressed(&without_person, rule, receiver, translated)).collect();
    if receivers.is_empty() {
        rows.push(without_person);
    }
    let held = throttle::hold_back(connection, rule, &mut rows, now)?;
    (decision.decision, decision.detail) =
        throttle::told(held, rows.len(), (decision.decision, &decision.detail));
    for (index, mut row) in rows.into_iter().enumerate() {
        row.id = MessageSendId(ids.next()?);
        decision.send_ids.push(row.id);
        let reader = receivers.get(index).and_then(|receiver| receiver.locale.as_deref());
        plans.extend(plan.as_ref().and_then(|plan| plan.row(rule, &row, reader)));
        sends.push(row);
    }
    Ok(decision)
}

/// A message for one person, in its language.
fn addressed(message: &SendRow, rule: &RuleRow, receiver: &Receiver, translated: &Translated) -> SendRow {
    let wishes = (MessagePriority::from_rank(rule.priority), rule.quiet_hours);
    let said = translated.for_reader(receiver.locale.as_deref());
    let delivery = Delivery::to(receiver, wishes, message.next_at).of_said(said);
    let (locale, body, fault) = match said {
        None => (message.locale.clone(), message.body.clone(), message.last_error.clone()),
        Some(Said { locale, rendered }) => (
            Some(locale.clone()),
            json_text(&rendered.as_ref().ok()),
            rendered.as_ref().err().map(|fault| fault.chars().take(ERROR_MAX).collect()),
        ),
    };
    SendRow {
        locale,
        body,
        last_error: fault,
        step: format!("{}:{}", message.step, receiver.id),
        status: delivery.status,
        reason: delivery.reason,
        recipient_type: Some(receiver.recipient_type),
        recipient_id: Some(receiver.id),
        address: receiver.address.clone(),
        next_at: delivery.next_at,
        ..message.clone()
    }
}

/// A message that waits, or one that failed because nothing can be said.
fn message(event: &EventRow, made: &Made, now: i64) -> SendRow {
    let Made { rule, version, applied, .. } = made;
    let next_at = event.created_at + rule.delay_seconds * 1_000;
    let failed = applied.rendered.is_none();
    SendRow {
        id: MessageSendId(0),
        tenant_id: event.tenant_id,
        event_id: event.id,
        step: rule.id.to_string(),
        rule_id: rule.id,
        template_id: rule.template_id,
        template_version: *version,
        account_id: rule.account_id,
        priority: rule.priority,
        status: if failed { SendStatus::Failed } else { SendStatus::Unsent },
        reason: failed.then_some(SendReason::Template),
        recipient_type: None,
        recipient_id: None,
        address: None,
        body: json_text(&applied.rendered),
        number: 0,
        attempts: 0,
        slowed: 0,
        may_duplicate: false,
        next_at,
        expires_at: (rule.ttl_seconds > 0).then_some(next_at + rule.ttl_seconds * 1_000),
        lease_owner: None,
        lease_until: 0,
        provider_message_id: None,
        last_code: None,
        last_error: failed.then(|| applied.detail.chars().take(ERROR_MAX).collect()),
        created_at: now,
        updated_at: now,
        sent_at: None,
        fallback_of: None,
        locale: made.locale.clone(),
    }
}
