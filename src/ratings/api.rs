//! The routes of ratings.

use actix_web::{HttpResponse, get, post, put, web};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_actix_web::service_config::ServiceConfig;

use super::service::{self, Given, Linked, Rated};
use super::store::Filter;
use crate::app::App;
use crate::auth::sessions::ClientInfo;
use crate::auth::{Admin, Authenticated, Staff};
use crate::domain::rating::{RatingRow, RatingState};
use crate::http::json::Body;
use crate::http::page::{Page, PageQuery};
use crate::kernel::{ConversationId, GroupId, MemberId, Millis, RatingId, Result};

/// The routes of this module.
pub fn routes(config: &mut ServiceConfig<'_>) {
    config.service(list_ratings);
    config.service(get_conversation_rating);
    config.service(rate_conversation);
    config.service(create_rating_link);
    config.service(get_rating_link);
    config.service(rate_by_link);
}

/// What a customer said of how it was served.
#[derive(Debug, Serialize, ToSchema)]
pub struct Rating {
    /// The rating.
    id: RatingId,
    /// What is rated.
    conversation_id: ConversationId,
    /// The entry with which the conversation ended: which of its ends is rated.
    close_seq: i64,
    /// Whose conversation it is.
    #[schema(required)]
    customer_id: Option<MemberId>,
    /// Who served it when it ended; null when no single agent did.
    #[schema(required)]
    agent_id: Option<MemberId>,
    /// Whose matter it was when it ended.
    #[schema(required)]
    group_id: Option<GroupId>,
    /// From 1, the lowest, to 5.
    score: i16,
    /// Why; may be empty.
    comment: String,
    /// When it was given first.
    rated_at: Millis,
    /// When it was last changed.
    changed_at: Millis,
}

impl Rating {
    fn new(row: RatingRow, customer_id: Option<MemberId>) -> Self {
        Self {
            id: row.id,
            conversation_id: row.conversation_id,
            close_seq: row.close_seq,
            customer_id,
            agent_id: row.agent_id,
            group_id: row.group_id,
            score: row.score,
            comment: row.comment,
            rated_at: Millis(row.rated_at),
            changed_at: Millis(row.changed_at),
        }
    }
}

/// How a conversation stands to the rating of its last end.
#[derive(Debug, Serialize, ToSchema)]
pub struct ConversationRating {
    /// Whether it may be rated.
    state: RatingState,
    /// The entry with which it ended; null while it is not over.
    #[schema(required)]
    close_seq: Option<i64>,
    /// Until when it may be rated, or its rating changed; null: it may not be, or no longer.
    #[schema(required)]
    until: Option<Millis>,
    /// What was said of this end.
    #[schema(required)]
    rating: Option<Rating>,
}

impl From<Rated> for ConversationRating {
    fn from(rated: Rated) -> Self {
        let customer = rated.conversation.customer_id;
        Self {
            state: rated.standing.state,
            close_seq: rated.close_seq,
            until: rated.standing.until.map(Millis),
            rating: rated.given.map(|row| Rating::new(row, customer)),
        }
    }
}

/// What a customer says of how it was served.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RateConversation {
    /// From 1, the lowest, to 5.
    score: i16,
    /// Why, at most 2,000 characters.
    #[serde(default)]
    comment: String,
}

impl From<RateConversation> for Given {
    fn from(input: RateConversation) -> Self {
        Self { score: input.score, comment: input.comment }
    }
}

/// A link through which a customer rates without signing in.
#[derive(Debug, Serialize, ToSchema)]
pub struct CreatedRatingLink {
    /// The secret part of the link: whoever has it can rate.
    token: String,
    /// Until when it can be used.
    expires_at: Millis,
}

/// What a link to rate is about.
#[derive(Debug, Serialize, ToSchema)]
pub struct RatingLink {
    /// The merchant's name.
    tenant_name: String,
    /// The name of who served; null when no single agent did.
    #[schema(required)]
    agent_nickname: Option<String>,
    /// The avatar's URL of who served; may be empty.
    #[schema(required)]
    agent_avatar: Option<String>,
    /// Whether it may be rated.
    state: RatingState,
    /// Until when it may be rated, or its rating changed; null: it may not be, or no longer.
    #[schema(required)]
    until: Option<Millis>,
    /// What was said, from 1, the lowest, to 5.
    #[schema(required)]
    score: Option<i16>,
    /// Why.
    #[schema(required)]
    comment: Option<String>,
}

impl From<Linked> for RatingLink {
    fn from(linked: Linked) -> Self {
        let (agent_nickname, agent_avatar) = linked.agent.unzip();
        let Rated { standing, given, .. } = linked.rated;
        Self {
            tenant_name: linked.tenant,
            agent_nickname,
            agent_avatar,
            state: standing.state,
            until: standing.until.map(Millis),
            score: given.as_ref().map(|row| row.score),
            comment: given.map(|row| row.comment),
        }
    }
}

/// Which ratings are asked for.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ListRatings {
    /// Only of what this agent served.
    agent_id: Option<MemberId>,
    /// Only of what was this group's.
    group_id: Option<GroupId>,
    /// Only of this customer's conversations.
    customer_id: Option<MemberId>,
    /// Only with this score.
    #[param(minimum = 1, maximum = 5)]
    score: Option<i16>,
    /// Only those given at this time or later.
    from: Option<Millis>,
    /// Only those given before this time.
    until: Option<Millis>,
    /// Most rows to return, 1 to 200; 50 when absent.
    #[param(minimum = 1, maximum = 200, default = 50)]
    limit: Option<u32>,
    /// `next_cursor` of the page before; absent for the first page.
    cursor: Option<String>,
}

