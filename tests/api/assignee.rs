//! A tenant may let only the agent who serves a conversation write in it.

use serde_json::{Value, json};

use crate::harness::personas::message;
use crate::harness::{Client, Desk};

async fn only(desk: &Desk, only: bool) -> Value {
    desk.admin.patch("/tenant", json!({"settings": {"only_assignee_answers": only}})).await.ok()
}

async fn write(who: &Client, room: &str, body: Value) -> (u16, Value) {
    let answer = who.post(&format!("/conversations/{room}/messages"), body).await;
    (answer.status, answer.body.clone())
}

on_every_database! {
    /// On, off and on again: the assignee and the customer always write, others of the staff notes only.
    async fn only_the_assignee_answers_where_the_tenant_says_so(app: TestApp) {
        let desk = app.desk().await;
        let room = desk.open_and_claim("hello").await;
        let member = json!({"member_id": desk.second_agent.id()});
        desk.agent.post(&format!("/conversations/{room}/members"), member).await.ok();
        let before = message("before the switch");
        assert_eq!(write(&desk.second_agent, &room, before.clone()).await.0, 201);
        assert_eq!(only(&desk, true).await["settings"]["only_assignee_answers"], true);
        let (status, problem) = write(&desk.second_agent, &room, message("me too")).await;
        assert_eq!((status, problem["code"].as_str()), (403, Some("not_assignee")));
        assert_eq!(problem["context"]["agent_id"], desk.agent.id());
        // A retry of what was accepted gets its first answer.
        assert_eq!(write(&desk.second_agent, &room, before).await.0, 200);
        desk.second_agent.post(&format!("/conversations/{room}/notes"), message("a note")).await.status(201);
        desk.agent.send(&room, "I serve").await;
        desk.visitor.send(&room, "I ask").await;
        let mut socket = desk.second_agent.socket().await;
        let mut body = message("over the socket");
        body["conversation_id"] = room.clone().into();
        socket.ask_refused("message.send", body.clone(), "not_assignee").await;
        // Who takes over answers, and who was relieved does not.
        let give = json!({"agent_id": desk.second_agent.id()});
        desk.supervisor.post(&format!("/conversations/{room}/assign"), give).await.ok();
        desk.second_agent.send(&room, "now I serve").await;
        assert_ne!(write(&desk.agent, &room, message("still here?")).await.0, 201);
        // While it waits, who is in it may write.
        let member = json!({"member_id": desk.agent.id()});
        desk.supervisor.post(&format!("/conversations/{room}/members"), member).await.ok();
        assert_eq!(write(&desk.agent, &room, message("not yet")).await.1["code"], "not_assignee");
        desk.second_agent.post(&format!("/conversations/{room}/release"), json!({})).await.ok();
        desk.agent.send(&room, "while it waits").await;
        desk.second_agent.claim(&room).await;
        assert_eq!(write(&desk.agent, &room, message("again")).await.1["code"], "not_assignee");
        only(&desk, false).await;
        desk.agent.send(&room, "everybody again").await;
    }

    /// Staff who open a conversation for a customer write its first message, and none into what another serves.
    async fn opening_for_a_customer_is_answering_too(app: TestApp) {
        let desk = app.desk().await;
        only(&desk, true).await;
        let open = || json!({"customer_id": desk.visitor.id(), "message": message("we have a question")});
        let opened = desk.supervisor.post("/conversations", open()).await.status(201);
        let room = opened["conversation"]["id"].as_str().unwrap().to_owned();
        desk.agent.claim(&room).await;
        let log = desk.agent.log(&room).await.len();
        let answer = desk.supervisor.post("/conversations", open()).await;
        assert_eq!((answer.status, answer.body["code"].as_str()), (403, Some("not_assignee")));
        assert_eq!(desk.agent.log(&room).await.len(), log, "a refused opening left something behind");
        for wrong in [json!("yes"), json!(null), json!(0)] {
            let body = json!({"settings": {"only_assignee_answers": wrong}});
            desk.admin.patch("/tenant", body).await.refused(422, "validation_failed");
        }
        desk.agent.patch("/tenant", json!({"settings": {"only_assignee_answers": false}})).await.refused(403, "forbidden");
    }
}
