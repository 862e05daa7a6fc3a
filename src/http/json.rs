//! JSON bodies. Owns their limits and how a wrong one is told: `malformed_json` for what is no JSON,
//! `validation_failed` with a JSON pointer for what is JSON but not what the route takes.

use std::future::Future;
use std::ops::Deref;
use std::pin::Pin;

use actix_web::dev::Payload;
use actix_web::http::header;
use actix_web::{FromRequest, HttpRequest, web};
use bytes::BytesMut;
use futures_util::StreamExt;
use serde::de::DeserializeOwned;
use serde_json::error::Category;

use crate::app::App;
use crate::kernel::text::has_nul;
use crate::kernel::{Code, Error, Result};

/// A request body, parsed.
#[derive(Debug)]
pub struct Body<T>(pub T);

impl<T> Body<T> {
    /// The parsed value.
    pub fn into_inner(self) -> T {
        self.0
    }
}

impl<T> Deref for Body<T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T: DeserializeOwned + 'static> FromRequest for Body<T> {
    type Error = Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let limit = request.app_data::<web::Data<App>>().map_or(65_536, |app| app.settings.body_limit);
        let checked = check_head(request, limit);
        let mut payload = payload.take();
        Box::pin(async move {
            checked?;
            let mut bytes = BytesMut::new();
            while let Some(chunk) = payload.next().await {
                let chunk = chunk.map_err(|cause| {
                    Error::new(Code::MalformedJson, "the body ended early or could not be decoded")
                        .caused_by(cause)
                })?;
                if bytes.len() + chunk.len() > limit {
                    return Err(too_large(limit));
                }
                bytes.extend_from_slice(&chunk);
            }
            parse(&bytes).map(Self)
        })
    }
}

fn check_head(request: &HttpRequest, limit: usize) -> Result<()> {
    let media =
        request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("");
    let media = media.split(';').next().unwrap_or("").trim().to_ascii_lowercase();
    if media != "application/json" && !(media.starts_with("application/") && media.ends_with("+json")) {
        return Err(Error::new(Code::UnsupportedMediaType, Code::UnsupportedMediaType.meaning()));
    }
    let announced = request.headers().get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok());
    match announced.and_then(|text| text.parse::<usize>().ok()) {
        Some(length) if length > limit => Err(too_large(limit)),
        _ => Ok(()),
    }
}

fn too_large(limit: usize) -> Error {
    Error::new(Code::PayloadTooLarge, format!("the body is larger than {limit} bytes"))
}

/// Parses one JSON value; the frames of sockets are read by the same rules.
pub fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T> {
    refuse_nul(bytes)?;
    // A list would be taken for the fields of a struct in their order, which is nobody's interface.
    if bytes.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'[') {
        serde_json::from_slice::<serde::de::IgnoredAny>(bytes).map_err(|cause| malformed(&cause))?;
        return Err(Error::field("", "invalid", "expected an object, not a list"));
    }
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(&mut reader).map_err(|cause| {
        let path = cause.path().iter().map(segment).collect::<String>();
        refusal(&path, cause.inner())
    })?;
    reader.end().map_err(|cause| malformed(&cause))?;
    Ok(value)
}

/// U+0000 can stand in JSON only as an escape, so bodies without that escape are not looked at twice.
fn refuse_nul(bytes: &[u8]) -> Result<()> {
    if !bytes.windows(6).any(|part| part == b"\\u0000") {
        return Ok(());
    }
    let Ok(value) = serde_json::from_slice::<serde_json::Value>(bytes) else {
        return Ok(());
    };
    match find_nul(&value, String::new()) {
        Some(pointer) => Err(Error::field(pointer, "invalid", "text must not hold U+0000")),
        None => Ok(()),
    }
}

fn find_nul(value: &serde_json::Value, pointer: String) -> Option<String> {
    match value {
        serde_json::Value::String(text) => has_nul(text).then_some(pointer),
        serde_json::Value::Array(items) => {
            items.iter().enumerate().find_map(|(index, item)| find_nul(item, format!("{pointer}/{index}")))
        }
        serde_json::Value::Object(fields) => fields.iter().find_map(|(name, value)| match has_nul(name) {
            true => Some(pointer.clone()),
            false => find_nul(value, format!("{pointer}/{}", escape(name))),
        }),
        _ => None,
    }
}

fn malformed(cause: &serde_json::Error) -> Error {
    Error::new(Code::MalformedJson, format!("not valid JSON: {cause}"))
}

fn refusal(path: &str, cause: &serde_json::Error) -> Error {
    if cause.classify() != Category::Data {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    #[allow(dead_code, reason = "only parsed")]
    struct Order {
        name: String,
        lines: Vec<Line>,
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
}
