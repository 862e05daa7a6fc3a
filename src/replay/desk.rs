//! How a tenant of the run routes: its settings, its groups, and what each of its agents brings. Owns that plan and making
//! it true; the server does the routing, `duty` what agents do with it.

use std::sync::{Mutex, PoisonError};

use serde_json::{Value, json};

use super::client::fact::id;
use super::client::{Failure, Rest};
use super::evidence::Timers;
use super::history::{Asked, Id};
use super::play::Run;
use super::requests::{get, insist, insist_on};

/// A tenant's desk.
#[derive(Debug)]
pub struct Desk {
    /// An agent has so many seconds to accept; none: conversations are assigned without asking.
    pub offer_seconds: Option<i64>,
    /// Whether a transfer may take an agent above what it accepts.
    pub transfer_above: bool,
    /// When customers and agents are reminded, and what customers left is closed.
    pub timers: Timers,
    groups: Vec<Id>,
    seated: Mutex<Vec<Seated>>,
}

/// An agent as the plan has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seated {
    /// Who.
    pub member: Id,
    /// How many conversations it accepts.
    pub max_accept: i64,
    /// The groups that it is in; in none, it sees all of them.
    pub groups: Vec<Id>,
    /// What it can, with its level.
    pub skills: &'static [(&'static str, u8)],
}

/// After so long a required skill is only preferred, in seconds.
pub const RELAX_SECONDS: i64 = 2;
/// The shortest time of an offer.
const OFFER_SECONDS: i64 = 5;
/// An absent agent loses its conversations after so many seconds.
const REQUEUE_SECONDS: i64 = 2;
/// The shortest time after which somebody is reminded.
const REMINDER_SECONDS: i64 = 1;
const STRATEGIES: [&str; 3] = ["round_robin", "least_loaded", "longest_idle"];
const GROUPS: [&str; 2] = ["Orders", "Returns"];
/// What agents can, in turn.
const SKILLS: [&[(&str, u8)]; 3] = [&[("refunds", 3)], &[("refunds", 1), ("de", 1)], &[]];

impl Desk {
    /// Sets a tenant up. It closes what customers left for so many seconds; 0: it has no timers.
    pub async fn make(run: &Run, admin: &Rest, number: usize, silence: u32) -> Result<Self, Failure> {
        // Two of three ask their agents.
        let offer_seconds = (number % 3 < 2).then_some(OFFER_SECONDS);
        let transfer_above = number % 2 == 1;
        let timers = timers(i64::from(silence));
        let settings = json!({ "settings": {
            "timers": {
                "customer_reminder_seconds": timers.customer, "agent_reminder_seconds": timers.agent,
                "auto_close_seconds": timers.close,
            },
            "transfer_above_max_accept": transfer_above,
            "presence_grace_seconds": 1,
            "disconnect_requeue_seconds": REQUEUE_SECONDS,
            "away_requeue_seconds": REQUEUE_SECONDS,
            "routing": {
                "strategy": STRATEGIES[number % STRATEGIES.len()], "offer_seconds": offer_seconds,
                "relax_after_seconds": RELAX_SECONDS, "misses_until_away": 2,
            },
        } });
        insist_on(run, admin, reqwest::Method::PATCH, "/tenant", &settings).await?;
        for name in GROUPS {
            insist(run, admin, "/groups", &json!({ "name": name })).await?;
        }
        let page = get(run, admin, "/groups?limit=50").await?;
        let rows = page["data"].as_array().map(Vec::as_slice).unwrap_or_default();
        let find = |name: &&str| rows.iter().find(|row| row["name"] == **name)?.get("id").and_then(id);
        let groups: Vec<Id> = GROUPS.iter().filter_map(find).collect();
        if groups.len() != GROUPS.len() {
            return Err(Failure::Over(format!("the groups are not in the list: {page}")));
        }
        Ok(Self { offer_seconds, transfer_above, timers, groups, seated: Mutex::default() })
    }

