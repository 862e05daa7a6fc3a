//! Who serves a conversation: claim, assign, transfer, take over, dock, release, close, reopen. The one table of legal moves.
//!
//! | from \ command | claim | assign | transfer to an agent | transfer to a group | take_over | dock | release | close | reopen |
//! |---|---|---|---|---|---|---|---|---|---|
//! | open (waits) | pending | pending | 409 | 409; who did it: stays | 409 | docked | stays | closed | stays |
//! | pending (an agent serves it) | holder: stays; others: 409 already_assigned; who may not see it, soon after: 404 | pending with the other agent | pending with the other agent | open, the group's | pending with the actor | docked | open | closed | 409 |
//! | docked (pending; a whole group serves it) | pending with the actor | pending with the agent | supervisors: pending with the agent | supervisors: open, the group's | pending with the actor | docked to the other group | open | closed | 409 |
//! | closed | 409 | 409 | 409 | 409 | 409 | 409 | 409 | stays | open; customers, after the tenant's window: 409 reopen_expired |
//!
//! Where the whole group serves (`GroupRow::serving`) and somebody in it can, what is opened for the group, moved to it while
//! it waits, transferred to it or reopened is docked to it in the same command; what is freed otherwise waits until
//! `DockWaiting` finds it, a moment later.
//!
//! While it waits a bot may answer (`decide::bots`): then claim, assign, dock and close take it from the bot, as does a
//! message of the staff.
//!
//! 409 without another name is `invalid_transition` with the present state. The service itself closes what is pending when
//! the customer does not answer (`decide::timers`).

use super::CommandContext;
use super::log::Words;
use crate::domain::conversation::{
    AssignmentEnd, AssignmentReason, AssignmentRow, CloseReason, ConversationStatus, MemberType,
};
use crate::domain::entry::EntryKind;
use crate::domain::notice::{ClosedContent, RemarkContent};
use crate::journal::endings::EndedAssignment;
use crate::kernel::{AssignmentId, ConversationId, MemberId, Result};

