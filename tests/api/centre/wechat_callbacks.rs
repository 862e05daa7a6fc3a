//! What WeChat brings to an official account: the check of the address and what became of messages, plain and encrypted,
//! forged, repeated and late.

use aes::Aes256;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use cbc::Encryptor;
use cbc::cipher::block_padding::NoPadding;
use cbc::cipher::{BlockModeEncrypt, KeyIvInit};
use serde_json::{Value, json};
use sha1::{Digest, Sha1};

use super::provider::{Act, Provider};
use super::wechat::wired;
use super::wechat_provider::{APP_ID, SECRET, SEND};
use super::{sent, tell, text};
use crate::harness::{Desk, TestApp, eventually};

/// The token of callbacks of every official account.
pub const TOKEN: &str = "AAAAA";
/// The key of the official accounts that have one: it is the base64 of 32 bytes without its padding.
pub const KEY: &str = "YWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWE";

/// What WeChat signs with, and when.
#[derive(Clone, Copy)]
pub struct Signer<'a> {
    pub token: &'a str,
    pub seconds: i64,
    pub nonce: &'a str,
}

impl Signer<'_> {
    /// The query that it signs; over this encrypted text as well, when there is one.
    pub fn query(self, sealed: Option<&str>) -> String {
        let seconds = self.seconds.to_string();
        let plain = sha1(&[self.token, &seconds, self.nonce]);
        let base = format!("signature={plain}&timestamp={seconds}&nonce={}", self.nonce);
        match sealed {
            None => base,
            Some(sealed) => {
                let over = sha1(&[self.token, &seconds, self.nonce, sealed]);
                format!("{base}&encrypt_type=aes&msg_signature={over}")
            }
        }
    }
}

