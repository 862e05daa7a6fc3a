//! QR codes of WeChat that bind nobody: reused, expired, forged, of others, scanned by two at once, or never made.

use deskwire::db::schema::message_binding;
use deskwire::domain::centre::binding::{
    BindingRow, BindingStatus, CODES_FOR_CUSTOMERS, CODES_OF_ACCOUNT, CODES_OF_PERSON,
};
use deskwire::kernel::{ChannelAccountId, MemberId, MessageBindingId, PersonId};
use deskwire::on;
use diesel::prelude::*;
use futures_util::future::join_all;
use serde_json::{Value, json};

use super::bindings::{brought, code, event, follow, identities, scan, scannable, state};
use super::provider::{Act, Provider};
use super::text;
use super::wechat::official;
use super::wechat_callbacks::{KEY, Signer, TOKEN, bring, now};
use super::wechat_provider::{APP_ID, QR, SECRET, TOKEN as TOKENS, calls, token};
use crate::harness::{TestApp, eventually};

const HOUR: i64 = 3_600_000;

on_every_database! {
    /// A code binds the first who scans it, however often it and others scan it after that.
    async fn a_code_binds_once(app: TestApp) {
        let provider = Provider::start().await;
        let desk = app.desk().await;
        let to = scannable(&desk, &provider, None).await;
        let (made, scene) = code(&desk.agent, &provider, json!({})).await;
        let first = event("SCAN", &scene, "oAgent", now(&app));
        for event in [&first, &event("SCAN", &scene, "oOther", now(&app)), &first] {
            assert_eq!(brought(&app, &to, event).await, 200);
        }
        follow(&app, &to, &scene, "oThird").await;
        assert_eq!(identities(&desk, &to).await, [json!(["oAgent", desk.agent.id()])]);
        assert_eq!(state(&desk.agent, &made).await, "bound");
        let path = format!("/message-bindings/{}/cancel", text(&made["id"]));
        let refused = desk.agent.post(&path, json!({})).await.refused(409, "invalid_transition");
        assert_eq!(refused["context"]["status"], "bound");
        // Another WeChat account of the same person takes the place of the first.
        let (_, scene) = code(&desk.agent, &provider, json!({})).await;
        scan(&app, &to, &scene, "oAgent-2").await;
        assert_eq!(identities(&desk, &to).await, [json!(["oAgent-2", desk.agent.id()])]);
    }

    /// Ten who scan at once, told to several processes where the store takes them: one is bound.
    async fn of_many_at_once_one_is_bound(app: TestApp) {
        let provider = Provider::start().await;
        let desk = app.desk().await;
        let to = scannable(&desk, &provider, None).await;
        let mut processes = vec![app.clone()];
        if app.kind().is_server() {
            processes.push(app.second().await);
        }
        for round in 0..4 {
            let (made, scene) = code(&desk.agent, &provider, json!({})).await;
            let scans = (0..10).map(|n| {
                let (process, desk, to) = (processes[n % processes.len()].clone(), &desk, &to);
                let event = event("SCAN", &scene, &format!("o{round}-{n}"), now(&app));
                async move {
                    // WeChat brings again what was not taken.
                    eventually("it is taken", || async {
                        (brought(&process, to, &event).await == 200).then_some(())
                    })
                    .await;
                    identities(desk, to).await
                }
            });
            let seen = join_all(scans).await;
            let bound = identities(&desk, &to).await;
            assert!(seen.iter().all(|one| *one == bound), "who is bound first stays so: {seen:?}");
            assert_eq!((bound.len(), &bound[0][1]), (1, &json!(desk.agent.id())), "{bound:?}");
            assert!(text(&bound[0][0]).starts_with(&format!("o{round}-")), "{bound:?}");
            assert_eq!(state(&desk.agent, &made).await, "bound");
        }
    }

    /// A code has an end, is called back, and gives way to the next one of its person: after that it binds nobody.
    async fn a_code_that_is_over_binds_nobody(app: TestApp) {
        let provider = Provider::start().await;
        let desk = app.desk().await;
        let to = scannable(&desk, &provider, None).await;
        for seconds in [59, 86_401, 0, -1] {
            let refused = desk.agent.post("/message-bindings", json!({"expires_in_seconds": seconds})).await;
            assert_eq!(refused.refused(422, "validation_failed")["errors"][0]["pointer"], "/expires_in_seconds");
        }
        let (made, late) = code(&desk.agent, &provider, json!({"expires_in_seconds": 60})).await;
        assert_eq!(provider.deliveries(QR).pop().unwrap().body["expire_seconds"], 60);
        app.advance(59_000).await;
        assert_eq!(state(&desk.agent, &made).await, "pending");
        app.advance(1_500).await;
        let path = format!("/message-bindings/{}", text(&made["id"]));
        let shown = desk.agent.get(&path).await.ok();
        assert_eq!((&shown["status"], &shown["url"], &shown["png_path"]), (&json!("expired"), &json!(null), &json!(null)));
        for kind in ["svg", "png"] {
            let refused = desk.agent.get(&format!("{path}/qr.{kind}")).await.refused(409, "invalid_transition");
            assert_eq!(refused["context"]["status"], "expired");
        }
        desk.agent.post(&format!("{path}/cancel"), json!({})).await.refused(409, "invalid_transition");
        // WeChat may make one that ends sooner.
        provider.script(QR, [Act::Answer(200, "", r#"{"ticket":"gQ","expire_seconds":30,"url":"http://weixin.qq.com/q/x"}"#)]);
        let (short, soon) = code(&desk.visitor, &provider, json!({})).await;
        app.advance(31_000).await;
        assert_eq!(state(&desk.visitor, &short).await, "expired");
        let (back, called_back) = code(&desk.second_agent, &provider, json!({})).await;
        let path = format!("/message-bindings/{}/cancel", text(&back["id"]));
        assert_eq!(desk.second_agent.post(&path, json!({})).await.ok()["status"], "cancelled");
        desk.second_agent.post(&path, json!({})).await.refused(409, "invalid_transition");
        let (before, replaced) = code(&desk.admin, &provider, json!({})).await;
        let (after, newest) = code(&desk.admin, &provider, json!({})).await;
        assert_eq!(state(&desk.admin, &before).await, "cancelled");
        for (scene, openid) in [(late, "o1"), (soon, "o2"), (called_back, "o3"), (replaced, "o4")] {
            follow(&app, &to, &scene, openid).await;
            scan(&app, &to, &scene, openid).await;
        }
        assert_eq!(identities(&desk, &to).await, Vec::<Value>::new());
        scan(&app, &to, &newest, "o5").await;
        assert_eq!(state(&desk.admin, &after).await, "bound");
        // What goes takes its codes along.
        let eva = text(&desk.admin.post("/message-recipients", json!({"name": "Eva"})).await.status(201)["id"]);
        let (of_eva, hers) = code(&desk.admin, &provider, json!({"person_id": eva})).await;
        desk.admin.delete(&format!("/message-recipients/{eva}")).await.status(204);
        assert_eq!(state(&desk.admin, &of_eva).await, "cancelled");
        scan(&app, &to, &hers, "oEva").await;
        assert_eq!(identities(&desk, &to).await, [json!(["o5", desk.admin.id()])]);
        let (pending, _) = code(&desk.agent, &provider, json!({})).await;
        desk.admin.delete(&format!("/channel-accounts/{}", to.id)).await.status(204);
        assert_eq!((state(&desk.admin, &after).await, state(&desk.agent, &pending).await), (json!("unbound"), json!("cancelled")));
    }

    /// A scan counts only where its code was made: not at another account or tenant, not unsigned, not with another scene.
    async fn a_scan_of_others_binds_nobody(app: TestApp) {
        let provider = Provider::start().await;
        let (desk, theirs) = (app.desk().await, app.desk().await);
        let to = scannable(&desk, &provider, Some(KEY)).await;
        let second = scannable(&desk, &provider, None).await;
        let foreign = scannable(&theirs, &provider, None).await;
        let refused = desk.agent.post("/message-bindings", json!({})).await.refused(422, "validation_failed");
        assert_eq!(refused["errors"][0], json!({"pointer": "/account_id", "code": "required", "detail": "there are several official accounts"}));
        let (made, scene) = code(&desk.agent, &provider, json!({"account_id": to.id})).await;
        scan(&app, &second, &scene, "oAgent").await;
        scan(&app, &foreign, &scene, "oAgent").await;
        for key in ["", "0", "qrscene_", &scene[1..], &format!("{scene}x"), &scene.to_lowercase(), &format!("qrscene_{scene}")] {
            scan(&app, &to, key, "oAgent").await;
        }
        for openid in ["", "a b", &"o".repeat(129)] {
            scan(&app, &to, &scene, openid).await;
        }
        // Not signed with the token; and, where there is a key, not encrypted.
        let body = event("SCAN", &scene, "oAgent", now(&app));
        for token in ["BBBBB", TOKEN] {
            let signer = Signer { token, seconds: now(&app), nonce: token };
            assert_eq!(bring(&app, &to.path, &signer.query(None), &body).await.0, 403);
        }
        // A signature that was seen with another body.
        let (theirs_made, theirs_scene) = code(&theirs.agent, &provider, json!({})).await;
        let signer = Signer { token: TOKEN, seconds: now(&app), nonce: "seen" };
        let harmless = event("VIEW", "", "oEva", now(&app));
        assert_eq!(bring(&app, &foreign.path, &signer.query(None), &harmless).await.0, 200);
        let forged = event("SCAN", &theirs_scene, "oThief", now(&app));
        assert_eq!(bring(&app, &foreign.path, &signer.query(None), &forged).await.0, 403);
        for (desk, made, to) in [(&desk, &made, &to), (&theirs, &theirs_made, &foreign)] {
            assert_eq!((state(&desk.agent, made).await, identities(desk, to).await), (json!("pending"), vec![]));
        }
        scan(&app, &to, &scene, "oAgent").await;
        scan(&app, &foreign, &theirs_scene, "oAgent").await;
        assert_eq!(identities(&desk, &to).await, [json!(["oAgent", desk.agent.id()])]);
        assert_eq!(identities(&theirs, &foreign).await, [json!(["oAgent", theirs.agent.id()])]);
    }

    /// A WeChat account that is one of the staff's stays so; it moves between visitors, and between a member and its message
    /// recipient. The code of a refused scan goes on.
    async fn an_openid_of_another_person_moves_only_between_visitors(app: TestApp) {
        let provider = Provider::start().await;
        let desk = app.desk().await;
        let to = scannable(&desk, &provider, None).await;
        let bound = async |by: &crate::harness::Client, body: Value, openid: &str| {
            let (made, scene) = code(by, &provider, body).await;
            scan(&app, &to, &scene, openid).await;
            let shown = by.get(&format!("/message-bindings/{}", text(&made["id"]))).await.ok();
            (made, scene, json!([shown["status"], shown["refused_at"].is_string()]))
        };
        let (of_agent, _, done) = bound(&desk.agent, json!({}), "oAgent").await;
        assert_eq!(done, json!(["bound", false]));
        let mut last = None;
        for who in [&desk.visitor, &desk.second_agent, &desk.admin] {
            let (_, scene, refused) = bound(who, json!({}), "oAgent").await;
            assert_eq!(refused, json!(["pending", true]));
            last = Some(scene);
        }
        assert_eq!(identities(&desk, &to).await, [json!(["oAgent", desk.agent.id()])]);
        scan(&app, &to, &last.unwrap(), "oAdmin").await;
        let (of_visitor, _, done) = bound(&desk.visitor, json!({}), "oVisitor").await;
        assert_eq!(done, json!(["bound", false]));
        let (_, _, refused) = bound(&desk.second_agent, json!({}), "oVisitor").await;
        assert_eq!(refused, json!(["pending", true]), "the staff take nothing from a customer");
        let (_, _, done) = bound(&desk.second_visitor, json!({}), "oVisitor").await;
        assert_eq!((done, state(&desk.visitor, &of_visitor).await), (json!(["bound", false]), json!("unbound")));
        let body = json!({"name": "Agent", "member_id": desk.agent.id()});
        let row = text(&desk.admin.post("/message-recipients", body).await.status(201)["id"]);
        let (_, _, done) = bound(&desk.admin, json!({"person_id": row}), "oAgent").await;
        assert_eq!((done, state(&desk.agent, &of_agent).await), (json!(["bound", false]), json!("unbound")));
        assert_eq!(identities(&desk, &to).await, [
            json!(["oAdmin", desk.admin.id()]), json!(["oAgent", row]), json!(["oVisitor", desk.second_visitor.id()]),
        ]);
    }

    /// When WeChat makes no code, says nothing, too late, or cuts off, there is none, and the one before goes on; its words
    /// are for who may see the account, and hold no secret.
    async fn what_wechat_does_not_make_is_no_code(app: TestApp) {
        let provider = Provider::start().await;
        let desk = app.desk().await;
        let to = scannable(&desk, &provider, None).await;
        let (before, scene) = code(&desk.supervisor, &provider, json!({})).await;
        for (act, outcome, provider_code, message) in [
            (Act::Answer(200, "", r#"{"errcode":-1,"errmsg":"system error"}"#), "retry", json!("-1"), json!("system error")),
            (Act::Answer(200, "", r#"{"errcode":48001,"errmsg":"TOKEN/0+= may not"}"#), "configuration", json!("48001"), json!("… may not")),
            (Act::Answer(200, "", r#"{"errcode":0,"errmsg":"ok"}"#), "uncertain", json!(null), json!("ok")),
            (Act::Answer(500, "", "<html>"), "uncertain", json!(null), json!("<html>")),
            (Act::Close, "uncertain", json!(null), Value::Null),
        ] {
            provider.script(QR, [act.clone()]);
            let told = desk.supervisor.post("/message-bindings", json!({})).await.refused(502, "provider_failed");
            let context = &told["context"];
            assert_eq!((&context["outcome"], &context["provider_code"]), (&json!(outcome), &provider_code), "{act:?} {told}");
            assert!(message.is_null() || context["message"] == message, "{act:?} {told}");
            assert!(!told.to_string().contains(&token(0)) && !told.to_string().contains(SECRET), "{told}");
            provider.script(QR, [act.clone()]);
            let told = desk.visitor.post("/message-bindings", json!({})).await.refused(502, "provider_failed");
            assert_eq!(told["context"], json!({ "outcome": outcome }));
        }
        provider.script(QR, [Act::Wait(30_000)]);
        let told = desk.visitor.post("/message-bindings", json!({})).await.refused(502, "provider_failed");
        assert_eq!(told["context"], json!({"outcome": "uncertain"}));
        let page = desk.admin.get("/message-bindings?limit=200").await.ok();
        let states = page["data"].as_array().unwrap().iter().map(|one| &one["status"]);
        assert_eq!(states.clone().filter(|one| *one == "cancelled").count(), 11);
        assert_eq!(states.filter(|one| *one == "pending").count(), 1, "{page}");
        scan(&app, &to, &scene, "oSupervisor").await;
        assert_eq!(state(&desk.supervisor, &before).await, "bound");
        // A token that another system ended is replaced.
        provider.revoke();
        code(&desk.agent, &provider, json!({})).await;
        assert_eq!(calls(&provider), 2);
        // Without a token there is no code.
        let other = app.desk().await;
        scannable(&other, &provider, None).await;
        provider.always(TOKENS, Some(Act::Answer(200, "", r#"{"errcode":40164,"errmsg":"s3cret-of-the-official-account"}"#)));
        let told = other.admin.post("/message-bindings", json!({})).await.refused(502, "provider_failed");
        let context = json!({"outcome": "configuration", "provider_code": "40164", "message": "…"});
        assert_eq!(told["context"], context);
    }

    /// Codes are of official accounts that are on and hear of scans.
    async fn an_account_that_hears_of_no_scan_makes_no_code(app: TestApp) {
        let provider = Provider::start().await;
        let desk = app.desk().await;
        let at = async |body: Value| {
            let refused = desk.agent.post("/message-bindings", body).await.refused(422, "validation_failed");
            json!([refused["errors"][0]["pointer"], refused["errors"][0]["code"]])
        };
        assert_eq!(at(json!({})).await, json!(["/account_id", "required"]));
        let deaf = text(&official(&desk.admin, &provider, SECRET).await["id"]);
        assert_eq!(at(json!({})).await, json!(["/account_id", "invalid"]));
        let hook = json!({"name": "Hook", "provider": "in_app"});
        let hook = desk.admin.post("/channel-accounts", hook).await.status(201)["account"]["id"].clone();
        for account in [json!(deaf), hook, json!("1")] {
            assert_eq!(at(json!({"account_id": account})).await, json!(["/account_id", "invalid"]));
        }
        let path = format!("/channel-accounts/{deaf}");
        let hears = json!({"wechat": {"app_id": APP_ID, "callback_token": TOKEN}});
        desk.admin.patch(&path, hears).await.ok();
        desk.admin.patch(&path, json!({"status": "disabled"})).await.ok();
        assert_eq!(at(json!({})).await, json!(["/account_id", "required"]));
        let body = json!({"account_id": deaf});
        let refused = desk.agent.post("/message-bindings", body.clone()).await.refused(409, "invalid_transition");
        assert_eq!(refused["context"]["status"], "disabled");
        desk.admin.patch(&path, json!({"status": "active"})).await.ok();
        code(&desk.agent, &provider, body).await;
        assert_eq!(provider.deliveries(QR).len(), 1);
    }

    /// A person, an account, and customers together have only so many codes within an hour; old ones are removed.
    async fn codes_are_counted_and_old_ones_go(app: TestApp) {
        let provider = Provider::start().await;
        let desk = app.desk().await;
        let to = scannable(&desk, &provider, None).await;
        let body = || json!({"person_id": desk.visitor.id()});
        for n in 0..CODES_OF_PERSON {
            let by = if n % 2 == 0 { &desk.visitor } else { &desk.admin };
            code(by, &provider, body()).await;
        }
        for by in [&desk.visitor, &desk.admin] {
            let refused = by.post("/message-bindings", body()).await;
            assert!(refused.headers.contains_key("retry-after"));
            refused.refused(429, "rate_limited");
        }
        assert_eq!(provider.deliveries(QR).len(), usize::try_from(CODES_OF_PERSON).unwrap());
        let (last, scene) = code(&desk.second_visitor, &provider, json!({})).await;
        fill(&app, &desk.seed.admin, &to.id, CODES_FOR_CUSTOMERS);
        desk.agent.post("/message-bindings", json!({})).await.status(201);
        let visitor = app.seed_member(desk.tenant, deskwire::domain::member::Role::Customer).await;
        app.client_of(visitor).post("/message-bindings", json!({})).await.refused(429, "rate_limited");
        fill(&app, &desk.seed.admin, &to.id, CODES_OF_ACCOUNT - CODES_FOR_CUSTOMERS);
        desk.second_agent.post("/message-bindings", json!({})).await.refused(429, "rate_limited");
        scan(&app, &to, &scene, "oVisitor").await;
        assert_eq!(state(&desk.second_visitor, &last).await, "bound");
        app.advance(HOUR + 1_000).await;
        let admin = app.client_of(desk.seed.admin);
        let (young, _) = code(&admin, &provider, body()).await;
        // Those that were stored past the service would take the cleaning some rounds.
        let filling = message_binding::table.filter(message_binding::created_by.ne(message_binding::person_id));
        let filling = filling.filter(message_binding::person_id.lt(CODES_OF_ACCOUNT));
        let gone = diesel::delete(filling).execute(&mut app.database().connect()).unwrap();
        assert_eq!(i64::try_from(gone).unwrap(), CODES_OF_ACCOUNT);
        app.advance(90 * 24 * HOUR - HOUR / 2).await;
        let cleaner = app.restarted(|settings| settings.cleaning.cleaning_minutes = 60).await;
        let admin = cleaner.client_of(desk.seed.admin);
        eventually("the old ones are gone", || async {
            let page = admin.get("/message-bindings").await.ok();
            let left = page["data"].as_array().unwrap();
            (left.len() == 1).then(|| assert_eq!(left[0]["id"], young["id"]))
        })
        .await;
        let bound = admin.get("/message-identities").await.ok();
        assert_eq!(bound["data"][0]["openid"], "oVisitor");
    }
}

/// Stores so many codes that were made just now for somebody.
fn fill(app: &TestApp, admin: &deskwire::domain::actor::Actor, account: &str, count: i64) {
    let now = app.clock.now().0;
    let rows: Vec<BindingRow> = (0..count)
        .map(|n| {
            let id = MessageBindingId(app.app().ids.next().unwrap());
            BindingRow {
                id,
                tenant_id: admin.tenant,
                account_id: ChannelAccountId(account.parse().unwrap()),
                person_id: PersonId(n),
                created_by: MemberId(admin.member.0),
                scene_hash: id.to_string(),
                url: String::new(),
                status: BindingStatus::Cancelled,
                created_at: now,
                expires_at: now,
                scanned_at: None,
                bound_at: None,
                refused_at: None,
            }
        })
        .collect();
    let mut connection = app.database().connect();
    let connection = &mut connection;
    for some in rows.chunks(500) {
        on!(connection, inner => diesel::insert_into(message_binding::table).values(some).execute(inner))
            .unwrap();
    }
}
