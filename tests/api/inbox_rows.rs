//! What every client believes of its inbox, field by field, against what `GET /inbox` says: live, after a reconnect
//! with the stored cursor, and by `GET /sync`.

use std::collections::BTreeMap;

use deskwire::db::DatabaseKind;
use deskwire::sync::cursor::Cursor;
use serde_json::{Value, json};

use crate::harness::client::Client;
use crate::harness::commands::{claim, read, send};
use crate::harness::personas::message;
use crate::harness::{Socket, TestApp, block_on, eventually};

/// A client that keeps rows by the client rules: rows replace, entries count on, receipts move positions.
struct Device {
    who: Client,
    name: &'static str,
    socket: Socket,
    cursor: String,
    rows: BTreeMap<String, Value>,
    messages: BTreeMap<(String, i64), (String, bool)>,
}

impl Device {
    async fn connect(who: &Client, name: &'static str) -> Self {
        let socket = who.socket_with(json!({"device": name})).await;
        let cursor = socket.live.clone();
        let (rows, messages) = (BTreeMap::new(), BTreeMap::new());
        let mut device = Self { who: who.clone(), name, socket, cursor, rows, messages };
        device.greeted();
        device
    }

    /// Comes back with the stored cursor.
    async fn reconnect(&mut self) {
        self.receive().await;
        let hello = json!({"device": self.name, "cursor": self.cursor});
        self.socket = self.who.socket_with(hello).await;
        self.greeted();
    }

    fn greeted(&mut self) {
        for row in self.socket.ready["rows"].as_array().unwrap().clone() {
            self.row(row);
        }
        self.cursor = self.socket.live.clone();
    }

    async fn receive(&mut self) {
        self.socket.barrier().await;
        for frame in self.socket.take_kept() {
            if let Some(cursor) = frame["cursor"].as_str() {
                self.cursor = cursor.to_owned();
            }
            match frame["type"].as_str().unwrap() {
                "inbox" => self.row(frame["data"].clone()),
                "entry" => self.entry(&frame["data"]),
                "receipt" => self.receipt(frame["data"].as_object().unwrap()),
                "reset" => drop(self.rows.remove(frame["data"]["conversation_id"].as_str().unwrap())),
                "queue" | "queue_place" | "offer" | "typing" | "presence" => {}
                other => panic!("{other}: {frame}"),
            }
        }
    }

    fn row(&mut self, row: Value) {
        let id = row["conversation_id"].as_str().unwrap().to_owned();
        let known = self.rows.get(&id).and_then(|row| row["rev"].as_i64());
        if known <= row["rev"].as_i64() {
            if row["conversation"].is_null() {
                self.rows.remove(&id);
            } else {
                self.rows.insert(id, row);
            }
        }
    }

    fn entry(&mut self, entry: &Value) {
        let me = json!(self.who.id());
        let log = entry["conversation_id"].as_str().unwrap().to_owned();
        let by_other = entry["sender"]["id"] != me && entry["message_type"] == "message";
        if let Some(row) = self.rows.values_mut().find(|row| row["notes"]["conversation_id"] == log.as_str())
        {
            if row["notes"]["seq"].as_i64() < entry["seq"].as_i64() {
                row["notes"]["seq"] = entry["seq"].clone();
                let unread = row["notes"]["unread"].as_i64().unwrap() + i64::from(by_other);
                row["notes"]["unread"] = json!(unread);
                row["rev"] = json!(row["rev"].as_i64().max(entry["rev"].as_i64()));
            }
            return;
        }
        if by_other {
            let seq = entry["seq"].as_i64().unwrap();
            self.messages.insert((log.clone(), seq), (entry["sender"]["id"].to_string(), false));
        }
        if entry["kind"] == "recalled"
            && let Some(message) = self.messages.get_mut(&(log.clone(), entry["ref_seq"].as_i64().unwrap()))
        {
            message.1 = true;
        }
        let Some(row) = self.rows.get_mut(&log) else { return };
        if row["seq"].as_i64() >= entry["seq"].as_i64() {
            return;
        }
        for field in ["seq", "msg_count"] {
            row[field] = entry[field].clone();
            row["conversation"][field] = entry[field].clone();
        }
        row["rev"] = entry["rev"].clone();
        row["last_entry"] = entry.clone();
        row["conversation"]["last_at"] = entry["created_at"].clone();
        if row["conversation"].get("updated_at").is_some() {
            row["conversation"]["updated_at"] = entry["created_at"].clone();
        }
        let read = row["read_seq"].as_i64().unwrap();
        let later = self.messages.range((log.clone(), read + 1)..(log, i64::MAX));
        row["unread"] = json!(later.filter(|(_, (_, recalled))| !recalled).count());
    }

