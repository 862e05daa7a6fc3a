//! Where a request comes from. Owns the rule whose word is believed behind proxies.
//!
//! Every proxy appends the address that it was called from, so only the entries at the right end were written by
//! proxies of ours; what stands further left is the client's own word. With `n` trusted proxies the client is the
//! n-th entry from the right. Which header they write is a setting: a proxy passes on a header that it does not
//! know as the client sent it, so looking at both would believe the client.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use actix_web::HttpRequest;

use crate::settings::{ForwardedHeader, Settings};

/// The address of the client: the peer of the connection, or what the trusted proxies say.
pub fn client_ip(request: &HttpRequest, settings: &Settings) -> IpAddr {
    let peer = request.peer_addr().map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |peer| peer.ip());
    if settings.trusted_proxies == 0 {
        return peer.to_canonical();
    }
    let name = match settings.forwarded_header {
        ForwardedHeader::XForwardedFor => "x-forwarded-for",
        ForwardedHeader::Forwarded => "forwarded",
    };
    let lines = request.headers().get_all(name).filter_map(|value| value.to_str().ok());
    let entries: Vec<&str> = lines.flat_map(|line| split_outside_quotes(line, ',')).collect();
    let from_right = entries.iter().rev().take(usize::from(settings.trusted_proxies)).map(|entry| {
        match settings.forwarded_header {
            ForwardedHeader::XForwardedFor => parse_node(entry),
            ForwardedHeader::Forwarded => parse_forwarded(entry),
        }
    });
    // An entry that names no address ("unknown", a made-up word) leaves the one that its own proxy was called from.
    from_right.take_while(Option::is_some).flatten().last().unwrap_or(peer).to_canonical()
}

/// `for=` of one element of `Forwarded` (RFC 7239).
fn parse_forwarded(element: &str) -> Option<IpAddr> {
    split_outside_quotes(element, ';').into_iter().find_map(|pair| {
        let (name, value) = pair.split_once('=')?;
        name.trim().eq_ignore_ascii_case("for").then(|| parse_node(value.trim().trim_matches('"')))?
    })
}

/// An address with or without a port: `192.0.2.1`, `192.0.2.1:80`, `2001:db8::1`, `[2001:db8::1]`, `[2001:db8::1]:80`.
fn parse_node(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    text.parse()
        .ok()
        .or_else(|| text.parse::<SocketAddr>().ok().map(|socket| socket.ip()))
        .or_else(|| text.strip_prefix('[')?.strip_suffix(']')?.parse().ok())
}

fn split_outside_quotes(text: &str, separator: char) -> Vec<&str> {
    let mut quoted = false;
    text.split(|one| {
        quoted ^= one == '"';
        one == separator && !quoted
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::test::TestRequest;

    fn found(proxies: u8, header: ForwardedHeader, lines: &[(&'static str, &str)]) -> String {
        let mut settings = Settings::defaults();
        (settings.trusted_proxies, settings.forwarded_header) = (proxies, header);
        let mut request = TestRequest::default().peer_addr(([10, 0, 0, 1], 5000).into());
        for line in lines {
            request = request.append_header(*line);
        }
        client_ip(&request.to_http_request(), &settings).to_string()
    }

    #[test]
    fn hops_are_counted_from_the_right() {
        let x =
            |proxies, value| found(proxies, ForwardedHeader::XForwardedFor, &[("x-forwarded-for", value)]);
        let chain = "1.1.1.1, 203.0.113.9, 10.0.0.7";
        assert_eq!(x(0, chain), "10.0.0.1", "nobody is believed by default");
        assert_eq!(x(1, chain), "10.0.0.7");
        assert_eq!(x(2, chain), "203.0.113.9", "what the client wrote itself stands further left");
        assert_eq!(x(9, chain), "1.1.1.1");
        assert_eq!(x(1, ""), "10.0.0.1");
        assert_eq!(x(2, "203.0.113.9, unknown"), "10.0.0.1", "nothing beyond a word that is no address");
        assert_eq!(x(2, "nonsense, 10.0.0.7"), "10.0.0.7");
        let lines = [("x-forwarded-for", "1.1.1.1"), ("x-forwarded-for", "203.0.113.9, 10.0.0.7")];
        assert_eq!(found(2, ForwardedHeader::XForwardedFor, &lines), "203.0.113.9");
    }

    #[test]
    fn ports_brackets_and_mapped_addresses_are_understood() {
        let x = |value| found(1, ForwardedHeader::XForwardedFor, &[("x-forwarded-for", value)]);
        assert_eq!(x("203.0.113.9:4711"), "203.0.113.9");
        assert_eq!(x("2001:db8::1"), "2001:db8::1");
        assert_eq!(x("[2001:db8::1]:4711"), "2001:db8::1");
        assert_eq!(x("[2001:db8::1]"), "2001:db8::1");
        assert_eq!(x("::ffff:203.0.113.9"), "203.0.113.9");
    }

    #[test]
    fn the_standard_header_is_read_when_it_is_the_one() {
        let line = [("forwarded", r#"for=1.1.1.1, For="[2001:db8::17]:4711";proto=https;by="a,b";host=x"#)];
        assert_eq!(found(1, ForwardedHeader::Forwarded, &line), "2001:db8::17");
        assert_eq!(found(2, ForwardedHeader::Forwarded, &line), "1.1.1.1");
        assert_eq!(
            found(1, ForwardedHeader::XForwardedFor, &line),
            "10.0.0.1",
            "only the named header counts"
        );
        assert_eq!(found(1, ForwardedHeader::Forwarded, &[("forwarded", "for=_hidden")]), "10.0.0.1");
    }
}
