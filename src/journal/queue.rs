//! The queue in front of a lane: bounded, with a share for each tenant, so that one tenant's flood is that tenant's
//! problem alone.
//!
//! Owns what waits and in which order. A tenant whose log another process holds waits beside the queue with a time of
//! its own: the lane only asks for it in passing, and after a few refusals a second thread waits for its lock alone.
//! Invariants: commands of one tenant keep their order; a tenant is worked on by one thread at a time; a held tenant
//! costs another one nothing; nobody is worked on whose caller was told [`overdue`].

mod state;

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use self::state::{HELD_IN_BATCH, Held, SKIPS_BEFORE_ALONE, State};
use super::command::{Command, Reply};
use crate::kernel::{Code, Error, Result, TenantId};

/// Commands that may wait for one lane; beyond it everybody is told `busy`.
pub const CAPACITY: usize = 4_096;
/// Commands of one tenant that may wait; beyond it that tenant is told `tenant_busy`.
pub const TENANT_SHARE: usize = CAPACITY / 4;
/// Most commands in a batch.
pub const BATCH_COMMANDS: usize = 256;
/// Most bytes of content in a batch.
pub const BATCH_BYTES: usize = 1 << 20;
/// How long a caller waits for its answer; then it is told `busy`, and the outcome is unknown.
pub const DEADLINE: Duration = Duration::from_secs(10);
/// How long a command waits for a tenant that another process holds before its caller is told `busy`.
pub const SKIP_PATIENCE: Duration = Duration::from_secs(3);

/// What a caller is told whose command was not answered in time.
pub fn overdue() -> Error {
    let detail = "the database did not answer in time; whether this was stored is unknown: repeat it with the same key";
    Error::new(Code::Busy, detail).retry_after(1_000)
}

/// A command and its caller.
#[derive(Debug)]
pub struct Pending {
    /// What is to be done.
    pub command: Command,
    /// Since when it waits.
    pub since: Instant,
    caller: Option<oneshot::Sender<Result<Reply>>>,
}

impl Pending {
    /// A command with the place where its answer goes.
    pub fn new(command: Command) -> (Self, oneshot::Receiver<Result<Reply>>) {
        let (caller, answer) = oneshot::channel();
        (Self { command, since: Instant::now(), caller: Some(caller) }, answer)
    }

    /// Answers the caller; one that went away does not mind.
    pub fn answer(mut self, answer: Result<Reply>) {
        if let Some(caller) = self.caller.take() {
            let _ = caller.send(answer);
        }
    }

    /// Whether its caller was told [`overdue`].
    pub fn is_overdue(&self) -> bool {
        self.since.elapsed() >= DEADLINE
    }

    /// Whose command it is.
    pub fn tenant(&self) -> TenantId {
        self.command.tenant()
    }

    fn bytes(&self) -> usize {
        self.command.bytes()
    }
}

/// The queue of one lane.
#[derive(Debug, Default)]
pub struct Queue {
    state: Mutex<State>,
    /// Wakes the lane.
    ready: Condvar,
    /// Wakes the second thread.
    held: Condvar,
}

/// What the lane is to do next.
#[derive(Debug)]
pub enum Next {
    /// These commands, possibly none when the lane was only woken.
    Batch(Vec<Pending>, Turns),
    /// Nothing more: the lane ends.
    Stop,
}

/// The held tenants that a batch tries again. Dropping it lets those go that were not found locked once more,
/// however the batch ended.
#[derive(Debug)]
pub struct Turns {
    queue: Arc<Queue>,
    tenants: Vec<TenantId>,
}

impl Drop for Turns {
    fn drop(&mut self) {
        self.queue.end_turns(&self.tenants);
    }
}

impl Queue {
    /// Queues a command. Errors: `busy`, `tenant_busy`, `draining`.
    pub fn push(&self, command: Command) -> Result<oneshot::Receiver<Result<Reply>>> {
        let mut guard = self.lock();
        let state = &mut *guard;
        if state.stopping {
            return Err(Error::new(Code::Draining, Code::Draining.meaning()));
        }
        if state.len() >= CAPACITY {
            return Err(Error::new(Code::Busy, "the write queue is full").retry_after(500));
        }
        let tenant = command.tenant();
        let count = state.by_tenant.entry(tenant).or_insert(0);
        if *count >= TENANT_SHARE {
            return Err(Error::new(Code::TenantBusy, Code::TenantBusy.meaning()).retry_after(1_000));
        }
        *count += 1;
        let (pending, answer) = Pending::new(command);
        match state.held.get_mut(&tenant) {
            Some(held) => held.commands.push_back(pending),
            None => state.commands.push_back(pending),
        }
        drop(guard);
        self.ready.notify_one();
        Ok(answer)
    }

