//! Faults of a database server and of other processes on it: late commits, stopped processes, restarts.

use std::sync::Arc;

use deskwire::db::DatabaseKind;
use deskwire::db::connection::Purpose;
use deskwire::db::schema::tenant_log;
use deskwire::domain::member::Role;
use deskwire::journal::Command;
use deskwire::kernel::{Clock, Code};
use diesel::connection::{Connection, SimpleConnection, TransactionManager};
use diesel::prelude::*;

use crate::harness::commands::{claim, open, read, send};
use crate::harness::proxy::Proxy;
use crate::harness::servers::{self, Server};
use crate::harness::{TestApp, TestDatabase, block_on, database, eventually};

/// Makes tests of a fault that only database servers know.
macro_rules! on_servers {
    ($($(#[$meta:meta])* async fn $name:ident($kind:ident: DatabaseKind) $body:block)+) => {
        $($(#[$meta])* async fn $name($kind: DatabaseKind) $body)+
        #[cfg(feature = "postgres")]
        mod postgresql {
            $(#[test] fn $name() { super::on_server(super::DatabaseKind::Postgresql, super::$name); })+
        }
        #[cfg(feature = "mysql")]
        mod mysql {
            $(#[test] fn $name() { super::on_server(super::DatabaseKind::Mysql, super::$name); })+
        }
    };
}

fn on_server<F: Future<Output = ()>>(kind: DatabaseKind, test: impl FnOnce(DatabaseKind) -> F) {
    if servers::available(kind) {
        block_on(test(kind));
    }
}

on_servers! {
    /// A proxy cuts the client side at COMMIT and lets the COMMIT through half a second later. The lane must wait for
    /// the old session's end before it looks: every answer equals the database, and nothing stands twice.
    async fn a_late_commit_is_never_guessed(kind: DatabaseKind) {
        let server = servers::shared(kind).unwrap();
        let database = Arc::new(TestDatabase::migrated(kind));
        let proxy = Proxy::to(server.port());
        let url = server.url_at(proxy.port(), database.name());
        let app = TestApp::on(database, Clock::default(), |settings| settings.database.database_url = url).await;
        let seed = app.seed().await;
        let room = app.open_room(seed.visitor).await;
        let mut sent = 1;
        for round in 0..3 {
            proxy.delay_commits(1);
            let visitor = app.seed_member(seed.tenant, Role::Customer).await;
            let mut commands = vec![open(visitor, "o", "hello"), claim(seed.agent, room), read(seed.agent, room, sent)];
            commands.extend((0..30).map(|number| send(seed.visitor, room, &format!("{round}-{number}"), "text")));
            sent += 30;
            let answers = app.submit_all(commands).await;
            assert_eq!(proxy.cut(), round + 1, "the fault did not happen");
            let unknown = app.journal.statistics().unknown_commits.load(std::sync::atomic::Ordering::Relaxed);
            assert_eq!(unknown, u64::from(round) + 1, "the lane did not have to look the commit up");
            let store = app.audit().await;
            for answer in answers {
                let reply = answer.unwrap();
                assert!(!reply.duplicate, "an answer says that it is a repetition: {reply:?}");
                if let Some(entry) = reply.entry {
                    let stored = store.entries.iter().find(|row| {
                        (row.conversation_id, row.seq) == (entry.conversation_id, entry.seq)
                    });
                    assert_eq!(stored, Some(&*entry));
                }
            }
            assert_eq!(store.messages(room).len(), sent as usize);
            assert_eq!(store.rooms[&room].agent_id, Some(seed.agent.member));
        }
        app.stop().await;
    }

    /// A process stopped between lock and commit: it harms its own tenant only, the server's timeout frees that
    /// tenant, and when the process goes on its write does not land.
    async fn a_stopped_process_harms_its_tenant_only_and_not_for_ever(kind: DatabaseKind) {
        let app = TestApp::start(kind).await;
        let (held, free) = (app.seed().await, app.seed().await);
        let held_room = app.open_room(held.visitor).await;
        let free_room = app.open_room(free.visitor).await;
        // The stopped process: a connection as a lane has it, with the tenant locked and a rev taken.
        let mut stopped = database::target(&app.database().url).connect(Purpose::Write).unwrap();
        type Manager = <deskwire::db::AnyConnection as Connection>::TransactionManager;
        Manager::begin_transaction(&mut stopped).unwrap();
        let row = tenant_log::table.filter(tenant_log::tenant_id.eq(held.tenant.0));
        diesel::update(row).set(tenant_log::rev.eq(1_000)).execute(&mut stopped).unwrap();

        let waiting = deliver(&app, send(held.visitor, held_room, "held", "text"));
        let others = async {
            for number in 0..50 {
                let reply = app.journal.submit(send(free.visitor, free_room, &number.to_string(), "text")).await;
                assert!(reply.is_ok(), "another tenant noticed: {reply:?}");
            }
        };
        // The other tenant is served while the first is held: its fifty commits come one after the other.
        let ((), busy) = futures_util::future::join(others, waiting).await;
        assert!(busy > 0, "the held tenant was told nothing while it waited");
        let landed = Manager::commit_transaction(&mut stopped);
        assert!(landed.is_err(), "the stopped process wrote after its time");
        let store = app.audit().await;
        assert_eq!(store.messages(held_room).len(), 2);
        assert!(store.revs[&held.tenant] < 1_000);
        app.stop().await;
    }

    /// While one tenant's log is held and its clients keep asking, another tenant of the same lane gets hundreds of
    /// answers one after the other, before the lock is gone.
    async fn a_held_tenant_costs_nobody_a_turn(kind: DatabaseKind) {
        let database = Arc::new(TestDatabase::migrated(kind));
        let app = TestApp::on(database, Clock::default(), |settings| settings.database.lanes = 1).await;
        let (held, free) = (app.seed().await, app.seed().await);
        let held_room = app.open_room(held.visitor).await;
        let free_room = app.open_room(free.visitor).await;
        let mut holder = database::target(&app.database().url).connect(Purpose::Write).unwrap();
        // Longer than by default, for slow machines; waiting for the lock at each turn would take longer still.
        holder
            .batch_execute(match kind {
                DatabaseKind::Postgresql => "SET idle_in_transaction_session_timeout = '60s'",
                _ => "SET SESSION idle_write_transaction_timeout = 60",
            })
            .unwrap();
        type Manager = <deskwire::db::AnyConnection as Connection>::TransactionManager;
        Manager::begin_transaction(&mut holder).unwrap();
        let row = tenant_log::table.filter(tenant_log::tenant_id.eq(held.tenant.0));
        diesel::update(row).set(tenant_log::rev.eq(1_000)).execute(&mut holder).unwrap();
        let waiting: Vec<_> = (0..4)
            .map(|number| {
                let app = app.clone();
                let command = send(held.visitor, held_room, &format!("held-{number}"), "text");
                actix_web::rt::spawn(async move { deliver(&app, command).await })
            })
            .collect();
        // Until the held one has been tried and set aside for good.
        let skips = || app.journal.statistics().skips.load(std::sync::atomic::Ordering::Relaxed);
        eventually("the tenant is held", || async { (skips() > 12).then_some(()) }).await;
        let (before, begin) = (skips(), std::time::Instant::now());
        for number in 0..300 {
            app.journal.submit(send(free.visitor, free_room, &number.to_string(), "text")).await.unwrap();
        }
        // All four are tried together, by time. In the queue they would be passed over in each of the 300 turns.
        let tries = u64::try_from(begin.elapsed().as_millis()).unwrap() / 50 + 2;
        let skipped = skips() - before;
        assert!(skipped <= 4 * tries, "{skipped} skips in at most {tries} tries");
        assert!(waiting.iter().all(|one| !one.is_finished()), "the lock was lost before the others were done");
        Manager::rollback_transaction(&mut holder).expect("the lock was lost before the others were done");
        for one in waiting {
            one.await.unwrap();
        }
        assert_eq!(app.audit().await.messages(held_room).len(), 1 + 4);
        app.stop().await;
    }

    /// A machine between the service and its database vanishes without a word: whoever waits is told so in time, and
    /// new connections serve everybody although the old ones never answer.
    async fn silent_connections_give_their_places_to_new_ones(kind: DatabaseKind) {
        let server = servers::shared(kind).unwrap();
        let database = Arc::new(TestDatabase::migrated(kind));
        let proxy = Proxy::to(server.port());
        let url = server.url_at(proxy.port(), database.name());
        let change = |settings: &mut deskwire::settings::Settings| {
            settings.database.database_url = url;
            settings.database.pool_size = 2;
        };
        let app = TestApp::on(database, Clock::default(), change).await;
        let desk = app.desk().await;
        let reads = async || {
            let answers = futures_util::future::join_all((0..8).map(|_| desk.agent.get("/me"))).await;
            answers.iter().map(|answer| answer.status).collect::<Vec<_>>()
        };
        assert_eq!(reads().await, [200; 8]);
        let silence = proxy.silence();
        // Some may meet a connection that was not there yet; nobody waits without end.
        let told = reads().await;
        assert!(told.contains(&503) && told.iter().all(|status| [200, 503].contains(status)), "{told:?}");
        eventually("new connections serve", || async {
            (desk.agent.get("/me").await.status == 200).then_some(())
        })
        .await;
        assert_eq!(reads().await, [200; 8], "every place is given to a new connection");
        drop(silence);
        app.stop().await;
    }

    /// The database dies under load and comes back: what was acknowledged is there, what was not is sent again by its
    /// client and stands once.
    async fn a_restarted_database_loses_nothing(kind: DatabaseKind) {
        let server = Arc::new(Server::start(kind).unwrap());
        let database = Arc::new(TestDatabase::on(&server));
        let app = TestApp::on(database, Clock::default(), |_| {}).await;
        let seed = app.seed().await;
        let room = app.open_room(seed.visitor).await;
        let mut clients = Vec::new();
        for client in 0..8 {
            let app = app.clone();
            clients.push(actix_web::rt::spawn(async move {
                for number in 0..150 {
                    deliver(&app, send(seed.visitor, room, &format!("{client}-{number}"), "text")).await;
                }
            }));
        }
        let begun = app.clone();
        eventually("some load", || async { (begun.feed.committed(seed.tenant) > 100).then_some(()) }).await;
        let dying = server.clone();
        tokio::task::spawn_blocking(move || dying.kill()).await.unwrap();
        let client = app.client();
        eventually("readiness tells", || async { (client.get_root("/readyz").await.status == 503).then_some(()) }).await;
        let rising = server.clone();
        tokio::task::spawn_blocking(move || rising.start_again()).await.unwrap();
        for client in clients {
            client.await.unwrap();
        }
        eventually("ready again", || async { (client.get_root("/readyz").await.status == 200).then_some(()) }).await;
        assert_eq!(app.audit().await.messages(room).len(), 1 + 8 * 150);
        app.stop().await;
    }
}

/// Submits until it is accepted, as a client does; gives how often it was told to come again.
async fn deliver(app: &TestApp, command: Command) -> u32 {
    let mut refused = 0;
    loop {
        match app.journal.submit(command.clone()).await {
            Ok(_) => return refused,
            Err(error) if error.code.retryable() && error.code != Code::Internal => {
                refused += 1;
                // What a client does with `Retry-After`, shortened.
                tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            }
            Err(error) => panic!("{error}"),
        }
    }
}
