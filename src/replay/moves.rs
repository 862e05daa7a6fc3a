//! How an agent gives away what it serves: to a colleague at once or when the colleague accepts, to a group's queue, to a
//! whole group, or back; and how it takes for itself what its group serves. What is acknowledged is recorded.

use std::time::Duration;

use serde_json::json;

use super::agent::Agent;
use super::client::Failure;
use super::desk::Desk;
use super::history::{Action, Id, count};
use super::play::Run;
use super::requests::insist_unless;

/// How likely each is at a turn.
const TRANSFERS: f64 = 0.05;
const GROUP_TRANSFERS: f64 = 0.05;
const OFFERS: f64 = 0.08;
const DOCKS: f64 = 0.08;
const RELEASES: f64 = 0.04;
const TAKES_OUT: f64 = 0.1;
/// How likely one who asked a colleague takes that back.
const WITHDRAWS: f64 = 0.3;
/// Why conversations are handed over.
const REASONS: [&str; 3] = ["wrong_department", "escalation", "shift_end"];

impl Agent {
    /// Now and then gives the conversation away, or takes it for itself. Tells whether it was given away.
    pub(super) async fn moves_on(&self, run: &Run, desk: &Desk, conversation: Id) -> Result<bool, Failure> {
        if self.is_docked(conversation) {
            // Of several who answer in one conversation one is quicker.
            tokio::time::sleep(Duration::from_millis(run.below(200).unsigned_abs())).await;
            if run.chance(TAKES_OUT) {
                self.take_out(run, conversation).await?;
            }
            return Ok(false);
        }
        if run.chance(TRANSFERS) && self.transfer(run, desk, conversation).await? {
            return Ok(true);
        }
        if run.chance(GROUP_TRANSFERS) && self.give_to_group(run, desk, conversation).await? {
            return Ok(true);
        }
        if run.chance(DOCKS) && self.dock(run, desk, conversation).await? {
            return Ok(true);
        }
        // Without offers a lone agent would rest for a minute from what it gave back.
        if run.chance(RELEASES) && desk.offer_seconds.is_some() {
            self.insist(run, &format!("/conversations/{conversation}/release"), &json!({}), &[]).await?;
            count(&run.history.counters.releases);
            return Ok(true);
        }
        if run.chance(OFFERS) {
            self.offer(run, desk, conversation).await?;
        }
        Ok(false)
    }

    /// Whether a whole group serves it, as far as the agent's device knows.
    fn is_docked(&self, conversation: Id) -> bool {
        let view = self.member.first().shared.view();
        let agent = view.rows.get(&conversation).and_then(|row| row.shown.get("agent").cloned());
        agent.is_some_and(|agent| agent == "null")
    }

    /// Hands the conversation over to somebody; tells whether that was done.
    async fn transfer(&self, run: &Run, desk: &Desk, conversation: Id) -> Result<bool, Failure> {
        let Some(colleague) = desk.colleague(run, self.member.id()) else { return Ok(false) };
        let note = if run.chance(0.5) { "please take over" } else { "" };
        let body = json!({ "agent_id": colleague.to_string(), "note": note });
        let refusals = ["agent_absent", "agent_full", "transfer_loop"];
        let path = format!("/conversations/{conversation}/transfer");
        let done = self.insist(run, &path, &body, &refusals).await?.is_some();
        let counters = &run.history.counters;
        count(if done { &counters.transfers } else { &counters.transfers_refused });
        Ok(done)
    }

    /// Lets the conversation wait for a group; tells whether that was done.
    async fn give_to_group(&self, run: &Run, desk: &Desk, conversation: Id) -> Result<bool, Failure> {
        let Some(group) = desk.any_group(run) else { return Ok(false) };
        let mut body = json!({ "group_id": group.to_string() });
        if run.chance(0.5) {
            let place = usize::try_from(run.below(3)).unwrap_or_default();
            body["reason"] = REASONS[place % REASONS.len()].into();
        }
        let refusals = ["group_empty", "transfer_loop"];
        let path = format!("/conversations/{conversation}/transfer");
        let done = self.insist(run, &path, &body, &refusals).await?.is_some();
        let counters = &run.history.counters;
        count(if done { &counters.group_transfers } else { &counters.transfers_refused });
        if done {
            run.history.note(self.member.id(), conversation, Action::GivenToGroup { group });
        }
        Ok(done)
    }

    /// Lets a whole group serve the conversation; tells whether that was done.
    async fn dock(&self, run: &Run, desk: &Desk, conversation: Id) -> Result<bool, Failure> {
        let Some(group) = desk.any_group(run) else { return Ok(false) };
        let note = if run.chance(0.5) { "who has time?" } else { "" };
        let body = json!({ "group_id": group.to_string(), "note": note });
        let path = format!("/conversations/{conversation}/dock");
        let done = self.insist(run, &path, &body, &["group_empty"]).await?.is_some();
        if done {
            count(&run.history.counters.docks);
            run.history.note(self.member.id(), conversation, Action::Docked { group });
        }
        Ok(done)
    }

    /// Takes for itself what its group serves, unless another one was first.
    async fn take_out(&self, run: &Run, conversation: Id) -> Result<(), Failure> {
        let refusals = ["already_assigned", "agent_full", "invalid_transition", "not_found"];
        let path = format!("/conversations/{conversation}/claim");
        if self.insist(run, &path, &json!({}), &refusals).await?.is_some() {
            count(&run.history.counters.taken_out);
            run.history.note(self.member.id(), conversation, Action::Claimed);
        }
        Ok(())
    }

    /// Asks whoever of its colleagues is there to take the conversation over, and now and then takes that back; until then
    /// it goes on serving.
    async fn offer(&self, run: &Run, desk: &Desk, conversation: Id) -> Result<(), Failure> {
        let note = if run.chance(0.5) { "can you take this one?" } else { "" };
        let path = format!("/conversations/{conversation}/transfer");
        let refusals = ["agent_absent", "agent_full", "offer_pending", "transfer_loop"];
        let counters = &run.history.counters;
        let mut asked = None;
        for agent in desk.colleagues(run, self.member.id()) {
            let body = json!({ "agent_id": agent.to_string(), "mode": "offer", "note": note });
            if self.insist(run, &path, &body, &refusals).await?.is_some() {
                asked = Some(agent);
                break;
            }
            count(&counters.transfers_refused);
        }
        let Some(agent) = asked else { return Ok(()) };
        count(&counters.transfers_offered);
        run.history.note(self.member.id(), conversation, Action::Asked { agent });
        if !run.chance(WITHDRAWS) {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(run.below(300).unsigned_abs())).await;
        // It was accepted meanwhile: the conversation is another's.
        let refusals = ["invalid_transition", "not_a_member", "not_found"];
        let call = (reqwest::Method::DELETE, path.as_str());
        if insist_unless(run, self.member.rest(), call, None, &refusals).await?.is_some() {
            count(&counters.transfers_withdrawn);
        }
        Ok(())
    }
}
