//! The judgement of what changes after it was written or is told only once: edited and recalled content, inbox rows,
//! receipts and typing. Pure, as `judge` is.

use std::collections::HashMap;

use super::client::fact::Fact;
use super::client::row::POSITIONS;
use super::client::signal::Signal;
use super::evidence::{DeviceView, Evidence, Violation, broken};
use super::history::{Id, Sending};

/// How much later than announced an end of typing may come, in milliseconds: a machine under load, a process that was
/// frozen for a while.
const TYPING_SLACK: u64 = 15_000;

/// P1: a message reads as it was sent, or as it was last edited or recalled by its sender. What was tried and not
/// acknowledged may have been done.
pub fn content(sending: &Sending, fact: &Fact) -> Option<&'static str> {
    match (fact.recalled, sending.recall) {
        (true, None) => return Some("was recalled by nobody"),
        (false, Some(true)) => return Some("was recalled and still has its content"),
        (true, Some(_)) => return None,
        (false, _) => {}
    }
    let last = sending.edits.iter().rposition(|(_, acknowledged)| *acknowledged);
    let possible = &sending.edits[last.unwrap_or_default()..];
    let reads_as_sent = last.is_none() && fact.words == sending.words;
    let reads_as_edited = possible.iter().any(|(words, _)| *words == fact.words);
    (!reads_as_sent && !reads_as_edited).then_some("says something else")
}

/// Every row of the inbox is on the device and shows the same.
pub fn rows(device: &DeviceView, found: &mut Vec<Violation>) {
    let member = device.member;
    for (conversation, row) in &device.inbox {
        match device.rows.get(conversation) {
            None => broken(found, "rows", format!("{conversation}: the device of {member} has no row")),
            Some(own) => {
                for difference in own.differences(row) {
                    broken(
                        found,
                        "rows",
                        format!("{conversation}: the device of {member} shows {difference}"),
                    );
                }
            }
        }
    }
}

/// Whether what is said of this conversation may reach this device.
fn is_inside(evidence: &Evidence, device: &DeviceView, conversation: Id) -> bool {
    if device.retired || device.inbox.contains_key(&conversation) {
        return true;
    }
    let front = evidence.backstages.get(&conversation).copied();
    let served = |front: Id| evidence.served.contains(&(front, device.member));
    !device.customer
        && (served(front.unwrap_or(conversation))
            || front.is_some_and(|front| device.inbox.contains_key(&front)))
}

/// On one connection positions never go back; they never exceed the truth; and the last ones that were heard on a
/// connection that lasted are the truth.
pub fn receipts(evidence: &Evidence, device: &DeviceView, found: &mut Vec<Violation>) {
    let member = device.member;
    let mut last: HashMap<Id, [Option<i64>; 4]> = HashMap::new();
    let mut delivered: HashMap<(Id, Id), i64> = HashMap::new();
    for heard in &device.heard {
        match &heard.signal {
            Signal::Connected | Signal::Ended => {
                last.clear();
                delivered.clear();
            }
            Signal::Dropped { conversation } => {
                let dropped = |one: &Id| conversation.is_none_or(|dropped| dropped == *one);
                last.retain(|one, _| !dropped(one));
                delivered.retain(|(one, _), _| !dropped(one));
            }
            Signal::Typing { .. } => {}
            Signal::Receipt { conversation, positions, delivered: one } => {
                if !is_inside(evidence, device, *conversation) {
                    broken(found, "receipts", format!("{conversation}: {member} heard of it from outside"));
                }
                let known = last.entry(*conversation).or_default();
                for ((known, now), name) in known.iter_mut().zip(positions).zip(POSITIONS) {
                    if let (Some(before), Some(now)) = (*known, *now)
                        && now < before
                    {
                        let what =
                            format!("{conversation}: {name} went back from {before} to {now} for {member}");
                        broken(found, "receipts", what);
                    }
                    *known = now.or(*known);
                }
                if let Some((reader, now)) = one {
                    let before = delivered.insert((*conversation, *reader), *now).unwrap_or_default();
                    if *now < before {
                        let what =
                            format!("{conversation}: delivered to {reader} went back from {before} to {now}");
                        broken(found, "receipts", what);
                    }
                }
            }
        }
    }
    for (conversation, positions) in last {
        let Some(row) = device.inbox.get(&conversation) else { continue };
        for ((told, truth), name) in positions.iter().zip(row.peers).zip(POSITIONS) {
            // Delivered positions take no rev: what moved them last may have been told in a receipt of its own.
            let wrong = |told: i64| if name.contains("delivered") { told > truth } else { told != truth };
            if let Some(told) = told.filter(|told| wrong(*told)) {
                let what = format!("{conversation}: {member} was told {name} {told} last, it is {truth}");
                broken(found, "receipts", what);
            }
        }
    }
}

/// Typing reaches those inside, never the typist, and ends by itself.
pub fn typing(evidence: &Evidence, device: &DeviceView, found: &mut Vec<Violation>) {
    let listener = device.member;
    // Who types where: until when an end has to come.
    let mut open: HashMap<(Id, Id), u64> = HashMap::new();
    let mut late = |open: &mut HashMap<(Id, Id), u64>, now: u64| {
        open.retain(|(conversation, typist), until| {
            let in_time = now <= *until;
            if !in_time {
                let what = format!("{conversation}: for {listener} the typing of {typist} did not end");
                broken(found, "typing", what);
            }
            in_time
        });
    };
    let mut wrong = Vec::new();
    for heard in &device.heard {
        late(&mut open, heard.at);
        match heard.signal {
            Signal::Connected | Signal::Ended => open.clear(),
            Signal::Dropped { conversation } => {
                open.retain(|(one, _), _| conversation.is_some_and(|dropped| dropped != *one));
            }
            Signal::Receipt { .. } => {}
            Signal::Typing { conversation, member, on, ttl_ms } => {
                if member == listener {
                    wrong.push(format!("{conversation}: {listener} was told of its own typing"));
                }
                if !is_inside(evidence, device, conversation) {
                    wrong.push(format!("{conversation}: {listener} heard {member} type from outside"));
                }
                if evidence.owners.get(&member).is_none_or(|owner| *owner != device.tenant) {
                    wrong.push(format!("{conversation}: {listener} heard the stranger {member} type"));
                }
                match on {
                    true => open.insert((conversation, member), heard.at + ttl_ms + TYPING_SLACK),
                    false => open.remove(&(conversation, member)),
                };
            }
        }
    }
    late(&mut open, device.until);
    wrong.into_iter().for_each(|what| broken(found, "typing", what));
}
