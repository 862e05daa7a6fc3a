//! The form of an e-mail: RFC 5322 with MIME (RFC 2045), all ASCII and short lines, so that every server takes it.
//!
//! Invariant: nothing that a merchant or an event writes ends a header field or stands alone as a line end.

use std::time::{Duration, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use lettre::message::header::{HeaderName, HeaderValue};
use lettre::message::{Mailbox, Message, MessageBuilder, MultiPart, SinglePart};

use super::Envelope;
use crate::kernel::{Error, Result};

/// Longest subject that is written as it is; a longer one is encoded, because it would have to be folded.
const PLAIN_MAX: usize = 66;
/// Bytes of text in an encoded word: a line with one has at most 76 characters (RFC 2047, 2), of which the name of the
/// field, `=?utf-8?b?` and `?=` leave 55 for base64.
const WORD_BYTES: usize = 39;

/// The message as it is handed over, but for what SMTP does to dots. Fails when it cannot be made.
pub(super) fn message(envelope: &Envelope, to: &str) -> Result<Vec<u8>> {
    let settings = &envelope.settings;
    let made = UNIX_EPOCH + Duration::from_millis(u64::try_from(envelope.created_at.0).unwrap_or_default());
    let subject = one_line(&envelope.subject);
    let encoded = subject_field(&subject);
    let mut builder = Message::builder()
        .date(made)
        .message_id(Some(envelope.message_id()))
        .from(mailbox(settings.from_name.clone(), &settings.from_address)?)
        .to(mailbox(None, to)?)
        .raw_header(HeaderValue::dangerous_new_pre_encoded(
            HeaderName::new_from_ascii_str("Subject"),
            subject,
            encoded,
        ))
        // So that no vacation answers (RFC 3834, 5).
        .raw_header(HeaderValue::new(
            HeaderName::new_from_ascii_str("Auto-Submitted"),
            "auto-generated".to_owned(),
        ));
    if let Some(address) = &settings.reply_to {
        builder = builder.reply_to(mailbox(None, address)?);
    }
    if let Some(address) = &envelope.unsubscribe_at {
        builder = unsubscribe_fields(builder, address);
    }
    let text = envelope.text.as_deref().map(lines).map(SinglePart::plain);
    let html = envelope.html.as_deref().map(lines).map(SinglePart::html);
    let made = match (text, html) {
        (Some(text), Some(html)) => {
            builder.multipart(MultiPart::alternative().singlepart(text).singlepart(html))
        }
        (Some(part), None) | (None, Some(part)) => builder.singlepart(part),
        (None, None) => return Err(Error::internal("an e-mail without text")),
    };
    Ok(made.map_err(|cause| Error::internal("an e-mail cannot be written").caused_by(cause))?.formatted())
}

/// The fields that mail services make a button of (RFC 2369, 3.2; RFC 8058, 3.1): one click where the address has TLS.
/// Written as they stand, on a line of their own that may be longer than 78 characters: within an address nothing is folded.
fn unsubscribe_fields(builder: MessageBuilder, address: &str) -> MessageBuilder {
    let field = |name, value: String| {
        HeaderValue::dangerous_new_pre_encoded(HeaderName::new_from_ascii_str(name), value.clone(), value)
    };
    let builder = builder.raw_header(field("List-Unsubscribe", format!("<{address}>")));
    match address.starts_with("https:") {
        true => builder.raw_header(field("List-Unsubscribe-Post", "List-Unsubscribe=One-Click".to_owned())),
        false => builder,
    }
}

fn mailbox(name: Option<String>, address: &str) -> Result<Mailbox> {
    let address = address
        .parse()
        .map_err(|cause| Error::internal("an e-mail address cannot be written").caused_by(cause))?;
    Ok(Mailbox::new(name.as_deref().map(one_line), address))
}

/// In one line: line ends and other control characters are blanks.
fn one_line(text: &str) -> String {
    text.chars().map(|one| if is_break(one) { ' ' } else { one }).collect::<String>().trim().to_owned()
}

fn is_break(one: char) -> bool {
    one.is_control() || matches!(one, '\u{2028}' | '\u{2029}')
}

/// With ends of lines as one character and without other control characters: a single CR is an end of a line to some
/// servers and none to others.
fn lines(text: &str) -> String {
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    text.chars().filter(|one| matches!(one, '\n' | '\t') || !one.is_control()).collect()
}

/// A subject as it stands in the field: as it is when it is short and ASCII and looks like nothing that is encoded, or in
/// encoded words (RFC 2047).
fn subject_field(subject: &str) -> String {
    if subject.is_ascii() && subject.len() <= PLAIN_MAX && !subject.contains("=?") {
        return subject.to_owned();
    }
    let mut words: Vec<String> = Vec::new();
    let mut word = String::new();
    for one in subject.chars() {
        if word.len() + one.len_utf8() > WORD_BYTES {
            words.push(std::mem::take(&mut word));
        }
        word.push(one);
    }
    words.push(word);
    let words: Vec<String> =
        words.iter().map(|word| format!("=?utf-8?b?{}?=", STANDARD.encode(word))).collect();
    words.join("\r\n ")
}

/// As it crosses the line: a dot that begins a line is doubled (RFC 5321, 4.5.2), and the last line is ended.
pub(super) fn stuffed(message: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(message.len() + 64);
    let mut at_start = true;
    for &byte in message {
        if at_start && byte == b'.' {
            out.push(b'.');
        }
        out.push(byte);
        at_start = byte == b'\n';
    }
    if !out.ends_with(b"\r\n") {
        out.extend_from_slice(b"\r\n");
    }
    out
}
