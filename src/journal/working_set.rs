//! The working set of one batch: everything that its commands can touch, as it stood when the tenants were locked,
//! and what the commands made of it. No I/O.
//!
//! Invariants: whatever a command may read was loaded before ([`super::store::load`]); a command that is rejected
//! has changed nothing; what is to be flushed is exactly what is marked here.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use super::endings::{EndedAssignment, RevokedSession};
use super::feed::{AccessNotice, AccessState, Changes, ConversationState};
use super::follows::Follows;
use super::routing_set::RoutingSet;
use super::table::Table;
use crate::domain::attachment::AttachmentRow;
use crate::domain::attribute::{AttributeRow, ConversationAttributeRow};
use crate::domain::audit::{AuditEventRow, AuditTarget, Audited};
use crate::domain::centre::notification::NotificationRow;
use crate::domain::conversation::{AssignmentRow, ConversationRow, MemberType, ParticipantRow};
use crate::domain::entry::{EntryRow, RevisionRow};
use crate::domain::group::{GroupMemberRow, GroupRow};
use crate::domain::member::{MemberStatus, Role};
use crate::domain::offer::{NeedsRow, OfferRow};
use crate::domain::presence::{AgentStatusRow, PresenceChangeRow, Sighting};
use crate::domain::rating::{RatingRow, Stretch};
use crate::domain::tenant::TenantSettings;
use crate::domain::timers::{ReminderRow, Spoken};
use crate::domain::transfer::TransferRow;
use crate::kernel::{
    AssignmentId, AttachmentId, AttributeId, ConversationId, GroupId, IdGenerator, MemberId, MessageSendId,
    NotificationId, OfferId, RatingId, SessionId, TenantId,
};

/// What the journal must know of a tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TenantFacts {
    /// The last rev given out.
    pub rev: i64,
    /// Whether the tenant may be used.
    pub suspended: bool,
    /// The rev under which that changed last.
    pub state_rev: i64,
    /// What the tenant decides for itself.
    pub settings: TenantSettings,
    /// The version of its bans; 0: it never had any.
    pub bans_version: i64,
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
    /// The account of a program, which nobody signs in to.
    pub service_account: bool,
    /// The account that this one stands below.
    pub parent_id: Option<MemberId>,
    /// How many conversations it accepts at once.
    pub max_accept: i64,
    /// The rev under which role, state or identity changed last.
    pub rev: i64,
}

impl Audited for MemberFacts {
    const TARGET: AuditTarget = AuditTarget::Member;

    fn audit_id(&self) -> i64 {
        self.id.0
    }

    fn audit_facts(&self) -> serde_json::Value {
        let Self { role, status, expires_at, parent_id, nickname, .. } = self;
        serde_json::json!({
            "role": role, "status": status, "expires_at": expires_at, "parent_id": parent_id, "nickname": nickname,
        })
    }
}

impl MemberFacts {
    /// Whether the account may be used at this time. One that was recognised as another may not: what it did would
    /// belong to nobody.
    pub fn is_usable(&self, now: i64) -> bool {
        let ended = self.expires_at.is_some_and(|end| now >= end);
        self.status == MemberStatus::Enabled && !self.deleted && !ended && self.merged_into.is_none()
    }
}

