//! Which inbox rows go out with which changes. No I/O.
//!
//! A member gets its row when the row itself moved (joining, leaving, positions, closing), and everybody who is in a
//! conversation gets its row when what the row shows of the conversation changed, because durable cursors pass that
//! rev. Messages, edits and recalls cause no rows: the entry itself says what they change.

use std::collections::BTreeMap;

use super::tenant::Tenant;
use crate::domain::conversation::{ConversationKind, MemberType, ParticipantRow};
use crate::domain::entry::EntryKind;
use crate::journal::Changes;
use crate::kernel::{ConversationId, MemberId};

/// A conversation and a member of it.
pub type Pair = (ConversationId, MemberId);

/// A row that is to be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Due {
    /// Of whom.
    pub pair: Pair,
    /// The rev of the last change that it tells.
    pub rev: i64,
    /// The member joined in these changes and does not know the conversation: the row goes before the entry of this
    /// rev, which is the first.
    pub before: Option<i64>,
    /// The member left: a reset follows.
    pub left: bool,
}

impl Due {
    /// Whether the member sees the entries around it only with the row, because it joins or leaves.
    pub fn in_order(&self) -> bool {
        self.before.is_some() || self.left
    }
}

/// Whether an entry says that something changed which inbox rows show and the entry alone does not tell.
pub fn moves_rows(kind: EntryKind) -> bool {
    !kind.is_message() && !matches!(kind, EntryKind::Edited | EntryKind::Recalled | EntryKind::Remark)
}

/// The participants of front conversations whose own row moved in these changes.
pub fn changed(changes: &Changes) -> impl Iterator<Item = &ParticipantRow> {
    let range = changes.rev_from..=changes.rev_to;
    changes
        .conversations
        .values()
        .flat_map(|state| &state.participants)
        .filter(move |one| range.contains(&one.rev))
}

/// The rows that members with sockets on this worker are to get with these changes.
pub fn due(tenant: &Tenant, changes: &Changes) -> Vec<Due> {
    let mut due: BTreeMap<Pair, Due> = BTreeMap::new();
    let mut add = |one: &ParticipantRow, rev: i64| {
        if !tenant.members.contains_key(&one.member_id) {
            return;
        }
        let pair = (one.conversation_id, one.member_id);
        let before = one.is_in().then(|| first_after_joining(changes, one)).flatten();
        let row = due.entry(pair).or_insert(Due { pair, rev, before, left: !one.is_in() });
        row.rev = row.rev.max(rev);
    };
    changed(changes).for_each(|one| add(one, one.rev));
    for entry in changes.entries.iter().filter(|entry| moves_rows(entry.kind)) {
        let Some(state) = changes.conversations.get(&entry.conversation_id) else { continue };
        let backstage = state.conversation.kind == ConversationKind::Backstage;
        let sees =
            |one: &&ParticipantRow| one.is_in() && !(backstage && one.member_type == MemberType::Customer);
        state.participants.iter().filter(sees).for_each(|one| add(one, entry.rev));
    }
    due.into_values().collect()
}

/// When the member joined in these changes: the rev of the first entry that it gets of the conversation.
fn first_after_joining(changes: &Changes, one: &ParticipantRow) -> Option<i64> {
    let of_log = || changes.entries.iter().filter(|entry| entry.conversation_id == one.conversation_id);
    let joined = of_log().any(|entry| entry.seq == one.joined_seq);
    joined.then(|| of_log().map(|entry| entry.rev).min()).flatten()
}
