//! The settings of accounts for text messages: with Aliyun, Tencent Cloud and Twilio.
//!
//! Owns their form. Does not own what is said in a provider's protocol (`centre::channels`).

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::domain::centre::recipient::e164;
use crate::kernel::text;

/// Longest id of a key, in characters.
pub const KEY_ID_MAX: usize = 128;
/// Longest key, in characters.
pub const SECRET_KEY_MAX: usize = 200;
/// Longest signature of text messages, in characters. (The providers take 12 to 18; that they tell themselves.)
pub const SIGN_NAME_MAX: usize = 60;
/// Longest id of an application, in digits.
pub const APP_ID_MAX: usize = 20;
/// Longest name of a region, in characters.
pub const REGION_MAX: usize = 40;
/// The region of Tencent Cloud that is asked when none is given.
pub const REGION: &str = "ap-guangzhou";
/// Letters of a Twilio id behind its two first.
const SID_DIGITS: usize = 32;
/// Longest name of a sender at Twilio, in characters.
const SENDER_MAX: usize = 11;

/// An account for text messages with Aliyun (阿里云短信服务).
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AliyunSmsSettings {
    /// The id of an access key that may send text messages.
    pub access_key_id: String,
    /// Its secret; never shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(write_only)]
    pub access_key_secret: Option<String>,
    /// The approved signature that stands before the text (短信签名).
    pub sign_name: String,
}

/// An account for text messages with Tencent Cloud (腾讯云短信).
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TencentSmsSettings {
    /// The id of a key that may send text messages.
    pub secret_id: String,
    /// The key; never shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(write_only)]
    pub secret_key: Option<String>,
    /// The id of the application in the console of text messages (SdkAppId): digits.
    pub sdk_app_id: String,
    /// The approved signature that stands before the text. Phones of mainland China get nothing without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sign_name: Option<String>,
    /// The region that is asked. Absent: `ap-guangzhou`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
}

/// An account for text messages with Twilio. Exactly one of `from` and `messaging_service_sid` is there.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TwilioSmsSettings {
    /// The id of the account: `AC` and 32 hexadecimal digits.
    pub account_sid: String,
    /// Its token; never shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(write_only)]
    pub auth_token: Option<String>,
    /// Whom messages come from: a phone number (E.164), a short code, or a name of at most 11 letters and digits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// The messaging service that chooses whom messages come from: `MG` and 32 hexadecimal digits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub messaging_service_sid: Option<String>,
}

