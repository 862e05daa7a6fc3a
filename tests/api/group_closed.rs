//! A closed conversation says where its customer goes on only to who may see that.

use serde_json::{Value, json};

use crate::groups::{make, put};
use crate::harness::Client;
use crate::harness::personas::message;

on_every_database! {
    /// Who writes to a closed conversation learns of the customer's open one only what it may see: nothing of another
    /// group's, also as long as nobody serves it.
    async fn a_closed_conversation_names_no_open_one_of_another_group(app: TestApp) {
        let desk = app.desk().await;
        let (own, another) = (make(&desk, "Own").await, make(&desk, "Another").await);
        put(&desk.admin, &own, &desk.agent, "member").await;
        put(&desk.admin, &another, &desk.second_agent, "member").await;
        let first = desk.open_and_claim("first").await;
        desk.agent.post(&format!("/conversations/{first}/close"), json!({})).await.ok();
        let body = json!({"group_id": another, "message": message("second")});
        let opened = desk.visitor.post("/conversations", body).await.status(201);
        let second = opened["conversation"]["id"].as_str().unwrap().to_owned();
        let path = format!("/conversations/{first}/messages");
        let named = async |who: &Client| {
            let refused = who.post(&path, message("still there?")).await.refused(409, "conversation_closed");
            refused["context"]["open_conversation_id"].clone()
        };
        assert_eq!(named(&desk.agent).await, Value::Null);
        assert_eq!(named(&desk.visitor).await, json!(second));
        let mut socket = desk.agent.socket().await;
        let mut send = message("still there?");
        send["conversation_id"] = json!(first);
        let refused = socket.ask_refused("message.send", send, "conversation_closed").await;
        assert!(!refused.to_string().contains(&second), "{refused}");
        let path_of_second = format!("/conversations/{second}");
        desk.admin.patch(&path_of_second, json!({"group_id": null})).await.ok();
        assert_eq!(named(&desk.agent).await, json!(second), "what waits for no group everybody sees");
    }
}
