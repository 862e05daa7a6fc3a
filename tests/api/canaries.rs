//! Words that must stay where they are: what the staff write for each other, and what was taken back. They are
//! looked for in everything that can be read or received.

use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{Client, Desk, TestApp};

/// Stands in everything that only the staff may read.
const SECRET: &str = "backstage-canary";
/// Stands in every version of a message that was recalled.
const RECALLED: &str = "recalled-canary";

on_every_database! {
    /// Tags, priority, notes, reasons of assignment, release and close: no word of it reaches the visitor, another
    /// visitor or another tenant, by any reading operation, by frames, by a resume or by a default feed.
    async fn what_the_staff_write_for_each_other_stays_with_them(app: TestApp) {
        let desk = app.desk().await;
        let stranger = app.desk().await;
        let room = desk.visitor.open("hello").await;
        let mut socket = desk.visitor.socket().await;
        let start = socket.live.clone();
        let conversation = format!("/conversations/{room}");
        let why = json!({"note": SECRET});
        desk.agent.claim(&room).await;
        desk.agent.patch(&conversation, json!({"tags": [SECRET], "priority": "urgent"})).await.ok();
        let note = json!({"client_msg_id": "n", "kind": "text", "content": {"text": SECRET}});
        desk.agent.post(&format!("{conversation}/notes"), note).await.ok();
        let give = json!({"agent_id": desk.second_agent.id(), "note": SECRET});
        desk.supervisor.post(&format!("{conversation}/assign"), give).await.ok();
        desk.supervisor.post(&format!("{conversation}/release"), why.clone()).await.ok();
        desk.second_agent.claim(&room).await;
        desk.second_agent.send(&room, "a public answer").await;
        desk.supervisor.post(&format!("{conversation}/close"), json!({"note": SECRET})).await.ok();
        desk.visitor.post(&format!("{conversation}/reopen"), json!({})).await.ok();
        desk.visitor.send(&room, "the last message").await;
        let store = app.audit().await;
        let backstage = store.rooms[&room.parse().unwrap()].backstage_id.unwrap().to_string();
        let behind = store.entries.iter().filter(|entry| entry.content.contains(SECRET)).count();
        assert!(behind >= 4, "the staff wrote {behind} secrets only");

        let staff = desk.supervisor.get(&format!("{conversation}/notes")).await.ok().to_string();
        assert!(staff.contains(SECRET), "the crawl would find the word if it were there");
        for (role, client) in [
            ("visitor", &desk.visitor),
            ("second visitor", &desk.second_visitor),
            ("foreign agent", &stranger.agent),
            ("foreign admin", &stranger.admin),
        ] {
            for text in crawl(&desk, client, &[&room, &backstage]).await {
                assert!(!text.contains(SECRET), "{role} reads {text}");
            }
        }
        // Backstage entries are in the feed only for those who ask for them.
        let feed = desk.admin.get("/entries?limit=200").await.ok().to_string();
        assert!(!feed.contains(SECRET), "the default feed holds {feed}");
        let mut received = socket.entries_up_to(&room, last_seq(&desk.visitor, &room).await).await;
        received.extend(socket.take_kept());
        let mut resumed = desk
            .visitor
            .socket_with(json!({"device": "other", "cursor": start, "conversations": [[room, 0], [backstage, 0]]}))
            .await;
        received.push(resumed.ready.clone());
        received.extend(resumed.take_kept());
        received.push(resumed.ask("pull", json!({"conversation_id": room, "after_seq": 0})).await);
        for frame in received {
            assert!(!frame.to_string().contains(SECRET), "the visitor received {frame}");
        }
    }

    /// What the staff keep about a customer: a canary in every field of the account that is theirs, looked for in
    /// everything that the customer gets: sign-up, refresh, its own account, every reading operation, every frame.
    async fn a_customer_never_reads_what_the_staff_keep_about_it(app: TestApp) {
        let desk = app.desk().await;
        let signed_in = desk.anonymous.post("/visitors", json!({"tenant": desk.slug})).await.status(201);
        let id = signed_in["member"]["id"].as_str().unwrap().to_owned();
        let visitor = desk.anonymous.with_token(signed_in["access_token"].as_str().unwrap());
        let room = visitor.open("hello").await;
        let mut socket = visitor.socket().await;
        let path = format!("/members/{id}");
        let secrets = json!({
            "tags": [SECRET], "skills": [SECRET], "max_accept": 977, "expires_at": "2097-01-02T03:04:05.678Z",
            "parent_id": desk.supervisor.id(),
        });
        let staff = desk.admin.patch(&path, secrets).await.ok();
        set_counters(&app, &id);
        let shown = desk.supervisor.get(&path).await.ok();
        assert_eq!((&shown["tags"][0], &shown["last_login_ip"]), (&json!(SECRET), &json!(SECRET)));
        desk.agent.claim(&room).await;
        desk.agent.send(&room, "good morning").await;

        let mine: Vec<&str> = ["avatar", "created_at", "email", "external_id", "id", "locale", "mobile", "nickname", "role"].into();
        let refresh = json!({"refresh_token": signed_in["refresh_token"]});
        let renewed = desk.anonymous.post("/auth/refresh", refresh).await.ok();
        let identified = visitor.post("/visitors/identify", identity(&app, &desk).await).await.ok();
        let me = visitor.get("/me").await.ok();
        let changed = visitor.patch("/me", json!({"nickname": "Eva"})).await.ok();
        for member in [&signed_in["member"], &renewed["member"], &identified["member"], &me, &changed] {
            let names: Vec<&str> = member.as_object().unwrap().keys().map(String::as_str).collect();
            assert_eq!(names, mine, "a field more or less than a customer may see");
        }
        let mut received = socket.entries_up_to(&room, last_seq(&visitor, &room).await).await;
        received.extend(socket.take_kept());
        let mut second = visitor.socket_with(json!({"device": "other"})).await;
        received.push(second.ready.clone());
        received.extend(second.take_kept());
        let mut texts: Vec<String> = received.iter().map(Value::to_string).collect();
        texts.extend([&renewed, &identified, &me, &changed].map(Value::to_string));
        texts.extend(crawl(&desk, &visitor, &[&room]).await);
        let parent = desk.supervisor.id();
        for text in texts {
            for canary in [SECRET, "max_accept", "2097-01-02", "2096-01-02", parent.as_str()] {
                assert!(!text.contains(canary), "the customer receives {canary}: {text}");
            }
        }
        // The staff read all of it, about themselves too.
        assert_eq!(staff["max_accept"], 977);
        assert_eq!(desk.agent.get("/me").await.ok()["max_accept"], 1_000);
    }

    /// A recall removes the words of all versions from everything but the supervisors' revisions: history, feed,
    /// inbox, resume, and the answer to a repeated send.
    async fn a_recall_removes_every_version(app: TestApp) {
        let desk = app.desk().await;
        let room = desk.open_and_claim("hello").await;
        let first = json!({"client_msg_id": "m", "kind": "text", "content": {"text": format!("{RECALLED}-0")}});
        let path = format!("/conversations/{room}/messages");
        let sent = desk.visitor.post(&path, first.clone()).await.ok();
        let seq = sent["seq"].as_i64().expect("a seq");
        for version in 1..=3 {
            let words = json!({"kind": "text", "content": {"text": format!("{RECALLED}-{version}")}});
            desk.visitor.patch(&format!("{path}/{seq}"), words).await.ok();
        }
        let start = desk.agent.get("/sync").await.ok()["cursor"].clone();
        desk.visitor.delete(&format!("{path}/{seq}")).await.ok();
        let again = desk.visitor.post(&path, first).await.ok();
        assert_eq!(again["seq"].as_i64(), Some(seq), "a retry is known after the recall");
        assert!(!again.to_string().contains(RECALLED), "the retry's answer holds {again}");
        for (role, client) in desk.everybody() {
            for text in crawl(&desk, client, &[&room]).await {
                let revisions = role == "supervisor" || role == "admin";
                assert!(!text.contains(RECALLED) || revisions && text.contains("/revisions"), "{role} reads {text}");
            }
        }
        let feed = desk.admin.get("/entries?limit=200&include=backstage").await.ok();
        assert!(!feed.to_string().contains(RECALLED), "the feed holds {feed}");
        for client in [&desk.visitor, &desk.agent, &desk.supervisor] {
            let mut socket =
                client.socket_with(json!({"device": "d", "cursor": start, "conversations": [[room, 0]]})).await;
            let mut received = socket.take_kept();
            received.push(socket.ready.clone());
            for frame in received {
                assert!(!frame.to_string().contains(RECALLED), "a resume brings {frame}");
            }
        }
        let revisions = desk.supervisor.get(&format!("{path}/{seq}/revisions")).await.ok().to_string();
        assert!((0..=3).all(|version| revisions.contains(&format!("{RECALLED}-{version}"))), "{revisions}");
    }
}

