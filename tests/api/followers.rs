//! Followers of the log: one process at a time, no hole, on from where the last one was.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use deskwire::db::schema::follower;
use deskwire::journal::follower::{Follower, Progress, Slice, Start, run};
use deskwire::kernel::{Code, Result, TenantId};
use diesel::prelude::*;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;

use crate::harness::commands::send;
use crate::harness::{TestApp, eventually};

/// Notes what it was given, a few revs at a time.
struct Recorder {
    name: &'static str,
    start: Start,
    notes: Arc<Mutex<Notes>>,
    /// Hangs for ever after so many pieces.
    hangs_after: usize,
}

#[derive(Default)]
struct Notes {
    /// What was worked on: tenant, first and last rev.
    pieces: Vec<(TenantId, i64, i64)>,
    at_work: Vec<TenantId>,
    /// The piece that hangs.
    hanging: Option<Slice>,
}

impl Follower for Recorder {
    fn name(&self) -> &'static str {
        self.name
    }

    fn start(&self) -> Start {
        self.start
    }

    fn pause(&self) -> Duration {
        Duration::from_millis(20)
    }

    fn work<'a>(&'a self, slice: &'a Slice) -> BoxFuture<'a, Result<Progress>> {
        async move {
            let hangs = {
                let mut notes = self.notes.lock().unwrap();
                assert!(!notes.at_work.contains(&slice.tenant), "two work on one tenant");
                let hangs = notes.pieces.len() >= self.hangs_after;
                if hangs {
                    notes.hanging = Some(slice.clone());
                } else {
                    notes.at_work.push(slice.tenant);
                }
                hangs
            };
            if hangs {
                std::future::pending::<()>().await;
            }
            // Long enough that another one would meet it.
            tokio::time::sleep(Duration::from_millis(15)).await;
            let rev = slice.head.min(slice.after + 3);
            let mut notes = self.notes.lock().unwrap();
            notes.at_work.retain(|tenant| *tenant != slice.tenant);
            notes.pieces.push((slice.tenant, slice.after + 1, rev));
            Ok(Progress { rev, more: rev < slice.head })
        }
        .boxed()
    }
}

fn recorder(
    name: &'static str,
    start: Start,
    notes: &Arc<Mutex<Notes>>,
    hangs_after: usize,
) -> Arc<Recorder> {
    Arc::new(Recorder { name, start, notes: notes.clone(), hangs_after })
}

/// The revs of a tenant in the order in which they were worked on.
fn revs(notes: &Arc<Mutex<Notes>>, tenant: TenantId) -> Vec<i64> {
    let notes = notes.lock().unwrap();
    notes.pieces.iter().filter(|piece| piece.0 == tenant).flat_map(|piece| piece.1..=piece.2).collect()
}

/// Fills a log; gives its last rev.
async fn talk(app: &TestApp, seed: &crate::harness::Seed, count: u32) -> i64 {
    let room = app.open_room(seed.visitor).await;
    let mut head = 0;
    for number in 0..count {
        head = app.journal.submit(send(seed.visitor, room, &number.to_string(), "text")).await.unwrap().rev;
    }
    head
}

on_every_database! {
    /// Two processes follow the same logs under one name: each rev is worked on once, in order, by one of them.
    async fn two_do_not_both_work(app: TestApp) {
        let (one, two) = (app.seed().await, app.seed().await);
        let heads = [(one.tenant, talk(&app, &one, 20).await), (two.tenant, talk(&app, &two, 20).await)];
        let notes = Arc::new(Mutex::new(Notes::default()));
        app.follow(recorder("recorder", Start::Beginning, &notes, usize::MAX));
        match app.kind().is_server() {
            true => app.second().await.follow(recorder("recorder", Start::Beginning, &notes, usize::MAX)),
            false => app.follow(recorder("recorder", Start::Beginning, &notes, usize::MAX)),
        }
        for (tenant, head) in heads {
            eventually("everything is followed", || async {
                (revs(&notes, tenant).last() == Some(&head)).then_some(())
            }).await;
            assert_eq!(revs(&notes, tenant), (1..=head).collect::<Vec<_>>());
        }
        let told = app.http().get(format!("{}/metrics", app.base())).send().await.unwrap().text().await.unwrap();
        assert!(told.contains("deskwire_follower_lag_revs{follower=\"recorder\"}"), "{told}");
        assert_eq!(app.tasks.restarts().get("recorder"), Some(&0));
    }

    /// A follower that dies in the middle of a piece: when its lease has run out another one does that piece again and
    /// goes on; the dead one, should it come back, moves no cursor.
    async fn one_that_dies_is_followed_by_another(app: TestApp) {
        let seed = app.seed().await;
        let head = talk(&app, &seed, 20).await;
        let notes = Arc::new(Mutex::new(Notes::default()));
        let dying = recorder("recorder", Start::Beginning, &notes, 2);
        let shutdown = app.tasks.shutdown().clone();
        let running = tokio::spawn(run(app.db.clone(), app.lags.clone(), dying, shutdown));
        eventually("it hangs", || async { notes.lock().unwrap().hanging.as_ref().map(|_| ()) }).await;
        running.abort();
        app.follow(recorder("recorder", Start::Beginning, &notes, usize::MAX));
        // The lease ends: brought about, since it lasts half a minute.
        let mut connection = app.database().connect();
        diesel::update(follower::table).set(follower::lease_until.eq(0)).execute(&mut connection).unwrap();
        eventually("everything is followed", || async {
            (revs(&notes, seed.tenant).last() == Some(&head)).then_some(())
        }).await;
        assert_eq!(revs(&notes, seed.tenant), (1..=head).collect::<Vec<_>>());
        let late = notes.lock().unwrap().hanging.clone().unwrap();
        let refused = app.db.write(move |connection| late.advance(connection, head + 1)).await.unwrap_err();
        assert_eq!(refused.code, Code::Busy);
    }

    /// Who begins at the head is given nothing of what was before, and everything after it.
    async fn one_that_begins_at_the_head_sees_the_future_only(app: TestApp) {
        let seed = app.seed().await;
        let before = talk(&app, &seed, 5).await;
        let notes = Arc::new(Mutex::new(Notes::default()));
        app.follow(recorder("newcomer", Start::Head, &notes, usize::MAX));
        let known = || async {
            let count = app.db.read(|connection| Ok(follower::table.count().get_result::<i64>(connection)?)).await;
            (count.unwrap() == 1).then_some(())
        };
        eventually("it knows the tenant", known).await;
        let room = app.open_room(seed.second_visitor).await;
        let head = app.journal.submit(send(seed.second_visitor, room, "new", "text")).await.unwrap().rev;
        eventually("the new is followed", || async {
            (revs(&notes, seed.tenant).last() == Some(&head)).then_some(())
        }).await;
        let new: Vec<i64> = revs(&notes, seed.tenant).into_iter().filter(|rev| *rev > 0).collect();
        assert_eq!(new, (before + 1..=head).collect::<Vec<_>>());
    }
}
