//! The walk over the index: which messages may hold all terms, the newest first.
//!
//! The sparsest term leads, the two next sparsest are asked at its chunks, and the rest is left to the texts: each further term
//! costs a read and excludes little.

use super::postings::{Logs, Posting, chunk_of, count, first_of, read};
use super::store::{self, Row};
use crate::db::AnyConnection;
use crate::domain::search::Term;
use crate::kernel::{Result, TenantId};

/// Chunks of each term that are read first, and to learn which is the sparsest.
const FIRST: i64 = 4;
/// How many times as many chunks the next step reads.
const GROWTH: i64 = 8;
/// Most chunks of one step.
const STEP_MAX: i64 = 512;
/// About how many postings of all terms one step reads: at most, where each chunk holds many.
const STEP_POSTINGS: usize = 262_144;
/// Most chunks of the leading term that one search reads.
const CHUNKS_MAX: i64 = 4_096;
/// Most postings of the leading term that one search reads.
const POSTINGS_MAX: usize = 2_000_000;
/// How many terms are asked beside the leading one.
const OTHERS: usize = 2;

/// What a step of the walk found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Candidates, in no order; there may be none.
    Found(Vec<Posting>),
    /// There are no more.
    End,
    /// There may be more below this rev, and one search reads no further.
    Enough(i64),
}

/// A walk.
pub struct Walk {
    tenant: TenantId,
    leading: Term,
    others: Vec<Term>,
    /// What was read of the leading term and not looked at yet.
    ahead: Vec<Row>,
    /// The next chunk to be read, and those below it.
    chunk: i64,
    lowest: i64,
    step: i64,
    step_max: i64,
    chunks: i64,
    postings: usize,
    is_over: bool,
}

impl Walk {
    /// Begins at a rev, and goes down to another. `None` when a term is nowhere.
    pub fn begin(
        connection: &mut AnyConnection,
        tenant: TenantId,
        terms: &[Term],
        (from, until): (i64, i64),
    ) -> Result<Option<Self>> {
        let chunk = chunk_of(until);
        let mut known = Vec::with_capacity(terms.len());
        for term in terms {
            let rows = store::newest(connection, tenant, *term, chunk, FIRST)?;
            if rows.is_empty() {
                return Ok(None);
            }
            known.push((density(&rows, chunk), *term, rows));
        }
        known.sort_by_key(|(density, term, _)| (*density, *term));
        let others = known.iter().skip(1).take(OTHERS).map(|(_, term, _)| *term).collect();
        let average = |rows: &[Row]| sum(rows) / rows.len().max(1);
        let together: usize = known.iter().take(1 + OTHERS).map(|(.., rows)| average(rows)).sum();
        let step_max = i64::try_from(STEP_POSTINGS / together.max(1)).unwrap_or(STEP_MAX);
        Ok(known.into_iter().next().map(|(_, leading, ahead)| Self {
            tenant,
            leading,
            others,
            chunk: below(&ahead),
            lowest: chunk_of(from),
            is_over: is_last(&ahead, FIRST),
            chunks: 0,
            postings: 0,
            step: FIRST,
            step_max: step_max.clamp(FIRST, STEP_MAX),
            ahead,
        }))
    }

    /// The lowest rev of what was looked at.
    pub const fn floor(&self) -> i64 {
        first_of(self.chunk + 1)
    }

    /// The next candidates in these logs.
    pub fn step(&mut self, connection: &mut AnyConnection, logs: Option<&Logs>) -> Result<Step> {
        if self.ahead.is_empty() {
            if self.is_over || self.chunk < self.lowest {
                return Ok(Step::End);
            }
            if self.chunks >= CHUNKS_MAX || self.postings >= POSTINGS_MAX {
                return Ok(Step::Enough(self.chunk));
            }
            self.step = (self.step * GROWTH).min(self.step_max);
            self.ahead = store::newest(connection, self.tenant, self.leading, self.chunk, self.step)?;
            self.is_over = is_last(&self.ahead, self.step);
            self.chunk = below(&self.ahead);
        }
        let rows = std::mem::take(&mut self.ahead);
        self.chunks = self.chunks.saturating_add(i64::try_from(rows.len()).unwrap_or(i64::MAX));
        self.postings += sum(&rows);
        let mut found: Vec<Posting> = rows.iter().flat_map(|(chunk, blob)| read(*chunk, blob)).collect();
        if let Some(logs) = logs {
            found.retain(|posting| logs.may_hold(*posting));
        }
        found.sort_unstable();
        found.dedup();
        for term in &self.others {
            let mut chunks: Vec<i64> = found.iter().map(|posting| chunk_of(posting.rev)).collect();
            chunks.dedup();
            if chunks.is_empty() {
                break;
            }
            let rows = store::at(connection, self.tenant, *term, &chunks)?;
            let theirs = rows.iter().flat_map(|(chunk, blob)| read(*chunk, blob));
            let mut both: Vec<Posting> =
                theirs.filter(|posting| found.binary_search(posting).is_ok()).collect();
            both.sort_unstable();
            both.dedup();
            found = both;
        }
        Ok(Step::Found(found))
    }
}

/// Postings in a thousand chunks, as far as the newest rows tell.
fn density(rows: &[Row], chunk: i64) -> usize {
    let lowest = rows.last().map_or(0, |(lowest, _)| *lowest);
    // Fewer rows than were asked for are all that there are.
    let span = if is_last(rows, FIRST) { chunk + 1 } else { chunk - lowest + 1 };
    sum(rows).saturating_mul(1_000) / usize::try_from(span.max(1)).unwrap_or(1)
}

fn sum(rows: &[Row]) -> usize {
    rows.iter().map(|(_, blob)| count(blob)).sum()
}

fn is_last(rows: &[Row], asked: i64) -> bool {
    i64::try_from(rows.len()).is_ok_and(|count| count < asked)
}

fn below(rows: &[Row]) -> i64 {
    rows.last().map_or(-1, |(chunk, _)| chunk - 1)
}
