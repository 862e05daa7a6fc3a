//! Concurrency for clients: a conversation's version as `ETag`, and commands that are done at that version only
//! (`If-Match`). How the header is read is tested beside `http::etag`, every order of commands beside
//! `journal::decide`.

use std::collections::BTreeSet;

use deskwire::documents;
use deskwire::http::etag::IF_MATCH_MAX;
use deskwire::journal::{Command, commands};
use deskwire::kernel::Code;
use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};

use crate::groups::{make, put};
use crate::harness::personas::message;
use crate::harness::{Answer, Client, Desk};

/// The operations that take `If-Match`.
const CONDITIONAL: [&str; 13] = [
    "accept_offer",
    "assign_conversation",
    "claim_conversation",
    "close_conversation",
    "decline_offer",
    "dock_conversation",
    "hand_off_conversation",
    "release_conversation",
    "reopen_conversation",
    "take_over_conversation",
    "transfer_conversation",
    "update_conversation",
    "withdraw_transfer",
];

/// What is done to a conversation: the end of the path, and the body.
type Act = (&'static str, Value);

/// Does it with these lines of `If-Match`. Without an end of the path it is a PATCH.
async fn act(who: &Client, room: &str, (what, body): &Act, tags: &[&str]) -> Answer {
    let (method, path) = match *what {
        "" => (Method::PATCH, format!("/conversations/{room}")),
        what => (Method::POST, format!("/conversations/{room}/{what}")),
    };
    let request = who.request(method, &path).json(body);
    Answer::of(tags.iter().fold(request, |request, tag| request.header("if-match", *tag))).await
}

/// A group that the agent is in.
async fn group_of(desk: &Desk) -> String {
    let group = make(desk, "Parcels").await;
    put(&desk.admin, &group, &desk.agent, "member").await;
    group
}

fn change(subject: &str) -> Act {
    ("", json!({"subject": subject}))
}

async fn seen(who: &Client, room: &str) -> Answer {
    who.get(&format!("/conversations/{room}")).await
}

/// Requires a version in the body and as tag, and gives the tag.
#[track_caller]
fn tag_of(answer: &Answer) -> String {
    assert!(answer.status < 300, "{answer}");
    let version = answer.body["version"].as_i64().unwrap_or_else(|| panic!("no version: {answer}"));
    assert_eq!(answer.header("etag"), format!("\"{version}\""), "{answer}");
    answer.header("etag").to_owned()
}

/// Requires the refusal of another version with the state that this view shows.
#[track_caller]
fn mismatch(answer: Answer, view: &Value) {
    let problem = answer.refused(412, "version_mismatch");
    let expected =
        json!({"version": view["version"], "status": view["status"], "agent_id": view["agent"]["id"]});
    assert_eq!((&problem["context"], &problem["retryable"]), (&expected, &json!(false)), "{problem}");
}

/// Everything that staff can see of a conversation.
async fn picture(desk: &Desk, room: &str) -> Vec<Value> {
    let mut all = vec![seen(&desk.admin, room).await.ok()];
    for way in ["entries", "notes", "members", "assignments"] {
        all.push(desk.admin.get(&format!("/conversations/{room}/{way}")).await.ok());
    }
    all
}

/// A life in which every command has something to do: who does it, and what.
fn life<'a>(desk: &'a Desk, group: &str) -> Vec<(&'a Client, Act)> {
    vec![
        (&desk.agent, ("claim", json!({}))),
        (&desk.agent, ("", json!({"subject": "parcel", "priority": "high", "tags": ["vip"]}))),
        (&desk.supervisor, ("assign", json!({"agent_id": desk.second_agent.id(), "note": "speaks Chinese"}))),
        (&desk.supervisor, ("transfer", json!({"agent_id": desk.agent.id(), "note": "knows the carrier"}))),
        (&desk.supervisor, ("take_over", json!({"note": "a complaint"}))),
        (&desk.supervisor, ("dock", json!({"group_id": group, "note": "whoever is here"}))),
        (&desk.supervisor, ("release", json!({"note": "my shift ends"}))),
        (&desk.supervisor, ("close", json!({"reason": "inactive", "note": "silent"}))),
        (&desk.supervisor, ("reopen", json!({}))),
    ]
}

