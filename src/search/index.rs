//! The follower that writes the index.
//!
//! Invariants: what is found is stored in the transaction that moves the cursor; a message that was edited is found by its new
//! words at its old place. Old words stay in the index and lead to nothing, since the log decides.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;

use super::postings::{Posting, Postings};
use super::{store, terms};
use crate::app::App;
use crate::db::{AnyConnection, Db};
use crate::domain::entry::{EntryKind, EntryRow};
use crate::domain::search::{
    Beginnings, ObjectType, Term, fold, kind_term, object_terms, sender_term, term, texts, tokens,
};
use crate::journal::follower::fold::{ENTRIES, ENTRIES_BESIDE, give_way};
use crate::journal::follower::{Follower, Progress, Slice, Start};
use crate::journal::{Journal, history};
use crate::kernel::{ConversationId, Result, TenantId};
use crate::messages;

/// The follower's name.
pub const SEARCH: &str = "search";
/// Writes the index of messages. The log goes first: on SQLite both write through one door, and everywhere they share the disk.
pub struct Indexer {
    db: Db,
    journal: Journal,
    /// Whether the log grew during the last piece.
    grows: AtomicBool,
}

impl Indexer {
    /// With the handles of this server.
    pub fn new(app: &App) -> Self {
        Self { db: app.db.clone(), journal: app.journal.clone(), grows: AtomicBool::new(true) }
    }

    /// Entries of the next piece.
    fn entries(&self) -> i64 {
        match self.db.kind().is_server() || !self.grows.load(Ordering::Relaxed) {
            true => ENTRIES,
            false => ENTRIES_BESIDE,
        }
    }
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
            let (began, most) = (Instant::now(), self.entries());
            let (tenant, after, head) = (slice.tenant, slice.after, slice.head);
            let read = move |connection: &mut AnyConnection| piece(connection, tenant, (after, head), most);
            let (news, rev) = self.db.read(read).await?;
            let progress = Progress { rev, more: rev < head };
            if news.postings.is_empty() && news.subjects.is_empty() {
                return Ok(progress);
            }
            let held = slice.clone();
            let now = self
                .db
                .write(move |connection| {
                    store::add(connection, tenant, &news.postings)?;
                    terms::add(connection, tenant, ObjectType::Conversation, &news.subjects)?;
                    held.advance(connection, rev)?;
                    history::head(connection, tenant)
                })
                .await?;
            self.grows.store(now > head, Ordering::Relaxed);
            give_way(&self.journal, began.elapsed()).await;
            Ok(progress)
        }
        .boxed()
    }
}

/// What a piece of a log brings.
struct News {
    /// Of messages.
    postings: Postings,
    /// The terms of conversations that have a subject, by their ids.
    subjects: Vec<(i64, Vec<Term>)>,
}

/// What the next piece of a log brings, and up to which rev this is all.
fn piece(
    connection: &mut AnyConnection,
    tenant: TenantId,
    window: (i64, i64),
    most: i64,
) -> Result<(News, i64)> {
    let kinds =
        [EntryKind::Text, EntryKind::Card, EntryKind::Edited, EntryKind::Opened, EntryKind::SubjectChanged];
    let (entries, rev) = messages::by_rev::following(connection, tenant, &kinds, window, most)?;
    let edits = entries.iter().filter(|entry| entry.kind == EntryKind::Edited);
    let edited: BTreeSet<(ConversationId, i64)> =
        edits.filter_map(|entry| Some((entry.conversation_id, entry.ref_seq?))).collect();
    let edited: Vec<_> = edited.into_iter().collect();
    let mut changed = messages::store::entries_at(connection, tenant, &edited)?;
    // What was written in this piece has its new words already.
    changed.retain(|entry| entry.rev <= window.0);
    let mut postings = Postings::new();
    for entry in entries.iter().filter(|entry| entry.kind.is_message()).chain(&changed) {
        add(tenant, entry, &mut postings);
    }
    let named = |entry: &&EntryRow| matches!(entry.kind, EntryKind::Opened | EntryKind::SubjectChanged);
    let named: BTreeSet<ConversationId> =
        entries.iter().filter(named).map(|entry| entry.conversation_id).collect();
    let subjects = store::subjects(connection, tenant, named)?.into_iter();
    let subjects = subjects.map(|(id, subject)| (id.0, object_terms(tenant, [&*subject]))).collect();
    Ok((News { postings, subjects }, rev))
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
