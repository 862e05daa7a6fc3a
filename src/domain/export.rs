//! Exports: the record of one, and how far it is. No I/O.

use diesel::prelude::*;

use crate::db::schema::export;
use crate::kernel::{ExportId, MemberId, TenantId};
use crate::text_enum;

/// How long the file of a finished export is kept, in milliseconds: a day.
pub const EXPORT_KEPT_MS: i64 = 86_400_000;

text_enum! {
    /// How far an export is.
    ExportState {
        /// It waits for its turn.
        Waiting = "waiting",
        /// It is being written.
        Running = "running",
        /// Its file is whole, and can be read until `expires_at`.
        Done = "done",
        /// It could not be written; `failure` says why. Nothing is left of its file.
        Failed = "failed",
        /// Somebody cancelled it. Nothing is left of its file.
        Cancelled = "cancelled",
        /// Its file was removed: its time was over, or an erasure took it.
        Expired = "expired",
    }
}

impl ExportState {
    /// Whether its file is still to come.
    pub const fn is_unfinished(self) -> bool {
        matches!(self, Self::Waiting | Self::Running)
    }
}

text_enum! {
    /// Why an export could not be written.
    ExportFailure {
        /// The folder of files cannot be written: it is full, or closed to the service.
        StorageUnavailable = "storage_unavailable",
        /// It was begun again and again without coming further.
        Stalled = "stalled",
    }
}

/// A row of `export`.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Insertable)]
#[diesel(table_name = export, treat_none_as_default_value = false)]
pub struct ExportRow {
    /// The export.
    pub id: ExportId,
    /// Whose.
    pub tenant_id: TenantId,
    /// Whose data; `None`: the whole tenant's.
    pub member_id: Option<MemberId>,
    /// How far it is.
    pub state: ExportState,
    /// Who asked for it.
    pub requested_by: MemberId,
    /// When it was asked for, unix milliseconds.
    pub requested_at: i64,
    /// When it was begun, unix milliseconds.
    pub started_at: Option<i64>,
    /// When it was done or ended otherwise, unix milliseconds.
    pub finished_at: Option<i64>,
    /// When the file of a finished one ends, unix milliseconds.
    pub expires_at: Option<i64>,
    /// Why it failed.
    pub failure: Option<ExportFailure>,
    /// The tenant while it is unfinished.
    pub open_key: Option<TenantId>,
    /// The tenant's rev when it was begun: entries up to it are in the file.
    pub rev: i64,
    /// JSON: behind which row it goes on; `None`: at the beginning.
    pub place: Option<String>,
    /// JSON: how many lines of each type were written.
    pub counts: String,
    /// Lines that were written.
    pub line_count: i64,
    /// Bytes of the file that are whole.
    pub byte_count: i64,
    /// Turns without progress.
    pub attempts: i64,
    /// Who works on it.
    pub lease_owner: Option<String>,
    /// Until when, by the database's clock, unix milliseconds.
    pub lease_until: i64,
    /// How many owners it had.
    pub fence: i64,
    /// When its file is to be removed, unix milliseconds; `None`: there is none, or it is being written.
    pub sweep_at: Option<i64>,
}

impl ExportRow {
    /// How far it is at this time (unix milliseconds): a file whose time is over counts as removed.
    pub fn state_at(&self, now: i64) -> ExportState {
        let is_over = self.expires_at.is_some_and(|end| end <= now);
        if self.state == ExportState::Done && is_over { ExportState::Expired } else { self.state }
    }
}
