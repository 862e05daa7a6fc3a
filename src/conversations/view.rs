//! How a conversation looks to staff and to its customer: two types, so that what is meant for staff has no field
//! to leak through.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use diesel::prelude::*;
use serde::Serialize;
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

use crate::attributes::store::{self as attributes, Described};
use crate::db::AnyConnection;
use crate::db::schema::member;
use crate::domain::attribute_value::AttributeValues;
use crate::domain::entry::EntryRow;
use crate::domain::member::Role;
use crate::kernel::{ConversationId, GroupId, MemberId, Millis, Result, TenantId};

use crate::domain::conversation::{
    CloseReason, ConversationKind, ConversationRow, ConversationStatus, Priority, direct_between,
};

/// What everybody in a conversation may know of a member.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Card {
    /// The member.
    pub id: MemberId,
    /// The present name.
    pub nickname: String,
    /// The present avatar's URL; may be empty.
    pub avatar: String,
}

/// A conversation as staff see it.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct StaffView {
    /// The conversation.
    pub id: ConversationId,
    /// Support, the backstage conversation behind one, or a room of the staff.
    pub kind: ConversationKind,
    /// Backstage only: the conversation that it stands behind.
    #[schema(required)]
    pub parent_id: Option<ConversationId>,
    /// Support only: the conversation of its notes, once there is one.
    #[schema(required)]
    pub backstage_id: Option<ConversationId>,
    /// Whose conversation it is; null where there is no customer.
    #[schema(required)]
    pub customer: Option<Card>,
    /// The customer's account was deleted.
    pub customer_deleted: bool,
    /// Who serves it.
    #[schema(required)]
    pub agent: Option<Card>,
    /// Where it stands; null for backstage conversations and rooms.
    #[schema(required)]
    pub status: Option<ConversationStatus>,
    /// How urgent it is.
    pub priority: Priority,
    /// What it is about, or the name of the room; may be empty.
    pub subject: String,
    /// Free labels.
    pub tags: Vec<String>,
    /// Its custom attributes, by their keys; those without a value are left out. A customer sees those that are visible to it.
    pub attributes: AttributeValues,
    /// The head of the log.
    pub seq: i64,
    /// Messages in the log.
    pub msg_count: i64,
    /// Moves with every change that is no message. In quotes it is the conversation's `ETag`.
    pub version: i64,
    /// When it was made.
    pub created_at: Millis,
    /// When it last changed in anything.
    pub updated_at: Millis,
    /// When the last entry was written.
    pub last_at: Millis,
    /// Since when the present agent serves it.
    #[schema(required)]
    pub assigned_at: Option<Millis>,
    /// When it was closed.
    #[schema(required)]
    pub closed_at: Option<Millis>,
    /// Why it was closed.
    #[schema(required)]
    pub close_reason: Option<CloseReason>,
    /// Closed as merged: the conversation in which the customer goes on.
    #[schema(required)]
    pub merged_into_id: Option<ConversationId>,
    /// While it is open: since when it waits.
    #[schema(required)]
    pub waiting_since: Option<Millis>,
    /// The group whose matter it is, or whose room; null for none. A closed conversation may name one that was deleted
    /// since.
    #[schema(required)]
    pub group_id: Option<GroupId>,
    /// Whether this whole group serves it, instead of one agent.
    pub docked: bool,
    /// While it is open: the bot that answers, before it waits for the staff.
    #[schema(required)]
    pub bot: Option<Card>,
    /// Direct rooms only: the two.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub between: Option<Vec<Card>>,
}

/// A conversation as its customer sees it.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct CustomerView {
    /// The conversation.
    pub id: ConversationId,
    /// Always support.
    pub kind: ConversationKind,
    /// Who serves it.
    #[schema(required)]
    pub agent: Option<Card>,
    /// While it is open: the bot that answers.
    #[schema(required)]
    pub bot: Option<Card>,
    /// Where it stands.
    #[schema(required)]
    pub status: Option<ConversationStatus>,
    /// What it is about; may be empty.
    pub subject: String,
    /// Its custom attributes that are visible to the customer, by their keys.
    pub attributes: AttributeValues,
    /// The head of the log.
    pub seq: i64,
    /// Messages in the log.
    pub msg_count: i64,
    /// When it was made.
    pub created_at: Millis,
    /// When the last entry was written.
    pub last_at: Millis,
    /// When it was closed.
    #[schema(required)]
    pub closed_at: Option<Millis>,
    /// Why it was closed.
    #[schema(required)]
    pub close_reason: Option<CloseReason>,
}

