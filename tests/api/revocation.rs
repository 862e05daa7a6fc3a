//! Who may no longer come in loses its sockets, on every process.

use deskwire::domain::actor::Principal;
use deskwire::journal::Command;
use deskwire::journal::commands::ChangeTenant;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};

use crate::harness::{Client, Desk, Socket, TestApp, eventually};

/// The close code and the reason in `bye`.
async fn end(socket: &mut Socket) -> (u16, String) {
    let bye = socket.expect("bye").await;
    assert_eq!(bye["reconnect"], bye["code"].as_u64().unwrap() < 4_500, "{bye}");
    let code = socket.expect_close().await;
    assert_eq!(bye["code"], code);
    (code, bye["reason"].as_str().unwrap().to_owned())
}

fn told(code: u16, reason: &str) -> (u16, String) {
    (code, reason.to_owned())
}

/// The same caller on another process, where there can be one.
async fn elsewhere(app: &TestApp, client: &Client) -> Client {
    match app.kind().is_server() {
        true => app.second().await.client_of(client.actor.unwrap()),
        false => client.clone(),
    }
}

async fn shop_word(desk: &Desk, app: &TestApp, id: &str) -> Value {
    let key = desk.admin.post("/identity-keys", json!({})).await.status(201);
    let mut header = Header::new(Algorithm::HS256);
    header.kid = key["kid"].as_str().map(str::to_owned);
    let claims = json!({"sub": id, "exp": app.clock.now().0 / 1_000 + 60});
    let secret = EncodingKey::from_secret(key["secret"].as_str().unwrap().as_bytes());
    json!({"identity_token": jsonwebtoken::encode(&header, &claims, &secret).unwrap()})
}

on_every_database! {
    /// Signing out one device closes its socket and leaves the others alone.
    async fn a_revoked_session_loses_its_sockets(app: TestApp) {
        let desk = app.desk().await;
        let there = elsewhere(&app, &desk.agent).await;
        let mut socket = there.socket().await;
        let mut other = desk.second_agent.socket().await;
        desk.agent.post("/auth/logout", json!({})).await.status(204);
        assert_eq!(end(&mut socket).await, told(4_505, "session_revoked"));
        other.barrier().await;
        let hello = there.anonymous();
        let again = hello.with_token(there.token.clone().unwrap());
        eventually("REST is closed too", || async {
            (again.get("/me").await.code() == "session_revoked").then_some(())
        }).await;
    }

    /// A disabled member is told so, not only that its session ended.
    async fn a_disabled_member_loses_its_sockets(app: TestApp) {
        let desk = app.desk().await;
        let there = elsewhere(&app, &desk.agent).await;
        let mut socket = there.socket().await;
        let path = format!("/members/{}", desk.agent.id());
        desk.admin.patch(&path, json!({"status": "disabled"})).await.ok();
        assert_eq!(end(&mut socket).await, told(4_502, "account_disabled"));
    }

    /// A new role asks the device to refresh and to come again.
    async fn a_new_role_asks_for_a_new_token(app: TestApp) {
        let desk = app.desk().await;
        let there = elsewhere(&app, &desk.agent).await;
        let mut socket = there.socket().await;
        let path = format!("/members/{}", desk.agent.id());
        desk.admin.patch(&path, json!({"role": "supervisor"})).await.ok();
        assert_eq!(end(&mut socket).await, told(4_006, "role_changed"));
    }

    /// A suspended tenant loses all its sockets; another tenant does not notice.
    async fn a_suspended_tenant_loses_its_sockets(app: TestApp) {
        let (desk, other) = (app.desk().await, app.desk().await);
        let there = elsewhere(&app, &desk.visitor).await;
        let mut socket = there.socket().await;
        let mut spared = other.visitor.socket().await;
        let operator = Principal::Operator(desk.seed.tenant);
        app.journal.submit(Command::new(operator, ChangeTenant { suspended: true })).await.unwrap();
        assert_eq!(end(&mut socket).await, told(4_502, "tenant_suspended"));
        spared.barrier().await;
    }

    /// A visitor who is recognised as a known customer learns that it is somebody else now; the customer's own
    /// sockets stay and see the conversation arrive.
    async fn a_recognised_visitor_loses_its_sockets(app: TestApp) {
        let desk = app.desk().await;
        desk.visitor.post("/visitors/identify", shop_word(&desk, &app, "u-1").await).await.ok();
        let mut known = desk.visitor.socket().await;
        let room = desk.second_visitor.open("it is me").await;
        let there = elsewhere(&app, &desk.second_visitor).await;
        let mut socket = there.socket().await;
        desk.second_visitor.post("/visitors/identify", shop_word(&desk, &app, "u-1").await).await.ok();
        assert_eq!(end(&mut socket).await, told(4_505, "identity_changed"));
        known.wait("the conversation arrives", |frame| {
            frame["type"] == "inbox" && frame["data"]["conversation"]["id"] == room.as_str()
        }).await;
    }
}
