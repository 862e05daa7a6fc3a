//! Queries over `rating`. Every function takes the tenant. Reads only.

use diesel::dsl::max;
use diesel::prelude::*;

use crate::db::AnyConnection;
use crate::db::schema::{conversation, conversation_member, rating};
use crate::domain::conversation::MemberType;
use crate::domain::group::Sight;
use crate::domain::rating::RatingRow;
use crate::kernel::{ConversationId, GroupId, MemberId, RatingId, Result, TenantId};
use crate::on;

/// Which ratings are listed.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Only of what this agent served.
    pub agent: Option<MemberId>,
    /// Only of what was this group's.
    pub group: Option<GroupId>,
    /// Only of this customer's conversations.
    pub customer: Option<MemberId>,
    /// Only with this score.
    pub score: Option<i16>,
    /// Only those given at this time or later, unix milliseconds.
    pub from: Option<i64>,
    /// Only those given before this time, unix milliseconds.
    pub until: Option<i64>,
}

/// Whose ratings a member of the staff sees.
#[derive(Debug, Clone)]
pub enum Reach {
    /// Those of what it served.
    Own(MemberId),
    /// Those of what it served, of its groups and of no group.
    Groups(MemberId, Sight),
    /// Everybody's.
    Tenant,
}

/// The ratings that are seen, the newest first, with ids below `before`, each with the conversation's customer.
pub fn list(
    connection: &mut AnyConnection,
    tenant: TenantId,
    reach: &Reach,
    filter: &Filter,
    before: Option<RatingId>,
    limit: i64,
) -> Result<Vec<(RatingRow, Option<MemberId>)>> {
    Ok(on!(connection, inner => {
        let mut query = rating::table
            .inner_join(conversation::table.on(conversation::id.eq(rating::conversation_id)))
            .filter(rating::tenant_id.eq(tenant))
            .order(rating::id.desc())
            .limit(limit)
            .select((RatingRow::as_select(), conversation::customer_id))
            .into_boxed();
        match reach {
            Reach::Tenant => {}
            Reach::Own(member) => query = query.filter(rating::agent_id.eq(*member)),
            Reach::Groups(member, sight) => {
                let groups: Vec<GroupId> = sight.groups().collect();
                let seen = rating::agent_id
                    .eq(*member)
                    .or(rating::group_id.is_null().nullable())
                    .or(rating::group_id.eq_any(groups));
                query = query.filter(seen);
            }
        }
        if let Some(before) = before {
            query = query.filter(rating::id.lt(before));
        }
        if let Some(agent) = filter.agent {
            query = query.filter(rating::agent_id.eq(agent));
        }
        if let Some(group) = filter.group {
            query = query.filter(rating::group_id.eq(group));
        }
        if let Some(customer) = filter.customer {
            query = query.filter(conversation::customer_id.eq(customer));
        }
        if let Some(score) = filter.score {
            query = query.filter(rating::score.eq(score));
        }
        if let Some(from) = filter.from {
            query = query.filter(rating::rated_at.ge(from));
        }
        if let Some(until) = filter.until {
            query = query.filter(rating::rated_at.lt(until));
        }
        query.load(inner)
    })?)
}

/// Where the last message of the staff stands in a conversation; 0 without any.
pub fn staff_seq(connection: &mut AnyConnection, tenant: TenantId, of: ConversationId) -> Result<i64> {
    let last: Option<i64> = conversation_member::table
        .filter(conversation_member::conversation_id.eq(of))
        .filter(conversation_member::tenant_id.eq(tenant))
        .filter(conversation_member::member_type.eq_any([MemberType::Manager, MemberType::Member]))
        .select(max(conversation_member::last_sent_seq))
        .first(connection)?;
    Ok(last.unwrap_or(0))
}
