//! How a request reaches a provider: over HTTPS, to public addresses only, and with what is known when it does not.
//!
//! Invariants: a name is resolved here and connected to as resolved, so that it cannot point elsewhere between the check
//! and the connection; redirects are not followed; of a request that may have gone out it is never said that it did not.

use std::error::Error as _;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, RETRY_AFTER};
use reqwest::{Client, redirect};
use url::{Host, Url};

use super::{Answer, Reply, Request, smtp};
use crate::domain::centre::account::Provider;
use crate::domain::centre::send::Outcome;
use crate::kernel::outbound::{Allowed, is_public};
use crate::kernel::{Error, Result};

/// How long a connection may take.
const CONNECT: Duration = Duration::from_secs(5);
/// How long an attempt may take in all.
const ATTEMPT: Duration = Provider::Webhook.attempt_limit();
/// How long a connection without a request is kept.
const IDLE: Duration = Duration::from_secs(15);
/// Bytes of an answer that are read.
const BODY_MAX: usize = 20_000;

/// Carries requests. Cloning shares the connections.
#[derive(Clone, Debug)]
pub struct Transport {
    client: Client,
    mail: smtp::Carrier,
    allowed: Allowed,
}

impl Transport {
    /// With the hosts that the operator allows beside the public ones.
    pub fn new(allowed: &Allowed) -> Result<Self> {
        let builder = || {
            Client::builder()
                .user_agent(concat!("Deskwire/", env!("CARGO_PKG_VERSION")))
                .redirect(redirect::Policy::none())
                .no_proxy()
                .connect_timeout(CONNECT)
                .timeout(ATTEMPT)
                .pool_idle_timeout(IDLE)
                .dns_resolver(Arc::new(PublicNames { allowed: allowed.clone() }))
        };
        let client = builder().build().or_else(|cause| {
            // A machine without certificates runs everything but this.
            log::warn!(target: "deskwire::centre", "no message will reach an https address: {cause:?}");
            builder().tls_certs_only([]).build()
        });
        let refused = "the client of the providers could not be made";
        let client = client.map_err(|cause| Error::internal(refused).caused_by(cause))?;
        Ok(Self { client, mail: smtp::Carrier::new(allowed), allowed: allowed.clone() })
    }

    /// With other limits for mail servers.
    pub fn with_mail(self, limits: smtp::Limits) -> Self {
        Self { mail: self.mail.with_limits(limits), ..self }
    }

    /// What hands messages to mail servers.
    pub fn mail(&self) -> &smtp::Carrier {
        &self.mail
    }

    /// Carries a request. `Err` when there is no reply: then the answer says what is known.
    pub async fn carry(&self, request: Request) -> std::result::Result<Reply, Answer> {
        let refused = |detail: &str| Err(Answer::without_reply(Outcome::Configuration, detail));
        let Ok(url) = Url::parse(&request.url) else { return refused("the address is no URL") };
        if !self.allowed.allows(&url) {
            let literal = match url.host() {
                Some(Host::Ipv4(address)) => Some(IpAddr::V4(address)),
                Some(Host::Ipv6(address)) => Some(IpAddr::V6(address)),
                _ => None,
            };
            if url.scheme() != "https" || literal.is_some_and(|address| !is_public(address)) {
                return refused("the address is not a public one");
            }
        }
        // An empty body would go out without its length, and some servers refuse that (411).
        let length = request.body.len();
        let mut building = self.client.post(url).header(CONTENT_LENGTH, length);
        building = building.header(CONTENT_TYPE, request.content_type).body(request.body);
        for (name, value) in request.headers {
            building = building.header(name, value);
        }
        let response = building.send().await.map_err(|error| unanswered(&error))?;
        let (status, retry_after_ms) = (response.status().as_u16(), retry_after(response.headers()));
        // An answer whose body breaks off has still been given: its status counts.
        let body = read(response).await;
        Ok(Reply { status, retry_after_ms, body })
    }
}

