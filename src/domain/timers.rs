//! Lifecycle timers: whose turn it is in a conversation that is served, and when its silence is a reason to remind
//! somebody or to close. Pure functions; no I/O, no clock.
//!
//! The turn is the customer's while the last message is the staff's, else the agent's. It begins anew for the agent when
//! the conversation is reopened, when another of the customer's is merged into it, or when it is docked to a group: then the
//! staff are to speak, whatever was said before. A recalled message of the staff no longer answers; one of the customer still shows that it was there.
//! Notes, edits and everything else move no turn.
//!
//! Invariants: nothing is closed while it is the agent's turn; each turn brings the customer at most one reminder, and each
//! agent at most one; silence counts from the assignment at the earliest, so that whoever gets a conversation has time.

use diesel::prelude::*;
use serde::{Deserialize, Serialize};

use crate::db::schema::conversation_reminder;
use crate::domain::conversation::HandOffReason;
use crate::kernel::{ConversationId, MemberId, TenantId};

/// After how much silence something happens by itself; absent means never.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct TimerSettings {
    /// After so many seconds without an answer to the staff's last message, the customer is reminded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub customer_reminder_seconds: Option<i64>,
    /// After so many seconds in which the customer waits for an answer, the agent is reminded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agent_reminder_seconds: Option<i64>,
    /// After so many seconds without an answer to the staff's last message, the conversation is closed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auto_close_seconds: Option<i64>,
}

impl TimerSettings {
    /// Whether nothing happens by itself.
    pub fn are_off(&self) -> bool {
        *self == Self::default()
    }

    /// The shortest time that is set, in seconds.
    pub fn shortest(&self) -> Option<i64> {
        let all = [self.customer_reminder_seconds, self.agent_reminder_seconds, self.auto_close_seconds];
        all.into_iter().flatten().min()
    }

    /// Whether the customer would be reminded only when the conversation is closed already.
    pub fn remind_too_late(&self) -> bool {
        let both = self.customer_reminder_seconds.zip(self.auto_close_seconds);
        both.is_some_and(|(reminder, close)| reminder >= close)
    }
}

/// A message, as far as it matters here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Said {
    /// Where it stands in the log.
    pub seq: i64,
    /// When, unix milliseconds.
    pub at: i64,
}

/// Who said what last in a conversation.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Spoken {
    /// The staff's last message that was not recalled.
    pub staff: Option<Said>,
    /// The customer's first message after that.
    pub asked: Option<Said>,
    /// Where the customer's last message stands; 0: there is none.
    pub customer_seq: i64,
}

impl Spoken {
    /// The same after one more message.
    pub fn after(self, said: Said, by_customer: bool) -> Self {
        match by_customer {
            true => Self { asked: self.asked.or(Some(said)), customer_seq: said.seq, ..self },
            false => Self { staff: Some(said), asked: None, ..self },
        }
    }
}

/// A conversation that is served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Served {
    /// Which.
    pub conversation: ConversationId,
    /// By whom; `None`: by a whole group.
    pub agent: Option<MemberId>,
    /// Since when, unix milliseconds.
    pub assigned_at: i64,
    /// The bot that answers it instead.
    pub bot: Option<Answering>,
}

/// A bot that answers a conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Answering {
    /// Whether its account may be used.
    pub is_usable: bool,
    /// After so many seconds without its answer the conversation is handed to the staff.
    pub silence_seconds: i64,
}

/// A row of `conversation_reminder`: what messages do not say about turns.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable)]
#[diesel(table_name = conversation_reminder)]
pub struct ReminderRow {
    /// Which conversation.
    pub conversation_id: ConversationId,
    /// The tenant.
    pub tenant_id: TenantId,
    /// The entry that last reminded the customer; 0: none did.
    pub customer_seq: i64,
    /// The head of the log when an agent was last reminded; 0: none was.
    pub agent_seq: i64,
    /// Which agent that was; `None`: a whole group.
    pub agent_id: Option<MemberId>,
    /// The entry with which the agent's turn began, whatever was said before; 0: none.
    pub restart_seq: i64,
    /// When that was, unix milliseconds.
    pub restarted_at: i64,
}

impl ReminderRow {
    /// A conversation where nobody was reminded yet.
    pub fn new(tenant_id: TenantId, conversation_id: ConversationId) -> Self {
        Self {
            conversation_id,
            tenant_id,
            customer_seq: 0,
            agent_seq: 0,
            agent_id: None,
            restart_seq: 0,
            restarted_at: 0,
        }
    }
}

