//! Inbox and sync: a reader that follows its cursor learns of every change exactly once.

use std::collections::BTreeMap;

use deskwire::domain::member::Role;
use deskwire::sync::cursor::{Cursor, Reader};
use serde_json::{Value, json};

use crate::harness::client::Client;
use crate::harness::personas::message;

on_every_database! {
    /// Without a cursor: the head and the newest page. With it: each change once, and nothing when nothing changed.
    async fn each_change_comes_once(app: TestApp) {
        let desk = app.desk().await;
        let room = desk.open_and_claim("hello").await;
        let path = format!("/conversations/{room}");
        let mut agent = Follower::start(&desk.agent).await;
        let mut visitor = Follower::start(&desk.visitor).await;
        assert_eq!(agent.known.len(), 1);
        assert_eq!(agent.step().await, 0);

        desk.visitor.send(&room, "more").await;
        assert_eq!((agent.step().await, visitor.step().await), (1, 1));
        assert_eq!((agent.step().await, visitor.step().await), (0, 0));
        assert_eq!(agent.known[&room]["last_entry"]["content"]["text"], "more");
        desk.agent.post(&format!("{path}/read"), json!({})).await.ok();
        assert_eq!((agent.step().await, visitor.step().await), (1, 1), "a receipt reaches both");
        desk.agent.post(&format!("{path}/read"), json!({})).await.ok();
        assert_eq!((agent.step().await, visitor.step().await), (0, 0), "a read that moves nothing");
        desk.agent.post(&format!("{path}/notes"), message("second note")).await.ok();
        agent.step().await;
        visitor.step().await;
        desk.supervisor.post(&format!("{path}/notes"), message("third")).await.ok();
        assert_eq!((agent.step().await, visitor.step().await), (1, 0), "notes are the staff's");
        assert_eq!(agent.known[&room]["notes"]["unread"], 1);
        desk.agent.post(&format!("{path}/close"), json!({})).await.ok();
        assert_eq!((agent.step().await, visitor.step().await), (1, 1));
        assert_eq!(agent.known[&room]["active"], false);
        assert_eq!((agent.step().await, visitor.step().await), (0, 0));
        desk.supervisor.post(&format!("{path}/notes"), message("after the close")).await.ok();
        assert_eq!((agent.step().await, visitor.step().await), (1, 0));
        desk.visitor.post(&format!("{path}/reopen"), json!({})).await.ok();
        assert_eq!((agent.step().await, visitor.step().await), (1, 1));
        assert_eq!(visitor.known[&room]["conversation"]["status"], "open");
    }

    /// Pages of a delta hold every changed row once, in order of rev.
    async fn a_long_delta_comes_in_pages(app: TestApp) {
        let desk = app.desk().await;
        let mut rooms = Vec::new();
        let mut visitors = Vec::new();
        let start = desk.agent.get("/sync").await.ok();
        for _ in 0..7 {
            let visitor = app.client_of(app.seed_member(desk.tenant, Role::Customer).await);
            let room = visitor.open("hello").await;
            desk.agent.claim(&room).await;
            visitors.push(visitor);
            rooms.push(room);
        }
        visitors[0].send(&rooms[0], "me again").await;
        desk.agent.post(&format!("/conversations/{}/close", rooms[1]), json!({})).await.ok();
        let (mut cursor, mut seen, mut last) = (start["cursor"].clone(), Vec::new(), 0);
        loop {
            let path = format!("/sync?limit=2&cursor={}", cursor.as_str().unwrap());
            let page = desk.agent.get(&path).await.ok();
            for row in page["rows"].as_array().unwrap() {
                assert!(row["rev"].as_i64().unwrap() > last, "{page}");
                last = row["rev"].as_i64().unwrap();
                seen.push(row["conversation_id"].as_str().unwrap().to_owned());
            }
            cursor = page["cursor"].clone();
            if page["more"] == false {
                break;
            }
        }
        let order: Vec<_> = [2, 3, 4, 5, 6, 0, 1].iter().map(|index| rooms[*index].clone()).collect();
        assert_eq!(seen, order);

        // The inbox holds the same rows, the newest first, page by page.
        let (mut path, mut inbox) = ("/inbox?limit=3".to_owned(), Vec::new());
        loop {
            let page = desk.agent.get(&path).await.ok();
            inbox.extend(page["data"].as_array().unwrap().iter().map(|row| row["conversation_id"].clone()));
            match page["next_cursor"].as_str() {
                Some(cursor) => path = format!("/inbox?limit=3&cursor={cursor}"),
                None => break,
            }
        }
        assert_eq!(inbox, order.iter().rev().map(|id| json!(id)).collect::<Vec<_>>());
        let first = desk.agent.get("/sync?limit=3").await.ok();
        assert_eq!((first["rows"].as_array().unwrap().len(), &first["more"]), (3, &json!(false)));
        let rest = first["inbox_cursor"].as_str().unwrap();
        let rest = desk.agent.get(&format!("/inbox?cursor={rest}")).await.ok();
        assert_eq!(rest["data"].as_array().unwrap().len(), 4);
    }

    /// A cursor of another history, or from the future, is refused; what is no cursor is a mistake.
    async fn foreign_cursors_are_refused(app: TestApp) {
        let desk = app.desk().await;
        desk.open("hello").await;
        let head: Cursor = desk.agent.get("/sync").await.ok()["cursor"].as_str().unwrap().parse().unwrap();
        let (agent, tenant) = (&desk.seed.agent, desk.tenant);
        assert_eq!(head, Reader::of(&app.epoch, agent).at(head.rev));
        let other = app.desk().await.seed;
        let foreign = [
            Reader::of("another", agent).at(1),
            Reader::of(&app.epoch, agent).at(head.rev + 1),
            Reader::of(&app.epoch, &desk.seed.second_agent).at(1),
            Reader::of(&app.epoch, &other.agent).at(1),
            Reader::tenant(&app.epoch, tenant).at(1),
        ];
        for cursor in foreign {
            desk.agent.get(&format!("/sync?cursor={cursor}")).await.refused(410, "cursor_reset");
        }
        let feeds = [
            Reader::tenant("another", tenant).at(1),
            Reader::tenant(&app.epoch, tenant).at(head.rev + 1),
            Reader::tenant(&app.epoch, other.tenant).at(1),
            Reader::of(&app.epoch, &desk.seed.admin).at(1),
        ];
        for cursor in feeds {
            desk.admin.get(&format!("/entries?after={cursor}")).await.refused(410, "cursor_reset");
        }
        // As releases before 0.2 made them.
        desk.agent.get("/sync?cursor=djEuZS4x").await.refused(410, "cursor_reset");
        desk.agent.get("/sync?cursor=nonsense").await.refused(400, "invalid_parameter");
        desk.agent.get("/sync?cursor=").await.refused(400, "invalid_parameter");
        desk.agent.get("/inbox?cursor=nonsense").await.refused(400, "invalid_parameter");
    }

    /// A row that moves up while pages are read is missed by the pages and found by the cursor that they carry.
    async fn pages_of_the_inbox_are_completed_by_sync(app: TestApp) {
        let desk = app.desk().await;
        let mut rooms = Vec::new();
        for _ in 0..3 {
            let visitor = app.client_of(app.seed_member(desk.tenant, Role::Customer).await);
            let room = visitor.open("hello").await;
            desk.agent.claim(&room).await;
            rooms.push(room);
        }
        let first = desk.agent.get("/inbox?limit=1").await.ok();
        desk.agent.send(&rooms[0], "this conversation moves up").await;
        let mut seen = vec![first["data"][0]["conversation_id"].clone()];
        let mut next = first["next_cursor"].clone();
        while let Some(cursor) = next.as_str().map(str::to_owned) {
            let page = desk.agent.get(&format!("/inbox?limit=1&cursor={cursor}")).await.ok();
            seen.extend(page["data"].as_array().unwrap().iter().map(|row| row["conversation_id"].clone()));
            assert_eq!(page["sync_cursor"], first["sync_cursor"]);
            next = page["next_cursor"].clone();
        }
        assert_eq!(seen, [json!(rooms[2]), json!(rooms[1])], "the pages have missed it");
        let path = format!("/sync?cursor={}", first["sync_cursor"].as_str().unwrap());
        assert_eq!(desk.agent.get(&path).await.ok()["rows"][0]["conversation_id"], rooms[0].as_str());
    }

    /// A visitor who is recognised as a known customer starts anew: its old cursor would hide the older conversations.
    async fn recognition_ends_the_old_cursor(app: TestApp) {
        let desk = app.desk().await;
        let older = desk.second_visitor.open("asked last year").await;
        desk.second_visitor.post(&format!("/conversations/{older}/close"), json!({})).await.ok();
        desk.visitor.open("asked today").await;
        let cursor = desk.visitor.get("/sync").await.ok()["cursor"].as_str().unwrap().to_owned();
        let (visitor, known) = (desk.seed.visitor, desk.seed.second_visitor);
        let change = deskwire::journal::commands::Merge { from: visitor.member, into: known.member };
        let command = deskwire::journal::Command::new(visitor, change);
        app.journal.submit(command).await.unwrap();
        desk.second_visitor.get(&format!("/sync?cursor={cursor}")).await.refused(410, "cursor_reset");
        let all = desk.second_visitor.get("/sync").await.ok();
        assert_eq!(all["rows"].as_array().unwrap().len(), 2);
    }

    /// Who is taken out gets a last row without the conversation; coming back brings it back.
    async fn who_is_taken_out_is_told(app: TestApp) {
        let desk = app.desk().await;
        let room = desk.open_and_claim("hello").await;
        let mut agent = Follower::start(&desk.agent).await;
        let assign = json!({"agent_id": desk.second_agent.id()});
        desk.supervisor.post(&format!("/conversations/{room}/assign"), assign).await.ok();
        assert_eq!(agent.step().await, 1);
        let row = &agent.known[&room];
        assert_eq!((&row["conversation"], &row["last_entry"], &row["unread"]), (&Value::Null, &Value::Null, &json!(0)));
        assert_eq!(row["active"], false);
        let left = row["seq"].clone();
        desk.visitor.send(&room, "canary").await;
        assert_eq!(agent.step().await, 0);
        assert_eq!(desk.agent.get("/inbox").await.ok()["data"], json!([]));
        let again = desk.agent.get("/sync").await.ok().to_string();
        assert!(!again.contains("canary"), "{again}");
        desk.supervisor.post(&format!("/conversations/{room}/members"), json!({"member_id": desk.agent.id()})).await.ok();
        assert_eq!(agent.step().await, 1);
        let row = &agent.known[&room];
        assert!(row["seq"].as_i64() > left.as_i64(), "{row}");
        assert_eq!(row["unread"], 0, "reading starts where one joined");
    }

    /// Two readers who only follow their cursors end with exactly the server's inbox and logs.
    async fn followers_end_with_the_servers_view(app: TestApp) {
        let desk = app.desk().await;
        let mut visitors = vec![desk.visitor.clone(), desk.second_visitor.clone()];
        for _ in 0..2 {
            visitors.push(app.client_of(app.seed_member(desk.tenant, Role::Customer).await));
        }
        let mut agent = Follower::start(&desk.agent).await;
        let mut rooms = Vec::new();
        for (index, visitor) in visitors.iter().enumerate() {
            rooms.push(visitor.open(&format!("hello from {index}")).await);
        }
        for step in 0..60_usize {
            let at = (step * 7 + step / 5) % rooms.len();
            let path = format!("/conversations/{}", rooms[at]);
            let answer = match step % 9 {
                0 | 3 => desk.agent.post(&format!("{path}/claim"), json!({})).await,
                1 | 4 | 6 => visitors[at].post(&format!("{path}/messages"), message(&format!("{step}"))).await,
                2 => desk.agent.post(&format!("{path}/read"), json!({})).await,
                5 => desk.agent.post(&format!("{path}/notes"), message(&format!("note {step}"))).await,
                7 => desk.supervisor.patch(&path, json!({"tags": [format!("t{step}")]})).await,
                _ => match step % 2 {
                    0 => desk.agent.post(&format!("{path}/close"), json!({})).await,
                    _ => visitors[at].post(&format!("{path}/reopen"), json!({})).await,
                },
            };
            assert!(answer.status < 500, "{answer}");
            if step % 4 == 0 {
                agent.step().await;
            }
        }
        agent.step().await;
        let inbox = desk.agent.get("/inbox?limit=200").await.ok();
        let now: BTreeMap<String, Value> = inbox["data"]
            .as_array()
            .unwrap()
            .iter()
            .map(|row| (row["conversation_id"].as_str().unwrap().to_owned(), row.clone()))
            .collect();
        agent.known.retain(|_, row| row["conversation"] != Value::Null);
        assert_eq!(agent.known, now);
        for (room, log) in &agent.logs {
            assert_eq!(*log, desk.agent.log(room).await, "the log of {room}");
        }
    }
}

