//! Routing that keeps to business hours: nothing is given away while the desk is closed, everything once it opens.

use deskwire::kernel::Millis;
use serde_json::{Value, json};

use crate::groups::{make, put};
use crate::harness::{Desk, TestApp, eventually};
use crate::routing::{agent_of, online, route, served_by, waits};

const HOUR: i64 = 3_600_000;

/// Business hours of every day.
fn daily(from: &str, until: &str, name: &str, whose: Value) -> Value {
    let days = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];
    let weekly: Vec<Value> =
        days.iter().map(|day| json!({"day": day, "from": from, "until": until})).collect();
    let mut hours = json!({"name": from, "time_zone": "UTC", "weekly": weekly});
    hours[name] = whose;
    hours
}

/// Lets the clock stand at the next time that it shows this hour.
async fn at(app: &TestApp, hour: i64) {
    app.clock.stop();
    let Millis(now) = app.clock.now();
    let day = 24 * HOUR;
    let into = now.rem_euclid(day);
    app.advance((hour * HOUR - into).rem_euclid(day)).await;
}

/// A desk that is open by day, with a group that works by night: the first agent serves the day, the second one the night.
async fn day_and_night(app: &TestApp) -> (Desk, String, String) {
    let desk = app.desk().await;
    let (day, night) = (make(&desk, "Day").await, make(&desk, "Night").await);
    put(&desk.admin, &day, &desk.agent, "member").await;
    put(&desk.admin, &night, &desk.second_agent, "member").await;
    desk.admin.post("/business-hours", daily("09:00", "17:00", "is_default", json!(true))).await.status(201);
    let own = daily("20:00", "23:00", "group_ids", json!([night]));
    desk.admin.post("/business-hours", own).await.status(201);
    (desk, day, night)
}

async fn ready(desk: &Desk) {
    online(desk, &desk.agent, 20).await;
    online(desk, &desk.second_agent, 20).await;
}

/// Whether it is said to be closed, and who would be chosen.
async fn explained(desk: &Desk, room: &str) -> (bool, Value) {
    let told = desk.supervisor.get(&format!("/conversations/{room}/routing/explain")).await.ok();
    (told["closed"].as_bool().unwrap(), told["chosen"].clone())
}

on_every_database! {
    /// While the desk is closed what waits for it waits, though somebody is there, and a group whose desk is open is served;
    /// agents claim all the same; without the setting it is given away at once.
    async fn a_closed_desk_gives_nothing_away(app: TestApp) {
        at(&app, 21).await;
        let (desk, day, night) = day_and_night(&app).await;
        let other = app.desk().await;
        route(&desk, json!({"strategy": "least_loaded", "within_business_hours": true})).await;
        let settings = desk.agent.get("/tenant").await.ok()["settings"]["routing"].clone();
        assert_eq!(settings["within_business_hours"], true);
        ready(&desk).await;
        let (_, first) = waits(&app, &desk, json!({})).await;
        let (_, second) = waits(&app, &desk, json!({"group_id": day})).await;
        let (_, open) = waits(&app, &desk, json!({"group_id": night})).await;
        served_by(&desk, &open, &desk.second_agent).await;
        for room in [&first, &second] {
            assert_eq!(agent_of(&desk, room).await, None);
        }
        assert_eq!(explained(&desk, &second).await, (true, Value::Null));
        let (_, claimed) = waits(&app, &desk, json!({"group_id": day})).await;
        desk.agent.claim(&claimed).await;
        // Hours of one tenant are nothing to another.
        route(&other, json!({"strategy": "least_loaded", "within_business_hours": true})).await;
        online(&other, &other.agent, 20).await;
        let (_, theirs) = waits(&app, &other, json!({})).await;
        served_by(&other, &theirs, &other.agent).await;

        route(&desk, json!({"within_business_hours": false})).await;
        served_by(&desk, &second, &desk.agent).await;
        let given = eventually("it is given away", || async { agent_of(&desk, &first).await }).await;
        assert!([desk.agent.id(), desk.second_agent.id()].contains(&given));
        assert!(!explained(&desk, &first).await.0);
    }

    /// When the desk opens, time alone has what waits given away; the group of the night waits then.
    async fn what_waits_is_given_away_when_the_desk_opens(app: TestApp) {
        at(&app, 18).await;
        let (desk, day, night) = day_and_night(&app).await;
        route(&desk, json!({"strategy": "least_loaded", "within_business_hours": true})).await;
        ready(&desk).await;
        let (_, by_day) = waits(&app, &desk, json!({"group_id": day})).await;
        let (_, by_night) = waits(&app, &desk, json!({"group_id": night})).await;
        for room in [&by_day, &by_night] {
            assert_eq!(explained(&desk, room).await, (true, Value::Null));
        }
        at(&app, 20).await;
        let desk = app.desk_of(desk.seed);
        ready(&desk).await;
        served_by(&desk, &by_night, &desk.second_agent).await;
        assert_eq!(agent_of(&desk, &by_day).await, None);
        let (_, late) = waits(&app, &desk, json!({"group_id": night})).await;
        served_by(&desk, &late, &desk.second_agent).await;
        desk.second_agent.put("/presence", json!({"status": "away"})).await.ok();
        let (_, next) = waits(&app, &desk, json!({"group_id": night})).await;
        at(&app, 9).await;
        let desk = app.desk_of(desk.seed);
        ready(&desk).await;
        served_by(&desk, &by_day, &desk.agent).await;
        assert_eq!(agent_of(&desk, &next).await, None, "the night is over");
    }

    /// A group with a strategy of its own keeps to its hours where the rest is claimed.
    async fn a_routed_group_keeps_to_its_hours(app: TestApp) {
        at(&app, 21).await;
        let (desk, day, night) = day_and_night(&app).await;
        route(&desk, json!({"strategy": "manual", "within_business_hours": true})).await;
        for group in [&day, &night] {
            let own = json!({"routing_strategy": "round_robin"});
            desk.admin.patch(&format!("/groups/{group}"), own).await.ok();
        }
        ready(&desk).await;
        let (_, closed) = waits(&app, &desk, json!({"group_id": day})).await;
        let (_, claimed) = waits(&app, &desk, json!({})).await;
        let (_, open) = waits(&app, &desk, json!({"group_id": night})).await;
        served_by(&desk, &open, &desk.second_agent).await;
        for room in [&closed, &claimed] {
            assert_eq!(agent_of(&desk, room).await, None);
        }
    }
}
