//! The making of fallbacks, in the transaction that changes the first send.

use super::store;
use crate::centre::events::reach::Delivery;
use crate::centre::recipients::resolve::{Receiver, persons};
use crate::centre::sends;
use crate::db::AnyConnection;
use crate::domain::centre::fallback::{FallbackRow, Next};
use crate::domain::centre::send::{MessagePriority, SendReason, SendRow, SendStatus};
use crate::domain::centre::template::Rendered;
use crate::kernel::{Error, IdGenerator, MessageSendId, Result};

/// Sees to the plans of sends that changed: makes the fallbacks that are called for now, once each. The sends must be held.
/// Gives how many were made.
pub fn follow(
    connection: &mut AnyConnection,
    ids: &IdGenerator,
    changed: &[MessageSendId],
    now: i64,
) -> Result<usize> {
    let plans = store::of(connection, changed)?;
    if plans.is_empty() {
        return Ok(0);
    }
    let (firsts, mut made) = (store::sends(connection, &plans)?, 0);
    for plan in plans {
        let Some(first) = firsts.iter().find(|send| send.id == plan.send_id) else { continue };
        let next = plan.next(first);
        let is_due = match next {
            Next::Make => true,
            Next::Keep(due) => due.is_some_and(|due| due <= now),
            Next::Never => false,
        };
        // Nobody claims from an account that is off, so that the end of a send's time is not seen there.
        if is_due && first.status == SendStatus::Unsent && !store::expire(connection, first.id, now)? {
            continue;
        }
        if is_due {
            if store::take(connection, plan.send_id)? {
                let send = made_of(connection, ids, &plan, first, now)?;
                sends::store::insert(connection, &[send])?;
                made += 1;
            }
            continue;
        }
        match next {
            Next::Never => {
                store::take(connection, plan.send_id)?;
            }
            Next::Keep(due) if due != plan.due_at => store::put_off(connection, plan.send_id, due)?,
            _ => {}
        }
    }
    Ok(made)
}

/// The fallback of a send: to the same person, at its address on the other channel, as it wants to be reached there now.
fn made_of(
    connection: &mut AnyConnection,
    ids: &IdGenerator,
    plan: &FallbackRow,
    first: &SendRow,
    now: i64,
) -> Result<SendRow> {
    let rendered: Option<Rendered> = serde_json::from_str(&plan.body)
        .map_err(|cause| Error::internal("a stored message cannot be read").caused_by(cause))?;
    let unsent = Delivery { status: SendStatus::Unsent, reason: None, next_at: now };
    let ended = |status, reason| Delivery { status, reason: Some(reason), next_at: now };
    let priority = MessagePriority::from_rank(first.priority);
    let (receiver, delivery): (Option<Receiver>, Delivery) = match (&rendered, first.person()) {
        (None, _) => (None, ended(SendStatus::Failed, SendReason::Template)),
        (Some(rendered), Some(person)) if rendered.channel().has_recipients() => {
            let channel = rendered.channel();
            let found =
                persons(connection, first.tenant_id, &[person], (plan.account_id, channel, priority), now)?;
            match found.into_iter().next() {
                // Whoever is gone has no address either.
                None => (None, ended(SendStatus::Suppressed, SendReason::NoAddress)),
                Some(receiver) => {
                    let delivery = Delivery::to(&receiver, (priority, plan.quiet_hours), now);
                    (Some(receiver), delivery)
                }
            }
        }
        (Some(rendered), None) if rendered.channel().has_recipients() => {
            (None, ended(SendStatus::Suppressed, SendReason::NoAddress))
        }
        _ => (None, unsent),
    };
    let person = receiver.as_ref().map(|one| (one.recipient_type, one.id)).or(first.person());
    let is_personal = rendered.as_ref().is_some_and(|one| one.channel().has_recipients());
    let person = person.filter(|_| is_personal);
    let ttl_ms = plan.ttl_seconds * 1_000;
    Ok(SendRow {
        id: MessageSendId(ids.next()?),
        step: format!("{}:fallback", first.step),
        template_id: plan.template_id,
        template_version: plan.template_version,
        account_id: plan.account_id,
        status: delivery.status,
        reason: delivery.reason,
        recipient_type: person.map(|(recipient_type, _)| recipient_type),
        recipient_id: person.map(|(_, id)| id),
        address: receiver.and_then(|receiver| receiver.address),
        body: plan.body.clone(),
        number: 0,
        attempts: 0,
        slowed: 0,
        may_duplicate: false,
        next_at: delivery.next_at,
        expires_at: (ttl_ms > 0).then_some(delivery.next_at + ttl_ms),
        lease_owner: None,
        lease_until: 0,
        provider_message_id: None,
        last_code: None,
        last_error: Some(plan.fault.clone()).filter(|fault| !fault.is_empty()),
        created_at: now,
        updated_at: now,
        sent_at: None,
        fallback_of: Some(first.id),
        locale: plan.locale.clone(),
        ..first.clone()
    })
}
