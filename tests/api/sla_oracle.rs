//! SLA clocks against the log: every clock is computed once more, by looking at whole logs, and is the same; after changes of
//! policies and business hours too.

use std::collections::BTreeMap;

use deskwire::db::schema::sla_clock;
use deskwire::domain::business_hours::{Calendar, Interval, Weekday, WeeklyInterval};
use deskwire::domain::conversation::ConversationKind;
use deskwire::domain::entry::{EntryKind, EntryRow};
use deskwire::domain::member::Role;
use deskwire::domain::sla::SlaMetric;
use deskwire::domain::sla::clock::{SlaClockRow, SlaState};
use deskwire::journal::{Command, commands};
use deskwire::kernel::{ConversationId, TenantId};
use diesel::prelude::*;
use serde_json::{Value, json};

use crate::groups::{make, put};
use crate::harness::personas::message;
use crate::harness::random::Random;
use crate::harness::{Desk, TestApp, TestDatabase};
use crate::reports_judge::{Log, content, id, logs};
use crate::sla::{path, policy, settled};

const MINUTE: i64 = 60_000;

/// A policy as the test knows it.
#[derive(Clone, Copy)]
struct Policy {
    id: i64,
    seconds: [i64; 3],
    is_business: bool,
}

/// The policies and hours of one group, and of all else.
struct World {
    group: i64,
    own: (Policy, Option<Calendar>),
    rest: (Policy, Option<Calendar>),
}

/// The instant after so much open time, by asking again and again when it opens and closes.
fn after(calendar: Option<&Calendar>, from: i64, ms: i64) -> Option<i64> {
    let Some(calendar) = calendar else { return Some(from + ms) };
    let (mut at, mut left) = (from, ms);
    loop {
        let status = calendar.status(at);
        if !status.open {
            at = status.opens_at?;
            continue;
        }
        let Some(closes) = status.closes_at.filter(|closes| closes - at < left) else {
            return Some(at + left);
        };
        left -= closes - at;
        at = closes;
    }
}

type Key = (ConversationId, SlaMetric, i64);

/// What a clock is: its policy, since when, until when, when it was due, and where it stands.
#[derive(Debug, PartialEq)]
struct Expected {
    policy: i64,
    started: i64,
    due: Option<i64>,
    ended: Option<i64>,
    state: SlaState,
}

/// Whose matter a conversation was before the command of this rev.
fn group(log: &Log, rev: i64) -> i64 {
    match log.moves.iter().rfind(|one| one.rev < rev) {
        Some(last) => last.to,
        None => log.moves.first().map_or(log.row.group_id.map_or(0, |group| group.0), |first| first.from),
    }
}

fn is_by(entry: &EntryRow, customer: bool) -> bool {
    entry.kind.is_message() && entry.sender_role.is_some_and(|role| (role == Role::Customer) == customer)
}

/// The last stretch of a log.
fn stretch(log: &Log) -> &[EntryRow] {
    let begins = |entry: &EntryRow| matches!(entry.kind, EntryKind::Opened | EntryKind::Reopened);
    let begin = log.entries.iter().rposition(begins).unwrap();
    &log.entries[begin..]
}

/// The questions of a stretch: each with its first entry, since when it waits, and the answer.
fn questions<'a>(
    logs: &BTreeMap<ConversationId, Log>,
    entries: &'a [EntryRow],
) -> Vec<(i64, i64, Option<&'a EntryRow>)> {
    let mut found: Vec<(i64, i64, Option<&EntryRow>)> = Vec::new();
    for entry in entries {
        let mut since = is_by(entry, true).then_some(entry.created_at);
        if entry.kind == EntryKind::Merged {
            let older = &logs[&ConversationId(id(&content(entry)["conversation_id"]))];
            let asked = questions(logs, stretch(older));
            since = asked.last().filter(|(.., answer)| answer.is_none()).map(|(_, since, _)| *since);
        }
        let last = found.last_mut().filter(|(.., answer)| answer.is_none());
        match (since, last) {
            (Some(since), Some(last)) => last.1 = last.1.min(since),
            (Some(since), None) => found.push((entry.seq, since, None)),
            (None, Some(last)) if is_by(entry, false) => last.2 = Some(entry),
            _ => {}
        }
    }
    found
}

