//! What a content is, by its first bytes; which types are taken, and which a browser may show. No I/O.
//!
//! Owns the one list of types. A name never decides. Types that run scripts in a browser (HTML, SVG, XML) are not taken, and
//! whatever else is not on the list neither.

/// How many of the first bytes decide.
pub const HEAD: usize = 8_192;

/// What is done with contents of a type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Use {
    /// A picture that browsers show, and that is made small.
    Picture,
    /// It plays in browsers.
    Plays,
    /// It is offered for download only.
    Download,
}

/// The types that are taken, beside plain text.
const TYPES: &[(&str, Use)] = &[
    ("image/jpeg", Use::Picture),
    ("image/png", Use::Picture),
    ("image/gif", Use::Picture),
    ("image/webp", Use::Picture),
    ("audio/mpeg", Use::Plays),
    ("audio/m4a", Use::Plays),
    ("audio/aac", Use::Plays),
    ("audio/amr", Use::Plays),
    ("audio/ogg", Use::Plays),
    ("audio/opus", Use::Plays),
    ("audio/x-wav", Use::Plays),
    ("video/mp4", Use::Plays),
    ("video/x-m4v", Use::Plays),
    ("video/webm", Use::Plays),
    ("video/quicktime", Use::Plays),
    ("application/pdf", Use::Download),
    ("application/zip", Use::Download),
    ("application/msword", Use::Download),
    ("application/vnd.ms-excel", Use::Download),
    ("application/vnd.ms-powerpoint", Use::Download),
    ("application/vnd.openxmlformats-officedocument.wordprocessingml.document", Use::Download),
    ("application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", Use::Download),
    ("application/vnd.openxmlformats-officedocument.presentationml.presentation", Use::Download),
    ("application/vnd.oasis.opendocument.text", Use::Download),
    ("application/vnd.oasis.opendocument.spreadsheet", Use::Download),
    ("application/vnd.oasis.opendocument.presentation", Use::Download),
];

/// Plain text.
const TEXT: &str = "text/plain";
/// Text of a table.
const TABLE: &str = "text/csv";

/// The type of a content, by its first bytes; `None`: it is not taken. The name only tells a table from other text.
pub fn media_type(head: &[u8], name: &str) -> Option<&'static str> {
    let head = &head[..head.len().min(HEAD)];
    match infer::get(head) {
        Some(found) => TYPES.iter().map(|(name, _)| *name).find(|name| *name == found.mime_type()),
        None if is_text(head) => Some(if name.to_ascii_lowercase().ends_with(".csv") { TABLE } else { TEXT }),
        None => None,
    }
}

/// Whether it is text that no browser takes for a page: without control characters, and not beginning with a tag.
fn is_text(head: &[u8]) -> bool {
    let plain = |byte: &u8| *byte >= 0x20 || matches!(byte, b'\t' | b'\n' | b'\r' | 0x0c);
    let begins = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head).trim_ascii_start();
    !begins.is_empty() && !begins.starts_with(b"<") && head.iter().all(plain)
}

/// Whether it is a picture that can be made small.
pub fn is_picture(media_type: &str) -> bool {
    TYPES.contains(&(media_type, Use::Picture))
}

/// Whether a browser may show or play it in place; everything else is downloaded.
pub fn is_inline(media_type: &str) -> bool {
    is_picture(media_type) || TYPES.contains(&(media_type, Use::Plays))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_content_decides() {
        let of = |head: &[u8]| media_type(head, "a.png");
        assert_eq!(of(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"), Some("image/png"));
        assert_eq!(of(b"GIF89a<script>alert(1)</script>"), Some("image/gif"), "shown as what it begins with");
        assert_eq!(of(b"%PDF-1.7"), Some("application/pdf"));
        assert_eq!(of(b"PK\x03\x04\x14\0"), Some("application/zip"));
        assert_eq!(of("order 17, 订单".as_bytes()), Some("text/plain"));
        assert_eq!(of(b"\xb6\xa9\xb5\xa5 17"), Some("text/plain"), "GBK");
        assert_eq!(media_type(b"a,b\n1,2\n", "Orders.CSV"), Some("text/csv"));
        for refused in [
            &b"<svg xmlns='http://www.w3.org/2000/svg'>"[..],
            b"\xef\xbb\xbf \n<?xml version='1.0'?>",
            b"<!DOCTYPE html>",
            b"MZ\x90\0\x03\0\0\0",
            b"\x7fELF\x02\x01\x01",
            b"#!/bin/sh\nrm -rf /\n",
            b"\0\0\0\0",
            b"",
            b" \n",
        ] {
            assert_eq!(of(refused), None, "{}", refused.escape_ascii());
        }
    }

    #[test]
    fn only_pictures_and_what_plays_is_shown_in_place() {
        assert!(is_inline("image/png") && is_inline("video/mp4") && is_picture("image/webp"));
        for download in ["application/pdf", "text/plain", "text/csv", "image/svg+xml", "text/html"] {
            assert!(!is_inline(download) && !is_picture(download), "{download}");
        }
    }
}
