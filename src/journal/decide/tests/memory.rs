//! A store in memory: what the simulation loads from and commits to. It answers the same questions as the database,
//! so that a batch holds exactly what its commands want; [`Memory::load_all`] is the opposite, for comparison.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::{attachments, attributes, notifications, ratings, routing, timers};
use crate::domain::attachment::AttachmentRow;
use crate::domain::attribute::{AttributeRow, ConversationAttributeRow};
use crate::domain::centre::notification::NotificationRow;
use crate::domain::conversation::{
    AssignmentRow, ConversationRow, ConversationStatus, MemberType, ParticipantRow,
};
use crate::domain::entry::EntryRow;
use crate::domain::group::{GroupMemberRow, GroupRow};
use crate::domain::member::Role;
use crate::domain::offer::{NeedsRow, OfferRow};
use crate::domain::presence::{AgentStatusRow, Sighting};
use crate::domain::rating::RatingRow;
use crate::domain::timers::ReminderRow;
use crate::domain::transfer::TransferRow;
use crate::journal::follows::Loaded;
use crate::journal::wants::{MessageKey, OpeningKey, Source, TRANSFERS_MS};
use crate::journal::working_set::{MemberFacts, TenantFacts, WorkingSet};
use crate::kernel::{
    AttachmentId, AttributeId, ConversationId, GroupId, MemberId, NotificationId, OfferId, RatingId, Result,
    SessionId, TenantId,
};

#[derive(Default)]
pub(super) struct Memory {
    pub(super) tenants: BTreeMap<TenantId, TenantFacts>,
    pub(super) members: BTreeMap<MemberId, MemberFacts>,
    pub(super) sessions: BTreeMap<MemberId, Vec<SessionId>>,
    pub(super) conversations: BTreeMap<ConversationId, ConversationRow>,
    pub(super) participants: BTreeMap<(ConversationId, MemberId), ParticipantRow>,
    pub(super) entries: BTreeMap<(ConversationId, i64), EntryRow>,
    pub(super) agents: BTreeMap<MemberId, AgentStatusRow>,
    pub(super) groups: BTreeMap<GroupId, GroupRow>,
    pub(super) group_members: BTreeMap<(GroupId, MemberId), GroupMemberRow>,
    pub(super) assignments: Vec<AssignmentRow>,
    pub(super) transfers: Vec<TransferRow>,
    /// What the processes know of sockets at this moment.
    pub(super) sightings: BTreeMap<MemberId, Sighting>,
    pub(super) needs: BTreeMap<ConversationId, NeedsRow>,
    pub(super) offers: BTreeMap<OfferId, OfferRow>,
    pub(super) follows: BTreeSet<(GroupId, MemberId)>,
    pub(super) reminders: BTreeMap<ConversationId, ReminderRow>,
    pub(super) notifications: BTreeMap<NotificationId, NotificationRow>,
    pub(super) ratings: BTreeMap<RatingId, RatingRow>,
    pub(super) attachments: BTreeMap<AttachmentId, AttachmentRow>,
    pub(super) attributes: Vec<AttributeRow>,
    pub(super) attribute_values: BTreeMap<(ConversationId, AttributeId), ConversationAttributeRow>,
}

fn key_of(row: &EntryRow) -> Option<MessageKey> {
    Some((row.conversation_id, row.sender_id?, row.client_msg_id.clone()?))
}

impl Memory {
    /// What nobody in a simulation makes.
    pub(super) fn seed(&mut self) {
        attachments::seed_attachments(self);
        attributes::seed_attributes(self);
    }

    pub(super) fn revs(&self) -> HashMap<TenantId, i64> {
        self.tenants.iter().map(|(id, facts)| (*id, facts.rev)).collect()
    }

