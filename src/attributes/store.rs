//! Queries over `attribute`, `conversation_attribute` and `customer_attribute`. Every function takes the tenant; who writes
//! holds its log.

use std::collections::HashMap;

use diesel::dsl::exists;
use diesel::prelude::*;

use crate::db::AnyConnection;
use crate::db::schema::{
    attribute, conversation, conversation_attribute, conversation_member, customer_attribute, member,
};
use crate::domain::attribute::{
    ATTRIBUTES_MAX, AttributeRow, AttributeTarget, ConversationAttributeRow, CustomerAttributeRow,
};
use crate::domain::attribute_value::{AttributeKind, AttributeValue};
use crate::domain::member::Role;
use crate::kernel::{AttributeId, Code, ConversationId, Error, GroupId, MemberId, Result, TenantId};
use crate::on;

/// Most conversations of a member with a customer that are looked at.
const LOOKED_AT: i64 = 100;

/// A value with what readers need of its attribute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Described {
    /// The attribute's key.
    pub key: String,
    /// Whether the customer sees it.
    pub visible_to_customer: bool,
    /// The value.
    pub value: AttributeValue,
}

type Shown = (String, AttributeKind, bool);

/// Attributes that are not deleted in the order of their ids, after this one, at most `limit`; of this target when one is
/// given.
pub fn list(
    connection: &mut AnyConnection,
    tenant_id: TenantId,
    target: Option<AttributeTarget>,
    after: Option<AttributeId>,
    limit: i64,
) -> Result<Vec<AttributeRow>> {
    let mut query = attribute::table
        .filter(attribute::tenant_id.eq(tenant_id))
        .filter(attribute::deleted_at.is_null())
        .filter(attribute::id.gt(after.unwrap_or(AttributeId(0))))
        .order(attribute::id.asc())
        .limit(limit)
        .select(AttributeRow::as_select())
        .into_boxed();
    if let Some(target) = target {
        query = query.filter(attribute::target.eq(target));
    }
    Ok(query.load(connection)?)
}

/// All attributes of a target that are not deleted.
pub fn all(
    connection: &mut AnyConnection,
    tenant_id: TenantId,
    target: AttributeTarget,
) -> Result<Vec<AttributeRow>> {
    let limit = i64::try_from(ATTRIBUTES_MAX).unwrap_or(i64::MAX);
    list(connection, tenant_id, Some(target), None, limit)
}

/// An attribute that is not deleted.
pub fn find(
    connection: &mut AnyConnection,
    tenant_id: TenantId,
    id: AttributeId,
) -> Result<Option<AttributeRow>> {
    Ok(attribute::table
        .filter(attribute::id.eq(id))
        .filter(attribute::tenant_id.eq(tenant_id))
        .filter(attribute::deleted_at.is_null())
        .select(AttributeRow::as_select())
        .first(connection)
        .optional()?)
}

/// Stores a new attribute. Errors: `limit_reached`, `name_taken`.
pub fn insert(connection: &mut AnyConnection, row: &AttributeRow) -> Result<()> {
    let present = all(connection, row.tenant_id, row.target)?;
    if present.iter().any(|one| one.key == row.key) {
        return Err(Error::new(Code::NameTaken, "another attribute has this key"));
    }
    if present.len() >= ATTRIBUTES_MAX {
        return Err(Error::new(Code::LimitReached, format!("at most {ATTRIBUTES_MAX} of them")));
    }
    diesel::insert_into(attribute::table).values(row).execute(connection)?;
    Ok(())
}

/// Stores what of an attribute may change.
pub fn update(connection: &mut AnyConnection, row: &AttributeRow) -> Result<()> {
    let one =
        attribute::table.filter(attribute::id.eq(row.id)).filter(attribute::tenant_id.eq(row.tenant_id));
    diesel::update(one)
        .set((
            attribute::key.eq(&row.key),
            attribute::title.eq(&row.title),
            attribute::choices.eq(&row.choices),
            attribute::visible_to_customer.eq(row.visible_to_customer),
            attribute::updated_at.eq(row.updated_at),
            attribute::deleted_at.eq(row.deleted_at),
        ))
        .execute(connection)?;
    Ok(())
}

/// Whether any value of this attribute is one of these texts.
pub fn has_value(connection: &mut AnyConnection, row: &AttributeRow, texts: &[String]) -> Result<bool> {
    Ok(match row.target {
        AttributeTarget::Conversation => {
            on!(connection, inner => diesel::select(exists(conversation_attribute::table
                .filter(conversation_attribute::tenant_id.eq(row.tenant_id))
                .filter(conversation_attribute::attribute_id.eq(row.id))
                .filter(conversation_attribute::text_value.eq_any(texts))))
                .get_result(inner))?
        }
        AttributeTarget::Customer => on!(connection, inner => diesel::select(exists(customer_attribute::table
            .filter(customer_attribute::tenant_id.eq(row.tenant_id))
            .filter(customer_attribute::attribute_id.eq(row.id))
            .filter(customer_attribute::text_value.eq_any(texts))))
            .get_result(inner))?,
    })
}

