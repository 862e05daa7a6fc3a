//! What one worker keeps for a tenant with sockets on it. Owns who is connected, who watches what, how far the
//! tenant's log was handed out, and what is held back for members whose inbox rows are being read. No I/O.

use std::collections::{HashMap, HashSet, VecDeque};
use std::rc::Rc;
use std::sync::Arc;

use super::follow::Follower;
use super::rows::Due;
use super::socket::Socket;
use super::watch::ReceiptNotice;
use crate::domain::actor::Actor;
use crate::journal::Changes;
use crate::journal::feed::Following;
use crate::kernel::{ConversationId, MemberId};

/// A tenant with sockets on this worker.
#[derive(Default)]
pub struct Tenant {
    /// Tells this one from an earlier one of the same tenant, whose tasks may still run.
    pub generation: u64,
    /// Where this worker stands in the tenant's log.
    pub follower: Follower,
    /// While it is here, the tail looks for what other processes commit for the tenant.
    pub following: Option<Following>,
    /// Changes that some members get later, in order.
    pub held: VecDeque<Held>,
    /// So many of the first held ones are being read for.
    pub reading: usize,
    /// Everything up to this rev has been handed out, or is held.
    pub delivered: i64,
    /// Signed-in sockets.
    pub members: HashMap<MemberId, Vec<Rc<Socket>>>,
    /// Who watches a conversation without being in it.
    pub watchers: HashMap<ConversationId, Vec<Rc<Socket>>>,
    /// Staff who watch the waiting ones.
    pub waiting: Vec<Rc<Socket>>,
    /// Positions that were last told.
    pub positions: HashMap<ConversationId, [i64; 4]>,
}

/// A conversation that the waiting list shows, and whose it is.
pub type Waiting = (ConversationId, Option<MemberId>);

/// Changes that wait until rows are read.
pub struct Held {
    /// What was committed.
    pub changes: Arc<Changes>,
    /// Who has not got them.
    pub members: HashSet<MemberId>,
    /// Who has got them without their rows.
    pub late: HashSet<MemberId>,
    /// The rows that go with them.
    pub due: Vec<Due>,
    /// Receipts that they have not got either.
    pub receipts: Vec<ReceiptNotice>,
    /// Whether they change the waiting list that somebody watches.
    pub queue: bool,
    /// The conversations that the waiting list shows, and whose they are.
    pub cards: Vec<Waiting>,
}

impl Held {
    /// Everybody who lacks something of it.
    pub fn everybody(&self) -> impl Iterator<Item = MemberId> + '_ {
        self.members.iter().chain(&self.late).copied()
    }
}

impl Tenant {
    /// The sockets of these members and of those who watch the conversation.
    pub fn audience<'a>(
        &'a self,
        conversation: ConversationId,
        members: &'a [MemberId],
    ) -> impl Iterator<Item = &'a Rc<Socket>> {
        let inside = members.iter().filter_map(|member| self.members.get(member)).flatten();
        let watching = self.watchers.get(&conversation).into_iter().flatten();
        inside.chain(
            watching.filter(move |socket| {
                socket.actor.get().is_some_and(|actor| !members.contains(&actor.member))
            }),
        )
    }

    /// The rev before the first changes of which something is held for this member.
    pub fn held_before(&self, member: MemberId) -> Option<i64> {
        let lacks = |held: &&Held| held.members.contains(&member) || held.late.contains(&member);
        self.held.iter().find(lacks).map(|held| held.changes.rev_from - 1)
    }

    /// Up to where everything has been handed to this member.
    pub fn delivered_to(&self, member: MemberId) -> i64 {
        self.held_before(member).unwrap_or(self.delivered)
    }

    /// Up to where everything has been handed to everybody.
    pub fn delivered_to_all(&self) -> i64 {
        self.held.front().map_or(self.delivered, |held| held.changes.rev_from - 1)
    }

    /// Who gets nothing before what is held for it.
    pub fn waiting_members(&self) -> HashSet<MemberId> {
        self.held.iter().flat_map(|held| held.members.iter().copied()).collect()
    }

    /// Adds a signed-in socket.
    pub fn add(&mut self, socket: &Rc<Socket>, actor: &Actor) {
        self.members.entry(actor.member).or_insert_with(|| Vec::with_capacity(1)).push(socket.clone());
    }

    /// Takes a socket out, with all that it watches.
    pub fn remove(&mut self, socket: &Rc<Socket>, actor: &Actor) {
        let is_other = |one: &Rc<Socket>| one.id != socket.id;
        if let Some(sockets) = self.members.get_mut(&actor.member) {
            sockets.retain(is_other);
            if sockets.is_empty() {
                self.members.remove(&actor.member);
            }
        }
        let pending = socket.pending.borrow();
        let Some(pending) = pending.as_ref() else { return };
        pending.watches.iter().for_each(|conversation| self.unwatch(socket, *conversation));
        if pending.waiting {
            self.waiting.retain(is_other);
        }
    }

    /// A socket no longer watches a conversation.
    pub fn unwatch(&mut self, socket: &Rc<Socket>, conversation: ConversationId) {
        if let Some(watchers) = self.watchers.get_mut(&conversation) {
            watchers.retain(|one| one.id != socket.id);
            if watchers.is_empty() {
                self.watchers.remove(&conversation);
            }
        }
    }

    /// Adds a socket's watches as it remembers them.
    pub fn restore_watches(&mut self, socket: &Rc<Socket>) {
        let pending = socket.pending.borrow();
        let Some(pending) = pending.as_ref() else { return };
        for conversation in &pending.watches {
            self.watchers.entry(*conversation).or_default().push(socket.clone());
        }
        if pending.waiting {
            self.waiting.push(socket.clone());
        }
    }
}
