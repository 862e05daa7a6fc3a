//! The tenant's feed: every entry of every log in commit order, for integrators.
//!
//! Invariants: the head is read before the scan, and the cursor never passes what was scanned; entries of one rev are
//! never torn apart; notes are handed out only when they were asked for by name; rooms of the staff never.

use std::collections::HashMap;

use diesel::prelude::*;

use crate::app::App;
use crate::db::AnyConnection;
use crate::db::schema::{conversation, group_message};
use crate::domain::actor::Actor;
use crate::domain::conversation::ConversationKind;
use crate::domain::entry::{Entry, EntryKind, EntryRow};
use crate::domain::permission::{self, Operation};
use crate::http::page;
use crate::journal::history;
use crate::kernel::{ConversationId, Result, TenantId};

use super::api::{FeedPage, FeedQuery, Include};
use super::cursor::{Cursor, Reader};

/// How many rows are read at once.
const CHUNK: i64 = 250;
/// How many revs one statement looks at: a narrow range, so that every database walks the index of revs from its
/// start and none sorts what lies beyond.
const WINDOW: i64 = 5_000;
/// After so many rows the page ends, whether they matched or not. A window counts as some rows, also when it is
/// empty.
const SCAN: usize = 5_000;
/// As how many rows a window counts.
const WINDOW_COUNTS: usize = 250;

/// One page of the feed. Administrators only.
pub async fn feed(app: &App, actor: Actor, query: FeedQuery) -> Result<FeedPage> {
    permission::require(&actor, Operation::ReadFeed)?;
    if query.include == Some(Include::Backstage) {
        permission::require(&actor, Operation::ReadNotes)?;
    }
    let limit = usize::try_from(page::limit(query.limit)?).unwrap_or_default();
    let after = query.after.as_deref().map(str::parse::<Cursor>).transpose()?;
    let reader = Reader::tenant(&app.epoch, actor.tenant);
    app.db
        .read(move |connection| {
            let head = history::head(connection, actor.tenant)?;
            let after = after.map(|cursor| cursor.check(reader, head)).transpose()?.unwrap_or(0);
            let backstage = query.include == Some(Include::Backstage);
            let mut scan = Scan { kind: query.kind, backstage, limit, head, kinds: HashMap::new() };
            let (rows, rev) = scan.run(connection, actor.tenant, after)?;
            Ok(FeedPage {
                data: rows.into_iter().map(Entry::from).collect(),
                next_cursor: reader.at(rev).to_string(),
                more: rev < head,
            })
        })
        .await
}

struct Scan {
    kind: Option<EntryKind>,
    backstage: bool,
    limit: usize,
    head: i64,
    kinds: HashMap<ConversationId, ConversationKind>,
}

impl Scan {
    /// The matching entries after a rev, and the last rev that was scanned whole.
    fn run(
        &mut self,
        connection: &mut AnyConnection,
        tenant: TenantId,
        after: i64,
    ) -> Result<(Vec<EntryRow>, i64)> {
        let mut found: Vec<EntryRow> = Vec::new();
        let mut place = (after, i64::MAX, i64::MAX);
        let mut scanned = 0;
        loop {
            let until = self.head.min(place.0.saturating_add(WINDOW));
            let rows = chunk(connection, tenant, place, until)?;
            let exhausted = (rows.len() as i64) < CHUNK;
            self.learn_rooms(connection, tenant, &rows)?;
            scanned += WINDOW_COUNTS;
            for row in rows {
                // Both limits take effect between revs only.
                if row.rev > place.0 && place.0 > after && (found.len() >= self.limit || scanned >= SCAN) {
                    return Ok((found, place.0));
                }
                place = (row.rev, row.conversation_id.0, row.seq);
                scanned += 1;
                if self.wants(&row) {
                    found.push(row);
                }
            }
            if exhausted {
                if until >= self.head || found.len() >= self.limit || scanned >= SCAN {
                    return Ok((found, until.max(after)));
                }
                place = (until, i64::MAX, i64::MAX);
            }
        }
    }

    fn wants(&self, row: &EntryRow) -> bool {
        let wanted = match self.kinds.get(&row.conversation_id) {
            Some(ConversationKind::Support) => true,
            Some(ConversationKind::Backstage) => self.backstage,
            // What is said in rooms is for who is in them.
            Some(ConversationKind::Group | ConversationKind::Direct) | None => false,
        };
        wanted && self.kind.is_none_or(|kind| kind == row.kind)
    }

    fn learn_rooms(
        &mut self,
        connection: &mut AnyConnection,
        tenant: TenantId,
        rows: &[EntryRow],
    ) -> Result<()> {
        let mut unknown: Vec<ConversationId> =
            rows.iter().map(|row| row.conversation_id).filter(|id| !self.kinds.contains_key(id)).collect();
        unknown.sort_unstable();
        unknown.dedup();
        if unknown.is_empty() {
            return Ok(());
        }
        let kinds: Vec<(ConversationId, ConversationKind)> = conversation::table
            .filter(conversation::id.eq_any(unknown).and(conversation::tenant_id.eq(tenant)))
            .select((conversation::id, conversation::kind))
            .load(connection)?;
        self.kinds.extend(kinds);
        Ok(())
    }
}

/// The next rows after a place `(rev, conversation, seq)`, up to a rev.
fn chunk(
    connection: &mut AnyConnection,
    tenant: TenantId,
    (rev, id, seq): (i64, i64, i64),
    until: i64,
) -> Result<Vec<EntryRow>> {
    let later_in_room = group_message::conversation_id.eq(id).and(group_message::seq.gt(seq));
    let later_in_rev = group_message::conversation_id.gt(id).or(later_in_room);
    Ok(group_message::table
        .filter(group_message::tenant_id.eq(tenant))
        .filter(group_message::rev.ge(rev).and(group_message::rev.le(until)))
        .filter(group_message::rev.gt(rev).or(later_in_rev))
        .order((group_message::rev.asc(), group_message::conversation_id.asc(), group_message::seq.asc()))
        .limit(CHUNK)
        .select(EntryRow::as_select())
        .load(connection)?)
}
