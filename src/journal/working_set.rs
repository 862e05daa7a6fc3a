//! The working set of one batch: everything that its commands can touch, as it stood when the tenants were locked,
//! and what the commands made of it. No I/O.
//!
//! Invariants: whatever a command may read was loaded before ([`super::store::load`]); a command that is rejected
//! has changed nothing; what is to be flushed is exactly what is marked here.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use super::feed::{AccessNotice, AccessState, Changes, RoomState};
use crate::domain::conversation::{AssignmentEnd, AssignmentRow, ConversationRow, ParticipantRow};
use crate::domain::entry::{EntryRow, RevisionRow};
use crate::domain::member::{MemberStatus, Role};
use crate::kernel::{ConversationId, IdGenerator, MemberId, SessionId, TenantId};

/// What the journal must know of a tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TenantFacts {
    /// The last rev given out.
    pub rev: i64,
    /// The rev at the beginning of the batch.
    pub rev_before: i64,
    /// Whether the tenant may be used.
    pub suspended: bool,
    /// How long own messages can be edited, in milliseconds.
    pub edit_window_ms: i64,
    /// How long own messages can be recalled, in milliseconds.
    pub recall_window_ms: i64,
}

/// What the journal must know of a member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberFacts {
    /// Who.
    pub id: MemberId,
    /// Whose.
    pub tenant: TenantId,
    /// The present role.
    pub role: Role,
    /// The present state.
    pub status: MemberStatus,
    /// Soft-deleted.
    pub deleted: bool,
    /// The account's end, if it has one.
    pub expires_at: Option<i64>,
    /// The name of today, kept with every entry.
    pub nickname: String,
    /// The avatar of today, kept with every entry.
    pub avatar: String,
    /// Recognised as this member.
    pub merged_into: Option<MemberId>,
}

impl MemberFacts {
    /// Whether the account may be used at this time.
    pub fn is_usable(&self, now: i64) -> bool {
        self.status == MemberStatus::Enabled && !self.deleted && self.expires_at.is_none_or(|end| now < end)
    }
}

/// A session that the batch ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RevokedSession {
    /// Which.
    pub session: SessionId,
    /// Whose.
    pub member: MemberId,
    /// The tenant.
    pub tenant: TenantId,
    /// Why.
    pub reason: &'static str,
    /// Under which rev.
    pub rev: i64,
}

/// An assignment, open before the batch, that the batch ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndedAssignment {
    /// The conversation whose open assignment ends.
    pub conversation: ConversationId,
    /// When.
    pub at: i64,
    /// How.
    pub reason: AssignmentEnd,
}

/// The working set.
#[derive(Debug)]
pub struct WorkingSet {
    /// The batch's time, unix milliseconds. Order never depends on it.
    pub now: i64,
    /// Makes ids for new rooms and assignments.
    pub ids: Arc<IdGenerator>,
    /// The locked tenants.
    pub tenants: HashMap<TenantId, TenantFacts>,
    /// Actors, targets and customers.
    pub members: HashMap<MemberId, MemberFacts>,
    /// Which members were recognised as this one.
    pub merged: HashMap<MemberId, Vec<MemberId>>,
    /// Live sessions of the members whose access changes.
    pub sessions: HashMap<MemberId, Vec<SessionId>>,
    /// The rooms.
    pub conversations: HashMap<ConversationId, ConversationRow>,
    /// The open support conversation of a customer, by `open_key`.
    pub open: HashMap<(TenantId, String), ConversationId>,
    /// The newest support conversation of a customer who opens.
    pub newest: HashMap<MemberId, ConversationId>,
    /// The rooms of a customer who is merged.
    pub owned: HashMap<MemberId, Vec<ConversationId>>,
    /// All participants of the rooms.
    pub participants: BTreeMap<(ConversationId, MemberId), ParticipantRow>,
    /// Entries that commands refer to, and those that the batch appended.
    pub entries: HashMap<(ConversationId, i64), EntryRow>,
    /// Entries by their sender's key.
    pub keys: HashMap<(ConversationId, MemberId, String), i64>,

    /// Appended entries, in the order of their making.
    pub appended: Vec<(ConversationId, i64)>,
    /// Stored entries whose words or times changed.
    pub rewritten: BTreeSet<(ConversationId, i64)>,
    /// Words that were replaced.
    pub revisions: Vec<RevisionRow>,
    /// Rooms made by the batch.
    pub created_conversations: BTreeSet<ConversationId>,
    /// Stored rooms that changed.
    pub changed_conversations: BTreeSet<ConversationId>,
    /// Participants made by the batch.
    pub created_participants: BTreeSet<(ConversationId, MemberId)>,
    /// Stored participants that changed.
    pub changed_participants: BTreeSet<(ConversationId, MemberId)>,
    /// Assignments made by the batch.
    pub assignments: Vec<AssignmentRow>,
    /// Stored assignments that end.
    pub ended_assignments: Vec<EndedAssignment>,
    /// Sessions that end.
    pub revoked_sessions: Vec<RevokedSession>,
    /// Members whose access changed, with the rev of the change.
    pub changed_members: BTreeMap<MemberId, i64>,
    /// Tenants whose state changed, with the rev of the change.
    pub changed_tenants: BTreeMap<TenantId, i64>,
    /// Delivered positions that moved: (room, member, position).
    pub delivered: Vec<(ConversationId, MemberId, i64)>,
}

