//! Telling of SLA clocks: only to whoever has read the log of the conversation, before and behind it, to its end.

use super::simulation::Simulation;
use super::step::Step;
use super::{SECRET, SHOP};
use crate::domain::actor::Principal;
use crate::domain::entry::EntryKind;
use crate::domain::notice::SlaContent;
use crate::domain::sla::SlaMetric;
use crate::journal::command::Command;
use crate::journal::commands::TellSla;
use crate::kernel::{ConversationId, Millis, SlaPolicyId};

/// The service finds that a clock is late, with what it has read of the log.
#[derive(Debug, Clone)]
pub(super) struct SlaStep {
    pub(super) conversation: usize,
    /// It has not read the last rev.
    pub(super) is_late: bool,
}

impl Simulation {
    /// The command of such a step.
    pub(super) fn tell_sla(&self, step: &SlaStep) -> Command {
        let rev = self.set.tenants.get(&SHOP).map_or(0, |facts| facts.rev);
        self.tell(self.conversation(step.conversation), rev - i64::from(step.is_late))
    }

    fn tell(&self, conversation: ConversationId, through_rev: i64) -> Command {
        let content = SlaContent {
            metric: SlaMetric::Resolution,
            policy_id: SlaPolicyId(1),
            policy_name: SECRET.to_owned(),
            started_seq: 1,
            started_at: Millis(0),
            due_at: Millis(1),
        };
        let told = vec![(EntryKind::SlaWarned, content.clone()), (EntryKind::SlaBreached, content)];
        Command::new(Principal::System(SHOP), TellSla { conversation, through_rev, told })
    }

    fn told(&self) -> usize {
        let kinds = [EntryKind::SlaWarned, EntryKind::SlaBreached];
        self.store.entries.values().filter(|entry| kinds.contains(&entry.kind)).count()
    }
}

#[test]
fn a_clock_is_told_once_and_only_when_nothing_was_written_since() {
    let mut simulation = Simulation::new();
    simulation.play(&[Step::Open { who: 4, customer: 4, key: Some(1) }, Step::Commit]);
    let conversation = simulation.conversation(0);
    let rev = |simulation: &Simulation| simulation.store.conversations[&conversation].last_rev;
    let opened = rev(&simulation);
    let early = simulation.tell(conversation, opened - 1);
    simulation.decide(&early).unwrap();
    simulation.commit();
    assert_eq!(simulation.told(), 0, "who asks has not read the opening");
    // Twice in one batch, and in the next one.
    let told = simulation.tell(conversation, opened);
    for _ in 0..2 {
        simulation.decide(&told).unwrap();
    }
    simulation.commit();
    simulation.decide(&told).unwrap();
    simulation.commit();
    assert_eq!(simulation.told(), 2, "both, each once");
    simulation.play(&[
        Step::Send { who: 4, conversation: 0, key: 3, text: 1, reply: None, read: None },
        Step::Commit,
    ]);
    let behind = rev(&simulation) - 1;
    let stale = simulation.tell(conversation, behind);
    simulation.decide(&stale).unwrap();
    simulation.commit();
    assert_eq!(simulation.told(), 2, "something was said since");
    let again = simulation.tell(conversation, rev(&simulation));
    simulation.decide(&again).unwrap();
    simulation.commit();
    assert_eq!(simulation.told(), 4);
    let by_staff =
        Command::new(simulation.people[0], TellSla { conversation, through_rev: i64::MAX, told: Vec::new() });
    assert!(simulation.decide(&by_staff).is_err());
}
