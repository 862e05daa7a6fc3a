//! What a tenant's changes are for its members' sockets: entries, inbox rows, notifications and access notices, in order
//! of rev. Does not
//! own when they go ([`super::deliver`]). No waiting.
//!
//! Invariants: each entry is serialised once; a frame's cursor goes no further than its audience says.

use std::collections::HashMap;

use super::hub::Hub;
use super::protocol::server::{Reset, ResetReason};
use super::protocol::table;
use super::rows::{Due, Pair};
use super::tenant::Tenant;
use super::{access, watch, wire};
use crate::conversations::view::Cards;
use crate::domain::centre::notification::{Notification, NotificationRow};
use crate::domain::conversation::ConversationKind;
use crate::domain::entry::{Entry, EntryRow};
use crate::journal::Changes;
use crate::journal::feed::{AccessNotice, AccessState, ConversationState};
use crate::kernel::MemberId;
use crate::sync::model::InboxRow;

/// What was read from the store.
#[derive(Default)]
pub(super) struct Loaded {
    /// Inbox rows; none when they could not be read.
    pub rows: Option<HashMap<Pair, InboxRow>>,
    /// Cards for the waiting list.
    pub cards: Cards,
}

/// The rows that go with some changes.
pub(super) struct Rows<'a> {
    /// Whose, and of what.
    pub due: &'a [Due],
    /// As they were read.
    pub loaded: &'a Loaded,
}

/// Who gets some changes.
pub(super) struct Audience<'a> {
    /// Whether a member gets them.
    pub has: &'a dyn Fn(MemberId) -> bool,
    /// The rev before the first row that a member still lacks: its cursors go no further.
    pub floor: &'a dyn Fn(MemberId) -> Option<i64>,
}

impl Audience<'_> {
    /// Everything up to here was delivered to a member who gets something of this rev.
    fn after(&self, member: MemberId, rev: i64) -> i64 {
        (self.floor)(member).map_or(rev - 1, |floor| floor.min(rev - 1))
    }
}

