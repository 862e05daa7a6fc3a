//! The queue in front of a lane: bounded, with a share for each tenant, so that one tenant's flood is that tenant's
//! problem alone.

use std::collections::{HashMap, VecDeque};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use super::command::{Action, Command, Draft, Reply};
use crate::kernel::{Code, Error, Result, TenantId};

/// Commands that may wait for one lane; beyond it everybody is told `busy`.
pub const CAPACITY: usize = 4_096;
/// Commands of one tenant that may wait; beyond it that tenant is told `tenant_busy`.
pub const TENANT_SHARE: usize = CAPACITY / 4;
/// Most commands in a batch.
pub const BATCH_COMMANDS: usize = 256;
/// Most bytes of content in a batch.
pub const BATCH_BYTES: usize = 1 << 20;
/// After so many skips a tenant's commands run alone and wait a moment for its lock.
const SKIPS_BEFORE_ALONE: u32 = 3;

/// A command and its caller.
#[derive(Debug)]
pub struct Pending {
    /// What is to be done.
    pub command: Command,
    /// Since when it waits.
    pub since: Instant,
    /// How often its tenant was locked by another process.
    pub skips: u32,
    caller: Option<oneshot::Sender<Result<Reply>>>,
}

impl Pending {
    /// A command with the place where its answer goes.
    pub fn new(command: Command) -> (Self, oneshot::Receiver<Result<Reply>>) {
        let (caller, answer) = oneshot::channel();
        (Self { command, since: Instant::now(), skips: 0, caller: Some(caller) }, answer)
    }

    /// Answers the caller; one that went away does not mind.
    pub fn answer(mut self, answer: Result<Reply>) {
        if let Some(caller) = self.caller.take() {
            let _ = caller.send(answer);
        }
    }

    /// Whose command it is.
    pub fn tenant(&self) -> TenantId {
        self.command.actor.tenant
    }

    fn bytes(&self) -> usize {
        let draft = |draft: &Draft| draft.body.content.len();
        256 + match &self.command.action {
            Action::Send { draft: one, .. } => draft(one),
            Action::Open { message: Some(one), .. } => draft(one),
            Action::Edit { body, .. } => body.content.len(),
            _ => 0,
        }
    }
}

/// The queue of one lane.
#[derive(Debug, Default)]
pub struct Queue {
    state: Mutex<State>,
    ready: Condvar,
}

#[derive(Debug, Default)]
struct State {
    commands: VecDeque<Pending>,
    by_tenant: HashMap<TenantId, usize>,
    /// Something beside the commands waits (a write closure, or the end).
    nudged: bool,
    stopping: bool,
}

/// What the lane is to do next.
#[derive(Debug)]
pub enum Next {
    /// These commands, possibly none when the lane was only woken.
    Batch(Vec<Pending>),
    /// These commands of one tenant that was skipped, alone.
    Alone(Vec<Pending>),
    /// Nothing more: the lane ends.
    Stop,
}

impl Queue {
    /// Queues a command. Errors: `busy`, `tenant_busy`, `draining`.
    pub fn push(&self, command: Command) -> Result<oneshot::Receiver<Result<Reply>>> {
        let mut state = self.lock();
        if state.stopping {
            return Err(Error::new(Code::Draining, Code::Draining.meaning()));
        }
        if state.commands.len() >= CAPACITY {
            return Err(Error::new(Code::Busy, "the write queue is full").retry_after(500));
        }
        let count = state.by_tenant.entry(command.actor.tenant).or_insert(0);
        if *count >= TENANT_SHARE {
            return Err(Error::new(Code::TenantBusy, Code::TenantBusy.meaning()).retry_after(1_000));
        }
        *count += 1;
        let (pending, answer) = Pending::new(command);
        state.commands.push_back(pending);
        drop(state);
        self.ready.notify_one();
        Ok(answer)
    }

