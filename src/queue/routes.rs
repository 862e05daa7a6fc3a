//! The routes of the queue, of offers, and of what routing thinks.

use actix_web::{HttpResponse, get, post, web};
use utoipa_actix_web::service_config::ServiceConfig;

use super::api::{ExplainRouting, ListOffers, Offers, QueuePlace, QueuedConversation, RoutingExplanation};
use super::{explain, service};
use crate::app::App;
use crate::auth::extract::{Authenticated, Staff};
use crate::conversations::service::{Target, answer_offer};
use crate::conversations::view::View;
use crate::http::etag::{IfMatch, tagged};
use crate::http::page::{Page, PageQuery};
use crate::kernel::{ConversationId, Result};

/// The routes of this module.
pub fn routes(config: &mut ServiceConfig<'_>) {
    config.service(list_queue);
    config.service(get_queue_place);
    config.service(list_offers);
    config.service(accept_offer);
    config.service(decline_offer);
    config.service(explain_routing);
}

/// List the queue
///
/// The waiting conversations in the order in which they are served: the more urgent first, then those that came back from
/// an agent, then the longest waiting. Who is in groups sees those of its groups and of no group.
#[utoipa::path(tag = "queue", params(PageQuery), responses(
    (status = 200, description = "A page.", body = Page<QueuedConversation>),
))]
#[get("/queue")]
async fn list_queue(
    app: web::Data<App>,
    caller: Staff,
    query: web::Query<PageQuery>,
) -> Result<web::Json<Page<QueuedConversation>>> {
    service::list(&app, caller.actor, query.into_inner()).await.map(web::Json)
}

/// Read a conversation's place in the queue
///
/// For its customer and for staff, with whether the desk is open. Of a conversation that does not wait, its place is null.
#[utoipa::path(
    tag = "queue",
    params(("id" = ConversationId, Path, description = "The conversation.")),
    responses((status = 200, description = "Its place.", body = QueuePlace))
)]
#[get("/conversations/{id}/queue")]
async fn get_queue_place(
    app: web::Data<App>,
    caller: Authenticated,
    id: web::Path<ConversationId>,
) -> Result<web::Json<QueuePlace>> {
    service::place(&app, caller.actor, id.into_inner()).await.map(web::Json)
}

/// List your offers
///
/// Those that wait for your answer. Read it after connecting: the `offer` frames of the socket tell every change after it.
#[utoipa::path(
    tag = "queue",
    params(ListOffers),
    responses((status = 200, description = "Offers.", body = Offers))
)]
#[get("/offers")]
async fn list_offers(
    app: web::Data<App>,
    caller: Staff,
    query: web::Query<ListOffers>,
) -> Result<web::Json<Offers>> {
    let data = service::offers(&app, caller.actor, query.into_inner().made.unwrap_or(false)).await?;
    Ok(web::Json(Offers { data }))
}

/// Accept an offer
///
/// You serve the conversation that was offered to you, by routing or by the colleague who served it. Accepting again changes nothing. When the offer was answered, ran out
/// or was withdrawn, the answer is `offer_ended`.
#[utoipa::path(
    tag = "queue",
    params(("id" = ConversationId, Path, description = "The conversation that is offered."), IfMatch),
    responses((status = 200, description = "The conversation as it stands now.", body = View))
)]
#[post("/conversations/{id}/accept")]
async fn accept_offer(
    app: web::Data<App>,
    caller: Staff,
    id: web::Path<ConversationId>,
    if_match: IfMatch,
) -> Result<HttpResponse> {
    let target = Target { id: id.into_inner(), if_version: if_match.versions };
    let view = answer_offer(&app, caller.actor, target, true).await?;
    Ok(tagged(view.version(), &view))
}

/// Decline an offer
///
/// What waits keeps its place and is offered to somebody else; you are asked again only when everybody else has refused it
/// too. What a colleague offered stays with the colleague. Declining again changes nothing.
#[utoipa::path(
    tag = "queue",
    params(("id" = ConversationId, Path, description = "The conversation that is offered."), IfMatch),
    responses((status = 200, description = "The conversation as it stands now.", body = View))
)]
#[post("/conversations/{id}/decline")]
async fn decline_offer(
    app: web::Data<App>,
    caller: Staff,
    id: web::Path<ConversationId>,
    if_match: IfMatch,
) -> Result<HttpResponse> {
    let target = Target { id: id.into_inner(), if_version: if_match.versions };
    let view = answer_offer(&app, caller.actor, target, false).await?;
    Ok(tagged(view.version(), &view))
}

/// Explain routing
///
/// What routing thinks of every member of the staff for this conversation now, and whom it would choose. It changes nothing,
/// so it is a dry run too: name a strategy to see what that one would do.
#[utoipa::path(
    tag = "queue",
    params(("id" = ConversationId, Path, description = "The conversation."), ExplainRouting),
    responses((status = 200, description = "The explanation.", body = RoutingExplanation))
)]
#[get("/conversations/{id}/routing/explain")]
async fn explain_routing(
    app: web::Data<App>,
    caller: Staff,
    id: web::Path<ConversationId>,
    query: web::Query<ExplainRouting>,
) -> Result<web::Json<RoutingExplanation>> {
    explain::explain(&app, caller.actor, id.into_inner(), query.into_inner().strategy).await.map(web::Json)
}
