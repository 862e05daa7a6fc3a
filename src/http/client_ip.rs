//! Where a request comes from. Owns the rule when a proxy's word is believed.

use std::net::{IpAddr, Ipv4Addr};

use actix_web::HttpRequest;

use crate::settings::Settings;

/// The address of the client: the peer of the connection, or, where the settings trust the proxy, the first
/// address of `X-Forwarded-For`.
pub fn client_ip(request: &HttpRequest, settings: &Settings) -> IpAddr {
    let peer = request.peer_addr().map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |peer| peer.ip());
    if !settings.trust_forwarded {
        return peer.to_canonical();
    }
    let forwarded = request.headers().get("x-forwarded-for").and_then(|value| value.to_str().ok());
    forwarded
        .and_then(|list| list.split(',').next())
        .and_then(|first| first.trim().parse::<IpAddr>().ok())
        .unwrap_or(peer)
        .to_canonical()
}

#[cfg(test)]
mod tests {
    use super::client_ip;
    use crate::settings::Settings;
    use actix_web::test::TestRequest;

    #[test]
    fn a_forwarded_address_is_believed_only_when_told_so() {
        let request = TestRequest::default()
            .peer_addr(([10, 0, 0, 1], 5000).into())
            .insert_header(("x-forwarded-for", "203.0.113.9, 10.0.0.7"))
            .to_http_request();
        let mut settings = Settings::defaults();
        assert_eq!(client_ip(&request, &settings).to_string(), "10.0.0.1");
        settings.trust_forwarded = true;
        assert_eq!(client_ip(&request, &settings).to_string(), "203.0.113.9");
    }
}
