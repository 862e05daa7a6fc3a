//! Visitors: coming in, and being recognised.

use std::sync::atomic::{AtomicU64, Ordering};

use deskwire::kernel::Millis;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};

use crate::harness::{Client, Desk, TestApp};

/// A tenant's own server, which signs who its visitors are.
pub struct Shop {
    kid: String,
    secret: String,
}

impl Shop {
    /// Of this tenant.
    pub async fn new(desk: &Desk) -> Self {
        let key = desk.admin.post("/identity-keys", json!({})).await.status(201);
        let text = |name: &str| key[name].as_str().unwrap().to_owned();
        Self { kid: text("kid"), secret: text("secret") }
    }

    fn sign(&self, claims: &Value) -> Value {
        let mut header = Header::new(Algorithm::HS256);
        header.kid = Some(self.kid.clone());
        let key = EncodingKey::from_secret(self.secret.as_bytes());
        json!({"identity_token": jsonwebtoken::encode(&header, claims, &key).unwrap()})
    }

    /// The body of a request to identify as the customer with this id.
    pub fn word(&self, app: &TestApp, id: &str) -> Value {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let number = NEXT.fetch_add(1, Ordering::Relaxed).to_string();
        let name = format!("Customer {id}");
        self.sign(&json!({"sub": id, "exp": seconds(app.clock.now()) + 60, "nickname": name, "jti": number}))
    }
}

fn seconds(at: Millis) -> i64 {
    at.0 / 1_000
}

async fn visitor(desk: &Desk) -> (Client, Value) {
    let tokens =
        desk.anonymous.post("/visitors", json!({"tenant": desk.slug, "device": "web"})).await.status(201);
    (desk.anonymous.with_token(tokens["access_token"].as_str().unwrap()), tokens)
}

async fn identify(desk: &Desk, client: &Client, word: Value) -> (Client, Value) {
    let tokens = client.post("/visitors/identify", word).await.status(200);
    (desk.anonymous.with_token(tokens["access_token"].as_str().unwrap()), tokens)
}

fn id(tokens: &Value) -> &str {
    tokens["member"]["id"].as_str().unwrap()
}

