//! The form of the index: where a rev stands in it, and what a posting says. A change of it needs all indexes rebuilt.

use std::collections::BTreeMap;

use crate::domain::search::Term;
use crate::kernel::ConversationId;

/// A piece of the log has two to this power of revs.
const CHUNK_BITS: u32 = 14;
const CHUNK_MASK: i64 = (1 << CHUNK_BITS) - 1;
const BYTES: usize = 4;

/// Postings by term and chunk, as they are stored.
pub type Postings = BTreeMap<(Term, i64), Vec<u8>>;

/// The chunk that holds a rev.
pub const fn chunk_of(rev: i64) -> i64 {
    rev >> CHUNK_BITS
}

/// The first rev of a chunk.
pub const fn first_of(chunk: i64) -> i64 {
    chunk << CHUNK_BITS
}

/// The last rev of a chunk.
pub const fn last_of(chunk: i64) -> i64 {
    chunk << CHUNK_BITS | CHUNK_MASK
}

/// A message that may hold a term: its rev, and a hash of the conversation in whose log it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Posting {
    /// The rev.
    pub rev: i64,
    /// The hash.
    pub log: u16,
}

impl Posting {
    /// Of a message at this rev.
    pub fn new(rev: i64, conversation: ConversationId) -> Self {
        Self { rev, log: log_hash(conversation) }
    }

    /// Adds it to what is stored for a term.
    pub fn add(self, term: Term, postings: &mut Postings) {
        let within = u32::try_from(self.rev & CHUNK_MASK).unwrap_or_default();
        let word = within << 16 | u32::from(self.log);
        postings.entry((term, chunk_of(self.rev))).or_default().extend(word.to_le_bytes());
    }
}

/// What a stored blob holds, in no order; after a crash some stand there twice.
pub fn read(chunk: i64, blob: &[u8]) -> impl Iterator<Item = Posting> {
    blob.as_chunks::<BYTES>().0.iter().map(move |bytes| {
        let word = u32::from_le_bytes(*bytes);
        // The low 16 bits, whatever stands above them.
        Posting { rev: chunk << CHUNK_BITS | i64::from(word >> 16), log: (word & 0xffff) as u16 }
    })
}

/// How many postings a blob holds, those that stand there again counted again.
pub const fn count(blob: &[u8]) -> usize {
    blob.len() / BYTES
}

/// 16 bits of a conversation's id, well mixed: ids of one time differ in few bits (the finaliser of SplitMix64).
pub fn log_hash(conversation: ConversationId) -> u16 {
    let mut word = conversation.0.cast_unsigned();
    word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    (word >> 48) as u16
}

/// Logs by their hashes.
#[derive(Debug, Clone)]
pub struct Logs(Vec<u64>);

impl Logs {
    /// Of these conversations.
    pub fn of(conversations: impl IntoIterator<Item = ConversationId>) -> Self {
        let mut bits = vec![0; 1 << 10];
        for conversation in conversations {
            let hash = usize::from(log_hash(conversation));
            if let Some(word) = bits.get_mut(hash >> 6) {
                *word |= 1u64 << (hash & 63);
            }
        }
        Self(bits)
    }

    /// Whether one of them may be the log of this posting.
    pub fn may_hold(&self, posting: Posting) -> bool {
        self.0.get(usize::from(posting.log) >> 6).is_some_and(|word| word >> (posting.log & 63) & 1 == 1)
    }

    /// Those that are in both.
    pub fn and(mut self, other: &Self) -> Self {
        self.0.iter_mut().zip(&other.0).for_each(|(mine, theirs)| *mine &= theirs);
        self
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn postings_are_read_as_they_were_added(revs in prop::collection::vec((0..100_000i64, 0..5i64), 0..50)) {
            let mut stored = Postings::new();
            let mut given = Vec::new();
            for (rev, conversation) in revs {
                let posting = Posting::new(rev, ConversationId(conversation));
                posting.add(Term(7), &mut stored);
                given.push(posting);
            }
            let mut read: Vec<Posting> =
                stored.iter().flat_map(|((_, chunk), blob)| read(*chunk, blob)).collect();
            read.sort_unstable();
            read.dedup();
            given.sort_unstable();
            given.dedup();
            prop_assert_eq!(read, given);
        }
    }

    #[test]
    fn logs_hold_their_own_and_few_others() {
        let first = 3_766_402_207_025_463_297;
        let logs = Logs::of((0..500).map(|one| ConversationId(first + one * 4_096)));
        let may = |id| logs.may_hold(Posting::new(1, ConversationId(id)));
        assert!((0..500).all(|one| may(first + one * 4_096)));
        assert!((500..10_500).filter(|one| may(first + one * 4_096)).count() < 200);
        let none = logs.clone().and(&Logs::of([ConversationId(1)]));
        assert!(!(0..500).all(|one| none.may_hold(Posting::new(1, ConversationId(first + one * 4_096)))));
    }
}
