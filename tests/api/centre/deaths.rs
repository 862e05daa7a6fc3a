//! P9 across the death of workers and processes: nothing is lost, nothing that knows repeats arrives as two, and what may
//! have arrived is called uncertain.

use deskwire::db::{AnyConnection, DatabaseKind};
use deskwire::journal::fail_point::{FailAction, FailPoint};
use diesel::prelude::*;
use serde_json::{Value, json};

use super::provider::{Act, Provider};
use super::{account, rule, says, sent, tell, whole_payload};
use crate::harness::process::{Process, kills};
use crate::harness::servers::free_port;
use crate::harness::{Client, TestDatabase, block_on, eventually, servers};

/// Lets every lease end, as the minute would that nobody waits for here.
pub(super) fn end_leases(mut connection: AnyConnection) {
    use deskwire::db::schema::message_send;
    diesel::update(message_send::table.filter(message_send::status.eq("sending")))
        .set(message_send::lease_until.eq(1))
        .execute(&mut connection)
        .unwrap();
}

/// Both channels behind one key.
async fn wired(admin: &Client, provider: &Provider) {
    let (webhook, _) = account(admin, provider, "webhook", "/webhook").await;
    let (robot, _) = account(admin, provider, "wecom_robot", "/wecom").await;
    let limit = json!({"limit": {"count": 100_000, "seconds": 1}});
    admin.patch(&format!("/channel-accounts/{robot}"), limit).await.ok();
    let (whole, text) = (whole_payload(admin).await, says(admin).await);
    rule(admin, "webhook", &whole, &webhook, json!({})).await;
    rule(admin, "robot", &text, &robot, json!({})).await;
}

on_every_database! {
    /// A worker dies at each step: what becomes of the send, and how often it arrived.
    async fn a_worker_dies_at_each_step(app: TestApp) {
        let desk = app.desk().await;
        let provider = Provider::start().await;
        wired(&desk.admin, &provider).await;
        let mut expected = (0, 0);
        for (point, key, status, arrivals) in [
            (FailPoint::MessageClaimed, "webhook", "success", 1),
            // A webhook's receiver knows repeats, so that nothing is written down before it.
            (FailPoint::MessageAnswered, "webhook", "success", 2),
            (FailPoint::MessageClaimed, "robot", "success", 1),
            (FailPoint::MessageStarted, "robot", "uncertain", 0),
            (FailPoint::MessageAnswered, "robot", "uncertain", 1),
        ] {
            app.journal.fail_points().set(point, FailAction::Fail, 1);
            let event = tell(&desk.admin, key, json!({"text": format!("{point:?}")})).await;
            eventually("the worker died", || async { app.journal.fail_points().is_used_up(point).then_some(()) }).await;
            let left = sent(&desk.admin, &event, "sending").await;
            assert_eq!(left["attempts"].as_array().unwrap().len(), 1);
            end_leases(app.database().connect());
            let done = sent(&desk.admin, &event, status).await;
            let outcome = &done["attempts"][0]["outcome"];
            assert_eq!(outcome, if status == "success" { "abandoned" } else { "uncertain" }, "{point:?} {done}");
            match key {
                "webhook" => expected.0 += arrivals,
                _ => expected.1 += arrivals,
            }
            let came = (provider.deliveries("/webhook").len(), provider.deliveries("/wecom").len());
            assert_eq!(came, expected, "{point:?} {key}");
        }
        let ids: std::collections::BTreeSet<String> =
            provider.deliveries("/webhook").iter().map(|one| one.headers["webhook-id"].clone()).collect();
        assert_eq!(ids.len(), 2, "a repeat has the id of the first");
    }

    /// A worker that was given up and goes on overwrites nothing: another has the send by then.
    async fn a_late_worker_overwrites_nothing(app: TestApp) {
        let desk = app.desk().await;
        let provider = Provider::start().await;
        wired(&desk.admin, &provider).await;
        provider.script("/webhook", [Act::Wait(14_000), Act::Answer(200, "", "second")]);
        let event = tell(&desk.admin, "webhook", json!({})).await;
        eventually("the first is under way", || async { (provider.deliveries("/webhook").len() == 1).then_some(()) }).await;
        // The worker of this process is busy with the account, so the send waits for it after the sweep gave it up.
        end_leases(app.database().connect());
        sent(&desk.admin, &event, "unsent").await;
        let done = sent(&desk.admin, &event, "success").await;
        let outcomes: Vec<&Value> = done["attempts"].as_array().unwrap().iter().map(|one| &one["outcome"]).collect();
        assert_eq!(outcomes, ["abandoned", "accepted"]);
        assert_eq!(done["attempts"][1]["message"], "second");
    }
}

