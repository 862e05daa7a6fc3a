//! Lifecycle timers: what the processes find and do by themselves, also together, after a restart and when the clock jumps.

use std::collections::BTreeSet;

use deskwire::domain::member::Role;
use deskwire::domain::timers::TimerSettings;
use deskwire::journal::overdue;
use deskwire::journal::wants::PIECE;
use deskwire::kernel::{ConversationId, TenantId};
use diesel::prelude::*;
use serde_json::{Value, json};

use crate::harness::commands::{claim, send};
use crate::harness::{TestApp, eventually};
use crate::timers::{decide, no_drift, of_kind, reminded, run, status, timers};

/// What a process would find now.
pub fn found(app: &TestApp, tenant: TenantId, settings: &TimerSettings) -> BTreeSet<ConversationId> {
    let (mut all, mut after) = (BTreeSet::new(), Some(ConversationId(0)));
    let mut connection = app.database().connect();
    while let Some(from) = after {
        let times = (i64::MIN, app.clock.now().0);
        let page = overdue::find(&mut connection, tenant, (settings, 30), from, 7, times).unwrap();
        all.extend(page.conversations);
        after = page.after;
    }
    all
}

/// When it was written, unix milliseconds.
pub fn at(entry: &Value) -> i64 {
    entry["created_at"].as_str().unwrap().parse::<jiff::Timestamp>().unwrap().as_millisecond()
}