    /// Everything, as if every command had wanted it.
    pub(super) fn load_all(&mut self, set: &mut WorkingSet) {
        routing::load_all(self, set);
        timers::load_all(self, set);
        notifications::load_all(self, set);
        ratings::load_all(self, set);
        attachments::load_all(self, set);
        attributes::load_all(self, set);
        for (id, facts) in &self.tenants {
            set.tenants.load(*id, facts.clone());
        }
        for (id, facts) in &self.members {
            set.members.load(*id, facts.clone());
            if let Some(into) = facts.merged_into {
                let merged = set.merged.entry(into).or_default();
                if !merged.contains(id) {
                    merged.push(*id);
                }
            }
        }
        for (member, sessions) in &self.sessions {
            set.sessions.entry(*member).or_insert_with(|| sessions.clone());
        }
        for (id, row) in &self.conversations {
            if !set.conversations.contains(id)
                && let Some(key) = &row.open_key
            {
                set.open.insert((row.tenant_id, key.clone()), *id);
            }
            set.conversations.load(*id, row.clone());
        }
        set.known_agents.extend(self.members.keys());
        for (id, row) in &self.agents {
            set.agents.load(*id, row.clone());
        }
        set.known_sights.extend(self.members.keys());
        for (id, row) in &self.groups {
            set.groups.load(*id, row.clone());
        }
        for (key, row) in &self.group_members {
            set.group_members.load(*key, row.clone());
        }
        set.staffed.extend(set.groups.iter().map(|(id, _)| *id).collect::<Vec<_>>());
        for id in self.members.keys() {
            if set.known_sightings.insert(*id) {
                set.sightings.extend(self.sightings.get(id).map(|sighting| (*id, *sighting)));
            }
        }
        let made: Vec<ConversationId> = set.conversations.iter().map(|(id, _)| *id).collect();
        for id in self.conversations.keys().copied().chain(made) {
            let transfers = self.transfers_of(id, set.now);
            set.transfers.entry(id).or_insert(transfers);
        }
        // Also of the group that steps name while there is none.
        for group in set.groups.iter().map(|(id, _)| *id).chain([GroupId(404)]).collect::<Vec<_>>() {
            let roster = self.group_members.values().filter(|row| row.group_id == group);
            let is_empty = roster.clone().all(|row| row.left_at.is_some());
            for member in self.members.keys() {
                let place = self.group_members.get(&(group, *member));
                let inside = place.is_some_and(|row| row.left_at.is_none());
                set.follows.load(group, *member, Loaded { inside, is_empty, more: false });
            }
        }
        for (key, row) in &self.participants {
            set.participants.load(*key, row.clone());
        }
        for (key, row) in &self.entries {
            set.keys.extend(key_of(row).map(|key| (key, row.seq)));
            set.entries.load(*key, row.clone());
        }
    }

    fn transfers_of(&self, id: ConversationId, now: i64) -> Vec<TransferRow> {
        let is_one = |row: &&TransferRow| row.conversation_id == id && now - row.at < TRANSFERS_MS;
        self.transfers.iter().filter(is_one).cloned().collect()
    }

    /// Stores what a batch made.
    pub(super) fn commit(&mut self, set: &WorkingSet) {
        self.tenants.extend(set.tenants.iter().map(|(id, facts)| (*id, facts.clone())));
        self.members.extend(set.members.written().map(|facts| (facts.id, facts.clone())));
        for revoked in &set.revoked_sessions {
            self.sessions.entry(revoked.member).or_default().retain(|one| *one != revoked.session);
        }
        self.conversations.extend(set.conversations.written().map(|row| (row.id, row.clone())));
        self.agents.extend(set.agents.written().map(|row| (row.member_id, row.clone())));
        self.groups.extend(set.groups.written().map(|row| (row.id, row.clone())));
        let places = set.group_members.written();
        self.group_members.extend(places.map(|row| ((row.group_id, row.member_id), row.clone())));
        for place in set.follows.touched() {
            self.follows.remove(&place);
        }
        self.follows.extend(set.follows.begun().map(|(_, group, member)| (group, member)));
        self.needs.extend(set.needs.written().map(|row| (row.conversation_id, row.clone())));
        self.notifications.extend(set.notifications.written().map(|row| (row.id, row.clone())));
        self.ratings.extend(set.ratings.written().map(|row| (row.id, row.clone())));
        let values = set.attribute_values.written();
        self.attribute_values
            .extend(values.map(|row| ((row.conversation_id, row.attribute_id), row.clone())));
        self.attachments.extend(set.attachments.written().map(|row| (row.id, row.clone())));
        self.reminders.extend(set.reminders.written().map(|row| (row.conversation_id, row.clone())));
        self.offers.extend(set.offers.written().map(|row| (row.id, row.clone())));
        for ended in &set.ended_assignments {
            let holds = |row: &&mut AssignmentRow| {
                row.conversation_id == ended.conversation && row.ended_at.is_none()
            };
            if let Some(row) = self.assignments.iter_mut().find(holds) {
                (row.ended_at, row.end_reason) = (Some(ended.at), Some(ended.reason));
            }
        }
        self.assignments.extend(set.assignments.created().cloned());
        self.transfers.extend(set.made_transfers.iter().cloned());
        let participants = set.participants.written();
        self.participants.extend(participants.map(|row| ((row.conversation_id, row.member_id), row.clone())));
        self.entries.extend(set.entries.written().map(|row| ((row.conversation_id, row.seq), row.clone())));
    }
}

