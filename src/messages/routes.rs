//! The routes of messages, notes and logs.

use actix_web::{HttpResponse, delete, get, patch, post, web};
use utoipa_actix_web::service_config::ServiceConfig;

use crate::app::App;
use crate::auth::extract::{Authenticated, Staff};
use crate::http::json::Body;
use crate::journal::LogRef;
use crate::kernel::{ConversationId, Result};

use super::api::{EditMessage, LogPage, LogQuery, Revisions, SendMessage, SentMessage};
use super::service::{self, Sent};
use super::store::Which;
use crate::domain::entry::Entry;

/// The routes of this module.
pub fn routes(config: &mut ServiceConfig<'_>) {
    config.service(send_message);
    config.service(list_messages);
    config.service(get_message);
    config.service(edit_message);
    config.service(recall_message);
    config.service(list_revisions);
    config.service(list_entries);
    config.service(send_note);
    config.service(list_notes);
}

fn sent(sent: &Sent) -> HttpResponse {
    let mut response = if sent.duplicate { HttpResponse::Ok() } else { HttpResponse::Created() };
    response.json(SentMessage::new(&sent.entry, sent.duplicate))
}

/// Send a message
///
/// The answer comes after the commit. `client_msg_id` makes it safe to repeat: a retry gets the first answer, even
/// after the conversation was closed or left; the same key with another body is `409 idempotency_conflict`. A closed
/// conversation answers `409 conversation_closed` and names the open one, if there is one. A backstage conversation's id
/// sends a note.
#[utoipa::path(
    tag = "messages",
    params(("id" = ConversationId, Path, description = "The conversation, or its backstage conversation.")),
    request_body = SendMessage,
    responses(
        (status = 201, description = "Sent.", body = SentMessage),
        (status = 200, description = "Sent before, under the same client_msg_id.", body = SentMessage),
    )
)]
#[post("/conversations/{id}/messages")]
async fn send_message(
    app: web::Data<App>,
    caller: Authenticated,
    id: web::Path<ConversationId>,
    input: Body<SendMessage>,
) -> Result<HttpResponse> {
    let log = LogRef::Log(id.into_inner());
    Ok(sent(&service::send(&app, caller.actor, log, input.into_inner()).await?))
}

/// Read messages
///
/// Messages with their present content, without notices, in order of seq. Page forwards with `after_seq`, backwards
/// with `before_seq`; a position beyond either end gives an empty page. Recalled messages have empty content and
/// `recalled_at`.
#[utoipa::path(
    tag = "messages",
    params(("id" = ConversationId, Path, description = "The conversation, or its backstage conversation."), LogQuery),
    responses((status = 200, description = "A piece of the log.", body = LogPage))
)]
#[get("/conversations/{id}/messages")]
async fn list_messages(
    app: web::Data<App>,
    caller: Authenticated,
    id: web::Path<ConversationId>,
    query: web::Query<LogQuery>,
) -> Result<web::Json<LogPage>> {
    let log = LogRef::Log(id.into_inner());
    service::log(&app, caller.actor, log, query.into_inner(), Which::Messages).await.map(web::Json)
}

/// Read one message
///
/// With its present content. The seq of a notice is `404`: notices are read with the whole log.
#[utoipa::path(
    tag = "messages",
    params(
        ("id" = ConversationId, Path, description = "The conversation, or its backstage conversation."),
        ("seq" = i64, Path, description = "The message.")
    ),
    responses((status = 200, description = "The message.", body = Entry))
)]
#[get("/conversations/{id}/messages/{seq}")]
async fn get_message(
    app: web::Data<App>,
    caller: Authenticated,
    path: web::Path<(ConversationId, i64)>,
) -> Result<web::Json<Entry>> {
    let (id, seq) = path.into_inner();
    service::message(&app, caller.actor, id, seq).await.map(web::Json)
}

/// Edit a message
///
/// Only within the tenant's edit window (`409 window_expired`), not after a recall (`409 message_recalled`). The log
/// gets a notice `edited`; the earlier words are kept for supervisors. The same words again change nothing.
#[utoipa::path(
    tag = "messages",
    params(
        ("id" = ConversationId, Path, description = "The conversation, or its backstage conversation."),
        ("seq" = i64, Path, description = "The message.")
    ),
    request_body = EditMessage,
    responses((status = 200, description = "The message as it reads now.", body = Entry))
)]
#[patch("/conversations/{id}/messages/{seq}")]
async fn edit_message(
    app: web::Data<App>,
    caller: Authenticated,
    path: web::Path<(ConversationId, i64)>,
    input: Body<EditMessage>,
) -> Result<web::Json<Entry>> {
    let (id, seq) = path.into_inner();
    let reply = service::edit(&app, caller.actor, id, seq, input.into_inner()).await?;
    service::changed(reply).map(web::Json)
}