on_every_database! {
    /// What is due is found page by page, each once; what was done, or is not due, is not found again.
    async fn what_was_done_is_not_found_again(app: TestApp) {
        let desk = app.desk().await;
        let settings = TimerSettings { agent_reminder_seconds: Some(60), customer_reminder_seconds: Some(60), ..TimerSettings::default() };
        decide(&desk, json!({"agent_reminder_seconds": 60, "customer_reminder_seconds": 60})).await;
        desk.admin.patch("/tenant", json!({"settings": {"claim_above_max_accept": true}})).await.ok();
        let mut rooms = Vec::new();
        for number in 0..20 {
            let visitor = app.seed_member(desk.tenant, Role::Customer).await;
            let room = app.open_room(visitor).await;
            app.submit(claim(desk.seed.agent, room)).await;
            if number % 2 == 0 {
                app.submit(send(desk.seed.agent, room, "answer", "good morning")).await;
            }
            rooms.push(room);
        }
        assert!(found(&app, desk.tenant, &settings).is_empty(), "not yet");
        app.advance(60_000).await;
        assert_eq!(found(&app, desk.tenant, &settings), rooms.iter().copied().collect());
        let only = TimerSettings { agent_reminder_seconds: None, ..settings };
        assert_eq!(found(&app, desk.tenant, &only).len(), 10, "what is off is not found");
        // Who asked just now is not due, though the staff spoke long ago.
        app.submit(send(desk.seed.agent, rooms[1], "answer", "good morning")).await;
        app.advance(60_000).await;
        app.submit(timers(desk.tenant, &rooms.iter().map(ToString::to_string).collect::<Vec<_>>().iter().map(String::as_str).collect::<Vec<_>>())).await;
        assert!(found(&app, desk.tenant, &settings).is_empty(), "all were reminded");
        let visitor = desk.open_and_claim("hello").await;
        desk.agent.send(&visitor, "good morning").await;
        app.advance(60_000).await;
        run(&app, &desk, &visitor).await;
        desk.visitor.send(&visitor, "yes").await;
        assert!(found(&app, desk.tenant, &settings).is_empty(), "it asked just now");
        app.advance(60_000).await;
        assert_eq!(found(&app, desk.tenant, &settings), [visitor.parse().unwrap()].into());
    }

    /// The processes find by themselves what is due, many at once and two of them at the same time: each thing happens once,
    /// no earlier than it should, and other tenants get their turn.
    async fn processes_do_each_thing_once(app: TestApp) {
        let (desk, other) = (app.desk().await, app.desk().await);
        let second = if app.kind().is_server() { Some(app.second().await) } else { None };
        desk.admin.patch("/tenant", json!({"settings": {"claim_above_max_accept": true}})).await.ok();
        let mut rooms = Vec::new();
        for _ in 0..PIECE + 5 {
            let visitor = app.seed_member(desk.tenant, Role::Customer).await;
            rooms.push(app.open_room(visitor).await);
        }
        let claims = rooms.iter().map(|room| claim(desk.seed.agent, *room)).collect();
        let answers = rooms.iter().map(|room| send(desk.seed.agent, *room, "answer", "good morning")).collect();
        for done in app.submit_all(claims).await.into_iter().chain(app.submit_all(answers).await) {
            done.unwrap();
        }
        let theirs = other.open_and_claim("hello").await;
        other.agent.send(&theirs, "good morning").await;
        let waits = desk.visitor.open("hello").await;
        for desk in [&desk, &other] {
            decide(desk, json!({"customer_reminder_seconds": 1, "auto_close_seconds": 3})).await;
        }
        let mut left: BTreeSet<ConversationId> = rooms.iter().copied().collect();
        left.insert(theirs.parse().unwrap());
        eventually("all are closed", || {
            use deskwire::db::schema::conversation;
            let open = conversation::table
                .filter(conversation::id.eq_any(&left))
                .filter(conversation::status.ne("closed"))
                .count()
                .get_result::<i64>(&mut app.database().connect());
            async move { (open.unwrap() == 0).then_some(()) }
        })
        .await;
        let ours = rooms.iter().take(10).map(|room| (&desk, room.to_string()));
        for (desk, room) in ours.chain([(&other, theirs)]) {
            let log = desk.admin.log(&room).await;
            let kinds = |kind: &str| log.iter().filter(|entry| entry["kind"] == kind).collect::<Vec<_>>();
            let answer = kinds("text")[1];
            assert!(kinds("customer_idle").len() <= 1 && kinds("closed").len() == 1, "{log:?}");
            for (kind, least) in [("customer_idle", 1_000), ("closed", 3_000)] {
                assert!(kinds(kind).iter().all(|entry| at(entry) - at(answer) >= least), "{log:?}");
            }
        }
        assert_eq!(status(&desk, &waits).await, "open", "nobody serves it");
        no_drift(&app).await;
        drop(second);
    }

    /// What is timed is stored: a process that was not there when it began does it.
    async fn timers_survive_a_restart(app: TestApp) {
        let desk = app.desk().await;
        decide(&desk, json!({"customer_reminder_seconds": 60, "agent_reminder_seconds": 60, "auto_close_seconds": 120})).await;
        let room = desk.open_and_claim("hello").await;
        desk.agent.send(&room, "good morning").await;
        let asked = desk.second_visitor.open("hello").await;
        desk.agent.claim(&asked).await;
        app.stop().await;
        app.clock.advance(60_000);
        let app = app.restarted(|_| {}).await;
        let desk = app.desk_of(desk.seed);
        eventually("both are reminded", || async {
            let (customer, agent) = (of_kind(&desk.visitor, &room, "customer_idle").await, reminded(&desk, &asked).await);
            (customer.len() == 1 && agent.len() == 1).then_some(())
        })
        .await;
        app.stop().await;
        app.clock.advance(60_000);
        let app = app.restarted(|_| {}).await;
        let desk = app.desk_of(desk.seed);
        eventually("it is closed", || async { (status(&desk, &room).await == "closed").then_some(()) }).await;
        let again = (of_kind(&desk.visitor, &room, "customer_idle").await.len(), reminded(&desk, &asked).await.len());
        assert_eq!(again, (1, 1), "a restart reminds nobody again");
    }

    /// A clock that is set forward closes nothing early: silence is counted from the jump.
    async fn a_jump_of_the_clock_closes_nothing_early(app: TestApp) {
        let desk = app.desk().await;
        decide(&desk, json!({"auto_close_seconds": 1})).await;
        // That the process has looked at its clock: it did something.
        let first = desk.open_and_claim("hello").await;
        desk.agent.send(&first, "good morning").await;
        eventually("it is closed", || async { (status(&desk, &first).await == "closed").then_some(()) }).await;
        decide(&desk, json!({"auto_close_seconds": 6})).await;
        let room = desk.open_and_claim("hello").await;
        desk.agent.send(&room, "good morning").await;
        let jumped = app.clock.now().0 + 600_000;
        app.advance(600_000).await;
        eventually("it is closed", || async { (status(&desk, &room).await == "closed").then_some(()) }).await;
        let closed = of_kind(&desk.visitor, &room, "closed").await;
        let after = at(&closed[0]) - jumped;
        assert!(after >= 6_000, "closed {after} ms after the jump");
    }
}
