//! Template messages by an official account of WeChat (微信服务号, 发送模板消息), and the access token that each call carries
//! (获取稳定版接口调用凭据). The token goes in the query, so the requests here are without it until [`with_token`].
//!
//! WeChat delivers one message for each `client_msg_id` and openid within ten minutes, so a repeat within that time is safe.

use serde_json::{Value, json};
use url::Url;

use super::sms::{endpoint, unspoken};
use super::{Answer, Message, Reply, Request, said};
use crate::domain::centre::account::WechatSettings;
use crate::domain::centre::send::Outcome;
use crate::domain::centre::template::WechatContent;
use crate::kernel::Millis;

/// Where WeChat is asked.
const ENDPOINT: &str = "https://api.weixin.qq.com/";
/// How long an account is left alone whose messages of the day are used up, in milliseconds, unless the day ends sooner.
const USED_UP_MS: i64 = 1_800_000;
const DAY_MS: i64 = 86_400_000;
/// The days of WeChat are those of Shanghai, in milliseconds before UTC.
const SHANGHAI_MS: i64 = 8 * 3_600_000;
/// Longest access token, in bytes; WeChat asks for room for 512.
const TOKEN_MAX: usize = 2_048;

/// A template message, without its token.
pub(super) fn request(own: &str, message: Message<'_>, content: &WechatContent) -> Result<Request, Answer> {
    let data: serde_json::Map<String, Value> = content
        .data
        .iter()
        .map(|field| {
            let mut value = json!({"value": field.value});
            if let Some(color) = &field.color {
                value["color"] = json!(color);
            }
            (field.name.clone(), value)
        })
        .collect();
    let mut body = json!({
        "touser": message.address, "template_id": content.template_id,
        "client_msg_id": message.id.to_string(), "data": data,
    });
    if let Some(url) = &content.url {
        body["url"] = json!(url);
    }
    if let Some(program) = &content.mini_program {
        body["miniprogram"] = json!({"appid": program.app_id, "pagepath": program.page_path});
    }
    asked(own, "cgi-bin/message/template/send", &body)
}

/// Asks for the access token that holds at present; another one only when that is about to end. Those that were given
/// before go on to hold: nobody else who uses the account is thrown out.
pub fn token_request(own: &str, settings: &WechatSettings) -> Result<Request, Answer> {
    let body = json!({
        "grant_type": "client_credential", "appid": settings.app_id, "secret": settings.app_secret,
        "force_refresh": false,
    });
    asked(own, "cgi-bin/stable_token", &body)
}

/// A call of this path of WeChat's, without its token.
pub(super) fn asked(own: &str, path: &str, body: &Value) -> Result<Request, Answer> {
    let mut url = endpoint(own, ENDPOINT)?;
    let beginning = url.path().trim_end_matches('/').to_owned();
    url.set_path(&format!("{beginning}/{path}"));
    Ok(Request::json(url, body.to_string()))
}

/// The request with its token.
pub fn with_token(request: &Request, token: &str) -> Request {
    let url = Url::parse(&request.url).map(|mut url| {
        url.query_pairs_mut().append_pair("access_token", token);
        url.to_string()
    });
    Request { url: url.unwrap_or_default(), ..request.clone() }
}

/// The token of an answer, and for how many seconds it holds; otherwise why there is none. Nothing went out then.
pub fn token(reply: &Reply, secret: &str) -> Result<(String, i64), Answer> {
    let body: Value = serde_json::from_str(&reply.body).unwrap_or_default();
    let token = body["access_token"].as_str().filter(|token| (1..=TOKEN_MAX).contains(&token.len()));
    let seconds = body["expires_in"].as_i64().filter(|seconds| *seconds > 0);
    let is_success = (200..300).contains(&reply.status);
    if let (true, Some(token), Some(seconds)) = (is_success, token, seconds) {
        return Ok((token.to_owned(), seconds));
    }
    let code = body["errcode"].as_i64().filter(|code| *code != 0);
    let outcome = match code {
        Some(45_009 | 45_011) => Outcome::Slow,
        // The id, the secret or the address of this service is not one that WeChat knows, or the account is closed.
        Some(
            40_001 | 40_002 | 40_013 | 40_125 | 40_164 | 40_243 | 41_002 | 41_004 | 50_002 | 50_004 | 50_007,
        ) => Outcome::Configuration,
        _ => Outcome::NoToken,
    };
    // A token of an answer that is none is not to be kept as what was said.
    let text = body["errmsg"].as_str().map(str::to_owned).or_else(|| said(reply).filter(|_| token.is_none()));
    let text = text.map(|text| text.replace(secret, "…"));
    Err(Answer::of(reply, outcome, code.map(|code| code.to_string()), text))
}

