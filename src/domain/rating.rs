//! Ratings: what customers say of how they were served, whether a conversation may be rated now, and by whose work. Pure
//! functions; no I/O, no clock.
//!
//! A conversation is rated once for each of its ends, by its customer, within the tenant's window. The rating belongs to the
//! agent who served it when it ended, and to its group. Where nobody of the staff wrote since it was opened or reopened there
//! is nothing to rate, so that no agent is judged by what it did not do.

use diesel::prelude::*;

use super::conversation::{ConversationRow, ConversationStatus};
use super::entry::EntryKind;
use crate::db::schema::rating;
use crate::kernel::{ConversationId, GroupId, MemberId, RatingId, TenantId};
use crate::text_enum;

/// The lowest score.
pub const SCORE_MIN: i16 = 1;
/// The highest score.
pub const SCORE_MAX: i16 = 5;
/// Longest comment, in characters.
pub const COMMENT_MAX: usize = 2_000;
/// How long after it was given a rating may be changed, in milliseconds: a day.
pub const CHANGE_MS: i64 = 86_400_000;

/// A row of `rating`.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable)]
#[diesel(table_name = rating)]
pub struct RatingRow {
    /// The rating.
    pub id: RatingId,
    /// Whose.
    pub tenant_id: TenantId,
    /// What is rated.
    pub conversation_id: ConversationId,
    /// The entry with which the conversation ended.
    pub close_seq: i64,
    /// Who served it then; `None`: no single agent did.
    pub agent_id: Option<MemberId>,
    /// Whose matter it was then.
    pub group_id: Option<GroupId>,
    /// From [`SCORE_MIN`] to [`SCORE_MAX`].
    pub score: i16,
    /// Why; may be empty.
    pub comment: String,
    /// When it was given first, unix milliseconds.
    pub rated_at: i64,
    /// When it was last changed, unix milliseconds.
    pub changed_at: i64,
}

text_enum! {
    /// Whether a conversation may be rated.
    RatingState {
        /// It is not over, or goes on in another one.
        NotClosed = "not_closed",
        /// Nobody of the staff wrote in it since it was opened or reopened.
        NotAnswered = "not_answered",
        /// It may be rated.
        Asked = "asked",
        /// It was rated.
        Answered = "answered",
        /// It was not rated in time, or the tenant asks for no ratings.
        Expired = "expired",
    }
}

/// Where a conversation began and ended last, by its entries.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stretch {
    /// The entry with which it was opened or reopened last; 0: none is known.
    pub began_seq: i64,
    /// The entry with which it ended since; 0: it did not.
    pub closed_seq: i64,
}

impl Stretch {
    /// The kinds of entries that say it.
    pub const KINDS: [EntryKind; 3] = [EntryKind::Opened, EntryKind::Reopened, EntryKind::Closed];

    /// Of a conversation whose entries of these kinds are these, the oldest first.
    pub fn of(bounds: impl IntoIterator<Item = (i64, EntryKind)>) -> Self {
        bounds.into_iter().fold(Self::default(), |stretch, (seq, kind)| stretch.after(seq, kind))
    }

    /// The same after one more entry.
    pub fn after(self, seq: i64, kind: EntryKind) -> Self {
        match kind {
            EntryKind::Opened | EntryKind::Reopened => Self { began_seq: seq, closed_seq: 0 },
            EntryKind::Closed => Self { closed_seq: seq, ..self },
            _ => self,
        }
    }
}

/// How a conversation stands to its rating.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// Whether it may be rated.
    pub state: RatingState,
    /// Until when it may be rated, or its rating changed, unix milliseconds; `None`: it may not be, or no longer.
    pub until: Option<i64>,
}

/// How this conversation stands to the rating of its last end.
///
/// `staff_seq` is where the last message of the staff stands, 0 without any; one that was recalled counts, because it was
/// there. `given` is the rating of this end.
pub fn standing(
    conversation: &ConversationRow,
    stretch: Stretch,
    staff_seq: i64,
    given: Option<&RatingRow>,
    window_seconds: i64,
    now: i64,
) -> Standing {
    let is_over = conversation.status == Some(ConversationStatus::Closed)
        && conversation.merged_into_id.is_none()
        && stretch.closed_seq > 0;
    if !is_over {
        return Standing { state: RatingState::NotClosed, until: None };
    }
    if let Some(row) = given {
        let until = row.rated_at.saturating_add(CHANGE_MS);
        return Standing { state: RatingState::Answered, until: Some(until).filter(|until| now < *until) };
    }
    if staff_seq <= stretch.began_seq {
        return Standing { state: RatingState::NotAnswered, until: None };
    }
    let ended = conversation.closed_at.unwrap_or(conversation.updated_at);
    let until = ended.saturating_add(window_seconds.saturating_mul(1_000));
    match now < until {
        true => Standing { state: RatingState::Asked, until: Some(until) },
        false => Standing { state: RatingState::Expired, until: None },
    }
}
