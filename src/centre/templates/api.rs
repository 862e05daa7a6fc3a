//! The routes of templates.

use actix_web::{HttpResponse, delete, get, patch, post, web};
use serde_json::Value;
use utoipa_actix_web::service_config::ServiceConfig;

use super::model::{
    CreateMessageTemplate, MessageTemplate, MessageTemplateVersion, MessageTranslation,
    PreviewMessageTemplate, RenderedMessage, UpdateMessageTemplate,
};
use super::parts::Parts;
use super::service::{self, Change};
use crate::app::App;
use crate::auth::{Admin, Staff};
use crate::domain::centre::template::{Contents, Translation};
use crate::http::json::Body;
use crate::http::page::{Page, PageQuery};
use crate::kernel::{MessageTemplateId, Result};

/// The routes of this module.
pub fn routes(config: &mut ServiceConfig<'_>) {
    config.service(create_message_template);
    config.service(list_message_templates);
    config.service(get_message_template);
    config.service(update_message_template);
    config.service(publish_message_template);
    config.service(list_message_template_versions);
    config.service(preview_message_template);
    config.service(delete_message_template);
}

fn asked(translations: Vec<MessageTranslation>) -> Result<Vec<Translation>> {
    translations.into_iter().enumerate().map(|(index, one)| one.asked(index)).collect()
}

/// Create a template
///
/// As a draft: nothing is sent before it is published. Texts are templates of Jinja (as MiniJinja knows it) over the fields
/// of an event's payload. A template is refused when it uses a variable that it does not declare, or cannot be rendered
/// with the samples, with and without those of variables that are not required. A tenant has at most 1,000 templates.
#[utoipa::path(tag = "message-centre", request_body = CreateMessageTemplate, responses(
    (status = 201, description = "Made.", body = MessageTemplate),
))]
#[post("/message-templates")]
pub async fn create_message_template(
    app: web::Data<App>,
    caller: Admin,
    input: Body<CreateMessageTemplate>,
) -> Result<HttpResponse> {
    let input = input.into_inner();
    let CreateMessageTemplate { webhook, robot, email, sms, in_app, wechat, translations, .. } = input;
    let content = Parts { webhook, robot, email, sms, in_app, wechat }.of(input.channel)?;
    let (locale, translations) = (service::reader(input.locale)?, asked(translations)?);
    let contents = Contents { locale, content, translations };
    let row = service::create(&app, caller.actor, &input.name, &contents, &input.variables).await?;
    Ok(HttpResponse::Created().json(MessageTemplate::try_from(row)?))
}

/// List templates
///
/// In the order of their ids. Supervisors and administrators.
#[utoipa::path(tag = "message-centre", params(PageQuery), responses(
    (status = 200, description = "A page of templates.", body = Page<MessageTemplate>),
))]
#[get("/message-templates")]
pub async fn list_message_templates(
    app: web::Data<App>,
    caller: Staff,
    query: web::Query<PageQuery>,
) -> Result<web::Json<Page<MessageTemplate>>> {
    let Page { data, next_cursor } = service::list(&app, caller.actor, query.into_inner()).await?;
    let data = data.into_iter().map(MessageTemplate::try_from).collect::<Result<_>>()?;
    Ok(web::Json(Page { data, next_cursor }))
}

/// Read a template
///
/// With its draft; what was published stands in its versions.
#[utoipa::path(
    tag = "message-centre", params(("id" = MessageTemplateId, Path, description = "The template.")),
    responses((status = 200, description = "The template with its draft.", body = MessageTemplate)),
)]
#[get("/message-templates/{id}")]
pub async fn get_message_template(
    app: web::Data<App>,
    caller: Staff,
    id: web::Path<MessageTemplateId>,
) -> Result<web::Json<MessageTemplate>> {
    let row = service::get(&app, caller.actor, id.into_inner()).await?;
    MessageTemplate::try_from(row).map(web::Json)
}

