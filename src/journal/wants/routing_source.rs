//! What routing asks of the store. No I/O.

use std::collections::BTreeSet;

use crate::domain::business_hours::Calendars;
use crate::domain::group::GroupRow;
use crate::domain::offer::{NeedsRow, OfferRow};
use crate::domain::presence::AgentStatusRow;
use crate::domain::routing::Skill;
use crate::journal::working_set::MemberFacts;
use crate::kernel::{ConversationId, GroupId, MemberId, Result, TenantId};

/// Most candidates of a tenant.
pub const CANDIDATES_MAX: usize = 2_000;

/// A place in the queue: its key and the conversation.
pub type Place = (i64, ConversationId);

/// A waiting conversation, as routing looks at it first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Queued {
    /// Where it stands.
    pub place: Place,
    /// Since when it waits, unix milliseconds.
    pub since: i64,
    /// The group whose matter it is.
    pub group: Option<GroupId>,
}

/// For which waiting conversations of a tenant the service chooses agents: those of groups whose own strategy differs from
/// the tenant's are the exceptions.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Automatic {
    /// Whether it does where no group says otherwise, also for what is no group's.
    pub by_default: bool,
    /// The groups where it is the other way round.
    pub exceptions: BTreeSet<GroupId>,
}

impl Automatic {
    /// Whether it does so nowhere.
    pub fn is_nowhere(&self) -> bool {
        !self.by_default && self.exceptions.is_empty()
    }

    /// Whether it does so for what waits for this group, or for none.
    pub fn reaches(&self, group: Option<GroupId>) -> bool {
        self.by_default != group.is_some_and(|group| self.exceptions.contains(&group))
    }

    /// The same without what waits for a desk that is closed at this time, unix milliseconds.
    pub fn while_open(self, calendars: &Calendars, now: i64) -> Self {
        let is_open = |group: GroupId| calendars.is_open(Some(group), now);
        let own = calendars.groups.keys().copied();
        match (self.by_default, calendars.is_open(None, now)) {
            (true, true) => {
                let closed = own.filter(|group| !is_open(*group));
                Self { exceptions: self.exceptions.iter().copied().chain(closed).collect(), ..self }
            }
            (true, false) => {
                let exceptions = own.filter(|group| is_open(*group) && self.reaches(Some(*group))).collect();
                Self { by_default: false, exceptions }
            }
            (false, _) => Self {
                exceptions: self.exceptions.into_iter().filter(|group| is_open(*group)).collect(),
                ..self
            },
        }
    }
}

/// What routing asks of a [`super::Source`].
#[allow(missing_docs, reason = "each question is its signature")]
pub trait RoutingSource {
    /// Staff who say that they are online, with what they serve and can, at most `limit`.
    fn online(
        &mut self,
        tenant: TenantId,
        limit: usize,
    ) -> Result<Vec<(MemberFacts, AgentStatusRow, Vec<Skill>)>>;
    /// The groups of a tenant that are not deleted and for which another strategy than the tenant's may count.
    fn groups_with_strategy(&mut self, tenant: TenantId) -> Result<Vec<GroupRow>>;
    /// Of these waiting conversations those behind this place, at most `limit`.
    fn queue(
        &mut self,
        tenant: TenantId,
        among: &Automatic,
        after: Option<Place>,
        limit: usize,
    ) -> Result<Vec<Queued>>;
    /// How many conversations wait.
    fn waiting_count(&mut self, tenant: TenantId) -> Result<i64>;
    fn needs(&mut self, conversations: &[ConversationId]) -> Result<Vec<NeedsRow>>;
    /// When agents let offers of these conversations pass, or gave them back. May name one more than once.
    fn refusals(&mut self, conversations: &[ConversationId]) -> Result<Vec<(ConversationId, MemberId, i64)>>;
    /// The offers that wait for an answer.
    fn outstanding(&mut self, tenant: TenantId) -> Result<Vec<OfferRow>>;
    /// The offers of these conversations that wait for an answer.
    fn open_offers(&mut self, conversations: &[ConversationId]) -> Result<Vec<OfferRow>>;
    /// The last offer of a conversation to an agent.
    fn last_offer(&mut self, conversation: ConversationId, agent: MemberId) -> Result<Option<OfferRow>>;
    /// Who served the last closed conversation of these customers: (customer, agent).
    fn last_agents(&mut self, tenant: TenantId, customers: &[MemberId]) -> Result<Vec<(MemberId, MemberId)>>;
}

#[cfg(test)]
#[path = "routing_source_tests.rs"]
mod tests;
