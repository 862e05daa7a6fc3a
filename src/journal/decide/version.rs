//! What a command was based on: the version of the conversation that its sender had before it.
//!
//! The version is compared inside the transaction that would do the command, so of several that are based on the same
//! version at most one is done. Who may not see the conversation has been answered before. What holds already succeeds
//! whatever it is based on: the sender may have lost the first answer (RFC 9110, 13.1.1). A claim of what another
//! holds is `already_assigned` with and without a version, since that says more.

use super::CommandContext;
use crate::domain::member::Role;
use crate::kernel::{Code, ConversationId, Error, Result};

impl CommandContext<'_> {
    /// Fails with `version_mismatch` and the present state when the command was based on another version than the
    /// present one. A customer is not shown the version, which also moves with what only the staff may know, so what
    /// a customer names never fits and is never compared.
    pub(crate) fn require_version(&self, front: ConversationId) -> Result<()> {
        let Some(asked) = &self.if_version else { return Ok(()) };
        let row = self.conversation(front)?;
        let customer = self.actor.role() == Some(Role::Customer);
        if !customer && asked.fits(row.version) {
            return Ok(());
        }
        let error = match customer {
            true => Error::new(Code::VersionMismatch, "a customer is shown no version: only * fits"),
            false => {
                let detail = format!("the conversation is at version {}", row.version);
                Error::new(Code::VersionMismatch, detail).with("version", row.version)
            }
        };
        Err(error.with("status", row.status).with("agent_id", row.agent_id))
    }
}
