//! Bots: they answer before the staff do, one at a time, and never over a person.

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::api_keys::{account, key};
use crate::groups::{make, put};
use crate::harness::personas::message;
use crate::harness::{Answer, Client, Desk, eventually};
use crate::reports::{caught_up, read};
use crate::timer_looks::at;
use crate::timers::{no_drift, of_kind, run, view};

const MAY: [&str; 7] = [
    "read_conversation",
    "send_message",
    "read_notes",
    "write_note",
    "hand_off",
    "close",
    "update_conversation",
];

/// Makes a bot that answers the tenant's customers first; gives its id and what it acts with.
async fn bot(desk: &Desk) -> (String, Client) {
    let id = account(desk, "bot").await;
    let (_, client) = key(desk, &id, &MAY).await;
    decide(desk, json!({"member_id": id})).await.ok();
    (id, client)
}

pub async fn decide(desk: &Desk, bot: Value) -> Answer {
    desk.admin.patch("/tenant", json!({"settings": {"bot": bot}})).await
}

/// The bot answers by this version of the conversation.
async fn answer(bot: &Client, room: &str, version: &Value, text: &str) -> Answer {
    let mut body = message(text);
    body["version"] = version.clone();
    bot.post(&format!("/conversations/{room}/messages"), body).await
}

async fn version(who: &Client, room: &str) -> Value {
    who.get(&format!("/conversations/{room}")).await.ok()["version"].clone()
}

async fn hand_off(who: &Client, room: &str, body: Value) -> Answer {
    who.post(&format!("/conversations/{room}/hand_off"), body).await
}

async fn kinds(who: &Client, room: &str) -> Vec<String> {
    who.log(room).await.iter().map(|entry| entry["kind"].as_str().unwrap().to_owned()).collect()
}

/// How many wait in the queue.
async fn waiting(desk: &Desk) -> usize {
    desk.supervisor.get("/queue").await.ok()["data"].as_array().unwrap().len()
}

