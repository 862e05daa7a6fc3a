//! Reports: what each metric means, who reads whose, and in what form. `reports_oracle` computes every number once more.

use deskwire::domain::report::ReportMetric;
use deskwire::journal::follower;
use deskwire::journal::history;
use deskwire::kernel::{Millis, TenantId};
use deskwire::reports::follower::REPORTS;
use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};

use crate::groups::{make, put};
use crate::harness::{Answer, Client, Desk, TestApp, TestDatabase, eventually};

const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;

/// How far the log was counted, and where it ends.
pub fn position(database: &TestDatabase, tenant: TenantId) -> (i64, i64) {
    let mut connection = database.connect();
    let counted = follower::position(&mut connection, REPORTS, tenant).unwrap();
    (counted, history::head(&mut connection, tenant).unwrap())
}

/// Waits until the whole log is counted.
pub async fn caught_up(app: &TestApp, tenant: TenantId) {
    eventually("everything is counted", || async {
        let (counted, head) = position(app.database(), tenant);
        (counted >= head && head > 0).then_some(())
    })
    .await;
}

fn line(query: &str, from: i64, until: i64) -> String {
    format!("/reports?{query}&from={}&until={}", Millis(from), Millis(until))
}

/// A report.
pub async fn read(by: &Client, query: &str, from: i64, until: i64) -> Value {
    by.get(&line(query, from, until)).await.ok()
}

/// The one row of a metric of a whole day.
async fn row(app: &TestApp, by: &Client, query: &str) -> Value {
    let now = app.clock.now().0;
    let told = read(by, query, now - 12 * HOUR, now + HOUR).await;
    assert_eq!(told["data"].as_array().unwrap().len(), 1, "{query}: {told}");
    told["data"][0].clone()
}

/// The request for what customers said of each group, when everything is counted.
pub async fn of_all_groups(app: &TestApp, admin: &Client) -> String {
    let tenant = admin.get("/tenant").await.ok()["id"].as_str().unwrap().parse().unwrap();
    caught_up(app, TenantId(tenant)).await;
    let now = app.clock.now().0.div_euclid(900_000) * 900_000;
    line("metric=rating&by=group", now - HOUR, now + HOUR).replacen('/', "GET /", 1)
}

fn at(entries: &[Value], kind: &str, number: usize) -> i64 {
    let entry = entries.iter().filter(|entry| entry["kind"] == kind).nth(number).unwrap();
    serde_json::from_value::<Millis>(entry["created_at"].clone()).unwrap().0
}

fn again(app: &TestApp, desk: &Desk) -> Desk {
    app.desk_of(desk.seed)
}

async fn close(by: &Client, room: &str, reason: &str) {
    by.post(&format!("/conversations/{room}/close"), json!({"reason": reason})).await.ok();
}

