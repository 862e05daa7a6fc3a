//! What is done with SLA policies, and what is told of clocks.

use super::check::{self, Given};
use super::follower::SLA_CLOCKS;
use super::{refresh, store};
use crate::app::App;
use crate::business_hours::store as business_hours;
use crate::conversations::access;
use crate::db::AnyConnection;
use crate::db::types::Json;
use crate::domain::actor::Actor;
use crate::domain::audit::Act;
use crate::domain::business_hours::Hours;
use crate::domain::conversation::ConversationKind;
use crate::domain::permission::{Operation, require};
use crate::domain::sla::SlaPolicyRow;
use crate::domain::sla::clock::{SlaClockRow, SlaState};
use crate::http::page::{Page, PageQuery};
use crate::journal::follower;
use crate::kernel::{ConversationId, Error, Result, SlaPolicyId, TenantId};

/// A clock, and what is known of it at this moment.
#[derive(Debug, Clone)]
pub struct Told {
    /// The clock.
    pub row: SlaClockRow,
    /// What its policy is called; `None`: it was deleted.
    pub policy_name: Option<String>,
    /// Whether it stands still.
    pub is_paused: bool,
    /// Of one that runs: how much of its time is left, in milliseconds.
    pub remaining_ms: Option<i64>,
}

/// The policies, in their order. Errors: `forbidden`.
pub async fn list(app: &App, actor: Actor, page: PageQuery) -> Result<Page<SlaPolicyRow>> {
    require(&actor, Operation::ReadSlaPolicies)?;
    let (limit, after) = (page.limit()?, page.after::<(i64, SlaPolicyId)>()?);
    let read = move |connection: &mut AnyConnection| store::list(connection, actor.tenant, after, limit + 1);
    Ok(Page::new(app.db.read(read).await?, limit, |row| (row.position, row.id)))
}

/// One policy. Errors: `forbidden`, `not_found`.
pub async fn get(app: &App, actor: Actor, id: SlaPolicyId) -> Result<SlaPolicyRow> {
    require(&actor, Operation::ReadSlaPolicies)?;
    app.db.read(move |connection| found(connection, actor.tenant, id)).await
}

fn found(connection: &mut AnyConnection, tenant: TenantId, id: SlaPolicyId) -> Result<SlaPolicyRow> {
    store::find(connection, tenant, id)?.ok_or_else(Error::not_found)
}

/// Makes a policy. Errors: `forbidden`, `limit_reached`, `name_taken`, `validation_failed`.
pub async fn create(app: &App, actor: Actor, given: Given) -> Result<SlaPolicyRow> {
    require(&actor, Operation::ManageSlaPolicies)?;
    let now = app.clock.now().0;
    let row = SlaPolicyRow {
        id: SlaPolicyId(app.ids.next()?),
        tenant_id: actor.tenant,
        name: String::new(),
        position: 0,
        group_ids: Json(Vec::new()),
        priorities: Json(Vec::new()),
        first_response_seconds: None,
        next_response_seconds: None,
        resolution_seconds: None,
        warn_before_seconds: None,
        hours: Hours::Calendar,
        created_at: now,
        updated_at: now,
    };
    let (row, audit) = (check::apply(&given, row)?, app.auditor(&actor)?);
    let write = move |connection: &mut AnyConnection| {
        business_hours::hold(connection, actor.tenant)?;
        check_groups(connection, actor.tenant, &given)?;
        store::insert(connection, &row)?;
        // The clocks of what is under way are made from the log, which was not followed so far.
        if follower::position(connection, SLA_CLOCKS, actor.tenant)? == 0 {
            follower::set_back(connection, SLA_CLOCKS, actor.tenant)?;
            follower::resume(connection, SLA_CLOCKS, actor.tenant)?;
        }
        refresh::ask(connection, actor.tenant)?;
        audit.note(connection, Act::created(&row))?;
        Ok(row.clone())
    };
    app.db.write(write).await
}

/// Changes a policy. Errors: `forbidden`, `not_found`, `name_taken`, `validation_failed`.
pub async fn update(app: &App, actor: Actor, id: SlaPolicyId, given: Given) -> Result<SlaPolicyRow> {
    require(&actor, Operation::ManageSlaPolicies)?;
    let (now, audit) = (app.clock.now().0, app.auditor(&actor)?);
    let write = move |connection: &mut AnyConnection| {
        business_hours::hold(connection, actor.tenant)?;
        let before = found(connection, actor.tenant, id)?;
        let row = SlaPolicyRow { updated_at: now, ..check::apply(&given, before.clone())? };
        check_groups(connection, actor.tenant, &given)?;
        store::update(connection, &row)?;
        refresh::ask(connection, actor.tenant)?;
        audit.note(connection, Act::updated(&before, &row))?;
        Ok(row)
    };
    app.db.write(write).await
}

fn check_groups(connection: &mut AnyConnection, tenant: TenantId, given: &Given) -> Result<()> {
    let Some(groups) = given.groups.as_ref().filter(|groups| !groups.is_empty()) else { return Ok(()) };
    let present = business_hours::present(connection, tenant, groups.clone())?;
    match groups.iter().find(|group| !present.contains(group)) {
        Some(unknown) => Err(Error::field("/group_ids", "invalid", format!("there is no group {unknown}"))),
        None => Ok(()),
    }
}

/// Deletes a policy: its clocks go by the next one that fits, or end. Errors: `forbidden`, `not_found`.
pub async fn delete(app: &App, actor: Actor, id: SlaPolicyId) -> Result<()> {
    require(&actor, Operation::ManageSlaPolicies)?;
    let audit = app.auditor(&actor)?;
    let write = move |connection: &mut AnyConnection| {
        business_hours::hold(connection, actor.tenant)?;
        let row = found(connection, actor.tenant, id)?;
        store::delete(connection, actor.tenant, id)?;
        refresh::ask(connection, actor.tenant)?;
        audit.note(connection, Act::deleted(&row))
    };
    app.db.write(write).await
}

/// The clocks of a conversation since it was opened or reopened last. Errors: `forbidden`, `not_found`.
pub async fn clocks(app: &App, actor: Actor, id: ConversationId) -> Result<Vec<Told>> {
    require(&actor, Operation::ReadNotes)?;
    let now = app.clock.now().0;
    let read = move |connection: &mut AnyConnection| {
        let access = access::load(connection, &actor, id)?;
        access.check(&actor, Operation::ReadNotes)?;
        let front = access.front();
        if front.kind != ConversationKind::Support {
            return Ok(Vec::new());
        }
        let clocks = store::clocks(connection, actor.tenant, front.id)?;
        let rules = match clocks.is_empty() {
            true => Default::default(),
            false => store::rules(connection, actor.tenant)?,
        };
        let told = clocks.into_iter().map(|row| {
            let policy = rules.policies.iter().find(|policy| policy.id == row.policy_id);
            let runs = policy.filter(|_| row.state == SlaState::Running);
            Told {
                policy_name: policy.map(|policy| policy.name.clone()),
                is_paused: runs.is_some_and(|policy| rules.is_paused(policy.hours, front.group_id, now)),
                remaining_ms: runs
                    .and_then(|policy| Some(rules.between(policy.hours, front.group_id, now, row.due_at?))),
                row,
            }
        });
        Ok(told.collect())
    };
    app.db.read(read).await
}