    fn receipt(&mut self, receipt: &serde_json::Map<String, Value>) {
        let Some(row) = self.rows.get_mut(receipt["conversation_id"].as_str().unwrap()) else { return };
        for (field, value) in receipt.iter().filter(|(field, _)| field.ends_with("_seq")) {
            row["peers"][field] = value.clone();
        }
    }

    /// Waits until the rows are those of `GET /inbox`, and checks what `GET /sync` tells from the stored cursor.
    async fn agrees(&mut self, after: &str) {
        let mut last = String::new();
        for _ in 0..200 {
            self.receive().await;
            let truth = inbox(&self.who).await;
            // The rev of a row is the row's age and no content: a receipt moves it for the others without a row.
            let without_rev = |rows: &BTreeMap<String, Value>| {
                let mut rows = rows.clone();
                rows.values_mut().for_each(|row| row["rev"] = Value::Null);
                rows
            };
            if without_rev(&self.rows) == without_rev(&truth) {
                return;
            }
            last = format!("{after}: {} believes {:#?}\nand the inbox is {truth:#?}", self.name, self.rows);
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        panic!("{last}");
    }
}

async fn inbox(who: &Client) -> BTreeMap<String, Value> {
    let page = who.get("/inbox?limit=200").await.ok();
    let rows = page["data"].as_array().unwrap();
    rows.iter().map(|row| (row["conversation_id"].as_str().unwrap().to_owned(), row.clone())).collect()
}

/// What happens to a conversation, and what everybody believes after it.
async fn everybody_agrees(app: &TestApp, reconnect: bool) {
    let desk = app.desk().await;
    let room = desk.open("hello").await;
    let path = format!("/conversations/{room}");
    let mut devices = Vec::new();
    for (who, name) in [
        (&desk.visitor, "visitor"),
        (&desk.agent, "agent"),
        (&desk.second_agent, "second"),
        (&desk.supervisor, "boss"),
    ] {
        devices.push(Device::connect(who, name).await);
    }
    let second = json!({"member_id": desk.second_agent.id()});
    let boss = json!({"member_id": desk.supervisor.id()});
    let (members, me) = (format!("{path}/members"), desk.second_agent.id());
    let edit = json!({"kind": "text", "content": {"text": "better"}});
    let steps: Vec<(&str, &Client, reqwest::Method, String, Value)> = vec![
        ("claim", &desk.agent, reqwest::Method::POST, format!("{path}/claim"), json!({})),
        ("join", &desk.agent, reqwest::Method::POST, members.clone(), second.clone()),
        ("join of the supervisor", &desk.supervisor, reqwest::Method::POST, members.clone(), boss),
        ("message", &desk.visitor, reqwest::Method::POST, format!("{path}/messages"), message("one")),
        ("edit of the last", &desk.visitor, reqwest::Method::PATCH, format!("{path}/messages/6"), edit),
        (
            "recall of another's",
            &desk.visitor,
            reqwest::Method::DELETE,
            format!("{path}/messages/6"),
            Value::Null,
        ),
        ("subject", &desk.agent, reqwest::Method::PATCH, path.clone(), json!({"subject": "a cup"})),
        ("priority", &desk.supervisor, reqwest::Method::PATCH, path.clone(), json!({"priority": "high"})),
        ("tags", &desk.agent, reqwest::Method::PATCH, path.clone(), json!({"tags": ["cups"]})),
        ("note", &desk.agent, reqwest::Method::POST, format!("{path}/notes"), message("a note")),
        ("read", &desk.agent, reqwest::Method::POST, format!("{path}/read"), json!({})),
        ("release", &desk.agent, reqwest::Method::POST, format!("{path}/release"), json!({})),
        ("claim by another", &desk.second_agent, reqwest::Method::POST, format!("{path}/claim"), json!({})),
        ("close", &desk.second_agent, reqwest::Method::POST, format!("{path}/close"), json!({})),
        (
            "tags while closed",
            &desk.supervisor,
            reqwest::Method::PATCH,
            path.clone(),
            json!({"tags": ["done"]}),
        ),
        ("reopen", &desk.visitor, reqwest::Method::POST, format!("{path}/reopen"), json!({})),
        ("leave", &desk.second_agent, reqwest::Method::DELETE, format!("{members}/{me}"), Value::Null),
        ("join again", &desk.supervisor, reqwest::Method::POST, members.clone(), second),
        (
            "message at the end",
            &desk.visitor,
            reqwest::Method::POST,
            format!("{path}/messages"),
            message("end"),
        ),
    ];
    for (what, who, method, path, body) in steps {
        let answer = who.call(method, &path, Some(body).filter(|body| !body.is_null())).await;
        assert!(answer.status < 300, "{what}: {answer}");
        for device in &mut devices {
            if reconnect {
                device.reconnect().await;
            }
            device.agrees(what).await;
        }
    }
}

on_every_database! {
    /// Whoever stays connected is told everything that its rows show.
    async fn live_rows_are_the_inbox(app: TestApp) {
        everybody_agrees(&app, false).await;
    }

    /// Who comes back after each change, with the cursor that live frames moved, misses nothing either.
    async fn rows_after_a_reconnect_are_the_inbox(app: TestApp) {
        everybody_agrees(&app, true).await;
    }

    /// The staff's read position reaches the visitor although the agent, who joined at the head, has nothing to read.
    async fn what_was_asked_before_the_claim_is_read(app: TestApp) {
        let desk = app.desk().await;
        let room = desk.open_and_claim("hello").await;
        let head = desk.agent.log(&room).await.len();
        desk.agent.post(&format!("/conversations/{room}/read"), json!({})).await.ok();
        assert_eq!(inbox(&desk.visitor).await[&room]["peers"]["staff_read_seq"], head);
        let before = desk.visitor.get("/sync").await.ok()["cursor"].clone();
        desk.agent.post(&format!("/conversations/{room}/read"), json!({})).await.ok();
        assert_eq!(desk.visitor.get("/sync").await.ok()["cursor"], before, "a repetition writes nothing");
        eventually("the socket's way is the same", || async {
            let room = app.client_of(desk.seed.second_visitor).open("hello").await;
            desk.agent.claim(&room).await;
            desk.agent.socket().await.ask("read", json!({"conversation_id": room, "seq": 3})).await;
            (inbox(&desk.second_visitor).await[&room]["peers"]["staff_read_seq"] == 3).then_some(())
        })
        .await;
    }
}

/// A row that is slow to be read holds up no entry, and no cursor passes the row before it is sent.
#[test]
fn entries_do_not_wait_for_rows() {
    block_on(async {
        let app = TestApp::with(DatabaseKind::Sqlite, |settings| settings.database.pool_size = 1).await;
        let desk = app.desk().await;
        let room = app.open_room(desk.seed.visitor).await;
        app.submit(claim(desk.seed.agent, room)).await;
        let head = app.submit(send(desk.seed.visitor, room, "one", "one")).await.entry.unwrap().seq;
        let mut socket = desk.agent.socket().await;
        // The only reader is busy until it is told otherwise.
        let (done, wait) = std::sync::mpsc::channel::<()>();
        let (begun, begins) = tokio::sync::oneshot::channel();
        let db = app.db.clone();
        let busy = actix_web::rt::spawn(async move {
            let read = move |_: &mut deskwire::db::AnyConnection| {
                let _ = begun.send(());
                let _ = wait.recv_timeout(std::time::Duration::from_secs(120));
                Ok(())
            };
            db.read(read).await
        });
        begins.await.unwrap();
        app.submit(read(desk.seed.agent, room, head)).await;
        app.submit(send(desk.seed.visitor, room, "two", "two")).await;
        let rev_of = |frame: &Value| frame["cursor"].as_str().unwrap().parse::<Cursor>().unwrap().rev;
        let entry = socket.wait("two", |frame| frame["data"]["content"]["text"] == "two").await;
        assert!(socket.take_kept().iter().all(|frame| frame["type"] != "inbox"), "the row came first");
        done.send(()).unwrap();
        let row = socket.expect_frame("inbox").await;
        assert!(rev_of(&entry) <= rev_of(&row), "{entry} says that {row} was delivered");
        app.submit(send(desk.seed.visitor, room, "three", "three")).await;
        let next = socket.wait("three", |frame| frame["data"]["content"]["text"] == "three").await;
        assert!(rev_of(&next) > rev_of(&row), "the cursor goes on after the row");
        // On a busy machine it may have been told that it took too long.
        drop(busy.await.unwrap());
        app.stop().await;
    });
}
