//! Message events: what happened, and what each rule made of it.

use diesel::prelude::*;
use serde::{Deserialize, Serialize};

use crate::db::schema::message_event;
use crate::kernel::{MemberId, MessageEventId, MessageRuleId, MessageSendId, TenantId};
use crate::text_enum;

/// Largest payload of an event, in bytes of JSON.
pub const PAYLOAD_MAX: usize = 65_536;
/// Most events of one request.
pub const BATCH_MAX: usize = 100;

text_enum! {
    /// What a rule made of an event.
    DecisionKind {
        /// A message is sent.
        Send = "send",
        /// The event is collected: it is sent with others in one message.
        Digested = "digested",
        /// One of the rule's conditions does not hold.
        Conditions = "conditions",
        /// The same was sent within the rule's time.
        Duplicate = "duplicate",
        /// The rule had sent as many messages as it does within the time: all of these are suppressed.
        Throttled = "throttled",
        /// The template has no published version.
        Unpublished = "unpublished",
        /// There is nobody to send it to: the event names no customer, or nobody has the role or is in the group.
        NoRecipient = "no_recipient",
        /// The template cannot be rendered with this payload: the send has failed.
        Template = "template",
    }
}

/// What one rule made of an event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Decision {
    /// The rule.
    pub rule_id: MessageRuleId,
    /// What it made of the event.
    pub decision: DecisionKind,
    /// Which condition does not hold, what is wrong with the template, or that there are more persons than are reached,
    /// or how many messages are throttled; empty otherwise.
    pub detail: String,
    /// The messages: one, or one for each person.
    #[serde(default)]
    pub send_ids: Vec<MessageSendId>,
}

/// A row of `message_event`.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Insertable)]
#[diesel(table_name = message_event, treat_none_as_default_value = false)]
pub struct EventRow {
    /// The event.
    pub id: MessageEventId,
    /// Whose.
    pub tenant_id: TenantId,
    /// What kind of thing happened: rules are found by it.
    pub key: String,
    /// What is known of it: a JSON object.
    pub payload: String,
    /// Who told it.
    pub created_by: Option<MemberId>,
    /// When it was told, unix milliseconds.
    pub created_at: i64,
    /// When the rules were applied, unix milliseconds.
    pub expanded_at: Option<i64>,
    /// The JSON list of [`Decision`]s.
    pub decisions: Option<String>,
    /// The customer whom it is about.
    pub customer_id: Option<MemberId>,
    /// The agent who served the customer's conversation, of what the product tells itself.
    pub agent_id: Option<MemberId>,
    /// The only rule that is applied to it; `None`: every active rule with its key.
    pub rule_id: Option<MessageRuleId>,
    /// What it was made of, when that must make one event only: unique in its tenant.
    pub origin: Option<String>,
}
