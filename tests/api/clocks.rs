//! Processes on one database whose clocks do not agree.

use std::sync::Arc;

use deskwire::db::DatabaseKind;
use deskwire::journal::Command;
use deskwire::journal::commands::RevokeSessions;
use deskwire::kernel::Clock;
use deskwire::security::revocation::DenyReason;

use crate::harness::{TestApp, TestDatabase, block_on, eventually, servers};

const HOUR: i64 = 3_600_000;

/// A server on this database whose clock is wrong by so much.
async fn skewed(database: &Arc<TestDatabase>, milliseconds: i64) -> TestApp {
    let clock = Clock::default();
    clock.advance(milliseconds);
    TestApp::on(database.clone(), clock, |_| {}).await
}

fn clocks_need_not_agree(kind: DatabaseKind) {
    if !servers::available(kind) {
        return;
    }
    block_on(async {
        let database = Arc::new(TestDatabase::migrated(kind));
        let right = TestApp::on(database.clone(), Clock::default(), |_| {}).await;
        let (late, early) = (skewed(&database, -HOUR).await, skewed(&database, HOUR).await);
        // Each holds a node number of its own, although to one of them every lease of another has run out.
        let mut nodes: Vec<i64> =
            [&right, &late, &early].iter().map(|app| (app.ids.next().unwrap() >> 13) & 0xff).collect();
        nodes.sort();
        nodes.dedup();
        assert_eq!(nodes.len(), 3, "two processes make ids with one node number");
        // What one revokes, the others know, whatever time it wrote down.
        let seed = right.seed().await;
        for (there, here, actor) in [
            (&late, &right, seed.agent),
            (&early, &right, seed.second_agent),
            (&early, &late, seed.supervisor),
        ] {
            let change = RevokeSessions { member: actor.member, only: None, except: None, reason: "revoked" };
            assert_eq!(here.auth.barred(&actor), None);
            there.journal.submit(Command::new(actor, change)).await.unwrap();
            eventually("the revocation is known", || async {
                (here.auth.barred(&actor) == Some(DenyReason::SessionRevoked)).then_some(())
            })
            .await;
        }
        for app in [late, early, right] {
            app.stop().await;
        }
    });
}

#[cfg(feature = "postgres")]
#[test]
fn clocks_need_not_agree_on_postgresql() {
    clocks_need_not_agree(DatabaseKind::Postgresql);
}

#[cfg(feature = "mysql")]
#[test]
fn clocks_need_not_agree_on_mysql() {
    clocks_need_not_agree(DatabaseKind::Mysql);
}

/// A number whose last holder's clock ran ahead is not used again before that time: its ids could meet.
#[cfg(feature = "sqlite")]
#[test]
fn a_node_number_waits_until_its_last_ids_are_past() {
    block_on(async {
        let database = Arc::new(TestDatabase::migrated(DatabaseKind::Sqlite));
        let early = skewed(&database, HOUR).await;
        let used = (early.ids.next().unwrap() >> 13) & 0xff;
        early.stop().await;
        let right = TestApp::on(database, Clock::default(), |_| {}).await;
        assert_ne!((right.ids.next().unwrap() >> 13) & 0xff, used);
        right.stop().await;
    });
}
