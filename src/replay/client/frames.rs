//! What each frame from the server means for the view. Owns the reading of frames; sends only through the line.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::backoff::Failure;
use super::connect::bye;
use super::device::LinkState;
use super::fact::{Fact, id};
use super::line::{End, Limits, Line, Waiting};
use super::signal::{Offer, Presence, Signal};
use super::view::{Applied, Row};
use crate::replay::history::{Id, count};

/// How long the token is still good, by the server's own clock.
fn lifetime(ready: &Value) -> Option<Duration> {
    let time = |name: &str| ready[name].as_str()?.parse::<jiff::Timestamp>().ok();
    Duration::try_from(time("token_expires_at")?.duration_since(time("now")?)).ok()
}

/// The waits that `ready` announces, by name among its limits. What it does not name stays.
fn announced(ready: &Value, known: Limits) -> Limits {
    let limit = |name: &str| {
        let row = ready["limits"].as_array()?.iter().find(|row| row["name"] == name)?;
        row["value"].as_u64().map(Duration::from_millis)
    };
    let pings =
        ready["ping_interval_ms"].as_u64().map(|interval| Duration::from_millis(interval * 2 + 15_000));
    Limits {
        silence: limit("silence").or(pings).unwrap_or(known.silence),
        answer: limit("answer").unwrap_or(known.answer),
    }
}

impl Line {
    /// Handles one frame; returns how the connection ends, if it does.
    pub(super) fn frame(&mut self, text: &str) -> Option<End> {
        self.shared.rest.saw(text);
        let frame: Value = match serde_json::from_str(text) {
            Ok(frame) => frame,
            Err(cause) => {
                self.contradict(format!("a frame is no JSON ({cause}): {text}"));
                return None;
            }
        };
        let data = &frame["data"];
        match frame["type"].as_str().unwrap_or_default() {
            "ready" => self.ready(&frame),
            "live" => self.go_live(data),
            "entry" => self.entries(std::slice::from_ref(data)),
            "entries" => self.log_part(data.get("conversation_id").and_then(id), data),
            "inbox" => self.rows(std::slice::from_ref(data)),
            "queue" => self.queue(data),
            "lag" => self.lag(data),
            "reset" => self.reset(data),
            "ping" => self.pong(data),
            "ok" => self.answered(&frame),
            "error" => return self.refused(&frame),
            "bye" => return Some(bye(data)),
            "typing" => self.hear("typing", Signal::typing(data)),
            "receipt" => self.hear("receipt", Signal::receipt(data)),
            "offer" => self.offer(data),
            "presence" => match Presence::parse(data) {
                Some(presence) => self.shared.view().take_presence(presence),
                None => self.contradict("a presence frame cannot be read".to_owned()),
            },
            // Whatever is added later changes nothing here.
            _ => {}
        }
        if let (Some(cursor), true) = (frame["cursor"].as_str(), self.live) {
            let mut view = self.shared.view();
            if !view.lagging {
                view.cursor = Some(cursor.to_owned());
            }
        }
        None
    }

    fn hear(&self, what: &str, signal: Option<Signal>) {
        match signal {
            Some(signal) => self.shared.view().hear(signal),
            None => self.contradict(format!("a {what} frame cannot be read")),
        }
    }

    fn contradict(&self, text: String) {
        self.shared.view().contradictions.push(text);
    }

    fn changed(&self) {
        self.shared.changes.send_modify(|changes| *changes += 1);
    }

    fn ready(&mut self, frame: &Value) {
        let data = &frame["data"];
        self.limits = announced(data, self.limits);
        // Whatever was dropped on an earlier connection comes with this one, from the stored cursor on.
        self.shared.view().lagging = false;
        self.token = lifetime(data).map(|lifetime| (lifetime, Instant::now() + lifetime.mul_f64(0.7)));
        if let Some(request) = frame["reply_to"].as_str() {
            self.pending.remove(request);
        }
        self.rows(data["rows"].as_array().map(Vec::as_slice).unwrap_or_default());
    }