/// Update a template
///
/// Changes the draft: what is published goes on to be sent until the draft is published.
#[utoipa::path(
    tag = "message-centre", params(("id" = MessageTemplateId, Path, description = "The template.")),
    request_body = UpdateMessageTemplate,
    responses((status = 200, description = "The template as it is now.", body = MessageTemplate)),
)]
#[patch("/message-templates/{id}")]
pub async fn update_message_template(
    app: web::Data<App>,
    caller: Admin,
    id: web::Path<MessageTemplateId>,
    input: Body<UpdateMessageTemplate>,
) -> Result<web::Json<MessageTemplate>> {
    let input = input.into_inner();
    let UpdateMessageTemplate { name, webhook, robot, email, sms, in_app, wechat, variables, .. } = input;
    let content = Parts { webhook, robot, email, sms, in_app, wechat }.any()?;
    let locale = input.locale.map(service::reader).transpose()?;
    let translations = input.translations.map(asked).transpose()?;
    let change = Change { name, content, locale, translations, variables };
    let row = service::update(&app, caller.actor, id.into_inner(), change).await?;
    MessageTemplate::try_from(row).map(web::Json)
}

/// Publish a template
///
/// From now on rules send the draft as it is. What waits to be sent keeps the version that it was made from. Publishing
/// what is published already changes nothing.
#[utoipa::path(
    tag = "message-centre", params(("id" = MessageTemplateId, Path, description = "The template.")),
    responses((status = 200, description = "The template as it is now.", body = MessageTemplate)),
)]
#[post("/message-templates/{id}/publish")]
pub async fn publish_message_template(
    app: web::Data<App>,
    caller: Admin,
    id: web::Path<MessageTemplateId>,
) -> Result<web::Json<MessageTemplate>> {
    let row = service::publish(&app, caller.actor, id.into_inner()).await?;
    MessageTemplate::try_from(row).map(web::Json)
}

/// List the versions of a template
///
/// What was published, the newest first.
#[utoipa::path(
    tag = "message-centre", params(("id" = MessageTemplateId, Path, description = "The template."), PageQuery),
    responses((status = 200, description = "A page of versions.", body = Page<MessageTemplateVersion>)),
)]
#[get("/message-templates/{id}/versions")]
pub async fn list_message_template_versions(
    app: web::Data<App>,
    caller: Staff,
    id: web::Path<MessageTemplateId>,
    query: web::Query<PageQuery>,
) -> Result<web::Json<Page<MessageTemplateVersion>>> {
    let page = service::versions(&app, caller.actor, id.into_inner(), query.into_inner()).await?;
    let Page { data, next_cursor } = page;
    let data = data.into_iter().map(MessageTemplateVersion::try_from).collect::<Result<_>>()?;
    Ok(web::Json(Page { data, next_cursor }))
}

/// Preview a template
///
/// Renders the draft with a payload, or with its samples. Nothing is sent.
#[utoipa::path(
    tag = "message-centre", params(("id" = MessageTemplateId, Path, description = "The template.")),
    request_body = PreviewMessageTemplate,
    responses((status = 200, description = "What would be sent.", body = RenderedMessage)),
)]
#[post("/message-templates/{id}/preview")]
pub async fn preview_message_template(
    app: web::Data<App>,
    caller: Staff,
    id: web::Path<MessageTemplateId>,
    input: Body<PreviewMessageTemplate>,
) -> Result<web::Json<RenderedMessage>> {
    let PreviewMessageTemplate { payload, locale } = input.into_inner();
    let payload = payload.map(Value::Object);
    let (locale, rendered) = service::preview(&app, caller.actor, id.into_inner(), payload, locale).await?;
    Ok(web::Json(RenderedMessage::of(rendered, locale)))
}

/// Delete a template
///
/// Refused with `409 in_use` while a rule uses it. What waits to be sent is sent all the same.
#[utoipa::path(
    tag = "message-centre", params(("id" = MessageTemplateId, Path, description = "The template.")),
    responses((status = 204, description = "Deleted.")),
)]
#[delete("/message-templates/{id}")]
pub async fn delete_message_template(
    app: web::Data<App>,
    caller: Admin,
    id: web::Path<MessageTemplateId>,
) -> Result<HttpResponse> {
    service::delete(&app, caller.actor, id.into_inner()).await?;
    Ok(HttpResponse::NoContent().finish())
}
