//! Docking many conversations to a group in one request.
//!
//! Owns the bodies, the handler and the use-case. The rules of each docking stand in `journal::commands::Dock`: each
//! conversation is a command of its own, so that one that cannot be docked keeps no other back, and none holds up what
//! others ask of the journal meanwhile.

use std::collections::BTreeSet;

use actix_web::{post, web};
use futures_util::stream::{self, StreamExt};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::service;
use crate::app::App;
use crate::auth::Staff;
use crate::domain::actor::Actor;
use crate::domain::permission::{Operation, Scope, reach};
use crate::http::json::Body;
use crate::journal::Command;
use crate::journal::commands::Dock;
use crate::kernel::{Code, ConversationId, Error, GroupId, Result};
use crate::members::profile::Checker;

/// Most conversations of one request.
pub const DOCKED_MAX: usize = 100;
/// Longest note, in characters.
const NOTE_MAX: usize = 2_000;
/// Conversations of one request that are docked at once: also of a large group no more than others have to wait for.
const AT_ONCE: usize = 8;

/// Which conversations a group is to serve.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DockConversations {
    /// 1 to 100 of them; one that is named twice counts once.
    conversation_ids: Vec<ConversationId>,
    /// Why, for the staff; at most 2,000 characters.
    #[serde(default)]
    note: Option<String>,
}

/// What became of the conversations.
#[derive(Debug, Serialize, ToSchema)]
pub struct DockedConversations {
    /// One for each conversation, in the order in which they were named.
    data: Vec<DockedConversation>,
}

/// What became of one conversation.
#[derive(Debug, Serialize, ToSchema)]
pub struct DockedConversation {
    /// The conversation.
    conversation_id: ConversationId,
    /// Whether the group serves it now, also when it did before.
    docked: bool,
    /// Why not, as the code that docking it alone would be answered with; null when it is docked.
    #[schema(required)]
    code: Option<&'static str>,
    /// The same in words.
    #[schema(required)]
    detail: Option<String>,
}

/// Dock many conversations
///
/// To a group, as docking each of them alone does; for supervisors and administrators. The answer tells of each whether it
/// is docked, or why not: one that is not keeps no other back. Repeating the request is safe: what is docked to the group
/// stays so, and what could not be docked is tried again.
#[utoipa::path(
    tag = "groups", params(("id" = GroupId, Path, description = "The group.")), request_body = DockConversations,
    responses((status = 200, description = "What became of each.", body = DockedConversations)),
)]
#[post("/groups/{id}/dock")]
pub async fn dock_conversations(
    app: web::Data<App>,
    caller: Staff,
    id: web::Path<GroupId>,
    input: Body<DockConversations>,
) -> Result<web::Json<DockedConversations>> {
    let DockConversations { conversation_ids, note } = input.into_inner();
    let data = dock(&app, caller.actor, id.into_inner(), conversation_ids, note.unwrap_or_default()).await?;
    Ok(web::Json(DockedConversations { data }))
}

/// Docks each of these. Errors: `forbidden`, `not_found`, `validation_failed`.
async fn dock(
    app: &App,
    actor: Actor,
    group: GroupId,
    mut conversations: Vec<ConversationId>,
    note: String,
) -> Result<Vec<DockedConversation>> {
    if reach(&actor, Operation::Dock) != Scope::Tenant {
        return Err(Error::new(Code::Forbidden, "only supervisors and administrators dock many at once"));
    }
    let mut check = Checker::default();
    if conversations.is_empty() || conversations.len() > DOCKED_MAX {
        check.wrong("/conversation_ids", "out_of_range", format!("1 to {DOCKED_MAX} conversations"));
    }
    if note.chars().count() > NOTE_MAX {
        check.wrong("/note", "too_long", format!("at most {NOTE_MAX} characters"));
    }
    check.finish()?;
    service::get(app, actor, group).await?;
    let mut named = BTreeSet::new();
    conversations.retain(|id| named.insert(*id));
    let note = note.as_str();
    let each = conversations.into_iter().map(|conversation| async move {
        let command = Dock { conversation, group, note: note.to_owned() };
        outcome(conversation, app.journal.submit(Command::new(actor, command)).await.map(drop))
    });
    Ok(stream::iter(each).buffered(AT_ONCE).collect().await)
}

fn outcome(conversation_id: ConversationId, result: Result<()>) -> DockedConversation {
    match result {
        Ok(()) => DockedConversation { conversation_id, docked: true, code: None, detail: None },
        Err(error) => DockedConversation {
            conversation_id,
            docked: false,
            code: Some(error.code.name()),
            detail: Some(error.public_detail().to_owned()),
        },
    }
}
