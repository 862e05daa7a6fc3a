//! The journal through its own door: one conversation's life, retries, and what goes wrong between decision and
//! publication.

use deskwire::domain::actor::Actor;
use deskwire::domain::content::Body;
use deskwire::domain::conversation::CloseReason;
use deskwire::domain::entry::EntryKind;
use deskwire::journal::fail_point::{FailAction, FailPoint};
use deskwire::journal::{Action, Command, Draft, LogRef, Reply, commands, history};
use deskwire::kernel::{Code, ConversationId, Result};

use crate::harness::{Seed, TestApp};

fn draft(key: &str, text: &str) -> Draft {
    Draft {
        client_msg_id: key.to_owned(),
        body: Body::text(text).unwrap(),
        reply_to_seq: None,
        version: None,
    }
}

async fn submit(app: &TestApp, actor: Actor, action: Action) -> Result<Reply> {
    app.journal.submit(Command::new(actor, action)).await
}

async fn open(app: &TestApp, seed: &Seed) -> ConversationId {
    let message = Some(draft("first", "hello"));
    let action = Action::Open(commands::Open { message, ..commands::Open::of(seed.visitor.member) });
    submit(app, seed.visitor, action).await.unwrap().conversation.unwrap()
}

async fn send(app: &TestApp, actor: Actor, room: ConversationId, key: &str, text: &str) -> Result<Reply> {
    submit(
        app,
        actor,
        Action::Send(commands::Send { log: LogRef::Log(room), draft: draft(key, text), read_seq: None }),
    )
    .await
}

/// The log as (seq, kind) pairs, read back through the repair path.
async fn log_of(app: &TestApp, seed: &Seed, room: ConversationId) -> Vec<(i64, EntryKind)> {
    let tenant = seed.tenant;
    let changes = app
        .db
        .read(move |connection| {
            let head = history::head(connection, tenant)?;
            history::changes(connection, tenant, 1, head)
        })
        .await
        .unwrap();
    let entries = changes.entries.iter().filter(|entry| entry.conversation_id == room);
    entries.map(|entry| (entry.seq, entry.kind)).collect()
}

