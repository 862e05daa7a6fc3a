//! Reports against the log: every number is computed once more, by looking at whole logs, and is the same; after a rebuild too.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use deskwire::db::schema::{rating, report_bucket, report_stretch};
use deskwire::domain::member::Role;
use deskwire::domain::rating::RatingRow;
use deskwire::domain::report::stretch::StretchRow;
use deskwire::kernel::{Millis, TenantId};
use diesel::prelude::*;
use serde_json::{Value, json};

use crate::groups::{make, put};
use crate::harness::random::Random;
use crate::harness::{Client, TestApp, TestDatabase};
use crate::reports::{caught_up, read};
use crate::reports_judge::{Daily, Measure, Service, id, judge, logs};
use crate::reports_play::Play;

const HOUR: i64 = 3_600_000;
const MINUTE: i64 = 60_000;
const QUARTER: i64 = 15 * MINUTE;

/// Everything that is stored of a tenant's reports.
pub type Stored = (Vec<(String, String, i64, i64, i16, i64, i64)>, Vec<StretchRow>);

/// What is stored.
pub fn stored(database: &TestDatabase, tenant: TenantId) -> Stored {
    let mut connection = database.connect();
    let cells = report_bucket::table.filter(report_bucket::tenant_id.eq(tenant)).select((
        report_bucket::metric,
        report_bucket::dimension,
        report_bucket::quarter_hour,
        report_bucket::dimension_id,
        report_bucket::bucket,
        report_bucket::measures,
        report_bucket::total,
    ));
    let mut cells: Vec<(String, String, i64, i64, i16, i64, i64)> = cells.load(&mut connection).unwrap();
    cells.sort();
    let rows =
        report_stretch::table.filter(report_stretch::tenant_id.eq(tenant)).select(StretchRow::as_select());
    let mut rows: Vec<StretchRow> = rows.load(&mut connection).unwrap();
    rows.sort_by_key(|row| row.conversation_id);
    (cells, rows)
}

/// The begin of the period that holds this time, in a zone that never changes its clocks.
fn begin(at: i64, length: i64, offset: i64, from: i64) -> i64 {
    match length {
        0 => from,
        _ => ((at + offset).div_euclid(length) * length - offset).max(from),
    }
}

type Key = (i64, i64);

fn key(row: &Value) -> Key {
    let at: Millis = serde_json::from_value(row["starts_at"].clone()).unwrap();
    (at.0, id(&row["id"]))
}

fn near(told: &Value, sorted: &[i64], percent: usize, what: &str) {
    let exact = sorted[(sorted.len() * percent).div_ceil(100).max(1) - 1];
    let told = told.as_i64().unwrap();
    let fits = if exact < 1_000 { told == 500 } else { (told - exact).abs() as f64 <= exact as f64 * 0.065 };
    assert!(fits, "{what}: {told} for {exact}");
}

const DIVISIONS: [(&str, i64, i64, &str); 3] = [
    ("total", 0, 0, "UTC"),
    ("hour", HOUR, 345 * MINUTE, "Asia/Kathmandu"),
    ("day", 24 * HOUR, 330 * MINUTE, "Asia/Kolkata"),
];