/// The working set.
#[derive(Debug, Clone)]
pub struct WorkingSet {
    /// The batch's time, unix milliseconds. Order never depends on it.
    pub now: i64,
    /// Makes ids for new conversations and assignments.
    pub ids: Arc<IdGenerator>,
    /// The locked tenants.
    pub tenants: Table<TenantId, TenantFacts>,
    /// Their bans.
    pub bans: HashMap<TenantId, Arc<crate::domain::ban::BanSet>>,
    /// Actors, targets and customers.
    pub members: Table<MemberId, MemberFacts>,
    /// Which members were recognised as this one.
    pub merged: HashMap<MemberId, Vec<MemberId>>,
    /// Live sessions of the members whose access changes.
    pub sessions: HashMap<MemberId, Vec<SessionId>>,
    /// Conversations and the backstage logs behind them.
    pub conversations: Table<ConversationId, ConversationRow>,
    /// The open support conversation of a customer, and direct rooms, by `open_key`.
    pub open: HashMap<(TenantId, String), ConversationId>,
    /// The conversations of a customer who is merged.
    pub owned: HashMap<MemberId, Vec<ConversationId>>,
    /// The support conversations where a member that changes is in, at most `PIECE` + 1 each as its agent and as one of the others.
    pub inside: HashMap<(MemberId, MemberType), Vec<ConversationId>>,
    /// The rooms of the staff where a member that changes is in, at most `PIECE` + 1.
    pub rooms: HashMap<MemberId, Vec<ConversationId>>,
    /// The merges of this batch: (from, into).
    pub merges: BTreeSet<(MemberId, MemberId)>,
    /// All participants of the conversations.
    pub participants: Table<(ConversationId, MemberId), ParticipantRow>,
    /// Entries that commands refer to, and those that the batch appended.
    pub entries: Table<(ConversationId, i64), EntryRow>,
    /// Entries by their sender's key.
    pub keys: HashMap<(ConversationId, MemberId, String), i64>,
    /// Staff whose presence or number of conversations may change. One without a row never said anything and serves
    /// none.
    pub agents: Table<MemberId, AgentStatusRow>,
    /// Whose rows were looked for.
    pub known_agents: BTreeSet<MemberId>,
    /// Groups that commands name, those of conversations that are opened again, for routing those with a strategy of
    /// their own, and, where one is made or named anew, all that live.
    pub groups: Table<GroupId, GroupRow>,
    /// Who is in which group, as far as commands ask.
    pub group_members: Table<(GroupId, MemberId), GroupMemberRow>,
    /// Whose groups were looked for.
    pub known_sights: BTreeSet<MemberId>,
    /// Groups of which it is known who is in them, and what these are.
    pub staffed: BTreeSet<GroupId>,
    /// Groups for which more waits than one command docks.
    pub more_waits_for: BTreeSet<GroupId>,
    /// Whose comings and goings the conversations of their groups follow.
    pub follows: Follows,
    /// The conversations, not closed, of a group that ends; at most `PIECE` + 1.
    pub of_groups: HashMap<GroupId, Vec<ConversationId>>,
    /// What is known of the sockets of those whose were asked for; who is not in it was never seen.
    pub sightings: HashMap<MemberId, Sighting>,
    /// Whose sockets were asked for.
    pub known_sightings: BTreeSet<MemberId>,
    /// What became of the presences that changed.
    pub presence_changes: Vec<PresenceChangeRow>,
    /// The stored transfers of the last hour of those conversations whose were asked for.
    pub transfers: HashMap<ConversationId, Vec<TransferRow>>,
    /// Transfers of this batch.
    pub made_transfers: Vec<TransferRow>,
    /// Assignments made by the batch.
    pub assignments: Table<AssignmentId, AssignmentRow>,
    /// What conversations ask of their agents. One without a row asks for nothing.
    pub needs: Table<ConversationId, NeedsRow>,
    /// What messages do not say about turns. A conversation without a row was never reminded.
    pub reminders: Table<ConversationId, ReminderRow>,
    /// Whose rows were looked for.
    pub known_reminders: BTreeSet<ConversationId>,
    /// Who said what last before this batch, where that was asked for.
    pub spoken: HashMap<ConversationId, Spoken>,
    /// Offers to agents.
    pub offers: Table<OfferId, OfferRow>,
    /// Attachments that messages carry or may carry.
    pub attachments: Table<AttachmentId, AttachmentRow>,
    /// What customers said of the conversations that they may rate.
    pub ratings: Table<RatingId, RatingRow>,
    /// The custom attributes of conversations of those tenants whose were asked for.
    pub attributes: HashMap<TenantId, Vec<AttributeRow>>,
    /// The values of those conversations whose were asked for.
    pub attribute_values: Table<(ConversationId, AttributeId), ConversationAttributeRow>,
    /// Where these conversations began and ended before this batch.
    pub stretches: HashMap<ConversationId, Stretch>,
    /// What members are told inside the product.
    pub notifications: Table<NotificationId, NotificationRow>,
    /// The notifications of these messages, as far as they have one.
    pub notified: HashMap<MessageSendId, NotificationId>,
    /// Who has more unread notifications than one command reads.
    pub many_unread: BTreeSet<MemberId>,
    /// What was loaded for routing.
    pub routing: RoutingSet,
    /// How many conversations wait, where that is limited. Openings of the batch count too.
    pub waiting_counts: HashMap<TenantId, i64>,
    /// Who served these customers last.
    pub last_agents: HashMap<MemberId, MemberId>,
    /// Content that was replaced.
    pub revisions: Vec<RevisionRow>,
    /// Stored assignments that end; they are found by their conversation.
    pub ended_assignments: Vec<EndedAssignment>,
    /// Sessions that end.
    pub revoked_sessions: Vec<RevokedSession>,
    /// What the audit log is to tell; their ids are made when they are stored.
    pub audit: Vec<AuditEventRow>,
    /// Delivered positions that moved: (conversation, member, position).
    pub delivered: Vec<(ConversationId, MemberId, i64)>,
}

