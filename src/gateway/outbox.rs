//! What waits for a slow socket. Owns the bounds and what happens at them: at half full what is told and forgotten
//! goes, at full the durable frames are cleared and become one `lag`. No I/O.
//!
//! Invariants: replies are never dropped (they are bounded by the commands that may be unanswered); while a lag is
//! due no durable frame is taken, so the client never sees a frame after a gap before it hears of the gap; nothing
//! is allocated until something has to wait.

use std::collections::VecDeque;

use bytestring::ByteString;

use super::protocol::limits::{OUTBOX_BYTES, OUTBOX_FRAMES};
use crate::kernel::ConversationId;

/// More conversations than this are told as "all".
const LISTED: usize = 100;
/// Frames that are worth a write of their own.
const BATCH_FRAMES: usize = 32;
/// Bytes that are worth a write of their own.
const BATCH_BYTES: usize = 16_384;

/// How much a frame matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// An answer or a control frame.
    Reply,
    /// Told and forgotten.
    Ephemeral,
    /// Part of the tenant's log; must reach the client or be told as lag.
    Durable {
        /// Under which rev it was committed.
        rev: i64,
        /// Everything up to this rev was sent before it.
        after: i64,
        /// Of which conversation; `None`: of none, and when it is dropped the client syncs everything.
        conversation: Option<ConversationId>,
    },
}

/// A frame that waits.
#[derive(Debug, Clone)]
pub struct Item {
    /// The whole frame; shared between sockets.
    pub bytes: ByteString,
    /// How much it matters.
    pub class: Class,
}

/// Durable frames were dropped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dropped {
    /// Everything up to this rev was not dropped.
    pub after_rev: i64,
    /// What was dropped, unless `all`.
    pub conversations: Vec<ConversationId>,
    /// Too much to list.
    pub all: bool,
}

impl Dropped {
    fn add(&mut self, after: i64, conversation: Option<ConversationId>) {
        self.after_rev = self.after_rev.min(after);
        match conversation {
            Some(one) if !self.all => {
                if !self.conversations.contains(&one) {
                    self.conversations.push(one);
                }
                if self.conversations.len() > LISTED {
                    self.all = true;
                }
            }
            _ => self.all = true,
        }
        if self.all {
            self.conversations = Vec::new();
        }
    }
}

/// The queue.
#[derive(Debug, Default)]
pub struct Outbox {
    items: VecDeque<Item>,
    bytes: usize,
    ephemeral: usize,
    dropped: Option<Dropped>,
}

impl Outbox {
    /// Whether nothing waits and no lag is due, so that a frame may go past the queue.
    pub fn is_idle(&self) -> bool {
        self.items.is_empty() && self.dropped.is_none()
    }

    /// Whether something waits or a lag is due.
    pub fn has_work(&self) -> bool {
        !self.is_idle()
    }

    /// Whether so much waits that nothing more should be read from the client.
    pub fn is_congested(&self) -> bool {
        self.items.len() >= OUTBOX_FRAMES / 2 || self.bytes >= OUTBOX_BYTES / 2
    }

    /// Whether so much waits that it is worth a write at once.
    pub fn is_batch(&self) -> bool {
        self.items.len() >= BATCH_FRAMES || self.bytes >= BATCH_BYTES
    }

    /// Takes back a frame that was popped last and not written.
    pub fn put_back(&mut self, item: Item) {
        self.bytes += item.bytes.len();
        self.ephemeral += usize::from(item.class == Class::Ephemeral);
        self.items.push_front(item);
    }

    /// Adds a frame, or drops what the rules say.
    pub fn push(&mut self, item: Item) {
        let half = self.items.len() >= OUTBOX_FRAMES / 2 || self.bytes + item.bytes.len() > OUTBOX_BYTES / 2;
        match item.class {
            Class::Ephemeral if half => return,
            Class::Durable { after, conversation, .. } => {
                if let Some(dropped) = &mut self.dropped {
                    dropped.add(after, conversation);
                    return;
                }
            }
            _ => {}
        }
        if half && self.ephemeral > 0 {
            self.retain(|class| class != Class::Ephemeral);
        }
        let full = self.items.len() >= OUTBOX_FRAMES || self.bytes + item.bytes.len() > OUTBOX_BYTES;
        if let (true, Class::Durable { after, conversation, .. }) = (full, item.class) {
            self.drop_durable(after + 1, conversation);
            return;
        }
        self.bytes += item.bytes.len();
        self.ephemeral += usize::from(item.class == Class::Ephemeral);
        self.items.push_back(item);
    }

