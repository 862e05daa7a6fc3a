//! Addresses of the web that strangers write and others' browsers follow. Owns which ones are taken in.

use std::net::{Ipv4Addr, Ipv6Addr};

use url::{Host, Url};

/// What is wrong with an address that others are to follow; `None` when it may be kept. Only `https`, a host that is
/// not this network's own, no user name or password, and none of the characters that would end an attribute or a
/// line in a page that shows it.
pub fn fault(text: &str) -> Option<&'static str> {
    let unsafe_in_pages = |one: char| one.is_whitespace() || one.is_control() || "\"'<>`\\".contains(one);
    if text.contains(unsafe_in_pages) || text.contains(super::text::is_invisible) {
        return Some(
            "a URL must not hold spaces, quotes, angle brackets, backslashes or invisible characters",
        );
    }
    let Ok(url) = Url::parse(text) else {
        return Some("expected an https URL");
    };
    if url.scheme() != "https" || !text.get(..8).is_some_and(|start| start.eq_ignore_ascii_case("https://")) {
        return Some("only https URLs");
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Some("a URL must not hold a user name or password");
    }
    let public = match url.host() {
        Some(Host::Domain(name)) => is_public_name(name),
        Some(Host::Ipv4(address)) => is_public_v4(address),
        Some(Host::Ipv6(address)) => is_public_v6(address),
        None => false,
    };
    (!public).then_some("the URL's host is not a public one")
}

/// Whether a name may belong to the public network: it is none of those that stand for a network's own hosts.
pub(super) fn is_public_name(name: &str) -> bool {
    let name = name.trim_end_matches('.');
    name != "localhost" && [".localhost", ".local", ".internal"].iter().all(|end| !name.ends_with(end))
}

/// Whether an IPv4 address belongs to the public network.
pub(super) fn is_public_v4(address: Ipv4Addr) -> bool {
    let [first, second, ..] = address.octets();
    let shared = first == 100 && (64..128).contains(&second);
    let special = address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_unspecified()
        || address.is_multicast()
        || address.is_broadcast();
    !special && !shared && first != 0 && first < 240
}

/// Whether an IPv6 address belongs to the public network. Of addresses that a gateway turns into IPv4 (NAT64, RFC 6052;
/// 6to4, RFC 3056), the one inside counts.
pub(super) fn is_public_v6(address: Ipv6Addr) -> bool {
    let bits = address.to_bits();
    if address.segments()[..6] == [0x64, 0xff9b, 0, 0, 0, 0] {
        return is_public_v4(Ipv4Addr::from_bits(bits as u32));
    }
    if address.segments()[0] == 0x2002 {
        return is_public_v4(Ipv4Addr::from_bits((bits >> 80) as u32));
    }
    if let Some(v4) = address.to_ipv4() {
        // Mapped and compatible ones; `::` and `::1` among them.
        return is_public_v4(v4);
    }
    !(address.is_unique_local() || address.is_unicast_link_local() || address.is_multicast())
}

#[cfg(test)]
mod tests {
    use super::fault;

    #[test]
    fn only_public_https_addresses_are_taken() {
        for good in [
            "https://shop.example/a.png",
            "https://shop.example:8443/a?b=c&d=%22#e",
            "https://203.0.113.9/x",
            "https://[2001:db8::1]/x",
            "https://图片.example/图.png",
        ] {
            assert_eq!(fault(good), None, "{good}");
        }
        for bad in [
            "",
            "https://",
            "https:shop.example",
            "http://shop.example",
            "javascript:alert(1)",
            "//shop.example",
            "https://x\" onerror=\"alert(1)",
            "https://x'y.example/",
            "https://shop.example/<b>",
            "https://shop.example/a b",
            "https://shop.example/\u{202e}gnp.exe",
            "https://eva:secret@shop.example/",
            "https://eva@shop.example/",
            "https://127.0.0.1/",
            "https://2130706433/",
            "https://0x7f.1/",
            "https://10.0.0.8/",
            "https://192.168.1.1/",
            "https://169.254.169.254/latest/meta-data",
            "https://100.64.0.1/",
            "https://0.0.0.0/",
            "https://[::1]/",
            "https://[::ffff:10.0.0.1]/",
            "https://[fd00::1]/",
            "https://[fe80::1]/",
            "https://localhost/",
            "https://db.internal/",
            "https:\\\\shop.example",
        ] {
            assert!(fault(bad).is_some(), "{bad}");
        }
    }
}