    /// Lets commands wait whose tenants were found locked, in front of whatever else those tenants want.
    pub fn hold(&self, commands: Vec<Pending>) {
        if commands.is_empty() {
            return;
        }
        let mut guard = self.lock();
        let state = &mut *guard;
        let mut by_tenant: HashMap<TenantId, VecDeque<Pending>> = HashMap::new();
        for pending in commands {
            *state.by_tenant.entry(pending.tenant()).or_insert(0) += 1;
            by_tenant.entry(pending.tenant()).or_default().push_back(pending);
        }
        for (tenant, mut first) in by_tenant {
            let before = state.held.remove(&tenant);
            let skips = before.as_ref().map_or(0, |held| held.skips) + 1;
            match before {
                Some(held) => first.extend(held.commands),
                None => first.extend(state.withdraw(tenant)),
            }
            let pause = Duration::from_millis(if skips < SKIPS_BEFORE_ALONE { 10 } else { 50 });
            let held = Held { commands: first, skips, due: Instant::now() + pause, turn: false };
            state.held.insert(tenant, held);
        }
        drop(guard);
        self.ready.notify_one();
        self.held.notify_one();
    }

    fn end_turns(&self, tenants: &[TenantId]) {
        if tenants.is_empty() {
            return;
        }
        let mut guard = self.lock();
        let state = &mut *guard;
        for tenant in tenants {
            if state.held.get(tenant).is_some_and(|held| held.turn)
                && let Some(held) = state.held.remove(tenant)
            {
                state.commands.extend(held.commands);
            }
        }
        drop(guard);
        self.ready.notify_one();
        self.held.notify_one();
    }

    /// Waits until there is something to do and takes it. There is no timer: the previous commit is the timer.
    pub fn next(self: &Arc<Self>) -> Next {
        let mut state = self.lock();
        loop {
            let now = Instant::now();
            if state.commands.is_empty() && state.held.is_empty() && state.stopping && !state.nudged {
                return Next::Stop;
            }
            let due = state.next_due(State::in_passing(state.stopping));
            if state.nudged || !state.commands.is_empty() || due.is_some_and(|due| due <= now) {
                break;
            }
            state = match due {
                Some(due) => wait_until(&self.ready, state, due - now),
                None => self.ready.wait(state).unwrap_or_else(PoisonError::into_inner),
            };
        }
        state.nudged = false;
        let which = State::in_passing(state.stopping);
        let (mut taken, tenants) = state.take_held(HELD_IN_BATCH, which);
        state.take(&mut taken);
        drop(state);
        Next::Batch(taken, Turns { queue: self.clone(), tenants })
    }

    /// For the second thread: waits until a tenant is due that was found locked several times, and takes its commands;
    /// `None` when there will be none.
    pub fn next_alone(self: &Arc<Self>) -> Option<(Vec<Pending>, Turns)> {
        let mut state = self.lock();
        loop {
            let now = Instant::now();
            if state.stopping {
                return None;
            }
            let due = state.next_due(|held| held.skips >= SKIPS_BEFORE_ALONE);
            if let Some(due) = due
                && due <= now
            {
                break;
            }
            state = match due {
                Some(due) => wait_until(&self.held, state, due - now),
                None => self.held.wait(state).unwrap_or_else(PoisonError::into_inner),
            };
        }
        let (taken, tenants) = state.take_held(1, |held| held.skips >= SKIPS_BEFORE_ALONE);
        drop(state);
        Some((taken, Turns { queue: self.clone(), tenants }))
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
        self.held.notify_all();
    }

    /// How many commands wait.
    pub fn len(&self) -> usize {
        self.lock().len()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn wait_until<'a>(
    condition: &Condvar,
    state: MutexGuard<'a, State>,
    pause: Duration,
) -> MutexGuard<'a, State> {
    match condition.wait_timeout(state, pause) {
        Ok((state, _)) => state,
        Err(poisoned) => poisoned.into_inner().0,
    }
}

#[cfg(test)]
mod tests;