pub(super) fn pick<K: Ord + Copy, R: Clone>(rows: &BTreeMap<K, R>, keys: &[K]) -> Vec<R> {
    keys.iter().filter_map(|key| rows.get(key).cloned()).collect()
}

impl Source for Memory {
    fn tenants(&mut self, ids: &[TenantId]) -> Result<Vec<(TenantId, TenantFacts)>> {
        Ok(ids.iter().filter_map(|id| Some((*id, self.tenants.get(id)?.clone()))).collect())
    }

    fn members(&mut self, ids: &[MemberId]) -> Result<Vec<MemberFacts>> {
        Ok(pick(&self.members, ids))
    }

    fn merged_into(&mut self, ids: &[MemberId]) -> Result<Vec<(MemberId, MemberId)>> {
        let merged = self.members.values().filter_map(|facts| Some((facts.merged_into?, facts.id)));
        Ok(merged.filter(|(into, _)| ids.contains(into)).collect())
    }

    fn sessions(&mut self, _: &[TenantId], ids: &[MemberId]) -> Result<Vec<(MemberId, SessionId)>> {
        let of = |id: &MemberId| {
            let sessions = self.sessions.get(id).cloned().unwrap_or_default();
            let id = *id;
            sessions.into_iter().map(move |session| (id, session)).collect::<Vec<_>>()
        };
        Ok(ids.iter().flat_map(of).collect())
    }

    fn conversations(&mut self, ids: &[ConversationId]) -> Result<Vec<ConversationRow>> {
        Ok(pick(&self.conversations, ids))
    }

    fn open_conversations(&mut self, _: &[TenantId], keys: &[String]) -> Result<Vec<ConversationRow>> {
        let fits = |row: &&ConversationRow| row.open_key.as_ref().is_some_and(|key| keys.contains(key));
        Ok(self.conversations.values().filter(fits).cloned().collect())
    }

    fn owned(&mut self, _: &[TenantId], owner: MemberId, limit: usize) -> Result<Vec<ConversationId>> {
        let owned = self.conversations.values().filter(|row| row.customer_id == Some(owner));
        Ok(owned.map(|row| row.id).take(limit).collect())
    }

    fn administrators(&mut self, tenant: TenantId, now: i64, _: usize) -> Result<Vec<MemberFacts>> {
        let runs = |one: &&MemberFacts| one.tenant == tenant && one.role == Role::Admin && one.is_usable(now);
        Ok(self.members.values().filter(runs).cloned().collect())
    }

    fn below(&mut self, parent: MemberId, _: usize) -> Result<Vec<MemberFacts>> {
        let below = |one: &&MemberFacts| one.parent_id == Some(parent) && !one.deleted;
        Ok(self.members.values().filter(below).cloned().collect())
    }

    fn agents(&mut self, ids: &[MemberId]) -> Result<Vec<AgentStatusRow>> {
        Ok(pick(&self.agents, ids))
    }

    fn sightings(&mut self, ids: &[MemberId]) -> Result<Vec<(MemberId, Sighting)>> {
        Ok(ids.iter().filter_map(|id| Some((*id, *self.sightings.get(id)?))).collect())
    }

    fn transfers(&mut self, of: ConversationId, after: i64, _: usize) -> Result<Vec<TransferRow>> {
        Ok(self.transfers_of(of, after + TRANSFERS_MS))
    }

    fn inside(
        &mut self,
        _: &[TenantId],
        member: MemberId,
        kind: MemberType,
        limit: usize,
    ) -> Result<Vec<ConversationId>> {
        let inside = |row: &&ParticipantRow| {
            row.member_id == member
                && row.active
                && row.member_type == kind
                && row.group_id.is_none()
                && self.conversations[&row.conversation_id].status.is_some()
        };
        Ok(self.participants.values().filter(inside).map(|row| row.conversation_id).take(limit).collect())
    }

    fn groups(&mut self, ids: &[GroupId]) -> Result<Vec<GroupRow>> {
        Ok(pick(&self.groups, ids))
    }