/// What happens at one rev, in this order.
enum Event<'a> {
    /// The row of a conversation that the member does not know yet.
    FirstRow(&'a Due),
    Entry(&'a EntryRow),
    Row(&'a Due),
    Notification(&'a NotificationRow),
    Access(&'a AccessNotice),
}

impl Event<'_> {
    /// A disabled account loses its sessions under the same rev; its sockets are told the reason, not the means.
    fn turn(&self) -> u8 {
        match self {
            Self::FirstRow(_) => 0,
            Self::Entry(_) => 1,
            Self::Row(_) => 2,
            Self::Notification(_) => 3,
            Self::Access(notice) if !matches!(notice.change, AccessState::SessionRevoked { .. }) => 4,
            Self::Access(_) => 5,
        }
    }
}

/// Gives changes to some members.
pub(super) fn deliver(
    hub: &Hub,
    tenant: &Tenant,
    changes: &Changes,
    to: &Audience<'_>,
    rows: Option<&Rows<'_>>,
) {
    let mut events: Vec<(i64, Event<'_>)> = Vec::with_capacity(changes.entries.len());
    events.extend(changes.entries.iter().map(|entry| (entry.rev, Event::Entry(entry))));
    for due in rows.into_iter().flat_map(|rows| rows.due) {
        events.extend(due.before.map(|before| (before, Event::FirstRow(due))));
        if due.before != Some(due.rev) {
            events.push((due.rev, Event::Row(due)));
        }
    }
    events.extend(changes.notifications.iter().map(|row| (row.rev, Event::Notification(row))));
    events.extend(changes.access.iter().map(|notice| (notice.rev, Event::Access(notice))));
    events.sort_by_key(|(rev, event)| (*rev, event.turn()));
    for (rev, event) in events {
        match event {
            Event::Entry(entry) => {
                if let Some(state) = changes.conversations.get(&entry.conversation_id) {
                    let front = state.conversation.parent_id.and_then(|id| changes.conversations.get(&id));
                    send_entry(hub, tenant, (state, front), entry, to);
                }
            }
            Event::FirstRow(due) | Event::Row(due) => {
                if let Some(rows) = rows {
                    send_row(hub, tenant, (rev, to.after(due.pair.1, rev)), due, rows.loaded);
                }
            }
            Event::Notification(row) => send_notification(hub, tenant, row, to),
            Event::Access(notice) => access::apply(tenant, notice, to.has),
        }
    }
}

/// Sends an entry of a log; of a backstage log with the conversation in front of it, when that changed too.
fn send_entry(
    hub: &Hub,
    tenant: &Tenant,
    (state, front_state): (&ConversationState, Option<&ConversationState>),
    entry: &EntryRow,
    to: &Audience<'_>,
) {
    let mut serialised: Option<wire::Durable> = None;
    let mut frame = |member, after| {
        serialised
            .get_or_insert_with(|| wire::durable(table::ENTRY, &Entry::from(entry.clone())))
            .with(hub.member_cursor(entry.tenant_id, member, after))
    };
    for recipient in state.recipients(entry).filter(|one| (to.has)(one.member_id)) {
        let Some(sockets) = tenant.members.get(&recipient.member_id) else { continue };
        let after = to.after(recipient.member_id, entry.rev);
        let bytes = frame(recipient.member_id, after);
        for socket in sockets {
            socket.durable((entry.rev, after), entry.conversation_id, bytes.clone());
        }
    }
    // Who watches a conversation gets its notes with it, if it is one of the staff.
    let backstage = state.conversation.kind == ConversationKind::Backstage;
    let front = state.conversation.parent_id.unwrap_or(entry.conversation_id);
    for socket in tenant.watchers.get(&front).into_iter().flatten() {
        let Some(actor) = socket.actor.get().filter(|actor| (to.has)(actor.member)) else { continue };
        if backstage && !actor.role.is_staff() {
            continue;
        }
        let sees = |state, backstage| watch::may_see(socket, &actor, state, backstage);
        if !state.recipients(entry).any(|one| one.member_id == actor.member)
            && sees(state, backstage)
            && front_state.is_none_or(|front| sees(front, false))
        {
            let after = to.after(actor.member, entry.rev);
            socket.durable((entry.rev, after), entry.conversation_id, frame(actor.member, after));
        }
    }
}

/// Sends what a member is told to all its devices.
fn send_notification(hub: &Hub, tenant: &Tenant, row: &NotificationRow, to: &Audience<'_>) {
    let Some(sockets) = tenant.members.get(&row.member_id).filter(|_| (to.has)(row.member_id)) else {
        return;
    };
    let after = to.after(row.member_id, row.rev);
    let cursor = hub.member_cursor(row.tenant_id, row.member_id, after);
    let bytes = wire::durable(table::NOTIFICATION, &Notification::from(row)).with(cursor);
    for socket in sockets {
        socket.durable((row.rev, after), None, bytes.clone());
    }
}

fn send_row(hub: &Hub, tenant: &Tenant, revs: (i64, i64), due: &Due, loaded: &Loaded) {
    let (conversation, member) = due.pair;
    let Some(sockets) = tenant.members.get(&member) else { return };
    let Some(rows) = &loaded.rows else {
        sockets.iter().for_each(|socket| socket.miss(revs.0, Some(conversation)));
        return;
    };
    for socket in sockets {
        let Some(actor) = socket.actor.get() else { continue };
        let cursor = hub.member_cursor(actor.tenant, member, revs.1);
        if let Some(row) = rows.get(&due.pair) {
            socket.durable(revs, conversation, wire::durable(table::INBOX, row).with(cursor));
        }
        if due.left {
            let reset =
                Reset { conversation_id: Some(conversation), all: false, reason: ResetReason::Removed };
            socket.durable(revs, conversation, wire::durable(table::RESET, &reset).with(cursor));
        }
    }
}