on_every_database! {
    /// A day at a desk: each metric is what its definition says, by the times of the log.
    async fn each_metric_has_its_definition(app: TestApp) {
        let mut desk = app.desk().await;
        let room = desk.open("where is my parcel").await;
        app.advance(2 * MINUTE).await;
        desk = again(&app, &desk);
        desk.visitor.send(&room, "hello?").await;
        desk.agent.claim(&room).await;
        app.advance(MINUTE).await;
        // Said among the staff, it answers nobody.
        desk.agent.post(&format!("/conversations/{room}/notes"), crate::harness::personas::message("hm")).await.ok();
        app.advance(MINUTE).await;
        desk = again(&app, &desk);
        let said = desk.agent.send(&room, "on its way").await;
        // What was recalled was said.
        desk.agent.delete(&format!("/conversations/{room}/messages/{}", said["seq"])).await.status(200);
        app.advance(3 * MINUTE).await;
        desk.visitor.send(&room, "thanks").await;
        app.advance(5 * MINUTE).await;
        desk = again(&app, &desk);
        desk.supervisor.post(&format!("/conversations/{room}/transfer"), json!({"agent_id": desk.second_agent.id()})).await.ok();
        app.advance(7 * MINUTE).await;
        desk.second_agent.send(&room, "at your service").await;
        close(&desk.second_agent, &room, "resolved").await;
        desk.visitor.put(&format!("/conversations/{room}/rating"), json!({"score": 2})).await.ok();
        desk.visitor.put(&format!("/conversations/{room}/rating"), json!({"score": 5})).await.ok();
        caught_up(&app, desk.tenant).await;
        let log = desk.visitor.log(&room).await;
        let times = |kind: &str, number: usize| at(&log, kind, number);
        // The texts: two questions, the answer, thanks, the last answer.
        let first = times("text", 2) - times("text", 0);
        let second = times("text", 4) - times("text", 3);
        let handled = [times("assigned", 1) - times("assigned", 0), times("closed", 0) - times("assigned", 1)];
        let expected = [
            ("waiting", 1, times("assigned", 0) - times("opened", 0)),
            ("first_response", 1, first),
            ("response", 2, (first + second) / 2),
            ("handling", 2, (handled[0] + handled[1]) / 2),
            ("resolution", 1, times("closed", 0) - times("opened", 0)),
        ];
        for (metric, count, mean) in expected {
            let row = row(&app, &desk.admin, &format!("metric={metric}")).await;
            assert_eq!((&row["count"], &row["mean_ms"]), (&json!(count), &json!(mean)), "{metric}");
        }
        for (metric, count) in [("opened", 1), ("customer_messages", 3), ("staff_messages", 2)] {
            assert_eq!(row(&app, &desk.admin, &format!("metric={metric}")).await["count"], count, "{metric}");
        }
        let rated = row(&app, &desk.admin, "metric=rating&by=agent").await;
        assert_eq!((&rated["count"], &rated["scores"]), (&json!(1), &json!([0, 0, 0, 0, 1])), "the last word counts");
        assert_eq!((&rated["id"], &rated["mean_score"]), (&json!(desk.second_agent.id()), &json!(5.0)));
        // Each has what it did: who answered first, and how long each served.
        let own = row(&app, &desk.agent, "metric=handling").await;
        assert_eq!((&own["id"], &own["mean_ms"]), (&json!(desk.agent.id()), &json!(handled[0])));
        let own = row(&app, &desk.second_agent, "metric=response").await;
        assert_eq!((&own["count"], &own["mean_ms"]), (&json!(1), &json!(second)));
        let now = app.clock.now().0;
        let none = read(&desk.admin, "metric=missed", now - 12 * HOUR, now + HOUR).await;
        assert_eq!(none["data"], json!([]), "it was answered");
    }

    /// What nobody answered is missed; spam is not, nor what the staff began.
    async fn what_nobody_answered_is_missed(app: TestApp) {
        let desk = app.desk().await;
        let room = desk.open("anybody?").await;
        desk.agent.claim(&room).await;
        close(&desk.agent, &room, "inactive").await;
        let room = desk.second_visitor.open("buy now").await;
        close(&desk.supervisor, &room, "spam").await;
        let body = json!({"customer_id": desk.second_visitor.id(), "message": crate::harness::personas::message("your parcel")});
        let begun = desk.agent.post("/conversations", body).await.ok();
        let begun = begun["conversation"]["id"].as_str().unwrap().to_owned();
        desk.second_visitor.send(&begun, "which one?").await;
        close(&desk.supervisor, &begun, "resolved").await;
        caught_up(&app, desk.tenant).await;
        let missed = row(&app, &desk.admin, "metric=missed&by=agent").await;
        assert_eq!((&missed["count"], &missed["id"]), (&json!(1), &json!(desk.agent.id())));
        assert_eq!(row(&app, &desk.admin, "metric=resolution").await["count"], 2, "without spam");
        assert_eq!(row(&app, &desk.admin, "metric=opened").await["count"], 3);
        let now = app.clock.now().0;
        let first = read(&desk.admin, "metric=first_response", now - HOUR, now + HOUR).await;
        assert_eq!(first["data"], json!([]), "the staff wrote first, or not at all");
    }

    /// Agents read their own numbers, supervisors who are in groups those of their groups, the others all; nobody another
    /// tenant's.
    async fn who_reads_whose(app: TestApp) {
        let (desk, other) = (app.desk().await, app.desk().await);
        let (ours, theirs) = (make(&desk, "Parcels").await, make(&desk, "Bills").await);
        put(&desk.admin, &ours, &desk.agent, "member").await;
        put(&desk.admin, &theirs, &desk.second_agent, "member").await;
        for (visitor, agent, group) in
            [(&desk.visitor, &desk.agent, &ours), (&desk.second_visitor, &desk.second_agent, &theirs)]
        {
            let body = json!({"message": crate::harness::personas::message("hello"), "group_id": group});
            let opened = visitor.post("/conversations", body).await.ok();
            let room = opened["conversation"]["id"].as_str().unwrap().to_owned();
            agent.claim(&room).await;
            agent.send(&room, "hello!").await;
            close(agent, &room, "resolved").await;
        }
        other.open("elsewhere").await;
        caught_up(&app, desk.tenant).await;
        caught_up(&app, other.tenant).await;
        let now = app.clock.now().0;
        let ids = async |by: &Client, query: &str| {
            let told = read(by, query, now - HOUR, now + HOUR).await;
            let rows = told["data"].as_array().unwrap().clone();
            let mut ids: Vec<Value> = rows.iter().map(|row| row["id"].clone()).collect();
            ids.sort_by_key(Value::to_string);
            ids
        };
        let sorted = |mut ids: Vec<Value>| {
            ids.sort_by_key(Value::to_string);
            ids
        };
        let (agent, second) = (json!(desk.agent.id()), json!(desk.second_agent.id()));
        let (parcels, bills) = (json!(ours), json!(theirs));
        for metric in ["response", "handling", "resolution", "load"] {
            let query = |by: &str| format!("metric={metric}&by={by}");
            assert_eq!(ids(&desk.agent, &query("agent")).await, std::slice::from_ref(&agent), "{metric}");
            assert_eq!(ids(&desk.agent, &format!("metric={metric}")).await, std::slice::from_ref(&agent), "{metric}: by itself");
            for by in [&desk.supervisor, &desk.admin] {
                assert_eq!(ids(by, &query("agent")).await, sorted(vec![agent.clone(), second.clone()]));
                assert_eq!(ids(by, &query("group")).await, sorted(vec![parcels.clone(), bills.clone()]));
                assert_eq!(ids(by, &query("tenant")).await, [Value::Null]);
            }
            assert_eq!(ids(&other.admin, &query("agent")).await, [Value::Null; 0], "another tenant");
        }
        for by in ["group", "tenant"] {
            let path = line(&format!("metric=response&by={by}"), now - HOUR, now);
            desk.agent.get(&path).await.refused(403, "forbidden");
        }
        for by in [&desk.visitor, &other.visitor] {
            by.get(&line("metric=response", now - HOUR, now)).await.refused(403, "forbidden");
        }
        desk.anonymous.get(&line("metric=response", now - HOUR, now)).await.refused(401, "unauthenticated");
        // In a group a supervisor reads what is the group's, and who is in it.
        put(&desk.admin, &ours, &desk.supervisor, "member").await;
        assert_eq!(ids(&desk.supervisor, "metric=response&by=group").await, [parcels]);
        assert_eq!(ids(&desk.supervisor, "metric=response&by=agent").await, [agent]);
        desk.supervisor.get(&line("metric=response&by=tenant", now - HOUR, now)).await.refused(403, "forbidden");
        // Many at once are told the same.
        let all = join_all((0..12).map(|_| read(&desk.admin, "metric=resolution&by=agent", now - HOUR, now + HOUR))).await;
        assert!(all.iter().all(|told| *told == all[0] && told["data"][0]["name"].is_string()), "{all:?}");
    }

    /// What is asked in a wrong form, or would be too much, is refused with a reason.
    async fn limits_are_told(app: TestApp) {
        let desk = app.desk().await;
        let now = app.clock.now().0;
        let good = line("metric=waiting", now - HOUR, now);
        for metric in ReportMetric::ALL {
            let told = read(&desk.admin, &format!("metric={metric}"), now - HOUR, now).await;
            assert_eq!((&told["metric"], &told["data"]), (&json!(metric.as_str()), &json!([])), "nothing happened");
        }
        for bad in [
            "/reports".to_owned(),
            line("metric=", now - HOUR, now),
            line("metric=happiness", now - HOUR, now),
            line("metric=waiting&by=visitor", now - HOUR, now),
            line("metric=waiting&interval=minute", now - HOUR, now),
            line("metric=waiting&time_zone=Mars/Olympus", now - HOUR, now),
            line(&format!("metric=waiting&time_zone={}", "x".repeat(65)), now - HOUR, now),
            line("metric=waiting&format=xml", now - HOUR, now),
            line("metric=waiting&agent=1", now - HOUR, now),
            line("metric=waiting&hours=office", now - HOUR, now),
            line("metric=load&hours=business_hours", now - HOUR, now),
            line("metric=rating&hours=business_hours", now - HOUR, now),
            line("metric=waiting", now, now),
            line("metric=waiting", now, now - HOUR),
            line("metric=waiting", now - 401 * 24 * HOUR, now),
            line("metric=waiting&interval=hour", now - 32 * 24 * HOUR, now),
            "/reports?metric=waiting&from=yesterday&until=today".to_owned(),
            "/reports?metric=waiting&from=2026-01-01T00:00:00Z".to_owned(),
        ] {
            desk.admin.get(&bad).await.refused(400, "invalid_parameter");
        }
        let told = desk.admin.get(&good).await.ok();
        let edge = |name: &str| serde_json::from_value::<Millis>(told[name].clone()).unwrap().0;
        assert_eq!((edge("from") % 900_000, edge("until") % 900_000), (0, 0), "whole quarters of an hour");
        assert!(edge("from") <= now - HOUR && edge("until") >= now);
        assert_eq!((&told["by"], &told["interval"], &told["time_zone"]), (&json!("tenant"), &json!("total"), &json!("UTC")));
        assert_eq!(told["hours"], "calendar_hours");
        // 400 days of days fit, and a zone with a name of its own.
        read(&desk.admin, "metric=load&interval=day&time_zone=Asia/Kathmandu", now - 400 * 24 * HOUR, now).await;
    }

    /// As a table for spreadsheets: by the clock of the zone, and no name is a formula.
    async fn a_table_is_no_program(app: TestApp) {
        let desk = app.desk().await;
        let path = format!("/members/{}", desk.agent.id());
        desk.admin.patch(&path, json!({"nickname": "=cmd(\"a\",1)"})).await.ok();
        let room = desk.open_and_claim("hello").await;
        desk.agent.send(&room, "hello!").await;
        caught_up(&app, desk.tenant).await;
        let now = app.clock.now().0;
        let path = line("metric=response&by=agent&time_zone=Asia/Kolkata", now - HOUR, now + HOUR);
        let asked = |accept: &'static str, path: String| {
            let request = desk.admin.request(Method::GET, &path).header("accept", accept);
            Answer::of(request)
        };
        let table = asked("text/csv", path.clone()).await;
        assert_eq!(table.header("content-type"), "text/csv; charset=utf-8; header=present");
        assert_eq!(table.header("content-disposition"), "attachment; filename=\"response-agent.csv\"");
        let text = table.ok().as_str().unwrap().to_owned();
        let lines: Vec<&str> = text.split("\r\n").collect();
        assert_eq!((lines.len(), lines[2]), (3, ""), "{text}");
        assert!(lines[0].starts_with("starts_at,ends_at,id,name,count,mean_ms"), "{text}");
        let row = lines[1];
        assert!(row.contains("+05:30,") && row.contains(&format!(",{},", desk.agent.id())), "{text}");
        assert!(row.contains(",\"'=cmd(\"\"a\"\",1)\",1,"), "{text}");
        assert_eq!(lines[0].split(',').count(), 15);
        let same = desk.admin.get(&format!("{path}&format=csv")).await.ok();
        assert_eq!(same, json!(text));
        for json in [asked("application/json", path.clone()), asked("*/*", path.clone()), asked("text/csv", format!("{path}&format=json"))] {
            assert_eq!(json.await.ok()["data"][0]["name"], "=cmd(\"a\",1)");
        }
    }
}
