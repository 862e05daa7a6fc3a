//! Watching: conversations that one may read without being in them, and (staff) the waiting ones. Owns who watches
//! what on this worker, when a watch ends, and the notices that come with a room's change.
//!
//! Invariant: a watch is checked when it is made and again at every change of the room, so nobody goes on seeing what
//! it may no longer see; a conversation's notes come with it for staff only.

use std::rc::Rc;

use super::commands::{Running, reads, run};
use super::deliver::{Loaded, changed};
use super::hub::Tenant;
use super::protocol::FrameId;
use super::protocol::client::Watch;
use super::protocol::limits::WATCHES;
use super::protocol::server::{QueueNotice, Receipt, Reset, ResetReason, WatchReply, Watched};
use super::socket::Socket;
use super::{collect, wire};
use crate::conversations::access;
use crate::conversations::view::StaffView;
use crate::db::AnyConnection;
use crate::domain::actor::Actor;
use crate::domain::conversation::{ConversationKind, ConversationStatus};
use crate::domain::entry::EntryKind;
use crate::domain::permission::{self, Relation};
use crate::journal::Changes;
use crate::journal::feed::RoomState;
use crate::kernel::{Code, ConversationId, Error, Result};

/// Positions that are remembered for one tenant at most.
const REMEMBERED: usize = 10_000;

/// Watches more.
pub fn watch(socket: &Rc<Socket>, actor: Actor, id: Option<FrameId>, input: Watch) {
    let socket = socket.clone();
    run(Running::new(&socket.clone(), reads), id, None, async move {
        if input.waiting && !actor.role.is_staff() {
            return Err(Error::new(Code::Forbidden, "only staff watch waiting conversations"));
        }
        let watched = collect::with(&socket, |pending| pending.watches.len());
        if watched + input.conversations.len() > WATCHES {
            let detail = format!("a socket watches at most {WATCHES} conversations");
            return Err(Error::new(Code::LimitReached, detail));
        }
        let asked = input.conversations;
        let fronts = look(&socket, actor, asked.clone()).await?;
        add(&socket, actor, fronts.iter().map(|one| one.1), input.waiting);
        // From here on new entries arrive; the heads are read after, so that none falls between.
        let heads = match look(&socket, actor, asked).await {
            Ok(heads) => heads,
            Err(error) => {
                drop_watches(&socket, fronts.iter().map(|one| one.1));
                return Err(error);
            }
        };
        let conversations = heads
            .into_iter()
            .map(|(conversation_id, _, head_seq)| Watched { conversation_id, head_seq })
            .collect();
        let waiting = collect::with(&socket, |pending| pending.waiting);
        Ok(WatchReply { conversations, waiting })
    });
}

/// Of each conversation: itself, the front room, the head of its log.
async fn look(
    socket: &Socket,
    actor: Actor,
    conversations: Vec<ConversationId>,
) -> Result<Vec<(ConversationId, ConversationId, i64)>> {
    if conversations.is_empty() {
        return Ok(Vec::new());
    }
    let read = move |connection: &mut AnyConnection| {
        let look = |id: ConversationId| {
            let access =
                access::load(connection, &actor, id).map_err(|error| error.with("conversation_id", id))?;
            Ok((id, access.front().id, access.conversation.seq))
        };
        conversations.into_iter().map(look).collect()
    };
    socket.hub.app.db.read(read).await
}

fn add(socket: &Rc<Socket>, actor: Actor, fronts: impl Iterator<Item = ConversationId>, waiting: bool) {
    if !socket.is_live() {
        return;
    }
    let mut tenants = socket.hub.tenants.borrow_mut();
    let Some(tenant) = tenants.get_mut(&actor.tenant) else { return };
    collect::with(socket, |pending| {
        for front in fronts {
            if pending.watches.insert(front) {
                tenant.watchers.entry(front).or_default().push(socket.clone());
            }
        }
        if waiting && !std::mem::replace(&mut pending.waiting, true) {
            tenant.waiting.push(socket.clone());
        }
    });
}

fn drop_watches(socket: &Rc<Socket>, fronts: impl Iterator<Item = ConversationId>) {
    let Some(actor) = socket.actor.get() else { return };
    let mut tenants = socket.hub.tenants.borrow_mut();
    let Some(tenant) = tenants.get_mut(&actor.tenant) else { return };
    for front in fronts {
        collect::with(socket, |pending| pending.watches.remove(&front));
        if let Some(watchers) = tenant.watchers.get_mut(&front) {
            watchers.retain(|one| one.id != socket.id);
            if watchers.is_empty() {
                tenant.watchers.remove(&front);
            }
        }
    }
}

