//! Transfers: handing a conversation over to an agent or to a group, and the list of what was handed over.
//!
//! Owns the bodies, views, handlers, use-cases and the query of transfers. The rules stand in `journal::commands::Transfer`.

use actix_web::{HttpResponse, delete, get, post, web};
use diesel::prelude::*;
use serde::{Deserialize, Serialize};
use utoipa_actix_web::service_config::ServiceConfig;

use super::access;
use super::service::{ASSIGNMENTS_MAX, NOTE_MAX, Target, change, length};
use super::view::{Card, Cards, View};
use crate::app::App;
use crate::auth::extract::Staff;
use crate::db::AnyConnection;
use crate::db::schema::transfer;
use crate::domain::actor::Actor;
use crate::domain::permission::Operation;
use crate::domain::transfer::{Receiver, TransferMode, TransferReason, TransferRow};
use crate::http::etag::{IfMatch, tagged};
use crate::http::json::Body;
use crate::journal::commands;
use crate::kernel::{ConversationId, Error, GroupId, MemberId, Millis, Result, TenantId, TransferId};

/// To whom a conversation is handed over: exactly one of `agent_id` and `group_id`.
#[derive(Debug, Clone, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TransferConversation {
    /// Another member of the staff, who serves it from then on.
    #[serde(default)]
    pub agent_id: Option<MemberId>,
    /// A group, in whose queue it waits; also the one whose matter it is already.
    #[serde(default)]
    pub group_id: Option<GroupId>,
    /// Whether the agent gets it at once (default) or is asked first; a group is never asked.
    #[serde(default)]
    pub mode: Option<TransferMode>,
    /// Why, in one word.
    #[serde(default)]
    pub reason: Option<TransferReason>,
    /// Why, for the staff; at most 2,000 characters. It stands behind the conversation, where the receiver finds it.
    #[serde(default)]
    pub note: Option<String>,
}

impl TransferConversation {
    /// To whom. Errors: `validation_failed` unless there is exactly one.
    fn receiver(&self) -> Result<Receiver> {
        match (self.agent_id, self.group_id) {
            (Some(agent), None) => Ok(Receiver::Agent(agent)),
            (None, Some(group)) => Ok(Receiver::Group(group)),
            (None, None) => Err(Error::field("/agent_id", "required", "name an agent or a group")),
            (Some(_), Some(_)) => {
                Err(Error::field("/group_id", "invalid", "name an agent or a group, not both"))
            }
        }
    }
}

/// One transfer of a conversation.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct Transfer {
    /// The transfer.
    pub id: TransferId,
    /// The conversation.
    pub conversation_id: ConversationId,
    /// When.
    pub at: Millis,
    /// Who served it until then.
    #[schema(required)]
    pub from_agent: Option<Card>,
    /// The agent who got it; null when it went to a group.
    #[schema(required)]
    pub to_agent: Option<Card>,
    /// The group whose matter it was; null for none.
    #[schema(required)]
    pub from_group_id: Option<GroupId>,
    /// The group that got it; null when it went to an agent.
    #[schema(required)]
    pub to_group_id: Option<GroupId>,
    /// Why, in one word; null when it was not said.
    #[schema(required)]
    pub reason: Option<TransferReason>,
    /// Why; may be empty.
    pub note: String,
    /// By whose hand.
    #[schema(required)]
    pub transferred_by: Option<Card>,
}

impl Transfer {
    fn new(row: TransferRow, cards: &Cards) -> Self {
        let card = |member: Option<MemberId>| member.map(|member| cards.get(member));
        Self {
            id: row.id,
            conversation_id: row.conversation_id,
            at: Millis(row.at),
            from_agent: card(row.from_agent_id),
            to_agent: card(row.to_agent_id),
            from_group_id: row.from_group_id,
            to_group_id: row.to_group_id,
            reason: row.reason,
            note: row.note,
            transferred_by: card(row.transferred_by),
        }
    }
}

/// Every transfer of a conversation.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct Transfers {
    /// The oldest first; at most 1,000.
    pub data: Vec<Transfer>,
}

/// The routes of this module.
pub fn routes(config: &mut ServiceConfig<'_>) {
    config.service(transfer_conversation);
    config.service(withdraw_transfer);
    config.service(list_transfers);
}

