//! Versions on the wire: `ETag` on answers, `If-Match` on requests (RFC 9110, 8.8.3 and 13.1.1). Owns the form of
//! both; which answers have a version, and what a command does about one, is the features' and the journal's.
//!
//! A tag is the version in quotes. It moves with what commands change and not with every byte of an answer, so it
//! serves `If-Match` only: `If-None-Match` is not offered, and no answer with a tag may be cached.

use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::http::header::{self, ETag, EntityTag};
use actix_web::{FromRequest, HttpRequest, HttpResponse};
use serde::Serialize;

use crate::domain::conversation::IfVersion;
use crate::kernel::{Code, Error, Result};

/// Longest `If-Match`, in bytes, all its lines together.
pub const IF_MATCH_MAX: usize = 1_024;

/// On which version a command may be done.
#[derive(Debug, Clone, PartialEq, Eq, utoipa::IntoParams)]
#[into_params(parameter_in = Header)]
pub struct IfMatch {
    /// Do it only while the conversation is at this version: the `ETag` of an earlier answer, such as `"7"`, or a list
    /// of them. `*`, or no header, is any version. Weak tags never fit. Otherwise the answer is `412 version_mismatch`
    /// and `context` says where the conversation stands; what holds already is answered 200 all the same.
    #[param(rename = "If-Match", value_type = Option<String>, min_length = 1, max_length = 1024, example = "\"7\"")]
    pub versions: Option<IfVersion>,
}

impl FromRequest for IfMatch {
    type Error = Error;
    type Future = Ready<Result<Self>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        // Several lines are one list.
        let lines: Vec<&[u8]> =
            request.headers().get_all(header::IF_MATCH).map(header::HeaderValue::as_bytes).collect();
        let versions = match lines.is_empty() {
            true => Ok(None),
            false => parse(&lines.join(&b',')),
        };
        ready(versions.map(|versions| Self { versions }))
    }
}

/// Reads `*` (any version, `None`) or a list of tags. Weak tags, and those that no version has, are left out.
fn parse(text: &[u8]) -> Result<Option<IfVersion>> {
    let wrong = |what: &str| Error::new(Code::InvalidParameter, format!("If-Match: {what}"));
    if text.len() > IF_MATCH_MAX {
        return Err(wrong(&format!("longer than {IF_MATCH_MAX} bytes")));
    }
    if text.trim_ascii() == b"*" {
        return Ok(None);
    }
    let (mut versions, mut some, mut rest) = (Vec::new(), false, text);
    loop {
        // Empty elements of a list mean nothing.
        while let [b' ' | b'\t' | b',', after @ ..] = rest {
            rest = after;
        }
        if rest.is_empty() {
            break;
        }
        let weak = rest.starts_with(b"W/");
        let opened = if weak { &rest[2..] } else { rest };
        let Some((tag, after)) = quoted(opened) else {
            return Err(wrong("expected *, or tags in quotes with commas between them"));
        };
        some = true;
        versions.extend(version(tag).filter(|_| !weak));
        rest = after.trim_ascii_start();
        if !rest.is_empty() && !rest.starts_with(b",") {
            return Err(wrong("expected a comma between two tags"));
        }
    }
    match some {
        true => Ok(Some(IfVersion(versions))),
        false => Err(wrong("names no tag")),
    }
}

/// What stands between quotes at the beginning, and what comes after it.
fn quoted(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let inner = text.strip_prefix(b"\"")?;
    let end = inner.iter().position(|byte| *byte == b'"')?;
    let (tag, after) = inner.split_at(end);
    let fits = |byte: &u8| matches!(byte, 0x21..=0x7e | 0x80..);
    tag.iter().all(fits).then_some((tag, after.get(1..).unwrap_or_default()))
}

/// The version with this tag. Tags are compared byte by byte, so it is the one way to write the number.
fn version(tag: &[u8]) -> Option<i64> {
    let text = std::str::from_utf8(tag).ok()?;
    text.parse::<i64>().ok().filter(|version| version.to_string() == text)
}

/// A 200 with this body and, if what it shows has a version, its tag.
pub fn tagged(version: Option<i64>, body: &impl Serialize) -> HttpResponse {
    let mut response = HttpResponse::Ok();
    if let Some(version) = version {
        response.insert_header(ETag(EntityTag::new_strong(version.to_string())));
    }
    response.json(body)
}

#[cfg(test)]
mod tests {
    use super::{IF_MATCH_MAX, IfMatch};
    use crate::kernel::{Code, Result};
    use actix_web::FromRequest;
    use actix_web::dev::Payload;
    use actix_web::http::header::{HeaderName, HeaderValue};
    use actix_web::test::TestRequest;

    /// The versions that these lines of `If-Match` name; `None` for any version.
    fn read(lines: &[&[u8]]) -> Result<Option<Vec<i64>>> {
        let mut request = TestRequest::default();
        for line in lines {
            let value = HeaderValue::from_bytes(line).unwrap_or(HeaderValue::from_static(""));
            request = request.append_header((HeaderName::from_static("if-match"), value));
        }
        let read = IfMatch::from_request(&request.to_http_request(), &mut Payload::None).into_inner()?;
        Ok(read.versions.map(|versions| versions.0))
    }

    #[test]
    fn tags_lists_and_stars_are_read() -> Result<()> {
        assert_eq!(read(&[])?, None);
        assert_eq!(read(&[b"*"])?, None);
        assert_eq!(read(&[b"\"7\""])?, Some(vec![7]));
        assert_eq!(read(&[b", \"7\" ,,\t\"12\","])?, Some(vec![7, 12]));
        assert_eq!(read(&[b"\"7\"", b"\"8\", \"9\""])?, Some(vec![7, 8, 9]), "lines are one list");
        // Well formed, and no version of ours.
        for foreign in [
            "\"\"",
            "W/\"7\"",
            "\"07\"",
            "\"+7\"",
            "\"7,8\"",
            "\"abc\"",
            "\"*\"",
            "\"99999999999999999999\"",
            "\"é\"",
        ] {
            assert_eq!(read(&[foreign.as_bytes()])?, Some(vec![]), "{foreign}");
        }
        let longest = format!("\"{}\"", "x".repeat(IF_MATCH_MAX - 2));
        assert_eq!(read(&[longest.as_bytes()])?, Some(vec![]));
        Ok(())
    }

    #[test]
    fn what_is_no_list_of_tags_is_refused() {
        let long = format!("\"{}\"", "x".repeat(IF_MATCH_MAX - 1));
        for wrong in [
            "",
            " ",
            ",",
            "7",
            "\"7",
            "7\"",
            "'7'",
            "\"7\" \"8\"",
            "\"7\"x",
            "*, \"7\"",
            "\"7\", *",
            "**",
            "w/\"7\"",
            "W/",
            "W/7",
            "W/ \"7\"",
            "\"a b\"",
            "\"a\tb\"",
            long.as_str(),
        ] {
            let refused = read(&[wrong.as_bytes()]);
            assert!(refused.is_err_and(|error| error.code == Code::InvalidParameter), "{wrong:?}");
        }
        assert!(read(&[b"*", b"*"]).is_err(), "twice is a list, and a list has no star");
        assert!(read(&[b"\"7\"", b"8"]).is_err());
    }
}
