//! The scenarios, the longest first and then by subject, each with the rules that it judges. Order and identity of what is shown, the form of
//! frames and the source of cursors are judged in all of them (`recorder`, `answers`).

mod entries;
mod outbox;
mod resume;
mod session;
mod sockets;
mod view;

use std::pin::Pin;

use super::script::{Script, Step};

type Playing<'a> = Pin<Box<dyn Future<Output = Step> + Send + 'a>>;

/// A scenario.
pub struct Scenario {
    /// Its name.
    pub name: &'static str,
    /// The rules of `CLIENT_RULES` that it judges.
    pub rules: &'static [&'static str],
    /// What happens.
    pub about: &'static str,
    /// Plays it.
    pub play: for<'a> fn(&'a Script) -> Playing<'a>,
}

macro_rules! scenarios {
    ($($name:literal $function:path, [$($rule:literal),+], $about:literal;)+) => {
        /// All of them.
        pub const SCENARIOS: &[Scenario] = &[$(Scenario {
            name: $name,
            rules: &[$($rule),+],
            about: $about,
            play: |script| Box::pin($function(script)),
        },)+];
    };
}

scenarios! {
    "silent hello" sockets::silent_hello, ["silence"], "A hello is never answered.";
    "duplicates" entries::duplicates, ["identity"], "Entries come twice; own messages come before and after their ok.";
    "hole" entries::hole, ["order"], "Entries are missing in the middle, or come in the wrong order.";
    "lost tail" entries::lost_tail, ["tail"], "The last entries are missing; a row and a head name them.";
    "entries before rows" entries::before_rows, ["identity", "cursor"], "An entry has an older cursor and comes before its row; the connection is cut between them.";
    "two conversations" entries::two_conversations, ["order"], "A hole in one conversation is filled slowly while another one goes on.";
    "cut before ready" sockets::cut_before_ready, ["reconnect"], "The connection is cut before ready, twice, and between ready and live.";
    "cut again and again" sockets::cut_again, ["reconnect", "closing"], "The connection is cut as soon as it is live.";
    "refused upgrade" sockets::refused_upgrade, ["reconnect"], "The upgrade is answered with 503, 408 and 429.";
    "bye" sockets::bye, ["reconnect", "outbox"], "The server says bye with after_ms and spread_ms while the user writes.";
    "closed for good" sockets::closed_for_good, ["reconnect"], "The server closes with 4505 and with an unknown code above 4500.";
    "close without bye" sockets::close_without_bye, ["closing"], "The server closes with 1001; later the client says Close.";
    "silence" sockets::silence, ["silence", "waking up"], "Pings come and must be answered, then nothing comes any more.";
    "waking up" sockets::waking_up, ["waking up"], "The device wakes up, with a connection that works and one that does not.";
    "cut after send" outbox::cut_after_send, ["outbox", "no answer"], "The connection is cut after a message, with and without it being done.";
    "no answer" outbox::no_answer, ["no answer", "outbox"], "A message is never answered: lost, and done.";
    "slow answer" outbox::slow_answer, ["no answer"], "A message is answered late, and within the limit.";
    "refusals" outbox::refusals, ["outbox", "no answer"], "A message is refused for now, and for good.";
    "draining" outbox::draining, ["no answer"], "The server shuts down: a message gets draining, then bye.";
    "killed" outbox::killed, ["outbox", "cursor"], "The client is killed with an unanswered message and started again.";
    "resume" resume::resume, ["cursor", "order"], "Entries are written while the client is away.";
    "lag" resume::lag, ["cursor", "tail"], "Frames are dropped; the connection is cut in the middle of a sync.";
    "removed" resume::removed, ["reset", "new conversations"], "The member is removed from a conversation and joins it again.";
    "cursor refused" resume::cursor_refused, ["reset"], "The server answers a cursor with reset, and the connection is cut before live.";
    "new conversation" resume::new_conversation, ["new conversations"], "A conversation with forty entries appears.";
    "watches" resume::watches, ["watches"], "A watched conversation, a cut, a lag, and the end of the right to see it.";
    "token" session::token, ["token"], "The access token ends soon.";
    "refresh" session::refresh, ["refresh"], "The access token has ended; refreshing gets 503, 408 and a lost answer.";
    "notices" view::notices, ["notices"], "A message is edited and recalled.";
    "refused pull" view::refused_pull, ["notices"], "A message is edited while its reader loses the conversation and gets it back.";
    "erasure" view::erasure, ["erasure"], "What was said is erased.";
    "erasure meets pull" view::erasure_meets_pull, ["erasure"], "What was said is erased while a changed message is read again.";
    "unread" view::unread, ["unread"], "Others write, the member writes elsewhere, a message is recalled.";
    "read" view::read, ["read"], "Entries are received, and later displayed.";
    "growth" view::growth, ["growth"], "Unknown frames, fields, entry kinds and other values come.";
}

#[cfg(test)]
mod tests {
    use super::SCENARIOS;
    use crate::documents::client_rules::CLIENT_RULES;

    #[test]
    fn scenarios_and_rules_know_each_other() {
        let mut names: Vec<_> = SCENARIOS.iter().map(|one| one.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), SCENARIOS.len());
        let judged: Vec<_> = SCENARIOS.iter().flat_map(|one| one.rules).collect();
        let rules: Vec<_> = CLIENT_RULES.iter().map(|rule| rule.name).collect();
        assert!(judged.iter().all(|rule| rules.contains(rule)), "{judged:?}");
        assert!(rules.iter().all(|rule| judged.contains(&rule)), "a rule has no scenario");
    }
}
