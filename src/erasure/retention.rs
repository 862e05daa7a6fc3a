//! Retention: what support conversations say is erased so long after their end, where the tenant asks for it.
//!
//! Owns that tenants are looked at, and that conversations that are due are erased as those of an erased person are. Invariants:
//! what is due is found in the store; a conversation whose log ends with the notice of its erasure is done, and one in which
//! somebody wrote since is due again; one look reads at most one page of a tenant.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use diesel::prelude::*;

use super::logs;
use super::store::{self, Logs};
use crate::app::App;
use crate::db::AnyConnection;
use crate::db::schema::{conversation, tenant};
use crate::db::types::Json;
use crate::domain::conversation::ConversationStatus;
use crate::domain::tenant::TenantSettings;
use crate::kernel::{ConversationId, Result, TenantId};
use crate::search;

/// How often tenants are looked at.
const EVERY: Duration = Duration::from_secs(5);
/// Closed conversations that one look reads.
const PAGE: i64 = 500;
const DAY_MS: i64 = 86_400_000;

/// Behind which conversation the next look at a tenant begins.
type Places = HashMap<TenantId, ConversationId>;

/// Starts the task. Must be called on a tokio runtime.
pub(super) fn spawn(app: &Arc<App>) {
    let (handle, shutdown) = (app.clone(), app.tasks.shutdown().clone());
    app.tasks.spawn("retention", move || {
        let (app, shutdown) = (handle.clone(), shutdown.clone());
        async move {
            let mut places = Places::new();
            loop {
                tokio::select! {
                    () = tokio::time::sleep(EVERY) => {}
                    () = shutdown.cancelled() => return,
                }
                let looked = tokio::select! {
                    looked = look(&app, &mut places) => looked,
                    () = shutdown.cancelled() => return,
                };
                if let Err(error) = looked {
                    log::debug!(target: "deskwire::erasure", "retention goes on later: {error}");
                }
            }
        }
    });
}

async fn look(app: &App, places: &mut Places) -> Result<()> {
    let tenants = app.db.read(tenants).await?;
    places.retain(|id, _| tenants.iter().any(|(tenant, _)| tenant == id));
    let mut failed = None;
    for (id, days) in tenants {
        let after = places.get(&id).copied().unwrap_or(ConversationId(0));
        match page(app, id, days, after).await {
            Ok(Some(last)) => drop(places.insert(id, last)),
            Ok(None) => drop(places.remove(&id)),
            // One tenant holds up no other.
            Err(error) => failed = Some(error),
        }
    }
    failed.map_or(Ok(()), Err)
}

/// The tenants that keep conversations for a time, and for how many days.
fn tenants(connection: &mut AnyConnection) -> Result<Vec<(TenantId, i64)>> {
    let rows: Vec<(TenantId, Json<TenantSettings>)> = tenant::table
        .filter(tenant::settings.like("%retention_days%"))
        .select((tenant::id, tenant::settings))
        .load(connection)?;
    Ok(rows.into_iter().filter_map(|(id, settings)| Some((id, settings.0.retention_days?))).collect())
}

/// Erases what is due of a page of conversations. Gives the last one when there may be more.
async fn page(
    app: &App,
    tenant: TenantId,
    days: i64,
    after: ConversationId,
) -> Result<Option<ConversationId>> {
    let before = app.clock.now().0.saturating_sub(days.saturating_mul(DAY_MS));
    let (due, last) = app.db.read(move |connection| due(connection, tenant, before, after)).await?;
    for piece in due.chunks(logs::AT_ONCE) {
        for one in piece {
            logs::take_words(app, tenant, *one).await?;
        }
        take_hanging(app, tenant, piece).await?;
    }
    if !due.is_empty() && logs::index_follows(app, tenant).await? {
        logs::take_postings(app, tenant, &due).await?;
        for one in &due {
            logs::tell(app, tenant, *one).await?;
        }
    }
    Ok(last)
}

async fn take_hanging(app: &App, tenant: TenantId, piece: &[Logs]) -> Result<()> {
    let piece = Arc::new(piece.to_vec());
    loop {
        let piece = piece.clone();
        let write = move |connection: &mut AnyConnection| {
            let fronts: Vec<ConversationId> = piece.iter().map(|one| one.front).collect();
            search::erase::take_conversations(connection, tenant, &fronts)?;
            Ok(!logs::take_hanging(connection, tenant, &piece)?.is_empty())
        };
        if !app.db.write(write).await? {
            return Ok(());
        }
    }
}

type Row = (ConversationId, Option<ConversationId>, Option<i64>);

/// The conversations of a page that ended before this time and still say something, and the last one of a full page.
fn due(
    connection: &mut AnyConnection,
    tenant: TenantId,
    before: i64,
    after: ConversationId,
) -> Result<(Vec<Logs>, Option<ConversationId>)> {
    let rows: Vec<Row> = conversation::table
        .filter(conversation::tenant_id.eq(tenant))
        .filter(conversation::status.eq(ConversationStatus::Closed.as_str()))
        .filter(conversation::id.gt(after))
        .order(conversation::id.asc())
        .limit(PAGE)
        .select((conversation::id, conversation::backstage_id, conversation::closed_at))
        .load(connection)?;
    let is_full = i64::try_from(rows.len()).is_ok_and(|count| count >= PAGE);
    let last = rows.last().map(|(id, ..)| *id).filter(|_| is_full);
    let mut due = Vec::new();
    for (front, backstage, closed_at) in rows {
        if closed_at.is_none_or(|closed_at| closed_at > before) {
            continue;
        }
        let behind = backstage.map_or(Ok(true), |log| store::is_told(connection, log))?;
        if !behind || !store::is_told(connection, front)? {
            due.push(Logs { front, backstage });
        }
    }
    Ok((due, last))
}