/// Everything that a member can get: each reading operation of the document with these rooms. The text of an answer
/// begins with its request.
async fn crawl(desk: &Desk, client: &Client, rooms: &[&str]) -> Vec<String> {
    let document = desk.anonymous.get("/openapi.json").await.ok();
    let mut texts = Vec::new();
    for (path, operations) in document["paths"].as_object().unwrap() {
        let Some(relative) = path.strip_prefix("/api/v1") else { continue };
        // The documents hold examples and no data.
        if operations.get("get").is_none() || relative.ends_with("/ws") || relative.ends_with(".json") {
            continue;
        }
        for room in rooms {
            for seq in ["1", "2", "3", "4"] {
                let filled = relative.replace("{id}", room).replace("{seq}", seq);
                let answer = client.call(Method::GET, &filled, None).await;
                assert!(answer.status < 500, "{answer}");
                texts.push(answer.to_string());
                if !relative.contains("{seq}") {
                    break;
                }
            }
        }
    }
    texts
}

async fn last_seq(client: &Client, room: &str) -> i64 {
    client.log(room).await.last().map_or(0, |entry: &Value| entry["seq"].as_i64().unwrap())
}

/// Canaries in the fields that no request sets.
fn set_counters(app: &TestApp, member: &str) {
    use deskwire::db::schema::member;
    use diesel::prelude::*;
    // 2096-01-02T00:00:00Z
    let at = 3_976_387_200_000_i64;
    diesel::update(member::table.filter(member::id.eq(member.parse::<i64>().unwrap())))
        .set((
            member::last_login_ip.eq(SECRET),
            (member::last_login_at.eq(at), member::locked_until.eq(at), member::last_seen.eq(at)),
            member::updated_at.eq(at),
        ))
        .execute(&mut app.database().connect())
        .unwrap();
}

/// An identity token for a customer that is not known yet.
async fn identity(app: &TestApp, desk: &Desk) -> Value {
    use jsonwebtoken::{Algorithm, EncodingKey, Header};
    let key = desk.admin.post("/identity-keys", json!({})).await.status(201);
    let mut header = Header::new(Algorithm::HS256);
    header.kid = key["kid"].as_str().map(str::to_owned);
    let secret = EncodingKey::from_secret(key["secret"].as_str().unwrap().as_bytes());
    let claims = json!({"sub": "canary", "exp": app.clock.now().0 / 1_000 + 60});
    json!({"identity_token": jsonwebtoken::encode(&header, &claims, &secret).unwrap()})
}
