//! What an operator does by mistake, and what a start leaves behind: nothing is lost and nothing is littered.

use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::process::Stdio;

use deskwire::db::DatabaseKind;
use diesel::connection::SimpleConnection;

use crate::command_line::{done, failed, password};
use crate::harness::TestDatabase;
use crate::harness::process::{Process, program};
use crate::harness::servers::signal;

/// The first start cannot serve: it makes no administrator, so that the next one still shows the password.
#[test]
fn a_first_start_on_an_occupied_port_keeps_the_password_for_the_next() {
    let database = TestDatabase::empty(DatabaseKind::Sqlite);
    let occupied = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let listen = format!("--listen={}", occupied.local_addr().unwrap());
    let told = failed(&["serve", "--migrate", &listen], &database.url);
    assert!(told.contains("cannot listen on"), "{told}");
    drop(occupied);
    let mut child = program(&["serve", "--migrate", "--listen=127.0.0.1:0"], &database.url)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = std::io::BufRead::lines(std::io::BufReader::new(child.stdout.take().unwrap()));
    // The address stands in the first line, the documents in the second; what follows is printed before the end.
    let mut printed: Vec<String> = lines.by_ref().take(2).map(Result::unwrap).collect();
    signal(child.id(), "TERM");
    printed.extend(lines.map(Result::unwrap));
    assert!(child.wait().unwrap().success());
    assert!(printed.iter().any(|line| line.contains("tenant demo   name admin   password ")), "{printed:?}");
}

on_every_database! {
    /// Reverting deletes everything: it wants a word of its own, and no server beside it.
    fn reverting_asks_and_refuses_beside_a_live_server(kind: DatabaseKind) {
        let database = TestDatabase::migrated(kind);
        let process = Process::serve(&database.url);
        let first = password(&done(&["tenant", "create", "acme"], &database.url));
        assert!(failed(&["migrate", "--revert"], &database.url).contains("confirm with --yes"));
        let told = failed(&["migrate", "--revert", "--yes"], &database.url);
        assert!(told.contains("stop them first"), "{told}");
        assert!(done(&["check"], &database.url).contains("all applied"));
        assert!(!first.is_empty());
        assert_eq!(process.terminate(), Some(0));
        assert!(done(&["migrate", "--revert", "--yes"], &database.url).contains("migrations reverted"));
    }
}

/// Commands that work on a store do not make one where there is none.
#[test]
fn commands_in_a_wrong_folder_leave_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("deskwire.db");
    let url = format!("sqlite:{}", file.display());
    let copy = folder.path().join("copy.db");
    let copy = copy.to_str().unwrap();
    let commands: [&[&str]; 8] = [
        &["tenant", "create", "acme"],
        &["tenant", "suspend", "acme"],
        &["admin", "create", "acme", "boss"],
        &["admin", "reset-password", "acme", "boss"],
        &["verify-unread"],
        &["migrate", "--revert", "--yes"],
        &["restore", "--new-epoch"],
        &["backup", copy],
    ];
    for command in commands {
        let told = failed(command, &url);
        assert!(told.contains("there is no database at"), "{command:?}: {told}");
    }
    assert!(done(&["check"], &url).contains("does not exist yet"));
    let left: Vec<_> =
        std::fs::read_dir(folder.path()).unwrap().map(|one| one.unwrap().file_name()).collect();
    assert!(left.is_empty(), "{left:?}");
}

/// A backup that fails half-way leaves no file that looks like one.
#[test]
fn a_failed_backup_leaves_no_partial_file() {
    let database = TestDatabase::migrated(DatabaseKind::Sqlite);
    database.connect().batch_execute("DELETE FROM instance").unwrap();
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join("copy.db");
    let told = failed(&["backup", copy.to_str().unwrap()], &database.url);
    assert!(told.contains("not a whole Deskwire database"), "{told}");
    let left: Vec<_> =
        std::fs::read_dir(folder.path()).unwrap().map(|one| one.unwrap().file_name()).collect();
    assert!(left.is_empty(), "{left:?}");
}

/// What visitors write is for the service's own user; so are copies of it.
#[test]
fn database_files_are_readable_by_their_owner_only() {
    let database = TestDatabase::empty(DatabaseKind::Sqlite);
    done(&["migrate"], &database.url);
    let process = Process::serve(&database.url);
    let folder = database.folder().unwrap();
    let copy = folder.join("copy.db");
    done(&["tenant", "create", "acme"], &database.url);
    done(&["backup", copy.to_str().unwrap()], &database.url);
    let mut seen = 0;
    for file in std::fs::read_dir(&folder).unwrap() {
        let file = file.unwrap();
        let mode = file.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{}", file.path().display());
        seen += 1;
    }
    assert!(seen >= 4, "the database, -wal, -shm and the copy");
    assert_eq!(process.terminate(), Some(0));
}
