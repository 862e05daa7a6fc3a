//! The documents are true (P10): what is mounted is described, what is described is mounted, every table of the
//! code is in them, and the committed files are fresh. `UPDATE_DOCUMENTS=1 cargo test documents` rewrites the files.

use std::collections::BTreeSet;
use std::path::Path;

use deskwire::documents;
use deskwire::domain::entry::EntryKind;
use deskwire::domain::permission::Operation;
use deskwire::gateway::protocol::close::CLOSE_CODES;
use deskwire::gateway::protocol::table::{CLIENT_FRAMES, Reply, SERVER_FRAMES};
use deskwire::kernel::Code;
use deskwire::metrics::Metrics;
use serde_json::Value;

const METHODS: [&str; 5] = ["get", "post", "put", "patch", "delete"];

fn openapi() -> Value {
    documents::openapi::document(deskwire::routes::configure)
}

fn read(name: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).unwrap_or_default()
}

/// Every operation: method, path, and what is said about it.
fn operations(document: &Value) -> Vec<(String, String, Value)> {
    let mut all = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            if METHODS.contains(&method.as_str()) {
                all.push((method.clone(), path.clone(), operation.clone()));
            }
        }
    }
    all
}

/// An answer, or the one that it refers to.
fn answer<'a>(document: &'a Value, response: &'a Value) -> &'a Value {
    let shared = response["$ref"].as_str().and_then(|to| document.pointer(to.trim_start_matches('#')));
    shared.unwrap_or(response)
}

fn fresh(name: &str, text: &str) {
    if std::env::var_os("UPDATE_DOCUMENTS").is_some() {
        std::fs::write(Path::new(env!("CARGO_MANIFEST_DIR")).join(name), text).unwrap();
    }
    assert!(
        read(name) == text,
        "{name} is stale: run `UPDATE_DOCUMENTS=1 cargo test --all-features documents`"
    );
}

#[test]
fn the_committed_documents_are_fresh() {
    fresh(
        "openapi/openapi.json",
        &documents::text(&documents::openapi::document(deskwire::routes::configure)).unwrap(),
    );
    fresh("openapi/asyncapi.json", &documents::text(&documents::asyncapi::document()).unwrap());
}

/// The routes as they stand over the handlers in the source.
fn routes_in_the_source() -> BTreeSet<(String, String)> {
    fn walk(folder: &Path, found: &mut BTreeSet<(String, String)>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, found);
                continue;
            }
            let text = std::fs::read_to_string(&path).unwrap();
            for line in text.lines().map(str::trim) {
                let Some((method, rest)) = line.strip_prefix("#[").and_then(|line| line.split_once("(\""))
                else {
                    continue;
                };
                if let (true, Some((route, _))) = (METHODS.contains(&method), rest.split_once('"')) {
                    let probe = matches!(route, "/healthz" | "/readyz" | "/metrics");
                    let route = if probe { route.to_owned() } else { format!("/api/v1{route}") };
                    found.insert((method.to_owned(), route));
                }
            }
        }
    }
    let mut found = BTreeSet::new();
    walk(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut found);
    found
}

#[test]
fn every_route_is_an_operation_and_every_operation_a_route() {
    let document = openapi();
    let described: BTreeSet<_> =
        operations(&document).into_iter().map(|(method, path, _)| (method, path)).collect();
    assert_eq!(described, routes_in_the_source());
}

#[test]
fn every_operation_says_what_a_client_needs() {
    let document = openapi();
    let tags: BTreeSet<_> = documents::openapi::TAGS.iter().map(|(name, _)| *name).collect();
    let mut ids = BTreeSet::new();
    for (method, path, operation) in operations(&document) {
        let name = format!("{method} {path}");
        assert!(
            ids.insert(operation["operationId"].as_str().unwrap().to_owned()),
            "{name}: operationId is not unique"
        );
        assert!(!operation["summary"].as_str().unwrap_or("").is_empty(), "{name}: no summary");
        assert!(!operation["summary"].as_str().unwrap_or("").ends_with('.'), "{name}: a summary is a title");
        let tag = operation["tags"][0].as_str().unwrap_or("");
        assert!(tags.contains(tag), "{name}: the tag {tag:?} is not described");
        assert!(operation["security"].is_array(), "{name}: neither secured nor public");
        let responses = operation["responses"].as_object().unwrap();
        assert!(
            responses.keys().any(|status| status.starts_with('2') || status == "101"),
            "{name}: no success"
        );
        assert_eq!(
            answer(&document, &responses["default"])["content"]["application/problem+json"]["schema"]["$ref"],
            "#/components/schemas/Problem",
            "{name}: no problem"
        );
        for (status, response) in responses {
            let response = answer(&document, response);
            assert!(
                !response["description"].as_str().unwrap_or("").is_empty(),
                "{name}: {status} is not described"
            );
        }
        for part in path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}')) {
            let known = operation["parameters"].as_array().into_iter().flatten();
            assert!(known.into_iter().any(|one| one["name"] == part), "{name}: {part} is not described");
        }
    }
}

