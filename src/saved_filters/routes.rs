//! The routes of the search by a filter.

use actix_web::{get, post, web};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;

use super::api::{ConversationFilter, SavedFilter};
use super::search::{self, Asked, By, LOOKED_AT};
use crate::app::App;
use crate::auth::extract::Staff;
use crate::conversations::view::View;
use crate::http::json::Body;
use crate::http::page::{MAX_LIMIT, Page, decode, limit};
use crate::kernel::{ConversationId, Error, Result, SavedFilterId};

/// The routes of this file.
pub fn routes(config: &mut ServiceConfig<'_>) {
    config.service(search_conversations_by_filter);
    config.service(list_met_filters);
}

/// Which conversations are searched: either `filter` or `filter_id`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct FilterConversations {
    /// A filter.
    #[serde(default)]
    #[schema(value_type = Option<ConversationFilter>)]
    filter: Option<Value>,
    /// A saved filter, an own one or a shared one.
    #[serde(default)]
    filter_id: Option<SavedFilterId>,
    /// Most rows to return, 1 to 200; 50 when absent.
    #[serde(default)]
    limit: Option<u32>,
    /// `next_cursor` of the page before; absent for the first page.
    #[serde(default)]
    cursor: Option<String>,
}

impl FilterConversations {
    fn read(self) -> Result<(By, Asked)> {
        let by = match (self.filter, self.filter_id) {
            (Some(filter), None) => By::Given(filter),
            (None, Some(id)) => By::Saved(id),
            _ => return Err(Error::field("/filter", "required", "either filter or filter_id")),
        };
        let wrong = || Error::field("/limit", "out_of_range", format!("1 to {MAX_LIMIT}"));
        let limit = limit(self.limit).map_err(|_| wrong())?;
        let wrong = || Error::field("/cursor", "invalid", "this search gave no such cursor");
        let before = self.cursor.as_deref().map(decode::<i64>).transpose().map_err(|_| wrong())?;
        Ok((by, Asked { before: before.map(ConversationId), limit, looked_at: LOOKED_AT }))
    }
}

/// The saved filters that a conversation meets.
#[derive(Debug, Serialize, ToSchema)]
pub struct MetFilters {
    /// The saved filters, in the order of their ids.
    data: Vec<SavedFilter>,
}

/// Search conversations by a filter
///
/// The newest first, of those that the caller may list. At most 20000 conversations are looked at for a page: it may have
/// fewer rows than asked for, even none, and a `next_cursor` all the same, so read on until that is null. The guide is
/// /docs/filters.
#[utoipa::path(tag = "saved-filters", request_body = FilterConversations, responses(
    (status = 200, description = "A page.", body = Page<View>),
))]
#[post("/conversations/search")]
pub async fn search_conversations_by_filter(
    app: web::Data<App>,
    caller: Staff,
    input: Body<FilterConversations>,
) -> Result<web::Json<Page<View>>> {
    let (by, asked) = input.into_inner().read()?;
    search::search(&app, caller.actor, by, asked).await.map(web::Json)
}

/// List the saved filters that a conversation meets
///
/// Of the caller's own and the shared ones, by the conversation as it is now, so that a client keeps its lists up to date
/// without searching again. A conversation behind another one is taken for that one; a room meets none.
#[utoipa::path(
    tag = "saved-filters", params(("id" = ConversationId, Path, description = "The conversation.")),
    responses((status = 200, description = "The filters.", body = MetFilters)),
)]
#[get("/conversations/{id}/saved-filters")]
pub async fn list_met_filters(
    app: web::Data<App>,
    caller: Staff,
    id: web::Path<ConversationId>,
) -> Result<web::Json<MetFilters>> {
    let rows = search::met(&app, caller.actor, id.into_inner()).await?;
    Ok(web::Json(MetFilters { data: rows.into_iter().map(SavedFilter::from).collect() }))
}
