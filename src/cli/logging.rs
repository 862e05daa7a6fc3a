//! Log lines: time, level, module, request id, text. Owns their form. Secrets never reach it, because their type does
//! not print itself.
//!
//! Invariant: one record is one line. Control characters are escaped, so that a client's text cannot forge a line or
//! steer a terminal.

use std::borrow::Cow;
use std::io::Write;

use crate::kernel::{Clock, trace};

/// Starts logging to standard error with a filter such as `info,deskwire::http=debug`.
pub fn start(filter: &str) {
    let clock = Clock::default();
    let started = env_logger::Builder::new()
        .parse_filters(filter)
        .format(move |out, record| {
            let style = out.default_level_style(record.level());
            let (now, level, target) = (clock.now(), record.level(), record.target());
            let request_id = trace::request_id();
            let request_id = request_id.as_deref().unwrap_or("-");
            let text = record.args().to_string();
            let text = one_line(&text);
            writeln!(out, "{now} {style}{level:<5}{style:#} {target} [{request_id}] {text}")
        })
        .try_init();
    // Somebody else's logger stays: the program can be started twice in one process by tests.
    drop(started);
}

/// The text with control characters, line separators and direction marks escaped.
fn one_line(text: &str) -> Cow<'_, str> {
    let bad = |one: char| {
        one.is_control()
            || matches!(one, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    if !text.contains(bad) {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::with_capacity(text.len() + 16);
    for one in text.chars() {
        match bad(one) {
            true => escaped.extend(one.escape_default()),
            false => escaped.push(one),
        }
    }
    Cow::Owned(escaped)
}

#[cfg(test)]
mod tests {
    use super::one_line;

    #[test]
    fn a_record_is_one_line() {
        assert_eq!(one_line("用户 10.0.0.1"), "用户 10.0.0.1");
        assert_eq!(one_line("a\nINFO forged\r\u{1b}[2J\u{202e}"), "a\\nINFO forged\\r\\u{1b}[2J\\u{202e}");
    }
}
