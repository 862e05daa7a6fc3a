//! What is in an export: every table says it, every row of the tenant is there once, nothing of another tenant, and no secret.

use std::collections::BTreeSet;

use deskwire::db::{AnyConnection, DatabaseKind};
use deskwire::exports::tables::{self, ENTRIES, Exported, LEFT_OUT};
use diesel::connection::SimpleConnection;
use serde_json::{Value, json};

use crate::erasure_left::{MARK, PLANTED, plant, say_everywhere};
use crate::exports::{exported, lines, of};
use crate::harness::{Desk, TestDatabase};
use crate::migrations::columns;

/// A new table or column has to say whether it is in an export.
#[test]
fn every_table_says_what_is_in_an_export() {
    let database = TestDatabase::migrated(DatabaseKind::Sqlite);
    let mut schema = columns(&mut database.connect());
    schema.remove(ENTRIES).unwrap();
    for (table, _) in LEFT_OUT {
        schema.remove(*table).unwrap_or_else(|| panic!("{table} is no table, or is said twice"));
    }
    for table in tables::all() {
        let known =
            schema.remove(table.table).unwrap_or_else(|| panic!("{} is no table, or twice", table.table));
        let said: Vec<&str> = table.columns.iter().chain(table.left_out).copied().collect();
        let distinct: BTreeSet<String> = said.iter().map(|column| (*column).to_owned()).collect();
        assert_eq!(distinct.len(), said.len(), "{}: a column is said twice", table.table);
        assert_eq!(distinct, known.into_iter().collect(), "{}", table.table);
        let secret = ["hash", "secret", "sealed", "password", "refresh", "signature", "token", "key"];
        let named = |column: &&&str| secret.iter().any(|word| column.contains(word));
        let open: Vec<_> = table.columns.iter().filter(named).collect();
        // Keys of events and rules are words; an API key is named by its id; of a dedupe it is a template.
        let harmless = ["key", "api_key_id", "dedupe_key"];
        assert!(open.iter().all(|column| harmless.contains(*column)), "{}: {open:?}", table.table);
    }
    assert!(schema.is_empty(), "not said of: {:?}", schema.keys());
    let kinds: BTreeSet<&str> = tables::all().map(|table| table.kind).collect();
    assert_eq!(kinds.len(), tables::all().count(), "a type for each table");
}

/// Plants a word that nobody may read in every place of secrets that has rows, and rows where it has none.
fn plant_secrets(connection: &mut AnyConnection, desk: &Desk) {
    let (tenant, person) = (desk.tenant.0, desk.visitor.id());
    let statements = [
        format!("UPDATE member SET password_hash = 'zqxsecret' WHERE tenant_id = {tenant}"),
        format!(
            "UPDATE auth_session SET refresh_parent = 'zqxsecret', refresh_siblings = 'zqxsecret' WHERE tenant_id = {tenant}"
        ),
        format!(
            "UPDATE group_message SET client_msg_id = 'words' WHERE tenant_id = {tenant} AND client_msg_id = 'x'"
        ),
        format!(
            "INSERT INTO auth_session (id, tenant_id, member_id, device, user_agent, ip, generation, refresh_current, \
             created_at, last_used_at, expires_at, rev, rotated_at) VALUES (881, {tenant}, {person}, 'd', 'a', 'i', 1, \
             'zqxsecret', 1, 1, 1, 0, 1)"
        ),
        format!(
            "INSERT INTO identity_key (id, tenant_id, kid, sealed_secret, created_at) VALUES (882, {tenant}, 'kid-1', \
             'zqxsecret', 1)"
        ),
        format!(
            "INSERT INTO api_key (id, tenant_id, member_id, name, prefix, secret_hash, operations, networks, last_used_ip, \
             created_by, created_at, updated_at) VALUES (883, {tenant}, 1, 'Shop', 'pre{tenant}', 'zqxsecret', '[]', '[]', \
             '', 1, 1, 1)"
        ),
        format!(
            "INSERT INTO channel_account (id, tenant_id, name, provider, status, sealed_config, host, limit_count, \
             limit_seconds, fail_streak, paused_until, created_at, updated_at) VALUES (884, {tenant}, 'Mail', 'smtp', \
             'disabled', 'zqxsecret', 'h', 1, 1, 0, 0, 1, 1)"
        ),
        format!(
            "INSERT INTO channel_token (account_id, tenant_id, sealed_token, made_for, generation, renew_at, expires_at, \
             lease_until) VALUES (884, {tenant}, 'zqxsecret', 'zqxsecret', 1, 9000000000000000, 9000000000000000, 0)"
        ),
        format!(
            "INSERT INTO message_binding (id, tenant_id, account_id, person_id, created_by, scene_hash, url, status, \
             created_at, expires_at) VALUES (885, {tenant}, 884, {person}, 1, 'zqxsecret', 'https://zqxsecret', 'bound', 1, 1)"
        ),
        format!(
            "INSERT INTO identity_use (tenant_id, token_hash, member_id, expires_at) VALUES ({tenant}, 'zqxsecret', {person}, \
             9000000000000000)"
        ),
    ];
    for statement in statements {
        connection.batch_execute(&statement).unwrap_or_else(|error| panic!("{statement}: {error}"));
    }
}

