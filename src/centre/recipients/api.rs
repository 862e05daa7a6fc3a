//! The routes of message recipients.

use actix_web::{HttpResponse, delete, get, patch, post, web};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_actix_web::service_config::ServiceConfig;

use super::service::{self, Given};
use crate::app::App;
use crate::auth::{Admin, Staff};
use crate::domain::centre::recipient::{RecipientRow, RecipientStatus};
use crate::http::json::Body;
use crate::http::page::{Page, PageQuery};
use crate::kernel::json::given;
use crate::kernel::{MemberId, MessageRecipientId, Millis, Result};

/// The routes of this module.
pub fn routes(config: &mut ServiceConfig<'_>) {
    config.service(create_message_recipient);
    config.service(list_message_recipients);
    config.service(get_message_recipient);
    config.service(update_message_recipient);
    config.service(delete_message_recipient);
}

/// The hours of the day in which a person wants to be left alone; they may go over midnight.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct QuietHours {
    /// When they begin, `HH:MM` in the person's time zone.
    from: String,
    /// When they end, `HH:MM`.
    until: String,
}

/// A person with addresses of its own for messages.
#[derive(Debug, Serialize, ToSchema)]
pub struct MessageRecipient {
    /// The recipient.
    id: MessageRecipientId,
    /// The member that it is; null: somebody without an account.
    #[schema(required)]
    member_id: Option<MemberId>,
    /// What it is called.
    name: String,
    /// Its phone, E.164; empty: none of its own, so that the member's is used.
    phone: String,
    /// Its e-mail address; empty: none of its own, so that the member's is used.
    email: String,
    /// Which language it reads: a tag of BCP 47 such as `zh-CN`; empty: as its member.
    locale: String,
    /// The time zone of its quiet hours, by the names of the IANA.
    time_zone: String,
    /// When it wants to be left alone; null: never.
    #[schema(required)]
    quiet_hours: Option<QuietHours>,
    /// Whether it is sent anything.
    status: RecipientStatus,
    /// When it was made.
    created_at: Millis,
    /// When it was last changed.
    updated_at: Millis,
}

impl From<RecipientRow> for MessageRecipient {
    fn from(row: RecipientRow) -> Self {
        let time = |minutes: i64| format!("{:02}:{:02}", minutes / 60, minutes % 60);
        let quiet_hours = row.quiet_from.zip(row.quiet_until);
        Self {
            id: row.id,
            member_id: row.member_id,
            name: row.name,
            phone: row.phone,
            email: row.email,
            locale: row.locale,
            time_zone: row.time_zone,
            quiet_hours: quiet_hours.map(|(from, until)| QuietHours { from: time(from), until: time(until) }),
            status: row.status,
            created_at: Millis(row.created_at),
            updated_at: Millis(row.updated_at),
        }
    }
}

/// A recipient that is to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateMessageRecipient {
    /// What it is called, at most 100 characters.
    name: String,
    /// The member that it is, at most one recipient for each. Absent or null: somebody without an account.
    #[serde(default)]
    member_id: Option<MemberId>,
    /// Its phone with its country, such as `+8613800138000`; eleven digits alone are a mobile of mainland China. Absent or
    /// empty: none of its own.
    #[serde(default)]
    phone: Option<String>,
    /// Its e-mail address. Absent or empty: none of its own.
    #[serde(default)]
    email: Option<String>,
    /// Which language it reads: a tag of BCP 47 such as `zh-CN`. Absent or empty: as its member.
    #[serde(default)]
    locale: Option<String>,
    /// The time zone of its quiet hours, by the names of the IANA. Absent: `UTC`.
    #[serde(default)]
    time_zone: Option<String>,
    /// When it wants to be left alone. Absent or null: never.
    #[serde(default)]
    quiet_hours: Option<QuietHours>,
    /// Whether it is sent anything. Absent: it is.
    #[serde(default)]
    status: Option<RecipientStatus>,
}

/// A change of a recipient. An absent field stays.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UpdateMessageRecipient {
    /// What it is called, at most 100 characters.
    #[serde(default)]
    name: Option<String>,
    /// The member that it is; null: none.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<MemberId>)]
    member_id: Option<Option<MemberId>>,
    /// Its phone; empty: none of its own.
    #[serde(default)]
    phone: Option<String>,
    /// Its e-mail address; empty: none of its own.
    #[serde(default)]
    email: Option<String>,
    /// Which language it reads: a tag of BCP 47; empty: as its member.
    #[serde(default)]
    locale: Option<String>,
    /// The time zone of its quiet hours.
    #[serde(default)]
    time_zone: Option<String>,
    /// When it wants to be left alone; null: never.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<QuietHours>)]
    quiet_hours: Option<Option<QuietHours>>,
    /// Whether it is sent anything.
    #[serde(default)]
    status: Option<RecipientStatus>,
}