/// A client that keeps rows and logs by nothing but its cursor.
struct Follower {
    who: Client,
    cursor: String,
    known: BTreeMap<String, Value>,
    logs: BTreeMap<String, Vec<Value>>,
}

impl Follower {
    async fn start(who: &Client) -> Self {
        let page = who.get("/sync?limit=200").await.ok();
        let cursor = page["cursor"].as_str().unwrap().to_owned();
        let mut follower = Self { who: who.clone(), cursor, known: BTreeMap::new(), logs: BTreeMap::new() };
        follower.take(&page).await;
        follower
    }

    /// Follows to the head; how many rows came.
    async fn step(&mut self) -> usize {
        let mut rows = 0;
        loop {
            let page = self.who.get(&format!("/sync?limit=3&cursor={}", self.cursor)).await.ok();
            self.cursor = page["cursor"].as_str().unwrap().to_owned();
            rows += self.take(&page).await;
            if page["more"] == false {
                return rows;
            }
        }
    }

    async fn take(&mut self, page: &Value) -> usize {
        let rows = page["rows"].as_array().unwrap();
        for row in rows {
            let id = row["conversation_id"].as_str().unwrap().to_owned();
            if row["conversation"] != Value::Null {
                let log = self.logs.entry(id.clone()).or_default();
                // What was edited or recalled is told by a notice; here no test does that.
                while (log.len() as i64) < row["seq"].as_i64().unwrap() {
                    let path = format!("/conversations/{id}/entries?after_seq={}&limit=200", log.len());
                    let page = self.who.get(&path).await.ok();
                    log.extend(page["data"].as_array().unwrap().iter().cloned());
                }
            }
            self.known.insert(id, row.clone());
        }
        rows.len()
    }
}
