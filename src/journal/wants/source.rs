//! The questions that a working set is loaded with. The store answers them, and the simulation's memory.

use super::{MessageKey, OpeningKey};
use crate::domain::conversation::{ConversationRow, MemberType, ParticipantRow};
use crate::domain::entry::EntryRow;
use crate::domain::group::{GroupMemberRow, GroupRow};
use crate::domain::presence::{AgentStatusRow, Sighting};
use crate::domain::transfer::TransferRow;
use crate::journal::working_set::{MemberFacts, TenantFacts};
use crate::kernel::{ConversationId, GroupId, MemberId, Result, SessionId, TenantId};

/// Where a working set is loaded from. Every question may name what does not exist; the answer leaves it out.
#[allow(missing_docs, reason = "each question is its signature; what is asked for stands in `Wants`")]
pub trait Source:
    super::routing_source::RoutingSource
    + super::timer_source::TimerSource
    + super::notification_source::NotificationSource
    + super::rating_source::RatingSource
    + super::attachment_source::AttachmentSource
    + super::attribute_source::AttributeSource
{
    /// The facts of these tenants; the rev is filled in by the caller, who locked it.
    fn tenants(&mut self, ids: &[TenantId]) -> Result<Vec<(TenantId, TenantFacts)>>;
    fn members(&mut self, ids: &[MemberId]) -> Result<Vec<MemberFacts>>;
    /// Who was recognised as these members: (into, from).
    fn merged_into(&mut self, ids: &[MemberId]) -> Result<Vec<(MemberId, MemberId)>>;
    fn sessions(&mut self, tenants: &[TenantId], ids: &[MemberId]) -> Result<Vec<(MemberId, SessionId)>>;
    fn conversations(&mut self, ids: &[ConversationId]) -> Result<Vec<ConversationRow>>;
    fn open_conversations(&mut self, tenants: &[TenantId], keys: &[String]) -> Result<Vec<ConversationRow>>;
    /// The oldest conversations of a customer, at most `limit`.
    fn owned(&mut self, tenants: &[TenantId], owner: MemberId, limit: usize) -> Result<Vec<ConversationId>>;
    /// The tenant's administrators that may use their account now, at most `limit` with an end and as many without.
    fn administrators(&mut self, tenant: TenantId, now: i64, limit: usize) -> Result<Vec<MemberFacts>>;
    /// Sub-accounts that are not deleted, at most `limit` agents and as many others.
    fn below(&mut self, parent: MemberId, limit: usize) -> Result<Vec<MemberFacts>>;
    /// The rows of these members of the staff, as far as they have one.
    fn agents(&mut self, ids: &[MemberId]) -> Result<Vec<AgentStatusRow>>;
    /// What all processes know of the sockets of these members, as far as any process knows them.
    fn sightings(&mut self, ids: &[MemberId]) -> Result<Vec<(MemberId, Sighting)>>;
    /// The newest transfers of a conversation after this time, at most `limit`.
    fn transfers(&mut self, of: ConversationId, after: i64, limit: usize) -> Result<Vec<TransferRow>>;
    /// The oldest support conversations, not closed, where the member is in as this and by no group, at most `limit`.
    fn inside(
        &mut self,
        tenants: &[TenantId],
        member: MemberId,
        kind: MemberType,
        limit: usize,
    ) -> Result<Vec<ConversationId>>;
    /// The oldest rooms of the staff where the member is in, at most `limit`.
    fn rooms(&mut self, tenants: &[TenantId], member: MemberId, limit: usize) -> Result<Vec<ConversationId>>;
    fn groups(&mut self, ids: &[GroupId]) -> Result<Vec<GroupRow>>;
    /// The groups of a tenant that are not deleted.
    fn living_groups(&mut self, tenant: TenantId) -> Result<Vec<GroupRow>>;
    /// Who is in these groups now.
    fn rosters(&mut self, groups: &[GroupId]) -> Result<Vec<GroupMemberRow>>;
    /// In which groups these members are now.
    fn memberships(&mut self, members: &[MemberId]) -> Result<Vec<GroupMemberRow>>;
    /// The rows of any of these members in any of these groups, also of those who left.
    fn places(&mut self, groups: &[GroupId], members: &[MemberId]) -> Result<Vec<GroupMemberRow>>;
    /// Conversations of a group that are not closed, at most `limit`.
    fn of_group(&mut self, tenants: &[TenantId], group: GroupId, limit: usize)
    -> Result<Vec<ConversationId>>;
    /// The oldest conversations that are docked to a group, at most `limit`; only those in which this member is not, when
    /// one is given.
    fn docked(
        &mut self,
        tenants: &[TenantId],
        group: GroupId,
        without: Option<MemberId>,
        limit: usize,
    ) -> Result<Vec<ConversationId>>;
    /// The conversations that wait for a group, the longest waiting first, at most `limit`.
    fn waiting_for(
        &mut self,
        tenants: &[TenantId],
        group: GroupId,
        limit: usize,
    ) -> Result<Vec<ConversationId>>;
    /// Conversations, also closed ones, in which a member is by this group, at most `limit`.
    fn inside_by(
        &mut self,
        tenants: &[TenantId],
        group: GroupId,
        member: MemberId,
        limit: usize,
    ) -> Result<Vec<ConversationId>>;
    fn participants(&mut self, fronts: &[ConversationId]) -> Result<Vec<ParticipantRow>>;
    fn entries_at(&mut self, places: &[(ConversationId, i64)]) -> Result<Vec<EntryRow>>;
    fn entries_by_key(&mut self, keys: &[MessageKey]) -> Result<Vec<EntryRow>>;
    /// Messages under these keys in any support conversation of the customer.
    fn entries_by_opening(&mut self, tenants: &[TenantId], keys: &[OpeningKey]) -> Result<Vec<EntryRow>>;
}
