//! E-mail addresses as SMTP takes them. Owns which ones messages may come from and go to.
//!
//! Invariant: what passes holds neither spaces, line ends, quotes nor angle brackets, so that it can end no command and no
//! header field.

use url::Host;

/// Longest e-mail address, in bytes (RFC 5321, 4.5.3.1.3, without the angle brackets).
pub const MAILBOX_MAX: usize = 254;
/// Longest part before the `@`, in bytes (RFC 5321, 4.5.3.1.1).
const LOCAL_MAX: usize = 64;

/// The address with its domain in ASCII (punycode of international names), or what is wrong with it. The part before the
/// `@` is a dot-atom of RFC 5322: quoted ones are not taken, nor those that are not ASCII, which only servers with SMTPUTF8
/// (RFC 6531) carry.
pub fn mailbox(text: &str) -> Result<String, &'static str> {
    let (local, domain) = text.rsplit_once('@').ok_or("expected an e-mail address")?;
    if !local.is_ascii() {
        return Err("the part before the @ must be ASCII: SMTPUTF8 is not supported");
    }
    let is_atom = |atom: &str| {
        let is_atext = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~".contains(&byte);
        !atom.is_empty() && atom.bytes().all(is_atext)
    };
    if local.len() > LOCAL_MAX || !local.split('.').all(is_atom) {
        return Err("expected an e-mail address");
    }
    match Host::parse(domain) {
        Ok(Host::Domain(name)) if is_host_name(&name) => {
            let address = format!("{local}@{name}");
            if address.len() > MAILBOX_MAX { Err("the e-mail address is too long") } else { Ok(address) }
        }
        Ok(_) => Err("the part after the @ must be a domain name"),
        Err(_) => Err("the part after the @ is no domain name"),
    }
}

/// Whether a name in ASCII is one of a host: labels of letters, digits and inner hyphens (RFC 1123).
fn is_host_name(name: &str) -> bool {
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    name.split('.').all(is_label)
}

#[cfg(test)]
mod tests {
    use super::mailbox;

    #[test]
    fn addresses_are_put_in_the_form_of_smtp() {
        for (given, kept) in [
            ("eva@shop.example", "eva@shop.example"),
            ("Eva.Lang+tag@Shop.Example", "Eva.Lang+tag@shop.example"),
            ("eva@商店.example", "eva@xn--czrs0t.example"),
            ("o'neil@bücher.example", "o'neil@xn--bcher-kva.example"),
            ("eva@localhost", "eva@localhost"),
        ] {
            assert_eq!(mailbox(given), Ok(kept.to_owned()), "{given}");
        }
    }

    #[test]
    fn what_could_end_a_command_or_a_header_is_no_address() {
        let long = format!("{}@shop.example", "x".repeat(65));
        for bad in [
            "",
            "eva",
            "@shop.example",
            "eva@",
            "eva@shop.example\r\nBcc: all@shop.example",
            "eva\r\nRCPT TO:<all@shop.example>@shop.example",
            "eva@shop.example>",
            "Eva <eva@shop.example>",
            "<eva@shop.example>",
            "eva @shop.example",
            "eva@shop .example",
            "\"eva b\"@shop.example",
            "eva..b@shop.example",
            ".eva@shop.example",
            "eva@shop..example",
            "eva@-shop.example",
            "eva@[203.0.113.9]",
            "eva@203.0.113.9",
            "eva,all@shop.example",
            "a@b@shop.example",
            &long,
        ] {
            assert!(mailbox(bad).is_err(), "{bad}");
        }
        assert!(mailbox("伊娃@shop.example").is_err_and(|fault| fault.contains("SMTPUTF8")));
    }
}
