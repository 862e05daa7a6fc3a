//! The routes of templates.

use actix_web::{HttpResponse, delete, get, patch, post, web};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;

use super::parts::Parts;
use super::service;
use crate::app::App;
use crate::auth::{Admin, Staff};
use crate::domain::centre::account::Channel;
use crate::domain::centre::template::{
    EmailContent, Rendered, RobotContent, RobotFormat, SmsContent, SmsParameter, TemplateRow, Variable,
    VersionRow, WebhookContent,
};
use crate::http::json::Body;
use crate::http::page::{Page, PageQuery};
use crate::kernel::{Error, MessageTemplateId, Millis, Result};

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

/// What is said on a channel.
#[derive(Debug, Serialize, ToSchema)]
pub struct MessageTemplate {
    /// The template.
    id: MessageTemplateId,
    /// What the merchant calls it.
    name: String,
    /// For which channel.
    channel: Channel,
    /// What the draft says, of the channel `webhook`.
    #[serde(skip_serializing_if = "Option::is_none")]
    webhook: Option<WebhookContent>,
    /// What the draft says, of the channel `robot`.
    #[serde(skip_serializing_if = "Option::is_none")]
    robot: Option<RobotContent>,
    /// What the draft says, of the channel `email`.
    #[serde(skip_serializing_if = "Option::is_none")]
    email: Option<EmailContent>,
    /// What the draft says, of the channel `sms`.
    #[serde(skip_serializing_if = "Option::is_none")]
    sms: Option<SmsContent>,
    /// The fields of payloads that the draft uses.
    variables: Vec<Variable>,
    /// The version that is published and that rules send; null: none yet.
    #[schema(required)]
    version: Option<i64>,
    /// Whether the draft differs from what is published.
    changed: bool,
    /// When it was made.
    created_at: Millis,
    /// When it was last changed or published.
    updated_at: Millis,
}

impl TryFrom<TemplateRow> for MessageTemplate {
    type Error = Error;

    fn try_from(row: TemplateRow) -> Result<Self> {
        let (content, variables) = service::read(&row.content, &row.variables)?;
        let Parts { webhook, robot, email, sms } = content.into();
        Ok(Self {
            id: row.id,
            name: row.name,
            channel: row.channel,
            webhook,
            robot,
            email,
            sms,
            variables,
            version: (row.version > 0).then_some(row.version),
            changed: row.changed,
            created_at: Millis(row.created_at),
            updated_at: Millis(row.updated_at),
        })
    }
}

/// What was published.
#[derive(Debug, Serialize, ToSchema)]
pub struct MessageTemplateVersion {
    /// The version, from 1.
    version: i64,
    /// What it says, of the channel `webhook`.
    #[serde(skip_serializing_if = "Option::is_none")]
    webhook: Option<WebhookContent>,
    /// What it says, of the channel `robot`.
    #[serde(skip_serializing_if = "Option::is_none")]
    robot: Option<RobotContent>,
    /// What it says, of the channel `email`.
    #[serde(skip_serializing_if = "Option::is_none")]
    email: Option<EmailContent>,
    /// What it says, of the channel `sms`.
    #[serde(skip_serializing_if = "Option::is_none")]
    sms: Option<SmsContent>,
    /// The fields of payloads that it uses.
    variables: Vec<Variable>,
    /// When it was published.
    created_at: Millis,
}

impl TryFrom<VersionRow> for MessageTemplateVersion {
    type Error = Error;

    fn try_from(row: VersionRow) -> Result<Self> {
        let (content, variables) = service::read(&row.content, &row.variables)?;
        let Parts { webhook, robot, email, sms } = content.into();
        let created_at = Millis(row.created_at);
        Ok(Self { version: row.version, webhook, robot, email, sms, variables, created_at })
    }
}

