//! The judgement: what the clients did and saw, against the server's own logs. Pure: it gets all the evidence and
//! returns every violation of a promise. What tenants that route promise beside stands in `judge_desk`, `judge_turns` and
//! `judge_waiting`.

use std::collections::{HashMap, HashSet};

use super::client::fact::Fact;
use super::client::view::Row;
use super::evidence::{DeviceView, Evidence, Violation, broken};
use super::history::{Action, Done, Id};
use super::{judge_desk, judge_files, judge_live, judge_ratings, judge_search, judge_turns, judge_waiting};

/// Unread is told exactly up to here; beyond, "at least this" is enough.
const UNREAD_CAP: i64 = 100;

/// Finds every violation.
pub fn judge(evidence: &Evidence) -> Vec<Violation> {
    let mut found = Vec::new();
    logs(evidence, &mut found);
    messages(evidence, &mut found);
    actions(evidence, &mut found);
    strangers(evidence, &mut found);
    judge_search::searches(evidence, &mut found);
    judge_ratings::ratings(evidence, &mut found);
    judge_files::files(evidence, &mut found);
    for desk in &evidence.desks {
        judge_desk::desk(evidence, desk, &mut found);
        judge_turns::turns(evidence, desk, &mut found);
        judge_waiting::waiting(evidence, desk, &mut found);
    }
    for device in &evidence.devices {
        for contradiction in &device.contradictions {
            broken(&mut found, "P4", format!("{}: {contradiction}", device.member));
        }
        if !device.retired {
            view(evidence, device, &mut found);
            unread(evidence, device, &mut found);
            judge_live::rows(device, &mut found);
        }
        judge_live::receipts(evidence, device, &mut found);
        judge_live::typing(evidence, device, &mut found);
        foreign(evidence, device, &mut found);
    }
    found.sort_by(|one, other| (one.promise, &one.what).cmp(&(other.promise, &other.what)));
    found
}

/// P3: dense from 1, running counts true. P2: no key twice.
fn logs(evidence: &Evidence, found: &mut Vec<Violation>) {
    let mut keys: HashMap<(Id, &str), (Id, i64)> = HashMap::new();
    for (conversation, log) in &evidence.logs {
        let (mut expected, mut messages, mut rev) = (0, 0, 0);
        for fact in &log.entries {
            expected += 1;
            messages += i64::from(fact.message);
            if fact.seq != expected {
                broken(
                    found,
                    "P3",
                    format!("{conversation}: seq {} stands where {expected} belongs", fact.seq),
                );
                expected = fact.seq;
            }
            if fact.msg_count != messages {
                broken(
                    found,
                    "P3",
                    format!("{conversation}/{}: msg_count {} is not {messages}", fact.seq, fact.msg_count),
                );
                messages = fact.msg_count;
            }
            if fact.rev < rev {
                broken(found, "P3", format!("{conversation}/{}: rev {} after {rev}", fact.seq, fact.rev));
            }
            rev = fact.rev;
            if let (Some(sender), Some(key)) = (fact.sender, fact.key.as_deref())
                && let Some((other, seq)) = keys.insert((sender, key), (*conversation, fact.seq))
            {
                broken(
                    found,
                    "P2",
                    format!("{conversation}/{} and {other}/{seq}: both are {key} of {sender}", fact.seq),
                );
            }
        }
    }
}

/// P1: what was acknowledged is there, as it was said. P2: one answer for one key; what was refused is not there.
fn messages(evidence: &Evidence, found: &mut Vec<Violation>) {
    let mut present: HashMap<(Id, &str), (Id, &Fact)> = HashMap::new();
    for (conversation, log) in &evidence.logs {
        for fact in &log.entries {
            if let (Some(sender), Some(key)) = (fact.sender, fact.key.as_deref()) {
                present.insert((sender, key), (*conversation, fact));
            }
        }
    }
    for sending in &evidence.sendings {
        let key = &sending.key;
        let entry = present.get(&(sending.sender, &**key));
        let tenant =
            entry.and_then(|(conversation, _)| evidence.logs.get(conversation)).map(|log| log.tenant);
        if let Some(tenant) = tenant.filter(|tenant| *tenant != sending.tenant) {
            broken(found, "P7", format!("{key}: sent in tenant {} and found in {tenant}", sending.tenant));
        }
        if sending.acknowledged.len() > 1 {
            broken(
                found,
                "P2",
                format!("{key}: acknowledged as different entries {:?}", sending.acknowledged),
            );
        }
        for seq in &sending.acknowledged {
            match entry {
                None => broken(found, "P1", format!("{key}: acknowledged as entry {seq} and absent")),
                Some((conversation, fact)) => {
                    if fact.seq != *seq || sending.conversation.is_some_and(|asked| asked != *conversation) {
                        let (asked, seq_found) = (sending.conversation, fact.seq);
                        broken(
                            found,
                            "P1",
                            format!(
                                "{key}: acknowledged as {asked:?}/{seq}, found as {conversation}/{seq_found}"
                            ),
                        );
                    }
                    if let Some(what) = judge_live::content(sending, fact) {
                        broken(found, "P1", format!("{key}: {conversation}/{seq} {what}"));
                    }
                }
            }
        }
        if let (Some(code), true, false, Some((conversation, fact))) =
            (&sending.refused, sending.acknowledged.is_empty(), sending.unknown, entry)
        {
            broken(
                found,
                "P2",
                format!("{key}: refused ({code}) and present as {conversation}/{}", fact.seq),
            );
        }
    }
}

