//! The settings of an SMTP account: a merchant's mail server, and whom its mail comes from.

use serde::{Deserialize, Serialize};
use url::Host;
use utoipa::ToSchema;

use crate::domain::centre::mailbox::mailbox;
use crate::kernel::text;
use crate::text_enum;

/// Longest name of a mail server, in characters.
pub const HOST_MAX: usize = 253;
/// Longest user name at a mail server, in characters.
pub const USERNAME_MAX: usize = 254;
/// Longest password at a mail server, in characters.
pub const PASSWORD_MAX: usize = 500;
/// Longest name of a sender, in characters.
pub const FROM_NAME_MAX: usize = 100;
/// The ports at which public mail servers take mail: relay, submission, and what providers offer beside them where those
/// are blocked. An operator may allow others by allowing the host.
pub const PORTS: [u16; 6] = [25, 465, 587, 2465, 2525, 2587];

text_enum! {
    /// How the connection to a mail server is kept secret.
    SmtpSecurity {
        /// TLS from the first byte; usually port 465.
        Tls = "tls",
        /// TLS after `STARTTLS`, without which nothing is sent; usually port 587.
        Starttls = "starttls",
        /// Not at all: only to hosts that the operator allows. Usually port 25.
        None = "none",
    }
}

impl SmtpSecurity {
    /// The usual port (RFC 8314, RFC 6409, RFC 5321).
    pub const fn port(self) -> u16 {
        match self {
            Self::Tls => 465,
            Self::Starttls => 587,
            Self::None => 25,
        }
    }
}

/// A mail server, and whom the mail comes from.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SmtpSettings {
    /// The name or address of the server, which is public.
    pub host: String,
    /// The port: 25, 465, 587, 2465, 2525 or 2587. Absent: the usual one, 465 with `tls`, 587 with `starttls`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    /// How the connection is kept secret.
    pub security: SmtpSecurity,
    /// The user name at the server. Absent: mail is handed over without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    /// The password at the server; never shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(write_only)]
    pub password: Option<String>,
    /// The address that the mail comes from.
    pub from_address: String,
    /// The name that is shown beside it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from_name: Option<String>,
    /// Where answers go. Absent: to `from_address`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply_to: Option<String>,
}

impl std::fmt::Debug for SmtpSettings {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "SmtpSettings({}:{}, …)", self.host, self.port())
    }
}

impl SmtpSettings {
    /// The port, given or usual.
    pub fn port(&self) -> u16 {
        self.port.unwrap_or(self.security.port())
    }

    /// In the form in which they are stored: the host and the addresses in ASCII. What cannot be is left for
    /// [`SmtpSettings::fault`].
    pub fn in_form(mut self) -> Self {
        if let Some(host) = host(&self.host) {
            self.host = host;
        }
        if let Ok(address) = mailbox(self.from_address.trim()) {
            self.from_address = address;
        }
        self.reply_to = self.reply_to.map(|text| mailbox(text.trim()).unwrap_or(text));
        self.from_name = self.from_name.map(|name| name.trim().to_owned()).filter(|name| !name.is_empty());
        self.username = self.username.filter(|name| !name.is_empty());
        self.password = self.password.filter(|password| !password.is_empty());
        self
    }

    /// What is wrong with them: the pointer inside the object, and one sentence. Whether the host may be reached is the
    /// operator's matter (`kernel::outbound`).
    pub fn fault(&self) -> Option<(&'static str, String)> {
        let wrong = |pointer, detail: &str| Some((pointer, detail.to_owned()));
        let longer =
            |text: &Option<String>, most| text.as_ref().is_some_and(|text| text.chars().count() > most);
        if self.host.chars().count() > HOST_MAX || host(&self.host).is_none() {
            return wrong("/host", "expected the name or address of a host");
        }
        if self.port == Some(0) {
            return wrong("/port", "1 to 65535");
        }
        if longer(&self.username, USERNAME_MAX) {
            return Some(("/username", format!("at most {USERNAME_MAX} characters")));
        }
        if longer(&self.password, PASSWORD_MAX) {
            return Some(("/password", format!("at most {PASSWORD_MAX} characters")));
        }
        let has_controls =
            |text: &Option<String>| text.as_ref().is_some_and(|text| text.contains(char::is_control));
        if has_controls(&self.username) {
            return wrong("/username", "control characters are not allowed");
        }
        if has_controls(&self.password) {
            return wrong("/password", "control characters are not allowed");
        }
        match (&self.username, &self.password) {
            (Some(_), None) => return wrong("/password", "a user name needs its password"),
            (None, Some(_)) => return wrong("/username", "a password needs its user name"),
            _ => {}
        }
        if let Err(fault) = mailbox(&self.from_address) {
            return wrong("/from_address", fault);
        }
        if longer(&self.from_name, FROM_NAME_MAX) {
            return Some(("/from_name", format!("at most {FROM_NAME_MAX} characters")));
        }
        if let Some(fault) = self.from_name.as_deref().and_then(text::line_fault) {
            return wrong("/from_name", fault);
        }
        self.reply_to
            .as_deref()
            .and_then(|text| mailbox(text).err())
            .and_then(|fault| wrong("/reply_to", fault))
    }