impl WorkingSet {
    /// An empty working set.
    pub fn new(now: i64, ids: Arc<IdGenerator>) -> Self {
        Self {
            now,
            ids,
            tenants: Table::default(),
            bans: HashMap::new(),
            members: Table::default(),
            merged: HashMap::new(),
            sessions: HashMap::new(),
            conversations: Table::default(),
            open: HashMap::new(),
            owned: HashMap::new(),
            inside: HashMap::new(),
            rooms: HashMap::new(),
            merges: BTreeSet::new(),
            participants: Table::default(),
            entries: Table::default(),
            keys: HashMap::new(),
            agents: Table::default(),
            known_agents: BTreeSet::new(),
            groups: Table::default(),
            group_members: Table::default(),
            known_sights: BTreeSet::new(),
            staffed: BTreeSet::new(),
            more_waits_for: BTreeSet::new(),
            follows: Follows::default(),
            of_groups: HashMap::new(),
            sightings: HashMap::new(),
            known_sightings: BTreeSet::new(),
            presence_changes: Vec::new(),
            transfers: HashMap::new(),
            made_transfers: Vec::new(),
            assignments: Table::default(),
            needs: Table::default(),
            reminders: Table::default(),
            known_reminders: BTreeSet::new(),
            spoken: HashMap::new(),
            offers: Table::default(),
            attachments: Table::default(),
            ratings: Table::default(),
            attributes: HashMap::new(),
            attribute_values: Table::default(),
            stretches: HashMap::new(),
            notifications: Table::default(),
            notified: HashMap::new(),
            many_unread: BTreeSet::new(),
            routing: RoutingSet::default(),
            waiting_counts: HashMap::new(),
            last_agents: HashMap::new(),
            revisions: Vec::new(),
            ended_assignments: Vec::new(),
            revoked_sessions: Vec::new(),
            audit: Vec::new(),
            delivered: Vec::new(),
        }
    }

    /// The participants of a conversation, also those who left. A backstage log has its parent's.
    pub fn participants_of(&self, id: ConversationId) -> impl Iterator<Item = &ParticipantRow> {
        let owner = self.conversations.get(&id).and_then(|row| row.parent_id).unwrap_or(id);
        self.participants.range((owner, MemberId(i64::MIN))..=(owner, MemberId(i64::MAX)))
    }

