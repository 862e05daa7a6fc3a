//! The routes of canned replies.

use actix_web::{HttpResponse, delete, get, patch, post, web};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_actix_web::service_config::ServiceConfig;

use super::service::{self, Given};
use super::store::Filter;
use crate::app::App;
use crate::auth::Staff;
use crate::domain::canned_reply::{CannedReplyRow, CannedReplyScope};
use crate::http::json::Body;
use crate::http::page::{Page, PageQuery};
use crate::kernel::{CannedReplyId, ConversationId, GroupId, MemberId, Millis, Result};

/// The routes of this module.
pub fn routes(config: &mut ServiceConfig<'_>) {
    config.service(create_canned_reply);
    config.service(list_canned_replies);
    config.service(get_canned_reply);
    config.service(update_canned_reply);
    config.service(delete_canned_reply);
    config.service(render_canned_reply);
}

/// A text that the staff have ready.
#[derive(Debug, Serialize, ToSchema)]
pub struct CannedReply {
    /// The canned reply.
    id: CannedReplyId,
    /// Whose it is.
    scope: CannedReplyScope,
    /// The group whose it is; null with any other scope.
    #[schema(required)]
    group_id: Option<GroupId>,
    /// What is typed for it: one word in lower case, once for each of the tenant, a group and a member.
    shortcut: String,
    /// What it is called.
    title: String,
    /// A template for what it says. It may name `customer.nickname`, `customer.external_id`, `agent.nickname`, `tenant.name`,
    /// `conversation.id` and `conversation.subject`.
    text: String,
    /// How often it was rendered for a conversation.
    use_count: i64,
    /// Who made it.
    created_by: MemberId,
    /// When it was made.
    created_at: Millis,
    /// When it was last changed.
    updated_at: Millis,
}

impl From<CannedReplyRow> for CannedReply {
    fn from(row: CannedReplyRow) -> Self {
        Self {
            id: row.id,
            scope: row.scope,
            group_id: (row.scope == CannedReplyScope::Group).then_some(GroupId(row.scope_id)),
            shortcut: row.shortcut,
            title: row.title,
            text: row.text,
            use_count: row.use_count,
            created_by: row.created_by,
            created_at: Millis(row.created_at),
            updated_at: Millis(row.updated_at),
        }
    }
}

/// A canned reply that is to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateCannedReply {
    /// Whose it is: agents make their own only (`member`).
    scope: CannedReplyScope,
    /// The group whose it is: needed with the scope `group`, refused with any other.
    #[serde(default)]
    group_id: Option<GroupId>,
    /// What is typed for it: 1 to 32 characters without spaces and `/`, kept in lower case.
    shortcut: String,
    /// What it is called, at most 100 characters.
    title: String,
    /// A template for what it says, at most 4,000 characters.
    text: String,
}

/// A change of a canned reply. An absent field stays.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UpdateCannedReply {
    /// What is typed for it.
    #[serde(default)]
    shortcut: Option<String>,
    /// What it is called.
    #[serde(default)]
    title: Option<String>,
    /// A template for what it says.
    #[serde(default)]
    text: Option<String>,
}

/// For which conversation a canned reply is rendered.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RenderCannedReply {
    /// One that the caller sees.
    conversation_id: ConversationId,
}

/// What a canned reply says in a conversation.
#[derive(Debug, Serialize, ToSchema)]
pub struct RenderedCannedReply {
    /// The text.
    text: String,
}

/// Which canned replies are asked for.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ListCannedReplies {
    /// Only those of this scope.
    scope: Option<CannedReplyScope>,
    /// Only those of this group.
    group_id: Option<GroupId>,
    /// Only those whose shortcut begins so.
    shortcut: Option<String>,
    /// Most rows to return, 1 to 200; 50 when absent.
    #[param(minimum = 1, maximum = 200, default = 50)]
    limit: Option<u32>,
    /// `next_cursor` of the page before; absent for the first page.
    cursor: Option<String>,
}

