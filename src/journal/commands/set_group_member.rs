//! Bringing staff into a group.

use super::JournalCommand;
use crate::domain::actor::Principal;
use crate::domain::audit::Act;
use crate::domain::group::{GROUP_MEMBERS_MAX, GroupMemberType, GroupPlace, MEMBER_GROUPS_MAX};
use crate::domain::permission::Scope;
use crate::journal::command::Reply;
use crate::journal::decide::CommandContext;
use crate::journal::wants::Wants;
use crate::kernel::{Code, Error, GroupId, MemberId, Result};

/// Bring a member of the staff into a group, or change what it is there. Who is that already stays. Administrators may
/// everything; a group's managers add members. Errors: `limit_reached`, `forbidden`.
#[derive(Debug, Clone)]
pub struct SetGroupMember {
    /// Where.
    pub group: GroupId,
    /// Whom.
    pub member: MemberId,
    /// As what; absent: as what it is already, or as a member.
    pub member_type: Option<GroupMemberType>,
}

impl JournalCommand for SetGroupMember {
    fn wants(&self, _: &Principal, wants: &mut Wants) {
        wants.groups.insert(self.group);
        wants.rosters.insert(self.group);
        wants.places.insert((self.group, self.member));
        wants.members.insert(self.member);
        wants.sights.insert(self.member);
    }

    fn decide(&self, context: &mut CommandContext<'_>) -> Result<Reply> {
        let (group, member) = (self.group, self.member);
        context.group(group)?;
        let scope = context.require_group_management(group)?;
        let before = context.stands_as(group, member);
        let after = self.member_type.or(before).unwrap_or(GroupMemberType::Member);
        let reply = Reply { group: Some(group), created: before.is_none(), ..Reply::default() };
        if before == Some(after) {
            return Ok(reply);
        }
        context.require_staff(member, "/member_id")?;
        if scope != Scope::Tenant && (after == GroupMemberType::Manager || before.is_some()) {
            return Err(Error::new(Code::Forbidden, "only administrators appoint and dismiss managers"));
        }
        if before.is_none() && context.roster(group).count() >= GROUP_MEMBERS_MAX {
            let detail = format!("at most {GROUP_MEMBERS_MAX} members of a group");
            return Err(Error::new(Code::LimitReached, detail));
        }
        if before.is_none() && context.groups_of(member).count() >= MEMBER_GROUPS_MAX {
            let detail = format!("at most {MEMBER_GROUPS_MAX} groups of a member");
            return Err(Error::new(Code::LimitReached, detail));
        }
        let stands = |member_type| GroupPlace { group, member, member_type };
        context.note(match before {
            Some(before) => Act::updated(&stands(before), &stands(after)),
            None => Some(Act::created(&stands(after))),
        });
        context.place(group, member, after);
        context.follow_into_room(group, member)?;
        Ok(reply)
    }
}
