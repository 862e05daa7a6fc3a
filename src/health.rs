//! Probes: whether the process lives, whether it should get work, and its numbers. Owns what ready means.

use std::sync::atomic::Ordering;
use std::time::Duration;

use actix_web::http::header;
use actix_web::{HttpResponse, get, web};
use serde::Serialize;
use utoipa_actix_web::service_config::ServiceConfig;

use crate::app::App;
use crate::kernel::tasks::SETTLED;
use crate::kernel::{Code, Error, Result};

/// The routes of this module.
pub fn routes(config: &mut ServiceConfig<'_>) {
    config.service(healthz);
    config.service(readyz);
    config.service(metrics);
}

/// What a probe answers when all is well.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Health {
    /// Always `ok`; anything else is a problem.
    pub status: &'static str,
    /// The version of the program.
    pub version: &'static str,
}

/// How long readiness waits for the database.
const PATIENCE: Duration = Duration::from_secs(5);

const OK: Health = Health { status: "ok", version: env!("CARGO_PKG_VERSION") };

/// Check liveness
///
/// For restarts: it looks at nothing but itself.
#[utoipa::path(tag = "service", security(()), responses((status = 200, description = "It lives.", body = Health)))]
#[get("/healthz")]
async fn healthz() -> web::Json<Health> {
    web::Json(OK)
}

/// Check readiness
///
/// Ready means: the database answers, takes writes and has every migration, the lanes and every long-lived task run, and
/// the server is not shutting down. Answers within five seconds.
#[utoipa::path(tag = "service", security(()), responses((status = 200, description = "It should.", body = Health)))]
#[get("/readyz")]
async fn readyz(app: web::Data<App>) -> Result<web::Json<Health>> {
    if app.tasks.shutdown().is_cancelled() {
        return Err(Error::new(Code::Draining, Code::Draining.meaning()));
    }
    if app.journal.statistics().lanes_alive.load(Ordering::Relaxed) < app.journal.lanes() {
        return Err(Error::new(Code::Unready, "a lane has ended"));
    }
    if app.journal.statistics().restarted_within(SETTLED) {
        return Err(Error::new(Code::Unready, "a lane panicked and began anew"));
    }
    if let Some(name) = app.tasks.down() {
        return Err(Error::new(Code::Unready, format!("the task {name} is restarting")));
    }
    let silent = || Error::new(Code::StorageUnavailable, "the database does not answer").retry_after(2_000);
    tokio::time::timeout(PATIENCE, store_is_ready(&app)).await.map_err(|_| silent())??;
    Ok(web::Json(OK))
}

async fn store_is_ready(app: &App) -> Result<()> {
    let current = app.db.read(crate::db::migrate::is_current).await?;
    if !current {
        return Err(Error::new(Code::Unready, "migrations are pending: run `deskwire migrate`"));
    }
    crate::db::probe::takes_writes(&app.db).await
}

/// Read metrics
///
/// Not meant for the public: let the proxy keep it inside.
#[utoipa::path(
    tag = "service",
    security(()),
    responses((status = 200, description = "Prometheus' text form", body = String, content_type = "text/plain"))
)]
#[get("/metrics")]
async fn metrics(app: web::Data<App>) -> Result<HttpResponse> {
    app.metrics.collect(&app.journal, &app.db, &app.tasks, &app.lags);
    let text = app.metrics.render()?;
    Ok(HttpResponse::Ok()
        .insert_header((header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8"))
        .body(text))
}
