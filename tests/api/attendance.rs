//! Who of the staff is connected, whatever becomes of sockets and processes, and what follows from it.

use std::sync::Arc;

use deskwire::db::DatabaseKind;
use deskwire::db::schema::{agent_connection, agent_status, presence_change};
use deskwire::domain::actor::Principal;
use deskwire::journal::Command;
use deskwire::journal::commands::{RequeueAbsent, SetConnected};
use deskwire::kernel::id::first_id_at;
use deskwire::kernel::{Clock, Code};
use diesel::prelude::*;
use serde_json::{Value, json};

use crate::harness::process::Process;
use crate::harness::seed::PASSWORD;
use crate::harness::servers::free_port;
use crate::harness::{Client, Desk, TestApp, TestDatabase, block_on, eventually, servers};

const HOUR: i64 = 3_600_000;

async fn decide(desk: &Desk, settings: Value) {
    desk.admin.patch("/tenant", json!({"settings": settings})).await.ok();
}

async fn says(who: &Client, status: &str) -> Value {
    who.put("/presence", json!({"status": status})).await.ok()
}

/// What this member was, newest first: what it said and what it was for others.
async fn history(who: &Client) -> Vec<(String, String)> {
    let page = who.get(&format!("/presence/{}/history?limit=200", who.id())).await.ok();
    let word = |row: &Value, name: &str| row[name].as_str().unwrap().to_owned();
    let rows = page["data"].as_array().unwrap();
    rows.iter().map(|row| (word(row, "status"), word(row, "effective_status"))).collect()
}

fn words(rows: &[(&str, &str)]) -> Vec<(String, String)> {
    rows.iter().map(|(said, effective)| ((*said).to_owned(), (*effective).to_owned())).collect()
}

/// The leases of a member: until when, by process.
fn leases(database: &TestDatabase, who: &Client) -> Vec<i64> {
    let id = who.actor.unwrap().member;
    let of = agent_connection::table.filter(agent_connection::member_id.eq(id));
    of.select(agent_connection::leased_until).load(&mut database.connect()).unwrap()
}

/// Waits until the process has written down that the member's last socket closed.
async fn ended(database: &TestDatabase, who: &Client) {
    eventually("the lease is ended", || async {
        leases(database, who).iter().all(|until| *until == 0).then_some(())
    })
    .await;
}

fn rev(app: &TestApp, desk: &Desk) -> i64 {
    use deskwire::db::schema::tenant_log;
    let row = tenant_log::table.filter(tenant_log::tenant_id.eq(desk.tenant)).select(tenant_log::rev);
    row.get_result(&mut app.database().connect()).unwrap()
}