fn expected(logs: &BTreeMap<ConversationId, Log>, world: &World) -> BTreeMap<Key, Expected> {
    let mut all = BTreeMap::new();
    for (conversation, log) in logs {
        if log.row.kind != ConversationKind::Support {
            continue;
        }
        let entries = stretch(log);
        let closing = entries.iter().find(|entry| entry.kind == EntryKind::Closed);
        let mut add = |metric: SlaMetric, seq: i64, started: i64, end: Option<(&EntryRow, SlaState)>| {
            let rev = end.map_or(i64::MAX, |(entry, _)| entry.rev);
            let (policy, calendar) = if group(log, rev) == world.group { &world.own } else { &world.rest };
            let calendar = calendar.as_ref().filter(|_| policy.is_business);
            let place = SlaMetric::ALL.iter().position(|one| *one == metric).unwrap();
            let clock = Expected {
                policy: policy.id,
                started,
                due: after(calendar, started, policy.seconds[place] * 1_000),
                ended: end.map(|(entry, _)| entry.created_at),
                state: end.map_or(SlaState::Running, |(_, state)| state),
            };
            all.insert((*conversation, metric, seq), clock);
        };
        let unanswered = closing.map(|entry| (entry, SlaState::Ended));
        let resolved = closing.map(|entry| {
            let reason = content(entry)["reason"].clone();
            let is_met = reason != "spam" && reason != "merged";
            (entry, if is_met { SlaState::Met } else { SlaState::Ended })
        });
        add(SlaMetric::Resolution, entries[0].seq, entries[0].created_at, resolved);
        let first_word = entries.iter().find(|entry| is_by(entry, false)).map_or(i64::MAX, |entry| entry.seq);
        let questions = questions(logs, entries);
        let (first, next): (Vec<_>, Vec<_>) = questions.into_iter().partition(|(seq, ..)| *seq < first_word);
        for (metric, asked) in [(SlaMetric::FirstResponse, first), (SlaMetric::NextResponse, next)] {
            if let Some((seq, since, answer)) = asked.last() {
                add(metric, *seq, *since, answer.map(|entry| (entry, SlaState::Met)).or(unanswered));
            }
        }
    }
    all
}

fn stored(database: &TestDatabase, tenant: TenantId) -> BTreeMap<Key, SlaClockRow> {
    let rows: Vec<SlaClockRow> = sla_clock::table
        .filter(sla_clock::tenant_id.eq(tenant))
        .select(SlaClockRow::as_select())
        .load(&mut database.connect())
        .unwrap();
    rows.into_iter().map(|row| ((row.conversation_id, row.metric, row.started_seq), row)).collect()
}

/// Compares every clock with what the logs say, or only those that run; gives how many were late.
fn compare(app: &TestApp, tenant: TenantId, world: &World, running_only: bool) -> usize {
    let now = app.clock.now().0;
    let logs: BTreeMap<ConversationId, Log> = logs(app.database(), tenant).into_iter().collect();
    let (expected, stored) = (expected(&logs, world), stored(app.database(), tenant));
    assert_eq!(stored.keys().collect::<Vec<_>>(), expected.keys().collect::<Vec<_>>());
    let mut late = 0;
    for (key, want) in &expected {
        let row = &stored[key];
        if running_only && want.state != SlaState::Running {
            continue;
        }
        let is = Expected {
            policy: row.policy_id.0,
            started: row.started_at,
            due: row.due_at,
            ended: row.ended_at,
            state: row.state,
        };
        assert_eq!(&is, want, "{key:?}");
        let missed = want.due.filter(|due| want.ended.map_or(*due <= now, |ended| ended > *due));
        late += usize::from(missed.is_some());
        assert!(missed.is_none() || row.breached_at.is_some(), "{key:?} is late, and nobody was told");
        // One that had another target before may have missed that one.
        let moved = logs[&key.0].moves.iter().any(|one| one.at >= want.started);
        if !running_only && !moved {
            assert_eq!(row.breached_at, missed, "{key:?}");
        }
    }
    late
}

