//! Steps that change the form of one schema and not what it says, for `schemas::arrange`: closed into open, null
//! where it is meant, nothing beside a `$ref` inside `oneOf`.

use serde_json::{Map, Value, json};

/// Where the schemas of both documents stand.
pub const PREFIX: &str = "#/components/schemas/";

/// Says of objects that are described by no field that they hold anything: generators take them for empty else.
pub fn open_empty(schema: &mut Value) {
    match schema {
        Value::Object(fields) => {
            let described =
                ["properties", "additionalProperties"].iter().any(|key| fields.contains_key(*key));
            if fields.get("type") == Some(&json!("object")) && !described {
                fields.insert("additionalProperties".to_owned(), json!(true));
            }
            fields.values_mut().for_each(open_empty);
        }
        Value::Array(items) => items.iter_mut().for_each(open_empty),
        _ => {}
    }
}

/// A field that may be absent from an answer is never null: the server leaves it out.
pub fn present_or_absent(schema: &mut Value) {
    let required = schema["required"].as_array().cloned().unwrap_or_default();
    let fields = schema.get_mut("properties").and_then(Value::as_object_mut);
    for (name, field) in fields.into_iter().flatten() {
        if !required.contains(&json!(name)) {
            without_null(field);
        }
    }
}

/// The same schema for a value that is not null.
pub fn without_null(schema: &mut Value) {
    if let Some(types) = schema["type"].as_array() {
        let left: Vec<_> = types.iter().filter(|kind| *kind != "null").cloned().collect();
        if let [one] = left.as_slice() {
            schema["type"] = one.clone();
        }
    }
    if let Some(one) = other_than_null(schema["oneOf"].as_array()) {
        let mut one = one.clone();
        if let Some(text) = schema.get("description").filter(|text| text.is_string()) {
            one["description"] = text.clone();
        }
        *schema = one;
    }
}

/// The one choice beside null.
fn other_than_null(choices: Option<&Vec<Value>>) -> Option<&Value> {
    match choices?.as_slice() {
        [one, null] | [null, one] if *null == json!({"type": "null"}) => Some(one),
        _ => None,
    }
}

/// Whether a schema refuses fields or words that it does not name.
pub fn is_closed(schema: &Value) -> bool {
    match schema {
        Value::Object(fields) => {
            fields.get("additionalProperties") == Some(&Value::Bool(false))
                || fields.get("enum").is_some_and(Value::is_array)
                || fields.values().any(is_closed)
        }
        Value::Array(items) => items.iter().any(is_closed),
        _ => false,
    }
}

/// Takes fields and words that are not known.
pub fn open(schema: &mut Value) {
    match schema {
        Value::Object(fields) => {
            if fields.get("additionalProperties") == Some(&Value::Bool(false)) {
                fields.remove("additionalProperties");
            }
            if fields.get("enum").is_some_and(Value::is_array)
                && let Some(words) = fields.remove("enum")
            {
                fields.insert("x-extensible-enum".to_owned(), words);
            }
            fields.values_mut().for_each(open);
        }
        Value::Array(items) => items.iter_mut().for_each(open),
        _ => {}
    }
}

/// Moves what stands beside a `$ref` inside `oneOf` out of it.
pub fn plain_choices(schema: &mut Value) {
    match schema {
        Value::Object(fields) => {
            let mut text = None;
            if let Some(Value::Array(choices)) = fields.get_mut("oneOf") {
                for choice in choices.iter_mut().filter_map(Value::as_object_mut) {
                    if choice.contains_key("$ref") {
                        text = choice.remove("description").or(text);
                    }
                }
            }
            if let Some(text) = text {
                fields.entry("description").or_insert(text);
            }
            fields.values_mut().for_each(plain_choices);
        }
        Value::Array(items) => items.iter_mut().for_each(plain_choices),
        _ => {}
    }
}

/// Writes "this text or null" as one schema with two types. Objects and closed lists of words stay a choice.
pub fn join_nulls(schema: &mut Value, known: &Map<String, Value>) {
    match schema {
        Value::Object(fields) => {
            if let Some(joined) = joined(fields, known) {
                let joined_words = joined.contains_key("x-extensible-enum");
                fields.remove("oneOf");
                for (name, value) in joined {
                    let is_longer = name == "description" && joined_words;
                    if is_longer || !fields.contains_key(&name) {
                        fields.insert(name, value);
                    }
                }
            }
            fields.values_mut().for_each(|value| join_nulls(value, known));
        }
        Value::Array(items) => items.iter_mut().for_each(|value| join_nulls(value, known)),
        _ => {}
    }
}

fn joined(fields: &Map<String, Value>, known: &Map<String, Value>) -> Option<Map<String, Value>> {
    let one = other_than_null(fields.get("oneOf")?.as_array())?;
    let name = one.get("$ref")?.as_str()?.strip_prefix(PREFIX)?;
    let mut target = known.get(name)?.as_object()?.clone();
    let kind = target.get("type")?.as_str().filter(|kind| !matches!(*kind, "object" | "array"))?.to_owned();
    if target.contains_key("enum") {
        return None;
    }
    target.insert("type".to_owned(), json!([kind, "null"]));
    // Both say something: what the field is for, and what the words mean.
    if let (Some(Value::String(own)), Some(Value::String(words)), true) =
        (fields.get("description"), target.get("description"), target.contains_key("x-extensible-enum"))
    {
        target.insert("description".to_owned(), json!(format!("{own}\n\n{words}")));
    }
    Some(target)
}
