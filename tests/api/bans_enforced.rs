//! Whom a ban meets: every way in, at once, on every process, and nobody else.

use deskwire::documents::openapi;
use deskwire::domain::actor::{Actor, DeviceMark};
use deskwire::kernel::Code;
use futures_util::future::join_all;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use reqwest::Method;
use serde_json::{Value, json};

use crate::bans::{make, path};
use crate::harness::commands::{open, send};
use crate::harness::{Answer, Client, Desk, Socket, TestApp, eventually};

/// Every operation that needs an access token, with ids that name nothing.
fn secured() -> Vec<(Method, String)> {
    let document = openapi::document(deskwire::routes::configure);
    let mut found = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let security = operation["security"].as_array();
            let needs_token = security.is_some_and(|all| !all.is_empty() && !all.contains(&json!({})));
            // The one that asks for the platform's key.
            if !needs_token || operation["operationId"] == "create_tenant" {
                continue;
            }
            let filled: Vec<&str> =
                path.split('/').map(|part| if part.starts_with('{') { "1" } else { part }).collect();
            let path = filled.join("/").trim_start_matches("/api/v1").to_owned();
            found.push((method.to_uppercase().parse().unwrap(), path));
        }
    }
    found
}

/// The close code and the reason in `bye`.
async fn end(socket: &mut Socket) -> (u16, String) {
    let bye = socket.expect("bye").await;
    let code = socket.expect_close().await;
    assert_eq!(bye["code"], code);
    (code, bye["reason"].as_str().unwrap().to_owned())
}

fn told_banned() -> (u16, String) {
    (4_502, "banned".to_owned())
}

/// Says hello where it must be refused.
async fn hello_refused(app: &TestApp, token: &str, device: &str) {
    let mut socket = Socket::connect(app.base()).await;
    socket.ask_refused("hello", json!({"token": token, "device": device}), "banned").await;
    assert_eq!(end(&mut socket).await, told_banned());
}

/// A server that believes one proxy, with people.
async fn behind_a_proxy(app: &TestApp) -> (TestApp, Desk) {
    let app = app.restarted(|settings| settings.trusted_proxies = 1).await;
    let desk = app.desk().await;
    (app, desk)
}

/// A request that seems to come from this address.
async fn from(client: &Client, address: &str, method: Method, path: &str, body: Option<Value>) -> Answer {
    let request = client.request(method, path).header("x-forwarded-for", address);
    Answer::of(match &body {
        Some(body) => request.json(body),
        None => request,
    })
    .await
}

async fn new_visitor(desk: &Desk, address: &str) -> Answer {
    from(&desk.anonymous, address, Method::POST, "/visitors", Some(json!({"tenant": desk.slug}))).await
}

/// An identity token of the shop.
async fn shop_word(app: &TestApp, desk: &Desk, id: &str, email: &str) -> Value {
    let key = desk.admin.post("/identity-keys", json!({})).await.status(201);
    let mut header = Header::new(Algorithm::HS256);
    header.kid = key["kid"].as_str().map(str::to_owned);
    let mut claims = json!({"sub": id, "exp": app.clock.now().0 / 1_000 + 60});
    if !email.is_empty() {
        claims["email"] = json!(email);
    }
    let secret = EncodingKey::from_secret(key["secret"].as_str().unwrap().as_bytes());
    json!({"identity_token": jsonwebtoken::encode(&header, &claims, &secret).unwrap()})
}

async fn is_barred(what: &str, client: &Client) {
    eventually(what, || async { (client.get("/me").await.code() == "banned").then_some(()) }).await;
}

