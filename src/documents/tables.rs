//! The tables that both documents show, as Markdown: error codes, rights, entry kinds. Owns their form; the rows
//! come from the code that obeys them.

use crate::domain::entry::EntryKind;
use crate::domain::member::Role;
use crate::domain::permission::{Operation, scope};
use crate::kernel::Code;

/// Every error code.
pub fn error_codes() -> String {
    let mut table = String::from("| code | status | retryable | meaning |\n|---|---|---|---|\n");
    for code in Code::ALL {
        let retryable = if code.retryable() { "yes" } else { "no" };
        table.push_str(&format!("| `{code}` | {} | {retryable} | {} |\n", code.status(), code.meaning()));
    }
    table
}

/// Who may do what, and how far.
pub fn rights() -> String {
    let mut table = String::from(
        "| right | meaning | customer | agent | supervisor | admin |\n|---|---|---|---|---|---|\n",
    );
    for operation in Operation::ALL {
        table.push_str(&format!("| `{operation}` | {} |", operation.meaning()));
        for role in Role::ALL {
            table.push_str(&format!(" {} |", scope(*role, *operation)));
        }
        table.push('\n');
    }
    table
}

/// What an entry can be.
pub fn entry_kinds() -> String {
    let mut table = String::from("| kind | meaning |\n|---|---|\n");
    for kind in EntryKind::ALL {
        table.push_str(&format!("| `{kind}` | {} |\n", kind.meaning()));
    }
    table
}
