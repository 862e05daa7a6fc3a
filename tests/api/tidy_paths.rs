//! The paths that Rust code names, read from its text: `crate::`, `$crate::`, `super::` and `self::` in whatever place,
//! groups taken apart, and names that a `use` brought in followed to where they lead. Serves `tidy_layers`.

use std::collections::{BTreeMap, BTreeSet};

/// A path from the root of the crate.
type Path = Vec<String>;

/// A source file, read.
pub struct Source {
    /// Its name from the root of the project.
    pub name: String,
    /// The path of its module.
    pub module: Path,
    /// Its code without comments and tests.
    pub code: String,
    /// Every path that it names.
    pub paths: BTreeSet<Path>,
    /// What it hands on with `pub use`: under which path, and which path that is.
    pub exports: Vec<(Path, Path)>,
}

/// Reads files.
pub fn sources(files: &[(String, String)]) -> Vec<Source> {
    files.iter().map(|(name, text)| source(name, text)).collect()
}

fn source(name: &str, text: &str) -> Source {
    let module: Path =
        name.trim_start_matches("src/").trim_end_matches(".rs").split('/').map(str::to_owned).collect();
    let module: Path = match module.last().map(String::as_str) {
        Some("mod") => module[..module.len() - 1].to_vec(),
        _ if module == ["lib"] => Vec::new(),
        _ => module,
    };
    let code = code(text);
    let named = named(&module, &code);
    let mut paths: BTreeSet<Path> = named.iter().map(|one| one.path.clone()).collect();
    for one in named.iter().filter(|one| one.used) {
        for (start, end) in words(&code, &one.local) {
            let inside = code[..start].ends_with("::") || !code[end..].starts_with("::");
            if !inside {
                let mut further = Vec::new();
                expand(&code[end + 2..], &one.path, &mut further);
                paths.extend(further.into_iter().map(|(path, _)| path));
            }
        }
    }
    let handed = named.into_iter().filter(|one| one.used && one.public);
    let exports = handed.map(|one| ([module.clone(), vec![one.local]].concat(), one.path)).collect();
    Source { name: name.to_owned(), module, code, paths, exports }
}

/// A path where it stands.
struct Named {
    path: Path,
    /// The name by which the file knows it.
    local: String,
    /// It stands in a `use`.
    used: bool,
    public: bool,
}

fn named(module: &[String], code: &str) -> Vec<Named> {
    let mut roots: Vec<(usize, usize, Path)> = Vec::new();
    for (root, base) in [("crate", &[] as &[String]), ("self", module)] {
        roots.extend(words(code, root).map(|(start, end)| (start, end, base.to_vec())));
    }
    for (start, mut end) in words(code, "super") {
        let mut depth = 1;
        while code[end..].starts_with("::super::") || code[end..].starts_with("::super ") {
            (depth, end) = (depth + 1, end + "::super".len());
        }
        roots.push((start, end, module[..module.len().saturating_sub(depth)].to_vec()));
    }
    let before_use = |start: usize| {
        let statement = code[..start].rfind([';', '{', '}']).map_or(0, |at| at + 1);
        code[statement..start].trim().to_owned()
    };
    // A path that begins with a child of this module.
    for (_, end) in words(code, "mod") {
        let child: String = code[end..].trim_start().chars().take_while(|letter| is_name(*letter)).collect();
        let begins = words(code, &child).filter(|(start, _)| before_use(*start).ends_with("use"));
        roots.extend(begins.map(|(start, _)| (start, start, module.to_vec())));
    }
    let mut found = Vec::new();
    for (start, end, base) in roots {
        let rest = &code[end..];
        // The second part of a longer path was read with the first.
        if code[..start].ends_with("::") || (start != end && !rest.starts_with("::")) {
            continue;
        }
        let statement = before_use(start);
        let mut paths = Vec::new();
        expand(rest.strip_prefix("::").unwrap_or(rest), &base, &mut paths);
        found.extend(paths.into_iter().map(|(path, local)| Named {
            path,
            local,
            used: statement.ends_with("use"),
            public: statement.contains("pub"),
        }));
    }
    found
}

fn is_name(letter: char) -> bool {
    letter.is_alphanumeric() || letter == '_'
}

/// Where a word stands by itself.
fn words<'a>(code: &'a str, word: &'a str) -> impl Iterator<Item = (usize, usize)> + 'a {
    let apart = move |start: usize| {
        let end = start + word.len();
        !word.is_empty() && !code[..start].ends_with(is_name) && !code[end..].starts_with(is_name)
    };
    code.match_indices(word)
        .map(|(start, _)| start)
        .filter(move |start| apart(*start))
        .map(|start| (start, start + word.len()))
}

