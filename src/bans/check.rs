//! What is given of a ban, checked and put into its one form. No I/O.

use std::net::IpAddr;

use crate::domain::ban::{BAN_REASON_MAX, BAN_VALUE_MAX, BanKind};
use crate::kernel::network::Network;
use crate::kernel::text::is_key;
use crate::kernel::{MemberId, Millis};
use crate::members::profile::Checker;

const VALUE: &str = "/value";

/// The one form of a value, so that the same is not banned twice; notes what is wrong with it.
pub fn value(check: &mut Checker, kind: BanKind, given: &str) -> String {
    let text = given.trim();
    if text.chars().count() > BAN_VALUE_MAX {
        check.wrong(VALUE, "too_long", format!("at most {BAN_VALUE_MAX} characters"));
        return String::new();
    }
    if text.is_empty() {
        check.wrong(VALUE, "too_short", "must not be empty");
        return String::new();
    }
    let form = form(check, kind, text);
    form.unwrap_or_default()
}

fn form(check: &mut Checker, kind: BanKind, text: &str) -> Option<String> {
    let (form, expected) = match kind {
        BanKind::Email => return Some(check.email(VALUE, text)),
        BanKind::Member => {
            (text.parse::<MemberId>().ok().map(|id| id.to_string()), "expected the id of a member")
        }
        BanKind::Ip => (
            text.parse::<IpAddr>()
                .ok()
                .map(Network::of_subscriber)
                .or_else(|| subscriber(text))
                .map(|network| network.subscriber_text()),
            "expected an address, such as 203.0.113.9 or 2001:db8::1",
        ),
        BanKind::Cidr => (
            Network::parse(text).map(|network| network.to_string()),
            "expected ADDRESS/LENGTH, of IPv4 from /8 to /32, of IPv6 from /32 to /64",
        ),
        BanKind::Device => (is_key(text).then(|| text.to_owned()), "expected 1 to 64 of A-Z a-z 0-9 . _ : -"),
    };
    if form.is_none() {
        check.wrong(VALUE, "invalid", expected);
    }
    form
}

/// The form in which an IPv6 address is shown once it is banned.
fn subscriber(text: &str) -> Option<Network> {
    Network::parse(text).filter(|network| network.shape() == (false, 64))
}

/// Why somebody is banned.
pub fn reason(check: &mut Checker, given: &str) -> String {
    check.line("/reason", given, BAN_REASON_MAX)
}

/// When a ban ends: later than now.
pub fn end(check: &mut Checker, given: Option<Millis>, now: Millis) -> Option<i64> {
    if given.is_some_and(|end| end <= now) {
        check.wrong("/expires_at", "out_of_range", "a ban ends later than now");
    }
    given.map(|end| end.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(kind: BanKind, text: &str) -> Option<String> {
        let mut check = Checker::default();
        let value = value(&mut check, kind, text);
        check.finish().ok().map(|()| value)
    }

    #[test]
    fn values_have_one_form() {
        let form = |text: &str| Some(text.to_owned());
        assert_eq!(read(BanKind::Email, " Eva@Example.COM "), form("eva@example.com"));
        assert_eq!(read(BanKind::Ip, "::ffff:203.0.113.9"), form("203.0.113.9"));
        assert_eq!(read(BanKind::Ip, "2001:db8::1"), form("2001:db8::/64"));
        assert_eq!(read(BanKind::Ip, "2001:db8::/64"), form("2001:db8::/64"));
        assert_eq!(read(BanKind::Cidr, "10.1.2.3/8"), form("10.0.0.0/8"));
        assert_eq!(read(BanKind::Member, "17"), form("17"));
        assert_eq!(read(BanKind::Device, "phone-1"), form("phone-1"));
    }

    #[test]
    fn nonsense_is_refused() {
        let long = "x".repeat(BAN_VALUE_MAX + 1);
        for (kind, text) in [
            (BanKind::Email, "nobody"),
            (BanKind::Email, " "),
            (BanKind::Ip, "203.0.113.9/24"),
            (BanKind::Ip, "203.0.113.9:80"),
            (BanKind::Ip, "2001:db8::/48"),
            (BanKind::Cidr, "10.0.0.0/7"),
            (BanKind::Cidr, "2001:db8::/31"),
            (BanKind::Cidr, "10.0.0.1"),
            (BanKind::Member, "007"),
            (BanKind::Device, "my phone"),
            (BanKind::Device, long.as_str()),
        ] {
            assert_eq!(read(kind, text), None, "{kind} {text}");
        }
    }

    #[test]
    fn an_end_lies_ahead() {
        let fine = |end: Option<i64>| {
            let mut check = Checker::default();
            super::end(&mut check, end.map(Millis), Millis(1_000));
            check.finish().is_ok()
        };
        assert!(fine(None) && fine(Some(1_001)) && !fine(Some(1_000)) && !fine(Some(-1)));
    }
}