/// A conversation as the reader may see it: staff get the one view, customers the other.
#[derive(Debug, Clone, Serialize)]
#[serde(untagged)]
pub enum View {
    /// For staff.
    Staff(Box<StaffView>),
    /// For the customer.
    Customer(Box<CustomerView>),
}

/// One schema, `Conversation`: the fields of [`StaffView`], of which those of [`CustomerView`] are always there. Two
/// that overlap would both fit a staff answer, and no generator could tell them apart.
impl PartialSchema for View {
    fn schema() -> RefOr<Schema> {
        let mut schema = StaffView::schema();
        if let (RefOr::T(Schema::Object(all)), RefOr::T(Schema::Object(customer))) =
            (&mut schema, CustomerView::schema())
        {
            all.required = customer.required;
            all.description = Some(
                "A conversation. A customer gets the required fields only, the staff all of them.".to_owned(),
            );
        }
        schema
    }
}

impl ToSchema for View {
    fn name() -> Cow<'static, str> {
        Cow::Borrowed("Conversation")
    }

    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        StaffView::schemas(schemas);
    }
}

/// The cards of some members, and the custom attributes of some conversations, read at once.
#[derive(Debug, Clone, Default)]
pub struct Cards {
    cards: HashMap<MemberId, Card>,
    deleted: HashSet<MemberId>,
    described: HashMap<ConversationId, Vec<Described>>,
}

impl Cards {
    /// Reads the cards of these members of this tenant.
    pub fn load(
        connection: &mut AnyConnection,
        tenant: TenantId,
        members: impl IntoIterator<Item = MemberId>,
    ) -> Result<Self> {
        let mut wanted: Vec<MemberId> = members.into_iter().collect();
        wanted.sort_unstable();
        wanted.dedup();
        if wanted.is_empty() {
            return Ok(Self::default());
        }
        let rows: Vec<(MemberId, String, String, Option<i64>)> = member::table
            .filter(member::id.eq_any(wanted).and(member::tenant_id.eq(tenant)))
            .select((member::id, member::nickname, member::avatar, member::deleted_at))
            .load(connection)?;
        let deleted = rows.iter().filter(|row| row.3.is_some()).map(|row| row.0).collect();
        let cards =
            rows.into_iter().map(|(id, nickname, avatar, _)| (id, Card { id, nickname, avatar })).collect();
        Ok(Self { cards, deleted, ..Self::default() })
    }

    /// Reads the cards and the custom attributes that the views of these conversations need.
    pub fn of<'a>(
        connection: &mut AnyConnection,
        tenant: TenantId,
        conversations: impl IntoIterator<Item = &'a ConversationRow>,
    ) -> Result<Self> {
        let rows: Vec<&ConversationRow> = conversations.into_iter().collect();
        let members = rows.iter().flat_map(|row| {
            let between = direct_between(row).into_iter().flatten();
            row.customer_id.into_iter().chain(row.agent_id).chain(between)
        });
        let cards = Self::load(connection, tenant, members)?;
        let support = rows.iter().filter(|row| row.kind == ConversationKind::Support).map(|row| row.id);
        cards.describing(connection, tenant, &support.collect::<Vec<_>>())
    }

    /// The same cards, with the custom attributes of these conversations.
    pub fn describing(
        self,
        connection: &mut AnyConnection,
        tenant: TenantId,
        conversations: &[ConversationId],
    ) -> Result<Self> {
        let described = attributes::of_conversations(connection, tenant, conversations)?;
        Ok(Self { described, ..self })
    }

    /// The custom attributes of a conversation, by their keys; only those that its customer sees when it is for the customer.
    fn attributes(&self, id: ConversationId, for_customer: bool) -> AttributeValues {
        let all = self.described.get(&id).into_iter().flatten();
        let seen = all.filter(|one| !for_customer || one.visible_to_customer);
        AttributeValues(seen.map(|one| (one.key.clone(), one.value.clone())).collect())
    }

    /// Whether the member's account was deleted.
    pub fn is_deleted(&self, id: MemberId) -> bool {
        self.deleted.contains(&id)
    }

    /// A member's card; one without a name when the member is gone from the store.
    pub fn get(&self, id: MemberId) -> Card {
        self.cards.get(&id).cloned().unwrap_or_else(|| Card {
            id,
            nickname: String::new(),
            avatar: String::new(),
        })
    }
}

