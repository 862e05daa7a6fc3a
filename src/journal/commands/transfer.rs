//! Handing a conversation over to another agent. The table of legal moves stands in `decide::serve`.
//!
//! Owns the guard against conversations that go in circles: it counts the transfers of the last hour, and refuses the
//! way straight back. Assigning is not guarded, so a supervisor always has a way out.

use super::JournalCommand;
use crate::domain::actor::Principal;
use crate::domain::conversation::{AssignmentReason, AssignmentRow, ConversationStatus};
use crate::domain::member::Role;
use crate::domain::permission::Operation;
use crate::domain::presence::PresenceStatus;
use crate::journal::command::Reply;
use crate::journal::decide::{CommandContext, wrong_state};
use crate::journal::wants::{TRANSFERS_MS, Wants};
use crate::kernel::{Code, ConversationId, Error, MemberId, Result};

/// For so long a conversation does not go straight back to the agent who handed it over, unless somebody wrote.
const BACK_MS: i64 = 60_000;

/// Hand a conversation over to another agent: the serving agent may, to one who is there, and supervisors, to anybody
/// of the staff but themselves.
#[derive(Debug, Clone)]
pub struct Transfer {
    /// Which.
    pub conversation: ConversationId,
    /// To whom.
    pub agent: MemberId,
    /// Why, for the staff; may be empty.
    pub note: String,
}

impl JournalCommand for Transfer {
    fn wants(&self, _: &Principal, wants: &mut Wants) {
        wants.conversations.insert(self.conversation);
        wants.transfers.insert(self.conversation);
        wants.members.insert(self.agent);
        wants.assignments = true;
        wants.agents.insert(self.agent);
    }

    fn decide(&self, context: &mut CommandContext<'_>) -> Result<Reply> {
        let (front, agent, actor) = (self.conversation, self.agent, context.actor_member()?);
        context.support(front)?;
        // Who handed it over is no longer in it; saying it again finds that it is done.
        let row = context.conversation(front)?;
        let done = row.status == Some(ConversationStatus::Pending) && row.agent_id == Some(agent);
        let served = context.participant(front, actor).is_some();
        if done && agent != actor && served && context.actor.role().is_some_and(Role::is_staff) {
            return Ok(Reply::about(front));
        }
        context.require(front, Operation::Transfer)?;
        if agent == actor {
            return Err(Error::field("/agent_id", "invalid", "nobody hands a conversation over to itself"));
        }
        context.require_staff(agent, "/agent_id")?;
        if done {
            return Ok(Reply::about(front));
        }
        context.require_version(front)?;
        let row = context.conversation(front)?;
        if row.status != Some(ConversationStatus::Pending) {
            return Err(wrong_state(row, "only a conversation that an agent serves can be handed over"));
        }
        if !context.oversees(Operation::Transfer) {
            if row.agent_id != Some(actor) {
                return Err(wrong_state(row, "only the serving agent or a supervisor can hand it over"));
            }
            let effective = context.agent(agent)?.effective();
            if !matches!(effective, PresenceStatus::Online | PresenceStatus::Busy) {
                let error = Error::new(Code::AgentAbsent, "the agent is not there");
                return Err(error.with("agent_id", agent).with("effective_status", effective));
            }
        }
        self.check_circle(context)?;
        context.hand_to(front, agent, AssignmentReason::Transfer, &self.note)?;
        Ok(Reply::about(front))
    }
}

impl Transfer {
    /// Fails with `transfer_loop` for a conversation that goes in circles.
    fn check_circle(&self, context: &CommandContext<'_>) -> Result<()> {
        let (row, now) = (context.conversation(self.conversation)?, context.set.now);
        let transfers: Vec<&AssignmentRow> = context.transfers(self.conversation)?;
        let lately = transfers.iter().filter(|one| now - one.started_at < TRANSFERS_MS).count();
        let limit = context.settings().transfer_limit;
        if i64::try_from(lately).is_ok_and(|lately| lately >= limit) {
            let error = Error::new(Code::TransferLoop, "the conversation was transferred too often within an hour");
            return Err(error.with("transfers", lately).with("transfer_limit", limit));
        }
        let back = transfers.iter().max_by_key(|one| one.id).is_some_and(|last| {
            let holds = Some(last.agent_id) == row.agent_id && Some(last.started_at) == row.assigned_at;
            let silent = last.msg_count == row.msg_count && now - last.started_at < BACK_MS;
            holds && silent && last.from_agent_id == Some(self.agent)
        });
        match back {
            true => Err(Error::new(Code::TransferLoop, "it came from that agent a moment ago, and nobody wrote since")),
            false => Ok(()),
        }
    }
}