fn references<'a>(value: &'a Value, found: &mut BTreeSet<&'a str>) {
    match value {
        Value::Object(fields) => {
            if let Some(target) = fields.get("$ref").and_then(Value::as_str) {
                found.insert(target);
            }
            fields.values().for_each(|value| references(value, found));
        }
        Value::Array(items) => items.iter().for_each(|value| references(value, found)),
        _ => {}
    }
}

#[test]
fn every_reference_leads_somewhere() {
    for document in [openapi(), documents::asyncapi::document()] {
        let mut found = BTreeSet::new();
        references(&document, &mut found);
        let dead: Vec<_> =
            found.into_iter().filter(|one| document.pointer(one.trim_start_matches('#')).is_none()).collect();
        assert!(dead.is_empty(), "{dead:?}");
    }
}

/// One column of a table of a document.
fn column<'a>(document: &'a Value, table: &str, name: &str) -> Vec<&'a str> {
    document[table].as_array().unwrap().iter().map(|row| row[name].as_str().unwrap()).collect()
}

#[test]
fn every_code_right_and_kind_is_in_the_documents() {
    let (openapi, asyncapi) = (openapi(), documents::asyncapi::document());
    let codes: Vec<_> = Code::ALL.iter().map(|code| code.name()).collect();
    let rights: Vec<_> = Operation::ALL.iter().map(|right| right.as_str()).collect();
    let kinds: Vec<_> = EntryKind::ALL.iter().map(|kind| kind.as_str()).collect();
    assert_eq!(column(&openapi, "x-rights", "right"), rights);
    for document in [&openapi, &asyncapi] {
        assert_eq!(column(document, "x-error-codes", "code"), codes);
        assert_eq!(column(document, "x-entry-kinds", "kind"), kinds);
        let text = document["info"]["description"].as_str().unwrap();
        assert!(text.lines().count() < 30, "generators copy the introduction into every file");
    }
}

/// A new operation inherits what the others have: a test fails when it comes without.
#[test]
fn every_operation_has_its_problems_a_description_and_limits() {
    let document = openapi();
    for (method, path, operation) in operations(&document) {
        let id = operation["operationId"].as_str().unwrap();
        assert!(
            documents::problems::own(id).is_some(),
            "{id} ({method} {path}) has no line in documents::problems"
        );
        assert!(!operation["description"].as_str().unwrap_or("").is_empty(), "{id} has no description");
        for parameter in operation["parameters"].as_array().into_iter().flatten() {
            let described = !parameter["description"].as_str().unwrap_or("").is_empty();
            assert!(described, "{id}: {} has no description", parameter["name"]);
        }
        let has_4xx =
            operation["responses"].as_object().unwrap().keys().any(|status| status.starts_with('4'));
        assert!(has_4xx, "{id} refuses nothing");
    }
}

/// The answers to the upgrade stand in both documents, and are the same.
#[test]
fn both_documents_say_how_an_upgrade_is_answered() {
    let (openapi, asyncapi) = (openapi(), documents::asyncapi::document());
    let responses = openapi["paths"]["/api/v1/ws"]["get"]["responses"].as_object().unwrap();
    let rest: BTreeSet<_> = responses
        .iter()
        .filter(|(status, _)| *status != "default")
        .map(|(status, response)| (status.clone(), answer(&openapi, response)["x-problem-codes"].to_string()))
        .collect();
    let none = |codes: &Value| codes.as_array().unwrap().is_empty();
    let rows = asyncapi["channels"]["socket"]["x-upgrade-answers"].as_array().unwrap();
    let socket: BTreeSet<_> = rows
        .iter()
        .map(|row| {
            let codes = if none(&row["codes"]) { Value::Null } else { row["codes"].clone() };
            (row["status"].to_string(), codes.to_string())
        })
        .collect();
    assert_eq!(rest, socket);
}

/// The schemas that clients write: what requests or frames from the client refer to.
fn written(document: &Value) -> serde_json::Map<String, Value> {
    let all = document["components"]["schemas"].as_object().unwrap();
    let mut roots = BTreeSet::new();
    for (_, item) in document["paths"].as_object().into_iter().flatten() {
        for (_, operation) in item.as_object().unwrap() {
            roots.extend(documents::schemas::names(&operation["requestBody"]));
        }
    }
    for (key, message) in document["components"]["messages"].as_object().into_iter().flatten() {
        if key.starts_with("client.") {
            roots.extend(documents::schemas::names(message));
        }
    }
    let names = documents::schemas::reachable(all, &roots);
    all.iter()
        .filter(|(name, _)| names.contains(*name))
        .map(|(name, one)| (name.clone(), one.clone()))
        .collect()
}