/// Whether an answer says that the token is none any more.
pub fn is_stale(answer: &Answer) -> bool {
    matches!(answer.code.as_deref(), Some("40001" | "40014" | "42001"))
}

/// What an answer to a template message means; `is_repeat`: an attempt before may have arrived.
pub fn judge(reply: &Reply, is_repeat: bool, now: Millis) -> Answer {
    let body: Value = serde_json::from_str(&reply.body).unwrap_or_default();
    let code = body["errcode"].as_i64();
    let is_success = (200..300).contains(&reply.status);
    let outcome = match code {
        Some(0) if is_success => Outcome::Accepted,
        Some(0) => Outcome::Uncertain,
        // The same message within a minute: the one before has arrived.
        Some(40_241) if is_repeat => Outcome::Accepted,
        Some(code) => meaning(code),
        None => unspoken(reply),
    };
    let text = body["errmsg"].as_str().map(str::to_owned).or_else(|| said(reply));
    let answer = Answer::of(reply, outcome, code.map(|code| code.to_string()), text);
    let id = &body["msgid"];
    let id = id.as_i64().map(|id| id.to_string()).or_else(|| id.as_str().map(str::to_owned));
    let wish = match code {
        Some(45_009) => Some(used_up_ms(now)),
        _ => answer.retry_after_ms,
    };
    let accepted = outcome == Outcome::Accepted;
    Answer { provider_message_id: id.filter(|_| accepted), retry_after_ms: wish, ..answer }
}

/// Until when the messages of a day are used up.
fn used_up_ms(now: Millis) -> i64 {
    (DAY_MS - (now.0 + SHANGHAI_MS).rem_euclid(DAY_MS)).min(USED_UP_MS)
}

