//! What is left of an erased person: nothing, wherever it stood. A word that nobody else uses is planted in every place that
//! may hold a person's data, and looked for in every column of every table and in every file.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use deskwire::db::schema::{group_message, search_posting, search_term};
use deskwire::db::{AnyConnection, DatabaseKind};
use deskwire::domain::entry::MESSAGE;
use deskwire::erasure::tables::TABLES;
use deskwire::kernel::ConversationId;
use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::sql_types::BigInt;
use serde_json::{Value, json};

use crate::attachments::{carrying, send, uploaded};
use crate::harness::{Desk, TestApp, TestDatabase, eventually};
use crate::migrations::columns;

/// The word.
pub const MARK: &str = "zqxmarker";
/// The telephone number.
const PHONE: &str = "+8613877701234";

#[derive(diesel::QueryableByName)]
struct Count {
    #[diesel(sql_type = BigInt)]
    count: i64,
}

/// The columns in which the word or the number stands, as `table.column`.
pub fn found(connection: &mut AnyConnection) -> BTreeSet<String> {
    let (quote, text) = match connection {
        #[cfg(feature = "mysql")]
        AnyConnection::Mysql(_) => ('`', "CHAR"),
        _ => ('"', "TEXT"),
    };
    let mut all = BTreeSet::new();
    for (table, columns) in columns(connection) {
        for column in columns {
            let value = format!("LOWER(CAST({quote}{column}{quote} AS {text}))");
            let sql = format!(
                "SELECT COUNT(*) AS count FROM {quote}{table}{quote} \
                 WHERE {value} LIKE '%{MARK}%' OR {value} LIKE '%{}%'",
                PHONE.trim_start_matches('+')
            );
            let rows: Count = match connection {
                #[cfg(feature = "sqlite")]
                AnyConnection::Sqlite(inner) => diesel::sql_query(sql).get_result(inner).unwrap(),
                #[cfg(feature = "postgres")]
                AnyConnection::Postgresql(inner) => diesel::sql_query(sql).get_result(inner).unwrap(),
                #[cfg(feature = "mysql")]
                AnyConnection::Mysql(inner) => diesel::sql_query(sql).get_result(inner).unwrap(),
            };
            if rows.count > 0 {
                all.insert(format!("{table}.{column}"));
            }
        }
    }
    all
}

/// The files below a folder in which the word stands.
pub fn files_with_the_word(folder: &Path) -> Vec<String> {
    let mut all = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            all.extend(files_with_the_word(&path));
        } else if std::fs::read(&path).unwrap().windows(MARK.len()).any(|bytes| bytes == MARK.as_bytes()) {
            all.push(path.display().to_string());
        }
    }
    all
}

/// Waits until an erasure is done; gives it.
pub async fn done(by: &crate::harness::Client, erasure: &Value) -> Value {
    let path = format!("/erasures/{}", erasure["id"].as_str().unwrap());
    eventually("the erasure is done", || async {
        let erasure = by.get(&path).await.ok();
        (erasure["state"] == "done").then_some(erasure)
    })
    .await
}