fn walk<'a>(value: &'a Value, visit: &mut impl FnMut(&'a serde_json::Map<String, Value>)) {
    match value {
        Value::Object(fields) => {
            visit(fields);
            fields.values().for_each(|value| walk(value, visit));
        }
        Value::Array(items) => items.iter().for_each(|value| walk(value, visit)),
        _ => {}
    }
}

#[test]
fn what_is_written_is_closed_and_bounded_and_what_is_read_is_open() {
    for document in [openapi(), documents::asyncapi::document()] {
        let written = written(&document);
        assert!(written.len() > 10);
        let unbounded = documents::bounds::unbounded(&written);
        assert!(unbounded.is_empty(), "no limit in documents::bounds for {unbounded:?}");
        for (name, schema) in document["components"]["schemas"].as_object().unwrap() {
            let is_written = written.contains_key(name);
            if is_written && schema["properties"].is_object() {
                assert_eq!(schema["additionalProperties"], false, "{name} is written");
            }
            walk(schema, &mut |one| {
                let closed =
                    one.get("additionalProperties") == Some(&Value::Bool(false)) || one.contains_key("enum");
                assert!(is_written || !closed, "{name} is read and may not grow");
                assert!(
                    !is_written || !one.contains_key("x-extensible-enum"),
                    "{name} is written and not closed"
                );
            });
        }
    }
}

/// What public generators of clients cannot read (openapi-generator 7.25.0 was tried).
#[test]
fn nothing_stands_in_the_way_of_generators() {
    for document in [openapi(), documents::asyncapi::document()] {
        walk(&document, &mut |one| {
            for choice in one.get("oneOf").and_then(Value::as_array).into_iter().flatten() {
                let fields = choice.as_object().unwrap();
                assert!(
                    !fields.contains_key("$ref") || fields.len() == 1,
                    "beside a $ref in oneOf: {choice}"
                );
            }
        });
        for name in document["components"]["schemas"].as_object().unwrap().keys() {
            assert!(!name.contains('_') && !name.starts_with("New"), "{name}");
        }
        let used: BTreeSet<_> = documents::schemas::names(&document);
        let unused: Vec<_> = document["components"]["schemas"]
            .as_object()
            .unwrap()
            .keys()
            .filter(|name| !used.contains(*name))
            .collect();
        assert!(unused.is_empty(), "nothing refers to {unused:?}");
    }
}

#[test]
fn every_frame_and_close_code_is_in_the_asyncapi_document() {
    let document = documents::asyncapi::document();
    let (messages, operations) = (&document["components"]["messages"], &document["operations"]);
    for frame in CLIENT_FRAMES {
        assert!(
            documents::frame_problems::own(frame.name).is_some(),
            "{} has no line in documents::frame_problems",
            frame.name
        );
        assert!(messages[format!("client.{}", frame.name)].is_object(), "{}", frame.name);
        let operation = &operations[format!("receive.{}", frame.name)];
        assert!(operation.is_object(), "{}", frame.name);
        let reply = match frame.reply {
            Reply::None => continue,
            Reply::Ok(schema) => format!("server.ok.{schema}"),
            Reply::Frame(name) => format!("server.{name}"),
        };
        assert_eq!(operation["reply"]["messages"][0]["$ref"], format!("#/channels/socket/messages/{reply}"));
        assert!(messages[&reply]["payload"]["properties"]["reply_to"].is_object(), "{reply}");
    }
    for frame in SERVER_FRAMES {
        assert!(messages[format!("server.{}", frame.name)].is_object(), "{}", frame.name);
        assert!(operations[format!("send.{}", frame.name)].is_object(), "{}", frame.name);
    }
    let codes = document["x-close-codes"].as_array().unwrap();
    assert_eq!(codes.len(), CLOSE_CODES.len());
}

/// The README with the present table of settings between its marks.
fn readme_with_settings(readme: &str) -> Option<String> {
    let (begin, end) = (
        "<!-- settings: written by `UPDATE_DOCUMENTS=1 cargo test documents` -->\n",
        "<!-- settings end -->",
    );
    let (before, rest) = readme.split_once(begin)?;
    let (_, after) = rest.split_once(end)?;
    Some(format!("{before}{begin}{}{end}{after}", deskwire::cli::settings_table()))
}

#[test]
fn the_readme_holds_every_setting_and_number() {
    let readme = read("README.md");
    fresh("README.md", &readme_with_settings(&readme).expect("the README has no place for the settings"));
    for name in Metrics::NAMES {
        assert!(readme.contains(name), "the README does not name {name}");
    }
}
