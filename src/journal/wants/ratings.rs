//! What ratings want loaded: the conversation's ratings, and where it began and ended. No I/O.

use super::{Source, Wants};
use crate::domain::rating::Stretch;
use crate::journal::working_set::WorkingSet;
use crate::kernel::Result;

/// Loads it.
pub(super) fn load(source: &mut dyn Source, set: &mut WorkingSet, wants: &Wants) -> Result<()> {
    for id in &wants.rated {
        if !set.conversations.contains(id) || set.stretches.contains_key(id) {
            continue;
        }
        for row in source.ratings(*id)? {
            set.ratings.load(row.id, row);
        }
        let stretch = Stretch::of(source.last_bounds(*id)?);
        set.stretches.insert(*id, stretch);
    }
    Ok(())
}
