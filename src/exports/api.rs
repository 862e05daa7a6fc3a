//! The routes of exports.

use actix_web::http::header::{ContentDisposition, DispositionParam, DispositionType};
use actix_web::mime::{APPLICATION_OCTET_STREAM, Mime};
use actix_web::{HttpRequest, HttpResponse, get, post, web};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_actix_web::service_config::ServiceConfig;

use super::service;
use crate::app::App;
use crate::auth::extract::Admin;
use crate::domain::export::{ExportFailure, ExportRow, ExportState};
use crate::http::json::Body;
use crate::http::page::{Page, PageQuery};
use crate::kernel::{ExportId, MemberId, Millis, Result};

/// The routes of this module.
pub fn routes(config: &mut ServiceConfig<'_>) {
    config.service(create_export);
    config.service(list_exports);
    config.service(get_export);
    config.service(cancel_export);
    config.service(read_export);
}

/// An export of the tenant's or of a person's data.
#[derive(Debug, Serialize, ToSchema)]
pub struct Export {
    /// The export.
    id: ExportId,
    /// Whose data; null: the whole tenant's.
    #[schema(required)]
    member_id: Option<MemberId>,
    /// How far it is.
    state: ExportState,
    /// Who asked for it.
    requested_by: MemberId,
    /// When it was asked for.
    requested_at: Millis,
    /// When it was begun: what was committed before is in the file. Null while it waits.
    #[schema(required)]
    started_at: Option<Millis>,
    /// When it was done, or ended otherwise.
    #[schema(required)]
    finished_at: Option<Millis>,
    /// When the file of a finished one is removed.
    #[schema(required)]
    expires_at: Option<Millis>,
    /// Why it failed.
    #[schema(required)]
    failure: Option<ExportFailure>,
    /// Lines that were written until now.
    line_count: i64,
    /// Bytes of the file until now.
    byte_count: i64,
}

impl Export {
    fn new(row: ExportRow, now: Millis) -> Self {
        Self {
            id: row.id,
            member_id: row.member_id,
            state: row.state_at(now.0),
            requested_by: row.requested_by,
            requested_at: Millis(row.requested_at),
            started_at: row.started_at.map(Millis),
            finished_at: row.finished_at.map(Millis),
            expires_at: row.expires_at.map(Millis),
            failure: row.failure,
            line_count: row.line_count,
            byte_count: row.byte_count,
        }
    }
}

/// Whose data is to be exported.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateExport {
    /// A customer, who may have been deleted; absent or null: the whole tenant.
    member_id: Option<MemberId>,
}

/// Which exports are asked for.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ListExports {
    /// Only of this customer.
    member_id: Option<MemberId>,
    /// Only those that are so far.
    state: Option<ExportState>,
    /// Most rows to return, 1 to 200; 50 when absent.
    #[param(minimum = 1, maximum = 200, default = 50)]
    limit: Option<u32>,
    /// `next_cursor` of the page before; absent for the first page.
    cursor: Option<String>,
}

/// Export data
///
/// Of the whole tenant, or with `member_id` of a customer, written in the background to a file of gzip with one JSON object a
/// line. Read the export until its state is `done`, then read its content; a day later the file is removed. The file begins
/// with a line of type `export` and ends with one of type `end` that counts the lines of each type; without it the file is not
/// whole. Everything that was committed before the export was begun (`started_at`; entries up to the `rev` of its first line) is in it, unless it was
/// deleted or erased meanwhile; of what came later, some may be. The contents of attachments are not: the lines of `attachment`
/// and `stored_file` say which there are. `/docs/exports` says of every table what is in a file.
///
/// A customer's export holds what is kept about the customer, also what the staff alone see, such as notes: look through it
/// before you hand it over. Accounts of the staff cannot be named. The whole tenant's holds rooms of the staff as well.
/// Secrets are in neither. A tenant has one unfinished export at a time.
#[utoipa::path(tag = "exports", request_body = CreateExport, responses(
    (status = 201, description = "It waits for its turn.", body = Export),
))]
#[post("/exports")]
pub async fn create_export(
    app: web::Data<App>,
    caller: Admin,
    input: Body<CreateExport>,
) -> Result<HttpResponse> {
    let row = service::create(&app, caller.actor, input.into_inner().member_id).await?;
    Ok(HttpResponse::Created().json(Export::new(row, app.clock.now())))
}

