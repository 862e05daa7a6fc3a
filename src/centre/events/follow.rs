//! The follower that tells the message centre what happens in the product: it reads the log, and makes events of what a rule
//! asks for.
//!
//! Owns how entries become events. Does not own which do (`domain::centre::product`), nor what is told of messages that were
//! missed (`missed`) and of the queue (`waits`). Invariants: each entry becomes one event at most, since events are stored in
//! the transaction that moves the cursor; a tenant is followed only while one of its active rules asks for it, from the
//! moment when the first one does.

use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio::sync::Notify;

use super::log::{Told, told};
use super::store;
use crate::app::App;
use crate::centre::rules;
use crate::db::{AnyConnection, Db};
use crate::domain::centre::event::EventRow;
use crate::domain::centre::product::{PRODUCT_EVENTS, Source};
use crate::journal::follower::{Follower, Progress, Slice, Start};
use crate::kernel::{IdGenerator, MessageEventId, Result, TenantId};

/// The follower.
pub struct ProductEvents {
    db: Db,
    ids: Arc<IdGenerator>,
    news: Arc<Notify>,
}

impl ProductEvents {
    /// With the handles of this server.
    pub fn new(app: &App) -> Self {
        Self { db: app.db.clone(), ids: app.ids.clone(), news: app.message_events.clone() }
    }
}

impl Follower for ProductEvents {
    fn name(&self) -> &'static str {
        PRODUCT_EVENTS
    }

    fn start(&self) -> Start {
        Start::Begun
    }

    fn work<'a>(&'a self, slice: &'a Slice) -> BoxFuture<'a, Result<Progress>> {
        async move {
            let (tenant, after, head) = (slice.tenant, slice.after, slice.head);
            let (found, rev) = self.db.read(move |connection| read(connection, tenant, after, head)).await?;
            let progress = Progress { rev, more: rev < head };
            if found.is_empty() {
                return Ok(progress);
            }
            let rows = found
                .into_iter()
                .map(|told| Ok(told.row(MessageEventId(self.ids.next()?), tenant)))
                .collect::<Result<Vec<EventRow>>>()?;
            let slice = slice.clone();
            self.db
                .write(move |connection| {
                    store::insert(connection, &rows)?;
                    slice.advance(connection, rev)
                })
                .await?;
            self.news.notify_one();
            Ok(progress)
        }
        .boxed()
    }
}

/// What is to be told of a piece of the log, and up to which rev that is all.
fn read(connection: &mut AnyConnection, tenant: TenantId, after: i64, head: i64) -> Result<(Vec<Told>, i64)> {
    let mut wanted = rules::store::followed(connection, tenant)?;
    wanted.retain(|event| event.source() == Source::Log);
    if wanted.is_empty() {
        return Ok((Vec::new(), head));
    }
    told(connection, tenant, &wanted, (after, head))
}
