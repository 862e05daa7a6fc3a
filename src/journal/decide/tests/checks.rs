//! The promises, as checks of the whole working set.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::SECRET;
use super::memory::Memory;
use crate::domain::attachment::AttachmentRow;
use crate::domain::attribute::ConversationAttributeRow;
use crate::domain::conversation::{
    ConversationKind, ConversationRow, ConversationStatus, MemberType, ParticipantRow, Priority, queue_key,
};
use crate::domain::entry::{EntryKind, EntryRow, MESSAGE};
use crate::domain::group::{GroupMemberRow, GroupRow};
use crate::domain::offer::{NeedsRow, OfferRow};
use crate::domain::presence::{AgentStatusRow, PresenceChangeRow};
use crate::domain::rating::RatingRow;
use crate::domain::timers::ReminderRow;
use crate::journal::table::Table;
use crate::journal::working_set::{MemberFacts, TenantFacts, WorkingSet};
use crate::kernel::{
    AttachmentId, AttributeId, ConversationId, GroupId, MemberId, OfferId, RatingId, TenantId,
};

/// Everything that a command may change, in an order that can be compared.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Picture {
    pub(super) tenants: BTreeMap<i64, TenantFacts>,
    pub(super) members: BTreeMap<i64, MemberFacts>,
    pub(super) conversations: BTreeMap<ConversationId, ConversationRow>,
    pub(super) participants: BTreeMap<(ConversationId, MemberId), ParticipantRow>,
    pub(super) entries: BTreeMap<(ConversationId, i64), EntryRow>,
    pub(super) keys: BTreeMap<(ConversationId, MemberId, String), i64>,
    pub(super) open: BTreeMap<(TenantId, String), ConversationId>,
    pub(super) agents: BTreeMap<MemberId, AgentStatusRow>,
    pub(super) groups: BTreeMap<GroupId, GroupRow>,
    pub(super) group_members: BTreeMap<(GroupId, MemberId), GroupMemberRow>,
    pub(super) needs: BTreeMap<ConversationId, NeedsRow>,
    pub(super) offers: BTreeMap<OfferId, OfferRow>,
    pub(super) reminders: BTreeMap<ConversationId, ReminderRow>,
    pub(super) ratings: BTreeMap<RatingId, RatingRow>,
    pub(super) attachments: BTreeMap<AttachmentId, AttachmentRow>,
    pub(super) attribute_values: BTreeMap<(ConversationId, AttributeId), ConversationAttributeRow>,
    pub(super) marks: [usize; 31],
}

/// What stands in the store and the batch under way together.
pub(super) fn picture(store: &Memory, set: &WorkingSet) -> Picture {
    let mut keys: BTreeMap<_, _> = store
        .entries
        .values()
        .filter_map(|row| Some(((row.conversation_id, row.sender_id?, row.client_msg_id.clone()?), row.seq)))
        .collect();
    keys.extend(set.keys.iter().map(|(key, seq)| (key.clone(), *seq)));
    let stored = store.conversations.values().filter(|row| !set.conversations.contains(&row.id));
    let mut open: BTreeMap<_, _> =
        stored.filter_map(|row| Some(((row.tenant_id, row.open_key.clone()?), row.id))).collect();
    open.extend(set.open.iter().map(|(key, id)| (key.clone(), *id)));
    let by_number = |facts: &BTreeMap<MemberId, MemberFacts>| -> BTreeMap<i64, MemberFacts> {
        facts.iter().map(|(id, facts)| (id.0, facts.clone())).collect()
    };
    let mut members = by_number(&store.members);
    members.extend(set.members.iter().map(|(id, facts)| (id.0, facts.clone())));
    let mut tenants: BTreeMap<i64, TenantFacts> =
        store.tenants.iter().map(|(id, facts)| (id.0, facts.clone())).collect();
    tenants.extend(set.tenants.iter().map(|(id, facts)| (id.0, facts.clone())));
    Picture {
        tenants,
        members,
        conversations: overlay(&store.conversations, &set.conversations),
        participants: overlay(&store.participants, &set.participants),
        entries: overlay(&store.entries, &set.entries),
        keys,
        open,
        agents: overlay(&store.agents, &set.agents),
        groups: overlay(&store.groups, &set.groups),
        group_members: overlay(&store.group_members, &set.group_members),
        needs: overlay(&store.needs, &set.needs),
        offers: overlay(&store.offers, &set.offers),
        reminders: overlay(&store.reminders, &set.reminders),
        ratings: overlay(&store.ratings, &set.ratings),
        attachments: overlay(&store.attachments, &set.attachments),
        attribute_values: overlay(&store.attribute_values, &set.attribute_values),
        marks: marks(set),
    }
}

