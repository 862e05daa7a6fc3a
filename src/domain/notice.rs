//! What notices say: one type for each shape of a notice's content, and the table that names the shape of every entry
//! kind. The journal writes these types and the documents show them. Does not own what messages say
//! (`domain::content`). No I/O.

use serde::{Deserialize, Serialize};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

use super::attachment::AttachmentContent;
use super::attribute_value::AttributeValue;
use super::content::{CardContent, CustomContent, TextContent};
use super::conversation::{AssignmentEnd, CloseReason, HandOffReason, Priority};
use super::entry::EntryKind;
use super::member::Role;
use super::routing::Skill;
use super::sla::SlaMetric;
use super::transfer::TransferReason;
use crate::kernel::{AttributeId, ConversationId, GroupId, MemberId, Millis, SlaPolicyId};

/// Content of notices that say everything by their kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
pub struct EmptyContent {}

/// Content of `joined`, `left`, `assigned`, `bot_assigned`, `released`, `offered`, `declined`, `offer_missed`,
/// `offer_withdrawn` and `agent_idle`: whom it is about, as of that moment.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct AboutMember {
    /// The member. Absent on `released` when nobody had served the conversation, and on `agent_idle` when a whole group serves it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = MemberId, required = false)]
    pub member_id: Option<MemberId>,
    /// The role of that moment.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Role, required = false)]
    pub role: Option<Role>,
    /// The name of that moment.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String, required = false)]
    pub nickname: Option<String>,
    /// The avatar's URL of that moment; may be empty.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String, required = false)]
    pub avatar: Option<String>,
}

/// Content of `handed_off`: which bot answered until then, and why it does no more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct HandedOffContent {
    /// The bot.
    pub bot: AboutMember,
    /// Why.
    pub reason: HandOffReason,
}

/// Content of `closed`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
pub struct ClosedContent {
    /// Why the conversation ended.
    pub reason: CloseReason,
}

/// Content of `customer_changed`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct CustomerChangedContent {
    /// Whose conversation it is now.
    pub customer: AboutMember,
}

/// Content of `merged`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
pub struct MergedContent {
    /// The conversation that was closed as merged; its log comes before this one.
    pub conversation_id: ConversationId,
}

/// Content of `priority_changed`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
pub struct PriorityChangedContent {
    /// The urgency before.
    pub from: Priority,
    /// The urgency now.
    pub to: Priority,
}

/// Content of `tags_changed`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct TagsChangedContent {
    /// All labels that the conversation has now.
    pub tags: Vec<String>,
}

/// Content of `attributes_changed`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct AttributesChangedContent {
    /// What changed, in the order of the keys.
    pub changes: Vec<AttributeChange>,
}

/// A custom attribute that changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct AttributeChange {
    /// The attribute.
    pub attribute_id: AttributeId,
    /// Its key.
    pub key: String,
    /// The value before; null for none.
    #[schema(required)]
    pub from: Option<AttributeValue>,
    /// The value now; null for none.
    #[schema(required)]
    pub to: Option<AttributeValue>,
}

/// Content of `group_changed`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct GroupChangedContent {
    /// The group before; null for none.
    #[schema(required)]
    pub from: Option<GroupId>,
    /// The group now; null for none.
    #[schema(required)]
    pub to: Option<GroupId>,
}

/// Content of `skills_changed`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct SkillsChangedContent {
    /// All skills that the agent must have.
    #[schema(value_type = Vec<String>)]
    pub required_skills: Vec<Skill>,
    /// All skills that the agent should have.
    #[schema(value_type = Vec<String>)]
    pub preferred_skills: Vec<Skill>,
}

/// Content of `rated`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct RatedContent {
    /// The entry with which the conversation ended: which of its ends is rated.
    pub close_seq: i64,
    /// From 1 to 5.
    pub score: i16,
    /// Why, when that was said.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String, required = false)]
    pub comment: Option<String>,
    /// Whether it was rated before, and the customer thinks otherwise now.
    pub changed: bool,
}

/// Content of `sla_warned` and `sla_breached`: the clock, as of that moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SlaContent {
    /// What the clock measures.
    pub metric: SlaMetric,
    /// The policy that sets its target.
    pub policy_id: SlaPolicyId,
    /// What the policy is called.
    pub policy_name: String,
    /// The entry of the conversation's log with which it began.
    pub started_seq: i64,
    /// Since when it runs.
    pub started_at: Millis,
    /// When its target is, or was, missed.
    pub due_at: Millis,
}