/// Of no clock anything was told twice.
async fn told_once(desk: &Desk, app: &TestApp) {
    let logs = logs(app.database(), desk.tenant);
    for room in logs.values().filter(|log| log.row.kind == ConversationKind::Support) {
        let told = crate::sla::told(&desk.admin, &room.row.id.to_string()).await;
        let mut seen: Vec<String> = told
            .iter()
            .map(|one| {
                format!("{} {} {}", one["kind"], one["content"]["metric"], one["content"]["started_seq"])
            })
            .collect();
        seen.sort();
        assert!(seen.windows(2).all(|two| two[0] != two[1]), "{seen:?}");
    }
}

struct Play<'a> {
    app: &'a TestApp,
    desk: Desk,
    visitors: Vec<deskwire::domain::actor::Actor>,
    groups: [String; 2],
    rooms: Vec<(usize, String)>,
    random: Random,
}

impl Play<'_> {
    async fn step(&mut self) {
        if self.rooms.is_empty() || self.random.below(8) == 0 {
            let at = self.random.below(self.visitors.len() as u64) as usize;
            let mut body =
                if self.random.below(4) == 0 { json!({}) } else { json!({"message": message("a question")}) };
            if self.random.below(2) == 0 {
                body["group_id"] = json!(self.random.pick(&self.groups));
            }
            let answer = self.app.client_of(self.visitors[at]).post("/conversations", body).await;
            if let Some(room) = answer.body.pointer("/conversation/id").and_then(Value::as_str) {
                self.rooms.push((at, room.to_owned()));
            }
            return;
        }
        let (owner, room) = self.random.pick(&self.rooms).clone();
        let (visitor, by) = (self.app.client_of(self.visitors[owner]), &self.desk.supervisor);
        let room = format!("/conversations/{room}");
        let post = async |by: &crate::harness::Client, what: &str, body: Value| {
            by.post(&format!("{room}/{what}"), body).await;
        };
        match self.random.below(16) {
            0..=3 => post(&visitor, "messages", message("and")).await,
            4..=7 => post(by, "messages", message("well")).await,
            8 => post(by, "notes", message("between us")).await,
            9 => post(by, "claim", json!({})).await,
            10 => {
                let reason = *self.random.pick(&["resolved", "inactive", "spam"]);
                post(by, "close", json!({"reason": reason})).await;
            }
            11 | 12 => post(by, "reopen", json!({})).await,
            _ => {
                let group = self.random.pick(&self.groups).clone();
                let to = if self.random.below(3) == 0 { Value::Null } else { json!(group) };
                by.patch(&room, json!({"group_id": to})).await;
            }
        }
    }

    /// A visitor who asks something is recognised as one who has another conversation under way.
    async fn merge(&mut self) {
        let into = self.visitors[0];
        let from = self.app.seed_member(self.desk.tenant, Role::Customer).await;
        let known =
            self.app.client_of(into).post("/conversations", json!({"message": message("a question")})).await;
        if let Some(room) = known.body.pointer("/conversation/id").and_then(Value::as_str) {
            self.rooms.push((0, room.to_owned()));
            self.desk.supervisor.post(&format!("/conversations/{room}/messages"), message("well")).await;
        }
        self.app.client_of(from).open("before signing in").await;
        self.app.advance(3 * MINUTE).await;
        self.app.submit(Command::new(from, commands::Merge { from: from.member, into: into.member })).await;
        self.desk = self.app.desk_of(self.desk.seed);
    }
}

fn calendar(zone: &str, from: i64, until: i64) -> Calendar {
    let weekly =
        Weekday::ALL.iter().map(|day| WeeklyInterval { day: *day, interval: Interval { from, until } });
    Calendar::new(zone, weekly.collect(), &[]).unwrap()
}

