//! What is done with templates.

use serde_json::Value;

use super::bounds::bounds;
use super::store;
use crate::app::App;
use crate::db::AnyConnection;
use crate::db::types::json_text;
use crate::domain::actor::Actor;
use crate::domain::audit::{Act, AuditAction};
use crate::domain::centre::account::NAME_MAX;
use crate::domain::centre::template::{
    Content, Contents, Fault, Rendered, TRANSLATIONS_MAX, TemplateRow, Translation, VARIABLES_MAX, Variable,
    VersionRow, samples,
};
use crate::domain::permission::{Operation, require};
use crate::http::page::{Page, PageQuery};
use crate::kernel::{Error, MessageTemplateId, Result, text};
use crate::members::profile::Checker;

/// The templates of the tenant in the order of their ids. Errors: `forbidden`.
pub async fn list(app: &App, actor: Actor, page: PageQuery) -> Result<Page<TemplateRow>> {
    require(&actor, Operation::ReadMessageCentre)?;
    let (limit, after) = (page.limit()?, page.after::<MessageTemplateId>()?);
    let read = move |connection: &mut _| store::list(connection, actor.tenant, after, limit + 1);
    Ok(Page::new(app.db.read(read).await?, limit, |row| row.id))
}

/// One template. Errors: `forbidden`, `not_found`.
pub async fn get(app: &App, actor: Actor, id: MessageTemplateId) -> Result<TemplateRow> {
    require(&actor, Operation::ReadMessageCentre)?;
    let found = app.db.read(move |connection| store::find(connection, actor.tenant, id)).await?;
    found.ok_or_else(Error::not_found)
}

/// What was published of a template, the newest first. Errors: `forbidden`, `not_found`.
pub async fn versions(
    app: &App,
    actor: Actor,
    id: MessageTemplateId,
    page: PageQuery,
) -> Result<Page<VersionRow>> {
    get(app, actor, id).await?;
    let (limit, before) = (page.limit()?, page.after::<i64>()?);
    let read = move |connection: &mut _| store::versions(connection, actor.tenant, id, before, limit + 1);
    Ok(Page::new(app.db.read(read).await?, limit, |row| row.version))
}

/// A change of a draft; `None` stays.
#[derive(Debug, Clone, Default)]
pub struct Change {
    /// What it is called.
    pub name: Option<String>,
    /// What is said.
    pub content: Option<Content>,
    /// In which language; `Some(None)`: not told.
    pub locale: Option<Option<String>>,
    /// The same in other languages.
    pub translations: Option<Vec<Translation>>,
    /// The fields of payloads that it uses.
    pub variables: Option<Vec<Variable>>,
}

/// Makes a template as a draft. Errors: `forbidden`, `limit_reached`, `validation_failed`.
pub async fn create(
    app: &App,
    actor: Actor,
    name: &str,
    contents: &Contents,
    variables: &[Variable],
) -> Result<TemplateRow> {
    require(&actor, Operation::ManageMessageCentre)?;
    let mut check = Checker::default();
    let name = check.required_line("/name", name, NAME_MAX);
    checked(check, contents, variables)?;
    let now = app.clock.now().0;
    let row = TemplateRow {
        id: MessageTemplateId(app.ids.next()?),
        tenant_id: actor.tenant,
        name,
        channel: contents.content.channel(),
        content: json_text(&contents.content),
        variables: json_text(&variables),
        version: 0,
        changed: true,
        created_at: now,
        updated_at: now,
        deleted_at: None,
        locale: contents.locale.clone(),
        translations: contents.stored_translations(),
    };
    let (kept, audit) = (row.clone(), app.auditor(&actor)?);
    let write = move |connection: &mut AnyConnection| {
        store::insert(connection, &kept)?;
        audit.note(connection, Act::created(&kept))
    };
    app.db.write(write).await?;
    Ok(row)
}

/// Changes the draft of a template; what is published stays. Errors: `forbidden`, `not_found`, `validation_failed`.
pub async fn update(app: &App, actor: Actor, id: MessageTemplateId, change: Change) -> Result<TemplateRow> {
    require(&actor, Operation::ManageMessageCentre)?;
    let mut check = Checker::default();
    let name = change.name.map(|name| check.required_line("/name", &name, NAME_MAX));
    let present = get(app, actor, id).await?;
    let (old, old_variables) = present.read()?;
    let contents = Contents {
        locale: change.locale.unwrap_or(old.locale),
        content: change.content.unwrap_or(old.content),
        translations: change.translations.unwrap_or(old.translations),
    };
    let variables = change.variables.unwrap_or(old_variables);
    if contents.content.channel() != present.channel {
        check.wrong("/channel", "invalid", "the channel of a template stays");
    }
    checked(check, &contents, &variables)?;
    let (content, variables, now) = (json_text(&contents.content), json_text(&variables), app.clock.now().0);
    let (locale, translations) = (contents.locale.clone(), contents.stored_translations());
    let audit = app.auditor(&actor)?;
    let write = move |connection: &mut AnyConnection| {
        let row = store::find(connection, actor.tenant, id)?.ok_or_else(Error::not_found)?;
        let before = row.clone();
        let row = TemplateRow {
            name: name.clone().unwrap_or_else(|| row.name.clone()),
            content: content.clone(),
            variables: variables.clone(),
            locale: locale.clone(),
            translations: translations.clone(),
            updated_at: now,
            changed: row.changed
                || (&row.content, &row.variables) != (&content, &variables)
                || (&row.locale, &row.translations) != (&locale, &translations),
            ..row
        };
        store::update(connection, &row)?;
        audit.note(connection, Act::updated(&before, &row))?;
        Ok(row)
    };
    app.db.write(write).await
}