on_every_database! {
    /// The tag is the version, wherever one conversation is shown to staff and nowhere else. Commands move it, messages
    /// and positions do not.
    async fn staff_get_the_version_as_tag(app: TestApp) {
        let desk = app.desk().await;
        let group = group_of(&desk).await;
        let opened = desk.visitor.post("/conversations", json!({"message": message("help")})).await;
        assert_eq!(opened.header("etag"), "");
        let room = opened.ok()["conversation"]["id"].as_str().unwrap().to_owned();
        let mut tag = tag_of(&seen(&desk.agent, &room).await);
        for (who, command) in life(&desk, &group) {
            let answer = act(who, &room, &command, &[]).await;
            let new = tag_of(&answer);
            assert_ne!(new, tag, "{}", command.0);
            assert_eq!(tag_of(&seen(&desk.admin, &room).await), new);
            assert_eq!(tag_of(&act(who, &room, &command, &[]).await), new, "nothing to do: {}", command.0);
            tag = new;
        }
        desk.agent.claim(&room).await;
        let tag = tag_of(&seen(&desk.agent, &room).await);
        let path = format!("/conversations/{room}");
        let head = Answer::of(desk.agent.request(Method::HEAD, &path)).await;
        assert_eq!((head.status, head.header("etag")), (200, tag.as_str()));

        desk.visitor.send(&room, "still there?").await;
        let note = desk.agent.post(&format!("{path}/notes"), message("careful")).await.ok();
        for (what, body) in [("read", json!({})), ("delivered", json!({"seq": 2})), ("mark_unread", json!({"seq": 1}))] {
            assert_eq!(desk.agent.post(&format!("{path}/{what}"), body).await.header("etag"), "");
        }
        let answer = seen(&desk.agent, &room).await;
        assert_eq!(tag_of(&answer), tag);
        // What the tag does not cover has changed, so it is not good for a cache.
        let known = desk.agent.request(Method::GET, &path).header("if-none-match", &tag);
        let known = Answer::of(known).await;
        assert_eq!((known.status, known.header("cache-control")), (200, "no-store"));

        let notes = note["entry"]["conversation_id"].as_str().unwrap();
        let backstage = seen(&desk.agent, notes).await;
        assert_eq!((backstage.status, backstage.header("etag")), (200, ""));
        for way in ["/conversations".to_owned(), format!("{path}/members"), format!("{path}/messages")] {
            let answer = desk.agent.get(&way).await;
            assert_eq!((answer.status, answer.header("etag")), (200, ""), "{way}");
        }
    }

    /// Each command at another version does nothing, and tells the state that a client would have to fetch; at the
    /// version that it tells, it is done.
    async fn a_command_is_done_at_its_version_only(app: TestApp) {
        let desk = app.desk().await;
        let group = group_of(&desk).await;
        let room = desk.open("help").await;
        desk.supervisor.post(&format!("/conversations/{room}/notes"), message("note")).await.ok();
        // Something has changed since the first look, so that 1 is a version that was.
        act(&desk.supervisor, &room, &change("first"), &[]).await.ok();
        for (who, command) in life(&desk, &group) {
            let before = picture(&desk, &room).await;
            let version = before[0]["version"].as_i64().unwrap();
            let (next, weak) = (format!("\"{}\"", version + 1), format!("W/\"{version}\""));
            for tags in [
                &["\"1\""][..], &[&next], &[&weak], &["\"\""], &["\"0\""], &["\"-1\""], &["\"abc\", \"1\""], &["\"1\"", &weak],
            ] {
                mismatch(act(who, &room, &command, tags).await, &before[0]);
            }
            assert_eq!(picture(&desk, &room).await, before, "{} was done", command.0);
            let list = format!("\"1\", \"{version}\" ,\"9\"");
            let done = act(who, &room, &command, &[&list]).await;
            assert_eq!(tag_of(&done), next, "{}", command.0);
        }
    }

    /// What is no header of this kind is a refusal of the request, and nothing is done.
    async fn malformed_headers_are_refused(app: TestApp) {
        let desk = app.desk().await;
        let group = group_of(&desk).await;
        let room = desk.open_and_claim("help").await;
        let tag = tag_of(&seen(&desk.agent, &room).await);
        let bare = tag.trim_matches('"').to_owned();
        let (long, longest) = (" ".repeat(IF_MATCH_MAX - tag.len() + 1) + &tag, "x".repeat(60_000));
        let long = format!("\"x\",{long}");
        let longest = format!("{tag}, \"{longest}\"");
        for tags in [
            &[bare.as_str()][..], &[""], &[","], &["\"7"], &["*, *"], &["*", "*"], &[&tag, "*"], &[&tag, &bare], &[&long], &[&longest],
        ] {
            for (who, command) in life(&desk, &group) {
                let refused = act(who, &room, &command, tags).await.refused(400, "invalid_parameter");
                assert!(refused["detail"].as_str().unwrap().starts_with("If-Match: "), "{refused}");
                // Also where the id is nobody's business: a form says nothing of what is there.
                act(who, "1", &command, tags).await.refused(400, "invalid_parameter");
            }
        }
        assert_eq!(tag_of(&seen(&desk.agent, &room).await), tag);
        let star = act(&desk.agent, &room, &change("any"), &["*"]).await;
        let twice = act(&desk.agent, &room, &change("twice"), &["\"1\"", &tag_of(&star)]).await;
        tag_of(&twice);
    }

    /// A client that lost the answer sends the same again, and gets the state that it asked for; nothing is done twice.
    async fn a_lost_answer_can_be_asked_for_again(app: TestApp) {
        let desk = app.desk().await;
        let group = group_of(&desk).await;
        let room = desk.open("help").await;
        for (who, command) in life(&desk, &group) {
            let tag = tag_of(&seen(&desk.admin, &room).await);
            let first = act(who, &room, &command, &[&tag]).await;
            let done = picture(&desk, &room).await;
            for _ in 0..2 {
                let again = act(who, &room, &command, &[&tag]).await;
                assert_eq!((tag_of(&again), &again.body), (tag_of(&first), &first.body), "{}", command.0);
            }
            assert_eq!(picture(&desk, &room).await, done);
            // The same version for something else is outdated.
            let other = ("", json!({"subject": format!("after {}", command.0)}));
            mismatch(act(&desk.supervisor, &room, &other, &[&tag]).await, &done[0]);
        }
        // Somebody else changed it since: the repeated claim is another claim.
        let tag = tag_of(&seen(&desk.agent, &room).await);
        act(&desk.agent, &room, &("claim", json!({})), &[&tag]).await.ok();
        let released = act(&desk.supervisor, &room, &("release", json!({})), &[]).await.ok();
        mismatch(act(&desk.agent, &room, &("claim", json!({})), &[&tag]).await, &released);
    }

    /// Of many clients with one tag exactly one wins, on every process of the database; the others learn the state.
    async fn of_many_with_one_tag_one_wins(app: TestApp) {
        let desk = app.desk().await;
        let other = if app.kind().is_server() { app.second().await } else { app.clone() };
        let there = other.desk_of(desk.seed);
        let room = desk.open_and_claim("help").await;
        let callers = [&desk.supervisor, &desk.admin, &there.supervisor, &there.admin];
        for round in 0..6 {
            let before = seen(&desk.admin, &room).await;
            let (tag, room) = (tag_of(&before), &room);
            let tags = [tag.as_str()];
            // Changes, transfers and ends at once: each has something to do whoever comes first.
            let commands: Vec<Act> = (0..12)
                .map(|index| match index % 3 {
                    0 => change(&format!("round {round}, {index}")),
                    1 => ("assign", json!({"agent_id": callers[index % 2].id(), "note": format!("{round}")})),
                    _ => ("release", json!({"note": format!("{round}, {index}")})),
                })
                .collect();
            let all = commands.iter().enumerate();
            let answers = join_all(all.map(|(index, command)| act(callers[index % 4], room, command, &tags))).await;
            let after = seen(&desk.admin, room).await.ok();
            assert_eq!(after["version"].as_i64().unwrap(), before.body["version"].as_i64().unwrap() + 1);
            let won: Vec<usize> = (0..12).filter(|index| answers[*index].status == 200).collect();
            // Who asked for the very same finds it done.
            assert!(!won.is_empty() && won.iter().all(|index| index % 3 == won[0] % 3), "{won:?}");
            assert!(!won[0].is_multiple_of(3) || won.len() == 1, "{won:?}");
            for (index, answer) in answers.into_iter().enumerate() {
                if !won.contains(&index) {
                    mismatch(answer, &after);
                }
            }
            desk.supervisor.post(&format!("/conversations/{room}/assign"), json!({"agent_id": desk.agent.id()})).await.ok();
        }
    }

    /// In one batch too: the version that counts is the one that the command before has left, not the stored one.
    async fn within_a_batch_one_wins(app: TestApp) {
        let desk = app.desk().await;
        let room = app.open_room(desk.seed.visitor).await;
        let name = |index: usize| Some(format!("subject {index}"));
        let update = |index: usize| {
            let update = commands::Update { subject: name(index), ..commands::Update::of(room) };
            let at_first = deskwire::domain::conversation::IfVersion(vec![1]);
            Command::new(desk.seed.supervisor, update).based_on(Some(at_first))
        };
        let answers = app.submit_all((0..40).map(update).collect()).await;
        assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 1);
        let codes: Vec<_> = answers.into_iter().filter_map(Result::err).map(|error| error.code).collect();
        assert_eq!(codes, vec![Code::VersionMismatch; 39]);
    }

    /// Of agents who claim with one tag the first gets it; the others learn the holder as without a tag, and later
    /// nothing.
    async fn a_claim_that_lost_names_the_holder(app: TestApp) {
        let desk = app.desk().await;
        let room = desk.open("help").await;
        let tag = tag_of(&seen(&desk.agent, &room).await);
        let (claim, tags) = (("claim", json!({})), [tag.as_str()]);
        let callers = [&desk.agent, &desk.second_agent, &desk.supervisor, &desk.admin];
        let answers = join_all(callers.iter().map(|who| act(who, &room, &claim, &tags))).await;
        let winner = (0..4).find(|index| answers[*index].status == 200).expect("somebody won");
        for (index, answer) in answers.into_iter().enumerate().filter(|(index, _)| *index != winner) {
            let lost = answer.refused(409, "already_assigned");
            assert_eq!(lost["context"]["agent_id"], callers[winner].id(), "{index}");
        }
        app.advance(11_000).await;
        let outside = if winner == 0 { &desk.second_agent } else { &desk.agent };
        act(outside, &room, &claim, &[&tag]).await.refused(404, "not_found");
        act(outside, &room, &claim, &["\"2\""]).await.refused(404, "not_found");
    }

    /// No right comes before the version: who may not see the conversation, or not do this, learns nothing of it.
    async fn a_version_tells_strangers_nothing(app: TestApp) {
        let (desk, rival) = (app.desk().await, app.desk().await);
        let group = group_of(&desk).await;
        let room = desk.open("help").await;
        // Seen while it waits, but not a member's.
        act(&desk.agent, &room, &change("mine"), &["\"9\""]).await.refused(403, "not_a_member");
        desk.agent.claim(&room).await;
        let note = desk.agent.post(&format!("/conversations/{room}/notes"), message("note")).await.ok();
        let notes = note["entry"]["conversation_id"].as_str().unwrap();
        let present = tag_of(&seen(&desk.agent, &room).await);
        app.advance(11_000).await;
        for tag in ["\"1\"", &present, "*", "\"\""] {
            for (_, command) in life(&desk, &group) {
                for who in [&rival.agent, &rival.supervisor, &rival.admin] {
                    act(who, &room, &command, &[tag]).await.refused(404, "not_found");
                    act(who, notes, &command, &[tag]).await.refused(404, "not_found");
                }
                act(&desk.second_agent, &room, &command, &[tag]).await.refused(404, "not_found");
                act(&desk.supervisor, notes, &command, &[tag]).await.refused(403, "forbidden");
                if !matches!(command.0, "close" | "reopen") {
                    act(&desk.visitor, &room, &command, &[tag]).await.refused(403, "forbidden");
                }
                act(&desk.anonymous, &room, &command, &[tag]).await.refused(401, "unauthenticated");
            }
            for what in ["close", "reopen"] {
                for who in [&desk.second_visitor, &rival.visitor] {
                    act(who, &room, &(what, json!({})), &[tag]).await.refused(404, "not_found");
                }
            }
            act(&desk.agent, &room, &("assign", json!({"agent_id": desk.agent.id()})), &[tag]).await.refused(403, "forbidden");
        }
        assert_eq!(tag_of(&seen(&desk.agent, &room).await), present);
    }

    /// A customer is shown no version and cannot find it out by asking: the version moves with what only the staff may
    /// know.
    async fn a_customer_learns_no_version(app: TestApp) {
        let desk = app.desk().await;
        let room = desk.open_and_claim("help").await;
        let own = seen(&desk.visitor, &room).await;
        assert_eq!((own.status, own.header("etag"), &own.body["version"]), (200, "", &Value::Null));
        let present = tag_of(&seen(&desk.agent, &room).await);
        let close = ("close", json!({}));
        let told = json!({"status": "pending", "agent_id": desk.agent.id()});
        let mut answers = BTreeSet::new();
        for tag in ["\"1\"", &present, "\"99\"", "\"\""] {
            let problem = act(&desk.visitor, &room, &close, &[tag]).await.refused(412, "version_mismatch");
            assert_eq!(problem["context"], told, "{problem}");
            answers.insert(problem["detail"].as_str().unwrap().to_owned());
        }
        assert_eq!(answers.len(), 1, "{answers:?}");
        assert_eq!(tag_of(&seen(&desk.agent, &room).await), present);
        for (what, tag, status) in [("close", "*", "closed"), ("close", "\"1\"", "closed"), ("reopen", "*", "open"), ("reopen", "\"1\"", "open")] {
            let answer = act(&desk.visitor, &room, &(what, json!({})), &[tag]).await;
            assert_eq!((answer.status, answer.header("etag"), &answer.body["status"]), (200, "", &json!(status)), "{answer}");
        }
    }
}

