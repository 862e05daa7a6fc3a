//! The follower that keeps the clocks.
//!
//! Invariants: clocks and what they come from are stored in the transaction that moves the cursor; a cursor at 0 means that
//! nothing stored counts, so that it is taken away first.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;

use super::log::{self, Line, Said};
use super::store;
use crate::app::App;
use crate::db::{AnyConnection, Db};
use crate::domain::sla::clock::{SlaHappening, SlaTrack};
use crate::journal::follower::{Follower, Progress, Slice, Start};
use crate::kernel::{ConversationId, Result, TenantId};

/// The follower's name.
pub const SLA_CLOCKS: &str = "sla_clocks";
/// Entries of one piece.
const ENTRIES: i64 = 500;
/// Entries of one piece on SQLite, where whoever sends a message waits for it.
const ENTRIES_BESIDE: i64 = 100;
/// Conversations that are taken away at once.
const ROWS: i64 = 1_000;
/// How long the writers of the log have for themselves after each piece of a long way.
const PAUSE: Duration = Duration::from_millis(20);

/// Keeps the clocks.
pub struct ClockKeeper {
    db: Db,
}

impl ClockKeeper {
    /// With the handles of this server.
    pub fn new(app: &App) -> Self {
        Self { db: app.db.clone() }
    }
}

impl Follower for ClockKeeper {
    fn name(&self) -> &'static str {
        SLA_CLOCKS
    }

    fn start(&self) -> Start {
        Start::Begun
    }

    fn work<'a>(&'a self, slice: &'a Slice) -> BoxFuture<'a, Result<Progress>> {
        async move {
            let (tenant, after, head) = (slice.tenant, slice.after, slice.head);
            if after == 0 {
                let held = slice.clone();
                let clear = move |connection: &mut AnyConnection| {
                    held.advance(connection, 0)?;
                    store::clear(connection, tenant, ROWS)
                };
                if self.db.write(clear).await? {
                    return Ok(Progress { rev: 0, more: true });
                }
            }
            let most = if self.db.kind().is_server() { ENTRIES } else { ENTRIES_BESIDE };
            let read =
                move |connection: &mut AnyConnection| log::piece(connection, tenant, (after, head), most);
            let (lines, rev) = self.db.read(read).await?;
            if !lines.is_empty() {
                let held = slice.clone();
                let keep = move |connection: &mut AnyConnection| {
                    // Whoever lost its lease waits here and gives up.
                    held.advance(connection, rev)?;
                    keep(connection, tenant, &lines)
                };
                self.db.write(keep).await?;
            }
            if rev < head {
                tokio::time::sleep(PAUSE).await;
            }
            Ok(Progress { rev, more: rev < head })
        }
        .boxed()
    }
}

/// Keeps what these lines say.
fn keep(connection: &mut AnyConnection, tenant: TenantId, lines: &[Line]) -> Result<()> {
    let mut touched: BTreeSet<ConversationId> = lines.iter().map(|line| line.conversation).collect();
    touched.extend(lines.iter().filter_map(|line| match line.said {
        Said::GoesOn(older) => Some(older),
        Said::Happens(_) => None,
    }));
    let touched: Vec<ConversationId> = touched.into_iter().collect();
    let rules = store::rules(connection, tenant)?;
    let mut tracks: HashMap<ConversationId, SlaTrack> = store::tracks(connection, tenant, &touched)?;
    for line in lines {
        let happening = match line.said {
            Said::Happens(happening) => happening,
            Said::GoesOn(older) => match tracks.get(&older).and_then(SlaTrack::asked_at) {
                Some(since) => SlaHappening::AskedElsewhere(since),
                None => continue,
            },
        };
        if let Some(track) = tracks.get_mut(&line.conversation) {
            track.apply(happening, line.at, line.seq, &rules);
        }
    }
    store::replace(connection, tenant, &touched, tracks.into_values())
}