    fn go_live(&mut self, data: &Value) {
        self.live = true;
        {
            let mut view = self.shared.view();
            view.hear(Signal::Connected);
            if let (Some(cursor), false) = (data["cursor"].as_str(), view.lagging) {
                view.cursor = Some(cursor.to_owned());
            }
        }
        count(&self.shared.history.counters.connections);
        self.count_trying(false);
        if self.shared.watches_waiting {
            self.ask("watch", &json!({ "waiting": true }), Waiting::Nobody);
        }
        self.pull_what_is_behind();
        self.shared.link_state.send_replace(LinkState::Live);
        self.changed();
    }

    fn entries(&mut self, entries: &[Value]) {
        let mut fresh = Vec::new();
        let member = {
            let mut view = self.shared.view();
            for entry in entries {
                let Some((conversation, fact)) = Fact::parse(entry) else {
                    view.contradictions.push(format!("an entry cannot be read: {entry}"));
                    continue;
                };
                let key = fact.key.clone();
                match view.take_entry(conversation, fact) {
                    Applied::Known => count(&self.shared.history.counters.resent),
                    Applied::Next | Applied::Beyond => fresh.extend(key),
                    Applied::Changed | Applied::Contradiction(_) => {}
                }
            }
            view.member
        };
        for key in fresh {
            self.shared.history.deliver(&key, member);
        }
        self.pull_what_is_behind();
        self.changed();
    }

    /// A part of one log with the log's head.
    fn log_part(&mut self, conversation: Option<Id>, data: &Value) {
        if let (Some(head), Some(conversation)) = (data["head_seq"].as_i64(), conversation) {
            self.shared.view().take_head(conversation, head);
        }
        self.entries(data["entries"].as_array().map(Vec::as_slice).unwrap_or_default());
    }

    fn rows(&mut self, rows: &[Value]) {
        {
            let mut view = self.shared.view();
            for row in rows {
                match Row::parse(row) {
                    Some((conversation, row)) => view.take_row(conversation, row),
                    None => view.contradictions.push(format!("an inbox row cannot be read: {row}")),
                }
            }
        }
        self.pull_what_is_behind();
        self.changed();
    }

    /// A conversation waits: tell the owner. When its hands are full the list over REST will tell it again.
    fn queue(&self, data: &Value) {
        let number = data.get("conversation_id").and_then(id);
        if let (Some(waiting), Some(number), Some(true)) = (&self.waiting, number, data["waiting"].as_bool())
        {
            let _ = waiting.try_send(number);
        }
    }

    fn offer(&self, data: &Value) {
        match Offer::parse(data) {
            Some((id, offer)) => self.shared.view().take_offer(id, offer),
            None => self.contradict("an offer frame cannot be read".to_owned()),
        }
        self.changed();
    }

    fn lag(&mut self, data: &Value) {
        count(&self.shared.history.counters.lags);
        let named: Vec<Id> = {
            let mut view = self.shared.view();
            view.lagging = true;
            data["conversations"].as_array().into_iter().flatten().filter_map(id).collect()
        };
        for conversation in named {
            self.pull(conversation);
        }
        self.sync(data["cursor"].as_str());
    }

    fn sync(&mut self, cursor: Option<&str>) {
        let cursor = cursor.map(str::to_owned).or_else(|| self.shared.view().cursor.clone());
        if let Some(cursor) = cursor {
            self.ask("sync", &json!({ "cursor": cursor, "limit": 200 }), Waiting::Sync);
        }
    }

    fn reset(&mut self, data: &Value) {
        count(&self.shared.history.counters.resets);
        self.shared.view().reset(data.get("conversation_id").and_then(id));
        self.changed();
    }

