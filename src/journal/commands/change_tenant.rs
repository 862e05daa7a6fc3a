//! Suspending or reopening a tenant.

use super::JournalCommand;
use crate::domain::actor::Principal;
use crate::journal::command::Reply;
use crate::journal::decide::CommandContext;
use crate::journal::wants::Wants;
use crate::kernel::{Code, Error, Result};

/// Suspend or reopen the whole tenant. Only the operator may.
#[derive(Debug, Clone)]
pub struct ChangeTenant {
    /// Whether it may not be used.
    pub suspended: bool,
}

impl JournalCommand for ChangeTenant {
    const NEEDS_ACCESS: bool = false;

    fn wants(&self, _: &Principal, _: &mut Wants) {}

    fn decide(&self, context: &mut CommandContext<'_>) -> Result<Reply> {
        if !matches!(context.actor, Principal::Operator(_)) {
            return Err(Error::new(Code::Forbidden, "only the operator suspends a tenant"));
        }
        let tenant = context.tenant;
        if context.set.tenants.get(&tenant).is_some_and(|facts| facts.suspended == self.suspended) {
            return Ok(Reply::default());
        }
        let rev = context.rev();
        if let Some(facts) = context.set.tenants.get_mut(&tenant) {
            facts.suspended = self.suspended;
            facts.state_rev = rev;
        }
        Ok(Reply::default())
    }
}
