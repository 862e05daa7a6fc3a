//! Group robots of WeCom (企业微信群机器人): the secret is the key in the address; 20 messages a minute.

use serde_json::json;

use super::Request;
use crate::domain::centre::account::Config;
use crate::domain::centre::send::Outcome;
use crate::domain::centre::template::RobotFormat;

pub(super) fn request(config: &Config, format: RobotFormat, title: &str, text: &str) -> Request {
    let body = match format {
        RobotFormat::Text => json!({"msgtype": "text", "text": {"content": text}}),
        RobotFormat::Markdown if text.starts_with(title) => {
            json!({"msgtype": "markdown", "markdown": {"content": text}})
        }
        RobotFormat::Markdown => {
            json!({"msgtype": "markdown", "markdown": {"content": format!("**{title}**\n{text}")}})
        }
    };
    Request::json(config.url.clone(), body.to_string())
}

/// What a code means: 45009 too often, 93000 a wrong key, 40058 and 44004 content, -1 busy.
pub(super) fn outcome(code: i64) -> (Outcome, Option<i64>) {
    match code {
        45_009 => (Outcome::Slow, Some(60_000)),
        93_000 | 93_008 | 40_014 | 40_056 => (Outcome::Configuration, None),
        40_008 | 40_058 | 44_004 | 45_002 => (Outcome::Content, None),
        _ => (Outcome::Retry, None),
    }
}
