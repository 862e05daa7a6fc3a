//! The import of other systems' data: what comes in, what is refused, and that it is history.
//!
//! The tables are those of the designs, with their own statements, on a MariaDB; they come into each of the databases.

use std::collections::BTreeMap;
use std::sync::Arc;

use deskwire::db::DatabaseKind;
use deskwire::db::schema::{audit_event, import_row, member, message_event, message_send, message_template};
use deskwire::domain::audit::AuditAction;
use deskwire::domain::conversation::{ConversationKind, ConversationRow, ConversationStatus};
use deskwire::domain::entry::EntryKind;
use deskwire::import::{Asked, Report, import};
use deskwire::journal::{follower, history};
use deskwire::kernel::{Millis, TenantId};
use deskwire::sync::verify;
use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::harness::audit::Store;
use crate::harness::{Desk, TestApp, TestDatabase, eventually, servers};

const SOURCES: &str = include_str!("import/sources.sql");
/// The password of accounts whose hash is bcrypt there.
const BCRYPT: &str = "a long bcrypt password";

/// A database of another system with the tables of all designs; `None` when there is no MariaDB.
pub fn sources() -> Option<TestDatabase> {
    if !servers::available(DatabaseKind::Mysql) {
        return None;
    }
    let database = TestDatabase::empty(DatabaseKind::Mysql);
    let hash = bcrypt::hash(BCRYPT, 4).unwrap();
    database.connect().batch_execute(&SOURCES.replace("'BCRYPT'", &format!("'{hash}'"))).unwrap();
    Some(database)
}

/// An import of the merchant 7 into this tenant.
pub fn asked(from: &TestDatabase, tenant: &str) -> Asked {
    Asked {
        from: from.url.clone(),
        tenant: tenant.to_owned(),
        source: Some("old".to_owned()),
        merchant: Some("7".to_owned()),
        time_zone: "Asia/Shanghai".to_owned(),
        dry_run: false,
    }
}

async fn run(app: &TestApp, asked: Asked) -> Report {
    import(Arc::clone(app.app()), asked).await.unwrap()
}

/// A tenant that has an account of the channel `in_app`, as rules need one.
async fn ready(app: &TestApp) -> Desk {
    let desk = app.desk().await;
    desk.admin.post("/channel-accounts", json!({"name": "app", "provider": "in_app"})).await.status(201);
    desk
}

/// Read, imported, present and refused of each table.
fn counts(report: &Report) -> BTreeMap<&'static str, [u64; 4]> {
    let count = |one: &deskwire::import::TableReport| [one.read, one.imported, one.present, one.refused];
    report.tables.iter().map(|one| (one.table, count(one))).collect()
}

/// What comes in of the fixture.
fn expected() -> BTreeMap<&'static str, [u64; 4]> {
    BTreeMap::from([
        ("member", [4, 2, 0, 2]),
        ("users", [5, 4, 0, 1]),
        ("customer_service", [7, 6, 0, 1]),
        ("agent_status", [2, 1, 0, 1]),
        ("chat_group", [7, 4, 0, 3]),
        ("group_member", [3, 2, 0, 1]),
        ("group_message", [10, 5, 0, 5]),
        ("conversations", [7, 4, 0, 3]),
        ("messages", [11, 7, 0, 4]),
        ("message_info", [4, 3, 0, 1]),
        ("message_work_user", [2, 2, 0, 0]),
        ("message_rule", [5, 2, 0, 3]),
        ("message_send", [6, 4, 0, 2]),
    ])
}

fn line<'a>(report: &'a Report, table: &str, id: i64) -> &'a str {
    let found = report.lines.iter().find(|line| line.table == table && line.id == Some(id));
    &found.unwrap_or_else(|| panic!("nothing is said of {table} {id}")).why
}

/// Everything that stands in the store of a tenant, by what it says and not by its ids.
async fn told(app: &TestApp, tenant: TenantId) -> Vec<String> {
    let store = app.audit().await;
    type Account = (i64, Option<String>, Option<String>, String, Option<i64>);
    let accounts: Vec<Account> = app
        .db
        .read(move |connection| {
            let all = member::table.filter(member::tenant_id.eq(tenant)).select((
                member::id,
                member::login_name,
                member::external_id,
                member::nickname,
                member::last_seen,
            ));
            Ok(all.load(connection)?)
        })
        .await
        .unwrap();
    let mut told: Vec<String> = accounts
        .iter()
        .map(|(_, login, external, name, seen)| format!("{login:?} {external:?} {name} {seen:?}"))
        .collect();
    for row in store.rooms.values().filter(|row| row.tenant_id == tenant) {
        let entries = store.entries.iter().filter(|entry| entry.conversation_id == row.id);
        let said: Vec<_> = entries
            .map(|entry| {
                (entry.seq, entry.kind, &entry.content, &entry.sender_name, entry.client_msg_id.clone())
            })
            .collect();
        let inside = store.participants.iter().filter(|one| one.conversation_id == row.id);
        let mut inside: Vec<_> = inside.map(|one| (one.member_type, one.active, one.read_seq)).collect();
        inside.sort_by_key(|one| format!("{one:?}"));
        told.push(format!("{:?} {:?} {} {said:?} {inside:?}", row.kind, row.status, row.subject));
    }
    told.sort();
    told
}