/// Compares every metric, dimension and division with what the logs say; durations by all hours and by business hours.
async fn compare(app: &TestApp, admin: &Client, tenant: TenantId, hours: &Daily, from: i64, until: i64) {
    let logs = logs(app.database(), tenant);
    let (mut measures, services) = judge(&logs, until);
    let ratings: Vec<RatingRow> = rating::table
        .filter(rating::tenant_id.eq(tenant))
        .select(RatingRow::as_select())
        .load(&mut app.database().connect())
        .unwrap();
    measures.extend(ratings.iter().map(|row| Measure {
        metric: "rating",
        at: row.rated_at,
        value: row.score.into(),
        agent: row.agent_id.map_or(0, |agent| agent.0),
        group: row.group_id.map_or(0, |group| group.0),
    }));
    let durations = ["waiting", "first_response", "response", "handling", "resolution"];
    let counts = ["missed", "opened", "customer_messages", "staff_messages", "rating"];
    let metrics = durations.iter().map(|metric| (metric, "calendar_hours"));
    let metrics = metrics.chain(durations.iter().map(|metric| (metric, "business_hours")));
    for (metric, counted) in metrics.chain(counts.iter().map(|metric| (metric, "calendar_hours"))) {
        let told = measures.iter().filter(|one| one.metric == *metric);
        assert!(told.clone().count() > 0, "{metric} was never measured: the test says nothing of it");
        let own: Vec<&Measure> = told.filter(|one| one.at >= from).collect();
        let value = |one: &Measure| match counted {
            "business_hours" => hours.open(one.group, one.at - one.value, one.at),
            _ => one.value,
        };
        assert!(
            counted == "calendar_hours" || own.iter().any(|one| value(one) < one.value),
            "{metric}: never shut"
        );
        for by in ["agent", "group", "tenant"] {
            for (interval, length, offset, zone) in DIVISIONS {
                let what = format!("{metric} in {counted} by {by} and {interval}");
                let mut expected: BTreeMap<Key, Vec<i64>> = BTreeMap::new();
                for one in &own {
                    let id = match by {
                        "agent" => one.agent,
                        "group" => one.group,
                        _ => 0,
                    };
                    let at = begin(one.at, length, offset, from);
                    expected.entry((at, id)).or_default().push(value(one));
                }
                let query =
                    format!("metric={metric}&by={by}&interval={interval}&time_zone={zone}&hours={counted}");
                let told = read(admin, &query, from, until).await;
                assert_eq!(told["lag_revs"], 0, "{what}");
                let rows = told["data"].as_array().unwrap();
                let keys: Vec<Key> = rows.iter().map(key).collect();
                assert_eq!(keys, expected.keys().copied().collect::<Vec<_>>(), "{what}");
                for (row, values) in rows.iter().zip(expected.values_mut()) {
                    values.sort_unstable();
                    let (count, total) = (values.len() as i64, values.iter().sum::<i64>());
                    assert_eq!(row["count"], count, "{what}: {row}");
                    if durations.contains(metric) {
                        assert_eq!(row["mean_ms"], total / count, "{what}: {row}");
                        near(&row["p50_ms"], values, 50, &what);
                        near(&row["p90_ms"], values, 90, &what);
                    } else {
                        assert_eq!((&row["mean_ms"], &row["p50_ms"]), (&Value::Null, &Value::Null), "{what}");
                    }
                    if *metric == "rating" {
                        let of = |score: i64| values.iter().filter(|value| **value == score).count();
                        assert_eq!(row["scores"], json!((1..=5).map(of).collect::<Vec<_>>()), "{what}");
                        let mean = row["mean_score"].as_f64().unwrap();
                        assert!((mean - total as f64 / count as f64).abs() < 0.001, "{what}: {row}");
                    }
                }
            }
        }
    }
    assert!(!services.is_empty());
    for by in ["agent", "group", "tenant"] {
        for (interval, length, offset, zone) in DIVISIONS {
            loads(admin, &services, by, (interval, length, offset, zone), (from, until)).await;
        }
    }
}

/// Compares the load with the times in which the logs say that conversations were served.
async fn loads(
    admin: &Client,
    services: &[Service],
    by: &str,
    (interval, length, offset, zone): (&str, i64, i64, &str),
    (from, until): (i64, i64),
) {
    let mut expected: BTreeMap<Key, i64> = BTreeMap::new();
    let mut ends: HashMap<i64, i64> = HashMap::new();
    let mut at = from;
    while at < until {
        let end = if length == 0 { until } else { (begin(at, length, offset, i64::MIN) + length).min(until) };
        ends.insert(at, end);
        for one in services {
            for (begins, ceases, group) in &one.parts {
                let time = (*ceases).min(end) - (*begins).max(at);
                let id = match by {
                    "agent" => one.agent,
                    "group" => *group,
                    _ => 0,
                };
                *expected.entry((at, id)).or_default() += time.max(0);
            }
        }
        at = end;
    }
    expected.retain(|_, time| *time > 0);
    let query = format!("metric=load&by={by}&interval={interval}&time_zone={zone}");
    let told = read(admin, &query, from, until).await;
    let rows = told["data"].as_array().unwrap();
    let keys: Vec<Key> = rows.iter().map(key).collect();
    assert_eq!(keys, expected.keys().copied().collect::<Vec<_>>(), "load by {by} and {interval}");
    for (row, (key, time)) in rows.iter().zip(&expected) {
        let exact = *time as f64 / (ends[&key.0] - key.0) as f64;
        let mean = row["mean_load"].as_f64().unwrap();
        assert!((mean - exact).abs() < 0.001, "load by {by} and {interval}: {row} for {exact}");
    }
}

