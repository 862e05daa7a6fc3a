//! What timers ask of the store. No I/O.

use crate::domain::timers::{ReminderRow, Said, Served, Spoken};
use crate::kernel::{ConversationId, MemberId, Result, TenantId};

/// What timers ask of a [`super::Source`].
#[allow(missing_docs, reason = "each question is its signature")]
pub trait TimerSource {
    /// The tenant's conversations that are served, behind this one, in the order of their ids, at most `limit`.
    fn served(&mut self, tenant: TenantId, after: ConversationId, limit: usize) -> Result<Vec<Served>>;
    /// The tenant's conversations that bots answer, with the bot, in the same way.
    fn answered_by_bots(
        &mut self,
        tenant: TenantId,
        after: ConversationId,
        limit: usize,
    ) -> Result<Vec<(ConversationId, MemberId)>>;
    /// Who spoke last, without what the customer asked since ([`Spoken::asked`]). Conversations where nobody said anything
    /// may be left out.
    fn last_words(&mut self, conversations: &[ConversationId]) -> Result<Vec<(ConversationId, Spoken)>>;
    /// The customer's first message behind this entry.
    fn first_question(&mut self, conversation: ConversationId, after: i64) -> Result<Option<Said>>;
    fn reminders(&mut self, conversations: &[ConversationId]) -> Result<Vec<ReminderRow>>;
}