/// What is wrong with settings: the pointer inside the object, and one sentence.
pub(super) type Fault = Option<(&'static str, String)>;

impl AliyunSmsSettings {
    /// In the form in which they are stored: without spaces around.
    pub fn in_form(mut self) -> Self {
        self.access_key_id = trimmed(self.access_key_id);
        self.access_key_secret = self.access_key_secret.and_then(given);
        self.sign_name = trimmed(self.sign_name);
        self
    }

    /// What is wrong with them: the pointer inside the object, and one sentence.
    pub fn fault(&self) -> Fault {
        key_id("/access_key_id", &self.access_key_id)
            .or_else(|| key("/access_key_secret", self.access_key_secret.as_deref()))
            .or_else(|| sign_name("/sign_name", &self.sign_name))
    }

    /// With the secret of the settings before, where none is given and the key is the same.
    pub fn keeping(mut self, before: &Self) -> Self {
        if self.access_key_secret.is_none() && self.access_key_id == before.access_key_id {
            self.access_key_secret.clone_from(&before.access_key_secret);
        }
        self
    }
}

impl TencentSmsSettings {
    /// The region, given or usual.
    pub fn region(&self) -> &str {
        self.region.as_deref().unwrap_or(REGION)
    }

    /// In the form in which they are stored: without spaces around.
    pub fn in_form(mut self) -> Self {
        self.secret_id = trimmed(self.secret_id);
        self.secret_key = self.secret_key.and_then(given);
        self.sdk_app_id = trimmed(self.sdk_app_id);
        self.sign_name = self.sign_name.and_then(given);
        self.region = self.region.and_then(given);
        self
    }

    /// What is wrong with them: the pointer inside the object, and one sentence.
    pub fn fault(&self) -> Fault {
        let is_number = self.sdk_app_id.bytes().all(|one| one.is_ascii_digit());
        let region = self.region();
        let is_region =
            region.bytes().all(|one| one.is_ascii_lowercase() || one.is_ascii_digit() || one == b'-');
        key_id("/secret_id", &self.secret_id)
            .or_else(|| key("/secret_key", self.secret_key.as_deref()))
            .or_else(|| {
                let fits = is_number && (1..=APP_ID_MAX).contains(&self.sdk_app_id.len());
                (!fits).then(|| ("/sdk_app_id", format!("1 to {APP_ID_MAX} digits")))
            })
            .or_else(|| self.sign_name.as_deref().and_then(|name| sign_name("/sign_name", name)))
            .or_else(|| {
                let fits = is_region && (1..=REGION_MAX).contains(&region.len());
                (!fits).then(|| ("/region", format!("a region such as {REGION}")))
            })
    }

    /// With the key of the settings before, where none is given and its id is the same.
    pub fn keeping(mut self, before: &Self) -> Self {
        if self.secret_key.is_none() && self.secret_id == before.secret_id {
            self.secret_key.clone_from(&before.secret_key);
        }
        self
    }
}

impl TwilioSmsSettings {
    /// In the form in which they are stored: without spaces around, a phone number as E.164 writes it.
    pub fn in_form(mut self) -> Self {
        self.account_sid = trimmed(self.account_sid);
        self.auth_token = self.auth_token.and_then(given);
        let from = self.from.and_then(given);
        self.from = from.map(|from| match from.starts_with('+') {
            true => e164(&from).unwrap_or(from),
            false => from,
        });
        self.messaging_service_sid = self.messaging_service_sid.and_then(given);
        self
    }

    /// What is wrong with them: the pointer inside the object, and one sentence.
    pub fn fault(&self) -> Fault {
        if !is_sid(&self.account_sid, "AC") {
            return Some(("/account_sid", format!("AC and {SID_DIGITS} hexadecimal digits")));
        }
        if let Some(fault) = key("/auth_token", self.auth_token.as_deref()) {
            return Some(fault);
        }
        match (&self.from, &self.messaging_service_sid) {
            (Some(_), Some(_)) => Some(("/from", "either from or messaging_service_sid".to_owned())),
            (None, None) => Some(("/from", "from or messaging_service_sid".to_owned())),
            (Some(from), None) if !is_sender(from) => {
                Some(("/from", "a phone number (E.164), a short code or a name".to_owned()))
            }
            (None, Some(sid)) if !is_sid(sid, "MG") => {
                Some(("/messaging_service_sid", format!("MG and {SID_DIGITS} hexadecimal digits")))
            }
            _ => None,
        }
    }

    /// With the token of the settings before, where none is given and the account is the same.
    pub fn keeping(mut self, before: &Self) -> Self {
        if self.auth_token.is_none() && self.account_sid == before.account_sid {
            self.auth_token.clone_from(&before.auth_token);
        }
        self
    }
}

macro_rules! hidden {
    ($($settings:ident $shown:ident)*) => {$(
        impl std::fmt::Debug for $settings {
            fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(out, concat!(stringify!($settings), "({}, …)"), self.$shown)
            }
        }
    )*};
}

hidden! {
    AliyunSmsSettings access_key_id
    TencentSmsSettings secret_id
    TwilioSmsSettings account_sid
}

pub(super) fn trimmed(text: String) -> String {
    text.trim().to_owned()
}

/// A text without spaces around; nothing when nothing is left.
pub(super) fn given(text: String) -> Option<String> {
    Some(trimmed(text)).filter(|text| !text.is_empty())
}

fn key_id(pointer: &'static str, id: &str) -> Fault {
    let is_plain = id.bytes().all(|one| one.is_ascii_alphanumeric() || b"._-".contains(&one));
    let fits = is_plain && (1..=KEY_ID_MAX).contains(&id.len());
    (!fits).then(|| (pointer, format!("1 to {KEY_ID_MAX} letters, digits, dots, hyphens and underscores")))
}

pub(super) fn key(pointer: &'static str, key: Option<&str>) -> Fault {
    let Some(key) = key else { return Some((pointer, "the key is needed".to_owned())) };
    let fits = key.bytes().all(|one| one.is_ascii_graphic()) && key.len() <= SECRET_KEY_MAX;
    (!fits).then(|| (pointer, format!("at most {SECRET_KEY_MAX} visible ASCII characters")))
}

fn sign_name(pointer: &'static str, name: &str) -> Fault {
    if name.is_empty() || name.chars().count() > SIGN_NAME_MAX {
        return Some((pointer, format!("1 to {SIGN_NAME_MAX} characters")));
    }
    text::line_fault(name).map(|fault| (pointer, fault.to_owned()))
}

fn is_sid(text: &str, prefix: &str) -> bool {
    text.strip_prefix(prefix)
        .is_some_and(|rest| rest.len() == SID_DIGITS && rest.bytes().all(|one| one.is_ascii_hexdigit()))
}

