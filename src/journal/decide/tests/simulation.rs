//! A store and the batch under way, on which steps are played, and the clients that follow it.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use super::attachments::check_attachments;
use super::checks::{
    Held, Picture, check_capacity, check_logs, check_merged, check_moves, check_owners, check_presences,
    check_queue, marks, picture, serving, sync,
};
use super::checks_staff::{
    check_docked_at_once, check_docking, check_groups, check_nothing_waits_for, check_rooms,
};
use super::memory::Memory;
use super::ratings::check_ratings;
use super::routing::check_offers;
use super::step::Step;
use super::step_staff::seed_group;
use super::timers::{REOPEN_SECONDS, TIMERS, check_reopening, check_timers};
use super::{LIMITED, PEOPLE, RIVAL, SHOP};
use crate::domain::actor::{Actor, Origin, Principal};
use crate::domain::conversation::{ConversationKind, ConversationRow, MemberType, ParticipantRow};
use crate::domain::member::{MemberStatus, Role};
use crate::domain::offer::OfferRow;
use crate::domain::operation::OperationSet;
use crate::domain::tenant::TenantSettings;
use crate::journal::command::{Command, Reply};
use crate::journal::commands::{Action, Open};
use crate::journal::decide::decide;
use crate::journal::wants::{Wants, load};
use crate::journal::working_set::{MemberFacts, TenantFacts, WorkingSet};
use crate::kernel::{Clock, Code, ConversationId, Error, GroupId, IdGenerator, MemberId, SessionId};

pub(super) struct Simulation {
    /// What was committed.
    pub(super) store: Memory,
    /// The batch under way.
    pub(super) set: WorkingSet,
    pub(super) people: Vec<Actor>,
    /// Messages that were acknowledged, with their entry: what a client may send again for ever.
    pub(super) sent: Vec<(Command, ConversationId, i64)>,
    /// Stored assignments that have not ended, by conversation.
    pub(super) holding: HashMap<ConversationId, MemberId>,
    /// What each member's client holds, and up to which rev.
    pub(super) clients: HashMap<MemberId, (i64, BTreeMap<ConversationId, Held>)>,
}

impl Simulation {
    pub(super) fn new() -> Self {
        let clock = Clock::default();
        let ids = Arc::new(IdGenerator::new(clock));
        ids.lease(1, i64::MAX);
        let set = WorkingSet::new(1_000_000_000_000, ids);
        let mut store = Memory::default();
        for tenant in [SHOP, RIVAL] {
            let settings = TenantSettings {
                disconnect_requeue_seconds: Some(90),
                away_requeue_seconds: Some(150),
                timers: TIMERS,
                reopen_window_seconds: Some(REOPEN_SECONDS),
                ..TenantSettings::default()
            };
            let facts = TenantFacts { rev: 0, suspended: false, state_rev: 0, settings, bans_version: 0 };
            store.tenants.insert(tenant, facts);
        }
        seed_group(&mut store);
        let mut people = Vec::new();
        for (index, (tenant, role)) in PEOPLE.into_iter().enumerate() {
            let id = MemberId(index as i64 + 1);
            let facts = MemberFacts {
                service_account: false,
                id,
                tenant,
                role,
                status: MemberStatus::Enabled,
                deleted: false,
                expires_at: None,
                nickname: format!("{role} {index}"),
                avatar: String::new(),
                merged_into: None,
                parent_id: None,
                max_accept: if index == LIMITED { 1 } else { 10 },
                rev: 0,
            };
            store.members.insert(id, facts);
            store.sessions.insert(id, vec![SessionId(id.0)]);
            let (session, origin) = (SessionId(id.0), Origin::default());
            people.push(Actor { tenant, member: id, role, session, origin, operations: OperationSet::ALL });
        }
        store.seed();
        Self { store, set, people, sent: Vec::new(), holding: HashMap::new(), clients: HashMap::new() }
    }

    /// A conversation or backstage log as it stands now.
    pub(super) fn row(&self, id: ConversationId) -> Option<&ConversationRow> {
        self.set.conversations.get(&id).or_else(|| self.store.conversations.get(&id))
    }

