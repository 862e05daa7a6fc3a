//! Exports against the store: of every table as many lines as rows, of every log every entry, each once.

use std::collections::{BTreeMap, BTreeSet};

use deskwire::db::AnyConnection;
use deskwire::db::schema::{export, group_message};
use deskwire::domain::entry::{Entry, EntryRow};
use deskwire::domain::export::ExportState;
use deskwire::exports::tables::{self, Exported};
use deskwire::journal::history;
use deskwire::kernel::id::first_id_at;
use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::exports::{content, exported, occupy, of, release, unpacked};
use crate::exports_content::well_formed;
use crate::harness::personas::message;

#[derive(diesel::QueryableByName)]
struct Count {
    #[diesel(sql_type = diesel::sql_types::BigInt)]
    count: i64,
}

/// How many rows of a table the tenant has.
fn count(connection: &mut AnyConnection, table: &Exported, tenant: i64) -> i64 {
    let (name, column) = (table.table, table.tenant_column());
    let sql = format!("SELECT COUNT(*) AS count FROM {name} WHERE {column} = {tenant}");
    let row: Count = match connection {
        #[cfg(feature = "sqlite")]
        AnyConnection::Sqlite(inner) => diesel::sql_query(sql).get_result(inner).unwrap(),
        #[cfg(feature = "postgres")]
        AnyConnection::Postgresql(inner) => diesel::sql_query(sql).get_result(inner).unwrap(),
        #[cfg(feature = "mysql")]
        AnyConnection::Mysql(inner) => diesel::sql_query(sql).get_result(inner).unwrap(),
    };
    row.count
}

/// Many rows of every form of key, more than one statement reads: of each tenant, mixed with the other's.
fn fill(connection: &mut AnyConnection, tenants: [i64; 2], customers: [String; 2]) {
    let mut insert = |into: &str, rows: Vec<String>| {
        for piece in rows.chunks(200) {
            let sql = format!("INSERT INTO {into} VALUES {}", piece.join(", "));
            connection.batch_execute(&sql).unwrap_or_else(|error| panic!("{into}: {error}"));
        }
    };
    let both = |rows: &dyn Fn(i64, i64) -> String, count: i64| -> Vec<String> {
        (0..count * 2).map(|n| rows(n, tenants[(n % 2) as usize])).collect()
    };
    // Old ones would be cleaned up meanwhile.
    let recent = first_id_at(deskwire::kernel::Clock::default().now().0 - 3_600_000);
    insert(
        "conversation (id, tenant_id, kind, customer_id, status, priority, subject, tags, seq, msg_count, recall_count, rev, \
         last_rev, version, customer_read_seq, staff_read_seq, customer_delivered_seq, staff_delivered_seq, created_at, \
         updated_at, last_at, closed_at)",
        both(
            &|n, tenant| {
                let customer = &customers[(n % 2) as usize];
                format!(
                    "({}, {tenant}, 'support', {customer}, 'closed', 'normal', 's{n}', '[]', 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, \
                     1, 1, 1)",
                    10_000 + n
                )
            },
            600,
        ),
    );
    insert(
        "assignment (id, tenant_id, conversation_id, agent_id, reason, note, started_at, ended_at, msg_count)",
        both(
            &|n, tenant| format!("({}, {tenant}, {}, 7, 'claim', '', 1, 2, 0)", 20_000 + n, 10_000 + n),
            600,
        ),
    );
    // Many of one conversation of each.
    insert(
        "transfer (id, tenant_id, conversation_id, note, at, msg_count)",
        both(&|n, tenant| format!("({}, {tenant}, {}, '', 1, 0)", 20_000 + n, 10_000 + n % 2), 600),
    );
    insert(
        "message_revision (conversation_id, seq, revision, tenant_id, kind, content, replaced_by, replaced_at)",
        both(
            &|n, tenant| {
                format!("({}, {}, {}, {tenant}, 'text', '{{}}', 7, 1)", 10_002 + n % 2, n % 9, 10 + n)
            },
            600,
        ),
    );
    // Three rows of each key.
    for metric in ["first_response", "next_response", "resolution"] {
        insert(
            "sla_clock (conversation_id, metric, started_seq, tenant_id, policy_id, started_at, state)",
            both(&|n, tenant| format!("({}, '{metric}', {}, {tenant}, 7, 1, 'met')", 10_000 + n, n % 5), 300),
        );
    }
    insert(
        "message_template_version (template_id, version, tenant_id, content, variables, created_at)",
        both(&|n, tenant| format!("({}, {}, {tenant}, '{{}}', '[]', 1)", 30_000 + n % 2, n), 300),
    );
    insert(
        "message_template (id, tenant_id, name, channel, content, variables, version, changed, created_at, updated_at)",
        both(
            &|n, tenant| {
                format!("({}, {tenant}, 't{n}', 'webhook', '{{}}', '[]', 1, FALSE, 1, 1)", 30_000 + n)
            },
            300,
        ),
    );
    insert(
        "presence_change (id, tenant_id, member_id, at, status, effective_status, reason)",
        both(&|n, tenant| format!("({}, {tenant}, 7, 1, 'online', 'online', '')", recent + n), 600),
    );
    insert(
        "chat_group (id, tenant_id, name, description, rev, created_at, updated_at, deleted_at, serving)",
        both(&|n, tenant| format!("({}, {tenant}, 'g{n}', '', 0, 1, 1, 1, 'agent')", 20_000 + n), 300),
    );
    insert(
        "group_member (group_id, member_id, tenant_id, member_type, rev, created_at, left_at)",
        both(&|n, tenant| format!("({}, {}, {tenant}, 'member', 0, 1, 2)", 20_000 + n % 600, 7 + n), 600),
    );
}

