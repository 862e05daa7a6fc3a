//! The types of the TypeScript client for the socket are made from the AsyncAPI document and are fresh:
//! `UPDATE_DOCUMENTS=1 cargo test documents` writes them.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;

use deskwire::conform::SCENARIOS;
use deskwire::documents::client_rules::CLIENT_RULES;
use deskwire::gateway::protocol::table::{CLIENT_FRAMES, Reply, SERVER_FRAMES};
use serde_json::Value;

const FILE: &str = "clients/typescript/src/frames.ts";

/// The TypeScript type of a JSON Schema. What a server says may grow, so its words take any other text, too.
fn type_of(schema: &Value) -> String {
    if let Some(name) = schema["$ref"].as_str() {
        return name.rsplit('/').next().unwrap().to_owned();
    }
    let joined = |list: &Value, with: &str| {
        let all: Vec<String> = list.as_array().unwrap().iter().map(type_of).collect();
        let mut unique: Vec<String> = Vec::new();
        all.into_iter().for_each(|one| {
            if !unique.contains(&one) {
                unique.push(one)
            }
        });
        match unique.len() {
            1 => unique.remove(0),
            _ => format!("({})", unique.join(with)),
        }
    };
    for (keyword, with) in [("oneOf", " | "), ("anyOf", " | "), ("allOf", " & ")] {
        if schema[keyword].is_array() {
            return joined(&schema[keyword], with);
        }
    }
    if let Some(one) = schema.get("const") {
        return one.to_string();
    }
    if let Some(values) = schema["enum"].as_array() {
        return format!("({})", values.iter().map(Value::to_string).collect::<Vec<_>>().join(" | "));
    }
    if let Some(values) = schema["x-extensible-enum"].as_array() {
        let mut all: Vec<String> = values.iter().map(Value::to_string).collect();
        all.push("(string & {})".to_owned());
        if schema["type"].is_array() {
            all.push("null".to_owned());
        }
        return format!("({})", all.join(" | "));
    }
    match &schema["type"] {
        Value::Array(types) => {
            let one = |kind: &Value| {
                let mut schema = schema.clone();
                schema["type"] = kind.clone();
                type_of(&schema)
            };
            let all: Vec<String> = types.iter().map(one).collect();
            format!("({})", all.join(" | "))
        }
        Value::String(kind) => match kind.as_str() {
            "string" => "string".to_owned(),
            "integer" | "number" => "number".to_owned(),
            "boolean" => "boolean".to_owned(),
            "null" => "null".to_owned(),
            "array" => match schema["prefixItems"].as_array() {
                Some(items) => format!("[{}]", items.iter().map(type_of).collect::<Vec<_>>().join(", ")),
                None => format!("{}[]", type_of(&schema["items"])),
            },
            _ => object(schema),
        },
        _ if schema["properties"].is_object() => object(schema),
        _ => "unknown".to_owned(),
    }
}

fn object(schema: &Value) -> String {
    let Some(properties) = schema["properties"].as_object() else {
        return match &schema["additionalProperties"] {
            more @ Value::Object(_) => format!("Record<string, {}>", type_of(more)),
            _ => "Record<string, unknown>".to_owned(),
        };
    };
    let required: Vec<_> = schema["required"].as_array().into_iter().flatten().collect();
    let mut text = "{\n".to_owned();
    for (name, property) in properties {
        if let Some(says) = property["description"].as_str() {
            let _ = writeln!(text, "  /** {} */", says.replace('\n', " ").replace("*/", "*\\/"));
        }
        let mark = if required.iter().any(|one| *one == name) { "" } else { "?" };
        let _ = writeln!(text, "  {name}{mark}: {};", type_of(property).replace('\n', "\n  "));
    }
    text.push('}');
    text
}

fn source() -> String {
    let document = deskwire::documents::asyncapi::document();
    let mut text = "// Made from the AsyncAPI document by `UPDATE_DOCUMENTS=1 cargo test documents`; not written by hand.\n".to_owned();
    for (name, schema) in document["components"]["schemas"].as_object().unwrap() {
        let _ = writeln!(text, "\nexport type {name} = {};", type_of(schema));
    }
    text.push_str("\n/** What a client sends, by `type`. */\nexport interface ClientFrames {\n");
    for frame in CLIENT_FRAMES {
        let message = &document["components"]["messages"][format!("client.{}", frame.name)];
        let data = type_of(&message["payload"]["properties"]["data"]);
        let _ = writeln!(text, "  \"{}\": {data};", frame.name);
    }
    text.push_str("}\n\n/** What answers it. */\nexport interface Replies {\n");
    for frame in CLIENT_FRAMES {
        let reply = match frame.reply {
            Reply::None => continue,
            Reply::Ok(schema) => schema,
            Reply::Frame(name) => SERVER_FRAMES.iter().find(|one| one.name == name).unwrap().schema,
        };
        let _ = writeln!(text, "  \"{}\": {reply};", frame.name);
    }
    text.push_str("}\n\n/** What the server sends. More types may come. */\nexport type ServerFrame =\n");
    for frame in SERVER_FRAMES {
        let _ = writeln!(
            text,
            "  | {{ type: \"{}\"; reply_to?: FrameId; cursor?: string; data: {} }}",
            frame.name, frame.schema
        );
    }
    text.truncate(text.trim_end().len());
    text.push_str(";\n");
    text
}

#[test]
fn the_types_of_the_typescript_client_are_fresh() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(FILE);
    if std::env::var_os("UPDATE_DOCUMENTS").is_some() {
        std::fs::write(&path, source()).unwrap();
    }
    let fresh = std::fs::read_to_string(&path).unwrap_or_default() == source();
    assert!(fresh, "{FILE} is stale: run `UPDATE_DOCUMENTS=1 cargo test --all-features documents`");
}

/// Every rule for clients names all scenarios that judge it, and no test that does not exist.
#[test]
fn rules_for_clients_and_the_tests_that_hold_them_name_each_other() {
    let test = Path::new(env!("CARGO_MANIFEST_DIR")).join("clients/typescript/test/real.ts");
    let test = std::fs::read_to_string(test).unwrap();
    for rule in CLIENT_RULES {
        assert!(!rule.held_by.is_empty(), "nothing holds {}", rule.name);
        let scenarios: BTreeSet<_> = SCENARIOS
            .iter()
            .filter(|scenario| scenario.rules.contains(&rule.name))
            .map(|scenario| format!("conform: {}", scenario.name))
            .collect();
        let (named, others): (BTreeSet<_>, BTreeSet<_>) =
            rule.held_by.iter().map(ToString::to_string).partition(|name| name.starts_with("conform: "));
        assert_eq!(named, scenarios, "{}", rule.name);
        for name in others {
            let known =
                name.strip_prefix("client: ").is_some_and(|name| test.contains(&format!("test(\"{name}\"")));
            assert!(known, "{}: there is no {name:?}", rule.name);
        }
    }
    for scenario in SCENARIOS {
        assert!(!scenario.rules.is_empty(), "{} judges no rule", scenario.name);
        for name in scenario.rules {
            assert!(CLIENT_RULES.iter().any(|rule| rule.name == *name), "{}: {name}", scenario.name);
        }
    }
}
