//! What steps about groups and rooms of the staff mean, and those about ratings and attachments.

use super::memory::Memory;
use super::simulation::Simulation;
use super::step::Step;
use super::{LIMITED, PEOPLE, SECRET, SHOP};
use crate::domain::actor::Principal;
use crate::domain::group::{GroupMemberRow, GroupMemberType, GroupRow, Serving};
use crate::domain::routing::RoutingStrategy;
use crate::journal::command::Command;
use crate::journal::commands::{
    Action, CreateGroup, DeleteGroup, Dock, DockWaiting, FollowGroup, MakeRoom, OpenDirect,
    RemoveGroupMember, SetGroupMember, UpdateGroup,
};
use crate::kernel::{GroupId, MemberId};

impl Simulation {
    /// The command of a step about groups and rooms; none of one that is no command.
    pub(super) fn command_about_staff(&self, step: &Step) -> Option<Command> {
        let by = |who: usize, action: Action| Some(Command::new(self.people[who], action));
        let member = |index: usize| MemberId(index as i64 + 1);
        match step.clone() {
            Step::Room { who, members } => {
                let members = members.into_iter().map(member).collect();
                by(who, MakeRoom { subject: "Room".to_owned(), members }.into())
            }
            Step::Direct { who, member: one } => by(who, OpenDirect { member: member(one) }.into()),
            Step::MakeGroup { who, name } => by(who, CreateGroup::named(format!("Group {name}")).into()),
            Step::NameGroup { who, group, name } => {
                let name = Some(format!("GROUP {name}"));
                by(who, UpdateGroup { name, ..UpdateGroup::of(self.group(group)) }.into())
            }
            Step::RouteGroup { who, group, strategy } => {
                let routing_strategy = Some(strategy.map(|strategy| RoutingStrategy::ALL[strategy]));
                by(who, UpdateGroup { routing_strategy, ..UpdateGroup::of(self.group(group)) }.into())
            }
            Step::Serving { who, group, whole } => {
                let serving = Some(if whole { Serving::Group } else { Serving::Agent });
                by(who, UpdateGroup { serving, ..UpdateGroup::of(self.group(group)) }.into())
            }
            Step::DockWaiting(group) => {
                let command = DockWaiting { group: self.group(group) };
                Some(Command::new(Principal::System(SHOP), command))
            }
            Step::EndGroup { who, group } => by(who, DeleteGroup { group: self.group(group) }.into()),
            Step::Place { who, group, member: one, manages } => {
                let kind = |manages| if manages { GroupMemberType::Manager } else { GroupMemberType::Member };
                let (group, member_type) = (self.group(group), manages.map(kind));
                by(who, SetGroupMember { group, member: member(one), member_type }.into())
            }
            Step::Displace { who, group, member: one } => {
                by(who, RemoveGroupMember { group: self.group(group), member: member(one) }.into())
            }
            Step::Dock { who, conversation, group } => {
                let (conversation, group, note) =
                    (self.conversation(conversation), self.group(group), SECRET.to_owned());
                by(who, Dock { conversation, group, note }.into())
            }
            Step::Follow { group, member: one } => {
                let command = FollowGroup { group: self.group(group), member: member(one) };
                Some(Command::new(Principal::System(PEOPLE[one].0), command))
            }
            Step::Rate(step) => Some(self.rate(&step)),
            Step::Sla(step) => Some(self.tell_sla(&step)),
            Step::Attach(step) => Some(self.send_attachment(&step)),
            _ => None,
        }
    }
}

/// A group with one of the agents, so that steps about groups find one from the beginning.
pub(super) fn seed_group(store: &mut Memory) {
    let (group, agent) = (GroupId(7), MemberId(LIMITED as i64 + 1));
    let row = GroupRow {
        id: group,
        tenant_id: SHOP,
        name: "Seeded".to_owned(),
        name_key: Some("seeded".to_owned()),
        description: String::new(),
        room_id: None,
        rev: 0,
        created_at: 0,
        updated_at: 0,
        deleted_at: None,
        routing_strategy: None,
        serving: Serving::Agent,
    };
    store.groups.insert(group, row);
    let place = GroupMemberRow {
        group_id: group,
        member_id: agent,
        tenant_id: SHOP,
        member_type: GroupMemberType::Member,
        rev: 0,
        created_at: 0,
        left_at: None,
    };
    store.group_members.insert((group, agent), place);
}