impl WorkingSet {
    /// An empty working set.
    pub fn new(now: i64, ids: Arc<IdGenerator>) -> Self {
        Self {
            now,
            ids,
            tenants: HashMap::new(),
            members: HashMap::new(),
            merged: HashMap::new(),
            sessions: HashMap::new(),
            conversations: HashMap::new(),
            open: HashMap::new(),
            newest: HashMap::new(),
            owned: HashMap::new(),
            participants: BTreeMap::new(),
            entries: HashMap::new(),
            keys: HashMap::new(),
            appended: Vec::new(),
            rewritten: BTreeSet::new(),
            revisions: Vec::new(),
            created_conversations: BTreeSet::new(),
            changed_conversations: BTreeSet::new(),
            created_participants: BTreeSet::new(),
            changed_participants: BTreeSet::new(),
            assignments: Vec::new(),
            ended_assignments: Vec::new(),
            revoked_sessions: Vec::new(),
            changed_members: BTreeMap::new(),
            changed_tenants: BTreeMap::new(),
            delivered: Vec::new(),
        }
    }

    /// The participants of a room, also those who left. A backstage room has its parent's.
    pub fn participants_of(&self, room: ConversationId) -> impl Iterator<Item = &ParticipantRow> {
        let owner = self.conversations.get(&room).and_then(|row| row.parent_id).unwrap_or(room);
        self.participants.range((owner, MemberId(i64::MIN))..=(owner, MemberId(i64::MAX))).map(|(_, row)| row)
    }

    /// Marks a room as changed.
    pub fn touch_conversation(&mut self, id: ConversationId) {
        if !self.created_conversations.contains(&id) {
            self.changed_conversations.insert(id);
        }
    }

    /// Marks a participant as changed.
    pub fn touch_participant(&mut self, key: (ConversationId, MemberId)) {
        if !self.created_participants.contains(&key) {
            self.changed_participants.insert(key);
        }
    }

    /// What the readers of each tenant must learn from this batch, with dense rev ranges.
    pub fn changes(&self) -> Vec<Changes> {
        let mut by_tenant: HashMap<TenantId, Changes> = HashMap::new();
        for (tenant, facts) in &self.tenants {
            if facts.rev > facts.rev_before {
                by_tenant.insert(
                    *tenant,
                    Changes {
                        tenant: *tenant,
                        rev_from: facts.rev_before + 1,
                        rev_to: facts.rev,
                        entries: Vec::new(),
                        rooms: HashMap::new(),
                        access: Vec::new(),
                    },
                );
            }
        }
        for key in &self.appended {
            if let Some(row) = self.entries.get(key)
                && let Some(changes) = by_tenant.get_mut(&row.tenant_id)
            {
                changes.entries.push(Arc::new(row.clone()));
            }
        }
        for changes in by_tenant.values_mut() {
            changes.entries.sort_by_key(|entry| (entry.rev, entry.conversation_id, entry.seq));
        }
        for id in self.rooms_with_news() {
            if let Some(row) = self.conversations.get(&id)
                && let Some(changes) = by_tenant.get_mut(&row.tenant_id)
            {
                let participants = self.participants_of(id).cloned().collect();
                changes.rooms.insert(id, RoomState { conversation: row.clone(), participants });
            }
        }
        self.add_access_notices(&mut by_tenant);
        let mut all: Vec<_> = by_tenant.into_values().collect();
        all.sort_by_key(|changes| changes.tenant);
        all
    }

    fn rooms_with_news(&self) -> HashSet<ConversationId> {
        let appended = self.appended.iter().map(|(room, _)| *room);
        let participants =
            self.changed_participants.iter().chain(&self.created_participants).map(|(room, _)| *room);
        let rooms = self.changed_conversations.iter().chain(&self.created_conversations).copied();
        appended.chain(participants).chain(rooms).collect()
    }

    fn add_access_notices(&self, by_tenant: &mut HashMap<TenantId, Changes>) {
        // Of one rev the member comes first: that it was disabled or recognised says more than that its sessions ended.
        for (member, rev) in &self.changed_members {
            if let Some(facts) = self.members.get(member)
                && let Some(changes) = by_tenant.get_mut(&facts.tenant)
            {
                changes.access.push(AccessNotice { rev: *rev, change: member_state(facts) });
            }
        }
        for revoked in &self.revoked_sessions {
            if let Some(changes) = by_tenant.get_mut(&revoked.tenant) {
                changes.access.push(AccessNotice {
                    rev: revoked.rev,
                    change: AccessState::SessionRevoked {
                        member: revoked.member,
                        session: revoked.session,
                        reason: revoked.reason.to_owned(),
                    },
                });
            }
        }
        for (tenant, rev) in &self.changed_tenants {
            if let Some(facts) = self.tenants.get(tenant)
                && let Some(changes) = by_tenant.get_mut(tenant)
            {
                let change = AccessState::Tenant { suspended: facts.suspended };
                changes.access.push(AccessNotice { rev: *rev, change });
            }
        }
        for changes in by_tenant.values_mut() {
            changes.access.sort_by_key(|notice| notice.rev);
        }
    }
}

/// A member's state as a notice.
pub fn member_state(facts: &MemberFacts) -> AccessState {
    AccessState::Member {
        member: facts.id,
        role: facts.role,
        status: facts.status,
        deleted: facts.deleted,
        merged_into: facts.merged_into,
    }
}
