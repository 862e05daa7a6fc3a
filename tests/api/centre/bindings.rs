//! QR codes of WeChat: staff and visitors scan them and are written to, until they unfollow.

use std::sync::atomic::{AtomicU64, Ordering};

use deskwire::journal::Command;
use deskwire::journal::commands::Merge;
use reqwest::Method;
use serde_json::{Value, json};

use super::provider::Provider;
use super::wechat::{official, shipped};
use super::wechat_callbacks::{KEY, Signer, TOKEN, bring, envelope, now, sealed};
use super::wechat_provider::{APP_ID, QR, SECRET, SEND, calls, scene};
use super::{expanded, rule, text};
use crate::harness::{Answer, Client, Desk, TestApp, eventually};

/// An official account that takes callbacks.
pub struct Official {
    /// Its id.
    pub id: String,
    /// Where WeChat brings events.
    pub path: String,
    /// Whether they are encrypted.
    pub is_sealed: bool,
}

/// Makes an official account that takes callbacks, encrypted with this key if there is one.
pub async fn scannable(desk: &Desk, provider: &Provider, key: Option<&str>) -> Official {
    let id = text(&official(&desk.admin, provider, SECRET).await["id"]);
    let mut wechat = json!({"app_id": APP_ID, "callback_token": TOKEN});
    if let Some(key) = key {
        wechat["encoding_aes_key"] = json!(key);
    }
    let path = format!("/channel-accounts/{id}");
    let shown = desk.admin.patch(&path, json!({ "wechat": wechat })).await.ok();
    Official { id, path: text(&shown["receipt_path"]), is_sealed: key.is_some() }
}

/// An event of WeChat's, of this time in unix seconds.
pub fn event(name: &str, key: &str, openid: &str, seconds: i64) -> String {
    format!(
        "<xml><ToUserName><![CDATA[gh_1]]></ToUserName><FromUserName><![CDATA[{openid}]]></FromUserName>\
         <CreateTime>{seconds}</CreateTime><MsgType><![CDATA[event]]></MsgType><Event><![CDATA[{name}]]></Event>\
         <EventKey><![CDATA[{key}]]></EventKey><Ticket><![CDATA[gQ==]]></Ticket></xml>"
    )
}

/// WeChat brings an event, signed anew; gives the status of the answer.
pub async fn brought(app: &TestApp, to: &Official, event: &str) -> u16 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    let nonce = NEXT.fetch_add(1, Ordering::Relaxed).to_string();
    let signer = Signer { token: TOKEN, seconds: now(app), nonce: &nonce };
    let hidden = sealed(event, APP_ID);
    let (query, body) = match to.is_sealed {
        true => (signer.query(Some(&hidden)), envelope(&hidden)),
        false => (signer.query(None), event.to_owned()),
    };
    bring(app, &to.path, &query, &body).await.0
}

/// Somebody who follows scans a code, now.
pub async fn scan(app: &TestApp, to: &Official, scene: &str, openid: &str) {
    assert_eq!(brought(app, to, &event("SCAN", scene, openid, now(app))).await, 200);
}

/// Somebody follows by a code, now.
pub async fn follow(app: &TestApp, to: &Official, scene: &str, openid: &str) {
    let key = format!("qrscene_{scene}");
    assert_eq!(brought(app, to, &event("subscribe", &key, openid, now(app))).await, 200);
}

/// Has a code made; gives it and its scene.
pub async fn code(by: &Client, provider: &Provider, body: Value) -> (Value, String) {
    let made = by.post("/message-bindings", body).await.status(201);
    assert_eq!(made["status"], "pending", "{made}");
    (made, scene(provider))
}

/// Asks for a code for somebody.
async fn asked(by: &Client, name: &str, whom: &str) -> Answer {
    by.post("/message-bindings", json!({name: whom})).await
}

/// What a code is by now.
pub async fn state(by: &Client, code: &Value) -> Value {
    by.get(&format!("/message-bindings/{}", text(&code["id"]))).await.ok()["status"].clone()
}