impl StaffView {
    /// The view of a row.
    pub fn new(row: &ConversationRow, cards: &Cards) -> Self {
        Self {
            id: row.id,
            kind: row.kind,
            parent_id: row.parent_id,
            backstage_id: row.backstage_id,
            customer: row.customer_id.map(|id| cards.get(id)),
            customer_deleted: row.customer_id.is_some_and(|id| cards.is_deleted(id)),
            agent: row.agent().map(|id| cards.get(id)),
            status: row.status,
            priority: row.priority,
            subject: row.subject.clone(),
            tags: serde_json::from_str(&row.tags).unwrap_or_default(),
            attributes: cards.attributes(row.id, false),
            seq: row.seq,
            msg_count: row.msg_count,
            version: row.version,
            created_at: Millis(row.created_at),
            updated_at: Millis(row.updated_at),
            last_at: Millis(row.last_at),
            assigned_at: row.assigned_at.map(Millis),
            closed_at: row.closed_at.map(Millis),
            close_reason: row.close_reason,
            merged_into_id: row.merged_into_id,
            waiting_since: row.waiting_since.map(Millis),
            group_id: row.group_id,
            docked: row.docked_to().is_some(),
            bot: row.bot().map(|id| cards.get(id)),
            between: direct_between(row).map(|two| two.map(|one| cards.get(one)).to_vec()),
        }
    }
}

impl CustomerView {
    /// The view of a row.
    pub fn new(row: &ConversationRow, cards: &Cards) -> Self {
        Self {
            id: row.id,
            kind: row.kind,
            agent: row.agent().map(|id| cards.get(id)),
            bot: row.bot().map(|id| cards.get(id)),
            status: row.status,
            subject: row.subject.clone(),
            attributes: cards.attributes(row.id, true),
            seq: row.seq,
            msg_count: row.msg_count,
            created_at: Millis(row.created_at),
            last_at: Millis(row.last_at),
            closed_at: row.closed_at.map(Millis),
            close_reason: row.close_reason,
        }
    }
}

impl View {
    /// The view of a row for a reader of this role.
    pub fn new(row: &ConversationRow, cards: &Cards, role: Role) -> Self {
        match role.is_staff() {
            true => Self::Staff(Box::new(StaffView::new(row, cards))),
            false => Self::Customer(Box::new(CustomerView::new(row, cards))),
        }
    }

    /// The version on which the reader may base a command. Customers are not shown it: it moves with what only the
    /// staff may know. A backstage conversation has none: no command changes it.
    pub fn version(&self) -> Option<i64> {
        match self {
            Self::Staff(view) => (view.kind != ConversationKind::Backstage).then_some(view.version),
            Self::Customer(_) => None,
        }
    }

    /// The conversation.
    pub fn id(&self) -> ConversationId {
        match self {
            Self::Staff(view) => view.id,
            Self::Customer(view) => view.id,
        }
    }
}

/// A conversation that was opened or found.
#[derive(Debug, Clone)]
pub struct Opened {
    /// The conversation as the caller sees it.
    pub conversation: View,
    /// It was made now.
    pub created: bool,
    /// The first message, when one was given.
    pub entry: Option<Arc<EntryRow>>,
    /// The message had been sent before.
    pub duplicate: bool,
}
