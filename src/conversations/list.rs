//! The lists of conversations: which ones a member sees, in which order, each page by walks of indexes. Reads only; every
//! function takes the tenant.

use diesel::prelude::*;

use crate::db::AnyConnection;
use crate::db::schema::{conversation, conversation_member};
use crate::domain::conversation::{ConversationKind, ConversationRow, ConversationStatus};
use crate::kernel::{ConversationId, MemberId, Result, TenantId};

pub use super::walks::{Filter, Reach};
use super::walks::{Walk, walks, within};

/// Support conversations, the newest first, with ids below `before`.
pub fn newest_first(
    connection: &mut AnyConnection,
    tenant: TenantId,
    reach: &Reach,
    filter: &Filter,
    before: Option<ConversationId>,
    limit: i64,
) -> Result<Vec<ConversationRow>> {
    let mut rows = Vec::new();
    for walk in walks(reach, filter) {
        rows.extend(match walk {
            Walk::Tenant(filter) => of_tenant(connection, tenant, &filter, before, limit)?,
            Walk::Member(member, active, filter) => {
                of_member(connection, tenant, member, active, &filter, before, limit)?
            }
        });
    }
    Ok(newest(rows, limit))
}

/// Down to which id [`newest_first`] may go so that it looks at about `count` conversations below `before`, whatever the
/// filter's condition finds; `None`: down to the end.
pub fn floor(
    connection: &mut AnyConnection,
    tenant: TenantId,
    reach: &Reach,
    filter: &Filter,
    before: Option<ConversationId>,
    count: i64,
) -> Result<Option<ConversationId>> {
    let walks = walks(reach, &Filter { condition: None, floor: None, ..filter.clone() });
    let walk_count = i64::try_from(walks.len()).unwrap_or(i64::MAX).max(1);
    let last = (count / walk_count).max(1) - 1;
    let mut floor = None;
    for walk in walks {
        floor = floor.max(match walk {
            Walk::Tenant(filter) => id_of_tenant(connection, tenant, &filter, before, last)?,
            Walk::Member(member, active, _) => {
                id_of_member(connection, tenant, member, active, before, last)?
            }
        });
    }
    Ok(floor)
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
        if let Some(floor) = $filter.floor {
            $query = $query.filter(conversation::id.ge(floor));
        }
        if let Some(condition) = &$filter.condition {
            $query = $query.filter(condition.clone());
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

/// Only support conversations have a status, an agent or a customer; naming the kind beside one of them would lead SQLite to
/// the index of kinds, which is the whole tenant.
fn is_of_any_kind(filter: &Filter) -> bool {
    let grouped = filter.group.flatten().is_some();
    filter.status.is_none() && filter.agent_id.is_none() && filter.customer_id.is_none() && !grouped
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
    if is_of_any_kind(filter) {
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
    if let Some(floor) = filter.floor {
        query = query.filter(conversation_member::conversation_id.ge(floor));
    }
    filtered!(query, filter);
    Ok(query.load(connection)?)
}

/// The id of the conversation after the first `skipped` ones of a walk of the tenant.
fn id_of_tenant(
    connection: &mut AnyConnection,
    tenant: TenantId,
    filter: &Filter,
    before: Option<ConversationId>,
    skipped: i64,
) -> Result<Option<ConversationId>> {
    let mut query = conversation::table
        .filter(conversation::tenant_id.eq(tenant))
        .filter(conversation::id.lt(before.unwrap_or(ConversationId(i64::MAX))))
        .order(conversation::id.desc())
        .offset(skipped)
        .limit(1)
        .select(conversation::id)
        .into_boxed();
    if is_of_any_kind(filter) {
        query = query.filter(conversation::kind.eq(ConversationKind::Support));
    }
    filtered!(query, filter);
    Ok(query.first(connection).optional()?)
}

/// The id of the conversation after the first `skipped` ones of a walk of what a member is or was in.
fn id_of_member(
    connection: &mut AnyConnection,
    tenant: TenantId,
    member: MemberId,
    active: bool,
    before: Option<ConversationId>,
    skipped: i64,
) -> Result<Option<ConversationId>> {
    Ok(conversation_member::table
        .filter(conversation_member::member_id.eq(member))
        .filter(conversation_member::tenant_id.eq(tenant))
        .filter(conversation_member::active.eq(active))
        .filter(conversation_member::conversation_id.lt(before.unwrap_or(ConversationId(i64::MAX))))
        .order(conversation_member::conversation_id.desc())
        .offset(skipped)
        .limit(1)
        .select(conversation_member::conversation_id)
        .first(connection)
        .optional()?)
}
