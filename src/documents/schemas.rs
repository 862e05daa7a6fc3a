//! The schemas of both documents, as the types give them, put into the form that validators and generators of code
//! understand. Owns that form only; the schemas come from the types.
//!
//! Invariants of the result: what is written is closed (unknown fields and values are refused), what is read is open
//! (fields and values may grow: a closed list of words becomes text with the known words in `x-extensible-enum`); a
//! type that is both has two schemas, `Name` as it is read and `NameInput` as it is written; null is one of a list of
//! types where the other is no object; nothing stands beside a `$ref` inside `oneOf`; no schema is unused.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::schema_form::{
    PREFIX, is_closed, join_nulls, open, open_empty, plain_choices, present_or_absent, without_null,
};
use crate::domain::entry::EntryKind;
use crate::domain::notice::{content_schema, content_schemas};

/// The end of the names of schemas that are written where another is read.
pub const INPUT: &str = "Input";

/// Views whose optional fields may be null: one reader never gets them, the other always does.
const OF_TWO_READERS: [&str; 3] = ["Conversation", "Me", "TenantSettings"];

/// A reference to a schema.
pub fn reference(name: &str) -> Value {
    json!({"$ref": format!("{PREFIX}{name}")})
}

/// The names of the schemas that this part of a document refers to.
pub fn names(part: &Value) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    collect(part, &mut found);
    found
}

fn collect(part: &Value, found: &mut BTreeSet<String>) {
    match part {
        Value::Object(fields) => {
            if let Some(name) =
                fields.get("$ref").and_then(Value::as_str).and_then(|to| to.strip_prefix(PREFIX))
            {
                found.insert(name.to_owned());
            }
            fields.values().for_each(|value| collect(value, found));
        }
        Value::Array(items) => items.iter().for_each(|value| collect(value, found)),
        _ => {}
    }
}

/// The names of these schemas and of all that they refer to.
pub fn reachable(schemas: &Map<String, Value>, roots: &BTreeSet<String>) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut open: Vec<String> = roots.iter().cloned().collect();
    while let Some(name) = open.pop() {
        let Some(schema) = schemas.get(&name) else { continue };
        if found.insert(name) {
            open.extend(names(schema));
        }
    }
    found
}

/// Changes references to schemas whose name has changed.
pub fn rename(part: &mut Value, renamed: &BTreeMap<String, String>) {
    match part {
        Value::Object(fields) => {
            if let Some(Value::String(to)) = fields.get_mut("$ref")
                && let Some(new) = to.strip_prefix(PREFIX).and_then(|name| renamed.get(name))
            {
                *to = format!("{PREFIX}{new}");
            }
            fields.values_mut().for_each(|value| rename(value, renamed));
        }
        Value::Array(items) => items.iter_mut().for_each(|value| rename(value, renamed)),
        _ => {}
    }
}

/// Adds the schemas of what entries say, and says in that of [`crate::domain::entry::Entry`] which one goes with which
/// kind. A kind that is not listed may say anything: the list grows. Generators that do not know conditions see an
/// open object.
pub fn add_contents(schemas: &mut Map<String, Value>) {
    let Some(entry) = schemas.get_mut("Entry").and_then(Value::as_object_mut) else { return };
    let rules: Vec<Value> = EntryKind::ALL
        .iter()
        .map(|kind| {
            let content = match kind.is_message() {
                // After a recall nothing is left.
                true => json!({"anyOf": [reference(content_schema(*kind)), {"maxProperties": 0}]}),
                false => reference(content_schema(*kind)),
            };
            json!({
                "if": {"properties": {"kind": {"const": kind.as_str()}}},
                "then": {"properties": {"content": content}},
            })
        })
        .collect();
    entry.insert("dependentSchemas".to_owned(), json!({"kind": {"allOf": rules}}));
    for (name, schema) in content_schemas() {
        schemas.entry(name).or_insert_with(|| {
            let mut schema = json!(schema);
            // Without a field, which is another thing than with any.
            if schema["type"] == "object" && schema.get("properties").is_none() {
                schema["properties"] = json!({});
            }
            schema
        });
    }
}

