//! Ending sessions of a member.

use super::JournalCommand;
use crate::domain::actor::Principal;
use crate::journal::command::Reply;
use crate::journal::decide::CommandContext;
use crate::journal::wants::Wants;
use crate::kernel::{Error, MemberId, Result, SessionId};

/// Revoke one session of a member, or all of them, or all but one. Takes a rev so that every process ends the live
/// sockets.
#[derive(Debug, Clone)]
pub struct RevokeSessions {
    /// Whose.
    pub member: MemberId,
    /// Only this one.
    pub only: Option<SessionId>,
    /// All but this one.
    pub except: Option<SessionId>,
    /// Kept in `auth_session.revoke_reason`: `signed_out`, `revoked`, `theft`, `password_changed`.
    pub reason: &'static str,
}

impl JournalCommand for RevokeSessions {
    /// Who is disabled may still sign out.
    const NEEDS_ACCESS: bool = false;

    fn wants(&self, _: &Principal, wants: &mut Wants) {
        wants.members.insert(self.member);
        wants.sessions.insert(self.member);
    }

    fn decide(&self, context: &mut CommandContext<'_>) -> Result<Reply> {
        context.facts(self.member).ok_or_else(Error::not_found)?;
        if context.actor.member() != Some(self.member) {
            context.require_management(self.member)?;
        }
        let which = |session: SessionId| {
            self.only.is_none_or(|only| only == session) && self.except.is_none_or(|except| except != session)
        };
        context.revoke(self.member, which, self.reason);
        Ok(Reply::default())
    }
}
