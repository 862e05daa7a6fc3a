//! The journal through its door: order, once, one owner and independence of commands, with many tasks and with two
//! processes on one database.

use std::collections::HashMap;

use deskwire::db::DatabaseKind;
use deskwire::domain::member::Role;
use deskwire::journal::fail_point::{FailAction, FailPoint};
use deskwire::journal::{Command, history};
use deskwire::kernel::Code;

use crate::harness::commands::{claim, close, note, open, read, send};
use crate::harness::{TestApp, eventually, poison};

on_every_database! {
    /// P3: many tasks write to many rooms of several tenants at once; every log is dense and every acknowledged
    /// entry stands where its answer said.
    async fn logs_are_dense_under_concurrency(app: TestApp) {
        let mut commands = Vec::new();
        for _ in 0..3 {
            let seed = app.seed().await;
            for visitor in [seed.visitor, seed.second_visitor] {
                let room = app.open_room(visitor).await;
                app.submit(claim(seed.agent, room)).await;
                for number in 0..60 {
                    let who = if number % 3 == 0 { seed.agent } else { visitor };
                    commands.push(send(who, room, &format!("n{number}"), "text"));
                }
            }
        }
        let answers = app.submit_all(commands.clone()).await;
        let store = app.audit().await;
        let stored: HashMap<_, _> =
            store.entries.iter().map(|entry| ((entry.conversation_id, entry.seq), entry)).collect();
        for answer in answers {
            let entry = answer.unwrap().entry.unwrap();
            assert_eq!(stored[&(entry.conversation_id, entry.seq)].client_msg_id, entry.client_msg_id);
        }
        let sent = store.entries.iter().filter(|entry| entry.client_msg_id.as_deref() != Some("opening"));
        assert_eq!(sent.filter(|entry| entry.client_msg_id.is_some()).count(), commands.len());
    }

    /// P2: the same message sent many times at once and later stands once, and every answer names it; another body
    /// under its key is refused.
    async fn a_repeated_message_stands_once(app: TestApp) {
        let seed = app.seed().await;
        let room = app.open_room(seed.visitor).await;
        let answers = app.submit_all(vec![send(seed.visitor, room, "key", "text"); 40]).await;
        let seqs: Vec<i64> = answers.into_iter().map(|answer| answer.unwrap().entry.unwrap().seq).collect();
        assert!(seqs.iter().all(|seq| *seq == seqs[0]), "{seqs:?}");
        app.advance(40 * 86_400_000).await;
        app.submit(close(seed.admin, room)).await;
        let late = app.submit(send(seed.visitor, room, "key", "text")).await;
        assert!(late.duplicate && late.entry.unwrap().seq == seqs[0]);
        let other = app.journal.submit(send(seed.visitor, room, "key", "other text")).await.unwrap_err();
        assert_eq!(other.code, Code::IdempotencyConflict);
        assert_eq!(app.audit().await.messages(room).len(), 2);
    }

    /// P6: of many agents who claim at once one wins, and the others are told who.
    async fn a_claim_has_one_winner(app: TestApp) {
        let seed = app.seed().await;
        for round in 0..5 {
            let visitor = app.seed_member(seed.tenant, Role::Customer).await;
            let room = app.open_room(visitor).await;
            let mut agents = [seed.agent, seed.second_agent, seed.supervisor, seed.admin];
            agents.rotate_left(round % 4);
            let claims = agents.iter().map(|agent| claim(*agent, room)).collect();
            let answers = app.submit_all(claims).await;
            assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 1);
            let holder = app.audit().await.rooms[&room].agent_id.unwrap();
            for error in answers.into_iter().filter_map(Result::err) {
                assert_eq!(error.code, Code::AlreadyAssigned);
                assert_eq!(error.context["agent_id"], holder.to_string());
            }
        }
    }

    /// Openings of one visitor from many devices at once find one conversation.
    async fn openings_at_once_make_one_conversation(app: TestApp) {
        let seed = app.seed().await;
        let openings = (0..20).map(|number| open(seed.visitor, &format!("n{number}"), "hello")).collect();
        let answers: Vec<_> = app.submit_all(openings).await.into_iter().map(Result::unwrap).collect();
        assert_eq!(answers.iter().filter(|answer| answer.created).count(), 1);
        let rooms: std::collections::HashSet<_> = answers.iter().map(|answer| answer.conversation).collect();
        assert_eq!(rooms.len(), 1);
        assert_eq!(app.audit().await.messages(answers[0].conversation.unwrap()).len(), 20);
    }

    /// F16: one command whose statement the database refuses gets its own error; the 255 beside it are
    /// acknowledged and stored.
    async fn poison_fails_alone(app: TestApp) {
        let seed = app.seed().await;
        let room = app.open_room(seed.visitor).await;
        poison::refuse(&mut app.database().connect());
        let commands: Vec<Command> = (0..256)
            .map(|number| send(seed.visitor, room, &format!("n{number}"), if number == 100 { "poison" } else { "good" }))
            .collect();
        let answers = app.submit_all(commands).await;
        for (number, answer) in answers.iter().enumerate() {
            match answer {
                Ok(_) => assert_ne!(number, 100),
                Err(error) => assert_eq!((number, error.code), (100, Code::Internal)),
            }
        }
        assert_eq!(app.audit().await.messages(room).len(), 256);
    }

    /// The crash table, "during COMMIT, outcome unknown": the answer is lost but the commit took effect, or it did
    /// not. Either way every command gets its true answer and nothing stands twice.
    async fn a_lost_answer_to_commit_is_found_out(app: TestApp) {
        let seed = app.seed().await;
        let room = app.open_room(seed.visitor).await;
        for (round, point) in [FailPoint::CommitAnswerLost, FailPoint::CommitLost].into_iter().enumerate() {
            app.journal.fail_points().set(point, FailAction::Fail, 1);
            let commands = (0..50).map(|number| send(seed.visitor, room, &format!("{round}-{number}"), "text"));
            for answer in app.submit_all(commands.collect()).await {
                assert!(!answer.unwrap().duplicate, "the first answer is no repetition");
            }
            app.audit().await;
        }
        assert_eq!(app.audit().await.messages(room).len(), 101);
        let unknown = app.journal.statistics().unknown_commits.load(std::sync::atomic::Ordering::Relaxed);
        assert_eq!(unknown, 2, "both lost commits were looked up");
    }

    /// A bug that panics inside a lane costs the batch at most, never the lane: what comes next is served.
    async fn a_panic_does_not_end_a_lane(app: TestApp) {
        let seed = app.seed().await;
        let room = app.open_room(seed.visitor).await;
        app.journal.fail_points().set(FailPoint::BeforeCommit, FailAction::Panic, 1);
        let first = app.journal.submit(send(seed.visitor, room, "a", "text")).await;
        assert!(first.is_ok() || first.is_err_and(|error| error.code == Code::Internal));
        let again = app.submit(send(seed.visitor, room, "a", "text")).await;
        assert_eq!(again.entry.unwrap().seq, 3);
        app.submit(send(seed.visitor, room, "b", "text")).await;
        app.audit().await;
    }

    /// "after COMMIT, before publish": the readers of this process were not told, but the committed rev says so and
    /// the repair path has it all.
    async fn a_lost_publication_is_found_by_the_committed_rev(app: TestApp) {
        let seed = app.seed().await;
        let room = app.open_room(seed.visitor).await;
        let told = app.feed.committed(seed.tenant);
        app.journal.fail_points().set(FailPoint::BeforePublish, FailAction::Fail, 1);
        let reply = app.submit(send(seed.visitor, room, "a", "text")).await;
        eventually("the committed rev moves", || async {
            (app.feed.committed(seed.tenant) == reply.rev).then_some(())
        })
        .await;
        let tenant = seed.tenant;
        let changes =
            app.db.read(move |connection| history::changes(connection, tenant, told + 1, reply.rev)).await.unwrap();
        assert_eq!(changes.entries.last().unwrap().seq, reply.entry.unwrap().seq);
        assert!(changes.conversations.contains_key(&room));
    }

    /// Readers are told what is committed and nothing else: of batches that were lost at COMMIT and done again, each
    /// rev is told once, and by then it is in the store.
    async fn nothing_is_published_before_it_is_committed(app: TestApp) {
        let seed = app.seed().await;
        let mut feed = app.feed.subscribe(1_000);
        let room = app.open_room(seed.visitor).await;
        let mut head = 0;
        for round in 0..5 {
            app.journal.fail_points().set(FailPoint::CommitLost, FailAction::Fail, 1);
            head = app.submit(send(seed.visitor, room, &round.to_string(), "text")).await.rev;
        }
        let mut next = 1;
        while next <= head {
            if let deskwire::journal::feed::FeedItem::Changes(changes) = feed.recv().await.unwrap() {
                assert_eq!(changes.rev_from, next, "a rev was told twice or left out");
                next = changes.rev_to + 1;
                let tenant = seed.tenant;
                let stored = app.db.read(move |connection| history::head(connection, tenant)).await.unwrap();
                assert!(stored >= changes.rev_to, "readers were told before the store had it");
            }
        }
    }

    /// What a lane publishes and what the repair path reads back are the same.
    async fn the_repair_path_tells_what_was_published(app: TestApp) {
        let seed = app.seed().await;
        let mut feed = app.feed.subscribe(1_000);
        let room = app.open_room(seed.visitor).await;
        app.submit(claim(seed.agent, room)).await;
        app.submit(note(seed.agent, room, "n", "a note")).await;
        app.submit_all((0..30).map(|number| send(seed.visitor, room, &number.to_string(), "text")).collect()).await;
        app.submit(read(seed.agent, room, 5)).await;
        let head = app.submit(close(seed.agent, room)).await.rev;
        let mut published = Vec::new();
        let mut next = 1;
        while next <= head {
            if let deskwire::journal::feed::FeedItem::Changes(changes) = feed.recv().await.unwrap() {
                assert_eq!(changes.rev_from, next, "a hole in what was published");
                next = changes.rev_to + 1;
                published.extend(changes.entries.iter().map(|entry| (**entry).clone()));
            }
        }
        let tenant = seed.tenant;
        let read = app.db.read(move |connection| history::changes(connection, tenant, 1, head)).await.unwrap();
        let read: Vec<_> = read.entries.iter().map(|entry| (**entry).clone()).collect();
        assert_eq!(published, read);
    }
}

