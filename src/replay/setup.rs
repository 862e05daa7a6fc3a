//! The cast: tenants made through `POST /tenants`, agents made by the tenant's administrator and signed in, visitors
//! from `POST /visitors`; each with a device that connects.

use std::sync::Arc;

use futures_util::{StreamExt, TryStreamExt, stream};
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::agent::Agent;
use super::arguments::{Arguments, Routing};
use super::client::fact::id;
use super::client::{Failure, Rest, Site};
use super::desk::Desk;
use super::history::Id;
use super::identify::{Identity, IdentityKey, anonymous, identify};
use super::member::Member;
use super::play::Run;
use super::requests::{AT_ONCE, insist, insist_on};
use super::supervisor::Supervisor;
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
    /// Signs who its visitors are.
    pub identity_key: Arc<IdentityKey>,
    /// How it routes; none where agents claim.
    pub desk: Option<Arc<Desk>>,
    /// Who steps in there.
    pub supervisor: Option<Arc<Supervisor>>,
}

/// The login name of the supervisor of a tenant that routes.
const SUPERVISOR: &str = "supervisor";
/// Hints of waiting conversations that an agent can have in hand.
const HINTS: usize = 1_024;

fn member_id(answer: &Value, what: &str) -> Result<Id, Failure> {
    let member = answer.get("member").or_else(|| answer.get("admin")).unwrap_or(answer);
    member.get("id").and_then(id).ok_or_else(|| Failure::Over(format!("no {what} in {answer}")))
}

fn password(run: &Run) -> String {
    format!("replay-{}", run.name)
}

/// Makes a tenant and signs its administrator in.
pub async fn tenant(run: &Run, site: &Site, number: usize, arguments: &Arguments) -> Result<Tenant, Failure> {
    let platform_key = arguments.platform_key.as_ref().map(|key| key.expose());
    let slug = format!("replay-{}-{number}", run.name);
    let rest = Rest::anonymous(site.clone(), number, platform_key);
    let body = json!({
        "name": format!("Replay {number}"), "slug": slug,
        "admin": { "login_name": "admin", "password": password(run), "nickname": "Admin" },
    });
    let made = insist(run, &rest, "/tenants", &body).await?;
    let tenant = made.get("tenant").unwrap_or(&made).get("id").and_then(id);
    let (admin_id, admin) = login(run, site, number, &slug, "admin").await?;
    let (desk, supervisor) = match arguments.routing {
        Routing::Auto => {
            let desk = Desk::make(run, &admin, number, arguments.silence).await?;
            let body = json!({
                "login_name": SUPERVISOR, "password": password(run), "nickname": "Supervisor", "role": "supervisor",
            });
            insist(run, &admin, "/members", &body).await?;
            let (_, rest) = login(run, site, number, &slug, SUPERVISOR).await?;
            (Some(Arc::new(desk)), Some(Arc::new(Supervisor::new(rest))))
        }
        Routing::Manual => {
            // Each agent takes whatever waits for it.
            let settings = json!({ "settings": { "claim_above_max_accept": true } });
            insist_on(run, &admin, reqwest::Method::PATCH, "/tenant", &settings).await?;
            (None, None)
        }
    };
    let key = insist(run, &admin, "/identity-keys", &json!({})).await?;
    let text = |name: &str| {
        let found = key[name].as_str().map(str::to_owned);
        found.ok_or_else(|| Failure::Over(format!("no {name} in the answer to making an identity key")))
    };
    let identity_key =
        Arc::new(IdentityKey { slug: slug.clone(), kid: text("kid")?, secret: text("secret")? });
    Ok(Tenant { id: tenant, slug, admin, admin_id, identity_key, desk, supervisor })
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
        let mut body = json!({
            "login_name": name, "password": password(run), "nickname": format!("Agent {number}"), "role": "agent",
        });
        if let Some(desk) = &tenant.desk {
            desk.equip(number, &mut body);
        }
        insist(run, &tenant.admin, "/members", &body).await?;
        let source = place * agents + number;
        let (member, rest) = login(run, site, source, &tenant.slug, &name).await?;
        if let Some(desk) = &tenant.desk {
            desk.seat(run, &tenant.admin, (number, agents), member).await?;
        }
        let (hints, waiting) = mpsc::channel(HINTS);
        let agent = Member::start(run, member, rest, &format!("t{place}-{name}"), Some(hints));
        Ok((Agent::new(place, (number, agents), agent), waiting))
    };
    stream::iter((0..agents).map(one)).buffered(AT_ONCE).try_collect().await
}

/// The visitors of a run, and the customers whom some of them will turn out to be.
pub struct Visitors {
    /// Who plays.
    pub visitors: Vec<Visitor>,
    /// Each with the tenant's place; they only look on.
    pub known: Vec<(usize, Member)>,
}

/// Makes the visitors, spread over the tenants, and connects them. Of four, one will become a customer and one turn
/// out to be a known one.
pub async fn visitors(
    run: &Arc<Run>,
    site: &Site,
    tenants: &[Tenant],
    visitors: usize,
) -> Result<Visitors, Failure> {
    let one = |number: usize| async move {
        let tenant = number % tenants.len();
        let Tenant { slug, identity_key, desk, .. } = &tenants[tenant];
        let name = format!("visitor-{number}");
        let (member, rest) = anonymous(run, site, number, slug, &format!("Visitor {number}")).await?;
        let subject = format!("customer-{number}");
        let identity = Identity { key: identity_key.clone(), subject };
        let known = match number % 4 {
            1 => Some((tenant, known(run, site, number, &identity).await?)),
            _ => None,
        };
        let identity = (number % 4 < 2).then_some(identity);
        let member = Member::start(run, member, rest, &name, None);
        Ok((Visitor::new((tenant, desk.clone()), name, member, identity), known))
    };
    let made: Vec<_> = stream::iter((0..visitors).map(one)).buffered(AT_ONCE).try_collect().await?;
    let (visitors, known): (_, Vec<_>) = made.into_iter().unzip();
    Ok(Visitors { visitors, known: known.into_iter().flatten().collect() })
}

/// A customer who identified long ago.
async fn known(run: &Run, site: &Site, number: usize, identity: &Identity) -> Result<Member, Failure> {
    let (member, rest) = anonymous(run, site, number, &identity.key.slug, "Known").await?;
    let answer = identify(run, &rest, identity).await?;
    rest.sign_in(&answer)?;
    let member = member_id(&answer, "member").unwrap_or(member);
    Ok(Member::start(run, member, rest, &format!("known-{number}"), None))
}
