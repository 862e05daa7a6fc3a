//! Presence: what the staff say that they are, who sees it, and who is told.

use serde_json::{Value, json};

use crate::harness::{Client, Desk, Socket};

async fn row(desk: &Desk, who: &Client) -> Value {
    let page = desk.supervisor.get("/presence?limit=200").await.ok();
    let rows = page["data"].as_array().unwrap();
    rows.iter().find(|row| row["member"]["id"] == who.id()).unwrap_or_else(|| panic!("not in {page}")).clone()
}

async fn set(who: &Client, status: &str, reason: &str) -> Value {
    who.put("/presence", json!({"status": status, "reason": reason})).await.ok()
}

/// A socket of a member of the staff whom everybody has seen come, and that has nothing left to tell.
async fn quiet(who: &Client) -> Socket {
    let mut socket = who.socket().await;
    who.seen(true).await;
    settle(&mut socket).await;
    socket
}

/// What was told until now is over.
async fn settle(socket: &mut Socket) {
    socket.barrier().await;
    socket.take_kept();
}

/// The next notice that says this status of this member. Others, and that it came, may be told late: both are passed over.
async fn told_of(socket: &mut Socket, who: &Client, status: &str) -> Value {
    let (id, status) = (who.id(), status.to_owned());
    let fits = move |frame: &Value| {
        frame["type"] == "presence"
            && frame["data"]["member_id"] == id
            && frame["data"]["status"] == status.as_str()
    };
    socket.wait("presence", fits).await["data"].clone()
}