pub fn sha1(texts: &[&str]) -> String {
    let mut texts = texts.to_vec();
    texts.sort_unstable();
    Sha1::digest(texts.concat()).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// An event as WeChat encrypts it for this account.
pub fn sealed(message: &str, app_id: &str) -> String {
    let key = [b'a'; 32];
    let mut bytes = b"0123456789abcdef".to_vec();
    bytes.extend(u32::try_from(message.len()).unwrap().to_be_bytes());
    bytes.extend([message.as_bytes(), app_id.as_bytes()].concat());
    let fill = 32 - bytes.len() % 32;
    bytes.extend(std::iter::repeat_n(u8::try_from(fill).unwrap(), fill));
    let length = bytes.len();
    let cipher = Encryptor::<Aes256>::new_from_slices(&key, &key[..16]).unwrap();
    STANDARD.encode(cipher.encrypt_padded::<NoPadding>(&mut bytes, length).unwrap())
}

pub fn envelope(sealed: &str) -> String {
    format!("<xml><ToUserName><![CDATA[gh_1]]></ToUserName><Encrypt><![CDATA[{sealed}]]></Encrypt></xml>")
}

/// What became of a message.
fn event(id: &str, status: &str) -> String {
    format!(
        "<xml><ToUserName><![CDATA[gh_1]]></ToUserName><FromUserName><![CDATA[oEva]]></FromUserName>\
         <CreateTime>1395658920</CreateTime><MsgType><![CDATA[event]]></MsgType>\
         <Event><![CDATA[TEMPLATESENDJOBFINISH]]></Event><MsgID>{id}</MsgID><Status><![CDATA[{status}]]></Status></xml>"
    )
}

pub fn now(app: &TestApp) -> i64 {
    app.app().clock.now().0 / 1_000
}

/// Brings a body; gives the status and the answer.
pub async fn bring(app: &TestApp, path: &str, query: &str, body: &str) -> (u16, String) {
    let request = app.http().post(format!("{}{path}?{query}", app.base())).header("content-type", "text/xml");
    let response = request.body(body.to_owned()).send().await.unwrap();
    (response.status().as_u16(), response.text().await.unwrap())
}

/// Asks for the address; gives the status and the answer.
async fn ask(app: &TestApp, path: &str, query: &str) -> (u16, String) {
    let response = app.http().get(format!("{}{path}?{query}", app.base())).send().await.unwrap();
    (response.status().as_u16(), response.text().await.unwrap())
}

/// A tenant whose official account has a token, and this key; gives the account's path for receipts.
async fn called(app: &TestApp, provider: &Provider, key: Option<&str>) -> (Desk, String, String) {
    let (desk, account) = wired(app, provider, json!({})).await;
    let mut wechat = json!({"app_id": APP_ID, "callback_token": TOKEN});
    if let Some(key) = key {
        wechat["encoding_aes_key"] = json!(key);
    }
    let shown =
        desk.admin.patch(&format!("/channel-accounts/{account}"), json!({ "wechat": wechat })).await.ok();
    assert!(!shown.to_string().contains(TOKEN) && !shown.to_string().contains(KEY), "{shown}");
    (desk, text(&shown["receipt_path"]), account)
}

/// The outcome and the code of each receipt of a send.
fn receipts(done: &Value) -> Vec<Value> {
    done["receipts"].as_array().unwrap().iter().map(|one| json!([one["status"], one["code"]])).collect()
}

on_every_database! {
    /// WeChat hears its `echostr` when it signs with the account's token, now, and nothing otherwise.
    async fn the_address_is_verified(app: TestApp) {
        let provider = Provider::start().await;
        let (desk, path, account) = called(&app, &provider, None).await;
        let signer = Signer { token: TOKEN, seconds: now(&app), nonce: "486452656" };
        let query = format!("{}&echostr=4375120948345356249", signer.query(None));
        assert_eq!(ask(&app, &path, &query).await, (200, "4375120948345356249".to_owned()));
        for signer in [
            Signer { token: "BBBBB", ..signer },
            Signer { seconds: signer.seconds - 601, ..signer },
            Signer { seconds: signer.seconds + 700, ..signer },
        ] {
            let query = format!("{}&echostr=x", signer.query(None));
            assert_eq!(ask(&app, &path, &query).await.0, 403);
        }
        assert_eq!(ask(&app, &path, "").await.0, 403);
        assert_eq!(ask(&app, &path[..path.len() - 1], &query).await.0, 404);
        // Without a token nothing is taken.
        let (other, _) = wired(&app, &provider, json!({})).await;
        let listed = other.admin.get("/channel-accounts").await.ok();
        let theirs = text(&listed["data"][0]["receipt_path"]);
        assert_eq!(ask(&app, &theirs, &query).await.0, 404);
        assert_eq!(bring(&app, &theirs, &query, &event("1", "success")).await.0, 404);
        let body = json!({"wechat": {"app_id": APP_ID, "app_secret": SECRET, "encoding_aes_key": "short"}});
        let refused = desk.admin.patch(&format!("/channel-accounts/{account}"), body).await;
        refused.refused(422, "validation_failed");
    }

    /// What became of a message is taken plain and encrypted, as XML and JSON; repeats change nothing.
    async fn what_became_of_a_message_is_taken(app: TestApp) {
        let provider = Provider::start().await;
        for key in [None, Some(KEY)] {
            let (desk, path, _) = called(&app, &provider, key).await;
            for (status, becomes, nonce) in [
                ("success", "delivered", "1"),
                ("failed:user block", "undelivered", "2"),
                ("failed: system failed", "undelivered", "3"),
            ] {
                let told = tell(&desk.admin, "order.shipped", json!({ "what": nonce })).await;
                let done = sent(&desk.admin, &told, "success").await;
                let plain = event(&text(&done["send"]["provider_message_id"]), status);
                let hidden = sealed(&plain, APP_ID);
                let signer = Signer { token: TOKEN, seconds: now(&app), nonce };
                let (query, body) = match key {
                    None => (signer.query(None), plain),
                    Some(_) => (signer.query(Some(&hidden)), envelope(&hidden)),
                };
                for _ in 0..3 {
                    assert_eq!(bring(&app, &path, &query, &body).await, (200, "success".to_owned()));
                }
                let done = sent(&desk.admin, &told, becomes).await;
                let code = if becomes == "delivered" { json!(null) } else { json!(status) };
                assert_eq!(receipts(&done), [json!([becomes, code])], "{done}");
            }
            if key.is_none() {
                let told = tell(&desk.admin, "order.shipped", json!({"what": "json"})).await;
                let done = sent(&desk.admin, &told, "success").await;
                let id: i64 = text(&done["send"]["provider_message_id"]).parse().unwrap();
                let body = json!({"MsgType": "event", "Event": "TEMPLATESENDJOBFINISH", "MsgID": id, "Status": "success"});
                let signer = Signer { token: TOKEN, seconds: now(&app), nonce: "json" };
                let taken = bring(&app, &path, &signer.query(None), &body.to_string()).await;
                assert_eq!(taken, (200, "success".to_owned()));
                sent(&desk.admin, &told, "delivered").await;
                // Other events are taken and say nothing.
                let other = "<xml><MsgType>event</MsgType><Event>VIEW</Event></xml>";
                let signer = Signer { nonce: "other", ..signer };
                assert_eq!(bring(&app, &path, &signer.query(None), other).await, (200, "success".to_owned()));
            }
        }
    }

    /// Nobody else tells what became of a message: without the token, late, with another body, or not encrypted.
    async fn what_is_forged_or_late_is_refused(app: TestApp) {
        let provider = Provider::start().await;
        for key in [None, Some(KEY)] {
            let (desk, path, _) = called(&app, &provider, key).await;
            let told = tell(&desk.admin, "order.shipped", json!({"what": "1"})).await;
            let done = sent(&desk.admin, &told, "success").await;
            let id = text(&done["send"]["provider_message_id"]);
            let plain = event(&id, "success");
            let hidden = sealed(&plain, APP_ID);
            let body = if key.is_some() { envelope(&hidden) } else { plain.clone() };
            let over = key.map(|_| hidden.as_str());
            let signer = Signer { token: TOKEN, seconds: now(&app), nonce: "n" };
            let right = signer.query(over);
            let mut wrong = vec![
                (Signer { token: "BBBBB", ..signer }.query(over), body.clone()),
                (Signer { seconds: signer.seconds - 601, ..signer }.query(over), body.clone()),
                (right.replace("nonce=n", "nonce=m"), body.clone()),
                (String::new(), body.clone()),
            ];
            if key.is_some() {
                let elsewhere = sealed(&plain, "wx0000000000000000");
                let cut = &hidden[..hidden.len() - 44];
                wrong.extend([
                    (signer.query(None), plain.clone()),
                    (signer.query(None), body.clone()),
                    (right.clone(), envelope(&sealed(&event(&id, "failed:user block"), APP_ID))),
                    (signer.query(Some(&elsewhere)), envelope(&elsewhere)),
                    (signer.query(Some(cut)), envelope(cut)),
                ]);
            }
            for (query, body) in wrong {
                assert_eq!(bring(&app, &path, &query, &body).await.0, 403, "{query} {body}");
            }
            let still = sent(&desk.admin, &told, "success").await;
            assert_eq!(receipts(&still), Vec::<Value>::new());
            // Its own body first: after that the signature counts for no other one.
            let first = "<xml><MsgType>event</MsgType><Event>VIEW</Event></xml>";
            let (hidden, nonce) = (sealed(first, APP_ID), "once");
            let signer = Signer { nonce, ..signer };
            let body = if key.is_some() { envelope(&hidden) } else { first.to_owned() };
            let over = key.map(|_| hidden.as_str());
            let query = signer.query(over);
            assert_eq!(bring(&app, &path, &query, &body).await.0, 200);
            assert_eq!(bring(&app, &path, &query, &body).await.0, 200, "WeChat brings it again");
            if key.is_none() {
                assert_eq!(bring(&app, &path, &query, &plain).await.0, 403, "another body with its signature");
            }
            app.advance(601_000).await;
            assert_eq!(bring(&app, &path, &query, &body).await.0, 403, "ten minutes later");
            let still = sent(&desk.admin, &told, "success").await;
            assert_eq!(receipts(&still), Vec::<Value>::new());
        }
    }

    /// Hostile bodies are refused, also where they are signed; and an event before the answer to its message is kept.
    async fn hostile_bodies_and_early_events(app: TestApp) {
        let provider = Provider::start().await;
        let (desk, path, _) = called(&app, &provider, None).await;
        let bomb = "<!DOCTYPE a [<!ENTITY b \"x\"><!ENTITY c \"&b;&b;&b;\">]><xml><Status>&c;</Status></xml>".to_owned();
        let many = format!("<xml>{}</xml>", "<a></a>".repeat(5_000));
        for (index, (body, status)) in [
            (bomb, 400),
            (many, 400),
            ("<xml><a></xml>".to_owned(), 400),
            (String::new(), 400),
            ("x".repeat(70_000), 413),
            ("x".repeat(300_000), 413),
        ]
        .into_iter()
        .enumerate()
        {
            let signer = Signer { token: TOKEN, seconds: now(&app), nonce: &format!("h{index}") };
            assert_eq!(bring(&app, &path, &signer.query(None), &body).await.0, status, "{index}");
        }
        provider.script(SEND, [Act::Wait(2_000)]);
        let told = tell(&desk.admin, "order.shipped", json!({"what": "early"})).await;
        let got = eventually("the message is on its way", || async { provider.deliveries(SEND).pop() }).await;
        let body = event(got.body["client_msg_id"].as_str().unwrap(), "success");
        let signer = Signer { token: TOKEN, seconds: now(&app), nonce: "early" };
        assert_eq!(bring(&app, &path, &signer.query(None), &body).await.0, 200);
        let done = sent(&desk.admin, &told, "delivered").await;
        assert_eq!(receipts(&done), [json!(["delivered", null])]);
    }
}
