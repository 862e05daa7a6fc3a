//! The store as the source of what custom attributes ask.

use diesel::prelude::*;

use super::one_of::on_list;
use crate::db::AnyConnection;
use crate::db::schema::{attribute, conversation_attribute};
use crate::domain::attribute::{AttributeRow, AttributeTarget, ConversationAttributeRow};
use crate::journal::wants::attribute_source::AttributeSource;
use crate::kernel::{ConversationId, Result, TenantId};

impl AttributeSource for AnyConnection {
    fn conversation_attributes(&mut self, tenant: TenantId) -> Result<Vec<AttributeRow>> {
        Ok(attribute::table
            .filter(attribute::tenant_id.eq(tenant))
            .filter(attribute::target.eq(AttributeTarget::Conversation))
            .filter(attribute::deleted_at.is_null())
            .order(attribute::id.asc())
            .select(AttributeRow::as_select())
            .load(self)?)
    }

    fn attribute_values(&mut self, ids: &[ConversationId]) -> Result<Vec<ConversationAttributeRow>> {
        Ok(on_list!(self, conversation_attribute::conversation_id, ids, |inner, among| {
            conversation_attribute::table
                .filter(among)
                .select(ConversationAttributeRow::as_select())
                .load(inner)
        })?)
    }
}
