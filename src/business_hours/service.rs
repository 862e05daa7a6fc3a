//! What is done with business hours.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::check::{Given, checked};
use super::store::{self, Applies};
use crate::app::App;
use crate::db::{AnyConnection, blocking};
use crate::domain::actor::Actor;
use crate::domain::audit::{Act, AuditTarget, Audited};
use crate::domain::business_hours::{BusinessHoursRow, HoursException, HoursStatus, WeeklyInterval};
use crate::domain::permission::{Operation, require};
use crate::http::page::{Page, PageQuery};
use crate::kernel::{BusinessHoursId, Error, GroupId, Millis, Result, TenantId};
use crate::sla::refresh;

/// Business hours as they are kept, and for whom they are.
#[derive(Debug, Clone)]
pub struct Kept {
    /// The row.
    pub row: BusinessHoursRow,
    /// What repeats every week.
    pub weekly: Vec<WeeklyInterval>,
    /// The days with other hours.
    pub exceptions: Vec<HoursException>,
    /// For whom.
    pub applies: Applies,
}

impl Audited for Kept {
    const TARGET: AuditTarget = AuditTarget::BusinessHours;

    fn audit_id(&self) -> i64 {
        self.row.id.0
    }

    fn audit_facts(&self) -> Value {
        json!({
            "name": self.row.name, "time_zone": self.row.time_zone, "weekly": self.weekly, "exceptions": self.exceptions,
            "group_ids": self.applies.groups, "is_default": self.applies.is_default,
        })
    }
}

/// What business hours say of an instant.
#[derive(Debug, Clone)]
pub struct Told {
    /// Whether it is open, and when that changes.
    pub status: HoursStatus,
    /// By the clock of which zone.
    pub time_zone: String,
}

fn kept(row: BusinessHoursRow, applies: &mut BTreeMap<BusinessHoursId, Applies>) -> Result<Kept> {
    let (weekly, exceptions) = row.parts()?;
    let applies = applies.remove(&row.id).unwrap_or_default();
    Ok(Kept { row, weekly, exceptions, applies })
}

fn found(connection: &mut AnyConnection, tenant: TenantId, id: BusinessHoursId) -> Result<BusinessHoursRow> {
    store::find(connection, tenant, id)?.ok_or_else(Error::not_found)
}

/// All business hours in the order of their ids. Errors: `forbidden`.
pub async fn list(app: &App, actor: Actor, page: PageQuery) -> Result<Page<Kept>> {
    require(&actor, Operation::ReadBusinessHours)?;
    let (limit, after) = (page.limit()?, page.after::<BusinessHoursId>()?);
    let read = move |connection: &mut AnyConnection| {
        let mut applies = store::applies(connection, actor.tenant)?;
        let rows = store::list(connection, actor.tenant, after, limit + 1)?;
        rows.into_iter().map(|row| kept(row, &mut applies)).collect::<Result<Vec<_>>>()
    };
    Ok(Page::new(app.db.read(read).await?, limit, |kept| kept.row.id))
}

/// Business hours by their id. Errors: `forbidden`, `not_found`.
pub async fn get(app: &App, actor: Actor, id: BusinessHoursId) -> Result<Kept> {
    require(&actor, Operation::ReadBusinessHours)?;
    let read = move |connection: &mut AnyConnection| {
        let row = found(connection, actor.tenant, id)?;
        kept(row, &mut store::applies(connection, actor.tenant)?)
    };
    app.db.read(read).await
}

/// Makes business hours. Errors: `forbidden`, `limit_reached`, `name_taken`, `validation_failed`.
pub async fn create(app: &App, actor: Actor, given: Given) -> Result<Kept> {
    require(&actor, Operation::ManageBusinessHours)?;
    let now = app.clock.now().0;
    let row = BusinessHoursRow {
        id: BusinessHoursId(app.ids.next()?),
        tenant_id: actor.tenant,
        name: String::new(),
        time_zone: String::new(),
        weekly: "[]".to_owned(),
        exceptions: "[]".to_owned(),
        created_at: now,
        updated_at: now,
    };
    write(app, actor, given, move |_| Ok((row.clone(), true))).await
}

/// Changes business hours. Errors: `forbidden`, `not_found`, `name_taken`, `validation_failed`.
pub async fn update(app: &App, actor: Actor, id: BusinessHoursId, given: Given) -> Result<Kept> {
    require(&actor, Operation::ManageBusinessHours)?;
    write(app, actor, given, move |connection| Ok((found(connection, actor.tenant, id)?, false))).await
}