fn hours(name: &str, zone: &str, from: &str, until: &str) -> Value {
    let day = |day: &Weekday| json!({"day": day, "from": from, "until": until});
    json!({"name": name, "time_zone": zone, "weekly": Weekday::ALL.iter().map(day).collect::<Vec<_>>()})
}

on_every_database! {
    /// Conversations as chance has them, over some days; the clocks are what the logs say.
    async fn the_clocks_are_those_of_the_log(app: TestApp) {
        let desk = app.desk().await;
        let other = app.desk().await;
        other.open_and_claim("of another shop").await;
        let groups = [make(&desk, "Parcels").await, make(&desk, "Bills").await];
        put(&desk.admin, &groups[0], &desk.agent, "member").await;
        let mut body = hours("Parcels", "Asia/Kolkata", "06:30", "21:15");
        body["group_ids"] = json!([groups[0]]);
        let own_hours = desk.admin.post("/business-hours", body).await.status(201);
        let mut body = hours("All", "Europe/Berlin", "20:00", "30:30");
        body["is_default"] = json!(true);
        desk.admin.post("/business-hours", body).await.status(201);
        let own = policy(&desk.admin, json!({
            "name": "Parcels", "group_ids": [groups[0]], "first_response_seconds": 600, "next_response_seconds": 300,
            "resolution_seconds": 20_000, "warn_before_seconds": 60, "hours": "business_hours",
        })).await;
        let rest = policy(&desk.admin, json!({
            "name": "All", "position": 1, "first_response_seconds": 900, "next_response_seconds": 1_200,
            "resolution_seconds": 30_000, "hours": "business_hours",
        })).await;
        let mut world = World {
            group: id(&json!(groups[0])),
            own: (
                Policy { id: id(&own["id"]), seconds: [600, 300, 20_000], is_business: true },
                Some(calendar("Asia/Kolkata", 390, 1_275)),
            ),
            rest: (
                Policy { id: id(&rest["id"]), seconds: [900, 1_200, 30_000], is_business: true },
                Some(calendar("Europe/Berlin", 1_200, 1_830)),
            ),
        };
        let mut visitors = vec![desk.seed.visitor, desk.seed.second_visitor];
        for _ in 0..5 {
            visitors.push(app.seed_member(desk.tenant, Role::Customer).await);
        }
        let mut play = Play { app: &app, desk, visitors, groups, rooms: Vec::new(), random: Random::new(11) };
        for step in 0..200 {
            play.step().await;
            if step % 60 == 30 {
                play.merge().await;
            }
            if play.random.below(5) < 2 {
                let pause = match play.random.below(12) {
                    0 => 420 * MINUTE,
                    1..=4 => 50 * MINUTE,
                    5..=8 => 5 * MINUTE,
                    _ => 20_000,
                };
                app.advance(1_000 + play.random.below(pause as u64) as i64).await;
                play.desk = app.desk_of(play.desk.seed);
            }
        }
        let desk = app.desk_of(play.desk.seed);
        settled(&app, desk.tenant).await;
        let late = compare(&app, desk.tenant, &world, false);
        assert!(late > 3, "chance brought hardly anything late: {late}");
        told_once(&desk, &app).await;
        // Other targets, other hours.
        desk.admin.patch(&path(&rest), json!({"resolution_seconds": 500_000, "hours": "calendar_hours"})).await.ok();
        world.rest.0.seconds[2] = 500_000;
        world.rest.0.is_business = false;
        let mut body = hours("Parcels", "America/New_York", "09:00", "09:30");
        body.as_object_mut().unwrap().remove("name");
        let own_hours = format!("/business-hours/{}", own_hours["id"].as_str().unwrap());
        desk.admin.patch(&own_hours, body).await.ok();
        world.own.1 = Some(calendar("America/New_York", 540, 570));
        settled(&app, desk.tenant).await;
        compare(&app, desk.tenant, &world, true);
        told_once(&desk, &app).await;
        assert!(stored(app.database(), other.tenant).is_empty(), "who has no policy is not followed");
    }
}