on_every_database! {
    /// Setting, setting the same again, another reason, another status.
    async fn presence_is_what_was_said_last(app: TestApp) {
        let desk = app.desk().await;
        let silent = row(&desk, &desk.agent).await;
        assert_eq!((silent["status"].as_str(), silent["since"].is_null()), (Some("offline"), true));
        let online = set(&desk.agent, "online", "").await;
        assert_eq!((online["status"].as_str(), online["current_accept"].as_i64()), (Some("online"), Some(0)));
        assert_eq!(online["member"]["id"], desk.agent.id());
        let since = online["since"].clone();
        assert!(since.is_string());
        app.advance(60_000).await;
        assert_eq!(set(&desk.agent, "online", "").await["since"], since, "the same again moves nothing");
        let reason = set(&desk.agent, "online", " back office ").await;
        assert_eq!((&reason["since"], reason["reason"].as_str()), (&since, Some("back office")));
        let away = set(&desk.agent, "away", "lunch").await;
        assert_ne!(away["since"], since);
        assert_eq!(row(&desk, &desk.agent).await, away);
        // Without a reason there is none.
        assert_eq!(desk.agent.put("/presence", json!({"status": "away"})).await.ok()["reason"], "");
        // Serving does not change what was said.
        desk.open_and_claim("hello").await;
        let serving = row(&desk, &desk.agent).await;
        assert_eq!((serving["status"].as_str(), serving["current_accept"].as_i64()), (Some("away"), Some(1)));
        assert!(set(&desk.second_agent, "offline", "").await["since"].is_string());
    }

    /// Every colleague is told at once, on every device; no visitor and no other tenant is.
    async fn colleagues_are_told(app: TestApp) {
        let (desk, other) = (app.desk().await, app.desk().await);
        let mut told = [quiet(&desk.agent).await, quiet(&desk.second_agent).await, quiet(&desk.admin).await];
        for socket in &mut told {
            settle(socket).await;
        }
        let mut not_told = [desk.visitor.socket().await, other.agent.socket().await];
        set(&desk.agent, "busy", "stock-taking").await;
        for socket in &mut told {
            let notice = told_of(socket, &desk.agent, "busy").await;
            assert_eq!((&notice["reason"], &notice["current_accept"]), (&json!("stock-taking"), &json!(0)));
            assert!(notice["rev"].as_i64() > Some(0));
        }
        // The same again is told to nobody; what comes next is the number of conversations.
        set(&desk.agent, "busy", "stock-taking").await;
        let room = desk.open_and_claim("hello").await;
        for socket in &mut told {
            assert_eq!(told_of(socket, &desk.agent, "busy").await["current_accept"], 1);
        }
        desk.agent.post(&format!("/conversations/{room}/close"), json!({})).await.ok();
        for socket in &mut told {
            assert_eq!(told_of(socket, &desk.agent, "busy").await["current_accept"], 0);
        }
        for socket in &mut not_told {
            socket.barrier().await;
            let heard = socket.take_kept();
            let own = |frame: &Value| frame["data"]["member_id"] == other.agent.id();
            assert!(heard.iter().all(|frame| frame["type"] != "presence" || own(frame)), "{heard:?}");
        }
    }

    /// The socket and REST say the same: one service, one answer, one refusal.
    async fn presence_can_be_set_over_the_socket(app: TestApp) {
        let desk = app.desk().await;
        let (mut agent, mut visitor) = (quiet(&desk.agent).await, desk.visitor.socket().await);
        let said = agent.ask("presence", json!({"status": "busy", "reason": "a call"})).await;
        let told = told_of(&mut agent, &desk.agent, "busy").await;
        assert_eq!(said, told);
        assert_eq!(row(&desk, &desk.agent).await["reason"], "a call");
        assert_eq!(agent.ask("presence", json!({"status": "busy", "reason": "a call"})).await, said);
        for wrong in [json!({}), json!({"status": "asleep"}), json!({"status": "busy", "until": 1})] {
            agent.ask_refused("presence", wrong, "validation_failed").await;
        }
        visitor.ask_refused("presence", json!({"status": "busy"}), "forbidden").await;
        // What was said outlives the socket.
        agent.close().await;
        assert_eq!(row(&desk, &desk.agent).await["status"], "busy");
    }

    /// What is said to one process is told by the others.
    async fn colleagues_on_other_processes_are_told(app: TestApp) {
        let desk = app.desk().await;
        let there = match app.kind().is_server() {
            true => app.second().await,
            false => app.clone(),
        };
        let mut socket = quiet(&there.client_of(desk.second_agent.actor.unwrap())).await;
        set(&desk.agent, "away", "tea").await;
        assert_eq!(told_of(&mut socket, &desk.agent, "away").await["reason"], "tea");
    }

    /// Customers neither see nor set it; colleagues of other tenants are not there; pages hold everybody once.
    async fn presence_is_the_staffs_own(app: TestApp) {
        let (desk, other) = (app.desk().await, app.desk().await);
        desk.visitor.get("/presence").await.refused(403, "forbidden");
        desk.visitor.put("/presence", json!({"status": "online"})).await.refused(403, "forbidden");
        desk.anonymous.get("/presence").await.refused(401, "unauthenticated");
        set(&desk.agent, "online", "").await;
        let mut seen: Vec<String> = Vec::new();
        let mut path = "/presence?limit=1".to_owned();
        loop {
            let page = desk.agent.get(&path).await.ok();
            seen.extend(page["data"].as_array().unwrap().iter().map(|row| row["member"]["id"].as_str().unwrap().to_owned()));
            let Some(cursor) = page["next_cursor"].as_str() else { break };
            path = format!("/presence?limit=1&cursor={cursor}");
        }
        let mut staff = [&desk.agent, &desk.second_agent, &desk.supervisor, &desk.admin].map(Client::id).to_vec();
        staff.sort_by_key(|id| id.parse::<i64>().unwrap());
        assert_eq!(seen, staff);
        let online = desk.agent.get("/presence?status=online").await.ok();
        assert_eq!(online["data"].as_array().unwrap().len(), 1);
        assert_eq!(desk.agent.get("/presence?status=offline").await.ok()["data"].as_array().unwrap().len(), 3);
        assert_eq!(other.agent.get("/presence?status=online").await.ok()["data"], json!([]));
        for wrong in ["/presence?status=asleep", "/presence?limit=0", "/presence?limit=201", "/presence?cursor=x", "/presence?who=me"] {
            desk.agent.get(wrong).await.refused(400, "invalid_parameter");
        }
        let long = "x".repeat(201);
        for wrong in [
            json!({}),
            json!({"status": null}),
            json!({"status": "asleep"}),
            json!({"status": {"online": null}}),
            json!({"status": "away", "reason": long}),
            json!({"status": "away", "reason": "a\nb"}),
            json!({"status": "away", "reason": null}),
            json!({"status": "away", "until": "noon"}),
        ] {
            desk.agent.put("/presence", wrong).await.refused(422, "validation_failed");
        }
        assert_eq!(row(&desk, &desk.agent).await["status"], "online");
    }
}
