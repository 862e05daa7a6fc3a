//! What a socket collects before it is done, what it types and what it watches. Allocated when first needed, because
//! most sockets are idle. No I/O.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::protocol::FrameId;
use super::protocol::client::{MessageStream, Position, Read};
use super::protocol::limits::{
    COLLECTED, DELIVERED_MS, STREAM_EVERY_MS, STREAM_TTL_MS, STREAMS, TYPING_EVERY_MS, TYPING_TTL_MS,
};
use super::sight::Known;
use crate::kernel::{ConversationId, MemberId};

/// A read position that waits.
#[derive(Debug)]
pub struct PendingRead {
    /// The last one.
    pub read: Read,
    /// The frames that it answers.
    pub ids: Vec<FrameId>,
}

/// Somebody types.
#[derive(Debug)]
pub struct TypingNow {
    /// Where.
    pub conversation: ConversationId,
    /// Who sees it.
    pub recipients: Arc<[MemberId]>,
    /// When it was last passed on.
    pub told_at: Instant,
    /// When it ends by itself.
    pub until: Instant,
}

/// A message of which a bot shows the words.
#[derive(Debug)]
pub struct StreamNow {
    /// The last words, until they are passed on; with the frame that brought them.
    pub words: Option<(MessageStream, Option<FrameId>)>,
    /// Of which conversation.
    conversation: ConversationId,
    /// Of which message.
    client_msg_id: String,
    /// When words were last passed on.
    told_at: Option<Instant>,
    /// When it is over by itself.
    until: Instant,
}

/// See the module.
#[derive(Debug, Default)]
pub struct Pending {
    /// Read positions, one a conversation.
    pub reads: Vec<PendingRead>,
    /// Delivered positions, one a conversation.
    pub delivered: Vec<Position>,
    /// When delivered positions were last stored.
    pub delivered_at: Option<Instant>,
    /// Where the member types.
    pub typing: Vec<TypingNow>,
    /// Messages of which a bot shows the words.
    pub streams: Vec<StreamNow>,
    /// Watched conversations.
    pub watches: HashSet<ConversationId>,
    /// Whether waiting conversations are watched.
    pub waiting: bool,
    /// What the member sees by its groups, once something was watched.
    pub sight: Option<Known>,
}

impl Pending {
    /// Collects a read; the last one for a conversation counts.
    pub fn read(&mut self, read: Read, id: Option<FrameId>) {
        let place = self.reads.iter_mut().find(|one| one.read.conversation_id == read.conversation_id);
        match place {
            Some(one) => {
                one.read = read;
                one.ids.extend(id);
            }
            None => self.reads.push(PendingRead { read, ids: id.into_iter().collect() }),
        }
    }

    /// Collects delivered positions; the highest counts.
    pub fn delivered(&mut self, positions: &[Position]) {
        for (conversation, seq) in positions.iter().take(COLLECTED) {
            let has_space = self.delivered.len() < COLLECTED;
            match self.delivered.iter_mut().find(|one| one.0 == *conversation) {
                Some(one) => one.1 = one.1.max(*seq),
                None if has_space => self.delivered.push((*conversation, *seq)),
                None => {}
            }
        }
    }

    /// The delivered positions, when it is time to store them.
    pub fn due_delivered(&mut self, now: Instant) -> Vec<Position> {
        let rest = Duration::from_millis(DELIVERED_MS);
        let due = self.delivered_at.is_none_or(|at| now.saturating_duration_since(at) >= rest);
        if self.delivered.is_empty() || !due {
            return Vec::new();
        }
        self.delivered_at = Some(now);
        std::mem::take(&mut self.delivered)
    }

    /// Notes typing whose audience is known. Returns whom to tell, unless it was told a moment ago; none means that
    /// the audience has to be found.
    pub fn typing(&mut self, conversation: ConversationId, on: bool, now: Instant) -> Option<Tell> {
        let index = self.typing.iter().position(|one| one.conversation == conversation)?;
        if !on {
            let one = self.typing.swap_remove(index);
            return Some(Tell::Tell(one.recipients));
        }
        let one = &mut self.typing[index];
        one.until = now + Duration::from_millis(TYPING_TTL_MS);
        if now.saturating_duration_since(one.told_at) < Duration::from_millis(TYPING_EVERY_MS) {
            return Some(Tell::Spare);
        }
        // The participants may have changed, so the audience is found again.
        self.typing.swap_remove(index);
        None
    }

    /// Remembers whom was told.
    pub fn typing_told(&mut self, conversation: ConversationId, recipients: Arc<[MemberId]>, now: Instant) {
        self.typing.retain(|one| one.conversation != conversation);
        if self.typing.len() < COLLECTED {
            let until = now + Duration::from_millis(TYPING_TTL_MS);
            self.typing.push(TypingNow { conversation, recipients, told_at: now, until });
        }
    }

    /// Typing that ended by itself; with `all`, the rest too.
    pub fn typing_over(&mut self, now: Instant, all: bool) -> Vec<TypingNow> {
        let (over, on) =
            std::mem::take(&mut self.typing).into_iter().partition(|one| all || one.until <= now);
        self.typing = on;
        over
    }

