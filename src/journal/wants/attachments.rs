//! What attachments want loaded: those that messages may carry, and those of messages that may be recalled. No I/O.

use super::{Source, Wants};
use crate::domain::attachment::AttachmentContent;
use crate::journal::working_set::WorkingSet;
use crate::kernel::{AttachmentId, Result};

/// Loads them; the messages are loaded already.
pub(super) fn load(source: &mut dyn Source, set: &mut WorkingSet, wants: &Wants) -> Result<()> {
    let messages = wants.recalled.iter().filter_map(|place| set.entries.get(place));
    let carried = messages.filter_map(AttachmentContent::carried_by);
    let mut ids: Vec<AttachmentId> = wants.attachments.iter().copied().chain(carried).collect();
    ids.retain(|id| !set.attachments.contains(id));
    if ids.is_empty() {
        return Ok(());
    }
    ids.sort_unstable();
    ids.dedup();
    for row in source.attachments(&ids)? {
        set.attachments.load(row.id, row);
    }
    Ok(())
}
