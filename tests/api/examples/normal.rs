//! The form in which recorded values are kept: ids, times, tokens and cursors differ between runs, so each gets a
//! value that says what it is and stays the same.

use std::collections::BTreeMap;

use deskwire::kernel::Millis;
use serde_json::{Value, json};

/// When the recording begins, as the examples show it: 2026-11-22T10:00:00.000Z.
const BEGIN: i64 = 1_795_341_600_000;
/// The first id of the examples; each further one is a little larger.
const FIRST_ID: u64 = 3_765_201_203_527_680_000;

/// What replaces what differs.
pub struct Normal {
    start: i64,
    ids: BTreeMap<String, String>,
}

impl Normal {
    /// For a recording that begins at this time.
    pub fn new(start: Millis) -> Self {
        Self { start: start.0, ids: BTreeMap::new() }
    }

    /// A path with its ids replaced.
    pub fn path(&mut self, path: &str) -> String {
        let (path, query) = path.split_once('?').map_or((path, None), |(path, query)| (path, Some(query)));
        let parts: Vec<String> = path.split('/').map(|part| self.text("", part)).collect();
        let query = query.map(|query| {
            let pairs: Vec<String> = query
                .split('&')
                .map(|pair| match pair.split_once('=') {
                    // The instant that is asked for stands in the request: it is the same in every run.
                    Some(("at", _)) | None => pair.to_owned(),
                    Some((name, value)) => format!("{name}={}", self.text(name, value)),
                })
                .collect();
            format!("?{}", pairs.join("&"))
        });
        format!("{}{}", parts.join("/"), query.unwrap_or_default())
    }

    /// A value with everything in it replaced that differs between runs.
    pub fn value(&mut self, name: &str, value: &Value) -> Value {
        match value {
            Value::String(text) => json!(self.text(name, text)),
            // How long something took is the machine's.
            Value::Number(_) if name == "duration_ms" => json!(120),
            // How well an export is compressed goes by what it holds.
            Value::Number(number) if name == "byte_count" && number.as_i64() != Some(0) => json!(18_204),
            Value::Number(number) if name == "line_count" && number.as_i64() != Some(0) => json!(412),
            Value::Array(items) => items.iter().map(|item| self.value(name, item)).collect(),
            Value::Object(fields) => {
                fields.iter().map(|(name, value)| (name.clone(), self.value(name, value))).collect()
            }
            other => other.clone(),
        }
    }

    fn text(&mut self, name: &str, text: &str) -> String {
        if name == "url" && text.starts_with("/api/v1/") {
            return self.path(text);
        }
        if text.starts_with("dwf_") {
            return "dwf_3765201203527680000-…".to_owned();
        }
        // The token of a link to rate.
        if text.starts_with("dwk_") {
            return "dwk_3765201203527680000-…".to_owned();
        }
        let fixed = match name {
            "access_token" | "token" => Some("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiI…"),
            "refresh_token" => Some("Jx9f2VbQ…"),
            "identity_token" => Some("eyJhbGciOiJIUzI1NiIsImtpZCI6…"),
            "secret" if text.starts_with("dk_") => Some("dk_k3f9x2m8qtza_…"),
            "prefix" => Some("k3f9x2m8qtza"),
            "secret" => Some("h0qKXw3s…"),
            "kid" => Some("k7Qd2n5s"),
            "request_id" => Some("kB-vIHwflUqiYqd3"),
            "epoch" => Some("q3vXb0Zk7TnE"),
            "cursor" | "next_cursor" | "sync_cursor" | "after" => Some("AQAAAAAAAAAq…"),
            "nonce" => Some("n1"),
            "session_id" => Some("s-41c7"),
            _ => None,
        };
        if let Some(fixed) = fixed.filter(|_| !text.is_empty()) {
            return fixed.to_owned();
        }
        // What a calendar says of an instant that was asked for.
        if matches!(name, "opens_at" | "closes_at") {
            return text.to_owned();
        }
        if matches!(name, "svg_path" | "png_path") {
            return self.path(text);
        }
        if text.len() >= 15 && text.bytes().all(|byte| byte.is_ascii_digit()) {
            let next = FIRST_ID + self.ids.len() as u64 * 4_096;
            return self.ids.entry(text.to_owned()).or_insert_with(|| next.to_string()).clone();
        }
        // Where a provider brings receipts: an id, and a key behind it.
        if let Some((id, key)) = text.split_once('-')
            && let Some(start) = id.len().checked_sub(id.bytes().rev().take_while(u8::is_ascii_digit).count())
            && (key.len(), id.len() - start >= 15) == (32, true)
        {
            return format!("{}{}-Vb3kTq…", &id[..start], self.text("", &id[start..]));
        }
        match serde_json::from_value::<Millis>(json!(text)) {
            Ok(at) => Millis(at.0 - self.start + BEGIN).to_string(),
            Err(_) => text.to_owned(),
        }
    }
}
