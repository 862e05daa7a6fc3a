//! Turns and what their silence brings: see `domain::timers` for the rules.
//!
//! Invariant: what is due is decided with the present state, so that whoever finds the same at once, or too late, does no
//! harm.

use super::CommandContext;
use crate::domain::conversation::ConversationStatus;
use crate::domain::entry::{EntryKind, EntryRow};
use crate::domain::member::Role;
use crate::domain::notice::EmptyContent;
use crate::domain::timers::{Answering, Due, ReminderRow, Said, Served, Spoken, due};
use crate::kernel::{ConversationId, Error, Result};

impl CommandContext<'_> {
    /// What is due in a conversation; nothing in one that is not there, or not served.
    pub(crate) fn due_in(&self, front: ConversationId) -> Result<Option<Due>> {
        let Ok(row) = self.conversation(front) else { return Ok(None) };
        let answering = self.answering_bot(front)?;
        if row.status != Some(ConversationStatus::Pending) && answering.is_none() {
            return Ok(None);
        }
        let Some(spoken) = self.spoken(front)? else { return Ok(None) };
        let assigned_at = row.assigned_at.unwrap_or(0);
        let silence_seconds = self.settings().bot.silence_seconds;
        let bot = answering.map(|bot| Answering { is_usable: self.is_usable_bot(bot), silence_seconds });
        let served = Served { conversation: front, agent: row.agent_id, assigned_at, bot };
        let reminder = self.reminder(front)?;
        Ok(due(&self.settings().timers, &served, &spoken, &reminder, i64::MIN, self.set.now))
    }

    /// Tells the customer that the staff wait for its answer.
    pub(crate) fn remind_customer(&mut self, front: ConversationId) -> Result<()> {
        let about = self.spoken(front)?.and_then(|spoken| spoken.staff).map(|said| said.seq);
        let notice = self.append_notice(front, EntryKind::CustomerIdle, &EmptyContent {}, about)?;
        self.keep_reminder(ReminderRow { customer_seq: notice.seq, ..self.reminder(front)? });
        Ok(())
    }

    /// Tells the staff that the customer waits for the agent's answer.
    pub(crate) fn remind_agent(&mut self, front: ConversationId) -> Result<()> {
        let agent_id = self.serving(front)?;
        let log = self.backstage(front)?;
        let card = agent_id.map(|agent| self.public_card(agent)).unwrap_or_default();
        self.append_notice(log, EntryKind::AgentIdle, &card, None)?;
        let agent_seq = self.conversation(front)?.seq;
        self.keep_reminder(ReminderRow { agent_seq, agent_id, ..self.reminder(front)? });
        Ok(())
    }

    /// With this entry the agent's turn begins, whatever was said before.
    pub(crate) fn restart_turn(&mut self, entry: &EntryRow) -> Result<()> {
        let row = self.reminder(entry.conversation_id)?;
        let (restart_seq, restarted_at) = (entry.seq, entry.created_at);
        self.keep_reminder(ReminderRow { restart_seq, restarted_at, ..row });
        Ok(())
    }

    /// Who said what last, this batch's words included; `None` while that cannot be told, because the staff's last message
    /// was recalled in this batch. Fails when the command did not want it.
    fn spoken(&self, front: ConversationId) -> Result<Option<Spoken>> {
        let stored = self.set.conversations.loaded(&front).map_or(0, |row| row.seq);
        let before = match self.set.spoken.get(&front) {
            Some(spoken) => *spoken,
            None if stored == 0 => Spoken::default(),
            None => return Err(Error::internal(format!("who spoke last in {front} was not looked up"))),
        };
        let recalled = |said: Said| {
            let entry = self.set.entries.get(&(front, said.seq));
            entry.is_some_and(|entry| entry.recalled_at.is_some())
        };
        let mut spoken = before;
        for entry in self.set.entries.range((front, stored + 1)..=(front, i64::MAX)) {
            let by_customer = entry.sender_role == Some(Role::Customer);
            if entry.kind.is_message() && (by_customer || entry.recalled_at.is_none()) {
                spoken = spoken.after(Said { seq: entry.seq, at: entry.created_at }, by_customer);
            }
        }
        let untold = spoken.staff == before.staff && before.staff.is_some_and(recalled);
        Ok(Some(spoken).filter(|_| !untold))
    }

    /// What is kept of a conversation's turns. Fails when the command did not want it.
    fn reminder(&self, front: ConversationId) -> Result<ReminderRow> {
        let is_new = self.set.conversations.loaded(&front).is_none();
        match self.set.reminders.get(&front) {
            Some(row) => Ok(row.clone()),
            None if is_new || self.set.known_reminders.contains(&front) => {
                Ok(ReminderRow::new(self.tenant, front))
            }
            None => Err(Error::internal(format!("the reminders of {front} were not loaded"))),
        }
    }

    fn keep_reminder(&mut self, row: ReminderRow) {
        match self.set.reminders.get_mut(&row.conversation_id) {
            Some(kept) => *kept = row,
            None => self.set.reminders.create(row.conversation_id, row),
        }
    }
}
