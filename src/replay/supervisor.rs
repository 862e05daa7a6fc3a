//! A supervisor of a tenant that routes: now and then gives what a group serves to an agent or another group, takes an
//! offer back, and lets a group serve what an agent has. Only what agents have no right to.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::client::fact::id;
use super::client::{Failure, Rest};
use super::desk::Desk;
use super::history::count;
use super::play::Run;
use super::requests::insist_unless;

/// Who steps in.
#[derive(Debug)]
pub struct Supervisor {
    rest: Rest,
}

/// How likely it steps in where a group serves, and where an agent does; each begins the customer's silence anew.
const RELIEVES_GROUPS: f64 = 0.4;
const RELIEVES_AGENTS: f64 = 0.2;
/// It is full or gone, it went in circles, or it is over: another time.
const REFUSALS: [&str; 7] = [
    "agent_absent",
    "agent_full",
    "already_assigned",
    "group_empty",
    "invalid_transition",
    "not_found",
    "transfer_loop",
];

impl Supervisor {
    /// A signed-in supervisor.
    pub fn new(rest: Rest) -> Self {
        Self { rest }
    }

    /// Steps in until the task is ended.
    pub async fn watch(self: Arc<Self>, run: Arc<Run>, desk: Arc<Desk>) {
        loop {
            tokio::time::sleep(Duration::from_millis(1_000 + run.below(1_500).unsigned_abs())).await;
            let Ok(page) = self.rest.get("/conversations?status=pending&limit=100").await else { continue };
            let rows = page["data"].as_array().map(Vec::as_slice).unwrap_or_default();
            let (docked, served): (Vec<&Value>, Vec<&Value>) =
                rows.iter().partition(|row| row["docked"] == true);
            let of = |rows: &[&Value]| {
                let place = usize::try_from(run.below(i64::try_from(rows.len()).unwrap_or_default()));
                place.ok().and_then(|place| rows.get(place)?.get("id").and_then(id))
            };
            let done = match (of(&docked), of(&served)) {
                (Some(conversation), _) if run.chance(RELIEVES_GROUPS) => {
                    self.relieve_group(&run, &desk, &conversation.to_string()).await
                }
                (_, Some(conversation)) if run.chance(RELIEVES_AGENTS) => {
                    self.relieve_agent(&run, &desk, &conversation.to_string()).await
                }
                _ => continue,
            };
            match done {
                Ok(true) => count(&run.history.counters.supervised),
                Ok(false) => {}
                Err(failure) => run.history.complain(format!("a supervisor: {failure}")),
            }
        }
    }

    /// Gives what a group serves to an agent or another group.
    async fn relieve_group(&self, run: &Run, desk: &Desk, conversation: &str) -> Result<bool, Failure> {
        let agent = desk.colleague(run, 0).map(|agent| agent.to_string());
        let group = desk.any_group(run).map(|group| group.to_string());
        let (what, body) = match run.below(4) {
            0 => ("assign", json!({ "agent_id": agent, "note": "yours" })),
            1 => ("transfer", json!({ "agent_id": agent })),
            2 => ("transfer", json!({ "group_id": group, "reason": "escalation" })),
            _ => ("dock", json!({ "group_id": group })),
        };
        self.post(run, conversation, what, &body).await
    }

    /// Lets a group serve what an agent has, gives it to another one, or takes back what the agent offered.
    async fn relieve_agent(&self, run: &Run, desk: &Desk, conversation: &str) -> Result<bool, Failure> {
        let agent = desk.colleague(run, 0).map(|agent| agent.to_string());
        let group = desk.any_group(run).map(|group| group.to_string());
        match run.below(3) {
            0 => self.post(run, conversation, "dock", &json!({ "group_id": group })).await,
            1 => self.post(run, conversation, "assign", &json!({ "agent_id": agent })).await,
            _ => {
                let path = format!("/conversations/{conversation}/transfer");
                let call = (reqwest::Method::DELETE, path.as_str());
                Ok(insist_unless(run, &self.rest, call, None, &REFUSALS).await?.is_some())
            }
        }
    }

    async fn post(&self, run: &Run, conversation: &str, what: &str, body: &Value) -> Result<bool, Failure> {
        let path = format!("/conversations/{conversation}/{what}");
        let call = (reqwest::Method::POST, path.as_str());
        Ok(insist_unless(run, &self.rest, call, Some(body), &REFUSALS).await?.is_some())
    }
}
