//! Notifications: what members are told inside the product, on all their devices, and what they have read of it.

use std::sync::atomic::{AtomicI64, Ordering};

use deskwire::domain::actor::{Actor, Principal};
use deskwire::domain::member::MemberStatus;
use deskwire::journal::fail_point::{FailAction, FailPoint};
use deskwire::journal::{Command, commands, history};
use deskwire::kernel::{MemberId, MessageSendId, TenantId};
use serde_json::{Value, json};

use super::deaths::end_leases;
use super::{published, rule, sent, tell, text};
use crate::harness::{Client, Desk, Socket, TestApp, eventually};

async fn in_app(admin: &Client) -> String {
    let made = admin.post("/channel-accounts", json!({"name": "in the app", "provider": "in_app"})).await;
    text(&made.status(201)["account"]["id"])
}

/// A template that says an order's number, leads to the order and gives its number to the client.
async fn of_orders(admin: &Client) -> String {
    let variables = json!([
        {"name": "order", "type": "number", "required": true, "sample": 7},
        {"name": "link", "type": "string", "sample": "/orders/7"},
    ]);
    let in_app = json!({
        "title": "Order {{ order }}", "body": "It is paid.\nPack it.", "link": "{{ link|default('') }}",
        "data": {"order": "{{ order }}"},
    });
    published(admin, json!({"name": "orders", "channel": "in_app", "in_app": in_app, "variables": variables}))
        .await
}

/// A rule under this key that tells these recipients of orders.
async fn tells(admin: &Client, key: &str, recipients: Value) -> String {
    let (account, template) = (in_app(admin).await, of_orders(admin).await);
    rule(admin, key, &template, &account, json!({"recipients": recipients})).await
}

fn notify(tenant: TenantId, member: MemberId, send: i64) -> Command {
    let command = commands::Notify {
        send: MessageSendId(send),
        member,
        title: format!("Number {send}"),
        body: String::new(),
        link: None,
        data: None,
    };
    Command::new(Principal::System(tenant), command)
}

/// The next message that nobody sent.
static SENDS: AtomicI64 = AtomicI64::new(1);

/// Tells a member so many things; gives their ids, the oldest first.
async fn told(app: &TestApp, to: Actor, count: usize) -> Vec<String> {
    let send = |_| notify(to.tenant, to.member, SENDS.fetch_add(1, Ordering::Relaxed));
    let commands = (0..count).map(send).collect();
    let replies = app.submit_all(commands).await;
    let mut ids: Vec<i64> = replies.into_iter().map(|reply| reply.unwrap().notification.unwrap().0).collect();
    ids.sort_unstable();
    ids.into_iter().map(|id| id.to_string()).collect()
}

async fn listed(client: &Client, query: &str) -> (Vec<String>, Value) {
    let page = client.get(&format!("/notifications{query}")).await.ok();
    let ids = page["data"].as_array().unwrap().iter().map(|one| text(&one["id"])).collect();
    (ids, page["unread"].clone())
}

async fn nothing_came(socket: &mut Socket, who: &str) {
    socket.barrier().await;
    assert!(socket.take_kept().iter().all(|frame| frame["type"] != "notification"), "{who} was told");
}

async fn agent_disabled(desk: &Desk) {
    let body = json!({"status": MemberStatus::Disabled});
    desk.admin.patch(&format!("/members/{}", desk.agent.id()), body).await.ok();
}

