//! Loading the working set: everything that the batch's commands can touch, in a few bulk queries, after the
//! tenants are locked.

use std::collections::{BTreeSet, HashMap};

use diesel::prelude::*;

use super::lookup::{Key, entries_at, entries_by_key};
use crate::db::AnyConnection;
use crate::db::schema::{auth_session, conversation, conversation_member, member, tenant};
use crate::domain::conversation::{ConversationRow, ConversationStatus, ParticipantRow, support_open_key};
use crate::journal::command::{AccessChange, Action, Command, Draft, Room};
use crate::journal::decide::MERGE_MAX;
use crate::journal::working_set::{MemberFacts, TenantFacts, WorkingSet};
use crate::kernel::{ConversationId, MemberId, Result, SessionId, TenantId};
use crate::on;

/// Fills the set for these commands. `revs` are the locked tenants.
pub fn load(
    connection: &mut AnyConnection,
    set: &mut WorkingSet,
    revs: &HashMap<TenantId, i64>,
    commands: &[&Command],
) -> Result<()> {
    let wanted = Wanted::of(commands);
    load_tenants(connection, set, revs)?;
    load_members(connection, set, &wanted)?;
    load_rooms(connection, set, &wanted)?;
    load_participants(connection, set)?;
    load_entries(connection, set, commands)?;
    Ok(())
}

/// What the commands name.
#[derive(Default)]
struct Wanted {
    rooms: BTreeSet<ConversationId>,
    members: BTreeSet<MemberId>,
    /// Customers whose newest and open conversations matter.
    openers: BTreeSet<MemberId>,
    /// Members whose sessions may end.
    sessions: BTreeSet<MemberId>,
    /// Customers whose rooms move.
    owners: BTreeSet<MemberId>,
}

impl Wanted {
    fn of(commands: &[&Command]) -> Self {
        let mut wanted = Self::default();
        for command in commands {
            wanted.members.insert(command.actor.member);
            wanted.add(&command.action);
        }
        wanted
    }

    fn add(&mut self, action: &Action) {
        match action {
            Action::Open { customer, .. } => {
                self.members.insert(*customer);
                self.openers.insert(*customer);
            }
            Action::Send { room: Room::Log(room) | Room::BackstageOf(room), .. } => {
                self.rooms.insert(*room);
            }
            Action::Assign { conversation, agent: member, .. }
            | Action::AddMember { conversation, member }
            | Action::RemoveMember { conversation, member } => {
                self.rooms.insert(*conversation);
                self.members.insert(*member);
            }
            Action::Edit { conversation, .. }
            | Action::Recall { conversation, .. }
            | Action::Claim { conversation }
            | Action::Release { conversation, .. }
            | Action::Close { conversation, .. }
            | Action::Reopen { conversation }
            | Action::Update { conversation, .. }
            | Action::Read { conversation, .. }
            | Action::MarkUnread { conversation, .. }
            | Action::Delivered { conversation, .. } => {
                self.rooms.insert(*conversation);
            }
            Action::Access(
                AccessChange::RevokeSessions { member, .. } | AccessChange::Member { member, .. },
            ) => {
                self.members.insert(*member);
                self.sessions.insert(*member);
            }
            Action::Access(AccessChange::Merge { from, into }) => {
                self.members.extend([*from, *into]);
                self.sessions.insert(*from);
                self.owners.insert(*from);
                self.openers.extend([*from, *into]);
            }
            Action::Access(AccessChange::Tenant { .. }) => {}
        }
    }
}

#[derive(serde::Deserialize, Default)]
#[serde(default)]
struct Windows {
    edit_window_seconds: Option<i64>,
    recall_window_seconds: Option<i64>,
}

/// How long own messages can be edited when the tenant does not say, in seconds.
pub const EDIT_WINDOW_SECONDS: i64 = 900;
/// How long own messages can be recalled when the tenant does not say, in seconds.
pub const RECALL_WINDOW_SECONDS: i64 = 120;

fn load_tenants(
    connection: &mut AnyConnection,
    set: &mut WorkingSet,
    revs: &HashMap<TenantId, i64>,
) -> Result<()> {
    let ids: Vec<TenantId> = revs.keys().copied().collect();
    let rows: Vec<(TenantId, String, String)> = on!(connection, inner => tenant::table
        .filter(tenant::id.eq_any(&ids))
        .select((tenant::id, tenant::status, tenant::settings))
        .load(inner))?;
    for (id, status, settings) in rows {
        let windows: Windows = serde_json::from_str(&settings).unwrap_or_default();
        let rev = revs.get(&id).copied().unwrap_or(0);
        set.tenants.insert(
            id,
            TenantFacts {
                rev,
                rev_before: rev,
                suspended: status == "suspended",
                edit_window_ms: windows.edit_window_seconds.unwrap_or(EDIT_WINDOW_SECONDS) * 1_000,
                recall_window_ms: windows.recall_window_seconds.unwrap_or(RECALL_WINDOW_SECONDS) * 1_000,
            },
        );
    }
    Ok(())
}

