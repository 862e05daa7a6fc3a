//! Records what the client reports, and what is wrong with it in every scenario: an entry that is shown twice, out of
//! order, or that never was in the log.

use std::time::Instant;

use serde_json::Value;

use super::state::ServerState;

/// Lines that are kept of one client.
const KEPT: usize = 10_000;

impl ServerState {
    /// Takes one line of the client's output.
    pub fn record(&mut self, at: Instant, line: Value) {
        match line["event"].as_str() {
            Some("entry") => self.shown(&line),
            Some("dropped") => match line["conversation_id"].as_str() {
                Some(one) => drop(self.displayed.remove(one)),
                None => self.displayed.clear(),
            },
            _ => {}
        }
        if self.reports.len() < KEPT {
            self.reports.push((at, line));
        }
    }

    /// An entry is shown.
    fn shown(&mut self, line: &Value) {
        let (Some(conversation), Some(seq)) = (line["conversation_id"].as_str(), line["seq"].as_i64()) else {
            return self
                .broke("identity", format!("an entry is shown without conversation_id and seq: {line}"));
        };
        if seq < 1 || seq > self.head(conversation) {
            return self.broke("identity", format!("entry {seq} is shown, which was never written"));
        }
        let (own, entry) = (line["text"].as_str(), self.entry(conversation, seq));
        if let (Some(own), Some(text)) = (own, entry["content"]["text"].as_str())
            && own != text
            && entry["edited_at"].is_null()
        {
            self.broke("identity", format!("entry {seq} is shown as {own:?} and says {text:?}"));
        }
        match self.displayed.get(conversation).copied() {
            Some(last) if seq <= last => {
                self.broke("identity", format!("entry {seq} is shown again, or after {last}"));
            }
            Some(last) if seq > last + 1 => {
                self.broke("order", format!("entry {seq} is shown before {}", last + 1));
            }
            _ => {}
        }
        self.displayed.insert(conversation.to_owned(), seq);
    }

    /// Whether this entry is on the display.
    pub fn shows(&self, conversation: &str, seq: i64) -> bool {
        self.reports.iter().any(|(_, line)| {
            line["event"] == "entry" && line["conversation_id"] == conversation && line["seq"] == seq
        })
    }

    /// How often a text is on the display.
    pub fn shows_text(&self, conversation: &str, text: &str) -> usize {
        let log = self.logs.get(conversation).map(|log| log.entries.as_slice()).unwrap_or_default();
        log.iter()
            .filter(|entry| entry["content"]["text"] == text)
            .filter(|entry| self.shows(conversation, entry["seq"].as_i64().unwrap_or_default()))
            .count()
    }

    /// The last line with this event that fits.
    pub fn last_report(&self, event: &str, fits: impl Fn(&Value) -> bool) -> Option<(Instant, Value)> {
        self.reports.iter().rev().find(|(_, line)| line["event"] == event && fits(line)).cloned()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::state::FIRST;
    use super::*;

    fn rules(seqs: &[i64]) -> Vec<&'static str> {
        let mut state = ServerState::new();
        for _ in 0..3 {
            state.say(FIRST, "hi");
        }
        for seq in seqs {
            let event = match seq {
                0 => json!({"event": "dropped", "conversation_id": FIRST}),
                _ => json!({"event": "entry", "conversation_id": FIRST, "seq": seq}),
            };
            state.record(Instant::now(), event);
        }
        state.broken.iter().map(|broken| broken.rule).collect()
    }

    #[test]
    fn what_is_shown_is_shown_once_and_in_order() {
        assert!(rules(&[3, 4, 5]).is_empty());
        assert!(rules(&[3, 4, 0, 1, 2]).is_empty());
        assert_eq!(rules(&[3, 3]), ["identity"]);
        assert_eq!(rules(&[4, 3]), ["identity"]);
        assert_eq!(rules(&[1, 3]), ["order"]);
        assert_eq!(rules(&[6]), ["identity"]);
    }
}