fn at(text: &str) -> i64 {
    serde_json::from_value::<Millis>(json!(text)).unwrap().0
}

/// The support conversation in which this was said.
fn with<'a>(store: &'a Store, text: &str) -> &'a ConversationRow {
    let entry =
        store.entries.iter().find(|entry| entry.content.contains(text)).unwrap_or_else(|| panic!("{text}"));
    &store.rooms[&entry.conversation_id]
}

async fn sign_in(desk: &Desk, name: &str, password: &str) -> crate::harness::Answer {
    let body = json!({"tenant": desk.slug, "name": name, "password": password, "device": "d1"});
    desk.anonymous.post("/auth/login", body).await
}

async fn hash(app: &TestApp, tenant: TenantId, name: &'static str) -> String {
    let found = app.db.read(move |connection| {
        let one = member::table.filter(member::tenant_id.eq(tenant)).filter(member::login_name.eq(name));
        Ok(one.select(member::password_hash).first::<Option<String>>(connection)?)
    });
    found.await.unwrap().unwrap_or_default()
}

on_every_database! {
    /// What can come in comes in, with its times and its places, and each row that cannot has a line; again is nothing new.
    async fn everything_comes_in_once(app: TestApp) {
        let Some(from) = sources() else { return };
        let (desk, other) = (ready(&app).await, ready(&app).await);
        let kept = desk.open_and_claim("was there before").await;
        let before = (desk.admin.log(&kept).await, told(&app, other.tenant).await);
        let report = run(&app, asked(&from, &desk.slug)).await;
        assert_eq!(counts(&report), expected(), "{:#?}", report.lines);
        let refused = report.lines.iter().filter(|line| line.what == "refused").count() as u64;
        assert_eq!(refused, report.tables.iter().map(|one| one.refused).sum::<u64>(), "a line each");

        let store = app.audit().await;
        let parcel = with(&store, "我的包裹");
        assert_eq!((parcel.kind, parcel.status), (ConversationKind::Support, Some(ConversationStatus::Closed)));
        assert_eq!((parcel.subject.as_str(), parcel.created_at), ("售后 1001", at("2020-01-01T19:04:05Z")));
        assert_eq!(parcel.closed_at, Some(at("2020-01-01T19:08:00Z")), "with its last message");
        let log: Vec<_> = store.entries.iter().filter(|entry| entry.conversation_id == parcel.id).collect();
        let kinds: Vec<_> = log.iter().map(|entry| entry.kind).collect();
        use EntryKind::{Closed, Imported, Opened, Text};
        assert_eq!(kinds, [Opened, Imported, Text, Text, Text, Text, Closed]);
        assert_eq!((log[1].content.as_str(), log[1].sender_id), (r#"{"text":"客户小王 来了"}"#, None));
        let said: Value = serde_json::from_str(&log[2].content).unwrap();
        assert_eq!(said["text"], "你好,我的包裹在哪里? 😀 \"quoted\" \\ back");
        assert_eq!((log[2].created_at, log[2].sender_name.as_str()), (at("2020-01-01T19:05:00Z"), "小王"));
        assert_eq!((log[3].sender_name.as_str(), log[3].sender_avatar.as_str()), ("爱丽丝(早班)", "https://img.shop.example/then.png"));
        let long: String = log[4..6].iter().map(|entry| serde_json::from_str::<Value>(&entry.content).unwrap()["text"].as_str().unwrap().to_owned()).collect();
        assert_eq!(long, "长".repeat(8_000), "in two messages");
        assert!(log.iter().all(|entry| entry.is_imported()));
        let room = with(&store, "开会");
        assert_eq!((room.kind, room.subject.as_str(), room.customer_id), (ConversationKind::Group, "同事", None));

        let first = with(&store, "我想咨询产品问题");
        assert_eq!((first.status, first.closed_at), (Some(ConversationStatus::Closed), Some(at("2021-02-01T01:00:00Z"))));
        assert_eq!((first.customer_read_seq, first.staff_read_seq), (3, 5), "up to the first unread message");
        let waits = with(&store, "Again me");
        assert_eq!(waits.status, Some(ConversationStatus::Open));
        assert!(waits.waiting_since > Some(at("2026-01-01T00:00:00Z")), "it waits from now on");
        assert_eq!(with(&store, "A third time").status, Some(ConversationStatus::Closed));
        assert!(line(&report, "conversations", 3).contains("another open conversation"));
        let served = with(&store, "On its way");
        assert_eq!(served.status, Some(ConversationStatus::Pending));
        let drift = app.db.read(|connection| verify::recompute_all(connection, None)).await.unwrap();
        assert_eq!(drift.drift, 0, "{:?}", drift.told);

        for (table, id, why) in [
            ("member", 3, "login name"), ("member", 4, "created_at is no time"), ("users", 5, "role"), ("customer_service", 8, "role_type"),
            ("agent_status", 98, "did not come in"), ("chat_group", 5, "two customers"), ("chat_group", 7, "uuid is empty"),
            ("group_member", 3, "uuid of no chat_group"), ("group_message", 4, "ghost"), ("group_message", 5, "nowhere"),
            ("group_message", 6, "empty"), ("group_message", 7, "no time"), ("group_message", 9, "message_type"),
            ("conversations", 5, "99"), ("conversations", 6, "no customer"), ("conversations", 7, "none of the staff"),
            ("messages", 7, "conversation_id"), ("messages", 8, "sender_id"), ("messages", 9, "cannot be a message"), ("messages", 11, "cannot be read"),
            ("message_info", 4, "no JSON"), ("message_rule", 2, "wechat"), ("message_rule", 3, "key"), ("message_rule", 4, "work_id"),
            ("message_send", 5, "rule_id"), ("message_send", 6, "status"), ("member", 2, "email is left out"),
            ("users", 3, "neither bcrypt nor MD5"), ("customer_service", 2, "max_accept"), ("customer_service", 4, "above"),
            ("customer_service", 7, "99"), ("chat_group", 1, "member_avatar"), ("group_message", 8, "2 messages"),
            ("message_work_user", 1, "openid"), ("message_work_user", 2, "phone"), ("message_send", 2, "wx_user_info"), ("message_send", 3, "cancelled"),
        ] {
            assert!(line(&report, table, id).contains(why), "{table} {id}: {}", line(&report, table, id));
        }

        let members = desk.admin.get("/members?limit=100").await.ok();
        let named = |name: &str| members["data"].as_array().unwrap().iter().find(|one| one["nickname"] == name).unwrap().clone();
        let tom = named("Tom");
        assert!(tom["login_name"].as_str().unwrap().starts_with("tom.old."), "{tom}");
        assert_eq!((&tom["skills"], &tom["max_accept"], &tom["parent_id"]), (&json!(["退款", "refunds"]), &json!(1_000), &named("Chief")["id"]));
        assert_eq!((&named("Chief")["role"], &named("Chief")["parent_id"]), (&json!("supervisor"), &named("Boss")["id"]));
        assert_eq!((&named("Bob \"B\"")["status"], &named("客户小王")["external_id"]), (&json!("disabled"), &json!("wx-77")));
        assert_eq!((&named("爱丽丝")["mobile"], &named("爱丽丝")["avatar"]), (&json!("13800138000"), &json!("https://img.shop.example/a.png")));

        let templates = desk.admin.get("/message-templates").await.ok()["data"].clone();
        let fields = &templates[0]["wechat"]["data"];
        assert_eq!((&fields[0]["value"], &fields[1]["value"]), (&json!("已支付"), &json!("{{ order }}")), "{templates}");
        assert_eq!((&templates[1]["sms"]["code"], &templates[2]["in_app"]["body"]), (&json!("SMS_1"), &json!("您的订单")));
        let rules = desk.admin.get("/message-rules").await.ok()["data"].clone();
        assert_eq!((&rules[0]["key"], &rules[0]["recipients"][0]["type"]), (&json!("goods.arrived"), &json!("customer")));
        assert_eq!((&rules[0]["recipients"][1]["type"], &rules[1]["status"]), (&json!("recipient"), &json!("disabled")));
        let sends = desk.admin.get("/message-sends").await.ok()["data"].clone();
        let states: Vec<_> = sends.as_array().unwrap().iter().map(|send| send["status"].as_str().unwrap()).collect();
        assert_eq!(states, ["uncertain", "cancelled", "failed", "success"]);
        assert_eq!((&sends[3]["provider_message_id"], &sends[3]["sent_at"]), (&json!("900"), &json!("2015-05-01T00:00:02.000Z")));
        assert_eq!(sends[3]["created_at"], "2015-04-30T16:00:00.000Z", "by the other clock");

        // Search by day finds what is imported, by its own day, and what was there before it in the log.
        for (query, texts) in [
            ("q=包裹&from=2020-01-01T00:00:00Z&until=2020-01-03T00:00:00Z", 1),
            ("q=包裹&until=2019-01-03T00:00:00Z", 0),
            ("q=before&from=2025-01-01T00:00:00Z", 1),
            ("q=before&until=2025-01-01T00:00:00Z", 0),
        ] {
            let found = desk.admin.get(&format!("/search/messages?{query}")).await.ok();
            assert_eq!(found["data"].as_array().unwrap().len(), texts, "{query}: {found}");
        }

        // Nothing that was there is changed, and the second time nothing new is there.
        assert_eq!((desk.admin.log(&kept).await, told(&app, other.tenant).await), before);
        let all = told(&app, desk.tenant).await;
        let tenant = desk.tenant;
        let head = app.db.read(move |connection| history::head(connection, tenant)).await.unwrap();
        let again = run(&app, asked(&from, &desk.slug)).await;
        let all_there = expected().into_iter().map(|(table, [read, new, _, refused])| (table, [read, 0, new, refused]));
        assert_eq!(counts(&again), all_there.collect());
        assert_eq!(told(&app, desk.tenant).await, all);
        assert_eq!(app.db.read(move |connection| history::head(connection, tenant)).await.unwrap(), head);
        let imports = desk.admin.get("/audit-events?action=import").await.ok()["data"].clone();
        assert_eq!(imports.as_array().unwrap().len(), 2, "each run is told: {imports}");
        assert_eq!((&imports[0]["after"], &imports[0]["actor_id"]), (&json!({"source": "old"}), &Value::Null));
    }

    /// A dry run tells the same and writes nothing.
    async fn a_dry_run_writes_nothing(app: TestApp) {
        let Some(from) = sources() else { return };
        let desk = ready(&app).await;
        let before = told(&app, desk.tenant).await;
        let report = run(&app, Asked { dry_run: true, ..asked(&from, &desk.slug) }).await;
        assert_eq!(counts(&report), expected(), "{:#?}", report.lines);
        assert_eq!(told(&app, desk.tenant).await, before);
        let tenant = desk.tenant;
        let rows = app.db.read(move |connection| {
            let ledger: i64 = import_row::table.count().get_result(connection)?;
            let of = message_template::table.filter(message_template::tenant_id.eq(tenant));
            let templates: i64 = of.count().get_result(connection)?;
            let sends: i64 = message_send::table.count().get_result(connection)?;
            let told: i64 = audit_event::table
                .filter(audit_event::action.eq(AuditAction::Import))
                .count()
                .get_result(connection)?;
            Ok(ledger + templates + sends + told)
        });
        assert_eq!(rows.await.unwrap(), 0);
        run(&app, asked(&from, &desk.slug)).await;
        let after = run(&app, Asked { dry_run: true, ..asked(&from, &desk.slug) }).await;
        assert_eq!(after.tables.iter().map(|one| one.imported).sum::<u64>(), 0, "{:?}", counts(&after));
    }

    /// An MD5 password opens once, by twelve doors at once, and is bcrypt from then on; a wrong one never does.
    async fn md5_is_replaced_at_the_first_sign_in(app: TestApp) {
        let Some(from) = sources() else { return };
        let desk = ready(&app).await;
        run(&app, asked(&from, &desk.slug)).await;
        assert!(hash(&app, desk.tenant, "alice").await.starts_with("md5:"));
        for wrong in ["1234567", "e10adc3949ba59abbe56e057f20f883e", "md5:e10adc3949ba59abbe56e057f20f883e:"] {
            sign_in(&desk, "alice", wrong).await.refused(401, "invalid_credentials");
        }
        assert!(hash(&app, desk.tenant, "alice").await.starts_with("md5:"));
        let doors = join_all((0..12).map(|_| sign_in(&desk, "Alice", "123456"))).await;
        // An account has so many doors at once.
        assert!(doors.iter().all(|door| door.status == 200 || door.code() == "rate_limited"));
        assert!(doors.iter().any(|door| door.status == 200));
        let own = hash(&app, desk.tenant, "alice").await;
        assert!(own.starts_with("$2"), "{own}");
        sign_in(&desk, "alice", "123456").await.ok();
        assert_eq!(hash(&app, desk.tenant, "alice").await, own, "once");
        sign_in(&desk, "alice", "1234567").await.refused(401, "invalid_credentials");
        sign_in(&desk, "bob", "123456").await.refused(403, "account_disabled");
        sign_in(&desk, "boss", BCRYPT).await.ok();
        sign_in(&desk, "root", "whatever").await.refused(401, "invalid_credentials");
        // Salted.
        let members = desk.admin.get("/members?limit=100").await.ok();
        let tom = members["data"].as_array().unwrap().iter().find(|one| one["nickname"] == "Tom").unwrap();
        sign_in(&desk, tom["login_name"].as_str().unwrap(), "secret").await.ok();
        let mei = sign_in(&desk, "mei", "password").await.ok();
        let mei = desk.anonymous.with_token(mei["access_token"].as_str().unwrap());
        let inbox = mei.get("/inbox").await.ok();
        let unread = inbox["data"].as_array().unwrap().iter().map(|row| row["unread"].as_i64().unwrap());
        assert_eq!(unread.sum::<i64>(), 1, "{inbox}");
        // A second import does not bring the old hash back.
        run(&app, asked(&from, &desk.slug)).await;
        assert_eq!(hash(&app, desk.tenant, "alice").await, own);
    }

    /// Rules hear of what happens after the import, and of nothing that it brought.
    async fn history_wakes_no_rule(app: TestApp) {
        let Some(from) = sources() else { return };
        let desk = ready(&app).await;
        let admin = &desk.admin;
        let account = admin.get("/channel-accounts").await.ok()["data"][0]["id"].clone();
        let template = json!({"name": "news", "channel": "in_app", "in_app": {"title": "News"}});
        let template = admin.post("/message-templates", template).await.status(201)["id"].clone();
        admin.post(&format!("/message-templates/{}/publish", template.as_str().unwrap()), json!({})).await.ok();
        let keys = ["conversation.opened", "conversation.assigned", "conversation.closed", "message.received", "message.sent", "message.missed_by_customer"];
        for key in keys {
            let rule = json!({
                "title": key, "key": key, "template_id": template, "account_id": account,
                "recipients": [{"type": "role", "role": "supervisor"}],
            });
            admin.post("/message-rules", rule).await.status(201);
        }
        run(&app, asked(&from, &desk.slug)).await;
        app.advance(120_000).await;
        let tenant = desk.tenant;
        let head = app.db.read(move |connection| history::head(connection, tenant)).await.unwrap();
        eventually("the followers have passed the import", || async {
            let read = move |connection: &mut _| {
                let events = follower::position(connection, "message_events", tenant)?;
                Ok(events.min(follower::position(connection, "message_missed", tenant)?))
            };
            (app.db.read(read).await.unwrap() >= head).then_some(())
        })
        .await;
        let heard = || async {
            let of = move |connection: &mut _| {
                let rows = message_event::table.filter(message_event::tenant_id.eq(tenant)).filter(message_event::key.eq_any(keys));
                Ok(rows.order(message_event::id).select(message_event::key).load::<String>(connection)?)
            };
            app.db.read(of).await.unwrap()
        };
        assert_eq!(heard().await, [""; 0]);
        // The same rules hear of what is new.
        desk.open("news").await;
        eventually("what is new is heard", || async { (heard().await.len() == 2).then_some(()) }).await;
        assert_eq!(heard().await, ["conversation.opened", "message.received"]);
    }

    /// Twelve runs at once make everything once.
    async fn runs_at_once_make_nothing_twice(app: TestApp) {
        let Some(from) = sources() else { return };
        let (desk, alone) = (ready(&app).await, ready(&app).await);
        run(&app, asked(&from, &alone.slug)).await;
        let reports = join_all((0..12).map(|_| run(&app, asked(&from, &desk.slug)))).await;
        let imported = |table: &str| reports.iter().map(|report| counts(report)[table][1]).sum::<u64>();
        for table in ["member", "users", "customer_service", "conversations", "message_info", "message_send"] {
            assert_eq!(imported(table), expected()[table][1], "{table}");
        }
        // Without what names an id.
        let is_id = |word: &str| word.len() >= 18;
        let has_id = |one: &String| one.split(|one: char| !one.is_ascii_digit()).any(is_id);
        let ids = |told: Vec<String>| told.into_iter().filter(|one| !has_id(one)).collect::<Vec<_>>();
        assert!(ids(told(&app, desk.tenant).await).len() > 15);
        assert_eq!(ids(told(&app, desk.tenant).await), ids(told(&app, alone.tenant).await));
        let drift = app.db.read(|connection| verify::recompute_all(connection, None)).await.unwrap();
        assert_eq!(drift.drift, 0, "{:?}", drift.told);
    }
}