    /// The log with this number, backstage logs included; an unknown one while there is none.
    pub(super) fn conversation(&self, number: usize) -> ConversationId {
        let stored = self.store.conversations.keys().copied();
        let all: BTreeSet<_> = self.set.conversations.iter().map(|(id, _)| *id).chain(stored).collect();
        match all.len() {
            0 => ConversationId(404),
            count => all.into_iter().nth(number % count).expect("a conversation"),
        }
    }

    /// The places in groups that conversations still have to follow.
    fn follows(&self) -> BTreeSet<(GroupId, MemberId)> {
        let mut follows = self.store.follows.clone();
        for place in self.set.follows.touched() {
            follows.remove(&place);
        }
        follows.extend(self.set.follows.begun().map(|(_, group, member)| (group, member)));
        follows
    }

    /// The group with this number; an unknown one while there is none.
    pub(super) fn group(&self, number: usize) -> GroupId {
        let stored = self.store.groups.keys().copied();
        let all: BTreeSet<_> = self.set.groups.iter().map(|(id, _)| *id).chain(stored).collect();
        match all.len() {
            0 => GroupId(404),
            count => all.into_iter().nth(number % count).expect("a group"),
        }
    }

    pub(super) fn front(&self, number: usize) -> ConversationId {
        let id = self.conversation(number);
        self.row(id).and_then(|row| row.parent_id).unwrap_or(id)
    }

    pub(super) fn take(&mut self, step: &Step) {
        match step {
            Step::Commit => self.commit(),
            Step::Routing { mode } => self.set_routing(*mode),
            Step::Route => self.give_away(),
            Step::Timers => self.run_timers(),
            Step::Wait { minutes } => self.set.now += minutes * 60_000,
            Step::Retry { which } => self.retry(*which),
            Step::DockWaiting(group) => {
                let group = self.group(*group);
                self.submit(&self.command(step).expect("a command"));
                check_nothing_waits_for(&self.picture(), group, self.set.now);
            }
            _ => {
                if let Step::Look { who, seen } = step {
                    let member = self.people[*who].member;
                    match seen {
                        Some(sighting) => self.store.sightings.insert(member, *sighting),
                        None => self.store.sightings.remove(&member),
                    };
                }
                let command = self.command(step).expect("a command");
                self.submit(&command);
            }
        }
    }

    /// Takes the steps and commits what is left; a second commit must find nothing.
    pub(super) fn play(&mut self, steps: &[Step]) {
        steps.iter().for_each(|step| self.take(step));
        self.commit();
        self.commit();
    }

    pub(super) fn picture(&self) -> Picture {
        picture(&self.store, &self.set)
    }

    /// Decides a command on a set that holds what it wants, and on one that holds everything: both must come to the
    /// same.
    pub(super) fn decide(&mut self, command: &Command) -> Result<Reply, Error> {
        let mut full = self.set.clone();
        self.store.load_all(&mut full);
        let mut revs = self.store.revs();
        revs.retain(|tenant, _| *tenant == command.tenant());
        load(&mut self.store, &mut self.set, &revs, &[command]).expect("memory cannot fail");
        self.check_version(command);
        let result = decide(&mut self.set, command);
        let expected = decide(&mut full, command);
        let told = |result: &Result<Reply, Error>| match result {
            Ok(reply) => {
                let entry = reply.entry.as_ref().map(|entry| (entry.seq, entry.content.clone()));
                Ok((reply.created, reply.duplicate, reply.rev, reply.more, reply.read, entry))
            }
            Err(error) => Err(error.code),
        };
        assert_eq!(told(&result), told(&expected), "a want is forgotten: {command:?}");
        assert_eq!(marks(&self.set), marks(&full), "a want is forgotten: {command:?}");
        result
    }

