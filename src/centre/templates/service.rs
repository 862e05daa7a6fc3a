//! What is done with templates.

use serde_json::Value;

use super::store;
use crate::app::App;
use crate::db::types::json_text;
use crate::domain::actor::Actor;
use crate::domain::centre::account::NAME_MAX;
use crate::domain::centre::notification::LINK_MAX;
use crate::domain::centre::template::{
    Content, DATA_MAX, EMAIL_MAX, Fault, Rendered, SMS_CODE_MAX, SMS_PARAMS_MAX, TEXT_MAX, TITLE_MAX,
    TYPE_MAX, TemplateRow, VARIABLES_MAX, Variable, VersionRow, samples,
};
use crate::domain::permission::{Operation, require};
use crate::http::page::{Page, PageQuery};
use crate::kernel::{Error, MessageTemplateId, Result};
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

/// Makes a template as a draft. Errors: `forbidden`, `limit_reached`, `validation_failed`.
pub async fn create(
    app: &App,
    actor: Actor,
    name: &str,
    content: &Content,
    variables: &[Variable],
) -> Result<TemplateRow> {
    require(&actor, Operation::ManageMessageCentre)?;
    let mut check = Checker::default();
    let name = check.required_line("/name", name, NAME_MAX);
    bounds(&mut check, content, variables);
    check.finish()?;
    content.check(variables).map_err(told)?;
    let now = app.clock.now().0;
    let row = TemplateRow {
        id: MessageTemplateId(app.ids.next()?),
        tenant_id: actor.tenant,
        name,
        channel: content.channel(),
        content: json_text(content),
        variables: json_text(&variables),
        version: 0,
        changed: true,
        created_at: now,
        updated_at: now,
        deleted_at: None,
    };
    let kept = row.clone();
    app.db.write(move |connection| store::insert(connection, &kept)).await?;
    Ok(row)
}

/// Changes the draft of a template; what is published stays. Errors: `forbidden`, `not_found`, `validation_failed`.
pub async fn update(
    app: &App,
    actor: Actor,
    id: MessageTemplateId,
    name: Option<String>,
    content: Option<Content>,
    variables: Option<Vec<Variable>>,
) -> Result<TemplateRow> {
    require(&actor, Operation::ManageMessageCentre)?;
    let mut check = Checker::default();
    let name = name.map(|name| check.required_line("/name", &name, NAME_MAX));
    let present = get(app, actor, id).await?;
    let (old_content, old_variables) = read(&present.content, &present.variables)?;
    let (content, variables) = (content.unwrap_or(old_content), variables.unwrap_or(old_variables));
    if content.channel() != present.channel {
        check.wrong("/channel", "invalid", "the channel of a template stays");
    }
    bounds(&mut check, &content, &variables);
    check.finish()?;
    content.check(&variables).map_err(told)?;
    let (content, variables, now) = (json_text(&content), json_text(&variables), app.clock.now().0);
    let write = move |connection: &mut _| {
        let mut row = store::find(connection, actor.tenant, id)?.ok_or_else(Error::not_found)?;
        row.changed = row.changed || row.content != content || row.variables != variables;
        row.name = name.clone().unwrap_or(row.name);
        (row.content, row.variables, row.updated_at) = (content.clone(), variables.clone(), now);
        store::update(connection, &row)?;
        Ok(row)
    };
    app.db.write(write).await
}

/// Publishes the draft as the next version; does nothing when it is published already. Errors: `forbidden`, `not_found`.
pub async fn publish(app: &App, actor: Actor, id: MessageTemplateId) -> Result<TemplateRow> {
    require(&actor, Operation::ManageMessageCentre)?;
    let now = app.clock.now().0;
    let write = move |connection: &mut _| {
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
        };
        store::insert_version(connection, &version)?;
        store::update(connection, &row)?;
        Ok(row)
    };
    app.db.write(write).await
}

/// What the draft says for this payload, or for its samples. Errors: `forbidden`, `not_found`, `validation_failed`.
pub async fn preview(
    app: &App,
    actor: Actor,
    id: MessageTemplateId,
    payload: Option<Value>,
) -> Result<Rendered> {
    let row = get(app, actor, id).await?;
    let (content, variables) = read(&row.content, &row.variables)?;
    let payload = payload.unwrap_or_else(|| samples(&variables, true));
    content.render(&variables, &payload).map_err(told)
}

