//! The store as a source for routing: each question of [`RoutingSource`] as one query, or one for each customer.

use std::collections::HashMap;

use diesel::prelude::*;

use super::one_of::on_list;
use crate::db::AnyConnection;
use crate::db::schema::{
    agent_status, assignment, chat_group, conversation, conversation_needs, member, offer,
};
use crate::db::types::Json;
use crate::domain::conversation::{AssignmentEnd, ConversationStatus};
use crate::domain::group::{GroupRow, Serving};
use crate::domain::offer::{NeedsRow, OfferRow, OfferState};
use crate::domain::presence::{AgentStatusRow, PresenceStatus};
use crate::domain::routing::Skill;
use crate::journal::wants::Source;
use crate::journal::wants::routing_source::{Automatic, Place, Queued, RoutingSource};
use crate::journal::working_set::MemberFacts;
use crate::kernel::{ConversationId, GroupId, MemberId, Result, TenantId};

fn limited(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

/// Key, conversation, since when it waits, group.
type QueueColumns = (Option<i64>, ConversationId, Option<i64>, Option<GroupId>);

impl RoutingSource for AnyConnection {
    fn online(
        &mut self,
        tenant: TenantId,
        limit: usize,
    ) -> Result<Vec<(MemberFacts, AgentStatusRow, Vec<Skill>)>> {
        let rows: Vec<AgentStatusRow> = agent_status::table
            .filter(agent_status::tenant_id.eq(tenant))
            .filter(agent_status::status.eq(PresenceStatus::Online))
            .filter(agent_status::connected.eq(true))
            .order(agent_status::member_id.asc())
            .limit(limited(limit))
            .select(AgentStatusRow::as_select())
            .load(self)?;
        let ids: Vec<MemberId> = rows.iter().map(|row| row.member_id).collect();
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let skills: Vec<(MemberId, Json<Vec<String>>)> =
            on_list!(self, member::id, &ids, |inner, among| member::table
                .filter(among)
                .select((member::id, member::skills))
                .load(inner))?;
        let skills: HashMap<MemberId, Vec<Skill>> =
            skills.into_iter().map(|(id, labels)| (id, Skill::list(&labels.0))).collect();
        let facts: HashMap<MemberId, MemberFacts> =
            self.members(&ids)?.into_iter().map(|facts| (facts.id, facts)).collect();
        let whole = rows.into_iter().filter_map(|row| {
            let id = row.member_id;
            Some((facts.get(&id)?.clone(), row, skills.get(&id).cloned().unwrap_or_default()))
        });
        Ok(whole.collect())
    }

    fn groups_with_strategy(&mut self, tenant: TenantId) -> Result<Vec<GroupRow>> {
        Ok(chat_group::table
            .filter(chat_group::tenant_id.eq(tenant))
            .filter(chat_group::routing_strategy.is_not_null().or(chat_group::serving.eq(Serving::Group)))
            .filter(chat_group::deleted_at.is_null())
            .select(GroupRow::as_select())
            .load(self)?)
    }

    fn queue(
        &mut self,
        tenant: TenantId,
        among: &Automatic,
        after: Option<Place>,
        limit: usize,
    ) -> Result<Vec<Queued>> {
        let mut query = conversation::table
            .filter(conversation::tenant_id.eq(tenant))
            .filter(conversation::queue_key.is_not_null())
            .order((conversation::queue_key.asc(), conversation::id.asc()))
            .limit(limited(limit))
            .select((
                conversation::queue_key,
                conversation::id,
                conversation::waiting_since,
                conversation::group_id,
            ))
            .into_boxed();
        if let Some((key, id)) = after {
            // The first condition is for the index, the second for those of one key.
            query = query
                .filter(conversation::queue_key.ge(key))
                .filter(conversation::queue_key.gt(key).or(conversation::id.gt(id)));
        }
        let groups = among.exceptions.iter().copied();
        query = match among.by_default {
            true if among.exceptions.is_empty() => query,
            true => {
                let other = conversation::group_id.ne_all(groups).assume_not_null();
                query.filter(conversation::group_id.is_null().or(other))
            }
            false => query.filter(conversation::group_id.eq_any(groups).assume_not_null()),
        };
        let rows: Vec<QueueColumns> = query.load(self)?;
        let queued =
            |(key, id, since, group): QueueColumns| Some(Queued { place: (key?, id), since: since?, group });
        Ok(rows.into_iter().filter_map(queued).collect())
    }

    fn waiting_count(&mut self, tenant: TenantId) -> Result<i64> {
        Ok(conversation::table
            .filter(conversation::tenant_id.eq(tenant))
            .filter(conversation::queue_key.is_not_null())
            .count()
            .get_result(self)?)
    }

    fn needs(&mut self, conversations: &[ConversationId]) -> Result<Vec<NeedsRow>> {
        Ok(on_list!(self, conversation_needs::conversation_id, conversations, |inner, among| {
            conversation_needs::table.filter(among).select(NeedsRow::as_select()).load(inner)
        })?)
    }

    fn refusals(&mut self, conversations: &[ConversationId]) -> Result<Vec<(ConversationId, MemberId, i64)>> {
        let refused: Vec<OfferState> =
            OfferState::ALL.iter().copied().filter(|state| state.is_refusal()).collect();
        // The last refusal of each agent: a conversation that waits for days is refused very often.
        let mut rows: Vec<(ConversationId, MemberId, Option<i64>)> =
            on_list!(self, offer::conversation_id, conversations, |inner, among| offer::table
                .filter(among)
                .filter(offer::state.eq_any(&refused))
                .filter(offer::from_agent_id.is_null())
                .group_by((offer::conversation_id, offer::agent_id))
                .select((offer::conversation_id, offer::agent_id, diesel::dsl::max(offer::ended_at)))
                .load(inner))?;
        rows.extend(on_list!(self, assignment::conversation_id, conversations, |inner, among| {
            assignment::table
                .filter(among)
                .filter(assignment::end_reason.eq_any(AssignmentEnd::GIVEN_BACK))
                .select((assignment::conversation_id, assignment::agent_id, assignment::ended_at))
                .load::<(ConversationId, MemberId, Option<i64>)>(inner)
        })?);
        Ok(rows.into_iter().filter_map(|(id, agent, at)| Some((id, agent, at?))).collect())
    }

    fn outstanding(&mut self, tenant: TenantId) -> Result<Vec<OfferRow>> {
        Ok(offer::table
            .filter(offer::state.eq(OfferState::Offered))
            .filter(offer::tenant_id.eq(tenant))
            .order(offer::id.asc())
            .select(OfferRow::as_select())
            .load(self)?)
    }

    fn open_offers(&mut self, conversations: &[ConversationId]) -> Result<Vec<OfferRow>> {
        Ok(on_list!(self, offer::conversation_id, conversations, |inner, among| offer::table
            .filter(among)
            .filter(offer::state.eq(OfferState::Offered))
            .select(OfferRow::as_select())
            .load(inner))?)
    }

    fn last_offer(&mut self, conversation: ConversationId, agent: MemberId) -> Result<Option<OfferRow>> {
        Ok(offer::table
            .filter(offer::conversation_id.eq(conversation))
            .filter(offer::agent_id.eq(agent))
            .order(offer::id.desc())
            .select(OfferRow::as_select())
            .first(self)
            .optional()?)
    }

    fn last_agents(&mut self, tenant: TenantId, customers: &[MemberId]) -> Result<Vec<(MemberId, MemberId)>> {
        let mut found = Vec::new();
        for customer in customers {
            let agent: Option<Option<MemberId>> = conversation::table
                .filter(conversation::tenant_id.eq(tenant))
                .filter(conversation::customer_id.eq(customer))
                .filter(conversation::status.eq(ConversationStatus::Closed))
                .filter(conversation::agent_id.is_not_null())
                .order(conversation::id.desc())
                .select(conversation::agent_id)
                .first(self)
                .optional()?;
            found.extend(agent.flatten().map(|agent| (*customer, agent)));
        }
        Ok(found)
    }
}
