//! `replay --soak`: short, with processes that are killed on the way, on every database and with two processes.

use std::process::Stdio;
use std::time::{Duration, Instant};

use deskwire::db::DatabaseKind;
use deskwire::sync::verify;
use serde_json::Value;

use crate::harness::audit::audit;
use crate::harness::process::program;
use crate::harness::servers::signal;
use crate::harness::{TestDatabase, servers};

const LOAD: [&str; 5] = ["--rate=40", "--reconnects=0.05", "--patience=60", "--quiet", "--devices=2"];
const CAST: [&str; 3] = ["--visitors=8", "--agents=2", "--tenants=1"];
/// Every strategy, with offers and without, groups of several agents and one who is in none, and enough visitors that some
/// wait.
const ROUTED: [&str; 4] = ["--routing=auto", "--visitors=12", "--agents=4", "--tenants=3"];

/// Runs a soak with these arguments and returns its report.
fn soak(database: &TestDatabase, cast: &[&str], arguments: &[&str]) -> Value {
    let folder = tempfile::tempdir().unwrap();
    let report = folder.path().join("report.json");
    let mut all = vec!["replay", "--report", report.to_str().unwrap()];
    all.extend(LOAD);
    all.extend(cast);
    all.extend(arguments);
    let output = program(&all, &database.url).output().unwrap();
    let told =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{}: {told}", output.status);
    let report: Value = serde_json::from_slice(&std::fs::read(&report).unwrap()).unwrap();
    assert!(report["counts"]["messages"].as_u64().unwrap() > 20, "too little load: {told}");
    audit(&mut database.connect());
    assert_eq!(verify::recompute_all(&mut database.connect(), None).unwrap().drift, 0);
    report
}

fn check_processes(report: &Value, processes: usize) {
    let soak = &report["soak"];
    assert!(soak["rounds"].as_u64() >= Some(1) && soak["kills"].as_u64() >= Some(1), "{soak}");
    let rows = soak["processes"].as_array().unwrap();
    assert_eq!(rows.len(), processes, "{soak}");
    for row in rows {
        for name in
            ["memory_first_kib", "memory_last_kib", "descriptors_first", "descriptors_last", "samples"]
        {
            assert!(row[name].as_u64() > Some(0), "{name} of {row}");
        }
        assert!(row["memory_kib_per_minute"].is_number() && row["descriptors_per_minute"].is_number());
    }
}

/// Its own process on SQLite is killed now and then; no promise is broken, memory and descriptors are told.
#[test]
fn a_soak_survives_kills_and_tells_memory() {
    let database = TestDatabase::migrated(DatabaseKind::Sqlite);
    check_processes(&soak(&database, &CAST, &["--soak=0.2", "--kill-every=3"]), 1);
}

/// What routing did, by the report of a run with `--routing auto`.
fn check_routing(report: &Value) {
    let routing = &report["routing"];
    assert!(routing["offers"]["accepted"].as_u64() > Some(0), "{routing}");
    assert!(routing["assignments"]["offer"].as_u64() > Some(0), "{routing}");
    assert!(routing["freed_to_given"]["count"].as_u64() > Some(0), "{routing}");
    assert!(report["counts"]["absences"].as_u64() > Some(0), "{report}");
    // A short run on a busy machine may happen to have none of one kind.
    let moved =
        [&routing["docked"], &routing["freed"]["group_transfer"], &report["counts"]["transfers_offered"]];
    assert!(moved.iter().filter_map(|count| count.as_u64()).sum::<u64>() > 0, "{report}");
    // Of every ten dialogues one is left by its customer.
    for name in ["customer_reminded", "closed"] {
        assert!(routing["timers"][name].as_u64() > Some(0), "{name}: {routing}");
    }
}

/// Plays with routing: agents come and go, answer offers, hand over to each other and to groups, and serve as groups, and
/// customers go away; judged by P1 to P7 and by the timers.
fn routed(kind: DatabaseKind, arguments: &[&str]) {
    if kind.is_server() && !servers::available(kind) {
        return;
    }
    let database = TestDatabase::migrated(kind);
    check_routing(&soak(&database, &ROUTED, arguments));
}

#[test]
fn a_routed_run_keeps_every_promise_on_sqlite() {
    routed(DatabaseKind::Sqlite, &["--dialogues=40"]);
}

#[cfg(feature = "postgres")]
#[test]
fn a_routed_run_keeps_every_promise_on_postgresql() {
    routed(DatabaseKind::Postgresql, &["--dialogues=40", "--processes=2"]);
}

#[cfg(feature = "mysql")]
#[test]
fn a_routed_run_keeps_every_promise_on_mariadb() {
    routed(DatabaseKind::Mysql, &["--dialogues=40", "--processes=2"]);
}

/// With processes that are killed on the way.
#[test]
fn a_routed_soak_survives_kills() {
    routed(DatabaseKind::Sqlite, &["--soak=0.4", "--kill-every=5"]);
}

/// Two processes on one PostgreSQL.
#[cfg(feature = "postgres")]
#[test]
fn a_soak_of_two_processes_on_postgresql() {
    if !servers::available(DatabaseKind::Postgresql) {
        return;
    }
    let database = TestDatabase::migrated(DatabaseKind::Postgresql);
    check_processes(&soak(&database, &CAST, &["--soak=0.2", "--kill-every=3", "--processes=2"]), 2);
}

/// It goes on until it is told to stop, and then judges what it has.
#[test]
fn a_signal_ends_a_soak_with_its_judgement() {
    let database = TestDatabase::migrated(DatabaseKind::Sqlite);
    let mut arguments = vec!["replay", "--soak=60"];
    arguments.extend(LOAD);
    arguments.extend(CAST);
    let child = program(&arguments, &database.url).stdout(Stdio::piped()).spawn().unwrap();
    // The schedule of the signal: while dialogues go on.
    database.under_load();
    let begin = Instant::now();
    signal(child.id(), "INT");
    let output = child.wait_with_output().unwrap();
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && told.contains("1 rounds"), "{}: {told}", output.status);
    assert!(begin.elapsed() < Duration::from_secs(120));
}
