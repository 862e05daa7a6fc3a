//! The lists of conversations: which ones a member sees, in which order, each page by walks of indexes. Reads only; every
//! function takes the tenant.

use diesel::prelude::*;

use crate::db::AnyConnection;
use crate::db::schema::{conversation, conversation_member};
use crate::domain::conversation::{ConversationKind, ConversationRow, ConversationStatus, Priority};
use crate::domain::group::Sight;
use crate::kernel::{ConversationId, GroupId, MemberId, Result, TenantId};

/// Which support conversations a list is to show.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Only in this state.
    pub status: Option<ConversationStatus>,
    /// Only those that this agent serves.
    pub agent_id: Option<MemberId>,
    /// Only those of this customer.
    pub customer_id: Option<MemberId>,
    /// Only those that no agent has, and no group serves.
    pub unassigned: bool,
    /// Only of this urgency.
    pub priority: Option<Priority>,
    /// Only of this group; `Some(None)`: of no group.
    pub group: Option<Option<GroupId>>,
}

/// Whose conversations a list is to show.
#[derive(Debug, Clone)]
pub enum Reach {
    /// Those of this customer.
    Customer(MemberId),
    /// Those that this agent is in, and the waiting ones within its sight.
    Agent {
        /// The agent.
        member: MemberId,
        /// Whose waiting ones it sees.
        sight: Sight,
    },
    /// Those that this supervisor of some groups is in, and all within its sight.
    Supervisor {
        /// The supervisor.
        member: MemberId,
        /// Whose it sees.
        sight: Sight,
    },
    /// Those that this bot is in.
    Insider(MemberId),
    /// All of the tenant.
    Tenant,
}

/// Support conversations, the newest first, with ids below `before`.
pub fn newest_first(
    connection: &mut AnyConnection,
    tenant: TenantId,
    reach: &Reach,
    filter: &Filter,
    before: Option<ConversationId>,
    limit: i64,
) -> Result<Vec<ConversationRow>> {
    match reach {
        Reach::Tenant => of_tenant_or_agent(connection, tenant, filter, before, limit),
        Reach::Customer(member) => {
            if filter.customer_id.is_some_and(|asked| asked != *member) {
                return Ok(Vec::new());
            }
            let own = Filter { customer_id: Some(*member), ..filter.clone() };
            of_tenant(connection, tenant, &own, before, limit)
        }
        Reach::Insider(member) => of_member_at_all(connection, tenant, *member, filter, before, limit),
        Reach::Agent { member, sight } => {
            let mut rows = of_member_at_all(connection, tenant, *member, filter, before, limit)?;
            if filter.status.is_none_or(|status| status == ConversationStatus::Open) {
                let waiting = Filter { status: Some(ConversationStatus::Open), ..filter.clone() };
                for one in within(sight, &waiting) {
                    rows.extend(of_tenant(connection, tenant, &one, before, limit)?);
                }
            }
            Ok(newest(rows, limit))
        }
        Reach::Supervisor { member, sight } => {
            let mut rows = of_member_at_all(connection, tenant, *member, filter, before, limit)?;
            for one in within(sight, filter) {
                rows.extend(of_tenant_or_agent(connection, tenant, &one, before, limit)?);
            }
            Ok(newest(rows, limit))
        }
    }
}

/// The filter once for each group within this sight, and for none: each is a walk of an index of its own, where one
/// condition over all would read past what the others wait for.
fn within(sight: &Sight, filter: &Filter) -> Vec<Filter> {
    match (sight.is_whole(), filter.group) {
        (true, _) => vec![filter.clone()],
        (false, Some(group)) if sight.reaches(group) => vec![filter.clone()],
        (false, Some(_)) => Vec::new(),
        (false, None) => {
            let groups = sight.groups().map(Some).chain([None]);
            groups.map(|group| Filter { group: Some(group), ..filter.clone() }).collect()
        }
    }
}

/// The indexes of an agent's and of a group's conversations are in order of id within each state.
fn of_tenant_or_agent(
    connection: &mut AnyConnection,
    tenant: TenantId,
    filter: &Filter,
    before: Option<ConversationId>,
    limit: i64,
) -> Result<Vec<ConversationRow>> {
    if filter.status.is_some() || (filter.agent_id.is_none() && filter.group.is_none()) {
        return of_tenant(connection, tenant, filter, before, limit);
    }
    let mut rows = Vec::new();
    for status in ConversationStatus::ALL {
        let one = Filter { status: Some(*status), ..filter.clone() };
        rows.extend(of_tenant(connection, tenant, &one, before, limit)?);
    }
    Ok(newest(rows, limit))
}

