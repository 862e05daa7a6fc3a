//! What the providers of text messages have in common: how they sign, and what an answer means that is not in their own
//! words.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use sha2::{Digest, Sha256};
use url::Url;

use super::{Answer, Reply};
use crate::domain::centre::send::Outcome;
use crate::domain::centre::template::Rendered;

/// The URL to ask: the account's own, or the provider's.
pub(super) fn endpoint(own: &str, usual: &str) -> Result<Url, Answer> {
    let text = if own.is_empty() { usual } else { own };
    Url::parse(text).map_err(|_| Answer::without_reply(Outcome::Configuration, "the address is no URL"))
}

/// The host of a request as its head names it.
pub(super) fn host(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

/// Values of a template with their names.
type Values<'a> = Vec<(&'a str, &'a str)>;

/// The provider's template and its values. `Err` when the message names none.
pub(super) fn provider_template(rendered: &Rendered) -> Result<(&str, Values<'_>), Answer> {
    match rendered {
        Rendered::Sms { code: Some(code), params, .. } => {
            let values = params.iter().map(|one| (one.name.as_str(), one.value.as_str()));
            Ok((code, values.collect()))
        }
        _ => Err(nothing("the template names no template of the provider (code)")),
    }
}

/// The text. `Err` when the message has none.
pub(super) fn text(rendered: &Rendered) -> Result<&str, Answer> {
    match rendered {
        Rendered::Sms { text: Some(text), .. } => Ok(text),
        _ => Err(nothing("the template has no text")),
    }
}

fn nothing(detail: &str) -> Answer {
    Answer::without_reply(Outcome::Content, detail)
}

/// What an answer means without a word of the provider's own. None of them promises to know repeats, so what a server that
/// failed half-way did stays unknown; 503 says that it did nothing.
pub(super) fn unspoken(reply: &Reply) -> Outcome {
    match reply.status {
        429 => Outcome::Slow,
        503 => Outcome::Retry,
        400..=407 | 409..=499 => Outcome::Configuration,
        _ => Outcome::Uncertain,
    }
}

/// SHA-256 as hexadecimal digits.
pub(super) fn sha256_hex(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// What is said when a message cannot be signed.
pub(super) fn unsigned() -> Answer {
    Answer::without_reply(Outcome::Configuration, "the request could not be signed")
}

/// Bytes as hexadecimal digits.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What stands for itself in a query (RFC 3986, 2.3).
const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// A text with everything but letters, digits and `-_.~` escaped.
pub(super) fn percent(text: &str) -> String {
    utf8_percent_encode(text, UNRESERVED).to_string()
}

/// Whether a provider's code is one of these, or begins with one that ends in `*`.
pub(super) fn is_any(code: &str, known: &[&str]) -> bool {
    known.iter().any(|one| match one.strip_suffix('*') {
        Some(beginning) => code.starts_with(beginning),
        None => code == *one,
    })
}
