//! The tables that the documents and the portal show: error codes, rights, entry kinds, close codes, limits, rules for
//! clients. Owns their columns; the rows come from the code that obeys them, and each reader gives them its own form.

use serde_json::{Value, json};

use super::client_rules::{CLIENT_RULES, ClientRule};
use super::schemas::reference;
use crate::domain::attribute_value::AttributeKind;
use crate::domain::entry::EntryKind;
use crate::domain::filter::field::{FIELDS, Field, FieldKind, FilterOperator};
use crate::domain::member::Role;
use crate::domain::notice::content_schema;
use crate::domain::permission::{Operation, scope};
use crate::erasure::tables::TABLES;
use crate::exports::tables::{self as exports, ENTRIES, Exported, LEFT_OUT};
use crate::gateway::protocol::close::CLOSE_CODES;
use crate::gateway::protocol::limits::limits;
use crate::kernel::Code;
use crate::settings::Settings;

/// A table. The first cell of a row is a name; the others are Markdown.
#[derive(Debug, Clone)]
pub struct Table {
    /// One word for each column.
    pub headings: Vec<String>,
    /// As many cells in each as there are headings.
    pub rows: Vec<Vec<String>>,
}

impl Table {
    fn new(headings: &[&str], rows: impl Iterator<Item = Vec<String>>) -> Self {
        Self { headings: headings.iter().map(ToString::to_string).collect(), rows: rows.collect() }
    }

    /// The table in Markdown.
    pub fn markdown(&self) -> String {
        let mut text =
            format!("| {} |\n|{}\n", self.headings.join(" | "), "---|".repeat(self.headings.len()));
        for row in &self.rows {
            let (name, cells) =
                row.split_first().map_or(("", &[][..]), |(name, cells)| (name.as_str(), cells));
            text.push_str(&format!("| `{name}` | {} |\n", cells.join(" | ")));
        }
        text
    }
}

/// What can be asked of a field of a filter.
fn filter_operators_of(kind: FieldKind) -> String {
    let takes = FilterOperator::ALL.iter().filter(|operator| kind.takes(**operator));
    takes.map(|operator| format!("`{operator}`")).collect::<Vec<_>>().join(", ")
}

/// Every field of a filter that is of conversations themselves.
pub fn filter_fields() -> Table {
    let row = |field: &Field| {
        let (meaning, form) = (field.meaning.to_owned(), field.kind.form().to_owned());
        vec![field.name.to_owned(), meaning, form, filter_operators_of(field.kind)]
    };
    Table::new(&["field", "what it is", "compared with", "operators"], FIELDS.iter().map(row))
}

/// Every kind of custom attribute as a field of a filter.
pub fn filter_attributes() -> Table {
    let row = |kind: &AttributeKind| {
        let field = FieldKind::Attribute(*kind);
        vec![kind.to_string(), field.form().to_owned(), filter_operators_of(field)]
    };
    Table::new(&["kind", "compared with", "operators"], AttributeKind::ALL.iter().map(row))
}

/// Every operator of a filter.
pub fn filter_operators() -> Table {
    let row = |operator: &FilterOperator| vec![operator.to_string(), operator.meaning().to_owned()];
    Table::new(&["operator", "it holds when"], FilterOperator::ALL.iter().map(row))
}

/// Every error code.
pub fn error_codes() -> Table {
    let row = |code: &Code| {
        let retryable = if code.retryable() { "yes" } else { "no" };
        vec![code.to_string(), code.status().to_string(), retryable.to_owned(), code.meaning().to_owned()]
    };
    Table::new(&["code", "status", "retryable", "meaning"], Code::ALL.iter().map(row))
}

/// Who may do what, and how far.
pub fn rights() -> Table {
    let row = |operation: &Operation| {
        let mut row = vec![operation.to_string(), operation.meaning().to_owned()];
        row.extend(Role::ALL.iter().map(|role| scope(*role, *operation).to_string()));
        row
    };
    let mut table = Table::new(&["right", "meaning"], Operation::ALL.iter().map(row));
    table.headings.extend(Role::ALL.iter().map(ToString::to_string));
    table
}