/// Create a canned reply
///
/// A text that names what is never known is refused. There are at most 500 of the tenant, of a group, and of a member.
#[utoipa::path(tag = "canned-replies", request_body = CreateCannedReply, responses(
    (status = 201, description = "Made.", body = CannedReply),
))]
#[post("/canned-replies")]
pub async fn create_canned_reply(
    app: web::Data<App>,
    caller: Staff,
    input: Body<CreateCannedReply>,
) -> Result<HttpResponse> {
    let CreateCannedReply { scope, group_id, shortcut, title, text } = input.into_inner();
    let given = Given { shortcut: Some(shortcut), title: Some(title), text: Some(text) };
    let row = service::create(&app, caller.actor, scope, group_id, given).await?;
    Ok(HttpResponse::Created().json(CannedReply::from(row)))
}

/// List canned replies
///
/// Those that the caller may use, in the order of their ids: the tenant's, those of its groups (supervisors and
/// administrators: of every group), and its own.
#[utoipa::path(tag = "canned-replies", params(ListCannedReplies), responses(
    (status = 200, description = "A page of canned replies.", body = Page<CannedReply>),
))]
#[get("/canned-replies")]
pub async fn list_canned_replies(
    app: web::Data<App>,
    caller: Staff,
    query: web::Query<ListCannedReplies>,
) -> Result<web::Json<Page<CannedReply>>> {
    let ListCannedReplies { scope, group_id, shortcut, limit, cursor } = query.into_inner();
    let shortcut = shortcut.map(|text| text.to_lowercase());
    let filter = Filter { scope, group: group_id, shortcut };
    let page = service::list(&app, caller.actor, filter, PageQuery { limit, cursor }).await?;
    Ok(web::Json(page.map(CannedReply::from)))
}

/// Read a canned reply
///
/// One that the caller may not use is `404`.
#[utoipa::path(
    tag = "canned-replies", params(("id" = CannedReplyId, Path, description = "The canned reply.")),
    responses((status = 200, description = "The canned reply.", body = CannedReply)),
)]
#[get("/canned-replies/{id}")]
pub async fn get_canned_reply(
    app: web::Data<App>,
    caller: Staff,
    id: web::Path<CannedReplyId>,
) -> Result<web::Json<CannedReply>> {
    service::get(&app, caller.actor, id.into_inner()).await.map(|row| web::Json(row.into()))
}

/// Update a canned reply
///
/// An absent field stays; whose it is cannot be changed.
#[utoipa::path(
    tag = "canned-replies", params(("id" = CannedReplyId, Path, description = "The canned reply.")),
    request_body = UpdateCannedReply,
    responses((status = 200, description = "The canned reply as it is now.", body = CannedReply)),
)]
#[patch("/canned-replies/{id}")]
pub async fn update_canned_reply(
    app: web::Data<App>,
    caller: Staff,
    id: web::Path<CannedReplyId>,
    input: Body<UpdateCannedReply>,
) -> Result<web::Json<CannedReply>> {
    let UpdateCannedReply { shortcut, title, text } = input.into_inner();
    let given = Given { shortcut, title, text };
    let row = service::update(&app, caller.actor, id.into_inner(), given).await?;
    Ok(web::Json(row.into()))
}

/// Delete a canned reply
///
/// Messages that were made with it stay.
#[utoipa::path(
    tag = "canned-replies", params(("id" = CannedReplyId, Path, description = "The canned reply.")),
    responses((status = 204, description = "Deleted.")),
)]
#[delete("/canned-replies/{id}")]
pub async fn delete_canned_reply(
    app: web::Data<App>,
    caller: Staff,
    id: web::Path<CannedReplyId>,
) -> Result<HttpResponse> {
    service::delete(&app, caller.actor, id.into_inner()).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Render a canned reply
///
/// Gives what it says in a conversation that the caller sees; nothing is sent. Show the text to the agent, and send what the
/// agent makes of it. Each time counts as a use. A text that names what is not known of this conversation, such as the
/// subject of one without, is refused with `422`.
#[utoipa::path(
    tag = "canned-replies", params(("id" = CannedReplyId, Path, description = "The canned reply.")),
    request_body = RenderCannedReply,
    responses((status = 200, description = "The text.", body = RenderedCannedReply)),
)]
#[post("/canned-replies/{id}/render")]
pub async fn render_canned_reply(
    app: web::Data<App>,
    caller: Staff,
    id: web::Path<CannedReplyId>,
    input: Body<RenderCannedReply>,
) -> Result<web::Json<RenderedCannedReply>> {
    let conversation = input.into_inner().conversation_id;
    let text = service::render(&app, caller.actor, id.into_inner(), conversation).await?;
    Ok(web::Json(RenderedCannedReply { text }))
}
