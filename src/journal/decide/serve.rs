//! Who serves a conversation: claim, assign, release, close, reopen. The one table of legal moves.
//!
//! | from \ command | claim | assign | release | close | reopen |
//! |---|---|---|---|---|---|
//! | open (waits) | pending | pending | stays | closed | stays |
//! | pending (served) | holder: stays; others: 409 already_assigned | pending with the other agent | open | closed | 409 |
//! | closed | 409 | 409 | 409 | stays | open |
//!
//! 409 without another name is `invalid_transition` with the present state.

use serde_json::json;

use super::{CommandContext, about, wrong_state};
use crate::domain::conversation::{
    AssignmentEnd, AssignmentReason, AssignmentRow, CloseReason, ConversationStatus, MemberType,
    support_open_key,
};
use crate::domain::entry::EntryKind;
use crate::domain::member::Role;
use crate::domain::permission::Operation;
use crate::journal::command::Reply;
use crate::journal::working_set::EndedAssignment;
use crate::kernel::{AssignmentId, Code, ConversationId, Error, MemberId, Result};

impl CommandContext<'_> {
    pub(super) fn claim(&mut self, front: ConversationId) -> Result<Reply> {
        self.support(front)?;
        // Who lost a race sees the holder instead of a bare 404: the conversation was visible while it waited.
        if let (Some(holder), true) = (self.room(front)?.agent_id, self.actor.role.is_staff())
            && self.room(front)?.status == Some(ConversationStatus::Pending)
        {
            if holder == self.actor.member {
                return Ok(about(front));
            }
            let error = Error::new(Code::AlreadyAssigned, "another agent holds the conversation");
            return Err(error.with("agent_id", holder).with("status", ConversationStatus::Pending));
        }
        self.require(front, Operation::Claim)?;
        if self.room(front)?.status != Some(ConversationStatus::Open) {
            return Err(wrong_state(self.room(front)?, "only a waiting conversation can be claimed"));
        }
        self.hand_to(front, self.actor.member, AssignmentReason::Claim, "")?;
        Ok(about(front))
    }

    pub(super) fn assign(&mut self, front: ConversationId, agent: MemberId, note: &str) -> Result<Reply> {
        self.support(front)?;
        self.require(front, Operation::Assign)?;
        self.require_staff(agent, "/agent_id")?;
        let room = self.room(front)?;
        match room.status {
            Some(ConversationStatus::Pending) if room.agent_id == Some(agent) => return Ok(about(front)),
            Some(ConversationStatus::Closed) => {
                return Err(wrong_state(room, "a closed conversation cannot be assigned: reopen it"));
            }
            _ => {}
        }
        self.hand_to(front, agent, AssignmentReason::Assign, note)?;
        Ok(about(front))
    }

    fn hand_to(
        &mut self,
        front: ConversationId,
        agent: MemberId,
        why: AssignmentReason,
        note: &str,
    ) -> Result<()> {
        let assignment = AssignmentId(self.set.ids.next()?);
        if !note.is_empty() {
            self.backstage(front)?;
        }
        let (now, tenant) = (self.set.now, self.tenant);
        let previous = self.room(front)?.agent_id.filter(|previous| *previous != agent);
        let card = self.public_card(agent);
        self.append_notice(front, EntryKind::Assigned, &card, None)?;
        if self.room(front)?.status == Some(ConversationStatus::Pending) {
            self.end_assignment(front, AssignmentEnd::Reassign);
            if let Some(previous) = previous {
                self.leave(front, previous)?;
            }
        }
        let room = self.room_mut(front)?;
        room.agent_id = Some(agent);
        room.status = Some(ConversationStatus::Pending);
        room.assigned_at = Some(now);
        room.version += 1;
        self.enter(front, agent, MemberType::Manager)?;
        self.set.assignments.push(AssignmentRow {
            id: assignment,
            tenant_id: tenant,
            conversation_id: front,
            agent_id: agent,
            reason: why,
            note: note.to_owned(),
            assigned_by: self.actor.member,
            started_at: now,
            ended_at: None,
            end_reason: None,
        });
        self.remark(front, EntryKind::Assigned, note)
    }

    /// Ends the assignment that holds now, be it stored or made earlier in this batch.
    fn end_assignment(&mut self, front: ConversationId, reason: AssignmentEnd) {
        let at = self.set.now;
        let fresh = self
            .set
            .assignments
            .iter_mut()
            .find(|row| row.conversation_id == front && row.ended_at.is_none());
        match fresh {
            Some(row) => {
                row.ended_at = Some(at);
                row.end_reason = Some(reason);
            }
            None => self.set.ended_assignments.push(EndedAssignment { conversation: front, at, reason }),
        }
    }

    pub(super) fn release(&mut self, front: ConversationId, note: &str) -> Result<Reply> {
        self.support(front)?;
        self.require(front, Operation::Release)?;
        let room = self.room(front)?;
        match room.status {
            Some(ConversationStatus::Open) => return Ok(about(front)),
            Some(ConversationStatus::Closed) => {
                return Err(wrong_state(room, "a closed conversation cannot be released"));
            }
            _ => {}
        }
        let holder = room.agent_id;
        if holder != Some(self.actor.member) && !self.oversees(Operation::Release) {
            return Err(wrong_state(room, "only the serving agent or a supervisor can release"));
        }
        if !note.is_empty() {
            self.backstage(front)?;
        }
        let card = holder.map_or_else(|| json!({}), |holder| self.public_card(holder));
        self.append_notice(front, EntryKind::Released, &card, None)?;
        self.end_assignment(front, AssignmentEnd::Release);
        if let Some(holder) = holder {
            self.leave(front, holder)?;
        }
        let room = self.room_mut(front)?;
        room.agent_id = None;
        room.status = Some(ConversationStatus::Open);
        room.assigned_at = None;
        room.version += 1;
        self.remark(front, EntryKind::Released, note)?;
        Ok(about(front))
    }

    pub(super) fn close(&mut self, front: ConversationId, reason: CloseReason, note: &str) -> Result<Reply> {
        self.support(front)?;
        self.require(front, Operation::Close)?;
        if self.room(front)?.status == Some(ConversationStatus::Closed) {
            return Ok(about(front));
        }
        let reason = if self.actor.role == Role::Customer { CloseReason::CustomerLeft } else { reason };
        let note = if self.actor.role == Role::Customer { "" } else { note };
        if !note.is_empty() {
            self.backstage(front)?;
        }
        self.end(front, reason)?;
        self.remark(front, EntryKind::Closed, note)?;
        Ok(about(front))
    }

    /// Closes a room that is not closed.
    pub(super) fn end(&mut self, front: ConversationId, reason: CloseReason) -> Result<()> {
        let now = self.set.now;
        self.append_notice(front, EntryKind::Closed, &json!({ "reason": reason }), None)?;
        if self.room(front)?.status == Some(ConversationStatus::Pending) {
            self.end_assignment(front, AssignmentEnd::Close);
        }
        let tenant = self.tenant;
        let room = self.room_mut(front)?;
        room.status = Some(ConversationStatus::Closed);
        room.closed_at = Some(now);
        room.close_reason = Some(reason);
        room.version += 1;
        let last_rev = room.last_rev;
        if let Some(key) = room.open_key.take() {
            self.set.open.remove(&(tenant, key));
        }
        self.set_active(front, false, last_rev)
    }

    /// A closed room's rows are frozen with its last rev; an opened one's follow it again.
    fn set_active(&mut self, front: ConversationId, active: bool, last_rev: i64) -> Result<()> {
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

    pub(super) fn reopen(&mut self, front: ConversationId) -> Result<Reply> {
        self.support(front)?;
        self.require(front, Operation::Reopen)?;
        let room = self.room(front)?;
        match room.status {
            Some(ConversationStatus::Open) => return Ok(about(front)),
            Some(ConversationStatus::Pending) => {
                return Err(wrong_state(room, "the conversation is being served"));
            }
            _ => {}
        }
        let key = room.customer_id.map(support_open_key);
        if let Some(key) = &key
            && let Some(open) = self.set.open.get(&(self.tenant, key.clone()))
        {
            let error =
                Error::new(Code::OpenConversationExists, "the customer has another open conversation");
            return Err(error.with("conversation_id", open));
        }
        self.append_notice(front, EntryKind::Reopened, &json!({}), None)?;
        let tenant = self.tenant;
        let room = self.room_mut(front)?;
        let previous = room.agent_id.take();
        room.status = Some(ConversationStatus::Open);
        room.assigned_at = None;
        room.closed_at = None;
        room.close_reason = None;
        room.version += 1;
        room.open_key = key.clone();
        let last_rev = room.last_rev;
        if let Some(key) = key {
            self.set.open.insert((tenant, key), front);
        }
        self.set_active(front, true, last_rev)?;
        if let Some(row) = previous.and_then(|agent| self.participant_mut(front, agent))
            && row.member_type == MemberType::Manager
        {
            row.member_type = MemberType::Member;
        }
        Ok(about(front))
    }
}
