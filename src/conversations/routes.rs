//! The routes of conversations and of who is in them.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, delete, get, patch, post, web};
use utoipa_actix_web::service_config::ServiceConfig;

use crate::app::App;
use crate::auth::extract::{Authenticated, Staff};
use crate::http::etag::{IfMatch, tagged};
use crate::http::json::Body;
use crate::http::page::Page;
use crate::kernel::{ConversationId, MemberId, Result};

use super::api::{
    AddMember, AssignConversation, Assignments, CloseConversation, DockConversation, HandOffConversation,
    ListConversations, OpenConversation, OpenedConversation, Participants, ReleaseConversation,
    TakeOverConversation, UpdateConversation,
};
use super::service::{self, Target};
use super::transfers;
use super::view::View;

/// The routes of this module.
pub fn routes(config: &mut ServiceConfig<'_>) {
    config.service(open_conversation);
    config.service(list_conversations);
    config.service(get_conversation);
    config.service(update_conversation);
    config.service(claim_conversation);
    config.service(assign_conversation);
    config.configure(transfers::routes);
    config.service(take_over_conversation);
    config.service(dock_conversation);
    config.service(hand_off_conversation);
    config.service(release_conversation);
    config.service(close_conversation);
    config.service(reopen_conversation);
    config.service(list_conversation_members);
    config.service(add_conversation_member);
    config.service(remove_conversation_member);
    config.service(list_assignments);
}

/// Open a conversation
///
/// A customer has one open conversation at most: when there is one, it is answered (200) and the message is sent to
/// it. Staff open one on behalf of a customer. With a message, repeating the request is safe.
#[utoipa::path(
    tag = "conversations",
    request_body = OpenConversation,
    responses(
        (status = 201, description = "Opened.", body = OpenedConversation),
        (status = 200, description = "The one that was open.", body = OpenedConversation),
    )
)]
#[post("/conversations")]
async fn open_conversation(
    app: web::Data<App>,
    caller: Authenticated,
    input: Body<OpenConversation>,
) -> Result<HttpResponse> {
    let opened = service::open(&app, caller.actor, input.into_inner()).await?;
    let status = if opened.created { StatusCode::CREATED } else { StatusCode::OK };
    Ok(HttpResponse::build(status).json(OpenedConversation::from(opened)))
}

/// List conversations
///
/// The newest first. Customers see their own; agents those that they are in and the waiting ones; supervisors and
/// administrators all. Who is in groups sees of the waiting ones (supervisors: of all) those of its groups and those of
/// no group; administrators always see all. Backstage conversations are not listed.
#[utoipa::path(
    tag = "conversations",
    params(ListConversations),
    responses((status = 200, description = "A page.", body = Page<View>))
)]
#[get("/conversations")]
async fn list_conversations(
    app: web::Data<App>,
    caller: Authenticated,
    query: web::Query<ListConversations>,
) -> Result<web::Json<Page<View>>> {
    service::list(&app, caller.actor, query.into_inner()).await.map(web::Json)
}

/// Read a conversation
///
/// Staff and customers get views of their own. What you may not see is `404`, be it there or not. Staff get the
/// conversation's `version` as `ETag`, to send it back as `If-Match` with a change. `If-None-Match` is not heeded: the
/// answer also shows counts, positions and times, which move without the version.
#[utoipa::path(
    tag = "conversations",
    params(("id" = ConversationId, Path, description = "The conversation, or its backstage conversation.")),
    responses((status = 200, description = "The conversation.", body = View))
)]
#[get("/conversations/{id}")]
async fn get_conversation(
    app: web::Data<App>,
    caller: Authenticated,
    id: web::Path<ConversationId>,
) -> Result<HttpResponse> {
    let view = service::view(&app, caller.actor, id.into_inner()).await?;
    Ok(tagged(view.version(), &view))
}

/// Update a conversation
///
/// An absent field stays, null puts back what a new conversation has. The customer learns of the subject only. Who gives
/// it to a group that is not its own may lose sight of it.
#[utoipa::path(
    tag = "conversations",
    params(("id" = ConversationId, Path, description = "The conversation."), IfMatch),
    request_body = UpdateConversation,
    responses((status = 200, description = "The conversation as it stands now.", body = View))
)]
#[patch("/conversations/{id}")]
async fn update_conversation(
    app: web::Data<App>,
    caller: Staff,
    id: web::Path<ConversationId>,
    if_match: IfMatch,
    input: Body<UpdateConversation>,
) -> Result<HttpResponse> {
    let target = Target { id: id.into_inner(), if_version: if_match.versions };
    let view = service::update(&app, caller.actor, target, input.into_inner()).await?;
    Ok(tagged(view.version(), &view))
}

