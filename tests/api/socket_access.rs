//! Sockets: who may be there, what one may see, and what ends it.

use deskwire::domain::actor::Principal;
use deskwire::domain::member::{MemberStatus, Role};
use deskwire::journal::commands::{ChangeMember, ChangeTenant, RevokeSessions};
use deskwire::journal::{Action, Command};
use deskwire::kernel::{ConversationId, MemberId};
use serde_json::{Value, json};

use crate::harness::{Client, Desk, Socket, TestApp};

async fn change(app: &TestApp, desk: &Desk, change: impl Into<Action>) {
    let operator = Principal::Operator(desk.seed.tenant);
    app.journal.submit(Command::new(operator, change)).await.unwrap();
}

async fn bye(mut socket: Socket, code: u16) -> String {
    let bye = socket.expect("bye").await;
    assert_eq!(bye["code"], code, "{bye}");
    assert_eq!(bye["reconnect"], code < 4500);
    assert_eq!(socket.expect_close().await, code);
    bye["reason"].as_str().unwrap().to_owned()
}

fn member(client: &Client) -> MemberId {
    client.actor.unwrap().member
}

on_every_database! {
    /// A revoked session, a disabled or deleted account, another role and a suspended tenant end live sockets.
    async fn whoever_may_no_longer_be_there_is_sent_away(app: TestApp) {
        let desk = app.desk().await;
        let socket = desk.agent.socket().await;
        let revoke = |client: &Client| RevokeSessions {
            member: member(client),
            only: None,
            except: None,
            reason: "revoked",
        };
        change(&app, &desk, revoke(&desk.agent)).await;
        assert_eq!(bye(socket, 4505).await, "session_revoked");
        let mut again = Socket::connect(app.base()).await;
        again.ask_refused("hello", json!({"token": desk.agent.token, "device": "d"}), "session_revoked").await;
        assert_eq!(again.expect_close().await, 4501);

        let account = |client: &Client, role, status, delete| ChangeMember {
            role,
            status,
            delete,
            ..ChangeMember::of(member(client))
        };
        let socket = desk.second_agent.socket().await;
        change(&app, &desk, account(&desk.second_agent, Some(Role::Supervisor), None, false)).await;
        assert_eq!(bye(socket, 4006).await, "role_changed");
        let socket = desk.supervisor.socket().await;
        change(&app, &desk, account(&desk.supervisor, None, Some(MemberStatus::Disabled), false)).await;
        assert!(!bye(socket, 4502).await.is_empty());
        let (first, second) = (desk.visitor.socket().await, desk.second_visitor.socket().await);
        change(&app, &desk, ChangeTenant { suspended: true }).await;
        assert_eq!(bye(first, 4502).await, "tenant_suspended");
        assert_eq!(bye(second, 4502).await, "tenant_suspended");
    }

    /// The newer socket of a device replaces the older one, on whichever worker it is; other devices stay.
    async fn a_device_has_one_socket(app: TestApp) {
        let desk = app.desk().await;
        let other = desk.agent.socket_with(json!({"device": "other"})).await;
        let mut newest = desk.agent.socket().await;
        for _ in 0..4 {
            let older = std::mem::replace(&mut newest, desk.agent.socket().await);
            assert_eq!(bye(older, 4506).await, "replaced");
        }
        let mut other = other;
        other.barrier().await;
        newest.barrier().await;
        assert!(other.take_kept().iter().all(|frame| frame["type"] == "presence"));
    }

    /// A token is renewed in place; a token of somebody else is not taken; an expired one ends the socket.
    async fn tokens_are_renewed_in_place(app: TestApp) {
        let desk = app.desk().await;
        let mut renewed = desk.agent.socket_with(json!({"device": "renewed"})).await;
        let forgotten = desk.agent.socket_with(json!({"device": "forgotten"})).await;
        renewed.ask_refused("auth", json!({"token": desk.second_agent.token}), "forbidden").await;
        renewed.ask_refused("auth", json!({"token": "nonsense"}), "token_invalid").await;
        app.clock.advance(600_000);
        let fresh = app.client_of(desk.agent.actor.unwrap());
        let ok = renewed.ask("auth", json!({"token": fresh.token})).await;
        assert!(ok["token_expires_at"].as_str() > renewed.ready["token_expires_at"].as_str());
        app.clock.advance(400_000);
        assert_eq!(bye(forgotten, 4006).await, "token_expired");
        renewed.barrier().await;
        let mut late = Socket::connect(app.base()).await;
        late.ask_refused("hello", json!({"token": desk.agent.token, "device": "d"}), "token_expired").await;
        assert_eq!(late.expect_close().await, 4006);
    }

    /// A removed member gets the log up to its leaving and then nothing more.
    async fn a_removed_member_is_told_to_drop_its_copy(app: TestApp) {
        let desk = app.desk().await;
        let room = desk.open_and_claim("hello").await;
        let add = json!({"member_id": desk.second_agent.id()});
        desk.supervisor.post(&format!("/conversations/{room}/members"), add).await.ok();
        let mut helper = desk.second_agent.socket().await;
        desk.visitor.send(&room, "before").await;
        let path = format!("/conversations/{room}/members/{}", desk.second_agent.id());
        desk.supervisor.delete(&path).await.ok();
        desk.visitor.send(&room, "after").await;
        let reset = helper.expect("reset").await;
        assert_eq!((&reset["conversation_id"], &reset["reason"]), (&json!(room), &json!("removed")));
        helper.barrier().await;
        let frames = helper.take_kept();
        assert!(frames.iter().any(|frame| frame["data"]["content"]["text"] == "before"));
        assert!(!frames.iter().any(|frame| frame.to_string().contains("after")), "{frames:?}");
        helper.ask_refused("pull", json!({"conversation_id": room, "after_seq": 0}), "not_found").await;
        let hello = json!({"cursor": helper.live, "conversations": [[room, 1]]});
        let mut again = desk.second_agent.socket_with(hello).await;
        assert_eq!(again.expect("reset").await["reason"], "removed");
    }

    /// A supervisor watches without being in; an agent loses a watched conversation when another one takes it.
    async fn watching_shows_what_one_may_see_and_no_longer(app: TestApp) {
        let desk = app.desk().await;
        let room = desk.open("hello").await;
        let mut supervisor = desk.supervisor.socket().await;
        let mut agent = desk.second_agent.socket().await;
        let mut visitor = desk.second_visitor.socket().await;
        for socket in [&mut supervisor, &mut agent] {
            let watched = socket.ask("watch", json!({"conversations": [room]})).await;
            assert_eq!(watched["conversations"][0]["conversation_id"], room.as_str());
            assert_eq!(watched["conversations"][0]["head_seq"], desk.visitor.log(&room).await.len());
        }
        let refused = visitor.ask_refused("watch", json!({"conversations": [room]}), "not_found").await;
        assert_eq!(refused["context"]["conversation_id"], room.as_str());
        desk.visitor.send(&room, "one").await;
        for socket in [&mut supervisor, &mut agent] {
            socket.wait("one", |frame| frame["data"]["content"]["text"] == "one").await;
        }
        desk.agent.claim(&room).await;
        let reset = agent.expect("reset").await;
        assert_eq!((&reset["conversation_id"], &reset["reason"]), (&json!(room), &json!("unwatched")));
        let note = json!({"client_msg_id": "n1", "kind": "text", "content": {"text": "a note"}});
        desk.agent.post(&format!("/conversations/{room}/notes"), note).await.ok();
        desk.visitor.send(&room, "two").await;
        supervisor.wait("two", |frame| frame["data"]["content"]["text"] == "two").await;
        supervisor.wait("the note", |frame| frame["data"]["content"]["text"] == "a note").await;
        supervisor.ask("unwatch", json!({"conversations": [room]})).await;
        desk.visitor.send(&room, "three").await;
        for socket in [&mut supervisor, &mut agent] {
            socket.barrier().await;
            let frames = socket.take_kept();
            let seen = |text: &str| frames.iter().any(|frame| frame["data"]["content"]["text"] == text);
            assert!(!seen("three"), "{frames:?}");
        }
        let frames = agent.take_kept();
        assert!(!frames.iter().any(|frame| frame.to_string().contains("two")));
        supervisor.ask_refused("watch", json!({"conversations": [ConversationId(7)]}), "not_found").await;
    }

    /// Staff who watch the waiting ones learn of each that begins or ceases to wait.
    async fn waiting_conversations_are_announced(app: TestApp) {
        let desk = app.desk().await;
        let mut agent = desk.second_agent.socket().await;
        let mut visitor = desk.visitor.socket().await;
        visitor.ask_refused("watch", json!({"waiting": true}), "forbidden").await;
        assert_eq!(agent.ask("watch", json!({"waiting": true})).await["waiting"], true);
        let room = desk.open("hello").await;
        let waits = |waiting: bool, room: &str| {
            let room = room.to_owned();
            move |frame: &Value| {
                frame["type"] == "queue"
                    && frame["data"]["conversation_id"] == room.as_str()
                    && frame["data"]["waiting"] == waiting
            }
        };
        let notice = agent.wait("it waits", waits(true, &room)).await;
        assert_eq!(notice["data"]["conversation"]["status"], "open");
        assert_eq!(notice["data"]["conversation"]["customer"]["id"], desk.visitor.id());
        assert!(notice["data"]["conversation"]["customer"]["nickname"].as_str().is_some_and(|name| !name.is_empty()));
        desk.agent.claim(&room).await;
        let notice = agent.wait("it is taken", waits(false, &room)).await;
        assert!(notice["data"].get("conversation").is_none(), "{notice}");
        desk.agent.post(&format!("/conversations/{room}/release"), json!({})).await.ok();
        agent.wait("it waits again", waits(true, &room)).await;
        agent.ask("unwatch", json!({"waiting": true})).await;
        desk.second_visitor.open("hello").await;
        agent.barrier().await;
        assert!(!agent.take_kept().iter().any(|frame| frame["type"] == "queue"));
    }

    /// No tenant hears of another.
    async fn tenants_are_strangers(app: TestApp) {
        let (desk, other) = (app.desk().await, app.desk().await);
        let room = desk.open_and_claim("hello").await;
        let mut stranger = other.admin.socket().await;
        stranger.ask("watch", json!({"waiting": true})).await;
        for (kind, data) in [
            ("pull", json!({"conversation_id": room, "after_seq": 0})),
            ("typing", json!({"conversation_id": room, "on": true})),
            ("watch", json!({"conversations": [room]})),
            ("mark_unread", json!({"conversation_id": room, "seq": 0})),
            ("read", json!({"conversation_id": room, "seq": 1})),
            ("message.recall", json!({"conversation_id": room, "seq": 2})),
        ] {
            stranger.ask_refused(kind, data, "not_found").await;
        }
        desk.visitor.send(&room, "a canary").await;
        desk.second_visitor.open("a canary").await;
        stranger.barrier().await;
        let heard = stranger.take_kept();
        assert!(heard.iter().all(|frame| frame["data"]["member_id"] == other.admin.id()), "{heard:?}");
    }

    /// What one process commits reaches the sockets of another one, in order and whole, and so do revocations.
    async fn processes_on_one_database_are_one_service(app: TestApp) {
        if !app.kind().is_server() {
            return;
        }
        let desk = app.desk().await;
        let far = app.second().await.desk_of(desk.seed);
        let room = desk.open_and_claim("hello").await;
        let before = desk.agent.log(&room).await.len() as i64;
        let mut here = desk.visitor.socket_with(json!({"device": "here"})).await;
        let mut there = far.visitor.socket_with(json!({"device": "there"})).await;
        let write = async |client: &Client| {
            for number in 0..40 {
                client.send(&room, &format!("message {number}")).await;
            }
        };
        futures_util::future::join(write(&desk.agent), write(&far.visitor)).await;
        for socket in [&mut here, &mut there] {
            let entries = socket.entries_up_to(&room, before + 80).await;
            let seqs: Vec<_> = entries.iter().map(|entry| entry["seq"].as_i64().unwrap()).collect();
            assert_eq!(seqs, ((before + 1)..=(before + 80)).collect::<Vec<_>>());
        }
        let socket = far.agent.socket().await;
        let revoke = RevokeSessions {
            member: member(&desk.agent),
            only: None,
            except: None,
            reason: "revoked",
        };
        change(&app, &desk, revoke).await;
        assert_eq!(bye(socket, 4505).await, "session_revoked");
    }
}
