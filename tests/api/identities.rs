//! Identity tokens: what they prove, that each serves one visitor, and what a customer cannot change afterwards.

use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};

use crate::harness::{Client, Desk, TestApp};

/// Signs an identity token with a new key of the tenant.
async fn sign(app: &TestApp, desk: &Desk, claims: Value) -> Value {
    let key = desk.admin.post("/identity-keys", json!({})).await.status(201);
    let mut header = Header::new(Algorithm::HS256);
    header.kid = key["kid"].as_str().map(str::to_owned);
    let mut all = json!({"exp": app.clock.now().0 / 1_000 + 60});
    for (name, value) in claims.as_object().expect("an object") {
        all[name] = value.clone();
    }
    let secret = EncodingKey::from_secret(key["secret"].as_str().unwrap().as_bytes());
    json!({"identity_token": jsonwebtoken::encode(&header, &all, &secret).unwrap()})
}

async fn refused(client: &Client, body: &Value) -> (String, String) {
    let problem = client.post("/visitors/identify", body.clone()).await.refused(422, "validation_failed");
    let field = &problem["errors"][0];
    assert_eq!(field["pointer"], "/identity_token");
    (field["code"].as_str().unwrap().to_owned(), field["detail"].as_str().unwrap().to_owned())
}

on_every_database! {
    /// A token that was seen by somebody else is worth nothing, on no process and for its whole life; the visitor who
    /// used it may repeat it.
    async fn an_identity_token_serves_one_visitor(app: TestApp) {
        let desk = app.desk().await;
        let word = sign(&app, &desk, json!({"sub": "u-1"})).await;
        desk.visitor.post("/visitors/identify", word.clone()).await.ok();
        desk.visitor.post("/visitors/identify", word.clone()).await.ok();
        assert_eq!(refused(&desk.second_visitor, &word).await.0, "used");
        assert_eq!(desk.second_visitor.get("/me").await.ok()["external_id"], Value::Null);
        let later = app.restarted(|_| {}).await;
        assert_eq!(refused(&later.client_of(desk.seed.second_visitor), &word).await.0, "used");
        later.advance(61_000).await;
        assert_eq!(refused(&later.client_of(desk.seed.second_visitor), &word).await.0, "expired");
        // What has expired is forgotten with the next token.
        let desk = later.desk_of(desk.seed);
        let next = sign(&later, &desk, json!({"sub": "u-2"})).await;
        desk.second_visitor.post("/visitors/identify", next).await.ok();
        let rows = later.db.read(|connection| {
            use deskwire::db::schema::identity_use;
            use diesel::prelude::*;
            Ok(identity_use::table.count().get_result::<i64>(connection)?)
        }).await.unwrap();
        assert_eq!(rows, 1);
    }

    /// Optional claims that do not fit refuse nobody; required ones are named when they are wrong.
    async fn claims_are_read_with_sense(app: TestApp) {
        let desk = app.desk().await;
        for (claims, code, claim) in [
            (json!({"exp": null, "sub": "u"}), "required", "claim exp"),
            (json!({}), "required", "claim sub"),
            (json!({"sub": true}), "invalid", "claim sub"),
            (json!({"sub": "u", "nbf": app.clock.now().0 / 1_000 + 600}), "out_of_range", "claim nbf"),
            (json!({"sub": "u", "aud": "other"}), "invalid", "claim aud"),
            (json!({"sub": "u", "iss": "https://other.example"}), "invalid", "claim iss"),
        ] {
            let (got, detail) = refused(&desk.visitor, &sign(&app, &desk, claims.clone()).await).await;
            assert!(got == code && detail.starts_with(claim), "{claims}: {got} {detail}");
        }
        let seconds = app.clock.now().0 as f64 / 1_000.0;
        let claims = json!({
            "sub": 17, "exp": seconds + 60.25, "iss": desk.slug, "aud": ["deskwire"],
            "nickname": "昵".repeat(51), "avatar": "javascript:alert(1)", "email": "x".repeat(200), "mobile": null, "locale": "Chinese!",
        });
        let me = desk.visitor.post("/visitors/identify", sign(&app, &desk, claims).await).await.ok()["member"].clone();
        assert_eq!((me["external_id"].as_str(), me["nickname"].as_str()), (Some("17"), Some("昵".repeat(50).as_str())));
        assert_eq!((me["avatar"].as_str(), me["email"].as_str()), (Some(""), Some("")));
    }

    /// What a customer says about itself is marked as a claim; what the shop signed or an administrator entered is
    /// verified, and the customer does not replace it.
    async fn a_customer_does_not_replace_what_is_verified(app: TestApp) {
        let desk = app.desk().await;
        let path = format!("/members/{}", desk.visitor.id());
        let marks = async || {
            let row = desk.admin.get(&path).await.ok();
            (row["email"].as_str().unwrap().to_owned(), row["email_verified"].clone(), row["mobile_verified"].clone())
        };
        let claim = json!({"email": "boss@shop.example", "mobile": "138"});
        desk.visitor.patch("/me", claim).await.ok();
        assert_eq!(marks().await, ("boss@shop.example".to_owned(), json!(false), json!(false)));

        let word = sign(&app, &desk, json!({"sub": "u-1", "email": "eva@example.com"})).await;
        desk.visitor.post("/visitors/identify", word).await.ok();
        assert_eq!(marks().await, ("eva@example.com".to_owned(), json!(true), json!(false)));
        let problem = desk.visitor.patch("/me", json!({"email": "boss@shop.example"})).await;
        let problem = problem.refused(422, "validation_failed");
        assert_eq!(problem["errors"][0]["code"], "read_only");
        desk.visitor.patch("/me", json!({"email": ""})).await.refused(422, "validation_failed");
        desk.visitor.patch("/me", json!({"email": "EVA@example.com", "mobile": "139"})).await.ok();
        assert_eq!(marks().await, ("eva@example.com".to_owned(), json!(true), json!(false)));

        desk.admin.patch(&path, json!({"mobile": "140"})).await.ok();
        assert_eq!(marks().await.2, json!(true));
        desk.visitor.patch("/me", json!({"mobile": "141"})).await.refused(422, "validation_failed");
        desk.admin.patch(&path, json!({"email": ""})).await.ok();
        assert_eq!(marks().await.1, json!(false));
        desk.visitor.patch("/me", json!({"email": "mine@example.com"})).await.ok();
        // The staff change their own; nobody vouches for it.
        desk.agent.patch("/me", json!({"email": "agent@example.com"})).await.ok();
        let agent = desk.admin.get(&format!("/members/{}", desk.agent.id())).await.ok();
        assert_eq!(agent["email_verified"], false);
    }
}
