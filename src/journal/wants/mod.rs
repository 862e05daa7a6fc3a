//! What the commands of a batch want loaded, and how it is loaded into the working set: in a few bulk questions to a
//! [`Source`]. The store is one source; the simulation's memory is another, so that tests load exactly what the
//! lanes load.
//!
//! Owns the order of the questions and what follows from what (a backstage log from its conversation, all the
//! participants from a conversation). Invariant: nothing else is loaded than what follows from the wants.

pub mod attachment_source;
mod attachments;
pub mod attribute_source;
mod attributes;
mod bots;
mod entries;
mod groups;
pub mod notification_source;
mod notifications;
mod openings;
pub mod rating_source;
mod ratings;
pub(in crate::journal) mod routing;
pub mod routing_source;
mod source;
mod staff;
pub mod timer_source;
pub(in crate::journal) mod timers;

use std::collections::{BTreeSet, HashMap};

use super::command::{Command, LogRef};
use super::working_set::{MemberFacts, TenantFacts, WorkingSet};
use crate::domain::conversation::{ConversationStatus, MemberType, support_open_key};
use crate::domain::entry::EntryRow;
use crate::kernel::{
    AttachmentId, ConversationId, GroupId, MemberId, MessageSendId, NotificationId, Result, TenantId,
};
pub use source::Source;

/// Most conversations that one command moves, frees or closes; what is left is done when it is repeated.
pub const PIECE: usize = 100;

/// Most members that one command brings into conversations by docking them.
const DOCKED_ROWS: usize = 2_000;

/// How many conversations one command docks to a group of so many members: the fewer, the larger the group.
pub fn docked_at_once(members: usize) -> usize {
    DOCKED_ROWS.checked_div(members).unwrap_or(PIECE).clamp(1, PIECE)
}

/// Most administrators of a tenant and sub-accounts of a member that are loaded: more than one batch can change, so
/// that one of them is left when there are more.
pub const KIN: usize = 300;

/// How long a transfer is counted against further ones, in milliseconds.
pub const TRANSFERS_MS: i64 = 3_600_000;
/// Most transfers of a conversation that are loaded: more than a tenant can allow.
pub const TRANSFERS: usize = 101;

/// A message's address by its sender's key.
pub type MessageKey = (ConversationId, MemberId, String);
/// An opening's key: the customer, the sender and the sender's key.
pub type OpeningKey = (MemberId, MemberId, String);

