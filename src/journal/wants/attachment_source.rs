//! What attachments ask of the store. No I/O.

use crate::domain::attachment::AttachmentRow;
use crate::kernel::{AttachmentId, Result};

/// What attachments ask of a [`super::Source`].
pub trait AttachmentSource {
    /// These attachments, held until the batch is over: uploads and sweeping change them beside the journal.
    fn attachments(&mut self, ids: &[AttachmentId]) -> Result<Vec<AttachmentRow>>;
}
