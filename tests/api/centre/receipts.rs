//! Receipts: what a provider says later of whether a message arrived, in whatever order, however often.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use deskwire::db::schema::message_receipt;
use diesel::prelude::*;
use hmac::{Hmac, Mac};
use serde_json::{Value, json};
use sha1::Sha1;

use super::provider::{Act, Provider};
use super::sms::{KINDS, wired};
use super::sms_provider::SECRET;
use super::{delivery_attempts, sent, tell, text};
use crate::harness::{TestApp, eventually};

/// The address at which the world reaches the servers of the tests.
pub const PUBLIC: &str = "https://desk.example";

/// What a provider reports of a message, in its own words: to the account's path, with the provider's name for the message
/// and the send's id as it gives it back.
pub struct Told<'a> {
    /// The account's provider.
    pub kind: &'a str,
    /// The account's path.
    pub path: &'a str,
    /// The provider's name for the message.
    pub name: Option<&'a str>,
    /// The send's id.
    pub send: Option<&'a str>,
    /// Whether it arrived.
    pub arrived: bool,
}

impl Told<'_> {
    /// Brings it; gives the status and the body of the answer.
    pub async fn to(&self, app: &TestApp) -> (u16, Value) {
        match self.kind {
            "aliyun_sms" => bring(app, self.path, json!([self.aliyun()]).to_string()).await,
            "tencent_sms" => {
                let status = if self.arrived { "SUCCESS" } else { "FAIL" };
                let report = json!({"user_receive_time": "2026-11-28 10:00:00", "nationcode": "86",
                    "mobile": "13800138000", "report_status": status, "errmsg": "DELIVRD",
                    "description": "told", "sid": self.name, "session_context": self.send});
                bring(app, self.path, json!([report]).to_string()).await
            }
            _ => {
                let status = if self.arrived { "delivered" } else { "undelivered" };
                let query = self.send.map(|id| format!("?send={id}")).unwrap_or_default();
                let mut fields = vec![("MessageStatus", status), ("ErrorCode", "30003")];
                fields.extend(self.name.map(|name| ("MessageSid", name)));
                form(app, &format!("{}{query}", self.path), &fields, PUBLIC, SECRET).await
            }
        }
    }

    fn aliyun(&self) -> Value {
        json!({"phone_number": "13800138000", "send_time": "2026-11-28 10:00:00", "success": self.arrived,
            "report_time": "2026-11-28 10:00:05", "err_code": "DELIVERED", "err_msg": "told", "sms_size": "1",
            "biz_id": self.name, "out_id": self.send})
    }
}

/// Brings a body to an account's path.
pub async fn bring(app: &TestApp, path: &str, body: String) -> (u16, Value) {
    let request = app.http().post(format!("{}{path}", app.base())).header("content-type", "application/json");
    let response = request.body(body).send().await.unwrap();
    let status = response.status().as_u16();
    (status, serde_json::from_str(&response.text().await.unwrap()).unwrap_or_default())
}

/// A form for an account's path, not signed.
fn written(app: &TestApp, path: &str, fields: &[(&str, &str)]) -> reqwest::RequestBuilder {
    let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
    let request = app.http().post(format!("{}{path}", app.base())).body(body);
    request.header("content-type", "application/x-www-form-urlencoded")
}

/// Brings a form, signed over this public address by this token as Twilio signs.
pub async fn form(
    app: &TestApp,
    path: &str,
    fields: &[(&str, &str)],
    public: &str,
    token: &str,
) -> (u16, Value) {
    let mut sorted = fields.to_vec();
    sorted.sort_unstable();
    let mut signed = format!("{public}{path}");
    sorted.iter().for_each(|(name, value)| signed.extend([*name, *value]));
    let mut mac = Hmac::<Sha1>::new_from_slice(token.as_bytes()).unwrap();
    mac.update(signed.as_bytes());
    let signature = STANDARD.encode(mac.finalize().into_bytes());
    let response = written(app, path, fields).header("x-twilio-signature", signature).send().await.unwrap();
    let status = response.status().as_u16();
    (status, serde_json::from_str(&response.text().await.unwrap()).unwrap_or_default())
}

/// How many receipts are stored, and how many of them were applied.
fn stored(app: &TestApp) -> (i64, i64) {
    let mut connection = app.database().connect();
    let all = message_receipt::table.count().get_result(&mut connection).unwrap();
    let applied = message_receipt::table.filter(message_receipt::applied_at.is_not_null());
    (all, applied.count().get_result(&mut connection).unwrap())
}

