//! The crash table row by row: the real program dies at a chosen moment of a batch's life, is started again, and its
//! client repeats what was not answered. Then nothing is lost and nothing stands twice.

use deskwire::db::DatabaseKind;
use serde_json::json;

use crate::harness::audit::audit;
use crate::harness::personas::message;
use crate::harness::process::Process;
use crate::harness::servers::free_port;
use crate::harness::{TestDatabase, block_on};

/// Dies at the point when the visitor's second message is under way. `stored` says whether it must be there.
fn dies_at(kind: DatabaseKind, point: &str, stored: bool) {
    block_on(async {
        let database = TestDatabase::migrated(kind);
        let port = free_port();
        let process = Process::serve_on(&database.url, port, &[]);
        let seed = database.seed();
        let visitor = process.client().with_token(process.visitor_token(&seed.slug()).await);
        let room = visitor.open("hello").await;
        process.kill();

        let process = Process::serve_on(&database.url, port, &[("DESKWIRE_FAIL_POINT", point)]);
        let visitor = process.client().with_token(visitor.token.clone().unwrap());
        let path = format!("/conversations/{room}/messages");
        let body = message("did this arrive?");
        let unanswered = visitor.request(reqwest::Method::POST, &path).json(&body).send().await;
        assert!(unanswered.is_err(), "the client was answered: {unanswered:?}");
        process.wait();
        let room_id = room.parse().unwrap();
        let count = audit(&mut database.connect()).messages(room_id).len();
        assert_eq!(count, if stored { 2 } else { 1 }, "after a death {point}");

        let process = Process::serve_on(&database.url, port, &[]);
        let visitor = process.client().with_token(visitor.token.clone().unwrap());
        let sync = visitor.get("/sync").await.ok();
        assert_eq!(sync["rows"][0]["seq"], json!(count + 1), "what is readable is what is stored");
        let answer = visitor.post(&path, body.clone()).await;
        assert_eq!(answer.status, if stored { 200 } else { 201 }, "{answer}");
        let seq = answer.ok()["seq"].clone();
        assert_eq!(visitor.post(&path, body).await.status(200)["seq"], seq);
        assert_eq!(audit(&mut database.connect()).messages(room_id).len(), 2);
        assert_eq!(process.terminate(), Some(0));
    });
}

on_every_database! {
    /// Nothing was stored, nobody was answered: the repetition is stored once.
    fn death_before_commit(kind: DatabaseKind) {
        dies_at(kind, "before_commit", false);
    }

    /// Stored, nobody was answered: the repetition gets the first answer.
    fn death_after_commit_before_the_answer(kind: DatabaseKind) {
        dies_at(kind, "after_commit", true);
    }
}
