//! The layers of the source, held by text: what a module may use, and that no circle of files grows. Test code is cut
//! out first, wherever it stands in a file.

use std::collections::{BTreeMap, BTreeSet};

use crate::tidy::{files, none};

/// The layers from the ground up. A module may use its own layer and those below it.
const LAYERS: &[(&str, &[&str])] = &[
    ("kernel", &["kernel"]),
    ("database", &["db"]),
    ("domain", &["domain", "settings"]),
    ("journal", &["journal"]),
    ("ground of the features", &["metrics", "security", "cluster", "connections", "cleaning", "limits"]),
    ("what handlers share", &["app"]),
    ("http", &["http"]),
    ("features", &["auth", "members", "tenants", "visitors", "conversations", "messages", "sync"]),
    ("gateway", &["gateway"]),
    ("documents", &["documents", "health"]),
    ("server", &["routes", "server"]),
    ("programs", &["cli", "replay", "main"]),
];

fn layer(module: &str) -> Option<usize> {
    LAYERS.iter().position(|(_, modules)| modules.contains(&module))
}

/// The code of a file without comments and without items under `#[cfg(test)]`.
fn code(text: &str) -> String {
    let mut out = String::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if line.trim_start().starts_with("#[cfg(test)]") {
            // The item ends with its closing brace at the indentation of the attribute, or with `;` on one line.
            let indentation = line.len() - line.trim_start().len();
            for item in lines.by_ref() {
                let depth = item.len() - item.trim_start().len();
                let ends = item.trim_end().ends_with(';') || item.trim() == "}";
                if depth == indentation && ends {
                    break;
                }
            }
            continue;
        }
        if !line.trim_start().starts_with("//") {
            out.push_str(line);
            out.push('\n');
        }
    }
    out
}

/// The paths below `crate::` that a text names, groups in braces taken apart.
fn paths(code: &str) -> BTreeSet<Vec<String>> {
    let mut found = BTreeSet::new();
    for (start, _) in code.match_indices("crate::") {
        let before = code[..start].chars().next_back();
        if before.is_some_and(|letter| letter.is_alphanumeric() || letter == '_' || letter == '$') {
            continue;
        }
        expand(&code[start + "crate::".len()..], &[], &mut found);
    }
    found
}

/// Reads one path, or a group of paths, at the beginning of the text.
fn expand(text: &str, prefix: &[String], found: &mut BTreeSet<Vec<String>>) {
    if let Some(group) = text.strip_prefix('{') {
        let mut depth = 1;
        let mut start = 0;
        for (at, letter) in group.char_indices() {
            match letter {
                '{' => depth += 1,
                '}' => depth -= 1,
                _ => {}
            }
            if depth == 0 || (depth == 1 && letter == ',') {
                expand(group[start..at].trim_start(), prefix, found);
                start = at + 1;
            }
            if depth == 0 {
                return;
            }
        }
        return;
    }
    let end = text.find(|letter: char| !letter.is_alphanumeric() && letter != '_').unwrap_or(text.len());
    let mut path = prefix.to_vec();
    if end > 0 {
        path.push(text[..end].to_owned());
    }
    match text[end..].strip_prefix("::") {
        Some(rest) => expand(rest, &path, found),
        None if path.is_empty() => {}
        None => {
            found.insert(path);
        }
    }
}

fn module(name: &str) -> &str {
    let inner = name.strip_prefix("src/").unwrap_or(name);
    inner.split('/').next().unwrap_or(inner).trim_end_matches(".rs")
}

#[test]
fn no_arrow_points_up() {
    let mut broken = Vec::new();
    for (name, text) in files("src", ".rs") {
        let own = module(&name);
        if own == "lib" {
            continue;
        }
        let Some(mine) = layer(own) else {
            broken.push(format!("{name}: the module {own} has no layer"));
            continue;
        };
        for path in paths(&code(&text)) {
            let Some(used) = path.first().filter(|used| used.as_str() != own) else { continue };
            // Macros at the root of the crate and types that are re-exported there belong to the ground.
            if let Some(theirs) = layer(used)
                && theirs > mine
            {
                broken.push(format!("{name} uses {}", path.join("::")));
            }
        }
    }
    none("modules use what stands above them", broken);
}

/// The file that a path names: the longest beginning of it that is one. Files that only gather others (`mod.rs`) are
/// left out: a parent and its children may know each other.
fn file_of(path: &[String], known: &BTreeSet<String>) -> Option<String> {
    (1..=path.len()).rev().find_map(|length| {
        let file = format!("src/{}.rs", path[..length].join("/"));
        known.contains(&file).then_some(file)
    })
}

#[test]
fn no_circle_of_files() {
    let sources = files("src", ".rs");
    let known: BTreeSet<String> = sources.iter().map(|(name, _)| name.clone()).collect();
    let mut uses: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (name, text) in sources.iter().filter(|(name, _)| !name.contains("/tests/")) {
        let text = code(text);
        let mut to: BTreeSet<String> = paths(&text).iter().filter_map(|path| file_of(path, &known)).collect();
        // `super::x` names a sibling.
        let folder: Vec<String> = name.trim_start_matches("src/").split('/').map(str::to_owned).collect();
        let folder = &folder[..folder.len() - 1];
        for (start, _) in text.match_indices("super::") {
            let mut relative = BTreeSet::new();
            expand(&text[start + "super::".len()..], folder, &mut relative);
            to.extend(
                relative
                    .iter()
                    .filter(|path| path.len() > folder.len())
                    .filter_map(|path| file_of(path, &known)),
            );
        }
        // One object in several files: the hub of a worker, the device of a player.
        let together =
            ["src/gateway/", "src/replay/client/"].into_iter().find(|folder| name.starts_with(folder));
        to.retain(|used| used != name && !together.is_some_and(|folder| used.starts_with(folder)));
        uses.insert(name.clone(), to);
    }
    // Taking away, again and again, what uses nothing that is left: what remains is circles and their users.
    loop {
        let leaves: Vec<String> = uses
            .iter()
            .filter(|(_, to)| to.iter().all(|used| !uses.contains_key(used)))
            .map(|(name, _)| name.clone())
            .collect();
        if leaves.is_empty() {
            break;
        }
        leaves.iter().for_each(|name| drop(uses.remove(name)));
    }
    // And what is used by nothing that is left.
    loop {
        let used: BTreeSet<&String> = uses.values().flatten().collect();
        let tops: Vec<String> = uses.keys().filter(|name| !used.contains(name)).cloned().collect();
        if tops.is_empty() {
            break;
        }
        tops.iter().for_each(|name| drop(uses.remove(name)));
    }
    let circles = uses.iter().map(|(name, to)| {
        let to: Vec<&str> = to.iter().filter(|used| uses.contains_key(*used)).map(String::as_str).collect();
        format!("{name} -> {}", to.join(", "))
    });
    none("files use each other in a circle", circles.collect());
}

#[test]
fn the_checks_see_what_they_look_for() {
    let text = "use crate::{auth::service, db::{self, Db}};\n#[cfg(test)]\nmod tests {\n    use crate::cli;\n}\nfn f() { crate::gateway::g() }\n// crate::replay\n";
    let found: Vec<String> = paths(&code(text)).into_iter().map(|path| path.join("::")).collect();
    assert_eq!(found, ["auth::service", "db::Db", "db::self", "gateway::g"]);
}