/// Writes what was given over what `before` says, which tells besides whether it is new.
async fn write(
    app: &App,
    actor: Actor,
    given: Given,
    before: impl Fn(&mut AnyConnection) -> Result<(BusinessHoursRow, bool)> + Send + 'static,
) -> Result<Kept> {
    let given = blocking(move || checked(given)).await?;
    let now = app.clock.now().0;
    let json = |cause: serde_json::Error| Error::internal(format!("business hours: {cause}"));
    let weekly = given.weekly.as_ref().map(serde_json::to_string).transpose().map_err(json)?;
    let exceptions = given.exceptions.as_ref().map(serde_json::to_string).transpose().map_err(json)?;
    let audit = app.auditor(&actor)?;
    let write = move |connection: &mut AnyConnection| {
        store::hold(connection, actor.tenant)?;
        let (row, is_new) = before(connection)?;
        let was = kept(row.clone(), &mut store::applies(connection, actor.tenant)?)?;
        let row = BusinessHoursRow {
            name: given.name.clone().unwrap_or(row.name),
            time_zone: given.time_zone.clone().unwrap_or(row.time_zone),
            weekly: weekly.clone().unwrap_or(row.weekly),
            exceptions: exceptions.clone().unwrap_or(row.exceptions),
            updated_at: now,
            ..row
        };
        if let Some(groups) = &given.groups {
            let present = store::present(connection, actor.tenant, groups.clone())?;
            if let Some(unknown) = groups.iter().find(|group| !present.contains(group)) {
                return Err(Error::field("/group_ids", "invalid", format!("there is no group {unknown}")));
            }
        }
        match is_new {
            true => store::insert(connection, &row)?,
            false => store::update(connection, &row)?,
        }
        store::apply(connection, actor.tenant, row.id, given.groups.as_deref(), given.is_default)?;
        refresh::ask(connection, actor.tenant)?;
        let is = kept(row, &mut store::applies(connection, actor.tenant)?)?;
        let act = match is_new {
            true => Some(Act::created(&is)),
            false => Act::updated(&was, &is),
        };
        audit.note(connection, act)?;
        Ok(is)
    };
    app.db.write(write).await
}

/// Deletes business hours. Errors: `forbidden`, `not_found`.
pub async fn delete(app: &App, actor: Actor, id: BusinessHoursId) -> Result<()> {
    require(&actor, Operation::ManageBusinessHours)?;
    let audit = app.auditor(&actor)?;
    let write = move |connection: &mut AnyConnection| {
        store::hold(connection, actor.tenant)?;
        let row = found(connection, actor.tenant, id)?;
        let was = kept(row, &mut store::applies(connection, actor.tenant)?)?;
        store::delete(connection, actor.tenant, id)?;
        refresh::ask(connection, actor.tenant)?;
        audit.note(connection, Act::deleted(&was))
    };
    app.db.write(write).await
}

/// What business hours say of an instant. Errors: `forbidden`, `not_found`.
pub async fn status(app: &App, actor: Actor, id: BusinessHoursId, at: Option<Millis>) -> Result<Told> {
    require(&actor, Operation::ReadBusinessHours)?;
    let at = at.unwrap_or_else(|| app.clock.now());
    let read = move |connection: &mut AnyConnection| told(found(connection, actor.tenant, id)?, at);
    app.db.read(read).await
}

/// What the business hours of a group say of an instant, or those of what is no group's; `None`: it is always open. A group
/// that there is not has the tenant's, so that nobody learns which there are.
pub async fn status_of_group(
    app: &App,
    actor: Actor,
    group: Option<GroupId>,
    at: Option<Millis>,
) -> Result<Option<Told>> {
    let at = at.unwrap_or_else(|| app.clock.now());
    app.db.read(move |connection| of_group(connection, actor.tenant, group, at)).await
}

/// The same, within a read of others.
pub fn of_group(
    connection: &mut AnyConnection,
    tenant: TenantId,
    group: Option<GroupId>,
    at: Millis,
) -> Result<Option<Told>> {
    let group = match group {
        Some(group) => store::present(connection, tenant, vec![group])?.pop(),
        None => None,
    };
    store::of_group(connection, tenant, group)?.map(|row| told(row, at)).transpose()
}

fn told(row: BusinessHoursRow, at: Millis) -> Result<Told> {
    Ok(Told { status: row.calendar()?.status(at.0), time_zone: row.time_zone })
}
