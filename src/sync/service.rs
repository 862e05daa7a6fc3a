//! Positions, inbox and delta. REST and sockets call the same functions.

use crate::app::App;
use crate::conversations::access;
use crate::db::AnyConnection;
use crate::db::snapshot::snapshot;
use crate::domain::actor::Actor;
use crate::domain::conversation::ConversationKind;
use crate::http::page;
use crate::journal::{Command, commands, history};
use crate::kernel::{Code, ConversationId, Error, Result};
use crate::messages::service::position;
use crate::notifications;

use super::api::{
    InboxPage, InboxQuery, MarkUnread, ReadPosition, ReportDelivered, ReportRead, SyncPage, SyncQuery,
};
use super::cursor::{Cursor, Reader};
use super::store;

/// Says how far a log is read. Moves forward only; a position that advances nothing is answered without a command.
pub async fn read(app: &App, actor: Actor, id: ConversationId, input: ReportRead) -> Result<ReadPosition> {
    let seq = input.seq.map(|seq| position(seq, "/seq")).transpose()?;
    let access = app.db.read(move |connection| access::load(connection, &actor, id)).await?;
    // Without a seq everything that is there now is read.
    let seq = seq.unwrap_or(access.conversation.seq).min(access.conversation.seq);
    if let Some(row) = access.participant.as_ref().filter(|row| row.is_in()) {
        // The own position and that of the side are apart when the actor joined at the head: nothing is new to
        // itself, but its side has not read what was there.
        let conversation = &access.conversation;
        let (present, side) = match conversation.kind {
            ConversationKind::Backstage => (row.note_read_seq, i64::MAX),
            _ if actor.role.is_staff() => (row.read_seq, conversation.staff_read_seq),
            _ => (row.read_seq, conversation.customer_read_seq),
        };
        if seq <= present.min(side) {
            return Ok(ReadPosition { read_seq: present, read_ver: row.read_ver });
        }
    }
    let action = commands::Read { conversation: id, seq, read_ver: input.read_ver };
    let reply = app.journal.submit(Command::new(actor, action)).await?;
    reply.read.map(ReadPosition::from).ok_or_else(not_a_member)
}

/// Moves the read position back (or forward) and starts a new version, so that reads under way change nothing.
pub async fn mark_unread(
    app: &App,
    actor: Actor,
    id: ConversationId,
    input: MarkUnread,
) -> Result<ReadPosition> {
    let action = commands::MarkUnread { conversation: id, seq: position(input.seq, "/seq")? };
    let reply = app.journal.submit(Command::new(actor, action)).await?;
    reply.read.map(ReadPosition::from).ok_or_else(not_a_member)
}

/// Says how far a log has reached a device.
pub async fn delivered(app: &App, actor: Actor, id: ConversationId, input: ReportDelivered) -> Result<()> {
    let action = commands::Delivered { conversation: id, seq: position(input.seq, "/seq")? };
    app.journal.submit(Command::new(actor, action)).await.map(|_| ())
}

/// Where a page of the inbox ended: the last row's `last_rev` and conversation, and the head at the first page.
type InboxPlace = (i64, i64, i64);

/// One page of the inbox.
pub async fn inbox(app: &App, actor: Actor, query: InboxQuery) -> Result<InboxPage> {
    let limit = page::limit(query.limit)?;
    let before: Option<InboxPlace> = query.cursor.as_deref().map(page::decode).transpose()?;
    let reader = Reader::of(&app.epoch, &actor);
    in_snapshot(app, move |connection| {
        let (tenant, member) = (actor.tenant, actor.member);
        // A row that moves up while the pages are read has a rev above the first page's head.
        let head = match before {
            Some((_, _, head)) => head,
            None => history::head(connection, tenant)?,
        };
        let before = before.map(|(rev, id, _)| (rev, ConversationId(id)));
        let rows = store::inbox(connection, tenant, member, before, limit + 1)?;
        let page = page::Page::new(rows, limit, |(rev, row)| (*rev, row.conversation_id.0, head));
        Ok(InboxPage {
            data: page.data.into_iter().map(|(_, row)| row).collect(),
            next_cursor: page.next_cursor,
            sync_cursor: reader.at(head).to_string(),
            unread_total: store::unread_total(connection, tenant, member)?,
        })
    })
    .await
}

/// What changed in the inbox since a cursor; without one, the head and the newest page.
pub async fn delta(app: &App, actor: Actor, query: SyncQuery) -> Result<SyncPage> {
    let limit = page::limit(query.limit)?;
    let cursor = query.cursor.as_deref().map(str::parse::<Cursor>).transpose()?;
    let reader = Reader::of(&app.epoch, &actor);
    in_snapshot(app, move |connection| {
        let (tenant, member) = (actor.tenant, actor.member);
        let head = history::head(connection, tenant)?;
        let unread_total = store::unread_total(connection, tenant, member)?;
        let Some(cursor) = cursor else {
            let rows = store::inbox(connection, tenant, member, None, limit + 1)?;
            let page = page::Page::new(rows, limit, |(rev, row)| (*rev, row.conversation_id.0, head));
            return Ok(SyncPage {
                rows: page.data.into_iter().map(|(_, row)| row).collect(),
                cursor: reader.at(head).to_string(),
                more: false,
                inbox_cursor: page.next_cursor,
                unread_total,
                notifications: Vec::new(),
            });
        };
        let after = cursor.check(reader, head)?;
        let delta = super::delta::delta(connection, tenant, member, after, limit)?;
        let cursor = reader.at(delta.cursor).to_string();
        let notifications = notifications::store::since(connection, tenant, member, (after, delta.cursor))?;
        let (rows, more) = (delta.rows, delta.more);
        Ok(SyncPage { rows, notifications, cursor, more, inbox_cursor: None, unread_total })
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
