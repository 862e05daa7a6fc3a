//! What custom attributes ask of the store. No I/O.

use crate::domain::attribute::{AttributeRow, ConversationAttributeRow};
use crate::kernel::{ConversationId, Result, TenantId};

/// What custom attributes ask of a [`super::Source`].
#[allow(missing_docs, reason = "each question is its signature")]
pub trait AttributeSource {
    /// The attributes of a tenant's conversations that are not deleted.
    fn conversation_attributes(&mut self, tenant: TenantId) -> Result<Vec<AttributeRow>>;
    /// The values of these conversations, those of deleted attributes too.
    fn attribute_values(&mut self, conversations: &[ConversationId])
    -> Result<Vec<ConversationAttributeRow>>;
}