/// What a code means (全局返回码 of WeChat). Of a token that is none any more the message comes back with another one first
/// (`centre::tokens`).
pub(super) fn meaning(code: i64) -> Outcome {
    match code {
        40_001 | 40_014 | 42_001 => Outcome::NoToken,
        // No such openid here, one that does not follow the account, refuses its messages, or is blocked.
        40_003 | 43_004 | 43_019 | 43_101 | 46_004 | 48_002 | 50_005 => Outcome::Recipient,
        // No such template, a banned one, or values that do not fit it.
        40_037 | 41_030 | 43_116 | 47_001 | 47_003 => Outcome::Content,
        // The account may not do that, or is closed.
        40_013 | 40_125 | 40_164 | 41_002 | 41_004 | 48_001 | 48_004 | 50_002 => Outcome::Configuration,
        45_009 | 45_011 => Outcome::Slow,
        // Too many for this receiver, or the same message within a minute.
        40_241 | 43_117 => Outcome::NotNow,
        _ => Outcome::Retry,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use crate::domain::centre::template::{Rendered, WechatField, WechatMiniProgram};
    use crate::kernel::MessageSendId;

    fn reply(status: u16, body: &Value) -> Reply {
        Reply { status, retry_after_ms: None, body: body.to_string() }
    }

    #[test]
    fn a_message_has_its_form_and_its_token_in_the_query() {
        let field = |name: &str, color: Option<&str>| WechatField {
            name: name.to_owned(),
            value: "鞋".to_owned(),
            color: color.map(str::to_owned),
        };
        let content = WechatContent {
            template_id: "T-1".to_owned(),
            template_id_short: Some("TM1".to_owned()),
            data: vec![field("thing1", Some("#173177")), field("thing2", None)],
            url: Some("https://shop.example/".to_owned()),
            mini_program: Some(WechatMiniProgram { app_id: "wx2".to_owned(), page_path: "a?b=1".to_owned() }),
        };
        let rendered = Rendered::Wechat(content.clone());
        let (id, at) = (MessageSendId(7), Millis(5));
        let message = Message {
            id,
            created_at: at,
            address: "oABC",
            rendered: &rendered,
            unsubscribe_at: None,
            now: at,
        };
        for (own, base) in [
            ("", "https://api.weixin.qq.com/"),
            ("https://sh.api.weixin.qq.com", "https://sh.api.weixin.qq.com/"),
        ] {
            let request = request(own, message, &content).unwrap();
            let url = format!("{base}cgi-bin/message/template/send");
            assert_eq!(request.url, url);
            assert_eq!(with_token(&request, "a&b").url, format!("{url}?access_token=a%26b"));
            let body: Value = serde_json::from_str(&request.body).unwrap();
            let data = json!({"thing1": {"value": "鞋", "color": "#173177"}, "thing2": {"value": "鞋"}});
            let program = json!({"appid": "wx2", "pagepath": "a?b=1"});
            assert_eq!(
                body,
                json!({"touser": "oABC", "template_id": "T-1", "client_msg_id": "7", "data": data,
                "url": "https://shop.example/", "miniprogram": program})
            );
        }
    }

    #[test]
    fn only_its_own_zero_is_acceptance() {
        let judged = |status, body: &Value| judge(&reply(status, body), false, Millis(0));
        let done = json!({"errcode": 0, "errmsg": "ok", "msgid": 3_557_254_367_693_750_277_i64});
        let accepted = judged(200, &done);
        let id = Some("3557254367693750277");
        assert_eq!((accepted.outcome, accepted.provider_message_id.as_deref()), (Outcome::Accepted, id));
        for (code, outcome) in [
            (-1, Outcome::Retry),
            (40_001, Outcome::NoToken),
            (40_003, Outcome::Recipient),
            (43_004, Outcome::Recipient),
            (43_019, Outcome::Recipient),
            (43_101, Outcome::Recipient),
            (40_037, Outcome::Content),
            (47_003, Outcome::Content),
            (48_001, Outcome::Configuration),
            (40_164, Outcome::Configuration),
            (45_009, Outcome::Slow),
            (45_011, Outcome::Slow),
            (43_117, Outcome::NotNow),
            (40_241, Outcome::NotNow),
            (99_999, Outcome::Retry),
        ] {
            let answer = judged(200, &json!({"errcode": code, "errmsg": "no", "msgid": 1}));
            assert_eq!((answer.outcome, answer.provider_message_id), (outcome, None), "{code}");
            assert_eq!(answer.code, Some(code.to_string()));
        }
        for (status, body, outcome) in [
            (200, json!("<html>"), Outcome::Uncertain),
            (200, json!({}), Outcome::Uncertain),
            (200, json!({"errcode": "0"}), Outcome::Uncertain),
            (500, done.clone(), Outcome::Uncertain),
            (502, json!(""), Outcome::Uncertain),
            (503, json!(""), Outcome::Retry),
            (404, json!(""), Outcome::Configuration),
        ] {
            assert_eq!(judged(status, &body).outcome, outcome, "{status} {body}");
        }
        let same = json!({"errcode": 40_241, "errmsg": "duplicate"});
        assert_eq!(judge(&reply(200, &same), true, Millis(0)).outcome, Outcome::Accepted);
    }

    #[test]
    fn used_up_messages_come_back_at_midnight_in_shanghai() {
        let at = |text: &str| Millis(text.parse::<jiff::Timestamp>().unwrap().as_millisecond());
        let wish = |now| judge(&reply(200, &json!({"errcode": 45_009})), false, at(now)).retry_after_ms;
        assert_eq!(wish("2026-11-28T15:50:00Z"), Some(600_000));
        assert_eq!(wish("2026-11-28T16:00:00Z"), Some(USED_UP_MS));
    }

    #[test]
    fn a_token_is_a_token_or_it_is_told_why_not() {
        let given = |status, body: &Value| token(&reply(status, body), "s3cret").map_err(|no| no.outcome);
        let good = json!({"access_token": "t", "expires_in": 7200});
        assert_eq!(given(200, &good), Ok(("t".to_owned(), 7200)));
        for (status, body, outcome) in [
            (500, good, Outcome::NoToken),
            (200, json!({"access_token": "t"}), Outcome::NoToken),
            (200, json!({"access_token": "", "expires_in": 7200}), Outcome::NoToken),
            (200, json!({"access_token": "t", "expires_in": 0}), Outcome::NoToken),
            (200, json!({"access_token": 7, "expires_in": 7200}), Outcome::NoToken),
            (200, json!("<html>"), Outcome::NoToken),
            (502, json!(""), Outcome::NoToken),
            (200, json!({"errcode": -1}), Outcome::NoToken),
            (200, json!({"errcode": 40_013}), Outcome::Configuration),
            (200, json!({"errcode": 40_125}), Outcome::Configuration),
            (200, json!({"errcode": 40_164}), Outcome::Configuration),
            (200, json!({"errcode": 45_009}), Outcome::Slow),
        ] {
            assert_eq!(given(status, &body), Err(outcome), "{status} {body}");
        }
        let told = token(&reply(200, &json!({"errcode": 40_125, "errmsg": "s3cret is wrong"})), "s3cret");
        assert_eq!(told.unwrap_err().message.as_deref(), Some("… is wrong"));
        let lost = token(&reply(500, &json!({"access_token": "sesame", "expires_in": 7200})), "s3cret");
        assert_eq!(lost.unwrap_err().message, None);
    }
}