/// Fails when a template cannot be saved so; `check` may know of faults already. Errors: `validation_failed`.
pub fn checked(mut check: Checker, contents: &Contents, variables: &[Variable]) -> Result<()> {
    if variables.len() > VARIABLES_MAX {
        check.wrong("/variables", "too_long", format!("at most {VARIABLES_MAX}"));
    }
    bounds(&mut check, &contents.content);
    for (index, one) in contents.translations.iter().take(TRANSLATIONS_MAX).enumerate() {
        let mut inner = Checker::default();
        bounds(&mut inner, &one.content);
        check.inside(&format!("/translations/{index}"), inner);
    }
    check.finish()?;
    contents.check(variables).map_err(told)
}

/// Publishes the draft as the next version; does nothing when it is published already. Errors: `forbidden`, `not_found`.
pub async fn publish(app: &App, actor: Actor, id: MessageTemplateId) -> Result<TemplateRow> {
    require(&actor, Operation::ManageMessageCentre)?;
    let (now, audit) = (app.clock.now().0, app.auditor(&actor)?);
    let write = move |connection: &mut AnyConnection| {
        let mut row = store::find(connection, actor.tenant, id)?.ok_or_else(Error::not_found)?;
        if !row.changed {
            return Ok(row);
        }
        (row.version, row.changed, row.updated_at) = (row.version + 1, false, now);
        let version = VersionRow {
            template_id: id,
            version: row.version,
            tenant_id: actor.tenant,
            content: row.content.clone(),
            variables: row.variables.clone(),
            created_at: now,
            locale: row.locale.clone(),
            translations: row.translations.clone(),
        };
        store::insert_version(connection, &version)?;
        store::update(connection, &row)?;
        let after = serde_json::Map::from_iter([("version".to_owned(), row.version.into())]);
        audit.note(connection, Act { after, ..Act::done(AuditAction::Publish, &row) })?;
        Ok(row)
    };
    app.db.write(write).await
}

/// What the draft says for this payload, or for its samples, to whoever reads this language, and in which language that is.
/// Errors: `forbidden`, `not_found`, `validation_failed`.
pub async fn preview(
    app: &App,
    actor: Actor,
    id: MessageTemplateId,
    payload: Option<Value>,
    locale: Option<String>,
) -> Result<(Option<String>, Rendered)> {
    let reader = reader(locale)?;
    let row = get(app, actor, id).await?;
    let (contents, variables) = row.read()?;
    let payload = payload.unwrap_or_else(|| samples(&variables, true));
    contents.render(&variables, &payload, reader.as_deref()).map_err(told)
}

/// Deletes a template. Errors: `forbidden`, `not_found`, `in_use`.
pub async fn delete(app: &App, actor: Actor, id: MessageTemplateId) -> Result<()> {
    require(&actor, Operation::ManageMessageCentre)?;
    let now = app.clock.now().0;
    let audit = app.auditor(&actor)?;
    let write = move |connection: &mut AnyConnection| {
        let row = store::find(connection, actor.tenant, id)?.ok_or_else(Error::not_found)?;
        store::delete(connection, actor.tenant, id, now)?;
        audit.note(connection, Act::deleted(&row))
    };
    app.db.write(write).await
}

/// The tag of a language in its usual form. Errors: `validation_failed`.
pub fn locale(pointer: &str, given: &str) -> Result<String> {
    let wrong = || Error::field(pointer, "invalid", "expected the tag of a language, such as zh-CN");
    text::locale(given.trim()).ok_or_else(wrong)
}

/// The language that somebody reads, if it was given. Errors: `validation_failed`.
pub fn reader(given: Option<String>) -> Result<Option<String>> {
    given.map(|given| locale("/locale", &given)).transpose()
}

/// What is wrong with a template, as clients are told.
pub fn told(fault: Fault) -> Error {
    Error::field(fault.pointer, "invalid", fault.detail)
}
