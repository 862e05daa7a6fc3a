//! Recognising an anonymous visitor as an existing customer.

use super::JournalCommand;
use crate::domain::actor::Principal;
use crate::domain::conversation::{CloseReason, ConversationStatus, MemberType, support_open_key};
use crate::domain::entry::EntryKind;
use crate::domain::member::Role;
use crate::domain::notice::{CustomerChangedContent, MergedContent};
use crate::journal::command::Reply;
use crate::journal::decide::CommandContext;
use crate::journal::wants::{PIECE, Wants};
use crate::kernel::{Code, ConversationId, Error, MemberId, Result};

/// A visitor was recognised as an existing customer: its conversations move there by an entry, senders keep their
/// stamp, and of two open conversations the anonymous one closes. About [`PIECE`] conversations move in one
/// command: while the answer says `more`, the command is repeated. With the last of them the visitor's sessions end.
#[derive(Debug, Clone)]
pub struct Merge {
    /// The anonymous visitor.
    pub from: MemberId,
    /// The recognised customer.
    pub into: MemberId,
}

impl JournalCommand for Merge {
    const NEEDS_ACCESS: bool = false;

    fn wants(&self, _: &Principal, wants: &mut Wants) {
        wants.members.extend([self.from, self.into]);
        wants.sessions.insert(self.from);
        wants.merges.insert((self.from, self.into));
        wants.openers.extend([self.from, self.into]);
        wants.assignments = true;
        wants.restarts = true;
    }

    fn decide(&self, context: &mut CommandContext<'_>) -> Result<Reply> {
        let Self { from, into } = *self;
        // A visitor speaks for itself; the caller has checked the tenant's word for who it is.
        if context.actor.member().is_some_and(|actor| actor != from) {
            return Err(Error::new(Code::Forbidden, "a member is recognised only by its own token"));
        }
        let source = context.facts(from).ok_or_else(Error::not_found)?;
        let target = context.facts(into).filter(|facts| facts.is_usable(context.set.now));
        let target =
            target.ok_or_else(|| Error::new(Code::AccountDisabled, Code::AccountDisabled.meaning()))?;
        if source.role != Role::Customer || target.role != Role::Customer || from == into {
            return Err(Error::new(Code::Forbidden, "only one customer can be recognised as another"));
        }
        if source.merged_into.is_some_and(|known| known != into) {
            return Err(Error::new(Code::SessionRevoked, "this visitor was recognised as somebody else"));
        }
        let more = context.set.owned.get(&from).is_some_and(|owned| owned.len() > PIECE);
        // Also what was opened earlier in this batch.
        let owned: Vec<ConversationId> =
            context.set.conversations.values().filter(|row| row.customer_id == Some(from)).map(|row| row.id).collect();
        for conversation in owned {
            self.take_over(context, conversation)?;
        }
        if !more {
            let rev = context.rev();
            if let Some(facts) = context.set.members.get_mut(&from) {
                facts.merged_into = Some(into);
                facts.rev = rev;
            }
            context.revoke(from, |_| true, "merged");
        }
        Ok(Reply { more, ..Reply::default() })
    }
}

impl Merge {
    /// Gives one conversation to the recognised customer.
    fn take_over(&self, context: &mut CommandContext<'_>, front: ConversationId) -> Result<()> {
        let Self { from, into } = *self;
        if context.conversation(front)?.customer_id != Some(from) {
            return Ok(());
        }
        let (tenant, key) = (context.tenant, support_open_key(into));
        let open = context.conversation(front)?.status != Some(ConversationStatus::Closed);
        if open && let Some(survivor) = context.open_conversation(&key) {
            // The log of the one that goes on leads to the older log, which who sees the one may read from now on.
            context.end(front, CloseReason::Merged)?;
            context.conversation_mut(front)?.merged_into_id = Some(survivor);
            let merged = MergedContent { conversation_id: front };
            let merged = context.append_notice(survivor, EntryKind::Merged, &merged, None)?;
            context.restart_turn(&merged)?;
        }
        let customer = context.public_card(into);
        context.append_notice(front, EntryKind::CustomerChanged, &CustomerChangedContent { customer }, None)?;
        let row = context.conversation_mut(front)?;
        row.customer_id = Some(into);
        row.version += 1;
        if let Some(old) = row.open_key.take() {
            row.open_key = Some(key.clone());
            context.set.open.remove(&(tenant, old));
            context.set.open.insert((tenant, key), front);
        }
        self.move_seat(context, front)
    }

    /// Puts the customer in the visitor's place, with the positions that the visitor had: what it had not read is
    /// still unread, and what it sent is the customer's own.
    fn move_seat(&self, context: &mut CommandContext<'_>, front: ConversationId) -> Result<()> {
        let before = context.participant(front, self.from).filter(|row| row.is_in()).cloned();
        context.leave(front, self.from)?;
        context.enter(front, self.into, MemberType::Customer)?;
        if let (Some(before), Some(row)) = (before, context.participant_mut(front, self.into)) {
            row.joined_seq = before.joined_seq;
            row.read_seq = before.read_seq;
            row.read_ver = before.read_ver.max(row.read_ver);
            row.last_sent_seq = before.last_sent_seq;
            row.delivered_seq = before.delivered_seq;
        }
        Ok(())
    }
}
