//! Conversations that nobody would ever serve, whoever came online: what `deskwire check` lists.
//!
//! Owns the judgement: of those that wait by the rules of routing with everybody at the desk and without work, of those
//! that a group serves by who is in it. Changes nothing.

use std::collections::HashMap;

use diesel::dsl::{exists, not};
use diesel::prelude::*;

use super::store::{self, StaffRow};
use crate::db::AnyConnection;
use crate::db::schema::{conversation, group_member, tenant};
use crate::db::types::Json;
use crate::domain::conversation::ConversationStatus;
use crate::domain::group::Sight;
use crate::domain::offer::NeedsRow;
use crate::domain::presence::PresenceStatus;
use crate::domain::routing::{Candidate, Needs, RoutingSettings, RoutingStrategy, Waiting, judge};
use crate::domain::tenant::TenantSettings;
use crate::journal::wants::routing_source::{CANDIDATES_MAX, RoutingSource};
use crate::kernel::{ConversationId, GroupId, Result, TenantId};

/// Waiting conversations that are judged at once.
const PAGE: i64 = 500;

/// A conversation that no member of the staff could be given, or that a group serves in which nobody is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stranded {
    /// The tenant's name in addresses.
    pub tenant: String,
    /// Which.
    pub conversation: ConversationId,
    /// What nobody has: the required skills, or nothing when nobody may see it or accepts any.
    pub needs: Needs,
    /// Whether a group serves it in which nobody is.
    pub docked: bool,
}

/// All of them, over all tenants, as the store stands at this time, unix milliseconds.
pub fn find(connection: &mut AnyConnection, now: i64) -> Result<Vec<Stranded>> {
    let waits = conversation::table
        .filter(conversation::tenant_id.eq(tenant::id))
        .filter(conversation::queue_key.is_not_null());
    let tenants: Vec<(TenantId, String, Json<TenantSettings>)> = tenant::table
        .filter(exists(waits))
        .order(tenant::id.asc())
        .select((tenant::id, tenant::slug, tenant::settings))
        .load(connection)?;
    let mut found = Vec::new();
    for (id, slug, settings) in tenants {
        let staff = store::staff(connection, id, i64::try_from(CANDIDATES_MAX).unwrap_or(i64::MAX))?;
        let candidates: Vec<Candidate> = staff.iter().map(|row| at_its_desk(row, now)).collect();
        let groups = connection.groups_with_strategy(id)?.into_iter();
        let strategies: HashMap<GroupId, RoutingStrategy> =
            groups.filter_map(|row| Some((row.id, row.strategy()?))).collect();
        let mut after = None;
        loop {
            let rows = store::waiting(connection, id, &Sight::whole(), after, PAGE)?;
            let ids: Vec<ConversationId> = rows.iter().map(|row| row.id).collect();
            let needs = connection.needs(&ids)?;
            for row in &rows {
                let own = needs.iter().find(|needs| needs.conversation_id == row.id);
                let needs = own.map(NeedsRow::needs).unwrap_or_default();
                let (conversation, group) = (row.id, row.group_id);
                let strategy = group.and_then(|group| strategies.get(&group).copied());
                let waiting =
                    Waiting { conversation, since: now, group, strategy, needs, passed_over: Vec::new() };
                if !served(&settings.0.routing, now, &waiting, &candidates) {
                    let (tenant, needs) = (slug.clone(), waiting.needs);
                    found.push(Stranded { tenant, conversation, needs, docked: false });
                }
            }
            after = rows.last().and_then(|row| Some((row.queue_key?, row.id)));
            if rows.len() < usize::try_from(PAGE).unwrap_or_default() {
                break;
            }
        }
    }
    found.extend(left_alone(connection)?);
    Ok(found)
}

/// Conversations that a group serves in which nobody is.
fn left_alone(connection: &mut AnyConnection) -> Result<Vec<Stranded>> {
    let somebody = group_member::table
        .filter(group_member::group_id.nullable().eq(conversation::group_id))
        .filter(group_member::left_at.is_null());
    let rows: Vec<(String, ConversationId)> = conversation::table
        .inner_join(tenant::table.on(tenant::id.eq(conversation::tenant_id)))
        .filter(conversation::status.eq(ConversationStatus::Pending))
        .filter(conversation::agent_id.is_null())
        .filter(not(exists(somebody)))
        .order(conversation::id.asc())
        .select((tenant::slug, conversation::id))
        .load(connection)?;
    let stranded = rows.into_iter().map(|(tenant, conversation)| Stranded {
        tenant,
        conversation,
        needs: Needs::default(),
        docked: true,
    });
    Ok(stranded.collect())
}

/// Whether somebody could be given it: chosen by routing, or by a claim, for which skills do not count.
fn served(settings: &RoutingSettings, now: i64, waiting: &Waiting, candidates: &[Candidate]) -> bool {
    let settings = settings.with(waiting.strategy);
    let binding = settings.is_automatic() && settings.relax_after_seconds.is_none();
    let settings = RoutingSettings { relax_after_seconds: (!binding).then_some(0), ..settings };
    candidates.iter().any(|candidate| judge(&settings, now, waiting, candidate).fits())
}

/// A member of the staff who is online and serves nobody.
fn at_its_desk(row: &StaffRow, now: i64) -> Candidate {
    let candidate = super::explain::candidate(row, now);
    Candidate { status: PresenceStatus::Online, current: 0, ..candidate }
}
