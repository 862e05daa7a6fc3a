//! What is given of an API key, checked and put into its one form. No I/O.

use std::collections::BTreeSet;

use crate::domain::api_key::{API_KEY_NAME_MAX, API_KEY_NETWORKS_MAX, is_grantable, network};
use crate::domain::member::Role;
use crate::domain::operation::{Operation, Scope, scope};
use crate::kernel::Millis;
use crate::members::profile::Checker;

/// What people call the key.
pub fn name(check: &mut Checker, given: &str) -> String {
    check.required_line("/name", given, API_KEY_NAME_MAX)
}

/// What the key may be used for: each once, in the order of the table of rights, and nothing that an account of this role
/// may not do.
pub fn operations(check: &mut Checker, role: Role, given: &[Operation]) -> Vec<Operation> {
    if given.is_empty() {
        check.wrong("/operations", "too_short", "a key allows something");
    }
    for (at, operation) in given.iter().enumerate() {
        let pointer = format!("/operations/{at}");
        if !is_grantable(*operation) {
            check.wrong(&pointer, "invalid", format!("no key may {operation}"));
        } else if scope(role, *operation) == Scope::Never {
            check.wrong(&pointer, "invalid", format!("the role {role} may not {operation}"));
        }
    }
    given.iter().copied().collect::<BTreeSet<_>>().into_iter().collect()
}

/// From where the key may be used: each once, in its one form.
pub fn networks(check: &mut Checker, given: &[String]) -> Vec<String> {
    if given.len() > API_KEY_NETWORKS_MAX {
        check.wrong("/networks", "too_long", format!("at most {API_KEY_NETWORKS_MAX} networks"));
        return Vec::new();
    }
    let mut all = BTreeSet::new();
    for (at, text) in given.iter().enumerate() {
        let text = text.trim();
        match (text.parse::<std::net::IpAddr>(), network(text)) {
            (Ok(address), _) => {
                all.insert(address.to_canonical().to_string());
            }
            (_, Some(network)) => {
                all.insert(network.to_string());
            }
            (_, None) => {
                let expected =
                    "expected an address, or ADDRESS/LENGTH: of IPv4 from /8 to /32, of IPv6 from /32 to /64";
                check.wrong(&format!("/networks/{at}"), "invalid", expected);
            }
        }
    }
    all.into_iter().collect()
}

/// When the key ends: later than now.
pub fn end(check: &mut Checker, given: Option<Millis>, now: Millis) -> Option<i64> {
    if given.is_some_and(|end| end <= now) {
        check.wrong("/expires_at", "out_of_range", "a key ends later than now");
    }
    given.map(|end| end.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_allows_no_more_than_the_role() {
        let fine = |role: Role, given: &[Operation]| {
            let mut check = Checker::default();
            let read = operations(&mut check, role, given);
            check.finish().ok().map(|()| read)
        };
        let twice = [Operation::SendMessage, Operation::ReadConversation, Operation::SendMessage];
        let once = vec![Operation::ReadConversation, Operation::SendMessage];
        assert_eq!(fine(Role::Agent, &twice), Some(once));
        assert_eq!(fine(Role::Agent, &[Operation::ReadFeed]), None);
        assert!(fine(Role::Admin, &[Operation::ReadFeed]).is_some());
        assert_eq!(fine(Role::Admin, &[]), None);
        assert_eq!(fine(Role::Admin, &[Operation::ManageApiKeys]), None);
        assert_eq!(fine(Role::Admin, &[Operation::UseAccount]), None);
    }

    #[test]
    fn networks_have_one_form() {
        let read = |given: &[&str]| {
            let mut check = Checker::default();
            let given: Vec<String> = given.iter().map(|text| (*text).to_owned()).collect();
            let read = networks(&mut check, &given);
            check.finish().ok().map(|()| read)
        };
        let all = ["10.1.2.3/8", "::ffff:203.0.113.9", "203.0.113.9", " 2001:DB8::1 "];
        let form = ["10.0.0.0/8", "2001:db8::1", "203.0.113.9"].map(str::to_owned).to_vec();
        assert_eq!(read(&all), Some(form));
        assert_eq!(read(&[]), Some(Vec::new()));
        for wrong in ["0.0.0.0/0", "10.0.0.1:80", "everywhere", "", "2001:db8::1/128"] {
            assert_eq!(read(&[wrong]), None, "{wrong}");
        }
        assert_eq!(read(&["10.0.0.1"; API_KEY_NETWORKS_MAX + 1]), None);
    }
}
