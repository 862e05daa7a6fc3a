//! Schedules of rules: each time is told once, whatever stopped meanwhile. The clock stands still but for what a test moves.

use deskwire::kernel::Millis;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Value, json};

use super::product::events;
use super::provider::Provider;
use super::{account, expanded, rule, tell, whole_payload};
use crate::harness::{Client, TestApp, eventually};

const MINUTE: i64 = 60_000;
const DAY: i64 = 86_400_000;

fn at(time: &Value) -> i64 {
    time.as_str().unwrap().parse::<Timestamp>().unwrap().as_millisecond()
}

/// The schedule of once a day, at the minute that comes after so many.
fn daily(app: &TestApp, minutes: i64) -> Value {
    let then =
        Timestamp::from_millisecond(app.clock.now().0 + minutes * MINUTE).unwrap().to_zoned(TimeZone::UTC);
    json!({"cron": format!("{} {} * * *", then.minute(), then.hour()), "time_zone": "UTC"})
}

/// The rule once its next time is later than now.
async fn moved_on(admin: &Client, rule: &str, now: Millis) -> Value {
    eventually("the rule has its next time", || async {
        let rule = admin.get(&format!("/message-rules/{rule}")).await.ok();
        (at(&rule["next_at"]) > now.0).then_some(rule)
    })
    .await
}

