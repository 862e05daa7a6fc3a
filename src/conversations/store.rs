//! Queries over `conversation`, `conversation_member` and `assignment`. Reads only; every function takes the tenant.

use diesel::prelude::*;

use crate::db::AnyConnection;
use crate::db::schema::{assignment, conversation, conversation_member};
use crate::kernel::{ConversationId, MemberId, Result, TenantId};

use crate::domain::conversation::{
    AssignmentRow, ConversationKind, ConversationRow, ConversationStatus, ParticipantRow, Priority,
    support_open_key,
};

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

/// Which support conversations a list is to show.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Only in this state.
    pub status: Option<ConversationStatus>,
    /// Only those that this agent serves.
    pub agent_id: Option<MemberId>,
    /// Only those of this customer.
    pub customer_id: Option<MemberId>,
    /// Only those that nobody serves.
    pub unassigned: bool,
    /// Only of this urgency.
    pub priority: Option<Priority>,
}

/// Whose conversations a list is to show.
#[derive(Debug, Clone, Copy)]
pub enum Reach {
    /// Those of this customer.
    Customer(MemberId),
    /// Those that this agent is in, and the waiting ones.
    Agent(MemberId),
    /// All of the tenant.
    Tenant,
}

/// Support conversations, the newest first, with ids below `before`.
pub fn list(
    connection: &mut AnyConnection,
    tenant: TenantId,
    reach: Reach,
    filter: &Filter,
    before: Option<ConversationId>,
    limit: i64,
) -> Result<Vec<ConversationRow>> {
    match reach {
        Reach::Tenant if filter.agent_id.is_some() && filter.status.is_none() => {
            // The index of an agent's conversations is in order of id within each state.
            let mut rows = Vec::new();
            for status in ConversationStatus::ALL {
                let one = Filter { status: Some(*status), ..filter.clone() };
                rows.extend(of_tenant(connection, tenant, &one, before, limit)?);
            }
            Ok(newest(rows, limit))
        }
        Reach::Tenant => of_tenant(connection, tenant, filter, before, limit),
        Reach::Customer(member) => {
            if filter.customer_id.is_some_and(|asked| asked != member) {
                return Ok(Vec::new());
            }
            let own = Filter { customer_id: Some(member), ..filter.clone() };
            of_tenant(connection, tenant, &own, before, limit)
        }
        Reach::Agent(member) => {
            // Some index walks and a merge: an OR over all would read the whole tenant to find an agent's few.
            let mut rows = Vec::new();
            for active in [true, false] {
                // Closed means not active, so one of the walks is enough when a state is asked for.
                if filter.status.is_none_or(|status| active == (status != ConversationStatus::Closed)) {
                    rows.extend(of_member(connection, tenant, member, active, filter, before, limit)?);
                }
            }
            if filter.status.is_none_or(|status| status == ConversationStatus::Open) {
                let waiting = Filter { status: Some(ConversationStatus::Open), ..filter.clone() };
                rows.extend(of_tenant(connection, tenant, &waiting, before, limit)?);
            }
            Ok(newest(rows, limit))
        }
    }
}

/// Adds what a [`Filter`] says to a query that has `conversation` in it.
macro_rules! filtered {
    ($query:ident, $filter:expr) => {
        if let Some(status) = $filter.status {
            $query = $query.filter(conversation::status.eq(status));
        }
        if let Some(agent) = $filter.agent_id {
            $query = $query.filter(conversation::agent_id.eq(agent));
        }
        if let Some(customer) = $filter.customer_id {
            $query = $query.filter(conversation::customer_id.eq(customer));
        }
        if $filter.unassigned {
            $query = $query.filter(conversation::agent_id.is_null());
        }
        if let Some(priority) = $filter.priority {
            $query = $query.filter(conversation::priority.eq(priority));
        }
    };
}

/// Waiting support conversations, the longest waiting first, after the place `(waiting_since, id)`. Agents see every
/// waiting one, so only a customer's list is narrower.
pub fn waiting(
    connection: &mut AnyConnection,
    tenant: TenantId,
    reach: Reach,
    filter: &Filter,
    after: Option<(i64, ConversationId)>,
    limit: i64,
) -> Result<Vec<ConversationRow>> {
    // That it waits says its state; naming the state too would lead to the index of states.
    let mut filter = Filter { status: None, ..filter.clone() };
    if let Reach::Customer(member) = reach {
        if filter.customer_id.is_some_and(|asked| asked != member) {
            return Ok(Vec::new());
        }
        filter.customer_id = Some(member);
    }
    let mut query = conversation::table
        .filter(conversation::tenant_id.eq(tenant))
        .filter(conversation::waiting_since.is_not_null())
        .order((conversation::waiting_since.asc(), conversation::id.asc()))
        .limit(limit)
        .select(ConversationRow::as_select())
        .into_boxed();
    if let Some((since, id)) = after {
        // The first condition is for the index, the second for those of one instant.
        query = query
            .filter(conversation::waiting_since.ge(since))
            .filter(conversation::waiting_since.gt(since).or(conversation::id.gt(id)));
    }
    filtered!(query, filter);
    Ok(query.load(connection)?)
}

/// Merges several walks.
fn newest(mut rows: Vec<ConversationRow>, limit: i64) -> Vec<ConversationRow> {
    rows.sort_by_key(|row| std::cmp::Reverse(row.id));
    rows.dedup_by_key(|row| row.id);
    rows.truncate(usize::try_from(limit).unwrap_or_default());
    rows
}

/// Walks the conversations of the tenant.
fn of_tenant(
    connection: &mut AnyConnection,
    tenant: TenantId,
    filter: &Filter,
    before: Option<ConversationId>,
    limit: i64,
) -> Result<Vec<ConversationRow>> {
    let mut query = conversation::table
        .filter(conversation::tenant_id.eq(tenant))
        .order(conversation::id.desc())
        .limit(limit)
        .select(ConversationRow::as_select())
        .into_boxed();
    // Only support conversations have a status, an agent or a customer; naming the kind beside one of them would
    // lead SQLite to the index of kinds, which is the whole tenant.
    if filter.status.is_none() && filter.agent_id.is_none() && filter.customer_id.is_none() {
        query = query.filter(conversation::kind.eq(ConversationKind::Support));
    }
    if let Some(before) = before {
        query = query.filter(conversation::id.lt(before));
    }
    filtered!(query, filter);
    Ok(query.load(connection)?)
}

/// Walks the conversations that a member is in, those that are not closed or those that are.
fn of_member(
    connection: &mut AnyConnection,
    tenant: TenantId,
    member: MemberId,
    active: bool,
    filter: &Filter,
    before: Option<ConversationId>,
    limit: i64,
) -> Result<Vec<ConversationRow>> {
    let mut query = conversation_member::table
        .inner_join(conversation::table.on(conversation::id.eq(conversation_member::conversation_id)))
        .filter(conversation_member::member_id.eq(member))
        .filter(conversation_member::tenant_id.eq(tenant))
        .filter(conversation_member::active.eq(active))
        .filter(conversation_member::left_seq.is_null())
        .order(conversation_member::conversation_id.desc())
        .limit(limit)
        .select(ConversationRow::as_select())
        .into_boxed();
    if let Some(before) = before {
        query = query.filter(conversation_member::conversation_id.lt(before));
    }
    filtered!(query, filter);
    Ok(query.load(connection)?)
}
