//! What the scripted provider does as WeChat: it knows one access token at a time, and the openids that follow.

use serde_json::json;

use super::provider::{Delivery, Provider};
use super::wechat_callbacks::sha1;

/// The secret of every official account.
pub const SECRET: &str = "s3cret-of-the-official-account";
/// The id of every official account.
pub const APP_ID: &str = "wxb11529c136998cb6";
/// Where it is asked for tokens.
pub const TOKEN: &str = "/wechat/cgi-bin/stable_token";
/// Where it is handed messages.
pub const SEND: &str = "/wechat/cgi-bin/message/template/send";

/// Where it is asked for QR codes.
pub const QR: &str = "/wechat/cgi-bin/qrcode/create";

/// What WeChat says to a request; `None` when it is not for it. `generation` names the token that holds.
pub fn accept(delivery: &Delivery, generation: u64) -> Option<(u16, &'static str, String)> {
    let (body, held) = (&delivery.body, token(generation));
    let answer = match delivery.path.as_str() {
        TOKEN => match (body["grant_type"].as_str(), body["appid"].as_str(), body["secret"].as_str()) {
            (Some("client_credential"), Some(APP_ID), Some(SECRET)) if body["force_refresh"] == false => {
                json!({"access_token": held, "expires_in": 7200})
            }
            (_, Some(APP_ID), Some(wrong)) => {
                json!({"errcode": 40125, "errmsg": format!("invalid appsecret {wrong}")})
            }
            _ => json!({"errcode": 40013, "errmsg": "invalid appid"}),
        },
        SEND | QR if delivery.query.get("access_token") != Some(&held) => {
            let given = delivery.query.get("access_token");
            json!({"errcode": 40001, "errmsg": format!("invalid credential {given:?}")})
        }
        SEND if !body["touser"].as_str().is_some_and(|openid| openid.starts_with('o')) => {
            json!({"errcode": 40003, "errmsg": "invalid openid"})
        }
        // The same for a repeat: it is delivered once.
        SEND => {
            let id: i64 = body["client_msg_id"].as_str().unwrap().parse().unwrap();
            json!({"errcode": 0, "errmsg": "ok", "msgid": id})
        }
        QR => {
            let scene = body["action_info"]["scene"]["scene_str"]
                .as_str()
                .filter(|scene| (1..=64).contains(&scene.len()));
            let seconds = body["expire_seconds"].as_i64().filter(|seconds| (1..=2_592_000).contains(seconds));
            match (body["action_name"].as_str(), scene, seconds) {
                (Some("QR_STR_SCENE"), Some(scene), Some(seconds)) => {
                    let name = sha1(&[scene]);
                    let url = format!("http://weixin.qq.com/q/{name}");
                    json!({"ticket": format!("gQ{name}=="), "expire_seconds": seconds, "url": url})
                }
                _ => json!({"errcode": 40053, "errmsg": "invalid action info"}),
            }
        }
        _ => return None,
    };
    Some((200, "content-type: application/json\r\n", answer.to_string()))
}

/// The token of this generation; it needs to be escaped.
pub fn token(generation: u64) -> String {
    format!("TOKEN/{generation}+=")
}

/// How often a token was asked for.
pub fn calls(provider: &Provider) -> usize {
    provider.deliveries(TOKEN).len()
}

/// The scene of the code that was asked for last.
pub fn scene(provider: &Provider) -> String {
    let asked = provider.deliveries(QR).pop().expect("a code was asked for");
    asked.body["action_info"]["scene"]["scene_str"].as_str().expect("a scene").to_owned()
}

/// The sends that were delivered to followers, each once, however often it was repeated.
pub fn delivered(provider: &Provider) -> std::collections::BTreeSet<String> {
    let sends = provider.deliveries(SEND).into_iter();
    sends.map(|one| one.body["client_msg_id"].as_str().unwrap().to_owned()).collect()
}