/// Recall a message
///
/// Removes the content from the log for everybody. The sender may within the tenant's recall window, supervisors may
/// always. The log gets a notice `recalled`; the words are kept for supervisors only. Recalling again changes
/// nothing.
#[utoipa::path(
    tag = "messages",
    params(
        ("id" = ConversationId, Path, description = "The conversation, or its backstage conversation."),
        ("seq" = i64, Path, description = "The message.")
    ),
    responses((status = 200, description = "The message, without its words.", body = Entry))
)]
#[delete("/conversations/{id}/messages/{seq}")]
async fn recall_message(
    app: web::Data<App>,
    caller: Authenticated,
    path: web::Path<(ConversationId, i64)>,
) -> Result<web::Json<Entry>> {
    let (id, seq) = path.into_inner();
    let reply = service::recall(&app, caller.actor, id, seq).await?;
    service::changed(reply).map(web::Json)
}

/// List earlier versions of a message
///
/// Supervisors and administrators only. At most 200, the oldest first.
#[utoipa::path(
    tag = "messages",
    params(
        ("id" = ConversationId, Path, description = "The conversation, or its backstage conversation."),
        ("seq" = i64, Path, description = "The message.")
    ),
    responses((status = 200, description = "The earlier words.", body = Revisions))
)]
#[get("/conversations/{id}/messages/{seq}/revisions")]
async fn list_revisions(
    app: web::Data<App>,
    caller: Authenticated,
    path: web::Path<(ConversationId, i64)>,
) -> Result<web::Json<Revisions>> {
    let (id, seq) = path.into_inner();
    let rows = service::revisions(&app, caller.actor, id, seq).await?;
    Ok(web::Json(Revisions { data: rows.into_iter().map(Into::into).collect() }))
}

/// Read a log
///
/// Everything that happened, messages and notices, in order of seq and without holes. Page forwards with
/// `after_seq`, backwards with `before_seq`.
#[utoipa::path(
    tag = "messages",
    params(("id" = ConversationId, Path, description = "The conversation, or its backstage conversation."), LogQuery),
    responses((status = 200, description = "A piece of the log.", body = LogPage))
)]
#[get("/conversations/{id}/entries")]
async fn list_entries(
    app: web::Data<App>,
    caller: Authenticated,
    id: web::Path<ConversationId>,
    query: web::Query<LogQuery>,
) -> Result<web::Json<LogPage>> {
    let log = LogRef::Log(id.into_inner());
    service::log(&app, caller.actor, log, query.into_inner(), Which::Everything).await.map(web::Json)
}

/// Write a note
///
/// For the staff's eyes only: it goes to the backstage conversation behind the conversation, which is made when there is none
/// yet. The answer's `entry.conversation_id` is that conversation; its id works on all message routes.
#[utoipa::path(
    tag = "messages",
    params(("id" = ConversationId, Path, description = "The conversation.")),
    request_body = SendMessage,
    responses(
        (status = 201, description = "Written.", body = SentMessage),
        (status = 200, description = "Written before, under the same client_msg_id.", body = SentMessage),
    )
)]
#[post("/conversations/{id}/notes")]
async fn send_note(
    app: web::Data<App>,
    caller: Staff,
    id: web::Path<ConversationId>,
    input: Body<SendMessage>,
) -> Result<HttpResponse> {
    let log = LogRef::BackstageOf(id.into_inner());
    Ok(sent(&service::send(&app, caller.actor, log, input.into_inner()).await?))
}

/// Read the notes
///
/// The whole log of the backstage conversation: notes, and notices about tags, priority and reasons. Empty, with a null
/// `conversation_id`, while there is none.
#[utoipa::path(
    tag = "messages",
    params(("id" = ConversationId, Path, description = "The conversation."), LogQuery),
    responses((status = 200, description = "A piece of the backstage log.", body = LogPage))
)]
#[get("/conversations/{id}/notes")]
async fn list_notes(
    app: web::Data<App>,
    caller: Staff,
    id: web::Path<ConversationId>,
    query: web::Query<LogQuery>,
) -> Result<web::Json<LogPage>> {
    let log = LogRef::BackstageOf(id.into_inner());
    service::log(&app, caller.actor, log, query.into_inner(), Which::Everything).await.map(web::Json)
}
