//! Who came into a group or left it, as far as the conversations that are docked to the group do not follow yet. No I/O.
//!
//! Owns what a batch loaded of that, and what it begins and finishes. Stored as `group_follow`: a row stands from the
//! command that changes a place in a group until a [`super::commands::FollowGroup`] finds nothing more to do for it.
//! Invariant: what a batch begins is not finished by a command that was loaded for the place as it was before.

use std::collections::{BTreeMap, BTreeSet};

use crate::kernel::{GroupId, MemberId, TenantId};

/// What was loaded for one place in a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Loaded {
    /// Whether the member was in the group.
    pub inside: bool,
    /// Whether nobody was.
    pub is_empty: bool,
    /// Whether there is more than one command does.
    pub more: bool,
}

/// A place in a group.
type Place = (GroupId, MemberId);

/// What the conversations of groups follow.
#[derive(Debug, Clone, Default)]
pub struct Follows {
    loaded: BTreeMap<Place, Loaded>,
    begun: BTreeMap<Place, TenantId>,
    finished: BTreeSet<Place>,
}

impl Follows {
    /// Keeps what was found for a place.
    pub fn load(&mut self, group: GroupId, member: MemberId, loaded: Loaded) {
        self.loaded.insert((group, member), loaded);
    }

    /// What was found for a place, if it was asked for.
    pub fn loaded(&self, group: GroupId, member: MemberId) -> Option<Loaded> {
        self.loaded.get(&(group, member)).copied()
    }

    /// The place changed: conversations have to follow.
    pub fn begin(&mut self, tenant: TenantId, group: GroupId, member: MemberId) {
        self.finished.remove(&(group, member));
        self.begun.insert((group, member), tenant);
    }

    /// All conversations have followed.
    pub fn finish(&mut self, group: GroupId, member: MemberId) {
        self.begun.remove(&(group, member));
        self.finished.insert((group, member));
    }

    /// Whether the batch has something to store.
    pub fn is_touched(&self) -> bool {
        !self.begun.is_empty() || !self.finished.is_empty()
    }

    /// The places whose rows are replaced or removed.
    pub fn touched(&self) -> impl Iterator<Item = (GroupId, MemberId)> + '_ {
        self.begun.keys().chain(&self.finished).copied()
    }

    /// The places that get a row.
    pub fn begun(&self) -> impl Iterator<Item = (TenantId, GroupId, MemberId)> + '_ {
        self.begun.iter().map(|((group, member), tenant)| (*tenant, *group, *member))
    }
}