    /// Puts commands of skipped tenants back to the front, in their order.
    pub fn put_back(&self, commands: Vec<Pending>) {
        let mut state = self.lock();
        for mut pending in commands.into_iter().rev() {
            pending.skips += 1;
            *state.by_tenant.entry(pending.tenant()).or_insert(0) += 1;
            state.commands.push_front(pending);
        }
    }

    /// Waits until there is something to do and takes it. There is no timer: the previous commit is the timer.
    pub fn next(&self) -> Next {
        let mut state = self.lock();
        while state.commands.is_empty() && !state.nudged && !state.stopping {
            state = self.ready.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        let nudged = std::mem::take(&mut state.nudged);
        if state.commands.is_empty() && state.stopping && !nudged {
            return Next::Stop;
        }
        let alone =
            state.commands.front().filter(|first| first.skips >= SKIPS_BEFORE_ALONE).map(Pending::tenant);
        let taken = match alone {
            Some(tenant) => state.take_tenant(tenant),
            None => state.take(),
        };
        if alone.is_some() { Next::Alone(taken) } else { Next::Batch(taken) }
    }

    /// Wakes the lane.
    pub fn nudge(&self) {
        self.lock().nudged = true;
        self.ready.notify_one();
    }

    /// Lets the lane finish what waits and end.
    pub fn stop(&self) {
        self.lock().stopping = true;
        self.ready.notify_all();
    }

    /// Whether the lane was told to end.
    pub fn is_stopping(&self) -> bool {
        self.lock().stopping
    }

    /// How many commands wait.
    pub fn len(&self) -> usize {
        self.lock().commands.len()
    }

    /// Whether none waits.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn take(&mut self) -> Vec<Pending> {
        let mut taken = Vec::new();
        let mut bytes = 0;
        while let Some(first) = self.commands.front() {
            bytes += first.bytes();
            if taken.len() >= BATCH_COMMANDS || (bytes > BATCH_BYTES && !taken.is_empty()) {
                break;
            }
            if let Some(pending) = self.commands.pop_front() {
                self.forget(pending.tenant());
                taken.push(pending);
            }
        }
        taken
    }

    fn take_tenant(&mut self, tenant: TenantId) -> Vec<Pending> {
        let all = std::mem::take(&mut self.commands);
        let mut taken = Vec::new();
        for pending in all {
            if pending.tenant() == tenant && taken.len() < BATCH_COMMANDS {
                self.forget(tenant);
                taken.push(pending);
            } else {
                self.commands.push_back(pending);
            }
        }
        taken
    }

    fn forget(&mut self, tenant: TenantId) {
        if let Some(count) = self.by_tenant.get_mut(&tenant) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                self.by_tenant.remove(&tenant);
            }
        }
    }
}

/// How long a command waits for a tenant that another process holds before its caller is told `busy`.
pub const SKIP_PATIENCE: Duration = Duration::from_secs(3);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::actor::Actor;
    use crate::domain::member::Role;
    use crate::kernel::{ConversationId, MemberId, SessionId};

    fn command(tenant: i64) -> Command {
        let actor =
            Actor { tenant: TenantId(tenant), member: MemberId(1), role: Role::Agent, session: SessionId(1) };
        Command { actor, action: Action::Claim { conversation: ConversationId(1) } }
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
    fn a_skipped_tenant_runs_alone_after_three_skips() {
        let queue = Queue::default();
        let _answers = [queue.push(command(1)), queue.push(command(2))];
        for _ in 0..SKIPS_BEFORE_ALONE {
            let Next::Batch(taken) = queue.next() else { unreachable!("a batch was due") };
            let (skipped, done): (Vec<_>, Vec<_>) =
                taken.into_iter().partition(|one| one.tenant() == TenantId(1));
            queue.put_back(skipped);
            for pending in done {
                let tenant = pending.tenant().0;
                pending.answer(Ok(Reply::default()));
                let _ = queue.push(command(tenant));
            }
        }
        let Next::Alone(taken) = queue.next() else { unreachable!("the tenant was due alone") };
        assert!(taken.iter().all(|one| one.tenant() == TenantId(1)));
    }
}
