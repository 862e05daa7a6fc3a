//! A guard (of a `RefCell`, a lock or a watch) in the head of a `for`, `match`, `if let` or `while let` lives to the
//! end of the block: what the block calls finds it taken. Such guards get a name and a line of their own. Clippy's
//! `significant_drop_in_scrutinee` knows locks only, so `RefCell` is held by this test.

use std::fs;
use std::path::Path;

/// What takes a guard that lives on. A value that is copied or cloned out at once takes none.
const GUARDS: &[&str] = &[".borrow()", ".borrow_mut()", ".lock()", "lock(&", "PoisonError::into_inner"];

/// The heads of blocks in this text that hold a guard.
fn guarded(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    for (index, line) in lines.iter().enumerate() {
        let words = line.trim_start_matches("} else ");
        let begins =
            ["for ", "match ", "if let ", "while let ", "while "].iter().any(|word| words.starts_with(word));
        let within =
            ["= match ", "return match ", "&& let ", "= if let "].iter().any(|word| words.contains(word));
        if line.starts_with("//") || !(begins || within) {
            continue;
        }
        // A head ends with the line that opens the block.
        let head: Vec<&str> = lines[index..].iter().take(8).copied().collect();
        let end = head.iter().position(|line| line.ends_with('{')).unwrap_or(0);
        let head = head[..=end].join(" ");
        let is_let = words.starts_with("while ") && !words.starts_with("while let ");
        if !is_let && GUARDS.iter().any(|guard| head.contains(guard)) {
            found.push(head);
        }
    }
    found
}

#[test]
fn no_guard_lives_in_the_head_of_a_block() {
    let mut found = Vec::new();
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("src")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let text = fs::read_to_string(&path).unwrap();
                found.extend(guarded(&text).into_iter().map(|head| format!("{}: {head}", path.display())));
            }
        }
    }
    assert!(found.is_empty(), "guards in heads of blocks:\n  {}", found.join("\n  "));
}

#[test]
fn the_check_finds_what_it_looks_for() {
    for bad in [
        "for one in std::mem::take(&mut *hub.busy.borrow_mut()) {",
        "match self.tenants.borrow_mut().get_mut(&id) {",
        "if let Some(waker) =\n self.waker.borrow().as_ref()\n{",
        "let step = match lock(&self.map).get(&id) {",
        "if a && b\n && let Some(x) = cell.borrow().get(1)\n{",
    ] {
        assert!(!guarded(bad).is_empty(), "{bad}");
    }
    for good in [
        "let taken = hub.busy.take();\nfor one in taken {",
        "// for x in a.borrow() {",
        "if a.borrow().is_empty() {",
    ] {
        assert!(guarded(good).is_empty(), "{good}");
    }
}
