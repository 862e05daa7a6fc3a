//! Where the service itself may send requests: public addresses only, so that a merchant cannot make it speak to the
//! network that it stands in (server-side request forgery), and what the operator allows beside them.

use std::net::IpAddr;
use std::str::FromStr;

use url::Url;

/// Hosts that may be reached whatever they are, also without TLS: what the operator lists.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Allowed(Vec<String>);

impl Allowed {
    /// Whether this address is allowed by its host.
    pub fn allows(&self, url: &Url) -> bool {
        matches!(url.scheme(), "http" | "https") && url.host_str().is_some_and(|host| self.allows_host(host))
    }

    /// Whether this host is listed.
    pub fn allows_host(&self, host: &str) -> bool {
        let host = host.trim_start_matches('[').trim_end_matches(']');
        self.0.iter().any(|listed| listed.eq_ignore_ascii_case(host))
    }
}

impl FromStr for Allowed {
    type Err = String;

    /// Reads a list of host names and addresses with commas between.
    fn from_str(text: &str) -> Result<Self, String> {
        let hosts = text.split(',').map(str::trim).filter(|host| !host.is_empty());
        let plain = |host: &str| {
            host.parse::<IpAddr>().is_ok()
                || host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_".contains(&byte))
        };
        hosts
            .map(|host| match plain(host) {
                true => Ok(host.to_owned()),
                false => Err(format!("{host:?} is neither a host name nor an address")),
            })
            .collect::<Result<_, _>>()
            .map(Self)
    }
}

/// Whether a host may belong to the public network: an address of it, or a name that is not one of a network's own. What a
/// name stands for is seen when it is resolved.
pub fn may_be_public(host: &str) -> bool {
    match host.parse::<IpAddr>() {
        Ok(address) => is_public(address),
        Err(_) => super::url::is_public_name(host),
    }
}

/// Whether an address belongs to the public network.
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => super::url::is_public_v4(address),
        IpAddr::V6(address) => super::url::is_public_v6(address),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn what_the_operator_lists_is_allowed_and_nothing_else() {
        let allowed: Allowed = " 127.0.0.1, Relay.example ,::1".parse().unwrap();
        let allows = |text: &str| allowed.allows(&Url::parse(text).unwrap());
        assert!(
            allows("http://127.0.0.1:9/x") && allows("https://relay.example/") && allows("http://[::1]/")
        );
        assert!(
            !allows("http://127.0.0.2/") && !allows("http://x.relay.example/") && !allows("ftp://127.0.0.1/")
        );
        assert!("a b".parse::<Allowed>().is_err() && "http://x".parse::<Allowed>().is_err());
        assert_eq!("".parse::<Allowed>(), Ok(Allowed::default()));
    }

    #[test]
    fn addresses_of_networks_of_ones_own_are_not_public() {
        for private in [
            "127.0.0.1",
            "10.1.2.3",
            "169.254.169.254",
            "100.64.0.1",
            "::1",
            "::ffff:10.0.0.1",
            "fd00::1",
            "64:ff9b::a00:1",
            "2002:a00:1::",
        ] {
            assert!(!is_public(private.parse().unwrap()), "{private}");
        }
        for public in ["203.0.113.9", "2606:4700::1111", "8.8.8.8"] {
            assert!(is_public(public.parse().unwrap()), "{public}");
        }
        assert!(may_be_public("mail.example") && may_be_public("203.0.113.9"));
        for private in ["localhost", "mail.internal", "printer.local", "10.0.0.1", "::1"] {
            assert!(!may_be_public(private), "{private}");
        }
    }
}