    pub(super) fn submit(&mut self, command: &Command) {
        let before = self.picture();
        let result = self.decide(command);
        let after = self.picture();
        match &result {
            Err(error) => {
                assert_eq!(before, after, "a rejected command changed something: {command:?}: {error}");
            }
            Ok(reply) => {
                check_reopening(command, &before, self.set.now);
                check_docked_at_once(command, &before, &after, self.set.now);
                self.accepted(command, reply, &before, &after);
            }
        }
        self.check_rights(command, &result, &before);
        self.check_sight(command, &result, &before);
        check_logs(&after);
        check_moves(&before, &after);
        check_owners(&after);
        check_capacity(&before, &after);
        check_groups(&after, self.set.now);
        check_presences(&before, &after, &self.set.presence_changes);
        check_offers(after.offers.values());
        check_queue(&after);
        check_rooms(&after, self.set.now);
        check_docking(&after, &self.follows());
        check_timers(&before, &after, self.set.now);
        self.check_assignments(&after);
        check_merged(&after);
        check_ratings(&before, &after);
        check_attachments(&after);
        super::attributes::check_attributes(&before, &after);
        self.check_changes(&after);
    }

    pub(super) fn accepted(&mut self, command: &Command, reply: &Reply, before: &Picture, after: &Picture) {
        let (old, new) = (&before.tenants[&command.tenant().0], &after.tenants[&command.tenant().0]);
        assert!(new.rev == old.rev || new.rev == old.rev + 1, "a command took more than one rev");
        if reply.duplicate && !reply.created {
            assert_eq!(before, after, "a repeated message changed something");
        }
        for (key, entry) in &after.entries {
            if !before.entries.contains_key(key) {
                assert_eq!(entry.rev, new.rev, "an entry has another rev than its command");
            }
        }
        let sent = matches!(command.action, Action::Send(_) | Action::Open(Open { message: Some(_), .. }));
        if sent && let Some(entry) = &reply.entry {
            let conversation = entry.conversation_id;
            self.sent.push((command.clone(), conversation, entry.seq));
        }
    }

    /// A client that got no answer sends again: it gets the entry of the first time, whatever happened since.
    pub(super) fn retry(&mut self, which: usize) {
        if self.sent.is_empty() {
            return;
        }
        let (command, conversation, seq) = self.sent[which % self.sent.len()].clone();
        // An opening under a key that was used in several conversations finds the newest of them.
        let Action::Send(send) = &command.action else { return };
        let key = send.draft.client_msg_id.clone();
        let before = self.picture();
        let sender = &before.members[&command.actor.member().expect("a member").0];
        let usable = sender.is_usable(self.set.now);
        let result = self.decide(&command);
        assert_eq!(before, self.picture(), "a retry of {key} changed something");
        match result {
            Ok(reply) => {
                let entry = reply.entry.clone().expect("the first answer's entry");
                assert!(
                    reply.duplicate && (entry.conversation_id, entry.seq) == (conversation, seq),
                    "{reply:?}"
                );
            }
            Err(error) => assert!(!usable, "a retry of {key} was refused: {error}"),
        }
    }

    /// Who is in groups does nothing to a conversation of another group that it is not in.
    fn check_sight(&self, command: &Command, result: &Result<Reply, Error>, before: &Picture) {
        let named = Wants::of(&[command]).conversations;
        let Some(row) = named.first().and_then(|id| before.conversations.get(id)) else { return };
        let (Principal::Member(actor), Some(group)) = (&command.actor, row.group_id) else { return };
        // Whom a colleague asks may answer.
        let asked = |offer: &&OfferRow| offer.is_transfer() && offer.agent_id == actor.member;
        let answers = matches!(command.action, Action::AnswerOffer(_));
        if answers && before.offers.values().filter(asked).any(|offer| offer.conversation_id == row.id) {
            return;
        }
        // A merged one is seen by who sees the one that goes on.
        if row.merged_into_id.is_some() {
            return;
        }
        let role = before.members[&actor.member.0].role;
        let by_itself = |row: &ParticipantRow| row.is_in() && row.group_id.is_none();
        let inside = before.participants.get(&(row.id, actor.member)).is_some_and(by_itself);
        let groups = before.group_members.values();
        let own: Vec<GroupId> = groups
            .filter(|place| place.member_id == actor.member && place.left_at.is_none())
            .map(|place| place.group_id)
            .collect();
        if inside || !matches!(role, Role::Agent | Role::Supervisor) || own.is_empty() || own.contains(&group)
        {
            return;
        }
        match result {
            // Who left, or released, hears once more that it did; a message that was sent is found by its key.
            Ok(reply) => assert!(reply.rev == 0 || reply.duplicate, "{command:?} was accepted"),
            Err(error) => {
                let told =
                    [Code::NotFound, Code::AccountDisabled, Code::IdempotencyConflict, Code::AlreadyAssigned];
                assert!(told.contains(&error.code), "{command:?} learned {error}");
            }
        }
    }