/// Whether the word stands in a field of a line.
fn says(line: &Value, column: &str) -> bool {
    let text = line[column].to_string().to_lowercase();
    text.contains(MARK) || text.contains("8613877701234")
}

/// The tables of the places that were planted, with the column, as far as they are exported.
fn planted() -> Vec<(&'static str, &'static str, Option<&'static Exported>)> {
    let mut found = Vec::new();
    for place in PLANTED {
        let (name, column) = place.split_once('.').unwrap();
        let table = tables::all().find(|table| table.table == name);
        if name == ENTRIES || table.is_some_and(|table| table.columns.contains(&column)) {
            found.push((name, column, table));
        } else {
            assert!(LEFT_OUT.iter().any(|(table, _)| *table == name), "{place}");
        }
    }
    found
}

on_every_database! {
    /// Everything that is known of a person is in its export and in the tenant's, nothing of it in those of others; and what
    /// is secret is in none.
    async fn what_is_known_is_there_and_nothing_else(app: TestApp) {
        let (desk, other) = (app.desk().await, app.desk().await);
        let room = say_everywhere(&app, &desk).await;
        desk.second_visitor.open("untouched words").await;
        let mut connection = app.database().connect();
        plant(&mut connection, &desk, &room);
        plant_secrets(&mut connection, &desk);
        let whole = lines(&desk.admin, &exported(&desk.admin, None).await).await;
        let person = lines(&desk.admin, &exported(&desk.admin, Some(&desk.visitor.id())).await).await;
        let stranger = lines(&desk.admin, &exported(&desk.admin, Some(&desk.second_visitor.id())).await).await;
        let elsewhere = lines(&other.admin, &exported(&other.admin, None).await).await;
        for (name, column, table) in planted() {
            // What the staff keep for themselves is not given to a customer.
            let is_of_persons = table.is_none_or(Exported::is_of_persons);
            for (whose, lines) in [("whole", &whole), ("person", &person)] {
                if whose == "person" && !is_of_persons {
                    continue;
                }
                let found = match table {
                    Some(table) => of(lines, table.kind).any(|line| says(line, column)),
                    None if column == "sender_name" => lines.iter().any(|line| says(&line["sender"], "nickname")),
                    None => of(lines, "entry").any(|line| says(line, column)),
                };
                assert!(found, "{name}.{column} is not in the {whose} export");
            }
        }
        assert!(of(&person, "backstage_entry").any(|line| says(line, "content")), "the notes about the person");
        assert!(of(&person, "stored_file").all(|line| line["sha256"].as_str().is_some_and(|hash| hash.len() == 64)));
        assert_eq!(of(&person, "stored_file").count(), 2);
        assert_eq!(of(&person, "member").count(), 1);
        assert!(of(&person, "audit_event").count() > 0 && of(&person, "audit_event").all(|line| line["target_id"] == desk.visitor.id() || line["actor_id"] == desk.visitor.id()));
        let person = json!(person).to_string();
        assert!(!person.contains("untouched words"), "another customer's words are in a person's export");
        for (whose, lines) in [("stranger", &stranger), ("elsewhere", &elsewhere)] {
            let text = json!(lines).to_string().to_lowercase();
            assert!(!text.contains(MARK) && !text.contains("8613877701234"), "{whose}");
        }
        assert!(json!(stranger).to_string().contains("untouched words"));
        assert!(json!(whole).to_string().contains("untouched words"));
        for (whose, text) in [("whole", json!(whole).to_string()), ("person", person)] {
            assert!(!text.contains("zqxsecret"), "{whose}");
        }
        let account = of(&whole, "channel_account").next().unwrap();
        assert_eq!((&account["host"], &account["id"]), (&json!("h"), &json!("884")), "{account}");
        assert_eq!(of(&whole, "identity_key").next().unwrap()["kid"], "kid-1");
        assert!(of(&whole, "api_key").any(|key| key["prefix"] == json!(format!("pre{}", desk.tenant.0))));
        assert!(of(&whole, "message_binding").next().is_some() && of(&whole, "session").any(|one| one["id"] == "881"));
        well_formed(&whole);
    }
}

/// Ids are texts, times are times, and JSON is no text.
pub fn well_formed(lines: &[Value]) {
    for line in lines {
        for (name, value) in line.as_object().unwrap() {
            let number = value.as_i64().unwrap_or(0);
            assert!(number.abs() < 1_000_000_000, "{name} is an id or a time: {line}");
            let text = value.as_str().unwrap_or_default();
            assert!(!text.starts_with("{\"") && !text.starts_with("[\""), "{name} is JSON as a text: {line}");
            if name.ends_with("_at") && !value.is_null() {
                assert!(text.contains('T') && text.ends_with('Z'), "{name}: {line}");
            }
        }
    }
}
