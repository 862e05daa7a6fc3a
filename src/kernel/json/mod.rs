//! JSON that comes from outside: bodies of requests, frames of sockets. Owns what is refused and how it is told:
//! `malformed_json` for what is no JSON, `validation_failed` with a JSON pointer for what is JSON but not what is
//! taken there.

mod scan;
mod strict;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use serde_json::error::Category;

pub use scan::DEPTH_MAX;

use super::{Code, Error, Result};
use strict::Strict;

/// Parses one JSON value strictly. The path to what is wrong is looked for on refusal only.
pub fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T> {
    if let Some(fault) = scan::fault(bytes) {
        // Its pointer is only right for what is JSON at all.
        return match serde_json::from_slice::<serde::de::IgnoredAny>(bytes) {
            Err(cause) => Err(malformed(&cause)),
            Ok(_) => Err(Error::field(fault.pointer, "invalid", fault.detail)),
        };
    }
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    if let Ok(value) = T::deserialize(Strict(&mut reader)) {
        reader.end().map_err(|cause| malformed(&cause))?;
        return Ok(value);
    }
    // What follows the value, or is broken behind the first wrong field, makes the whole of it malformed.
    serde_json::from_slice::<serde::de::IgnoredAny>(bytes).map_err(|cause| malformed(&cause))?;
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    serde_path_to_error::deserialize(Strict(&mut reader)).map_err(|cause| {
        let path = cause.path().iter().map(segment).collect::<String>();
        refusal(&path, cause.inner())
    })
}

/// Reads a value that was parsed already just as strictly. `pointer` is where it stands in the request.
pub fn from_value<T: DeserializeOwned>(value: &serde_json::Value, pointer: &str) -> Result<T> {
    if let Ok(read) = T::deserialize(Strict(value)) {
        return Ok(read);
    }
    serde_path_to_error::deserialize(Strict(value)).map_err(|cause| {
        let path = cause.path().iter().map(segment).collect::<String>();
        refusal(&format!("{pointer}{path}"), cause.inner())
    })
}

fn malformed(cause: &serde_json::Error) -> Error {
    Error::new(Code::MalformedJson, format!("not valid JSON: {cause}"))
}

fn refusal(path: &str, cause: &serde_json::Error) -> Error {
    if matches!(cause.classify(), Category::Syntax | Category::Eof | Category::Io) {
        return malformed(cause);
    }
    let text = cause.to_string();
    // serde_json adds the position, which the pointer tells better.
    let text = text.rsplit_once(" at line ").map_or(text.as_str(), |(text, _)| text).to_owned();
    let (code, pointer) = if let Some(name) = quoted(&text, "missing field `") {
        ("required", format!("{path}/{}", escape(name)))
    } else if let Some(name) = quoted(&text, "unknown field `") {
        let name = format!("/{}", escape(name));
        ("unknown", if path.ends_with(&name) { path.to_owned() } else { format!("{path}{name}") })
    } else {
        ("invalid", path.to_owned())
    };
    Error::field(pointer, code, text)
}

fn quoted<'a>(text: &'a str, start: &str) -> Option<&'a str> {
    text.strip_prefix(start)?.split('`').next()
}

fn segment(segment: &serde_path_to_error::Segment) -> String {
    use serde_path_to_error::Segment;
    match segment {
        Segment::Seq { index } => format!("/{index}"),
        Segment::Map { key } => format!("/{}", escape(key)),
        // The name of a variant is a value, not a step into the document.
        Segment::Enum { .. } | Segment::Unknown => String::new(),
    }
}