/// Transfer a conversation
///
/// The agent who serves it hands it over and leaves it: to another agent, who must be there (`online` or `busy` by
/// `effective_status`, else `409 agent_absent`), or to a group. Supervisors and administrators hand over any, to anybody.
///
/// To a group: the conversation becomes the group's matter and waits in its queue, before those that no agent has had, also
/// when the queue is full or closed. Routing passes the former agent over as long as there is somebody else. A group in
/// which nobody but the serving agent could serve it is refused with `409 group_empty`.
///
/// With the mode `offer` the agent, who must be there and have room whoever asks, is asked first: the frame `offer` tells
/// it, and it accepts or declines as it answers routing, within the tenant's `offer_seconds` or a minute. Who serves the
/// conversation keeps it until then, and the notes behind it tell what becomes of the offer. It ends too when the
/// conversation is closed, released or handed over otherwise, or the agent goes or becomes full. One agent is asked at a
/// time (`409 offer_pending`). It keeps the agent from no offer of routing, and missing it sets nobody to away.
///
/// What was transferred more than the tenant's `transfer_limit` times within an hour, or goes straight back to the agent
/// or group that it came from within a minute although nobody wrote, is refused with `409 transfer_loop`.
#[utoipa::path(
    tag = "conversations",
    params(("id" = ConversationId, Path, description = "The conversation."), IfMatch),
    request_body = TransferConversation,
    responses((status = 200, description = "The conversation as it stands now.", body = View))
)]
#[post("/conversations/{id}/transfer")]
async fn transfer_conversation(
    app: web::Data<App>,
    caller: Staff,
    id: web::Path<ConversationId>,
    if_match: IfMatch,
    input: Body<TransferConversation>,
) -> Result<HttpResponse> {
    let target = Target { id: id.into_inner(), if_version: if_match.versions };
    let view = transfer(&app, caller.actor, target, input.into_inner()).await?;
    Ok(tagged(view.version(), &view))
}

/// Withdraw an offered transfer
///
/// The agent who is asked can accept it no more. The serving agent may, and supervisors. Where nothing is offered, nothing
/// changes.
#[utoipa::path(
    tag = "conversations",
    params(("id" = ConversationId, Path, description = "The conversation."), IfMatch),
    responses((status = 200, description = "The conversation as it stands now.", body = View))
)]
#[delete("/conversations/{id}/transfer")]
async fn withdraw_transfer(
    app: web::Data<App>,
    caller: Staff,
    id: web::Path<ConversationId>,
    if_match: IfMatch,
) -> Result<HttpResponse> {
    let target = Target { id: id.into_inner(), if_version: if_match.versions };
    let conversation = target.id;
    let view = change(&app, caller.actor, target, commands::WithdrawTransfer { conversation }).await?;
    Ok(tagged(view.version(), &view))
}

/// List the transfers of a conversation
///
/// From whom and to whom it was handed over, when, why and by whose hand. Together with the assignments it is the whole
/// history of who had it. Supervisors and administrators only.
#[utoipa::path(
    tag = "conversations",
    params(("id" = ConversationId, Path, description = "The conversation.")),
    responses((status = 200, description = "All of them.", body = Transfers))
)]
#[get("/conversations/{id}/transfers")]
async fn list_transfers(
    app: web::Data<App>,
    caller: Staff,
    id: web::Path<ConversationId>,
) -> Result<web::Json<Transfers>> {
    let data = list(&app, caller.actor, id.into_inner()).await?;
    Ok(web::Json(Transfers { data }))
}

/// Hands a conversation over.
async fn transfer(app: &App, actor: Actor, target: Target, input: TransferConversation) -> Result<View> {
    let (conversation, to, reason) = (target.id, input.receiver()?, input.reason);
    let note = input.note.unwrap_or_default();
    length("/note", &note, NOTE_MAX)?;
    let mode = input.mode.unwrap_or(TransferMode::Push);
    if mode == TransferMode::Offer && matches!(to, Receiver::Group(_)) {
        return Err(Error::field("/mode", "invalid", "a group is not asked: leave the mode out"));
    }
    change(app, actor, target, commands::Transfer { conversation, to, mode, reason, note }).await
}

/// Every transfer of a conversation, the oldest first.
async fn list(app: &App, actor: Actor, id: ConversationId) -> Result<Vec<Transfer>> {
    app.db
        .read(move |connection| {
            let access = access::load(connection, &actor, id)?;
            access.check(&actor, Operation::ReadRevisions)?;
            let rows = read(connection, actor.tenant, access.front().id)?;
            let people = |row: &TransferRow| [row.from_agent_id, row.to_agent_id, row.transferred_by];
            let cards = Cards::load(connection, actor.tenant, rows.iter().flat_map(people).flatten())?;
            Ok(rows.into_iter().map(|row| Transfer::new(row, &cards)).collect())
        })
        .await
}

fn read(connection: &mut AnyConnection, tenant: TenantId, id: ConversationId) -> Result<Vec<TransferRow>> {
    Ok(transfer::table
        .filter(transfer::conversation_id.eq(id))
        .filter(transfer::tenant_id.eq(tenant))
        .order(transfer::id.asc())
        .limit(ASSIGNMENTS_MAX)
        .select(TransferRow::as_select())
        .load(connection)?)
}
