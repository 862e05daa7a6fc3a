//! Incoming webhooks of Slack: the address is the secret; about one message a second.

use serde_json::json;

use super::{Answer, Reply, Request, said};
use crate::domain::centre::account::Config;
use crate::domain::centre::send::Outcome;

pub(super) fn request(config: &Config, title: &str, text: &str) -> Request {
    let text = match title.is_empty() || text.starts_with(title) {
        true => text.to_owned(),
        false => format!("*{title}*\n{text}"),
    };
    Request::json(config.url.clone(), json!({"text": text}).to_string())
}

/// A body `ok` is acceptance; otherwise the body is the reason.
pub(super) fn judge(reply: &Reply) -> Answer {
    let word = reply.body.trim();
    let outcome = match reply.status {
        200 if word == "ok" => Outcome::Accepted,
        429 => Outcome::Slow,
        403 | 404 | 410 => Outcome::Configuration,
        400..=499 => Outcome::Content,
        504 => Outcome::Uncertain,
        500.. => Outcome::Retry,
        _ => Outcome::Uncertain,
    };
    let code = (!word.is_empty() && outcome != Outcome::Accepted).then(|| word.chars().take(64).collect());
    Answer::of(reply, outcome, code, said(reply))
}
