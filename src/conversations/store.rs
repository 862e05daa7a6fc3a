//! Queries over `conversation`, `conversation_member` and `assignment`. Reads only; every function takes the tenant. The
//! lists stand in `list`.

use diesel::prelude::*;

use crate::db::AnyConnection;
use crate::db::schema::{assignment, conversation, conversation_member};
use crate::domain::conversation::{AssignmentRow, ConversationRow, ParticipantRow, support_open_key};
use crate::kernel::{ConversationId, MemberId, Result, TenantId};

/// One conversation of this tenant, of whatever kind.
pub fn find(
    connection: &mut AnyConnection,
    tenant: TenantId,
    id: ConversationId,
) -> Result<Option<ConversationRow>> {
    Ok(conversation::table
        .filter(conversation::id.eq(id).and(conversation::tenant_id.eq(tenant)))
        .select(ConversationRow::as_select())
        .get_result(connection)
        .optional()?)
}

/// These conversations of this tenant, in no order; what does not exist is left out.
pub fn find_many(
    connection: &mut AnyConnection,
    tenant: TenantId,
    ids: &[ConversationId],
) -> Result<Vec<ConversationRow>> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    Ok(conversation::table
        .filter(conversation::id.eq_any(ids.iter().copied()).and(conversation::tenant_id.eq(tenant)))
        .select(ConversationRow::as_select())
        .load(connection)?)
}

/// Whether a customer has an open support conversation.
pub fn has_open(connection: &mut AnyConnection, tenant: TenantId, customer: MemberId) -> Result<bool> {
    let open = conversation::table
        .filter(conversation::tenant_id.eq(tenant))
        .filter(conversation::open_key.eq(support_open_key(customer)));
    Ok(diesel::select(diesel::dsl::exists(open)).get_result(connection)?)
}

/// A member's row in a conversation, also when it has left.
pub fn participant(
    connection: &mut AnyConnection,
    tenant: TenantId,
    id: ConversationId,
    member: MemberId,
) -> Result<Option<ParticipantRow>> {
    Ok(conversation_member::table
        .filter(conversation_member::conversation_id.eq(id))
        .filter(conversation_member::member_id.eq(member))
        .filter(conversation_member::tenant_id.eq(tenant))
        .select(ParticipantRow::as_select())
        .get_result(connection)
        .optional()?)
}

/// Everybody who is in a conversation, in order of joining.
pub fn participants_in(
    connection: &mut AnyConnection,
    tenant: TenantId,
    id: ConversationId,
) -> Result<Vec<ParticipantRow>> {
    Ok(conversation_member::table
        .filter(conversation_member::conversation_id.eq(id))
        .filter(conversation_member::tenant_id.eq(tenant))
        .filter(conversation_member::left_seq.is_null())
        .order((conversation_member::created_at.asc(), conversation_member::member_id.asc()))
        .select(ParticipantRow::as_select())
        .load(connection)?)
}

/// The rows of these members in these conversations: every pair that exists, in no order.
pub fn participants_of(
    connection: &mut AnyConnection,
    tenant: TenantId,
    conversations: &[ConversationId],
    members: &[MemberId],
) -> Result<Vec<ParticipantRow>> {
    if conversations.is_empty() || members.is_empty() {
        return Ok(Vec::new());
    }
    Ok(conversation_member::table
        .filter(conversation_member::conversation_id.eq_any(conversations.iter().copied()))
        .filter(conversation_member::member_id.eq_any(members.iter().copied()))
        .filter(conversation_member::tenant_id.eq(tenant))
        .select(ParticipantRow::as_select())
        .load(connection)?)
}

/// A conversation's assignments, the oldest first.
pub fn assignments(
    connection: &mut AnyConnection,
    tenant: TenantId,
    id: ConversationId,
    limit: i64,
) -> Result<Vec<AssignmentRow>> {
    Ok(assignment::table
        .filter(assignment::conversation_id.eq(id))
        .filter(assignment::tenant_id.eq(tenant))
        .order(assignment::id.asc())
        .limit(limit)
        .select(AssignmentRow::as_select())
        .load(connection)?)
}
