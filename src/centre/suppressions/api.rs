//! The routes of suppressions.

use actix_web::{HttpResponse, delete, get, post, web};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_actix_web::service_config::ServiceConfig;

use super::service;
use crate::app::App;
use crate::auth::{Admin, Staff};
use crate::domain::centre::account::Channel;
use crate::domain::centre::suppression::{SuppressionReason, SuppressionRow};
use crate::http::json::Body;
use crate::http::page::{Page, PageQuery};
use crate::kernel::{Millis, Result, SuppressionId};

/// The routes of this module.
pub fn routes(config: &mut ServiceConfig<'_>) {
    config.service(create_message_suppression);
    config.service(list_message_suppressions);
    config.service(delete_message_suppression);
}

/// An address to which nothing is sent.
#[derive(Debug, Serialize, ToSchema)]
pub struct MessageSuppression {
    /// The suppression.
    id: SuppressionId,
    /// On which channel.
    channel: Channel,
    /// The address: e-mail in lower case with its domain in ASCII, a phone as E.164 writes it.
    address: String,
    /// Why nothing is sent to it.
    reason: SuppressionReason,
    /// What the provider said: its code, or the word that the phone answered; null when one of the staff wrote it down.
    #[schema(required)]
    code: Option<String>,
    /// Since when.
    created_at: Millis,
}

impl From<SuppressionRow> for MessageSuppression {
    fn from(row: SuppressionRow) -> Self {
        Self {
            id: row.id,
            channel: row.channel,
            address: row.address,
            reason: row.reason,
            code: row.code,
            created_at: Millis(row.created_at),
        }
    }
}

/// An address to which nothing is to be sent.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateMessageSuppression {
    /// On which channel: one whose messages go to persons (`email`, `sms`, `wechat`, `in_app`).
    channel: Channel,
    /// The address: e-mail, a phone with its country, an openid, or the id of a member.
    address: String,
}

/// Which suppressions are asked for.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ListMessageSuppressions {
    /// Only those of this channel.
    channel: Option<Channel>,
    /// Only those of this address, however it is written.
    address: Option<String>,
    /// Most rows to return, 1 to 200; 50 when absent.
    #[param(minimum = 1, maximum = 200, default = 50)]
    limit: Option<u32>,
    /// `next_cursor` of the page before; absent for the first page.
    cursor: Option<String>,
}

/// Create a suppression
///
/// From now on nothing is sent to the address on this channel, neither codes nor what is queued already: it is
/// `suppressed` (`address_suppressed`). One that is there already is answered as it is.
#[utoipa::path(tag = "message-centre", request_body = CreateMessageSuppression, responses(
    (status = 201, description = "Written down.", body = MessageSuppression),
))]
#[post("/message-suppressions")]
pub async fn create_message_suppression(
    app: web::Data<App>,
    caller: Admin,
    input: Body<CreateMessageSuppression>,
) -> Result<HttpResponse> {
    let CreateMessageSuppression { channel, address } = input.into_inner();
    let row = service::create(&app, caller.actor, channel, &address).await?;
    Ok(HttpResponse::Created().json(MessageSuppression::from(row)))
}

/// List suppressions
///
/// Those that were learned from providers and those that the staff wrote down, in the order of their ids. Supervisors
/// and administrators.
#[utoipa::path(tag = "message-centre", params(ListMessageSuppressions), responses(
    (status = 200, description = "A page of suppressions.", body = Page<MessageSuppression>),
))]
#[get("/message-suppressions")]
pub async fn list_message_suppressions(
    app: web::Data<App>,
    caller: Staff,
    query: web::Query<ListMessageSuppressions>,
) -> Result<web::Json<Page<MessageSuppression>>> {
    let ListMessageSuppressions { channel, address, limit, cursor } = query.into_inner();
    let page = PageQuery { limit, cursor };
    let page = service::list(&app, caller.actor, channel, address.as_deref(), page).await?;
    Ok(web::Json(page.map(MessageSuppression::from)))
}

/// Delete a suppression
///
/// The address is sent messages again, and stands here again when its provider still refuses it; what was suppressed
/// stays so.
#[utoipa::path(
    tag = "message-centre", params(("id" = SuppressionId, Path, description = "The suppression.")),
    responses((status = 204, description = "Deleted.")),
)]
#[delete("/message-suppressions/{id}")]
pub async fn delete_message_suppression(
    app: web::Data<App>,
    caller: Admin,
    id: web::Path<SuppressionId>,
) -> Result<HttpResponse> {
    service::delete(&app, caller.actor, id.into_inner()).await?;
    Ok(HttpResponse::NoContent().finish())
}