/// P1: what was acknowledged holds. P6: one conversation, one agent.
fn actions(evidence: &Evidence, found: &mut Vec<Violation>) {
    let mut holders: HashMap<Id, Id> = HashMap::new();
    let inboxes: HashMap<(Id, Id), &Row> = evidence
        .devices
        .iter()
        .flat_map(|device| {
            device.inbox.iter().map(|(conversation, row)| ((device.member, *conversation), row))
        })
        .collect();
    let routed =
        |conversation: &Id| evidence.desks.iter().any(|desk| desk.conversations.contains_key(conversation));
    for done in &evidence.done {
        let conversation = done.conversation;
        let kinds = |kind: &str| {
            let entries =
                evidence.logs.get(&conversation).map(|log| log.entries.as_slice()).unwrap_or_default();
            entries.iter().filter(|fact| &*fact.kind == kind).count()
        };
        match done.action {
            // Tenants that route: see `judge_kept`.
            Action::Claimed if routed(&conversation) => {}
            Action::Claimed => {
                if kinds("assigned") == 0 {
                    broken(
                        found,
                        "P1",
                        format!("{conversation}: claimed by {} and no assignment in the log", done.member),
                    );
                }
                if let Some(other) = holders.insert(conversation, done.member)
                    && other != done.member
                {
                    broken(
                        found,
                        "P6",
                        format!(
                            "{conversation}: {other} and {} were both told that it is theirs",
                            done.member
                        ),
                    );
                }
            }
            Action::Accepted
            | Action::Declined
            | Action::Asked { .. }
            | Action::Docked { .. }
            | Action::GivenToGroup { .. }
            | Action::Rated { .. }
            | Action::Uploaded { .. } => {}
            Action::Closed if kinds("closed") == 0 => {
                broken(found, "P1", format!("{conversation}: closed for {} and not in the log", done.member));
            }
            Action::Closed => {}
            // The last of them decides: see below.
            Action::Read { .. } | Action::MarkedUnread { .. } => {}
        }
    }
    for ((member, conversation), (version, seq)) in positions(&evidence.done) {
        let Some(row) = inboxes.get(&(member, conversation)) else { continue };
        let (now, now_version) = (row.read_seq, row.read_ver);
        if now_version < version || (now_version == version && now < seq) {
            let told = format!("{member} was told version {version} seq {seq}");
            broken(found, "P1", format!("{conversation}: {told}, the row says {now_version} {now}"));
        }
    }
    for (conversation, log) in evidence.logs.iter().filter(|(conversation, _)| !routed(conversation)) {
        let assigned = log.entries.iter().filter(|fact| &*fact.kind == "assigned").count();
        let released =
            log.entries.iter().filter(|fact| matches!(&*fact.kind, "released" | "reopened")).count();
        if assigned > released + 1 {
            broken(found, "P6", format!("{conversation}: assigned {assigned} times without a release"));
        }
    }
}

/// The highest version of each member's read position, and how far it was told to be read in that version.
fn positions(done: &[Done]) -> HashMap<(Id, Id), (i64, i64)> {
    let mut positions: HashMap<(Id, Id), (i64, i64)> = HashMap::new();
    for done in done {
        let told = match done.action {
            Action::Read { seq, version } => (version, seq),
            Action::MarkedUnread { version } => (version, 0),
            _ => continue,
        };
        let known = positions.entry((done.member, done.conversation)).or_insert(told);
        *known = (*known).max(told);
    }
    positions
}