/// What an entry can be.
pub fn entry_kinds() -> Table {
    let row = |kind: &EntryKind| {
        vec![kind.to_string(), kind.meaning().to_owned(), format!("`{}`", content_schema(*kind))]
    };
    Table::new(&["kind", "meaning", "content"], EntryKind::ALL.iter().map(row))
}

/// Every error code, as `x-error-codes`.
pub fn error_code_rows() -> Vec<Value> {
    let row = |code: &Code| {
        json!({
            "code": code.name(), "status": code.status(), "retryable": code.retryable(), "meaning": code.meaning(),
        })
    };
    Code::ALL.iter().map(row).collect()
}

/// Who may do what, and how far, as `x-rights`.
pub fn right_rows() -> Vec<Value> {
    let row = |operation: &Operation| {
        let mut row = json!({"right": operation.as_str(), "meaning": operation.meaning()});
        for role in Role::ALL {
            row[role.as_str()] = json!(scope(*role, *operation).to_string());
        }
        row
    };
    Operation::ALL.iter().map(row).collect()
}

/// What an entry can be, as `x-entry-kinds`.
pub fn entry_kind_rows() -> Vec<Value> {
    let row = |kind: &EntryKind| {
        json!({
            "kind": kind.as_str(),
            "message": kind.is_message(),
            "meaning": kind.meaning(),
            "content": reference(content_schema(*kind)),
        })
    };
    EntryKind::ALL.iter().map(row).collect()
}

/// What an erasure does to each table.
pub fn erasure() -> Table {
    let row = |(table, what): &(&str, &str)| vec![(*table).to_owned(), (*what).to_owned()];
    Table::new(&["table", "what_is_done"], TABLES.iter().map(row))
}

/// What is in an export of each table.
pub fn export_types() -> Table {
    let row = |table: &Exported| {
        let left_out: Vec<String> = table.left_out.iter().map(|column| format!("`{column}`")).collect();
        let person = if table.is_of_persons() { "its own" } else { "" };
        vec![table.table.to_owned(), format!("`{}`", table.kind), person.to_owned(), left_out.join(", ")]
    };
    let logs = vec![
        ENTRIES.to_owned(),
        "`entry`, `backstage_entry`, `room_entry`".to_owned(),
        "its own".to_owned(),
        "`tenant_id`, `body_hash`, `recall_count`".to_owned(),
    ];
    let nothing = LEFT_OUT
        .iter()
        .map(|(table, why)| vec![(*table).to_owned(), String::new(), String::new(), (*why).to_owned()]);
    let mut rows: Vec<Vec<String>> = exports::all().map(row).chain([logs]).chain(nothing).collect();
    rows.sort();
    Table::new(&["table", "type", "of_a_customer", "left_out"], rows.into_iter())
}

/// Why the server closes a socket, as `x-close-codes`.
pub fn close_code_rows() -> Vec<Value> {
    CLOSE_CODES
        .iter()
        .map(|row| {
            json!({
                "code": row.code,
                "name": row.name,
                "reconnect": row.reconnect,
                "meaning": row.meaning,
                "advice": row.advice,
            })
        })
        .collect()
}

/// The limits of a socket by default, as `x-limits`.
pub fn limit_rows(role: Role) -> Vec<Value> {
    limits(&Settings::defaults(), role)
        .iter()
        .map(|limit| {
            json!({"name": limit.name, "unit": limit.unit, "default": limit.value, "meaning": limit.meaning})
        })
        .collect()
}

/// What a client of the socket does, as `x-client-rules`.
pub fn client_rule_rows() -> Vec<Value> {
    let row = |one: &ClientRule| json!({"name": one.name, "rule": one.rule, "held_by": one.held_by});
    CLIENT_RULES.iter().map(row).collect()
}
