//! The routes of positions, inbox, sync and feed.

use actix_web::{HttpResponse, get, post, web};
use utoipa_actix_web::service_config::ServiceConfig;

use crate::app::App;
use crate::auth::extract::{Admin, Authenticated};
use crate::http::json::Body;
use crate::kernel::{ConversationId, Result};

use super::api::{
    FeedPage, FeedQuery, InboxPage, InboxQuery, MarkUnread, ReadPosition, ReportDelivered, ReportRead,
    SyncPage, SyncQuery,
};
use super::{feed, service};

/// The routes of this module.
pub fn routes(config: &mut ServiceConfig<'_>) {
    config.service(read_conversation);
    config.service(mark_conversation_unread);
    config.service(report_delivered);
    config.service(list_inbox);
    config.service(sync_inbox);
    config.service(list_tenant_entries);
}

/// Mark a conversation as read
///
/// Up to `seq`, or to the head. The position only moves forward; the answer says where it stands. For a backstage
/// conversation, the position in the notes.
#[utoipa::path(
    tag = "reading",
    params(("id" = ConversationId, Path, description = "The conversation, or its backstage conversation.")),
    request_body = ReportRead,
    responses((status = 200, description = "Where the position stands.", body = ReadPosition))
)]
#[post("/conversations/{id}/read")]
async fn read_conversation(
    app: web::Data<App>,
    caller: Authenticated,
    id: web::Path<ConversationId>,
    input: Body<ReportRead>,
) -> Result<web::Json<ReadPosition>> {
    service::read(&app, caller.actor, id.into_inner(), input.into_inner()).await.map(web::Json)
}

/// Mark a conversation as unread
///
/// From after `seq` on. Starts a new version of the position, so that a read report of another device that was under
/// way changes nothing.
#[utoipa::path(
    tag = "reading",
    params(("id" = ConversationId, Path, description = "The conversation.")),
    request_body = MarkUnread,
    responses((status = 200, description = "Where the position stands.", body = ReadPosition))
)]
#[post("/conversations/{id}/mark_unread")]
async fn mark_conversation_unread(
    app: web::Data<App>,
    caller: Authenticated,
    id: web::Path<ConversationId>,
    input: Body<MarkUnread>,
) -> Result<web::Json<ReadPosition>> {
    service::mark_unread(&app, caller.actor, id.into_inner(), input.into_inner()).await.map(web::Json)
}

/// Report delivered messages
///
/// For clients without a socket; sockets report with `ping` and `pong`. The other side sees it as a receipt.
#[utoipa::path(
    tag = "reading",
    params(("id" = ConversationId, Path, description = "The conversation.")),
    request_body = ReportDelivered,
    responses((status = 204, description = "Noted."))
)]
#[post("/conversations/{id}/delivered")]
async fn report_delivered(
    app: web::Data<App>,
    caller: Authenticated,
    id: web::Path<ConversationId>,
    input: Body<ReportDelivered>,
) -> Result<HttpResponse> {
    service::delivered(&app, caller.actor, id.into_inner(), input.into_inner()).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// List the inbox
///
/// The conversations that the caller is in, the one with the newest entry first, with what is unread in each. A row
/// that moves up while the pages are read may be missed by them: after the last page, `GET /sync` with `sync_cursor`
/// brings it.
#[utoipa::path(
    tag = "sync",
    params(InboxQuery),
    responses((status = 200, description = "A page.", body = InboxPage))
)]
#[get("/inbox")]
async fn list_inbox(
    app: web::Data<App>,
    caller: Authenticated,
    query: web::Query<InboxQuery>,
) -> Result<web::Json<InboxPage>> {
    service::inbox(&app, caller.actor, query.into_inner()).await.map(web::Json)
}

/// List inbox changes since a cursor
///
/// Exactly the rows that changed since the cursor. A row with a higher `seq` than the client's copy means: read the
/// missing entries of that conversation. A cursor of another member or of another history is `410 cursor_reset`: drop
/// all copies and start without a cursor.
#[utoipa::path(
    tag = "sync",
    params(SyncQuery),
    responses((status = 200, description = "What changed.", body = SyncPage))
)]
#[get("/sync")]
async fn sync_inbox(
    app: web::Data<App>,
    caller: Authenticated,
    query: web::Query<SyncQuery>,
) -> Result<web::Json<SyncPage>> {
    service::delta(&app, caller.actor, query.into_inner()).await.map(web::Json)
}

/// List all entries of the tenant
///
/// Every entry of every conversation in commit order, for integrators. Administrators only. Entries are rendered from
/// their present content, so a recalled message comes without its words. Notes come only with `include=backstage`.
#[utoipa::path(
    tag = "sync",
    params(FeedQuery),
    responses((status = 200, description = "A page.", body = FeedPage))
)]
#[get("/entries")]
async fn list_tenant_entries(
    app: web::Data<App>,
    caller: Admin,
    query: web::Query<FeedQuery>,
) -> Result<web::Json<FeedPage>> {
    feed::feed(&app, caller.actor, query.into_inner()).await.map(web::Json)
}