/// Content of `remark`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct RemarkContent {
    /// The kind of the notice that this explains: `assigned`, `docked`, `handed_off`, `released`, `closed` or `offered`.
    pub about: EntryKind,
    /// What the staff said; may be empty when a reason stands by itself.
    pub note: String,
    /// Of `released`: how the assignment ended, when nobody released it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = AssignmentEnd, required = false)]
    pub reason: Option<AssignmentEnd>,
    /// Of a transfer: why, in one word, when that was said.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = TransferReason, required = false)]
    pub transfer_reason: Option<TransferReason>,
}

/// Content of `imported`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct ImportedContent {
    /// What the other system wrote.
    pub text: String,
}

/// Content of `erased`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
pub struct ErasedContent {
    /// Up to which entry: a client drops what it keeps of these entries, or reads them again.
    pub through_seq: i64,
}

/// The name of the schema of this kind's content.
pub const fn content_schema(kind: EntryKind) -> &'static str {
    match kind {
        EntryKind::Text => "TextContent",
        EntryKind::Card => "CardContent",
        EntryKind::Custom => "CustomContent",
        EntryKind::Image | EntryKind::File | EntryKind::Voice | EntryKind::Video => "AttachmentContent",
        EntryKind::Joined
        | EntryKind::Left
        | EntryKind::Assigned
        | EntryKind::BotAssigned
        | EntryKind::Released
        | EntryKind::Offered
        | EntryKind::Declined
        | EntryKind::OfferMissed
        | EntryKind::OfferWithdrawn
        | EntryKind::AgentIdle => "AboutMember",
        EntryKind::HandedOff => "HandedOffContent",
        EntryKind::Closed => "ClosedContent",
        EntryKind::CustomerChanged => "CustomerChangedContent",
        EntryKind::Merged => "MergedContent",
        EntryKind::PriorityChanged => "PriorityChangedContent",
        EntryKind::TagsChanged => "TagsChangedContent",
        EntryKind::AttributesChanged => "AttributesChangedContent",
        EntryKind::GroupChanged => "GroupChangedContent",
        EntryKind::SkillsChanged => "SkillsChangedContent",
        EntryKind::Rated => "RatedContent",
        EntryKind::SlaWarned | EntryKind::SlaBreached => "SlaContent",
        EntryKind::Remark => "RemarkContent",
        EntryKind::Imported => "ImportedContent",
        EntryKind::Erased => "ErasedContent",
        EntryKind::Opened
        | EntryKind::Docked
        | EntryKind::Reopened
        | EntryKind::Edited
        | EntryKind::Recalled
        | EntryKind::SubjectChanged
        | EntryKind::CustomerIdle => "EmptyContent",
    }
}

/// Every schema that [`content_schema`] names, with those that they refer to.
pub fn content_schemas() -> Vec<(String, RefOr<Schema>)> {
    let mut all = Vec::new();
    add::<TextContent>(&mut all);
    add::<CardContent>(&mut all);
    add::<CustomContent>(&mut all);
    add::<AttachmentContent>(&mut all);
    add::<AboutMember>(&mut all);
    add::<HandedOffContent>(&mut all);
    add::<ClosedContent>(&mut all);
    add::<CustomerChangedContent>(&mut all);
    add::<MergedContent>(&mut all);
    add::<PriorityChangedContent>(&mut all);
    add::<TagsChangedContent>(&mut all);
    add::<AttributesChangedContent>(&mut all);
    add::<GroupChangedContent>(&mut all);
    add::<SkillsChangedContent>(&mut all);
    add::<RatedContent>(&mut all);
    add::<SlaContent>(&mut all);
    add::<RemarkContent>(&mut all);
    add::<ImportedContent>(&mut all);
    add::<ErasedContent>(&mut all);
    add::<EmptyContent>(&mut all);
    all
}

fn add<T: ToSchema>(all: &mut Vec<(String, RefOr<Schema>)>) {
    all.push((T::name().into_owned(), <T as PartialSchema>::schema()));
    T::schemas(all);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_a_schema_that_exists() {
        let known = content_schemas();
        for kind in EntryKind::ALL {
            let name = content_schema(*kind);
            assert!(known.iter().any(|(one, _)| one == name), "{kind}: {name}");
        }
    }
}
