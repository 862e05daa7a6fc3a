//! The follower that writes the index.
//!
//! Invariants: postings are stored in the transaction that moves the cursor; a message that was edited is found by its new words
//! at its old place. Old words stay in the index and lead to nothing, since the log decides.

use std::time::{Duration, Instant};

use futures_util::FutureExt;
use futures_util::future::BoxFuture;

use super::postings::{Posting, Postings};
use super::store;
use crate::db::{AnyConnection, Db};
use crate::domain::entry::{EntryKind, EntryRow};
use crate::domain::search::{Beginnings, fold, kind_term, sender_term, term, texts, tokens};
use crate::journal::follower::{Follower, Progress, Slice, Start};
use crate::journal::history;
use crate::kernel::{ConversationId, Result, TenantId};
use crate::messages;

/// The follower's name.
pub const SEARCH: &str = "search";
/// Entries of one piece.
const ENTRIES: i64 = 500;
/// How many times as long as a piece took the writers of the log have for themselves, when they are at least as fast as the index.
const YIELD: i64 = 20;
/// The longest that one piece gives way.
const YIELD_MAX: Duration = Duration::from_secs(5);

/// Writes the index of messages.
pub struct Indexer {
    /// The store.
    pub db: Db,
}

impl Follower for Indexer {
    fn name(&self) -> &'static str {
        SEARCH
    }

    fn start(&self) -> Start {
        Start::Beginning
    }

    fn work<'a>(&'a self, slice: &'a Slice) -> BoxFuture<'a, Result<Progress>> {
        async move {
            let (tenant, after, head) = (slice.tenant, slice.after, slice.head);
            let began = Instant::now();
            let (postings, rev) =
                self.db.read(move |connection| piece(connection, tenant, (after, head))).await?;
            let progress = Progress { rev, more: rev < head };
            if postings.is_empty() {
                return Ok(progress);
            }
            let held = slice.clone();
            self.db
                .write(move |connection| {
                    store::add(connection, tenant, &postings)?;
                    held.advance(connection, rev)
                })
                .await?;
            let took = began.elapsed();
            let now = self.db.read(move |connection| history::head(connection, tenant)).await?;
            tokio::time::sleep(rest(took, now - head, rev - after)).await;
            Ok(progress)
        }
        .boxed()
    }
}

/// How long the index gives way to the log after a piece: the longer, the more the log has grown meanwhile, against what was
/// indexed. On SQLite both write through one door, and everywhere they share the disk.
fn rest(took: Duration, grown: i64, done: i64) -> Duration {
    let times = (YIELD * grown.max(0) / done.max(1)).min(YIELD);
    took.saturating_mul(u32::try_from(times).unwrap_or_default()).min(YIELD_MAX)
}

/// The postings of the next piece of a log, and up to which rev these are all.
fn piece(connection: &mut AnyConnection, tenant: TenantId, window: (i64, i64)) -> Result<(Postings, i64)> {
    let kinds = [EntryKind::Text, EntryKind::Card, EntryKind::Custom, EntryKind::Edited];
    let (entries, rev) = messages::by_rev::following(connection, tenant, &kinds, window, ENTRIES)?;
    let edited: Vec<(ConversationId, i64)> = entries
        .iter()
        .filter(|entry| entry.kind == EntryKind::Edited)
        .filter_map(|entry| Some((entry.conversation_id, entry.ref_seq?)))
        .collect();
    let changed = messages::store::entries_at(connection, tenant, &edited)?;
    let mut postings = Postings::new();
    for entry in entries.iter().filter(|entry| entry.kind.is_message()).chain(&changed) {
        add(tenant, entry, &mut postings);
    }
    Ok((postings, rev))
}

/// Adds what a message is found by.
fn add(tenant: TenantId, entry: &EntryRow, postings: &mut Postings) {
    let mut terms = Vec::new();
    for (_, text) in texts(entry.kind, &entry.content) {
        let folded = fold(&text);
        tokens(&folded.chars, Beginnings::All, |token| terms.push(term(tenant, token)));
    }
    if terms.is_empty() {
        return;
    }
    terms.extend(entry.sender_id.map(|sender| sender_term(tenant, sender)));
    terms.extend(kind_term(tenant, entry.kind));
    terms.sort_unstable();
    terms.dedup();
    let posting = Posting::new(entry.rev, entry.conversation_id);
    terms.into_iter().for_each(|term| posting.add(term, postings));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_index_gives_way_as_the_log_grows() {
        let took = Duration::from_millis(100);
        assert_eq!(rest(took, 0, 500), Duration::ZERO);
        assert_eq!(rest(took, 20, 500), Duration::ZERO, "an ordinary day");
        assert_eq!(rest(took, 100, 500), took * 4);
        assert_eq!(rest(took, 500, 500), took * 20);
        assert_eq!(rest(took, 5_000, 500), took * 20);
        assert_eq!(rest(took * 10, 5_000, 500), YIELD_MAX);
        assert_eq!(rest(took, -1, 0), Duration::ZERO);
    }
}
