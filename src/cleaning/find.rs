//! Who is to be cleaned up: members that nobody will ask for again. Removes nothing.

use diesel::dsl::{exists, not};
use diesel::prelude::*;

use super::{STAFF, VISITORS};
use crate::db::AnyConnection;
use crate::db::schema::{auth_session, conversation, conversation_member, member};
use crate::domain::member::{MemberStatus, Role};
use crate::kernel::{MemberId, Result, TenantId};
use crate::on;

/// Staff that may not use its account and is still in conversations that are not closed.
pub(super) fn gone_staff(
    connection: &mut AnyConnection,
    tenant: TenantId,
    now: i64,
) -> Result<Vec<MemberId>> {
    let gone = member::status
        .eq(MemberStatus::Disabled.as_str())
        .or(member::deleted_at.is_not_null())
        .or(member::expires_at.le(now).assume_not_null());
    let found = on!(connection, inner => member::table
        .filter(member::tenant_id.eq(tenant))
        .filter(member::role.ne(Role::Customer.as_str()))
        .filter(gone)
        .filter(exists(conversation_member::table
            .filter(conversation_member::tenant_id.eq(tenant))
            .filter(conversation_member::member_id.eq(member::id))
            .filter(conversation_member::active.eq(true))))
        .select(member::id)
        .order(member::id.asc())
        .limit(STAFF)
        .load::<MemberId>(inner))?;
    Ok(found)
}

/// Visitors without a name, made and last seen before this time, with no session that could be used again and no
/// conversation that is open or was written in since.
pub(super) fn idle_visitors(
    connection: &mut AnyConnection,
    tenant: TenantId,
    now: i64,
    before: i64,
) -> Result<Vec<MemberId>> {
    let found = on!(connection, inner => member::table
        .filter(member::tenant_id.eq(tenant))
        .filter(member::role.eq(Role::Customer.as_str()))
        .filter(member::deleted_at.is_null())
        .filter(member::login_name.is_null())
        .filter(member::external_id.is_null())
        .filter(member::merged_into.is_null())
        .filter(member::created_at.lt(before))
        .filter(member::last_seen.is_null().or(member::last_seen.lt(before).assume_not_null()))
        .filter(not(exists(auth_session::table
            .filter(auth_session::tenant_id.eq(tenant))
            .filter(auth_session::member_id.eq(member::id))
            .filter(auth_session::last_used_at.ge(before)
                .or(auth_session::revoked_at.is_null().and(auth_session::expires_at.gt(now)))))))
        .filter(not(exists(conversation::table
            .filter(conversation::tenant_id.eq(tenant))
            .filter(conversation::customer_id.eq(member::id.nullable()))
            .filter(conversation::open_key.is_not_null().or(conversation::last_at.ge(before))))))
        .select(member::id)
        .order(member::id.asc())
        .limit(VISITORS)
        .load::<MemberId>(inner))?;
    Ok(found)
}