/// What commands name.
#[derive(Debug, Default)]
pub struct Wants {
    /// Conversations and backstage logs, with what is behind and in front of them, and their participants.
    pub conversations: BTreeSet<ConversationId>,
    /// Members: what the journal must know of them.
    pub members: BTreeSet<MemberId>,
    /// Members whose live sessions may end.
    pub sessions: BTreeSet<MemberId>,
    /// Customers whose open conversation matters.
    pub openers: BTreeSet<MemberId>,
    /// Direct rooms that may be there, by `open_key`.
    pub open_keys: BTreeSet<String>,
    /// Customers whose conversations move, and to whom: (from, into).
    pub merges: BTreeSet<(MemberId, MemberId)>,
    /// Members whose role, state, end or parent may change: their parents and sub-accounts, the tenant's
    /// administrators, and the conversations that they may have to leave.
    pub changing: BTreeSet<MemberId>,
    /// Messages that may have been sent before, by log, sender and key.
    pub keys: BTreeSet<(LogRef, MemberId, String)>,
    /// Opening messages that may have been sent before, over all the customer's conversations.
    pub openings: BTreeSet<OpeningKey>,
    /// Entries by their place.
    pub entries: BTreeSet<(ConversationId, i64)>,
    /// Staff whose presence or number of conversations may change.
    pub agents: BTreeSet<MemberId>,
    /// Groups that are changed, or given conversations.
    pub groups: BTreeSet<GroupId>,
    /// Groups whose members matter, all of them, and their rooms.
    pub rosters: BTreeSet<GroupId>,
    /// Groups of which it matters whether anybody in them could serve: who is in them, and what is known of those.
    pub staffed: BTreeSet<GroupId>,
    /// Groups to which something comes: as `staffed`, where the whole group serves.
    pub dockers: BTreeSet<GroupId>,
    /// Groups of which it matters what waits for them, where the whole group serves.
    pub waiting_for: BTreeSet<GroupId>,
    /// Places in groups that may change, by group and member: also the rows of those who left.
    pub places: BTreeSet<(GroupId, MemberId)>,
    /// Members whose groups matter, all of them.
    pub sights: BTreeSet<MemberId>,
    /// Tenants whose groups matter, all that live.
    pub named_groups: BTreeSet<TenantId>,
    /// Groups that end: their conversations that are not closed.
    pub ending_groups: BTreeSet<GroupId>,
    /// Places in groups that conversations are to follow.
    pub follows: BTreeSet<(GroupId, MemberId)>,
    /// Whether the groups of the conversations that are loaded matter, and to which of them they are docked.
    pub groups_of_conversations: bool,
    /// Staff whose sockets on all processes matter.
    pub sightings: BTreeSet<MemberId>,
    /// Staff whose served conversations may go back to the queue: the oldest of them.
    pub served: BTreeSet<MemberId>,
    /// Conversations whose latest transfers matter.
    pub transfers: BTreeSet<ConversationId>,
    /// Whether the assignments of what is loaded may change, and with them the numbers of those who serve it.
    pub assignments: bool,
    /// Tenants whose offers may end, and whose staff may be given conversations.
    pub routing: BTreeSet<TenantId>,
    /// Waiting conversations that may be given away.
    pub routed: BTreeSet<ConversationId>,
    /// Offers by conversation and agent: the last one of each.
    pub offers: BTreeSet<(ConversationId, MemberId)>,
    /// Conversations of which it matters to whom they are offered.
    pub offered: BTreeSet<ConversationId>,
    /// Messages that may have made a notification already.
    pub notified: BTreeSet<MessageSendId>,
    /// Notifications that may be read.
    pub notifications: BTreeSet<NotificationId>,
    /// Members whose unread notifications up to one may be read: the oldest of them.
    pub unread: BTreeSet<(MemberId, NotificationId)>,
    /// Conversations whose needs may change.
    pub needs: BTreeSet<ConversationId>,
    /// Customers whose last agent matters, where their tenant prefers it.
    pub last_agents: BTreeSet<MemberId>,
    /// Attachments that messages may carry.
    pub attachments: BTreeSet<AttachmentId>,
    /// Messages whose attachments may be erased, by their place.
    pub recalled: BTreeSet<(ConversationId, i64)>,
    /// Conversations that may be rated.
    pub rated: BTreeSet<ConversationId>,
    /// Conversations whose custom attributes may change, or be erased.
    pub described: BTreeSet<ConversationId>,
    /// Conversations whose turns matter.
    pub turns: BTreeSet<ConversationId>,
    /// Whether a turn of what is loaded may begin anew.
    pub restarts: bool,
    /// Whether a bot may begin or end to answer: the tenants' bots, those that answer what is loaded, and what is known of
    /// who may take a conversation from one.
    pub bots: bool,
    /// Whether it matters how many conversations wait, where the tenant has a limit.
    pub queue_length: bool,
}

impl Wants {
    /// What these commands want.
    pub fn of(commands: &[&Command]) -> Self {
        let mut wants = Self::default();
        for command in commands {
            wants.members.extend(command.actor.member());
            command.action.wants(&command.actor, &mut wants);
        }
        wants
    }
}