on_every_database! {
    /// Anybody comes in by the tenant's slug, and stays by refreshing.
    async fn a_visitor_comes_in_without_an_account(app: TestApp) {
        let desk = app.desk().await;
        let (client, tokens) = visitor(&desk).await;
        assert_eq!(tokens["member"]["role"], "customer");
        assert!(!tokens["member"]["nickname"].as_str().unwrap().is_empty());
        assert_eq!(client.get("/me").await.ok()["id"], id(&tokens));
        app.advance(100 * 86_400_000).await;
        let renewed = client.post("/auth/refresh", json!({"refresh_token": tokens["refresh_token"]})).await.ok();
        assert_eq!(id(&renewed), id(&tokens));
        let named = json!({"tenant": desk.slug, "nickname": " 小王 "});
        let named = desk.anonymous.post("/visitors", named).await.status(201);
        assert_eq!(named["member"]["nickname"], "小王");
        desk.anonymous.post("/visitors", json!({"tenant": "nowhere"})).await.refused(404, "not_found");
        let long = json!({"tenant": desk.slug, "nickname": "x".repeat(51)});
        desk.anonymous.post("/visitors", long).await.refused(422, "validation_failed");
        let device = json!({"tenant": desk.slug, "device": "my phone"});
        desk.anonymous.post("/visitors", device).await.refused(422, "validation_failed");
    }

    /// Nobody is known under that id: the visitor becomes the customer and keeps everything.
    async fn a_new_customer_is_promoted_in_place(app: TestApp) {
        let desk = app.desk().await;
        let shop = Shop::new(&desk).await;
        let (client, tokens) = visitor(&desk).await;
        let room = client.open("hello").await;
        let (customer, identified) = identify(&desk, &client, shop.word(&app, "u-1")).await;
        assert_eq!(id(&identified), id(&tokens));
        assert_eq!(identified["member"]["external_id"], "u-1");
        assert_eq!(identified["member"]["nickname"], "Customer u-1");
        customer.get(&format!("/conversations/{room}")).await.ok();
        // A lost answer is no harm: the old tokens still work, and saying it again changes nothing.
        client.get("/me").await.ok();
        let (_, again) = identify(&desk, &client, shop.word(&app, "u-1")).await;
        assert_eq!(id(&again), id(&tokens));
        let renewed = client.post("/auth/refresh", json!({"refresh_token": tokens["refresh_token"]})).await.ok();
        assert_eq!(id(&renewed), id(&tokens));
    }

    /// A known customer on a new device: the anonymous visitor's conversations move there, its tokens end.
    async fn a_known_customer_is_merged(app: TestApp) {
        let desk = app.desk().await;
        let shop = Shop::new(&desk).await;
        let (phone, _) = visitor(&desk).await;
        let (phone, known) = identify(&desk, &phone, shop.word(&app, "u-2")).await;
        let (laptop, anonymous) = visitor(&desk).await;
        let room = laptop.open("it is me").await;
        let (customer, merged) = identify(&desk, &laptop, shop.word(&app, "u-2")).await;
        assert_eq!(id(&merged), id(&known));
        customer.get(&format!("/conversations/{room}")).await.ok();
        phone.get(&format!("/conversations/{room}")).await.ok();
        laptop.get("/me").await.refused(401, "session_revoked");
        let stale = json!({"refresh_token": anonymous["refresh_token"]});
        laptop.anonymous().post("/auth/refresh", stale).await.refused(401, "session_revoked");
        let listed = desk.admin.get("/members?role=customer").await.ok();
        let listed: Vec<&str> =
            listed["data"].as_array().unwrap().iter().map(|row| row["id"].as_str().unwrap()).collect();
        assert!(listed.contains(&id(&known)) && !listed.contains(&id(&anonymous)));
    }

    /// An identified customer who says that it is another one is not merged: two customers stay two.
    async fn another_customer_on_the_same_device_stays_another(app: TestApp) {
        let desk = app.desk().await;
        let shop = Shop::new(&desk).await;
        let (client, _) = visitor(&desk).await;
        let (first, one) = identify(&desk, &client, shop.word(&app, "u-3")).await;
        let room = first.open("mine").await;
        let (second, two) = identify(&desk, &first, shop.word(&app, "u-4")).await;
        assert_ne!(id(&one), id(&two));
        second.get(&format!("/conversations/{room}")).await.refused(404, "not_found");
        first.get(&format!("/conversations/{room}")).await.ok();
        let (_, back) = identify(&desk, &second, shop.word(&app, "u-3")).await;
        assert_eq!(id(&back), id(&one));
    }

    /// Two devices identify as the same new customer at the same moment: one customer, both come in.
    async fn two_devices_identify_at_once(app: TestApp) {
        let desk = app.desk().await;
        let shop = Shop::new(&desk).await;
        let mut devices = Vec::new();
        for _ in 0..4 {
            devices.push(visitor(&desk).await.0);
        }
        let answers = devices.iter().map(|device| identify(&desk, device, shop.word(&app, "u-5")));
        let answers = futures_util::future::join_all(answers).await;
        for (client, tokens) in &answers {
            assert_eq!(id(tokens), id(&answers[0].1));
            client.get("/me").await.ok();
        }
    }

    /// Words that the tenant did not say, or not now, or not so, are wrong fields.
    async fn wrong_identity_tokens_are_refused(app: TestApp) {
        let (desk, other) = (app.desk().await, app.desk().await);
        let (shop, foreign) = (Shop::new(&desk).await, Shop::new(&other).await);
        let (client, tokens) = visitor(&desk).await;
        let now = seconds(app.clock.now());
        let forged = Shop { kid: shop.kid.clone(), secret: "not the secret of this shop".to_owned() };
        for word in [
            forged.word(&app, "u-6"),
            foreign.word(&app, "u-6"),
            shop.sign(&json!({"sub": "u-6"})),
            shop.sign(&json!({"sub": "u-6", "exp": now - 1})),
            shop.sign(&json!({"sub": "u-6", "exp": now + 90_000})),
            shop.sign(&json!({"sub": "", "exp": now + 60})),
            shop.sign(&json!({"sub": "u-6\u{0}", "exp": now + 60})),
            json!({"identity_token": "nonsense"}),
            json!({"identity_token": tokens["access_token"]}),
        ] {
            let problem = client.post("/visitors/identify", word).await.refused(422, "validation_failed");
            assert_eq!(problem["errors"][0]["pointer"], "/identity_token");
        }
        desk.agent.post("/visitors/identify", shop.word(&app, "u-6")).await.refused(403, "forbidden");
        desk.anonymous.post("/visitors/identify", shop.word(&app, "u-6")).await.refused(401, "unauthenticated");
        assert_eq!(client.get("/me").await.ok()["external_id"], Value::Null);
        let body = json!({"role": "agent", "login_name": "x", "password": "password of many words", "external_id": "staff"});
        desk.admin.post("/members", body).await.status(201);
        client.post("/visitors/identify", shop.word(&app, "staff")).await.refused(403, "forbidden");
    }
}
