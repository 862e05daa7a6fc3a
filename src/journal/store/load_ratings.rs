//! The store as the source of what ratings ask.

use diesel::prelude::*;

use crate::db::AnyConnection;
use crate::db::schema::{group_message, rating};
use crate::domain::entry::EntryKind;
use crate::domain::rating::{RatingRow, Stretch};
use crate::journal::wants::rating_source::RatingSource;
use crate::kernel::{ConversationId, Result};

impl RatingSource for AnyConnection {
    fn ratings(&mut self, conversation: ConversationId) -> Result<Vec<RatingRow>> {
        Ok(rating::table
            .filter(rating::conversation_id.eq(conversation))
            .order(rating::close_seq.asc())
            .select(RatingRow::as_select())
            .load(self)?)
    }

    fn last_bounds(&mut self, conversation: ConversationId) -> Result<Vec<(i64, EntryKind)>> {
        let [opened, reopened, closed] = Stretch::KINDS;
        let is_bound = group_message::kind
            .eq(opened)
            .or(group_message::kind.eq(reopened))
            .or(group_message::kind.eq(closed));
        let mut bounds: Vec<(i64, EntryKind)> = group_message::table
            .filter(group_message::conversation_id.eq(conversation))
            .filter(is_bound)
            .order(group_message::seq.desc())
            .limit(2)
            .select((group_message::seq, group_message::kind))
            .load(self)?;
        bounds.reverse();
        Ok(bounds)
    }
}
