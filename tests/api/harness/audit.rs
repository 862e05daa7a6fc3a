//! The store judged as a whole: whatever a test did, these hold afterwards.

use std::collections::{BTreeMap, HashMap, HashSet};

use deskwire::db::AnyConnection;
use deskwire::db::schema::{assignment, conversation, conversation_member, group_message, tenant_log};
use deskwire::domain::conversation::{ConversationKind, ConversationRow, ConversationStatus, ParticipantRow};
use deskwire::domain::entry::{EntryKind, EntryRow, MESSAGE};
use deskwire::kernel::{ConversationId, MemberId, TenantId};
use diesel::prelude::*;

use super::TestApp;

/// Everything of the log that is stored.
#[derive(Debug)]
pub struct Store {
    /// The last rev of each tenant.
    pub revs: BTreeMap<TenantId, i64>,
    /// Every room.
    pub rooms: BTreeMap<ConversationId, ConversationRow>,
    /// Every participant.
    pub participants: Vec<ParticipantRow>,
    /// Every entry in order of room and seq.
    pub entries: Vec<EntryRow>,
    /// Assignments that have not ended: (room, agent).
    pub assignments: Vec<(ConversationId, MemberId)>,
}

impl TestApp {
    /// Reads the whole store beside the service and checks P2, P3 and P6 on it.
    pub async fn audit(&self) -> Store {
        let mut connection = self.database().connect();
        tokio::task::spawn_blocking(move || audit(&mut connection)).await.unwrap()
    }
}

/// Reads and checks everything.
pub fn audit(connection: &mut AnyConnection) -> Store {
    let store = read(connection);
    let mut logs: BTreeMap<ConversationId, Vec<&EntryRow>> = BTreeMap::new();
    let mut keys = HashSet::new();
    for entry in &store.entries {
        logs.entry(entry.conversation_id).or_default().push(entry);
        if let (Some(sender), Some(key)) = (entry.sender_id, &entry.client_msg_id) {
            assert!(keys.insert((entry.conversation_id, sender, key.clone())), "twice: {entry:?}");
        }
    }
    for (id, room) in &store.rooms {
        let log = logs.remove(id).unwrap_or_default();
        let (mut messages, mut recalls, mut rev) = (0, 0, 0);
        for (index, entry) in log.iter().enumerate() {
            assert_eq!(entry.seq, index as i64 + 1, "a hole in the log of {id}");
            messages += i64::from(entry.message_type == MESSAGE);
            recalls += i64::from(entry.kind == EntryKind::Recalled);
            assert_eq!((entry.msg_count, entry.recall_count), (messages, recalls), "{entry:?}");
            assert!(entry.rev >= rev && entry.tenant_id == room.tenant_id, "{entry:?}");
            rev = entry.rev;
        }
        assert_eq!(
            (room.seq, room.msg_count, room.recall_count),
            (log.len() as i64, messages, recalls),
            "{room:?}"
        );
        assert!(room.last_rev == rev && room.rev <= store.revs[&room.tenant_id], "{room:?}");
    }
    assert!(logs.is_empty(), "entries without a room: {:?}", logs.keys());
    let mut open = HashMap::new();
    let mut serving = Vec::new();
    for room in store.rooms.values().filter(|room| room.kind == ConversationKind::Support) {
        if room.status != Some(ConversationStatus::Closed) {
            assert_eq!(open.insert((room.tenant_id, room.customer_id), room.id), None, "two open: {room:?}");
        }
        if room.status == Some(ConversationStatus::Pending) {
            serving.push((room.id, room.agent_id.expect("a served room has an agent")));
        }
    }
    let mut assignments = store.assignments.clone();
    assignments.sort();
    serving.sort();
    assert_eq!(assignments, serving, "open assignments differ from serving agents");
    for row in &store.participants {
        let head = store.rooms[&row.conversation_id].seq;
        assert!((0..=head).contains(&row.read_seq) && row.rev <= store.revs[&row.tenant_id], "{row:?}");
    }
    store
}

fn read(connection: &mut AnyConnection) -> Store {
    let revs: Vec<(TenantId, i64)> =
        tenant_log::table.select((tenant_log::tenant_id, tenant_log::rev)).load(connection).unwrap();
    let rooms: Vec<ConversationRow> =
        conversation::table.select(ConversationRow::as_select()).load(connection).unwrap();
    let participants = conversation_member::table
        .order((conversation_member::conversation_id, conversation_member::member_id))
        .select(ParticipantRow::as_select())
        .load(connection)
        .unwrap();
    let entries = group_message::table
        .order((group_message::conversation_id, group_message::seq))
        .select(EntryRow::as_select())
        .load(connection)
        .unwrap();
    let assignments = assignment::table
        .filter(assignment::ended_at.is_null())
        .select((assignment::conversation_id, assignment::agent_id))
        .load(connection)
        .unwrap();
    Store {
        revs: revs.into_iter().collect(),
        rooms: rooms.into_iter().map(|row| (row.id, row)).collect(),
        participants,
        entries,
        assignments,
    }
}

impl Store {
    /// The messages of a room, in order.
    pub fn messages(&self, room: ConversationId) -> Vec<&EntryRow> {
        let of_room = |entry: &&EntryRow| entry.conversation_id == room && entry.message_type == MESSAGE;
        self.entries.iter().filter(of_room).collect()
    }
}
