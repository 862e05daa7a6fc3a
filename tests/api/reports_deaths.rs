//! Reports across the death of processes: nothing is missing in them, and nothing is counted twice.

use deskwire::db::schema::follower;
use deskwire::db::{AnyConnection, DatabaseKind};
use deskwire::kernel::TenantId;
use deskwire::reports::follower::REPORTS;
use diesel::prelude::*;
use futures_util::future::join_all;
use serde_json::json;

use crate::harness::personas::message;
use crate::harness::process::{Process, finish, kills};
use crate::harness::servers::free_port;
use crate::harness::{TestDatabase, block_on, eventually, servers};
use crate::reports::{position, read};
use crate::reports_oracle::stored;

/// Messages of each side before each kill.
const MESSAGES: u32 = 40;

/// Lets the lease of the dead end, as half a minute would that nobody waits for here.
fn end_lease(mut connection: AnyConnection) {
    diesel::update(follower::table.filter(follower::name.eq(REPORTS)))
        .set(follower::lease_until.eq(0))
        .execute(&mut connection)
        .unwrap();
}

async fn counted(database: &TestDatabase, tenant: TenantId) {
    eventually("everything is counted", || async {
        let (position, head) = position(database, tenant);
        (position >= head).then_some(())
    })
    .await;
}

/// Kills the program while it counts, as often as `DESKWIRE_TEST_KILLS` says (3 when absent).
fn the_counts_survive_kill_9(kind: DatabaseKind) {
    if !servers::available(kind) {
        return;
    }
    block_on(async {
        let database = TestDatabase::migrated(kind);
        let port = free_port();
        let mut process = Process::serve_on(&database.url, port, &[]);
        let seed = database.seed();
        let (token, staff) =
            (process.visitor_token(&seed.slug()).await, process.admin_token(&seed.slug()).await);
        let mut visitor = process.client().with_token(token.clone());
        let mut admin = process.client().with_token(staff.clone());
        let room = visitor.open("the first question").await;
        admin.claim(&room).await;
        let path = format!("/conversations/{room}/messages");
        let mut said = 0;
        for kill in 0..kills(kind) {
            let questions = join_all((0..MESSAGES).map(|_| visitor.post(&path, message("a question"))));
            let answers = join_all((0..MESSAGES).map(|_| admin.post(&path, message("an answer"))));
            let (questions, answers) = futures_util::join!(questions, answers);
            questions.into_iter().chain(answers).for_each(|sent| drop(sent.status(201)));
            said += i64::from(MESSAGES);
            let moment = u64::from(kill).wrapping_mul(2_654_435_761) % 1_300;
            tokio::time::sleep(std::time::Duration::from_millis(moment)).await;
            process.kill();
            end_lease(database.connect());
            process = Process::serve_on(&database.url, port, &[]);
            visitor = process.client().with_token(token.clone());
            admin = process.client().with_token(staff.clone());
        }
        admin.post(&format!("/conversations/{room}/close"), json!({})).await.ok();
        counted(&database, seed.tenant).await;
        let before = stored(&database, seed.tenant);
        let now = deskwire::kernel::Clock::default().now().0;
        for (metric, count) in
            [("customer_messages", said + 1), ("staff_messages", said), ("opened", 1), ("resolution", 1)]
        {
            let told = read(&admin, &format!("metric={metric}"), now - 86_400_000, now + 900_000).await;
            assert_eq!(told["data"][0]["count"], count, "{metric}: each once");
        }
        // Counted anew by the command, and killed in the middle of that as well.
        for kill in 0..2 {
            let done = finish(&["reports", "rebuild", &seed.slug()], &database.url);
            assert!(done.status.success(), "{done:?}");
            tokio::time::sleep(std::time::Duration::from_millis(700 * kill)).await;
            process.kill();
            end_lease(database.connect());
            process = Process::serve_on(&database.url, port, &[]);
        }
        counted(&database, seed.tenant).await;
        assert_eq!(stored(&database, seed.tenant), before);
        let none = finish(&["reports", "rebuild", "no-such-shop"], &database.url);
        assert_eq!(none.status.code(), Some(1), "{none:?}");
        assert_eq!(process.terminate(), Some(0));
    });
}

#[cfg(feature = "sqlite")]
#[test]
fn the_counts_survive_kill_9_on_sqlite() {
    the_counts_survive_kill_9(DatabaseKind::Sqlite);
}

#[cfg(feature = "postgres")]
#[test]
fn the_counts_survive_kill_9_on_postgresql() {
    the_counts_survive_kill_9(DatabaseKind::Postgresql);
}

#[cfg(feature = "mysql")]
#[test]
fn the_counts_survive_kill_9_on_mysql() {
    the_counts_survive_kill_9(DatabaseKind::Mysql);
}
