//! One working set on which steps are played, and the clients that follow it.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::checks::{Held, Picture, check_logs, check_moves, check_owners, picture, serving, sync};
use super::step::{Step, named_room};
use super::{PEOPLE, RIVAL, SHOP};
use crate::domain::actor::Actor;
use crate::domain::conversation::{ConversationKind, MemberType, ParticipantRow};
use crate::domain::member::{MemberStatus, Role};
use crate::journal::command::{Action, Command, Reply};
use crate::journal::decide::decide;
use crate::journal::working_set::{MemberFacts, TenantFacts, WorkingSet};
use crate::kernel::{Clock, Code, ConversationId, Error, IdGenerator, MemberId, SessionId};

pub(super) struct Simulation {
    pub(super) set: WorkingSet,
    pub(super) people: Vec<Actor>,
    /// Messages that were acknowledged, with their entry: what a client may send again for ever.
    pub(super) sent: Vec<(Command, ConversationId, i64)>,
    /// Stored assignments that have not ended, by room.
    pub(super) holding: HashMap<ConversationId, MemberId>,
    /// What each member's client holds, and up to which rev.
    pub(super) clients: HashMap<MemberId, (i64, BTreeMap<ConversationId, Held>)>,
}

impl Simulation {
    pub(super) fn new() -> Self {
        let clock = Clock::default();
        let ids = Arc::new(IdGenerator::new(clock));
        ids.lease(1, i64::MAX);
        let mut set = WorkingSet::new(1_000_000_000_000, ids);
        for tenant in [SHOP, RIVAL] {
            let facts = TenantFacts {
                rev: 0,
                rev_before: 0,
                suspended: false,
                edit_window_ms: 900_000,
                recall_window_ms: 120_000,
            };
            set.tenants.insert(tenant, facts);
        }
        let mut people = Vec::new();
        for (index, (tenant, role)) in PEOPLE.into_iter().enumerate() {
            let id = MemberId(index as i64 + 1);
            let facts = MemberFacts {
                id,
                tenant,
                role,
                status: MemberStatus::Enabled,
                deleted: false,
                expires_at: None,
                nickname: format!("{role} {index}"),
                avatar: String::new(),
                merged_into: None,
            };
            set.members.insert(id, facts);
            set.sessions.insert(id, vec![SessionId(id.0)]);
            people.push(Actor { tenant, member: id, role, session: SessionId(id.0) });
        }
        Self { set, people, sent: Vec::new(), holding: HashMap::new(), clients: HashMap::new() }
    }

    /// The room with this number, backstage rooms included; an unknown one while there is none.
    pub(super) fn room(&self, number: usize) -> ConversationId {
        let mut rooms: Vec<_> = self.set.conversations.keys().copied().collect();
        rooms.sort();
        if rooms.is_empty() { ConversationId(404) } else { rooms[number % rooms.len()] }
    }

    pub(super) fn front(&self, number: usize) -> ConversationId {
        let room = self.room(number);
        self.set.conversations.get(&room).and_then(|row| row.parent_id).unwrap_or(room)
    }

    pub(super) fn take(&mut self, step: &Step) {
        match step {
            Step::Commit => self.commit(),
            Step::Wait { minutes } => self.set.now += minutes * 60_000,
            Step::Retry { which } => self.retry(*which),
            _ => {
                if let Step::Merge { .. } = step {
                    // Loading fills these for a merge; here everything is always loaded.
                    self.load_owned();
                }
                let command = self.command(step).expect("a command");
                self.submit(&command);
            }
        }
    }

    pub(super) fn load_owned(&mut self) {
        self.set.owned.clear();
        let mut rows: Vec<_> = self.set.conversations.values().collect();
        rows.sort_by_key(|row| row.id);
        for row in rows {
            if let Some(customer) = row.customer_id {
                self.set.owned.entry(customer).or_default().push(row.id);
            }
        }
    }

    pub(super) fn submit(&mut self, command: &Command) {
        let before = picture(&self.set);
        let result = decide(&mut self.set, command);
        let after = picture(&self.set);
        match &result {
            Err(error) => {
                assert_eq!(before, after, "a rejected command changed something: {command:?}: {error}");
            }
            Ok(reply) => self.accepted(command, reply, &before, &after),
        }
        self.check_rights(command, &result, &before);
        check_logs(&after);
        check_moves(&before, &after);
        check_owners(&after);
        self.check_assignments(&after);
        self.check_changes(&after);
    }

    pub(super) fn accepted(&mut self, command: &Command, reply: &Reply, before: &Picture, after: &Picture) {
        let (old, new) = (&before.tenants[&command.actor.tenant.0], &after.tenants[&command.actor.tenant.0]);
        assert!(new.rev == old.rev || new.rev == old.rev + 1, "a command took more than one rev");
        if reply.duplicate && !reply.created {
            assert_eq!(before, after, "a repeated message changed something");
        }
        for (key, entry) in &after.entries {
            if !before.entries.contains_key(key) {
                assert_eq!(entry.rev, new.rev, "an entry has another rev than its command");
            }
        }
        let sent = matches!(command.action, Action::Send { .. } | Action::Open { message: Some(_), .. });
        if sent && let Some(entry) = &reply.entry {
            let room = entry.conversation_id;
            self.sent.push((command.clone(), room, entry.seq));
        }
    }

