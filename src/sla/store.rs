//! Queries over SLA policies and clocks. Every function takes the tenant.

use std::collections::HashMap;

use diesel::prelude::*;

use crate::db::error_kind::error_kind;
use crate::db::schema::{sla_clock, sla_policy, sla_stretch, tenant};
use crate::db::types::json_text;
use crate::db::{AnyConnection, DbErrorKind};
use crate::domain::sla::clock::{SlaClockRow, SlaStretchRow, SlaTrack};
use crate::domain::sla::{SLA_POLICIES_MAX, SlaPolicyRow, SlaRules};
use crate::domain::tenant::TenantStatus;
use crate::journal::calendars;
use crate::kernel::{Code, ConversationId, Error, Result, SlaPolicyId, TenantId};
use crate::on;

/// Policies in their order, after this place, at most `limit`.
pub(super) fn list(
    connection: &mut AnyConnection,
    tenant_id: TenantId,
    after: Option<(i64, SlaPolicyId)>,
    limit: i64,
) -> Result<Vec<SlaPolicyRow>> {
    let (position, id) = after.unwrap_or((-1, SlaPolicyId(0)));
    let behind =
        sla_policy::position.gt(position).or(sla_policy::position.eq(position).and(sla_policy::id.gt(id)));
    Ok(sla_policy::table
        .filter(sla_policy::tenant_id.eq(tenant_id))
        .filter(behind)
        .order((sla_policy::position.asc(), sla_policy::id.asc()))
        .limit(limit)
        .select(SlaPolicyRow::as_select())
        .load(connection)?)
}

/// A policy by its id.
pub(super) fn find(
    connection: &mut AnyConnection,
    tenant_id: TenantId,
    id: SlaPolicyId,
) -> Result<Option<SlaPolicyRow>> {
    Ok(sla_policy::table
        .filter(sla_policy::id.eq(id))
        .filter(sla_policy::tenant_id.eq(tenant_id))
        .select(SlaPolicyRow::as_select())
        .first(connection)
        .optional()?)
}

/// Stores a new policy. Errors: `limit_reached`, `name_taken`.
pub(super) fn insert(connection: &mut AnyConnection, row: &SlaPolicyRow) -> Result<()> {
    let count: i64 =
        sla_policy::table.filter(sla_policy::tenant_id.eq(row.tenant_id)).count().get_result(connection)?;
    if count >= SLA_POLICIES_MAX {
        return Err(Error::new(Code::LimitReached, format!("at most {SLA_POLICIES_MAX} SLA policies")));
    }
    // Under a savepoint: on PostgreSQL a refused row would end the transaction around it.
    let inserted = connection.transaction(|connection| {
        diesel::insert_into(sla_policy::table)
            .values((
                sla_policy::id.eq(row.id),
                sla_policy::tenant_id.eq(row.tenant_id),
                sla_policy::name.eq(&row.name),
                sla_policy::position.eq(row.position),
                sla_policy::group_ids.eq(json_text(&row.group_ids.0)),
                sla_policy::priorities.eq(json_text(&row.priorities.0)),
                sla_policy::first_response_seconds.eq(row.first_response_seconds),
                sla_policy::next_response_seconds.eq(row.next_response_seconds),
                sla_policy::resolution_seconds.eq(row.resolution_seconds),
                sla_policy::warn_before_seconds.eq(row.warn_before_seconds),
                sla_policy::hours.eq(row.hours),
                sla_policy::created_at.eq(row.created_at),
                sla_policy::updated_at.eq(row.updated_at),
            ))
            .execute(connection)
    });
    inserted.map(|_| ()).map_err(taken)
}

