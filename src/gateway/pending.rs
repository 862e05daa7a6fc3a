//! What a socket collects before it is done, what it types and what it watches. Allocated when first needed, because
//! most sockets are idle. No I/O.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::protocol::FrameId;
use super::protocol::client::{Position, Read};
use super::protocol::limits::{COLLECTED, DELIVERED_MS, TYPING_EVERY_MS, TYPING_TTL_MS};
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

    /// Whether timers have to look at this socket soon.
    pub fn is_busy(&self) -> bool {
        !self.reads.is_empty() || !self.delivered.is_empty() || !self.typing.is_empty()
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
