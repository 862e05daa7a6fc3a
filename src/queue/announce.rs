//! Telling customers their places in the queue, and staff who watch a conversation its place, when places change.
//!
//! Owns what was told last, for the tenants that have sockets in this process; it is told at most once a second. What is
//! told may be lost: a client reads the place over REST after it connects.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::service;
use crate::app::App;
use crate::db::Db;
use crate::journal::ephemeral::{Ephemeral, PlaceInQueue};
use crate::journal::feed::FeedItem;
use crate::journal::{Changes, Feed};
use crate::kernel::{Clock, ConversationId, Result, TenantId};

/// How long changes are collected.
const PAUSE: Duration = Duration::from_secs(1);
/// Changes that may wait to be looked at.
const CHANGES: usize = 4_096;
/// Places of a tenant that are told; who stands behind them reads its place over REST.
const TOLD: i64 = 1_000;

/// Starts the task. Must be called on a tokio runtime.
pub fn spawn(app: &App) {
    let (db, feed, clock) = (app.db.clone(), app.feed.clone(), app.clock.clone());
    let shutdown = app.tasks.shutdown().clone();
    app.tasks.spawn("queue_places", move || run(db.clone(), feed.clone(), clock.clone(), shutdown.clone()));
}

type Told = HashMap<ConversationId, PlaceInQueue>;

async fn run(db: Db, feed: Feed, clock: Clock, shutdown: CancellationToken) {
    let mut changes = feed.subscribe(CHANGES);
    let mut ticks = tokio::time::interval(PAUSE);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let (mut moved, mut told): (BTreeSet<TenantId>, HashMap<TenantId, Told>) = Default::default();
    loop {
        tokio::select! {
            item = changes.recv() => match item {
                Some(FeedItem::Changes(changes)) if moves_queue(&changes) => {
                    moved.insert(changes.tenant);
                }
                Some(_) => {}
                None => return,
            },
            _ = ticks.tick(), if !moved.is_empty() => {
                let followed: BTreeSet<TenantId> = feed.followed().into_iter().collect();
                told.retain(|tenant, _| followed.contains(tenant));
                for tenant in std::mem::take(&mut moved).intersection(&followed) {
                    if let Err(error) = tell(&db, &feed, &clock, *tenant, &mut told).await {
                        log::debug!(target: "deskwire::queue", "the places of {tenant} cannot be read: {error}");
                        moved.insert(*tenant);
                    }
                }
            }
            () = shutdown.cancelled() => return,
        }
    }
}

fn moves_queue(changes: &Changes) -> bool {
    changes.entries.iter().any(|entry| entry.kind.moves_queue())
}

/// Tells the places that differ from what was told.
async fn tell(
    db: &Db,
    feed: &Feed,
    clock: &Clock,
    tenant: TenantId,
    told: &mut HashMap<TenantId, Told>,
) -> Result<()> {
    let now = clock.now();
    let places = db.read(move |connection| service::places(connection, tenant, now, TOLD)).await?;
    let before = told.entry(tenant).or_default();
    let news: Vec<PlaceInQueue> =
        places.iter().filter(|place| before.get(&place.conversation) != Some(place)).cloned().collect();
    *before = places.into_iter().map(|place| (place.conversation, place)).collect();
    if !news.is_empty() {
        feed.ephemeral(Ephemeral::Places { tenant, places: Arc::from(news) });
    }
    Ok(())
}