/// What a member is in. Some index walks and a merge: an OR over all would read the whole tenant to find a member's few.
fn of_member_at_all(
    connection: &mut AnyConnection,
    tenant: TenantId,
    member: MemberId,
    filter: &Filter,
    before: Option<ConversationId>,
    limit: i64,
) -> Result<Vec<ConversationRow>> {
    let mut rows = Vec::new();
    for active in [true, false] {
        // Closed means not active, so one of the walks is enough when a state is asked for.
        if filter.status.is_none_or(|status| active == (status != ConversationStatus::Closed)) {
            rows.extend(of_member(connection, tenant, member, active, filter, before, limit)?);
        }
    }
    Ok(rows)
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
            // What a whole group serves has no agent, and is served.
            let unserved = conversation::status.ne(ConversationStatus::Pending);
            $query = $query.filter(conversation::agent_id.is_null()).filter(unserved);
        }
        if let Some(priority) = $filter.priority {
            $query = $query.filter(conversation::priority.eq(priority));
        }
        match $filter.group {
            Some(Some(group)) => $query = $query.filter(conversation::group_id.eq(group)),
            Some(None) => $query = $query.filter(conversation::group_id.is_null()),
            None => {}
        }
    };
}

/// Waiting support conversations, the longest waiting first, after the place `(waiting_since, id)`. What a member of the
/// staff is in while it waits lies within the list too, be it within its sight or not.
pub fn waiting_first(
    connection: &mut AnyConnection,
    tenant: TenantId,
    reach: &Reach,
    filter: &Filter,
    after: Option<(i64, ConversationId)>,
    limit: i64,
) -> Result<Vec<ConversationRow>> {
    // That it waits says its state; naming the state too would lead to the index of states.
    let filter = Filter { status: None, ..filter.clone() };
    match reach {
        Reach::Customer(member) => {
            if filter.customer_id.is_some_and(|asked| asked != *member) {
                return Ok(Vec::new());
            }
            let own = Filter { customer_id: Some(*member), ..filter };
            waiting_of(connection, tenant, &own, after, limit)
        }
        // What a bot answers does not wait, and it is in nothing else that is open.
        Reach::Insider(_) => Ok(Vec::new()),
        Reach::Tenant => waiting_of(connection, tenant, &filter, after, limit),
        Reach::Agent { member, sight } | Reach::Supervisor { member, sight } => {
            let mut rows = Vec::new();
            for one in within(sight, &filter) {
                rows.extend(waiting_of(connection, tenant, &one, after, limit)?);
            }
            if !sight.is_whole() {
                rows.extend(waiting_inside(connection, tenant, *member, &filter, after)?);
            }
            let place = |row: &ConversationRow| (row.waiting_since, row.id);
            rows.sort_by_key(place);
            rows.dedup_by_key(|row| row.id);
            rows.truncate(usize::try_from(limit).unwrap_or_default());
            Ok(rows)
        }
    }
}

/// Most conversations, not closed, of which one member is in that wait; those beyond are left to the other lists.
const INSIDE_MAX: i64 = 1_000;

/// The waiting ones that a member is in.
fn waiting_inside(
    connection: &mut AnyConnection,
    tenant: TenantId,
    member: MemberId,
    filter: &Filter,
    after: Option<(i64, ConversationId)>,
) -> Result<Vec<ConversationRow>> {
    let open = Filter { status: Some(ConversationStatus::Open), ..filter.clone() };
    let mut rows = of_member(connection, tenant, member, true, &open, None, INSIDE_MAX)?;
    rows.retain(|row| {
        row.waiting_since.is_some()
            && after.is_none_or(|after| (row.waiting_since, row.id) > (Some(after.0), after.1))
    });
    Ok(rows)
}

/// Walks the waiting conversations of the tenant.
fn waiting_of(
    connection: &mut AnyConnection,
    tenant: TenantId,
    filter: &Filter,
    after: Option<(i64, ConversationId)>,
    limit: i64,
) -> Result<Vec<ConversationRow>> {
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
    let grouped = filter.group.flatten().is_some();
    if filter.status.is_none() && filter.agent_id.is_none() && filter.customer_id.is_none() && !grouped {
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
        .filter(conversation::kind.eq(ConversationKind::Support))
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