/// Who is bound to the account, each with its openid, in the order of their names there.
pub async fn identities(desk: &Desk, to: &Official) -> Vec<Value> {
    let path = format!("/message-identities?account_id={}&limit=200", to.id);
    let page = desk.supervisor.get(&path).await.ok();
    let mut all: Vec<Value> =
        page["data"].as_array().unwrap().iter().map(|one| json!([one["openid"], one["person_id"]])).collect();
    all.sort_by_key(Value::to_string);
    all
}

/// A picture of a code: its type and bytes.
async fn picture(by: &Client, path: &Value) -> (String, Vec<u8>) {
    let request = by.request(Method::GET, &format!("{}{}", by.base, text(path)));
    let answer = request.send().await.unwrap();
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.headers()["cache-control"], "no-store");
    (answer.headers()["content-type"].to_str().unwrap().to_owned(), answer.bytes().await.unwrap().to_vec())
}

/// What a phone reads of a picture of so many points a side.
fn read(side: usize, dark: impl Fn(usize, usize) -> bool) -> String {
    let mut image =
        rqrr::PreparedImage::prepare_from_greyscale(side, side, |x, y| if dark(x, y) { 0 } else { 255 });
    let grids = image.detect_grids();
    assert_eq!(grids.len(), 1, "one code");
    grids[0].decode().expect("a code that can be read").1
}

/// What a phone reads of a PNG.
fn read_png(bytes: &[u8]) -> String {
    let mut reader = png::Decoder::new(std::io::Cursor::new(bytes)).read_info().unwrap();
    let mut points = vec![0; reader.output_buffer_size().unwrap()];
    let frame = reader.next_frame(&mut points).unwrap();
    assert_eq!((frame.color_type, frame.bit_depth), (png::ColorType::Grayscale, png::BitDepth::One));
    let (side, line) = (frame.width as usize, frame.line_size);
    assert_eq!(frame.height, frame.width);
    read(side, |x, y| points[y * line + x / 8] >> (7 - x % 8) & 1 == 0)
}

/// What a phone reads of an SVG of ours: dark runs `M{x} {y}h{n}v1h-{n}z`, drawn four points for each unit.
fn read_svg(bytes: &[u8]) -> String {
    let svg = String::from_utf8(bytes.to_vec()).unwrap();
    let between = |from: &str, to: &str| svg.split_once(from).unwrap().1.split_once(to).unwrap().0.to_owned();
    let side: usize = between("viewBox=\"0 0 ", " ").parse().unwrap();
    let mut dark = vec![false; side * side];
    for run in between("fill=\"#000\" d=\"", "\"").split('M').skip(1) {
        let (x, rest) = run.split_once(' ').unwrap();
        let (y, rest) = rest.split_once('h').unwrap();
        let (count, rest) = rest.split_once("v1h-").unwrap();
        assert_eq!(rest, format!("{count}z"));
        let [x, y, count] = [x, y, count].map(|text| text.parse::<usize>().unwrap());
        dark[y * side + x..][..count].fill(true);
    }
    read(side * 4, |x, y| dark[y / 4 * side + x / 4])
}

/// What is sent for an event to somebody: address, status and reason of each send.
async fn told(desk: &Desk, key: &str, customer: Option<&str>) -> Vec<Value> {
    let mut body = json!({"key": key, "payload": {"what": "Boots"}});
    if let Some(customer) = customer {
        body["customer_id"] = json!(customer);
    }
    let event = text(&desk.admin.post("/message-events", body).await.status(202)["id"]);
    expanded(&desk.admin, &event).await;
    eventually("the sends have ended", || async {
        let trace = desk.admin.get(&format!("/message-events/{event}")).await.ok();
        let sends = trace["sends"].as_array().unwrap();
        let line =
            |one: &Value| json!([one["send"]["address"], one["send"]["status"], one["send"]["reason"]]);
        let is_open = |one: &Value| matches!(one["send"]["status"].as_str(), Some("unsent" | "sending"));
        (!sends.iter().any(is_open)).then(|| sends.iter().map(line).collect())
    })
    .await
}

