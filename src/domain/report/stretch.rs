//! The stretch of a conversation, from its opening or reopening to its end, and what its entries measure.
//!
//! A measure belongs to the group whose matter the conversation was before the command that ended it: entries of one rev come
//! with changes of the group last. It counts at the time of the entry that ends it. Staff are agents, supervisors and
//! administrators; notes are no messages, and what was recalled was said. A bot answers nothing here: what a customer asked
//! one counts from the moment at which the staff get it, and what a bot ended was not missed.

use diesel::prelude::*;

use super::ReportMetric::{
    CustomerMessages, FirstResponse, Handling, Missed, Opened, Resolution, Response, StaffMessages, Waiting,
};
use super::tally::{Credit, Tally};
use crate::db::schema::report_stretch;
use crate::domain::conversation::CloseReason;
use crate::kernel::{ConversationId, GroupId, MemberId, TenantId};

/// A row of `report_stretch`: a conversation that is not over.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Insertable)]
#[diesel(table_name = report_stretch, treat_none_as_default_value = false)]
pub struct StretchRow {
    /// The conversation.
    pub conversation_id: ConversationId,
    /// Whose.
    pub tenant_id: TenantId,
    /// When it was opened or reopened, unix milliseconds.
    pub began_at: i64,
    /// The group whose matter it is.
    pub group_id: Option<GroupId>,
    /// Since when it waits; `None` while it is served.
    pub waiting_since: Option<i64>,
    /// Who serves it; `None` while it waits, or a whole group serves it.
    pub agent_id: Option<MemberId>,
    /// Since when it is served; `None` while it waits.
    pub served_since: Option<i64>,
    /// When the customer wrote first what nobody has answered yet.
    pub asked_at: Option<i64>,
    /// Whether the staff have written since it began.
    pub is_answered: bool,
}

/// What an entry says to a stretch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Happening {
    /// An agent serves it.
    Assigned(MemberId),
    /// A whole group serves it.
    Docked,
    /// A bot answers, before the staff do.
    BotAssigned,
    /// The bot answers no more: it waits for the staff.
    HandedOff,
    /// It waits again.
    Released,
    /// It is over.
    Closed(CloseReason),
    /// The customer wrote.
    CustomerWrote,
    /// This member of the staff wrote.
    StaffWrote(MemberId),
    /// It is the matter of another group, or of none.
    GroupChanged(Option<GroupId>),
    /// The customer goes on here with what it has asked since then in another conversation.
    AskedElsewhere(i64),
}

impl StretchRow {
    /// A stretch that begins: the conversation waits.
    pub fn begin(
        tenant_id: TenantId,
        conversation_id: ConversationId,
        group_id: Option<GroupId>,
        at: i64,
        tally: &mut Tally,
    ) -> Self {
        tally.count(Opened, at, Credit { agent: None, group: group_id });
        Self {
            conversation_id,
            tenant_id,
            began_at: at,
            group_id,
            waiting_since: Some(at),
            agent_id: None,
            served_since: None,
            asked_at: None,
            is_answered: false,
        }
    }

    /// Something happened at this time. Says whether the stretch goes on.
    pub fn apply(&mut self, happening: Happening, at: i64, tally: &mut Tally) -> bool {
        match happening {
            Happening::Assigned(agent) => self.serve(Some(agent), at, tally),
            Happening::Docked => self.serve(None, at, tally),
            Happening::BotAssigned => self.waiting_since = None,
            Happening::HandedOff => {
                self.waiting_since = Some(at);
                self.ask_the_staff(at);
            }
            Happening::Released => {
                self.end_serving(at, tally);
                self.waiting_since = Some(at);
            }
            Happening::Closed(reason) => {
                self.close(reason, at, tally);
                return false;
            }
            Happening::CustomerWrote => {
                self.asked_at.get_or_insert(at);
                tally.count(CustomerMessages, at, self.credit(self.agent_id));
            }
            Happening::StaffWrote(member) => self.answer(member, at, tally),
            Happening::GroupChanged(to) => {
                if self.served_since.is_some() && self.group_id != to {
                    tally.move_load(at, self.group_id, to);
                }
                self.group_id = to;
            }
            Happening::AskedElsewhere(since) => {
                self.asked_at = Some(self.asked_at.map_or(since, |asked| asked.min(since)));
            }
        }
        true
    }

    /// Whether a bot answers: nobody serves it, and it does not wait.
    fn is_answered_by_bot(&self) -> bool {
        self.waiting_since.is_none() && self.served_since.is_none()
    }

    /// What the customer asked a bot, the staff have to answer from now on.
    fn ask_the_staff(&mut self, at: i64) {
        self.asked_at = self.asked_at.map(|asked| asked.max(at));
    }

    fn credit(&self, agent: Option<MemberId>) -> Credit {
        Credit { agent, group: self.group_id }
    }

    fn serve(&mut self, agent: Option<MemberId>, at: i64, tally: &mut Tally) {
        if self.is_answered_by_bot() {
            self.ask_the_staff(at);
        }
        self.end_serving(at, tally);
        if let Some(since) = self.waiting_since.take() {
            tally.duration(Waiting, since, at, self.credit(agent));
        }
        (self.agent_id, self.served_since) = (agent, Some(at));
        tally.load(at, true, self.credit(agent));
    }

    fn end_serving(&mut self, at: i64, tally: &mut Tally) {
        let agent = self.agent_id.take();
        if let Some(since) = self.served_since.take() {
            tally.duration(Handling, since, at, self.credit(agent));
            tally.load(at, false, self.credit(agent));
        }
    }

    fn answer(&mut self, member: MemberId, at: i64, tally: &mut Tally) {
        let credit = self.credit(Some(member));
        tally.count(StaffMessages, at, credit);
        if let Some(asked) = self.asked_at.take() {
            tally.duration(Response, asked, at, credit);
            if !self.is_answered {
                tally.duration(FirstResponse, asked, at, credit);
            }
        }
        self.is_answered = true;
    }

    fn close(&mut self, reason: CloseReason, at: i64, tally: &mut Tally) {
        let credit = self.credit(self.agent_id);
        let by_bot = self.is_answered_by_bot();
        self.end_serving(at, tally);
        self.waiting_since = None;
        if matches!(reason, CloseReason::Merged | CloseReason::Spam) {
            return;
        }
        tally.duration(Resolution, self.began_at, at, credit);
        if self.asked_at.is_some() && !self.is_answered && !by_bot {
            tally.count(Missed, at, credit);
        }
    }
}