on_every_database! {
    /// Open, claim, answer, note, close, reopen: the front log holds what a visitor may see, densely.
    async fn a_conversation_lives(app: TestApp) {
        let seed = app.seed().await;
        let room = open(&app, &seed).await;
        submit(&app, seed.agent, Action::Claim(commands::Claim { conversation: room })).await.unwrap();
        let lost = submit(&app, seed.second_agent, Action::Claim(commands::Claim { conversation: room })).await.unwrap_err();
        assert_eq!(lost.code, Code::AlreadyAssigned);
        assert_eq!(lost.context["agent_id"], seed.agent.member.to_string());
        send(&app, seed.agent, room, "a1", "good morning").await.unwrap();
        let note = Action::Send(commands::Send { log: LogRef::BackstageOf(room), draft: draft("n1", "note"), read_seq: None });
        let note = submit(&app, seed.agent, note).await.unwrap();
        assert_ne!(note.conversation, Some(room));
        let close = Action::Close(commands::Close { conversation: room, reason: CloseReason::Resolved, note: "done".to_owned() });
        submit(&app, seed.agent, close.clone()).await.unwrap();
        assert_eq!(submit(&app, seed.agent, close).await.unwrap().rev, 0, "closing the closed changes nothing");
        let refused = send(&app, seed.visitor, room, "late", "too late").await.unwrap_err();
        assert_eq!(refused.code, Code::ConversationClosed);
        let retried = send(&app, seed.agent, room, "a1", "good morning").await.unwrap();
        assert!(retried.duplicate, "a retry gets its first answer after the close");
        let conflict = send(&app, seed.agent, room, "a1", "something else").await.unwrap_err();
        assert_eq!(conflict.code, Code::IdempotencyConflict);
        submit(&app, seed.visitor, Action::Reopen(commands::Reopen { conversation: room })).await.unwrap();
        use EntryKind::{Assigned, Closed, Opened, Reopened, Text};
        let expected = [(1, Opened), (2, Text), (3, Assigned), (4, Text), (5, Closed), (6, Reopened)];
        assert_eq!(log_of(&app, &seed, room).await, expected);
    }

    /// Who claims joins at the head, so nothing is new to it; its answer tells the visitor all the same that the staff
    /// has read what was there.
    async fn an_answer_says_that_the_staff_has_read(app: TestApp) {
        let seed = app.seed().await;
        let room = open(&app, &seed).await;
        submit(&app, seed.agent, Action::Claim(commands::Claim { conversation: room })).await.unwrap();
        let answer = Action::Send(commands::Send { log: LogRef::Log(room), draft: draft("a1", "yes?"), read_seq: Some(3) });
        let rev = submit(&app, seed.agent, answer).await.unwrap().rev;
        let tenant = seed.tenant;
        let read = move |connection: &mut deskwire::db::AnyConnection| history::changes(connection, tenant, rev, rev);
        let changes = app.db.read(read).await.unwrap();
        assert_eq!(changes.conversations[&room].conversation.staff_read_seq, 3);
    }

    /// COMMIT took effect but its answer was lost: the command is acknowledged and stored once.
    async fn a_lost_answer_to_commit_is_found_out(app: TestApp) {
        let seed = app.seed().await;
        let room = open(&app, &seed).await;
        app.journal.fail_points().set(FailPoint::CommitAnswerLost, FailAction::Fail, 1);
        let sent = send(&app, seed.visitor, room, "m1", "once").await.unwrap();
        assert_eq!(sent.entry.unwrap().seq, 3);
        app.journal.fail_points().set(FailPoint::CommitLost, FailAction::Fail, 1);
        let sent = send(&app, seed.visitor, room, "m2", "once more").await.unwrap();
        assert_eq!(sent.entry.unwrap().seq, 4);
        assert_eq!(log_of(&app, &seed, room).await.len(), 4);
    }

    /// A panic in the writing costs nobody an acknowledged message, and the lane goes on.
    async fn a_lane_survives_a_panic(app: TestApp) {
        let seed = app.seed().await;
        let room = open(&app, &seed).await;
        app.journal.fail_points().set(FailPoint::BeforeCommit, FailAction::Panic, 1);
        let first = send(&app, seed.visitor, room, "m1", "one").await;
        assert!(first.is_err_and(|error| error.code == Code::Internal));
        let again = send(&app, seed.visitor, room, "m1", "one").await.unwrap();
        assert_eq!(again.entry.unwrap().seq, 3);
    }

    /// A panic after the commit ends the lane's thread: it begins anew, it is counted, and a repetition finds what was
    /// stored.
    async fn a_lane_that_panics_begins_anew_and_is_counted(app: TestApp) {
        let seed = app.seed().await;
        let room = open(&app, &seed).await;
        app.journal.fail_points().set(FailPoint::AfterCommit, FailAction::Panic, 1);
        let first = send(&app, seed.visitor, room, "m1", "one").await.unwrap_err();
        assert_eq!(first.code, Code::Busy);
        let again = send(&app, seed.visitor, room, "m1", "one").await.unwrap();
        assert!(again.duplicate, "it was committed before the panic");
        let told =
            app.http().get(format!("{}/metrics", app.base())).send().await.unwrap().text().await.unwrap();
        assert!(told.contains("deskwire_task_restarts_total{task=\"lane\"} 1"), "{told}");
        let ready = || async { (app.client().get_root("/readyz").await.status == 200).then_some(()) };
        crate::harness::eventually("the lane has settled", ready).await;
    }

    /// A COMMIT that is lost every time is given up, its caller is told to come again, and the lane works on.
    async fn a_commit_that_is_always_lost_is_given_up(app: TestApp) {
        let seed = app.seed().await;
        let room = open(&app, &seed).await;
        app.journal.fail_points().set(FailPoint::CommitLost, FailAction::Fail, u32::MAX);
        let lost = send(&app, seed.visitor, room, "m1", "one").await.unwrap_err();
        assert_eq!(lost.code, Code::Busy);
        // By the lane, and not by the deadline after which nobody waits any more.
        assert!(lost.detail.contains("lost this write"), "{lost}");
        app.journal.fail_points().set(FailPoint::CommitLost, FailAction::Fail, 0);
        let again = send(&app, seed.visitor, room, "m1", "one").await.unwrap();
        assert_eq!(again.entry.unwrap().seq, 3);
    }
}
