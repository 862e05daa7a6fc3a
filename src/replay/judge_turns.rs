//! Reminders and automatic ends of a tenant's conversations. Pure, as `judge` is.
//!
//! Whose turn it is, and since when, is found anew from the entries' own words and times: a turn brings the customer one
//! reminder and each agent one, none comes before its time, and nothing is closed while the staff are to speak. That one
//! comes late is no violation: the machine may be slow.

use super::client::fact::Fact;
use super::evidence::{ConversationEvidence, DeskEvidence, Evidence, Timers, Violation, broken};
use super::history::Id;
use super::judge_events::facts;

/// A place in the log and its time, unix milliseconds.
type Place = (i64, i64);

/// What is known of a conversation at a rev.
#[derive(Default)]
struct Turns<'a> {
    /// Who serves it (none: a whole group), and since when an agent does.
    served: Option<(Option<Id>, i64)>,
    messages: Vec<&'a Fact>,
    recalled: Vec<i64>,
    /// With this entry the staff are to speak, whatever was said before.
    restart: Place,
    /// The entry that reminded the customer.
    customer_reminded: i64,
    /// The head of the log when an agent was reminded, and which one.
    agent_reminded: Option<(i64, Option<Id>)>,
    head: i64,
}

/// Finds reminders and ends that came too early, too often or to the wrong side.
pub fn turns(evidence: &Evidence, desk: &DeskEvidence, found: &mut Vec<Violation>) {
    for (conversation, known) in &desk.conversations {
        for what in wrong_in(evidence, *conversation, known, desk.timers) {
            broken(found, "timers", format!("{conversation}: {what}"));
        }
    }
}

fn wrong_in(evidence: &Evidence, id: Id, known: &ConversationEvidence, timers: Timers) -> Vec<String> {
    let (mut turns, mut wrong) = (Turns::default(), Vec::new());
    for (fact, behind) in facts(evidence, id, known) {
        let refused = match (&*fact.kind, fact.reason.as_deref()) {
            ("customer_idle", _) => turns.remind_customer(fact, timers),
            ("agent_idle", _) => turns.remind_agent(fact, timers),
            ("closed", Some("timed_out")) => turns.customers_silence(fact, timers.close),
            _ => None,
        };
        wrong.extend(refused.map(|why| format!("{} at rev {} {why}", fact.kind, fact.rev)));
        turns.take(fact, behind);
    }
    wrong
}

impl<'a> Turns<'a> {
    fn take(&mut self, fact: &'a Fact, behind: bool) {
        if behind {
            return;
        }
        self.head = fact.seq;
        match &*fact.kind {
            "assigned" => self.served = Some((fact.about, fact.at)),
            "docked" => self.served = Some((None, 0)),
            "released" | "closed" | "reopened" => self.served = None,
            "recalled" => self.recalled.extend(fact.ref_seq),
            _ if fact.message => self.messages.push(fact),
            _ => {}
        }
        if matches!(&*fact.kind, "docked" | "reopened" | "merged") {
            self.restart = (fact.seq, fact.at);
        }
    }

    /// The staff's last message that still stands.
    fn staff(&self) -> Option<&'a Fact> {
        let stands = |fact: &&&Fact| !fact.by_customer && !self.recalled.contains(&fact.seq);
        self.messages.iter().rev().find(stands).copied()
    }

    /// The customer's first message after that.
    fn asked(&self) -> Option<&'a Fact> {
        let after = self.staff().map_or(0, |fact| fact.seq);
        self.messages.iter().find(|fact| fact.by_customer && fact.seq > after).copied()
    }

    /// Why silence of the customer was no reason for this entry.
    fn customers_silence(&self, fact: &Fact, seconds: Option<i64>) -> Option<&'static str> {
        let Some((_, since)) = self.served else { return Some("where nobody serves") };
        let Some(said) = self.staff().filter(|said| self.asked().is_none() && said.seq > self.restart.0)
        else {
            return Some("while the staff were to speak");
        };
        early(fact.at - said.at.max(since), seconds)
    }

    fn remind_customer(&mut self, fact: &Fact, timers: Timers) -> Option<&'static str> {
        let last = self.messages.iter().rev().find(|message| message.by_customer).map_or(0, |said| said.seq);
        let again = self.customer_reminded > last.max(self.restart.0);
        self.customer_reminded = fact.seq;
        let silence = self.customers_silence(fact, timers.customer);
        let about = fact.ref_seq != self.staff().map(|said| said.seq);
        silence
            .or_else(|| again.then_some("for the second time in one turn"))
            .or_else(|| about.then_some("about another message than the staff's last one"))
    }

    fn remind_agent(&mut self, fact: &Fact, timers: Timers) -> Option<&'static str> {
        let Some((agent, since)) = self.served else { return Some("where nobody serves") };
        if agent != fact.about {
            return Some("about somebody who does not serve");
        }
        let (staff, asked) = (self.staff().map_or(0, |said| said.seq), self.asked());
        if asked.is_none() && staff > self.restart.0 {
            return Some("while the customer was to speak");
        }
        let begins = staff.max(self.restart.0);
        let again = self.agent_reminded.is_some_and(|(head, who)| head >= begins && who == agent);
        self.agent_reminded = Some((self.head, agent));
        let began = asked.map_or(self.restart.1, |asked| asked.at);
        early(fact.at - began.max(since), timers.agent)
            .or_else(|| again.then_some("for the second time in one turn"))
    }
}

/// Whether so many milliseconds of silence are less than the timer's seconds.
fn early(silence: i64, seconds: Option<i64>) -> Option<&'static str> {
    match seconds {
        None => Some("which the tenant did not ask for"),
        Some(seconds) => (silence < seconds * 1_000).then_some("before its time"),
    }
}

#[cfg(test)]
#[path = "judge_turns_tests.rs"]
mod tests;
