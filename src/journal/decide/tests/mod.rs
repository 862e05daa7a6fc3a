//! Properties of the deciding core: whatever is asked, in whatever order, the promises hold after every command.
//! `step` is what happens, `simulation` plays it on one working set, `checks` are the promises.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod checks;
mod simulation;
mod step;

use proptest::prelude::*;

use super::decide;
use crate::domain::conversation::CloseReason;
use crate::domain::member::Role;
use crate::journal::command::{Action, Command};
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
    let open = Command {
        actor: visitor,
        action: Action::Open {
            customer: visitor.member,
            subject: String::new(),
            message: Some(draft(1, 1, None)),
        },
    };
    let first = decide(&mut simulation.set, &open).unwrap();
    let (room, entry) = (first.conversation.unwrap(), first.entry.unwrap());
    let again = decide(&mut simulation.set, &open).unwrap();
    assert!(again.duplicate && !again.created && again.entry.unwrap().seq == entry.seq);
    let close = Action::Close { conversation: room, reason: CloseReason::Resolved, note: String::new() };
    decide(&mut simulation.set, &Command { actor: simulation.people[0], action: close }).unwrap();
    let late = decide(&mut simulation.set, &open).unwrap();
    assert!(late.duplicate && late.conversation == Some(room), "{late:?}");
    let mut other = open.clone();
    other.action =
        Action::Open { customer: visitor.member, subject: String::new(), message: Some(draft(1, 2, None)) };
    let error = decide(&mut simulation.set, &other).unwrap_err();
    assert_eq!(error.code, Code::IdempotencyConflict);
}