/// The document says which operations take the header, that none asks for it, and what a mismatch answers.
#[test]
fn the_document_names_both_headers() {
    let document = documents::openapi::document(deskwire::routes::configure);
    let operations = document["paths"].as_object().unwrap().values();
    let operations = operations.flat_map(|item| item.as_object().unwrap().values());
    let (mut conditional, mut tagged) = (BTreeSet::new(), BTreeSet::new());
    for operation in operations {
        let id = operation["operationId"].as_str().unwrap();
        if operation["responses"]["200"]["headers"]["ETag"].is_object() {
            tagged.insert(id);
        }
        let parameters = operation["parameters"].as_array().into_iter().flatten();
        for parameter in parameters.filter(|one| one["name"] == "If-Match") {
            conditional.insert(id);
            assert_eq!((&parameter["in"], &parameter["required"]), (&json!("header"), &json!(false)), "{id}");
            assert_eq!(parameter["schema"]["maxLength"], IF_MATCH_MAX, "{id}");
        }
        let refusal = operation["responses"]["412"]["$ref"].as_str();
        assert_eq!(refusal.is_some(), conditional.contains(id), "{id}");
    }
    assert_eq!(conditional, BTreeSet::from(CONDITIONAL));
    tagged.remove("get_conversation");
    assert_eq!(tagged, conditional);
    let refusal = &document["components"]["responses"]["PreconditionFailed"];
    assert_eq!(refusal["x-problem-codes"], json!(["version_mismatch"]));
}
