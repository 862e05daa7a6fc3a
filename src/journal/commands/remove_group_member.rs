//! Taking staff out of a group; leaving it.

use super::JournalCommand;
use crate::domain::actor::Principal;
use crate::domain::audit::Act;
use crate::domain::group::{GroupMemberType, GroupPlace};
use crate::domain::permission::Scope;
use crate::journal::command::Reply;
use crate::journal::decide::CommandContext;
use crate::journal::wants::Wants;
use crate::kernel::{Code, Error, GroupId, MemberId, Result};

/// Take a member out of a group. Who has left already stays out. Administrators may everything; a group's managers take
/// out members, and leave themselves unless they are the last manager. Errors: `not_found`, `forbidden`,
/// `last_manager`.
#[derive(Debug, Clone)]
pub struct RemoveGroupMember {
    /// Where.
    pub group: GroupId,
    /// Whom.
    pub member: MemberId,
}

impl JournalCommand for RemoveGroupMember {
    fn wants(&self, _: &Principal, wants: &mut Wants) {
        wants.groups.insert(self.group);
        wants.rosters.insert(self.group);
        wants.places.insert((self.group, self.member));
    }

    fn decide(&self, context: &mut CommandContext<'_>) -> Result<Reply> {
        let (group, member) = (self.group, self.member);
        context.group(group)?;
        let own = context.actor.member() == Some(member);
        let place = context.set.group_members.get(&(group, member));
        let reply = Reply { group: Some(group), ..Reply::default() };
        // Who left of its own accord manages the group no more, but leaving again finds that it is out.
        if own && place.is_some_and(|row| row.left_at.is_some()) {
            return Ok(reply);
        }
        let scope = context.require_group_management(group)?;
        let place = context.set.group_members.get(&(group, member)).ok_or_else(Error::not_found)?;
        if place.left_at.is_some() {
            return Ok(reply);
        }
        if scope != Scope::Tenant && place.member_type == GroupMemberType::Manager {
            if !own {
                return Err(Error::new(Code::Forbidden, "only administrators appoint and dismiss managers"));
            }
            let manages = |kind: GroupMemberType| kind == GroupMemberType::Manager;
            if context.roster(group).filter(|row| manages(row.member_type)).count() == 1 {
                return Err(Error::new(Code::LastManager, Code::LastManager.meaning()));
            }
        }
        let member_type = place.member_type;
        context.note(Act::deleted(&GroupPlace { group, member, member_type }));
        context.displace(group, member);
        context.follow_out_of_room(group, member)?;
        Ok(reply)
    }
}