    /// What the account of an agent begins with.
    pub fn equip(&self, number: usize, account: &mut Value) {
        let labels: Vec<_> = skills(number).iter().map(|(name, level)| format!("{name}:{level}")).collect();
        account["skills"] = labels.into();
        account["max_accept"] = max_accept(number).into();
    }

    /// Puts an agent into its groups.
    pub async fn seat(
        &self,
        run: &Run,
        admin: &Rest,
        (number, agents): (usize, usize),
        member: Id,
    ) -> Result<(), Failure> {
        let groups: Vec<Id> = places(number, agents).iter().map(|place| self.groups[*place]).collect();
        for group in &groups {
            let path = format!("/groups/{group}/members/{member}");
            insist_on(run, admin, reqwest::Method::PUT, &path, &json!({})).await?;
        }
        let seated = Seated { member, max_accept: max_accept(number), groups, skills: skills(number) };
        self.seated.lock().unwrap_or_else(PoisonError::into_inner).push(seated);
        Ok(())
    }

    /// Everybody who has a seat.
    pub fn seated(&self) -> Vec<Seated> {
        self.seated.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Everybody else who has a seat, from anybody on.
    pub fn colleagues(&self, run: &Run, of: Id) -> Vec<Id> {
        let mut others: Vec<Id> =
            self.seated().iter().map(|one| one.member).filter(|member| *member != of).collect();
        let first = run.below(i64::try_from(others.len()).unwrap_or_default());
        let first = usize::try_from(first).unwrap_or_default().min(others.len());
        others.rotate_left(first);
        others
    }

    /// Somebody else who has a seat.
    pub fn colleague(&self, run: &Run, of: Id) -> Option<Id> {
        self.colleagues(run, of).first().copied()
    }

    /// Any of the groups.
    pub fn any_group(&self, run: &Run) -> Option<Id> {
        let most = i64::try_from(self.groups.len()).unwrap_or_default();
        usize::try_from(run.below(most)).ok().and_then(|place| self.groups.get(place)).copied()
    }

    /// Whether a member is in this group.
    pub fn is_in(&self, member: Id, group: Id) -> bool {
        let seated = self.seated.lock().unwrap_or_else(PoisonError::into_inner);
        seated.iter().any(|one| one.member == member && one.groups.contains(&group))
    }

    /// Adds to the request to open a conversation what it asks for.
    pub fn ask(&self, run: &Run, request: &mut Value) -> Asked {
        let mut asked = Asked::default();
        if run.chance(0.6) {
            asked.group = self.any_group(run);
        }
        if let Some(group) = asked.group {
            request["group_id"] = group.to_string().into();
        }
        if run.chance(0.3) {
            asked.required = Some(("refunds", 2));
            request["required_skills"] = json!(["refunds:2"]);
        }
        if run.chance(0.3) {
            request["preferred_skills"] = json!(["de"]);
        }
        asked
    }
}

/// Small, so that agents are often full.
fn max_accept(number: usize) -> i64 {
    [2, 3, 1, 4][number % 4]
}

fn skills(number: usize) -> &'static [(&'static str, u8)] {
    SKILLS[number % SKILLS.len()]
}

/// The groups of an agent: every group has somebody, of three agents each has two, and one in four is in none.
fn places(number: usize, agents: usize) -> &'static [usize] {
    match (agents, number % 4) {
        (1, _) | (_, 2) => &[0, 1],
        (_, 0) => &[0],
        (_, 1) => &[1],
        (_, _) => &[],
    }
}

/// Reminders as short as a tenant can have them; a customer is reminded before it is given up.
fn timers(silence: i64) -> Timers {
    let on = silence > 0;
    Timers {
        customer: (silence > REMINDER_SECONDS).then_some(REMINDER_SECONDS),
        agent: on.then_some(REMINDER_SECONDS),
        close: on.then_some(silence),
    }
}
