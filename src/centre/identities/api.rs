//! The routes of identities.

use actix_web::{HttpResponse, delete, get, post, web};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_actix_web::service_config::ServiceConfig;

use super::service::{self, Given};
use crate::app::App;
use crate::auth::{Admin, Staff};
use crate::domain::centre::recipient::IdentityRow;
use crate::http::json::Body;
use crate::http::page::{Page, PageQuery};
use crate::kernel::{ChannelAccountId, MessageIdentityId, Millis, PersonId, Result};

/// The routes of this module.
pub fn routes(config: &mut ServiceConfig<'_>) {
    config.service(create_message_identity);
    config.service(list_message_identities);
    config.service(delete_message_identity);
}

/// Who a person is to an official account.
#[derive(Debug, Serialize, ToSchema)]
pub struct MessageIdentity {
    /// The identity.
    id: MessageIdentityId,
    /// To which account, of the provider `wechat`.
    account_id: ChannelAccountId,
    /// Which person: a member (of the staff, or a customer) or a message recipient.
    person_id: PersonId,
    /// Its name at the account.
    openid: String,
    /// When it was made.
    created_at: Millis,
    /// When another openid last took the place of the one before.
    updated_at: Millis,
}

impl From<IdentityRow> for MessageIdentity {
    fn from(row: IdentityRow) -> Self {
        Self {
            id: row.id,
            account_id: row.account_id,
            person_id: row.person_id,
            openid: row.openid,
            created_at: Millis(row.created_at),
            updated_at: Millis(row.updated_at),
        }
    }
}

/// Who a person is to an official account. It has one of `person_id` and `customer_external_id`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateMessageIdentity {
    /// To which account, of the provider `wechat`.
    account_id: ChannelAccountId,
    /// Which person: a member (of the staff, or a customer) or a message recipient.
    #[serde(default)]
    person_id: Option<PersonId>,
    /// Which customer, by your own id.
    #[serde(default)]
    customer_external_id: Option<String>,
    /// Its name at the account (openid): letters, digits, `-` and `_`.
    openid: String,
}

/// Which identities are asked for.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ListMessageIdentities {
    /// Only those of this member or message recipient.
    person_id: Option<PersonId>,
    /// Only those to this account.
    account_id: Option<ChannelAccountId>,
    /// Most rows to return, 1 to 200; 50 when absent.
    #[param(minimum = 1, maximum = 200, default = 50)]
    limit: Option<u32>,
    /// `next_cursor` of the page before; absent for the first page.
    cursor: Option<String>,
}

/// Create an identity
///
/// From now on template messages of the account reach the person. Another openid takes the place of the one before; one that
/// is another person's at this account is refused.
#[utoipa::path(tag = "message-centre", request_body = CreateMessageIdentity, responses(
    (status = 201, description = "Written down.", body = MessageIdentity),
))]
#[post("/message-identities")]
pub async fn create_message_identity(
    app: web::Data<App>,
    caller: Admin,
    input: Body<CreateMessageIdentity>,
) -> Result<HttpResponse> {
    let CreateMessageIdentity { account_id, person_id, customer_external_id, openid } = input.into_inner();
    let given = Given { account_id, person_id, customer_external_id, openid };
    let row = service::create(&app, caller.actor, given).await?;
    Ok(HttpResponse::Created().json(MessageIdentity::from(row)))
}

/// List identities
///
/// In the order of their ids. Supervisors and administrators.
#[utoipa::path(tag = "message-centre", params(ListMessageIdentities), responses(
    (status = 200, description = "A page of identities.", body = Page<MessageIdentity>),
))]
#[get("/message-identities")]
pub async fn list_message_identities(
    app: web::Data<App>,
    caller: Staff,
    query: web::Query<ListMessageIdentities>,
) -> Result<web::Json<Page<MessageIdentity>>> {
    let ListMessageIdentities { person_id, account_id, limit, cursor } = query.into_inner();
    let of = (person_id, account_id);
    let page = service::list(&app, caller.actor, of, PageQuery { limit, cursor }).await?;
    Ok(web::Json(page.map(MessageIdentity::from)))
}

/// Delete an identity
///
/// The person is not reached at the account any more. What is queued already goes to the openid that it was made for.
#[utoipa::path(
    tag = "message-centre", params(("id" = MessageIdentityId, Path, description = "The identity.")),
    responses((status = 204, description = "Deleted.")),
)]
#[delete("/message-identities/{id}")]
pub async fn delete_message_identity(
    app: web::Data<App>,
    caller: Admin,
    id: web::Path<MessageIdentityId>,
) -> Result<HttpResponse> {
    service::delete(&app, caller.actor, id.into_inner()).await?;
    Ok(HttpResponse::NoContent().finish())
}
