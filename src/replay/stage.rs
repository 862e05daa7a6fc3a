//! The cast: tenants made through `POST /tenants`, agents made by the tenant's administrator and signed in, visitors
//! from `POST /visitors`; each with a device that connects.

use std::sync::Arc;

use futures_util::{StreamExt, TryStreamExt, stream};
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::agent::Agent;
use super::client::device::Plan;
use super::client::fact::id;
use super::client::{Backoff, Device, Failure, Rest, Site};
use super::history::Id;
use super::play::Run;
use super::visitor::Visitor;

/// A tenant of the run.
#[derive(Debug)]
pub struct Tenant {
    /// Its id; unknown when the answer to making it was lost.
    pub id: Option<Id>,
    /// Its slug.
    pub slug: String,
    /// Its administrator, signed in.
    pub admin: Rest,
    /// The administrator's id.
    pub admin_id: Id,
}

/// How many are made at the same time.
const AT_ONCE: usize = 16;
/// Hints of waiting conversations that an agent can have in hand.
const HINTS: usize = 1_024;

/// Posts until there is an answer. What was made by an attempt without an answer is found by the next one: its name
/// is taken, and the answer is null.
async fn insist(run: &Run, rest: &Rest, path: &str, body: &Value) -> Result<Value, Failure> {
    let mut backoff = Backoff::new(run.patience);
    let mut lost = false;
    loop {
        match rest.post(path, body).await {
            Ok(answer) => return Ok(answer),
            Err(failure) if lost && failure.code() == Some("name_taken") => return Ok(Value::Null),
            Err(failure) => {
                lost |= matches!(failure, Failure::Unknown(_));
                let told = format!("POST {path}: {failure}");
                if let Err(last) = backoff.after(failure).await {
                    return Err(match last {
                        Failure::Refused { .. } => Failure::Over(told),
                        other => other,
                    });
                }
            }
        }
    }
}

fn member_id(answer: &Value, what: &str) -> Result<Id, Failure> {
    let member = answer.get("member").or_else(|| answer.get("admin")).unwrap_or(answer);
    member.get("id").and_then(id).ok_or_else(|| Failure::Over(format!("no {what} in {answer}")))
}

fn password(run: &Run) -> String {
    format!("replay-{}", run.name)
}

/// Makes a tenant and signs its administrator in.
pub async fn tenant(
    run: &Run,
    site: &Site,
    number: usize,
    platform_key: Option<&str>,
) -> Result<Tenant, Failure> {
    let slug = format!("replay-{}-{number}", run.name);
    let door = Rest::anonymous(site.clone(), number, platform_key);
    let body = json!({
        "name": format!("Replay {number}"), "slug": slug,
        "admin": { "login_name": "admin", "password": password(run), "nickname": "Admin" },
    });
    let made = insist(run, &door, "/tenants", &body).await?;
    let tenant = made.get("tenant").unwrap_or(&made).get("id").and_then(id);
    let (admin_id, admin) = login(run, site, number, &slug, "admin").await?;
    Ok(Tenant { id: tenant, slug, admin, admin_id })
}

async fn login(run: &Run, site: &Site, number: usize, slug: &str, name: &str) -> Result<(Id, Rest), Failure> {
    let rest = Rest::anonymous(site.clone(), number, None);
    let body = json!({ "tenant": slug, "name": name, "password": password(run), "device": "replay" });
    let answer = insist(run, &rest, "/auth/login", &body).await?;
    rest.sign_in(&answer)?;
    Ok((member_id(&answer, "member")?, rest))
}

/// Makes the agents of a tenant, signs them in and connects them. Beside each stand the hints of its device.
pub async fn agents(
    run: &Arc<Run>,
    site: &Site,
    (place, tenant): (usize, &Tenant),
    agents: usize,
) -> Result<Vec<(Agent, mpsc::Receiver<Id>)>, Failure> {
    let one = |number: usize| async move {
        let name = format!("agent-{number}");
        let body = json!({
            "login_name": name, "password": password(run), "nickname": format!("Agent {number}"), "role": "agent",
        });
        insist(run, &tenant.admin, "/members", &body).await?;
        let source = place * agents + number;
        let (member, rest) = login(run, site, source, &tenant.slug, &name).await?;
        let (hints, waiting) = mpsc::channel(HINTS);
        let plan = Plan {
            member,
            rest,
            name: format!("t{place}-{name}"),
            patience: run.patience,
            waiting: Some(hints),
        };
        let device = Device::start(plan, run.history.clone());
        Ok((Agent::new(place, (number, agents), device), waiting))
    };
    stream::iter((0..agents).map(one)).buffered(AT_ONCE).try_collect().await
}

/// Makes the visitors, spread over the tenants, and connects them.
pub async fn visitors(
    run: &Arc<Run>,
    site: &Site,
    tenants: &[Tenant],
    visitors: usize,
) -> Result<Vec<Visitor>, Failure> {
    let one = |number: usize| async move {
        let tenant = number % tenants.len();
        let rest = Rest::anonymous(site.clone(), number, None);
        let body = json!({ "tenant": tenants[tenant].slug, "nickname": format!("Visitor {number}") });
        let answer = insist(run, &rest, "/visitors", &body).await?;
        rest.sign_in(&answer)?;
        let member = member_id(&answer, "member")?;
        let plan =
            Plan { member, rest, name: format!("visitor-{number}"), patience: run.patience, waiting: None };
        Ok(Visitor { tenant, device: Device::start(plan, run.history.clone()) })
    };
    stream::iter((0..visitors).map(one)).buffered(AT_ONCE).try_collect().await
}
