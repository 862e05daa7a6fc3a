//! JSON Schema as tables that people read. Owns the words for types and limits; each named schema stands once on a
//! page, under `#schema-NAME`, and is linked from everywhere else.

use std::sync::LazyLock;

use serde_json::{Map, Value};

use super::html::{anchor, escape, inline, prose, table};

const REFERENCE: &str = "#/components/schemas/";

/// The named schemas of a document.
pub fn named(document: &Value) -> &Map<String, Value> {
    static NONE: LazyLock<Map<String, Value>> = LazyLock::new(Map::new);
    document["components"]["schemas"].as_object().unwrap_or(&NONE)
}

/// The name that a reference leads to.
pub fn referred(schema: &Value) -> Option<&str> {
    schema["$ref"].as_str()?.strip_prefix(REFERENCE)
}

/// The type of a value in a few words, with links to named schemas.
pub fn type_of(schema: &Value) -> String {
    if let Some(name) = referred(schema) {
        return format!("<a href=\"#schema-{}\">{}</a>", anchor(name), escape(name));
    }
    for joined in ["oneOf", "anyOf", "allOf"] {
        if let Some(parts) = schema[joined].as_array() {
            let parts: Vec<_> = parts.iter().map(type_of).collect();
            return parts.join(if joined == "allOf" { " and " } else { " or " });
        }
    }
    if let Some(value) = schema.get("const") {
        return format!("<code>{}</code>", escape(&value.to_string()));
    }
    match &schema["type"] {
        Value::String(name) => named_type(name, schema),
        Value::Array(names) => {
            let names = names.iter().filter_map(Value::as_str).map(|name| named_type(name, schema));
            names.collect::<Vec<_>>().join(" or ")
        }
        _ => "any value".to_owned(),
    }
}

fn named_type(name: &str, schema: &Value) -> String {
    if name == "array" {
        if let Some(parts) = schema["prefixItems"].as_array() {
            let parts: Vec<_> = parts.iter().map(type_of).collect();
            return format!("[{}]", parts.join(", "));
        }
        return format!("list of {}", type_of(&schema["items"]));
    }
    match (name, schema["format"].as_str()) {
        ("string", Some("date-time")) => "time".to_owned(),
        ("integer", _) => "whole number".to_owned(),
        ("string", _) => "text".to_owned(),
        _ => name.to_owned(),
    }
}

/// The limits that a schema states, in words.
fn limits(schema: &Value) -> String {
    let words = [
        ("minimum", "at least"),
        ("maximum", "at most"),
        ("minLength", "characters: at least"),
        ("maxLength", "characters: at most"),
        ("minItems", "items: at least"),
        ("maxItems", "items: at most"),
        ("x-max-bytes", "bytes: at most"),
        ("pattern", "pattern"),
        ("default", "default"),
    ];
    let mut parts = Vec::new();
    for (keyword, word) in words {
        match schema.get(keyword) {
            None | Some(Value::Null) => {}
            Some(Value::String(text)) => parts.push(format!("{word} <code>{}</code>", escape(text))),
            Some(value) => parts.push(format!("{word} <code>{}</code>", escape(&value.to_string()))),
        }
    }
    for (keyword, word) in
        [("enum", "one of"), ("x-extensible-enum", "may grow; now one of"), ("examples", "for example")]
    {
        let Some(values) = schema[keyword].as_array().filter(|values| !values.is_empty()) else { continue };
        let values: Vec<_> =
            values.iter().map(|value| format!("<code>{}</code>", escape(&plain(value)))).collect();
        parts.push(format!("{word} {}", values.join(" ")));
    }
    match parts.is_empty() {
        true => String::new(),
        false => format!("<span class=\"limits\">{}</span>", parts.join("; ")),
    }
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// The description of a schema and its limits.
fn meaning(schema: &Value) -> String {
    let text = inline(schema["description"].as_str().unwrap_or(""));
    let mut limits = limits(schema);
    if limits.is_empty() && schema["items"].is_object() {
        limits = self::limits(&schema["items"]);
    }
    format!("{text} {limits}").trim().to_owned()
}

/// The fields of an object, its parts included; nothing when it is no object with fields.
pub fn fields(schema: &Value, all: &Map<String, Value>) -> String {
    let mut rows = Vec::new();
    collect(schema, all, &mut rows, 0);
    match rows.is_empty() {
        true => String::new(),
        false => table("fields", &["field", "type", "meaning"], &rows),
    }
}

fn collect(schema: &Value, all: &Map<String, Value>, rows: &mut Vec<Vec<String>>, depth: u8) {
    if depth > 4 {
        return;
    }
    if let Some(target) = referred(schema).and_then(|name| all.get(name)) {
        collect(target, all, rows, depth + 1);
    }
    for part in schema["allOf"].as_array().into_iter().flatten() {
        collect(part, all, rows, depth + 1);
    }
    let required: Vec<_> =
        schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    for (name, field) in schema["properties"].as_object().into_iter().flatten() {
        let mark = match required.contains(&name.as_str()) {
            true => " <span class=\"required\">required</span>",
            false => "",
        };
        rows.push(vec![format!("<code>{}</code>{mark}", escape(name)), type_of(field), meaning(field)]);
    }
}

/// Every named schema, in its own section.
pub fn sections(all: &Map<String, Value>) -> String {
    let mut out = String::new();
    for (name, schema) in all {
        let id = anchor(name);
        out.push_str(&format!(
            "<section class=\"schema\" id=\"schema-{id}\"><h3><a class=\"self\" href=\"#schema-{id}\">{}</a></h3>",
            escape(name)
        ));
        out.push_str(&prose(schema["description"].as_str().unwrap_or("")));
        let table = fields(schema, all);
        if table.is_empty() {
            let values: Vec<_> = values(schema);
            out.push_str(&format!("<p>{} {}</p>", type_of(schema), limits(schema)));
            if !values.is_empty() {
                out.push_str(&super::html::table("fields", &["value", "meaning"], &values));
            }
        } else {
            out.push_str(&table);
            let variants = ["oneOf", "anyOf"].into_iter().any(|keyword| schema[keyword].is_array());
            if variants {
                out.push_str(&format!("<p>And one of: {}</p>", type_of(schema)));
            }
        }
        out.push_str("</section>");
    }
    out
}

/// Values that are described one by one.
fn values(schema: &Value) -> Vec<Vec<String>> {
    let parts = ["oneOf", "anyOf"].into_iter().filter_map(|keyword| schema[keyword].as_array()).flatten();
    parts
        .filter(|part| part.get("const").is_some())
        .map(|part| {
            let value = format!("<code>{}</code>", escape(&plain(&part["const"])));
            vec![value, inline(part["description"].as_str().unwrap_or(""))]
        })
        .collect()
}
