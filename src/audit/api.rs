//! The route of the audit log.

use actix_web::{get, web};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::{IntoParams, ToSchema};
use utoipa_actix_web::service_config::ServiceConfig;

use super::service;
use super::store::Filter;
use crate::app::App;
use crate::auth::extract::Admin;
use crate::domain::audit::{AuditAction, AuditEventRow, AuditTarget};
use crate::http::page::{Page, PageQuery};
use crate::kernel::{ApiKeyId, AuditEventId, MemberId, Millis, Result};

/// The routes of this module.
pub fn routes(config: &mut ServiceConfig<'_>) {
    config.service(list_audit_events);
}

/// Something that was done.
#[derive(Debug, Serialize, ToSchema)]
pub struct AuditEvent {
    /// The event.
    id: AuditEventId,
    /// When.
    created_at: Millis,
    /// Who did it; null: the operator of the service, by the command line.
    #[schema(required)]
    actor_id: Option<MemberId>,
    /// Its name at that time.
    actor_name: String,
    /// With which API key, if a program did it.
    #[schema(required)]
    api_key_id: Option<ApiKeyId>,
    /// What was done.
    action: AuditAction,
    /// What it was done to.
    target_type: AuditTarget,
    /// Which one.
    target_id: String,
    /// What changed, as it was; empty of what was made. Times are unix milliseconds, texts over 1000 characters are cut,
    /// and of secrets it says only whether they are set.
    #[schema(value_type = Object)]
    before: Map<String, Value>,
    /// What changed, as it is; empty of what was deleted.
    #[schema(value_type = Object)]
    after: Map<String, Value>,
    /// From which address; empty when that is not known.
    ip: String,
    /// In which request: its `X-Request-Id`; empty when in none.
    request_id: String,
}

impl From<AuditEventRow> for AuditEvent {
    fn from(row: AuditEventRow) -> Self {
        // What was stored is an object; what cannot be read any more is shown as an empty one.
        let facts = |text: &str| serde_json::from_str(text).unwrap_or_default();
        Self {
            id: row.id,
            created_at: Millis(row.created_at),
            actor_id: row.actor_id,
            actor_name: row.actor_name,
            api_key_id: row.api_key_id,
            action: row.action,
            target_type: row.target_type,
            target_id: row.target_id.to_string(),
            before: facts(&row.facts_before),
            after: facts(&row.facts_after),
            ip: row.ip,
            request_id: row.request_id,
        }
    }
}

/// Which events are asked for.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ListAuditEvents {
    /// Only what this member did.
    actor_id: Option<MemberId>,
    /// Only what was done with this API key.
    api_key_id: Option<ApiKeyId>,
    /// Only this.
    action: Option<AuditAction>,
    /// Only what was done to things of this kind.
    target_type: Option<AuditTarget>,
    /// Only what was done to this one.
    target_id: Option<MemberId>,
    /// Not earlier than this.
    from: Option<Millis>,
    /// Earlier than this.
    until: Option<Millis>,
    /// Most rows to return, 1 to 200; 50 when absent.
    #[param(minimum = 1, maximum = 200, default = 50)]
    limit: Option<u32>,
    /// `next_cursor` of the page before; absent for the first page.
    cursor: Option<String>,
}

/// List audit events
///
/// What was done to the tenant's accounts, keys, groups, settings, bans, business hours and message centre, the newest
/// first: by whom, from where, in which request, and what changed. Each event was stored in the transaction that did the
/// act. What happens in conversations stands in their own logs; what members change of their own accounts is not listed.
/// Events are kept for the operator's `DESKWIRE_AUDIT_DAYS`, 400 days when nothing else is said.
#[utoipa::path(tag = "audit", params(ListAuditEvents), responses(
    (status = 200, description = "A page of events.", body = Page<AuditEvent>),
))]
#[get("/audit-events")]
pub async fn list_audit_events(
    app: web::Data<App>,
    caller: Admin,
    query: web::Query<ListAuditEvents>,
) -> Result<web::Json<Page<AuditEvent>>> {
    let ListAuditEvents { actor_id, api_key_id, action, target_type, target_id, from, until, limit, cursor } =
        query.into_inner();
    let filter = Filter {
        actor: actor_id,
        api_key: api_key_id,
        action,
        target: target_type,
        target_id: target_id.map(|id| id.0),
        from: from.map(|from| from.0),
        until: until.map(|until| until.0),
    };
    let page = service::list(&app, caller.actor, filter, PageQuery { limit, cursor }).await?;
    Ok(web::Json(page.map(AuditEvent::from)))
}