/// Deletes a template. Errors: `forbidden`, `not_found`, `in_use`.
pub async fn delete(app: &App, actor: Actor, id: MessageTemplateId) -> Result<()> {
    require(&actor, Operation::ManageMessageCentre)?;
    let now = app.clock.now().0;
    app.db.write(move |connection| store::delete(connection, actor.tenant, id, now)).await
}

/// Reads a stored content and its variables.
pub fn read(content: &str, variables: &str) -> Result<(Content, Vec<Variable>)> {
    let refused =
        |cause: serde_json::Error| Error::internal("a stored template cannot be read").caused_by(cause);
    Ok((serde_json::from_str(content).map_err(refused)?, serde_json::from_str(variables).map_err(refused)?))
}

/// What is wrong with a template, as clients are told.
pub fn told(fault: Fault) -> Error {
    Error::field(fault.pointer, "invalid", fault.detail)
}

fn bounds(check: &mut Checker, content: &Content, variables: &[Variable]) {
    if variables.len() > VARIABLES_MAX {
        check.wrong("/variables", "too_long", format!("at most {VARIABLES_MAX}"));
    }
    match content {
        Content::Webhook(content) => {
            check.required_line("/webhook/type", &content.event_type, TYPE_MAX);
            if content.data.as_ref().is_some_and(|data| data.to_string().len() > DATA_MAX) {
                check.wrong("/webhook/data", "too_long", format!("at most {DATA_MAX} bytes"));
            }
        }
        Content::Robot(content) => {
            let text = &content.text;
            if text.trim().is_empty() {
                check.wrong("/robot/text", "too_short", "must not be empty");
            }
            if text.chars().count() > TEXT_MAX {
                check.wrong("/robot/text", "too_long", format!("at most {TEXT_MAX} characters"));
            }
            if content.title.as_ref().is_some_and(|title| title.chars().count() > TITLE_MAX) {
                check.wrong("/robot/title", "too_long", format!("at most {TITLE_MAX} characters"));
            }
        }
        Content::Email(content) => {
            let (text, html) = (content.text.as_deref(), content.html.as_deref());
            check.required_line("/email/subject", &content.subject, TITLE_MAX);
            if text.is_none() && html.is_none() {
                check.wrong("/email/text", "required", "a text, HTML, or both");
            }
            most(check, "/email/text", text.unwrap_or_default(), EMAIL_MAX);
            most(check, "/email/html", html.unwrap_or_default(), EMAIL_MAX);
        }
        Content::Sms(content) => {
            if content.text.is_none() && content.code.is_none() {
                check.wrong("/sms/text", "required", "a text, the code of the provider's template, or both");
            }
            most(check, "/sms/text", content.text.as_deref().unwrap_or_default(), TEXT_MAX);
            if let Some(code) = &content.code {
                check.required_line("/sms/code", code, SMS_CODE_MAX);
            }
            if content.params.len() > SMS_PARAMS_MAX {
                check.wrong("/sms/params", "too_long", format!("at most {SMS_PARAMS_MAX}"));
            }
            for (index, parameter) in content.params.iter().enumerate() {
                let pointer = format!("/sms/params/{index}");
                check.required_line(&format!("{pointer}/name"), &parameter.name, SMS_CODE_MAX);
                most(check, &format!("{pointer}/value"), &parameter.value, TITLE_MAX);
            }
        }
        Content::InApp(content) => {
            check.required_line("/in_app/title", &content.title, TITLE_MAX);
            most(check, "/in_app/body", content.body.as_deref().unwrap_or_default(), TEXT_MAX);
            most(check, "/in_app/link", content.link.as_deref().unwrap_or_default(), LINK_MAX);
            if content.data.as_ref().is_some_and(|data| data.to_string().len() > DATA_MAX) {
                check.wrong("/in_app/data", "too_long", format!("at most {DATA_MAX} bytes"));
            }
        }
        Content::Wechat(content) => {
            for (pointer, code, detail) in content.faults() {
                check.wrong(&pointer, code, detail);
            }
        }
    }
}

fn most(check: &mut Checker, pointer: &str, text: &str, most: usize) {
    if text.chars().count() > most {
        check.wrong(pointer, "too_long", format!("at most {most} characters"));
    }
}