type MemberColumns = (
    MemberId,
    TenantId,
    crate::domain::member::Role,
    crate::domain::member::MemberStatus,
    Option<i64>,
    Option<i64>,
    String,
    String,
    Option<MemberId>,
);

fn load_members(connection: &mut AnyConnection, set: &mut WorkingSet, wanted: &Wanted) -> Result<()> {
    let ids: Vec<MemberId> = wanted.members.iter().copied().collect();
    let rows: Vec<MemberColumns> = on!(connection, inner => member::table
        .filter(member::id.eq_any(&ids))
        .select((member::id, member::tenant_id, member::role, member::status, member::deleted_at,
            member::expires_at, member::nickname, member::avatar, member::merged_into))
        .load(inner))?;
    for (id, tenant, role, status, deleted_at, expires_at, nickname, avatar, merged_into) in rows {
        let deleted = deleted_at.is_some();
        let facts =
            MemberFacts { id, tenant, role, status, deleted, expires_at, nickname, avatar, merged_into };
        set.members.insert(id, facts);
    }
    let customers: Vec<MemberId> =
        set.members.values().filter(|facts| !facts.role.is_staff()).map(|facts| facts.id).collect();
    if !customers.is_empty() {
        let merged: Vec<(Option<MemberId>, MemberId)> = on!(connection, inner => member::table
            .filter(member::merged_into.eq_any(&customers))
            .select((member::merged_into, member::id))
            .load(inner))?;
        for (into, from) in merged {
            if let Some(into) = into {
                set.merged.entry(into).or_default().push(from);
            }
        }
    }
    if !wanted.sessions.is_empty() {
        let members: Vec<MemberId> = wanted.sessions.iter().copied().collect();
        let sessions: Vec<(MemberId, SessionId)> = on!(connection, inner => auth_session::table
            .filter(auth_session::tenant_id.eq_any(set.tenants.keys().copied().collect::<Vec<_>>()))
            .filter(auth_session::member_id.eq_any(&members))
            .filter(auth_session::revoked_at.is_null())
            .order(auth_session::id.asc())
            .select((auth_session::member_id, auth_session::id))
            .load(inner))?;
        for (member, session) in sessions {
            set.sessions.entry(member).or_default().push(session);
        }
    }
    Ok(())
}

fn load_rooms(connection: &mut AnyConnection, set: &mut WorkingSet, wanted: &Wanted) -> Result<()> {
    let mut ids = wanted.rooms.clone();
    if !wanted.openers.is_empty() {
        let customers: Vec<MemberId> = wanted.openers.iter().copied().collect();
        let newest: Vec<(Option<MemberId>, Option<ConversationId>)> =
            on!(connection, inner => conversation::table
            .filter(conversation::customer_id.eq_any(&customers))
            .filter(conversation::tenant_id.eq_any(set.tenants.keys().copied().collect::<Vec<_>>()))
            .group_by(conversation::customer_id)
            .select((conversation::customer_id, diesel::dsl::max(conversation::id)))
            .load::<(Option<MemberId>, Option<i64>)>(inner))?
            .into_iter()
            .map(|(customer, id)| (customer, id.map(ConversationId)))
            .collect();
        for (customer, id) in newest {
            if let (Some(customer), Some(id)) = (customer, id) {
                set.newest.insert(customer, id);
                ids.insert(id);
            }
        }
    }
    for owner in &wanted.owners {
        let rooms: Vec<ConversationId> = conversation::table
            .filter(conversation::customer_id.eq(owner))
            .filter(conversation::tenant_id.eq_any(set.tenants.keys().copied().collect::<Vec<_>>()))
            .order(conversation::id.asc())
            .limit(MERGE_MAX as i64 + 1)
            .select(conversation::id)
            .load(connection)?;
        ids.extend(&rooms);
        set.owned.insert(*owner, rooms);
    }
    fetch_rooms(connection, set, ids)?;
    // Behind and in front: a backstage room is judged by its parent, and notes go to the room behind.
    let related: BTreeSet<ConversationId> =
        set.conversations.values().flat_map(|row| [row.parent_id, row.backstage_id]).flatten().collect();
    fetch_rooms(connection, set, related)?;
    load_open(connection, set, wanted)
}

