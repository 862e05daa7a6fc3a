//! What a conversation asks of its agent, and how many may wait.

use super::CommandContext;
use crate::domain::offer::NeedsRow;
use crate::domain::routing::Needs;
use crate::kernel::{Code, ConversationId, Error, GroupId, MemberId, Result};

impl CommandContext<'_> {
    /// What a conversation asks of its agent.
    pub(crate) fn needs(&self, front: ConversationId) -> Needs {
        self.set.needs.get(&front).map(NeedsRow::needs).unwrap_or_default()
    }

    /// Keeps what a conversation asks of its agent.
    pub(crate) fn keep_needs(&mut self, front: ConversationId, needs: &Needs) {
        let row = NeedsRow::new(self.tenant, front, needs);
        match self.set.needs.get_mut(&front) {
            Some(kept) => *kept = row,
            None => self.set.needs.create(front, row),
        }
    }

    /// Whether what waits for this group, or for none, is given to who served its customer last. The group was loaded.
    pub(crate) fn prefers_last_agent(&self, group: Option<GroupId>) -> bool {
        let routing = self.set.routing_of(self.tenant, group);
        routing.is_automatic() && routing.last_agent_first
    }

    /// Prefers the agent who served it before, where the tenant wants that.
    pub(crate) fn prefer_agent(&mut self, front: ConversationId, agent: Option<MemberId>) {
        let group = self.conversation(front).ok().and_then(|row| row.group_id);
        if agent.is_some() && self.prefers_last_agent(group) {
            let needs = Needs { last_agent: agent, ..self.needs(front) };
            self.keep_needs(front, &needs);
        }
    }

    /// Fails with `queue_closed` or `queue_full` when no visitor may open a conversation now that waits, or does not.
    pub(crate) fn require_queue(&self, waits: bool) -> Result<()> {
        let settings = self.set.tenants.get(&self.tenant).map(|facts| facts.settings.queue);
        let Some(queue) = settings else { return Ok(()) };
        if !queue.open {
            return Err(Error::new(Code::QueueClosed, Code::QueueClosed.meaning()));
        }
        let waiting = self.set.waiting_counts.get(&self.tenant).copied().unwrap_or_default();
        if let Some(limit) = queue.limit.filter(|limit| waits && waiting >= *limit) {
            let error = Error::new(Code::QueueFull, Code::QueueFull.meaning());
            return Err(error.with("waiting", waiting).with("limit", limit));
        }
        Ok(())
    }

    /// One more waits.
    pub(crate) fn count_waiting(&mut self) {
        if let Some(count) = self.set.waiting_counts.get_mut(&self.tenant) {
            *count += 1;
        }
    }
}
