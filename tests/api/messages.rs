//! Messages: sent once, edited and recalled within their windows, read in any direction, refused with a reason.

use deskwire::db::schema::tenant;
use diesel::prelude::*;
use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::TestApp;
use crate::harness::client::{Answer, Client};
use crate::harness::personas::{Desk, message};

on_every_database! {
    /// A retry gets the first answer, also after the close; the same key with another body is a conflict.
    async fn a_retry_gets_the_first_answer(app: TestApp) {
        let desk = app.desk().await;
        let room = desk.open_and_claim("hello").await;
        let path = format!("/conversations/{room}/messages");
        let body = message("once");
        let first = desk.agent.post(&path, body.clone()).await.status(201);
        assert_eq!((&first["duplicate"], &first["entry"]["seq"]), (&json!(false), &first["seq"]));
        let mut again = desk.agent.post(&path, body.clone()).await.status(200);
        assert_eq!(again["duplicate"], true);
        again["duplicate"] = json!(false);
        assert_eq!(again, first);

        let mut other = message("twice");
        other["client_msg_id"] = body["client_msg_id"].clone();
        let conflict = desk.agent.post(&path, other).await.refused(409, "idempotency_conflict");
        assert_eq!(conflict["retryable"], false);
        // Another sender's key is another key.
        desk.visitor.post(&path, body.clone()).await.status(201);

        let one = format!("{path}/{}", first["seq"]);
        desk.agent.patch(&one, json!({"kind": "text", "content": {"text": "changed"}})).await.ok();
        let after_edit = desk.agent.post(&path, body.clone()).await.status(200);
        assert_eq!((&after_edit["seq"], &after_edit["duplicate"]), (&first["seq"], &json!(true)));
        desk.agent.post(&format!("/conversations/{room}/close"), json!({})).await.ok();
        let late = desk.agent.post(&path, body).await.status(200);
        assert_eq!((&late["seq"], &late["rev"]), (&first["seq"], &first["rev"]));
        desk.agent.post(&path, message("new")).await.refused(409, "conversation_closed");
    }

    /// The windows of editing and recalling end; supervisors may always recall; repeated recalls change nothing.
    async fn edits_and_recalls_have_their_windows(app: TestApp) {
        let desk = app.desk().await;
        set_windows(&app, &desk, 40, 15);
        let room = desk.open_and_claim("helo").await;
        let path = format!("/conversations/{room}/messages");
        let new_words = json!({"kind": "text", "content": {"text": "hello"}});
        let first = desk.visitor.log(&room).await.iter().find(|entry| entry["kind"] == "text").unwrap()["seq"].clone();
        let one = format!("{path}/{first}");
        let edited = desk.visitor.patch(&one, new_words.clone()).await.ok();
        assert_eq!(edited["content"]["text"], "hello");
        assert!(edited["edited_at"].is_string());
        let before = desk.visitor.log(&room).await.len();
        desk.visitor.patch(&one, new_words.clone()).await.ok();
        assert_eq!(desk.visitor.log(&room).await.len(), before, "the same words change nothing");
        desk.agent.patch(&one, new_words.clone()).await.refused(403, "forbidden");
        desk.agent.delete(&one).await.refused(403, "forbidden");
        let card = json!({"kind": "card", "content": {"title": "x"}});
        desk.visitor.patch(&one, card).await.refused(422, "validation_failed");
        desk.visitor.patch(&format!("{path}/1"), new_words.clone()).await.refused(404, "not_found");
        desk.visitor.patch(&format!("{path}/999"), new_words.clone()).await.refused(404, "not_found");

        let second = desk.visitor.send(&room, "and more").await["seq"].clone();
        app.clock.advance(16_000);
        desk.visitor.delete(&one).await.refused(409, "window_expired");
        desk.visitor.patch(&one, json!({"kind": "text", "content": {"text": "HELLO"}})).await.ok();
        app.clock.advance(26_000);
        desk.visitor.patch(&one, new_words.clone()).await.refused(409, "window_expired");
        let gone = desk.supervisor.delete(&one).await.ok();
        assert_eq!(gone["content"], json!({}));
        assert!(gone["recalled_at"].is_string());
        let length = desk.visitor.log(&room).await.len();
        assert_eq!(desk.supervisor.delete(&one).await.ok()["content"], json!({}));
        assert_eq!(desk.visitor.log(&room).await.len(), length);
        desk.visitor.patch(&one, new_words).await.refused(409, "message_recalled");
        let notice = desk.visitor.log(&room).await.pop().unwrap();
        assert_eq!((&notice["kind"], &notice["ref_seq"], &notice["content"]), (&json!("recalled"), &first, &json!({})));
        assert_eq!(desk.visitor.get(&format!("{path}/{second}")).await.ok()["content"]["text"], "and more");
    }

    /// Recalled words, and words that an edit replaced, are nowhere, except in the revisions for supervisors.
    async fn recalled_words_are_gone(app: TestApp) {
        let desk = app.desk().await;
        let room = desk.open_and_claim("hello").await;
        let path = format!("/conversations/{room}/messages");
        let mut starts = Vec::new();
        for who in [&desk.visitor, &desk.agent, &desk.admin] {
            starts.push(who.get("/sync").await.ok()["cursor"].as_str().unwrap().to_owned());
        }
        let body = message("canary-0");
        let seq = desk.agent.post(&path, body.clone()).await.ok()["seq"].clone();
        let one = format!("{path}/{seq}");
        for index in 1..=3 {
            let words = json!({"kind": "text", "content": {"text": format!("canary-{index}")}});
            desk.agent.patch(&one, words).await.ok();
        }
        desk.agent.delete(&one).await.ok();
        for (who, start) in [&desk.visitor, &desk.agent, &desk.admin].into_iter().zip(starts) {
            for way in [
                one.clone(),
                path.clone(),
                format!("{path}?after_seq=0"),
                format!("/conversations/{room}/entries"),
                format!("/conversations/{room}"),
                "/inbox".to_owned(),
                "/sync".to_owned(),
                format!("/sync?cursor={start}"),
            ] {
                let answer = who.get(&way).await.ok().to_string();
                assert!(!answer.contains("canary"), "{way}: {answer}");
            }
        }
        let feed = desk.admin.get("/entries?include=backstage&limit=200").await.ok().to_string();
        assert!(!feed.contains("canary"), "{feed}");
        let retry = desk.agent.post(&path, body).await.status(200).to_string();
        assert!(!retry.contains("canary"), "{retry}");
        let revisions = desk.supervisor.get(&format!("{one}/revisions")).await.ok();
        let words: Vec<_> =
            revisions["data"].as_array().unwrap().iter().map(|row| row["content"]["text"].clone()).collect();
        assert_eq!(words, ["canary-0", "canary-1", "canary-2", "canary-3"]);
        desk.agent.get(&format!("{one}/revisions")).await.refused(403, "forbidden");
    }

    /// What cannot be a message is refused with a pointer to what is wrong, and changes nothing.
    async fn bad_bodies_are_pointed_at(app: TestApp) {
        let desk = app.desk().await;
        let room = desk.open_and_claim("hello").await;
        let path = format!("/conversations/{room}/messages");
        let length = desk.agent.log(&room).await.len();
        let with = |name: &str, value: Value| {
            let mut body = message("x");
            body[name] = value;
            body
        };
        for (body, pointer) in [
            (with("client_msg_id", json!("k1 ")), "/client_msg_id"),
            (with("client_msg_id", json!("")), "/client_msg_id"),
            (with("client_msg_id", json!("键")), "/client_msg_id"),
            (with("client_msg_id", json!("k".repeat(65))), "/client_msg_id"),
            (with("kind", json!("closed")), "/kind"),
            (with("kind", json!("picture")), "/kind"),
            (with("kind", json!("image")), "/content/text"),
            (with("content", json!({"text": " \n"})), "/content/text"),
            (with("content", json!({"text": "a\u{0}b"})), "/content/text"),
            (with("content", json!({"text": "字".repeat(5_462)})), "/content/text"),
            (with("content", json!({"text": "x", "html": "y"})), "/content/html"),
            (with("content", json!("text")), "/content"),
            (with("reply_to_seq", json!(99)), "/reply_to_seq"),
            (with("reply_to_seq", json!("2")), "/reply_to_seq"),
            (with("read_seq", json!(-1)), "/read_seq"),
            (with("colour", json!("red")), "/colour"),
            (json!({"kind": "text", "content": {"text": "x"}}), "/client_msg_id"),
        ] {
            let refused = desk.agent.post(&path, body.clone()).await.refused(422, "validation_failed");
            assert_eq!(refused["errors"][0]["pointer"], pointer, "{body}");
        }
        let raw = |text: &'static [u8]| {
            let request = desk.agent.request(Method::POST, &path).header("content-type", "application/json");
            Answer::of(request.body(text))
        };
        raw(b"{").await.refused(400, "malformed_json");
        raw(b"{\"client_msg_id\":\"\xff\"}").await.refused(400, "malformed_json");
        let big = json!({"client_msg_id": "k", "kind": "custom", "content": {"type": "t", "data": "x".repeat(300_000)}});
        desk.agent.post(&path, big).await.refused(413, "payload_too_large");
        let plain = desk.agent.request(Method::POST, &path).body("hello");
        Answer::of(plain).await.refused(415, "unsupported_media_type");
        assert_eq!(desk.agent.log(&room).await.len(), length);

        let card = json!({"title": "Order", "buttons": [{"label": "Track", "url": "https://example.com"}]});
        let mut body = with("content", card.clone());
        body["kind"] = json!("card");
        assert_eq!(desk.agent.post(&path, body).await.status(201)["entry"]["content"], card);
        let longest = with("content", json!({"text": "字".repeat(5_461)}));
        desk.agent.post(&path, longest).await.status(201);
        let exact = " leading, trailing \u{1f600} e\u{301} \n";
        let kept = desk.agent.post(&path, message(exact)).await.status(201);
        assert_eq!(kept["entry"]["content"]["text"], exact);
        let answer = with("reply_to_seq", kept["seq"].clone());
        assert_eq!(desk.agent.post(&path, answer).await.status(201)["entry"]["ref_seq"], kept["seq"]);
    }

    /// A log is read both ways from any seq, and nothing lies beyond its ends.
    async fn a_log_is_read_both_ways(app: TestApp) {
        let desk = app.desk().await;
        let room = desk.open_and_claim("number 0").await;
        for index in 1..10 {
            desk.visitor.send(&room, &format!("number {index}")).await;
        }
        let log = desk.visitor.log(&room).await;
        let head = log.len() as i64;
        assert_eq!(log.iter().map(|entry| entry["seq"].as_i64().unwrap()).collect::<Vec<_>>(), (1..=head).collect::<Vec<_>>());
        for from in 0..=head + 2 {
            let after = page(&desk.visitor, &room, &format!("entries?after_seq={from}&limit=3")).await;
            let expected: Vec<_> = (from + 1..=head).take(3).collect();
            assert_eq!(after, (expected.clone(), expected.last().is_some_and(|last| *last < head)), "after {from}");
            let before = page(&desk.visitor, &room, &format!("entries?before_seq={from}&limit=3")).await;
            let first = (from.min(head + 1) - 3).max(1);
            let expected: Vec<_> = (first..from.min(head + 1)).collect();
            assert_eq!(before, (expected, first > 1), "before {from}");
        }
        let newest = page(&desk.visitor, &room, "entries?limit=2").await;
        assert_eq!(newest, (vec![head - 1, head], true));
        let messages = page(&desk.visitor, &room, "messages?after_seq=0&limit=200").await.0;
        assert_eq!(messages.len(), 10, "notices are no messages");
        for bad in ["after_seq=1&before_seq=3", "limit=0", "limit=201", "after_seq=x", "page=2"] {
            desk.visitor.get(&format!("/conversations/{room}/messages?{bad}")).await.refused(400, "invalid_parameter");
        }
        desk.visitor.get(&format!("/conversations/{room}/messages/1")).await.refused(404, "not_found");
        let odd = page(&desk.visitor, &room, "entries?after_seq=-5&limit=1").await;
        assert_eq!(odd, (vec![1], true));
    }

    /// Who may see a room but is not in it may not write to it; notes go behind it and are a room of their own.
    async fn who_is_not_in_may_not_write(app: TestApp) {
        let desk = app.desk().await;
        let room = desk.open("hello").await;
        let path = format!("/conversations/{room}");
        desk.agent.post(&format!("{path}/messages"), message("x")).await.refused(403, "not_a_member");
        desk.supervisor.post(&format!("{path}/messages"), message("x")).await.refused(403, "not_a_member");
        desk.second_visitor.post(&format!("{path}/messages"), message("x")).await.refused(404, "not_found");
        desk.agent.post(&format!("{path}/notes"), message("x")).await.refused(403, "not_a_member");
        assert_eq!(desk.agent.get(&format!("{path}/notes")).await.ok()["conversation_id"], Value::Null);

        desk.agent.claim(&room).await;
        let note = desk.agent.post(&format!("{path}/notes"), message("one")).await.status(201);
        let notes = note["entry"]["conversation_id"].as_str().unwrap();
        assert_ne!(notes, room);
        desk.supervisor.post(&format!("/conversations/{notes}/messages"), message("two")).await.status(201);
        let read = desk.agent.get(&format!("/conversations/{notes}/messages")).await.ok();
        let texts: Vec<_> = read["data"].as_array().unwrap().iter().map(|row| row["content"]["text"].clone()).collect();
        assert_eq!(texts, ["one", "two"]);
        assert_eq!(desk.agent.get(&format!("{path}/notes")).await.ok()["data"].as_array().unwrap().len(), 2);
        let view = desk.agent.get(&format!("/conversations/{notes}")).await.ok();
        assert_eq!((&view["kind"], &view["parent_id"]), (&json!("backstage"), &json!(room)));
        desk.second_agent.get(&format!("/conversations/{notes}/messages")).await.refused(404, "not_found");
        desk.agent.get(&format!("/conversations/{notes}/notes")).await.refused(404, "not_found");
    }
}

async fn page(who: &Client, room: &str, query: &str) -> (Vec<i64>, bool) {
    let page = who.get(&format!("/conversations/{room}/{query}")).await.ok();
    let seqs = page["data"].as_array().unwrap().iter().map(|entry| entry["seq"].as_i64().unwrap());
    (seqs.collect(), page["more"].as_bool().unwrap())
}

/// Short windows, because ids end when a test's clock runs ahead of the lease of its node number.
fn set_windows(app: &TestApp, desk: &Desk, edit: i64, recall: i64) {
    let settings = json!({"edit_window_seconds": edit, "recall_window_seconds": recall}).to_string();
    diesel::update(tenant::table.filter(tenant::id.eq(desk.tenant)))
        .set(tenant::settings.eq(settings))
        .execute(&mut app.database().connect())
        .unwrap();
}
