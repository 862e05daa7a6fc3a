//! Docking: a whole group serves a conversation. Everybody in the group is in it and may answer; it is assigned to
//! nobody and counts against nobody's limit.
//!
//! Invariants: a docked conversation belongs to a group that lives; who is in it by a group is in that group, or a
//! row of `group_follow` says that it is about to leave; only a docked or closed conversation has members by a group.

use super::CommandContext;
use crate::domain::actor::Principal;
use crate::domain::conversation::{AssignmentEnd, ConversationStatus, MemberType, ParticipantRow};
use crate::domain::entry::EntryKind;
use crate::domain::group::Serving;
use crate::domain::notice::EmptyContent;
use crate::kernel::{ConversationId, GroupId, MemberId, Result};

impl CommandContext<'_> {
    /// Lets a group serve a conversation that is not closed, instead of whom it had.
    pub(crate) fn dock(&mut self, front: ConversationId, group: GroupId, note: &str) -> Result<()> {
        let agent = self.serving(front)?;
        self.count_served(agent, None)?;
        let docked = self.append_notice(front, EntryKind::Docked, &EmptyContent {}, None)?;
        self.restart_turn(&docked)?;
        if self.conversation(front)?.group_id != Some(group) {
            self.move_to_group(front, Some(group))?;
        }
        self.end_assignment(front, AssignmentEnd::Docked);
        let roster: Vec<MemberId> = self.roster(group).map(|row| row.member_id).collect();
        let stays = |row: &ParticipantRow| {
            let by_itself = row.member_type != MemberType::Manager && row.group_id.is_none();
            by_itself || roster.contains(&row.member_id)
        };
        let leaving = self.set.participants_of(front).filter(|row| row.is_in() && !stays(row));
        let leaving: Vec<MemberId> = leaving.map(|row| row.member_id).collect();
        leaving.into_iter().try_for_each(|member| self.leave(front, member))?;
        self.dismiss_bot(front)?;
        let row = self.conversation_mut(front)?;
        row.agent_id = None;
        row.status = Some(ConversationStatus::Pending);
        row.assigned_at = None;
        row.stop_waiting();
        row.version += 1;
        for member in roster {
            let by_itself = |row: &ParticipantRow| {
                row.is_in() && row.member_type == MemberType::Member && row.group_id.is_none()
            };
            if !self.participant(front, member).is_some_and(by_itself) {
                self.enter_by_group(front, member, group)?;
            }
        }
        self.remark(front, EntryKind::Docked, note)
    }

    /// Whether what comes to this group is docked to it: the whole group serves, and somebody in it can. Not, when the
    /// group was changed to that in this batch: then what waits is found a moment later.
    pub(crate) fn docks(&self, group: GroupId) -> bool {
        let whole = self.group(group).is_ok_and(|row| row.serving == Serving::Group);
        whole && self.set.staffed.contains(&group) && self.require_somebody(group, None).is_ok()
    }

    /// Docks a conversation that waits to its group, if that docks what comes to it. It is the service that does so,
    /// whoever made the conversation wait.
    pub(crate) fn dock_if_whole(&mut self, front: ConversationId) -> Result<()> {
        let row = self.conversation(front)?;
        let waits = row.status == Some(ConversationStatus::Open) && row.bot().is_none();
        let Some(group) = row.group_id.filter(|group| waits && self.docks(*group)) else { return Ok(()) };
        let service = Principal::System(self.tenant);
        let actor = std::mem::replace(&mut self.actor, service);
        let docked = self.dock(front, group, "");
        self.actor = actor;
        docked
    }

    /// Lets a member into a conversation that its group serves.
    pub(crate) fn enter_by_group(
        &mut self,
        front: ConversationId,
        member: MemberId,
        group: GroupId,
    ) -> Result<()> {
        self.enter(front, member, MemberType::Member)?;
        if let Some(row) = self.participant_mut(front, member) {
            row.group_id = Some(group);
        }
        Ok(())
    }

    /// Takes out who is in a conversation by a group, but for this one: another serves it now, or it waits.
    pub(crate) fn undock(&mut self, front: ConversationId, but: Option<MemberId>) -> Result<()> {
        let by_group = self.set.participants_of(front).filter(|row| row.is_in() && row.group_id.is_some());
        let leaving: Vec<MemberId> =
            by_group.map(|row| row.member_id).filter(|member| Some(*member) != but).collect();
        leaving.into_iter().try_for_each(|member| self.leave(front, member))
    }

    /// The conversations that are docked to a group, as far as they are loaded.
    pub(crate) fn docked(&self, group: GroupId) -> Vec<ConversationId> {
        let rows = self.set.conversations.values();
        rows.filter(|row| row.tenant_id == self.tenant && row.docked_to() == Some(group))
            .map(|row| row.id)
            .collect()
    }
}
