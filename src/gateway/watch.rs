//! Watching: conversations that one may read without being in them, and (staff) the waiting ones. Owns who watches
//! what on this worker, when a watch ends, and the notices that come with a conversation's change.
//!
//! Invariant: a watch is checked when it is made and again at every change of the conversation, so nobody goes on seeing what
//! it may no longer see; a conversation's notes come with it for staff only.

use std::collections::HashSet;
use std::rc::Rc;
use std::sync::Arc;

use bytestring::ByteString;

use super::commands::{Running, reads, run};
use super::protocol::FrameId;
use super::protocol::client::Watch;
use super::protocol::limits::WATCHES;
use super::protocol::server::{QueueNotice, Receipt, Reset, ResetReason, WatchReply, Watched};
use super::protocol::table;
use super::rows::changed;
use super::socket::Socket;
use super::tenant::{Tenant, Waiting};
use super::{collect, sight, wire};
use crate::conversations::access;
use crate::conversations::view::{Cards, StaffView};
use crate::db::AnyConnection;
use crate::domain::actor::Actor;
use crate::domain::conversation::{ConversationKind, ConversationRow, ParticipantRow};
use crate::domain::entry::{EntryKind, EntryRow};
use crate::domain::group::Sight;
use crate::domain::notice::GroupChangedContent;
use crate::domain::permission::{self, Operation, Relation};
use crate::journal::Changes;
use crate::journal::feed::ConversationState;
use crate::kernel::{Code, ConversationId, Error, GroupId, MemberId, Result};

/// Positions that are remembered for one tenant at most.
const REMEMBERED: usize = 10_000;