/// Claim a waiting conversation
///
/// Of several at once exactly one wins; the others get `409 already_assigned`, and `context.agent_id` names the
/// holder, whatever `If-Match` they sent. Claiming what one holds changes nothing.
#[utoipa::path(
    tag = "conversations",
    params(("id" = ConversationId, Path, description = "The conversation."), IfMatch),
    responses((status = 200, description = "Yours.", body = View))
)]
#[post("/conversations/{id}/claim")]
async fn claim_conversation(
    app: web::Data<App>,
    caller: Staff,
    id: web::Path<ConversationId>,
    if_match: IfMatch,
) -> Result<HttpResponse> {
    let target = Target { id: id.into_inner(), if_version: if_match.versions };
    let view = service::claim(&app, caller.actor, target).await?;
    Ok(tagged(view.version(), &view))
}

/// Assign a conversation
///
/// To any member of the staff; the one who served it before leaves it. Supervisors and administrators only.
#[utoipa::path(
    tag = "conversations",
    params(("id" = ConversationId, Path, description = "The conversation."), IfMatch),
    request_body = AssignConversation,
    responses((status = 200, description = "The conversation as it stands now.", body = View))
)]
#[post("/conversations/{id}/assign")]
async fn assign_conversation(
    app: web::Data<App>,
    caller: Staff,
    id: web::Path<ConversationId>,
    if_match: IfMatch,
    input: Body<AssignConversation>,
) -> Result<HttpResponse> {
    let AssignConversation { agent_id, note } = input.into_inner();
    let note = note.unwrap_or_default();
    let target = Target { id: id.into_inner(), if_version: if_match.versions };
    let view = service::assign(&app, caller.actor, target, agent_id, note).await?;
    Ok(tagged(view.version(), &view))
}

/// Take over a conversation
///
/// From the agent who serves it, who leaves it. It counts against the limit of who takes it, as a claim does.
/// Supervisors and administrators only.
#[utoipa::path(
    tag = "conversations",
    params(("id" = ConversationId, Path, description = "The conversation."), IfMatch),
    request_body = TakeOverConversation,
    responses((status = 200, description = "Yours.", body = View))
)]
#[post("/conversations/{id}/take_over")]
async fn take_over_conversation(
    app: web::Data<App>,
    caller: Staff,
    id: web::Path<ConversationId>,
    if_match: IfMatch,
    input: Body<TakeOverConversation>,
) -> Result<HttpResponse> {
    let note = input.into_inner().note.unwrap_or_default();
    let target = Target { id: id.into_inner(), if_version: if_match.versions };
    let view = service::take_over(&app, caller.actor, target, note).await?;
    Ok(tagged(view.version(), &view))
}

/// Dock a conversation to a group
///
/// Everybody who is in the group serves it together: each is in it, may answer, and has an exact number of unread
/// messages; who comes into the group later comes into it, who leaves the group leaves it. It is assigned to nobody and
/// counts against nobody's limit, and the customer still sees one conversation. The serving agent may, everybody who
/// could claim it while it waits, who is in it by the group that serves it, and supervisors. It ends with a claim, an
/// assignment, a release, or the last member's leaving: then it waits again.
#[utoipa::path(
    tag = "conversations",
    params(("id" = ConversationId, Path, description = "The conversation."), IfMatch),
    request_body = DockConversation,
    responses((status = 200, description = "The conversation as it stands now.", body = View))
)]
#[post("/conversations/{id}/dock")]
async fn dock_conversation(
    app: web::Data<App>,
    caller: Staff,
    id: web::Path<ConversationId>,
    if_match: IfMatch,
    input: Body<DockConversation>,
) -> Result<HttpResponse> {
    let DockConversation { group_id, note } = input.into_inner();
    let target = Target { id: id.into_inner(), if_version: if_match.versions };
    let view = service::dock(&app, caller.actor, target, group_id, note.unwrap_or_default()).await?;
    Ok(tagged(view.version(), &view))
}

/// Hand a conversation off
///
/// The bot that answers it answers no more: it waits for the staff, before those that nobody has answered, or is docked at
/// once to a group that serves as a whole. The bot may, whoever of the staff is in it, and supervisors.
#[utoipa::path(
    tag = "conversations",
    params(("id" = ConversationId, Path, description = "The conversation."), IfMatch),
    request_body = HandOffConversation,
    responses((status = 200, description = "The conversation as it stands now.", body = View))
)]
#[post("/conversations/{id}/hand_off")]
async fn hand_off_conversation(
    app: web::Data<App>,
    caller: Staff,
    id: web::Path<ConversationId>,
    if_match: IfMatch,
    input: Body<HandOffConversation>,
) -> Result<HttpResponse> {
    let HandOffConversation { group_id, note } = input.into_inner();
    let target = Target { id: id.into_inner(), if_version: if_match.versions };
    let view = service::hand_off(&app, caller.actor, target, group_id, note.unwrap_or_default()).await?;
    Ok(tagged(view.version(), &view))
}

