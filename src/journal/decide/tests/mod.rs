//! Properties of the deciding core: whatever is asked, in whatever order, the promises hold after every command.
//! `step` is what happens, `simulation` plays it in batches on a store in `memory`, `checks` are the promises, `version`
//! that of a command that says what it was based on. A batch loads only what its commands want; every command is also
//! decided on a set that holds everything, and both must come to the same: so a forgotten want fails here.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod attachments;
mod attributes;
mod checks;
mod checks_staff;
mod late_looks;
mod memory;
mod notifications;
mod ratings;
mod routing;
mod simulation;
mod sla;
mod step;
mod step_staff;
mod strategy;
mod timers;
mod version;

use proptest::prelude::*;

use crate::domain::conversation::{CloseReason, ConversationRow, ConversationStatus};
use crate::domain::member::Role;
use crate::domain::presence::Sighting;
use crate::journal::command::Command;
use crate::journal::commands::{Close, Open};
use crate::kernel::{Code, TenantId};
use simulation::Simulation;
use step::{Step, draft};
use strategy::step;

const SHOP: TenantId = TenantId(1);
const RIVAL: TenantId = TenantId(2);
/// Admin, supervisor, two agents, three visitors; then the rival's administrator and visitor.
const PEOPLE: [(TenantId, Role); 9] = [
    (SHOP, Role::Admin),
    (SHOP, Role::Supervisor),
    (SHOP, Role::Agent),
    (SHOP, Role::Agent),
    (SHOP, Role::Customer),
    (SHOP, Role::Customer),
    (SHOP, Role::Customer),
    (RIVAL, Role::Admin),
    (RIVAL, Role::Customer),
];
/// The agent who accepts one conversation at a time.
const LIMITED: usize = 2;
/// Stands in everything that only the staff may read.
const SECRET: &str = "backstage-word";

proptest! {
    #![proptest_config(ProptestConfig { max_shrink_iters: 4_000, ..ProptestConfig::default() })]

    #[test]
    fn the_promises_hold_after_every_command(steps in proptest::collection::vec(step(), 1..120)) {
        let mut simulation = Simulation::new();
        simulation.play(&steps);
    }
}

/// A backstage log is judged by its conversation, and a merged conversation by the one that goes on: two steps away
/// from what the command names.
#[test]
fn the_notes_of_a_merged_conversation_are_judged_by_the_one_that_goes_on() {
    let mut simulation = Simulation::new();
    simulation.play(&[
        Step::Open { who: 0, customer: 4, key: None },
        Step::Open { who: 5, customer: 5, key: None },
        Step::Note { who: 0, conversation: 1, key: 0 },
        Step::Assign { who: 0, conversation: 3, agent: 3 },
        Step::Merge { from: 5, into: 4 },
        Step::Close { who: 0, conversation: 0 },
        Step::Commit,
        Step::Update { who: 3, conversation: 2, what: 0 },
    ]);
}

/// The row of an agent that is not in any more does not move when its former conversation is opened again.
#[test]
fn reopening_changes_no_row_of_who_has_left() {
    let mut simulation = Simulation::new();
    simulation.play(&[
        Step::Open { who: 6, customer: 6, key: None },
        Step::Send { who: 6, conversation: 0, key: 0, text: 0, reply: None, read: None },
        Step::Claim { who: 2, conversation: 0 },
        Step::Close { who: 6, conversation: 0 },
        Step::Remove { who: 0, conversation: 0, member: 2 },
        Step::Note { who: 0, conversation: 0, key: 0 },
        Step::Merge { from: 4, into: 5 },
        Step::Commit,
        Step::Open { who: 4, customer: 4, key: None },
        Step::Reopen { who: 0, conversation: 0 },
    ]);
}

/// Who opened a conversation is in it by itself, and its group serves it then: it cannot leave the one without the other.
#[test]
fn who_came_by_itself_stays_with_its_group() {
    let mut simulation = Simulation::new();
    simulation.play(&[
        Step::Open { who: 2, customer: 4, key: None },
        Step::Dock { who: 0, conversation: 0, group: 0 },
        Step::Remove { who: 0, conversation: 0, member: 2 },
        Step::Remove { who: 2, conversation: 0, member: 2 },
        Step::Commit,
        Step::Remove { who: 0, conversation: 0, member: 2 },
    ]);
}

