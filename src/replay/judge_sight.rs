//! Who saw what by groups, and who is in what at the end. Pure, as `judge` is.

use std::collections::{BTreeSet, HashMap, HashSet};

use super::evidence::{DeskEvidence, DeviceView, Evidence, Violation, broken};
use super::history::Id;
use super::judge_events::{Event, Offerer, Step, groups_of};

/// What the logs say of who may see what.
struct Reach<'a> {
    desk: &'a DeskEvidence,
    /// Whose matter each conversation was at any time.
    groups: HashMap<Id, Vec<Option<Id>>>,
    /// Who was asked to take what over.
    asked: HashSet<(Id, Id)>,
}

/// Finds who saw what it should not, and who of the staff is not in what it serves or is in what it does not.
pub(super) fn sight(
    evidence: &Evidence,
    desk: &DeskEvidence,
    steps: &[Step<'_>],
    found: &mut Vec<Violation>,
) {
    let asked = steps.iter().filter_map(|step| match step.event {
        Event::Offered(agent, Offerer::Agent) => Some((step.conversation, agent)),
        _ => None,
    });
    let reach = Reach { desk, groups: groups_of(steps), asked: asked.collect() };
    let serving = serving(desk, steps);
    for device in evidence.devices.iter().filter(|device| device.tenant == desk.tenant) {
        reach.seen(evidence, device, found);
        inside(desk, &serving, device, found);
    }
}

impl Reach<'_> {
    /// Nobody of the staff saw a conversation of another group that it never served, nor what stands behind it.
    fn seen(&self, evidence: &Evidence, device: &DeviceView, found: &mut Vec<Violation>) {
        let member = device.member;
        let Some(agent) = self.desk.agents.get(&member).filter(|agent| !agent.groups.is_empty()) else {
            return;
        };
        let in_sight = |group: &Option<Id>| group.is_none_or(|group| agent.groups.contains(&group));
        let reaches = |id: Id| {
            let known = self.desk.conversations.get(&id);
            known.is_none_or(|known| {
                self.groups.get(&id).is_some_and(|groups| groups.iter().any(in_sight))
                    || self.asked.contains(&(id, member))
                    || known.assignments.iter().any(|one| one.agent == member)
            })
        };
        for id in &device.ids {
            let front = evidence.backstages.get(id).copied().unwrap_or(*id);
            // Who sees the conversation in which a customer goes on may read the older one, and learns of the newer.
            let related = self.desk.conversations.iter().filter(|(other, known)| {
                known.merged_into == Some(front)
                    || self.desk.conversations.get(&front).is_some_and(|one| one.merged_into == Some(**other))
            });
            if !reaches(front) && !related.into_iter().any(|(other, _)| reaches(*other)) {
                broken(found, "P7", format!("{member} saw {id}, which is another group's"));
            }
        }
    }
}

/// Who serves what at the end, or served it when it was closed: its agent, or everybody in its group.
fn serving(desk: &DeskEvidence, steps: &[Step<'_>]) -> HashMap<Id, BTreeSet<Id>> {
    let mut serving: HashMap<Id, BTreeSet<Id>> = HashMap::new();
    for step in steps {
        let now = match step.event {
            Event::Waits | Event::Freed(..) => BTreeSet::new(),
            Event::Given(agent, ..) => BTreeSet::from([agent]),
            Event::Docked => {
                let in_group = |group| move |id: &Id| desk.agents[id].groups.contains(&group);
                step.group.map_or_else(BTreeSet::new, |group| {
                    desk.agents.keys().copied().filter(in_group(group)).collect()
                })
            }
            _ => continue,
        };
        serving.insert(step.conversation, now);
    }
    serving
}

/// What one of the staff serves stands in its inbox, and nothing else that customers wrote.
fn inside(
    desk: &DeskEvidence,
    serving: &HashMap<Id, BTreeSet<Id>>,
    device: &DeviceView,
    found: &mut Vec<Violation>,
) {
    let member = device.member;
    if !desk.agents.contains_key(&member) {
        return;
    }
    for (conversation, who) in serving {
        let (serves, has) = (who.contains(&member), device.inbox.contains_key(conversation));
        if serves && !has {
            broken(found, "P4", format!("{conversation}: {member} serves it, and its inbox has it not"));
        }
        if has && !serves {
            broken(found, "P7", format!("{conversation}: in the inbox of {member}, who does not serve it"));
        }
    }
}

#[cfg(test)]
#[path = "judge_sight_tests.rs"]
mod tests;