fn overlay<K: Ord + Clone, R: Clone + PartialEq>(
    stored: &BTreeMap<K, R>,
    table: &Table<K, R>,
) -> BTreeMap<K, R> {
    let mut all = stored.clone();
    all.extend(table.iter().map(|(key, row)| (key.clone(), row.clone())));
    all
}

/// How much a batch is about to write.
pub(super) fn marks(set: &WorkingSet) -> [usize; 31] {
    [
        set.entries.created().count(),
        set.entries.changed().count(),
        set.revisions.len(),
        set.conversations.created().count(),
        set.conversations.changed().count(),
        set.participants.created().count(),
        set.participants.changed().count(),
        set.assignments.created().count(),
        set.ended_assignments.len(),
        set.revoked_sessions.len(),
        set.members.changed().count(),
        set.delivered.len(),
        set.agents.created().count(),
        set.agents.changed().count(),
        set.groups.created().count(),
        set.groups.changed().count(),
        set.group_members.created().count(),
        set.group_members.changed().count(),
        set.presence_changes.len(),
        set.needs.created().count(),
        set.needs.changed().count(),
        set.offers.created().count(),
        set.offers.changed().count(),
        set.made_transfers.len(),
        set.reminders.created().count(),
        set.reminders.changed().count(),
        set.ratings.created().count(),
        set.ratings.changed().count(),
        set.attachments.changed().count(),
        set.attribute_values.created().count(),
        set.attribute_values.changed().count(),
    ]
}

/// What a client that follows its inbox holds of one row: all of it must be found by the delta.
pub(super) type Held = (bool, Option<i64>, MemberType, i64, i64, Option<(ConversationRow, Option<i64>)>);

/// The rule of the exact inbox delta: own rows with `rev` beyond the cursor, and own active rows whose conversation
/// (or, for staff, whose notes) moved beyond it. Nothing else may have changed.
pub(super) fn sync(
    client: &mut (i64, BTreeMap<ConversationId, Held>),
    after: &Picture,
    member: MemberId,
    head: i64,
) {
    let (cursor, held) = client;
    for ((id, _), row) in after.participants.iter().filter(|((_, one), _)| *one == member) {
        let conversation = &after.conversations[id];
        let notes = conversation.backstage_id.map(|id| after.conversations[&id].rev);
        let staff = row.member_type != MemberType::Customer;
        let moved = row.rev > *cursor
            || row.active && conversation.rev > *cursor
            || row.active && staff && notes.is_some_and(|rev| rev > *cursor);
        let now = hold(row, after);
        if moved {
            held.insert(*id, now);
        } else {
            assert_eq!(held.get(id), Some(&now), "the delta since {cursor} misses a change for {member}");
        }
    }
    *cursor = head;
}

pub(super) fn hold(row: &ParticipantRow, after: &Picture) -> Held {
    let conversation = after.conversations[&row.conversation_id].clone();
    let staff = row.member_type != MemberType::Customer;
    let notes = conversation.backstage_id.filter(|_| staff).map(|id| after.conversations[&id].seq);
    let mut view = conversation;
    // Delivered positions are told and not logged; versions and times say nothing to a reader.
    view.customer_delivered_seq = 0;
    view.staff_delivered_seq = 0;
    view.version = 0;
    view.updated_at = 0;
    view.rev = 0;
    if !staff {
        view.tags = String::new();
        view.priority = Priority::Normal;
        view.backstage_id = None;
        view.group_id = None;
        // The urgency stands in it.
        view.queue_key = None;
    }
    if !row.active {
        // Of a closed conversation the other side's reading is not followed any more.
        view.customer_read_seq = 0;
        view.staff_read_seq = 0;
    }
    // Who is out reads nothing more.
    let view = row.is_in().then_some((view, notes));
    (row.active, row.left_seq, row.member_type, row.read_seq, row.read_ver, view)
}

pub(super) fn serving(conversation: &ConversationRow) -> Option<MemberId> {
    conversation.agent_id.filter(|_| conversation.status == Some(ConversationStatus::Pending))
}

