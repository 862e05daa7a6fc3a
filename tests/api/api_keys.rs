//! API keys: what they allow on every route, from where, until when, and who makes them.

use std::collections::BTreeSet;

use deskwire::db::schema::api_key;
use deskwire::documents::openapi;
use deskwire::domain::api_key::is_grantable;
use deskwire::domain::member::Role;
use deskwire::domain::operation::{Operation, Scope, scope};
use deskwire::http::api_keys::{Needs, ROUTES, needs};
use diesel::prelude::*;
use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::personas::message;
use crate::harness::{Answer, Client, Desk, eventually};

const PATH: &str = "/api-keys";

/// Secured operations that no API key may be used for: what belongs to a person's account and sessions, what customers
/// do, and keys themselves.
const CLOSED: &[&str] = &[
    "PATCH /me",
    "POST /auth/logout",
    "PUT /auth/password",
    "GET /auth/sessions",
    "DELETE /auth/sessions",
    "DELETE /auth/sessions/{id}",
    "POST /visitors/identify",
    "PUT /conversations/{id}/rating",
    "GET /api-keys",
    "POST /api-keys",
    "GET /api-keys/{id}",
    "PATCH /api-keys/{id}",
    "DELETE /api-keys/{id}",
];

/// Makes a service account of this role; gives its id.
pub async fn account(desk: &Desk, role: &str) -> String {
    let body = json!({"role": role, "nickname": "Shop system", "service_account": true});
    let made = desk.admin.post("/members", body).await.status(201);
    assert_eq!((&made["service_account"], &made["login_name"]), (&json!(true), &Value::Null));
    made["id"].as_str().unwrap().to_owned()
}

/// Makes a key of this account; gives the key and a client that uses it.
pub async fn key(desk: &Desk, account: &str, operations: &[&str]) -> (Value, Client) {
    let body = json!({"member_id": account, "name": "Shop", "operations": operations});
    made(desk, body).await
}

async fn made(desk: &Desk, body: Value) -> (Value, Client) {
    let made = desk.admin.post(PATH, body).await.status(201);
    let client = desk.anonymous.with_token(made["secret"].as_str().unwrap());
    (made["api_key"].clone(), client)
}

fn path(key: &Value) -> String {
    format!("{PATH}/{}", key["id"].as_str().unwrap())
}

/// Every operation that needs an access token.
fn secured() -> Vec<(String, String)> {
    let document = openapi::document(deskwire::routes::configure);
    let mut found = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let security = operation["security"].as_array();
            let is_open = security.is_none_or(|all| all.is_empty() || all.contains(&json!({})));
            if !is_open && operation["operationId"] != "create_tenant" {
                let path = path.trim_start_matches("/api/v1").to_owned();
                found.push((method.to_uppercase(), path));
            }
        }
    }
    found
}

/// Asks a route with ids that name nothing.
async fn ask(client: &Client, method: &str, path: &str) -> Answer {
    let filled: Vec<&str> =
        path.split('/').map(|part| if part.starts_with('{') { "1" } else { part }).collect();
    let method: Method = method.parse().unwrap();
    let body = matches!(method, Method::POST | Method::PUT | Method::PATCH).then(|| json!({}));
    client.call(method, &filled.join("/"), body).await
}

/// A request that seems to come from this address.
async fn from(client: &Client, address: &str, path: &str) -> Answer {
    Answer::of(client.request(Method::GET, path).header("x-forwarded-for", address)).await
}

#[test]
fn every_secured_operation_says_what_a_key_needs() {
    let secured: BTreeSet<(String, String)> = secured().into_iter().collect();
    let listed: BTreeSet<(String, String)> =
        ROUTES.iter().map(|(method, path, _)| ((*method).to_owned(), (*path).to_owned())).collect();
    assert_eq!(listed.len(), ROUTES.len(), "a route stands twice");
    assert_eq!(listed.difference(&secured).collect::<Vec<_>>(), Vec::<&(String, String)>::new());
    let closed: BTreeSet<String> =
        secured.difference(&listed).map(|(method, path)| format!("{method} {path}")).collect();
    assert_eq!(closed, CLOSED.iter().map(|one| (*one).to_owned()).collect());
    for (method, path, needs) in ROUTES {
        assert!(needs.operations().into_iter().all(is_grantable), "{method} {path}");
    }
}