/// Whether Twilio may know this as a sender: an E.164 number, a short code of 3 to 8 digits, or a name with a letter.
fn is_sender(from: &str) -> bool {
    if from.starts_with('+') {
        return e164(from).as_deref() == Some(from);
    }
    let is_code = from.bytes().all(|one| one.is_ascii_digit());
    match is_code {
        true => (3..=8).contains(&from.len()),
        false => {
            from.len() <= SENDER_MAX
                && from.bytes().all(|one| one.is_ascii_alphanumeric() || b" -_+&".contains(&one))
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn with<T: serde::de::DeserializeOwned>(mut body: Value, changes: Value) -> T {
        for (name, value) in changes.as_object().unwrap() {
            body[name] = value.clone();
        }
        serde_json::from_value(body).unwrap()
    }

    fn aliyun(changes: Value) -> AliyunSmsSettings {
        let body = json!({"access_key_id": "LTAI5t", "access_key_secret": "key", "sign_name": "商店"});
        with::<AliyunSmsSettings>(body, changes).in_form()
    }

    fn tencent(changes: Value) -> TencentSmsSettings {
        let body = json!({
            "secret_id": "AKIDz8", "secret_key": "key", "sdk_app_id": "1400006666", "sign_name": "商店",
        });
        with::<TencentSmsSettings>(body, changes).in_form()
    }

    fn twilio(changes: Value) -> TwilioSmsSettings {
        let body = json!({
            "account_sid": format!("AC{}", "0".repeat(32)), "auth_token": "token", "from": "+1 415 867 5309",
        });
        with::<TwilioSmsSettings>(body, changes).in_form()
    }

    #[test]
    fn settings_are_put_in_form() {
        let kept = aliyun(json!({"access_key_id": " LTAI5t ", "sign_name": " 商店 "}));
        assert_eq!(
            (kept.access_key_id.as_str(), kept.sign_name.as_str(), kept.fault()),
            ("LTAI5t", "商店", None)
        );
        let kept = tencent(json!({"sign_name": " ", "region": " ap-beijing "}));
        assert_eq!((kept.sign_name.as_deref(), kept.region(), kept.fault()), (None, "ap-beijing", None));
        assert_eq!(tencent(json!({})).region(), "ap-guangzhou");
        let kept = twilio(json!({}));
        assert_eq!((kept.from.as_deref(), kept.fault()), (Some("+14158675309"), None));
        for from in ["12345", "My Shop"] {
            assert_eq!(twilio(json!({"from": from})).fault(), None, "{from}");
        }
    }

    #[test]
    fn what_cannot_be_used_is_told_where_it_stands() {
        let at = |fault: Fault| fault.map(|(pointer, _)| pointer);
        for (changes, pointer) in [
            (json!({"access_key_id": ""}), "/access_key_id"),
            (json!({"access_key_id": "a,b"}), "/access_key_id"),
            (json!({"access_key_secret": null}), "/access_key_secret"),
            (json!({"access_key_secret": "a b"}), "/access_key_secret"),
            (json!({"sign_name": ""}), "/sign_name"),
            (json!({"sign_name": "a\nb"}), "/sign_name"),
        ] {
            assert_eq!(at(aliyun(changes.clone()).fault()), Some(pointer), "{changes}");
        }
        for (changes, pointer) in [
            (json!({"secret_id": "a b"}), "/secret_id"),
            (json!({"secret_key": null}), "/secret_key"),
            (json!({"sdk_app_id": "14x"}), "/sdk_app_id"),
            (json!({"region": "ap guangzhou"}), "/region"),
        ] {
            assert_eq!(at(tencent(changes.clone()).fault()), Some(pointer), "{changes}");
        }
        let service = format!("MG{}", "a".repeat(32));
        for (changes, pointer) in [
            (json!({"account_sid": "AC1"}), "/account_sid"),
            (json!({"auth_token": null}), "/auth_token"),
            (json!({"from": null}), "/from"),
            (json!({"messaging_service_sid": service}), "/from"),
            (json!({"from": null, "messaging_service_sid": "MG1"}), "/messaging_service_sid"),
            (json!({"from": "+0123"}), "/from"),
            (json!({"from": "A name too long"}), "/from"),
            (json!({"from": "1"}), "/from"),
        ] {
            assert_eq!(at(twilio(changes.clone()).fault()), Some(pointer), "{changes}");
        }
        assert_eq!(twilio(json!({"from": null, "messaging_service_sid": service})).fault(), None);
    }

    #[test]
    fn a_secret_stays_with_its_id() {
        let none = json!({"access_key_secret": null});
        assert_eq!(aliyun(none.clone()).keeping(&aliyun(json!({}))).fault(), None);
        let other = aliyun(json!({"access_key_id": "other"}));
        assert_eq!(aliyun(none).keeping(&other).access_key_secret, None);
        let shown = format!("{:?} {:?} {:?}", aliyun(json!({})), tencent(json!({})), twilio(json!({})));
        assert!(!shown.contains("key") && !shown.contains("token"), "{shown}");
    }
}