on_every_database! {
    /// Of every table the file has as many lines as the tenant has rows, however they are paged.
    async fn every_row_is_there_once(app: TestApp) {
        let (desk, other) = (app.desk().await, app.desk().await);
        let mut connection = app.database().connect();
        for one in [&desk, &other] {
            one.open_and_claim("hello").await;
        }
        fill(&mut connection, [desk.tenant.0, other.tenant.0], [desk.visitor.id(), other.visitor.id()]);
        let made = exported(&desk.admin, None).await;
        let counts: BTreeMap<&str, i64> = tables::all().map(|table| (table.kind, count(&mut connection, table, desk.tenant.0))).collect();
        let lines = crate::exports::lines(&desk.admin, &made).await;
        let mut found: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
        for line in &lines {
            assert!(found.entry(line["type"].as_str().unwrap()).or_default().insert(line.to_string()), "twice: {line}");
        }
        for (kind, count) in &counts {
            let lines = found.get(kind).map_or(0, BTreeSet::len) as i64;
            assert_eq!(lines, *count, "{kind}");
        }
        assert!(counts["conversation"] > 600 && counts["sla_clock"] >= 900, "{counts:?}");
        well_formed(&lines);

        let made = exported(&desk.admin, Some(&desk.visitor.id())).await;
        let person = crate::exports::lines(&desk.admin, &made).await;
        for kind in ["conversation", "assignment", "transfer", "message_revision", "sla_clock"] {
            let distinct: BTreeSet<String> = of(&person, kind).map(Value::to_string).collect();
            assert_eq!((distinct.len(), of(&person, kind).count() as i64), (counts[kind] as usize, counts[kind]), "{kind}");
        }
        for kind in ["group", "group_member", "message_template", "message_template_version", "presence", "presence_change", "tenant"] {
            assert_eq!(of(&person, kind).count(), 0, "{kind}");
        }
    }

    /// Every entry of every log of the tenant is in the file once, as its readers see it, in the order of revs; what is written
    /// meanwhile makes no difference.
    async fn every_entry_is_there_once(app: TestApp) {
        let (desk, other) = (app.desk().await, app.desk().await);
        let mut rooms = Vec::new();
        for n in 0..3 {
            let room = desk.open_and_claim(&format!("first {n}")).await;
            let texts: Vec<String> = (0..120).map(|m| format!("{n} 说 {m} \"quoted\" \\ \u{7f}")).collect();
            join_all(texts.iter().map(|text| desk.visitor.send(&room, text))).await;
            desk.agent.post(&format!("/conversations/{room}/notes"), message("a note")).await.status(201);
            let sent = desk.visitor.send(&room, "wrong").await;
            let path = format!("/conversations/{room}/messages/{}", sent["seq"]);
            desk.visitor.patch(&path, json!({"kind": "text", "content": {"text": "right"}})).await.ok();
            let sent = desk.visitor.send(&room, "taken back").await;
            desk.visitor.delete(&format!("/conversations/{room}/messages/{}", sent["seq"])).await.ok();
            desk.agent.post(&format!("/conversations/{room}/close"), json!({})).await.ok();
            rooms.push(room);
        }
        let direct = desk.agent.put(&format!("/rooms/direct/{}", desk.second_agent.id()), json!({})).await.ok();
        let direct = direct["id"].as_str().unwrap().to_owned();
        desk.agent.send(&direct, "between us").await;
        other.open_and_claim("elsewhere").await;

        let made = desk.admin.post(crate::exports::PATH, json!({})).await.status(201);
        let late = desk.second_visitor.open("while it is written").await;
        for n in 0..30 {
            desk.second_visitor.send(&late, &format!("late {n}")).await;
        }
        let made = crate::exports::until(&desk.admin, &made, "done").await;
        let bytes = content(&desk.admin, &made, &[]).await.bytes().await.unwrap();
        let lines = unpacked(&bytes);
        let rev = lines[0]["rev"].as_i64().unwrap();
        assert_eq!(lines[0]["tenant_id"], json!(desk.tenant));
        let rows: Vec<EntryRow> = group_message::table
            .filter(group_message::tenant_id.eq(desk.tenant))
            .filter(group_message::rev.le(rev))
            .order((group_message::rev.asc(), group_message::conversation_id.asc(), group_message::seq.asc()))
            .select(EntryRow::as_select())
            .load(&mut app.database().connect())
            .unwrap();
        assert!(rows.len() > 380, "{}", rows.len());
        let expected: Vec<Value> = rows.into_iter().map(|row| json!(Entry::from(row))).collect();
        let bare = |line: &Value| {
            let mut line = line.clone();
            line.as_object_mut().unwrap().remove("type");
            line
        };
        let found: Vec<Value> =
            lines.iter().filter(|line| line["type"].as_str().unwrap().ends_with("entry")).map(bare).collect();
        assert_eq!(found.len(), expected.len());
        for (found, expected) in found.iter().zip(&expected) {
            assert_eq!(found, expected);
        }
        let said: Vec<&Value> = of(&lines, "room_entry").filter(|line| line["content"]["text"] == "between us").collect();
        assert_eq!(said.len(), 1);
        assert!(of(&lines, "backstage_entry").any(|line| line["content"]["text"] == "a note"));
        assert!(!of(&lines, "entry").any(|line| line["content"]["text"] == "a note"));

        // Of the customer: its logs, whole, and no room.
        let made = exported(&desk.admin, Some(&desk.visitor.id())).await;
        let person = crate::exports::lines(&desk.admin, &made).await;
        for room in &rooms {
            let texts: Vec<Value> = of(&person, "entry").filter(|line| line["conversation_id"] == room.as_str()).map(bare).collect();
            assert_eq!(texts, desk.admin.log(room).await, "{room}");
        }
        assert_eq!(of(&person, "backstage_entry").filter(|line| line["content"]["text"] == "a note").count(), 3);
        assert_eq!(of(&person, "room_entry").count(), 0);
        assert!(!json!(person).to_string().contains("late 1"));
    }

    /// What is written after an export was begun is not in it, of the tenant nor of a customer.
    async fn what_comes_later_is_not_in_it(app: TestApp) {
        let desk = app.desk().await;
        let room = desk.open_and_claim("before").await;
        for member in [None, Some(desk.visitor.id())] {
            let mut connection = app.database().connect();
            occupy(&mut connection);
            let made = desk.admin.post(crate::exports::PATH, json!({"member_id": member})).await.status(201);
            let id: i64 = made["id"].as_str().unwrap().parse().unwrap();
            let tenant = desk.tenant;
            let head = app.db.read(move |connection| history::head(connection, tenant)).await.unwrap();
            // It is begun, by a process that does nothing more.
            diesel::update(export::table.filter(export::id.eq(id)))
                .set((export::state.eq(ExportState::Running), export::started_at.eq(1), export::rev.eq(head)))
                .execute(&mut connection)
                .unwrap();
            desk.visitor.send(&room, "after it was begun").await;
            release(&mut connection);
            let made = crate::exports::until(&desk.admin, &made, "done").await;
            let bytes = content(&desk.admin, &made, &[]).await.bytes().await.unwrap();
            let lines = unpacked(&bytes);
            assert_eq!(lines[0]["rev"], json!(head));
            let entries = lines.iter().filter(|line| line["type"].as_str().unwrap().ends_with("entry"));
            let revs: Vec<i64> = entries.map(|line| line["rev"].as_i64().unwrap()).collect();
            assert!(!revs.is_empty() && revs.iter().all(|rev| *rev <= head), "{head}: {revs:?}");
        }
    }
}