/// Stores a changed policy. Errors: `name_taken`.
pub(super) fn update(connection: &mut AnyConnection, row: &SlaPolicyRow) -> Result<()> {
    let of_tenant =
        sla_policy::table.filter(sla_policy::id.eq(row.id)).filter(sla_policy::tenant_id.eq(row.tenant_id));
    let updated = connection.transaction(|connection| {
        diesel::update(of_tenant)
            .set((
                sla_policy::name.eq(&row.name),
                sla_policy::position.eq(row.position),
                sla_policy::group_ids.eq(json_text(&row.group_ids.0)),
                sla_policy::priorities.eq(json_text(&row.priorities.0)),
                sla_policy::first_response_seconds.eq(row.first_response_seconds),
                sla_policy::next_response_seconds.eq(row.next_response_seconds),
                sla_policy::resolution_seconds.eq(row.resolution_seconds),
                sla_policy::warn_before_seconds.eq(row.warn_before_seconds),
                sla_policy::hours.eq(row.hours),
                sla_policy::updated_at.eq(row.updated_at),
            ))
            .execute(connection)
    });
    updated.map(|_| ()).map_err(taken)
}

fn taken(cause: diesel::result::Error) -> Error {
    match error_kind(&cause) {
        DbErrorKind::Unique => Error::new(Code::NameTaken, "another SLA policy has this name"),
        _ => cause.into(),
    }
}

/// Deletes a policy.
pub(super) fn delete(connection: &mut AnyConnection, tenant_id: TenantId, id: SlaPolicyId) -> Result<()> {
    diesel::delete(
        sla_policy::table.filter(sla_policy::id.eq(id)).filter(sla_policy::tenant_id.eq(tenant_id)),
    )
    .execute(connection)?;
    Ok(())
}

/// What the clocks of a tenant go by.
pub(super) fn rules(connection: &mut AnyConnection, tenant_id: TenantId) -> Result<SlaRules> {
    let policies = list(connection, tenant_id, None, SLA_POLICIES_MAX)?;
    let calendars = match policies.is_empty() {
        true => Default::default(),
        false => calendars::load(connection, tenant_id)?,
    };
    Ok(SlaRules { policies, calendars })
}

/// What is kept of these conversations, also of those of which nothing is.
pub(super) fn tracks(
    connection: &mut AnyConnection,
    tenant_id: TenantId,
    conversations: &[ConversationId],
) -> Result<HashMap<ConversationId, SlaTrack>> {
    let mut tracks: HashMap<ConversationId, SlaTrack> =
        conversations.iter().map(|id| (*id, SlaTrack::new(tenant_id, *id))).collect();
    let stretches: Vec<SlaStretchRow> = on!(connection, inner => sla_stretch::table
        .filter(sla_stretch::tenant_id.eq(tenant_id))
        .filter(sla_stretch::conversation_id.eq_any(conversations))
        .select(SlaStretchRow::as_select())
        .load(inner))?;
    let clocks: Vec<SlaClockRow> = on!(connection, inner => sla_clock::table
        .filter(sla_clock::tenant_id.eq(tenant_id))
        .filter(sla_clock::conversation_id.eq_any(conversations))
        .select(SlaClockRow::as_select())
        .load(inner))?;
    for stretch in stretches {
        if let Some(track) = tracks.get_mut(&stretch.conversation_id) {
            track.stretch = Some(stretch);
        }
    }
    for clock in clocks {
        if let Some(track) = tracks.get_mut(&clock.conversation_id) {
            track.clocks.insert((clock.metric, clock.started_seq), clock);
        }
    }
    Ok(tracks)
}

/// Puts what is kept in the place of what was kept of these conversations.
pub(super) fn replace(
    connection: &mut AnyConnection,
    tenant_id: TenantId,
    conversations: &[ConversationId],
    tracks: impl Iterator<Item = SlaTrack>,
) -> Result<()> {
    let (mut stretches, mut clocks) = (Vec::new(), Vec::new());
    for track in tracks {
        stretches.extend(track.stretch);
        clocks.extend(track.clocks.into_values());
    }
    stretches.sort_by_key(|row| row.conversation_id);
    clocks.sort_by_key(|row| (row.conversation_id, row.metric, row.started_seq));
    on!(connection, inner => {
        diesel::delete(sla_stretch::table
            .filter(sla_stretch::tenant_id.eq(tenant_id))
            .filter(sla_stretch::conversation_id.eq_any(conversations)))
            .execute(inner)?;
        diesel::delete(sla_clock::table
            .filter(sla_clock::tenant_id.eq(tenant_id))
            .filter(sla_clock::conversation_id.eq_any(conversations)))
            .execute(inner)?;
        if !stretches.is_empty() {
            diesel::insert_into(sla_stretch::table).values(&stretches).execute(inner)?;
        }
        if !clocks.is_empty() {
            diesel::insert_into(sla_clock::table).values(&clocks).execute(inner)?;
        }
    });
    Ok(())
}