on_every_database! {
    /// An agent follows by a code, a visitor who follows scans one, and messages of the account reach both; the pictures
    /// hold the address that WeChat gave, and nobody is shown the scene. Plain and encrypted.
    async fn staff_and_visitors_scan_and_are_reached(app: TestApp) {
        for key in [None, Some(KEY)] {
            let provider = Provider::start().await;
            let desk = app.desk().await;
            let to = scannable(&desk, &provider, key).await;
            let template = shipped(&desk.admin).await;
            let agent = json!({"recipients": [{"type": "member", "id": desk.agent.id()}]});
            rule(&desk.admin, "stock.low", &template, &to.id, agent).await;
            let customer = json!({"recipients": [{"type": "customer"}]});
            rule(&desk.admin, "order.shipped", &template, &to.id, customer).await;
            assert_eq!(told(&desk, "stock.low", None).await, [json!([null, "suppressed", "no_address"])]);
            for (who, openid) in [(&desk.agent, "oAgent"), (&desk.visitor, "oVisitor")] {
                let (made, scene) = code(who, &provider, json!({})).await;
                let asked = provider.deliveries(QR).pop().unwrap().body;
                assert_eq!(asked, json!({"expire_seconds": 600, "action_name": "QR_STR_SCENE",
                    "action_info": {"scene": {"scene_str": scene}}}));
                assert_eq!((&made["person_id"], &made["created_by"]), (&json!(who.id()), &json!(who.id())));
                assert!(!made.to_string().contains(&scene) && scene.len() == 43, "{made}");
                let (kind, svg) = picture(who, &made["svg_path"]).await;
                assert_eq!((kind.as_str(), read_svg(&svg)), ("image/svg+xml", text(&made["url"])));
                let (kind, png) = picture(who, &made["png_path"]).await;
                assert_eq!((kind.as_str(), read_png(&png)), ("image/png", text(&made["url"])));
                match openid {
                    "oAgent" => follow(&app, &to, &scene, openid).await,
                    _ => scan(&app, &to, &scene, openid).await,
                }
                let shown = who.get(&format!("/message-bindings/{}", text(&made["id"]))).await.ok();
                assert_eq!((&shown["status"], &shown["url"], &shown["svg_path"]), (&json!("bound"), &json!(null), &json!(null)));
                assert!(shown["bound_at"].is_string() && shown["refused_at"].is_null(), "{shown}");
                for kind in ["svg", "png"] {
                    let path = format!("/message-bindings/{}/qr.{kind}", text(&made["id"]));
                    assert_eq!(who.get(&path).await.refused(409, "invalid_transition")["context"]["status"], "bound");
                }
            }
            let both = [json!(["oAgent", desk.agent.id()]), json!(["oVisitor", desk.visitor.id()])];
            assert_eq!(identities(&desk, &to).await, both);
            assert_eq!(told(&desk, "stock.low", None).await, [json!(["oAgent", "success", null])]);
            let customer = desk.visitor.id();
            assert_eq!(told(&desk, "order.shipped", Some(&customer)).await, [json!(["oVisitor", "success", null])]);
            let got: Vec<Value> = provider.deliveries(SEND).iter().map(|one| one.body["touser"].clone()).collect();
            assert_eq!((got, calls(&provider)), (vec![json!("oAgent"), json!("oVisitor")], 1));
        }
    }

    /// Everybody binds itself; agents those whom they serve; supervisors and administrators everybody of their tenant.
    async fn whom_one_may_bind(app: TestApp) {
        let provider = Provider::start().await;
        let (desk, theirs) = (app.desk().await, app.desk().await);
        let to = scannable(&desk, &provider, None).await;
        let elsewhere = scannable(&theirs, &provider, None).await;
        let room = desk.open_and_claim("hello").await;
        let (customer, other) = (desk.visitor.id(), desk.second_visitor.id());
        desk.admin.patch(&format!("/members/{customer}"), json!({"external_id": "c-7"})).await.ok();
        let recipient = text(&desk.admin.post("/message-recipients", json!({"name": "Eva"})).await.status(201)["id"]);
        let by_id = "person_id";
        let by_name = "customer_external_id";
        for (who, name, whom, may) in [
            (&desk.visitor, by_id, customer.as_str(), true),
            (&desk.visitor, by_name, "c-7", true),
            (&desk.visitor, by_id, &other, false),
            (&desk.second_visitor, by_name, "c-7", false),
            (&desk.second_visitor, by_id, &desk.agent.id(), false),
            (&desk.agent, by_id, &desk.agent.id(), true),
            (&desk.agent, by_id, &customer, true),
            (&desk.agent, by_name, "c-7", true),
            (&desk.agent, by_id, &other, false),
            (&desk.agent, by_id, &desk.second_agent.id(), false),
            (&desk.agent, by_id, &recipient, false),
            (&desk.second_agent, by_id, &customer, false),
            (&desk.supervisor, by_id, &other, true),
            (&desk.supervisor, by_id, &recipient, true),
            (&desk.supervisor, by_id, &desk.admin.id(), true),
            (&desk.admin, by_id, &desk.agent.id(), true),
            (&desk.admin, by_id, "1", false),
            (&desk.admin, by_name, "c-8", false),
            (&desk.admin, by_id, &theirs.visitor.id(), false),
            (&theirs.admin, by_id, &customer, false),
        ] {
            let answer = asked(who, name, whom).await;
            match may {
                true => assert_eq!(answer.status(201)["status"], "pending"),
                false => {
                    let pointer = answer.refused(422, "validation_failed")["errors"][0]["pointer"].clone();
                    assert_eq!(pointer, format!("/{name}"), "{whom}");
                }
            }
        }
        desk.anonymous.post("/message-bindings", json!({})).await.refused(401, "unauthenticated");
        theirs.admin.post("/message-bindings", json!({"account_id": to.id})).await.refused(422, "validation_failed");
        let both = json!({"person_id": customer, "customer_external_id": "c-7"});
        desk.admin.post("/message-bindings", both).await.refused(422, "validation_failed");
        // Once the conversation is over the agent has nothing to do with the customer.
        desk.agent.post(&format!("/conversations/{room}/close"), json!({})).await.ok();
        asked(&desk.agent, by_id, &customer).await.refused(422, "validation_failed");
        // Who sees a code: its maker, whom it binds, and who may bind everybody.
        let (code, _) = code(&desk.supervisor, &provider, json!({"person_id": customer})).await;
        let path = format!("/message-bindings/{}", text(&code["id"]));
        for (who, sees) in [
            (&desk.visitor, true),
            (&desk.supervisor, true),
            (&desk.admin, true),
            (&desk.agent, false),
            (&desk.second_visitor, false),
            (&theirs.admin, false),
        ] {
            let paths = [path.clone(), format!("{path}/qr.svg"), format!("{path}/qr.png")];
            for path in paths {
                assert_eq!(who.get(&path).await.status, if sees { 200 } else { 404 }, "{path}");
            }
            if !sees {
                who.post(&format!("{path}/cancel"), json!({})).await.refused(404, "not_found");
            }
        }
        for who in [&desk.visitor, &desk.agent] {
            who.get("/message-bindings").await.refused(403, "forbidden");
        }
        let page = desk.supervisor.get(&format!("/message-bindings?person_id={customer}&limit=200")).await.ok();
        let mine = page["data"].as_array().unwrap();
        assert!(mine.iter().all(|one| one["person_id"] == json!(customer)) && mine.len() == 5, "{page}");
        let page = theirs.admin.get(&format!("/message-bindings?account_id={}", to.id)).await.ok();
        assert_eq!(page["data"], json!([]));
        assert_ne!(elsewhere.id, to.id);
    }

    /// Whoever unfollows is reached no more, and by no repeat; who comes back scans a new code. What comes late ends nothing.
    async fn unfollowing_unbinds(app: TestApp) {
        let provider = Provider::start().await;
        let desk = app.desk().await;
        let to = scannable(&desk, &provider, None).await;
        let template = shipped(&desk.admin).await;
        let agent = json!({"recipients": [{"type": "member", "id": desk.agent.id()}]});
        rule(&desk.admin, "stock.low", &template, &to.id, agent).await;
        let (first, old) = code(&desk.agent, &provider, json!({})).await;
        let scanned = event("subscribe", &format!("qrscene_{old}"), "oAgent", now(&app));
        assert_eq!(brought(&app, &to, &scanned).await, 200);
        assert_eq!(told(&desk, "stock.low", None).await, [json!(["oAgent", "success", null])]);
        app.advance(60_000).await;
        // Somebody else's leaving is nothing to it.
        assert_eq!(brought(&app, &to, &event("unsubscribe", "", "oOther", now(&app))).await, 200);
        assert_eq!(state(&desk.agent, &first).await, "bound");
        let left = event("unsubscribe", "", "oAgent", now(&app));
        for _ in 0..2 {
            assert_eq!(brought(&app, &to, &left).await, 200);
            assert_eq!((state(&desk.agent, &first).await, identities(&desk, &to).await), (json!("unbound"), vec![]));
        }
        assert_eq!(told(&desk, "stock.low", None).await, [json!([null, "suppressed", "no_address"])]);
        // It follows again, by a search and by the old code: that says nothing of who it is.
        app.advance(60_000).await;
        assert_eq!(brought(&app, &to, &event("subscribe", "", "oAgent", now(&app))).await, 200);
        assert_eq!(brought(&app, &to, &scanned).await, 200);
        scan(&app, &to, &old, "oAgent").await;
        assert_eq!(identities(&desk, &to).await, Vec::<Value>::new());
        let (second, new) = code(&desk.agent, &provider, json!({})).await;
        follow(&app, &to, &new, "oAgent").await;
        assert_eq!(brought(&app, &to, &left).await, 200, "the leaving comes once more, after the scan");
        assert_eq!(state(&desk.agent, &second).await, "bound");
        assert_eq!(told(&desk, "stock.low", None).await, [json!(["oAgent", "success", null])]);
        // An administrator unbinds as well.
        let listed = desk.admin.get("/message-identities").await.ok();
        desk.admin.delete(&format!("/message-identities/{}", text(&listed["data"][0]["id"]))).await.status(204);
        assert_eq!(state(&desk.agent, &second).await, "unbound");
    }

    /// A visitor who is recognised while its code is shown is bound as the customer that it is.
    async fn who_is_recognised_is_bound_as_that(app: TestApp) {
        let provider = Provider::start().await;
        let desk = app.desk().await;
        let to = scannable(&desk, &provider, None).await;
        let (made, scene) = code(&desk.visitor, &provider, json!({})).await;
        let (from, into) = (desk.seed.visitor.member, desk.seed.second_visitor.member);
        app.submit(Command::new(desk.seed.visitor, Merge { from, into })).await;
        assert_eq!(state(&desk.second_visitor, &made).await, "pending");
        scan(&app, &to, &scene, "oVisitor").await;
        assert_eq!(state(&desk.second_visitor, &made).await, "bound");
        assert_eq!(identities(&desk, &to).await, [json!(["oVisitor", desk.second_visitor.id()])]);
        let left = event("unsubscribe", "", "oVisitor", now(&app));
        assert_eq!(brought(&app, &to, &left).await, 200);
        assert_eq!(state(&desk.second_visitor, &made).await, "unbound");
    }
}