on_every_database! {
    /// What one says counts while one is connected; who is not connected is offline, whatever it says.
    async fn who_is_not_connected_is_offline(app: TestApp) {
        let desk = app.desk().await;
        let mut colleague = desk.second_agent.socket().await;
        desk.second_agent.seen(true).await;
        let before = says(&desk.agent, "online").await;
        assert_eq!((&before["effective_status"], &before["connected"], &before["last_seen"]), (&json!("offline"), &json!(false), &Value::Null));
        let socket = desk.agent.socket().await;
        let told = colleague
            .wait("the agent comes", |frame| frame["data"]["member_id"] == desk.agent.id() && frame["data"]["connected"] == true)
            .await;
        assert_eq!((&told["type"], &told["data"]["effective_status"]), (&json!("presence"), &json!("online")));
        let now = desk.agent.seen(true).await;
        assert!(now["last_seen"].is_string());
        assert_eq!(now["since"], before["since"], "coming says nothing new");
        for status in ["busy", "away", "offline", "online"] {
            let row = says(&desk.agent, status).await;
            assert_eq!((&row["status"], &row["effective_status"], &row["connected"]), (&json!(status), &json!(status), &json!(true)));
            let listed = async |query: &str| {
                let page = desk.supervisor.get(&format!("/presence?{query}")).await.ok();
                page["data"].as_array().unwrap().iter().any(|row| row["member"]["id"] == desk.agent.id())
            };
            assert!(listed(&format!("effective_status={status}")).await);
            assert!(listed(&format!("status={status}&effective_status={status}")).await);
            let other = if status == "busy" { "away" } else { "busy" };
            assert!(!listed(&format!("effective_status={other}")).await);
            assert_eq!(listed("effective_status=offline").await, status == "offline");
        }
        assert!(desk.admin.get(&format!("/members/{}", desk.agent.id())).await.ok()["last_seen"].is_string());
        decide(&desk, json!({"presence_grace_seconds": 0})).await;
        socket.close().await;
        let gone = desk.agent.seen(false).await;
        assert_eq!((&gone["status"], &gone["effective_status"]), (&json!("online"), &json!("offline")));
        let told = colleague
            .wait("the agent goes", |frame| frame["data"]["member_id"] == desk.agent.id() && frame["data"]["last_seen"] == gone["last_seen"])
            .await;
        assert_eq!((&told["data"]["status"], &told["data"]["last_seen"]), (&json!("online"), &gone["last_seen"]));
        desk.supervisor.get("/presence?effective_status=asleep").await.refused(400, "invalid_parameter");
        let all = [("online", "offline"), ("online", "online"), ("offline", "offline"), ("away", "away"), ("busy", "busy"), ("online", "online"), ("online", "offline")];
        assert_eq!(history(&desk.agent).await, words(&all));
    }

    /// Of three devices two die; then the last one.
    async fn the_last_device_counts(app: TestApp) {
        let desk = app.desk().await;
        decide(&desk, json!({"presence_grace_seconds": 0})).await;
        says(&desk.agent, "online").await;
        let mut devices = Vec::new();
        for device in ["phone", "tablet", "desk"] {
            devices.push(desk.agent.socket_with(json!({"device": device})).await);
        }
        desk.agent.seen(true).await;
        let known = rev(&app, &desk);
        let last = devices.pop().unwrap();
        // No close, no word: the connections just end.
        drop(devices);
        let mut last = last;
        last.barrier().await;
        assert_eq!(rev(&app, &desk), known, "a device that dies beside others is told to nobody");
        drop(last);
        desk.agent.seen(false).await;
        assert_eq!(history(&desk.agent).await, words(&[("online", "offline"), ("online", "online"), ("online", "offline")]));
    }

    /// A socket that comes and goes again and again causes no entry, no rev and no change of presence.
    async fn sockets_may_flap(app: TestApp) {
        let desk = app.desk().await;
        let socket = desk.agent.socket().await;
        desk.agent.seen(true).await;
        socket.close().await;
        ended(app.database(), &desk.agent).await;
        let known = rev(&app, &desk);
        for _ in 0..6 {
            let socket = desk.agent.socket().await;
            eventually("the lease is taken", || async { leases(app.database(), &desk.agent).iter().any(|until| *until > 0).then_some(()) }).await;
            socket.close().await;
            ended(app.database(), &desk.agent).await;
            assert_eq!(desk.agent.seen(true).await["connected"], true, "the grace holds");
        }
        assert_eq!((rev(&app, &desk), history(&desk.agent).await.len()), (known, 1));
        // The grace is over as soon as the tenant says so.
        decide(&desk, json!({"presence_grace_seconds": 1})).await;
        desk.agent.seen(false).await;
        assert_eq!(rev(&app, &desk), known + 1);
        eventually("nothing is kept of who is gone", || async { leases(app.database(), &desk.agent).is_empty().then_some(()) }).await;
    }

    /// The clock of the process moves nobody, in either direction.
    async fn clocks_may_jump(app: TestApp) {
        let desk = app.desk().await;
        decide(&desk, json!({"presence_grace_seconds": 0})).await;
        let socket = desk.agent.socket().await;
        desk.agent.seen(true).await;
        app.advance(600_000).await;
        app.advance(-600_000).await;
        desk.agent.seen(true).await;
        socket.close().await;
        desk.agent.seen(false).await;
        assert_eq!(history(&desk.agent).await.len(), 2, "it came once and went once");
    }

    /// What the store says and no process knows of is found at the start, and nothing else is touched.
    async fn a_forgotten_member_is_found(app: TestApp) {
        let desk = app.desk().await;
        let row = says(&desk.agent, "away").await;
        let id = desk.agent.actor.unwrap().member;
        // While nobody runs: a process that has just started may look for the forgotten at any moment.
        app.stop().await;
        diesel::update(agent_status::table.filter(agent_status::member_id.eq(id)))
            .set(agent_status::connected.eq(true))
            .execute(&mut app.database().connect())
            .unwrap();
        let app = app.restarted(|_| {}).await;
        let desk = app.desk_of(desk.seed);
        let found = desk.agent.seen(false).await;
        assert_eq!((&found["status"], &found["since"], &found["effective_status"]), (&row["status"], &row["since"], &json!("offline")));
    }

    /// Who is deleted is not connected any more; only the service itself decides that.
    async fn only_the_service_decides(app: TestApp) {
        let desk = app.desk().await;
        decide(&desk, json!({"presence_grace_seconds": 0})).await;
        let socket = desk.agent.socket().await;
        desk.agent.seen(true).await;
        let member = desk.agent.actor.unwrap().member;
        for actor in [desk.seed.admin, desk.seed.agent] {
            let forged = app.journal.submit(Command::new(actor, SetConnected { member })).await;
            assert_eq!(forged.unwrap_err().code, Code::Forbidden);
            let forged = app.journal.submit(Command::new(actor, RequeueAbsent { agent: member })).await;
            assert_eq!(forged.unwrap_err().code, Code::Forbidden);
        }
        // Of customers and of other tenants' staff nothing is kept.
        let other = app.desk().await;
        for member in [desk.seed.visitor.member, other.seed.agent.member] {
            let asked = app.journal.submit(Command::new(Principal::System(desk.tenant), SetConnected { member })).await;
            assert_eq!(asked.unwrap_err().code, Code::NotFound);
        }
        desk.admin.delete(&format!("/members/{}", desk.agent.id())).await;
        let connected = || {
            let row = agent_status::table.filter(agent_status::member_id.eq(member)).select(agent_status::connected);
            row.get_result::<bool>(&mut app.database().connect()).unwrap()
        };
        eventually("it is gone", || async { (!connected()).then_some(()) }).await;
        drop(socket);
    }

    /// Supervisors read everybody's history, agents their own; pages hold every row once; what is old is removed.
    async fn the_history_is_read_by_who_may(app: TestApp) {
        let (desk, other) = (app.desk().await, app.desk().await);
        for status in ["online", "busy", "busy", "away", "online"] {
            says(&desk.agent, status).await;
        }
        desk.agent.put("/presence", json!({"status": "online", "reason": "back"})).await.ok();
        let path = format!("/presence/{}/history", desk.agent.id());
        let (mut seen, mut query) = (Vec::new(), "?limit=2".to_owned());
        loop {
            let page = desk.supervisor.get(&format!("{path}{query}")).await.ok();
            seen.extend(page["data"].as_array().unwrap().iter().map(|row| format!("{} {}", row["status"], row["reason"])));
            let Some(cursor) = page["next_cursor"].as_str() else { break };
            query = format!("?limit=2&cursor={cursor}");
        }
        assert_eq!(seen, [r#""online" "back""#, r#""online" """#, r#""away" """#, r#""busy" """#, r#""online" """#]);
        desk.second_agent.get(&path).await.refused(403, "forbidden");
        desk.visitor.get(&path).await.refused(403, "forbidden");
        desk.anonymous.get(&path).await.refused(401, "unauthenticated");
        for stranger in [&other.agent, &other.admin] {
            stranger.get(&path).await.refused(404, "not_found");
        }
        for nobody in [desk.visitor.id(), "1".to_owned()] {
            desk.admin.get(&format!("/presence/{nobody}/history")).await.refused(404, "not_found");
        }
        desk.admin.get(&format!("{path}?cursor=x")).await.refused(400, "invalid_parameter");
        desk.admin.delete(&format!("/members/{}", desk.agent.id())).await;
        assert_eq!(desk.supervisor.get(&path).await.ok()["data"][0]["status"], "offline", "it is signed off, and stays in reports");

        let old = first_id_at(app.clock.now().0 - 20 * 24 * HOUR);
        let row = (
            presence_change::id.eq(old),
            presence_change::tenant_id.eq(desk.tenant),
            presence_change::member_id.eq(desk.agent.actor.unwrap().member),
            presence_change::at.eq(0),
            (presence_change::status.eq("away"), presence_change::effective_status.eq("away"), presence_change::reason.eq("")),
        );
        diesel::insert_into(presence_change::table).values(row).execute(&mut app.database().connect()).unwrap();
        let _cleaner = app.restarted(|settings| {
            settings.cleaning.cleaning_minutes = 60;
            settings.cleaning.presence_history_days = 10;
        }).await;
        let kept = || presence_change::table.filter(presence_change::tenant_id.eq(desk.tenant)).count().get_result::<i64>(&mut app.database().connect()).unwrap();
        eventually("the old row is removed", || async { (kept() == 6).then_some(()) }).await;
    }
}

/// A member of the staff, signed in at this process.
async fn signed_in(process: &Process, tenant: &str, name: &str) -> Client {
    let login = json!({"tenant": tenant, "name": name, "password": PASSWORD, "device": "desk"});
    let tokens = process.client().post("/auth/login", login).await.ok();
    process.client().with_token(tokens["access_token"].as_str().unwrap())
}

/// A process is killed while an agent is connected to it. Whoever looks next finds the agent gone, and since when.
fn a_killed_process_keeps_nobody(kind: DatabaseKind) {
    if !servers::available(kind) {
        return;
    }
    block_on(async {
        let database = Arc::new(TestDatabase::migrated(kind));
        let seed = database.seed();
        let port = free_port();
        let process = Process::serve_on(&database.url, port, &[]);
        // On a server the sister is there all the time.
        let sister = match kind.is_server() {
            true => Some(TestApp::on(database.clone(), Clock::default(), |_| {}).await),
            false => None,
        };
        let admin = signed_in(&process, &seed.slug(), "admin").await;
        admin.patch("/tenant", json!({"settings": {"presence_grace_seconds": 0}})).await.ok();
        let agent = signed_in(&process, &seed.slug(), "agent").await;
        agent.put("/presence", json!({"status": "online"})).await.ok();
        let _socket = agent.socket().await;
        let is = |connected: bool| {
            let row = agent_status::table.filter(agent_status::member_id.eq(seed.agent.member));
            let row = row.select((agent_status::connected, agent_status::last_seen));
            let (now, last_seen): (bool, Option<i64>) = row.get_result(&mut database.connect()).unwrap();
            (now == connected).then_some(last_seen)
        };
        let came = eventually("it is connected", || async { is(true) }).await;
        process.kill();
        if sister.is_some() {
            // As if the half minute of its lease had passed.
            let lease = agent_connection::table.filter(agent_connection::member_id.eq(seed.agent.member));
            diesel::update(lease)
                .set(agent_connection::leased_until.eq(1))
                .execute(&mut database.connect())
                .unwrap();
        }
        let again = sister.is_none().then(|| Process::serve_on(&database.url, port, &[]));
        let went = eventually("it is gone", || async { is(false) }).await;
        let now = Clock::default().now().0;
        // Its lease is a moment older than the command that made it connected.
        let since = came.unwrap() - 1_000;
        assert!(went.is_some_and(|at| (since..=now).contains(&at)), "{came:?} {went:?} {now}");
        if let Some(sister) = sister {
            sister.stop().await;
        }
        if let Some(again) = again {
            assert_eq!(again.terminate(), Some(0));
        }
    });
}

/// Two processes, of which one has a wrong clock; an agent with a device on each. It is gone when both are.
fn an_agent_on_two_processes(kind: DatabaseKind) {
    if !servers::available(kind) {
        return;
    }
    block_on(async {
        let database = Arc::new(TestDatabase::migrated(kind));
        let here = TestApp::on(database.clone(), Clock::default(), |_| {}).await;
        let clock = Clock::default();
        clock.advance(HOUR);
        let there = TestApp::on(database.clone(), clock, |_| {}).await;
        let desk = here.desk().await;
        decide(&desk, json!({"presence_grace_seconds": 0})).await;
        let first = desk.agent.socket_with(json!({"device": "phone"})).await;
        desk.agent.seen(true).await;
        let second = there.client_of(desk.seed.agent).socket_with(json!({"device": "desk"})).await;
        eventually("both hold a lease", || async {
            (leases(&database, &desk.agent).len() == 2).then_some(())
        })
        .await;
        let known = rev(&here, &desk);
        first.close().await;
        // The dead lease is taken away because the other one lives, not because the agent went.
        eventually("one is left", || async { (leases(&database, &desk.agent).len() == 1).then_some(()) })
            .await;
        assert_eq!(rev(&here, &desk), known);
        assert_eq!(desk.agent.seen(true).await["connected"], true);
        second.close().await;
        desk.agent.seen(false).await;
        assert_eq!(history(&desk.agent).await.len(), 2, "it came once and went once");
        // Both at once, from and to both: whatever the order, the last look is right.
        for _ in 0..5 {
            let (first, second) =
                (desk.agent.socket().await, there.client_of(desk.seed.agent).socket().await);
            drop((first, second));
        }
        let third = there.client_of(desk.seed.agent).socket().await;
        desk.agent.seen(true).await;
        third.close().await;
        desk.agent.seen(false).await;
        for app in [there, here] {
            app.stop().await;
        }
    });
}

#[cfg(feature = "sqlite")]
#[test]
fn a_killed_process_keeps_nobody_on_sqlite() {
    a_killed_process_keeps_nobody(DatabaseKind::Sqlite);
}

#[cfg(feature = "postgres")]
#[test]
fn a_killed_process_keeps_nobody_on_postgresql() {
    a_killed_process_keeps_nobody(DatabaseKind::Postgresql);
}

#[cfg(feature = "mysql")]
#[test]
fn a_killed_process_keeps_nobody_on_mysql() {
    a_killed_process_keeps_nobody(DatabaseKind::Mysql);
}

#[cfg(feature = "postgres")]
#[test]
fn an_agent_on_two_processes_on_postgresql() {
    an_agent_on_two_processes(DatabaseKind::Postgresql);
}

#[cfg(feature = "mysql")]
#[test]
fn an_agent_on_two_processes_on_mysql() {
    an_agent_on_two_processes(DatabaseKind::Mysql);
}
