//! Which entries a returning client gets before `live`: those after the positions that it named, up to a budget of
//! entries and bytes. Beyond it a log is told by its head alone, so that the client knows to pull.

use super::missed::Missed;
use super::protocol::client::Hello;
use super::protocol::limits::{REPLAY_BYTES, REPLAY_ENTRIES};
use super::protocol::server::Entries;
use crate::conversations::access;
use crate::db::AnyConnection;
use crate::domain::actor::Actor;
use crate::domain::entry::{Entry, EntryRow};
use crate::kernel::{ConversationId, Result};
use crate::messages::budget::Budget;
use crate::messages::store::{self, Range};

/// A log with entries that the client lacks.
struct Behind {
    range: Range,
    head: i64,
    entries: Vec<Entry>,
}

/// Adds to `missed` the logs that the client named. The number of queries does not depend on theirs.
pub fn logs(connection: &mut AnyConnection, actor: &Actor, hello: &Hello, missed: &mut Missed) -> Result<()> {
    let ids: Vec<ConversationId> = hello.conversations.iter().map(|one| one.0).collect();
    if ids.is_empty() {
        return Ok(());
    }
    let found = access::load_many(connection, actor, &ids)?;
    let mut behind: Vec<Behind> = Vec::new();
    let mut entries_left = REPLAY_ENTRIES as i64;
    for (id, seq) in &hello.conversations {
        let Some(access) = found.get(id) else {
            missed.gone.push(*id);
            continue;
        };
        let head = access.conversation.seq;
        if head <= *seq || behind.iter().any(|one| one.range.conversation == *id) {
            continue;
        }
        let take = (head - seq).min(entries_left);
        entries_left -= take;
        let range = Range { conversation: *id, after: *seq, until: seq + take };
        behind.push(Behind { range, head, entries: Vec::new() });
    }
    fill(connection, actor, &mut behind)?;
    let (whole, cut): (Vec<_>, Vec<_>) = behind.into_iter().partition(|one| !one.entries.is_empty());
    for one in whole.into_iter().chain(cut) {
        let conversation_id = one.range.conversation;
        missed.logs.push(Entries { conversation_id, entries: one.entries, head_seq: one.head });
    }
    Ok(())
}

/// Entries that are read first, to learn how large they are.
const FIRST: i64 = 64;

/// Reads the ranges in pieces that follow the size of what was read, until the budget of bytes is used.
fn fill(connection: &mut AnyConnection, actor: &Actor, behind: &mut [Behind]) -> Result<()> {
    let mut budget = Budget::new(REPLAY_BYTES, FIRST);
    while let Some(mut rows_left) = budget.rows() {
        let mut piece: Vec<Range> = Vec::new();
        for one in behind.iter() {
            let after = one.entries.last().map_or(one.range.after, |last| last.seq);
            let take = (one.range.until - after).min(rows_left);
            if take > 0 {
                piece.push(Range { after, until: after + take, ..one.range });
                rows_left -= take;
            }
        }
        if piece.is_empty() {
            return Ok(());
        }
        let mut rows: Vec<EntryRow> = store::ranges(connection, actor.tenant, &piece)?;
        if rows.is_empty() {
            return Ok(());
        }
        for one in behind.iter_mut() {
            let (mine, others): (Vec<_>, Vec<_>) =
                rows.into_iter().partition(|row| row.conversation_id == one.range.conversation);
            rows = others;
            for row in mine {
                if !budget.take(&row.content) {
                    return Ok(());
                }
                one.entries.push(Entry::from(row));
            }
        }
    }
    Ok(())
}
