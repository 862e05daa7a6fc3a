//! What a batch ends beside the rows of its working set. No I/O.

use crate::domain::conversation::AssignmentEnd;
use crate::kernel::{ConversationId, MemberId, SessionId, TenantId};

/// A session that the batch ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RevokedSession {
    /// Which.
    pub session: SessionId,
    /// Whose.
    pub member: MemberId,
    /// The tenant.
    pub tenant: TenantId,
    /// Why.
    pub reason: &'static str,
    /// Under which rev.
    pub rev: i64,
}

/// An assignment, open before the batch, that the batch ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndedAssignment {
    /// The conversation whose open assignment ends.
    pub conversation: ConversationId,
    /// When.
    pub at: i64,
    /// How.
    pub reason: AssignmentEnd,
}
