//! Unread: one definition, and a fast way to the same number.
//!
//! Definition: the messages with seq above `read_seq`, by another sender, not recalled, while the member is in the
//! conversation. What a customer sent before it was recognised is its own, so for the customer of a conversation
//! "another sender" is whoever is not a customer. Who joins or claims starts at the head: unread is 0, for it counts
//! what came since; staff can move the position back to the beginning by marking as unread. Nothing stores it. The running counts on entries make the usual case a subtraction; what the counts
//! cannot tell is counted along the primary key.

use diesel::prelude::*;

use crate::db::AnyConnection;
use crate::db::schema::group_message;
use crate::domain::conversation::{MemberType, ParticipantRow};
use crate::domain::entry::MESSAGE;
use crate::domain::member::Role;
use crate::kernel::{ConversationId, Result, TenantId};

/// Counting ends here: 100 means "100 or more".
pub const CAP: i64 = 100;

/// What the counts of a log say at some place: messages and recalls up to and including it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Messages.
    pub messages: i64,
    /// Recalls.
    pub recalls: i64,
}

/// What the fast path found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fast {
    /// The number, capped.
    Exact(i64),
    /// The counts cannot tell: count along the log.
    Scan,
}

/// The fast path. `head` and `read` are the counts at the head and at the read position; `own_after` says whether the
/// member itself may have sent messages after the read position.
///
/// A recalled message after the read position has its recall notice after it as well, so while the running count of
/// recalls stands still none of the messages in between was recalled.
pub fn fast(head: Counts, read: Counts, own_after: bool) -> Fast {
    let between = head.messages - read.messages;
    if between <= 0 {
        return Fast::Exact(0);
    }
    if own_after || head.recalls != read.recalls {
        return Fast::Scan;
    }
    Fast::Exact(between.min(CAP))
}

/// The definition for this reader, counted along the primary key after `read_seq` up to `most`.
pub fn count(
    connection: &mut AnyConnection,
    tenant: TenantId,
    conversation: ConversationId,
    reader: &ParticipantRow,
    read_seq: i64,
    most: i64,
) -> Result<i64> {
    let mut query = group_message::table
        .filter(group_message::conversation_id.eq(conversation))
        .filter(group_message::tenant_id.eq(tenant))
        .filter(group_message::seq.gt(read_seq))
        .filter(group_message::message_type.eq(MESSAGE))
        .filter(group_message::recalled_at.is_null())
        .order(group_message::seq.asc())
        .limit(most)
        .select(group_message::seq)
        .into_boxed();
    query = match reader.member_type {
        MemberType::Customer => query
            .filter(group_message::sender_role.is_null().or(group_message::sender_role.ne(Role::Customer))),
        _ => {
            query.filter(group_message::sender_id.is_null().or(group_message::sender_id.ne(reader.member_id)))
        }
    };
    let found: Vec<i64> = query.load(connection)?;
    Ok(i64::try_from(found.len()).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// One entry of a small model of a log: who sent it (a message), whether it is a recall, whether it was recalled.
    #[derive(Debug, Clone, Copy, Default)]
    struct Line {
        sender: Option<u8>,
        recalls: bool,
        recalled: bool,
    }

    fn counts(log: &[Line], seq: usize) -> Counts {
        Counts {
            messages: log[..seq].iter().filter(|line| line.sender.is_some()).count() as i64,
            recalls: log[..seq].iter().filter(|line| line.recalls).count() as i64,
        }
    }

    fn definition(log: &[Line], me: u8, read_seq: usize) -> i64 {
        let unread = |line: &&Line| line.sender.is_some_and(|sender| sender != me) && !line.recalled;
        (log[read_seq..].iter().filter(unread).count() as i64).min(CAP)
    }

    proptest! {
        #[test]
        fn the_fast_path_is_exact_whenever_it_answers(
            steps in proptest::collection::vec((0u8..4, 0usize..200), 0..240),
            read in 0usize..240,
        ) {
            let mut log: Vec<Line> = Vec::new();
            for (what, place) in steps {
                if what == 3 && !log.is_empty() {
                    let target = place % log.len();
                    if log[target].sender.is_some() && !log[target].recalled {
                        log[target].recalled = true;
                        log.push(Line { recalls: true, ..Line::default() });
                    }
                } else {
                    log.push(Line { sender: (what < 2).then_some(what), ..Line::default() });
                }
            }
            let read_seq = read.min(log.len());
            let own_after = log[read_seq..].iter().any(|line| line.sender == Some(0));
            if let Fast::Exact(number) = fast(counts(&log, log.len()), counts(&log, read_seq), own_after) {
                prop_assert_eq!(number, definition(&log, 0, read_seq));
            }
        }
    }

    #[test]
    fn own_messages_and_recalls_are_left_to_the_scan() {
        let head = Counts { messages: 5, recalls: 1 };
        assert_eq!(fast(head, Counts { messages: 5, recalls: 0 }, true), Fast::Exact(0));
        assert_eq!(fast(head, Counts { messages: 2, recalls: 1 }, false), Fast::Exact(3));
        assert_eq!(fast(head, Counts { messages: 2, recalls: 1 }, true), Fast::Scan);
        assert_eq!(fast(head, Counts { messages: 2, recalls: 0 }, false), Fast::Scan);
        assert_eq!(fast(Counts { messages: 900, recalls: 0 }, Counts::default(), false), Fast::Exact(CAP));
    }
}