    /// A client that got no answer sends again: it gets the entry of the first time, whatever happened since.
    pub(super) fn retry(&mut self, which: usize) {
        if self.sent.is_empty() {
            return;
        }
        let (command, room, seq) = self.sent[which % self.sent.len()].clone();
        // An opening is known by the customer's newest conversation only: see `openings_can_be_repeated`.
        let Action::Send { draft, .. } = &command.action else { return };
        let key = draft.client_msg_id.clone();
        let sender = self.set.members.get(&command.actor.member).expect("a member");
        let usable = sender.is_usable(self.set.now);
        let before = picture(&self.set);
        let result = decide(&mut self.set, &command);
        assert_eq!(before, picture(&self.set), "a retry of {key} changed something");
        match result {
            Ok(reply) => {
                let entry = reply.entry.clone().expect("the first answer's entry");
                assert!(reply.duplicate && (entry.conversation_id, entry.seq) == (room, seq), "{reply:?}");
            }
            Err(error) => assert!(!usable, "a retry of {key} was refused: {error}"),
        }
    }

    /// Isolation: the rival's people never do anything to the shop's rooms, nor visitors to other people's rooms,
    /// and what they are told is that there is nothing.
    pub(super) fn check_rights(&self, command: &Command, result: &Result<Reply, Error>, before: &Picture) {
        let Some(room) = named_room(&command.action).and_then(|id| before.rooms.get(&id)) else { return };
        let actor = &command.actor;
        let foreign = room.tenant_id != actor.tenant;
        let not_own = actor.role == Role::Customer
            && !before.participants.get(&(room.id, actor.member)).is_some_and(ParticipantRow::is_in);
        if !foreign && !not_own {
            return;
        }
        match result {
            // A visitor may get the first answer to its own message again after it was merged away.
            Ok(reply) => assert!(!foreign && reply.duplicate, "{command:?} was accepted"),
            Err(error) => {
                let told = [Code::NotFound, Code::AccountDisabled, Code::IdempotencyConflict];
                assert!(told.contains(&error.code), "{command:?} learned {error}");
            }
        }
    }

    pub(super) fn check_assignments(&self, after: &Picture) {
        let mut holding = self.holding.clone();
        for ended in &self.set.ended_assignments {
            assert!(holding.remove(&ended.conversation).is_some(), "an assignment ended twice");
        }
        for row in self.set.assignments.iter().filter(|row| row.ended_at.is_none()) {
            assert_eq!(holding.insert(row.conversation_id, row.agent_id), None, "two assignments at once");
        }
        for room in after.rooms.values() {
            assert_eq!(holding.get(&room.id).copied(), serving(room), "assignments differ from {room:?}");
        }
    }

    /// What the readers are told covers every rev of the batch and every new entry, in order.
    pub(super) fn check_changes(&self, after: &Picture) {
        let told = self.set.changes();
        for changes in &told {
            let facts = &after.tenants[&changes.tenant.0];
            assert_eq!((changes.rev_from, changes.rev_to), (facts.rev_before + 1, facts.rev));
            let order: Vec<_> =
                changes.entries.iter().map(|entry| (entry.rev, entry.conversation_id, entry.seq)).collect();
            assert!(order.windows(2).all(|pair| pair[0] < pair[1]), "{order:?}");
            for entry in &changes.entries {
                assert!(changes.rooms.contains_key(&entry.conversation_id), "an entry without its room");
                let room = &changes.rooms[&entry.conversation_id];
                if room.conversation.kind == ConversationKind::Backstage {
                    let to_visitor =
                        room.recipients(entry).any(|one| one.member_type == MemberType::Customer);
                    assert!(!to_visitor, "a note goes to a visitor");
                }
            }
        }
        let entries: usize = told.iter().map(|changes| changes.entries.len()).sum();
        assert_eq!(entries, self.set.appended.len());
    }

    /// Stores the batch, lets every second client sync, and checks that those that synced hold the truth.
    pub(super) fn commit(&mut self) {
        let set = &mut self.set;
        for facts in set.tenants.values_mut() {
            facts.rev_before = facts.rev;
        }
        for ended in set.ended_assignments.drain(..) {
            self.holding.remove(&ended.conversation);
        }
        for row in set.assignments.drain(..).filter(|row| row.ended_at.is_none()) {
            self.holding.insert(row.conversation_id, row.agent_id);
        }
        set.merged.clear();
        for facts in set.members.values() {
            if let Some(into) = facts.merged_into {
                set.merged.entry(into).or_default().push(facts.id);
            }
        }
        set.appended.clear();
        set.rewritten.clear();
        set.revisions.clear();
        set.created_conversations.clear();
        set.changed_conversations.clear();
        set.created_participants.clear();
        set.changed_participants.clear();
        set.revoked_sessions.clear();
        set.changed_members.clear();
        set.changed_tenants.clear();
        set.delivered.clear();
        let after = picture(&self.set);
        let head = after.tenants[&SHOP.0].rev;
        for actor in self.people.iter().filter(|actor| actor.tenant == SHOP) {
            let syncs = (head + actor.member.0) % 2 == 0;
            if syncs {
                let client = self.clients.entry(actor.member).or_default();
                sync(client, &after, actor.member, head);
            }
        }
    }
}
