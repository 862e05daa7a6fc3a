//! What ratings ask of the store. No I/O.

use crate::domain::entry::EntryKind;
use crate::domain::rating::RatingRow;
use crate::kernel::{ConversationId, Result};

/// What ratings ask of a [`super::Source`].
#[allow(missing_docs, reason = "each question is its signature")]
pub trait RatingSource {
    fn ratings(&mut self, conversation: ConversationId) -> Result<Vec<RatingRow>>;
    /// The last two entries with which the conversation began, began again or ended, the older one first.
    fn last_bounds(&mut self, conversation: ConversationId) -> Result<Vec<(i64, EntryKind)>>;
}
