//! Suspending or reopening a tenant.

use super::JournalCommand;
use crate::domain::actor::Principal;
use crate::domain::audit::{Act, AuditTarget, Audited};
use crate::journal::command::Reply;
use crate::journal::decide::CommandContext;
use crate::journal::wants::Wants;
use crate::kernel::{Code, Error, Result, TenantId};

/// Suspend or reopen the whole tenant. Only the operator may.
#[derive(Debug, Clone)]
pub struct ChangeTenant {
    /// Whether it may not be used.
    pub suspended: bool,
}

/// Whether a tenant may be used, as the audit log tells it.
struct TenantState {
    tenant: TenantId,
    suspended: bool,
}

impl Audited for TenantState {
    const TARGET: AuditTarget = AuditTarget::Tenant;

    fn audit_id(&self) -> i64 {
        self.tenant.0
    }

    fn audit_facts(&self) -> serde_json::Value {
        serde_json::json!({"suspended": self.suspended})
    }
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
        let state = |suspended| TenantState { tenant, suspended };
        context.note(Act::updated(&state(!self.suspended), &state(self.suspended)));
        let rev = context.rev();
        if let Some(facts) = context.set.tenants.get_mut(&tenant) {
            facts.suspended = self.suspended;
            facts.state_rev = rev;
        }
        Ok(Reply::default())
    }
}
