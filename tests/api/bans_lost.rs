//! Bans whose transaction is lost: on SQLite a ban and a command may share one.
#![cfg(feature = "sqlite")]

use std::sync::mpsc;
use std::time::Duration;

use deskwire::db::DatabaseKind;
use deskwire::domain::ban::{BanKind, BanRow};
use deskwire::journal::bans;
use deskwire::journal::fail_point::{FailAction, FailPoint};
use deskwire::kernel::{BanId, Code};

use crate::bans::make;
use crate::harness::commands::send;
use crate::harness::{TestApp, eventually, run};

/// It bars nobody, also when the next ban has its version.
#[test]
fn a_ban_that_was_never_committed_is_forgotten() {
    run(DatabaseKind::Sqlite, |app: TestApp| async move {
        let desk = app.desk().await;
        let (first, second) = (desk.seed.visitor, desk.seed.second_visitor);
        let mut rooms = Vec::new();
        for who in [first, second] {
            rooms.push(app.open_room(who).await);
        }
        let points = app.journal.fail_points();
        points.set(FailPoint::CommitLost, FailAction::Fail, u32::MAX);
        // The writer is busy until both of them wait for it.
        let (begun, has_begun) = mpsc::channel();
        let (release, is_released) = mpsc::channel();
        let busy = app.db.write(move |_| {
            let _ = begun.send(());
            let _ = is_released.recv_timeout(Duration::from_secs(10));
            Ok(())
        });
        let row = BanRow {
            id: BanId(1),
            tenant_id: desk.tenant,
            kind: BanKind::Member,
            value: first.member.to_string(),
            reason: String::new(),
            expires_at: None,
            created_by: desk.seed.admin.member,
            created_at: 1,
            updated_at: 1,
        };
        let both = async {
            eventually("the writer is busy", || async { has_begun.try_recv().ok() }).await;
            let ban = app.db.write(move |connection| {
                bans::hold(connection, row.tenant_id)?;
                deskwire::bans::store::insert(connection, &row)?;
                bans::moved(connection, row.tenant_id)
            });
            let write = app.journal.submit(send(first, rooms[0], "lost", "hello"));
            tokio::join!(ban, write, async { release.send(()).unwrap() })
        };
        let (busy, (ban, write, ())) = tokio::join!(busy, both);
        busy.unwrap();
        assert_eq!(ban.unwrap_err().code, Code::Busy);
        assert_eq!(write.map(|_| ()).unwrap_err().code, Code::Busy);
        points.set(FailPoint::CommitLost, FailAction::Fail, 0);
        app.submit(send(first, rooms[0], "free", "hello")).await;
        make(&desk.admin, "member", &second.member.to_string()).await;
        app.submit(send(first, rooms[0], "still free", "hello")).await;
        let refused = app.journal.submit(send(second, rooms[1], "banned", "hello")).await;
        assert_eq!(refused.map(|_| ()).unwrap_err().code, Code::Banned);
    });
}