    fn living_groups(&mut self, tenant: TenantId) -> Result<Vec<GroupRow>> {
        let lives = |row: &&GroupRow| row.tenant_id == tenant && row.name_key.is_some();
        Ok(self.groups.values().filter(lives).cloned().collect())
    }

    fn rosters(&mut self, groups: &[GroupId]) -> Result<Vec<GroupMemberRow>> {
        let fits = |row: &&GroupMemberRow| row.left_at.is_none() && groups.contains(&row.group_id);
        Ok(self.group_members.values().filter(fits).cloned().collect())
    }

    fn memberships(&mut self, members: &[MemberId]) -> Result<Vec<GroupMemberRow>> {
        let fits = |row: &&GroupMemberRow| row.left_at.is_none() && members.contains(&row.member_id);
        Ok(self.group_members.values().filter(fits).cloned().collect())
    }

    fn places(&mut self, groups: &[GroupId], members: &[MemberId]) -> Result<Vec<GroupMemberRow>> {
        let fits = |row: &&GroupMemberRow| groups.contains(&row.group_id) && members.contains(&row.member_id);
        Ok(self.group_members.values().filter(fits).cloned().collect())
    }

    fn of_group(&mut self, _: &[TenantId], group: GroupId, limit: usize) -> Result<Vec<ConversationId>> {
        let runs = |row: &&ConversationRow| {
            row.group_id == Some(group) && row.status != Some(ConversationStatus::Closed)
        };
        Ok(self.conversations.values().filter(runs).map(|row| row.id).take(limit).collect())
    }

    fn docked(
        &mut self,
        _: &[TenantId],
        group: GroupId,
        without: Option<MemberId>,
        limit: usize,
    ) -> Result<Vec<ConversationId>> {
        let docked = self.conversations.values().filter(|row| row.docked_to() == Some(group));
        let is_in = |id, member| self.participants.get(&(id, member)).is_some_and(ParticipantRow::is_in);
        let fits = |id: &ConversationId| without.is_none_or(|member| !is_in(*id, member));
        Ok(docked.map(|row| row.id).filter(fits).take(limit).collect())
    }

    fn waiting_for(&mut self, _: &[TenantId], group: GroupId, limit: usize) -> Result<Vec<ConversationId>> {
        let rows = self.conversations.values().filter(|row| row.group_id == Some(group));
        Ok(rows.filter(|row| row.waiting_since.is_some()).map(|row| row.id).take(limit).collect())
    }

    fn inside_by(
        &mut self,
        _: &[TenantId],
        group: GroupId,
        member: MemberId,
        limit: usize,
    ) -> Result<Vec<ConversationId>> {
        let by =
            |row: &&ParticipantRow| row.member_id == member && row.group_id == Some(group) && row.is_in();
        Ok(self.participants.values().filter(by).map(|row| row.conversation_id).take(limit).collect())
    }

    fn rooms(&mut self, _: &[TenantId], member: MemberId, limit: usize) -> Result<Vec<ConversationId>> {
        let inside = |row: &&ParticipantRow| {
            let is_room = self.conversations[&row.conversation_id].kind.is_room();
            row.member_id == member && row.active && is_room
        };
        Ok(self.participants.values().filter(inside).map(|row| row.conversation_id).take(limit).collect())
    }

    fn participants(&mut self, fronts: &[ConversationId]) -> Result<Vec<ParticipantRow>> {
        let rows = self.participants.values().filter(|row| fronts.contains(&row.conversation_id));
        Ok(rows.cloned().collect())
    }

    fn entries_at(&mut self, places: &[(ConversationId, i64)]) -> Result<Vec<EntryRow>> {
        Ok(pick(&self.entries, places))
    }

    fn entries_by_key(&mut self, keys: &[MessageKey]) -> Result<Vec<EntryRow>> {
        let fits = |row: &&EntryRow| key_of(row).is_some_and(|key| keys.contains(&key));
        Ok(self.entries.values().filter(fits).cloned().collect())
    }

    fn entries_by_opening(&mut self, _: &[TenantId], keys: &[OpeningKey]) -> Result<Vec<EntryRow>> {
        let fits = |row: &&EntryRow| {
            let customer = self.conversations.get(&row.conversation_id).and_then(|row| row.customer_id);
            let (Some(customer), Some((_, sender, key))) = (customer, key_of(row)) else { return false };
            keys.contains(&(customer, sender, key))
        };
        Ok(self.entries.values().filter(fits).cloned().collect())
    }
}
