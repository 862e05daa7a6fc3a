//! Who gets a waiting conversation: the rules of automatic routing as pure functions over a snapshot. No I/O, no clock.
//!
//! Owns what a conversation asks for, what a member of the staff brings, every reason against a candidate, and the order
//! among those who fit; each strategy stands in a file of its own. Does not own when it is decided (`crate::routing`) nor
//! that it is done (`journal::commands::Route`). The simulator (`deskwire simulate`) and `GET
//! /conversations/{id}/routing/explain` call the same functions.
//!
//! Invariants: nobody is chosen who is absent, full, disabled, or passed over; the first in the queue chooses first;
//! with the same snapshot the choice is the same.

mod judge;
mod plan;
mod settings;
mod skill;
mod strategy;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

use super::group::Sight;
use super::presence::PresenceStatus;
use crate::kernel::{ConversationId, GroupId, MemberId};

pub use judge::{Obstacle, Verdict, judge};
pub use plan::{Choice, Plan, choose, plan};
pub use settings::{RoutingSettings, RoutingStrategy};
pub use skill::{LEVEL_MAX, Skill};

/// What a conversation asks of its agent.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Needs {
    /// Without these nobody is chosen, until they are relaxed.
    pub required: Vec<Skill>,
    /// Who has more of these is chosen first.
    pub preferred: Vec<Skill>,
    /// Who served the customer last.
    pub last_agent: Option<MemberId>,
}

/// A conversation that waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    /// Which.
    pub conversation: ConversationId,
    /// Since when, unix milliseconds.
    pub since: i64,
    /// The group whose matter it is.
    pub group: Option<GroupId>,
    /// That group's own strategy; `None`: the tenant's.
    pub strategy: Option<RoutingStrategy>,
    /// What it asks of its agent.
    pub needs: Needs,
    /// Who let an offer of it pass or gave it back since it waits, and when, unix milliseconds.
    pub passed_over: Vec<(MemberId, i64)>,
}

/// A member of the staff as routing sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// Who.
    pub member: MemberId,
    /// Whether the account may be used.
    pub usable: bool,
    /// What it is.
    pub status: PresenceStatus,
    /// How many conversations it serves.
    pub current: i64,
    /// How many it accepts.
    pub max: i64,
    /// Which groups' conversations it may serve.
    pub sight: Sight,
    /// What it can.
    pub skills: Vec<Skill>,
    /// When a conversation was last given to it, unix milliseconds.
    pub last_assigned_at: Option<i64>,
    /// When a conversation of its last began or ended, or when it came online, unix milliseconds.
    pub idle_since: Option<i64>,
    /// Whether an offer waits for its answer.
    pub has_offer: bool,
}
