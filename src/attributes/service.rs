//! What is done with custom attributes.

use super::store;
use crate::app::App;
use crate::db::AnyConnection;
use crate::db::types::json_text;
use crate::domain::actor::Actor;
use crate::domain::attribute::{
    ATTRIBUTE_KEY_MAX, ATTRIBUTE_TITLE_MAX, AttributeRow, AttributeTarget, CHOICE_MAX, CHOICES_MAX,
    is_attribute_key,
};
use crate::domain::attribute_value::AttributeKind;
use crate::domain::audit::Act;
use crate::domain::permission::{Operation, require};
use crate::http::page::{Page, PageQuery};
use crate::journal::store::transaction::{Wait, lock_tenants};
use crate::kernel::{AttributeId, Code, Error, Result, TenantId};
use crate::members::profile::Checker;

/// An attribute that is to be made.
#[derive(Debug, Clone)]
pub struct NewAttribute {
    /// What it describes.
    pub target: AttributeTarget,
    /// By what programs name it.
    pub key: String,
    /// What people call it.
    pub title: String,
    /// What values it takes.
    pub kind: AttributeKind,
    /// The choices in their order.
    pub choices: Vec<String>,
    /// Whether customers see its values.
    pub visible_to_customer: bool,
}

/// What is to change; `None` stays.
#[derive(Debug, Clone)]
pub struct Patch {
    /// What people call it.
    pub title: Option<String>,
    /// The choices in their order.
    pub choices: Option<Vec<String>>,
    /// Whether customers see its values.
    pub visible_to_customer: Option<bool>,
}

/// The attributes in the order of their ids. Errors: `forbidden`.
pub async fn list(
    app: &App,
    actor: Actor,
    target: Option<AttributeTarget>,
    page: PageQuery,
) -> Result<Page<AttributeRow>> {
    require(&actor, Operation::ReadAttributes)?;
    let (limit, after) = (page.limit()?, page.after::<AttributeId>()?);
    let read =
        move |connection: &mut AnyConnection| store::list(connection, actor.tenant, target, after, limit + 1);
    Ok(Page::new(app.db.read(read).await?, limit, |row| row.id))
}

fn found(connection: &mut AnyConnection, tenant: TenantId, id: AttributeId) -> Result<AttributeRow> {
    store::find(connection, tenant, id)?.ok_or_else(Error::not_found)
}

/// One attribute. Errors: `forbidden`, `not_found`.
pub async fn get(app: &App, actor: Actor, id: AttributeId) -> Result<AttributeRow> {
    require(&actor, Operation::ReadAttributes)?;
    app.db.read(move |connection| found(connection, actor.tenant, id)).await
}

fn title(check: &mut Checker, title: &str) -> String {
    check.required_line("/title", title, ATTRIBUTE_TITLE_MAX)
}

/// Choices are there for the kind `choice`, and for no other.
fn choices(check: &mut Checker, kind: AttributeKind, given: &[String]) -> Vec<String> {
    if (kind == AttributeKind::Choice) == given.is_empty() {
        match given.is_empty() {
            true => check.wrong("/choices", "required", "the kind choice needs at least one"),
            false => check.wrong("/choices", "invalid", "only the kind choice has choices"),
        }
    }
    if given.len() > CHOICES_MAX {
        check.wrong("/choices", "too_long", format!("at most {CHOICES_MAX}"));
        return Vec::new();
    }
    let mut kept: Vec<String> = Vec::with_capacity(given.len());
    for (index, choice) in given.iter().enumerate() {
        let pointer = format!("/choices/{index}");
        let choice = check.required_line(&pointer, choice, CHOICE_MAX);
        if kept.contains(&choice) {
            check.wrong(&pointer, "invalid", "this choice stands there twice");
        }
        kept.push(choice);
    }
    kept
}

/// Makes an attribute. Errors: `forbidden`, `limit_reached`, `name_taken`, `validation_failed`.
pub async fn create(app: &App, actor: Actor, new: NewAttribute) -> Result<AttributeRow> {
    require(&actor, Operation::ManageAttributes)?;
    let mut check = Checker::default();
    if !is_attribute_key(&new.key) {
        let form =
            format!("a letter, then letters, digits and _, in lower case; at most {ATTRIBUTE_KEY_MAX}");
        check.wrong("/key", "invalid", form);
    }
    let title = title(&mut check, &new.title);
    let choices = choices(&mut check, new.kind, &new.choices);
    check.finish()?;
    let now = app.clock.now().0;
    let row = AttributeRow {
        id: AttributeId(app.ids.next()?),
        tenant_id: actor.tenant,
        target: new.target,
        key: new.key,
        title,
        kind: new.kind,
        choices: json_text(&choices),
        visible_to_customer: new.visible_to_customer,
        created_at: now,
        updated_at: now,
        deleted_at: None,
    };
    let (kept, audit) = (row.clone(), app.auditor(&actor)?);
    let write = move |connection: &mut AnyConnection| {
        lock_tenants(connection, &[actor.tenant], Wait::Short)?;
        store::insert(connection, &kept)?;
        audit.note(connection, Act::created(&kept))
    };
    app.db.write(write).await?;
    Ok(row)
}

/// Changes an attribute. Errors: `forbidden`, `in_use` for a choice that is left out and that a value has, `not_found`,
/// `validation_failed`.
pub async fn update(app: &App, actor: Actor, id: AttributeId, patch: Patch) -> Result<AttributeRow> {
    require(&actor, Operation::ManageAttributes)?;
    let now = app.clock.now().0;
    let audit = app.auditor(&actor)?;
    let write = move |connection: &mut AnyConnection| {
        lock_tenants(connection, &[actor.tenant], Wait::Short)?;
        let before = found(connection, actor.tenant, id)?;
        let mut check = Checker::default();
        let title = patch.title.as_ref().map(|given| title(&mut check, given));
        let choices = patch.choices.as_ref().map(|given| choices(&mut check, before.kind, given));
        check.finish()?;
        if let Some(kept) = &choices {
            let mut gone = before.choices();
            gone.retain(|choice| !kept.contains(choice));
            if !gone.is_empty() && store::has_value(connection, &before, &gone)? {
                let error = Error::new(Code::InUse, "a value is one of the choices that are left out");
                return Err(error.with("choices", gone));
            }
        }
        let row = AttributeRow {
            title: title.unwrap_or_else(|| before.title.clone()),
            choices: choices.map_or_else(|| before.choices.clone(), |choices| json_text(&choices)),
            visible_to_customer: patch.visible_to_customer.unwrap_or(before.visible_to_customer),
            updated_at: now,
            ..before.clone()
        };
        store::update(connection, &row)?;
        audit.note(connection, Act::updated(&before, &row))?;
        Ok(row)
    };
    app.db.write(write).await
}

/// Deletes an attribute: its key is free at once, and its values are shown no more; they are removed in the background.
/// Errors: `forbidden`, `not_found`.
pub async fn delete(app: &App, actor: Actor, id: AttributeId) -> Result<()> {
    require(&actor, Operation::ManageAttributes)?;
    let now = app.clock.now().0;
    let audit = app.auditor(&actor)?;
    let write = move |connection: &mut AnyConnection| {
        lock_tenants(connection, &[actor.tenant], Wait::Short)?;
        let row = found(connection, actor.tenant, id)?;
        let gone = AttributeRow { key: format!("~{id}"), deleted_at: Some(now), ..row.clone() };
        store::update(connection, &gone)?;
        audit.note(connection, Act::deleted(&row))
    };
    app.db.write(write).await
}
