//! The follower that counts.
//!
//! Invariants: what was counted and the stretches that go on are stored in the transaction that moves the cursor; a cursor at 0
//! means that nothing stored counts, so that it is taken away first, also after a rebuild that was killed.

use std::collections::{BTreeSet, HashMap};
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use futures_util::future::BoxFuture;

use super::log::{self, Line, Said};
use super::store;
use crate::app::App;
use crate::db::{AnyConnection, Db, rollup};
use crate::domain::report::stretch::{Happening, StretchRow};
use crate::domain::report::tally::Tally;
use crate::journal::Journal;
use crate::journal::follower::{Follower, Progress, Slice, Start};
use crate::kernel::{ConversationId, Result, TenantId};

/// The follower's name.
pub const REPORTS: &str = "reports";
/// Entries of one piece.
const ENTRIES: i64 = 500;
/// Entries of one piece on SQLite, where whoever sends a message waits for it.
const ENTRIES_BESIDE: i64 = 100;
/// Rows that are taken away at once.
const ROWS: i64 = 2_000;
/// How long the writers of the log have for themselves after each piece.
const PAUSE: Duration = Duration::from_millis(20);
/// Commands that wait for a lane after the pause when the writers have all that they can do.
const DEEP: usize = 32;
/// How many times as long as a piece took they have for themselves then, and how long at most.
const YIELD: u32 = 20;
const YIELD_MAX: Duration = Duration::from_secs(5);

/// Counts. The log goes first: on SQLite both write through one door, and everywhere they share the disk.
pub struct Counter {
    db: Db,
    journal: Journal,
}

impl Counter {
    /// With the handles of this server.
    pub fn new(app: &App) -> Self {
        Self { db: app.db.clone(), journal: app.journal.clone() }
    }

    async fn store(&self, slice: &Slice, lines: Vec<Line>, rev: i64) -> Result<()> {
        let (began, held, tenant) = (Instant::now(), slice.clone(), slice.tenant);
        self.db
            .write(move |connection| {
                // Whoever lost its lease waits here and gives up.
                held.advance(connection, rev)?;
                count(connection, tenant, &lines)
            })
            .await?;
        let took = began.elapsed();
        tokio::time::sleep(PAUSE).await;
        if self.journal.depth() >= DEEP {
            tokio::time::sleep(took.saturating_mul(YIELD).min(YIELD_MAX)).await;
        }
        Ok(())
    }
}

impl Follower for Counter {
    fn name(&self) -> &'static str {
        REPORTS
    }

    fn start(&self) -> Start {
        Start::Beginning
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
                self.store(slice, lines, rev).await?;
            }
            Ok(Progress { rev, more: rev < head })
        }
        .boxed()
    }
}

/// Counts what these lines say, and keeps the stretches that go on.
fn count(connection: &mut AnyConnection, tenant: TenantId, lines: &[Line]) -> Result<()> {
    let mut touched: BTreeSet<ConversationId> = lines.iter().map(|line| line.conversation).collect();
    touched.extend(lines.iter().filter_map(|line| match line.said {
        Said::GoesOn(older) => Some(older),
        _ => None,
    }));
    let touched: Vec<ConversationId> = touched.into_iter().collect();
    let stored = store::stretches(connection, tenant, &touched)?;
    let mut stretches: HashMap<ConversationId, Stretch> =
        stored.into_iter().map(|row| (row.conversation_id, Stretch { row, goes_on: true })).collect();
    let mut tally = Tally::default();
    for line in lines {
        take(&mut stretches, tenant, line, &mut tally);
    }
    let mut rows: Vec<StretchRow> =
        stretches.into_values().filter(|one| one.goes_on).map(|one| one.row).collect();
    rows.sort_by_key(|row| row.conversation_id);
    store::replace(connection, tenant, &touched, &rows)?;
    rollup::add(connection, tenant, tally.cells())
}

/// A stretch. One that is over is kept until the piece is, since a conversation may go on with what was asked in it.
struct Stretch {
    row: StretchRow,
    goes_on: bool,
}

fn take(stretches: &mut HashMap<ConversationId, Stretch>, tenant: TenantId, line: &Line, tally: &mut Tally) {
    let happening = match line.said {
        Said::Begins(group) => {
            let row = StretchRow::begin(tenant, line.conversation, group, line.at, tally);
            stretches.insert(line.conversation, Stretch { row, goes_on: true });
            return;
        }
        Said::Rated { at, before, score, credit } => {
            if let Some(before) = before {
                tally.rating(at, before, false, credit);
            }
            tally.rating(at, score, true, credit);
            return;
        }
        Said::GoesOn(older) => match stretches.get(&older).and_then(|older| older.row.asked_at) {
            Some(since) => Happening::AskedElsewhere(since),
            None => return,
        },
        Said::Happens(happening) => happening,
    };
    if let Some(stretch) = stretches.get_mut(&line.conversation).filter(|stretch| stretch.goes_on) {
        stretch.goes_on = stretch.row.apply(happening, line.at, tally);
    }
}
