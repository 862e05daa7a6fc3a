//! One search in one read: candidates from the log's end and from the index, each held against the log and the reader's rights.

use std::collections::HashMap;

use super::postings::{Logs, Posting, last_of};
use super::store;
use super::walk::{Step, Walk};
use crate::conversations::access;
use crate::db::AnyConnection;
use crate::domain::actor::Actor;
use crate::domain::conversation::ConversationKind;
use crate::domain::entry::{EntryKind, EntryRow};
use crate::domain::search::{Folded, Query, Range, fold, kind_term, sender_term, texts};
use crate::journal::follower;
use crate::journal::history;
use crate::kernel::{ConversationId, MemberId, Result};
use crate::messages::by_rev::written_before;

/// Messages behind the index that are read from the log itself.
const TAIL: i64 = 500;
/// Most messages that one search holds against the log.
const CHECKED_MAX: usize = 2_000;
/// Most bytes of content that one search holds against the log.
const CHECKED_BYTES: usize = 4 << 20;
/// Candidates that are looked at first, and how many times as many the next time.
const LOOKED: usize = 32;
const GROWTH: usize = 4;
/// Most candidates that are looked at at once.
const LOOKED_MAX: usize = 512;
/// Bytes of content in one page; it then holds fewer messages than were asked for.
const PAGE_BYTES: usize = 262_144;
/// How far a clock may have been off, in milliseconds, where times are looked up in the log.
const CLOCK_MS: i64 = 3_600_000;

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

/// What a search found.
#[derive(Debug, Clone, Default)]
pub struct Found {
    /// The newest first.
    pub hits: Vec<Hit>,
    /// Where it goes on, when it does.
    pub next: Option<Place>,
    /// Whether everything between was looked at.
    pub is_complete: bool,
}

/// Searches. Errors: `not_found` for a conversation that the actor does not see.
pub fn find(connection: &mut AnyConnection, actor: Actor, asked: Asked) -> Result<Found> {
    let Some(logs) = logs(connection, actor, &asked)? else {
        return Ok(Found { is_complete: true, ..Found::default() });
    };
    let head = history::head(connection, actor.tenant)?;
    let from = match asked.from {
        Some(at) => written_before(connection, actor.tenant, at.saturating_sub(CLOCK_MS), head)?,
        None => 0,
    };
    let mut until = asked.below.map_or(head, |(rev, ..)| rev.min(head));
    if let Some(at) = asked.until {
        let last = written_before(connection, actor.tenant, at.saturating_add(CLOCK_MS), head)?;
        until = until.min(last);
    }
    let indexed = follower::position(connection, super::index::SEARCH, actor.tenant)?;
    let mut search = Search { actor, asked, logs, fronts: HashMap::new(), hits: Hits::default() };
    let stopped = match search.tail(connection, (indexed.max(from), until))? {
        Some(place) => Some(place),
        None if search.hits.end.is_some() => None,
        None => search.index(connection, (from, until.min(indexed)))?,
    };
    let next = search.hits.end.or(stopped);
    Ok(Found { is_complete: next.is_none() || search.hits.end.is_some(), hits: search.hits.hits, next })
}

/// The logs that may hold hits; `None` when there is none.
fn logs(connection: &mut AnyConnection, actor: Actor, asked: &Asked) -> Result<Option<Option<Logs>>> {
    let mut logs = store::logs_of_reader(connection, actor)?.map(Logs::of);
    let mut narrow = |ids: Vec<ConversationId>| {
        let asked = Logs::of(ids);
        logs = Some(match logs.take() {
            Some(logs) => logs.and(&asked),
            None => asked,
        });
    };
    if let Some(id) = asked.conversation {
        let access = access::load(connection, &actor, id)?;
        let behind = access.conversation.backstage_id.filter(|_| actor.role.is_staff());
        narrow([Some(id), behind].into_iter().flatten().collect());
    }
    if let Some(customer) = asked.customer {
        let ids = store::logs_of_customer(connection, actor.tenant, customer)?;
        if ids.is_empty() {
            return Ok(None);
        }
        narrow(ids);
    }
    Ok(Some(logs))
}

/// What a reader knows of a log: the conversation in front of it and its customer, when it may read it.
type Front = Option<(ConversationId, Option<MemberId>, bool)>;

struct Search {
    actor: Actor,
    asked: Asked,
    logs: Option<Logs>,
    fronts: HashMap<ConversationId, Front>,
    hits: Hits,
}

#[derive(Default)]
struct Hits {
    hits: Vec<Hit>,
    bytes: usize,
    checked: usize,
    checked_bytes: usize,
    /// The place of the last hit of a full page.
    end: Option<Place>,
}

impl Search {
    /// Looks through what the index does not hold yet. Answers where it goes on when that was not all of it.
    fn tail(&mut self, connection: &mut AnyConnection, window: (i64, i64)) -> Result<Option<Place>> {
        if window.0 >= window.1 {
            return Ok(None);
        }
        let mut rows = store::newest_messages(connection, self.actor.tenant, window, TAIL)?;
        let is_all = i64::try_from(rows.len()).is_ok_and(|count| count < TAIL);
        let last = rows.last().map(place).filter(|_| !is_all);
        if let Some(logs) = &self.logs {
            rows.retain(|row| logs.may_hold(Posting::new(row.rev, row.conversation_id)));
        }
        self.check(connection, rows)?;
        Ok(last)
    }

