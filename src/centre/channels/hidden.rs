//! Secrets of an account, taken out of what is told of an answer: a provider may say back what it was asked with.

use serde_json::Value;
use url::Url;

use super::Answer;
use crate::domain::centre::account::Config;

/// Shorter texts are no secrets, and would be found in any words.
const SHORTEST: usize = 6;
/// A part of a path that is as long may be a token.
const TOKEN: usize = 16;
/// What stands instead.
const HIDDEN: &str = "…";

/// An answer without the secrets of the account.
pub fn hidden(answer: Answer, config: &Config) -> Answer {
    let secrets = secrets(config);
    let hide = |text: String| secrets.iter().fold(text, |text, secret| text.replace(secret.as_str(), HIDDEN));
    Answer { message: answer.message.map(hide), code: answer.code.map(hide), ..answer }
}

/// What may not be told, the longest first, so that no half of one is left.
fn secrets(config: &Config) -> Vec<String> {
    let mut found = Vec::new();
    if let Ok(Value::Object(fields)) = serde_json::to_value(config) {
        fields.iter().for_each(|(name, value)| sealed(name, value, &mut found));
    }
    if let Ok(url) = Url::parse(&config.url) {
        found.push(config.url.clone());
        found.extend(url.query_pairs().map(|(_, value)| value.into_owned()));
        let parts = url.path_segments().into_iter().flatten();
        found.extend(parts.filter(|part| part.len() >= TOKEN).map(str::to_owned));
    }
    found.retain(|text| text.len() >= SHORTEST);
    found.sort_by_key(|text| std::cmp::Reverse(text.len()));
    found
}

/// The texts whose names say that they are secrets, at any depth.
fn sealed(name: &str, value: &Value, found: &mut Vec<String>) {
    let is_secret = ["secret", "password", "token", "key"].iter().any(|word| name.contains(word));
    match value {
        // The name of a key is no secret, and providers speak of it.
        Value::String(text) if is_secret && !name.ends_with("_id") => found.push(text.clone()),
        Value::Object(fields) => fields.iter().for_each(|(name, value)| sealed(name, value, found)),
        _ => {}
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use crate::domain::centre::account::{Settings, TwilioSmsSettings};
    use crate::domain::centre::send::Outcome;

    #[test]
    fn what_a_provider_says_back_is_left_out() {
        let settings = TwilioSmsSettings {
            account_sid: "AC00000000000000000000000000000001".to_owned(),
            auth_token: Some("s3cret-of-twilio".to_owned()),
            from: Some("+15005550006".to_owned()),
            messaging_service_sid: None,
        };
        let config = Config {
            url: "https://hooks.example/services/T0123456789abcdef?key=k3y-of-the-robot".to_owned(),
            secret: Some("SECof-the-robot".to_owned()),
            previous_secret: Some("short".to_owned()),
            previous_until: 0,
            settings: Some(Settings::TwilioSms(settings)),
            hook_key: None,
        };
        let said = format!(
            "{} k3y-of-the-robot T0123456789abcdef SECof-the-robot s3cret-of-twilio short AC0 services",
            config.url
        );
        let answer = Answer::without_reply(Outcome::Configuration, said);
        let told = hidden(answer, &config).message.unwrap();
        assert_eq!(told, "… … … … … short AC0 services");
    }
}
