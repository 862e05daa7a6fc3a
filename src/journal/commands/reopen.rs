//! Letting a closed conversation wait again. The table of legal moves stands in `decide::serve`.
//!
//! The agent who served it is preferred where routing is automatic. Where it is manual, nobody is given anything: the
//! conversation waits, and that agent, who is still in it, hears of it at once.

use super::JournalCommand;
use crate::domain::actor::Principal;
use crate::domain::conversation::{ConversationStatus, MemberType, support_open_key};
use crate::domain::entry::EntryKind;
use crate::domain::member::Role;
use crate::domain::notice::EmptyContent;
use crate::domain::permission::Operation;
use crate::journal::command::Reply;
use crate::journal::decide::{CommandContext, wrong_state};
use crate::journal::wants::Wants;
use crate::kernel::{Code, ConversationId, Error, Millis, Result};

/// Let a closed conversation wait again.
#[derive(Debug, Clone)]
pub struct Reopen {
    /// Which.
    pub conversation: ConversationId,
}

impl JournalCommand for Reopen {
    fn wants(&self, _: &Principal, wants: &mut Wants) {
        wants.conversations.insert(self.conversation);
        wants.groups_of_conversations = true;
        wants.needs.insert(self.conversation);
        wants.restarts = true;
        wants.bots = true;
    }

    fn decide(&self, context: &mut CommandContext<'_>) -> Result<Reply> {
        let front = self.conversation;
        context.support(front)?;
        context.require(front, Operation::Reopen)?;
        let row = context.conversation(front)?;
        if row.status == Some(ConversationStatus::Open) {
            return Ok(Reply::about(front));
        }
        context.require_version(front)?;
        if row.status == Some(ConversationStatus::Pending) {
            return Err(wrong_state(row, "the conversation is being served"));
        }
        let key = row.customer_id.map(support_open_key);
        if let Some(open) = key.as_deref().and_then(|key| context.open_conversation(key)) {
            let error =
                Error::new(Code::OpenConversationExists, "the customer has another open conversation");
            return Err(error.with("conversation_id", open));
        }
        let window = context.settings().reopen_window_seconds.map(|seconds| seconds.saturating_mul(1_000));
        let ended = row.closed_at.unwrap_or(row.updated_at);
        let late = window.is_some_and(|window| window == 0 || context.set.now.saturating_sub(ended) > window);
        if late && context.actor.role() == Some(Role::Customer) {
            let error = Error::new(Code::ReopenExpired, Code::ReopenExpired.meaning());
            return Err(error.with("closed_at", Millis(ended)));
        }
        // What was closed keeps the name of a group that ended since; what waits must be somebody's matter.
        let ended = row.group_id.is_some_and(|group| context.group(group).is_err());
        if ended {
            context.backstage(front)?;
        }
        let reopened = context.append_notice(front, EntryKind::Reopened, &EmptyContent {}, None)?;
        context.restart_turn(&reopened)?;
        let (tenant, now) = (context.tenant, context.set.now);
        let row = context.conversation_mut(front)?;
        let previous = row.agent_id.take();
        row.status = Some(ConversationStatus::Open);
        row.assigned_at = None;
        row.closed_at = None;
        row.close_reason = None;
        row.merged_into_id = None;
        row.wait(now, false);
        row.version += 1;
        row.open_key.clone_from(&key);
        let last_rev = row.last_rev;
        context.undock(front, None)?;
        if let Some(key) = key {
            context.set.open.insert((tenant, key), front);
        }
        context.set_active(front, true, last_rev)?;
        context.prefer_agent(front, previous);
        if let Some(row) = previous.and_then(|agent| context.participant_mut(front, agent))
            && row.is_in()
            && row.member_type == MemberType::Manager
        {
            row.member_type = MemberType::Member;
        }
        if ended {
            context.move_to_group(front, None)?;
        }
        // The staff who reopen it want to serve it themselves.
        if context.actor.role() == Some(Role::Customer) {
            context.answer_by_bot(front)?;
        }
        context.dock_if_whole(front)?;
        Ok(Reply::about(front))
    }
}
