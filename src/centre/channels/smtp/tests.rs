//! Whatever a merchant or an event writes, the message is one, in its form, and says what was written.

use proptest::prelude::*;

use super::{Envelope, mime};
use crate::domain::centre::account::{SmtpSecurity, SmtpSettings};
use crate::kernel::{MessageSendId, Millis};

fn envelope(subject: &str, name: Option<String>, text: Option<String>, html: Option<String>) -> Envelope {
    let settings = SmtpSettings {
        host: "mail.shop.example".to_owned(),
        port: None,
        security: SmtpSecurity::Starttls,
        username: None,
        password: None,
        from_address: "shop@shop.example".to_owned(),
        from_name: name,
        reply_to: None,
    };
    let (id, created_at) = (MessageSendId(7), Millis(1_700_000_000_000));
    Envelope {
        settings,
        id,
        created_at,
        to: "eva@mail.example".to_owned(),
        subject: subject.to_owned(),
        text,
        html,
        unsubscribe_at: None,
    }
}

fn written(envelope: &Envelope) -> String {
    String::from_utf8(mime::message(envelope, "eva@mail.example").unwrap()).unwrap()
}

/// The names of the fields of the head.
fn fields(message: &str) -> Vec<&str> {
    let head = message.split("\r\n\r\n").next().unwrap();
    let starts = head.split("\r\n").filter(|line| !line.starts_with([' ', '\t']));
    starts.map(|line| line.split_once(": ").unwrap().0).collect()
}

/// A subject as readers decode it.
fn decoded(message: &str) -> String {
    use base64::Engine;
    let field = message.split("\r\nSubject: ").nth(1).unwrap();
    let lines: Vec<&str> = field.split("\r\n").collect();
    let folded = lines.iter().enumerate().take_while(|(index, line)| *index == 0 || line.starts_with(' '));
    let words: Vec<&str> = folded.map(|(_, line)| line.trim_start()).collect();
    let bytes = |word: &str| {
        let inner = word.strip_prefix("=?utf-8?b?")?.strip_suffix("?=")?;
        base64::engine::general_purpose::STANDARD.decode(inner).ok()
    };
    match words.iter().map(|word| bytes(word)).collect::<Option<Vec<_>>>() {
        // Each word is text by itself (RFC 2047, 5).
        Some(words) => words.into_iter().map(|word| String::from_utf8(word).unwrap()).collect(),
        None => words.join(" "),
    }
}

proptest! {
    #[test]
    fn every_message_keeps_its_form(
        subject in "\\PC{0,200}|[ -~\r\n]{0,200}|=\\?utf-8\\?q\\?[ -~]{0,40}\\?=|.{0,100}",
        name in proptest::option::of("[ -~]{1,60}|\\PC{1,60}|.{1,40}"),
        text in proptest::option::of("(.|[\r\n.]){0,400}|[ -~]{900,1500}"),
        html in "(.|[\r\n.]){0,400}",
    ) {
        let is_both = text.is_some();
        let message = written(&envelope(&subject, name.clone(), text, Some(html)));
        prop_assert!(message.is_ascii());
        // No line end but CRLF, and no line that is too long.
        prop_assert!(!message.replace("\r\n", "").contains(['\r', '\n']));
        prop_assert!(message.split("\r\n").all(|line| line.len() <= 998));
        let mut expected = vec!["Date", "Message-ID", "From", "To", "Subject", "Auto-Submitted", "MIME-Version", "Content-Type"];
        if !is_both {
            expected.push("Content-Transfer-Encoding");
        }
        let mut found = fields(&message);
        found.sort_unstable();
        expected.sort_unstable();
        prop_assert_eq!(found, expected);
        let line: String = subject.chars().map(|one| if one.is_control() || matches!(one, '\u{2028}' | '\u{2029}') { ' ' } else { one }).collect();
        prop_assert_eq!(decoded(&message), line.trim());
    }

    #[test]
    fn dots_are_doubled_and_the_end_is_one(text in "([.x]|\r\n){0,60}") {
        let line = String::from_utf8(mime::stuffed(text.as_bytes())).unwrap();
        prop_assert!(line.ends_with("\r\n"));
        prop_assert!(line.split("\r\n").all(|one| one != "."), "ends before its end");
        let plain: Vec<&str> = line.split("\r\n").map(|one| one.strip_prefix('.').unwrap_or(one)).collect();
        let plain = plain.join("\r\n");
        prop_assert_eq!(plain.strip_suffix("\r\n").unwrap_or(&plain), text.strip_suffix("\r\n").unwrap_or(&text));
    }
}
