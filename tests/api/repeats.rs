//! What the same people may do a little later: claims that come late, releases and leaving twice, edits and notes
//! after a release, edits that are outdated, and marking as unread what was there before.

use serde_json::{Value, json};

use crate::harness::client::Client;
use crate::harness::personas::message;

fn at(room: &str, what: &str) -> String {
    format!("/conversations/{room}/{what}")
}

fn text(words: &str) -> Value {
    json!({"kind": "text", "content": {"text": words}})
}

async fn unread(client: &Client, room: &str) -> Value {
    let inbox = client.get("/inbox").await.ok();
    let rows = inbox["data"].as_array().unwrap();
    rows.iter().find(|row| row["conversation_id"] == room).unwrap_or_else(|| panic!("{inbox}"))["unread"]
        .clone()
}

on_every_database! {
    /// Who loses a race is told the holder; whoever comes later is told nothing, like GET.
    async fn a_late_claim_learns_nothing(app: TestApp) {
        let desk = app.desk().await;
        let room = desk.open_and_claim("help").await;
        let claim = at(&room, "claim");
        let lost = desk.second_agent.post(&claim, json!({})).await.refused(409, "already_assigned");
        assert_eq!(lost["context"]["agent_id"], desk.agent.id());
        app.advance(11_000).await;
        desk.second_agent.post(&claim, json!({})).await.refused(404, "not_found");
        desk.visitor.post(&claim, json!({})).await.refused(403, "forbidden");
        desk.supervisor.post(&claim, json!({})).await.refused(409, "already_assigned");
        desk.agent.post(&claim, json!({})).await.ok();
    }

    /// A note is edited and recalled by whoever could write a new one.
    async fn notes_follow_one_right(app: TestApp) {
        let desk = app.desk().await;
        let room = desk.open_and_claim("help").await;
        let note = desk.agent.post(&at(&room, "notes"), message("careful")).await.ok();
        let log = note["entry"]["conversation_id"].as_str().unwrap().to_owned();
        let path = format!("/conversations/{log}/messages/{}", note["seq"]);
        desk.agent.patch(&path, text("very careful")).await.ok();
        desk.agent.post(&at(&room, "release"), json!({})).await.ok();
        let refused = desk.agent.post(&at(&room, "notes"), message("more")).await.refused(403, "not_a_member");
        // What the refusal advises is what an agent can do.
        desk.agent.post(&at(&room, "members"), json!({"member_id": desk.agent.id()})).await.refused(403, "not_a_member");
        let advice = refused["detail"].as_str().unwrap();
        assert!(advice.contains("claim it") && !advice.contains("join"), "{advice}");
        desk.agent.patch(&path, text("never mind")).await.refused(403, "not_a_member");
        desk.agent.delete(&path).await.refused(403, "not_a_member");
        desk.agent.claim(&room).await;
        desk.agent.patch(&path, text("never mind")).await.ok();
        desk.agent.delete(&path).await.ok();
    }

    /// Releasing and leaving twice are the same as once.
    async fn releasing_and_leaving_may_be_repeated(app: TestApp) {
        let desk = app.desk().await;
        let room = desk.open_and_claim("help").await;
        let body = json!({"member_id": desk.second_agent.id()});
        desk.agent.post(&at(&room, "members"), body).await.ok();
        let leave = at(&room, &format!("members/{}", desk.second_agent.id()));
        for _ in 0..2 {
            desk.second_agent.delete(&leave).await.status(204);
        }
        desk.second_agent.get(&format!("/conversations/{room}")).await.refused(404, "not_found");
        for _ in 0..2 {
            assert_eq!(desk.agent.post(&at(&room, "release"), json!({})).await.ok()["status"], "open");
        }
        let version = desk.supervisor.get(&format!("/conversations/{room}")).await.ok()["version"].clone();
        desk.visitor.post(&at(&room, "release"), json!({})).await.refused(403, "forbidden");
        desk.agent.post(&at(&room, "release"), json!({})).await.ok();
        assert_eq!(desk.supervisor.get(&format!("/conversations/{room}")).await.ok()["version"], version);
        desk.supervisor.claim(&room).await;
        desk.agent.post(&at(&room, "release"), json!({})).await.refused(404, "not_found");
    }

    /// A customer's reason is kept.
    async fn a_customer_says_why_it_closes(app: TestApp) {
        let desk = app.desk().await;
        for (body, kept) in [
            (json!({"reason": "resolved"}), "resolved"),
            (json!({"reason": "customer_left"}), "customer_left"),
            (json!({}), "customer_left"),
        ] {
            let room = desk.open("help").await;
            let closed = desk.visitor.post(&at(&room, "close"), body).await.ok();
            assert_eq!(closed["close_reason"], kept);
            assert_eq!(desk.visitor.log(&room).await.last().unwrap()["content"]["reason"], kept);
        }
    }

    /// A window of no seconds is closed from the start.
    async fn no_window_lets_no_edit_pass(app: TestApp) {
        let desk = app.desk().await;
        let settings = json!({"settings": {"edit_window_seconds": 0, "recall_window_seconds": 0}});
        desk.admin.patch("/tenant", settings).await.ok();
        let room = desk.open_and_claim("help").await;
        // Not even within the millisecond of sending.
        app.clock.stop();
        let sent = desk.visitor.send(&room, "helo").await;
        let path = at(&room, &format!("messages/{}", sent["seq"]));
        desk.visitor.patch(&path, text("hello")).await.refused(409, "window_expired");
        desk.visitor.delete(&path).await.refused(409, "window_expired");
    }

    /// Whatever a view shows moves its time of change, also when the visitor's log has no entry of it.
    async fn a_new_priority_is_a_change(app: TestApp) {
        let desk = app.desk().await;
        let room = desk.open_and_claim("help").await;
        let path = format!("/conversations/{room}");
        for change in [json!({"priority": "high"}), json!({"tags": ["vip"]})] {
            let before = desk.agent.get(&path).await.ok()["updated_at"].clone();
            app.advance(1_000).await;
            let after = desk.agent.patch(&path, change.clone()).await.ok()["updated_at"].clone();
            assert!(after.as_str() > before.as_str(), "{change}: {before} then {after}");
            app.advance(1_000).await;
            assert_eq!(desk.agent.patch(&path, change).await.ok()["updated_at"], after);
        }
    }

    /// Staff who open for a customer get the open conversation when they may see it, else a refusal that names it.
    async fn opening_for_a_customer_who_is_served(app: TestApp) {
        let desk = app.desk().await;
        let room = desk.open_and_claim("help").await;
        let body = json!({"customer_id": desk.visitor.id()});
        let found = desk.supervisor.post("/conversations", body.clone()).await.status(200);
        assert_eq!(found["conversation"]["id"], room);
        let refused = desk.second_agent.post("/conversations", body.clone()).await.refused(409, "open_conversation_exists");
        assert_eq!(refused["context"]["conversation_id"], room);
        let spoken = json!({"customer_id": desk.visitor.id(), "message": message("hello")});
        desk.second_agent.post("/conversations", spoken.clone()).await.refused(409, "open_conversation_exists");
        let refused = desk.supervisor.post("/conversations", spoken.clone()).await.refused(403, "not_a_member");
        assert_eq!(refused["context"]["conversation_id"], room);
        assert_eq!(desk.agent.post("/conversations", spoken).await.status(200)["conversation"]["id"], room);
        desk.agent.post(&at(&room, "release"), json!({})).await.ok();
        assert_eq!(desk.second_agent.post("/conversations", body).await.status(200)["conversation"]["id"], room);
    }

    /// Unread is 0 at a claim; staff may go back to the beginning.
    async fn what_was_asked_before_a_claim_can_be_marked_unread(app: TestApp) {
        let desk = app.desk().await;
        let room = desk.open("one").await;
        desk.visitor.send(&room, "two").await;
        desk.agent.claim(&room).await;
        assert_eq!(unread(&desk.agent, &room).await, 0);
        let position = desk.agent.post(&at(&room, "mark_unread"), json!({"seq": 0})).await.ok();
        assert_eq!(position["read_seq"], 0, "{position}");
        assert_eq!(unread(&desk.agent, &room).await, 2);
    }

    /// An edit that says what it is based on does not overwrite a newer one, over REST and sockets.
    async fn an_outdated_edit_is_told(app: TestApp) {
        let desk = app.desk().await;
        let room = desk.open_and_claim("help").await;
        app.clock.stop();
        let sent = desk.visitor.send(&room, "one").await;
        let path = at(&room, &format!("messages/{}", sent["seq"]));
        let based = |words: &str, base: &Value| {
            let mut body = text(words);
            body["base_edited_at"] = base.clone();
            body
        };
        let first = desk.visitor.patch(&path, based("two", &Value::Null)).await.ok();
        let stale = desk.visitor.patch(&path, based("other", &Value::Null)).await.refused(409, "stale_edit");
        assert_eq!(stale["context"]["edited_at"], first["edited_at"]);
        // A repeat of what was done is done, whatever it was based on.
        desk.visitor.patch(&path, based("two", &Value::Null)).await.ok();
        // Edits in one and the same millisecond differ too.
        let second = desk.visitor.patch(&path, based("three", &first["edited_at"])).await.ok();
        assert_ne!(second["edited_at"], first["edited_at"]);
        let late = based("late", &first["edited_at"]);
        desk.visitor.patch(&path, late.clone()).await.refused(409, "stale_edit");
        let mut socket = desk.visitor.socket().await;
        let mut frame = late;
        frame["conversation_id"] = json!(room);
        frame["seq"] = sent["seq"].clone();
        socket.ask_refused("message.edit", frame.clone(), "stale_edit").await;
        frame["base_edited_at"] = second["edited_at"].clone();
        socket.ask("message.edit", frame).await;
        desk.visitor.patch(&path, text("whatever")).await.ok();
        desk.visitor.patch(&path, based("x", &json!("yesterday"))).await.refused(422, "validation_failed");
    }
}