    /// Walks through the index until the page is full. Answers where it goes on when it looked at enough before that.
    fn index(&mut self, connection: &mut AnyConnection, (from, until): (i64, i64)) -> Result<Option<Place>> {
        let tenant = self.actor.tenant;
        let mut terms = self.asked.query.terms(tenant);
        terms.extend(self.asked.sender.map(|sender| sender_term(tenant, sender)));
        terms.extend(self.asked.kind.and_then(|kind| kind_term(tenant, kind)));
        let Some(mut walk) = Walk::begin(connection, tenant, &terms, (from, until))? else { return Ok(None) };
        let mut look = LOOKED;
        loop {
            let mut found = match walk.step(connection, self.logs.as_ref())? {
                Step::Found(found) => found,
                Step::End => return Ok(None),
                Step::Enough(chunk) => return Ok(Some(above(last_of(chunk)))),
            };
            found.retain(|posting| posting.rev > from && posting.rev <= until);
            let mut rest = &found[..];
            while !rest.is_empty() {
                let (some, others) = rest.split_at(rest.len().min(look));
                let (some, others) = with_siblings(some, others);
                let rows = self.candidates(connection, &some)?;
                self.check(connection, rows)?;
                let last = some.last().map_or(until, |posting| posting.rev);
                if self.hits.end.is_some() {
                    return Ok(None);
                }
                if self.hits.checked >= CHECKED_MAX || self.hits.checked_bytes >= CHECKED_BYTES {
                    return Ok(Some((last, ConversationId(0), 0)));
                }
                look = (look * GROWTH).min(LOOKED_MAX);
                rest = others;
            }
        }
    }

    /// The messages that these postings stand for, the newest first.
    fn candidates(&self, connection: &mut AnyConnection, postings: &[Posting]) -> Result<Vec<EntryRow>> {
        let mut revs: Vec<i64> = postings.iter().map(|posting| posting.rev).collect();
        revs.dedup();
        let mut rows = store::messages(connection, self.actor.tenant, &revs)?;
        let wanted = |row: &EntryRow| postings.contains(&Posting::new(row.rev, row.conversation_id));
        rows.retain(wanted);
        rows.sort_by_key(|row| std::cmp::Reverse(place(row)));
        Ok(rows)
    }

    /// Holds messages, the newest first, against the log, until the page is full.
    fn check(&mut self, connection: &mut AnyConnection, rows: Vec<EntryRow>) -> Result<()> {
        let unknown: Vec<ConversationId> = rows
            .iter()
            .map(|row| row.conversation_id)
            .filter(|id| !self.fronts.contains_key(id))
            .collect::<std::collections::BTreeSet<_>>()
            .into_iter()
            .collect();
        if !unknown.is_empty() {
            let mut known = access::load_many(connection, &self.actor, &unknown)?;
            self.fronts.extend(unknown.into_iter().map(|id| {
                let front = known.remove(&id).map(|access| {
                    let is_note = access.conversation.kind == ConversationKind::Backstage;
                    (access.front().id, access.front().customer_id, is_note)
                });
                (id, front)
            }));
        }
        for row in rows {
            self.hits.checked += 1;
            self.hits.checked_bytes += row.content.len();
            let Some(hit) = self.hit(row) else { continue };
            let is_full = self.hits.hits.len() >= self.asked.limit
                || (!self.hits.hits.is_empty() && self.hits.bytes + hit.entry.content.len() > PAGE_BYTES);
            if is_full {
                self.hits.end = self.hits.hits.last().map(|last| place(&last.entry));
                return Ok(());
            }
            self.hits.bytes += hit.entry.content.len();
            self.hits.hits.push(hit);
        }
        Ok(())
    }

    /// The message as a hit, when it is one.
    fn hit(&self, row: EntryRow) -> Option<Hit> {
        let asked = &self.asked;
        let (front, customer, is_note) = (*self.fronts.get(&row.conversation_id)?)?;
        let is_wanted =
            asked.conversation.is_none_or(|wanted| wanted == front || wanted == row.conversation_id)
                && asked.customer.is_none_or(|wanted| customer == Some(wanted))
                && asked.sender.is_none_or(|wanted| row.sender_id == Some(wanted))
                && asked.kind.is_none_or(|wanted| row.kind == wanted)
                && asked.from.is_none_or(|from| row.created_at >= from)
                && asked.until.is_none_or(|until| row.created_at < until)
                && asked.below.is_none_or(|below| place(&row) < below)
                && row.recalled_at.is_none();
        if !is_wanted {
            return None;
        }
        let texts = texts(row.kind, &row.content);
        let folded: Vec<Folded> = texts.iter().map(|(_, text)| fold(text)).collect();
        let places = asked.query.find(&folded)?;
        let highlights = texts.iter().zip(places).map(|((pointer, _), ranges)| (*pointer, ranges));
        let highlights = highlights.filter(|(_, ranges)| !ranges.is_empty()).collect();
        Some(Hit { front, is_note, entry: row, highlights })
    }
}

fn place(row: &EntryRow) -> Place {
    (row.rev, row.conversation_id, row.seq)
}

/// The place above everything of a rev, and below everything of the next.
const fn above(rev: i64) -> Place {
    (rev + 1, ConversationId(0), 0)
}

/// Moves what shares its rev with the last of `some` from `others` to it: the messages of a rev are looked at together.
fn with_siblings<'a>(some: &[Posting], others: &'a [Posting]) -> (Vec<Posting>, &'a [Posting]) {
    let last = some.last().map(|posting| posting.rev);
    let siblings = others.iter().take_while(|posting| Some(posting.rev) == last).count();
    let (siblings, others) = others.split_at(siblings);
    ([some, siblings].concat(), others)
}
