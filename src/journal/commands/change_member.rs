//! Changing a member's role or state, or deleting it.

use super::JournalCommand;
use crate::domain::actor::Principal;
use crate::domain::conversation::{CloseReason, support_open_key};
use crate::domain::member::{MemberStatus, Role};
use crate::journal::command::Reply;
use crate::journal::decide::CommandContext;
use crate::journal::wants::Wants;
use crate::kernel::{Error, MemberId, Result};

/// Change a member's role, state or end, or delete it. Ends its live sockets; a member that is disabled, deleted or
/// past its end also loses its sessions.
#[derive(Debug, Clone)]
pub struct ChangeMember {
    /// Whom.
    pub member: MemberId,
    /// The new role.
    pub role: Option<Role>,
    /// The new state.
    pub status: Option<MemberStatus>,
    /// The new end of the account; `Some(None)` takes it away.
    pub expires_at: Option<Option<i64>>,
    /// Soft delete: the login name and external id become free.
    pub delete: bool,
}

impl JournalCommand for ChangeMember {
    const NEEDS_ACCESS: bool = false;

    fn wants(&self, _: &Principal, wants: &mut Wants) {
        wants.members.insert(self.member);
        wants.sessions.insert(self.member);
        if self.delete {
            wants.openers.insert(self.member);
        }
    }

    fn decide(&self, context: &mut CommandContext<'_>) -> Result<Reply> {
        let facts = context.facts(self.member).ok_or_else(Error::not_found)?;
        let role = self.role.unwrap_or(facts.role);
        let status = self.status.unwrap_or(facts.status);
        let deleted = facts.deleted || self.delete;
        let expires_at = self.expires_at.unwrap_or(facts.expires_at);
        let present = (facts.role, facts.status, facts.deleted, facts.expires_at);
        context.require_management(self.member)?;
        if (role, status, deleted, expires_at) == present {
            return Ok(Reply::default());
        }
        let rev = context.rev();
        if let Some(facts) = context.set.members.get_mut(&self.member) {
            facts.role = role;
            facts.status = status;
            facts.deleted = deleted;
            facts.expires_at = expires_at;
            facts.rev = rev;
        }
        // Nobody is left to answer: what the customer still had open ends.
        if self.delete
            && role == Role::Customer
            && let Some(open) = context.open_conversation(&support_open_key(self.member))
        {
            context.end(open, CloseReason::CustomerDeleted)?;
        }
        if deleted || status == MemberStatus::Disabled {
            context.revoke(self.member, |_| true, if deleted { "deleted" } else { "disabled" });
        } else if expires_at.is_some_and(|end| end <= context.set.now) {
            context.revoke(self.member, |_| true, "expired");
        }
        Ok(Reply::default())
    }
}
