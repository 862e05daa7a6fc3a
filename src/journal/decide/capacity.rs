//! What each member of the staff is: its presence, how many conversations it serves, and how many it may.
//!
//! Invariants: a member's number changes with the assignment that changes it, in one command; no assignment takes it
//! above `max_accept` unless the tenant allows that for this kind of assignment. A limit that is lowered takes nothing
//! away from its agent. Every change of a presence is written down in the same transaction.

use super::CommandContext;
use crate::domain::conversation::AssignmentReason;
use crate::domain::presence::{AgentStatusRow, PresenceChangeRow, PresenceStatus, Sighting};
use crate::domain::tenant::TenantSettings;
use crate::kernel::{Code, Error, MemberId, PresenceChangeId, Result};

impl CommandContext<'_> {
    /// What is kept of a member of the staff. Fails when the command did not want it.
    pub(crate) fn agent(&self, member: MemberId) -> Result<AgentStatusRow> {
        match self.set.agents.get(&member).filter(|row| row.tenant_id == self.tenant) {
            Some(row) => Ok(row.clone()),
            None if self.set.known_agents.contains(&member) => Ok(AgentStatusRow::new(self.tenant, member)),
            None => Err(Error::internal(format!("the status of agent {member} was not loaded"))),
        }
    }

    /// Fails with `agent_full` when one more conversation is more than the agent accepts.
    pub(crate) fn require_capacity(&self, agent: MemberId, why: AssignmentReason) -> Result<()> {
        let allowed = self.set.tenants.get(&self.tenant).is_some_and(|tenant| match why {
            // Who takes a conversation over takes it like one that waits.
            AssignmentReason::Claim | AssignmentReason::TakeOver => tenant.settings.claim_above_max_accept,
            AssignmentReason::Transfer => tenant.settings.transfer_above_max_accept,
            AssignmentReason::Assign => tenant.settings.assign_above_max_accept,
            AssignmentReason::Routing | AssignmentReason::Offer => false,
        });
        let current = self.agent(agent)?.current_accept;
        let most = self.facts(agent).map_or(0, |facts| facts.max_accept);
        if allowed || current < most {
            return Ok(());
        }
        let error = Error::new(Code::AgentFull, "the agent serves as many conversations as it accepts");
        Err(error.with("agent_id", agent).with("current_accept", current).with("max_accept", most))
    }

    /// A conversation goes from one agent to another; `None` is nobody.
    pub(crate) fn count_served(&mut self, from: Option<MemberId>, to: Option<MemberId>) -> Result<()> {
        let steps = [(from, -1), (to, 1)];
        let steps = || steps.into_iter().filter_map(|(member, step)| Some((member?, step)));
        // Both first, so that a failure has changed nothing.
        steps().try_for_each(|(member, _)| self.agent(member).map(drop))?;
        for (member, step) in steps() {
            let row = self.agent(member)?;
            let (current_accept, now) = ((row.current_accept + step).max(0), Some(self.set.now));
            let last_assigned_at = if step > 0 { now } else { row.last_assigned_at };
            self.keep_agent(AgentStatusRow { current_accept, last_assigned_at, idle_since: now, ..row });
        }
        Ok(())
    }

    /// Who may not use its account any more is not at work.
    pub(crate) fn sign_off(&mut self, member: MemberId) -> Result<()> {
        let row = self.agent(member)?;
        if row.status != PresenceStatus::Offline {
            let since = Some(self.set.now);
            let (status, reason) = (PresenceStatus::Offline, String::new());
            self.change_presence(AgentStatusRow { status, reason, since, ..row })?;
        }
        Ok(())
    }

    /// What is known of the sockets of a member of the staff. Fails when the command did not want it.
    pub(crate) fn sighting(&self, member: MemberId) -> Result<Option<Sighting>> {
        match self.set.known_sightings.contains(&member) {
            true => Ok(self.set.sightings.get(&member).copied()),
            false => Err(Error::internal(format!("the sockets of {member} were not looked up"))),
        }
    }

    /// What the tenant decided for itself.
    pub(crate) fn settings(&self) -> TenantSettings {
        self.set.tenants.get(&self.tenant).map(|tenant| tenant.settings).unwrap_or_default()
    }

    /// Keeps what a member of the staff is from now on, and writes it down for reports.
    pub(crate) fn change_presence(&mut self, row: AgentStatusRow) -> Result<()> {
        let online = |row: &AgentStatusRow| row.effective() == PresenceStatus::Online;
        let comes = online(&row) && !online(&self.agent(row.member_id)?);
        let idle_since = if comes { Some(self.set.now) } else { row.idle_since };
        let row = AgentStatusRow { idle_since, ..row };
        let change = PresenceChangeRow {
            id: PresenceChangeId(self.set.ids.next()?),
            tenant_id: self.tenant,
            member_id: row.member_id,
            at: self.set.now,
            status: row.status,
            effective_status: row.effective(),
            reason: row.reason.clone(),
        };
        self.set.presence_changes.push(change);
        self.keep_agent(row);
        Ok(())
    }

    /// Keeps a row as it is now, under the command's rev.
    pub(crate) fn keep_agent(&mut self, row: AgentStatusRow) {
        let rev = self.rev();
        let row = AgentStatusRow { rev, ..row };
        match self.set.agents.get_mut(&row.member_id) {
            Some(kept) => *kept = row,
            None => self.set.agents.create(row.member_id, row),
        }
    }
}
