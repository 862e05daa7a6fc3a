//! Visitors who say who they are in the middle of a dialogue: the tenant's own server (played here) signs an identity
//! token, and the visitor either becomes that customer or turns out to be one who is known.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use super::client::fact::id;
use super::client::{Backoff, Failure, Rest, Site};
use super::history::{Id, count};
use super::member::Member;
use super::play::Run;

/// A tenant's identity key.
#[derive(Debug)]
pub struct IdentityKey {
    /// The tenant's slug.
    pub slug: String,
    /// The key's name.
    pub kid: String,
    /// Its secret.
    pub secret: String,
}

/// Who a visitor will say that it is.
#[derive(Debug, Clone)]
pub struct Identity {
    /// Signs it.
    pub key: Arc<IdentityKey>,
    /// The tenant's own id of the customer.
    pub subject: String,
}

/// How long identity tokens are good for.
const LIFETIME: Duration = Duration::from_secs(3_600);

impl Identity {
    /// The body of a request to identify.
    fn body(&self) -> Result<Value, Failure> {
        let over = |cause: &dyn std::fmt::Display| Failure::Over(format!("no identity token: {cause}"));
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_err(|cause| over(&cause))?;
        crate::security::hs256::install();
        let mut header = jsonwebtoken::Header::new(jsonwebtoken::Algorithm::HS256);
        header.kid = Some(self.key.kid.clone());
        // A token serves one visitor: each of them is another one.
        let unique = crate::kernel::secret::random_key(9);
        let claims = json!({ "sub": self.subject, "exp": (now + LIFETIME).as_secs(), "jti": unique });
        let key = jsonwebtoken::EncodingKey::from_secret(self.key.secret.as_bytes());
        let token = jsonwebtoken::encode(&header, &claims, &key).map_err(|cause| over(&cause))?;
        Ok(json!({ "identity_token": token }))
    }
}

fn member(answer: &Value) -> Result<Id, Failure> {
    let found = answer["member"].get("id").and_then(id);
    found.ok_or_else(|| Failure::Over(format!("no member in the answer to identifying: {answer}")))
}

/// Makes an anonymous visitor.
pub async fn anonymous(
    run: &Run,
    site: &Site,
    number: usize,
    slug: &str,
    nickname: &str,
) -> Result<(Id, Rest), Failure> {
    let rest = Rest::anonymous(site.clone(), number, None);
    let body = json!({ "tenant": slug, "nickname": nickname });
    let mut backoff = Backoff::new(run.patience);
    loop {
        match rest.post("/visitors", &body).await {
            Ok(answer) => {
                rest.sign_in(&answer)?;
                return Ok((member(&answer)?, rest));
            }
            Err(failure) => backoff.after(failure).await?,
        }
    }
}

/// Identifies the bearer of these tokens. An answer that was lost may have ended its session: then somebody new comes
/// signs in and sends the same.
pub async fn identify(run: &Run, rest: &Rest, identity: &Identity) -> Result<Value, Failure> {
    let mut body = identity.body()?;
    let mut backoff = Backoff::new(run.patience);
    let mut doubt = false;
    let mut again: Option<Rest> = None;
    loop {
        let rest = again.as_ref().unwrap_or(rest);
        let failure = match rest.post("/visitors/identify", &body).await {
            Ok(answer) => return Ok(answer),
            Err(failure) => failure,
        };
        if doubt && matches!(failure.code(), Some("session_revoked" | "token_invalid")) {
            let (_, new) = anonymous(run, &rest.site, rest.number, &identity.key.slug, "Again").await?;
            again = Some(new);
            body = identity.body()?;
            continue;
        }
        doubt |= failure.leaves_doubt();
        backoff.after(failure).await?;
    }
}

/// Identifies a member of the run. Returns the new member when the visitor turned out to be a known customer; the old
/// one's devices are being sent away then.
pub async fn become_known(
    run: &Run,
    visitor: &Member,
    identity: &Identity,
    name: &str,
) -> Result<Option<Member>, Failure> {
    visitor.may_end(true);
    let answer = identify(run, visitor.rest(), identity).await?;
    let known = member(&answer)?;
    if known == visitor.id() {
        visitor.rest().sign_in(&answer)?;
        visitor.may_end(false);
        count(&run.history.counters.identified);
        return Ok(None);
    }
    let rest = Rest::anonymous(visitor.rest().site.clone(), visitor.rest().number, None);
    rest.sign_in(&answer)?;
    let merged = Member::start(run, known, rest, &format!("{name}-merged"), None);
    merged.live(run.stall()).await?;
    count(&run.history.counters.merged);
    Ok(Some(merged))
}