fn escape(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

/// Tells a field that is null from one that is absent: for `deserialize_with`, beside `default`.
pub fn given<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    input: D,
) -> std::result::Result<Option<Option<T>>, D::Error> {
    Option::<T>::deserialize(input).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    #[allow(dead_code, reason = "only parsed")]
    struct Order {
        name: String,
        lines: Vec<Line>,
        #[serde(default)]
        size: Option<Size>,
        #[serde(default)]
        data: serde_json::Value,
        #[serde(default)]
        raw: Option<Box<serde_json::value::RawValue>>,
    }

    #[derive(Debug, serde::Deserialize)]
    #[serde(rename_all = "snake_case")]
    enum Size {
        Small,
        Large,
    }

    #[derive(Debug, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    #[allow(dead_code, reason = "only parsed")]
    struct Line {
        count: u32,
    }

    fn refused(body: &str) -> (&'static str, String, String) {
        match parse::<Order>(body.as_bytes()) {
            Ok(_) => ("accepted", String::new(), String::new()),
            Err(error) => {
                let field = error.fields.first();
                let pointer = field.map(|field| field.pointer.clone()).unwrap_or_default();
                let code = field.map(|field| field.code.to_string()).unwrap_or_default();
                (error.code.name(), pointer, code)
            }
        }
    }

    #[test]
    fn a_wrong_field_is_pointed_at() {
        let told = |pointer: &str, code: &str| ("validation_failed", pointer.to_owned(), code.to_owned());
        assert_eq!(refused(r#"{"lines":[]}"#), told("/name", "required"));
        assert_eq!(refused(r#"{"name":"a","lines":[],"x/y":1}"#), told("/x~1y", "unknown"));
        assert_eq!(
            refused(r#"{"name":"a","lines":[{"count":1},{"count":-1}]}"#),
            told("/lines/1/count", "invalid")
        );
        assert_eq!(refused(r#"{"name":"a","lines":[{"count":1,"z":2}]}"#), told("/lines/0/z", "unknown"));
        assert_eq!(refused(r#"{"name":"a\u0000","lines":[]}"#), told("/name", "invalid"));
        assert_eq!(refused(r#" ["a",[]]"#).0, "validation_failed");
    }

    #[test]
    fn what_is_no_json_is_malformed() {
        for body in
            ["", "{", "nope", r#"{"name":"a","lines":[]} x"#, "\u{feff}{}", r#"{"name":"\ud800","lines":[]}"#]
        {
            assert_eq!(refused(body).0, "malformed_json", "{body}");
        }
        assert!(
            parse::<Order>(b"{\"name\":\"\xff\",\"lines\":[]}")
                .is_err_and(|error| error.code == Code::MalformedJson)
        );
        assert_eq!(refused(r#"{"name":"\\u0000","lines":[]}"#).0, "accepted");
    }

    #[test]
    fn what_has_another_type_is_pointed_at_too() {
        let with = |more: &str| refused(&format!(r#"{{"name":"a","lines":[],{more}}}"#));
        let told = |pointer: &str| ("validation_failed", pointer.to_owned(), "invalid".to_owned());
        assert_eq!(with(r#""size":"small""#).0, "accepted");
        assert_eq!(with(r#""size":null"#).0, "accepted", "an optional field may be null");
        for size in [r#"{}"#, r#"{"small":null}"#, "1", "[]", "true", r#""huge""#] {
            assert_eq!(with(&format!("\"size\":{size}")), told("/size"), "{size}");
        }
        assert_eq!(refused(r#"{"name":"a","lines":[[1]]}"#), told("/lines/0"), "a list is no object");
        assert_eq!(refused(r#"{"name":"a","lines":{}}"#), told("/lines"));
        assert_eq!(refused(r#"{"name":null,"lines":[]}"#), told("/name"));
    }

    #[test]
    fn free_data_is_kept_or_refused_but_never_changed() {
        let with = |data: &str| refused(&format!(r#"{{"name":"a","lines":[],"data":{data}}}"#));
        for good in ["[[1]]", r#"{"a":{"b":[null,true,18446744073709551615,-0.5]}}"#, "null"] {
            assert_eq!(with(good).0, "accepted", "{good}");
        }
        let pointer = |data: &str| with(data).1;
        assert_eq!(pointer(r#"{"a":1,"a":2}"#), "/data/a");
        assert_eq!(pointer("[1,123456789012345678901234]"), "/data/1");
        assert!(pointer(&format!("{}{}", "[".repeat(40), "]".repeat(40))).starts_with("/data/0/0"));
        assert_eq!(refused(r#"{"name":"a","lines":[],"raw":{"x":[1]}}"#).0, "accepted");
    }
}