/// What silence is a reason for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Due {
    /// The agent leaves the customer waiting.
    RemindAgent,
    /// The customer does not answer.
    RemindCustomer,
    /// The customer did not answer for long.
    Close,
    /// The bot does not answer, or is gone.
    HandOff(HandOffReason),
}

/// What is due in a conversation that is served. No silence before `not_before` counts, unix milliseconds.
pub fn due(
    settings: &TimerSettings,
    served: &Served,
    spoken: &Spoken,
    row: &ReminderRow,
    not_before: i64,
    now: i64,
) -> Option<Due> {
    if let Some(bot) = served.bot {
        let asked = spoken.asked.map(|asked| asked.at.max(row.restarted_at).max(not_before));
        let silence = bot.silence_seconds.saturating_mul(1_000);
        if !bot.is_usable {
            return Some(Due::HandOff(HandOffReason::BotGone));
        }
        if let Some(asked) = asked {
            let silent = now.saturating_sub(asked) >= silence;
            return silent.then_some(Due::HandOff(HandOffReason::Silent));
        }
    }
    let staff = spoken.staff.map_or(0, |said| said.seq);
    let restarted = row.restart_seq > staff;
    let past = |seconds: Option<i64>, since: i64| {
        let since = since.max(served.assigned_at).max(not_before);
        seconds.is_some_and(|seconds| now.saturating_sub(since) >= seconds.saturating_mul(1_000))
    };
    match spoken.staff.filter(|_| spoken.asked.is_none() && !restarted) {
        Some(said) => {
            let reminded = row.customer_seq > spoken.customer_seq.max(row.restart_seq);
            if past(settings.auto_close_seconds, said.at) {
                Some(Due::Close)
            } else {
                let reminds = !reminded && past(settings.customer_reminder_seconds, said.at);
                reminds.then_some(Due::RemindCustomer)
            }
        }
        None => {
            // An agent's reminder is an entry behind the conversation and does not move its head, which the turn's first
            // entry may still be.
            let this_turn = row.agent_seq > 0 && row.agent_seq >= staff.max(row.restart_seq);
            let reminded = this_turn && row.agent_id == served.agent;
            let began = spoken.asked.map_or(row.restarted_at, |asked| asked.at);
            let reminds = served.bot.is_none() && !reminded && past(settings.agent_reminder_seconds, began);
            reminds.then_some(Due::RemindAgent)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ON: TimerSettings = TimerSettings {
        customer_reminder_seconds: Some(10),
        agent_reminder_seconds: Some(20),
        auto_close_seconds: Some(30),
    };
    const SERVED: Served =
        Served { conversation: ConversationId(1), agent: Some(MemberId(2)), assigned_at: 0, bot: None };

    fn row() -> ReminderRow {
        ReminderRow::new(TenantId(1), ConversationId(1))
    }

    fn spoken(words: &[(i64, i64, bool)]) -> Spoken {
        words.iter().fold(Spoken::default(), |all, (seq, at, customer)| {
            all.after(Said { seq: *seq, at: *at }, *customer)
        })
    }

    fn at(spoken: &Spoken, row: &ReminderRow, now: i64) -> Option<Due> {
        due(&ON, &SERVED, spoken, row, i64::MIN, now)
    }

    #[test]
    fn silence_counts_from_the_staffs_last_message_and_the_customers_first() {
        let answered = spoken(&[(1, 0, true), (2, 1_000, false), (3, 2_000, false)]);
        assert_eq!(at(&answered, &row(), 11_999), None);
        assert_eq!(at(&answered, &row(), 12_000), Some(Due::RemindCustomer));
        assert_eq!(at(&answered, &row(), 32_000), Some(Due::Close));
        let asked = spoken(&[(1, 0, false), (2, 1_000, true), (3, 19_000, true)]);
        assert_eq!(at(&asked, &row(), 20_999), None);
        assert_eq!(at(&asked, &row(), 21_000), Some(Due::RemindAgent), "who asks again does not wait anew");
        assert_eq!(at(&asked, &row(), i64::MAX), Some(Due::RemindAgent), "and nothing is closed");
        assert_eq!(at(&Spoken::default(), &row(), 20_000), Some(Due::RemindAgent), "nobody said a word");
    }

    #[test]
    fn a_turn_reminds_once_and_each_agent_once() {
        let answered = spoken(&[(2, 0, true), (3, 0, false)]);
        let reminded = ReminderRow { customer_seq: 4, ..row() };
        assert_eq!(at(&answered, &reminded, 10_000), None);
        let more = answered.after(Said { seq: 5, at: 0 }, false);
        assert_eq!(at(&more, &reminded, 10_000), None, "the staff said more, the customer nothing");
        let again = more.after(Said { seq: 6, at: 0 }, true).after(Said { seq: 7, at: 0 }, false);
        assert_eq!(at(&again, &reminded, 10_000), Some(Due::RemindCustomer));

        let asked = spoken(&[(2, 0, true)]);
        let reminded = ReminderRow { agent_seq: 3, agent_id: SERVED.agent, ..row() };
        assert_eq!(at(&asked, &reminded, 20_000), None);
        let other = ReminderRow { agent_id: Some(MemberId(3)), ..reminded };
        assert_eq!(at(&asked, &other, 20_000), Some(Due::RemindAgent), "another agent has it now");
    }

    #[test]
    fn what_begins_anew_is_the_agents_turn() {
        let answered = spoken(&[(2, 0, true), (3, 0, false)]);
        let reopened = ReminderRow {
            customer_seq: 4,
            agent_seq: 2,
            agent_id: SERVED.agent,
            restart_seq: 6,
            restarted_at: 50_000,
            ..row()
        };
        assert_eq!(at(&answered, &reopened, 69_999), None);
        assert_eq!(at(&answered, &reopened, 70_000), Some(Due::RemindAgent));
        let reminded = ReminderRow { agent_seq: 6, ..reopened.clone() };
        assert_eq!(at(&answered, &reminded, i64::MAX), None, "nothing was said since the turn began");
        let spoke = answered.after(Said { seq: 8, at: 60_000 }, false);
        assert_eq!(at(&spoke, &reopened, 70_000), Some(Due::RemindCustomer), "and then a new turn");
    }

    #[test]
    fn a_bot_that_does_not_answer_hands_over() {
        let answering = |is_usable| Served {
            agent: None,
            bot: Some(Answering { is_usable, silence_seconds: 5 }),
            ..SERVED
        };
        let asked = spoken(&[(1, 0, false), (2, 1_000, true), (3, 4_000, true)]);
        let at = |served: &Served, spoken: &Spoken, row: &ReminderRow, now| {
            due(&ON, served, spoken, row, i64::MIN, now)
        };
        assert_eq!(at(&answering(true), &asked, &row(), 5_999), None);
        assert_eq!(at(&answering(true), &asked, &row(), 6_000), Some(Due::HandOff(HandOffReason::Silent)));
        let later = ReminderRow { restart_seq: 4, restarted_at: 50_000, ..row() };
        assert_eq!(
            at(&answering(true), &asked, &later, 54_999),
            None,
            "what was asked of another does not count"
        );
        assert_eq!(at(&answering(false), &asked, &row(), 0), Some(Due::HandOff(HandOffReason::BotGone)));
        let answered = spoken(&[(1, 0, true), (2, 1_000, false)]);
        assert_eq!(at(&answering(true), &answered, &row(), 10_999), None);
        assert_eq!(at(&answering(true), &answered, &row(), 11_000), Some(Due::RemindCustomer));
        assert_eq!(at(&answering(true), &answered, &row(), 31_000), Some(Due::Close));
        assert_eq!(at(&answering(true), &Spoken::default(), &row(), i64::MAX), None, "nobody asked anything");
    }

    #[test]
    fn nothing_is_due_soon_after_the_assignment_or_a_jump() {
        let answered = spoken(&[(1, 0, false)]);
        let late = Served { assigned_at: 25_000, ..SERVED };
        assert_eq!(due(&ON, &late, &answered, &row(), i64::MIN, 34_999), None);
        assert_eq!(due(&ON, &late, &answered, &row(), i64::MIN, 54_999), Some(Due::RemindCustomer));
        assert_eq!(due(&ON, &SERVED, &answered, &row(), 25_000, 34_999), None);
        let off = TimerSettings::default();
        assert_eq!(due(&off, &SERVED, &answered, &row(), i64::MIN, i64::MAX), None);
        assert!(off.are_off() && !ON.are_off() && !ON.remind_too_late());
        assert!(TimerSettings { customer_reminder_seconds: Some(30), ..ON }.remind_too_late());
    }
}
