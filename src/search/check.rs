//! Candidates of a search, each held against the log and the reader's rights, until a page is full.

use std::collections::{BTreeSet, HashMap};

use crate::conversations::access;
use crate::db::AnyConnection;
use crate::domain::actor::Actor;
use crate::domain::conversation::ConversationKind;
use crate::domain::entry::{EntryKind, EntryRow};
use crate::domain::search::{Folded, Query, Range, fold, texts};
use crate::kernel::{ConversationId, MemberId, Result};

/// Most messages that one search holds against the log.
const CHECKED_MAX: usize = 2_000;
/// Most bytes of content that one search holds against the log.
const CHECKED_BYTES: usize = 4 << 20;
/// Bytes of content in one page; it then holds fewer messages than were asked for.
const PAGE_BYTES: usize = 262_144;

/// Where a message stands among all: the newest is the greatest.
pub type Place = (i64, ConversationId, i64);

/// What is looked for, and where.
#[derive(Debug, Clone)]
pub struct Asked {
    /// The words.
    pub query: Query,
    /// Only in this conversation, and behind it.
    pub conversation: Option<ConversationId>,
    /// Only in conversations of this customer, and behind them.
    pub customer: Option<MemberId>,
    /// Only what this member wrote.
    pub sender: Option<MemberId>,
    /// Only messages of this kind.
    pub kind: Option<EntryKind>,
    /// Only what was written at this time or later, unix milliseconds.
    pub from: Option<i64>,
    /// Only what was written before this time, unix milliseconds.
    pub until: Option<i64>,
    /// Only what is older than this place.
    pub below: Option<Place>,
    /// How many.
    pub limit: usize,
}

/// A message that was found.
#[derive(Debug, Clone)]
pub struct Hit {
    /// The conversation that the reader knows: of a note, the one that it stands behind.
    pub front: ConversationId,
    /// Whether it is a note.
    pub is_note: bool,
    /// The message.
    pub entry: EntryRow,
    /// Where the words stand, by the pointer of the text.
    pub highlights: Vec<(&'static str, Vec<Range>)>,
}

/// What a reader knows of a log, when it may read it.
#[derive(Debug, Clone, Copy)]
struct Front {
    /// The conversation in front of it, or itself.
    id: ConversationId,
    customer: Option<MemberId>,
    is_note: bool,
}

/// A page that is filled.
pub(super) struct Checked {
    actor: Actor,
    asked: Asked,
    fronts: HashMap<ConversationId, Option<Front>>,
    /// What was found.
    pub(super) hits: Vec<Hit>,
    /// The place of the last hit, when the page is full and there is another one.
    pub(super) end: Option<Place>,
    bytes: usize,
    checked: usize,
    checked_bytes: usize,
}

impl Checked {
    /// An empty page.
    pub(super) fn new(actor: Actor, asked: Asked) -> Self {
        Self {
            actor,
            asked,
            fronts: HashMap::new(),
            hits: Vec::new(),
            end: None,
            bytes: 0,
            checked: 0,
            checked_bytes: 0,
        }
    }

    /// Whether one search has looked at enough.
    pub(super) fn is_enough(&self) -> bool {
        self.checked >= CHECKED_MAX || self.checked_bytes >= CHECKED_BYTES
    }

    /// Takes messages, the newest first, until the page is full.
    pub(super) fn take(&mut self, connection: &mut AnyConnection, rows: Vec<EntryRow>) -> Result<()> {
        self.learn(connection, &rows)?;
        for row in rows {
            self.checked += 1;
            self.checked_bytes += row.content.len();
            let Some(hit) = self.hit(row) else { continue };
            let is_full = self.hits.len() >= self.asked.limit
                || (!self.hits.is_empty() && self.bytes + hit.entry.content.len() > PAGE_BYTES);
            if is_full {
                self.end = self.hits.last().map(|last| place(&last.entry));
                return Ok(());
            }
            self.bytes += hit.entry.content.len();
            self.hits.push(hit);
        }
        Ok(())
    }

    /// Learns which of the logs of these messages the reader may read.
    fn learn(&mut self, connection: &mut AnyConnection, rows: &[EntryRow]) -> Result<()> {
        let logs: BTreeSet<ConversationId> = rows.iter().map(|row| row.conversation_id).collect();
        let unknown: Vec<ConversationId> =
            logs.into_iter().filter(|id| !self.fronts.contains_key(id)).collect();
        if unknown.is_empty() {
            return Ok(());
        }
        let known = access::load_many(connection, &self.actor, &unknown)?;
        self.fronts.extend(unknown.into_iter().map(|id| {
            let front = known.get(&id).map(|access| Front {
                id: access.front().id,
                customer: access.front().customer_id,
                is_note: access.conversation.kind == ConversationKind::Backstage,
            });
            (id, front)
        }));
        Ok(())
    }

    /// The message as a hit, when it is one.
    fn hit(&self, row: EntryRow) -> Option<Hit> {
        let asked = &self.asked;
        let front = (*self.fronts.get(&row.conversation_id)?)?;
        let is_wanted =
            asked.conversation.is_none_or(|wanted| wanted == front.id || wanted == row.conversation_id)
                && asked.customer.is_none_or(|wanted| front.customer == Some(wanted))
                && asked.sender.is_none_or(|wanted| row.sender_id == Some(wanted))
                && asked.kind.is_none_or(|wanted| row.kind == wanted)
                && asked.from.is_none_or(|from| row.created_at >= from)
                && asked.until.is_none_or(|until| row.created_at < until)
                && asked.below.is_none_or(|below| place(&row) < below)
                && !row.is_wordless();
        if !is_wanted {
            return None;
        }
        let texts = texts(row.kind, &row.content);
        let folded: Vec<Folded> = texts.iter().map(|(_, text)| fold(text)).collect();
        let places = asked.query.find(&folded)?;
        let highlights = texts.iter().zip(places).map(|((pointer, _), ranges)| (*pointer, ranges));
        let highlights = highlights.filter(|(_, ranges)| !ranges.is_empty()).collect();
        Some(Hit { front: front.id, is_note: front.is_note, entry: row, highlights })
    }
}

/// Where a message stands.
pub(super) fn place(row: &EntryRow) -> Place {
    (row.rev, row.conversation_id, row.seq)
}
