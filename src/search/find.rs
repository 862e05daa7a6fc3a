//! One search in one read: candidates from the log's end and from the index.

use super::Found;
use super::check::{Asked, Checked, Hit, Place, place};
use super::postings::{Logs, Posting, last_of};
use super::store;
use super::walk::{Step, Walk};
use crate::conversations::access;
use crate::db::AnyConnection;
use crate::domain::actor::Actor;
use crate::domain::entry::EntryRow;
use crate::domain::permission::{Operation, Scope, reach};
use crate::domain::search::{Term, kind_term, sender_term};
use crate::journal::{follower, history};
use crate::kernel::{ConversationId, Result, TenantId};
use crate::messages::by_rev::{last_imported, written_before};
use crate::messages::store::entries_at;

/// Messages behind the index that are read from the log itself, and edits.
const TAIL: i64 = 500;
/// Revs behind the index among which edits are looked for.
const EDITS_WITHIN: i64 = 5_000;
/// Candidates that are looked at first, and how many times as many the next time.
const LOOKED: usize = 32;
const GROWTH: usize = 4;
/// Most candidates that are looked at at once.
const LOOKED_MAX: usize = 512;
/// How far a clock may have been off, in milliseconds, where times are looked up in the log.
const CLOCK_MS: i64 = 3_600_000;

/// Searches. Errors: `not_found` for a conversation that the actor does not see.
pub fn find(connection: &mut AnyConnection, actor: Actor, asked: Asked) -> Result<Found<Hit, Place>> {
    let tenant = actor.tenant;
    let Some(logs) = logs(connection, actor, &asked)? else { return Ok(Found::nothing()) };
    let head = history::head(connection, tenant)?;
    let from = match asked.from {
        Some(at) => written_before(connection, tenant, at.saturating_sub(CLOCK_MS), head)?,
        None => 0,
    };
    let mut until = asked.below.map_or(head, |(rev, ..)| rev.min(head));
    if let Some(at) = asked.until {
        let last = written_before(connection, tenant, at.saturating_add(CLOCK_MS), head)?;
        // Imported messages are older than the revs of their import: they stand above this one.
        let last = last.max(last_imported(connection, tenant)?);
        until = until.min(last);
    }
    let mut terms = asked.query.terms(tenant);
    terms.extend(asked.sender.map(|sender| sender_term(tenant, sender)));
    terms.extend(asked.kind.and_then(|kind| kind_term(tenant, kind)));
    let indexed = follower::position(connection, super::index::SEARCH, tenant)?;
    let mut search = Search { tenant, logs, page: Checked::new(actor, asked) };
    let stopped = match search.tail(connection, (indexed.max(from), until))? {
        Some(place) => Some(place),
        None if search.page.end.is_some() => None,
        None => {
            let edited = search.edited(connection, (indexed, head))?;
            search.index(connection, &terms, (from, until.min(indexed)), edited)?
        }
    };
    let next = search.page.end.or(stopped);
    let is_complete = next.is_none() || search.page.end.is_some();
    Ok(Found { hits: search.page.hits, next, is_complete })
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
        let notes = reach(&actor, Operation::ReadNotes) != Scope::Never;
        let behind = access.conversation.backstage_id.filter(|_| notes);
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

struct Search {
    tenant: TenantId,
    /// In which logs candidates may stand; `None`: in any.
    logs: Option<Logs>,
    page: Checked,
}

impl Search {
    fn may_hold(&self, posting: Posting) -> bool {
        self.logs.as_ref().is_none_or(|logs| logs.may_hold(posting))
    }

    /// Looks through what the index does not hold yet. Answers where it goes on when that was not all of it.
    fn tail(&mut self, connection: &mut AnyConnection, window: (i64, i64)) -> Result<Option<Place>> {
        if window.0 >= window.1 {
            return Ok(None);
        }
        let mut rows = store::newest_messages(connection, self.tenant, window, TAIL)?;
        let is_all = i64::try_from(rows.len()).is_ok_and(|count| count < TAIL);
        let last = rows.last().map(place).filter(|_| !is_all);
        rows.retain(|row| self.may_hold(Posting::new(row.rev, row.conversation_id)));
        self.page.take(connection, rows)?;
        Ok(last)
    }

    /// Messages in the index that were edited since, the newest first: it does not know their new words.
    fn edited(&self, connection: &mut AnyConnection, (indexed, head): (i64, i64)) -> Result<Vec<Posting>> {
        // An index that is further behind is being written, and its answers say that they are not complete.
        if head <= indexed || head - indexed > EDITS_WITHIN {
            return Ok(Vec::new());
        }
        let places = store::newest_edits(connection, self.tenant, (indexed, head), TAIL)?;
        let rows = entries_at(connection, self.tenant, &places)?;
        let postings = rows.iter().map(|row| Posting::new(row.rev, row.conversation_id));
        let mut postings: Vec<Posting> =
            postings.filter(|one| one.rev <= indexed && self.may_hold(*one)).collect();
        newest_first(&mut postings);
        Ok(postings)
    }

    /// Walks through the index, and through what was edited since it was written, until the page is full. Answers where it goes
    /// on when it looked at enough before that.
    fn index(
        &mut self,
        connection: &mut AnyConnection,
        terms: &[Term],
        (from, until): (i64, i64),
        mut edited: Vec<Posting>,
    ) -> Result<Option<Place>> {
        let mut walk = Walk::begin(connection, self.tenant, terms, (from, until))?;
        let mut look = LOOKED;
        loop {
            let step = match &mut walk {
                Some(walk) => walk.step(connection, self.logs.as_ref())?,
                None => Step::End,
            };
            let (mut found, is_end) = match step {
                Step::Found(found) => (found, false),
                Step::End => (Vec::new(), true),
                Step::Enough(chunk) => return Ok(Some(above(last_of(chunk)))),
            };
            let floor = walk.as_ref().filter(|_| !is_end).map_or(i64::MIN, Walk::floor);
            let later = edited.partition_point(|posting| posting.rev >= floor);
            found.extend(edited.drain(..later));
            found.retain(|posting| posting.rev > from && posting.rev <= until);
            newest_first(&mut found);
            let mut rest = &found[..];
            while !rest.is_empty() {
                let (some, others) = rest.split_at(rest.len().min(look));
                let (some, others) = with_siblings(some, others);
                let rows = self.candidates(connection, &some)?;
                self.page.take(connection, rows)?;
                if self.page.end.is_some() {
                    return Ok(None);
                }
                if self.page.is_enough() {
                    return Ok(some.last().map(|last| (last.rev, ConversationId(0), 0)));
                }
                look = (look * GROWTH).min(LOOKED_MAX);
                rest = others;
            }
            if is_end {
                return Ok(None);
            }
        }
    }

    /// The messages that these postings stand for, the newest first.
    fn candidates(&self, connection: &mut AnyConnection, postings: &[Posting]) -> Result<Vec<EntryRow>> {
        let mut revs: Vec<i64> = postings.iter().map(|posting| posting.rev).collect();
        revs.dedup();
        let mut rows = store::messages(connection, self.tenant, &revs)?;
        rows.retain(|row| postings.contains(&Posting::new(row.rev, row.conversation_id)));
        rows.sort_by_key(|row| std::cmp::Reverse(place(row)));
        Ok(rows)
    }
}

fn newest_first(postings: &mut Vec<Posting>) {
    postings.sort_unstable_by(|one, other| other.cmp(one));
    postings.dedup();
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
