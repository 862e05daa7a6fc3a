//! The follower that counts.

use std::collections::{BTreeSet, HashMap};

use super::log::{self, Line, Said};
use super::store;
use crate::db::{AnyConnection, rollup};
use crate::domain::report::stretch::{Happening, StretchRow};
use crate::domain::report::tally::Tally;
use crate::journal::calendars;
use crate::journal::follower::Start;
use crate::journal::follower::fold::Fold;
use crate::kernel::{ConversationId, Result, TenantId};

/// The follower's name.
pub const REPORTS: &str = "reports";
/// Rows that are taken away at once.
const ROWS: i64 = 2_000;

/// Counts.
pub struct Counter;

impl Fold for Counter {
    type Line = Line;
    const NAME: &'static str = REPORTS;
    const START: Start = Start::Beginning;

    fn clear(connection: &mut AnyConnection, tenant: TenantId) -> Result<bool> {
        store::clear(connection, tenant, ROWS)
    }

    fn read(
        connection: &mut AnyConnection,
        tenant: TenantId,
        window: (i64, i64),
        most: i64,
    ) -> Result<(Vec<Line>, i64)> {
        log::piece(connection, tenant, window, most)
    }

    fn keep(connection: &mut AnyConnection, tenant: TenantId, lines: &[Line]) -> Result<()> {
        let mut touched: BTreeSet<ConversationId> = lines.iter().map(|line| line.conversation).collect();
        touched.extend(lines.iter().filter_map(|line| match line.said {
            Said::GoesOn(older) => Some(older),
            _ => None,
        }));
        let touched: Vec<ConversationId> = touched.into_iter().collect();
        let stored = store::stretches(connection, tenant, &touched)?;
        let mut stretches: HashMap<ConversationId, Stretch> =
            stored.into_iter().map(|row| (row.conversation_id, Stretch { row, goes_on: true })).collect();
        let mut tally = Tally::new(calendars::load(connection, tenant)?);
        for line in lines {
            take(&mut stretches, tenant, line, &mut tally);
        }
        let mut rows: Vec<StretchRow> =
            stretches.into_values().filter(|one| one.goes_on).map(|one| one.row).collect();
        rows.sort_by_key(|row| row.conversation_id);
        store::replace(connection, tenant, &touched, &rows)?;
        rollup::add(connection, tenant, tally.cells())
    }
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
