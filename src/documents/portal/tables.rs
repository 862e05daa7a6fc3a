//! The tables of the code that obeys them, as pages: error codes, rights, entry kinds.

use super::html::{escape, inline, table};
use crate::domain::entry::EntryKind;
use crate::domain::member::Role;
use crate::domain::permission::{Operation, scope};
use crate::kernel::Code;

/// Every error code.
pub fn error_codes() -> String {
    let rows: Vec<_> = Code::ALL
        .iter()
        .map(|code| {
            vec![
                named(&code.to_string()),
                code.status().to_string(),
                if code.retryable() { "yes" } else { "no" }.to_owned(),
                inline(code.meaning()),
            ]
        })
        .collect();
    table("codes", &["code", "status", "retryable", "meaning"], &rows)
}

/// Who may do what, and how far.
pub fn rights() -> String {
    let mut headings = vec!["right", "meaning"];
    let names: Vec<String> = Role::ALL.iter().map(ToString::to_string).collect();
    headings.extend(names.iter().map(String::as_str));
    let rows: Vec<_> = Operation::ALL
        .iter()
        .map(|operation| {
            let mut row = vec![named(&operation.to_string()), inline(operation.meaning())];
            row.extend(Role::ALL.iter().map(|role| escape(&scope(*role, *operation).to_string())));
            row
        })
        .collect();
    table("rights", &headings, &rows)
}

/// What an entry can be.
pub fn entry_kinds() -> String {
    let rows: Vec<_> =
        EntryKind::ALL.iter().map(|kind| vec![named(&kind.to_string()), inline(kind.meaning())]).collect();
    table("kinds", &["kind", "meaning"], &rows)
}

/// A name that can be linked.
fn named(name: &str) -> String {
    format!("<code id=\"{0}\"><a class=\"self\" href=\"#{0}\">{0}</a></code>", escape(name))
}