/// The values of these conversations.
pub fn of_conversations(
    connection: &mut AnyConnection,
    tenant_id: TenantId,
    ids: &[ConversationId],
) -> Result<HashMap<ConversationId, Vec<Described>>> {
    let mut found: HashMap<ConversationId, Vec<Described>> = HashMap::new();
    if ids.is_empty() {
        return Ok(found);
    }
    let rows: Vec<(Shown, ConversationAttributeRow)> = on!(connection, inner => conversation_attribute::table
            .inner_join(attribute::table.on(attribute::id.eq(conversation_attribute::attribute_id)))
            .filter(conversation_attribute::conversation_id.eq_any(ids))
            .filter(conversation_attribute::tenant_id.eq(tenant_id))
            .filter(attribute::deleted_at.is_null())
            .select((
                (attribute::key, attribute::kind, attribute::visible_to_customer),
                ConversationAttributeRow::as_select(),
            ))
            .load(inner))?;
    for ((key, kind, visible_to_customer), row) in rows {
        if let Some(value) = kind.value(&row.columns()) {
            let described = Described { key, visible_to_customer, value };
            found.entry(row.conversation_id).or_default().push(described);
        }
    }
    Ok(found)
}

/// The values of a conversation, also those of attributes that are deleted.
pub fn values(
    connection: &mut AnyConnection,
    tenant_id: TenantId,
    id: ConversationId,
) -> Result<Vec<ConversationAttributeRow>> {
    Ok(conversation_attribute::table
        .filter(conversation_attribute::conversation_id.eq(id))
        .filter(conversation_attribute::tenant_id.eq(tenant_id))
        .select(ConversationAttributeRow::as_select())
        .load(connection)?)
}

/// The values of a customer.
pub fn of_customer(
    connection: &mut AnyConnection,
    tenant_id: TenantId,
    id: MemberId,
) -> Result<Vec<Described>> {
    let rows: Vec<(Shown, CustomerAttributeRow)> = customer_attribute::table
        .inner_join(attribute::table.on(attribute::id.eq(customer_attribute::attribute_id)))
        .filter(customer_attribute::member_id.eq(id))
        .filter(customer_attribute::tenant_id.eq(tenant_id))
        .filter(attribute::deleted_at.is_null())
        .select((
            (attribute::key, attribute::kind, attribute::visible_to_customer),
            CustomerAttributeRow::as_select(),
        ))
        .load(connection)?;
    let described = rows.into_iter().filter_map(|((key, kind, visible_to_customer), row)| {
        Some(Described { key, visible_to_customer, value: kind.value(&row.columns())? })
    });
    Ok(described.collect())
}

/// Sets one value of a customer, or removes it.
pub fn set(
    connection: &mut AnyConnection,
    attribute: &AttributeRow,
    id: MemberId,
    value: Option<&AttributeValue>,
    now: i64,
) -> Result<()> {
    let one = customer_attribute::table
        .filter(customer_attribute::member_id.eq(id))
        .filter(customer_attribute::attribute_id.eq(attribute.id))
        .filter(customer_attribute::tenant_id.eq(attribute.tenant_id));
    diesel::delete(one).execute(connection)?;
    if value.is_some() {
        let row = CustomerAttributeRow::empty(id, attribute).with(value, now);
        diesel::insert_into(customer_attribute::table).values(row).execute(connection)?;
    }
    Ok(())
}

/// Whether this is a customer's account that is not deleted.
pub fn is_customer(connection: &mut AnyConnection, tenant_id: TenantId, id: MemberId) -> Result<bool> {
    let one = member::table
        .filter(member::id.eq(id))
        .filter(member::tenant_id.eq(tenant_id))
        .filter(member::role.eq(Role::Customer))
        .filter(member::deleted_at.is_null());
    Ok(diesel::select(exists(one)).get_result(connection)?)
}

/// By which groups a member is in conversations of this customer that are not closed; `None`: by itself.
pub fn serves(
    connection: &mut AnyConnection,
    tenant_id: TenantId,
    member: MemberId,
    customer: MemberId,
) -> Result<Vec<Option<GroupId>>> {
    Ok(conversation_member::table
        .inner_join(conversation::table.on(conversation::id.eq(conversation_member::conversation_id)))
        .filter(conversation_member::tenant_id.eq(tenant_id))
        .filter(conversation_member::member_id.eq(member))
        .filter(conversation_member::active.eq(true))
        .filter(conversation_member::left_seq.is_null())
        .filter(conversation::customer_id.eq(customer))
        .select(conversation_member::group_id)
        .limit(LOOKED_AT)
        .load(connection)?)
}