/// Release a conversation
///
/// It waits again. The serving agent may, everybody in a group that serves it, and supervisors.
#[utoipa::path(
    tag = "conversations",
    params(("id" = ConversationId, Path, description = "The conversation."), IfMatch),
    request_body = ReleaseConversation,
    responses((status = 200, description = "The conversation as it stands now.", body = View))
)]
#[post("/conversations/{id}/release")]
async fn release_conversation(
    app: web::Data<App>,
    caller: Staff,
    id: web::Path<ConversationId>,
    if_match: IfMatch,
    input: Body<ReleaseConversation>,
) -> Result<HttpResponse> {
    let note = input.into_inner().note.unwrap_or_default();
    let target = Target { id: id.into_inner(), if_version: if_match.versions };
    let view = service::release(&app, caller.actor, target, note).await?;
    Ok(tagged(view.version(), &view))
}

/// Close a conversation
///
/// Nothing can be sent to it from then on. Closing a closed one changes nothing.
#[utoipa::path(
    tag = "conversations",
    params(("id" = ConversationId, Path, description = "The conversation."), IfMatch),
    request_body = CloseConversation,
    responses((status = 200, description = "The conversation as it stands now.", body = View))
)]
#[post("/conversations/{id}/close")]
async fn close_conversation(
    app: web::Data<App>,
    caller: Authenticated,
    id: web::Path<ConversationId>,
    if_match: IfMatch,
    input: Body<CloseConversation>,
) -> Result<HttpResponse> {
    let target = Target { id: id.into_inner(), if_version: if_match.versions };
    let view = service::close(&app, caller.actor, target, input.into_inner()).await?;
    Ok(tagged(view.version(), &view))
}

/// Reopen a closed conversation
///
/// It waits again, and where routing is automatic the agent who served it comes first. When the customer has another open
/// one, the answer is `409 open_conversation_exists` with its id. Customers may only within the tenant's
/// `reopen_window_seconds`, then they are told `409 reopen_expired`: open a new one.
#[utoipa::path(
    tag = "conversations",
    params(("id" = ConversationId, Path, description = "The conversation."), IfMatch),
    responses((status = 200, description = "The conversation as it stands now.", body = View))
)]
#[post("/conversations/{id}/reopen")]
async fn reopen_conversation(
    app: web::Data<App>,
    caller: Authenticated,
    id: web::Path<ConversationId>,
    if_match: IfMatch,
) -> Result<HttpResponse> {
    let target = Target { id: id.into_inner(), if_version: if_match.versions };
    let view = service::reopen(&app, caller.actor, target).await?;
    Ok(tagged(view.version(), &view))
}

/// List the members of a conversation
///
/// With everybody's read and delivered positions: receipts on first load.
#[utoipa::path(
    tag = "conversations",
    params(("id" = ConversationId, Path, description = "The conversation.")),
    responses((status = 200, description = "Everybody who is in it.", body = Participants))
)]
#[get("/conversations/{id}/members")]
async fn list_conversation_members(
    app: web::Data<App>,
    caller: Authenticated,
    id: web::Path<ConversationId>,
) -> Result<web::Json<Participants>> {
    let data = service::members(&app, caller.actor, id.into_inner()).await?;
    Ok(web::Json(Participants { data }))
}

/// Add a member to a conversation
///
/// Staff only, at most 200; oneself to join. Who is in it already stays.
#[utoipa::path(
    tag = "conversations",
    params(("id" = ConversationId, Path, description = "The conversation.")),
    request_body = AddMember,
    responses((status = 200, description = "Everybody who is in it now.", body = Participants))
)]
#[post("/conversations/{id}/members")]
async fn add_conversation_member(
    app: web::Data<App>,
    caller: Staff,
    id: web::Path<ConversationId>,
    input: Body<AddMember>,
) -> Result<web::Json<Participants>> {
    let data = service::add_member(&app, caller.actor, id.into_inner(), input.member_id).await?;
    Ok(web::Json(Participants { data }))
}

/// Remove a member from a conversation
///
/// Staff may leave; supervisors may take others out. Afterwards the member's log ends where it left.
#[utoipa::path(
    tag = "conversations",
    params(
        ("id" = ConversationId, Path, description = "The conversation."),
        ("member_id" = MemberId, Path, description = "The member of the staff.")
    ),
    responses((status = 204, description = "No longer in it."))
)]
#[delete("/conversations/{id}/members/{member_id}")]
async fn remove_conversation_member(
    app: web::Data<App>,
    caller: Staff,
    path: web::Path<(ConversationId, MemberId)>,
) -> Result<HttpResponse> {
    let (id, member) = path.into_inner();
    service::remove_member(&app, caller.actor, id, member).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// List the assignments of a conversation
///
/// Who served it, since when, why and by whose hand. Supervisors and administrators only.
#[utoipa::path(
    tag = "conversations",
    params(("id" = ConversationId, Path, description = "The conversation.")),
    responses((status = 200, description = "All of them.", body = Assignments))
)]
#[get("/conversations/{id}/assignments")]
async fn list_assignments(
    app: web::Data<App>,
    caller: Staff,
    id: web::Path<ConversationId>,
) -> Result<web::Json<Assignments>> {
    let data = service::assignments(&app, caller.actor, id.into_inner()).await?;
    Ok(web::Json(Assignments { data }))
}
