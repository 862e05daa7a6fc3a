//! Making a free room of the staff.

use super::JournalCommand;
use crate::domain::actor::Principal;
use crate::domain::conversation::{ConversationKind, MemberType};
use crate::domain::permission::Operation;
use crate::journal::command::Reply;
use crate::journal::decide::{CommandContext, MEMBERS_MAX};
use crate::journal::wants::Wants;
use crate::kernel::{Code, Error, MemberId, Result};

/// Make a room with these members of the staff; the actor manages it. Errors: `limit_reached`.
#[derive(Debug, Clone)]
pub struct MakeRoom {
    /// Its name, checked.
    pub subject: String,
    /// Who is in it beside the actor; the actor itself and whoever stands there twice count once.
    pub members: Vec<MemberId>,
}

impl JournalCommand for MakeRoom {
    fn wants(&self, _: &Principal, wants: &mut Wants) {
        wants.members.extend(&self.members);
    }

    fn bytes(&self) -> usize {
        self.subject.len() + 8 * self.members.len()
    }

    fn decide(&self, context: &mut CommandContext<'_>) -> Result<Reply> {
        let actor = context.actor_member()?;
        context.allow(Operation::OpenRoom)?;
        let mut others: Vec<MemberId> = self.members.clone();
        others.sort_unstable();
        others.dedup();
        others.retain(|one| *one != actor);
        others.iter().try_for_each(|one| context.require_staff(*one, "/member_ids"))?;
        if others.len() >= MEMBERS_MAX {
            let detail = format!("at most {MEMBERS_MAX} staff in a room");
            return Err(Error::new(Code::LimitReached, detail));
        }
        let room = context.make_room(ConversationKind::Group, self.subject.clone(), None)?;
        context.enter(room, actor, MemberType::Manager)?;
        others.into_iter().try_for_each(|one| context.enter(room, one, MemberType::Member))?;
        Ok(Reply { created: true, ..Reply::about(room) })
    }
}
