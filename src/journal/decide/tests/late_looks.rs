//! What routing does when the desk has changed between its look and its command.

use super::LIMITED;
use super::checks::serving;
use super::simulation::Simulation;
use super::step::Step;
use crate::domain::conversation::CloseReason;
use crate::domain::presence::Sighting;
use crate::journal::command::Command;
use crate::journal::commands::{Claim, Close, Open, Release};
use crate::kernel::{ConversationId, MemberId};

/// Serves any number.
const OTHER: usize = 3;

/// The limited agent and another one are there, and routing gives conversations away without asking.
fn desk() -> Simulation {
    let mut simulation = Simulation::new();
    let there = |who| [Step::Presence { who, what: 0 }, Step::Look { who, seen: Some(Sighting::Live) }];
    simulation.play(&[there(LIMITED), there(OTHER)].concat());
    simulation.play(&[Step::Routing { mode: 1 }]);
    simulation
}

/// A visitor begins a conversation.
fn open(simulation: &mut Simulation, visitor: usize) -> ConversationId {
    let visitor = simulation.people[visitor];
    let reply = simulation.decide(&Command::new(visitor, Open::of(visitor.member))).unwrap();
    simulation.set.now += 1;
    reply.conversation.unwrap()
}

fn claim(simulation: &mut Simulation, agent: usize, conversation: ConversationId) {
    simulation.submit(&Command::new(simulation.people[agent], Claim { conversation }));
}

fn close(simulation: &mut Simulation, conversation: ConversationId) {
    let close = Close { conversation, reason: CloseReason::Resolved, note: String::new() };
    simulation.submit(&Command::new(simulation.people[0], close));
}

/// Who serves it.
fn agent_of(simulation: &Simulation, conversation: ConversationId) -> Option<MemberId> {
    simulation.row(conversation).and_then(serving)
}

/// The other agent gave the first in the queue back, so that it waits for the limited one, who has no room at the look.
/// When that one has room at the command, it must not be given what waits behind.
#[test]
fn an_agent_who_is_free_since_the_look_is_kept_for_the_first_in_the_queue() {
    let mut simulation = desk();
    let served = open(&mut simulation, 4);
    claim(&mut simulation, LIMITED, served);
    let first = open(&mut simulation, 5);
    claim(&mut simulation, OTHER, first);
    let release = Release { conversation: first, note: String::new() };
    simulation.submit(&Command::new(simulation.people[OTHER], release));
    let second = open(&mut simulation, 6);
    let look = simulation.look();
    close(&mut simulation, served);
    simulation.submit(&look);
    let other = simulation.people[OTHER].member;
    assert_eq!(agent_of(&simulation, first), None);
    assert_eq!(agent_of(&simulation, second), Some(other));
    simulation.give_away();
    assert_eq!(agent_of(&simulation, first), Some(simulation.people[LIMITED].member));
}

/// Who was chosen for the first has no room any more: the one behind it waits for the next look, which gives the first to
/// whoever was chosen for the second.
#[test]
fn the_first_in_the_queue_is_not_passed_when_its_agent_is_gone() {
    let mut simulation = desk();
    let (first, second) = (open(&mut simulation, 5), open(&mut simulation, 6));
    let look = simulation.look();
    let third = open(&mut simulation, 4);
    claim(&mut simulation, LIMITED, third);
    let reply = simulation.decide(&look).unwrap();
    assert!(reply.more && reply.rev == 0, "{reply:?}");
    assert_eq!((agent_of(&simulation, first), agent_of(&simulation, second)), (None, None));
    simulation.give_away();
    let other = Some(simulation.people[OTHER].member);
    assert_eq!((agent_of(&simulation, first), agent_of(&simulation, second)), (other, other));
}

/// What somebody has claimed since the look is left alone, and what waits behind it is given away all the same.
#[test]
fn what_was_taken_since_the_look_keeps_nobody_waiting() {
    let mut simulation = desk();
    let (first, second) = (open(&mut simulation, 5), open(&mut simulation, 6));
    let look = simulation.look();
    claim(&mut simulation, OTHER, first);
    simulation.submit(&look);
    let other = Some(simulation.people[OTHER].member);
    assert_eq!(agent_of(&simulation, first), other);
    assert_eq!(agent_of(&simulation, second), other);
}
