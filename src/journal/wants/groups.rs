//! Loading groups, and who is in them.

use std::collections::BTreeSet;

use super::{PIECE, Source, Wants, docked_at_once, listed};
use crate::domain::group::Serving;
use crate::journal::command::Command;
use crate::journal::follows::Loaded;
use crate::journal::working_set::WorkingSet;
use crate::kernel::{ConversationId, GroupId, MemberId, Result, TenantId};

/// Loads the groups that commands name; their rooms follow from them.
pub(super) fn load_named(source: &mut dyn Source, set: &mut WorkingSet, wants: &Wants) -> Result<()> {
    for tenant in &wants.named_groups {
        for row in source.living_groups(*tenant)? {
            set.groups.load(row.id, row);
        }
    }
    load_rows(source, set, wants.groups.clone())
}

fn load_rows(source: &mut dyn Source, set: &mut WorkingSet, mut groups: BTreeSet<GroupId>) -> Result<()> {
    groups.retain(|id| !set.groups.contains(id));
    if !groups.is_empty() {
        for row in source.groups(&listed(&groups))? {
            set.groups.load(row.id, row);
        }
    }
    Ok(())
}

/// Loads who is in groups, and in which groups those are who act on a group's conversations.
pub(super) fn load(
    source: &mut dyn Source,
    set: &mut WorkingSet,
    wants: &Wants,
    commands: &[&Command],
) -> Result<()> {
    let grouped = || set.conversations.values().filter_map(|row| row.group_id);
    // Who may see a group's conversation is asked of its members; a command of this batch may make it a group's.
    let sights_matter = !wants.groups.is_empty() || grouped().next().is_some();
    if wants.groups_of_conversations {
        let groups = grouped().collect();
        load_rows(source, set, groups)?;
    }
    let staffed = staffed(set, wants);
    let mut found = Vec::new();
    let followed = || wants.follows.iter().copied();
    let rosters: BTreeSet<GroupId> =
        wants.rosters.iter().copied().chain(followed().map(|(group, _)| group)).collect();
    if !rosters.is_empty() {
        found.extend(source.rosters(&listed(&rosters))?);
    }
    if !staffed.is_empty() {
        let places = source.rosters(&listed(&staffed))?;
        let members: Vec<MemberId> = places.iter().map(|row| row.member_id).collect();
        if !members.is_empty() {
            for facts in source.members(&members)? {
                set.members.load(facts.id, facts);
            }
        }
        found.extend(places);
    }
    let places = || wants.places.iter().copied().chain(followed());
    if places().next().is_some() {
        let (groups, members): (BTreeSet<GroupId>, BTreeSet<MemberId>) = places().unzip();
        found.extend(source.places(&listed(&groups), &listed(&members))?);
    }
    let mut sights = wants.sights.clone();
    if sights_matter {
        let actors = commands.iter().filter_map(|command| command.actor.member());
        let is_staff = |id: &MemberId| set.members.get(id).is_some_and(|facts| facts.role.is_staff());
        sights.extend(actors.filter(is_staff));
    }
    sights.retain(|id| !set.known_sights.contains(id));
    if !sights.is_empty() {
        found.extend(source.memberships(&listed(&sights))?);
    }
    for row in found {
        set.group_members.load((row.group_id, row.member_id), row);
    }
    set.known_sights.extend(sights);
    set.staffed.extend(staffed);
    Ok(())
}

/// The groups of which it matters who could serve.
fn staffed(set: &WorkingSet, wants: &Wants) -> BTreeSet<GroupId> {
    let of_conversations = set.conversations.values().filter_map(|row| row.group_id);
    let of_conversations = of_conversations.filter(|_| wants.groups_of_conversations);
    let dockers = wants.dockers.iter().copied().chain(of_conversations).filter(|group| is_whole(set, *group));
    wants.staffed.iter().copied().chain(dockers).collect()
}

/// Whether the whole group serves.
fn is_whole(set: &WorkingSet, group: GroupId) -> bool {
    set.groups.get(&group).is_some_and(|row| row.serving == Serving::Group && row.deleted_at.is_none())
}

/// The rooms that follow their groups, and what a group that ends gives back.
pub(super) fn conversations(
    source: &mut dyn Source,
    set: &mut WorkingSet,
    tenants: &[TenantId],
    wants: &Wants,
) -> Result<Vec<ConversationId>> {
    let rooms = wants.rosters.iter().filter_map(|group| set.groups.get(group)?.room_id);
    let mut ids: Vec<ConversationId> = rooms.collect();
    for (group, member) in &wants.follows {
        let place = source.places(&[*group], &[*member])?;
        let inside = place.iter().any(|row| row.left_at.is_none());
        let of_member = match inside {
            true => source.docked(tenants, *group, Some(*member), PIECE + 1)?,
            false => source.inside_by(tenants, *group, *member, PIECE + 1)?,
        };
        let is_empty = source.rosters(&[*group])?.is_empty();
        let left_alone = match is_empty {
            true => source.docked(tenants, *group, None, PIECE + 1)?,
            false => Vec::new(),
        };
        let more = of_member.len() > PIECE || left_alone.len() > PIECE;
        ids.extend(of_member.into_iter().chain(left_alone));
        set.follows.load(*group, *member, Loaded { inside, is_empty, more });
    }
    for group in wants.waiting_for.iter().filter(|group| is_whole(set, **group)).copied().collect::<Vec<_>>()
    {
        let most = docked_at_once(source.rosters(&[group])?.len());
        let waiting = source.waiting_for(tenants, group, most + 1)?;
        if waiting.len() > most {
            set.more_waits_for.insert(group);
        }
        ids.extend(waiting);
    }
    for group in &wants.ending_groups {
        let of_group = source.of_group(tenants, *group, PIECE + 1)?;
        ids.extend(&of_group);
        set.of_groups.insert(*group, of_group);
    }
    Ok(ids)
}
