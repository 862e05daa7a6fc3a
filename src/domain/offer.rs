//! Offers of conversations to agents, and what a conversation asks of its agent: the rows that the journal keeps. Routing
//! offers what waits; the agent who serves a conversation offers to hand it over. No I/O.
//!
//! Invariant: an agent has at most one offer of routing that waits for its answer, and a conversation is offered to at most
//! one agent at a time.

use diesel::prelude::*;

use super::routing::{Needs, Skill};
use super::transfer::TransferReason;
use crate::db::schema::{conversation_needs, offer};
use crate::db::types::json_text;
use crate::kernel::{ConversationId, MemberId, OfferId, TenantId};
use crate::text_enum;

text_enum! {
    /// What became of an offer.
    OfferState {
        /// It waits for the agent's answer.
        Offered = "offered",
        /// The agent took the conversation.
        Accepted = "accepted",
        /// The agent said no.
        Declined = "declined",
        /// The agent did not answer in time.
        Missed = "missed",
        /// It no longer holds: it was taken back, the conversation was taken or closed, or the agent went or became full.
        Withdrawn = "withdrawn",
    }
}

impl OfferState {
    /// Whether the agent let the offer pass.
    pub const fn is_refusal(self) -> bool {
        matches!(self, Self::Declined | Self::Missed)
    }
}

/// A row of `offer`.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable)]
#[diesel(table_name = offer)]
pub struct OfferRow {
    /// The offer.
    pub id: OfferId,
    /// Whose.
    pub tenant_id: TenantId,
    /// What is offered.
    pub conversation_id: ConversationId,
    /// To whom.
    pub agent_id: MemberId,
    /// What became of it.
    pub state: OfferState,
    /// Since when, unix milliseconds.
    pub offered_at: i64,
    /// Until when it can be accepted, unix milliseconds.
    pub expires_at: i64,
    /// When it ended, unix milliseconds.
    pub ended_at: Option<i64>,
    /// The rev of the last change.
    pub rev: i64,
    /// Who serves it and would hand it over; `None`: it waits, and routing offers it.
    pub from_agent_id: Option<MemberId>,
    /// Of a transfer: by whose hand.
    pub offered_by: Option<MemberId>,
    /// Of a transfer: why, in one word.
    pub reason: Option<TransferReason>,
    /// Of a transfer: why; may be empty.
    pub note: String,
}

impl OfferRow {
    /// Whether it is offered by who serves it, and not by routing.
    pub const fn is_transfer(&self) -> bool {
        self.from_agent_id.is_some()
    }
}

/// A row of `conversation_needs`. A conversation without a row asks for nothing.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable)]
#[diesel(table_name = conversation_needs)]
pub struct NeedsRow {
    /// Whose needs.
    pub conversation_id: ConversationId,
    /// The tenant.
    pub tenant_id: TenantId,
    /// A JSON list of strings.
    pub required_skills: String,
    /// A JSON list of strings.
    pub preferred_skills: String,
    /// Who served the customer last.
    pub last_agent_id: Option<MemberId>,
}

impl NeedsRow {
    /// A row with these needs.
    pub fn new(tenant_id: TenantId, conversation_id: ConversationId, needs: &Needs) -> Self {
        Self {
            conversation_id,
            tenant_id,
            required_skills: json_text(&needs.required),
            preferred_skills: json_text(&needs.preferred),
            last_agent_id: needs.last_agent,
        }
    }

    /// The needs. A list that cannot be read asks for nothing: it was checked when it was stored.
    pub fn needs(&self) -> Needs {
        let read = |text: &str| serde_json::from_str::<Vec<Skill>>(text).unwrap_or_default();
        Needs {
            required: read(&self.required_skills),
            preferred: read(&self.preferred_skills),
            last_agent: self.last_agent_id,
        }
    }
}