/// Takes away some of what is stored of a tenant; whether there may be more.
pub(super) fn clear(connection: &mut AnyConnection, tenant_id: TenantId, limit: i64) -> Result<bool> {
    let mut ids: Vec<ConversationId> = sla_stretch::table
        .filter(sla_stretch::tenant_id.eq(tenant_id))
        .select(sla_stretch::conversation_id)
        .limit(limit)
        .load(connection)?;
    let clocks: Vec<ConversationId> = sla_clock::table
        .filter(sla_clock::tenant_id.eq(tenant_id))
        .select(sla_clock::conversation_id)
        .limit(limit)
        .load(connection)?;
    ids.extend(clocks);
    if ids.is_empty() {
        return Ok(false);
    }
    replace(connection, tenant_id, &ids, std::iter::empty())?;
    Ok(true)
}

/// Conversations that are not over, after this one.
pub(super) fn open(
    connection: &mut AnyConnection,
    tenant_id: TenantId,
    after: ConversationId,
    limit: i64,
) -> Result<Vec<ConversationId>> {
    Ok(sla_stretch::table
        .filter(sla_stretch::tenant_id.eq(tenant_id))
        .filter(sla_stretch::conversation_id.gt(after))
        .order(sla_stretch::conversation_id.asc())
        .select(sla_stretch::conversation_id)
        .limit(limit)
        .load(connection)?)
}

/// The clocks of a conversation.
pub(super) fn clocks(
    connection: &mut AnyConnection,
    tenant_id: TenantId,
    conversation: ConversationId,
) -> Result<Vec<SlaClockRow>> {
    Ok(sla_clock::table
        .filter(sla_clock::tenant_id.eq(tenant_id))
        .filter(sla_clock::conversation_id.eq(conversation))
        .order((sla_clock::metric.asc(), sla_clock::started_seq.asc()))
        .select(SlaClockRow::as_select())
        .load(connection)?)
}

/// Tenants that are in use and have something to be told at this time.
pub(super) fn due_tenants(connection: &mut AnyConnection, now: i64, limit: i64) -> Result<Vec<TenantId>> {
    let due: Vec<TenantId> = sla_clock::table
        .filter(sla_clock::next_at.le(now))
        .select(sla_clock::tenant_id)
        .distinct()
        .load(connection)?;
    if due.is_empty() {
        return Ok(due);
    }
    Ok(on!(connection, inner => tenant::table
        .filter(tenant::id.eq_any(due))
        .filter(tenant::status.eq(TenantStatus::Active))
        .order(tenant::id.asc())
        .select(tenant::id)
        .limit(limit)
        .load(inner))?)
}

/// The conversations of a tenant in which something is to be told at this time, after this one.
pub(super) fn due(
    connection: &mut AnyConnection,
    tenant_id: TenantId,
    now: i64,
    after: ConversationId,
    limit: i64,
) -> Result<Vec<ConversationId>> {
    Ok(sla_clock::table
        .filter(sla_clock::tenant_id.eq(tenant_id))
        .filter(sla_clock::next_at.le(now))
        .filter(sla_clock::conversation_id.gt(after))
        .order(sla_clock::conversation_id.asc())
        .select(sla_clock::conversation_id)
        .distinct()
        .limit(limit)
        .load(connection)?)
}
