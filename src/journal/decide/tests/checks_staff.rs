//! What must hold of groups and rooms of the staff, as checks of the whole working set.

use std::collections::{BTreeSet, HashSet};

use super::checks::Picture;
use crate::domain::conversation::{
    ConversationKind, ConversationRow, ConversationStatus, MemberType, ParticipantRow, direct_between,
};
use crate::domain::group::{GroupMemberType, Serving};
use crate::journal::command::Command;
use crate::journal::commands::Action;
use crate::kernel::{GroupId, MemberId};

/// What must hold of groups: see `decide::groups`.
pub(super) fn check_groups(after: &Picture, now: i64) {
    let mut names = HashSet::new();
    for group in after.groups.values() {
        assert_eq!(group.name_key.is_none(), group.deleted_at.is_some(), "{group:?}");
        if let Some(key) = &group.name_key {
            assert!(names.insert((group.tenant_id, key)), "two groups have one name: {group:?}");
        }
    }
    for place in after.group_members.values().filter(|row| row.left_at.is_none()) {
        let (group, member) = (&after.groups[&place.group_id], &after.members[&place.member_id.0]);
        assert!(group.deleted_at.is_none(), "a deleted group has a member: {place:?}");
        assert!(group.tenant_id == member.tenant && place.tenant_id == member.tenant, "{place:?}");
        assert!(member.role.is_staff() && member.is_usable(now), "{member:?} is in {group:?}");
    }
    for conversation in after.conversations.values() {
        let Some(group) = conversation.group_id.map(|id| &after.groups[&id]) else { continue };
        if conversation.kind != ConversationKind::Support {
            continue;
        }
        assert_eq!(group.tenant_id, conversation.tenant_id);
        let closed = conversation.status == Some(ConversationStatus::Closed);
        assert!(closed || group.deleted_at.is_none(), "nobody's matter: {conversation:?}");
    }
}

/// What must hold of docked conversations: see `decide::docking`. `follows` are the places that they still have to
/// follow.
pub(super) fn check_docking(after: &Picture, follows: &BTreeSet<(GroupId, MemberId)>) {
    let in_group = |group: GroupId, member: MemberId| {
        after.group_members.get(&(group, member)).is_some_and(|row| row.left_at.is_none())
    };
    for row in after.participants.values().filter(|row| row.is_in()) {
        let Some(group) = row.group_id else { continue };
        let conversation = &after.conversations[&row.conversation_id];
        let closed = conversation.status == Some(ConversationStatus::Closed);
        assert!(closed || conversation.docked_to() == Some(group), "{row:?} in {conversation:?}");
        let follows = follows.contains(&(group, row.member_id));
        assert!(in_group(group, row.member_id) || follows, "{row:?} stays");
    }
    for conversation in after.conversations.values() {
        let Some(group) = conversation.docked_to() else { continue };
        assert!(after.groups[&group].deleted_at.is_none(), "{conversation:?}");
        let places = || after.group_members.values().filter(|row| row.group_id == group);
        for place in places().filter(|row| row.left_at.is_none()) {
            let member = place.member_id;
            let row = after.participants.get(&(conversation.id, member));
            let here = row.is_some_and(ParticipantRow::is_in);
            assert!(here || follows.contains(&(group, member)), "{place:?} is not in {conversation:?}");
        }
        let served = places().any(|row| row.left_at.is_none());
        let follows = places().any(|row| follows.contains(&(group, row.member_id)));
        assert!(served || follows, "nobody serves {conversation:?}");
    }
}

/// Whether the whole group serves, and somebody in it can.
fn docks(after: &Picture, group: GroupId, now: i64) -> bool {
    let places = after.group_members.values().filter(|row| row.group_id == group && row.left_at.is_none());
    let somebody = places.map(|row| &after.members[&row.member_id.0]).any(|member| member.is_usable(now));
    after.groups.get(&group).is_some_and(|row| row.serving == Serving::Group) && somebody
}

/// Once the service has looked nothing waits for a group that serves as a whole.
pub(super) fn check_nothing_waits_for(after: &Picture, group: GroupId, now: i64) {
    let waits =
        |row: &&ConversationRow| row.group_id == Some(group) && row.status == Some(ConversationStatus::Open);
    let waiting = after.conversations.values().find(waits);
    assert!(waiting.is_none() || !docks(after, group, now), "{waiting:?} waits for a whole group");
}

/// What is opened for such a group, or comes to it, never waits.
pub(super) fn check_docked_at_once(command: &Command, before: &Picture, after: &Picture, now: i64) {
    for (id, row) in &after.conversations {
        let old = before.conversations.get(id);
        let comes = match &command.action {
            Action::Open(_) => old.is_none(),
            Action::Update(_) => old.is_some_and(|old| old.group_id != row.group_id),
            Action::Transfer(_) | Action::Reopen(_) => old.is_some_and(|old| old.status != row.status),
            _ => false,
        };
        let waits = row.status == Some(ConversationStatus::Open);
        let group = row.group_id.filter(|_| comes && waits);
        assert!(!group.is_some_and(|group| docks(after, group, now)), "{row:?} waits for a whole group");
    }
}

/// What must hold of rooms: see `decide::rooms`.
pub(super) fn check_rooms(after: &Picture, now: i64) {
    for room in after.conversations.values().filter(|row| row.kind.is_room()) {
        assert!(
            room.status.is_none() && room.customer_id.is_none() && room.backstage_id.is_none(),
            "{room:?}"
        );
        let range = (room.id, MemberId(i64::MIN))..=(room.id, MemberId(i64::MAX));
        let rows = || after.participants.range(range.clone()).map(|(_, row)| row);
        let inside = || rows().filter(|row| row.is_in());
        for row in inside() {
            let member = &after.members[&row.member_id.0];
            let fits = member.role.is_staff() && member.is_usable(now) && member.tenant == room.tenant_id;
            assert!(fits && row.active, "{member:?} is in {room:?}");
        }
        let managed = || inside().any(|row| row.member_type == MemberType::Manager);
        match (room.kind, room.group_id) {
            (ConversationKind::Direct, _) => {
                let between = direct_between(room).unwrap();
                assert!(
                    rows().count() == 2 && rows().all(|row| between.contains(&row.member_id)),
                    "{room:?}"
                );
                assert_eq!(after.open[&(room.tenant_id, room.open_key.clone().unwrap())], room.id);
            }
            (_, Some(group)) => {
                assert_eq!(after.groups[&group].room_id, Some(room.id));
                let stands = |member: MemberId| after.group_members.get(&(group, member));
                let in_group: Vec<MemberId> = after
                    .group_members
                    .values()
                    .filter(|row| row.group_id == group && row.left_at.is_none())
                    .map(|row| row.member_id)
                    .collect();
                assert_eq!(inside().map(|row| row.member_id).collect::<Vec<_>>(), in_group, "{room:?}");
                for row in inside() {
                    let manager = row.member_type == MemberType::Manager;
                    let as_manager = stands(row.member_id).unwrap().member_type == GroupMemberType::Manager;
                    assert_eq!(manager, as_manager, "{row:?}");
                }
            }
            (_, None) => assert!(managed() || inside().count() == 0, "nobody manages {room:?}"),
        }
    }
}
