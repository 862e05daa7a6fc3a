//! What a client missed while it was away, read from the store in one go.

use diesel::prelude::*;

use super::protocol::client::Hello;
use super::protocol::limits::SYNC_ROWS;
use super::protocol::server::Entries;
use super::replay;
use crate::db::AnyConnection;
use crate::db::schema::{auth_session, member};
use crate::db::snapshot::snapshot;
use crate::domain::actor::Actor;
use crate::domain::centre::notification::Notification;
use crate::domain::member::MemberStatus;
use crate::journal::history;
use crate::kernel::{Code, ConversationId, Error, Result};
use crate::notifications;
use crate::sync::cursor::{Cursor, Reader};
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
    /// Notifications since the cursor, the newest in order of rev; none without a cursor.
    pub notifications: Vec<Notification>,
    /// Entries after the client's positions.
    pub logs: Vec<Entries>,
    /// Conversations that the client has and may no longer see.
    pub gone: Vec<ConversationId>,
}

/// Reads it, all of one state of the store.
pub fn read(connection: &mut AnyConnection, actor: &Actor, epoch: &str, hello: &Hello) -> Result<Missed> {
    snapshot(connection, |connection| {
        let head = history::head(connection, actor.tenant)?;
        // A revocation that was committed before the socket was registered reaches nobody through the feed.
        still_welcome(connection, actor)?;
        let mut missed = rows(connection, actor, epoch, hello, head)?;
        // After a reset the client has nothing that could be continued.
        if !missed.reset {
            replay::logs(connection, actor, hello, &mut missed)?;
        }
        Ok(missed)
    })
}

fn rows(
    connection: &mut AnyConnection,
    actor: &Actor,
    epoch: &str,
    hello: &Hello,
    head: i64,
) -> Result<Missed> {
    let (tenant, me) = (actor.tenant, actor.member);
    let after = since(hello, epoch, Reader::of(epoch, actor), head)?;
    let reset = hello.cursor.is_some() && after.is_none();
    let notifications = match after {
        Some(after) => notifications::store::since(connection, tenant, me, (after, head))?,
        None => Vec::new(),
    };
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
    let (logs, gone) = (Vec::new(), Vec::new());
    Ok(Missed { head, reset, rows, rows_until, more, unread_total, notifications, logs, gone })
}

/// Where the client stands; none when it has no cursor, or one of another member or history.
fn since(hello: &Hello, epoch: &str, reader: Reader, head: i64) -> Result<Option<i64>> {
    let Some(cursor) = &hello.cursor else { return Ok(None) };
    if hello.epoch.as_deref().is_some_and(|known| known != epoch) {
        return Ok(None);
    }
    match cursor.parse::<Cursor>()?.check(reader, head) {
        Ok(rev) => Ok(Some(rev)),
        Err(error) if error.code == Code::CursorReset => Ok(None),
        Err(error) => Err(error),
    }
}

fn still_welcome(connection: &mut AnyConnection, actor: &Actor) -> Result<()> {
    // An API key has no session, and is looked at every second.
    if actor.api_key().is_some() {
        return Ok(());
    }
    let found: Option<(Option<i64>, MemberStatus, Option<i64>)> = auth_session::table
        .inner_join(member::table.on(member::id.eq(auth_session::member_id)))
        .filter(auth_session::id.eq(actor.session))
        .filter(auth_session::tenant_id.eq(actor.tenant))
        .filter(auth_session::member_id.eq(actor.member))
        .select((auth_session::revoked_at, member::status, member::deleted_at))
        .get_result(connection)
        .optional()?;
    match found {
        Some((None, MemberStatus::Enabled, None)) => Ok(()),
        Some((None, _, _)) => Err(Error::new(Code::AccountDisabled, Code::AccountDisabled.meaning())),
        _ => Err(Error::new(Code::SessionRevoked, Code::SessionRevoked.meaning())),
    }
}