/// P4: the device's logs equal the server's. P3: in the same order.
fn view(evidence: &Evidence, device: &DeviceView, found: &mut Vec<Violation>) {
    let member = device.member;
    for (conversation, entries) in &device.logs {
        let Some(log) = evidence.logs.get(conversation) else {
            broken(
                found,
                "P4",
                format!("{conversation}: {member} has {} entries, the server none", entries.len()),
            );
            continue;
        };
        if let Some((own, server)) =
            entries.iter().zip(&log.entries).find(|(own, server)| own.digest != server.digest)
        {
            let promise = if own.seq == server.seq { "P4" } else { "P3" };
            let told = entries.iter().filter(|fact| fact.changed_entry() == Some(server.seq));
            let told: Vec<i64> = told.map(|fact| fact.seq).collect();
            let (own, server) = (own.brief(), server.brief());
            let what =
                format!("a device of {member} has {own}, the server {server}, changes told by {told:?}");
            broken(found, promise, format!("{conversation}: {what}"));
        }
        if entries.len() != log.entries.len() {
            let (own, server) = (entries.len(), log.entries.len());
            broken(found, "P4", format!("{conversation}: {member} has {own} entries, the server {server}"));
        }
    }
    for conversation in device.inbox.keys() {
        if !device.logs.contains_key(conversation) {
            broken(found, "P4", format!("{conversation}: in the inbox of {member}, unknown to its device"));
        }
    }
}

/// P5: unread as the inbox and as the device tell it, against the definition.
fn unread(evidence: &Evidence, device: &DeviceView, found: &mut Vec<Violation>) {
    let member = device.member;
    // Only the customer itself writes as a customer to its conversation, be it before it was recognised as this member.
    let customers: HashSet<Id> =
        evidence.devices.iter().filter(|one| one.customer).map(|one| one.member).collect();
    let own = |sender: Option<Id>| {
        sender == Some(member) || (device.customer && sender.is_some_and(|id| customers.contains(&id)))
    };
    let agrees = |told: i64, defined: i64| told == defined || (told >= UNREAD_CAP && defined >= UNREAD_CAP);
    for (conversation, row) in &device.inbox {
        let Some(log) = evidence.logs.get(conversation) else { continue };
        let head = log.entries.last().map_or(0, |fact| fact.seq);
        let unread = log
            .entries
            .iter()
            .filter(|fact| fact.message && !fact.recalled && fact.seq > row.read_seq && !own(fact.sender))
            .count();
        let defined = i64::try_from(unread).unwrap_or(i64::MAX);
        if !agrees(row.unread, defined) {
            broken(
                found,
                "P5",
                format!("{conversation}: {member} has {defined} unread, the inbox says {}", row.unread),
            );
        }
        if let Some(shown) = device.unread.get(conversation).filter(|shown| !agrees(**shown, defined)) {
            broken(
                found,
                "P5",
                format!("{conversation}: {member} has {defined} unread, its device shows {shown}"),
            );
        }
        if row.read_seq > head || row.seq != head {
            broken(
                found,
                "P4",
                format!(
                    "{conversation}: the row of {member} says seq {} read {}, the head is {head}",
                    row.seq, row.read_seq
                ),
            );
        }
    }
}

/// P7: nothing of another tenant, neither in a log nor in anything that reached a device.
fn strangers(evidence: &Evidence, found: &mut Vec<Violation>) {
    for (conversation, log) in &evidence.logs {
        let senders: HashSet<Id> = log.entries.iter().filter_map(|fact| fact.sender).collect();
        for sender in senders {
            if evidence.owners.get(&sender).is_some_and(|owner| *owner != log.tenant) {
                let what =
                    format!("{conversation} of tenant {} holds words of {sender} of another", log.tenant);
                broken(found, "P7", what);
            }
        }
    }
}

fn foreign(evidence: &Evidence, device: &DeviceView, found: &mut Vec<Violation>) {
    for id in &device.ids {
        if device.customer && (evidence.backstages.contains_key(id) || evidence.rooms.contains(id)) {
            broken(found, "P7", format!("visitor {} saw the staff's log {id}", device.member));
        }
        if let Some(owner) = evidence.owners.get(id).filter(|owner| **owner != device.tenant) {
            broken(
                found,
                "P7",
                format!("{} of tenant {} saw {id} of tenant {owner}", device.member, device.tenant),
            );
        }
    }
}

#[cfg(test)]
#[path = "judge_tests.rs"]
mod tests;