/// List exports
///
/// The newest first, those that ended among them.
#[utoipa::path(tag = "exports", params(ListExports), responses(
    (status = 200, description = "A page of exports.", body = Page<Export>),
))]
#[get("/exports")]
pub async fn list_exports(
    app: web::Data<App>,
    caller: Admin,
    query: web::Query<ListExports>,
) -> Result<web::Json<Page<Export>>> {
    let ListExports { member_id, state, limit, cursor } = query.into_inner();
    let page = service::list(&app, caller.actor, (member_id, state), PageQuery { limit, cursor }).await?;
    let now = app.clock.now();
    Ok(web::Json(page.map(|row| Export::new(row, now))))
}

/// Read an export
///
/// While it is written, its lines and bytes grow.
#[utoipa::path(
    tag = "exports", params(("id" = ExportId, Path, description = "The export.")),
    responses((status = 200, description = "The export.", body = Export)),
)]
#[get("/exports/{id}")]
pub async fn get_export(
    app: web::Data<App>,
    caller: Admin,
    id: web::Path<ExportId>,
) -> Result<web::Json<Export>> {
    let row = service::get(&app, caller.actor, id.into_inner()).await?;
    Ok(web::Json(Export::new(row, app.clock.now())))
}

/// Cancel an export
///
/// It is written no further, and its file is removed, also when it is done. One that was cancelled before stays so; one that
/// failed or expired is `409 invalid_transition`.
#[utoipa::path(
    tag = "exports", params(("id" = ExportId, Path, description = "The export.")),
    responses((status = 200, description = "The export, which is cancelled.", body = Export)),
)]
#[post("/exports/{id}/cancel")]
pub async fn cancel_export(
    app: web::Data<App>,
    caller: Admin,
    id: web::Path<ExportId>,
) -> Result<web::Json<Export>> {
    let row = service::cancel(&app, caller.actor, id.into_inner()).await?;
    Ok(web::Json(Export::new(row, app.clock.now())))
}

/// Read the content of an export
///
/// The file, while the export is `done`. A part can be asked for with `Range`. Every request is told by the audit log
/// (`download`).
#[utoipa::path(
    tag = "exports", params(("id" = ExportId, Path, description = "The export.")),
    responses(
        (
            status = 200, description = "The content.", body = Vec<u8>, content_type = "application/gzip",
            headers(("etag" = String, description = "For `If-None-Match` and `If-Range`.")),
        ),
        (
            status = 206, description = "A part of it.", body = Vec<u8>, content_type = "application/gzip",
            headers(("etag" = String, description = "For `If-Range`.")),
        ),
        (status = 304, description = "The client has it already."),
        (status = 416, description = "There is no such part."),
    ),
)]
#[get("/exports/{id}/content")]
pub async fn read_export(
    app: web::Data<App>,
    caller: Admin,
    request: HttpRequest,
    id: web::Path<ExportId>,
) -> Result<HttpResponse> {
    let id = id.into_inner();
    let opened = service::open(&app, caller.actor, id).await?;
    let name = DispositionParam::Filename(format!("export-{id}.jsonl.gz"));
    let disposition = ContentDisposition { disposition: DispositionType::Attachment, parameters: vec![name] };
    let served = opened
        .use_last_modified(false)
        .set_content_type("application/gzip".parse::<Mime>().unwrap_or(APPLICATION_OCTET_STREAM))
        .set_content_disposition(disposition);
    Ok(served.into_response(&request))
}