    /// Answers a ping and says on the way how far the logs that go on have reached this device.
    fn pong(&mut self, data: &Value) {
        let points = self.shared.view().resume_points(20);
        let points: Vec<_> =
            points.into_iter().map(|(conversation, have)| json!([conversation.to_string(), have])).collect();
        let pong = json!({ "type": "pong", "data": { "nonce": data["nonce"], "delivered": points } });
        self.out.push(pong.to_string());
    }

    fn answered(&mut self, frame: &Value) {
        let data = &frame["data"];
        let waiting = frame["reply_to"].as_str().and_then(|request| self.pending.remove(request));
        match waiting.map(|(waiting, _)| waiting) {
            Some(Waiting::Owner(reply)) => {
                let _ = reply.send(Ok(data.clone()));
            }
            Some(Waiting::Pull(conversation, _)) => self.log_part(Some(conversation), data),
            Some(Waiting::Refresh(conversation, message, notice, _)) => {
                self.shared.view().refreshed(conversation, message, notice);
                self.log_part(Some(conversation), data);
            }
            Some(Waiting::Sync) => {
                let more = data["more"].as_bool() == Some(true);
                let cursor = data["cursor"].as_str().map(str::to_owned);
                self.rows(data["rows"].as_array().map(Vec::as_slice).unwrap_or_default());
                {
                    let mut view = self.shared.view();
                    view.cursor = cursor.or_else(|| view.cursor.take());
                    view.lagging = more;
                }
                if more {
                    self.sync(None);
                }
            }
            Some(Waiting::Hello | Waiting::Nobody) | None => {}
        }
    }

    fn refused(&mut self, frame: &Value) -> Option<End> {
        let data = &frame["data"];
        let code = data["code"].as_str().unwrap_or("error").to_owned();
        let failure = Failure::Refused {
            retryable: data["retryable"].as_bool().unwrap_or(false),
            retry_after: data["retry_after_ms"].as_u64().map(Duration::from_millis),
            detail: data.clone(),
            code: code.clone(),
        };
        let waiting = frame["reply_to"].as_str().and_then(|request| self.pending.remove(request));
        match waiting.map(|(waiting, _)| waiting) {
            Some(Waiting::Owner(reply)) => {
                // A failure of the server does not say whether it was done before.
                let failure = match code.as_str() {
                    "internal" => Failure::Unknown(failure.to_string()),
                    _ => failure,
                };
                let _ = reply.send(Err(failure));
                None
            }
            Some(Waiting::Hello) if code == "token_expired" => Some(End::Expired),
            Some(Waiting::Hello) if code == "cursor_reset" => {
                self.shared.view().reset(None);
                Some(End::Cut(None))
            }
            Some(Waiting::Hello) => Some(End::Lost(failure)),
            Some(Waiting::Pull(conversation, rows) | Waiting::Refresh(conversation, .., rows)) => {
                self.pull_refused(conversation, rows, &failure)
            }
            Some(Waiting::Sync) => match code.as_str() {
                // A new connection begins with what the view still knows.
                "cursor_reset" => {
                    self.shared.view().reset(None);
                    Some(End::Cut(None))
                }
                _ => Some(End::Lost(failure)),
            },
            Some(Waiting::Nobody) => {
                self.shared.history.complain(format!("{}: {failure}", self.shared.name));
                None
            }
            None => None,
        }
    }

    /// A pull that may work later is asked again with the next tick; so is one that a row has overtaken.
    fn pull_refused(&mut self, conversation: Id, rows: u64, failure: &Failure) -> Option<End> {
        if let Failure::Refused { retryable: false, .. } = failure {
            if self.shared.view().rows_taken != rows {
                return None;
            }
            // A visitor who is being recognised as somebody else has lost its conversations before its socket ends.
            let may_end = self.shared.may_end.load(Ordering::Relaxed);
            let why = (!may_end).then(|| format!("{conversation}: a pull was {failure}"));
            self.shared.view().give_up(conversation, why);
        }
        None
    }
}
