//! Properties of the deciding core: whatever is asked, in whatever order, the promises hold after every command.
//! `step` is what happens, `simulation` plays it in batches on a store in `memory`, `checks` are the promises. A batch
//! loads only what its commands want; every command is also decided on a set that holds everything, and both must
//! come to the same: so a forgotten want fails here.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod checks;
mod memory;
mod simulation;
mod step;

use proptest::prelude::*;

use crate::domain::conversation::CloseReason;
use crate::domain::member::Role;
use crate::journal::command::Command;
use crate::journal::commands::{Close, Open};
use crate::kernel::{Code, TenantId};
use simulation::Simulation;
use step::{draft, step};

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
/// Stands in everything that only the staff may read.
const SECRET: &str = "backstage-word";

proptest! {
    #![proptest_config(ProptestConfig { max_shrink_iters: 4_000, ..ProptestConfig::default() })]

    #[test]
    fn the_promises_hold_after_every_command(steps in proptest::collection::vec(step(), 1..120)) {
        let mut simulation = Simulation::new();
        for step in &steps {
            simulation.take(step);
        }
        simulation.commit();
        simulation.commit();
    }
}

/// An opening whose answer was lost is sent again, also after somebody closed what it made.
#[test]
fn openings_can_be_repeated() {
    let mut simulation = Simulation::new();
    let visitor = simulation.people[4];
    let opening = |text| {
        let message = Some(draft(1, text, None));
        Command::new(visitor, Open { customer: visitor.member, subject: String::new(), message })
    };
    let open = opening(1);
    let first = simulation.decide(&open).unwrap();
    let (room, entry) = (first.conversation.unwrap(), first.entry.unwrap());
    let again = simulation.decide(&open).unwrap();
    assert!(again.duplicate && !again.created && again.entry.unwrap().seq == entry.seq);
    let close = Close { conversation: room, reason: CloseReason::Resolved, note: String::new() };
    simulation.decide(&Command::new(simulation.people[0], close)).unwrap();
    let late = simulation.decide(&open).unwrap();
    assert!(late.duplicate && late.conversation == Some(room), "{late:?}");
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
        Command::new(visitor, Open { customer: visitor.member, subject: String::new(), message })
    };
    let mut rooms = Vec::new();
    for key in 1..4 {
        let room = simulation.decide(&open(key)).unwrap().conversation.unwrap();
        let close = Close { conversation: room, reason: CloseReason::Resolved, note: String::new() };
        simulation.decide(&Command::new(simulation.people[0], close)).unwrap();
        simulation.commit();
        rooms.push(room);
    }
    let fourth = simulation.decide(&open(4)).unwrap();
    assert!(fourth.created);
    for (key, room) in (1..4).zip(rooms) {
        let again = simulation.decide(&open(key)).unwrap();
        assert!(again.duplicate && !again.created && again.conversation == Some(room), "{again:?}");
    }
}