/// The last one of a group leaves in the batch in which another place is followed: what the group serves is freed by the
/// following of who left, for which it is loaded.
#[test]
fn a_group_that_is_empty_since_this_batch_is_followed_by_who_left() {
    let mut simulation = Simulation::new();
    simulation.play(&[
        Step::Open { who: 4, customer: 4, key: None },
        Step::Dock { who: 0, conversation: 0, group: 0 },
        Step::Commit,
        Step::Switch { who: 2, on: false },
        Step::Follow { group: 0, member: 0 },
        Step::Commit,
        Step::Follow { group: 0, member: 2 },
    ]);
    let waits = |row: &ConversationRow| row.status == Some(ConversationStatus::Open);
    assert!(simulation.store.conversations.values().any(waits));
}

/// The staff opened a conversation for a visitor, and say the same again for the customer whom the visitor turns out to
/// be in the same batch.
#[test]
fn an_opening_is_found_in_what_a_merge_of_the_same_batch_brings() {
    let mut simulation = Simulation::new();
    simulation.play(&[
        Step::Open { who: 0, customer: 5, key: Some(3) },
        Step::Close { who: 0, conversation: 0 },
        Step::Commit,
        Step::Merge { from: 5, into: 4 },
        Step::Open { who: 0, customer: 4, key: Some(3) },
    ]);
}

/// A group that is routed where agents claim: the strategy is read for the look and for the command.
#[test]
fn a_groups_own_strategy_is_wanted() {
    let mut simulation = Simulation::new();
    simulation.play(&[
        Step::Presence { who: 2, what: 0 },
        Step::Look { who: 2, seen: Some(Sighting::Live) },
        Step::Open { who: 4, customer: 4, key: None },
        Step::RouteGroup { who: 0, group: 0, strategy: Some(1) },
        Step::Route,
    ]);
    let served = simulation.store.conversations.values().filter_map(checks::serving);
    assert_eq!(served.collect::<Vec<_>>(), [simulation.people[2].member]);
}

/// An opening whose answer was lost is sent again, also after somebody closed what it made.
#[test]
fn openings_can_be_repeated() {
    let mut simulation = Simulation::new();
    let visitor = simulation.people[4];
    let opening = |text| {
        let message = Some(draft(1, text, None));
        Command::new(visitor, Open { message, ..Open::of(visitor.member) })
    };
    let open = opening(1);
    let first = simulation.decide(&open).unwrap();
    let (conversation, entry) = (first.conversation.unwrap(), first.entry.unwrap());
    let again = simulation.decide(&open).unwrap();
    assert!(again.duplicate && !again.created && again.entry.unwrap().seq == entry.seq);
    let close = Close { conversation, reason: CloseReason::Resolved, note: String::new() };
    simulation.decide(&Command::new(simulation.people[0], close)).unwrap();
    let late = simulation.decide(&open).unwrap();
    assert!(late.duplicate && late.conversation == Some(conversation), "{late:?}");
    let error = simulation.decide(&opening(2)).unwrap_err();
    assert_eq!(error.code, Code::IdempotencyConflict);
}

/// An opening is known by its key, also when others were opened and closed in between, and in later batches.
#[test]
fn an_opening_is_found_over_all_conversations_of_its_customer() {
    let mut simulation = Simulation::new();
    let visitor = simulation.people[4];
    let open = |key| {
        let message = Some(draft(key, 0, None));
        Command::new(visitor, Open { message, ..Open::of(visitor.member) })
    };
    let mut conversations = Vec::new();
    for key in 1..4 {
        let conversation = simulation.decide(&open(key)).unwrap().conversation.unwrap();
        let close = Close { conversation, reason: CloseReason::Resolved, note: String::new() };
        simulation.decide(&Command::new(simulation.people[0], close)).unwrap();
        simulation.commit();
        conversations.push(conversation);
    }
    let fourth = simulation.decide(&open(4)).unwrap();
    assert!(fourth.created);
    for (key, conversation) in (1..4).zip(conversations) {
        let again = simulation.decide(&open(key)).unwrap();
        assert!(again.duplicate && !again.created && again.conversation == Some(conversation), "{again:?}");
    }
}
