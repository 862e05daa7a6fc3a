//! The layers of the source, held by text: what a module may use, and that no circle of files grows. Test code is cut
//! out first, wherever it stands in a file. How paths are read stands in `tidy_paths`.

use std::collections::{BTreeMap, BTreeSet};

use crate::tidy::{files, none};
use crate::tidy_paths::{Source, exported_macros, file_of, renamed, sources};

/// The layers from the ground up. A module may use its own layer and those below it.
const LAYERS: &[(&str, &[&str])] = &[
    ("kernel", &["kernel"]),
    ("database", &["db"]),
    ("domain", &["domain", "settings"]),
    ("journal", &["journal"]),
    (
        "ground of the features",
        &[
            "metrics",
            "security",
            "cluster",
            "connections",
            "assigning",
            "docking",
            "lifecycle",
            "cleaning",
            "files",
            "limits",
            "attendance",
        ],
    ),
    ("what handlers share", &["app"]),
    ("http", &["http"]),
    (
        "features",
        &[
            "auth",
            "members",
            "tenants",
            "visitors",
            "presence",
            "groups",
            "rooms",
            "conversations",
            "attributes",
            "saved_filters",
            "business_hours",
            "api_keys",
            "audit",
            "bans",
            "canned_replies",
            "ratings",
            "reports",
            "sla",
            "queue",
            "messages",
            "attachments",
            "notifications",
            "sync",
            "search",
            "centre",
            "erasure",
            "exports",
        ],
    ),
    ("gateway", &["gateway"]),
    ("documents", &["documents", "health"]),
    ("server", &["routes", "server"]),
    ("programs", &["cli", "conform", "import", "replay", "simulate", "main"]),
];

fn layer(module: &str) -> Option<usize> {
    LAYERS.iter().position(|(_, modules)| modules.contains(&module))
}

/// What this module uses above itself, and what has no layer.
fn upward(own: &str, paths: &BTreeSet<Vec<String>>, macros: &BTreeMap<String, String>) -> Vec<String> {
    let Some(mine) = layer(own) else { return vec![format!("the module {own} itself, which has no layer")] };
    let first = |path: &&Vec<String>| path.first().is_none_or(|used| used != own);
    let above = paths.iter().filter(first).filter(|path| {
        let used = path.first().map(|used| macros.get(used).unwrap_or(used));
        // A name of the crate's root that is no module, such as a glob, has no layer and is refused as well.
        used.and_then(|used| layer(used)).is_none_or(|theirs| theirs > mine)
    });
    above.map(|path| path.join("::")).collect()
}

#[test]
fn no_arrow_points_up() {
    let mut broken = Vec::new();
    let macros = exported_macros(&files("src", ".rs"));
    for source in sources(&files("src", ".rs")) {
        let own = source.module.first().map_or("lib", String::as_str);
        if own == "lib" {
            // Whatever stood there could be reached by everybody.
            let other = source.code.lines().filter(|line| {
                let line = line.trim();
                !(line.is_empty() || line.starts_with("pub mod ") || line.starts_with("#!["))
            });
            broken.extend(other.map(|line| format!("{}: {line:?} is no module", source.name)));
            continue;
        }
        let used = upward(own, &source.paths, &macros);
        broken.extend(used.into_iter().map(|path| format!("{} uses {path}", source.name)));
        broken.extend(renamed(&source.code).into_iter().map(|text| format!("{}: {text}", source.name)));
    }
    none("modules use what stands above them", broken);
}

/// One object in several files: the hub of a worker, the device of a player.
const TOGETHER: &[&str] = &["src/gateway/", "src/replay/client/"];

/// Which file uses which. Files that only gather others (`mod.rs`) are left out, and a parent and its children may know
/// each other.
fn uses(sources: &[Source]) -> BTreeMap<String, BTreeSet<String>> {
    let known: BTreeSet<&str> = sources.iter().map(|source| source.name.as_str()).collect();
    let exports: BTreeMap<Vec<String>, Vec<String>> =
        sources.iter().flat_map(|source| source.exports.clone()).collect();
    let mut uses: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for source in sources.iter().filter(|source| !source.name.contains("/tests/")) {
        let together = TOGETHER.iter().find(|folder| source.name.starts_with(**folder));
        let below = source.name.trim_end_matches("mod.rs").trim_end_matches(".rs");
        let mut to: BTreeSet<String> =
            source.paths.iter().filter_map(|path| file_of(path, &known, &exports)).collect();
        to.retain(|used| {
            let child = used.strip_prefix(below).is_some_and(|rest| rest.starts_with('/'));
            *used != source.name && !child && !together.is_some_and(|folder| used.starts_with(*folder))
        });
        uses.insert(source.name.clone(), to);
    }
    uses
}

/// What is left of a graph when everything is taken away that is in no circle, nor between two.
fn circles(mut uses: BTreeMap<String, BTreeSet<String>>) -> Vec<String> {
    loop {
        let used: BTreeSet<String> = uses.values().flatten().cloned().collect();
        let apart = |(name, to): &(&String, &BTreeSet<String>)| {
            !used.contains(*name) || to.iter().all(|used| !uses.contains_key(used))
        };
        let apart: Vec<String> = uses.iter().filter(apart).map(|(name, _)| name.clone()).collect();
        if apart.is_empty() {
            break;
        }
        apart.iter().for_each(|name| drop(uses.remove(name)));
    }
    let left = uses.iter().map(|(name, to)| {
        let to: Vec<&str> = to.iter().filter(|used| uses.contains_key(*used)).map(String::as_str).collect();
        format!("{name} -> {}", to.join(", "))
    });
    left.collect()
}

