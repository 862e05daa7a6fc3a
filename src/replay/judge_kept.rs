//! What a tenant's lists keep of its conversations, and what was acknowledged, against the logs. Pure, as `judge` is.

use super::client::fact::Fact;
use super::evidence::{ConversationEvidence, DeskEvidence, Evidence, Receiver, Violation, broken};
use super::history::{Action, Id};
use super::judge_events::{Event, Step};

/// Finds what the lists and the answers of the server say differently from the logs.
pub(super) fn kept(evidence: &Evidence, desk: &DeskEvidence, steps: &[Step<'_>], found: &mut Vec<Violation>) {
    for (conversation, known) in &desk.conversations {
        let own: Vec<&Step<'_>> = steps.iter().filter(|step| step.conversation == *conversation).collect();
        assignments(evidence, *conversation, known, found);
        transfers(*conversation, known, &own, found);
        answers(evidence, *conversation, known, &own, found);
        if own.last().is_some_and(|last| last.group != known.group) {
            let (told, last) = (known.group, own.last().and_then(|last| last.group));
            broken(found, "P6", format!("{conversation}: group {last:?} by the log, {told:?} as it is told"));
        }
    }
}

/// One assignment holds of a conversation that an agent serves, and none of any other.
fn assignments(evidence: &Evidence, id: Id, known: &ConversationEvidence, found: &mut Vec<Violation>) {
    let holding: Vec<Id> = known.assignments.iter().filter(|one| one.holds).map(|one| one.agent).collect();
    let expected: Vec<Id> = known.agent.filter(|_| known.status == "pending").into_iter().collect();
    if holding != expected {
        broken(
            found,
            "P6",
            format!("{id} is {} with {expected:?}, and the assignments say {holding:?}", known.status),
        );
    }
    // Who is handed a conversation has it from the moment that the other has it no more.
    let handed = |pair: &&[_]| matches!(pair, [_, other] if is_handed(other));
    for pair in known.assignments.windows(2).filter(handed) {
        if pair[0].times.1 != pair[1].times.0 {
            let (left, came) = (&pair[0].times.1, &pair[1].times.0);
            let what = format!("{id}: {} had it until {left}, {} since {came}", pair[0].agent, pair[1].agent);
            broken(found, "P6", what);
        }
    }
    let given = evidence
        .logs
        .get(&id)
        .map_or(0, |log| log.entries.iter().filter(|fact| &*fact.kind == "assigned").count());
    if given != known.assignments.len() {
        let rows = known.assignments.len();
        broken(found, "P6", format!("{id}: {given} times given in the log, {rows} assignments"));
    }
}

/// Whether it came from another agent; a group that served it has no assignment.
fn is_handed(one: &super::evidence::AssignmentEvidence) -> bool {
    one.reason == "transfer" && one.from.is_some()
}

/// The list of transfers is what the log says, in the same order.
fn transfers(id: Id, known: &ConversationEvidence, own: &[&Step<'_>], found: &mut Vec<Violation>) {
    let handed = |step: &&Step<'_>| match step.event {
        Event::Given(agent, Some(one), _) if one.reason == "transfer" => {
            Some((one.from, Receiver::Agent(agent)))
        }
        Event::Freed(agent, Some("group_transfer")) => Some((agent, Receiver::Group(step.group?))),
        _ => None,
    };
    let log: Vec<_> = own.iter().filter_map(handed).collect();
    if log != known.transfers {
        let told = &known.transfers;
        broken(found, "P6", format!("{id}: handed over {log:?} by the log, {told:?} by the list"));
    }
}

/// P1 for what was acknowledged: it was done.
fn answers(
    evidence: &Evidence,
    id: Id,
    known: &ConversationEvidence,
    own: &[&Step<'_>],
    found: &mut Vec<Violation>,
) {
    let has = |log: Option<Id>, kind: &str, agent: Id| {
        let entries = log.and_then(|log| evidence.logs.get(&log)).map(|log| log.entries.as_slice());
        let is = |fact: &Fact| &*fact.kind == kind && fact.about == Some(agent);
        entries.unwrap_or_default().iter().any(is)
    };
    let went = |to: Id, event: fn(&Event<'_>) -> bool| {
        own.iter().any(|step| event(&step.event) && step.group == Some(to))
    };
    for done in evidence.done.iter().filter(|done| done.conversation == id) {
        let was_done = match done.action {
            Action::Accepted | Action::Claimed => has(Some(id), "assigned", done.member),
            Action::Declined => has(known.backstage, "declined", done.member),
            // Nothing is offered to who has it already.
            Action::Asked { agent } => {
                has(known.backstage, "offered", agent) || has(Some(id), "assigned", agent)
            }
            Action::Docked { group } => went(group, |event| *event == Event::Docked),
            Action::GivenToGroup { group } => {
                went(group, |event| matches!(event, Event::Freed(_, Some("group_transfer"))))
            }
            Action::Closed
            | Action::Read { .. }
            | Action::MarkedUnread { .. }
            | Action::Rated { .. }
            | Action::Uploaded { .. } => true,
        };
        if !was_done {
            let what = format!("{id}: {:?} for {}, and the log does not say so", done.action, done.member);
            broken(found, "P1", what);
        }
    }
}

#[cfg(test)]
#[path = "judge_kept_tests.rs"]
mod tests;