on_every_database! {
    /// Whatever a banned customer asks is refused with the code of its own; without the ban all is as before.
    async fn every_route_is_closed(app: TestApp) {
        let desk = app.desk().await;
        let room = desk.visitor.open("hello").await;
        let ban = make(&desk.supervisor, "member", &desk.visitor.id()).await;
        let routes = secured();
        assert!(routes.len() > 100, "{} routes", routes.len());
        for (method, path) in routes {
            let body = matches!(method, Method::POST | Method::PUT | Method::PATCH).then(|| json!({}));
            let answer = desk.visitor.call(method.clone(), &path, body).await;
            assert_eq!((answer.status, answer.code()), (403, "banned"), "{method} {path}: {answer}");
        }
        desk.visitor.get(&format!("/conversations/{room}/entries")).await.refused(403, "banned");
        // Nobody else is met, and the staff go on serving.
        desk.second_visitor.open("hello").await;
        desk.agent.claim(&room).await;
        desk.agent.send(&room, "are you there?").await;
        desk.supervisor.delete(&path(&ban)).await.status(204);
        desk.visitor.send(&room, "I am").await;
        let log = desk.visitor.log(&room).await;
        assert_eq!(log.last().unwrap()["content"]["text"], "I am");
    }

    /// Live sockets end on every process, hello is refused, and both are as before when the ban is deleted.
    async fn live_sockets_end(app: TestApp) {
        let desk = app.desk().await;
        let there = if app.kind().is_server() { app.second().await } else { app.clone() };
        let elsewhere = there.client_of(desk.seed.visitor);
        let (mut here, mut far) = (desk.visitor.socket_with(json!({"device": "one"})).await, elsewhere.socket().await);
        let (mut other, mut staff) = (desk.second_visitor.socket().await, desk.agent.socket().await);
        let ban = make(&desk.admin, "member", &desk.visitor.id()).await;
        assert_eq!(end(&mut here).await, told_banned());
        assert_eq!(end(&mut far).await, told_banned());
        is_barred("the other process knows it", &elsewhere).await;
        let token = desk.visitor.token.clone().unwrap();
        hello_refused(&app, &token, "one").await;
        hello_refused(&there, &token, "two").await;
        other.barrier().await;
        staff.barrier().await;
        desk.admin.delete(&path(&ban)).await.status(204);
        desk.visitor.socket().await.barrier().await;
        eventually("the other process lets it in again", || async {
            (elsewhere.get("/me").await.status == 200).then_some(())
        }).await;
        elsewhere.socket().await.barrier().await;
    }

    /// Of many commands that are under way none is committed once the ban was acknowledged, on no process, although they
    /// were let in before it.
    async fn no_command_passes_an_acknowledged_ban(app: TestApp) {
        let desk = app.desk().await;
        let visitor = desk.seed.visitor;
        let there = if app.kind().is_server() { app.second().await } else { app.clone() };
        let room = app.open_room(visitor).await;
        let sends = |app: &TestApp, name: &str| {
            let commands = (0..150).map(|index| send(visitor, room, &format!("{name}-{index}"), "spam"));
            let (app, commands) = (app.clone(), commands.collect());
            actix_web::rt::spawn(async move { app.submit_all(commands).await })
        };
        let (near, far) = (sends(&app, "near"), sends(&there, "far"));
        let ban = make(&desk.admin, "member", &desk.visitor.id()).await;
        let log = async || desk.agent.log(&room.to_string()).await.len();
        let acknowledged = log().await;
        // At once, wherever the list in memory stands: the store itself is asked.
        let after = there.journal.submit(send(visitor, room, "after", "spam")).await;
        assert_eq!(after.err().map(|error| error.code), Some(Code::Banned));
        let after = app.journal.submit(open(visitor, "again", "spam")).await;
        assert_eq!(after.err().map(|error| error.code), Some(Code::Banned));
        for reply in near.await.unwrap().into_iter().chain(far.await.unwrap()) {
            let code = reply.err().map(|error| error.code);
            assert!(matches!(code, None | Some(Code::Banned | Code::Busy)), "{code:?}");
        }
        assert_eq!(log().await, acknowledged);
        desk.admin.delete(&path(&ban)).await.status(204);
        there.submit(send(visitor, room, "welcome", "thank you")).await;
    }

    /// Addresses and networks meet whoever comes from there, one subscriber of IPv6 by its /64, and never the staff.
    async fn addresses_and_networks_are_met(app: TestApp) {
        let (app, desk) = behind_a_proxy(&app).await;
        let mut inside = Socket::try_connect(app.base(), &[("x-forwarded-for", "2001:db8:0:1::5")]).await.unwrap();
        inside.hello(json!({"token": desk.visitor.token, "device": "d"})).await;
        let mut outside = Socket::try_connect(app.base(), &[("x-forwarded-for", "2001:db8:0:2::5")]).await.unwrap();
        outside.hello(json!({"token": desk.second_visitor.token, "device": "d"})).await;
        let mut staff = Socket::try_connect(app.base(), &[("x-forwarded-for", "2001:db8:0:1::5")]).await.unwrap();
        staff.hello(json!({"token": desk.agent.token, "device": "d"})).await;
        let bans = [
            make(&desk.admin, "ip", "2001:db8:0:1::1").await,
            make(&desk.admin, "ip", "203.0.113.9").await,
            make(&desk.admin, "cidr", "198.51.100.0/24").await,
        ];
        assert_eq!(end(&mut inside).await, told_banned());
        outside.barrier().await;
        staff.barrier().await;
        let me = async |client: &Client, address: &str| from(client, address, Method::GET, "/me", None).await;
        for met in ["2001:db8:0:1::1", "2001:db8:0:1:ffff::2", "203.0.113.9", "::ffff:203.0.113.9", "198.51.100.1"] {
            me(&desk.visitor, met).await.refused(403, "banned");
            new_visitor(&desk, met).await.refused(403, "banned");
            me(&desk.agent, met).await.ok();
            let login = json!({"tenant": desk.slug, "name": "agent", "password": crate::harness::seed::PASSWORD});
            from(&desk.anonymous, met, Method::POST, "/auth/login", Some(login)).await.ok();
        }
        for free in ["2001:db8:0:2::1", "203.0.113.8", "::ffff:203.0.113.8", "198.51.101.1"] {
            me(&desk.visitor, free).await.ok();
            new_visitor(&desk, free).await.status(201);
        }
        // A session that began elsewhere is not refreshed from there.
        let tokens = new_visitor(&desk, "192.0.2.1").await.status(201);
        let body = Some(json!({"refresh_token": tokens["refresh_token"]}));
        from(&desk.anonymous, "203.0.113.9", Method::POST, "/auth/refresh", body.clone()).await.refused(403, "banned");
        for ban in &bans {
            desk.admin.delete(&path(ban)).await.status(204);
        }
        from(&desk.anonymous, "203.0.113.9", Method::POST, "/auth/refresh", body).await.ok();
        me(&desk.visitor, "2001:db8:0:1::1").await.ok();
        // What was let in before and comes to the journal only now.
        let mut actor: Actor = desk.seed.visitor;
        actor.origin.address = "203.0.113.9".parse().ok();
        make(&desk.admin, "cidr", "203.0.0.0/16").await;
        let late = app.journal.submit(open(actor, "late", "hello")).await;
        assert_eq!(late.err().map(|error| error.code), Some(Code::Banned));
    }

    /// An e-mail address meets every customer who has it, who takes it, and who is said to have it; who loses it is free.
    async fn e_mail_addresses_are_met(app: TestApp) {
        let desk = app.desk().await;
        let member = |client: &Client| format!("/members/{}", client.id());
        desk.admin.patch(&member(&desk.visitor), json!({"email": "Eva@Example.com"})).await.ok();
        desk.admin.patch(&member(&desk.agent), json!({"email": "eva@example.com"})).await.ok();
        let ban = make(&desk.admin, "email", "EVA@example.com").await;
        desk.visitor.get("/me").await.refused(403, "banned");
        desk.agent.get("/me").await.ok();
        // Another visitor signs in as somebody new with the same address, or claims it.
        let word = shop_word(&app, &desk, "u-9", "eva@EXAMPLE.com").await;
        desk.second_visitor.post("/visitors/identify", word).await.refused(403, "banned");
        desk.second_visitor.patch("/me", json!({"email": "eva@example.com"})).await.refused(403, "banned");
        let me = desk.second_visitor.get("/me").await.ok();
        assert_eq!((&me["external_id"], &me["email"]), (&Value::Null, &json!("")), "nothing of it was done");
        // The staff say whose address it is.
        desk.admin.patch(&member(&desk.second_visitor), json!({"email": "eva@example.com"})).await.ok();
        let told = app.journal.submit(open(desk.seed.second_visitor, "k", "hello")).await;
        assert_eq!(told.err().map(|error| error.code), Some(Code::Banned), "the journal knows it at once");
        is_barred("who was given the address", &desk.second_visitor).await;
        desk.admin.patch(&member(&desk.visitor), json!({"email": ""})).await.ok();
        eventually("who lost the address is free", || async {
            (desk.visitor.get("/me").await.status == 200).then_some(())
        }).await;
        let made = desk.admin.post("/members", json!({"role": "customer", "email": "eva@example.com", "external_id": "u-10"}));
        made.await.status(201);
        let word = shop_word(&app, &desk, "u-10", "").await;
        desk.visitor.post("/visitors/identify", word.clone()).await.refused(403, "banned");
        desk.admin.delete(&path(&ban)).await.status(204);
        desk.visitor.post("/visitors/identify", word).await.ok();
        desk.second_visitor.get("/me").await.ok();
    }

    /// Who is banned as a known customer does not come in as a new visitor who is recognised.
    async fn a_banned_customer_is_not_recognised(app: TestApp) {
        let desk = app.desk().await;
        let word = async || shop_word(&app, &desk, "u-1", "").await;
        desk.visitor.post("/visitors/identify", word().await).await.ok();
        make(&desk.admin, "member", &desk.visitor.id()).await;
        desk.second_visitor.post("/visitors/identify", word().await).await.refused(403, "banned");
        assert_eq!(desk.second_visitor.get("/me").await.ok()["external_id"], Value::Null);
    }

    /// A device is met by the name that its session began with, and by the one in `hello`.
    async fn devices_are_met(app: TestApp) {
        let desk = app.desk().await;
        let new = |device: &str| json!({"tenant": desk.slug, "device": device});
        let tokens = desk.anonymous.post("/visitors", new("phone")).await.status(201);
        let phone = desk.anonymous.with_token(tokens["access_token"].as_str().unwrap());
        let word = shop_word(&app, &desk, "u-1", "").await;
        let tokens = phone.post("/visitors/identify", word).await.ok();
        let phone = desk.anonymous.with_token(tokens["access_token"].as_str().unwrap());
        let mut socket = phone.socket_with(json!({"device": "tab-1"})).await;
        let mut named = desk.visitor.socket_with(json!({"device": "phone"})).await;
        let mut other = desk.second_visitor.socket_with(json!({"device": "laptop"})).await;
        let mut staff = desk.agent.socket_with(json!({"device": "phone"})).await;
        let ban = make(&desk.admin, "device", "phone").await;
        assert_eq!(end(&mut socket).await, told_banned());
        assert_eq!(end(&mut named).await, told_banned());
        other.barrier().await;
        staff.barrier().await;
        phone.get("/me").await.refused(403, "banned");
        desk.anonymous.post("/visitors", new("phone")).await.refused(403, "banned");
        let body = json!({"refresh_token": tokens["refresh_token"]});
        desk.anonymous.post("/auth/refresh", body.clone()).await.refused(403, "banned");
        hello_refused(&app, desk.visitor.token.as_deref().unwrap(), "phone").await;
        desk.visitor.get("/me").await.ok();
        desk.visitor.socket_with(json!({"device": "laptop"})).await.barrier().await;
        let mut actor: Actor = desk.seed.visitor;
        actor.origin.device = DeviceMark::of("phone");
        let late = app.journal.submit(open(actor, "late", "hello")).await;
        assert_eq!(late.err().map(|error| error.code), Some(Code::Banned));
        desk.admin.delete(&path(&ban)).await.status(204);
        let renewed = desk.anonymous.post("/auth/refresh", body).await.ok();
        desk.anonymous.with_token(renewed["access_token"].as_str().unwrap()).get("/me").await.ok();
        // A refreshed token still names its device.
        make(&desk.admin, "device", "phone").await;
        desk.anonymous.with_token(renewed["access_token"].as_str().unwrap()).get("/me").await.refused(403, "banned");
    }

    /// Sign-in tells only who knows the password; a link to rate opens nothing.
    async fn passwords_and_links_open_nothing(app: TestApp) {
        let desk = app.desk().await;
        let account = json!({"role": "customer", "login_name": "eva", "password": "password of many words"});
        let eva = desk.admin.post("/members", account).await.status(201);
        let login = async |password: &str| {
            let body = json!({"tenant": desk.slug, "name": "eva", "password": password});
            desk.anonymous.post("/auth/login", body).await
        };
        login("password of many words").await.ok();
        let ban = make(&desk.admin, "member", eva["id"].as_str().unwrap()).await;
        login("password of many words").await.refused(403, "banned");
        login("wrong words").await.refused(401, "invalid_credentials");
        desk.admin.delete(&path(&ban)).await.status(204);
        login("password of many words").await.ok();
        let room = desk.open_and_claim("hello").await;
        desk.agent.send(&room, "hello!").await;
        desk.agent.post(&format!("/conversations/{room}/close"), json!({})).await.ok();
        let made = desk.admin.post(&format!("/conversations/{room}/rating-links"), json!({})).await.status(201);
        let link = format!("/rating-links/{}", made["token"].as_str().unwrap());
        let ban = make(&desk.admin, "member", &desk.visitor.id()).await;
        desk.anonymous.get(&link).await.refused(403, "banned");
        desk.anonymous.put(&link, json!({"score": 1})).await.refused(403, "banned");
        desk.admin.delete(&path(&ban)).await.status(204);
        desk.anonymous.put(&link, json!({"score": 5})).await.ok();
    }

    /// Many bans and many changes of addresses meet: whoever has the address at the end is met, nobody else.
    async fn bans_and_changes_of_addresses_meet(app: TestApp) {
        let desk = app.desk().await;
        let mut people = Vec::new();
        for _ in 0..12 {
            people.push(app.seed_member(desk.tenant, deskwire::domain::member::Role::Customer).await);
        }
        let take = |who: &Actor| {
            let (path, body) = (format!("/members/{}", who.member), json!({"email": "eva@example.com"}));
            let admin = desk.admin.clone();
            async move { drop(admin.patch(&path, body).await.ok()) }
        };
        let (ban, _) = tokio::join!(make(&desk.admin, "email", "eva@example.com"), join_all(people.iter().map(take)));
        for who in &people {
            let told = app.journal.submit(open(*who, "k", "hello")).await;
            assert_eq!(told.err().map(|error| error.code), Some(Code::Banned));
        }
        desk.admin.delete(&path(&ban)).await.status(204);
        app.submit_all(people.iter().map(|who| open(*who, "k", "hello")).collect()).await.into_iter()
            .for_each(|reply| drop(reply.unwrap()));
    }
}
