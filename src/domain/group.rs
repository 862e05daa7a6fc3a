//! What a standing group of the staff is: its rows, its limits, and which conversations its members reach. No I/O.

use std::collections::BTreeSet;

use diesel::prelude::*;

use crate::db::schema::{chat_group, group_member};
use crate::domain::audit::{AuditTarget, Audited};
use crate::domain::member::Role;
use crate::domain::routing::RoutingStrategy;
use crate::kernel::{ConversationId, GroupId, MemberId, TenantId};
use crate::text_enum;

/// Most groups of a tenant.
pub const GROUPS_MAX: usize = 500;
/// Most members of a group: as many staff as a conversation can have.
pub const GROUP_MEMBERS_MAX: usize = 200;
/// Most groups that a member is in.
pub const MEMBER_GROUPS_MAX: usize = 50;
/// Longest name of a group, in characters.
pub const GROUP_NAME_MAX: usize = 100;
/// Longest description of a group, in characters.
pub const DESCRIPTION_MAX: usize = 500;

text_enum! {
    /// What a member is in a group (the first source: 1 manager, 2 member).
    GroupMemberType {
        /// Adds and removes members.
        Manager = "manager",
        /// Serves with the others.
        Member = "member",
    }
}

text_enum! {
    /// Who serves what comes to a group.
    Serving {
        /// One agent each, whom routing chooses or who claims.
        Agent = "agent",
        /// The whole group at once: what comes to it is docked to it as long as somebody is there who can serve.
        Group = "group",
    }
}

/// A row of `chat_group`.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable)]
#[diesel(table_name = chat_group)]
pub struct GroupRow {
    /// The group.
    pub id: GroupId,
    /// Whose.
    pub tenant_id: TenantId,
    /// Its name.
    pub name: String,
    /// The folded name, unique in the tenant; `None` once the group is deleted, so that the name is free again.
    pub name_key: Option<String>,
    /// What it is for; may be empty.
    pub description: String,
    /// The staff room of the group, once there is one.
    pub room_id: Option<ConversationId>,
    /// The rev of the last change.
    pub rev: i64,
    /// When it was made, unix milliseconds.
    pub created_at: i64,
    /// When it last changed, unix milliseconds.
    pub updated_at: i64,
    /// When it was deleted, unix milliseconds.
    pub deleted_at: Option<i64>,
    /// How what waits for it finds its agents; `None`: as the tenant says.
    pub routing_strategy: Option<RoutingStrategy>,
    /// Who serves what comes to it.
    pub serving: Serving,
}

/// That a member is in a group, as the audit log tells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GroupPlace {
    /// Where.
    pub group: GroupId,
    /// Who.
    pub member: MemberId,
    /// As what.
    pub member_type: GroupMemberType,
}

impl Audited for GroupPlace {
    const TARGET: AuditTarget = AuditTarget::GroupMember;

    fn audit_id(&self) -> i64 {
        self.member.0
    }

    fn audit_facts(&self) -> serde_json::Value {
        serde_json::json!({"group_id": self.group, "member_type": self.member_type})
    }
}

impl GroupRow {
    /// The strategy that counts for what waits for it instead of the tenant's. Nobody is chosen for what the whole group
    /// is to serve.
    pub const fn strategy(&self) -> Option<RoutingStrategy> {
        match self.serving {
            Serving::Agent => self.routing_strategy,
            Serving::Group => Some(RoutingStrategy::Manual),
        }
    }
}

/// A row of `group_member`. The row of who has left stays, so that its rev tells other processes of the leaving.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable)]
#[diesel(table_name = group_member)]
pub struct GroupMemberRow {
    /// The group.
    pub group_id: GroupId,
    /// Who.
    pub member_id: MemberId,
    /// Whose.
    pub tenant_id: TenantId,
    /// As what.
    pub member_type: GroupMemberType,
    /// The rev of the last change.
    pub rev: i64,
    /// When it joined, the last time; unix milliseconds.
    pub created_at: i64,
    /// When it left, unix milliseconds; `None` while it is in.
    pub left_at: Option<i64>,
}

impl GroupMemberRow {
    /// As what the member is in the group; `None` when it has left.
    pub const fn stands_as(&self) -> Option<GroupMemberType> {
        match self.left_at {
            None => Some(self.member_type),
            Some(_) => None,
        }
    }
}

/// Which groups' conversations a member of the staff reaches without being in them. Who is in groups reaches those of
/// its groups and those of no group; who is in none, and every administrator, reaches all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sight {
    whole: bool,
    groups: BTreeSet<GroupId>,
}

impl Sight {
    /// What a member of this role sees who is in these groups.
    pub fn of(role: Role, groups: impl IntoIterator<Item = GroupId>) -> Self {
        Self { whole: role == Role::Admin, groups: groups.into_iter().collect() }
    }

    /// What a member sees who is in no group.
    pub const fn whole() -> Self {
        Self { whole: true, groups: BTreeSet::new() }
    }

    /// Whether the conversations of this group, or of none, lie within it.
    pub fn reaches(&self, group: Option<GroupId>) -> bool {
        self.is_whole() || group.is_none_or(|group| self.groups.contains(&group))
    }

    /// Whether the member is in this group.
    pub fn is_in(&self, group: GroupId) -> bool {
        self.groups.contains(&group)
    }

    /// Whether the conversations of every group lie within it.
    pub fn is_whole(&self) -> bool {
        self.whole || self.groups.is_empty()
    }

    /// The groups, when not all are reached.
    pub fn groups(&self) -> impl Iterator<Item = GroupId> + '_ {
        self.groups.iter().copied()
    }

    /// The member joined or left a group. Tells whether something may have gone out of sight.
    pub fn change(&mut self, group: GroupId, inside: bool) -> bool {
        let was_whole = self.is_whole();
        let changed = match inside {
            true => self.groups.insert(group),
            false => self.groups.remove(&group),
        };
        changed && !self.is_whole() && (was_whole || !inside)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: GroupId = GroupId(1);
    const B: GroupId = GroupId(2);

    #[test]
    fn who_is_in_groups_reaches_theirs_and_those_of_none() {
        let sight = Sight::of(Role::Agent, [A]);
        assert!(sight.reaches(Some(A)) && sight.reaches(None) && !sight.reaches(Some(B)));
        for all in [Sight::of(Role::Supervisor, []), Sight::of(Role::Admin, [A]), Sight::whole()] {
            assert!(all.reaches(Some(B)) && all.reaches(None), "{all:?}");
        }
    }

    #[test]
    fn a_change_tells_whether_something_may_be_out_of_sight() {
        let mut sight = Sight::of(Role::Agent, []);
        assert!(sight.change(A, true), "all the others");
        assert!(!sight.change(A, true) && !sight.change(B, true), "more is seen, or the same");
        assert!(sight.change(B, false) && !sight.change(B, false));
        assert!(!sight.change(A, false), "in no group all are seen");
        assert!(!Sight::of(Role::Admin, []).change(A, true));
    }
}
