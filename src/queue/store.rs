//! Queries over the queue, offers and candidates. Reads only; every function takes the tenant.

use std::collections::HashMap;

use diesel::prelude::*;

use crate::db::AnyConnection;
use crate::db::schema::{
    agent_status, assignment, conversation, conversation_needs, group_member, member, offer,
};
use crate::db::types::Json;
use crate::domain::conversation::ConversationRow;
use crate::domain::group::Sight;
use crate::domain::member::{MemberStatus, Role};
use crate::domain::offer::{NeedsRow, OfferRow, OfferState};
use crate::domain::presence::{AgentStatusRow, PresenceStatus};
use crate::kernel::{ConversationId, GroupId, MemberId, Result, TenantId};

/// Waiting conversations that lie within this sight, in the order of the queue, behind the place `(queue_key, id)`.
pub fn waiting(
    connection: &mut AnyConnection,
    tenant: TenantId,
    sight: &Sight,
    after: Option<(i64, ConversationId)>,
    limit: i64,
) -> Result<Vec<ConversationRow>> {
    let mut query = conversation::table
        .filter(conversation::tenant_id.eq(tenant))
        .filter(conversation::queue_key.is_not_null())
        .order((conversation::queue_key.asc(), conversation::id.asc()))
        .limit(limit)
        .select(ConversationRow::as_select())
        .into_boxed();
    if let Some((key, id)) = after {
        // The first condition is for the index, the second for those of one key.
        query = query
            .filter(conversation::queue_key.ge(key))
            .filter(conversation::queue_key.gt(key).or(conversation::id.gt(id)));
    }
    if !sight.is_whole() {
        let groups: Vec<GroupId> = sight.groups().collect();
        let seen = conversation::group_id.is_null();
        query = query.filter(seen.or(conversation::group_id.eq_any(groups).assume_not_null()));
    }
    Ok(query.load(connection)?)
}

/// How many conversations of this group, or of none, wait before this place.
pub fn before(
    connection: &mut AnyConnection,
    tenant: TenantId,
    group: Option<GroupId>,
    (key, id): (i64, ConversationId),
) -> Result<i64> {
    let mut query = conversation::table
        .filter(conversation::tenant_id.eq(tenant))
        .filter(conversation::queue_key.le(key))
        .filter(conversation::queue_key.lt(key).or(conversation::id.lt(id)))
        .count()
        .into_boxed();
    query = match group {
        Some(group) => query.filter(conversation::group_id.eq(group)),
        None => query.filter(conversation::group_id.is_null()),
    };
    Ok(query.get_result(connection)?)
}

/// How many assignments of conversations of this group, or of none, began after this time, unix milliseconds.
pub fn assigned_since(
    connection: &mut AnyConnection,
    tenant: TenantId,
    group: Option<GroupId>,
    since: i64,
) -> Result<i64> {
    let mut query = assignment::table
        .inner_join(conversation::table.on(conversation::id.eq(assignment::conversation_id)))
        .filter(assignment::tenant_id.eq(tenant))
        .filter(assignment::started_at.gt(since))
        .count()
        .into_boxed();
    query = match group {
        Some(group) => query.filter(conversation::group_id.eq(group)),
        None => query.filter(conversation::group_id.is_null()),
    };
    Ok(query.get_result(connection)?)
}

/// Whether anybody of the staff is online.
pub fn anybody_online(connection: &mut AnyConnection, tenant: TenantId) -> Result<bool> {
    let online = agent_status::table
        .filter(agent_status::tenant_id.eq(tenant))
        .filter(agent_status::status.eq(PresenceStatus::Online))
        .filter(agent_status::connected.eq(true));
    Ok(diesel::select(diesel::dsl::exists(online)).get_result(connection)?)
}