    /// Collects the words of a message; the last ones count. `false`: too many messages are shown already.
    pub fn stream(&mut self, words: MessageStream, id: Option<FrameId>, now: Instant) -> bool {
        let until = now + Duration::from_millis(STREAM_TTL_MS);
        let (conversation, client_msg_id) = (words.conversation_id, words.client_msg_id.clone());
        let is_full = self.streams.len() >= STREAMS;
        let known = self
            .streams
            .iter_mut()
            .find(|one| one.conversation == conversation && one.client_msg_id == client_msg_id);
        match known {
            Some(one) => (one.words, one.until) = (Some((words, id)), until),
            None if is_full => return false,
            None => {
                let words = Some((words, id));
                self.streams.push(StreamNow { words, conversation, client_msg_id, told_at: None, until });
            }
        }
        true
    }

    /// The message itself is sent: what was not passed on yet is not any more.
    pub fn stream_ends(&mut self, conversation: ConversationId, client_msg_id: &str) {
        self.streams.retain(|one| one.conversation != conversation || one.client_msg_id != client_msg_id);
    }

    /// The words that it is time to pass on.
    pub fn due_streams(&mut self, now: Instant) -> Vec<(MessageStream, Option<FrameId>)> {
        let rest = Duration::from_millis(STREAM_EVERY_MS);
        let mut due = Vec::new();
        for one in &mut self.streams {
            if one.told_at.is_none_or(|at| now.saturating_duration_since(at) >= rest)
                && let Some(words) = one.words.take()
            {
                one.told_at = Some(now);
                due.push(words);
            }
        }
        self.streams.retain(|one| one.words.is_some() || one.until > now);
        due
    }

    /// Whether timers have to look at this socket soon.
    pub fn is_busy(&self) -> bool {
        !self.reads.is_empty()
            || !self.delivered.is_empty()
            || !self.typing.is_empty()
            || !self.streams.is_empty()
    }
}

/// Whom to tell that somebody types.
#[derive(Debug, PartialEq, Eq)]
pub enum Tell {
    /// These.
    Tell(Arc<[MemberId]>),
    /// Nobody: it was told a moment ago.
    Spare,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_read_of_a_conversation_counts_and_answers_every_frame() {
        let mut pending = Pending::default();
        let read =
            |conversation, seq| Read { conversation_id: ConversationId(conversation), seq, read_ver: None };
        pending.read(read(1, 5), Some(FrameId::Text("a".into())));
        pending.read(read(2, 1), None);
        pending.read(read(1, 3), Some(FrameId::Text("b".into())));
        assert_eq!(pending.reads.len(), 2);
        assert_eq!((pending.reads[0].read.seq, pending.reads[0].ids.len()), (3, 2));
    }

    #[test]
    fn delivered_positions_are_stored_now_and_then() {
        let mut pending = Pending::default();
        let start = Instant::now();
        pending.delivered(&[(ConversationId(1), 5), (ConversationId(1), 4)]);
        assert_eq!(pending.due_delivered(start), [(ConversationId(1), 5)]);
        pending.delivered(&[(ConversationId(1), 6)]);
        assert!(pending.due_delivered(start + Duration::from_secs(1)).is_empty());
        assert_eq!(pending.due_delivered(start + Duration::from_secs(5)), [(ConversationId(1), 6)]);
    }

    #[test]
    fn the_last_words_are_passed_on_now_and_then() {
        let mut pending = Pending::default();
        let start = Instant::now();
        let words = |key: &str, n| MessageStream {
            conversation_id: ConversationId(1),
            client_msg_id: key.to_owned(),
            n,
            text: n.to_string(),
            version: 1,
        };
        let numbers = |due: Vec<(MessageStream, Option<FrameId>)>| {
            due.into_iter().map(|(words, _)| words.n).collect::<Vec<_>>()
        };
        assert!(pending.stream(words("a", 1), None, start));
        assert_eq!(numbers(pending.due_streams(start)), [1]);
        assert!(pending.stream(words("a", 2), None, start));
        assert!(pending.stream(words("a", 3), None, start));
        assert!(pending.due_streams(start + Duration::from_millis(200)).is_empty());
        assert_eq!(numbers(pending.due_streams(start + Duration::from_millis(250))), [3]);
        pending.stream(words("a", 4), None, start + Duration::from_millis(300));
        pending.stream_ends(ConversationId(2), "a");
        pending.stream_ends(ConversationId(1), "a");
        assert!(!pending.is_busy(), "the message itself was sent");
        for key in 0..STREAMS {
            assert!(pending.stream(words(&key.to_string(), 1), None, start));
        }
        assert!(!pending.stream(words("one more", 1), None, start));
        assert!(pending.stream(words("0", 2), None, start), "one that is shown goes on");
        pending.due_streams(start + Duration::from_millis(STREAM_TTL_MS));
        assert!(!pending.is_busy(), "what is not gone on with is forgotten");
    }

    #[test]
    fn typing_is_told_at_most_every_three_seconds_and_ends_by_itself() {
        let mut pending = Pending::default();
        let (start, conversation) = (Instant::now(), ConversationId(1));
        let audience: Arc<[MemberId]> = Arc::from([MemberId(9)]);
        assert_eq!(pending.typing(conversation, true, start), None);
        pending.typing_told(conversation, audience.clone(), start);
        assert_eq!(pending.typing(conversation, true, start + Duration::from_secs(1)), Some(Tell::Spare));
        assert!(pending.typing_over(start + Duration::from_secs(6), false).is_empty());
        assert_eq!(pending.typing_over(start + Duration::from_secs(7), false).len(), 1);
        pending.typing_told(conversation, audience.clone(), start);
        assert_eq!(pending.typing(conversation, false, start), Some(Tell::Tell(audience)));
        assert_eq!(pending.typing(conversation, false, start), None);
    }
}
