//! What goes out of the routes of the queue. The handlers stand in [`super::routes`].

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::business_hours::api::BusinessHoursStatus;
use crate::conversations::view::{Card, StaffView};
use crate::domain::member::Role;
use crate::domain::offer::OfferState;
use crate::domain::presence::PresenceStatus;
use crate::domain::routing::{Obstacle, RoutingStrategy, Skill};
use crate::domain::transfer::TransferReason;
use crate::kernel::{ConversationId, MemberId, Millis, OfferId};
use crate::text_enum;

/// A waiting conversation with its place in the queue.
#[derive(Debug, Serialize, ToSchema)]
pub struct QueuedConversation {
    /// The conversation.
    pub conversation: StaffView,
    /// Its place among those of its group, or of no group: 1 is served next.
    pub position: i64,
    /// How long it will still wait, in seconds, judged by how many of these were assigned in the last half hour; null
    /// when those are fewer than five, or nobody is online.
    #[schema(required)]
    pub estimated_wait_seconds: Option<i64>,
}

/// Where a conversation stands in the queue.
#[derive(Debug, Serialize, ToSchema)]
pub struct QueuePlace {
    /// The conversation.
    pub conversation_id: ConversationId,
    /// Its place among those of its group, or of no group: 1 is served next. Null when it does not wait.
    #[schema(required)]
    pub position: Option<i64>,
    /// Since when it waits; null when it does not.
    #[schema(required)]
    pub waiting_since: Option<Millis>,
    /// How long it will still wait, in seconds, judged by how many of these were assigned in the last half hour; null
    /// when those are fewer than five, when nobody is online, or when it does not wait.
    #[schema(required)]
    pub estimated_wait_seconds: Option<i64>,
    /// Whether the desk of its group, or of no group, is open now.
    pub business_hours: BusinessHoursStatus,
}

/// An offer of a conversation to an agent.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Offer {
    /// The offer.
    pub id: OfferId,
    /// What is offered.
    pub conversation_id: ConversationId,
    /// To whom.
    pub agent_id: MemberId,
    /// What became of it.
    pub state: OfferState,
    /// Since when.
    pub offered_at: Millis,
    /// Until when it can be accepted.
    pub expires_at: Millis,
    /// Who serves the conversation and would hand it over; null: it waits, and routing offers it.
    #[schema(required)]
    pub from_agent_id: Option<MemberId>,
    /// Of a transfer: why, in one word; null when it was not said.
    #[schema(required)]
    pub reason: Option<TransferReason>,
    /// Of a transfer: why; may be empty.
    pub note: String,
}

/// Which offers are listed.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ListOffers {
    /// true: instead of those to you, the transfers that you offer, or that are offered of what you serve.
    pub made: Option<bool>,
}

/// Offers that wait for an answer.
#[derive(Debug, Serialize, ToSchema)]
pub struct Offers {
    /// The oldest first.
    pub data: Vec<Offer>,
}

/// How a dry run differs from what the tenant has set.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ExplainRouting {
    /// Explain as if this were the strategy; absent: the one by which the conversation is routed.
    pub strategy: Option<RoutingStrategy>,
}

text_enum! {
    /// Where a strategy comes from.
    StrategySource {
        /// The tenant's setting.
        Tenant = "tenant",
        /// The conversation's group has one of its own.
        Group = "group",
        /// It was named in the request.
        Request = "request",
    }
}

/// What routing thinks of a conversation.
#[derive(Debug, Serialize, ToSchema)]
pub struct RoutingExplanation {
    /// The conversation.
    pub conversation_id: ConversationId,
    /// Whether it waits. Of one that does not, the candidates are judged as if it waited from now on.
    pub waiting: bool,
    /// The strategy by which it is explained.
    pub strategy: RoutingStrategy,
    /// Where that strategy comes from.
    pub strategy_from: StrategySource,
    /// Without these skills nobody is chosen.
    #[schema(value_type = Vec<String>)]
    pub required_skills: Vec<Skill>,
    /// Who has more of these is chosen first.
    #[schema(value_type = Vec<String>)]
    pub preferred_skills: Vec<Skill>,
    /// Since when, or from when on, the required skills are only preferred; null when they stay required.
    #[schema(required)]
    pub relaxed_at: Option<Millis>,
    /// Who would be chosen now; null when nobody fits, the strategy is `manual`, or the desk is `closed`.
    #[schema(required)]
    pub chosen: Option<MemberId>,
    /// Whether nothing is given away now, because the desk is closed and routing keeps to business hours.
    pub closed: bool,
    /// Everybody of the staff, in the order of their ids.
    pub candidates: Vec<RoutingCandidate>,
}

/// What routing thinks of one member of the staff.
#[derive(Debug, Serialize, ToSchema)]
pub struct RoutingCandidate {
    /// Who.
    pub member: Card,
    /// What it may do.
    pub role: Role,
    /// What it is for others: `offline` when it has no live connection.
    pub effective_status: PresenceStatus,
    /// How many conversations it serves.
    pub current_accept: i64,
    /// How many it accepts.
    pub max_accept: i64,
    /// What it can.
    #[schema(value_type = Vec<String>)]
    pub skills: Vec<Skill>,
    /// Whether it may be chosen.
    pub fits: bool,
    /// Everything that is against it.
    pub obstacles: Vec<Obstacle>,
    /// How much of the preferred skills it has; required ones count once they are relaxed.
    pub score: u32,
    /// It served the customer last, and the tenant prefers that.
    pub last_agent: bool,
}
