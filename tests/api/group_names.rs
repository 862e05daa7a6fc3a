//! Names of groups that go round within one batch: those that are given up are free before any is taken. A batch that
//! cannot be written is split until it can, so what is looked at is that none was.

use std::sync::atomic::Ordering;

use deskwire::domain::actor::Actor;
use deskwire::journal::{Command, commands};
use deskwire::kernel::GroupId;

use crate::harness::TestApp;

/// Rounds; in each the commands may meet in a batch or not.
const ROUNDS: usize = 12;

fn create(by: Actor, name: &str) -> Command {
    Command::new(by, commands::CreateGroup::named(name.to_owned()))
}

fn rename(by: Actor, group: GroupId, name: &str) -> Command {
    Command::new(
        by,
        commands::UpdateGroup { name: Some(name.to_owned()), ..commands::UpdateGroup::of(group) },
    )
}

/// The name as it is stored, unless the group is deleted.
fn name_of(app: &TestApp, group: GroupId) -> Option<String> {
    use deskwire::db::schema::chat_group;
    use diesel::prelude::*;
    chat_group::table.find(group).select(chat_group::name_key).first(&mut app.database().connect()).unwrap()
}

on_every_database! {
    /// Two swap their names by way of a third, and one gives its name up as it ends, whichever row is written first.
    async fn names_go_round_within_a_batch(app: TestApp) {
        let seed = app.seed().await;
        let admin = seed.admin;
        let first = app.submit(create(admin, "alpha")).await.group.unwrap();
        let second = app.submit(create(admin, "beta")).await.group.unwrap();
        let statistics = app.journal.statistics();
        let count = || (statistics.batches.load(Ordering::Relaxed), statistics.commands.load(Ordering::Relaxed));
        let (batches, commands) = count();
        for round in 0..ROUNDS {
            let (one, other) = if round % 2 == 0 { (first, second) } else { (second, first) };
            let ends = app.submit(create(admin, "gamma")).await.group.unwrap();
            let answers = app
                .submit_all(vec![
                    create(admin, &format!("filler {round}")),
                    rename(admin, one, "delta"),
                    rename(admin, other, "alpha"),
                    rename(admin, one, "beta"),
                    Command::new(admin, commands::DeleteGroup { group: ends }),
                    rename(admin, one, "gamma"),
                    rename(admin, one, "beta"),
                    create(admin, "gamma"),
                ])
                .await;
            let last = answers.into_iter().map(|answer| answer.unwrap().group).last().flatten().unwrap();
            assert_eq!((name_of(&app, one), name_of(&app, other)), (Some("beta".into()), Some("alpha".into())));
            assert_eq!((name_of(&app, ends), name_of(&app, last)), (None, Some("gamma".into())));
            app.submit(Command::new(admin, commands::DeleteGroup { group: last })).await;
        }
        let (more_batches, more_commands) = count();
        assert!(more_batches - batches < more_commands - commands, "they never met in a batch");
        assert_eq!(statistics.bisections.load(Ordering::Relaxed), 0, "a batch could not be written whole");
    }
}
