//! Sockets: two people talk. Acknowledgement, echo, positions, receipts, typing, edit, recall, pull, sync.

use deskwire::kernel::ConversationId;
use serde_json::{Value, json};

fn inside(frame: &Value, kind: &str, room: &str) -> bool {
    frame["type"] == kind && frame["data"]["conversation_id"] == room
}

on_every_database! {
    /// Hello is answered by who one is, the limits, and a cursor that can be stored.
    async fn hello_says_everything_that_a_client_needs(app: TestApp) {
        let desk = app.desk().await;
        let room = desk.open_and_claim("hello").await;
        // Of the first one everybody learns that the agent is connected; the second one changes nothing.
        let _first = desk.agent.socket_with(json!({"device": "first"})).await;
        desk.agent.seen(true).await;
        let socket = desk.agent.socket().await;
        let ready = &socket.ready;
        assert_eq!(ready["member"], json!({"id": desk.agent.id(), "role": "agent"}));
        assert_eq!(ready["rows"][0]["conversation_id"], room.as_str());
        assert_eq!((&ready["more"], ready["unread_total"].is_i64()), (&json!(false), true));
        assert_eq!(ready["epoch"], app.epoch.as_str());
        let names: Vec<_> = ready["limits"].as_array().unwrap().iter().map(|one| one["name"].clone()).collect();
        assert!(names.contains(&json!("text")) && names.contains(&json!("frames_per_second")));
        assert!(ready["now"].is_string() && ready["token_expires_at"].is_string());
        let cursor = desk.agent.get(&format!("/sync?cursor={}", socket.live)).await.ok();
        assert_eq!((&cursor["rows"], &cursor["cursor"]), (&json!([]), &json!(socket.live)));
    }

    /// A message is acknowledged after its commit; everybody in the room, the sender's devices too, gets one entry.
    async fn a_message_reaches_everybody_in_the_room_once(app: TestApp) {
        let desk = app.desk().await;
        let room = desk.open_and_claim("hello").await;
        let mut visitor = desk.visitor.socket().await;
        let mut agent = desk.agent.socket().await;
        let mut desktop = desk.agent.socket_with(json!({"device": "desktop"})).await;
        let mut stranger = desk.second_visitor.socket().await;
        let ok = agent.say(&room, "m1", "good morning").await;
        assert_eq!((&ok["duplicate"], &ok["client_msg_id"]), (&json!(false), &json!("m1")));
        let again = agent.say(&room, "m1", "good morning").await;
        assert_eq!((&again["seq"], &again["rev"], &again["duplicate"]), (&ok["seq"], &ok["rev"], &json!(true)));
        let data = json!({"conversation_id": room, "client_msg_id": "m1", "kind": "text", "content": {"text": "other"}});
        let refused = agent.ask_refused("message.send", data, "idempotency_conflict").await;
        assert_eq!((&refused["client_msg_id"], &refused["retryable"]), (&json!("m1"), &json!(false)));
        desk.visitor.send(&room, "thanks").await;
        for socket in [&mut visitor, &mut agent, &mut desktop] {
            let entries = socket.entries_up_to(&room, ok["seq"].as_i64().unwrap() + 1).await;
            let texts: Vec<_> = entries.iter().map(|entry| entry["content"]["text"].as_str().unwrap()).collect();
            assert_eq!(texts, ["good morning", "thanks"]);
            assert_eq!((&entries[0]["rev"], &entries[0]["seq"]), (&ok["rev"], &ok["seq"]));
        }
        stranger.barrier().await;
        assert!(stranger.take_kept().is_empty());
    }

    /// Every durable frame says how far everything before it was delivered, and says it in order.
    async fn cursors_of_durable_frames_rise_and_can_be_resumed_from(app: TestApp) {
        let desk = app.desk().await;
        let room = desk.open_and_claim("hello").await;
        let mut agent = desk.agent.socket().await;
        for number in 0..5 {
            desk.visitor.send(&room, &format!("{number}")).await;
            desk.agent.send(&room, &format!("answer {number}")).await;
        }
        let mut last = 0;
        let mut cursors = Vec::new();
        while last < 12 {
            let frame = agent.wait("a durable frame", |frame| frame["cursor"].is_string()).await;
            cursors.push(frame["cursor"].as_str().unwrap().parse::<deskwire::sync::cursor::Cursor>().unwrap().rev);
            if let Some(seq) = frame["data"]["seq"].as_i64().filter(|_| frame["type"] == "entry") {
                last = last.max(seq);
            }
        }
        assert!(cursors.is_sorted(), "{cursors:?}");
    }

    /// Reads are collected, told to the own devices as a row and to the others as a receipt; mark_unread goes back.
    async fn positions_reach_own_devices_and_peers(app: TestApp) {
        let desk = app.desk().await;
        let room = desk.open_and_claim("hello").await;
        let mut visitor = desk.visitor.socket().await;
        let mut phone = desk.agent.socket_with(json!({"device": "phone"})).await;
        let mut laptop = desk.agent.socket_with(json!({"device": "laptop"})).await;
        let seq = desk.visitor.send(&room, "are you there?").await["seq"].as_i64().unwrap();
        phone.send_frame("read", json!({"conversation_id": room, "seq": seq - 1})).await;
        let read = phone.ask("read", json!({"conversation_id": room, "seq": seq})).await;
        assert_eq!(read["read_seq"], seq);
        let row = laptop.wait("the read row", |frame| frame["type"] == "inbox" && frame["data"]["read_seq"] == seq).await;
        assert_eq!(row["data"]["unread"], 0);
        let of_staff = |frame: &Value| inside(frame, "receipt", &room) && frame["data"]["staff_read_seq"] == seq;
        visitor.wait("the staff's receipt", of_staff).await;
        let back = phone.ask("mark_unread", json!({"conversation_id": room, "seq": seq - 1})).await;
        assert_eq!(back["read_ver"].as_i64().unwrap(), read["read_ver"].as_i64().unwrap() + 1);
        laptop.wait("the unread row", |frame| frame["type"] == "inbox" && frame["data"]["unread"] == 1).await;
        // The other device does not know of it yet: its read is of an older version and changes nothing.
        let stale = json!({"conversation_id": room, "seq": seq, "read_ver": read["read_ver"]});
        let ignored = laptop.ask("read", stale).await;
        assert_eq!((&ignored["read_seq"], &ignored["read_ver"]), (&back["read_seq"], &back["read_ver"]));
        phone.send_frame("ping", json!({"nonce": "n", "delivered": [[room, seq]]})).await;
        visitor.wait("delivered", |frame| inside(frame, "receipt", &room) && frame["data"]["delivered"]["seq"] == seq).await;
    }

    /// A recall takes the words away from everybody who reads later.
    async fn edit_and_recall_over_the_socket(app: TestApp) {
        let desk = app.desk().await;
        let room = desk.open_and_claim("hello").await;
        let mut visitor = desk.visitor.socket().await;
        let mut agent = desk.agent.socket().await;
        let seq = agent.say(&room, "m1", "the price is 10").await["seq"].as_i64().unwrap();
        let data = json!({"conversation_id": room, "seq": seq, "kind": "text", "content": {"text": "the price is 11"}});
        agent.ask("message.edit", data).await;
        let notice = visitor.wait("edited", |frame| frame["data"]["kind"] == "edited").await;
        assert_eq!(notice["data"]["ref_seq"], seq);
        let page = visitor.ask("pull", json!({"conversation_id": room, "after_seq": seq - 1, "limit": 1})).await;
        assert_eq!(page["entries"][0]["content"]["text"], "the price is 11");
        agent.ask("message.recall", json!({"conversation_id": room, "seq": seq})).await;
        visitor.wait("recalled", |frame| frame["data"]["kind"] == "recalled").await;
        let page = visitor.ask("pull", json!({"conversation_id": room, "after_seq": 0})).await;
        assert!(!page.to_string().contains("the price"), "{page}");
        assert_eq!(page["head_seq"], seq + 2);
    }

    /// Typing is seen by the others in the room and by nobody else, and notes stay with the staff.
    async fn typing_and_notes_are_seen_by_those_who_may(app: TestApp) {
        let desk = app.desk().await;
        let room = desk.open_and_claim("hello").await;
        let mut visitor = desk.visitor.socket().await;
        let mut agent = desk.agent.socket().await;
        let mut other = desk.second_visitor.socket().await;
        visitor.send_frame("typing", json!({"conversation_id": room, "on": true})).await;
        let typing = agent.expect("typing").await;
        assert_eq!((&typing["on"], &typing["member_id"]), (&json!(true), &json!(desk.visitor.id())));
        visitor.send_frame("typing", json!({"conversation_id": room, "on": false})).await;
        assert_eq!(agent.expect("typing").await["on"], false);
        other.ask_refused("typing", json!({"conversation_id": room, "on": true}), "not_found").await;
        let note = json!({"client_msg_id": "n1", "kind": "text", "content": {"text": "a canary"}});
        desk.agent.post(&format!("/conversations/{room}/notes"), note).await.ok();
        let entry = agent.wait("the note", |frame| frame["data"]["content"]["text"] == "a canary").await;
        let backstage = entry["data"]["conversation_id"].clone();
        agent.say(backstage.as_str().unwrap(), "n2", "another canary").await;
        visitor.ask_refused("pull", json!({"conversation_id": backstage, "after_seq": 0}), "not_found").await;
        visitor.barrier().await;
        assert!(!visitor.take_kept().iter().any(|frame| frame.to_string().contains("canary")));
    }

    /// Pull and sync give the same as REST, and the wrong cursor is refused.
    async fn pull_and_sync_answer_like_rest(app: TestApp) {
        let desk = app.desk().await;
        let room = desk.open_and_claim("hello").await;
        let mut agent = desk.agent.socket().await;
        let start = agent.live.clone();
        for number in 0..7 {
            desk.visitor.send(&room, &format!("{number}")).await;
        }
        let log = desk.agent.log(&room).await;
        let pulled = agent.ask("pull", json!({"conversation_id": room, "after_seq": 2, "limit": 3})).await;
        assert_eq!(pulled["entries"].as_array().unwrap()[..], log[2..5]);
        assert_eq!(pulled["head_seq"], log.len());
        let page = agent.ask("sync", json!({"cursor": start})).await;
        let rest = desk.agent.get(&format!("/sync?cursor={start}&limit=200")).await.ok();
        assert_eq!((&page["rows"], &page["cursor"]), (&rest["rows"], &rest["cursor"]));
        agent.ask_refused("sync", json!({"cursor": "nonsense"}), "invalid_parameter").await;
        let beyond = deskwire::sync::cursor::Reader::of(&app.epoch, &desk.seed.agent).at(1 << 40).to_string();
        agent.ask_refused("sync", json!({"cursor": beyond}), "cursor_reset").await;
        agent.ask_refused("pull", json!({"conversation_id": ConversationId(7), "after_seq": 0}), "not_found").await;
        agent.ask_refused("pull", json!({"conversation_id": room, "after_seq": 0, "limit": 201}), "validation_failed").await;
    }
}