/// Says it over the interface: profile, conversation, notes, files, rating, audit log, ban, recipient.
pub async fn say_everywhere(app: &TestApp, desk: &Desk) -> String {
    let (visitor, agent, admin) = (&desk.visitor, &desk.agent, &desk.admin);
    let me = format!("/members/{}", visitor.id());
    admin.patch(&me, json!({"nickname": format!("Ms {MARK}"), "mobile": PHONE})).await.ok();
    admin
        .patch(&me, json!({"email": format!("{MARK}@shop.example"), "external_id": format!("id-{MARK}")}))
        .await
        .ok();
    let room = visitor.open(&format!("first {MARK}")).await;
    agent.claim(&room).await;
    let sent = visitor.send(&room, &format!("wrong {MARK}")).await;
    let seq = &sent["seq"];
    visitor
        .patch(
            &format!("/conversations/{room}/messages/{seq}"),
            json!({"kind": "text", "content": {"text": format!("right {MARK}")}}),
        )
        .await
        .ok();
    let sent = visitor.send(&room, &format!("taken back {MARK}")).await;
    visitor.delete(&format!("/conversations/{room}/messages/{}", sent["seq"])).await.ok();
    agent.send(&room, &format!("dear Ms {MARK}")).await;
    let note = crate::harness::personas::message(&format!("she is {MARK}"));
    agent.post(&format!("/conversations/{room}/notes"), note).await.status(201);
    for target in ["conversation", "customer"] {
        let attribute = json!({"target": target, "key": "note", "title": "Note", "kind": "text"});
        admin.post("/attributes", attribute).await.status(201);
    }
    let values = json!({"attributes": {"note": format!("knows {MARK}")}});
    agent.patch(&format!("{me}/attributes"), values).await.ok();
    let change = json!({
        "subject": format!("about {MARK}"), "tags": [MARK], "attributes": {"note": format!("it is {MARK}")},
    });
    agent.patch(&format!("/conversations/{room}"), change).await.ok();
    let file = uploaded(visitor, &format!("{MARK}.txt"), format!("bytes of {MARK}").as_bytes()).await;
    send(visitor, &room, &carrying("file", &file)).await.status(201);
    uploaded(visitor, &format!("unused {MARK}.txt"), format!("unused {MARK}").as_bytes()).await;
    let transfer = json!({"agent_id": desk.second_agent.id(), "note": format!("she is {MARK}")});
    desk.supervisor.post(&format!("/conversations/{room}/transfer"), transfer).await.ok();
    let close = json!({"note": format!("bye {MARK}")});
    desk.second_agent.post(&format!("/conversations/{room}/close"), close).await.ok();
    let rating = json!({"score": 2, "comment": format!("bad {MARK}")});
    visitor.put(&format!("/conversations/{room}/rating"), rating).await.ok();
    // Another one, open when the person goes.
    visitor.open(&format!("second {MARK}")).await;
    for (name, value) in [
        (format!("Of {MARK}@shop.example"), "x".to_owned()),
        ("Hers".to_owned(), format!("{MARK}@shop.example")),
    ] {
        let filter = json!({"any": [{"field": "subject", "operator": "contains", "value": value}]});
        agent.post("/saved-filters", json!({"name": name, "filter": filter})).await.status(201);
    }
    let ban = json!({"kind": "email", "value": format!("{MARK}@shop.example"), "expires_at": app.clock.now().plus(60_000)});
    admin.post("/bans", ban).await.status(201);
    room
}

