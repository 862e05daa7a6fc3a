//! `deskwire import` as operators type it: refusals, the report, and runs that are killed and repeated; and that the table of
//! what becomes of each column is complete.

use std::process::Stdio;
use std::time::Duration;

use deskwire::db::DatabaseKind;
use deskwire::db::schema::{conversation, group_message, import_row, member};
use deskwire::domain::conversation::ConversationStatus;
use deskwire::import::tables::{TABLES, markdown};
use diesel::prelude::*;
use serde_json::Value;

use crate::command_line::{done, failed};
use crate::harness::audit::audit;
use crate::harness::process::{kills, program};
use crate::harness::{TestDatabase, servers};
use crate::import::sources;

/// How much stands in the store: accounts, conversations, entries, rows of the ledger, and conversations that were not told
/// where they stand.
fn sizes(database: &TestDatabase) -> [i64; 5] {
    let mut connection = database.connect();
    let under_way = conversation::table
        .filter(conversation::status.eq(ConversationStatus::Closed))
        .filter(conversation::closed_at.is_null());
    [
        member::table.count().get_result(&mut connection).unwrap(),
        conversation::table.count().get_result(&mut connection).unwrap(),
        group_message::table.count().get_result(&mut connection).unwrap(),
        import_row::table.count().get_result(&mut connection).unwrap(),
        under_way.count().get_result(&mut connection).unwrap(),
    ]
}

const ARGUMENTS: [&str; 8] =
    ["import", "--tenant", "acme", "--merchant", "7", "--time-zone", "Asia/Shanghai", "--from"];

on_every_database! {
    /// Killed at any moment and repeated, it ends as one that was not.
    fn a_killed_import_that_is_repeated_ends_as_one_that_was_not(kind: DatabaseKind) {
        let Some(from) = sources() else { return };
        let arguments = [&ARGUMENTS[..], &[from.url.as_str()]].concat();
        let whole = TestDatabase::migrated(kind);
        done(&["tenant", "create", "acme"], &whole.url);
        let began = std::time::Instant::now();
        let told = done(&arguments, &whole.url);
        let took = began.elapsed();
        assert!(told.contains("group_message 4 refused: ") && told.contains("imported"), "{told}");
        let reference = sizes(&whole);
        assert_eq!(reference[4], 0);
        let killed = TestDatabase::migrated(kind);
        done(&["tenant", "create", "acme"], &killed.url);
        let count = kills(kind) * 4;
        for kill in 1..=count {
            let mut child = program(&arguments, &killed.url).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
            // Kills fall at moments spread over the whole run.
            std::thread::sleep(took.mul_f64(f64::from(kill) / f64::from(count + 1)) + Duration::from_millis(u64::from(kill)));
            child.kill().unwrap();
            child.wait().unwrap();
        }
        done(&arguments, &killed.url);
        assert_eq!(sizes(&killed), reference);
        audit(&mut killed.connect());
        assert!(done(&["verify-unread"], &killed.url).contains(" 0 differ"));
    }

    /// What cannot be asked is said in a sentence, and nothing is written; the report is written as JSON.
    fn what_cannot_be_asked_is_refused(kind: DatabaseKind) {
        let Some(from) = sources() else { return };
        let database = TestDatabase::migrated(kind);
        let empty = TestDatabase::empty(DatabaseKind::Mysql);
        done(&["tenant", "create", "acme"], &database.url);
        let before = sizes(&database);
        let url = from.url.as_str();
        for (arguments, why) in [
            (vec!["--tenant", "nobody", "--merchant", "7", "--from", url], "no such tenant"),
            (vec!["--tenant", "acme", "--from", url], "merchants share"),
            (vec!["--tenant", "acme", "--merchant", "7", "--time-zone", "+8", "--from", url], "no time zone"),
            (vec!["--tenant", "acme", "--source", "a b", "--merchant", "7", "--from", url], "needs a name"),
            (vec!["--tenant", "acme", "--from", "sqlite:old.db"], "mysql://"),
            (vec!["--tenant", "acme", "--from", "mysql://deskwire@127.0.0.1:1/old"], "cannot open the database"),
            (vec!["--tenant", "acme", "--from", &empty.url], "none of the tables"),
        ] {
            let told = failed(&[&["import"], &arguments[..]].concat(), &database.url);
            assert!(told.contains(why), "{arguments:?}: {told}");
        }
        assert_eq!(sizes(&database), before);
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("report.json");
        let report = ["--dry-run", "--report", file.to_str().unwrap()];
        let told = done(&[&ARGUMENTS[..], &[url], &report].concat(), &database.url);
        assert!(told.contains("nothing was written"), "{told}");
        let report: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
        assert_eq!((&report["dry_run"], &report["tenant"]), (&Value::Bool(true), &Value::from("acme")));
        assert_eq!(report["tables"].as_array().unwrap().len(), TABLES.len());
        let line = report["lines"].as_array().unwrap().iter().find(|line| line["table"] == "users" && line["id"] == 5).unwrap();
        assert_eq!(line["what"], "refused");
        assert_eq!(sizes(&database), before);
    }
}

/// Every column of the designs' own SQL stands in the table of what becomes of it, and no other one does.
#[test]
fn every_column_of_the_designs_has_a_place() {
    if !servers::available(DatabaseKind::Mysql) {
        return;
    }
    let Some(from) = sources() else { return };
    let mut source = deskwire::db::foreign::Foreign::open(&from.url).unwrap();
    for table in TABLES {
        let there: Vec<String> = source.columns(table.name).unwrap().into_keys().collect();
        let mut here: Vec<String> = table.columns.iter().map(|(column, _)| (*column).to_owned()).collect();
        here.sort();
        assert_eq!(here, there, "{}", table.name);
        assert!(table.needs.iter().all(|need| here.iter().any(|one| one == need)), "{}", table.name);
    }
}

/// The README has the same table.
#[test]
fn the_readme_says_what_becomes_of_every_column() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/README.md");
    let readme = std::fs::read_to_string(path).unwrap();
    let (begin, end) =
        ("<!-- import: written by `UPDATE_DOCUMENTS=1 cargo test import` -->\n", "<!-- import end -->");
    let (before, rest) = readme.split_once(begin).expect("the table of the import");
    let (present, after) = rest.split_once(end).expect("its end");
    if std::env::var_os("UPDATE_DOCUMENTS").is_some() {
        std::fs::write(path, format!("{before}{begin}{}{end}{after}", markdown())).unwrap();
        return;
    }
    assert_eq!(present, markdown(), "run UPDATE_DOCUMENTS=1 cargo test --all-features import");
}