on_every_database! {
    /// It answers first, in no queue, hands over with a note, and has no more to say.
    async fn a_bot_answers_first_and_hands_over(app: TestApp) {
        let desk = app.desk().await;
        let (id, bot) = bot(&desk).await;
        let room = desk.open("where is my parcel?").await;
        let seen = view(&desk, &room).await;
        assert_eq!((&seen["status"], &seen["bot"]["id"]), (&json!("open"), &json!(id)));
        assert_eq!((&seen["agent"], &seen["waiting_since"]), (&Value::Null, &Value::Null));
        let to_customer = desk.visitor.get(&format!("/conversations/{room}")).await.ok();
        assert_eq!((&to_customer["bot"]["id"], &to_customer["agent"]), (&json!(id), &Value::Null));
        assert_eq!(waiting(&desk).await, 0, "it is in no queue");
        let listed = bot.get("/conversations?status=open").await.ok();
        assert_eq!(listed["data"].as_array().unwrap().len(), 1);

        let now = version(&bot, &room).await;
        answer(&bot, &room, &now, "it is on its way").await.status(201);
        answer(&bot, &room, &now, "what else?").await.status(201);
        let first = desk.visitor.log(&room).await;
        assert_eq!(kinds(&desk.visitor, &room).await, ["opened", "bot_assigned", "text", "text", "text"]);
        assert_eq!((&first[1]["sender"], &first[1]["content"]["member_id"]), (&Value::Null, &json!(id)));
        assert_eq!(first[3]["sender"]["role"], "bot");
        hand_off(&bot, &room, json!({"note": "wants a person"})).await.ok();
        let last = desk.visitor.log(&room).await.pop().unwrap();
        assert_eq!((&last["kind"], &last["content"]["reason"]), (&json!("handed_off"), &json!("requested")));
        assert_eq!(last["content"]["bot"]["member_id"], id);
        let seen = view(&desk, &room).await;
        assert_eq!((&seen["status"], &seen["bot"], &seen["agent"]), (&json!("open"), &Value::Null, &Value::Null));
        assert!(seen["waiting_since"].is_string());
        assert_eq!(waiting(&desk).await, 1);
        let notes = desk.agent.claim(&room).await["backstage_id"].as_str().unwrap().to_owned();
        let remark = &of_kind(&desk.agent, &notes, "remark").await[0];
        assert_eq!((&remark["content"]["about"], &remark["content"]["note"]), (&json!("handed_off"), &json!("wants a person")));

        // Saying it again changes nothing; it is not in the conversation any more.
        hand_off(&bot, &room, json!({})).await.ok();
        assert_eq!(answer(&bot, &room, &now, "me again").await.code(), "not_in_control");
        assert_eq!(bot.get(&format!("/conversations/{room}")).await.status, 404);
        no_drift(&app).await;
    }

    /// A bot never speaks over a person: whatever it prepared is refused as soon as somebody of the staff has the conversation.
    async fn a_bot_is_refused_once_a_person_answers(app: TestApp) {
        let desk = app.desk().await;
        let (id, bot) = bot(&desk).await;
        // Who claims it takes it.
        let room = desk.open("hello").await;
        let now = version(&bot, &room).await;
        desk.agent.claim(&room).await;
        let late = answer(&bot, &room, &now, "too late").await;
        assert_eq!((late.status, late.code(), &late.body["context"]["agent_id"]), (409, "not_in_control", &json!(desk.agent.id())));
        // A person who adds it keeps the word; it may read and write notes.
        let put = json!({"member_id": id});
        let refused = desk.agent.post(&format!("/conversations/{room}/members"), put).await;
        assert_eq!((refused.status, refused.code()), (422, "validation_failed"), "a bot joins by answering only");
        desk.agent.post(&format!("/conversations/{room}/close"), json!({})).await.ok();

        // Who writes takes it, in the same command.
        let room = desk.open("hello again").await;
        let now = version(&bot, &room).await;
        desk.supervisor.post(&format!("/conversations/{room}/members"), json!({"member_id": desk.second_agent.id()})).await.ok();
        let now_then = version(&bot, &room).await;
        assert_ne!(now, now_then);
        let stale = answer(&bot, &room, &now, "based on what was").await;
        assert_eq!((stale.status, stale.code()), (409, "not_in_control"), "{stale}");
        assert_eq!((&stale.body["context"]["version"], &stale.body["context"]["bot_id"]), (&now_then, &json!(id)));
        let missing = bot.post(&format!("/conversations/{room}/messages"), message("no version")).await;
        assert_eq!((missing.status, &missing.body["errors"][0]["pointer"]), (422, &json!("/version")), "{missing}");
        let kept = message("kept");
        let mut body = kept.clone();
        body["version"] = now_then.clone();
        bot.post(&format!("/conversations/{room}/messages"), body.clone()).await.status(201);
        desk.second_agent.send(&room, "I take this").await;
        let seen = view(&desk, &room).await;
        assert_eq!((&seen["status"], &seen["agent"]["id"]), (&json!("pending"), &json!(desk.second_agent.id())));
        assert_eq!(kinds(&desk.visitor, &room).await.last().unwrap(), "assigned");
        assert_eq!(answer(&bot, &room, &now_then, "and I").await.code(), "not_in_control");
        // A retry of what was sent gets its first answer.
        let again = bot.post(&format!("/conversations/{room}/messages"), body).await;
        assert_eq!((again.status, &again.body["duplicate"]), (200, &json!(true)), "{again}");
        no_drift(&app).await;
    }

    /// Who writes and cannot serve one more only takes the word from the bot.
    async fn a_full_agent_lets_it_wait(app: TestApp) {
        let desk = app.desk().await;
        let (_, bot) = bot(&desk).await;
        desk.admin.patch(&format!("/members/{}", desk.agent.id()), json!({"max_accept": 0})).await.ok();
        let room = desk.open("hello").await;
        let put = json!({"member_id": desk.agent.id()});
        desk.supervisor.post(&format!("/conversations/{room}/members"), put).await.ok();
        desk.agent.send(&room, "somebody comes").await;
        let last = desk.visitor.log(&room).await.pop().unwrap();
        assert_eq!((&last["kind"], &last["content"]["reason"]), (&json!("handed_off"), &json!("staff_answered")));
        assert_eq!(waiting(&desk).await, 1);
        assert_eq!(bot.get(&format!("/conversations/{room}")).await.status, 404);
    }

    /// Of twelve who claim at once one wins, and the bot's answers come before or not at all.
    async fn claims_and_answers_at_once(app: TestApp) {
        let desk = app.desk().await;
        let (_, bot) = bot(&desk).await;
        for _ in 0..3 {
            let room = desk.open("hello").await;
            let now = version(&bot, &room).await;
            let answers = join_all((0..12).map(|number| {
                let (bot, agent, room, now) = (&bot, &desk.agent, &room, &now);
                async move {
                    match number % 3 {
                        0 => agent.post(&format!("/conversations/{room}/claim"), json!({})).await,
                        _ => answer(bot, room, now, "one moment").await,
                    }
                }
            }))
            .await;
            assert!(answers.iter().all(|answer| matches!(answer.status, 200 | 201 | 409)), "{answers:?}");
            let log = desk.visitor.log(&room).await;
            let assigned = log.iter().position(|entry| entry["kind"] == "assigned").unwrap();
            assert!(log[assigned..].iter().all(|entry| entry["sender"]["role"] != "bot"), "{log:?}");
            assert_eq!(log.iter().filter(|entry| entry["kind"] == "assigned").count(), 1);
            desk.agent.post(&format!("/conversations/{room}/close"), json!({})).await.ok();
        }
        no_drift(&app).await;
    }

    /// A bot that does not answer, or whose account ends, hands over by itself.
    async fn a_silent_bot_hands_over(app: TestApp) {
        let desk = app.desk().await;
        let (id, bot) = bot(&desk).await;
        decide(&desk, json!({"silence_seconds": 20})).await.ok();
        let room = desk.open("hello").await;
        answer(&bot, &room, &version(&bot, &room).await, "good morning").await.status(201);
        app.advance(60_000).await;
        assert!(!run(&app, &desk, &room).await, "the customer was answered");
        desk.visitor.send(&room, "where is it?").await;
        app.advance(19_000).await;
        assert!(!run(&app, &desk, &room).await, "not yet");
        app.advance(1_000).await;
        // The process may have found it by itself.
        run(&app, &desk, &room).await;
        let told = of_kind(&desk.visitor, &room, "handed_off").await;
        assert_eq!((told.len(), &told[0]["content"]["reason"], &told[0]["sender"]), (1, &json!("silent"), &Value::Null));
        assert!(!run(&app, &desk, &room).await, "once");
        desk.visitor.post(&format!("/conversations/{room}/close"), json!({})).await.ok();

        let room = desk.open("hello again").await;
        assert_eq!(view(&desk, &room).await["bot"]["id"], id);
        desk.admin.patch(&format!("/members/{id}"), json!({"status": "disabled"})).await.ok();
        let told = of_kind(&desk.visitor, &room, "handed_off").await;
        assert_eq!((told.len(), &told[0]["content"]["reason"]), (1, &json!("bot_gone")), "at once");
        desk.visitor.post(&format!("/conversations/{room}/close"), json!({})).await.ok();
        // Nobody waits for a bot that may not be used.
        let room = desk.open("and again").await;
        let seen = view(&desk, &room).await;
        assert_eq!((&seen["bot"], seen["waiting_since"].is_string()), (&Value::Null, true));
        no_drift(&app).await;
    }

    /// The service finds by itself what a bot leaves unanswered.
    async fn silence_is_found_without_being_asked(app: TestApp) {
        let desk = app.desk().await;
        let (_, _) = bot(&desk).await;
        let room = desk.open("hello").await;
        app.advance(31_000).await;
        let told = eventually("a process looks", || async {
            of_kind(&desk.visitor, &room, "handed_off").await.pop()
        })
        .await;
        assert_eq!(told["content"]["reason"], "silent");
    }

    /// Reopened by its customer it comes to the bot; by the staff it does not. What staff open is no question for a bot.
    async fn who_begins_decides(app: TestApp) {
        let desk = app.desk().await;
        let (id, bot) = bot(&desk).await;
        let room = desk.open("hello").await;
        answer(&bot, &room, &version(&bot, &room).await, "good bye").await.status(201);
        bot.post(&format!("/conversations/{room}/close"), json!({})).await.ok();
        let closed = view(&desk, &room).await;
        assert_eq!((&closed["status"], &closed["bot"], &closed["agent"]), (&json!("closed"), &Value::Null, &Value::Null));
        let rated = desk.visitor.put(&format!("/conversations/{room}/rating"), json!({"score": 1})).await;
        assert_eq!((rated.status, rated.code()), (409, "not_answered"), "{rated}");
        desk.visitor.post(&format!("/conversations/{room}/reopen"), json!({})).await.ok();
        assert_eq!(view(&desk, &room).await["bot"]["id"], id);
        desk.visitor.post(&format!("/conversations/{room}/close"), json!({})).await.ok();
        desk.supervisor.post(&format!("/conversations/{room}/reopen"), json!({})).await.ok();
        let seen = view(&desk, &room).await;
        assert_eq!((&seen["bot"], seen["waiting_since"].is_string()), (&Value::Null, true));
        let for_customer = json!({"customer_id": desk.second_visitor.id(), "message": message("we have a question")});
        let made = desk.agent.post("/conversations", for_customer).await.ok();
        assert_eq!(made["conversation"]["bot"], Value::Null);
        // Supervisors take it from the bot.
        desk.visitor.post(&format!("/conversations/{room}/close"), json!({})).await.ok();
        let room = desk.open("and again").await;
        let nobody = hand_off(&desk.agent, &room, json!({})).await;
        assert_eq!((nobody.status, nobody.code()), (403, "not_a_member"));
        let out = desk.supervisor.delete(&format!("/conversations/{room}/members/{id}")).await;
        assert_eq!((out.status, out.code()), (409, "invalid_transition"));
        hand_off(&desk.supervisor, &room, json!({})).await.ok();
        let twice = hand_off(&desk.supervisor, &room, json!({})).await;
        assert_eq!((twice.status, twice.code()), (409, "invalid_transition"));
        no_drift(&app).await;
    }

    /// A bot is a program of the tenant: it serves nobody, joins no group, becomes no person, and is another tenant's never.
    async fn a_bot_is_no_person(app: TestApp) {
        let desk = app.desk().await;
        let (id, bot) = bot(&desk).await;
        let person = json!({"role": "bot", "login_name": "bo", "password": "jasmine every day", "nickname": "Bo"});
        desk.admin.post("/members", person).await.status(422);
        for role in ["agent", "admin"] {
            desk.admin.patch(&format!("/members/{id}"), json!({"role": role})).await.status(422);
        }
        desk.admin.patch(&format!("/members/{}", desk.agent.id()), json!({"role": "bot"})).await.status(422);
        let room = desk.open("hello").await;
        let give = json!({"agent_id": id});
        desk.supervisor.post(&format!("/conversations/{room}/assign"), give.clone()).await.status(422);
        for foreign in [json!("1"), json!(desk.agent.id()), json!(desk.visitor.id())] {
            let refused = decide(&desk, json!({"member_id": foreign})).await;
            assert_eq!((refused.status, &refused.body["errors"][0]["pointer"]), (422, &json!("/settings/bot/member_id")));
        }
        for seconds in [4, 3_601, -1] {
            decide(&desk, json!({"silence_seconds": seconds})).await.status(422);
        }
        decide(&desk, json!({"nothing": 1})).await.status(422);
        let other = app.desk().await;
        decide(&other, json!({"member_id": id})).await.status(422);
        assert_eq!(bot.get("/queue").await.status, 403);
        assert_eq!(hand_off(&bot, &other.open("hello").await, json!({})).await.status, 404);
        // A bot sees what it is in only.
        decide(&desk, json!({"member_id": null})).await.ok();
        let unseen = desk.second_visitor.open("hello").await;
        assert_eq!(bot.get(&format!("/conversations/{unseen}")).await.status, 404);
        let listed = bot.get("/conversations").await.ok();
        assert_eq!(listed["data"].as_array().unwrap().len(), 1, "{listed}");
    }

    /// To a group: it waits there, or is docked at once where the whole group serves.
    async fn groups_take_over(app: TestApp) {
        let desk = app.desk().await;
        let (_, bot) = bot(&desk).await;
        let group = make(&desk, "Returns").await;
        let room = desk.open("hello").await;
        let empty = hand_off(&bot, &room, json!({"group_id": group})).await;
        assert_eq!((empty.status, empty.code()), (409, "group_empty"));
        hand_off(&bot, &room, json!({"group_id": "1"})).await.status(422);
        put(&desk.admin, &group, &desk.agent, "member").await;
        hand_off(&bot, &room, json!({"group_id": group})).await.ok();
        let seen = view(&desk, &room).await;
        assert_eq!((&seen["group_id"], seen["waiting_since"].is_string()), (&json!(group), true));
        desk.visitor.post(&format!("/conversations/{room}/close"), json!({})).await.ok();

        desk.admin.patch(&format!("/groups/{group}"), json!({"serving": "group"})).await.ok();
        let body = json!({"group_id": group, "message": message("hello again")});
        let room = desk.visitor.post("/conversations", body).await.ok()["conversation"]["id"].as_str().unwrap().to_owned();
        assert!(view(&desk, &room).await["bot"].is_object(), "the bot comes before the group");
        hand_off(&bot, &room, json!({})).await.ok();
        let seen = view(&desk, &room).await;
        assert_eq!((&seen["status"], &seen["docked"], &seen["bot"]), (&json!("pending"), &json!(true), &Value::Null));
        assert_eq!(kinds(&desk.visitor, &room).await[3..], ["handed_off", "docked"]);
        no_drift(&app).await;
    }

    /// Reports know people only: what a bot answers is no answer, and what it ends was not missed.
    async fn reports_count_people(app: TestApp) {
        let desk = app.desk().await;
        let (_, bot) = bot(&desk).await;
        decide(&desk, json!({"silence_seconds": 3_600})).await.ok();
        let begin = app.clock.now().0;
        let room = desk.open("hello").await;
        app.advance(60_000).await;
        answer(&bot, &room, &version(&bot, &room).await, "good morning").await.status(201);
        desk.visitor.send(&room, "a person please").await;
        app.advance(60_000).await;
        hand_off(&bot, &room, json!({})).await.ok();
        app.advance(30_000).await;
        desk.agent.claim(&room).await;
        app.advance(15_000).await;
        desk.agent.send(&room, "here I am").await;
        let ended = desk.second_visitor.open("another").await;
        bot.post(&format!("/conversations/{ended}/close"), json!({})).await.ok();
        caught_up(&app, desk.tenant).await;
        let log = desk.visitor.log(&room).await;
        let when = |kind: &str| at(log.iter().rfind(|entry| entry["kind"] == kind).unwrap());
        let until = (app.clock.now().0 + 900_000).div_euclid(900_000) * 900_000;
        let number = async |metric: &str, field: &str| {
            let begin = begin.div_euclid(900_000) * 900_000;
            let told = read(&desk.admin, &format!("metric={metric}&by=tenant"), begin, until).await;
            told["data"].as_array().unwrap().iter().map(|row| row[field].as_i64().unwrap_or(0)).sum::<i64>()
        };
        assert_eq!((number("waiting", "count").await, number("missed", "count").await), (1, 0));
        assert_eq!(number("waiting", "mean_ms").await, when("assigned") - when("handed_off"));
        assert_eq!(number("first_response", "mean_ms").await, when("text") - when("handed_off"));
        assert_eq!(number("staff_messages", "count").await, 1);
    }
}