/// Which recipients are asked for.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ListMessageRecipients {
    /// Only the one that is this member.
    member_id: Option<MemberId>,
    /// Most rows to return, 1 to 200; 50 when absent.
    #[param(minimum = 1, maximum = 200, default = 50)]
    limit: Option<u32>,
    /// `next_cursor` of the page before; absent for the first page.
    cursor: Option<String>,
}

/// Create a message recipient
///
/// Somebody without an account, or a member (of the staff, or a customer) that is reached elsewhere than its account says,
/// or wants to be left alone at some hours. A tenant has at most 10,000.
#[utoipa::path(tag = "message-centre", request_body = CreateMessageRecipient, responses(
    (status = 201, description = "Made.", body = MessageRecipient),
))]
#[post("/message-recipients")]
pub async fn create_message_recipient(
    app: web::Data<App>,
    caller: Admin,
    input: Body<CreateMessageRecipient>,
) -> Result<HttpResponse> {
    let CreateMessageRecipient { name, member_id, phone, email, locale, time_zone, quiet_hours, status } =
        input.into_inner();
    let quiet_hours = Some(quiet_hours.map(|hours| (hours.from, hours.until)));
    let given = Given {
        name: Some(name),
        member_id: Some(member_id),
        phone,
        email,
        locale,
        time_zone,
        quiet_hours,
        status,
    };
    let row = service::create(&app, caller.actor, given).await?;
    Ok(HttpResponse::Created().json(MessageRecipient::from(row)))
}

/// List message recipients
///
/// In the order of their ids. Supervisors and administrators.
#[utoipa::path(tag = "message-centre", params(ListMessageRecipients), responses(
    (status = 200, description = "A page of recipients.", body = Page<MessageRecipient>),
))]
#[get("/message-recipients")]
pub async fn list_message_recipients(
    app: web::Data<App>,
    caller: Staff,
    query: web::Query<ListMessageRecipients>,
) -> Result<web::Json<Page<MessageRecipient>>> {
    let ListMessageRecipients { member_id, limit, cursor } = query.into_inner();
    let page = service::list(&app, caller.actor, member_id, PageQuery { limit, cursor }).await?;
    Ok(web::Json(page.map(MessageRecipient::from)))
}

/// Read a message recipient
///
/// One that was deleted is `404`.
#[utoipa::path(
    tag = "message-centre", params(("id" = MessageRecipientId, Path, description = "The recipient.")),
    responses((status = 200, description = "The recipient.", body = MessageRecipient)),
)]
#[get("/message-recipients/{id}")]
pub async fn get_message_recipient(
    app: web::Data<App>,
    caller: Staff,
    id: web::Path<MessageRecipientId>,
) -> Result<web::Json<MessageRecipient>> {
    service::get(&app, caller.actor, id.into_inner()).await.map(|row| web::Json(row.into()))
}

/// Update a message recipient
///
/// An absent field stays. What is queued already goes to the address that it was made for.
#[utoipa::path(
    tag = "message-centre", params(("id" = MessageRecipientId, Path, description = "The recipient.")),
    request_body = UpdateMessageRecipient,
    responses((status = 200, description = "The recipient as it is now.", body = MessageRecipient)),
)]
#[patch("/message-recipients/{id}")]
pub async fn update_message_recipient(
    app: web::Data<App>,
    caller: Admin,
    id: web::Path<MessageRecipientId>,
    input: Body<UpdateMessageRecipient>,
) -> Result<web::Json<MessageRecipient>> {
    let UpdateMessageRecipient { name, member_id, phone, email, locale, time_zone, quiet_hours, status } =
        input.into_inner();
    let quiet_hours = quiet_hours.map(|hours| hours.map(|hours| (hours.from, hours.until)));
    let given = Given { name, member_id, phone, email, locale, time_zone, quiet_hours, status };
    service::update(&app, caller.actor, id.into_inner(), given).await.map(|row| web::Json(row.into()))
}

/// Delete a message recipient
///
/// Rules that name it pass it over. What is queued already is sent all the same.
#[utoipa::path(
    tag = "message-centre", params(("id" = MessageRecipientId, Path, description = "The recipient.")),
    responses((status = 204, description = "Deleted.")),
)]
#[delete("/message-recipients/{id}")]
pub async fn delete_message_recipient(
    app: web::Data<App>,
    caller: Admin,
    id: web::Path<MessageRecipientId>,
) -> Result<HttpResponse> {
    service::delete(&app, caller.actor, id.into_inner()).await?;
    Ok(HttpResponse::NoContent().finish())
}
