//! The limits of a socket, each by name and unit, as `ready` and the AsyncAPI document announce them.

use serde::Serialize;
use utoipa::ToSchema;

use crate::domain::member::Role;
use crate::limits::burst_of;
use crate::settings::Settings;

/// A client that has not said hello after so many seconds is closed.
pub const HELLO_SECONDS: u64 = 5;
/// Bytes of a frame before hello was accepted.
pub const HELLO_BYTES: usize = 16_384;
/// Seconds in which a hello is answered; a server that needs longer closes the socket.
pub const RESUME_SECONDS: u64 = 20;
/// Seconds after which a client gives a command without an answer up.
pub const ANSWER_SECONDS: u64 = 15;
/// Conversations that `hello` may list.
pub const HELLO_CONVERSATIONS: usize = 100;
/// Inbox rows in one `ready` or `sync` reply.
pub const SYNC_ROWS: i64 = 200;
/// Entries in one `pull` reply.
pub const PULL_ENTRIES: i64 = 200;
/// Bytes of entries in one `pull` reply or one `entries` frame; the reply then holds fewer entries.
pub const REPLY_BYTES: usize = 262_144;
/// Conversations that a socket may watch.
pub const WATCHES: usize = 200;
/// Entries that are replayed after hello before the client has to pull.
pub const REPLAY_ENTRIES: usize = 500;
/// Bytes of entries that are replayed after hello before the client has to pull.
pub const REPLAY_BYTES: usize = 262_144;
/// Message commands that may wait for their answer.
pub const UNANSWERED: u32 = 32;
/// Frames that read (`pull`, `sync`, `watch`, `typing`) of one socket that are done at a time; the next wait unread.
pub const READS: u32 = 4;
/// Frames that wait for a slow client.
pub const OUTBOX_FRAMES: usize = 256;
/// Bytes that wait for a slow client.
pub const OUTBOX_BYTES: usize = 262_144;
/// Seconds without write progress after which a socket is closed.
pub const STALL_SECONDS: u64 = 10;
/// Seconds in which a ping must be answered.
pub const PONG_SECONDS: u64 = 10;
/// Reads are collected for so many milliseconds.
pub const READ_COLLECT_MS: u64 = 250;
/// Conversations for which one socket collects positions at most; beyond it the oldest go first.
pub const COLLECTED: usize = 200;
/// Delivered positions are stored at most so often.
pub const DELIVERED_MS: u64 = 5_000;
/// One conversation's typing is passed on at most so often.
pub const TYPING_EVERY_MS: u64 = 3_000;
/// Typing ends by itself after so many milliseconds.
pub const TYPING_TTL_MS: u64 = 6_000;
/// The words that a bot shows of one message are passed on at most so often.
pub const STREAM_EVERY_MS: u64 = 250;
/// Bytes of the words that a bot shows of a message.
pub const STREAM_BYTES: usize = 16_384;
/// States of the words of one message.
pub const STREAM_STATES: i64 = 1_000_000;
/// Messages that one socket shows at a time.
pub const STREAMS: usize = 64;
/// Words that are shown are forgotten after so many milliseconds.
pub const STREAM_TTL_MS: u64 = 10_000;
/// Seconds of frames over the limit after which a socket is closed.
pub const FLOOD_SECONDS: u64 = 10;
/// Frames over the limit in one go after which a socket is closed at once.
pub const FLOOD_FRAMES: u32 = 1_000;

/// One limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
pub struct Limit {
    /// What is limited.
    pub name: &'static str,
    /// In which unit.
    pub unit: &'static str,
    /// How much.
    pub value: u64,
    /// What it means.
    #[serde(skip)]
    #[schema(ignore)]
    pub meaning: &'static str,
}

/// Frames a second and burst for this role.
pub fn frame_rate(settings: &Settings, role: Role) -> (u32, u32) {
    match role.is_staff() {
        true => (settings.staff_frames_per_second, settings.staff_frames_per_second.saturating_mul(3)),
        false => (settings.visitor_frames_per_second, settings.visitor_frames_per_second.saturating_mul(4)),
    }
}

/// The longest pause between two pings, and as long as a ping of the client's own would be waited for.
pub fn silence_ms(settings: &Settings) -> u64 {
    settings.ping_seconds * 1_200 + PONG_SECONDS * 1_000
}

