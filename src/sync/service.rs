//! Positions, inbox and delta. REST and sockets call the same functions.

use crate::app::App;
use crate::conversations::access;
use crate::db::AnyConnection;
use crate::db::snapshot::snapshot;
use crate::domain::actor::Actor;
use crate::domain::conversation::ConversationKind;
use crate::http::page;
use crate::journal::{Action, Command, history};
use crate::kernel::{Code, ConversationId, Error, Result};
use crate::messages::service::position;

use super::api::{
    InboxPage, InboxQuery, MarkUnread, ReadPosition, ReportDelivered, ReportRead, SyncPage, SyncQuery,
};
use super::cursor::Cursor;
use super::store;

/// Says how far a log is read. Moves forward only; a position that advances nothing is answered without a command.
pub async fn read(app: &App, actor: Actor, id: ConversationId, input: ReportRead) -> Result<ReadPosition> {
    let seq = input.seq.map(|seq| position(seq, "/seq")).transpose()?;
    let access = app.db.read(move |connection| access::load(connection, &actor, id)).await?;
    // Without a seq everything that is there now is read.
    let seq = seq.unwrap_or(access.conversation.seq).min(access.conversation.seq);
    if let Some(row) = access.participant.as_ref().filter(|row| row.is_in()) {
        let present = match access.conversation.kind {
            ConversationKind::Backstage => row.note_read_seq,
            _ => row.read_seq,
        };
        if seq <= present {
            return Ok(ReadPosition { read_seq: present, read_ver: row.read_ver });
        }
    }
    let action = Action::Read { conversation: id, seq, read_ver: input.read_ver };
    let reply = app.journal.submit(Command { actor, action }).await?;
    reply.read.map(ReadPosition::from).ok_or_else(not_a_member)
}

/// Moves the read position back (or forward) and starts a new version, so that reads under way change nothing.
pub async fn mark_unread(
    app: &App,
    actor: Actor,
    id: ConversationId,
    input: MarkUnread,
) -> Result<ReadPosition> {
    let action = Action::MarkUnread { conversation: id, seq: position(input.seq, "/seq")? };
    let reply = app.journal.submit(Command { actor, action }).await?;
    reply.read.map(ReadPosition::from).ok_or_else(not_a_member)
}

/// Says how far a log has reached a device.
pub async fn delivered(app: &App, actor: Actor, id: ConversationId, input: ReportDelivered) -> Result<()> {
    let action = Action::Delivered { conversation: id, seq: position(input.seq, "/seq")? };
    app.journal.submit(Command { actor, action }).await.map(|_| ())
}

/// One page of the inbox.
pub async fn inbox(app: &App, actor: Actor, query: InboxQuery) -> Result<InboxPage> {
    let limit = page::limit(query.limit)?;
    let before: Option<(i64, i64)> = query.cursor.as_deref().map(page::decode).transpose()?;
    let before = before.map(|(rev, id)| (rev, ConversationId(id)));
    in_snapshot(app, move |connection| {
        let rows = store::inbox(connection, actor.tenant, actor.member, before, limit + 1)?;
        let page = page::Page::new(rows, limit, |(rev, row)| (*rev, row.conversation_id.0));
        Ok(InboxPage {
            data: page.data.into_iter().map(|(_, row)| row).collect(),
            next_cursor: page.next_cursor,
            unread_total: store::unread_total(connection, actor.tenant, actor.member)?,
        })
    })
    .await
}

/// What changed in the inbox since a cursor; without one, the head and the newest page.
pub async fn delta(app: &App, actor: Actor, query: SyncQuery) -> Result<SyncPage> {
    let limit = page::limit(query.limit)?;
    let cursor = query.cursor.as_deref().map(str::parse::<Cursor>).transpose()?;
    let epoch = app.epoch.clone();
    in_snapshot(app, move |connection| {
        let (tenant, member) = (actor.tenant, actor.member);
        let head = history::head(connection, tenant)?;
        let unread_total = store::unread_total(connection, tenant, member)?;
        let Some(cursor) = cursor else {
            let rows = store::inbox(connection, tenant, member, None, limit + 1)?;
            let page = page::Page::new(rows, limit, |(rev, row)| (*rev, row.conversation_id.0));
            return Ok(SyncPage {
                rows: page.data.into_iter().map(|(_, row)| row).collect(),
                cursor: Cursor::new(&epoch, head).to_string(),
                more: false,
                inbox_cursor: page.next_cursor,
                unread_total,
            });
        };
        let after = cursor.check(&epoch, head)?;
        let delta = super::delta::delta(connection, tenant, member, after, limit)?;
        let cursor = Cursor::new(&epoch, delta.cursor).to_string();
        Ok(SyncPage { rows: delta.rows, cursor, more: delta.more, inbox_cursor: None, unread_total })
    })
    .await
}

async fn in_snapshot<T: Send + 'static>(
    app: &App,
    read: impl FnOnce(&mut AnyConnection) -> Result<T> + Send + 'static,
) -> Result<T> {
    app.db.read(move |connection| snapshot(connection, read)).await
}

fn not_a_member() -> Error {
    Error::new(Code::NotAMember, Code::NotAMember.meaning())
}
