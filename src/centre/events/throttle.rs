//! Throttles: the messages of a rule are counted where they are decided on.
//!
//! Owns the table `message_throttle`: a counter for each rule, or for each rule and person. Invariant: a counter is asked and
//! raised in one statement, in the transaction that makes the message, so that processes that apply one rule at once make no
//! more than it allows, and a transaction that is undone counts nothing.

use std::collections::HashMap;

use diesel::prelude::*;

use super::reach::Delivery;
use crate::centre::recipients::resolve::Receiver;
use crate::db::error_kind::error_kind;
use crate::db::schema::message_throttle;
use crate::db::{AnyConnection, DbErrorKind};
use crate::domain::centre::apply::Applied;
use crate::domain::centre::event::DecisionKind;
use crate::domain::centre::rule::RuleRow;
use crate::domain::centre::send::{SendReason, SendRow, SendStatus};
use crate::domain::centre::throttle::{RuleThrottle, ThrottleBy};
use crate::kernel::{PersonId, Result};
use crate::on;

/// Whose counter it is.
fn counted(throttle: RuleThrottle, person: Option<PersonId>) -> PersonId {
    person.filter(|_| throttle.by == ThrottleBy::Person).unwrap_or(PersonId(0))
}

/// Suppresses those of a rule's new messages that are beyond its throttle, and counts the others. Gives how many are
/// suppressed.
pub(super) fn hold_back(
    connection: &mut AnyConnection,
    rule: &RuleRow,
    rows: &mut [SendRow],
    now: i64,
) -> Result<usize> {
    let Some(throttle) = rule.throttle() else { return Ok(0) };
    let mut held = 0;
    for row in rows.iter_mut().filter(|row| row.status == SendStatus::Unsent) {
        if !takes(connection, rule, throttle, counted(throttle, row.recipient_id), now)? {
            (row.status, row.reason) = (SendStatus::Suppressed, Some(SendReason::Throttled));
            held += 1;
        }
    }
    Ok(held)
}

/// Counts one message; `false` when it is beyond the throttle.
fn takes(
    connection: &mut AnyConnection,
    rule: &RuleRow,
    throttle: RuleThrottle,
    person: PersonId,
    now: i64,
) -> Result<bool> {
    // A counter that another process makes at the same moment is there at the second look.
    for _ in 0..2 {
        let row = || message_throttle::table.find((rule.id, person));
        let has_room =
            row().filter(message_throttle::until.gt(now)).filter(message_throttle::sent.lt(throttle.count));
        let raised = diesel::update(has_room)
            .set(message_throttle::sent.eq(message_throttle::sent + 1))
            .execute(connection)?;
        if raised == 1 {
            return Ok(true);
        }
        let until = now + throttle.seconds * 1_000;
        let anew = diesel::update(row().filter(message_throttle::until.le(now)))
            .set((message_throttle::sent.eq(1), message_throttle::until.eq(until)))
            .execute(connection)?;
        if anew == 1 {
            return Ok(true);
        }
        let known: i64 = row().count().get_result(connection)?;
        if known > 0 {
            return Ok(false);
        }
        let new = (
            message_throttle::rule_id.eq(rule.id),
            message_throttle::person_id.eq(person),
            message_throttle::tenant_id.eq(rule.tenant_id),
            message_throttle::sent.eq(1),
            message_throttle::until.eq(until),
        );
        // Under a savepoint: on PostgreSQL a refused row would end the transaction around it.
        let inserted = connection.transaction(|connection| {
            diesel::insert_into(message_throttle::table).values(new).execute(connection)
        });
        match inserted {
            Ok(_) => return Ok(true),
            Err(cause) if error_kind(&cause) == DbErrorKind::Unique => {}
            Err(cause) => return Err(cause.into()),
        }
    }
    Ok(false)
}

/// What a rule's throttle would make of a message: as [`hold_back`] would, but nothing is counted.
pub fn tried(
    connection: &mut AnyConnection,
    rule: &RuleRow,
    applied: Applied,
    receivers: &mut [(Receiver, Delivery)],
    now: i64,
) -> Result<Applied> {
    let Some(throttle) = rule.throttle().filter(|_| applied.decision == DecisionKind::Send) else {
        return Ok(applied);
    };
    let mut persons: Vec<PersonId> =
        receivers.iter().map(|(receiver, _)| counted(throttle, Some(receiver.id))).collect();
    persons.push(PersonId(0));
    let found: Vec<(PersonId, i64)> = on!(connection, inner => message_throttle::table
        .filter(message_throttle::rule_id.eq(rule.id))
        .filter(message_throttle::person_id.eq_any(&persons))
        .filter(message_throttle::until.gt(now))
        .select((message_throttle::person_id, message_throttle::sent))
        .load(inner))?;
    let mut sent: HashMap<PersonId, i64> = found.into_iter().collect();
    let mut takes = |person: Option<PersonId>| {
        let count = sent.entry(counted(throttle, person)).or_insert(0);
        *count += 1;
        *count <= throttle.count
    };
    let (total, mut held) = (receivers.len().max(1), 0);
    if receivers.is_empty() {
        held = usize::from(!takes(None));
    }
    for (receiver, delivery) in receivers.iter_mut().filter(|(_, one)| one.status == SendStatus::Unsent) {
        if !takes(Some(receiver.id)) {
            (delivery.status, delivery.reason) = (SendStatus::Suppressed, Some(SendReason::Throttled));
            held += 1;
        }
    }
    let (decision, detail) = told(held, total, (applied.decision, &applied.detail));
    Ok(Applied { decision, detail, ..applied })
}

/// The decision of a rule so many of whose messages are throttled.
pub(super) fn told(
    held: usize,
    total: usize,
    (decision, detail): (DecisionKind, &str),
) -> (DecisionKind, String) {
    match held {
        0 => (decision, detail.to_owned()),
        _ if held == total => (DecisionKind::Throttled, detail.to_owned()),
        _ => {
            let held = format!("{held} of {total} messages are throttled");
            (decision, if detail.is_empty() { held } else { format!("{detail}; {held}") })
        }
    }
}