/// P3, running counts, and what a visitor's log may contain.
pub(super) fn check_logs(after: &Picture) {
    for conversation in after.conversations.values() {
        let entries: Vec<&EntryRow> = after
            .entries
            .range((conversation.id, i64::MIN)..=(conversation.id, i64::MAX))
            .map(|(_, entry)| entry)
            .collect();
        let (mut messages, mut recalls, mut rev) = (0, 0, 0);
        let mut keys = HashSet::new();
        for (index, entry) in entries.iter().enumerate() {
            assert_eq!(entry.seq, index as i64 + 1, "the log has a hole");
            assert!(entry.rev >= rev, "revs fall along a log");
            rev = entry.rev;
            messages += i64::from(entry.message_type == MESSAGE);
            recalls += i64::from(entry.kind == EntryKind::Recalled);
            assert_eq!((entry.msg_count, entry.recall_count), (messages, recalls));
            assert_eq!(entry.message_type == MESSAGE, entry.kind.is_message());
            assert_eq!(entry.tenant_id, conversation.tenant_id);
            if let Some(key) = &entry.client_msg_id {
                assert!(keys.insert((entry.sender_id, key)), "a message stands twice");
            }
            if conversation.kind == ConversationKind::Support {
                assert!(!entry.content.contains(SECRET), "the visitor can read {}", entry.content);
            }
            if entry.recalled_at.is_some() {
                assert_eq!(entry.content, "{}", "a recalled message keeps its words");
            }
        }
        let recalled = entries.iter().filter(|entry| entry.recalled_at.is_some()).count() as i64;
        assert_eq!(
            (conversation.seq, conversation.msg_count, conversation.recall_count),
            (entries.len() as i64, messages, recalls)
        );
        assert_eq!(recalled, recalls, "recalls are counted once each");
        assert_eq!(conversation.last_rev, rev);
        assert!(
            conversation.rev >= conversation.last_rev
                && conversation.rev <= after.tenants[&conversation.tenant_id.0].rev
        );
    }
}

/// States move as the table says; positions move forward within their version and stay within the log.
pub(super) fn check_moves(before: &Picture, after: &Picture) {
    use ConversationStatus::{Closed, Open, Pending};
    for (id, conversation) in &after.conversations {
        let Some(old) = before.conversations.get(id) else {
            let docked = conversation.docked_to().is_some();
            assert!(docked || matches!(conversation.status, Some(Open) | None), "{conversation:?}");
            continue;
        };
        let legal = match (old.status, conversation.status) {
            // What is opened again may be docked to its group at once.
            (Some(Closed), Some(Pending)) => conversation.docked_to().is_some(),
            (Some(_), Some(_)) | (None, None) => true,
            _ => false,
        };
        assert!(legal, "{:?} became {:?}", old.status, conversation.status);
        assert!(
            conversation.seq >= old.seq
                && conversation.msg_count >= old.msg_count
                && conversation.version >= old.version
        );
    }
    for (key, row) in &after.participants {
        let head = after.conversations[&key.0].seq;
        assert!(row.joined_seq <= head && (0..=head).contains(&row.read_seq), "{row:?} at head {head}");
        assert!(row.left_seq.is_none_or(|left| left <= head));
        assert!(!row.active || row.is_in(), "active and gone: {row:?}");
        if let Some(old) = before.participants.get(key) {
            assert!(row.read_ver >= old.read_ver && row.rev >= old.rev);
            assert!(row.read_ver > old.read_ver || row.read_seq >= old.read_seq, "{old:?} became {row:?}");
        }
    }
}

/// P6: every number of conversations is what counting finds, and grows beyond the limit only where that is allowed.
pub(super) fn check_capacity(before: &Picture, after: &Picture) {
    let served = |picture: &Picture, member: MemberId| -> i64 {
        let serves = |row: &&ConversationRow| serving(row) == Some(member);
        i64::try_from(picture.conversations.values().filter(serves).count()).unwrap()
    };
    for facts in after.members.values() {
        let now = served(after, facts.id);
        assert_eq!(after.agents.get(&facts.id).map_or(0, |row| row.current_accept), now, "{facts:?}");
        let allowed = after.tenants[&facts.tenant.0].settings.claim_above_max_accept;
        let most = served(before, facts.id).max(facts.max_accept);
        assert!(allowed || now <= most, "{facts:?} serves {now}");
    }
}