/// Watches more.
pub fn watch(socket: &Rc<Socket>, actor: Actor, id: Option<FrameId>, input: Watch) -> Result<()> {
    let socket = socket.clone();
    run(Running::new(&socket.clone(), reads), id, None, async move {
        if input.waiting {
            permission::require(&actor, Operation::ReadQueue)?;
        }
        let mut asked = input.conversations;
        if asked.len() > WATCHES {
            return Err(too_many());
        }
        let mut seen = HashSet::new();
        asked.retain(|one| seen.insert(*one));
        sight::learn(&socket, actor).await?;
        let fronts: Vec<ConversationId> =
            look(&socket, actor, asked.clone()).await?.into_iter().map(|one| one.1).collect();
        let added = add(&socket, actor, &fronts, input.waiting)?;
        // From here on new entries arrive; the heads are read after, so that none falls between.
        let heads = match look(&socket, actor, asked).await {
            Ok(heads) => heads,
            Err(error) => {
                drop_watches(&socket, added.into_iter());
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
    Ok(())
}

fn too_many() -> Error {
    Error::new(Code::LimitReached, format!("a socket watches at most {WATCHES} conversations"))
}

/// Of each conversation: itself, the front conversation, the head of its log.
async fn look(
    socket: &Socket,
    actor: Actor,
    conversations: Vec<ConversationId>,
) -> Result<Vec<(ConversationId, ConversationId, i64)>> {
    if conversations.is_empty() {
        return Ok(Vec::new());
    }
    let read = move |connection: &mut AnyConnection| {
        let found = access::load_many(connection, &actor, &conversations)?;
        let look = |id: ConversationId| match found.get(&id) {
            Some(access) => Ok((id, access.front().id, access.conversation.seq)),
            None => Err(Error::not_found().with("conversation_id", id)),
        };
        conversations.into_iter().map(look).collect()
    };
    socket.hub.app.db.read(read).await
}

/// Adds watches, all or none: the bound is checked under the borrow that takes them. Returns those that are new.
fn add(
    socket: &Rc<Socket>,
    actor: Actor,
    fronts: &[ConversationId],
    waiting: bool,
) -> Result<Vec<ConversationId>> {
    if !socket.is_live() {
        return Ok(Vec::new());
    }
    let mut tenants = socket.hub.tenants.borrow_mut();
    let Some(tenant) = tenants.get_mut(&actor.tenant) else { return Ok(Vec::new()) };
    collect::with(socket, |pending| {
        let mut new: Vec<ConversationId> =
            fronts.iter().copied().filter(|one| !pending.watches.contains(one)).collect();
        new.sort_unstable();
        new.dedup();
        if pending.watches.len() + new.len() > WATCHES {
            return Err(too_many());
        }
        for front in &new {
            pending.watches.insert(*front);
            tenant.watchers.entry(*front).or_default().push(socket.clone());
        }
        if waiting && !std::mem::replace(&mut pending.waiting, true) {
            tenant.waiting.push(socket.clone());
        }
        Ok(new)
    })
}

fn drop_watches(socket: &Rc<Socket>, fronts: impl Iterator<Item = ConversationId>) {
    let Some(actor) = socket.actor.get() else { return };
    let mut tenants = socket.hub.tenants.borrow_mut();
    let Some(tenant) = tenants.get_mut(&actor.tenant) else { return };
    for front in fronts {
        collect::with(socket, |pending| pending.watches.remove(&front));
        tenant.unwatch(socket, front);
    }
}

/// Watches less. What was not watched is no error.
pub fn unwatch(socket: &Rc<Socket>, actor: Actor, id: Option<FrameId>, input: Watch) -> Result<()> {
    drop_watches(socket, input.conversations.iter().copied());
    if input.waiting {
        collect::with(socket, |pending| pending.waiting = false);
        let mut tenants = socket.hub.tenants.borrow_mut();
        if let Some(tenant) = tenants.get_mut(&actor.tenant) {
            tenant.waiting.retain(|one| one.id != socket.id);
        }
    }
    let waiting = collect::with(socket, |pending| pending.waiting);
    socket.reply(wire::ok(id.as_ref(), &WatchReply { conversations: Vec::new(), waiting }));
    Ok(())
}

fn unwatched(conversation: ConversationId) -> ByteString {
    let reason = ResetReason::Unwatched;
    wire::frame(table::RESET, &Reset { conversation_id: Some(conversation), all: false, reason })
}

/// Ends a socket's watches of conversations: it may have lost sight of some. Watching again is checked again.
pub fn end_all(tenant: &mut Tenant, socket: &Rc<Socket>) {
    let watches = collect::with(socket, |pending| std::mem::take(&mut pending.watches));
    for conversation in watches {
        tenant.unwatch(socket, conversation);
        socket.reply(unwatched(conversation));
    }
}

/// The worker no longer knows what this socket may see: all its watches end. The caller has emptied the tenant's.
pub fn forget_all(socket: &Rc<Socket>) {
    let watches = collect::with(socket, |pending| {
        pending.waiting = false;
        std::mem::take(&mut pending.watches)
    });
    watches.into_iter().for_each(|one| socket.reply(unwatched(one)));
}

/// Whether a watcher may still see this conversation. The notes of a conversation are seen by the staff who watch it; when
/// they lose sight of it, the change of the conversation itself ends the watch.
pub fn may_see(socket: &Socket, actor: &Actor, state: &ConversationState, backstage: bool) -> bool {
    if backstage {
        return actor.role.is_staff();
    }
    let row = &state.conversation;
    let participant = state.participants.iter().find(|one| one.member_id == actor.member);
    let sight = match row.group_id {
        None => Some(Sight::whole()),
        Some(_) => sight::of(socket),
    };
    let inside = participant.is_some_and(ParticipantRow::is_in);
    match sight {
        Some(sight) => permission::relation(actor, row, participant, &sight) != Relation::Stranger,
        None => inside,
    }
}

/// A receipt for those who are in a conversation and those who watch it.
pub struct ReceiptNotice {
    conversation: ConversationId,
    inside: Vec<MemberId>,
    bytes: ByteString,
}

/// What a conversation's change means beyond its entries and rows: watches end; returns the receipt that is to be
/// told.
pub fn conversation_changed(
    tenant: &mut Tenant,
    changes: &Changes,
    state: &ConversationState,
) -> Option<ReceiptNotice> {
    if state.conversation.kind == ConversationKind::Backstage {
        return None;
    }
    let conversation = state.conversation.id;
    end_watches(tenant, state, conversation);
    receipt(tenant, changes, state, conversation)
}

/// Tells receipts to some members.
pub fn tell_receipts(tenant: &Tenant, receipts: &[ReceiptNotice], to: &dyn Fn(MemberId) -> bool) {
    for receipt in receipts {
        let wanted = |socket: &&Rc<Socket>| socket.actor.get().is_some_and(|actor| to(actor.member));
        tenant
            .audience(receipt.conversation, &receipt.inside)
            .filter(wanted)
            .for_each(|socket| socket.ephemeral(receipt.bytes.clone()));
    }
}

/// The conversations of which these changes may change whether they wait.
fn queue_moves(changes: &Changes) -> impl Iterator<Item = &ConversationState> {
    changes.conversations.values().filter(move |state| {
        let id = state.conversation.id;
        state.conversation.kind == ConversationKind::Support
            && (changes.entries.iter().any(|entry| entry.conversation_id == id && entry.kind.moves_queue())
                || group_changes(changes, &state.conversation).next().is_some())
    })
}

/// Where a conversation became another group's matter in these changes.
fn group_changes<'a>(changes: &'a Changes, row: &'a ConversationRow) -> impl Iterator<Item = &'a EntryRow> {
    let behind = move |entry: &&Arc<EntryRow>| {
        entry.kind == EntryKind::GroupChanged && Some(entry.conversation_id) == row.backstage_id
    };
    changes.entries.iter().filter(behind).map(Arc::as_ref)
}

fn waits(state: &ConversationState) -> bool {
    state.conversation.waiting_since.is_some()
}

/// Whether these changes change the waiting list that somebody watches.
pub fn moves_queue(tenant: &Tenant, changes: &Changes) -> bool {
    !tenant.waiting.is_empty() && queue_moves(changes).next().is_some()
}

/// The conversations that the waiting list shows of these changes, and whose they are.
pub fn needed_cards(changes: &Changes) -> Vec<Waiting> {
    queue_moves(changes)
        .filter(|state| waits(state))
        .map(|state| (state.conversation.id, state.conversation.customer_id))
        .collect()
}

/// Tells who watches the waiting list, as far as the conversation lies within its sight. For who had it in sight before
/// it became another group's matter, it ceases to wait.
pub fn queue(tenant: &Tenant, changes: &Changes, cards: &Cards) {
    for state in queue_moves(changes) {
        let row = &state.conversation;
        let frame = |waiting: bool| {
            let view = waiting.then(|| StaffView::new(row, cards));
            let notice = QueueNotice { conversation_id: row.id, waiting, conversation: view };
            wire::frame(table::QUEUE, &notice)
        };
        let (now, gone) = (frame(waits(state)), frame(false));
        let before: Vec<Option<GroupId>> = group_changes(changes, row)
            .filter_map(|entry| serde_json::from_str::<GroupChangedContent>(&entry.content).ok())
            .map(|content| content.from)
            .collect();
        for socket in &tenant.waiting {
            let member = socket.actor.get().map(|actor| actor.member);
            let inside = state.participants.iter().any(|one| Some(one.member_id) == member && one.is_in());
            if inside || sight::reaches(socket, row.group_id) {
                socket.ephemeral(now.clone());
            } else if before.iter().any(|group| sight::reaches(socket, *group)) {
                socket.ephemeral(gone.clone());
            }
        }
    }
}

fn end_watches(tenant: &mut Tenant, state: &ConversationState, conversation: ConversationId) {
    let Some(watchers) = tenant.watchers.get_mut(&conversation) else { return };
    watchers.retain(|socket| {
        let keep = socket.actor.get().is_some_and(|actor| may_see(socket, &actor, state, false));
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

/// The positions to tell when some have risen. Delivered positions take no rev, so the state that came with an
/// earlier rev can arrive after a later position was told: what was told is never taken back.
fn risen(known: [i64; 4], now: [i64; 4]) -> Option<[i64; 4]> {
    let furthest = std::array::from_fn(|side| known[side].max(now[side]));
    (furthest != known).then_some(furthest)
}

fn receipt(
    tenant: &mut Tenant,
    changes: &Changes,
    state: &ConversationState,
    conversation: ConversationId,
) -> Option<ReceiptNotice> {
    let row = &state.conversation;
    let now =
        [row.customer_read_seq, row.staff_read_seq, row.customer_delivered_seq, row.staff_delivered_seq];
    let known = tenant.positions.get(&conversation).copied();
    let now = match known {
        Some(known) => risen(known, now)?,
        None if changed(changes).any(|one| one.conversation_id == conversation) => now,
        None => return None,
    };
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
    let bytes = wire::frame(table::RECEIPT, &receipt);
    let inside = state.participants.iter().filter(|one| one.is_in()).map(|one| one.member_id).collect();
    Some(ReceiptNotice { conversation, inside, bytes })
}

#[cfg(test)]
mod tests {
    use super::risen;

    #[test]
    fn told_positions_never_go_back() {
        assert_eq!(risen([1, 2, 3, 9], [1, 2, 3, 0]), None);
        assert_eq!(risen([1, 2, 3, 9], [2, 2, 3, 0]), Some([2, 2, 3, 9]));
        assert_eq!(risen([1, 2, 3, 9], [1, 2, 3, 9]), None);
    }
}
