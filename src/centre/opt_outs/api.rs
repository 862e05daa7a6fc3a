//! The routes of opt-outs.

use actix_web::{HttpResponse, delete, get, post, web};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_actix_web::service_config::ServiceConfig;

use super::service;
use crate::app::App;
use crate::auth::{Admin, Staff};
use crate::domain::centre::account::Channel;
use crate::domain::centre::recipient::{OptOutRow, OptOutSource};
use crate::domain::centre::send::MessagePriority;
use crate::http::json::Body;
use crate::http::page::{Page, PageQuery};
use crate::kernel::{Millis, OptOutId, PersonId, Result};

/// The routes of this module.
pub fn routes(config: &mut ServiceConfig<'_>) {
    config.service(create_message_opt_out);
    config.service(list_message_opt_outs);
    config.service(delete_message_opt_out);
}

/// What a person does not want to be sent.
#[derive(Debug, Serialize, ToSchema)]
pub struct MessageOptOut {
    /// The opt-out.
    id: OptOutId,
    /// Who does not want it: a member or a message recipient.
    person_id: PersonId,
    /// On which channel.
    channel: Channel,
    /// Of which priority; null: everything but codes.
    #[schema(required)]
    priority: Option<MessagePriority>,
    /// Who said so.
    source: OptOutSource,
    /// When.
    created_at: Millis,
}

impl From<OptOutRow> for MessageOptOut {
    fn from(row: OptOutRow) -> Self {
        Self {
            id: row.id,
            person_id: row.person_id,
            channel: row.channel,
            priority: row.priority.parse().ok(),
            source: row.source,
            created_at: Millis(row.created_at),
        }
    }
}

/// Something that a person does not want.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateMessageOptOut {
    /// Who does not want it: a member (of the staff, or a customer) or a message recipient.
    person_id: PersonId,
    /// On which channel: one whose messages go to persons (`email`, `sms`, `wechat`, `in_app`).
    channel: Channel,
    /// Of which priority. Absent or null: everything but codes.
    #[serde(default)]
    priority: Option<MessagePriority>,
}

/// Which opt-outs are asked for.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ListMessageOptOuts {
    /// Only those of this member or message recipient.
    person_id: Option<PersonId>,
    /// Most rows to return, 1 to 200; 50 when absent.
    #[param(minimum = 1, maximum = 200, default = 50)]
    limit: Option<u32>,
    /// `next_cursor` of the page before; absent for the first page.
    cursor: Option<String>,
}

/// Create an opt-out
///
/// From now on the person is sent nothing of this kind, also what is queued already: it is `suppressed`. One that is there
/// already is answered as it is.
#[utoipa::path(tag = "message-centre", request_body = CreateMessageOptOut, responses(
    (status = 201, description = "Written down.", body = MessageOptOut),
))]
#[post("/message-opt-outs")]
pub async fn create_message_opt_out(
    app: web::Data<App>,
    caller: Admin,
    input: Body<CreateMessageOptOut>,
) -> Result<HttpResponse> {
    let CreateMessageOptOut { person_id, channel, priority } = input.into_inner();
    let row = service::create(&app, caller.actor, person_id, channel, priority).await?;
    Ok(HttpResponse::Created().json(MessageOptOut::from(row)))
}

/// List opt-outs
///
/// In the order of their ids. Supervisors and administrators.
#[utoipa::path(tag = "message-centre", params(ListMessageOptOuts), responses(
    (status = 200, description = "A page of opt-outs.", body = Page<MessageOptOut>),
))]
#[get("/message-opt-outs")]
pub async fn list_message_opt_outs(
    app: web::Data<App>,
    caller: Staff,
    query: web::Query<ListMessageOptOuts>,
) -> Result<web::Json<Page<MessageOptOut>>> {
    let ListMessageOptOuts { person_id, limit, cursor } = query.into_inner();
    let page = service::list(&app, caller.actor, person_id, PageQuery { limit, cursor }).await?;
    Ok(web::Json(page.map(MessageOptOut::from)))
}

/// Delete an opt-out
///
/// The person is sent such messages again; what was suppressed stays so.
#[utoipa::path(
    tag = "message-centre", params(("id" = OptOutId, Path, description = "The opt-out.")),
    responses((status = 204, description = "Deleted.")),
)]
#[delete("/message-opt-outs/{id}")]
pub async fn delete_message_opt_out(
    app: web::Data<App>,
    caller: Admin,
    id: web::Path<OptOutId>,
) -> Result<HttpResponse> {
    service::delete(&app, caller.actor, id.into_inner()).await?;
    Ok(HttpResponse::NoContent().finish())
}