/// The offers to an agent that wait for its answer.
pub fn offers_to(connection: &mut AnyConnection, tenant: TenantId, agent: MemberId) -> Result<Vec<OfferRow>> {
    Ok(offer::table
        .filter(offer::state.eq(OfferState::Offered))
        .filter(offer::tenant_id.eq(tenant))
        .filter(offer::agent_id.eq(agent))
        .order(offer::id.asc())
        .select(OfferRow::as_select())
        .load(connection)?)
}

/// The transfers that wait for an answer and are offered by this member, or of what it serves.
pub fn offers_by(
    connection: &mut AnyConnection,
    tenant: TenantId,
    member: MemberId,
) -> Result<Vec<OfferRow>> {
    Ok(offer::table
        .filter(offer::state.eq(OfferState::Offered))
        .filter(offer::tenant_id.eq(tenant))
        .filter(offer::from_agent_id.eq(member).or(offer::offered_by.eq(member)))
        .order(offer::id.asc())
        .select(OfferRow::as_select())
        .load(connection)?)
}

/// What a conversation asks of its agent, when it asks for anything.
pub fn needs(
    connection: &mut AnyConnection,
    tenant: TenantId,
    id: ConversationId,
) -> Result<Option<NeedsRow>> {
    Ok(conversation_needs::table
        .filter(conversation_needs::conversation_id.eq(id))
        .filter(conversation_needs::tenant_id.eq(tenant))
        .select(NeedsRow::as_select())
        .first(connection)
        .optional()?)
}

/// A member of the staff, with what routing reads of it.
#[derive(Debug, Clone)]
pub struct StaffRow {
    /// Who.
    pub id: MemberId,
    /// What it may do.
    pub role: Role,
    /// Its account.
    pub status: MemberStatus,
    /// When the account ends, unix milliseconds.
    pub expires_at: Option<i64>,
    /// How many conversations it accepts.
    pub max_accept: i32,
    /// Its skills.
    pub skills: Vec<String>,
    /// Which groups' conversations it may serve.
    pub sight: Sight,
    /// What is kept of it; `None` when it never said anything.
    pub kept: Option<AgentStatusRow>,
}

type StaffColumns =
    (MemberId, Role, MemberStatus, Option<i64>, i32, Json<Vec<String>>, Option<AgentStatusRow>);

/// The staff whose accounts are not deleted, in the order of their ids, at most `limit` of each role.
pub fn staff(connection: &mut AnyConnection, tenant: TenantId, limit: i64) -> Result<Vec<StaffRow>> {
    let mut rows: Vec<StaffColumns> = Vec::new();
    for role in [Role::Agent, Role::Supervisor, Role::Admin] {
        rows.extend(
            member::table
                .left_join(agent_status::table.on(agent_status::member_id.eq(member::id)))
                .filter(member::tenant_id.eq(tenant))
                .filter(member::role.eq(role))
                .filter(member::deleted_at.is_null())
                .order(member::id.asc())
                .limit(limit)
                .select((
                    member::id,
                    member::role,
                    member::status,
                    member::expires_at,
                    member::max_accept,
                    member::skills,
                    Option::<AgentStatusRow>::as_select(),
                ))
                .load::<StaffColumns>(connection)?,
        );
    }
    rows.sort_by_key(|row| row.0);
    let mut groups: HashMap<MemberId, Vec<GroupId>> = HashMap::new();
    let inside: Vec<(MemberId, GroupId)> = group_member::table
        .filter(group_member::tenant_id.eq(tenant))
        .filter(group_member::left_at.is_null())
        .select((group_member::member_id, group_member::group_id))
        .load(connection)?;
    for (member, group) in inside {
        groups.entry(member).or_default().push(group);
    }
    let row = |(id, role, status, expires_at, max_accept, skills, kept): StaffColumns| StaffRow {
        id,
        role,
        status,
        expires_at,
        max_accept,
        skills: skills.0,
        sight: Sight::of(role, groups.get(&id).into_iter().flatten().copied()),
        kept,
    };
    Ok(rows.into_iter().map(row).collect())
}