    /// Clears the durable frames and notes that those from `rev` on are missing; without a conversation, of all.
    pub fn drop_durable(&mut self, rev: i64, conversation: Option<ConversationId>) {
        let mut dropped = self.dropped.take().unwrap_or(Dropped {
            after_rev: i64::MAX,
            conversations: Vec::new(),
            all: false,
        });
        dropped.add(rev - 1, conversation);
        for item in &self.items {
            if let Class::Durable { after, conversation, .. } = item.class {
                dropped.add(after, conversation);
            }
        }
        self.retain(|class| !matches!(class, Class::Durable { .. }));
        self.dropped = Some(dropped);
    }

    fn retain(&mut self, keep: impl Fn(Class) -> bool) {
        self.items.retain(|item| keep(item.class));
        self.bytes = self.items.iter().map(|item| item.bytes.len()).sum();
        self.ephemeral = self.items.iter().filter(|item| item.class == Class::Ephemeral).count();
    }

    /// The next frame. An empty queue gives its memory back.
    pub fn pop(&mut self) -> Option<Item> {
        let item = self.items.pop_front();
        match &item {
            Some(item) => {
                self.bytes -= item.bytes.len();
                self.ephemeral -= usize::from(item.class == Class::Ephemeral);
            }
            None => self.items = VecDeque::new(),
        }
        item
    }

    /// The lag that is due, once everything before it is written.
    pub fn take_dropped(&mut self) -> Option<Dropped> {
        match self.items.is_empty() {
            true => self.dropped.take(),
            false => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn durable(rev: i64, conversation: i64) -> Item {
        let class = Class::Durable { rev, after: rev - 1, conversation: Some(ConversationId(conversation)) };
        Item { bytes: ByteString::from_static("{}"), class }
    }

    fn other(class: Class) -> Item {
        Item { bytes: ByteString::from_static("{}"), class }
    }

    fn drain(outbox: &mut Outbox) -> Vec<Class> {
        std::iter::from_fn(|| outbox.pop()).map(|item| item.class).collect()
    }

    #[test]
    fn what_is_told_and_forgotten_goes_at_half() {
        let mut outbox = Outbox::default();
        outbox.push(other(Class::Ephemeral));
        for rev in 1..=(OUTBOX_FRAMES as i64 / 2) {
            outbox.push(durable(rev, 1));
        }
        outbox.push(other(Class::Ephemeral));
        let left = drain(&mut outbox);
        assert!(!left.contains(&Class::Ephemeral));
        assert_eq!(left.len(), OUTBOX_FRAMES / 2);
        assert_eq!(outbox.take_dropped(), None);
    }

    #[test]
    fn at_full_durable_frames_become_one_lag_and_replies_stay() {
        let mut outbox = Outbox::default();
        outbox.push(other(Class::Reply));
        for rev in 11..=(10 + OUTBOX_FRAMES as i64) {
            outbox.push(durable(rev, 1 + rev % 2));
        }
        outbox.push(durable(900, 3));
        assert!(outbox.take_dropped().is_none(), "the reply goes first");
        assert_eq!(drain(&mut outbox), [Class::Reply]);
        let dropped = outbox.take_dropped();
        assert_eq!(dropped.as_ref().map(|dropped| (dropped.after_rev, dropped.all)), Some((10, false)));
        assert_eq!(dropped.map(|dropped| dropped.conversations.len()), Some(3));
        // Once the lag is told, frames flow again.
        outbox.push(durable(901, 1));
        assert_eq!(drain(&mut outbox).len(), 1);
        assert!(outbox.is_idle());
    }

    #[test]
    fn many_conversations_are_told_as_all_and_bytes_count_too() {
        let mut outbox = Outbox::default();
        let big = ByteString::from("x".repeat(OUTBOX_BYTES / 4 + 1));
        for rev in 1..=4 {
            let class = Class::Durable { rev, after: rev - 1, conversation: Some(ConversationId(rev)) };
            outbox.push(Item { bytes: big.clone(), class });
        }
        assert_eq!(drain(&mut outbox).len(), 0);
        for rev in 5..200 {
            outbox.push(durable(rev, rev));
        }
        let dropped = outbox.take_dropped();
        assert_eq!(dropped, Some(Dropped { after_rev: 0, conversations: vec![], all: true }));
    }

    #[test]
    fn what_is_of_no_conversation_is_told_as_all() {
        let mut outbox = Outbox::default();
        outbox.push(other(Class::Durable { rev: 7, after: 6, conversation: None }));
        for rev in 8..=(8 + OUTBOX_FRAMES as i64) {
            outbox.push(durable(rev, 1));
        }
        assert_eq!(drain(&mut outbox).len(), 0);
        let dropped = outbox.take_dropped();
        assert_eq!(dropped, Some(Dropped { after_rev: 6, conversations: vec![], all: true }));
    }
}
