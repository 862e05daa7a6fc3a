//! Bans as they are kept: their forms, their ends, who may see and change them, and many changes at once.

use deskwire::db::schema::ban;
use diesel::prelude::*;
use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::harness::{Client, TestApp};

const PATH: &str = "/bans";
const MINUTE: i64 = 60_000;

/// Bans; gives the ban.
pub async fn make(by: &Client, kind: &str, value: &str) -> Value {
    by.post(PATH, json!({"kind": kind, "value": value})).await.status(201)
}

/// The path of a ban.
pub fn path(ban: &Value) -> String {
    format!("{PATH}/{}", ban["id"].as_str().unwrap())
}

/// An instant so many milliseconds from now.
pub fn ahead(app: &TestApp, milliseconds: i64) -> Value {
    json!(app.clock.now().plus(milliseconds))
}

/// The values in the list with this query.
async fn listed(by: &Client, query: &str) -> Vec<String> {
    let page = by.get(&format!("{PATH}?{query}")).await.ok();
    page["data"].as_array().unwrap().iter().map(|ban| ban["value"].as_str().unwrap().to_owned()).collect()
}

on_every_database! {
    /// Each value has one form, by which it is found again and is not banned twice.
    async fn a_value_has_one_form(app: TestApp) {
        let desk = app.desk().await;
        let by = &desk.supervisor;
        let visitor = desk.visitor.id();
        let mut made = Vec::new();
        for (kind, value, form) in [
            ("member", visitor.as_str(), visitor.as_str()),
            ("ip", "::ffff:203.0.113.9", "203.0.113.9"),
            ("ip", "2001:DB8:0:1::5", "2001:db8:0:1::/64"),
            ("cidr", "198.51.100.77/24", "198.51.100.0/24"),
            ("cidr", "2001:db8:ffff::1/48", "2001:db8:ffff::/48"),
            ("email", " Eva@Example.COM ", "eva@example.com"),
            ("device", "phone-1", "phone-1"),
        ] {
            let body = json!({"kind": kind, "value": value, "reason": " spam "});
            let ban = by.post(PATH, body).await.status(201);
            assert_eq!((&ban["value"], &ban["reason"], &ban["active"]), (&json!(form), &json!("spam"), &json!(true)));
            assert_eq!((&ban["expires_at"], &ban["created_by"]), (&Value::Null, &json!(by.id())));
            assert_eq!(by.get(&path(&ban)).await.ok(), ban);
            let again = by.post(PATH, json!({"kind": kind, "value": form})).await.refused(409, "name_taken");
            assert_eq!(again["context"]["ban_id"], ban["id"], "{again}");
            made.push(ban);
        }
        // The neighbour in the same /64, and the same device under another kind.
        by.post(PATH, json!({"kind": "ip", "value": "2001:db8:0:1:ffff::9"})).await.refused(409, "name_taken");
        made.reverse();
        assert_eq!(by.get(PATH).await.ok()["data"], json!(made), "the newest first");
        assert_eq!(listed(by, "kind=cidr").await, ["2001:db8:ffff::/48", "198.51.100.0/24"]);
        assert_eq!(listed(by, "value=EVA@example.com").await, ["eva@example.com"]);
        assert_eq!(listed(by, "value=2001:db8:0:1::77").await, ["2001:db8:0:1::/64"]);
        assert_eq!(listed(by, "kind=member&value=phone-1").await, [""; 0]);
        let first = by.get(&format!("{PATH}?limit=5")).await.ok();
        let cursor = first["next_cursor"].as_str().unwrap();
        assert_eq!(listed(by, &format!("limit=5&cursor={cursor}")).await.len(), 2);
        for ban in &made {
            by.delete(&path(ban)).await.status(204);
            by.delete(&path(ban)).await.refused(404, "not_found");
        }
        assert_eq!(listed(by, "").await, [""; 0]);
    }

    /// What names nothing, nobody, the staff, or half of the world is refused with its place.
    async fn nonsense_is_refused(app: TestApp) {
        let (desk, other) = (app.desk().await, app.desk().await);
        let by = &desk.admin;
        for (kind, value) in [
            ("member", desk.agent.id().as_str()), ("member", other.visitor.id().as_str()), ("member", "7"), ("member", "x"),
            ("ip", "203.0.113.9/32"), ("ip", "shop.example"), ("ip", "203.0.113.300"), ("ip", "2001:db8::/48"),
            ("cidr", "0.0.0.0/0"), ("cidr", "10.0.0.0/7"), ("cidr", "2001::/31"), ("cidr", "2001:db8::/65"),
            ("cidr", "::ffff:0.0.0.0/96"), ("cidr", "::/0"), ("cidr", "10.0.0.1"), ("cidr", "10.0.0.0/08x"),
            ("email", "nobody"), ("email", ""), ("email", "  "), ("device", "my phone"), ("device", "x\u{0}"),
        ] {
            let answer = by.post(PATH, json!({"kind": kind, "value": value})).await;
            let problem = answer.refused(422, "validation_failed");
            assert_eq!(problem["errors"][0]["pointer"], "/value", "{kind} {value:?}: {problem}");
        }
        let long = "x".repeat(126);
        for (body, pointer) in [
            (json!({"kind": "email", "value": format!("{long}@example.com")}), "/value"),
            (json!({"kind": "device", "value": "d", "reason": "x".repeat(501)}), "/reason"),
            (json!({"kind": "device", "value": "d", "reason": "two\nlines"}), "/reason"),
            (json!({"kind": "device", "value": "d", "expires_at": ahead(&app, 0)}), "/expires_at"),
            (json!({"kind": "device", "value": "d", "expires_at": "soon"}), "/expires_at"),
            (json!({"kind": "country", "value": "d"}), "/kind"),
            (json!({"kind": "device"}), "/value"),
            (json!({"kind": "device", "value": "d", "more": 1}), "/more"),
        ] {
            let problem = by.post(PATH, body.clone()).await.refused(422, "validation_failed");
            assert_eq!(problem["errors"][0]["pointer"], pointer, "{body}: {problem}");
        }
        for query in ["kind=country", "active=perhaps", "limit=0", "cursor=x", "more=1"] {
            let answer = by.get(&format!("{PATH}?{query}")).await;
            assert_eq!(answer.status, 400, "{query}: {answer}");
        }
        let ban = make(by, "device", "d").await;
        for body in [json!({"kind": "ip"}), json!({"value": "e"}), json!({"expires_at": ahead(&app, -1)}), json!({"reason": null})] {
            by.patch(&path(&ban), body).await.refused(422, "validation_failed");
        }
        assert_eq!(by.get(PATH).await.ok()["data"], json!([ban]));
    }

    /// Supervisors and administrators ban; agents and customers do not, and no other tenant sees it or is met.
    async fn each_role_does_what_it_may(app: TestApp) {
        let (desk, other) = (app.desk().await, app.desk().await);
        let ban = make(&desk.supervisor, "device", "phone").await;
        let one = path(&ban);
        for by in [&desk.agent, &desk.visitor] {
            by.post(PATH, json!({"kind": "device", "value": "mine"})).await.refused(403, "forbidden");
            by.patch(&one, json!({"reason": "mine"})).await.refused(403, "forbidden");
            by.delete(&one).await.refused(403, "forbidden");
            by.get(PATH).await.refused(403, "forbidden");
            by.get(&one).await.refused(403, "forbidden");
        }
        desk.anonymous.get(PATH).await.refused(401, "unauthenticated");
        desk.anonymous.post(PATH, json!({"kind": "device", "value": "mine"})).await.refused(401, "unauthenticated");
        assert_eq!(desk.admin.get(PATH).await.ok()["data"], json!([ban]));
        assert_eq!(other.admin.get(PATH).await.ok()["data"], json!([]));
        other.admin.get(&one).await.refused(404, "not_found");
        other.admin.patch(&one, json!({"reason": "mine"})).await.refused(404, "not_found");
        other.admin.delete(&one).await.refused(404, "not_found");
        let theirs = make(&other.admin, "device", "phone").await;
        assert_ne!(theirs["id"], ban["id"]);
        // A visitor of that device comes in where nobody banned it.
        let third = app.desk().await;
        let visitor = |slug: &str| json!({"tenant": slug, "device": "phone"});
        third.anonymous.post("/visitors", visitor(&third.slug)).await.status(201);
        desk.anonymous.post("/visitors", visitor(&desk.slug)).await.refused(403, "banned");
    }

    /// A ban ends by the clock, stays listed as ended, holds again when its end is moved, and gives way to another one.
    async fn a_ban_ends_by_itself(app: TestApp) {
        let desk = app.desk().await;
        let by = &desk.admin;
        let value = desk.visitor.id();
        let body = json!({"kind": "member", "value": value, "expires_at": ahead(&app, MINUTE)});
        let ban = by.post(PATH, body.clone()).await.status(201);
        desk.visitor.get("/me").await.refused(403, "banned");
        assert_eq!((listed(by, "active=true").await.len(), listed(by, "active=false").await.len()), (1, 0));
        app.advance(MINUTE).await;
        desk.visitor.get("/me").await.ok();
        desk.visitor.open("here I am again").await;
        assert_eq!((listed(by, "active=true").await.len(), listed(by, "active=false").await.len()), (0, 1));
        assert_eq!(by.get(&path(&ban)).await.ok()["active"], false);
        // A reason changes nothing about the end; a new end does.
        by.patch(&path(&ban), json!({"reason": "again"})).await.ok();
        desk.visitor.get("/me").await.ok();
        let longer = by.patch(&path(&ban), json!({"expires_at": null})).await.ok();
        assert_eq!((&longer["active"], &longer["reason"]), (&json!(true), &json!("again")));
        desk.visitor.get("/me").await.refused(403, "banned");
        by.patch(&path(&ban), json!({"expires_at": ahead(&app, MINUTE)})).await.ok();
        app.advance(MINUTE).await;
        desk.visitor.get("/me").await.ok();
        let next = make(by, "member", &value).await;
        assert_ne!(next["id"], ban["id"]);
        by.get(&path(&ban)).await.refused(404, "not_found");
        desk.visitor.get("/me").await.refused(403, "banned");
    }

    /// Of many at once each does what it would alone, one after the other.
    async fn many_changes_meet(app: TestApp) {
        let desk = app.desk().await;
        let same = json!({"kind": "device", "value": "phone"});
        let answers = join_all((0..12).map(|_| desk.admin.post(PATH, same.clone()))).await;
        let taken = answers.iter().filter(|answer| answer.code() == "name_taken").count();
        assert_eq!((answers.iter().filter(|answer| answer.status == 201).count(), taken), (1, 11));
        let others = (0..12).map(|index| desk.supervisor.post(PATH, json!({"kind": "ip", "value": format!("203.0.113.{index}")})));
        join_all(others).await.into_iter().for_each(|answer| drop(answer.status(201)));
        let phone = desk.admin.get(&format!("{PATH}?value=phone")).await.ok()["data"][0].clone();
        let phone = path(&phone);
        let answers = join_all((0..12).map(|_| desk.admin.delete(&phone))).await;
        let gone = answers.iter().filter(|answer| answer.code() == "not_found").count();
        assert_eq!((answers.iter().filter(|answer| answer.status == 204).count(), gone), (1, 11));
        assert_eq!(listed(&desk.admin, "").await.len(), 12);
    }

    /// A tenant has so many bans and no more; what ended gives way.
    async fn there_is_a_limit(app: TestApp) {
        let desk = app.desk().await;
        let last = make(&desk.admin, "device", "last").await;
        let tenant = desk.tenant.0;
        let mut connection = app.database().connect();
        actix_web::rt::task::spawn_blocking(move || {
            for id in 1..1_000_i64 {
                let name = format!("d{id}");
                let texts = (ban::kind.eq("device"), ban::value.eq(name), ban::reason.eq(""));
                let times = (ban::created_by.eq(1_i64), ban::created_at.eq(0_i64), ban::updated_at.eq(0_i64));
                let row = (ban::id.eq(id), ban::tenant_id.eq(tenant), texts, times);
                diesel::insert_into(ban::table).values(row).execute(&mut connection).unwrap();
            }
        }).await.unwrap();
        let body = json!({"kind": "device", "value": "one-more"});
        desk.admin.post(PATH, body.clone()).await.refused(409, "limit_reached");
        desk.admin.patch(&path(&last), json!({"expires_at": ahead(&app, MINUTE)})).await.ok();
        desk.admin.post(PATH, body.clone()).await.refused(409, "limit_reached");
        app.advance(MINUTE).await;
        desk.admin.post(PATH, body).await.status(201);
        desk.admin.get(&path(&last)).await.refused(404, "not_found");
    }
}
