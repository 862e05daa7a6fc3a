//! Webhooks by Standard Webhooks 1.0.0: `{type, timestamp, data}`, signed over id, time and body.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::{Answer, Message, Reply, Request, said, signed};
use crate::domain::centre::account::Config;
use crate::domain::centre::send::Outcome;
use crate::kernel::{Error, Result};

/// What secrets begin with.
const PREFIX: &str = "whsec_";
/// Random bytes of a secret.
const SECRET_BYTES: usize = 32;

/// A new secret.
pub fn new_secret() -> String {
    let mut bytes = [0u8; SECRET_BYTES];
    rand::fill(&mut bytes[..]);
    format!("{PREFIX}{}", STANDARD.encode(bytes))
}

/// The request: the id stays over all attempts, so that the receiver knows repeats.
pub(super) fn request(
    config: &Config,
    message: Message<'_>,
    event_type: &str,
    data: &Value,
) -> Result<Request> {
    let id = format!("msg_{}", message.id);
    let seconds = message.now.0.div_euclid(1_000);
    let body = json!({"type": event_type, "timestamp": message.created_at, "data": data}).to_string();
    let previous = config.previous_secret.iter().filter(|_| message.now.0 < config.previous_until);
    let signatures: Result<Vec<String>> =
        config.secret.iter().chain(previous).map(|secret| signature(secret, &id, seconds, &body)).collect();
    let headers = vec![
        ("webhook-id", id),
        ("webhook-timestamp", seconds.to_string()),
        ("webhook-signature", signatures?.join(" ")),
    ];
    Ok(Request { headers, ..Request::json(config.url.clone(), body) })
}

/// A signature of version 1.
fn signature(secret: &str, id: &str, seconds: i64, body: &str) -> Result<String> {
    let key = STANDARD
        .decode(secret.trim_start_matches(PREFIX))
        .map_err(|_| Error::internal("the secret of a webhook is not base64"))?;
    Ok(format!("v1,{}", signed(&key, format!("{id}.{seconds}.{body}").as_bytes())?))
}

/// Any 2xx is acceptance, 410 says that nobody wants this any more, and 429 asks to slow down.
pub(super) fn judge(reply: &Reply) -> Answer {
    let outcome = match reply.status {
        200..=299 => Outcome::Accepted,
        410 => Outcome::Configuration,
        429 => Outcome::Slow,
        _ => Outcome::Retry,
    };
    Answer::of(reply, outcome, None, said(reply))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use crate::domain::centre::template::Rendered;
    use crate::kernel::{MessageSendId, Millis};

    /// The vector of the specification.
    #[test]
    fn signs_as_the_specification_says() {
        let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
        let signature =
            signature(secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, r#"{"test": 2432232314}"#);
        assert_eq!(signature.unwrap(), "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn both_secrets_sign_while_one_follows_the_other() {
        let rendered = Rendered::Webhook { event_type: "a".to_owned(), data: json!({}) };
        let now = Millis(1_000_000);
        let message = Message {
            id: MessageSendId(7),
            created_at: Millis(5),
            address: "",
            rendered: &rendered,
            unsubscribe_at: None,
            now,
        };
        let config = Config {
            url: "https://shop.example/".to_owned(),
            secret: Some(new_secret()),
            previous_secret: Some(new_secret()),
            previous_until: 1_000_001,
            settings: None,
            hook_key: None,
        };
        let signatures = |config: &Config| {
            let request = super::request(config, message, "a", &json!({})).unwrap();
            assert_eq!(request.headers[0], ("webhook-id", "msg_7".to_owned()));
            request.headers[2].1.split(' ').count()
        };
        assert_eq!(signatures(&config), 2);
        assert_eq!(signatures(&Config { previous_until: 1_000_000, ..config }), 1);
    }

    #[test]
    fn only_2xx_is_acceptance() {
        for (status, outcome) in [
            (200, Outcome::Accepted),
            (204, Outcome::Accepted),
            (301, Outcome::Retry),
            (400, Outcome::Retry),
            (410, Outcome::Configuration),
            (429, Outcome::Slow),
            (503, Outcome::Retry),
        ] {
            let reply = Reply { status, retry_after_ms: None, body: String::new() };
            assert_eq!(judge(&reply).outcome, outcome, "{status}");
        }
    }
}
