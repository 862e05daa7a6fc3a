//! What the lists of conversations are made of: which conversations are asked for, whose a member sees, and the walks of
//! indexes that together find them. No I/O.

use crate::db::condition::Condition;
use crate::domain::conversation::{ConversationStatus, Priority};
use crate::domain::group::Sight;
use crate::kernel::{ConversationId, GroupId, MemberId};

/// Which support conversations a list is to show.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Only in this state.
    pub status: Option<ConversationStatus>,
    /// Only those that this agent serves.
    pub agent_id: Option<MemberId>,
    /// Only those of this customer.
    pub customer_id: Option<MemberId>,
    /// Only those that no agent has, and no group serves.
    pub unassigned: bool,
    /// Only of this urgency.
    pub priority: Option<Priority>,
    /// Only of this group; `Some(None)`: of no group.
    pub group: Option<Option<GroupId>>,
    /// Only those that meet this.
    pub condition: Option<Condition>,
    /// Only this one and newer ones.
    pub floor: Option<ConversationId>,
}

/// Whose conversations a list is to show.
#[derive(Debug, Clone)]
pub enum Reach {
    /// Those of this customer.
    Customer(MemberId),
    /// Those that this agent is in, and the waiting ones within its sight.
    Agent {
        /// The agent.
        member: MemberId,
        /// Whose waiting ones it sees.
        sight: Sight,
    },
    /// Those that this supervisor of some groups is in, and all within its sight.
    Supervisor {
        /// The supervisor.
        member: MemberId,
        /// Whose it sees.
        sight: Sight,
    },
    /// Those that this bot is in.
    Insider(MemberId),
    /// All of the tenant.
    Tenant,
}

/// One walk of an index, in the order of ids.
#[derive(Debug, Clone)]
pub enum Walk {
    /// Conversations of the tenant.
    Tenant(Filter),
    /// Conversations that a member is in: those that are not closed, or those that are.
    Member(MemberId, bool, Filter),
}

/// The walks that together find what is within reach. An OR over all would read the whole tenant to find a member's few.
pub fn walks(reach: &Reach, filter: &Filter) -> Vec<Walk> {
    match reach {
        Reach::Tenant => of_tenant_or_agent(filter),
        Reach::Customer(member) => match filter.customer_id {
            Some(asked) if asked != *member => Vec::new(),
            _ => vec![Walk::Tenant(Filter { customer_id: Some(*member), ..filter.clone() })],
        },
        Reach::Insider(member) => of_member_at_all(*member, filter),
        Reach::Agent { member, sight } => {
            let mut walks = of_member_at_all(*member, filter);
            if filter.status.is_none_or(|status| status == ConversationStatus::Open) {
                let waiting = Filter { status: Some(ConversationStatus::Open), ..filter.clone() };
                walks.extend(within(sight, &waiting).into_iter().map(Walk::Tenant));
            }
            walks
        }
        Reach::Supervisor { member, sight } => {
            let mut walks = of_member_at_all(*member, filter);
            walks.extend(within(sight, filter).iter().flat_map(of_tenant_or_agent));
            walks
        }
    }
}

/// The filter once for each group within this sight, and for none: each is a walk of an index of its own, where one
/// condition over all would read past what the others wait for.
pub fn within(sight: &Sight, filter: &Filter) -> Vec<Filter> {
    match (sight.is_whole(), filter.group) {
        (true, _) => vec![filter.clone()],
        (false, Some(group)) if sight.reaches(group) => vec![filter.clone()],
        (false, Some(_)) => Vec::new(),
        (false, None) => {
            let groups = sight.groups().map(Some).chain([None]);
            groups.map(|group| Filter { group: Some(group), ..filter.clone() }).collect()
        }
    }
}

/// The indexes of an agent's and of a group's conversations are in order of id within each state.
fn of_tenant_or_agent(filter: &Filter) -> Vec<Walk> {
    if filter.status.is_some() || (filter.agent_id.is_none() && filter.group.is_none()) {
        return vec![Walk::Tenant(filter.clone())];
    }
    let of_status = |status: &ConversationStatus| Filter { status: Some(*status), ..filter.clone() };
    ConversationStatus::ALL.iter().map(|status| Walk::Tenant(of_status(status))).collect()
}

/// What a member is in.
fn of_member_at_all(member: MemberId, filter: &Filter) -> Vec<Walk> {
    // Closed means not active, so one of the walks is enough when a state is asked for.
    let is_walked =
        |active: &bool| filter.status.is_none_or(|status| *active == (status != ConversationStatus::Closed));
    let walks = [true, false].into_iter().filter(is_walked);
    walks.map(|active| Walk::Member(member, active, filter.clone())).collect()
}