    /// Isolation: the rival's people never do anything to the shop's conversations, nor visitors to other people's conversations,
    /// and what they are told is that there is nothing.
    pub(super) fn check_rights(&self, command: &Command, result: &Result<Reply, Error>, before: &Picture) {
        let named = Wants::of(&[command]).conversations;
        let Some(conversation) = named.first().and_then(|id| before.conversations.get(id)) else { return };
        let Principal::Member(actor) = &command.actor else { return };
        let foreign = conversation.tenant_id != actor.tenant;
        let not_own = actor.role == Role::Customer
            && !before.participants.get(&(conversation.id, actor.member)).is_some_and(ParticipantRow::is_in);
        if !foreign && !not_own {
            return;
        }
        match result {
            Ok(reply) => assert!(!foreign && reply.duplicate, "{command:?} was accepted"),
            Err(error) => {
                let told =
                    [Code::NotFound, Code::AccountDisabled, Code::SessionRevoked, Code::IdempotencyConflict];
                assert!(told.contains(&error.code), "{command:?} learned {error}");
            }
        }
    }

    pub(super) fn check_assignments(&self, after: &Picture) {
        let mut holding = self.holding.clone();
        for ended in &self.set.ended_assignments {
            assert!(holding.remove(&ended.conversation).is_some(), "an assignment ended twice");
        }
        for row in self.set.assignments.values().filter(|row| row.ended_at.is_none()) {
            assert_eq!(holding.insert(row.conversation_id, row.agent_id), None, "two assignments at once");
        }
        for conversation in after.conversations.values() {
            assert_eq!(
                holding.get(&conversation.id).copied(),
                serving(conversation),
                "assignments differ from {conversation:?}"
            );
        }
    }

    /// What the readers are told covers every rev of the batch and every new entry, in order.
    pub(super) fn check_changes(&self, after: &Picture) {
        let told = self.set.changes();
        for changes in &told {
            let facts = &after.tenants[&changes.tenant.0];
            assert_eq!(
                (changes.rev_from, changes.rev_to),
                (self.store.tenants[&changes.tenant].rev + 1, facts.rev)
            );
            let order: Vec<_> =
                changes.entries.iter().map(|entry| (entry.rev, entry.conversation_id, entry.seq)).collect();
            assert!(order.windows(2).all(|pair| pair[0] < pair[1]), "{order:?}");
            for entry in &changes.entries {
                assert!(
                    changes.conversations.contains_key(&entry.conversation_id),
                    "an entry without its conversation"
                );
                let conversation = &changes.conversations[&entry.conversation_id];
                if conversation.conversation.kind == ConversationKind::Backstage {
                    let to_visitor =
                        conversation.recipients(entry).any(|one| one.member_type == MemberType::Customer);
                    assert!(!to_visitor, "a note goes to a visitor");
                }
            }
        }
        let entries: usize = told.iter().map(|changes| changes.entries.len()).sum();
        assert_eq!(entries, self.set.entries.created().count());
    }

    /// Stores the batch, lets every second client sync, and checks that those that synced hold the truth.
    pub(super) fn commit(&mut self) {
        self.store.commit(&self.set);
        for ended in &self.set.ended_assignments {
            self.holding.remove(&ended.conversation);
        }
        for row in self.set.assignments.values().filter(|row| row.ended_at.is_none()) {
            self.holding.insert(row.conversation_id, row.agent_id);
        }
        self.set = WorkingSet::new(self.set.now, self.set.ids.clone());
        let after = self.picture();
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
