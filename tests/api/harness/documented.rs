//! What the documents say, held against every answer and every frame of the suite.
//!
//! The reading is closed: a field, a word, a status, a problem code or a header that the document does not name fails
//! the test, although clients are told to ignore them; so the document can never fall behind the server. And what the
//! server accepts, the document must allow. Validators are compiled once for the process.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use deskwire::documents;
use jsonschema::Validator;
use reqwest::header::HeaderMap;
use serde_json::{Map, Value, json};

/// Headers that belong to HTTP itself, or stand on every answer for browsers.
const AMBIENT: &[&str] = &[
    "accept-ranges",
    "access-control-allow-credentials",
    "access-control-allow-origin",
    "access-control-expose-headers",
    "cache-control",
    "connection",
    "content-disposition",
    "content-length",
    "content-range",
    "content-security-policy",
    "content-type",
    "date",
    "keep-alive",
    "referrer-policy",
    "transfer-encoding",
    "vary",
    "x-content-type-options",
];

/// A document whose schemas are read as closed.
pub struct Document {
    root: Value,
    compiled: Mutex<BTreeMap<String, Arc<Validator>>>,
}

/// The OpenAPI document.
pub static OPENAPI: LazyLock<Document> =
    LazyLock::new(|| Document::new(documents::openapi::document(deskwire::routes::configure)));
/// The AsyncAPI document.
pub static ASYNCAPI: LazyLock<Document> = LazyLock::new(|| Document::new(documents::asyncapi::document()));

/// Closes what may grow: unknown fields and words are faults here.
fn close(schema: &mut Value) {
    match schema {
        Value::Object(fields) => {
            let kinds = fields.get("type").cloned().unwrap_or_default();
            let is =
                |kind: &str| kinds == kind || kinds.as_array().is_some_and(|all| all.contains(&json!(kind)));
            if is("object")
                && fields.contains_key("properties")
                && !fields.contains_key("additionalProperties")
            {
                fields.insert("additionalProperties".to_owned(), json!(false));
            }
            if let Some(Value::Array(mut words)) = fields.remove("x-extensible-enum") {
                if is("null") {
                    words.push(Value::Null);
                }
                fields.insert("enum".to_owned(), Value::Array(words));
            }
            fields.values_mut().for_each(close);
        }
        Value::Array(items) => items.iter_mut().for_each(close),
        _ => {}
    }
}

impl Document {
    fn new(mut root: Value) -> Self {
        close(&mut root["components"]);
        Self { root, compiled: Mutex::default() }
    }

    /// What is wrong with a value, by a schema of this document; `None` when nothing is.
    fn fault(&self, schema: &Value, value: &Value) -> Option<String> {
        let validator = self.validator(schema);
        if validator.is_valid(value) {
            return None;
        }
        let faults: Vec<_> = validator
            .iter_errors(value)
            .take(3)
            .map(|fault| format!("{} at {}", fault, fault.instance_path()))
            .collect();
        (!faults.is_empty()).then(|| faults.join("; "))
    }

    fn validator(&self, schema: &Value) -> Arc<Validator> {
        let key = schema.to_string();
        let mut compiled = self.compiled.lock().unwrap_or_else(PoisonError::into_inner);
        let made = compiled.entry(key).or_insert_with(|| {
            let mut whole = schema.clone();
            close(&mut whole);
            whole["components"] = json!({"schemas": self.root["components"]["schemas"]});
            let options = jsonschema::draft202012::options().should_validate_formats(true);
            Arc::new(options.build(&whole).unwrap_or_else(|cause| panic!("{schema}: {cause}")))
        });
        made.clone()
    }

    fn operation(&self, method: &str, path: &str) -> Option<&Map<String, Value>> {
        let path = &decoded(path);
        let method = if method == "HEAD" { "get".to_owned() } else { method.to_ascii_lowercase() };
        let parts: Vec<&str> = path.split('/').collect();
        let fits = |template: &str| {
            let template: Vec<&str> = template.split('/').collect();
            let one = |(template, part): (&&str, &&str)| match template.starts_with('{') {
                true => !part.is_empty(),
                false => template == part,
            };
            template.len() == parts.len() && template.iter().zip(&parts).all(one)
        };
        let paths = self.root["paths"].as_object()?;
        // A path without parameters goes before one with them.
        let exact = paths.get(path).and_then(|item| item[&method].as_object());
        let fitting = || {
            paths.iter().find(|(template, _)| fits(template)).and_then(|(_, item)| item[&method].as_object())
        };
        exact.or_else(fitting)
    }
}

/// A path as the routes see it.
fn decoded(path: &str) -> String {
    let mut parts = path.split('%');
    let mut out = parts.next().unwrap_or("").to_owned();
    for part in parts {
        match part.get(..2).and_then(|hex| u8::from_str_radix(hex, 16).ok()).filter(u8::is_ascii_graphic) {
            Some(byte) => out.extend([char::from(byte).to_string().as_str(), &part[2..]]),
            None => out.extend(["%", part]),
        }
    }
    out
}