/// The limits of a socket of this role under these settings.
pub fn limits(settings: &Settings, role: Role) -> Vec<Limit> {
    let (rate, burst) = frame_rate(settings, role);
    let rows: [(&str, &str, u64, &str); 22] = [
        (
            "frame",
            "bytes",
            settings.frame_limit as u64,
            "A frame from the client, all its fragments together; above it the socket is closed with 1009.",
        ),
        (
            "hello_frame",
            "bytes",
            settings.frame_limit.min(HELLO_BYTES) as u64,
            "A frame before hello; above it the socket is closed with 1009.",
        ),
        (
            "text",
            "bytes of UTF-8",
            crate::domain::content::TEXT_MAX as u64,
            "The text of a message; JSON escapes do not count.",
        ),
        (
            "custom",
            "bytes of JSON",
            crate::domain::content::CUSTOM_MAX as u64,
            "The content of a custom message.",
        ),
        (
            "attachment",
            "bytes",
            settings.files.attachment_limit as u64,
            "The content of an attachment, which is uploaded over HTTP.",
        ),
        (
            "picture",
            "bytes",
            settings.files.picture_limit as u64,
            "The content of an attachment that is a picture.",
        ),
        (
            "frames_per_second",
            "frames per second",
            rate.into(),
            "Frames from the client; above it a frame gets rate_limited and is not done.",
        ),
        ("frames_burst", "frames", burst.into(), "Frames that may come at once."),
        (
            "unanswered_messages",
            "frames",
            UNANSWERED.into(),
            "Message commands that wait for their answer; above it busy.",
        ),
        (
            "hello_conversations",
            "conversations",
            HELLO_CONVERSATIONS as u64,
            "Conversations listed in hello.",
        ),
        ("watch_conversations", "conversations", WATCHES as u64, "Conversations watched by one socket."),
        ("pull_entries", "entries", PULL_ENTRIES as u64, "Entries in one pull reply."),
        ("sync_rows", "rows", SYNC_ROWS as u64, "Rows in one ready or sync reply."),
        (
            "reply",
            "bytes",
            REPLY_BYTES as u64,
            "Entries in one reply; it then holds fewer entries than asked for.",
        ),
        (
            "replay_entries",
            "entries",
            REPLAY_ENTRIES as u64,
            "Entries replayed after hello; beyond it the client pulls.",
        ),
        (
            "outbox_frames",
            "frames",
            OUTBOX_FRAMES as u64,
            "Frames that wait for a slow client; beyond it lag.",
        ),
        ("outbox", "bytes", OUTBOX_BYTES as u64, "Bytes that wait for a slow client; beyond it lag."),
        (
            "sockets_per_member",
            "sockets",
            settings.sockets_per_member as u64,
            "Devices of one member that are connected to one process.",
        ),
        ("pong", "milliseconds", PONG_SECONDS * 1_000, "In which a ping must be answered."),
        (
            "ping_interval",
            "milliseconds",
            settings.ping_seconds * 1_000,
            "Between two pings of the server, a fifth more or less.",
        ),
        (
            "silence",
            "milliseconds",
            silence_ms(settings),
            "Without any frame from the server after which the client connects again.",
        ),
        (
            "answer",
            "milliseconds",
            ANSWER_SECONDS * 1_000,
            "Without an answer after which the outcome of a command is unknown: repeat it with the same key.",
        ),
    ];
    let all = rows.into_iter().chain(shared_rate(settings, role));
    all.map(|(name, unit, value, meaning)| Limit { name, unit, value, meaning }).collect()
}

/// What all sockets and requests of one member may do together; nothing when that has no limit.
fn shared_rate(settings: &Settings, role: Role) -> Vec<(&'static str, &'static str, u64, &'static str)> {
    let rate = match role.is_staff() {
        true => settings.requests_per_second,
        false => settings.visitor_requests_per_second,
    };
    if rate == 0 {
        return Vec::new();
    }
    let meaning = "Requests and frames of one member together, on all its devices; above it rate_limited.";
    let burst = "Requests and frames of one member that may come at once.";
    vec![
        ("requests_per_second", "requests and frames per second", rate.into(), meaning),
        ("requests_burst", "requests and frames", burst_of(rate).into(), burst),
    ]
}

#[cfg(test)]
mod tests {
    use super::limits;
    use crate::domain::member::Role;
    use crate::settings::Settings;

    #[test]
    fn the_rate_that_sockets_and_requests_share_is_announced_while_there_is_one() {
        let mut settings = Settings::defaults();
        (settings.requests_per_second, settings.visitor_requests_per_second) = (30, 0);
        let shared = |role| {
            let all = limits(&settings, role).into_iter();
            all.filter(|one| one.name.starts_with("requests")).map(|one| one.value).collect::<Vec<_>>()
        };
        assert_eq!(shared(Role::Agent), [30, 120]);
        assert!(shared(Role::Customer).is_empty(), "0 is no limit");
    }
}