/// A template that is to be made. It has the field of its channel, and no other one.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateMessageTemplate {
    /// What it is called, at most 100 characters.
    name: String,
    /// For which channel; it stays.
    channel: Channel,
    /// What it says, of the channel `webhook`.
    #[serde(default)]
    webhook: Option<WebhookContent>,
    /// What it says, of the channel `robot`.
    #[serde(default)]
    robot: Option<RobotContent>,
    /// What it says, of the channel `email`: a text, HTML, or both.
    #[serde(default)]
    email: Option<EmailContent>,
    /// What it says, of the channel `sms`: a text, the code of the provider's template, or both.
    #[serde(default)]
    sms: Option<SmsContent>,
    /// The fields of payloads that it uses. Absent: none.
    #[serde(default)]
    variables: Vec<Variable>,
}

/// A change of a template's draft. An absent field stays.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UpdateMessageTemplate {
    /// What it is called, at most 100 characters.
    #[serde(default)]
    name: Option<String>,
    /// What it says, of the channel `webhook`.
    #[serde(default)]
    webhook: Option<WebhookContent>,
    /// What it says, of the channel `robot`.
    #[serde(default)]
    robot: Option<RobotContent>,
    /// What it says, of the channel `email`: a text, HTML, or both.
    #[serde(default)]
    email: Option<EmailContent>,
    /// What it says, of the channel `sms`: a text, the code of the provider's template, or both.
    #[serde(default)]
    sms: Option<SmsContent>,
    /// The fields of payloads that it uses.
    #[serde(default)]
    variables: Option<Vec<Variable>>,
}

/// With what a template is tried.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PreviewMessageTemplate {
    /// The payload of an event. Absent: the samples of the variables.
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    payload: Option<Map<String, Value>>,
}

/// What is sent: of the channel `webhook` the fields `type` and `data`, of the channel `robot` `format`, `title` and `text`,
/// of the channel `email` `subject`, `text` and `html`, of the channel `sms` `text`, `code` and `params`.
#[derive(Debug, Default, Serialize, ToSchema)]
pub struct RenderedMessage {
    /// The `type` of the body.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    event_type: Option<String>,
    /// The `data` of the body: any JSON.
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<Value>,
    /// How the text is shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    format: Option<RobotFormat>,
    /// The title.
    #[serde(skip_serializing_if = "Option::is_none")]
    title: Option<String>,
    /// The subject.
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<String>,
    /// The text.
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<String>,
    /// The HTML.
    #[serde(skip_serializing_if = "Option::is_none")]
    html: Option<String>,
    /// The code of the provider's template.
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<String>,
    /// The values of the provider's template, in its order.
    #[serde(skip_serializing_if = "Option::is_none")]
    params: Option<Vec<SmsParameter>>,
}

impl From<Rendered> for RenderedMessage {
    fn from(rendered: Rendered) -> Self {
        match rendered {
            Rendered::Webhook { event_type, data } => {
                Self { event_type: Some(event_type), data: Some(data), ..Self::default() }
            }
            Rendered::Robot { format, title, text } => {
                Self { format: Some(format), title: Some(title), text: Some(text), ..Self::default() }
            }
            Rendered::Email { subject, text, html } => {
                Self { subject: Some(subject), text, html, ..Self::default() }
            }
            Rendered::Sms { text, code, params } => {
                Self { text, code, params: Some(params), ..Self::default() }
            }
        }
    }
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
    let CreateMessageTemplate { name, channel, webhook, robot, email, sms, variables } = input.into_inner();
    let content = Parts { webhook, robot, email, sms }.of(channel)?;
    let row = service::create(&app, caller.actor, &name, &content, &variables).await?;
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
    let UpdateMessageTemplate { name, webhook, robot, email, sms, variables } = input.into_inner();
    let content = Parts { webhook, robot, email, sms }.any()?;
    let row = service::update(&app, caller.actor, id.into_inner(), name, content, variables).await?;
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
    let payload = input.into_inner().payload.map(Value::Object);
    let rendered = service::preview(&app, caller.actor, id.into_inner(), payload).await?;
    Ok(web::Json(rendered.into()))
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
