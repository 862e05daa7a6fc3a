//! Group robots of DingTalk (钉钉群机器人): the token stands in the address; with a secret each request is signed over its
//! time. 20 messages a minute, beyond which a robot is blocked for ten.

use serde_json::json;
use url::Url;

use super::{Request, signed};
use crate::domain::centre::account::Config;
use crate::domain::centre::send::Outcome;
use crate::domain::centre::template::RobotFormat;
use crate::kernel::{Error, Millis, Result};

pub(super) fn request(
    config: &Config,
    now: Millis,
    format: RobotFormat,
    title: &str,
    text: &str,
) -> Result<Request> {
    let body = match format {
        RobotFormat::Text => json!({"msgtype": "text", "text": {"content": text}}),
        RobotFormat::Markdown => json!({"msgtype": "markdown", "markdown": {"title": title, "text": text}}),
    };
    let mut url = Url::parse(&config.url).map_err(|_| Error::internal("the address of a robot is no URL"))?;
    if let Some(secret) = &config.secret {
        let sign = signature(secret, now.0)?;
        url.query_pairs_mut().append_pair("timestamp", &now.0.to_string()).append_pair("sign", &sign);
    }
    Ok(Request::json(url, body.to_string()))
}

/// Over the time in milliseconds and the secret, by the secret.
fn signature(secret: &str, milliseconds: i64) -> Result<String> {
    signed(secret.as_bytes(), format!("{milliseconds}\n{secret}").as_bytes())
}

/// What a code means: 130101 and 410100 too often, 310000 refused by keyword, signature or address, 300001 no such token,
/// 400xxx content.
pub(super) fn outcome(code: i64) -> (Outcome, Option<i64>) {
    match code {
        130_101 | 410_100 => (Outcome::Slow, Some(600_000)),
        310_000 | 300_001 | 400_101 | 400_102 => (Outcome::Configuration, None),
        400_013..=400_999 | 40_035 | 430_101..=430_104 => (Outcome::Content, None),
        _ => (Outcome::Retry, None),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    #[test]
    fn signs_as_dingtalk_does() {
        let signature = super::signature("SECtest", 1_700_000_000_000);
        assert_eq!(signature.unwrap(), "aZLLrriXgn05YbwaGR7knYsLeJADjr9NwLaNNKpxh4g=");
    }
}