/// List ratings
///
/// The newest first. Agents see those of what they served; supervisors who are in groups see those of their groups and of no
/// group as well, the others of the staff all.
#[utoipa::path(tag = "ratings", params(ListRatings), responses(
    (status = 200, description = "A page of ratings.", body = Page<Rating>),
))]
#[get("/ratings")]
pub async fn list_ratings(
    app: web::Data<App>,
    caller: Staff,
    query: web::Query<ListRatings>,
) -> Result<web::Json<Page<Rating>>> {
    let ListRatings { agent_id, group_id, customer_id, score, from, until, limit, cursor } =
        query.into_inner();
    let filter = Filter {
        agent: agent_id,
        group: group_id,
        customer: customer_id,
        score,
        from: from.map(|time| time.0),
        until: until.map(|time| time.0),
    };
    let page = service::list(&app, caller.actor, filter, PageQuery { limit, cursor }).await?;
    Ok(web::Json(page.map(|(row, customer)| Rating::new(row, customer))))
}

/// Read the rating of a conversation
///
/// Says whether the conversation may be rated now, and what was said of its last end. A client asks for it when it sees the
/// entry `closed`.
#[utoipa::path(
    tag = "ratings", params(("id" = ConversationId, Path, description = "The conversation.")),
    responses((status = 200, description = "How it stands to its rating.", body = ConversationRating)),
)]
#[get("/conversations/{id}/rating")]
pub async fn get_conversation_rating(
    app: web::Data<App>,
    caller: Authenticated,
    id: web::Path<ConversationId>,
) -> Result<web::Json<ConversationRating>> {
    service::get(&app, caller.actor, id.into_inner()).await.map(|rated| web::Json(rated.into()))
}

/// Rate a conversation
///
/// The customer says how it was served; the staff see it as the notice `rated` behind the conversation. Each end is rated
/// once, within the tenant's `rating_window_seconds`; the rating can be changed for a day. Where nobody of the staff wrote
/// since the conversation was opened or reopened there is nothing to rate (`409 not_answered`). Repeating the request is
/// safe.
#[utoipa::path(
    tag = "ratings", params(("id" = ConversationId, Path, description = "The conversation.")),
    request_body = RateConversation,
    responses((status = 200, description = "How it stands to its rating now.", body = ConversationRating)),
)]
#[put("/conversations/{id}/rating")]
pub async fn rate_conversation(
    app: web::Data<App>,
    caller: Authenticated,
    id: web::Path<ConversationId>,
    input: Body<RateConversation>,
) -> Result<web::Json<ConversationRating>> {
    let rated = service::rate(&app, caller.actor, id.into_inner(), input.into_inner().into()).await?;
    Ok(web::Json(rated.into()))
}

/// Create a link to rate a conversation
///
/// For letters and messages to a customer who is not signed in: put the `token` into the address of a page of yours, which
/// reads and rates through `/rating-links/{token}`. It is about the last end of the conversation, and ends with the time in
/// which that can be rated. Whoever has it can rate, so that only administrators can make one.
#[utoipa::path(
    tag = "ratings", params(("id" = ConversationId, Path, description = "The conversation.")),
    responses((status = 201, description = "The link's token.", body = CreatedRatingLink)),
)]
#[post("/conversations/{id}/rating-links")]
pub async fn create_rating_link(
    app: web::Data<App>,
    caller: Admin,
    id: web::Path<ConversationId>,
) -> Result<HttpResponse> {
    let (token, ends) = service::make_link(&app, caller.actor, id.into_inner()).await?;
    let token = token.expose().to_owned();
    Ok(HttpResponse::Created().json(CreatedRatingLink { token, expires_at: Millis(ends) }))
}

/// Read what a link is about
///
/// For the page that asks the customer. Reading rates nothing, so that programs which look at the links of letters do no
/// harm.
#[utoipa::path(
    tag = "ratings", security(()), params(("token" = String, Path, description = "The link's token.")),
    responses((status = 200, description = "What it is about.", body = RatingLink)),
)]
#[get("/rating-links/{token}")]
pub async fn get_rating_link(
    app: web::Data<App>,
    client: ClientInfo,
    token: web::Path<String>,
) -> Result<web::Json<RatingLink>> {
    service::linked(&app, &token, &client).await.map(|linked| web::Json(linked.into()))
}

/// Rate by a link
///
/// As `PUT /conversations/{id}/rating`, on behalf of the conversation's customer.
#[utoipa::path(
    tag = "ratings", security(()), params(("token" = String, Path, description = "The link's token.")),
    request_body = RateConversation,
    responses((status = 200, description = "What it is about, and what was said.", body = RatingLink)),
)]
#[put("/rating-links/{token}")]
pub async fn rate_by_link(
    app: web::Data<App>,
    client: ClientInfo,
    token: web::Path<String>,
    input: Body<RateConversation>,
) -> Result<web::Json<RatingLink>> {
    let linked = service::rate_linked(&app, &token, input.into_inner().into(), &client).await?;
    Ok(web::Json(linked.into()))
}