on_every_database! {
    /// Who is told learns it on every device, on every process, and nobody else does; what is read on one is read on all.
    async fn all_devices_learn_what_is_told_and_read(app: TestApp) {
        let (desk, strangers) = (app.desk().await, app.desk().await);
        tells(&desk.admin, "order.paid", json!([{"type": "member", "id": desk.agent.id()}])).await;
        let mut phone = desk.agent.socket_with(json!({"device": "phone"})).await;
        let other = if app.kind().is_server() { app.second().await } else { app.clone() };
        let mut laptop = other.client_of(desk.seed.agent).socket_with(json!({"device": "laptop"})).await;
        let mut others = [
            desk.visitor.socket().await, desk.supervisor.socket().await, desk.admin.socket().await,
            strangers.agent.socket().await,
        ];
        let event = tell(&desk.admin, "order.paid", json!({"order": 12, "link": "/orders/12"})).await;
        let frame = phone.expect_frame("notification").await;
        let one = frame["data"].clone();
        assert!(frame["cursor"].is_string());
        let said = json!({
            "id": one["id"], "title": "Order 12", "body": "It is paid.\nPack it.", "link": "/orders/12",
            "data": {"order": 12}, "created_at": one["created_at"], "read_at": null, "rev": one["rev"],
        });
        assert_eq!(one, said);
        assert_eq!(laptop.expect("notification").await, one);
        let trace = sent(&desk.admin, &event, "success").await;
        assert_eq!(trace["send"]["provider_message_id"], one["id"]);
        let page = desk.agent.get("/notifications").await.ok();
        assert_eq!((&page["data"], &page["unread"]), (&json!([one]), &json!(1)));
        for client in [&desk.visitor, &desk.supervisor, &desk.admin, &strangers.agent] {
            client.post("/notifications/read", json!({"ids": [one["id"]]})).await.refused(404, "not_found");
            client.post("/notifications/read", json!({"until": one["id"]})).await.ok();
            assert_eq!(listed(client, "").await, (vec![], json!(0)));
        }
        let body = json!({"ids": [one["id"]]});
        assert_eq!(desk.agent.post("/notifications/read", body.clone()).await.ok(), json!({"unread": 0}));
        let read = laptop.expect("notification").await;
        assert!(read["read_at"].is_string() && read["rev"].as_i64() > one["rev"].as_i64(), "{read}");
        assert_eq!(phone.expect("notification").await, read);
        assert_eq!(desk.agent.post("/notifications/read", body).await.ok(), json!({"unread": 0}));
        let again = desk.agent.get("/notifications?unread=false").await.ok();
        assert_eq!(again["data"], json!([read]), "reading again changed something");
        assert_eq!(listed(&desk.agent, "?unread=true").await, (vec![], json!(0)));
        nothing_came(&mut phone, "the phone, again,").await;
        for socket in &mut others {
            nothing_came(socket, "somebody else").await;
        }
    }

    /// What happened while a client was away comes before `live`, and stands in its delta; without a cursor the list has it.
    async fn what_was_missed_comes_with_the_cursor(app: TestApp) {
        let desk = app.desk().await;
        let socket = desk.agent.socket().await;
        let cursor = socket.live.clone();
        socket.close().await;
        let ids = told(&app, desk.seed.agent, 3).await;
        told(&app, desk.seed.second_agent, 1).await;
        desk.agent.post("/notifications/read", json!({"ids": [ids[1]]})).await.ok();
        let mut back = Socket::connect(app.base()).await;
        let ready = json!({"token": desk.agent.token, "device": "phone", "cursor": cursor});
        back.send_frame("hello", ready).await;
        back.expect("ready").await;
        let mut missed = Vec::new();
        loop {
            let frame = back.wait("live", |frame| frame["type"] == "notification" || frame["type"] == "live").await;
            if frame["type"] == "live" {
                break;
            }
            missed.push((text(&frame["data"]["id"]), frame["data"]["read_at"].is_string()));
        }
        let by_rev = [(ids[0].clone(), false), (ids[2].clone(), false), (ids[1].clone(), true)];
        assert_eq!(missed, by_rev);
        let page = desk.agent.get(&format!("/sync?cursor={cursor}")).await.ok();
        let synced = |page: &Value| -> Vec<String> {
            page["notifications"].as_array().unwrap().iter().map(|one| text(&one["id"])).collect()
        };
        assert_eq!(synced(&page), [ids[0].clone(), ids[2].clone(), ids[1].clone()]);
        let later = desk.agent.get(&format!("/sync?cursor={}", text(&page["cursor"]))).await.ok();
        assert_eq!(synced(&later), [""; 0]);
        let reply = back.ask("sync", json!({"cursor": cursor})).await;
        assert_eq!(synced(&reply), synced(&page));
        let mut new = desk.agent.socket_with(json!({"device": "new"})).await;
        nothing_came(&mut new, "a new device").await;
        assert_eq!(listed(&desk.agent, "").await, (vec![ids[2].clone(), ids[1].clone(), ids[0].clone()], json!(2)));
    }

    /// A message that is handed over again, at the same time or by another worker after a death, makes one notification.
    async fn a_message_makes_one_notification(app: TestApp) {
        let desk = app.desk().await;
        let agent = desk.seed.agent;
        let twice = (0..8).map(|_| notify(agent.tenant, agent.member, 1_000_000)).collect();
        let replies = app.submit_all(twice).await;
        let ids: Vec<_> = replies.into_iter().map(|reply| reply.unwrap().notification.unwrap()).collect();
        assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
        tells(&desk.admin, "order.paid", json!([{"type": "member", "id": desk.agent.id()}])).await;
        app.journal.fail_points().set(FailPoint::MessageAnswered, FailAction::Fail, 1);
        let event = tell(&desk.admin, "order.paid", json!({"order": 1})).await;
        eventually("it is told", || async { (listed(&desk.agent, "").await.0.len() == 2).then_some(()) }).await;
        sent(&desk.admin, &event, "sending").await;
        end_leases(app.database().connect());
        let trace = sent(&desk.admin, &event, "success").await;
        let (ids, unread) = listed(&desk.agent, "").await;
        assert_eq!((ids.len(), &unread, &trace["send"]["provider_message_id"]), (2, &json!(2), &json!(ids[0])));
    }

    /// Who may not use its account any more is not told; the message says so.
    async fn who_is_disabled_is_not_told(app: TestApp) {
        let desk = app.desk().await;
        let (account, template) = (in_app(&desk.admin).await, of_orders(&desk.admin).await);
        let more = json!({"recipients": [{"type": "role", "role": "agent"}], "delay_seconds": 60});
        rule(&desk.admin, "order.paid", &template, &account, more).await;
        let event = tell(&desk.admin, "order.paid", json!({"order": 1})).await;
        sent(&desk.admin, &event, "unsent").await;
        agent_disabled(&desk).await;
        app.advance(61_000).await;
        let trace = eventually("both have ended", || async {
            let trace = desk.admin.get(&format!("/message-events/{event}")).await.ok();
            let ended = |one: &Value| one["send"]["status"] == "success" || one["send"]["status"] == "failed";
            trace["sends"].as_array().unwrap().iter().all(ended).then_some(trace)
        })
        .await;
        for one in trace["sends"].as_array().unwrap() {
            let send = &one["send"];
            let told = match send["recipient_id"] == desk.agent.id() {
                true => (json!("failed"), json!("recipient")),
                false => (json!("success"), Value::Null),
            };
            assert_eq!((send["status"].clone(), send["reason"].clone()), told, "{send}");
        }
        assert_eq!(listed(&desk.second_agent, "").await.1, 1);
    }

    /// A visitor keeps what it was told when it is recognised, also when the message was on its way.
    async fn a_recognised_visitor_keeps_what_it_was_told(app: TestApp) {
        let desk = app.desk().await;
        let (from, into) = (desk.seed.second_visitor, desk.seed.visitor);
        let before = told(&app, from, 2).await;
        app.submit(Command::new(from, commands::Merge { from: from.member, into: into.member })).await;
        let mut socket = desk.visitor.socket().await;
        let after = told(&app, from, 1).await;
        assert_eq!(socket.expect("notification").await["id"], after[0]);
        let all = vec![after[0].clone(), before[1].clone(), before[0].clone()];
        assert_eq!(listed(&desk.visitor, "").await, (all, json!(3)));
        desk.visitor.post("/notifications/read", json!({"ids": [before[0]]})).await.ok();
        assert_eq!(socket.expect("notification").await["id"], before[0]);
        let left = desk.visitor.post("/notifications/read", json!({"until": after[0]})).await.ok();
        assert_eq!(left, json!({"unread": 0}));
    }

    /// Everything up to one is read in one request, however much it is; what is newer stays unread. Lists come in pages.
    async fn all_that_is_older_is_read_at_once(app: TestApp) {
        let desk = app.desk().await;
        let ids = told(&app, desk.seed.agent, 230).await;
        let (newest, unread) = listed(&desk.agent, "?limit=200").await;
        assert_eq!((newest.len(), newest[0].clone(), unread), (200, ids[229].clone(), json!(230)));
        let first = desk.agent.get("/notifications?limit=200").await.ok();
        let (rest, _) = listed(&desk.agent, &format!("?limit=200&cursor={}", text(&first["next_cursor"]))).await;
        assert_eq!((rest.len(), rest[29].clone()), (30, ids[0].clone()));
        let read = |body: Value| desk.agent.post("/notifications/read", body);
        let (one, other) = tokio::join!(read(json!({"until": ids[219]})), read(json!({"until": ids[219]})));
        assert!(one.ok()["unread"].as_i64() >= Some(10) && other.ok()["unread"].as_i64() >= Some(10));
        assert_eq!(listed(&desk.agent, "?unread=true").await.1, 10);
        assert_eq!(read(json!({"ids": [ids[0], ids[229], ids[229]]})).await.ok(), json!({"unread": 9}));
        assert_eq!(listed(&desk.agent, "?unread=true").await.0.len(), 9);
    }

    /// Wrong requests are told apart, and mark nothing.
    async fn wrong_requests_mark_nothing(app: TestApp) {
        let desk = app.desk().await;
        let ids = told(&app, desk.seed.agent, 2).await;
        let foreign = told(&app, desk.seed.second_agent, 1).await;
        for body in [
            json!({}),
            json!({"ids": []}),
            json!({"ids": [ids[0]], "until": ids[0]}),
            json!({"ids": null}),
            json!({"ids": vec![ids[0].clone(); 101]}),
        ] {
            desk.agent.post("/notifications/read", body).await.refused(422, "validation_failed");
        }
        for body in [json!({"ids": "all"}), json!({"ids": ["x"]}), json!({"all": true}), json!([])] {
            assert!([400, 422].contains(&desk.agent.post("/notifications/read", body).await.status));
        }
        for strange in [foreign[0].as_str(), "1", "9223372036854775807"] {
            let body = json!({"ids": [ids[0], strange]});
            desk.agent.post("/notifications/read", body).await.refused(404, "not_found");
        }
        desk.anonymous.get("/notifications").await.refused(401, "unauthenticated");
        desk.anonymous.post("/notifications/read", json!({"until": "1"})).await.refused(401, "unauthenticated");
        for query in ["?unread=maybe", "?limit=0", "?limit=201", "?cursor=x", "?read=true"] {
            desk.agent.get(&format!("/notifications{query}")).await.refused(400, "invalid_parameter");
        }
        assert_eq!(listed(&desk.agent, "?unread=true").await, (vec![ids[1].clone(), ids[0].clone()], json!(2)));
    }

    /// Links that run something, titles of two lines, and what is too long are refused when a template is saved, and when
    /// a payload makes them so.
    async fn hostile_content_is_refused(app: TestApp) {
        let desk = app.desk().await;
        for (field, value) in [
            ("link", json!("javascript:alert(1)")),
            ("link", json!("//evil.example")),
            ("title", json!("two\nlines")),
            ("title", json!("")),
            ("title", json!("x".repeat(201))),
            ("body", json!("x".repeat(2_001))),
            ("data", json!({"x": "y".repeat(5_000)})),
            ("extra", json!(1)),
        ] {
            let mut in_app = json!({"title": "News"});
            in_app[field] = value;
            let body = json!({"name": "n", "channel": "in_app", "in_app": in_app});
            let refusal = desk.admin.post("/message-templates", body).await;
            assert!([400, 422].contains(&refusal.status), "{field}: {}", refusal.body);
        }
        let body = json!({"name": "a", "provider": "in_app", "url": "https://a.example"});
        desk.admin.post("/channel-accounts", body).await.refused(422, "validation_failed");
        tells(&desk.admin, "order.paid", json!([{"type": "member", "id": desk.agent.id()}])).await;
        let event = tell(&desk.admin, "order.paid", json!({"order": 1, "link": "javascript:alert(1)"})).await;
        let trace = super::expanded(&desk.admin, &event).await;
        assert_eq!(trace["event"]["decisions"][0]["decision"], "template", "{trace}");
        assert_eq!(listed(&desk.agent, "").await, (vec![], json!(0)));
    }

    /// A template is tried on a member: it is told at once, and somebody of another tenant never is.
    async fn a_template_is_tried_on_a_member(app: TestApp) {
        let (desk, strangers) = (app.desk().await, app.desk().await);
        let (account, template) = (in_app(&desk.admin).await, of_orders(&desk.admin).await);
        let path = format!("/message-templates/{template}/test_send");
        let body = |to: String| json!({"account_id": account, "address": to, "payload": {"order": 3}});
        let tried = desk.admin.post(&path, body(desk.agent.id())).await.ok();
        let page = desk.agent.get("/notifications").await.ok();
        assert_eq!(page["data"][0]["title"], "Order 3");
        assert_eq!((&tried["outcome"], &tried["provider_message_id"]), (&json!("accepted"), &page["data"][0]["id"]));
        let foreign = desk.admin.post(&path, body(strangers.agent.id())).await.ok();
        assert_eq!(foreign["outcome"], "recipient");
        assert_eq!(listed(&strangers.agent, "").await, (vec![], json!(0)));
        desk.admin.post(&path, body("agent".to_owned())).await.refused(422, "validation_failed");
        let refuses = json!({"person_id": desk.agent.id(), "channel": "in_app"});
        desk.admin.post("/message-opt-outs", refuses).await.status(201);
        assert_eq!(desk.admin.post(&path, body(desk.agent.id())).await.ok()["opted_out"], true);
    }

    /// Another process reads what was told and read back in pieces, each thing once.
    async fn what_is_read_back_comes_in_pieces(app: TestApp) {
        let desk = app.desk().await;
        let mut ids = Vec::new();
        for _ in 0..3 {
            ids.extend(told(&app, desk.seed.agent, 220).await);
        }
        let tenant = desk.tenant;
        let read_back = async || {
            let (mut found, mut from) = (Vec::new(), 1);
            loop {
                let piece = app.db.read(move |connection| {
                    let head = history::head(connection, tenant)?;
                    (head >= from).then(|| history::changes(connection, tenant, from, head)).transpose()
                });
                let Some(piece) = piece.await.unwrap() else { break found };
                assert!(piece.rev_from == from && piece.rev_to >= from && piece.notifications.len() < 600);
                found.extend(piece.notifications.iter().map(|row| (row.id.to_string(), row.read_at.is_some())));
                from = piece.rev_to + 1;
            }
        };
        let unread: Vec<_> = ids.iter().map(|id| (id.clone(), false)).collect();
        assert_eq!(read_back().await, unread);
        desk.agent.post("/notifications/read", json!({"until": ids[659]})).await.ok();
        let mut read = read_back().await;
        read.sort();
        assert_eq!(read, ids.iter().map(|id| (id.clone(), true)).collect::<Vec<_>>());
    }

    /// Notifications are kept as long as messages.
    async fn old_notifications_go(app: TestApp) {
        let desk = app.desk().await;
        told(&app, desk.seed.agent, 2).await;
        app.advance(91 * 86_400_000).await;
        let young = told(&app, desk.seed.agent, 1).await;
        let cleaner = app.restarted(|settings| settings.cleaning.cleaning_minutes = 60).await;
        let agent = cleaner.client_of(desk.seed.agent);
        eventually("the old ones are gone", || async { (listed(&agent, "").await.0 == young).then_some(()) }).await;
    }
}
