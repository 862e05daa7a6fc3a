//! The command line, as operators type it: beside a running server and without one.

use std::process::Output;

use deskwire::db::migrate;
use serde_json::{Value, json};

use crate::harness::TestDatabase;
use crate::harness::database::target;
use crate::harness::process::{Process, finish, program};

pub fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

pub fn done(arguments: &[&str], url: &str) -> String {
    let output = finish(arguments, url);
    assert!(output.status.success(), "{arguments:?}: {}", said(&output));
    said(&output)
}

pub fn failed(arguments: &[&str], url: &str) -> String {
    let output = finish(arguments, url);
    assert_eq!(output.status.code(), Some(1), "{arguments:?}: {}", said(&output));
    said(&output)
}

pub fn password(told: &str) -> String {
    let (_, rest) = told.split_once("password (shown only now): ").expect(told);
    rest.lines().next().unwrap().to_owned()
}

async fn sign_in(process: &Process, tenant: &str, name: &str, password: &str) -> Value {
    let body = json!({"tenant": tenant, "name": name, "password": password, "device": "d1"});
    process.client().post("/auth/login", body).await.ok()
}

fn wait<F: Future>(work: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
}

on_every_database! {
    /// Migrations go up and down again; a server database is not touched by `serve` without being asked.
    fn migrations_are_the_operators_choice_on_servers(kind: DatabaseKind) {
        let database = TestDatabase::empty(kind);
        if kind.is_server() {
            let told = failed(&["serve", "--listen", "127.0.0.1:0"], &database.url);
            assert!(told.contains("deskwire migrate"), "{told}");
            assert!(failed(&["tenant", "create", "acme"], &database.url).contains("deskwire migrate"));
        }
        let known = migrate::pending(&mut database.connect()).unwrap().len();
        assert!(done(&["migrate"], &database.url).contains(&format!("{known} migrations applied")));
        assert!(done(&["migrate"], &database.url).contains("0 migrations applied"));
        assert!(done(&["check"], &database.url).contains("all applied"));
        let reverted = format!("{known} migrations reverted");
        assert!(done(&["migrate", "--revert", "--yes"], &database.url).contains(&reverted));
        if kind.is_server() {
            assert!(failed(&["check"], &database.url).contains("pending"));
        }
        done(&["migrate"], &database.url);
        assert!(migrate::is_current(&mut database.connect()).unwrap());
    }

    /// Tenants, administrators and passwords, made beside a running server, hold there at once.
    fn accounts_are_made_beside_a_running_server(kind: DatabaseKind) {
        let database = TestDatabase::migrated(kind);
        let process = Process::serve(&database.url);
        let first = password(&done(&["tenant", "create", "acme"], &database.url));
        assert!(failed(&["tenant", "create", "acme"], &database.url).contains("in use") , "slugs are unique");
        assert!(failed(&["admin", "create", "nobody", "eve"], &database.url).contains("no such tenant"));
        let second = password(&done(&["admin", "create", "acme", "boss"], &database.url));
        wait(async {
            sign_in(&process, "acme", "admin", &first).await;
            let session = sign_in(&process, "acme", "boss", &second).await;
            let boss = process.client().with_token(session["access_token"].as_str().unwrap());
            boss.get("/me").await.ok();
            let third = password(&done(&["admin", "reset-password", "acme", "boss"], &database.url));
            // The session ends on the running server within moments.
            crate::harness::eventually("the session ends", || async {
                (boss.get("/me").await.status == 401).then_some(())
            })
            .await;
            let body = json!({"tenant": "acme", "name": "boss", "password": second, "device": "d1"});
            process.client().post("/auth/login", body).await.refused(401, "invalid_credentials");
            sign_in(&process, "acme", "boss", &third).await;
        });
        assert!(done(&["verify-unread"], &database.url).contains(" 0 differ"));
        assert_eq!(process.terminate(), Some(0));
    }

    /// On an empty store `serve --migrate` makes everything, once, and shows the password once.
    fn a_first_start_makes_a_tenant_and_shows_the_password_once(kind: DatabaseKind) {
        let database = TestDatabase::empty(kind);
        let start = || {
            let mut child = program(&["serve", "--migrate", "--listen=127.0.0.1:0"], &database.url)
                .stdout(std::process::Stdio::piped())
                .spawn()
                .unwrap();
            let mut printed = String::new();
            let mut lines = std::io::BufRead::lines(std::io::BufReader::new(child.stdout.take().unwrap()));
            // The address stands in the first line, the documents in the second.
            for _ in 0..2 {
                printed.push_str(&lines.next().unwrap().unwrap());
                printed.push('\n');
            }
            crate::harness::servers::signal(child.id(), "TERM");
            lines.for_each(|line| printed.push_str(&line.unwrap()));
            assert!(child.wait().unwrap().success());
            printed
        };
        let first = start();
        assert!(first.contains("/docs/") && first.contains("tenant demo   name admin   password "), "{first}");
        assert!(!start().contains("password"));
    }
}

