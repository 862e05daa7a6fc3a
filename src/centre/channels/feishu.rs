//! Group robots of Feishu and Lark (飞书群机器人): the token stands in the address; with a secret each request is signed
//! over its time. 100 messages a minute and five a second.

use serde_json::{Value, json};

use super::{Request, signed};
use crate::domain::centre::account::Config;
use crate::domain::centre::send::Outcome;
use crate::domain::centre::template::RobotFormat;
use crate::kernel::{Millis, Result};

pub(super) fn request(
    config: &Config,
    now: Millis,
    format: RobotFormat,
    title: &str,
    text: &str,
) -> Result<Request> {
    let mut body = match format {
        RobotFormat::Text => json!({"msg_type": "text", "content": {"text": text}}),
        RobotFormat::Markdown => json!({"msg_type": "interactive", "card": {
            "header": {"title": {"tag": "plain_text", "content": title}},
            "elements": [{"tag": "markdown", "content": text}],
        }}),
    };
    if let Some(secret) = &config.secret {
        let seconds = now.0.div_euclid(1_000);
        body["timestamp"] = Value::String(seconds.to_string());
        body["sign"] = Value::String(signature(secret, seconds)?);
    }
    Ok(Request::json(config.url.clone(), body.to_string()))
}

/// Of nothing, by the time in seconds and the secret.
fn signature(secret: &str, seconds: i64) -> Result<String> {
    signed(format!("{seconds}\n{secret}").as_bytes(), b"")
}

/// What a code means: 11232 too often, 9499 a wrong body, 19001 and 19021 to 19024 a wrong token, signature, address or
/// keyword.
pub(super) fn outcome(code: i64) -> (Outcome, Option<i64>) {
    match code {
        11_232 | 99_991_400 => (Outcome::Slow, None),
        9_499 | 19_002 => (Outcome::Content, None),
        19_001 | 19_021..=19_024 => (Outcome::Configuration, None),
        _ => (Outcome::Retry, None),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    #[test]
    fn signs_as_feishu_does() {
        let signature = super::signature("test", 1_599_360_473);
        assert_eq!(signature.unwrap(), "NVcdmaRhTlOqmXksontxmKEP4AYWAMD5VOczwSqarks=");
    }
}
