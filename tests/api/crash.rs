//! P1 to P5 across kill -9: the real program is killed under load and started again, while `replay` plays on and
//! judges from outside what its clients saw.

use std::process::{Output, Stdio};
use std::time::Duration;

use deskwire::db::DatabaseKind;
use deskwire::sync::verify;

use crate::harness::audit::audit;
use crate::harness::process::{Process, kills, program};
use crate::harness::{PLATFORM_KEY, TestDatabase, servers};

on_every_database! {
    /// `DESKWIRE_TEST_KILLS` says how often (3 when absent). No acknowledged message is lost or doubled, every client's
    /// view equals the log, unread equals its definition.
    fn nothing_acknowledged_is_lost_by_kill_9(kind: DatabaseKind) {
        let database = TestDatabase::migrated(kind);
        let mut process = Process::serve(&database.url);
        let port = process.port();
        let kills = kills(kind);
        // Enough dialogues that the load outlasts the kills.
        let dialogues = (kills * 12).to_string();
        let arguments = [
            "replay", "--url", &process.base(), "--platform-key", PLATFORM_KEY, "--visitors", "12", "--agents", "2",
            "--tenants", "2", "--rate", "60", "--reconnects", "0.05", "--patience", "600", "--quiet", "--dialogues",
            &dialogues,
        ];
        let mut replay =
            program(&arguments, &database.url).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut random = seed();
        for number in 0..kills {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            // The schedule of the fault: kills fall at any moment of a batch's life.
            std::thread::sleep(Duration::from_millis(400 + (random >> 33) % 900));
            if replay.try_wait().unwrap().is_some() {
                panic!("replay ended before kill {number}: {}", told(&replay.wait_with_output().unwrap()));
            }
            process.kill();
            process = Process::serve_on(&database.url, port, &[]);
        }
        let output = replay.wait_with_output().unwrap();
        let told = told(&output);
        assert!(output.status.success(), "replay says {told}");
        assert_eq!(process.terminate(), Some(0));
        let store = audit(&mut database.connect());
        assert!(store.entries.len() > 100, "too little load: {told}");
        let report = verify::recompute_all(&mut database.connect(), None).unwrap();
        assert_eq!(report.drift, 0, "{report:?}");
    }
}

fn told(output: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    format!("{}: {}{}", output.status, text(&output.stdout), text(&output.stderr))
}

/// The seed of the kills' schedule; told, so that a failure can be repeated.
fn seed() -> u64 {
    let seed = std::env::var("DESKWIRE_TEST_SEED").ok().and_then(|text| text.parse().ok());
    let seed = seed.unwrap_or_else(|| u64::from(std::process::id()));
    eprintln!("DESKWIRE_TEST_SEED={seed}");
    seed
}

/// Two processes on one database server; one is stopped for longer than the server lets it hold a lock, then goes on.
/// Clients of both find everything as it should be, and none of them tires. `DESKWIRE_TEST_FREEZES` says how often (once
/// when absent); those after the first are short.
fn a_frozen_process_and_its_sister(kind: DatabaseKind) {
    if !servers::available(kind) {
        return;
    }
    let freezes: u64 =
        std::env::var("DESKWIRE_TEST_FREEZES").ok().and_then(|text| text.parse().ok()).unwrap_or(1);
    // Enough dialogues that the load outlasts the freezes.
    let dialogues = 60 + (freezes - 1) * 25;
    let database = TestDatabase::migrated(kind);
    let (frozen, sister) = (Process::serve(&database.url), Process::serve(&database.url));
    let arguments = [
        "replay",
        "--url",
        &frozen.base(),
        "--url",
        &sister.base(),
        "--platform-key",
        PLATFORM_KEY,
        "--visitors",
        "12",
        "--agents",
        "2",
        "--tenants",
        "2",
        "--rate",
        "40",
        "--reconnects",
        "0.05",
        "--patience",
        "90",
        "--quiet",
        "--dialogues",
        &dialogues.to_string(),
    ];
    let mut replay =
        program(&arguments, &database.url).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // The schedule of the fault: under load, and for longer than the ten seconds that the server allows.
    database.under_load();
    for number in 0..freezes {
        if number > 0 {
            std::thread::sleep(Duration::from_millis(1_500));
        }
        if replay.try_wait().unwrap().is_some() {
            assert!(
                number > 0,
                "replay ended before the fault: {}",
                told(&replay.wait_with_output().unwrap())
            );
            break;
        }
        frozen.freeze();
        std::thread::sleep(Duration::from_secs(if number == 0 { 12 } else { 2 }));
        frozen.thaw();
    }
    let output = replay.wait_with_output().unwrap();
    assert!(output.status.success(), "replay says {}", told(&output));
    let table = String::from_utf8_lossy(&output.stdout);
    let played =
        table.lines().find_map(|line| line.strip_prefix("dialogues")?.trim().split(' ').next()?.parse().ok());
    assert_eq!(played, Some(dialogues), "replay says {}", told(&output));
    for process in [frozen, sister] {
        assert_eq!(process.terminate(), Some(0));
    }
    audit(&mut database.connect());
    assert_eq!(verify::recompute_all(&mut database.connect(), None).unwrap().drift, 0);
}

#[cfg(feature = "postgres")]
#[test]
fn a_frozen_process_on_postgresql() {
    a_frozen_process_and_its_sister(DatabaseKind::Postgresql);
}

#[cfg(feature = "mysql")]
#[test]
fn a_frozen_process_on_mysql() {
    a_frozen_process_and_its_sister(DatabaseKind::Mysql);
}
