//! The connection to a mail server: its name is resolved here and connected to as resolved.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout, timeout_at};

use super::Carrier;
use super::wire::Duplex;
use crate::centre::channels::Answer;
use crate::domain::centre::account::{PORTS, SmtpSecurity, SmtpSettings};
use crate::domain::centre::send::Outcome;
use crate::kernel::outbound::is_public;

/// Addresses of one name that are tried.
const ADDRESSES: usize = 4;

/// A connection, and the address at this end of it.
pub(super) async fn connect(
    carrier: &Carrier,
    settings: &SmtpSettings,
) -> Result<(TcpStream, IpAddr), Answer> {
    let is_allowed = carrier.allowed.allows_host(&settings.host);
    // As when the account was made: the operator may have changed its mind since.
    if !is_allowed && (settings.security == SmtpSecurity::None || !PORTS.contains(&settings.port())) {
        return Err(Answer::without_reply(Outcome::Configuration, "this port or security is not allowed"));
    }
    let limit = carrier.limits.connect;
    let reached = timeout(limit, async {
        let found: Vec<SocketAddr> = tokio::net::lookup_host((settings.host.as_str(), settings.port()))
            .await
            .map_err(unreached)?
            .collect();
        let usable: Vec<SocketAddr> = found
            .iter()
            .copied()
            .filter(|address| is_allowed || is_public(address.ip()))
            .take(ADDRESSES)
            .collect();
        if usable.is_empty() && !found.is_empty() {
            return Err(Answer::without_reply(Outcome::Configuration, "the host has no public address"));
        }
        first(&usable, limit).await
    });
    let stream = reached.await.map_err(|_| no_connection("no answer in time"))??;
    let here = stream.local_addr().map_err(unreached)?.ip();
    Ok((stream, here))
}

/// A connection to the first address that has one. Each has its share of the time, so that one that is silent hides no
/// other.
async fn first(addresses: &[SocketAddr], limit: Duration) -> Result<TcpStream, Answer> {
    let share = limit / u32::try_from(addresses.len().max(1)).unwrap_or(1);
    let mut last = no_connection("the name has no address");
    for address in addresses {
        match timeout(share, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => return Ok(stream),
            Ok(Err(error)) => last = unreached(error),
            Err(_) => last = no_connection("no answer in time"),
        }
    }
    Err(last)
}

/// Puts TLS on a connection. What the certificate or the server's way of TLS has against it is what the account is set to;
/// a connection that ends is not.
pub(super) async fn secured(
    carrier: &Carrier,
    settings: &SmtpSettings,
    stream: Box<dyn Duplex>,
    until: Instant,
) -> Result<Box<dyn Duplex>, Answer> {
    let refused = |detail: String| Answer::without_reply(Outcome::Configuration, detail);
    let Some(connector) = carrier.tls() else {
        return Err(refused("this server has no certificates to check others by".to_owned()));
    };
    let name = ServerName::try_from(settings.host.clone())
        .map_err(|_| refused("the host is no name that a certificate can have".to_owned()))?;
    let secured = timeout_at(until, connector.connect(name, stream));
    match secured.await {
        Ok(Ok(stream)) => Ok(Box::new(stream)),
        Ok(Err(error)) => {
            let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
            Err(match inner {
                Some(fault) => refused(format!("no TLS: {fault}")),
                None => no_connection(&format!("no TLS: {error}")),
            })
        }
        Err(_) => Err(no_connection("no TLS in time")),
    }
}

fn unreached(error: std::io::Error) -> Answer {
    no_connection(&error.to_string())
}

fn no_connection(detail: &str) -> Answer {
    Answer::without_reply(Outcome::Retry, format!("no connection: {detail}"))
}