/// Puts it into what other systems bring and what needs providers, row by row.
pub fn plant(connection: &mut AnyConnection, desk: &Desk, room: &str) {
    let (tenant, person) = (desk.tenant.0, desk.visitor.id());
    let key = match connection {
        #[cfg(feature = "mysql")]
        AnyConnection::Mysql(_) => "`key`",
        _ => "\"key\"",
    };
    let long = format!("'{{\"text\":\"{MARK}\"}}'");
    let send = |id: i64, event: i64, to: &str| {
        format!(
            "INSERT INTO message_send (id, tenant_id, event_id, step, rule_id, template_id, template_version, account_id, \
             priority, status, body, number, attempts, slowed, may_duplicate, next_at, lease_until, last_error, created_at, \
             updated_at, recipient_type, recipient_id, address) VALUES ({id}, {tenant}, {event}, 's{id}', 1, 1, 1, 1, 1, \
             'success', {long}, 1, 1, 0, FALSE, 0, 0, 'no {MARK}', 1, 1, 'customer', {to}, '{MARK}@shop.example')"
        )
    };
    let event = |id: i64, customer: &str| {
        format!(
            "INSERT INTO message_event (id, tenant_id, {key}, payload, created_at, expanded_at, customer_id) \
             VALUES ({id}, {tenant}, 'order.paid', {long}, 1, 1, {customer})"
        )
    };
    let statements = [
        event(901, &person),
        send(902, 901, "7"),
        // An event about nobody that was told to the person.
        event(903, "NULL").replace(MARK, "somebody"),
        send(904, 903, &person),
        send(905, 903, "906"),
        format!(
            "INSERT INTO message_attempt (send_id, number, tenant_id, account_id, phase, message, started_at) \
             VALUES (904, 1, {tenant}, 1, 'ended', 'no {MARK}', 1)"
        ),
        format!(
            "INSERT INTO message_receipt (id, tenant_id, account_id, dedupe, send_id, status, message, received_at) \
             VALUES (907, {tenant}, 1, 'd907', 904, 'delivered', 'for {MARK}', 1)"
        ),
        format!(
            "INSERT INTO message_fallback (send_id, tenant_id, template_id, template_version, account_id, triggers, \
             quiet_hours, ttl_seconds, body, fault) VALUES (904, {tenant}, 1, 1, 1, '[]', 'ignore', 0, {long}, '')"
        ),
        format!(
            "INSERT INTO message_recipient (id, tenant_id, member_id, name, phone, email, time_zone, status, created_at, \
             updated_at, locale) VALUES (906, {tenant}, {person}, 'Ms {MARK}', '{PHONE}', '{MARK}@home.example', 'UTC', \
             'enabled', 1, 1, '')"
        ),
        format!(
            "INSERT INTO message_recipient (id, tenant_id, name, phone, email, time_zone, status, created_at, updated_at, \
             deleted_at, locale) VALUES (916, {tenant}, 'Old {MARK}', '{PHONE}', '', 'UTC', 'enabled', 1, 1, 1, '')"
        ),
        format!(
            "INSERT INTO message_identity (id, tenant_id, account_id, person_id, openid, created_at, updated_at) \
             VALUES (908, {tenant}, 1, 906, 'open-{MARK}', 1, 1)"
        ),
        format!(
            "INSERT INTO message_suppression (id, tenant_id, channel, address, reason, created_at) \
             VALUES (909, {tenant}, 'email', '{MARK}@shop.example', 'bounced', 1)"
        ),
        format!(
            "INSERT INTO message_opt_out (id, tenant_id, person_id, channel, priority, source, created_at) \
             VALUES (910, {tenant}, {person}, 'email', 'all', 'person', 1)"
        ),
        format!(
            "INSERT INTO message_digest (id, tenant_id, rule_id, hash, customer_id, event_count, bytes, created_at, due_at) \
             VALUES (911, {tenant}, 1, 'h', {person}, 1, 1, 1, {})",
            i64::MAX
        ),
        format!(
            "INSERT INTO message_digest_event (digest_id, event_id, tenant_id) VALUES (911, 901, {tenant})"
        ),
        format!(
            "INSERT INTO notification (id, tenant_id, member_id, send_id, title, body, created_at, rev) \
             VALUES (912, {tenant}, {}, 902, 'Ms {MARK}', 'wrote {MARK}', 1, 0)",
            desk.agent.id()
        ),
        format!(
            "INSERT INTO notification (id, tenant_id, member_id, send_id, title, body, created_at, rev) \
             VALUES (913, {tenant}, {person}, 999, 'Dear {MARK}', 'yours', 1, 0)"
        ),
        format!(
            "INSERT INTO import_row (tenant_id, source, source_table, source_key, target_id, created_at) \
             VALUES ({tenant}, 'shop', 'member', 'uid-{MARK}', {person}, 1)"
        ),
        format!(
            "INSERT INTO import_row (tenant_id, source, source_table, source_key, target_id, created_at) \
             VALUES ({tenant}, 'shop', 'chat', 'chat-{MARK}', {room}, 1)"
        ),
        format!(
            "INSERT INTO audit_event (id, tenant_id, actor_id, actor_name, action, target_type, target_id, facts_before, \
             facts_after, ip, request_id, created_at) VALUES (914, {tenant}, {person}, 'Ms {MARK}', 'delete', \
             'message_suppression', 1, '{{\"address\":\"{MARK}@shop.example\"}}', '{{}}', '203.0.113.9', '', 1)"
        ),
        format!("UPDATE auth_session SET user_agent = 'Phone of {MARK}' WHERE member_id = {person}"),
        format!("UPDATE assignment SET note = 'for {MARK}' WHERE conversation_id = {room}"),
        format!(
            "INSERT INTO offer (id, tenant_id, conversation_id, agent_id, state, offered_at, expires_at, ended_at, rev, note) \
             VALUES (915, {tenant}, {room}, {}, 'declined', 1, 1, 1, 0, 'take {MARK}')",
            desk.agent.id()
        ),
    ];
    for statement in statements {
        connection.batch_execute(&statement).unwrap_or_else(|error| panic!("{statement}: {error}"));
    }
}

/// Where the word has to stand before, or the test looks at nothing.
pub const PLANTED: &[&str] = &[
    "assignment.note",
    "attachment.name",
    "audit_event.actor_name",
    "audit_event.facts_after",
    "audit_event.facts_before",
    "auth_session.user_agent",
    "ban.value",
    "conversation.subject",
    "conversation.tags",
    "conversation_attribute.text_value",
    "customer_attribute.text_value",
    "group_message.content",
    "group_message.sender_name",
    "import_row.source_key",
    "member.email",
    "member.external_id",
    "member.mobile",
    "member.nickname",
    "message_attempt.message",
    "message_event.payload",
    "message_fallback.body",
    "message_identity.openid",
    "message_receipt.message",
    "message_recipient.email",
    "message_recipient.name",
    "message_recipient.phone",
    "message_revision.content",
    "message_send.address",
    "message_send.body",
    "message_send.last_error",
    "message_suppression.address",
    "notification.body",
    "notification.title",
    "offer.note",
    "rating.comment",
    "saved_filter.filter",
    "saved_filter.name",
    "transfer.note",
];

/// The revs that the search index names.
fn indexed(connection: &mut AnyConnection) -> BTreeSet<i64> {
    let rows: Vec<(i64, Vec<u8>)> = search_posting::table
        .select((search_posting::chunk, search_posting::postings))
        .load(connection)
        .unwrap();
    let rev = |chunk: i64, word: &[u8]| chunk << 14 | i64::from(u16::from_le_bytes([word[2], word[3]]));
    rows.iter().flat_map(|(chunk, blob)| blob.chunks(4).map(|word| rev(*chunk, word))).collect()
}