on_every_database! {
    /// A key that allows one thing is refused everywhere else, before anything is looked at; one that allows all is not.
    async fn every_route_asks_for_its_right(app: TestApp) {
        let desk = app.desk().await;
        let account = account(&desk, "admin").await;
        let all: Vec<&str> =
            Operation::ALL.iter().filter(|one| is_for_programs(**one)).map(|one| one.as_str()).collect();
        let (_, poor) = key(&desk, &account, &["explain_routing"]).await;
        let (_, rich) = key(&desk, &account, &all).await;
        for (method, path) in secured() {
            let refused = ask(&poor, &method, &path).await;
            let allowed = ask(&rich, &method, &path).await;
            match needs(&method, &path) {
                None => {
                    for answer in [&refused, &allowed] {
                        assert_eq!((answer.status, answer.code()), (403, "forbidden"), "{answer}");
                    }
                }
                Some(Needs::Nothing | Needs::One(Operation::ExplainRouting)) => {
                    assert_ne!(refused.status, 403, "{refused}");
                }
                Some(needs) => {
                    assert_eq!((refused.status, refused.code()), (403, "forbidden"), "{refused}");
                    let told = json!(needs.operations());
                    assert_eq!(refused.body["context"]["operations"], told, "{refused}");
                    assert!(allowed.body["context"]["operations"].is_null(), "{allowed}");
                    assert!(!matches!(allowed.status, 401 | 500..), "{allowed}");
                }
            }
        }
    }

    /// A program serves a customer: what it does stands in the log under the name of its account, and the journal asks for
    /// the same rights.
    async fn a_program_acts_as_its_account(app: TestApp) {
        let desk = app.desk().await;
        let account = account(&desk, "agent").await;
        let rights = ["read_conversation", "claim", "send_message", "close"];
        let (made, bot) = key(&desk, &account, &rights).await;
        let me = bot.get("/me").await.ok();
        assert_eq!((&me["id"], &me["role"], &me["nickname"]), (&json!(account), &json!("agent"), &json!("Shop system")));
        let own = bot.get("/api-keys/current").await.ok();
        assert_eq!(own["id"], made["id"]);
        assert_eq!(own["operations"], json!(["read_conversation", "send_message", "claim", "close"]));
        desk.agent.get("/api-keys/current").await.refused(403, "forbidden");

        let room = desk.open("where is my parcel?").await;
        bot.claim(&room).await;
        bot.send(&room, "on its way").await;
        let log = desk.visitor.log(&room).await;
        let said = log.iter().find(|entry| entry["content"]["text"] == "on its way").unwrap();
        assert_eq!((&said["sender"]["id"], &said["sender"]["nickname"]), (&json!(account), &json!("Shop system")));
        // Of the notes behind it the key is shown nothing, although an agent who serves it would be.
        let front = desk.supervisor.post(&format!("/conversations/{room}/notes"), message("careful")).await.ok();
        let backstage = front["entry"]["conversation_id"].as_str().unwrap();
        bot.get(&format!("/conversations/{backstage}/entries")).await.refused(404, "not_found");
        bot.post(&format!("/conversations/{backstage}/messages"), message("note")).await.refused(404, "not_found");
        desk.agent.get("/entries").await.refused(403, "forbidden");
        let feed = account_feed(&desk).await;
        feed.get("/entries?include=backstage").await.refused(403, "forbidden");
        feed.get("/entries").await.ok();
        bot.post(&format!("/conversations/{room}/close"), json!({})).await.ok();
        // Of two rights that one route may need, the journal asks for the one that is needed.
        let overseer = crate::api_keys::account(&desk, "supervisor").await;
        let (own, writer) = key(&desk, &overseer, &["send_message"]).await;
        let asked = format!("/conversations/{room}/messages/{}", log.iter().find(|entry| entry["message_type"] == "message").unwrap()["seq"]);
        writer.delete(&asked).await.refused(403, "forbidden");
        desk.admin.patch(&path(&own), json!({"operations": ["recall_any"]})).await.ok();
        writer.delete(&asked).await.ok();
        // An agent's key reaches what an agent reaches.
        let other = desk.open_and_claim("hello").await;
        bot.get(&format!("/conversations/{other}")).await.ok_or_hidden();
        let patch = json!({"operations": ["read_bans"]});
        let wrong = desk.admin.patch(&path(&made), patch).await.refused(422, "validation_failed");
        assert_eq!(wrong["errors"][0]["pointer"], "/operations/0");
    }

    /// A key is good until its end, from its networks, and until it is revoked: then for nobody and nowhere.
    async fn a_key_ends(app: TestApp) {
        let app = app.restarted(|settings| settings.trusted_proxies = 1).await;
        let desk = app.desk().await;
        let account = account(&desk, "supervisor").await;
        let end = app.clock.now().plus(60_000);
        let body = json!({
            "member_id": account, "name": " Till ", "operations": ["read_bans", "read_bans"],
            "networks": ["198.51.100.7/24", "2001:db8::1"], "expires_at": end,
        });
        let (made, till) = made(&desk, body).await;
        assert_eq!((&made["name"], &made["operations"]), (&json!("Till"), &json!(["read_bans"])));
        assert_eq!(made["networks"], json!(["198.51.100.0/24", "2001:db8::1"]));
        for (address, fits) in [
            ("198.51.100.200", true),
            ("::ffff:198.51.100.1", true),
            ("2001:db8::1", true),
            ("2001:db8::2", false),
            ("198.51.101.1", false),
        ] {
            let answer = from(&till, address, "/bans").await;
            match fits {
                true => drop(answer.ok()),
                false => drop(answer.refused(403, "address_not_allowed")),
            }
        }
        let used = eventually("its use is stored", || async {
            let key = desk.admin.get(&path(&made)).await.ok();
            key["last_used_at"].is_string().then_some(key)
        }).await;
        assert_eq!(used["last_used_ip"], "2001:db8::1");
        desk.admin.patch(&path(&made), json!({"networks": []})).await.ok();
        from(&till, "198.51.101.1", "/bans").await.ok();

        app.advance(60_000).await;
        till.get("/bans").await.refused(401, "api_key_expired");
        let desk = app.desk_of(desk.seed);
        let longer = app.clock.now().plus(60_000);
        let past = json!({"expires_at": app.clock.now()});
        desk.admin.patch(&path(&made), past).await.refused(422, "validation_failed");
        let key = desk.admin.patch(&path(&made), json!({"expires_at": longer})).await.ok();
        assert_eq!((&key["active"], &key["last_used_at"]), (&json!(true), &used["last_used_at"]));
        till.get("/bans").await.ok();

        // Twelve at once, with changes between.
        let url = path(&made);
        let ends = join_all((0..12).map(|at| {
            let (admin, url) = (&desk.admin, &url);
            async move {
                match at % 3 {
                    0 => admin.patch(url, json!({"name": "again"})).await.status,
                    _ => admin.delete(url).await.status,
                }
            }
        })).await;
        assert!(ends.iter().all(|status| matches!(status, 200 | 204 | 409)), "{ends:?}");
        till.get("/bans").await.refused(401, "api_key_invalid");
        let key = desk.admin.get(&url).await.ok();
        assert_eq!((&key["active"], &key["revoked_by"]), (&json!(false), &json!(desk.admin.id())));
        desk.admin.patch(&url, json!({"name": "x"})).await.refused(409, "invalid_transition");
        let listed = |query: &str| format!("{PATH}?member_id={account}&active={query}");
        assert_eq!(desk.admin.get(&listed("true")).await.ok()["data"], json!([]));
        assert_eq!(desk.admin.get(&listed("false")).await.ok()["data"], json!([key]));
    }

    /// Changes reach every process within a second, and those of the account reach all its keys.
    async fn every_process_learns_of_it(app: TestApp) {
        let desk = app.desk().await;
        let there = if app.kind().is_server() { app.second().await } else { app.clone() };
        let account = account(&desk, "admin").await;
        let (made, here) = key(&desk, &account, &["read_bans", "read_feed"]).await;
        let far = there.client().with_token(here.token.clone().unwrap());
        let told = |code: &'static str| {
            let far = far.clone();
            move || {
                let far = far.clone();
                async move { (far.get("/bans").await.code() == code).then_some(()) }
            }
        };
        far.get("/bans").await.ok();
        let member = format!("/members/{account}");
        // A lower role takes what it may not do.
        desk.admin.patch(&member, json!({"role": "supervisor"})).await.ok();
        eventually("the lower role is known", || async { (here.get("/entries").await.status == 403).then_some(()) }).await;
        here.get("/bans").await.ok();
        desk.admin.patch(&member, json!({"status": "disabled"})).await.ok();
        here.get("/bans").await.refused(403, "account_disabled");
        eventually("the far process knows of the account", told("account_disabled")).await;
        desk.admin.patch(&member, json!({"status": "enabled"})).await.ok();
        eventually("it is enabled everywhere", || async { (far.get("/bans").await.status == 200).then_some(()) }).await;
        here.get("/bans").await.ok();
        desk.admin.patch(&path(&made), json!({"operations": ["read_ratings"]})).await.ok();
        here.get("/bans").await.refused(403, "forbidden");
        eventually("the far process knows of the change", told("forbidden")).await;
        desk.admin.delete(&path(&made)).await.status(204);
        desk.admin.delete(&path(&made)).await.status(204);
        here.get("/bans").await.refused(401, "api_key_invalid");
        eventually("the far process knows of the end", told("api_key_invalid")).await;
        let (_, next) = key(&desk, &account, &["read_bans"]).await;
        next.get("/bans").await.ok();
        desk.admin.delete(&member).await.status(204);
        next.get("/bans").await.refused(403, "account_disabled");
        // Also when nobody remembers that the account was deleted but the store.
        app.advance(3 * 86_400_000).await;
        tokio::time::sleep(std::time::Duration::from_millis(2_500)).await;
        next.get("/bans").await.refused(403, "account_disabled");
    }

    /// Only administrators make keys, for service accounts of their own tenant, and no key makes any.
    async fn who_makes_keys(app: TestApp) {
        let (desk, other) = (app.desk().await, app.desk().await);
        let (mine, theirs) = (account(&desk, "agent").await, account(&other, "agent").await);
        let (made, bot) = key(&desk, &mine, &["read_conversation"]).await;
        let body = |member: &str| json!({"member_id": member, "name": "n", "operations": ["read_conversation"]});
        for (_, client) in desk.everybody() {
            if client.token == desk.admin.token {
                continue;
            }
            let expected = if client.token.is_none() { 401 } else { 403 };
            client.post(PATH, body(&mine)).await.status(expected);
            client.get(PATH).await.status(expected);
            client.get(&path(&made)).await.status(expected);
            client.patch(&path(&made), json!({"name": "x"})).await.status(expected);
            client.delete(&path(&made)).await.status(expected);
        }
        bot.post(PATH, body(&mine)).await.refused(403, "forbidden");
        bot.delete(&path(&made)).await.refused(403, "forbidden");
        for member in [theirs.as_str(), &desk.agent.id(), &desk.visitor.id(), "1"] {
            let wrong = desk.admin.post(PATH, body(member)).await.refused(422, "validation_failed");
            assert_eq!(wrong["errors"][0]["pointer"], "/member_id", "{wrong}");
        }
        other.admin.get(&path(&made)).await.refused(404, "not_found");
        other.admin.patch(&path(&made), json!({"name": "x"})).await.refused(404, "not_found");
        other.admin.delete(&path(&made)).await.refused(404, "not_found");
        assert_eq!(other.admin.get(PATH).await.ok()["data"], json!([]));
        for (change, pointer) in [
            (json!({"name": " "}), "/name"),
            (json!({"name": "n".repeat(101)}), "/name"),
            (json!({"operations": []}), "/operations"),
            (json!({"operations": ["fly"]}), "/operations/0"),
            (json!({"operations": ["read_conversation", "manage_api_keys"]}), "/operations/1"),
            (json!({"operations": ["manage_tenant"]}), "/operations/0"),
            (json!({"networks": ["0.0.0.0/0"]}), "/networks/0"),
            (json!({"networks": [7]}), "/networks/0"),
            (json!({"networks": vec!["10.0.0.1"; 21]}), "/networks"),
            (json!({"expires_at": "2001-01-01T00:00:00Z"}), "/expires_at"),
            (json!({"prefix": "mine"}), "/prefix"),
            (json!({"secret": "mine"}), "/secret"),
        ] {
            let mut whole = body(&mine);
            whole.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
            for answer in [desk.admin.post(PATH, whole).await, desk.admin.patch(&path(&made), change.clone()).await] {
                let wrong = answer.refused(422, "validation_failed");
                assert_eq!(wrong["errors"][0]["pointer"], pointer, "{wrong}");
            }
        }
        // What is shown of keys, and kept, is never the key.
        let secret = bot.token.clone().unwrap();
        let shown = desk.admin.get(PATH).await.ok().to_string() + &desk.admin.get(&path(&made)).await.ok().to_string();
        assert!(!shown.contains(secret.split('_').nth(2).unwrap()) && !shown.contains("hash"), "{shown}");
        let stored: Vec<(String, String)> = api_key::table
            .select((api_key::secret_hash, api_key::operations))
            .load(&mut app.database().connect())
            .unwrap();
        assert!(stored.iter().all(|(hash, _)| !hash.contains(&secret) && hash.len() == 43), "{stored:?}");
    }
}

/// Whether a key of an administrator's account may be given this.
fn is_for_programs(operation: Operation) -> bool {
    is_grantable(operation) && scope(Role::Admin, operation) != Scope::Never
}

/// A program that reads the feed and may not read notes.
async fn account_feed(desk: &Desk) -> Client {
    let account = account(desk, "admin").await;
    key(desk, &account, &["read_feed"]).await.1
}

impl Answer {
    /// Whatever the role is answered, it is no refusal of the key.
    #[track_caller]
    fn ok_or_hidden(self) {
        assert!(matches!(self.status, 200 | 404), "{self}");
    }
}
