//! The routes of notifications.

use actix_web::{get, post, web};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_actix_web::service_config::ServiceConfig;

use super::service;
use crate::app::App;
use crate::auth::Authenticated;
use crate::domain::centre::notification::Notification;
use crate::http::json::Body;
use crate::http::page::PageQuery;
use crate::kernel::{NotificationId, Result};

/// The routes of this module.
pub fn routes(config: &mut ServiceConfig<'_>) {
    config.service(list_notifications);
    config.service(read_notifications);
}

/// Which notifications are asked for.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ListNotifications {
    /// True: only unread ones; false: only those that were read; absent: all.
    unread: Option<bool>,
    /// Most rows to return, 1 to 200; 50 when absent.
    #[param(minimum = 1, maximum = 200, default = 50)]
    limit: Option<u32>,
    /// `next_cursor` of the page before; absent for the first page.
    cursor: Option<String>,
}

/// A page of notifications.
#[derive(Debug, Serialize, ToSchema)]
pub struct NotificationPage {
    /// The newest first.
    pub data: Vec<Notification>,
    /// Give this as `cursor` to read on; null at the end of the list.
    #[schema(required)]
    pub next_cursor: Option<String>,
    /// How many are unread in all; 1000 stands for 1000 or more.
    pub unread: i64,
}

/// Which notifications are read: either `ids` or `until`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReadNotifications {
    /// These, 1 to 100.
    #[serde(default)]
    ids: Option<Vec<NotificationId>>,
    /// This one and all that are older.
    #[serde(default)]
    until: Option<NotificationId>,
}

/// What is left after reading.
#[derive(Debug, Serialize, ToSchema)]
pub struct UnreadNotifications {
    /// How many are unread still; 1000 stands for 1000 or more.
    pub unread: i64,
}

/// List the own notifications
///
/// The newest first: what you were told beside your conversations. While you are connected they come as frames
/// `notification`. They are kept as long as the messages of the message centre.
#[utoipa::path(tag = "notifications", params(ListNotifications), responses(
    (status = 200, description = "A page of notifications.", body = NotificationPage),
))]
#[get("/notifications")]
pub async fn list_notifications(
    app: web::Data<App>,
    caller: Authenticated,
    query: web::Query<ListNotifications>,
) -> Result<web::Json<NotificationPage>> {
    let ListNotifications { unread, limit, cursor } = query.into_inner();
    let (page, unread) = service::list(&app, caller.actor, unread, PageQuery { limit, cursor }).await?;
    Ok(web::Json(NotificationPage { data: page.data, next_cursor: page.next_cursor, unread }))
}

/// Mark own notifications as read
///
/// Repeating it changes nothing. Your other devices are told. When one of `ids` is not yours, none is marked.
#[utoipa::path(tag = "notifications", request_body = ReadNotifications, responses(
    (status = 200, description = "Marked.", body = UnreadNotifications),
))]
#[post("/notifications/read")]
pub async fn read_notifications(
    app: web::Data<App>,
    caller: Authenticated,
    input: Body<ReadNotifications>,
) -> Result<web::Json<UnreadNotifications>> {
    let ReadNotifications { ids, until } = input.into_inner();
    let unread = service::read(&app, caller.actor, ids, until).await?;
    Ok(web::Json(UnreadNotifications { unread }))
}
