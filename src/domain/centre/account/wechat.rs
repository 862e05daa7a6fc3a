//! The settings of an official account of WeChat (微信服务号).
//!
//! Owns their form. Does not own what is said in WeChat's protocol (`centre::channels`).

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::sms::{Fault, given, key, trimmed};

/// Longest id of an official account, in characters; WeChat's have 18.
pub const OFFICIAL_APP_ID_MAX: usize = 64;

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
}

impl WechatSettings {
    /// In the form in which they are stored: without spaces around.
    pub fn in_form(mut self) -> Self {
        self.app_id = trimmed(self.app_id);
        self.app_secret = self.app_secret.and_then(given);
        self
    }

    /// What is wrong with them: the pointer inside the object, and one sentence.
    pub fn fault(&self) -> Fault {
        let is_plain = self.app_id.bytes().all(|one| one.is_ascii_alphanumeric());
        if !is_plain || !(1..=OFFICIAL_APP_ID_MAX).contains(&self.app_id.len()) {
            return Some(("/app_id", format!("1 to {OFFICIAL_APP_ID_MAX} letters and digits")));
        }
        key("/app_secret", self.app_secret.as_deref())
    }

    /// With the secrets of the settings before, where none are given and the account is the same.
    pub fn keeping(mut self, before: &Self) -> Self {
        if self.app_id == before.app_id {
            self.app_secret = self.app_secret.or_else(|| before.app_secret.clone());
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
        let settings = WechatSettings { app_id: app_id.to_owned(), app_secret: secret.map(str::to_owned) };
        settings.in_form()
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
    fn a_secret_stays_with_its_account() {
        let before = settings("wx1", Some("secret"));
        assert_eq!(settings("wx1", None).keeping(&before).fault(), None);
        assert_eq!(settings("wx2", None).keeping(&before).app_secret, None);
        assert!(!format!("{before:?}").contains("secret"));
    }
}