/// One exchange over HTTP.
pub struct Exchange<'a> {
    pub method: &'a str,
    pub path: &'a str,
    pub query: &'a str,
    pub sent: Option<&'a [u8]>,
    pub status: u16,
    pub headers: &'a HeaderMap,
    pub body: &'a Value,
}

/// Fails when the OpenAPI document does not say what was just seen.
pub fn check(exchange: &Exchange<'_>) {
    if let Some(fault) = fault(exchange) {
        let Exchange { method, path, status, body, .. } = exchange;
        panic!("the document does not say this: {method} {path} answered {status} {body}: {fault}");
    }
}

fn fault(exchange: &Exchange<'_>) -> Option<String> {
    let Exchange { method, path, query, sent, status, headers, body } = exchange;
    let Some(operation) = OPENAPI.operation(method, path) else {
        let described = *status < 400 && path.starts_with("/api/") && *method != "OPTIONS";
        return described.then(|| "no such operation".to_owned());
    };
    let Some(answer) = operation["responses"].get(status.to_string()) else {
        return Some("the status is not declared".to_owned());
    };
    let shared = answer["$ref"].as_str().and_then(|to| OPENAPI.root.pointer(to.trim_start_matches('#')));
    let answer = shared.unwrap_or(answer);
    let declared: BTreeSet<String> = answer["headers"]
        .as_object()
        .into_iter()
        .flatten()
        .map(|(name, _)| name.to_ascii_lowercase())
        .collect();
    for name in headers.keys().map(reqwest::header::HeaderName::as_str) {
        if !declared.contains(name) && !AMBIENT.contains(&name) {
            return Some(format!("the header {name} is not declared"));
        }
    }
    if !headers.contains_key("x-request-id") {
        return Some("no X-Request-Id".to_owned());
    }
    if *status >= 400 {
        let codes = answer["x-problem-codes"].as_array().cloned().unwrap_or_default();
        if *method != "HEAD" && !codes.contains(&body["code"]) {
            return Some(format!("the code {} is not declared", body["code"]));
        }
    }
    if *method == "HEAD" {
        return None;
    }
    let media = headers.get("content-type").and_then(|value| value.to_str().ok()).unwrap_or("");
    let media = media.split(';').next().unwrap_or("").trim();
    match answer["content"].as_object() {
        None if body.is_null() => {}
        None => return Some("a body that is not declared".to_owned()),
        Some(contents) => {
            // A content of any type is documented as such.
            let content = contents.get(media).or_else(|| contents.get("*/*"));
            let Some(content) = content else { return Some(format!("{media} is not declared")) };
            if let Some(fault) = OPENAPI.fault(&content["schema"], body) {
                return Some(fault);
            }
        }
    }
    for name in query.split('&').filter_map(|pair| pair.split('=').next()).filter(|name| !name.is_empty()) {
        let parameters = operation.get("parameters").and_then(Value::as_array);
        let known =
            parameters.is_some_and(|all| all.iter().any(|one| one["name"] == name && one["in"] == "query"));
        if *status < 300 && !known {
            return Some(format!("the parameter {name} was accepted and is not declared"));
        }
    }
    let asked =
        &operation.get("requestBody").unwrap_or(&Value::Null)["content"]["application/json"]["schema"];
    let sent = sent.and_then(|bytes| serde_json::from_slice::<Value>(bytes).ok());
    match sent.filter(|_| *status < 300 && asked.is_object()) {
        Some(sent) => {
            OPENAPI.fault(asked, &sent).map(|fault| format!("accepted against the document: {fault}"))
        }
        None => None,
    }
}

/// Fails when the AsyncAPI document does not say that an upgrade may be answered so.
pub fn check_upgrade(status: u16, body: &[u8]) {
    let rows =
        ASYNCAPI.root["channels"]["socket"]["x-upgrade-answers"].as_array().cloned().unwrap_or_default();
    let codes = rows.iter().find(|row| row["status"] == status).map(|row| row["codes"].clone());
    let problem: Value = serde_json::from_slice(body).unwrap_or_default();
    // The library keeps what has arrived with the head only, which may be no body yet.
    let told = codes
        .as_ref()
        .and_then(Value::as_array)
        .is_some_and(|codes| problem.is_null() || codes.contains(&problem["code"]));
    assert!(told, "the document does not say this: the upgrade was answered {status} {problem}");
}

/// Fails when the AsyncAPI document does not say what was just received. `asked` is the frame that it answers.
pub fn check_frame(frame: &Value, asked: Option<&Value>) {
    if let Some(fault) = frame_fault(frame, asked) {
        panic!("the document does not say this: {frame}: {fault}");
    }
}