/// P3 and P6 with two processes on one database: revs and seqs stay dense, claims have one winner, and each process
/// hears of what the other wrote.
async fn two_processes(app: TestApp) {
    let other = app.second().await;
    let seed = app.seed().await;
    let room = app.open_room(seed.visitor).await;
    let mut tasks = Vec::new();
    for (writer, name) in [(app.clone(), "a"), (other.clone(), "b")] {
        for task in 0..4 {
            let writer = writer.clone();
            tasks.push(actix_web::rt::spawn(async move {
                for number in 0..25 {
                    let key = format!("{name}-{task}-{number}");
                    deliver(&writer, send(seed.visitor, room, &key, "text")).await;
                }
            }));
        }
    }
    for task in tasks {
        task.await.unwrap();
    }
    let store = app.audit().await;
    assert_eq!(store.messages(room).len(), 201);
    let mut revs: Vec<i64> = store.entries.iter().map(|entry| entry.rev).collect();
    revs.sort();
    revs.dedup();
    assert_eq!(revs, (1..=store.revs[&seed.tenant]).collect::<Vec<_>>(), "a rev was given twice or left out");
    for (index, (mine, theirs)) in [(&app, &other), (&other, &app)].into_iter().enumerate() {
        let visitor = app.seed_member(seed.tenant, Role::Customer).await;
        let room = mine.open_room(visitor).await;
        let (left, right) = tokio::join!(
            mine.journal.submit(claim(seed.agent, room)),
            theirs.journal.submit(claim(seed.second_agent, room))
        );
        assert_ne!(left.is_ok(), right.is_ok(), "round {index}: {left:?} and {right:?}");
        app.audit().await;
    }
    let head = app.audit().await.revs[&seed.tenant];
    let _following = (app.feed.follow(seed.tenant), other.feed.follow(seed.tenant));
    for process in [&app, &other] {
        eventually("both processes know the committed rev", || async {
            (process.feed.committed(seed.tenant) >= head).then_some(())
        })
        .await;
    }
}

/// Submits until it is not told `busy` any more, as a client does.
async fn deliver(app: &TestApp, command: Command) {
    loop {
        match app.journal.submit(command.clone()).await {
            Ok(_) => return,
            Err(error) if error.code.retryable() => tokio::task::yield_now().await,
            Err(error) => panic!("{error}"),
        }
    }
}

#[cfg(feature = "postgres")]
#[test]
fn two_processes_on_postgresql() {
    crate::harness::run(DatabaseKind::Postgresql, two_processes);
}

#[cfg(feature = "mysql")]
#[test]
fn two_processes_on_mysql() {
    crate::harness::run(DatabaseKind::Mysql, two_processes);
}