on_every_database! {
    /// Each provider's receipt is taken in its own words; a repeat changes nothing, and what arrived stays arrived.
    async fn a_receipt_tells_that_it_arrived(app: TestApp) {
        let provider = Provider::start().await;
        let words = [json!({"code": 0, "msg": "OK"}), json!({"result": 0, "errmsg": "OK"}), json!(null)];
        for (kind, words) in KINDS.into_iter().zip(words) {
            let (desk, to) = wired(&app, &provider, kind, json!({})).await;
            let path = text(&to["receipt_path"]);
            let event = tell(&desk.admin, "sign.in", json!({"code": "1"})).await;
            let done = sent(&desk.admin, &event, "success").await;
            assert_eq!(done["receipts"], json!([]));
            let name = text(&done["send"]["provider_message_id"]);
            let told = Told { kind: kind.0, path: &path, name: Some(&name), send: None, arrived: true };
            for _ in 0..2 {
                let (status, answer) = told.to(&app).await;
                assert_eq!((status, &answer), (if words.is_null() { 204 } else { 200 }, &words));
            }
            let late = Told { arrived: false, ..told };
            late.to(&app).await;
            let done = sent(&desk.admin, &event, "delivered").await;
            let receipts: Vec<&Value> = done["receipts"].as_array().unwrap().iter().map(|one| &one["status"]).collect();
            assert_eq!(receipts, ["delivered", "undelivered"], "{}", kind.0);
            let id = text(&done["send"]["id"]);
            let shown = desk.supervisor.get(&format!("/message-sends/{id}")).await.ok();
            assert_eq!((&shown["receipts"], &shown["send"]["status"]), (&done["receipts"], &json!("delivered")));
            desk.admin.post(&format!("/message-sends/{id}/retry"), json!({})).await.refused(409, "invalid_transition");
        }
    }

    /// One that did not arrive says why, and can be sent again; one that arrived after all has arrived.
    async fn a_receipt_tells_that_it_did_not_arrive(app: TestApp) {
        let provider = Provider::start().await;
        let (desk, to) = wired(&app, &provider, KINDS[0], json!({})).await;
        let path = text(&to["receipt_path"]);
        for again in [false, true] {
            let event = tell(&desk.admin, "sign.in", json!({"code": again.to_string()})).await;
            let done = sent(&desk.admin, &event, "success").await;
            let (id, name) = (text(&done["send"]["id"]), text(&done["send"]["provider_message_id"]));
            let told = Told { kind: "aliyun_sms", path: &path, name: Some(&name), send: Some(&id), arrived: false };
            told.to(&app).await;
            let done = sent(&desk.admin, &event, "undelivered").await;
            assert_eq!((&done["send"]["last_code"], &done["send"]["last_error"]), (&json!("DELIVERED"), &json!("told")));
            match again {
                false => {
                    Told { arrived: true, ..told }.to(&app).await;
                    sent(&desk.admin, &event, "delivered").await;
                }
                true => {
                    desk.admin.post(&format!("/message-sends/{id}/retry"), json!({})).await.ok();
                    let done = sent(&desk.admin, &event, "success").await;
                    assert_eq!(done["attempts"].as_array().unwrap().len(), 2);
                }
            }
        }
    }

    /// A receipt that comes before the answer to its own message is kept until that is written down.
    async fn an_early_receipt_is_not_lost(app: TestApp) {
        let provider = Provider::start().await;
        for by_name in [true, false] {
            let (desk, to) = wired(&app, &provider, KINDS[0], json!({})).await;
            let path = text(&to["receipt_path"]);
            provider.script("/aliyun", [Act::Wait(3_000)]);
            let before = provider.deliveries("/aliyun").len();
            let event = tell(&desk.admin, "sign.in", json!({"code": "1"})).await;
            let got = eventually("the message is on its way", || async {
                provider.deliveries("/aliyun").get(before).cloned()
            }).await;
            let id = got.query["OutId"].clone();
            let name = format!("900619746936498440^{id}");
            let told = match by_name {
                true => Told { kind: "aliyun_sms", path: &path, name: Some(&name), send: None, arrived: true },
                false => Told { kind: "aliyun_sms", path: &path, name: Some(&name), send: Some(&id), arrived: true },
            };
            assert_eq!(told.to(&app).await.0, 200);
            let done = sent(&desk.admin, &event, "delivered").await;
            assert_eq!(done["send"]["provider_message_id"], json!(name));
            assert!(!done["receipts"][0]["applied_at"].is_null(), "{done}");
            assert_eq!(done["attempts"][0]["outcome"], "accepted");
        }
    }

    /// A message of unknown fate is settled by the send's id that comes back with its receipt.
    async fn an_uncertain_send_arrives_by_its_id(app: TestApp) {
        let provider = Provider::start().await;
        for kind in KINDS {
            for arrived in [true, false] {
                let (desk, to) = wired(&app, &provider, kind, json!({})).await;
                let path = text(&to["receipt_path"]);
                provider.script(kind.1, [Act::Close]);
                let event = tell(&desk.admin, "sign.in", json!({"code": "1"})).await;
                let lost = sent(&desk.admin, &event, "uncertain").await;
                let id = text(&lost["send"]["id"]);
                Told { kind: kind.0, path: &path, name: Some("named-later"), send: Some(&id), arrived }.to(&app).await;
                let settled = if arrived { "delivered" } else { "undelivered" };
                let done = sent(&desk.admin, &event, settled).await;
                assert_eq!(done["send"]["provider_message_id"], "named-later");
            }
        }
    }

    /// A code that waits to go out once more does not when the first one has arrived.
    async fn what_arrived_does_not_go_out_again(app: TestApp) {
        let provider = Provider::start().await;
        let (desk, to) = wired(&app, &provider, KINDS[0], json!({"priority": "code"})).await;
        let path = text(&to["receipt_path"]);
        provider.script("/aliyun", [Act::Close]);
        // Its second attempt is due in two seconds: they do not pass before the receipt is there.
        app.app().clock.stop();
        let event = tell(&desk.admin, "sign.in", json!({"code": "1"})).await;
        let waits = delivery_attempts(&desk.admin, &event, 1).await;
        assert_eq!((&waits["send"]["status"], &waits["send"]["may_duplicate"]), (&json!("unsent"), &json!(true)));
        let id = text(&waits["send"]["id"]);
        Told { kind: "aliyun_sms", path: &path, name: None, send: Some(&id), arrived: true }.to(&app).await;
        sent(&desk.admin, &event, "delivered").await;
        app.advance(60_000).await;
        let other = tell(&desk.admin, "sign.in", json!({"code": "2"})).await;
        delivery_attempts(&desk.admin, &other, 1).await;
        assert_eq!(provider.deliveries("/aliyun").len(), 2, "one for each");
    }

    /// Another account's messages, unknown ones and wrong addresses: taken or refused, and nothing changes.
    async fn a_receipt_counts_for_its_own_account_only(app: TestApp) {
        let provider = Provider::start().await;
        let (desk, to) = wired(&app, &provider, KINDS[0], json!({})).await;
        let (_, theirs) = wired(&app, &provider, KINDS[0], json!({})).await;
        let event = tell(&desk.admin, "sign.in", json!({"code": "1"})).await;
        let done = sent(&desk.admin, &event, "success").await;
        let (id, name) = (text(&done["send"]["id"]), text(&done["send"]["provider_message_id"]));
        let (path, other) = (text(&to["receipt_path"]), text(&theirs["receipt_path"]));
        for (path, name, send) in [
            (&other, Some(name.as_str()), Some(id.as_str())),
            (&other, None, Some(id.as_str())),
            (&other, Some(name.as_str()), None),
            (&path, Some("unknown"), None),
            (&path, Some("unknown"), Some("1")),
        ] {
            let told = Told { kind: "aliyun_sms", path, name, send, arrived: true };
            assert_eq!(told.to(&app).await.0, 200);
        }
        let still = sent(&desk.admin, &event, "success").await;
        assert_eq!(still["receipts"], json!([]));
        assert_eq!(stored(&app).1, 0);
        let (start, key) = path.split_once('-').unwrap();
        let (their_start, _) = other.split_once('-').unwrap();
        for wrong in [
            format!("{start}-"),
            start.to_owned(),
            format!("{start}-{key}x"),
            format!("{their_start}-{key}"),
            "/api/v1/hooks/1-x".to_owned(),
            "/api/v1/hooks/x".to_owned(),
        ] {
            let told = Told { kind: "aliyun_sms", path: &wrong, name: Some(&name), send: None, arrived: true };
            let (status, answer) = told.to(&app).await;
            assert_eq!((status, &answer["code"]), (404, &json!("not_found")), "{wrong}");
        }
        let admin = desk.admin.get(&format!("/channel-accounts/{}", text(&to["id"]))).await.ok();
        assert_eq!(admin["receipt_path"], json!(path));
        let listed = desk.supervisor.get("/channel-accounts").await.ok();
        assert_eq!(listed["data"][0]["receipt_path"], json!(null), "who knows it may report what it likes");
    }

    /// Five hundred at once, more than are taken, and what is no list.
    async fn many_at_once_and_what_is_no_list(app: TestApp) {
        let provider = Provider::start().await;
        let (desk, to) = wired(&app, &provider, KINDS[0], json!({})).await;
        let path = text(&to["receipt_path"]);
        let batch: Vec<Value> = (0..20).map(|n| json!({"key": "sign.in", "payload": {"code": n.to_string()}})).collect();
        desk.admin.post("/message-events/batch", json!({"events": batch})).await.status(202);
        let sends = eventually("all are sent", || async {
            let page = desk.admin.get("/message-sends?status=success").await.ok();
            let data = page["data"].as_array().unwrap().clone();
            (data.len() == 20).then_some(data)
        }).await;
        let names: Vec<String> = sends.iter().map(|one| text(&one["provider_message_id"])).collect();
        let reports: Vec<Value> = (0..500)
            .map(|n| {
                let unknown = format!("unknown-{n}");
                let name = names.get(n).unwrap_or(&unknown);
                Told { kind: "aliyun_sms", path: &path, name: Some(name), send: None, arrived: n % 2 == 0 }.aliyun()
            })
            .collect();
        for _ in 0..2 {
            assert_eq!(bring(&app, &path, json!(reports).to_string()).await, (200, json!({"code": 0, "msg": "OK"})));
        }
        for (status, count) in [("delivered", 10), ("undelivered", 10), ("success", 0)] {
            let page = desk.admin.get(&format!("/message-sends?status={status}")).await.ok();
            assert_eq!(page["data"].as_array().unwrap().len(), count, "{status}");
        }
        assert_eq!(stored(&app), (500, 20));
        for (body, status, code) in [
            ("{}".to_owned(), 400, "malformed_json"),
            ("<xml/>".to_owned(), 400, "malformed_json"),
            (String::new(), 400, "malformed_json"),
            (json!(vec![json!({"success": true, "biz_id": "x"}); 1_001]).to_string(), 413, "payload_too_large"),
            ("x".repeat(300_000), 413, "payload_too_large"),
        ] {
            let (got, answer) = bring(&app, &path, body).await;
            assert_eq!((got, &answer["code"]), (status, &json!(code)));
        }
        assert_eq!(bring(&app, &path, json!([null, 7, {}, {"success": "?"}]).to_string()).await.0, 200);
        assert_eq!(stored(&app), (500, 20));
    }

    /// What Twilio did not sign is refused; without a public address it is asked for no receipts, and none are believed.
    async fn only_twilio_signs_for_twilio(app: TestApp) {
        let provider = Provider::start().await;
        let (desk, to) = wired(&app, &provider, KINDS[2], json!({})).await;
        let path = text(&to["receipt_path"]);
        let event = tell(&desk.admin, "sign.in", json!({"code": "1"})).await;
        let done = sent(&desk.admin, &event, "success").await;
        let (id, name) = (text(&done["send"]["id"]), text(&done["send"]["provider_message_id"]));
        let asked = super::sms_provider::form(&provider.deliveries(KINDS[2].1).remove(0));
        assert_eq!(asked["StatusCallback"], format!("{PUBLIC}{path}?send={id}"));
        let fields = [("MessageSid", name.as_str()), ("MessageStatus", "delivered")];
        for (public, token) in [(PUBLIC, "another"), ("https://other.example", SECRET)] {
            let (status, answer) = form(&app, &path, &fields, public, token).await;
            assert_eq!((status, &answer["code"]), (403, &json!("forbidden")));
        }
        let bare = written(&app, &path, &fields).send().await.unwrap();
        assert_eq!(bare.status().as_u16(), 403);
        let (status, _) = form(&app, &path, &[("MessageSid", &name), ("MessageStatus", "sent")], PUBLIC, SECRET).await;
        assert_eq!((status, stored(&app)), (204, (0, 0)));
        sent(&desk.admin, &event, "success").await;
        let hidden = app.restarted(|settings| settings.public_url = None).await;
        let admin = hidden.client_of(desk.seed.admin);
        assert_eq!(form(&hidden, &path, &fields, PUBLIC, SECRET).await.0, 403);
        let event = tell(&admin, "sign.in", json!({"code": "2"})).await;
        sent(&admin, &event, "success").await;
        let asked = super::sms_provider::form(&provider.deliveries(KINDS[2].1).remove(1));
        assert!(!asked.contains_key("StatusCallback"), "{asked:?}");
    }

    /// Receipts are kept as long as their messages, and those of unknown messages as long.
    async fn receipts_go_with_their_messages(app: TestApp) {
        let provider = Provider::start().await;
        let (desk, to) = wired(&app, &provider, KINDS[0], json!({})).await;
        let path = text(&to["receipt_path"]);
        let event = tell(&desk.admin, "sign.in", json!({"code": "1"})).await;
        let done = sent(&desk.admin, &event, "success").await;
        let name = text(&done["send"]["provider_message_id"]);
        for name in [name.as_str(), "unknown"] {
            Told { kind: "aliyun_sms", path: &path, name: Some(name), send: None, arrived: true }.to(&app).await;
        }
        assert_eq!(stored(&app), (2, 1));
        app.advance(91 * 86_400_000).await;
        let cleaned = app.restarted(|settings| settings.cleaning.cleaning_minutes = 1).await;
        eventually("the receipts are gone", || async { (stored(&cleaned) == (0, 0)).then_some(()) }).await;
    }
}