/// Watches less. What was not watched is no error.
pub fn unwatch(socket: &Rc<Socket>, id: Option<FrameId>, input: &Watch) {
    drop_watches(socket, input.conversations.iter().copied());
    if input.waiting {
        collect::with(socket, |pending| pending.waiting = false);
        if let Some(actor) = socket.actor.get()
            && let Some(tenant) = socket.hub.tenants.borrow_mut().get_mut(&actor.tenant)
        {
            tenant.waiting.retain(|one| one.id != socket.id);
        }
    }
    let waiting = collect::with(socket, |pending| pending.waiting);
    socket.reply(wire::reply("ok", id.as_ref(), &WatchReply { conversations: Vec::new(), waiting }));
}

fn unwatched(conversation: ConversationId) -> bytestring::ByteString {
    let reason = ResetReason::Unwatched;
    wire::frame("reset", &Reset { conversation_id: Some(conversation), all: false, reason })
}

/// The worker no longer knows what this socket may see: all its watches end. The caller has emptied the tenant's.
pub fn forget_all(socket: &Rc<Socket>) {
    let watches = collect::with(socket, |pending| {
        pending.waiting = false;
        std::mem::take(&mut pending.watches)
    });
    watches.into_iter().for_each(|one| socket.reply(unwatched(one)));
}

/// Whether a watcher may still see this room. The notes of a conversation are seen by the staff who watch it; when
/// they lose sight of it, the change of the conversation itself ends the watch.
pub fn may_see(actor: &Actor, room: &RoomState, backstage: bool) -> bool {
    if backstage {
        return actor.role.is_staff();
    }
    let participant = room.participants.iter().find(|one| one.member_id == actor.member);
    permission::relation(actor, &room.conversation, participant) != Relation::Stranger
}

/// What a room's change means beyond its entries: watches that end, receipts, the waiting list.
pub fn room_changed(tenant: &mut Tenant, changes: &Changes, room: &RoomState, loaded: &Loaded) {
    if room.conversation.kind == ConversationKind::Backstage {
        return;
    }
    let conversation = room.conversation.id;
    end_watches(tenant, room, conversation);
    receipts(tenant, changes, room, conversation);
    let moves =
        [EntryKind::Opened, EntryKind::Assigned, EntryKind::Released, EntryKind::Closed, EntryKind::Reopened];
    let moved = changes
        .entries
        .iter()
        .any(|entry| entry.conversation_id == conversation && moves.contains(&entry.kind));
    if moved && !tenant.waiting.is_empty() {
        let waiting = room.conversation.status == Some(ConversationStatus::Open);
        let view = waiting.then(|| StaffView::new(&room.conversation, &loaded.cards));
        let notice = QueueNotice { conversation_id: conversation, waiting, conversation: view };
        let bytes = wire::frame("queue", &notice);
        tenant.waiting.iter().for_each(|socket| socket.ephemeral(bytes.clone()));
    }
}

fn end_watches(tenant: &mut Tenant, room: &RoomState, conversation: ConversationId) {
    let Some(watchers) = tenant.watchers.get_mut(&conversation) else { return };
    watchers.retain(|socket| {
        let keep = socket.actor.get().is_some_and(|actor| may_see(&actor, room, false));
        if !keep {
            collect::with(socket, |pending| pending.watches.remove(&conversation));
            socket.reply(unwatched(conversation));
        }
        keep
    });
    if watchers.is_empty() {
        tenant.watchers.remove(&conversation);
    }
}

fn receipts(tenant: &mut Tenant, changes: &Changes, room: &RoomState, conversation: ConversationId) {
    let row = &room.conversation;
    let now =
        [row.customer_read_seq, row.staff_read_seq, row.customer_delivered_seq, row.staff_delivered_seq];
    let known = tenant.positions.get(&conversation).copied();
    let moved = match known {
        Some(known) => known != now,
        None => changed(changes).any(|one| one.conversation_id == conversation),
    };
    if !moved {
        return;
    }
    if tenant.positions.len() >= REMEMBERED {
        tenant.positions.clear();
    }
    tenant.positions.insert(conversation, now);
    let receipt = Receipt {
        customer_read_seq: Some(now[0]),
        staff_read_seq: Some(now[1]),
        customer_delivered_seq: Some(now[2]),
        staff_delivered_seq: Some(now[3]),
        ..Receipt::of(conversation)
    };
    let bytes = wire::frame("receipt", &receipt);
    let inside: Vec<_> =
        room.participants.iter().filter(|one| one.is_in()).map(|one| one.member_id).collect();
    tenant.audience(conversation, &inside).for_each(|socket| socket.ephemeral(bytes.clone()));
}

/// The waiting list of these changes needs the cards of these members.
pub fn needed_cards(tenant: &Tenant, changes: &Changes) -> Vec<crate::kernel::MemberId> {
    if tenant.waiting.is_empty() {
        return Vec::new();
    }
    let waiting = changes.rooms.values().map(|room| &room.conversation).filter(|row| {
        row.kind == ConversationKind::Support
            && row.status == Some(ConversationStatus::Open)
            && changes.entries.iter().any(|entry| entry.conversation_id == row.id && !entry.kind.is_message())
    });
    waiting.filter_map(|row| row.customer_id).collect()
}