async fn read(mut response: reqwest::Response) -> String {
    let mut bytes = Vec::new();
    while let Ok(Some(chunk)) = response.chunk().await {
        bytes.extend_from_slice(&chunk);
        if bytes.len() >= BODY_MAX {
            bytes.truncate(BODY_MAX);
            break;
        }
    }
    // The stores keep no U+0000.
    String::from_utf8_lossy(&bytes).replace('\0', "\u{fffd}")
}

/// The seconds of a `Retry-After`, in milliseconds. A date is not heeded: clocks differ.
fn retry_after(headers: &HeaderMap) -> Option<i64> {
    let seconds: i64 = headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    (0..=86_400).contains(&seconds).then_some(seconds * 1_000)
}

/// What is known of a request without a reply. Its own words hold the address, which may be a secret.
fn unanswered(error: &reqwest::Error) -> Answer {
    let mut cause = error.source();
    let mut words = Vec::new();
    while let Some(inner) = cause {
        // By its words: on its way here the error is put into boxes that hide its type.
        if inner.to_string() == NOT_PUBLIC {
            return Answer::without_reply(Outcome::Configuration, NOT_PUBLIC);
        }
        words.push(inner.to_string());
        cause = inner.source();
    }
    let last = words.pop().unwrap_or_default();
    if error.is_connect() {
        return Answer::without_reply(Outcome::Retry, format!("no connection: {last}"));
    }
    if error.is_builder() {
        return Answer::without_reply(Outcome::Configuration, "the request could not be made");
    }
    let what =
        if error.is_timeout() { "no answer in time" } else { "the connection ended without an answer" };
    Answer::without_reply(Outcome::Uncertain, format!("{what}: {last}"))
}

/// What is said of a name that stands for no public address.
const NOT_PUBLIC: &str = "the host has no public address";

/// Resolves names to their public addresses.
struct PublicNames {
    allowed: Allowed,
}

impl Resolve for PublicNames {
    fn resolve(&self, name: Name) -> Resolving {
        let (host, any) = (name.as_str().to_owned(), self.allowed.allows_host(name.as_str()));
        Box::pin(async move {
            let found: Vec<SocketAddr> = tokio::net::lookup_host((host, 0)).await?.collect();
            let known = !found.is_empty();
            let public: Vec<SocketAddr> =
                found.into_iter().filter(|address| any || is_public(address.ip())).collect();
            match public.is_empty() && known {
                true => Err(NOT_PUBLIC.into()),
                false => Ok(Box::new(public.into_iter()) as Addrs),
            }
        })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    fn request(url: &str) -> Request {
        Request::json(url, "{}".to_owned())
    }

    fn carried(allowed: &str, url: &str) -> std::result::Result<Reply, Answer> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let transport = Transport::new(&allowed.parse().unwrap()).unwrap();
        runtime.block_on(transport.carry(request(url)))
    }

    #[test]
    fn what_is_not_public_is_not_reached() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        for host in ["127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "10.0.0.1", "169.254.169.254"] {
            let answer = carried("", &format!("https://{host}:{port}/")).unwrap_err();
            assert_eq!(answer.outcome, Outcome::Configuration, "{host}: {answer:?}");
        }
        let answer = carried("", "http://203.0.113.9/").unwrap_err();
        assert_eq!(answer.outcome, Outcome::Configuration, "without TLS");
        listener.set_nonblocking(true).unwrap();
        assert!(listener.accept().is_err(), "somebody was connected to");
    }

    #[test]
    fn what_did_not_go_out_may_be_sent_again_and_what_may_have_is_uncertain() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let closes = std::thread::spawn(move || drop(listener.accept().unwrap()));
        let url = format!("http://127.0.0.1:{port}/secret-token");
        let answer = carried("127.0.0.1", &url).unwrap_err();
        assert_eq!(answer.outcome, Outcome::Uncertain, "{answer:?}");
        closes.join().unwrap();
        let answer = carried("127.0.0.1", &url).unwrap_err();
        assert_eq!(answer.outcome, Outcome::Retry, "{answer:?}");
        assert!(!answer.message.unwrap().contains("secret-token"));
    }
}
