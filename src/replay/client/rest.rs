//! Requests over HTTP on behalf of one signed-in member. Owns its tokens and renews them; says of every failure
//! whether the request may have been done.

use std::collections::HashSet;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rand::RngExt;
use reqwest::Method;
use serde_json::{Value, json};

use super::backoff::Failure;
use super::fact::ids_in;
use crate::replay::history::Id;

/// The server, and the connections to it that all members share.
#[derive(Debug, Clone)]
pub struct Site {
    /// `http://host:port` of each process.
    bases: Arc<[String]>,
    /// One for each source address.
    clients: Arc<[(Option<IpAddr>, reqwest::Client)]>,
}

/// How long an answer may take.
const ANSWER_WITHIN: Duration = Duration::from_secs(15);

impl Site {
    /// Connections to these base URLs (at least one) from so many source addresses (0: the system's choice).
    pub fn new(bases: Vec<String>, sources: u8) -> Result<Self, String> {
        let mut addresses: Vec<_> =
            (0..sources).map(|source| Some(IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2 + source)))).collect();
        if addresses.is_empty() {
            addresses.push(None);
        }
        let client = |address| {
            // Only servers without TLS are asked.
            let builder = reqwest::Client::builder().tls_certs_only([]).no_proxy();
            builder.local_address(address).timeout(ANSWER_WITHIN).build()
        };
        let clients: Result<Vec<_>, _> =
            addresses.into_iter().map(|address| client(address).map(|client| (address, client))).collect();
        let clients = clients.map_err(|cause| format!("cannot make an HTTP client: {cause}"))?;
        Ok(Self { bases: bases.into(), clients: clients.into() })
    }

    /// Any of the processes.
    fn base(&self) -> &str {
        &self.bases[rand::rng().random_range(0..self.bases.len())]
    }

    /// `host:port` of any of the processes, and the source address of the n-th member.
    pub fn socket_address(&self, number: usize) -> (&str, Option<IpAddr>) {
        let base = self.base();
        let host = base.strip_prefix("http://").unwrap_or(base);
        (host, self.clients[number % self.clients.len()].0)
    }

    /// One request. `path` begins behind `/api/v1`.
    async fn request(
        &self,
        number: usize,
        token: Option<&str>,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<String, Failure> {
        let client = &self.clients[number % self.clients.len()].1;
        let mut request = client.request(method, format!("{}/api/v1{path}", self.base()));
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        let lost = |cause: reqwest::Error| match cause.is_connect() || cause.is_builder() {
            true => Failure::Unsent(cause.to_string()),
            false => Failure::Unknown(cause.to_string()),
        };
        let response = request.send().await.map_err(lost)?;
        let status = response.status();
        let wait = response.headers().get("retry-after").and_then(|value| value.to_str().ok()?.parse().ok());
        let text = response.text().await.map_err(|cause| Failure::Unknown(cause.to_string()))?;
        if status.is_success() {
            return Ok(text);
        }
        let problem: Value = serde_json::from_str(&text).unwrap_or_default();
        let refused = Failure::Refused {
            code: problem["code"].as_str().map_or_else(|| status.as_u16().to_string(), str::to_owned),
            // Servers and proxies answer with a bare status, too.
            retryable: problem["retryable"].as_bool().unwrap_or_else(|| is_temporary(status.as_u16())),
            retry_after: wait.map(Duration::from_secs),
            detail: problem,
        };
        // A 500 does not say whether it was done before it failed.
        match status.as_u16() {
            500 => Err(Failure::Unknown(refused.to_string())),
            _ => Err(refused),
        }
    }
}

/// Whether a status without a problem document says that the same request may succeed later.
fn is_temporary(status: u16) -> bool {
    matches!(status, 408 | 425 | 429 | 502 | 503 | 504)
}

#[derive(Debug, Clone, Default)]
struct Tokens {
    access: String,
    refresh: String,
}

/// One signed-in member.
#[derive(Debug)]
pub struct Rest {
    /// The server.
    pub site: Site,
    /// Decides over the source address.
    pub number: usize,
    tokens: Mutex<Tokens>,
    renewing: tokio::sync::Mutex<()>,
    /// Every id that stood in an answer or a frame for this member.
    seen: Mutex<HashSet<Id>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Rest {
    /// Nobody yet: requests go out with this bearer key, if any.
    pub fn anonymous(site: Site, number: usize, bearer: Option<&str>) -> Self {
        let tokens = Tokens { access: bearer.unwrap_or_default().to_owned(), refresh: String::new() };
        Self {
            site,
            number,
            tokens: Mutex::new(tokens),
            renewing: tokio::sync::Mutex::default(),
            seen: Mutex::default(),
        }
    }

    /// Takes the tokens of an answer of sign-in, sign-up, `POST /visitors` or refresh.
    pub fn sign_in(&self, answer: &Value) -> Result<(), Failure> {
        let tokens = answer.get("tokens").unwrap_or(answer);
        match (tokens["access_token"].as_str(), tokens["refresh_token"].as_str()) {
            (Some(access), Some(refresh)) => {
                *lock(&self.tokens) = Tokens { access: access.to_owned(), refresh: refresh.to_owned() };
                Ok(())
            }
            _ => Err(Failure::Over(format!("no tokens in the answer: {answer}"))),
        }
    }

    /// The present access token.
    pub fn access_token(&self) -> String {
        lock(&self.tokens).access.clone()
    }

    /// One request; an expired access token is renewed and the request repeated.
    pub async fn call(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Value, Failure> {
        let token = self.access_token();
        let bearer = (!token.is_empty()).then_some(token.as_str());
        let mut answer = self.site.request(self.number, bearer, method.clone(), path, body).await;
        if answer.as_ref().is_err_and(|failure| failure.code() == Some("token_expired")) {
            self.renew(&token).await?;
            let token = self.access_token();
            answer = self.site.request(self.number, Some(&token), method, path, body).await;
        }
        let text = answer?;
        self.saw(&text);
        match text.is_empty() {
            true => Ok(Value::Null),
            false => serde_json::from_str(&text)
                .map_err(|cause| Failure::Unknown(format!("{path} answers with no JSON: {cause}"))),
        }
    }

    /// Reads.
    pub async fn get(&self, path: &str) -> Result<Value, Failure> {
        self.call(Method::GET, path, None).await
    }

    /// Writes.
    pub async fn post(&self, path: &str, body: &Value) -> Result<Value, Failure> {
        self.call(Method::POST, path, Some(body)).await
    }

    /// Renews the tokens unless somebody else just did.
    pub async fn renew(&self, expired: &str) -> Result<(), Failure> {
        let _turn = self.renewing.lock().await;
        let Tokens { access, refresh } = lock(&self.tokens).clone();
        if access != expired {
            return Ok(());
        }
        let body = json!({ "refresh_token": refresh });
        let text = self.site.request(self.number, None, Method::POST, "/auth/refresh", Some(&body)).await?;
        self.sign_in(&serde_json::from_str(&text).unwrap_or_default())
    }

    /// Notes every id in a text that reached this member.
    pub fn saw(&self, text: &str) {
        lock(&self.seen).extend(ids_in(text));
    }

    /// Every id that reached this member.
    pub fn seen(&self) -> HashSet<Id> {
        lock(&self.seen).clone()
    }
}
