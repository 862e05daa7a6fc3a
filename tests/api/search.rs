//! Search: what is found, by whom, and that the index answers as the log itself does.

use std::collections::BTreeSet;

use deskwire::journal::follower;
use deskwire::kernel::TenantId;
use deskwire::search::index::SEARCH;
use deskwire::search::rebuild::rebuild;
use serde_json::{Value, json};

use crate::harness::commands::{note, send};
use crate::harness::personas::message;
use crate::harness::random::Random;
use crate::harness::{Client, TestApp, eventually};

/// Waits until everything that was said is in the index.
pub async fn indexed(app: &TestApp, tenant: TenantId) {
    eventually("the index holds everything", || async {
        let read = move |connection: &mut _| {
            let head = deskwire::journal::history::head(connection, tenant)?;
            Ok(follower::position(connection, SEARCH, tenant)? >= head)
        };
        app.app().db.read(read).await.unwrap().then_some(())
    })
    .await;
}

pub fn path(words: &str, filters: &str) -> String {
    let words = url::form_urlencoded::byte_serialize(words.as_bytes()).collect::<String>();
    format!("/search/messages?q={words}{filters}")
}

fn text_of(hit: &Value) -> String {
    hit["message"]["content"]["text"].as_str().unwrap_or_default().to_owned()
}

/// The texts that somebody finds, the newest first, by pages of this size.
pub async fn pages(by: &Client, words: &str, filters: &str, limit: usize) -> Vec<String> {
    let (mut found, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = by.get(&path(words, &format!("&limit={limit}{filters}{cursor}"))).await.ok();
        let hits = page["data"].as_array().unwrap();
        assert!(hits.len() <= limit);
        found.extend(hits.iter().map(text_of));
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return found,
        }
    }
}

pub async fn texts(by: &Client, words: &str) -> Vec<String> {
    pages(by, words, "", 50).await
}

pub async fn edit(by: &Client, room: &str, seq: &Value, text: &str) {
    let body = json!({"kind": "text", "content": {"text": text}});
    by.patch(&format!("/conversations/{room}/messages/{seq}"), body).await.ok();
}

/// Texts of a small alphabet, so that words meet often.
fn random_text(random: &mut Random) -> String {
    const WORDS: &[&str] = &[
        "parcel",
        "Parcels",
        "part",
        "party",
        "pa",
        "快递",
        "到了",
        "快",
        "递到",
        "T恤",
        "ＰＡＲＴ",
        "a",
        "e\u{301}té",
        "1001",
        "10",
        ",",
        "。",
        "😀",
        "-",
    ];
    let words: Vec<&str> = (0..1 + random.below(5)).map(|_| *random.pick(WORDS)).collect();
    let space = *random.pick(&["", " ", " ", ","]);
    words.join(space)
}

/// What a reader would call the same text, written apart from the product's own folding: good for the letters used here.
fn plain(text: &str) -> Vec<char> {
    let text = text.replace("ＰＡＲＴ", "part").replace("e\u{301}", "é").to_lowercase();
    text.chars().collect()
}

/// Whether every word stands in the text; words of letters at the beginning of one.
fn holds(text: &str, words: &str) -> bool {
    let is_dense = |one: char| "快递到了恤".contains(one);
    let is_letter = |one: char| one.is_alphanumeric() && !is_dense(one);
    let (text, words) = (plain(text), plain(words));
    let mut words = words.split(|one| !one.is_alphanumeric()).filter(|word| !word.is_empty());
    words.all(|word| {
        (0..text.len()).any(|at| {
            text[at..].starts_with(word) && (!is_letter(word[0]) || at == 0 || !is_letter(text[at - 1]))
        })
    })
}

