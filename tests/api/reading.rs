//! Reading: what is unread follows from positions alone, and positions of two devices cannot race.

use deskwire::domain::member::Role;
use deskwire::sync::verify;
use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::harness::TestApp;
use crate::harness::client::Client;
use crate::harness::personas::message;

on_every_database! {
    /// Unread counts messages of others after the read position that were not recalled.
    async fn unread_follows_from_the_positions(app: TestApp) {
        let desk = app.desk().await;
        let room = desk.open_and_claim("one").await;
        let path = format!("/conversations/{room}");
        assert_eq!(row(&desk.agent, &room).await["unread"], 0, "who joins starts at the head");
        desk.visitor.send(&room, "two").await;
        let three = desk.visitor.send(&room, "three").await["seq"].clone();
        assert_eq!(row(&desk.agent, &room).await["unread"], 2);
        desk.agent.send(&room, "an answer").await;
        assert_eq!(row(&desk.agent, &room).await["unread"], 2, "answering reads nothing");
        assert_eq!(row(&desk.visitor, &room).await["unread"], 1, "notices and own messages do not count");
        desk.visitor.delete(&format!("{path}/messages/{three}")).await.ok();
        assert_eq!(row(&desk.agent, &room).await["unread"], 1);

        let read = desk.agent.post(&format!("{path}/read"), json!({})).await.ok();
        let seen = row(&desk.agent, &room).await;
        assert_eq!((&seen["unread"], &seen["read_seq"]), (&json!(0), &seen["seq"]));
        assert_eq!(read["read_seq"], seen["seq"]);
        assert_eq!(row(&desk.visitor, &room).await["peers"]["staff_read_seq"], seen["seq"]);
        desk.visitor.send(&room, "four").await;
        let mut answer = message("seen up to three");
        answer["read_seq"] = seen["seq"].clone();
        desk.agent.post(&format!("{path}/messages"), answer).await.ok();
        assert_eq!(row(&desk.agent, &room).await["unread"], 1);

        let total = desk.agent.get("/inbox").await.ok()["unread_total"].clone();
        assert_eq!(total, 1);
        assert_no_drift(&app).await;
    }

    /// The number ends at 100, and means 100 or more.
    async fn unread_is_capped(app: TestApp) {
        let desk = app.desk().await;
        let room = desk.open_and_claim("hello").await;
        let path = format!("/conversations/{room}/messages");
        for _ in 0..5 {
            let burst = (0..21).map(|index| desk.visitor.post(&path, message(&format!("{index}"))));
            join_all(burst).await.into_iter().for_each(|answer| drop(answer.ok()));
        }
        assert_eq!(row(&desk.agent, &room).await["unread"], 100);
        desk.agent.send(&room, "slowly, please").await;
        assert_eq!(row(&desk.agent, &room).await["unread"], 100, "counted along the log");
        let head = row(&desk.agent, &room).await["seq"].as_i64().unwrap();
        desk.agent.post(&format!("/conversations/{room}/read"), json!({"seq": head - 3})).await.ok();
        assert_eq!(row(&desk.agent, &room).await["unread"], 2);
        assert_no_drift(&app).await;
    }

    /// Reading moves forward only, and never beyond the head.
    async fn reading_moves_forward_to_the_head(app: TestApp) {
        let desk = app.desk().await;
        let room = desk.open_and_claim("hello").await;
        let path = format!("/conversations/{room}/read");
        let last = desk.visitor.send(&room, "more").await["seq"].clone();
        let beyond = desk.agent.post(&path, json!({"seq": 1_000_000})).await.ok();
        assert_eq!(beyond["read_seq"], last);
        let rev = row(&desk.agent, &room).await["rev"].clone();
        let back = desk.agent.post(&path, json!({"seq": 1})).await.ok();
        assert_eq!(back, beyond);
        assert_eq!(row(&desk.agent, &room).await["rev"], rev, "what moves nothing writes nothing");
        desk.agent.post(&path, json!({"seq": -1})).await.refused(422, "validation_failed");
        desk.agent.post(&path, json!({"seq": "2"})).await.refused(422, "validation_failed");
        desk.supervisor.post(&path, json!({"seq": 1})).await.refused(403, "not_a_member");
    }

    /// A read that was under way when another device marked the conversation unread changes nothing.
    async fn marking_unread_wins_over_an_older_read(app: TestApp) {
        let desk = app.desk().await;
        let room = desk.open_and_claim("one").await;
        let path = format!("/conversations/{room}");
        let second = desk.visitor.send(&room, "two").await["seq"].as_i64().unwrap();
        desk.visitor.send(&room, "three").await;
        let known = desk.agent.post(&format!("{path}/read"), json!({})).await.ok();
        let marked = desk.agent.post(&format!("{path}/mark_unread"), json!({"seq": second - 1})).await.ok();
        assert_eq!(marked["read_ver"].as_i64(), known["read_ver"].as_i64().map(|version| version + 1));
        assert_eq!(row(&desk.agent, &room).await["unread"], 2);
        let late = json!({"seq": second + 1, "read_ver": known["read_ver"]});
        assert_eq!(desk.agent.post(&format!("{path}/read"), late).await.ok(), marked);
        assert_eq!(row(&desk.agent, &room).await["unread"], 2);
        let fresh = json!({"seq": second, "read_ver": marked["read_ver"]});
        desk.agent.post(&format!("{path}/read"), fresh).await.ok();
        assert_eq!(row(&desk.agent, &room).await["unread"], 1);
        let zero = desk.agent.post(&format!("{path}/mark_unread"), json!({"seq": 0})).await.ok();
        // Staff read whole logs, also what came before they joined.
        assert_eq!(zero["read_seq"], 0);
        desk.supervisor.post(&format!("{path}/mark_unread"), json!({"seq": 0})).await.refused(403, "not_a_member");
    }

    /// Notes have a position and a number of their own, for staff only.
    async fn notes_are_read_apart(app: TestApp) {
        let desk = app.desk().await;
        let room = desk.open_and_claim("hello").await;
        let path = format!("/conversations/{room}");
        desk.agent.post(&format!("{path}/notes"), message("mine")).await.ok();
        assert_eq!(row(&desk.agent, &room).await["notes"]["unread"], 0);
        desk.supervisor.post(&format!("{path}/notes"), message("from above")).await.ok();
        let seen = row(&desk.agent, &room).await;
        assert_eq!((&seen["notes"]["unread"], &seen["unread"]), (&json!(1), &json!(0)));
        assert!(row(&desk.visitor, &room).await.get("notes").is_none());
        let notes = seen["notes"]["conversation_id"].as_str().unwrap();
        desk.agent.post(&format!("/conversations/{notes}/read"), json!({})).await.ok();
        let seen = row(&desk.agent, &room).await;
        assert_eq!((&seen["notes"]["unread"], &seen["notes"]["seq"]), (&json!(0), &json!(2)));
        assert_no_drift(&app).await;
    }

    /// Delivered positions reach the other side's receipts.
    async fn delivered_positions_are_receipts(app: TestApp) {
        let desk = app.desk().await;
        let room = desk.open_and_claim("hello").await;
        let seq = desk.agent.send(&room, "there you are").await["seq"].clone();
        desk.visitor.post(&format!("/conversations/{room}/delivered"), json!({"seq": seq})).await.status(204);
        assert_eq!(row(&desk.agent, &room).await["peers"]["customer_delivered_seq"], seq);
        let members = desk.agent.get(&format!("/conversations/{room}/members")).await.ok();
        assert_eq!(members["data"][0]["delivered_seq"], seq);
    }

    /// However many write meanwhile, every row that is handed out is one state that was: its counts and its unread
    /// follow from the log up to its own head.
    async fn a_row_is_never_of_two_states(app: TestApp) {
        let desk = app.desk().await;
        let room = desk.open_and_claim("hello").await;
        let path = format!("/conversations/{room}");
        let asking = async {
            for index in 0..60 {
                desk.visitor.send(&room, &format!("question {index}")).await;
            }
        };
        let answering = async {
            for index in 0..40 {
                desk.agent.send(&room, &format!("answer {index}")).await;
                if index % 3 == 0 {
                    let seq = index * 2;
                    desk.agent.post(&format!("{path}/read"), json!({"seq": seq})).await.ok();
                }
            }
        };
        let watching = async {
            let mut rows = Vec::new();
            for _ in 0..60 {
                rows.push(row(&desk.agent, &room).await);
            }
            rows
        };
        let ((), (), rows) = futures_util::join!(asking, answering, watching);
        let log = desk.agent.log(&room).await;
        for row in rows {
            let messages = |from: &Value, others: bool| {
                log.iter()
                    .filter(|entry| entry["seq"].as_i64() > from.as_i64())
                    .filter(|entry| entry["seq"].as_i64() <= row["seq"].as_i64())
                    .filter(|entry| entry["message_type"] == "message")
                    .filter(|entry| !others || entry["sender"]["id"] != desk.agent.id())
                    .count()
            };
            assert_eq!(row["msg_count"], messages(&json!(0), false), "{row}");
            assert_eq!(row["unread"], messages(&row["read_seq"], true), "{row}");
            assert_eq!(row["last_entry"]["seq"], row["seq"], "{row}");
        }
    }

    /// After a long random life of many conversations the fast path, the definition and the kept counts agree.
    async fn nothing_drifts_in_a_random_life(app: TestApp) {
        let desk = app.desk().await;
        let mut random = Random(0x5eed);
        let mut visitors = vec![desk.visitor.clone(), desk.second_visitor.clone()];
        visitors.push(app.client_of(app.seed_member(desk.tenant, Role::Customer).await));
        let mut rooms = Vec::new();
        for visitor in &visitors {
            rooms.push(visitor.open("hello").await);
        }
        for step in 0..150 {
            let at = random.below(rooms.len() as u64) as usize;
            let path = format!("/conversations/{}", rooms[at]);
            let staff = [&desk.agent, &desk.second_agent, &desk.supervisor][random.below(3) as usize];
            let who = if random.below(2) == 0 { &visitors[at] } else { staff };
            let seq = random.below(30);
            // What is refused is a part of life; only the numbers are judged.
            let answer = match random.below(12) {
                0..=3 => who.post(&format!("{path}/messages"), message(&format!("{step}"))).await,
                4 => who.post(&format!("{path}/read"), json!({"seq": seq})).await,
                5 => who.post(&format!("{path}/mark_unread"), json!({"seq": seq})).await,
                6 => who.delete(&format!("{path}/messages/{seq}")).await,
                7 => staff.post(&format!("{path}/claim"), json!({})).await,
                8 => desk.supervisor.post(&format!("{path}/members"), json!({"member_id": staff.id()})).await,
                9 => desk.supervisor.delete(&format!("{path}/members/{}", staff.id())).await,
                10 => staff.post(&format!("{path}/notes"), message(&format!("note {step}"))).await,
                _ => match random.below(3) {
                    0 => who.post(&format!("{path}/close"), json!({})).await,
                    1 => staff.post(&format!("{path}/release"), json!({})).await,
                    _ => who.post(&format!("{path}/reopen"), json!({})).await,
                },
            };
            assert!(answer.status < 500, "{answer}");
        }
        assert_no_drift(&app).await;
    }
}

/// One row of somebody's inbox.
async fn row(who: &Client, room: &str) -> Value {
    let inbox = who.get("/inbox?limit=200").await.ok();
    let rows = inbox["data"].as_array().unwrap();
    rows.iter()
        .find(|row| row["conversation_id"] == room)
        .cloned()
        .unwrap_or_else(|| panic!("{room} in {inbox}"))
}

async fn assert_no_drift(app: &TestApp) {
    let report = app.db.read(|connection| verify::recompute_all(connection, None)).await.unwrap();
    assert!(report.checked > 0);
    assert_eq!(report.drift, 0, "{:?}", report.told);
}

struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}