on_every_database! {
    /// Conversations as chance has them, over some days; the reports say what the logs say. Counted anew from nothing they say
    /// the same, to the last bit.
    async fn the_numbers_are_those_of_the_log(app: TestApp) {
        let desk = app.desk().await;
        let other = app.desk().await;
        other.open_and_claim("of another shop").await;
        let from = app.clock.now().0.div_euclid(HOUR) * HOUR - HOUR;
        let mut groups = vec![make(&desk, "Parcels").await, make(&desk, "Bills").await];
        put(&desk.admin, &groups[0], &desk.agent, "member").await;
        put(&desk.admin, &groups[1], &desk.second_agent, "member").await;
        let whole = desk.admin.post("/groups", json!({"name": "Whole", "serving": "group"})).await.status(201);
        groups.push(whole["id"].as_str().unwrap().to_owned());
        put(&desk.admin, &groups[2], &desk.agent, "member").await;
        let hours = Daily {
            default: (9 * HOUR, 17 * HOUR),
            groups: BTreeMap::from([(groups[0].parse().unwrap(), (13 * HOUR, 30 * HOUR))]),
        };
        hours.put(&desk, &groups[0]).await;
        let mut visitors = vec![desk.seed.visitor, desk.seed.second_visitor];
        for _ in 0..4 {
            visitors.push(app.seed_member(desk.tenant, Role::Customer).await);
        }
        let mut play = Play { app: &app, desk, visitors, groups, rooms: Vec::new(), random: Random::new(7) };
        for step in 0..260 {
            play.step().await;
            if step % 65 == 40 {
                play.merge().await;
            }
            if play.random.below(5) < 2 {
                let pause = match play.random.below(12) {
                    0 => 7 * HOUR,
                    1..=4 => 50 * MINUTE,
                    5..=8 => 5 * MINUTE,
                    _ => 20_000,
                };
                app.advance(1_000 + play.random.below(pause as u64) as i64).await;
                play.desk = app.desk_of(play.desk.seed);
            }
        }
        play.rest().await;
        // What is still under way is served until here.
        let until = (app.clock.now().0.div_euclid(HOUR) + 1) * HOUR;
        app.advance(2 * HOUR).await;
        let desk = app.desk_of(play.desk.seed);
        let seen: BTreeSet<String> = logs(app.database(), desk.tenant)
            .values()
            .flat_map(|log| log.entries.iter().map(|entry| entry.kind.as_str().to_owned()))
            .collect();
        for kind in ["docked", "released", "reopened", "merged", "recalled"] {
            assert!(seen.contains(kind), "chance brought no {kind}");
        }
        caught_up(&app, desk.tenant).await;
        compare(&app, &desk.admin, desk.tenant, &hours, from, until).await;
        // From the middle of a time in which something was served.
        let (_, services) = judge(&logs(app.database(), desk.tenant), until);
        let mut middles = services.iter().flat_map(|one| &one.parts).filter_map(|(begins, ends, _)| {
            let middle = ends.div_euclid(QUARTER) * QUARTER;
            (middle > *begins && middle < *ends).then_some(middle)
        });
        compare(&app, &desk.admin, desk.tenant, &hours, middles.next_back().expect("a long service"), until).await;
        let before = stored(app.database(), desk.tenant);
        let others = stored(app.database(), other.tenant);
        deskwire::reports::rebuild::rebuild(&app.db, desk.tenant).await.unwrap();
        caught_up(&app, desk.tenant).await;
        assert_eq!(stored(app.database(), desk.tenant), before, "counted anew");
        assert_eq!(stored(app.database(), other.tenant), others, "another tenant's stay");
        compare(&app, &desk.admin, desk.tenant, &hours, from, until).await;
    }
}