fn frame_fault(frame: &Value, asked: Option<&Value>) -> Option<String> {
    let document = &ASYNCAPI.root;
    let kind = frame["type"].as_str().unwrap_or("");
    let operation = asked
        .map(|asked| &document["operations"][format!("receive.{}", asked["type"].as_str().unwrap_or(""))]);
    let replies = operation.and_then(|operation| operation["reply"]["messages"].as_array());
    let keys: Vec<&str> =
        replies.into_iter().flatten().filter_map(|one| one["$ref"].as_str()?.rsplit('/').next()).collect();
    let key = match (kind, asked) {
        // The answer to a frame whose type is not known.
        ("error", _) => "server.error".to_owned(),
        (_, None) => format!("server.{kind}"),
        (_, Some(_)) => match keys.iter().find(|key| key.split('.').nth(1) == Some(kind)) {
            Some(key) => (*key).to_owned(),
            None => return Some(format!("{kind} is no declared answer: {keys:?}")),
        },
    };
    let message = &document["components"]["messages"][&key];
    if !message.is_object() {
        return Some(format!("there is no message {key}"));
    }
    if let Some(fault) = ASYNCAPI.fault(&message["payload"], frame) {
        return Some(fault);
    }
    let known = |table: &str, name: &str, value: &Value| {
        document[table].as_array().is_some_and(|rows| rows.iter().any(|row| row[name] == *value))
    };
    if kind == "error" {
        let code = &frame["data"]["code"];
        let of_frame = operation.and_then(|operation| operation["x-problem-codes"].as_array());
        if !known("x-error-codes", "code", code) || of_frame.is_some_and(|codes| !codes.contains(code)) {
            return Some(format!("the code is not declared for {}", asked.unwrap_or(&Value::Null)));
        }
    }
    if kind == "bye" && !known("x-close-codes", "code", &frame["data"]["code"]) {
        return Some("the close code is not declared".to_owned());
    }
    let asked = asked.filter(|_| kind != "error")?;
    let payload =
        &document["components"]["messages"][format!("client.{}", asked["type"].as_str()?)]["payload"];
    ASYNCAPI.fault(payload, asked).map(|fault| format!("{asked} was accepted against the document: {fault}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(status: u16, body: &Value) -> Option<String> {
        let mut headers = HeaderMap::new();
        headers.insert("x-request-id", "r".parse().unwrap());
        let media = if status < 400 { "application/json" } else { "application/problem+json" };
        headers.insert("content-type", media.parse().unwrap());
        let path = "/api/v1/conversations/7/read";
        fault(&Exchange {
            method: "POST",
            path,
            query: "",
            sent: Some(b"{\"seq\":1}"),
            status,
            headers: &headers,
            body,
        })
    }

    /// Each kind of fault is seen.
    #[test]
    fn what_the_document_does_not_say_is_a_fault() {
        assert_eq!(answered(200, &json!({"read_seq": 1, "read_ver": 1})), None);
        for wrong in [
            json!({"read_seq": 1}),
            json!({"read_seq": "1", "read_ver": 1}),
            json!({"read_seq": 1, "read_ver": 1, "more": 1}),
        ] {
            assert!(answered(200, &wrong).is_some(), "{wrong}");
        }
        assert!(answered(201, &json!({"read_seq": 1, "read_ver": 1})).is_some(), "a status");
        let problem = |status: u16, code: &str| json!({"type": "t", "title": "t", "status": status, "code": code, "detail": "d", "request_id": "r", "retryable": false});
        assert_eq!(answered(404, &problem(404, "not_found")), None);
        assert!(answered(409, &problem(409, "name_taken")).is_some(), "a status");
        assert!(answered(404, &problem(404, "name_taken")).is_some(), "a code");
        let live = json!({"type": "live", "data": {"cursor": "c"}});
        assert_eq!(frame_fault(&live, None), None);
        for wrong in [
            json!({"type": "live", "data": {"cursor": 1}}),
            json!({"type": "live", "data": {"cursor": "c", "more": 1}}),
            json!({"type": "live", "data": {"cursor": "c"}, "more": 1}),
            json!({"type": "dead", "data": {}}),
        ] {
            assert!(frame_fault(&wrong, None).is_some(), "{wrong}");
        }
        let asked = json!({"type": "pull", "id": "1", "data": {"conversation_id": "7", "after_seq": 0}});
        let reply = |data: Value| json!({"type": "ok", "reply_to": "1", "data": data});
        let pulled = json!({"conversation_id": "7", "entries": [], "head_seq": 0});
        assert_eq!(frame_fault(&reply(pulled), Some(&asked)), None);
        assert!(
            frame_fault(&reply(json!({"token_expires_at": "2026-11-22T10:00:00.000Z"})), Some(&asked))
                .is_some()
        );
    }

    /// What a notice says is bound to its kind.
    #[test]
    fn the_content_of_an_entry_goes_by_its_kind() {
        let entry = |kind: &str, content: Value| {
            json!({"conversation_id": "7", "seq": 1, "rev": 1, "message_type": "notice", "kind": kind, "sender": null,
                "content": content, "msg_count": 0, "created_at": "2026-11-22T10:00:00.000Z"})
        };
        let frame = |entry: Value| json!({"type": "entry", "data": entry});
        assert_eq!(frame_fault(&frame(entry("closed", json!({"reason": "resolved"}))), None), None);
        assert!(frame_fault(&frame(entry("closed", json!({"why": "resolved"}))), None).is_some());
        assert!(frame_fault(&frame(entry("opened", json!({"reason": "resolved"}))), None).is_some());
        assert!(frame_fault(&frame(entry("exploded", json!({}))), None).is_some());
    }
}
