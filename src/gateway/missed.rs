//! What a client missed while it was away, read from the store in one go.

use std::collections::HashMap;

use diesel::prelude::*;

use super::commands::fit;
use super::protocol::client::Hello;
use super::protocol::limits::{REPLAY_BYTES, REPLAY_ENTRIES, SYNC_ROWS};
use super::protocol::server::Entries;
use crate::conversations::{access, store as conversations};
use crate::db::AnyConnection;
use crate::db::schema::{auth_session, member};
use crate::domain::actor::Actor;
use crate::domain::entry::Entry;
use crate::domain::member::MemberStatus;
use crate::journal::history;
use crate::kernel::{Code, ConversationId, Error, Result};
use crate::messages::store as messages;
use crate::sync::cursor::Cursor;
use crate::sync::model::InboxRow;
use crate::sync::store;

/// What a client missed.
pub struct Missed {
    /// The tenant's head, read before everything else.
    pub head: i64,
    /// The cursor belongs to another history: the client drops what it has.
    pub reset: bool,
    /// Inbox rows that changed, or the newest page.
    pub rows: Vec<InboxRow>,
    /// With a cursor and more rows than one page: up to which rev the rows are complete.
    pub rows_until: Option<i64>,
    /// There are more rows.
    pub more: bool,
    /// Unread in all conversations together.
    pub unread_total: i64,
    /// Entries after the client's positions.
    pub logs: Vec<Entries>,
    /// Conversations that the client has and may no longer see.
    pub gone: Vec<ConversationId>,
}

/// Reads it.
pub fn read(connection: &mut AnyConnection, actor: &Actor, epoch: &str, hello: &Hello) -> Result<Missed> {
    let (tenant, me) = (actor.tenant, actor.member);
    let head = history::head(connection, tenant)?;
    // A revocation that was committed before the socket was registered reaches nobody through the feed.
    still_welcome(connection, actor)?;
    let after = since(hello, epoch, head)?;
    let reset = hello.cursor.is_some() && after.is_none();
    let (rows, rows_until, more) = match after {
        Some(after) => {
            let delta = crate::sync::delta::delta(connection, tenant, me, after, SYNC_ROWS)?;
            (delta.rows, delta.more.then_some(delta.cursor), delta.more)
        }
        None => {
            let mut page = store::inbox(connection, tenant, me, None, SYNC_ROWS + 1)?;
            let more = page.len() as i64 > SYNC_ROWS;
            page.truncate(SYNC_ROWS as usize);
            (page.into_iter().map(|(_, row)| row).collect(), None, more)
        }
    };
    let unread_total = store::unread_total(connection, tenant, me)?;
    let mut missed =
        Missed { head, reset, rows, rows_until, more, unread_total, logs: Vec::new(), gone: Vec::new() };
    // After a reset the client has nothing that could be continued.
    if !reset {
        logs(connection, actor, hello, &mut missed)?;
    }
    Ok(missed)
}

/// Where the client stands; none when it has no cursor or one of another history.
fn since(hello: &Hello, epoch: &str, head: i64) -> Result<Option<i64>> {
    let Some(cursor) = &hello.cursor else { return Ok(None) };
    if hello.epoch.as_deref().is_some_and(|known| known != epoch) {
        return Ok(None);
    }
    match cursor.parse::<Cursor>()?.check(epoch, head) {
        Ok(rev) => Ok(Some(rev)),
        Err(error) if error.code == Code::CursorReset => Ok(None),
        Err(error) => Err(error),
    }
}

fn still_welcome(connection: &mut AnyConnection, actor: &Actor) -> Result<()> {
    let revoked: Option<Option<i64>> = auth_session::table
        .filter(auth_session::id.eq(actor.session))
        .filter(auth_session::tenant_id.eq(actor.tenant))
        .select(auth_session::revoked_at)
        .first(connection)
        .optional()?;
    if revoked != Some(None) {
        return Err(Error::new(Code::SessionRevoked, Code::SessionRevoked.meaning()));
    }
    let account: Option<(MemberStatus, Option<i64>)> = member::table
        .filter(member::id.eq(actor.member))
        .filter(member::tenant_id.eq(actor.tenant))
        .select((member::status, member::deleted_at))
        .first(connection)
        .optional()?;
    match account {
        Some((MemberStatus::Enabled, None)) => Ok(()),
        _ => Err(Error::new(Code::AccountDisabled, Code::AccountDisabled.meaning())),
    }
}

fn logs(connection: &mut AnyConnection, actor: &Actor, hello: &Hello, missed: &mut Missed) -> Result<()> {
    let ids: Vec<ConversationId> = hello.conversations.iter().map(|one| one.0).collect();
    if ids.is_empty() {
        return Ok(());
    }
    let heads: HashMap<ConversationId, i64> = conversations::find_many(connection, actor.tenant, &ids)?
        .into_iter()
        .map(|row| (row.id, row.seq))
        .collect();
    let (mut entries_left, mut bytes_left) = (REPLAY_ENTRIES, REPLAY_BYTES);
    let mut cut = Vec::new();
    for (id, seq) in &hello.conversations {
        let access = match access::load(connection, actor, *id) {
            Ok(access) => access,
            Err(error) if error.code == Code::NotFound => {
                missed.gone.push(*id);
                continue;
            }
            Err(error) => return Err(error),
        };
        if heads.get(id).is_none_or(|head| head <= seq) {
            continue;
        }
        let mut entries: Vec<Entry> = Vec::new();
        if entries_left > 0 && bytes_left > 0 {
            let limit = entries_left as i64;
            let rows = messages::entries_after(connection, actor.tenant, *id, *seq, limit)?;
            entries.extend(rows.into_iter().map(Entry::from));
            bytes_left = bytes_left.saturating_sub(fit(&mut entries, bytes_left));
            entries_left -= entries.len();
        }
        let reached = entries.last().map_or(*seq, |last| last.seq);
        let head_seq = access.conversation.seq.max(reached);
        if reached < head_seq && entries.is_empty() {
            cut.push(*id);
        }
        if !entries.is_empty() {
            missed.logs.push(Entries { conversation_id: *id, entries, head_seq });
        }
    }
    // What the budget leaves out is told by its head alone, so that the client knows to pull.
    for id in cut {
        let head_seq = heads.get(&id).copied().unwrap_or_default();
        missed.logs.push(Entries { conversation_id: id, entries: Vec::new(), head_seq });
    }
    Ok(())
}
