//! The routes of erasures.

use actix_web::{HttpResponse, get, post, web};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_actix_web::service_config::ServiceConfig;

use super::{service, store};
use crate::app::App;
use crate::auth::extract::Admin;
use crate::domain::erasure::{ErasureRow, ErasureState};
use crate::http::json::Body;
use crate::http::page::{Page, PageQuery};
use crate::kernel::{ErasureId, MemberId, Millis, Result};

/// The routes of this module.
pub fn routes(config: &mut ServiceConfig<'_>) {
    config.service(create_erasure);
    config.service(list_erasures);
    config.service(get_erasure);
}

/// The erasure of what is known of a customer.
#[derive(Debug, Serialize, ToSchema)]
pub struct Erasure {
    /// The erasure.
    id: ErasureId,
    /// Whose data. The account stays under this id, without anything in it.
    member_id: MemberId,
    /// How far it has come.
    state: ErasureState,
    /// Who asked for it last; null: the operator, by a restore.
    #[schema(required)]
    requested_by: Option<MemberId>,
    /// When it was asked for last.
    requested_at: Millis,
    /// When it was done; null while it is under way.
    #[schema(required)]
    finished_at: Option<Millis>,
    /// What was erased until now, by table.
    receipt: Vec<ErasedRows>,
}

/// How much of a table was erased.
#[derive(Debug, Serialize, ToSchema)]
pub struct ErasedRows {
    /// The table.
    #[schema(example = "group_message")]
    table: String,
    /// Rows that were deleted or emptied; of the search index: places of words.
    rows: i64,
}

impl From<ErasureRow> for Erasure {
    fn from(row: ErasureRow) -> Self {
        let receipt = store::receipt_of(&row.receipt).into_iter();
        Self {
            id: row.id,
            member_id: row.member_id,
            state: row.state,
            requested_by: row.requested_by,
            requested_at: Millis(row.requested_at),
            finished_at: row.finished_at.map(Millis),
            receipt: receipt.map(|(table, rows)| ErasedRows { table, rows }).collect(),
        }
    }
}

/// Whose data is to be erased.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateErasure {
    /// The customer, who may have been deleted before.
    member_id: MemberId,
}

/// Which erasures are asked for.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ListErasures {
    /// Only of this customer.
    member_id: Option<MemberId>,
    /// Only those that have come so far.
    state: Option<ErasureState>,
    /// Most rows to return, 1 to 200; 50 when absent.
    #[param(minimum = 1, maximum = 200, default = 50)]
    limit: Option<u32>,
    /// `next_cursor` of the page before; absent for the first page.
    cursor: Option<String>,
}

/// Erase what is known of a customer
///
/// For good, in the background: the account ends with its sessions, its open conversation is closed, and then goes what its
/// conversations and the notes behind them say, whoever said it, their files, earlier versions, comments of ratings, subjects
/// and tags, what is found by words, what the message centre knows (events about the customer with every message that they
/// made, messages to it, addresses, identities, opt-outs), notifications, bans of the account and its addresses, what the
/// audit log tells of it, and at last the profile. Accounts that were recognised as this one go with it. The logs keep their
/// numbering: erased entries have `erased_at`, and the notice `erased` tells readers up to which entry. `/docs/erasure` says
/// of every table what is done.
///
/// What the staff wrote about the customer elsewhere is not found. Accounts of the staff are not erased: what they did and
/// said is the tenant's record; delete them. An erasure that was asked for before is answered with 200; one that was done
/// begins anew, since something may have come since.
#[utoipa::path(tag = "erasure", request_body = CreateErasure, responses(
    (status = 201, description = "It began.", body = Erasure),
    (status = 200, description = "It was asked for before, and is under way.", body = Erasure),
))]
#[post("/erasures")]
pub async fn create_erasure(
    app: web::Data<App>,
    caller: Admin,
    input: Body<CreateErasure>,
) -> Result<HttpResponse> {
    let (row, created) = service::create(&app, caller.actor, input.into_inner().member_id).await?;
    let mut answer = if created { HttpResponse::Created() } else { HttpResponse::Ok() };
    Ok(answer.json(Erasure::from(row)))
}

/// List erasures
///
/// The newest first.
#[utoipa::path(tag = "erasure", params(ListErasures), responses(
    (status = 200, description = "A page of erasures.", body = Page<Erasure>),
))]
#[get("/erasures")]
pub async fn list_erasures(
    app: web::Data<App>,
    caller: Admin,
    query: web::Query<ListErasures>,
) -> Result<web::Json<Page<Erasure>>> {
    let ListErasures { member_id, state, limit, cursor } = query.into_inner();
    let page = service::list(&app, caller.actor, (member_id, state), PageQuery { limit, cursor }).await?;
    Ok(web::Json(page.map(Erasure::from)))
}

/// Read an erasure
///
/// While it is under way, the receipt grows.
#[utoipa::path(
    tag = "erasure", params(("id" = ErasureId, Path, description = "The erasure.")),
    responses((status = 200, description = "The erasure.", body = Erasure)),
)]
#[get("/erasures/{id}")]
pub async fn get_erasure(
    app: web::Data<App>,
    caller: Admin,
    id: web::Path<ErasureId>,
) -> Result<web::Json<Erasure>> {
    let row = service::get(&app, caller.actor, id.into_inner()).await?;
    Ok(web::Json(Erasure::from(row)))
}