fn fetch_rooms(
    connection: &mut AnyConnection,
    set: &mut WorkingSet,
    ids: BTreeSet<ConversationId>,
) -> Result<()> {
    let ids: Vec<ConversationId> = ids.into_iter().filter(|id| !set.conversations.contains_key(id)).collect();
    if ids.is_empty() {
        return Ok(());
    }
    let rows: Vec<ConversationRow> = on!(connection, inner => conversation::table
        .filter(conversation::id.eq_any(&ids))
        .select(ConversationRow::as_select())
        .load(inner))?;
    set.conversations.extend(rows.into_iter().map(|row| (row.id, row)));
    Ok(())
}

/// The open conversations of those who open one, reopen one, or write to a closed one.
fn load_open(connection: &mut AnyConnection, set: &mut WorkingSet, wanted: &Wanted) -> Result<()> {
    let closed = set
        .conversations
        .values()
        .filter(|row| row.status == Some(ConversationStatus::Closed))
        .filter_map(|row| row.customer_id);
    let keys: BTreeSet<String> = wanted.openers.iter().copied().chain(closed).map(support_open_key).collect();
    if !keys.is_empty() {
        let keys: Vec<String> = keys.into_iter().collect();
        let tenants: Vec<TenantId> = set.tenants.keys().copied().collect();
        let rows: Vec<ConversationRow> = on!(connection, inner => conversation::table
            .filter(conversation::tenant_id.eq_any(&tenants))
            .filter(conversation::open_key.eq_any(&keys))
            .select(ConversationRow::as_select())
            .load(inner))?;
        for row in rows {
            set.conversations.entry(row.id).or_insert(row);
        }
    }
    let open: Vec<_> = set
        .conversations
        .values()
        .filter_map(|row| row.open_key.clone().map(|key| ((row.tenant_id, key), row.id)))
        .collect();
    set.open.extend(open);
    Ok(())
}

fn load_participants(connection: &mut AnyConnection, set: &mut WorkingSet) -> Result<()> {
    let fronts: Vec<ConversationId> =
        set.conversations.values().filter(|row| row.parent_id.is_none()).map(|row| row.id).collect();
    if fronts.is_empty() {
        return Ok(());
    }
    let rows: Vec<ParticipantRow> = on!(connection, inner => conversation_member::table
        .filter(conversation_member::conversation_id.eq_any(&fronts))
        .select(ParticipantRow::as_select())
        .load(inner))?;
    set.participants.extend(rows.into_iter().map(|row| ((row.conversation_id, row.member_id), row)));
    Ok(())
}

fn load_entries(connection: &mut AnyConnection, set: &mut WorkingSet, commands: &[&Command]) -> Result<()> {
    let mut keys: BTreeSet<Key> = BTreeSet::new();
    let mut places: BTreeSet<(ConversationId, i64)> = BTreeSet::new();
    for command in commands {
        let actor = command.actor.member;
        match &command.action {
            Action::Send { room, draft, .. } => {
                let log = match room {
                    Room::Log(log) => Some(*log),
                    Room::BackstageOf(front) => set.conversations.get(front).and_then(|row| row.backstage_id),
                };
                add_keys(set, &mut keys, log, actor, draft);
            }
            Action::Open { customer, message: Some(draft), .. } => {
                add_keys(set, &mut keys, set.newest.get(customer).copied(), actor, draft);
                let open = set.open.get(&(command.actor.tenant, support_open_key(*customer)));
                add_keys(set, &mut keys, open.copied(), actor, draft);
            }
            Action::Edit { conversation, seq, .. } | Action::Recall { conversation, seq } => {
                places.insert((*conversation, *seq));
            }
            _ => {}
        }
    }
    let keys: Vec<Key> = keys.into_iter().filter(|key| set.conversations.contains_key(&key.0)).collect();
    for row in entries_by_key(connection, &keys)? {
        if let (Some(sender), Some(key)) = (row.sender_id, row.client_msg_id.clone()) {
            set.keys.insert((row.conversation_id, sender, key), row.seq);
        }
        set.entries.insert((row.conversation_id, row.seq), row);
    }
    let places: Vec<_> =
        places.into_iter().filter(|place| set.conversations.contains_key(&place.0)).collect();
    for row in entries_at(connection, &places)? {
        set.entries.insert((row.conversation_id, row.seq), row);
    }
    Ok(())
}

fn add_keys(
    set: &WorkingSet,
    keys: &mut BTreeSet<Key>,
    log: Option<ConversationId>,
    actor: MemberId,
    draft: &Draft,
) {
    let Some(log) = log else { return };
    let merged = set.merged.get(&actor).into_iter().flatten().copied();
    for sender in std::iter::once(actor).chain(merged) {
        keys.insert((log, sender, draft.client_msg_id.clone()));
    }
}