/// Whatever changes what somebody is for others stands in the history, once, under a rev; nothing else does.
pub(super) fn check_presences(before: &Picture, after: &Picture, changes: &[PresenceChangeRow]) {
    let shown = |row: &AgentStatusRow| (row.status, row.reason.clone(), row.since, row.connected);
    let written = after.marks[18] - before.marks[18];
    let mut new: Vec<&PresenceChangeRow> = changes[changes.len() - written..].iter().collect();
    for row in after.agents.values() {
        let silent = AgentStatusRow::new(row.tenant_id, row.member_id);
        let old = before.agents.get(&row.member_id).unwrap_or(&silent);
        if shown(old) == shown(row) {
            continue;
        }
        assert!(row.rev > old.rev, "{row:?} is told to nobody");
        let at = new.iter().position(|change| change.member_id == row.member_id);
        let change = new.remove(at.expect("a change in the history"));
        assert_eq!(
            (change.status, change.effective_status, &change.reason),
            (row.status, row.effective(), &row.reason)
        );
    }
    assert!(new.is_empty(), "the history says what did not happen: {new:?}");
}

/// A conversation has a place in the queue exactly while it waits, and the place is that of its urgency.
pub(super) fn check_queue(after: &Picture) {
    for row in after.conversations.values() {
        let waits = row.status == Some(ConversationStatus::Open) && row.bot().is_none();
        assert_eq!((row.waiting_since.is_some(), row.queue_key.is_some()), (waits, waits), "{row:?}");
        if let (Some(since), Some(key)) = (row.waiting_since, row.queue_key) {
            let places = [true, false].map(|returned| queue_key(row.priority, returned, since));
            assert!(places.contains(&key), "{row:?}");
        }
    }
}

/// P6, and at most one open conversation for each customer.
pub(super) fn check_owners(after: &Picture) {
    let mut open = HashMap::new();
    for conversation in
        after.conversations.values().filter(|conversation| conversation.kind == ConversationKind::Support)
    {
        let closed = conversation.status == Some(ConversationStatus::Closed);
        assert_eq!(conversation.open_key.is_none(), closed, "{conversation:?}");
        if !closed {
            let other = open.insert((conversation.tenant_id, conversation.customer_id), conversation.id);
            assert_eq!(other, None, "two open conversations of one customer");
            let key = (conversation.tenant_id, conversation.open_key.clone().unwrap());
            assert_eq!(after.open.get(&key), Some(&conversation.id));
        }
        let inside = || {
            let range = (conversation.id, MemberId(i64::MIN))..=(conversation.id, MemberId(i64::MAX));
            after.participants.range(range).map(|(_, row)| row).filter(|row| row.is_in())
        };
        let managers: Vec<MemberId> =
            inside().filter(|row| row.member_type == MemberType::Manager).map(|row| row.member_id).collect();
        match conversation.status {
            Some(ConversationStatus::Pending) => {
                assert_eq!(managers, Vec::from_iter(conversation.agent_id), "{conversation:?}");
                assert!(
                    conversation.agent_id.is_some() || conversation.group_id.is_some(),
                    "{conversation:?}"
                );
            }
            Some(ConversationStatus::Open) => assert_eq!((managers.len(), conversation.agent_id), (0, None)),
            _ => assert!(managers.len() <= 1),
        }
        let customers: Vec<_> =
            inside().filter(|row| row.member_type == MemberType::Customer).map(|row| row.member_id).collect();
        assert_eq!(customers, vec![conversation.customer_id.unwrap()], "{conversation:?}");
        assert!(inside().all(|row| row.active != closed), "{conversation:?}");
    }
    let direct = after.conversations.values().filter(|row| row.kind == ConversationKind::Direct).count();
    assert_eq!(after.open.len(), open.len() + direct, "the map of open conversations is out of date");
}

/// What a visitor had belongs to whom it was recognised as, whatever its old sessions still say.
pub(super) fn check_merged(after: &Picture) {
    for row in after.conversations.values() {
        let customer = row.customer_id.and_then(|customer| after.members.get(&customer.0));
        let merged = customer.and_then(|customer| customer.merged_into);
        assert_eq!(merged, None, "{row:?} belongs to somebody who was recognised as another");
    }
}
