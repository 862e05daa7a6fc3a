//! What is done with saved filters.

use serde_json::Value;

use super::store;
use crate::app::App;
use crate::attributes::store as attributes;
use crate::db::AnyConnection;
use crate::domain::actor::Actor;
use crate::domain::attribute::AttributeTarget;
use crate::domain::audit::Act;
use crate::domain::filter::parse::Reader;
use crate::domain::filter::tree::Filter;
use crate::domain::permission::{Operation, require};
use crate::domain::saved_filter::{SAVED_FILTER_NAME_MAX, SavedFilterRow};
use crate::http::page::{Page, PageQuery};
use crate::kernel::{Code, Error, Millis, Result, SavedFilterId};
use crate::members::profile::Checker;

/// What is said of a filter; `None` stays.
#[derive(Debug, Clone, Default)]
pub struct Given {
    /// What it is called.
    pub name: Option<String>,
    /// Whether all of the staff have it.
    pub shared: Option<bool>,
    /// The filter.
    pub filter: Option<Value>,
}

/// Reads a filter for this actor at this time; a kept one whatever became of its attributes. Errors: `validation_failed`.
pub fn read(
    connection: &mut AnyConnection,
    actor: &Actor,
    now: Millis,
    given: &Value,
    is_kept: bool,
) -> Result<Filter> {
    let attributes = attributes::all(connection, actor.tenant, AttributeTarget::Conversation)?;
    Reader { me: actor.member, now, attributes: &attributes, is_kept }.read(given, "/filter")
}

/// The filters that the actor has, its own and the shared ones. Errors: `forbidden`.
pub async fn list(app: &App, actor: Actor, page: PageQuery) -> Result<Page<SavedFilterRow>> {
    require(&actor, Operation::UseSavedFilters)?;
    let (limit, after) = (page.limit()?, page.after::<SavedFilterId>()?);
    let read = move |connection: &mut AnyConnection| {
        store::list(connection, actor.tenant, actor.member, after, limit + 1)
    };
    Ok(Page::new(app.db.read(read).await?, limit, |row| row.id))
}

fn found(connection: &mut AnyConnection, actor: &Actor, id: SavedFilterId) -> Result<SavedFilterRow> {
    store::find(connection, actor.tenant, actor.member, id)?.ok_or_else(Error::not_found)
}

/// One filter that the actor has. Errors: `forbidden`, `not_found`.
pub async fn get(app: &App, actor: Actor, id: SavedFilterId) -> Result<SavedFilterRow> {
    require(&actor, Operation::UseSavedFilters)?;
    app.db.read(move |connection| found(connection, &actor, id)).await
}

/// Fails with `forbidden` when the actor may not make this of that.
fn allow(actor: &Actor, was: &SavedFilterRow, shared: bool) -> Result<()> {
    if was.shared || shared {
        require(actor, Operation::ShareSavedFilters)?;
    }
    // It would become the filter of somebody who did not ask for it, or of nobody.
    if was.shared && !shared && was.owner_id != actor.member {
        return Err(Error::new(
            Code::Forbidden,
            "only its owner keeps a shared filter for itself: delete it",
        ));
    }
    Ok(())
}

/// What the audit log tells: what somebody keeps for itself is nobody else's matter.
fn told(was: &SavedFilterRow, row: &SavedFilterRow, is_new: bool) -> Option<Act> {
    match (was.shared && !is_new, row.shared) {
        (false, false) => None,
        (false, true) => Some(Act::created(row)),
        (true, true) => Act::updated(was, row),
        (true, false) => Some(Act::deleted(was)),
    }
}

/// Saves a filter. Errors: `forbidden`, `limit_reached`, `validation_failed`.
pub async fn create(app: &App, actor: Actor, given: Given) -> Result<SavedFilterRow> {
    require(&actor, Operation::UseSavedFilters)?;
    let now = app.clock.now().0;
    let row = SavedFilterRow {
        id: SavedFilterId(app.ids.next()?),
        tenant_id: actor.tenant,
        owner_id: actor.member,
        name: String::new(),
        shared: false,
        filter: String::new(),
        created_at: now,
        updated_at: now,
    };
    write(app, actor, given, move |_| Ok((row.clone(), true))).await
}

/// Changes a filter. Errors: `forbidden`, `limit_reached`, `not_found`, `validation_failed`.
pub async fn update(app: &App, actor: Actor, id: SavedFilterId, given: Given) -> Result<SavedFilterRow> {
    require(&actor, Operation::UseSavedFilters)?;
    write(app, actor, given, move |connection| Ok((found(connection, &actor, id)?, false))).await
}

/// Writes what was given over what `before` says, which tells besides whether it is new.
async fn write(
    app: &App,
    actor: Actor,
    given: Given,
    before: impl Fn(&mut AnyConnection) -> Result<(SavedFilterRow, bool)> + Send + 'static,
) -> Result<SavedFilterRow> {
    let mut check = Checker::default();
    let name = given.name.map(|name| check.required_line("/name", &name, SAVED_FILTER_NAME_MAX));
    check.finish()?;
    let now = app.clock.now();
    let audit = app.auditor(&actor)?;
    let (shared, filter) = (given.shared, given.filter);
    let write = move |connection: &mut AnyConnection| {
        store::hold(connection, actor.tenant)?;
        let (was, is_new) = before(connection)?;
        let row = SavedFilterRow {
            name: name.clone().unwrap_or_else(|| was.name.clone()),
            shared: shared.unwrap_or(was.shared),
            filter: filter.as_ref().map_or_else(|| was.filter.clone(), Value::to_string),
            updated_at: now.0,
            ..was.clone()
        };
        allow(&actor, &was, row.shared)?;
        if let Some(filter) = &filter {
            read(connection, &actor, now, filter, false)?;
        }
        if is_new || row.shared != was.shared {
            store::check_room(connection, &row)?;
        }
        match is_new {
            true => store::insert(connection, &row)?,
            false => store::update(connection, &row)?,
        }
        audit.note(connection, told(&was, &row, is_new))?;
        Ok(row)
    };
    app.db.write(write).await
}

/// Deletes a filter. Errors: `forbidden`, `not_found`.
pub async fn delete(app: &App, actor: Actor, id: SavedFilterId) -> Result<()> {
    require(&actor, Operation::UseSavedFilters)?;
    let audit = app.auditor(&actor)?;
    let write = move |connection: &mut AnyConnection| {
        store::hold(connection, actor.tenant)?;
        let row = found(connection, &actor, id)?;
        if row.shared {
            require(&actor, Operation::ShareSavedFilters)?;
        }
        store::delete(connection, actor.tenant, id)?;
        audit.note(connection, row.shared.then(|| Act::deleted(&row)))
    };
    app.db.write(write).await
}
