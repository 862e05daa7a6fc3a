//! Opening the direct room of two members of the staff.

use super::JournalCommand;
use crate::domain::actor::Principal;
use crate::domain::conversation::{ConversationKind, MemberType, direct_open_key};
use crate::domain::permission::Operation;
use crate::journal::command::Reply;
use crate::journal::decide::CommandContext;
use crate::journal::wants::Wants;
use crate::kernel::{Error, MemberId, Result};

/// Open the direct room of the actor and another member of the staff, or find it. Who had left it because its account
/// was disabled is in it again.
#[derive(Debug, Clone)]
pub struct OpenDirect {
    /// The other one.
    pub member: MemberId,
}

impl JournalCommand for OpenDirect {
    fn wants(&self, actor: &Principal, wants: &mut Wants) {
        wants.members.insert(self.member);
        wants.open_keys.extend(actor.member().map(|actor| direct_open_key(actor, self.member)));
    }

    fn decide(&self, context: &mut CommandContext<'_>) -> Result<Reply> {
        let (actor, other) = (context.actor_member()?, self.member);
        context.allow(Operation::OpenRoom)?;
        if actor == other {
            return Err(Error::field("/member_id", "invalid", "a direct room is between two"));
        }
        context.require_staff(other, "/member_id")?;
        let key = direct_open_key(actor, other);
        let found = context.open_conversation(&key);
        let room = match found {
            Some(room) => room,
            None => context.make_room(ConversationKind::Direct, String::new(), Some(key))?,
        };
        for member in [actor, other] {
            match (found, context.is_in(room, member)) {
                (_, true) => {}
                (None, false) => context.enter(room, member, MemberType::Member)?,
                (Some(_), false) => context.enter_room(room, member, MemberType::Member)?,
            }
        }
        Ok(Reply { created: found.is_none(), ..Reply::about(room) })
    }
}