/// Kills the program under load, as often as `DESKWIRE_TEST_KILLS` says (3 when absent), and counts what arrived.
fn nothing_is_lost_by_kill_9(kind: DatabaseKind) {
    if !servers::available(kind) {
        return;
    }
    block_on(async {
        let database = TestDatabase::migrated(kind);
        let port = free_port();
        let mut process = Process::serve_on(&database.url, port, &[]);
        let seed = database.seed();
        let token = process.admin_token(&seed.slug()).await;
        let mut admin = process.client().with_token(token.clone());
        let provider = Provider::start().await;
        wired(&admin, &provider).await;
        let mut told = Vec::new();
        for kill in 0..kills(kind) {
            let key = |n: u32| if n.is_multiple_of(2) { "webhook" } else { "robot" };
            let events: Vec<Value> =
                (0..60).map(|n| json!({"key": key(n), "payload": {"text": format!("{kill}.{n}")}})).collect();
            told.extend((0..60).map(|n| (key(n), format!("{kill}.{n}"))));
            admin.post("/message-events/batch", json!({"events": events})).await.status(202);
            // The schedule of the fault: kills fall at any moment of the sending.
            let moment = u64::from(kill).wrapping_mul(2_654_435_761) % 120;
            tokio::time::sleep(std::time::Duration::from_millis(moment)).await;
            process.kill();
            end_leases(database.connect());
            process = Process::serve_on(&database.url, port, &[]);
            // Without the connections to the one that is dead.
            admin = process.client().with_token(token.clone());
        }
        eventually("everything is settled", || async { is_settled(&admin).await }).await;
        let (mut webhooks, mut robots, mut uncertain) = (0, 0, 0);
        let came = |path: &str, text: &str, pointer: &str| {
            let all = provider.deliveries(path);
            all.iter().filter(|one| one.body.pointer(pointer) == Some(&json!(text))).count()
        };
        let sends = all_sends(&admin).await;
        assert_eq!(sends.len(), told.len(), "each event has its send");
        for (key, text) in &told {
            if *key == "webhook" {
                let ids: std::collections::BTreeSet<String> = provider
                    .deliveries("/webhook")
                    .iter()
                    .filter(|one| one.body["data"]["text"] == json!(text))
                    .map(|one| one.headers["webhook-id"].clone())
                    .collect();
                assert_eq!(ids.len(), 1, "{text} is lost, or came as two");
                webhooks += 1;
            } else {
                let said = format!("News: {text}");
                let send = sends.iter().find(|one| one["message"]["text"] == json!(said)).unwrap();
                let count = came("/wecom", &said, "/text/content");
                match send["status"].as_str() {
                    Some("success") => assert_eq!(count, 1, "{text} came {count} times"),
                    Some("uncertain") => {
                        assert!(count <= 1, "{text} came {count} times");
                        uncertain += 1;
                    }
                    other => panic!("{text} is {other:?}"),
                }
                robots += 1;
            }
        }
        eprintln!("{webhooks} webhooks, {robots} robots' messages, {uncertain} uncertain");
        assert_eq!(process.terminate(), Some(0));
    });
}

/// Whether nothing waits or is under way any more.
async fn is_settled(admin: &Client) -> Option<()> {
    for status in ["unsent", "sending"] {
        let page = admin.get(&format!("/message-sends?status={status}&limit=1")).await.ok();
        if !page["data"].as_array().unwrap().is_empty() {
            return None;
        }
    }
    Some(())
}

async fn all_sends(admin: &Client) -> Vec<Value> {
    let (mut found, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = admin.get(&format!("/message-sends?limit=200{cursor}")).await.ok();
        found.extend(page["data"].as_array().unwrap().iter().cloned());
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return found,
        }
    }
}

#[cfg(feature = "sqlite")]
#[test]
fn nothing_is_lost_by_kill_9_on_sqlite() {
    nothing_is_lost_by_kill_9(DatabaseKind::Sqlite);
}

#[cfg(feature = "postgres")]
#[test]
fn nothing_is_lost_by_kill_9_on_postgresql() {
    nothing_is_lost_by_kill_9(DatabaseKind::Postgresql);
}

#[cfg(feature = "mysql")]
#[test]
fn nothing_is_lost_by_kill_9_on_mysql() {
    nothing_is_lost_by_kill_9(DatabaseKind::Mysql);
}
