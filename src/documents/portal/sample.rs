//! A first body for a request that is tried out: whatever the schema asks for, with words that this service takes.
//! Owns the words; the page puts in names, keys and ids that it knows from earlier answers.

use serde_json::{Map, Value, json};

use super::schema::referred;

/// A value that fits the schema.
pub fn of(schema: &Value, all: &Map<String, Value>) -> Value {
    value(schema, all, "", 0)
}

/// What stands in a field of this name wherever it is.
fn known(name: &str) -> Option<Value> {
    Some(match name {
        "tenant" => json!("demo"),
        "name" => json!("admin"),
        "login_name" => json!("eva"),
        "password" | "new_password" => json!("a phrase that only you know"),
        "device" => json!("portal"),
        "kind" => json!("text"),
        "content" => json!({"text": "Where is my parcel?"}),
        "client_msg_id" => json!("demo-1"),
        "subject" => json!("Order 1001"),
        "nickname" => json!("Mei"),
        "priority" => json!("normal"),
        "role" => json!("agent"),
        "tags" | "skills" => json!(["parcel"]),
        "seq" | "read_seq" => json!(1),
        "after_seq" => json!(0),
        "nonce" => json!("n1"),
        "on" | "waiting" => json!(true),
        _ => return None,
    })
}

/// Optional fields that a first try is better with.
const PUT_IN: [&str; 3] = ["login_name", "nickname", "password"];

/// Optional fields that a first try is better without: they need something that exists, or undo it.
const LEFT_OUT: [&str; 16] = [
    "login_name",
    "password",
    "role",
    "external_id",
    "customer_id",
    "group_id",
    "parent_id",
    "refresh_token",
    "reply_to_seq",
    "base_edited_at",
    "read_seq",
    "read_ver",
    "cursor",
    "epoch",
    "status",
    "expires_at",
];

fn value(schema: &Value, all: &Map<String, Value>, name: &str, depth: u8) -> Value {
    if let Some(known) = known(name) {
        return known;
    }
    for given in ["const", "example", "default"] {
        if let Some(value) = schema.get(given).filter(|value| !value.is_null()) {
            return value.clone();
        }
    }
    for list in ["examples", "enum"] {
        if let Some(first) = schema[list].get(0) {
            return first.clone();
        }
    }
    if depth > 6 {
        return Value::Null;
    }
    if let Some(target) = referred(schema).and_then(|name| all.get(name)) {
        return value(target, all, name, depth + 1);
    }
    for joined in ["oneOf", "anyOf", "allOf"] {
        let parts = schema[joined].as_array().into_iter().flatten();
        if let Some(part) = parts.into_iter().find(|part| part["type"] != "null") {
            return value(part, all, name, depth + 1);
        }
    }
    let kind = match &schema["type"] {
        Value::Array(names) => names.iter().find_map(|name| name.as_str().filter(|name| *name != "null")),
        other => other.as_str(),
    };
    match kind {
        Some("object") => object(schema, all, depth),
        Some("array") => json!([]),
        Some("boolean") => json!(true),
        Some("integer" | "number") => schema.get("minimum").cloned().unwrap_or(json!(1)),
        Some("string") => json!(""),
        _ => Value::Null,
    }
}

fn object(schema: &Value, all: &Map<String, Value>, depth: u8) -> Value {
    let required: Vec<_> =
        schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let fields = schema["properties"].as_object().into_iter().flatten();
    let wanted = |name: &str| match required.is_empty() && depth < 2 {
        // A change or an opening: all that may be said, in short.
        true => !LEFT_OUT.contains(&name),
        false => required.contains(&name) || PUT_IN.contains(&name),
    };
    let fields = fields.filter(|(name, _)| wanted(name));
    let fields = fields.map(|(name, field)| (name.clone(), value(field, all, name, depth + 1)));
    let says_something = |value: &Value| !value.is_null() && *value != json!("") && *value != json!({});
    Value::Object(
        fields.filter(|(name, value)| required.contains(&name.as_str()) || says_something(value)).collect(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_holds_what_is_asked_for() {
        let schemas = json!({"Message": {
            "type": "object",
            "required": ["kind", "content", "n"],
            "properties": {
                "kind": {"type": "string"}, "content": {}, "more": {"type": "string"},
                "n": {"type": ["integer", "null"], "minimum": 3},
            },
        }});
        let schema = json!({"$ref": "#/components/schemas/Message"});
        let sample = schemas.as_object().map(|all| of(&schema, all));
        let expected = json!({"kind": "text", "content": {"text": "Where is my parcel?"}, "n": 3});
        assert_eq!(sample, Some(expected));
    }
}