on_every_database! {
    /// Words in Chinese and in English, by two characters and by beginnings; where they stand; notes; titles of cards.
    async fn words_are_found(app: TestApp) {
        let desk = app.desk().await;
        let room = desk.open_and_claim("你好，我的快递到了吗？").await;
        let path_of_room = format!("/conversations/{room}");
        desk.agent.send(&room, "The parcel arrives tomorrow 😀 快递").await;
        let card = json!({"client_msg_id": "c-1", "kind": "card", "content": {"title": "Parcel 1001", "text": "on its way"}});
        desk.agent.post(&format!("{path_of_room}/messages"), card).await.ok();
        let custom = json!({"client_msg_id": "x-1", "kind": "custom", "content": {"type": "parcel", "data": "parcel"}});
        desk.agent.post(&format!("{path_of_room}/messages"), custom).await.ok();
        desk.agent.post(&format!("{path_of_room}/notes"), message("asked about the parcel")).await.ok();
        for wait in [false, true] {
            if wait {
                indexed(&app, desk.tenant).await;
            }
            let page = desk.agent.get(&path("快递", "")).await.ok();
            assert_eq!((&page["next_cursor"], &page["complete"]), (&Value::Null, &json!(true)));
            let hits = page["data"].as_array().unwrap();
            assert_eq!(hits.len(), 2);
            assert_eq!(hits[0]["highlights"], json!([{"pointer": "/text", "ranges": [{"start": 31, "end": 33}]}]));
            assert_eq!(hits[1]["highlights"], json!([{"pointer": "/text", "ranges": [{"start": 5, "end": 7}]}]));
            assert_eq!((&hits[1]["conversation_id"], &hits[1]["is_note"]), (&json!(room), &json!(false)));

            let page = desk.agent.get(&path("PARC", "")).await.ok();
            let hits = page["data"].as_array().unwrap();
            assert_eq!(hits.len(), 3, "{page}");
            assert_eq!((&hits[0]["conversation_id"], &hits[0]["is_note"]), (&json!(room), &json!(true)));
            assert_eq!(hits[1]["highlights"], json!([{"pointer": "/title", "ranges": [{"start": 0, "end": 4}]}]));
            assert_eq!(hits[1]["message"]["kind"], "card");
            assert_eq!(texts(&desk.visitor, "parcel").await, ["on its way", "The parcel arrives tomorrow 😀 快递"]);
            assert_eq!(texts(&desk.visitor, "arcel").await, [""; 0], "words by their beginnings");
            assert_eq!(texts(&desk.visitor, "tomorrow 快递").await.len(), 1, "every word");
            assert_eq!(texts(&desk.visitor, "tomorrow 你好").await, [""; 0], "every word");
            assert_eq!(texts(&desk.visitor, "1001 way").await.len(), 1, "in any text of the card");
        }
    }

    /// Nobody finds what it may not read: other customers, other agents, other tenants, rooms, notes.
    async fn each_finds_what_it_may_read(app: TestApp) {
        let (desk, other) = (app.desk().await, app.desk().await);
        let room = desk.open_and_claim("secret word").await;
        desk.agent.post(&format!("/conversations/{room}/notes"), message("secret note")).await.ok();
        let staff = json!({"subject": "Staff", "member_ids": [desk.second_agent.id()]});
        let staff = desk.agent.post("/rooms", staff).await.ok()["id"].as_str().unwrap().to_owned();
        desk.agent.send(&staff, "secret room").await;
        other.open("secret of others").await;
        for wait in [false, true] {
            if wait {
                indexed(&app, desk.tenant).await;
                indexed(&app, other.tenant).await;
            }
            assert_eq!(texts(&desk.visitor, "secret").await, ["secret word"]);
            assert_eq!(texts(&desk.second_visitor, "secret").await, [""; 0]);
            assert_eq!(texts(&desk.agent, "secret").await, ["secret room", "secret note", "secret word"]);
            assert_eq!(texts(&desk.second_agent, "secret").await, ["secret room"]);
            assert_eq!(texts(&desk.supervisor, "secret").await, ["secret note", "secret word"]);
            assert_eq!(texts(&desk.admin, "secret").await, ["secret note", "secret word"]);
            assert_eq!(texts(&other.admin, "secret").await, ["secret of others"]);
            let within = format!("&conversation_id={room}");
            desk.second_visitor.get(&path("secret", &within)).await.refused(404, "not_found");
            desk.second_agent.get(&path("secret", &within)).await.refused(404, "not_found");
            other.admin.get(&path("secret", &within)).await.refused(404, "not_found");
        }
        // What waits is seen by every agent; what is served no more by who served it.
        desk.agent.post(&format!("/conversations/{room}/release"), json!({})).await.ok();
        assert_eq!(texts(&desk.second_agent, "secret").await, ["secret room", "secret note", "secret word"]);
        desk.second_agent.claim(&room).await;
        assert_eq!(texts(&desk.agent, "secret").await, ["secret room"]);
        desk.anonymous.get(&path("secret", "")).await.refused(401, "unauthenticated");
    }

    /// New words are found, old words and recalled ones never.
    async fn edits_and_recalls_are_held_against_the_log(app: TestApp) {
        let desk = app.desk().await;
        let room = desk.open_and_claim("first").await;
        let sent = desk.agent.send(&room, "helo parcel").await;
        indexed(&app, desk.tenant).await;
        edit(&desk.agent, &room, &sent["seq"], "hello 包裹").await;
        assert_eq!(texts(&desk.agent, "helo").await, [""; 0], "at once");
        assert_eq!(texts(&desk.visitor, "包裹").await, ["hello 包裹"], "at once");
        indexed(&app, desk.tenant).await;
        assert_eq!(texts(&desk.visitor, "hello").await, ["hello 包裹"]);
        desk.agent.delete(&format!("/conversations/{room}/messages/{}", sent["seq"])).await.ok();
        assert_eq!(texts(&desk.agent, "hello").await, [""; 0], "at once");
        indexed(&app, desk.tenant).await;
        assert_eq!(texts(&desk.agent, "hello").await, [""; 0]);
    }

    /// Each filter narrows, alone and with the others, in the index and before it.
    async fn filters_narrow(app: TestApp) {
        let desk = app.desk().await;
        let first = desk.open_and_claim("order one").await;
        let answer = desk.agent.send(&first, "order two").await;
        desk.agent.post(&format!("/conversations/{first}/notes"), message("order note")).await.ok();
        app.advance(7_200_000).await;
        let desk = app.desk_of(desk.seed);
        let card = json!({"client_msg_id": "c-1", "kind": "card", "content": {"title": "order", "text": "card"}});
        desk.agent.post(&format!("/conversations/{first}/messages"), card).await.ok();
        let second = desk.second_visitor.open("order three").await;
        for wait in [false, true] {
            if wait {
                indexed(&app, desk.tenant).await;
            }
            let find = async |filters: &str| pages(&desk.admin, "order", filters, 2).await;
            assert_eq!(find("").await, ["order three", "card", "order note", "order two", "order one"]);
            assert_eq!(find(&format!("&conversation_id={second}")).await, ["order three"]);
            assert_eq!(find(&format!("&conversation_id={first}")).await, ["card", "order note", "order two", "order one"]);
            assert_eq!(find(&format!("&customer_id={}", desk.second_visitor.id())).await, ["order three"]);
            assert_eq!(find(&format!("&customer_id={}", desk.agent.id())).await, [""; 0]);
            assert_eq!(find(&format!("&sender_id={}", desk.visitor.id())).await, ["order one"]);
            assert_eq!(find("&kind=card").await, ["card"]);
            assert_eq!(find(&format!("&kind=text&sender_id={}", desk.agent.id())).await, ["order note", "order two"]);
            let at = answer["entry"]["created_at"].as_str().unwrap();
            let later = app.clock.now().plus(-3_600_000);
            assert_eq!(find(&format!("&from={later}")).await, ["order three", "card"]);
            assert_eq!(find(&format!("&until={later}")).await, ["order note", "order two", "order one"]);
            assert_eq!(find(&format!("&from={at}&until={at}")).await, [""; 0]);
            let visitor = pages(&desk.visitor, "order", &format!("&conversation_id={first}"), 2).await;
            assert_eq!(visitor, ["card", "order two", "order one"]);
        }
    }

    /// Nonsense is told, and nothing is looked for.
    async fn what_cannot_be_looked_for_is_refused(app: TestApp) {
        let desk = app.desk().await;
        let words = |count: usize| (0..count).map(|one| format!("w{one:03}")).collect::<Vec<_>>().join(" ");
        for q in ["", " ", "a", "好", "...", "😀😀", "a b", &words(11), &"a".repeat(201), &words(10_000)] {
            let q = q.chars().take(1_000).collect::<String>();
            desk.agent.get(&path(&q, "")).await.refused(400, "invalid_parameter");
        }
        for filters in ["&limit=0", "&limit=201", "&cursor=x", "&kind=custom", "&kind=x", "&from=x", "&conversation_id=x", "&x=1"] {
            desk.agent.get(&path("ab", filters)).await.refused(400, "invalid_parameter");
        }
        desk.agent.get("/search/messages").await.refused(400, "invalid_parameter");
        for q in ["%", "ab%", "a_b", "' OR 1=1 --", "\\", "ab\u{0}cd", "NEAR(a b)", "\u{202e}abc"] {
            let answer = desk.agent.get(&path(q, "")).await;
            assert!(matches!(answer.status, 200 | 400), "{q:?}");
        }
        assert_eq!(texts(&desk.agent, &words(10)).await, [""; 0]);
    }

    /// Random texts, edits, recalls and notes: what is found is what a look through all messages finds, for everybody, in the
    /// index and before it, on pages of any size.
    async fn the_index_answers_as_the_log_does(app: TestApp) {
        let desk = app.desk().await;
        let mut random = Random::new(9);
        let rooms = [desk.open_and_claim("快递").await, desk.second_visitor.open("parcel").await];
        let mut said: Vec<(String, String)> = vec![(rooms[0].clone(), "快递".into()), (rooms[1].clone(), "parcel".into())];
        desk.second_agent.claim(&rooms[1]).await;
        for _ in 0..120 {
            let (at, text) = (random.below(2) as usize, random_text(&mut random));
            let by = [&desk.visitor, &desk.second_visitor][at];
            let sent = by.post(&format!("/conversations/{}/messages", rooms[at]), message(&text)).await.ok();
            let text = match random.below(8) {
                0 => {
                    let text = random_text(&mut random);
                    edit(by, &rooms[at], &sent["seq"], &text).await;
                    Some(text)
                }
                1 => {
                    by.delete(&format!("/conversations/{}/messages/{}", rooms[at], sent["seq"])).await.ok();
                    None
                }
                _ => Some(text),
            };
            said.extend(text.map(|text| (rooms[at].clone(), text)));
        }
        indexed(&app, desk.tenant).await;
        for _ in 0..40 {
            let words = random_text(&mut random);
            let answer = desk.admin.get(&path(&words, "")).await;
            if answer.status == 400 {
                continue;
            }
            let everybody = [(&desk.admin, &rooms[..]), (&desk.visitor, &rooms[..1]), (&desk.second_agent, &rooms[1..])];
            let (by, seen) = random.pick(&everybody);
            let wanted: Vec<&String> = said
                .iter()
                .rev()
                .filter(|(room, text)| seen.contains(room) && holds(text, &words))
                .map(|(_, text)| text)
                .collect();
            let limit = 1 + random.below(9) as usize;
            assert_eq!(pages(by, &words, "", limit).await.iter().collect::<Vec<_>>(), wanted, "{words:?}");
        }
    }

    /// An index that is far behind hides nothing: what it does not hold is read from the log, a piece a page, and the answer says
    /// that there is more. A rebuilt index answers as before.
    async fn an_index_is_rebuilt(app: TestApp) {
        let seed = app.seed().await;
        let desk = app.desk_of(seed);
        let room = app.open_room(seed.visitor).await;
        let say = |one: usize| send(seed.visitor, room, &format!("m-{one}"), &format!("common word{one:04}"));
        for piece in 0..12 {
            let all = app.submit_all((piece * 100..piece * 100 + 100).map(say).collect()).await;
            all.into_iter().for_each(|sent| drop(sent.unwrap()));
        }
        app.submit(note(seed.admin, room, "n-1", "common note")).await;
        indexed(&app, desk.tenant).await;
        let all = pages(&desk.admin, "common", "", 200).await;
        assert_eq!(all.len(), 1_201);
        assert_eq!(texts(&desk.admin, "common word0007").await, ["common word0007"]);
        let tenant = desk.tenant;
        app.app().db.write(move |connection| follower::set_back(connection, SEARCH, tenant)).await.unwrap();
        let first = desk.admin.get(&path("word0007", "")).await.ok();
        assert_eq!((first["data"].as_array().unwrap().len(), &first["complete"]), (0, &json!(false)));
        assert_eq!(texts(&desk.admin, "word0007").await, ["common word0007"], "by reading on");
        assert_eq!(pages(&desk.admin, "common", "", 200).await, all);
        rebuild(&app.app().db, tenant).await.unwrap();
        assert_eq!(pages(&desk.admin, "common", "", 200).await, all);
        indexed(&app, desk.tenant).await;
        assert_eq!(pages(&desk.admin, "common", "", 199).await, all);
        let distinct: BTreeSet<&String> = all.iter().collect();
        assert_eq!(distinct.len(), all.len());
    }
}
