//! QR codes by an official account of WeChat (生成带参数的二维码): how one is asked for, and what the answer means. Pure. The
//! request is without its access token (`channels::wechat`).

use serde_json::{Value, json};
use url::Url;

use super::sms::unspoken;
use super::wechat::{asked, meaning};
use super::{Answer, Reply, Request, said};
use crate::domain::centre::binding::CODE_URL_MAX;
use crate::domain::centre::send::Outcome;

/// A code that WeChat made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Made {
    /// The address that the code holds.
    pub url: String,
    /// How long it lives, in seconds.
    pub seconds: i64,
}

/// Asks for a code with this scene (1 to 64 characters) that lives so many seconds, at most 2 592 000. Without them WeChat's
/// code ends within a minute. Errors: an account whose own address is none.
pub fn request(own: &str, scene: &str, seconds: i64) -> Result<Request, Answer> {
    let body = json!({
        "expire_seconds": seconds, "action_name": "QR_STR_SCENE",
        "action_info": {"scene": {"scene_str": scene}},
    });
    asked(own, "cgi-bin/qrcode/create", &body)
}

/// What an answer means, and the code when there is one. Nothing went out to anybody, so that asking again is always safe.
pub fn judge(reply: &Reply) -> (Answer, Option<Made>) {
    let body: Value = serde_json::from_str(&reply.body).unwrap_or_default();
    let code = body["errcode"].as_i64().filter(|code| *code != 0);
    let made = made(&body).filter(|_| code.is_none() && (200..300).contains(&reply.status));
    let outcome = match (&made, code) {
        (Some(_), _) => Outcome::Accepted,
        (None, Some(code)) => meaning(code),
        (None, None) => unspoken(reply),
    };
    let text = body["errmsg"].as_str().map(str::to_owned).or_else(|| said(reply).filter(|_| made.is_none()));
    (Answer::of(reply, outcome, code.map(|code| code.to_string()), text), made)
}

fn made(body: &Value) -> Option<Made> {
    let text = |name: &str| body[name].as_str().filter(|text| !text.is_empty());
    let (_ticket, url) = (text("ticket")?, text("url")?);
    let is_web = Url::parse(url).is_ok_and(|url| matches!(url.scheme(), "http" | "https"));
    let is_plain = url.bytes().all(|byte| byte.is_ascii_graphic());
    let seconds = body["expire_seconds"].as_i64().filter(|seconds| *seconds > 0)?;
    (is_web && is_plain && url.len() <= CODE_URL_MAX).then(|| Made { url: url.to_owned(), seconds })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    fn reply(status: u16, body: &Value) -> Reply {
        Reply { status, retry_after_ms: None, body: body.to_string() }
    }

    /// The example of WeChat's document.
    fn example() -> Value {
        json!({"ticket": "gQH47joAAAAAAAAAASxodHRwOi8vd2VpeGluLnFxLmNvbS9xL2taZ2Z3TVRtNzJXV1Brb3ZhYmJJAAIEZ23sUwMEmm3sUw==",
            "expire_seconds": 60, "url": "http://weixin.qq.com/q/kZgfwMTm72WWPkovabbI"})
    }

    #[test]
    fn a_code_is_asked_for_with_its_scene_nested_and_its_life() {
        let request = request("", "abc", 600).unwrap();
        assert_eq!(request.url, "https://api.weixin.qq.com/cgi-bin/qrcode/create");
        let body: Value = serde_json::from_str(&request.body).unwrap();
        let scene = json!({"scene": {"scene_str": "abc"}});
        assert_eq!(body, json!({"expire_seconds": 600, "action_name": "QR_STR_SCENE", "action_info": scene}));
    }

    #[test]
    fn a_code_is_whole_or_there_is_none() {
        let (answer, made) = judge(&reply(200, &example()));
        let url = "http://weixin.qq.com/q/kZgfwMTm72WWPkovabbI".to_owned();
        assert_eq!((answer.outcome, made), (Outcome::Accepted, Some(Made { url, seconds: 60 })));
        let with = |name: &str, value: Value| {
            let mut body = example();
            body[name] = value;
            body
        };
        for (status, body, outcome) in [
            (500, example(), Outcome::Uncertain),
            (200, with("errcode", json!(-1)), Outcome::Retry),
            (200, with("errcode", json!(48_001)), Outcome::Configuration),
            (200, with("errcode", json!(45_009)), Outcome::Slow),
            (200, with("errcode", json!(40_001)), Outcome::NoToken),
            (200, with("ticket", json!("")), Outcome::Uncertain),
            (200, with("url", json!("javascript:alert(1)")), Outcome::Uncertain),
            (200, with("url", json!("http://x/ y")), Outcome::Uncertain),
            (200, with("url", json!(format!("http://x/{}", "y".repeat(512)))), Outcome::Uncertain),
            (200, with("url", json!(null)), Outcome::Uncertain),
            (200, with("expire_seconds", json!(0)), Outcome::Uncertain),
            (200, json!("<html>"), Outcome::Uncertain),
            (503, json!(""), Outcome::Retry),
        ] {
            let (answer, made) = judge(&reply(status, &body));
            assert_eq!((answer.outcome, made), (outcome, None), "{status} {body}");
        }
    }
}