    /// With the password of the settings before, where none is given. Of another server or user it is no password: who
    /// does not know it must not have it sent elsewhere.
    pub fn keeping(mut self, before: &Self) -> Self {
        let same = (&self.host, &self.username) == (&before.host, &before.username);
        if self.password.is_none() && same {
            self.password.clone_from(&before.password);
        }
        self
    }
}

/// A host in the form in which it is connected to: lower case, names in ASCII.
fn host(text: &str) -> Option<String> {
    let text = text.trim();
    if let Ok(address) = text.trim_start_matches('[').trim_end_matches(']').parse::<std::net::Ipv6Addr>() {
        return Some(address.to_string());
    }
    match Host::parse(text).ok()? {
        Host::Domain(name) => Some(name),
        Host::Ipv4(address) => Some(address.to_string()),
        Host::Ipv6(address) => Some(address.to_string()),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn settings(changes: Value) -> SmtpSettings {
        let mut body = json!({
            "host": "mail.shop.example", "security": "starttls", "username": "eva", "password": "word",
            "from_address": "shop@shop.example",
        });
        for (name, value) in changes.as_object().unwrap() {
            body[name] = value.clone();
        }
        serde_json::from_value::<SmtpSettings>(body).unwrap().in_form()
    }

    #[test]
    fn settings_are_put_in_form() {
        let kept = settings(json!({
            "host": " Mail.商店.example", "from_address": "Shop@商店.example", "from_name": " 商店 ", "reply_to": "a@B.example",
        }));
        assert_eq!((kept.host.as_str(), kept.port()), ("mail.xn--czrs0t.example", 587));
        assert_eq!(kept.from_address, "Shop@xn--czrs0t.example");
        assert_eq!(
            (kept.from_name.as_deref(), kept.reply_to.as_deref()),
            (Some("商店"), Some("a@b.example"))
        );
        assert_eq!(kept.fault(), None);
        assert_eq!(settings(json!({"security": "tls"})).port(), 465);
        assert_eq!(settings(json!({"host": "[2606:4700::1111]"})).host, "2606:4700::1111");
    }

    #[test]
    fn what_cannot_be_used_is_told_where_it_stands() {
        for (changes, pointer) in [
            (json!({"host": ""}), "/host"),
            (json!({"host": "mail.shop.example\r\nX"}), "/host"),
            (json!({"host": "mail shop"}), "/host"),
            (json!({"port": 0}), "/port"),
            (json!({"password": null}), "/password"),
            (json!({"username": null}), "/username"),
            (json!({"username": "eva\r\n"}), "/username"),
            (json!({"password": "w\0rd"}), "/password"),
            (json!({"password": "x".repeat(501)}), "/password"),
            (json!({"from_address": "shop"}), "/from_address"),
            (json!({"from_address": "shop@shop.example\r\nBcc: a@b.example"}), "/from_address"),
            (json!({"from_name": "Shop\r\nBcc: a@b.example"}), "/from_name"),
            (json!({"from_name": "x".repeat(101)}), "/from_name"),
            (json!({"reply_to": "nobody"}), "/reply_to"),
        ] {
            assert_eq!(settings(changes.clone()).fault().map(|(at, _)| at), Some(pointer), "{changes}");
        }
    }

    #[test]
    fn a_password_stays_with_its_server_and_user() {
        let before = settings(json!({}));
        let keeps = |changes: Value| {
            let mut changes = changes;
            changes["password"] = json!(null);
            settings(changes).keeping(&before).password
        };
        assert_eq!(keeps(json!({"port": 2525, "from_name": "x"})).as_deref(), Some("word"));
        assert_eq!(keeps(json!({"host": "mail.other.example"})), None);
        assert_eq!(keeps(json!({"username": "adam"})), None);
        assert_eq!(settings(json!({"password": "new"})).keeping(&before).password.as_deref(), Some("new"));
    }
}