/// Fills the set for these commands. `revs` are the locked tenants.
pub fn load(
    source: &mut dyn Source,
    set: &mut WorkingSet,
    revs: &HashMap<TenantId, i64>,
    commands: &[&Command],
) -> Result<()> {
    let mut wants = Wants::of(commands);
    let tenants: Vec<TenantId> = revs.keys().copied().collect();
    for (id, facts) in source.tenants(&tenants)? {
        let rev = revs.get(&id).copied().unwrap_or(facts.rev);
        set.tenants.load(id, TenantFacts { rev, ..facts });
    }
    let openings = openings::load(source, set, &tenants, &wants)?;
    load_members(source, set, &tenants, &wants)?;
    groups::load_named(source, set, &wants)?;
    let mut whole = routing::load(source, set, &wants)?;
    whole.extend(openings);
    load_conversations(source, set, &tenants, &wants, whole)?;
    routing::load_for_openings(source, set, &wants)?;
    bots::load(source, set, &mut wants, commands)?;
    staff::load(source, set, &wants)?;
    timers::load(source, set, &wants)?;
    notifications::load(source, set, &wants)?;
    ratings::load(source, set, &wants)?;
    attributes::load(source, set, &wants)?;
    groups::load(source, set, &wants, commands)?;
    entries::load_participants(source, set)?;
    entries::load(source, set, &wants)?;
    attachments::load(source, set, &wants)
}

fn listed<T: Copy>(ids: &BTreeSet<T>) -> Vec<T> {
    ids.iter().copied().collect()
}

fn load_members(
    source: &mut dyn Source,
    set: &mut WorkingSet,
    tenants: &[TenantId],
    wants: &Wants,
) -> Result<()> {
    let known = source.members(&listed(&wants.members))?;
    for facts in known {
        set.members.load(facts.id, facts);
    }
    load_merged(source, set)?;
    load_kin(source, set, tenants, wants)?;
    let unknown = |id: &MemberId| !set.sessions.contains_key(id);
    let ids: Vec<MemberId> = wants.sessions.iter().copied().filter(unknown).collect();
    if !ids.is_empty() {
        set.sessions.extend(ids.iter().map(|id| (*id, Vec::new())));
        for (member, session) in source.sessions(tenants, &ids)? {
            set.sessions.entry(member).or_default().push(session);
        }
    }
    Ok(())
}

/// Those by whom a change of a member is judged.
fn load_kin(
    source: &mut dyn Source,
    set: &mut WorkingSet,
    tenants: &[TenantId],
    wants: &Wants,
) -> Result<()> {
    let staff: Vec<MemberId> = changing_staff(set, tenants, wants).map(|facts| facts.id).collect();
    let led: BTreeSet<TenantId> = changing_staff(set, tenants, wants).map(|facts| facts.tenant).collect();
    let changing = wants.changing.iter().filter_map(|id| set.members.get(id));
    let parents: BTreeSet<MemberId> = changing.filter_map(|facts| facts.parent_id).collect();
    let mut found = if parents.is_empty() { Vec::new() } else { source.members(&listed(&parents))? };
    for member in staff {
        found.extend(source.below(member, KIN)?);
    }
    for tenant in led {
        found.extend(source.administrators(tenant, set.now, KIN)?);
    }
    for facts in found {
        set.members.load(facts.id, facts);
    }
    Ok(())
}

fn changing_staff<'a>(
    set: &'a WorkingSet,
    tenants: &'a [TenantId],
    wants: &'a Wants,
) -> impl Iterator<Item = &'a MemberFacts> {
    let changing = wants.changing.iter().filter_map(|id| set.members.get(id));
    changing.filter(|facts| facts.role.is_staff() && tenants.contains(&facts.tenant))
}

fn load_merged(source: &mut dyn Source, set: &mut WorkingSet) -> Result<()> {
    let customers: Vec<MemberId> = set
        .members
        .values()
        .filter(|facts| !facts.role.is_staff() && !set.merged.contains_key(&facts.id))
        .map(|facts| facts.id)
        .collect();
    if customers.is_empty() {
        return Ok(());
    }
    for (into, from) in source.merged_into(&customers)? {
        set.merged.entry(into).or_default().push(from);
    }
    Ok(())
}