/// Reads one path, or a group of paths, at the beginning of the text: each with the name that a `use` gives it.
fn expand(text: &str, prefix: &[String], found: &mut Vec<(Path, String)>) {
    if let Some(group) = text.strip_prefix('{') {
        let mut depth = 1;
        let mut start = 0;
        for (at, letter) in group.char_indices() {
            match letter {
                '{' => depth += 1,
                '}' => depth -= 1,
                _ => {}
            }
            if (depth == 0 || (depth == 1 && letter == ',')) && !group[start..at].trim().is_empty() {
                expand(group[start..at].trim_start(), prefix, found);
            }
            if depth == 1 && letter == ',' {
                start = at + 1;
            }
            if depth == 0 {
                return;
            }
        }
        return;
    }
    let end = text.find(|letter| !is_name(letter)).unwrap_or(text.len());
    let (name, rest) = text.split_at(end);
    let mut path = prefix.to_vec();
    if rest.starts_with("::<") {
        path.push(name.to_owned());
        return found.push((path, name.to_owned()));
    }
    match (name, rest.strip_prefix("::")) {
        ("" | "self", _) if text.starts_with('*') => path.push("*".to_owned()),
        ("" | "self", _) => {}
        (name, Some(rest)) => {
            path.push(name.to_owned());
            return expand(rest, &path, found);
        }
        (name, None) => path.push(name.to_owned()),
    }
    let renamed =
        rest.strip_prefix(" as ").map(|rest| rest.chars().take_while(|letter| is_name(*letter)).collect());
    let local = renamed.or_else(|| path.last().cloned()).unwrap_or_default();
    found.push((path, local));
}

/// Names that hide where paths begin: the root or a module above under another name. (`{self as …}` is followed.)
pub fn renamed(code: &str) -> Vec<String> {
    let lines = code.lines().filter(|line| line.trim_start().starts_with("extern crate"));
    let mut found: Vec<String> = lines.map(str::to_owned).collect();
    for root in ["crate", "super"] {
        for (start, end) in words(code, root) {
            let line = code[start..].lines().next().unwrap_or_default();
            if code[end..].starts_with(" as ") {
                found.push(line.to_owned());
            }
        }
    }
    found
}

/// Macros that stand at the root of the crate, with the modules that define them.
pub fn exported_macros(files: &[(String, String)]) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for source in sources(files) {
        for text in source.code.split("#[macro_export]").skip(1) {
            let name = text.split_once("macro_rules!").map_or("", |(_, rest)| rest.trim_start());
            let name: String = name.chars().take_while(|letter| is_name(*letter)).collect();
            found.insert(name, source.module.first().cloned().unwrap_or_default());
        }
    }
    found
}

/// The file that a path names, through whatever hands it on: the longest beginning of it that is one.
pub fn file_of(path: &[String], known: &BTreeSet<&str>, exports: &BTreeMap<Path, Path>) -> Option<String> {
    let mut path = path.to_vec();
    for _ in 0..8 {
        let handed = (1..=path.len()).find_map(|length| Some((length, exports.get(&path[..length])?)));
        match handed {
            Some((length, target)) if *target != path[..length] => path = [target, &path[length..]].concat(),
            _ => break,
        }
    }
    (1..=path.len()).rev().find_map(|length| {
        let file = format!("src/{}.rs", path[..length].join("/"));
        known.contains(file.as_str()).then_some(file)
    })
}

/// The code of a file without comments and without items under `#[cfg(test)]`.
pub fn code(text: &str) -> String {
    let mut out = String::new();
    let mut lines = text.lines().filter(|line| !line.trim_start().starts_with("//")).peekable();
    while let Some(line) = lines.next() {
        let Some(rest) = line.trim_start().strip_prefix("#[cfg(test)]") else {
            out.push_str(line);
            out.push('\n');
            continue;
        };
        let indent = |line: &str| line.len() - line.trim_start().len();
        let ends = |line: &str| line.trim_end().ends_with([';', ',', '}']);
        let depth = indent(line);
        if ends(rest) {
            continue;
        }
        // The item, with its further attributes, ends on a line of its own depth, or before a line that is less deep.
        while let Some(item) = lines.next_if(|item| item.trim().is_empty() || indent(item) >= depth) {
            if indent(item) == depth && ends(item) && !item.trim_start().starts_with('#') {
                break;
            }
        }
    }
    out
}