/// Gives lists the names of what they list: `Page_Member` becomes `MemberPage`, `SearchPage_Member` `MemberSearchPage`. Answers
/// the names that changed.
pub fn name_pages(schemas: &mut Map<String, Value>) -> BTreeMap<String, String> {
    let renamed: BTreeMap<_, _> = schemas
        .keys()
        .filter_map(|name| {
            let (kind, row) = name.split_once("Page_").filter(|(kind, _)| ["", "Search"].contains(kind))?;
            Some((name.clone(), format!("{row}{kind}Page")))
        })
        .collect();
    for (old, new) in &renamed {
        if let Some(schema) = schemas.remove(old) {
            schemas.insert(new.clone(), schema);
        }
    }
    schemas.values_mut().for_each(|schema| rename(schema, &renamed));
    renamed
}

/// Lets lists of pages refer to their rows by name: a generic page holds its row in full.
pub fn name_items(schemas: &mut Map<String, Value>) {
    let known = schemas.clone();
    for schema in schemas.values_mut() {
        for property in
            schema.get_mut("properties").and_then(Value::as_object_mut).into_iter().flat_map(Map::values_mut)
        {
            let Some(items) = property.get_mut("items") else { continue };
            if let Some((name, _)) = known.iter().find(|(_, one)| *one == items) {
                *items = reference(name);
            }
        }
    }
}

/// Puts closed lists of words into the parameter that refers to them, and takes out null, which no parameter can
/// say.
pub fn put_in_parameter(parameter: &mut Value, schemas: &Map<String, Value>) {
    let Some(schema) = parameter.get_mut("schema") else { return };
    without_null(schema);
    let target = schema["$ref"].as_str().and_then(|to| schemas.get(to.strip_prefix(PREFIX)?));
    if let Some(target) = target.filter(|target| target["enum"].is_array()) {
        *schema = target.clone();
    }
}

/// What [`arrange`] has found.
#[derive(Debug, Default)]
pub struct Arranged {
    /// The new names of those that requests must refer to instead.
    pub inputs: BTreeMap<String, String>,
    /// The names of all that say what is sent.
    pub written: BTreeSet<String>,
}

/// Brings all schemas into form. `written` and `read` are the names that requests and answers refer to.
pub fn arrange(
    schemas: &mut Map<String, Value>,
    written: &BTreeSet<String>,
    read: &BTreeSet<String>,
) -> Arranged {
    schemas.values_mut().for_each(plain_choices);
    schemas.values_mut().for_each(open_empty);
    let mut roots_of: BTreeSet<String> = written.union(read).cloned().collect();
    let (written, read) = (reachable(schemas, written), reachable(schemas, read));
    let inputs: BTreeMap<String, String> = written
        .intersection(&read)
        .filter(|name| {
            let with_parts = reachable(schemas, &BTreeSet::from([(*name).clone()]));
            with_parts.iter().filter_map(|one| schemas.get(one)).any(is_closed)
        })
        .map(|name| (name.clone(), format!("{name}{INPUT}")))
        .collect();
    roots_of.extend(
        inputs
            .iter()
            .filter(|(name, _)| roots_of.contains(*name))
            .map(|(_, input)| input.clone())
            .collect::<Vec<_>>(),
    );
    let mut result = Map::new();
    let mut arranged = Arranged::default();
    for name in &written {
        let Some(mut schema) = schemas.get(name).cloned() else { continue };
        rename(&mut schema, &inputs);
        let name = inputs.get(name).unwrap_or(name).clone();
        arranged.written.insert(name.clone());
        result.insert(name, schema);
    }
    for name in &read {
        let Some(mut schema) = schemas.get(name).cloned() else { continue };
        open(&mut schema);
        if !OF_TWO_READERS.contains(&name.as_str()) {
            present_or_absent(&mut schema);
        }
        result.insert(name.clone(), schema);
    }
    *schemas = result;
    let known = schemas.clone();
    schemas.values_mut().for_each(|schema| join_nulls(schema, &known));
    // What was only ever beside null stands where it was referred to.
    let used = reachable(schemas, &roots_of);
    schemas.retain(|name, _| used.contains(name));
    arranged.inputs = inputs;
    arranged
}
