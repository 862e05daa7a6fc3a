//! SLA clocks across the death of processes: every breach is told, and none twice.

use std::collections::BTreeMap;
use std::time::Duration;

use deskwire::db::schema::follower;
use deskwire::db::{AnyConnection, DatabaseKind};
use deskwire::sla::follower::SLA_CLOCKS;
use diesel::prelude::*;
use serde_json::json;

use crate::harness::process::{Process, kills};
use crate::harness::servers::free_port;
use crate::harness::{TestDatabase, block_on, eventually, servers};
use crate::sla::told;

/// Customers who wait, before each kill.
const CUSTOMERS: usize = 6;

/// Lets the lease of the dead end, as half a minute would that nobody waits for here.
fn end_lease(mut connection: AnyConnection) {
    diesel::update(follower::table.filter(follower::name.eq(SLA_CLOCKS)))
        .set(follower::lease_until.eq(0))
        .execute(&mut connection)
        .unwrap();
}

/// Kills the program about when targets are missed, as often as `DESKWIRE_TEST_KILLS` says (3 when absent).
fn the_clocks_survive_kill_9(kind: DatabaseKind) {
    if !servers::available(kind) {
        return;
    }
    block_on(async {
        let database = TestDatabase::migrated(kind);
        let port = free_port();
        let mut process = Process::serve_on(&database.url, port, &[]);
        let seed = database.seed();
        let staff = process.admin_token(&seed.slug()).await;
        let mut admin = process.client().with_token(staff.clone());
        let policy = json!({
            "name": "Fast", "first_response_seconds": 2, "resolution_seconds": 3, "warn_before_seconds": 1,
        });
        admin.post("/sla-policies", policy).await.status(201);
        let mut rooms = Vec::new();
        for kill in 0..kills(kind) {
            for _ in 0..CUSTOMERS {
                let token = process.visitor_token(&seed.slug()).await;
                rooms.push(process.client().with_token(token).open("a question").await);
            }
            let moment = u64::from(kill).wrapping_mul(2_654_435_761) % 2_500;
            tokio::time::sleep(Duration::from_millis(moment)).await;
            process.kill();
            end_lease(database.connect());
            process = Process::serve_on(&database.url, port, &[]);
            admin = process.client().with_token(staff.clone());
        }
        for room in &rooms {
            let notices = eventually("the breaches are told", || async {
                let notices = told(&admin, room).await;
                let late = notices.iter().filter(|one| one["kind"] == "sla_breached").count();
                (late >= 2).then_some(notices)
            })
            .await;
            let mut counts: BTreeMap<String, usize> = BTreeMap::new();
            for one in &notices {
                *counts.entry(format!("{} {}", one["kind"], one["content"]["metric"])).or_default() += 1;
            }
            assert!(counts.values().all(|count| *count == 1), "{room}: {counts:?}");
        }
        // Whatever was under way when the program died is not done again by the one that lives.
        tokio::time::sleep(Duration::from_secs(3)).await;
        for room in &rooms {
            let late =
                told(&admin, room).await.into_iter().filter(|one| one["kind"] == "sla_breached").count();
            assert_eq!(late, 2, "{room}");
        }
        assert_eq!(process.terminate(), Some(0));
    });
}

#[cfg(feature = "sqlite")]
#[test]
fn the_clocks_survive_kill_9_on_sqlite() {
    the_clocks_survive_kill_9(DatabaseKind::Sqlite);
}

#[cfg(feature = "postgres")]
#[test]
fn the_clocks_survive_kill_9_on_postgresql() {
    the_clocks_survive_kill_9(DatabaseKind::Postgresql);
}

#[cfg(feature = "mysql")]
#[test]
fn the_clocks_survive_kill_9_on_mysql() {
    the_clocks_survive_kill_9(DatabaseKind::Mysql);
}