on_every_database! {
    /// A rule hears of its own times and of nothing else, of each once; of those that passed at once, of the last.
    async fn each_time_is_told_once(app: TestApp) {
        app.clock.stop();
        let (desk, other) = (app.desk().await, app.desk().await);
        let provider = Provider::start().await;
        let (to, _) = account(&desk.admin, &provider, "webhook", "/webhook").await;
        let template = whole_payload(&desk.admin).await;
        let schedule = json!({"cron": "* * * * *", "time_zone": "Asia/Shanghai"});
        let made = rule(&desk.admin, "tick", &template, &to, json!({"schedule": schedule})).await;
        let path = format!("/message-rules/{made}");
        let shown = desk.admin.get(&path).await.ok();
        let first = at(&shown["next_at"]);
        assert_eq!(shown["schedule"], schedule);
        assert!(first % MINUTE == 0 && (1..=MINUTE).contains(&(first - app.clock.now().0)), "{shown}");
        let told = tell(&desk.admin, "tick", json!({})).await;
        let trace = expanded(&desk.admin, &told).await;
        assert_eq!(trace["event"]["decisions"], json!([]), "it waits for no events");
        app.advance(MINUTE).await;
        let found = events(&desk.admin, "tick", 2).await;
        let event = &found[1];
        assert_eq!((&event["rule_id"], &event["created_by"], at(&event["payload"]["at"])), (&json!(made), &Value::Null, first));
        assert_eq!(event["payload"]["time_zone"], "Asia/Shanghai");
        let local = Timestamp::from_millisecond(first).unwrap().in_tz("Asia/Shanghai").unwrap().datetime().to_string();
        assert_eq!(event["payload"]["local_time"], json!(local));
        app.advance(10 * MINUTE).await;
        let found = events(&desk.admin, "tick", 3).await;
        assert_eq!((found.len(), at(&found[2]["payload"]["at"])), (3, first + 10 * MINUTE));
        assert_eq!(at(&moved_on(&desk.admin, &made, app.clock.now()).await["next_at"]), first + 11 * MINUTE);
        eventually("both are delivered", || async { (provider.deliveries("/webhook").len() == 2).then_some(()) }).await;
        // Without its schedule it waits for events again.
        let changed = desk.admin.patch(&path, json!({"schedule": null})).await.ok();
        assert_eq!((&changed["schedule"], &changed["next_at"]), (&Value::Null, &Value::Null));
        let told = tell(&desk.admin, "tick", json!({})).await;
        assert_eq!(expanded(&desk.admin, &told).await["event"]["decisions"][0]["rule_id"], json!(made));
        assert_eq!(other.admin.get("/message-events").await.ok()["data"], json!([]));
    }

    /// What passed while nothing ran is told within an hour, and not later; a rule that was disabled begins anew.
    async fn what_passed_meanwhile_is_told_within_an_hour(app: TestApp) {
        app.clock.stop();
        let desk = app.desk().await;
        let provider = Provider::start().await;
        let (to, _) = account(&desk.admin, &provider, "webhook", "/webhook").await;
        let template = whole_payload(&desk.admin).await;
        let mut made = Vec::new();
        for (key, minutes) in [("late", 30), ("over", 10), ("disabled", 30)] {
            let more = json!({"schedule": daily(&app, minutes)});
            made.push(rule(&desk.admin, key, &template, &to, more).await);
        }
        let disabled = format!("/message-rules/{}", made[2]);
        let changed = desk.admin.patch(&disabled, json!({"status": "disabled"})).await.ok();
        assert_eq!(changed["next_at"], Value::Null);
        app.stop().await;
        app.clock.advance(80 * MINUTE);
        let again = app.restarted(|_| {}).await;
        let admin = again.client_of(desk.seed.admin);
        assert_eq!(events(&admin, "late", 1).await.len(), 1);
        let over = moved_on(&admin, &made[1], again.clock.now()).await;
        assert!(at(&over["next_at"]) - again.clock.now().0 > DAY - 80 * MINUTE, "{over}");
        let changed = admin.patch(&disabled, json!({"status": "active"})).await.ok();
        assert!(at(&changed["next_at"]) > again.clock.now().0, "{changed}");
        // Its next time is told like any other.
        again.advance(at(&changed["next_at"]) - again.clock.now().0).await;
        let admin = again.client_of(desk.seed.admin);
        events(&admin, "disabled", 1).await;
        let over = events(&admin, "over", 1).await;
        assert_eq!(over.len(), 1, "only the time of the next day: {over:?}");
    }

    /// Processes that look at once tell each time once.
    async fn processes_tell_a_time_once(app: TestApp) {
        if !app.kind().is_server() {
            return;
        }
        app.clock.stop();
        let desk = app.desk().await;
        let provider = Provider::start().await;
        let (to, _) = account(&desk.admin, &provider, "webhook", "/webhook").await;
        let template = whole_payload(&desk.admin).await;
        let _second = app.second().await;
        let schedule = json!({"cron": "* * * * *", "time_zone": "UTC"});
        for _ in 0..10 {
            rule(&desk.admin, "tick", &template, &to, json!({"schedule": schedule})).await;
        }
        for count in [10, 20, 30] {
            app.advance(MINUTE).await;
            assert_eq!(events(&desk.admin, "tick", count).await.len(), count);
        }
    }

    /// A simulation shows the next times; what is no schedule is refused with its place.
    async fn schedules_are_tried_and_checked(app: TestApp) {
        let desk = app.desk().await;
        let provider = Provider::start().await;
        let (to, _) = account(&desk.admin, &provider, "webhook", "/webhook").await;
        let template = whole_payload(&desk.admin).await;
        let schedule = json!({"cron": "30 8 1 * *", "time_zone": "Europe/Berlin"});
        let made = rule(&desk.admin, "report", &template, &to, json!({"schedule": schedule})).await;
        rule(&desk.admin, "report", &template, &to, json!({})).await;
        let body = json!({"key": "report", "payload": {"told": true}});
        let tried = desk.supervisor.post("/message-rules/simulate", body).await.ok();
        let (scheduled, waits) = (&tried["data"][0], &tried["data"][1]);
        let times = scheduled["next_times"].as_array().unwrap();
        let shown = desk.admin.get(&format!("/message-rules/{made}")).await.ok();
        assert_eq!((times.len(), &times[0], &scheduled["decision"]), (5, &shown["next_at"], &json!("send")));
        assert!(times.iter().map(at).is_sorted(), "{scheduled}");
        assert_eq!(waits["next_times"], json!([]));
        let path = format!("/message-rules/{made}");
        for (body, pointer) in [
            (json!({"schedule": {"cron": "61 8 * * *", "time_zone": "UTC"}}), "/schedule/cron"),
            (json!({"schedule": {"cron": "* * * * * *", "time_zone": "UTC"}}), "/schedule/cron"),
            (json!({"schedule": {"cron": "0 0 30 2 *", "time_zone": "UTC"}}), "/schedule/cron"),
            (json!({"schedule": {"cron": "0 8 * * *", "time_zone": "Mars"}}), "/schedule/time_zone"),
            (json!({"key": "conversation.closed"}), "/schedule"),
        ] {
            let refused = desk.admin.patch(&path, body).await.refused(422, "validation_failed");
            assert_eq!(refused["errors"][0]["pointer"], pointer, "{refused}");
        }
        assert_eq!(desk.admin.get(&path).await.ok()["schedule"], schedule);
    }
}
