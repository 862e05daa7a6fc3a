//! The queue with one thread: what it gives out, to whom and in which order.

use super::state::SKIPS_BEFORE_ALONE;
use super::*;
use crate::domain::actor::{Actor, Origin};
use crate::domain::member::Role;
use crate::domain::operation::OperationSet;
use crate::journal::commands::{Action, Claim};
use crate::kernel::{ConversationId, MemberId, SessionId};

fn command(tenant: i64) -> Command {
    let actor = Actor {
        operations: OperationSet::ALL,
        tenant: TenantId(tenant),
        member: MemberId(1),
        role: Role::Agent,
        session: SessionId(1),
        origin: Origin::default(),
    };
    Command::new(actor, Claim { conversation: ConversationId(1) })
}

fn numbered(tenant: i64, number: i64) -> Command {
    Command { action: Claim { conversation: ConversationId(number) }.into(), ..command(tenant) }
}

fn numbers(taken: &[Pending]) -> Vec<i64> {
    let number = |pending: &Pending| match pending.command.action {
        Action::Claim(Claim { conversation }) => conversation.0,
        _ => 0,
    };
    taken.iter().map(number).collect()
}

fn batch(queue: &Arc<Queue>) -> (Vec<Pending>, Turns) {
    let Next::Batch(taken, turns) = queue.next() else { unreachable!("a batch was due") };
    (taken, turns)
}

#[test]
fn one_tenant_fills_its_share_and_leaves_room_for_others() {
    let queue = Queue::default();
    for _ in 0..TENANT_SHARE {
        assert!(queue.push(command(1)).is_ok());
    }
    assert_eq!(queue.push(command(1)).err().map(|error| error.code), Some(Code::TenantBusy));
    assert!(queue.push(command(2)).is_ok());
}

#[test]
fn a_held_tenant_leaves_the_batches_to_others_and_keeps_its_order() {
    let queue = Arc::new(Queue::default());
    let mut answers = vec![queue.push(numbered(1, 1))];
    for _ in 0..SKIPS_BEFORE_ALONE {
        let (taken, turns) = batch(&queue);
        assert_eq!(numbers(&taken), [1]);
        queue.hold(taken);
        drop(turns);
    }
    answers.push(queue.push(numbered(1, 2)));
    answers.extend((0..3).map(|number| queue.push(numbered(2, 10 + number))));
    // The lane is given the other tenant's commands only; the held one's are for the second thread.
    let (taken, turns) = batch(&queue);
    assert_eq!(numbers(&taken), [10, 11, 12]);
    drop(turns);
    let Some((taken, turns)) = queue.next_alone() else { unreachable!("the tenant was due alone") };
    assert_eq!(numbers(&taken), [1, 2]);
    // What comes while the second thread works waits for it.
    answers.push(queue.push(numbered(1, 3)));
    answers.push(queue.push(numbered(2, 13)));
    let (others, _) = batch(&queue);
    assert_eq!(numbers(&others), [13]);
    // The lock was free: the tenant comes back to the queue.
    drop(turns);
    let (taken, _) = batch(&queue);
    assert_eq!(numbers(&taken), [3]);
    assert_eq!(queue.len(), 0);
}

#[test]
fn what_waits_behind_a_locked_command_waits_with_it() {
    let queue = Arc::new(Queue::default());
    let _answers: Vec<_> =
        (0..=BATCH_COMMANDS as i64).map(|number| queue.push(numbered(1, number))).collect();
    let (taken, turns) = batch(&queue);
    assert_eq!(taken.len(), BATCH_COMMANDS);
    queue.hold(taken);
    drop(turns);
    let (taken, turns) = batch(&queue);
    assert_eq!(numbers(&taken)[..3], [0, 1, 2], "the last one did not overtake the others");
    queue.hold(taken);
    drop(turns);
    assert_eq!(queue.len(), BATCH_COMMANDS + 1);
}

#[test]
fn whoever_was_told_that_it_took_too_long_is_not_worked_on() {
    let queue = Arc::new(Queue::default());
    let Ok(mut late) = queue.push(numbered(1, 1)) else { unreachable!("the queue was empty") };
    let early = queue.push(numbered(1, 2));
    let mut state = queue.lock();
    if let (Some(first), Some(since)) = (state.commands.front_mut(), Instant::now().checked_sub(DEADLINE)) {
        first.since = since;
    }
    drop(state);
    let (taken, _turns) = batch(&queue);
    assert_eq!(numbers(&taken), [2]);
    let told = late.try_recv().ok().and_then(Result::err).map(|error| error.code);
    assert_eq!(told, Some(Code::Busy));
    drop(early);
}