impl CommandContext<'_> {
    /// Lets an agent serve the conversation.
    pub(crate) fn hand_to<'a>(
        &mut self,
        front: ConversationId,
        agent: MemberId,
        why: AssignmentReason,
        words: impl Into<Words<'a>>,
    ) -> Result<()> {
        let words = words.into();
        let assigned_by = self.actor.member();
        self.require_capacity(agent, why)?;
        let assignment = AssignmentId(self.set.ids.next()?);
        if !words.is_empty() {
            self.backstage(front)?;
        }
        let (now, tenant) = (self.set.now, self.tenant);
        let previous = self.conversation(front)?.agent_id.filter(|previous| *previous != agent);
        let from_agent_id = self.serving(front)?;
        let msg_count = self.conversation(front)?.msg_count;
        self.count_served(from_agent_id, Some(agent))?;
        let card = self.public_card(agent);
        self.append_notice(front, EntryKind::Assigned, &card, None)?;
        if self.conversation(front)?.status == Some(ConversationStatus::Pending) {
            self.end_assignment(front, AssignmentEnd::Reassign);
            if let Some(previous) = previous {
                self.leave(front, previous)?;
            }
            self.undock(front, Some(agent))?;
        }
        self.dismiss_bot(front)?;
        let row = self.conversation_mut(front)?;
        row.agent_id = Some(agent);
        row.status = Some(ConversationStatus::Pending);
        row.assigned_at = Some(now);
        row.stop_waiting();
        row.version += 1;
        self.enter(front, agent, MemberType::Manager)?;
        let row = AssignmentRow {
            id: assignment,
            tenant_id: tenant,
            conversation_id: front,
            agent_id: agent,
            reason: why,
            note: words.note.to_owned(),
            assigned_by,
            started_at: now,
            ended_at: None,
            end_reason: None,
            from_agent_id,
            msg_count,
        };
        self.set.assignments.create(assignment, row);
        self.remark(front, EntryKind::Assigned, words)
    }

    /// Who serves the conversation now.
    pub(crate) fn serving(&self, front: ConversationId) -> Result<Option<MemberId>> {
        let row = self.conversation(front)?;
        Ok(row.agent_id.filter(|_| row.status == Some(ConversationStatus::Pending)))
    }

    /// Ends the assignment that holds now, be it stored or made earlier in this batch.
    pub(super) fn end_assignment(&mut self, front: ConversationId, reason: AssignmentEnd) {
        // What a group serves, or a bot answers, is assigned to nobody.
        if !matches!(self.serving(front), Ok(Some(_))) {
            return;
        }
        let at = self.set.now;
        let held = |row: &&AssignmentRow| row.conversation_id == front && row.ended_at.is_none();
        let fresh = self.set.assignments.values().find(held).map(|row| row.id);
        match fresh.and_then(|id| self.set.assignments.get_mut(&id)) {
            Some(row) => {
                row.ended_at = Some(at);
                row.end_reason = Some(reason);
            }
            None => self.set.ended_assignments.push(EndedAssignment { conversation: front, at, reason }),
        }
    }

    /// Takes the conversation from its agent, or the group that serves it: it waits again.
    pub(crate) fn free<'a>(
        &mut self,
        front: ConversationId,
        end: AssignmentEnd,
        words: impl Into<Words<'a>>,
    ) -> Result<()> {
        let (now, words) = (self.set.now, words.into());
        let holder = self.conversation(front)?.agent_id;
        let reason = Some(end).filter(|end| *end != AssignmentEnd::Release);
        if !words.is_empty() || reason.is_some() {
            self.backstage(front)?;
        }
        self.count_served(self.serving(front)?, None)?;
        let card = holder.map(|holder| self.public_card(holder)).unwrap_or_default();
        self.append_notice(front, EntryKind::Released, &card, None)?;
        self.end_assignment(front, end);
        if let Some(holder) = holder {
            self.leave(front, holder)?;
            if AssignmentEnd::GIVEN_BACK.contains(&end) {
                self.set.routing.refusals.entry(front).or_default().push((holder, now));
            }
        }
        self.undock(front, None)?;
        let row = self.conversation_mut(front)?;
        row.agent_id = None;
        row.status = Some(ConversationStatus::Open);
        row.assigned_at = None;
        // It comes before those that no agent has had.
        row.wait(now, true);
        row.version += 1;
        match reason {
            // It was not released: the staff learn from the log why the agent has it no more.
            Some(_) => {
                let (about, note) = (EntryKind::Released, words.note.to_owned());
                self.explain(front, RemarkContent { about, note, reason, transfer_reason: words.reason })
            }
            None => self.remark(front, EntryKind::Released, words),
        }
    }

    /// Closes a conversation that is not closed.
    pub(crate) fn end(&mut self, front: ConversationId, reason: CloseReason) -> Result<()> {
        let now = self.set.now;
        self.count_served(self.serving(front)?, None)?;
        self.append_notice(front, EntryKind::Closed, &ClosedContent { reason }, None)?;
        if self.conversation(front)?.status == Some(ConversationStatus::Pending) {
            self.end_assignment(
                front,
                match reason {
                    CloseReason::TimedOut => AssignmentEnd::TimedOut,
                    _ => AssignmentEnd::Close,
                },
            );
        }
        let tenant = self.tenant;
        self.dismiss_bot(front)?;
        let row = self.conversation_mut(front)?;
        row.status = Some(ConversationStatus::Closed);
        row.closed_at = Some(now);
        row.stop_waiting();
        row.close_reason = Some(reason);
        row.version += 1;
        let last_rev = row.last_rev;
        if let Some(key) = row.open_key.take() {
            self.set.open.remove(&(tenant, key));
        }
        self.set_active(front, false, last_rev)
    }

    /// A closed conversation's rows are frozen with its last rev; an opened one's follow it again.
    pub(crate) fn set_active(&mut self, front: ConversationId, active: bool, last_rev: i64) -> Result<()> {
        let rev = self.rev();
        let members: Vec<_> =
            self.set.participants_of(front).filter(|row| row.is_in()).map(|row| row.member_id).collect();
        for member in members {
            if let Some(row) = self.participant_mut(front, member) {
                row.active = active;
                row.last_rev = last_rev;
                row.rev = rev;
            }
        }
        Ok(())
    }
}