#[test]
fn no_circle_of_files() {
    none("files use each other in a circle", circles(uses(&sources(&files("src", ".rs")))));
}

/// A tree of sources for the tests of the checks.
fn tree(files: &[(&str, &str)]) -> Vec<Source> {
    sources(&files.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect::<Vec<_>>())
}

#[test]
fn every_form_of_an_upward_arrow_is_seen() {
    for text in [
        "use crate::gateway::Hub;",
        "use crate::{db, gateway};",
        "use crate::{db::{self, Db}, gateway::{hub::{Hub}}};",
        "use crate::{\n    db,\n    gateway::{\n        hub,\n    },\n};",
        "pub use crate::gateway::Hub;",
        "pub(crate) use crate::gateway;",
        "use crate::gateway as other;",
        "use crate::gateway::*;",
        "use crate::*;",
        "use crate::{self as root};",
        "use crate as root;",
        "use super::super as root;",
        "use super::super::gateway::Hub;",
        "use super::super::{db, gateway};",
        "use super::super::*;",
        "fn f() { super::super::gateway::g() }",
        "fn f() { crate::gateway::g() }",
        "fn f(hub: &crate::gateway::Hub) {}",
        "fn f() { let x = <crate::gateway::Hub as Default>::default(); }",
        "macro_rules! m { () => { $crate::gateway::g() } }",
        "thing! { field: crate::gateway::Hub }",
        "fn f() { crate::above!() }",
        "extern crate self as deskwire;",
        "#[cfg(test)]\nuse crate::kernel;\nuse crate::gateway;",
        "#[cfg(test)] use crate::kernel;\nfn f() { crate::gateway::g() }",
        "struct S {\n    #[cfg(test)]\n    one: u8,\n    two: crate::gateway::Hub,\n}\nfn f() {\n}",
        "enum E {\n    #[cfg(test)]\n    One { a: u8 },\n    Two(crate::gateway::Hub),\n}\nfn f() {\n}",
    ] {
        let above = "#[macro_export]\nmacro_rules! above { () => {} }";
        let files = [("src/journal/lane.rs", text), ("src/gateway/hub.rs", above)];
        let files: Vec<_> = files.map(|(name, text)| (name.to_owned(), text.to_owned())).into();
        let lane = sources(&files).remove(0);
        let found = upward("journal", &lane.paths, &exported_macros(&files));
        assert!(!found.is_empty() || !renamed(&lane.code).is_empty(), "not seen: {text}");
    }
    for text in [
        "use crate::db::{self, Db};\nuse super::queue::Queue;\nuse self::inner::Inner;",
        "// crate::gateway\n/// [`crate::gateway`]\nfn f() { db::migrate() }",
        "#[cfg(test)]\nmod tests {\n    use crate::gateway;\n}",
        "fn f() {\n    #[cfg(test)]\n    crate::gateway::g();\n}",
        "pub(in crate::journal) fn f() { $crate::kernel::g(); }",
    ] {
        let lane = tree(&[("src/journal/lane.rs", text)]).remove(0);
        let found = upward("journal", &lane.paths, &BTreeMap::new());
        assert!(found.is_empty() && renamed(&lane.code).is_empty(), "{text}: {found:?}");
    }
}

#[test]
fn every_form_of_a_circle_is_seen() {
    for (one, two) in [
        ("use super::two::T;", "use super::one::O;"),
        ("use super::{two};", "fn f() { crate::sync::one::o() }"),
        ("use super::two;\nfn f() { two::t() }", "use crate::sync;\nfn f() { sync::one::o() }"),
        ("use crate::sync::T;", "use crate::sync::one;"),
        ("use crate::sync as s;\nfn f() -> s::T {}", "use super::super::sync::one::O;"),
        ("fn f() { super::super::sync::two::t() }", "use super::{one::{O}};"),
        ("use super::T;", "use super::deep::D;"),
    ] {
        let gather = "mod one;\npub mod two;\nmod deep;\npub use two::T;";
        let files = [
            ("src/sync/mod.rs", gather),
            ("src/sync/one.rs", one),
            ("src/sync/two.rs", two),
            ("src/sync/deep/mod.rs", "mod inner;\npub use self::inner::D;"),
            ("src/sync/deep/inner.rs", "use super::super::one::O;"),
        ];
        let found = circles(uses(&tree(&files)));
        assert!(found.len() > 1, "not seen: {one} with {two}");
    }
    let parent = [("src/sync.rs", "mod one;\nuse self::one::O;"), ("src/sync/one.rs", "use super::S;")];
    assert_eq!(circles(uses(&tree(&parent))), Vec::<String>::new(), "a parent and its child");
    let tops = [("src/a.rs", "use crate::b;"), ("src/b.rs", "use crate::c::C;"), ("src/c.rs", "")];
    assert_eq!(circles(uses(&tree(&tops))), Vec::<String>::new(), "a chain");
    let circle = [
        ("src/a.rs", "use crate::b;"),
        ("src/b.rs", "use crate::c::C;"),
        ("src/c.rs", "fn f() { super::a::f() }"),
    ];
    assert_eq!(circles(uses(&tree(&circle))).len(), 3);
}