on_every_database! {
    /// Nothing is found of an erased person; what others said and are called is untouched.
    async fn nothing_of_the_person_is_left(app: TestApp) {
        let desk = app.desk().await;
        let other = desk.second_visitor.open("untouched words").await;
        let room = say_everywhere(&app, &desk).await;
        let mut connection = app.database().connect();
        let logs: Vec<i64> = group_message::table
            .filter(group_message::conversation_id.ne(ConversationId(other.parse().unwrap())))
            .filter(group_message::message_type.eq(MESSAGE))
            .select(group_message::rev)
            .load(&mut connection)
            .unwrap();
        eventually("the words are indexed", || async {
            let hits = desk.admin.get("/search/messages?q=right").await.ok();
            let terms: i64 = search_term::table.count().get_result(&mut app.database().connect()).unwrap();
            let revs = indexed(&mut app.database().connect());
            (hits["data"].as_array().unwrap().len() == 1 && terms > 0 && logs.iter().any(|rev| revs.contains(rev))).then_some(())
        })
        .await;
        plant(&mut connection, &desk, &room);
        let before = found(&mut connection);
        let missing: Vec<_> = PLANTED.iter().filter(|place| !before.contains(**place)).collect();
        assert!(missing.is_empty(), "not planted: {missing:?}");
        assert!(!files_with_the_word(&app.database().files()).is_empty());
        let entries: Vec<(i64, i64)> = seqs(&mut connection);

        let erasure = desk.admin.post("/erasures", json!({"member_id": desk.visitor.id()})).await.status(201);
        let receipt = done(&desk.admin, &erasure).await;
        assert_eq!(found(&mut connection), BTreeSet::new(), "{receipt}");
        assert_eq!(files_with_the_word(&app.database().files()), Vec::<String>::new());
        if let Some(folder) = app.database().folder() {
            assert_eq!(files_with_the_word(&folder), Vec::<String>::new(), "free pages and the log of the database");
        }
        let revs = indexed(&mut connection);
        assert!(logs.iter().all(|rev| !revs.contains(rev)), "{logs:?} in {revs:?}");
        let receipt: BTreeMap<String, i64> = receipt["receipt"].as_array().unwrap().iter()
            .map(|one| (one["table"].as_str().unwrap().to_owned(), one["rows"].as_i64().unwrap()))
            .collect();
        for table in PLANTED.iter().map(|place| place.split('.').next().unwrap()).filter(|table| *table != "conversation") {
            assert!(receipt.get(table).is_some_and(|rows| *rows > 0), "{table}: {receipt:?}");
        }
        assert!(receipt["search_posting"] > 0 && receipt["search_term"] > 0, "{receipt:?}");

        // A fingerprint of short words can be guessed.
        let guessable: i64 = group_message::table
            .filter(group_message::erased_at.is_not_null())
            .filter(group_message::body_hash.is_not_null().or(group_message::client_msg_id.is_not_null()))
            .count()
            .get_result(&mut connection)
            .unwrap();
        assert_eq!(guessable, 0);

        // The numbering stays: everything that was there is there, and only notices came.
        let after = seqs(&mut connection);
        assert!(entries.iter().all(|place| after.contains(place)), "{entries:?} {after:?}");
        app.audit().await;
        assert_eq!(desk.second_visitor.log(&other).await[1]["content"]["text"], "untouched words");
        let hits = desk.admin.get("/search/messages?q=untouched").await.ok();
        assert_eq!(hits["data"].as_array().unwrap().len(), 1);
        let tenant = desk.tenant;
        let report = app.db.read(move |connection| deskwire::sync::verify::recompute_all(connection, Some(tenant))).await.unwrap();
        assert_eq!(report.drift, 0, "{:?}", report.told);
    }
}

fn seqs(connection: &mut AnyConnection) -> Vec<(i64, i64)> {
    let rows: Vec<(ConversationId, i64)> = group_message::table
        .select((group_message::conversation_id, group_message::seq))
        .load(connection)
        .unwrap();
    rows.into_iter().map(|(id, seq)| (id.0, seq)).collect()
}

/// A new table has to say what becomes of a person's data in it.
#[test]
fn every_table_says_what_an_erasure_does() {
    let database = TestDatabase::migrated(DatabaseKind::Sqlite);
    let tables: BTreeSet<String> = columns(&mut database.connect()).into_keys().collect();
    let listed: Vec<&str> = TABLES.iter().map(|(table, _)| *table).collect();
    assert!(listed.is_sorted(), "in the order of the alphabet");
    let listed: BTreeSet<String> = listed.into_iter().map(str::to_owned).collect();
    assert_eq!(listed, tables);
}
