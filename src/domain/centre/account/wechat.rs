//! The settings of an official account of WeChat (微信服务号).
//!
//! Owns their form. Does not own what is said in WeChat's protocol (`centre::channels`).

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::sms::{Fault, given, key, trimmed};

/// Longest id of an official account, in characters; WeChat's have 18.
pub const OFFICIAL_APP_ID_MAX: usize = 64;
/// Longest token of callbacks, in characters; WeChat's rule.
pub const CALLBACK_TOKEN_MAX: usize = 32;
/// Letters and digits of a key of callbacks; WeChat's rule.
pub const AES_KEY_LEN: usize = 43;

/// An official account of WeChat (微信服务号).
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WechatSettings {
    /// Its id (AppID), such as `wx` and 16 letters and digits.
    pub app_id: String,
    /// Its secret (AppSecret); never shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(write_only)]
    pub app_secret: Option<String>,
    /// What signs what WeChat brings (Token), 3 to 32 letters and digits; never shown. Without it nothing is taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(write_only)]
    pub callback_token: Option<String>,
    /// What encrypts it (EncodingAESKey), 43 letters and digits; never shown. With it nothing counts that is not encrypted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(write_only)]
    pub encoding_aes_key: Option<String>,
}

impl WechatSettings {
    /// In the form in which they are stored: without spaces around.
    pub fn in_form(mut self) -> Self {
        self.app_id = trimmed(self.app_id);
        self.app_secret = self.app_secret.and_then(given);
        self.callback_token = self.callback_token.and_then(given);
        self.encoding_aes_key = self.encoding_aes_key.and_then(given);
        self
    }

    /// What is wrong with them: the pointer inside the object, and one sentence.
    pub fn fault(&self) -> Fault {
        let is_plain = self.app_id.bytes().all(|one| one.is_ascii_alphanumeric());
        if !is_plain || !(1..=OFFICIAL_APP_ID_MAX).contains(&self.app_id.len()) {
            return Some(("/app_id", format!("1 to {OFFICIAL_APP_ID_MAX} letters and digits")));
        }
        if let Some(fault) = key("/app_secret", self.app_secret.as_deref()) {
            return Some(fault);
        }
        let is_plain = |text: &str| text.bytes().all(|one| one.is_ascii_alphanumeric());
        let token = self.callback_token.as_deref();
        if token.is_some_and(|token| !is_plain(token) || !(3..=CALLBACK_TOKEN_MAX).contains(&token.len())) {
            return Some(("/callback_token", format!("3 to {CALLBACK_TOKEN_MAX} letters and digits")));
        }
        match self.encoding_aes_key.as_deref() {
            Some(key) if !is_plain(key) || key.len() != AES_KEY_LEN => {
                Some(("/encoding_aes_key", format!("{AES_KEY_LEN} letters and digits")))
            }
            Some(_) if token.is_none() => {
                Some(("/callback_token", "what is encrypted is signed with a token as well".to_owned()))
            }
            _ => None,
        }
    }

    /// With the secrets of the settings before, where none are given and the account is the same.
    pub fn keeping(mut self, before: &Self) -> Self {
        if self.app_id == before.app_id {
            self.app_secret = self.app_secret.or_else(|| before.app_secret.clone());
            self.callback_token = self.callback_token.or_else(|| before.callback_token.clone());
            self.encoding_aes_key = self.encoding_aes_key.or_else(|| before.encoding_aes_key.clone());
        }
        self
    }
}

impl std::fmt::Debug for WechatSettings {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "WechatSettings({}, …)", self.app_id)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    fn settings(app_id: &str, secret: Option<&str>) -> WechatSettings {
        let settings = WechatSettings {
            app_id: app_id.to_owned(),
            app_secret: secret.map(str::to_owned),
            callback_token: None,
            encoding_aes_key: None,
        };
        settings.in_form()
    }

    fn called(token: &str, key: &str) -> WechatSettings {
        let (token, key) = (Some(token.to_owned()), Some(key.to_owned()));
        let settings = settings("wx1", Some("secret"));
        WechatSettings { callback_token: token, encoding_aes_key: key, ..settings }.in_form()
    }

    #[test]
    fn what_cannot_be_an_account_is_told() {
        let at = |settings: WechatSettings| settings.fault().map(|(pointer, _)| pointer);
        assert_eq!(at(settings(" wxb11529c136998cb6 ", Some(" secret "))), None);
        assert_eq!(at(settings("", Some("secret"))), Some("/app_id"));
        assert_eq!(at(settings("wx-1", Some("secret"))), Some("/app_id"));
        assert_eq!(at(settings(&"w".repeat(65), Some("secret"))), Some("/app_id"));
        for secret in [None, Some("  "), Some("a b"), Some("密")] {
            assert_eq!(at(settings("wx1", secret)), Some("/app_secret"), "{secret:?}");
        }
    }

    #[test]
    fn what_cannot_sign_or_encrypt_is_told() {
        let at = |token: &str, key: &str| called(token, key).fault().map(|(pointer, _)| pointer);
        let key = "k".repeat(43);
        assert_eq!((at("AAAAA", &key), at("AAAAA", ""), at("", "")), (None, None, None));
        assert_eq!((at("AA", ""), at("A-A", "")), (Some("/callback_token"), Some("/callback_token")));
        assert_eq!(
            (at(&"A".repeat(33), ""), at("", &key)),
            (Some("/callback_token"), Some("/callback_token"))
        );
        for key in ["k".repeat(42), "k".repeat(44), format!("{}=", "k".repeat(42))] {
            assert_eq!(at("AAAAA", &key), Some("/encoding_aes_key"), "{key}");
        }
        let kept = settings("wx1", None).keeping(&called("AAAAA", &key));
        assert_eq!((kept.callback_token.as_deref(), kept.encoding_aes_key), (Some("AAAAA"), Some(key)));
        assert_eq!(settings("wx2", None).keeping(&kept_of("AAAAA")).callback_token, None);
    }

    fn kept_of(token: &str) -> WechatSettings {
        called(token, "")
    }

    #[test]
    fn a_secret_stays_with_its_account() {
        let before = settings("wx1", Some("secret"));
        assert_eq!(settings("wx1", None).keeping(&before).fault(), None);
        assert_eq!(settings("wx2", None).keeping(&before).app_secret, None);
        assert!(!format!("{before:?}").contains("secret"));
    }
}
