//! Ratings: how a conversation stands to the rating of its last end, as the batch sees it.

use super::CommandContext;
use crate::domain::conversation::MemberType;
use crate::domain::rating::{RatingRow, Standing, Stretch, standing};
use crate::kernel::{ConversationId, Error, Result};

impl CommandContext<'_> {
    /// Where the conversation began and ended last, this batch included. Fails when the command did not want it.
    pub(crate) fn stretch(&self, front: ConversationId) -> Result<Stretch> {
        let row = self.conversation(front)?;
        let loaded = self.set.conversations.loaded(&front);
        let before = match (self.set.stretches.get(&front), loaded) {
            (Some(stretch), _) => *stretch,
            (None, None) => Stretch::default(),
            (None, Some(_)) => {
                return Err(Error::internal(format!("the ratings of {} were not loaded", row.id)));
            }
        };
        let stored = loaded.map_or(0, |row| row.seq);
        let made = self.set.entries.range((front, stored + 1)..=(front, i64::MAX));
        Ok(made.fold(before, |stretch, entry| stretch.after(entry.seq, entry.kind)))
    }

    /// The rating of this end of the conversation.
    pub(crate) fn rating_of(&self, front: ConversationId, close_seq: i64) -> Option<&RatingRow> {
        self.set.ratings.values().find(|row| row.conversation_id == front && row.close_seq == close_seq)
    }

    /// How the conversation stands to the rating of its last end, which was this entry.
    pub(crate) fn rating_standing(&self, front: ConversationId) -> Result<(Standing, i64)> {
        let stretch = self.stretch(front)?;
        // Who was answered by a bot only has nobody to rate.
        let is_person = |kind| matches!(kind, MemberType::Manager | MemberType::Member);
        let staff = self.set.participants_of(front).filter(|row| is_person(row.member_type));
        let staff_seq = staff.map(|row| row.last_sent_seq).max().unwrap_or(0);
        let given = self.rating_of(front, stretch.closed_seq);
        let window = self.settings().rating_window_seconds;
        let row = self.conversation(front)?;
        Ok((standing(row, stretch, staff_seq, given, window, self.set.now), stretch.closed_seq))
    }
}