/// A copy is made while the server works, put back while none does, and starts another history.
#[test]
fn backup_and_restore_bring_the_copy_back_under_a_new_epoch() {
    let database = TestDatabase::migrated(deskwire::db::DatabaseKind::Sqlite);
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join("copy.db");
    let copy = copy.to_str().unwrap();
    let process = Process::serve(&database.url);
    let kept = password(&done(&["tenant", "create", "kept"], &database.url));
    assert!(done(&["backup", copy], &database.url).contains("written"));
    assert!(failed(&["backup", copy], &database.url).contains("exists already"));
    done(&["tenant", "create", "lost"], &database.url);
    assert!(failed(&["restore", copy], &database.url).contains("stop the server"));
    assert_eq!(process.terminate(), Some(0));

    let epoch = |url: &str| -> String {
        use diesel::prelude::*;
        let mut connection = crate::harness::database::connect(url).unwrap();
        deskwire::db::schema::instance::table
            .select(deskwire::db::schema::instance::epoch)
            .first(&mut connection)
            .unwrap()
    };
    let before = epoch(&database.url);
    let garbage = folder.path().join("garbage.db");
    std::fs::write(&garbage, "not a database").unwrap();
    failed(&["restore", garbage.to_str().unwrap()], &database.url);
    assert_eq!(epoch(&database.url), before, "a refused restore changes nothing");
    assert!(done(&["restore", copy], &database.url).contains("restored"));
    assert_ne!(epoch(&database.url), before);

    let process = Process::serve(&database.url);
    wait(async {
        sign_in(&process, "kept", "admin", &kept).await;
        let body = json!({"tenant": "lost", "name": "admin", "password": "whatever", "device": "d1"});
        process.client().post("/auth/login", body).await.refused(401, "invalid_credentials");
    });
}

/// Addresses that cannot work are refused by name and within seconds.
#[test]
fn wrong_databases_are_refused_by_name() {
    assert!(failed(&["check"], "postgress://x/y").contains("postgress"));
    assert!(failed(&["serve"], "deskwire.db").contains("no scheme"));
    #[cfg(feature = "postgres")]
    {
        let port = crate::harness::servers::free_port();
        let told = failed(&["serve"], &format!("postgres://nobody:secret@127.0.0.1:{port}/nothing"));
        assert!(told.contains("cannot open") && !told.contains("secret"), "{told}");
    }
}

/// On a server database nothing is made up: every process needs the same secrets.
#[cfg(feature = "postgres")]
#[test]
fn a_server_database_needs_secrets_by_name() {
    let kind = deskwire::db::DatabaseKind::Postgresql;
    if !crate::harness::servers::available(kind) {
        return;
    }
    let database = TestDatabase::migrated(kind);
    let output = program(&["check"], &database.url).env_remove("DESKWIRE_JWT_KEYS").output().unwrap();
    assert!(!output.status.success() && said(&output).contains("DESKWIRE_JWT_KEYS"), "{}", said(&output));
    assert!(target(&database.url).kind.is_server());
}

/// Help shows every setting with variable, default and meaning; wrong use is told with exit code 2.
#[test]
fn help_shows_every_setting() {
    let help = done(&["--help"], "sqlite:unused.db");
    for row in deskwire::cli::settings_table().lines().skip(2) {
        let variable = row.split('`').nth(1).unwrap();
        assert!(help.contains(variable), "{variable}");
    }
    assert!(done(&["settings"], "sqlite:unused.db").contains("DESKWIRE_LISTEN"));
    assert!(done(&["openapi"], "sqlite:unused.db").contains("\"3.1.0\""));
    assert!(done(&["asyncapi"], "sqlite:unused.db").contains("\"3.1.0\""));
    assert_eq!(finish(&["serve", "--listen", "nowhere"], "sqlite:unused.db").status.code(), Some(2));
    assert_eq!(finish(&["brew"], "sqlite:unused.db").status.code(), Some(2));
}

/// An empty variable is an unset one; a misspelt or former one, and values that cannot work, are refused by name.
#[test]
fn settings_that_cannot_work_are_refused_by_name() {
    let database = TestDatabase::migrated(deskwire::db::DatabaseKind::Sqlite);
    let with =
        |name: &str, value: &str| program(&["check"], &database.url).env(name, value).output().unwrap();
    for name in [
        "DESKWIRE_BODY_LIMIT",
        "DESKWIRE_PLATFORM_KEY",
        "DESKWIRE_SIGN_UP",
        "DESKWIRE_BODY_LIMTI",
        "RUST_LOG",
    ] {
        let output = with(name, "");
        assert!(output.status.success(), "{name}: {}", said(&output));
    }
    for (name, value, told) in [
        ("DESKWIRE_BODY_LIMTI", "1000", "did you mean DESKWIRE_BODY_LIMIT"),
        ("DESKWIRE_TRUST_FORWARDED", "true", "DESKWIRE_TRUSTED_PROXIES"),
        ("DESKWIRE_BODY_LIMIT", "0", "--body-limit"),
        ("DESKWIRE_FRAME_LIMIT", "0", "--frame-limit"),
        ("DESKWIRE_SOCKETS_PER_ADDRESS", "0", "--sockets-per-address"),
        ("DESKWIRE_PLATFORM_KEY", "x", "16 characters"),
        ("RUST_LOG", "!!", "neither a level"),
    ] {
        let output = with(name, value);
        assert_eq!(output.status.code(), Some(2), "{name}={value}: {}", said(&output));
        assert!(said(&output).contains(told), "{name}={value}: {}", said(&output));
    }
    assert!(with("DESKWIRE_PORT_8080_TCP", "tcp://10.0.0.1:8080").status.success(), "Kubernetes sets such");
}
