//! The shape of the source, held by text checks: module comments, file lengths, equal migrations, and who may use
//! what. A rule that is broken on purpose gets a named exception here, so that a reader finds the reason.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Longest file, in lines.
const LINES: usize = 400;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

pub fn files(folder: &str, ending: &str) -> Vec<(String, String)> {
    fn walk(folder: &Path, ending: &str, found: &mut Vec<PathBuf>) {
        let Ok(entries) = fs::read_dir(folder) else { return };
        for entry in entries {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true if path.file_name().is_some_and(|name| name == "node_modules") => {}
                true => walk(&path, ending, found),
                false if path.to_string_lossy().ends_with(ending) => found.push(path),
                false => {}
            }
        }
    }
    let mut found = Vec::new();
    walk(&root().join(folder), ending, &mut found);
    found.sort();
    found
        .into_iter()
        .map(|path| {
            let name = path.strip_prefix(root()).unwrap().to_string_lossy().into_owned();
            (name, fs::read_to_string(&path).unwrap())
        })
        .collect()
}

pub fn none(rule: &str, broken: Vec<String>) {
    assert!(broken.is_empty(), "{rule}:\n  {}", broken.join("\n  "));
}

/// The lines of a file that are code outside its unit tests.
fn code(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.split("#[cfg(test)]")
        .next()
        .unwrap_or("")
        .lines()
        .enumerate()
        .filter(|(_, line)| !line.trim_start().starts_with("//"))
        .map(|(number, line)| (number + 1, line))
}

fn uses(folder: &str, words: &[&str], allowed: impl Fn(&str) -> bool) -> Vec<String> {
    let mut found = Vec::new();
    for (name, text) in files(folder, ".rs") {
        if allowed(&name) {
            continue;
        }
        for (number, line) in code(&text) {
            if words.iter().any(|word| line.contains(word)) {
                found.push(format!("{name}:{number}: {}", line.trim()));
            }
        }
    }
    found
}

#[test]
fn every_module_says_what_it_owns() {
    let silent = files("src", ".rs").into_iter().chain(files("tests", ".rs")).chain(files("benches", ".rs"));
    let silent = silent.filter(|(_, text)| !text.starts_with("//!")).map(|(name, _)| name);
    none("these files do not begin with //!", silent.collect());
}

#[test]
fn files_are_short_enough_to_read() {
    let long = files("src", ".rs").into_iter().chain(files("tests", ".rs"));
    let long = long
        .map(|(name, text)| (text.lines().count(), name))
        .filter(|(lines, _)| *lines > LINES)
        .map(|(lines, name)| format!("{name}: {lines} lines"));
    none("these files are too long", long.collect());
}

#[test]
fn migrations_have_the_same_names_on_every_database_and_can_be_taken_back() {
    let names = |database: &str| -> BTreeSet<String> {
        let folder = root().join("migrations").join(database);
        let entries = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap());
        entries
            .map(|entry| {
                for file in ["up.sql", "down.sql"] {
                    let text = fs::read_to_string(entry.path().join(file)).unwrap_or_default();
                    assert!(!text.trim().is_empty(), "{}/{file} is missing", entry.path().display());
                }
                entry.file_name().to_string_lossy().into_owned()
            })
            .collect()
    };
    let sqlite = names("sqlite");
    assert_eq!(sqlite, names("postgresql"));
    assert_eq!(sqlite, names("mysql"));
}

#[test]
fn what_differs_between_databases_stands_in_few_places() {
    let dialect = |name: &str| {
        name.starts_with("src/db/")
            || name.starts_with("src/journal/")
            || name == "src/sync/dialect.rs"
            || name == "src/sync/snapshot.rs"
            // One bulk read whose parameters PostgreSQL wants typed.
            || name == "src/messages/store.rs"
            || name == "src/cli/backup.rs"
    };
    let found = uses("src", &["AnyConnection::Sqlite", "AnyConnection::Postgresql", "sql_query("], dialect);
    none("one connection is taken apart outside the dialect", found);
}

#[test]
fn the_documents_see_every_route() {
    let mounting = |name: &str| {
        name == "src/server.rs"
            || name.starts_with("src/replay/")
            // Pages for people, which are no operations.
            || name == "src/documents/portal/mod.rs"
    };
    let found = uses("src", &[".route(", "web::resource(", "web::scope("], mounting);
    none("routes that the documents cannot see", found);
}

#[test]
fn time_and_chance_have_one_source_each() {
    let clock = |name: &str| name == "src/kernel/clock.rs" || name.starts_with("src/replay/");
    none("the system clock is read elsewhere", uses("src", &["SystemTime::now", "Timestamp::now"], clock));
}

#[test]
fn the_ground_knows_no_room() {
    let rooms = [
        "auth",
        "members",
        "tenants",
        "visitors",
        "conversations",
        "messages",
        "sync",
        "gateway",
        "replay",
        "cli",
    ];
    let words: Vec<String> = rooms.iter().map(|room| format!("crate::{room}::")).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    none("kernel uses a room", uses("src/kernel", &words, |_| false));
    none("db uses a room", uses("src/db", &words, |_| false));
}

#[test]
fn nothing_is_left_undone_or_named_after_this_machine() {
    let marks =
        [["TO", "DO"].concat(), ["FIX", "ME"].concat(), ["XX", "X:"].concat(), ["/wo", "rk/"].concat()];
    let mut found = Vec::new();
    for folder in ["src", "tests", "benches", "migrations", "openapi", ".ci"] {
        for (name, text) in files(folder, "") {
            for (number, line) in text.lines().enumerate() {
                if marks.iter().any(|mark| line.contains(mark)) {
                    found.push(format!("{name}:{}: {}", number + 1, line.trim()));
                }
            }
        }
    }
    none("marks that should not be here", found);
}
