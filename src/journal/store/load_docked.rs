//! Finding the conversations that a group serves, those that wait for it, and those that follow their group.

use diesel::dsl::{exists, not};
use diesel::prelude::*;

use crate::db::AnyConnection;
use crate::db::schema::{conversation, conversation_member};
use crate::domain::conversation::ConversationStatus;
use crate::kernel::{ConversationId, GroupId, MemberId, Result, TenantId};

/// The oldest conversations that are docked to a group, at most `limit`; only those in which this member is not, when one
/// is given.
pub(super) fn of_group(
    connection: &mut AnyConnection,
    tenants: &[TenantId],
    group: GroupId,
    without: Option<MemberId>,
    limit: usize,
) -> Result<Vec<ConversationId>> {
    let mut query = conversation::table
        .filter(conversation::tenant_id.eq_any(tenants.to_vec()))
        .filter(conversation::group_id.eq(group))
        .filter(conversation::status.eq(ConversationStatus::Pending))
        .filter(conversation::agent_id.is_null())
        .order(conversation::id.asc())
        .limit(i64::try_from(limit).unwrap_or(i64::MAX))
        .select(conversation::id)
        .into_boxed();
    if let Some(member) = without {
        let is_in = conversation_member::table
            .filter(conversation_member::conversation_id.eq(conversation::id))
            .filter(conversation_member::member_id.eq(member))
            .filter(conversation_member::left_seq.is_null());
        query = query.filter(not(exists(is_in)));
    }
    Ok(query.load(connection)?)
}

/// The conversations that wait for a group, the longest waiting first, at most `limit`.
pub(super) fn waiting_for(
    connection: &mut AnyConnection,
    tenants: &[TenantId],
    group: GroupId,
    limit: usize,
) -> Result<Vec<ConversationId>> {
    Ok(conversation::table
        .filter(conversation::tenant_id.eq_any(tenants.to_vec()))
        .filter(conversation::group_id.eq(group))
        .filter(conversation::waiting_since.is_not_null())
        .order((conversation::waiting_since.asc(), conversation::id.asc()))
        .limit(i64::try_from(limit).unwrap_or(i64::MAX))
        .select(conversation::id)
        .load(connection)?)
}

/// Conversations, also closed ones, in which a member is by this group, at most `limit`.
pub(super) fn inside_by(
    connection: &mut AnyConnection,
    tenants: &[TenantId],
    group: GroupId,
    member: MemberId,
    limit: usize,
) -> Result<Vec<ConversationId>> {
    Ok(conversation_member::table
        .filter(conversation_member::tenant_id.eq_any(tenants.to_vec()))
        .filter(conversation_member::member_id.eq(member))
        .filter(conversation_member::group_id.eq(group))
        .filter(conversation_member::left_seq.is_null())
        .limit(i64::try_from(limit).unwrap_or(i64::MAX))
        .select(conversation_member::conversation_id)
        .load(connection)?)
}
