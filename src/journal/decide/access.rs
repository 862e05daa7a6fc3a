//! Who has access: ending sessions, and who may manage an account.

use super::CommandContext;
use crate::domain::actor::Principal;
use crate::domain::permission::{Operation, Scope};
use crate::journal::endings::RevokedSession;
use crate::kernel::{Code, Error, MemberId, Result, SessionId};

impl CommandContext<'_> {
    /// Ends those live sessions of a member that fit.
    pub(crate) fn revoke(
        &mut self,
        member: MemberId,
        which: impl Fn(SessionId) -> bool,
        reason: &'static str,
    ) {
        let sessions = self.set.sessions.get(&member).cloned().unwrap_or_default();
        let ended: Vec<_> = sessions.iter().copied().filter(|session| which(*session)).collect();
        for session in &ended {
            let rev = self.rev();
            let (tenant, session) = (self.tenant, *session);
            self.set.revoked_sessions.push(RevokedSession { session, member, tenant, reason, rev });
        }
        if let Some(live) = self.set.sessions.get_mut(&member) {
            live.retain(|session| !ended.contains(session));
        }
    }

    /// Fails unless the actor may, by its present role and state, manage this account: the tenant's administrators
    /// any, others their sub-accounts.
    pub(crate) fn require_management(&self, member: MemberId) -> Result<()> {
        let Principal::Member(actor) = &self.actor else { return Ok(()) };
        let usable = self.facts(actor.member).is_some_and(|facts| facts.is_usable(self.set.now));
        if !usable {
            return Err(Error::new(Code::AccountDisabled, Code::AccountDisabled.meaning()));
        }
        let below = self.facts(member).is_some_and(|facts| facts.parent_id == Some(actor.member));
        match self.allow(Operation::ManageMembers)? {
            Scope::Tenant => Ok(()),
            _ if below => Ok(()),
            _ => Err(Error::new(Code::Forbidden, "only own sub-accounts may be managed")),
        }
    }
}