    /// What the readers of each tenant must learn from this batch, with dense rev ranges.
    pub fn changes(&self) -> Vec<Changes> {
        let mut by_tenant: HashMap<TenantId, Changes> = HashMap::new();
        for (tenant, rev_before, rev) in self.moved_logs() {
            by_tenant.insert(
                tenant,
                Changes {
                    tenant,
                    rev_from: rev_before + 1,
                    rev_to: rev,
                    entries: Vec::new(),
                    conversations: HashMap::new(),
                    access: Vec::new(),
                    agents: Vec::new(),
                    offers: Vec::new(),
                    notifications: Vec::new(),
                },
            );
        }
        for row in self.entries.created() {
            if let Some(changes) = by_tenant.get_mut(&row.tenant_id) {
                changes.entries.push(Arc::new(row.clone()));
            }
        }
        for changes in by_tenant.values_mut() {
            changes.entries.sort_by_key(|entry| (entry.rev, entry.conversation_id, entry.seq));
        }
        for id in self.with_news() {
            if let Some(row) = self.conversations.get(&id)
                && let Some(changes) = by_tenant.get_mut(&row.tenant_id)
            {
                let participants = self.participants_of(id).cloned().collect();
                changes
                    .conversations
                    .insert(id, ConversationState { conversation: row.clone(), participants });
            }
        }
        self.add_access_notices(&mut by_tenant);
        for row in self.agents.written() {
            by_tenant.entry(row.tenant_id).and_modify(|changes| changes.agents.push(row.clone()));
        }
        for row in self.offers.written() {
            by_tenant.entry(row.tenant_id).and_modify(|changes| changes.offers.push(row.clone()));
        }
        for row in self.notifications.written() {
            by_tenant.entry(row.tenant_id).and_modify(|changes| changes.notifications.push(row.clone()));
        }
        let mut all: Vec<_> = by_tenant.into_values().collect();
        all.sort_by_key(|changes| changes.tenant);
        all
    }

    /// The tenants whose rev moved, with the rev before and after.
    pub fn moved_logs(&self) -> impl Iterator<Item = (TenantId, i64, i64)> {
        self.tenants.iter().filter_map(|(id, facts)| {
            let before = self.tenants.loaded(id).map_or(0, |before| before.rev);
            (facts.rev > before).then_some((*id, before, facts.rev))
        })
    }

    fn with_news(&self) -> BTreeSet<ConversationId> {
        let appended = self.entries.created().map(|row| row.conversation_id);
        let participants = self.participants.written().map(|row| row.conversation_id);
        let conversations = self.conversations.written().map(|row| row.id);
        appended.chain(participants).chain(conversations).collect()
    }

    fn add_access_notices(&self, by_tenant: &mut HashMap<TenantId, Changes>) {
        // Of one rev the member comes first: that it was disabled or recognised says more than that its sessions ended.
        for facts in self.members.written() {
            if let Some(changes) = by_tenant.get_mut(&facts.tenant) {
                changes.access.push(AccessNotice { rev: facts.rev, change: member_state(facts) });
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
        for row in self.group_members.written() {
            if let Some(changes) = by_tenant.get_mut(&row.tenant_id) {
                changes.access.push(AccessNotice { rev: row.rev, change: group_state(row) });
            }
        }
        for (id, facts) in self.tenants.iter() {
            let moved = self.tenants.loaded(id).is_some_and(|before| before.state_rev != facts.state_rev);
            if moved && let Some(changes) = by_tenant.get_mut(id) {
                let change = AccessState::Tenant { suspended: facts.suspended };
                changes.access.push(AccessNotice { rev: facts.state_rev, change });
            }
        }
        for changes in by_tenant.values_mut() {
            changes.access.sort_by_key(|notice| notice.rev);
        }
    }
}

/// A member's place in a group as a notice.
pub fn group_state(row: &GroupMemberRow) -> AccessState {
    AccessState::Group { member: row.member_id, group: row.group_id, stands_as: row.stands_as() }
}

/// A member's state as a notice.
pub fn member_state(facts: &MemberFacts) -> AccessState {
    AccessState::Member {
        member: facts.id,
        role: facts.role,
        status: facts.status,
        deleted: facts.deleted,
        merged_into: facts.merged_into,
        expires_at: facts.expires_at,
    }
}