/// The sender and everybody who was recognised as the sender.
fn senders_of(set: &WorkingSet, sender: MemberId) -> impl Iterator<Item = MemberId> {
    std::iter::once(sender).chain(set.merged.get(&sender).into_iter().flatten().copied())
}

fn keep_entry(set: &mut WorkingSet, row: EntryRow) {
    if let (Some(sender), Some(key)) = (row.sender_id, row.client_msg_id.clone()) {
        set.keys.insert((row.conversation_id, sender, key), row.seq);
    }
    set.entries.load((row.conversation_id, row.seq), row);
}

fn load_conversations(
    source: &mut dyn Source,
    set: &mut WorkingSet,
    tenants: &[TenantId],
    wants: &Wants,
    openings: BTreeSet<ConversationId>,
) -> Result<()> {
    let mut ids = openings;
    ids.extend(&wants.conversations);
    for (owner, _) in &wants.merges {
        let owned = source.owned(tenants, *owner, PIECE + 1)?;
        ids.extend(&owned);
        set.owned.insert(*owner, owned);
    }
    let staff: Vec<MemberId> = changing_staff(set, tenants, wants).map(|facts| facts.id).collect();
    for member in staff {
        for kind in [MemberType::Manager, MemberType::Member, MemberType::Bot] {
            let inside = source.inside(tenants, member, kind, PIECE + 1)?;
            ids.extend(&inside);
            set.inside.insert((member, kind), inside);
        }
        let rooms = source.rooms(tenants, member, PIECE + 1)?;
        ids.extend(&rooms);
        set.rooms.insert(member, rooms);
    }
    ids.extend(groups::conversations(source, set, tenants, wants)?);
    for member in &wants.served {
        let served = source.inside(tenants, *member, MemberType::Manager, PIECE + 1)?;
        ids.extend(&served);
        set.inside.insert((*member, MemberType::Manager), served);
    }
    // Behind and in front: a backstage log is judged by its parent, and notes go to the log behind. A merged one is
    // seen by who sees the one that goes on, which may itself be merged.
    while !ids.is_empty() {
        ids = fetch(source, set, &ids)?;
    }
    load_open(source, set, tenants, wants)
}

/// Loads those that are not loaded yet; gives what they lead to.
fn fetch(
    source: &mut dyn Source,
    set: &mut WorkingSet,
    ids: &BTreeSet<ConversationId>,
) -> Result<BTreeSet<ConversationId>> {
    let ids: Vec<ConversationId> = ids.iter().copied().filter(|id| !set.conversations.contains(id)).collect();
    let mut related = BTreeSet::new();
    if ids.is_empty() {
        return Ok(related);
    }
    for row in source.conversations(&ids)? {
        related.extend([row.parent_id, row.backstage_id, row.merged_into_id].into_iter().flatten());
        set.conversations.load(row.id, row);
    }
    Ok(related)
}

/// The open conversations of those who open one, reopen one, or write to a closed one.
fn load_open(
    source: &mut dyn Source,
    set: &mut WorkingSet,
    tenants: &[TenantId],
    wants: &Wants,
) -> Result<()> {
    let closed = set
        .conversations
        .values()
        .filter(|row| row.status == Some(ConversationStatus::Closed))
        .filter_map(|row| row.customer_id);
    let mut keys: BTreeSet<String> =
        wants.openers.iter().copied().chain(closed).map(support_open_key).collect();
    keys.extend(wants.open_keys.iter().cloned());
    if !keys.is_empty() {
        let keys: Vec<String> = keys.into_iter().collect();
        let mut behind = BTreeSet::new();
        for row in source.open_conversations(tenants, &keys)? {
            behind.extend(row.backstage_id);
            set.conversations.load(row.id, row);
        }
        fetch(source, set, &behind)?;
    }
    let open: Vec<_> = set
        .conversations
        .values()
        .filter_map(|row| row.open_key.clone().map(|key| ((row.tenant_id, key), row.id)))
        .collect();
    set.open.extend(open);
    Ok(())
}
