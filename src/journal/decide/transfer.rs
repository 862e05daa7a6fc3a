//! Transfers: written down, and the guard against conversations that go in circles.
//!
//! The guard counts the transfers of the last hour, to agents and to groups alike, and refuses the way straight back.
//! Assigning and taking over are not guarded, so a supervisor always has a way out.

use super::CommandContext;
use super::log::Words;
use crate::domain::transfer::{Receiver, TransferRow};
use crate::journal::wants::TRANSFERS_MS;
use crate::kernel::{Code, ConversationId, Error, Result, TransferId};

/// For so long a conversation does not go straight back to whom it came from, unless somebody wrote.
const BACK_MS: i64 = 60_000;

impl CommandContext<'_> {
    /// The transfers of a conversation within the last hour, stored or made earlier in this batch. Fails when the command
    /// did not want them.
    fn transfers(&self, front: ConversationId) -> Result<impl Iterator<Item = &TransferRow>> {
        let stored = self.set.transfers.get(&front);
        let stored =
            stored.ok_or_else(|| Error::internal(format!("the transfers of {front} were not loaded")))?;
        let made = self.set.made_transfers.iter().filter(move |row| row.conversation_id == front);
        Ok(stored.iter().chain(made))
    }

    /// The last transfer of the last hour.
    pub(crate) fn last_transfer(&self, front: ConversationId) -> Result<Option<&TransferRow>> {
        Ok(self.transfers(front)?.max_by_key(|row| row.id))
    }

    /// Fails with `transfer_loop` for a conversation that goes in circles.
    pub(crate) fn require_no_circle(&self, front: ConversationId, to: Receiver) -> Result<()> {
        let (row, now) = (self.conversation(front)?, self.set.now);
        let lately = self.transfers(front)?.filter(|one| now - one.at < TRANSFERS_MS).count();
        let limit = self.settings().transfer_limit;
        if i64::try_from(lately).is_ok_and(|lately| lately >= limit) {
            let error =
                Error::new(Code::TransferLoop, "the conversation was transferred too often within an hour");
            return Err(error.with("transfers", lately).with("transfer_limit", limit));
        }
        let back = self.last_transfer(front)?.is_some_and(|last| {
            let holds = match last.to_agent_id {
                Some(agent) => row.agent_id == Some(agent) && row.assigned_at == Some(last.at),
                None => row.group_id == last.to_group_id,
            };
            holds && last.msg_count == row.msg_count && now - last.at < BACK_MS && last.came_from(to)
        });
        match back {
            true => {
                Err(Error::new(Code::TransferLoop, "it came from there a moment ago, and nobody wrote since"))
            }
            false => Ok(()),
        }
    }

    /// What is written down of a transfer that is about to be done. The caller keeps it once it is.
    pub(crate) fn transfer_row(
        &self,
        front: ConversationId,
        to: Receiver,
        words: Words<'_>,
    ) -> Result<TransferRow> {
        let row = self.conversation(front)?;
        let (to_agent_id, to_group_id) = match to {
            Receiver::Agent(agent) => (Some(agent), None),
            Receiver::Group(group) => (None, Some(group)),
        };
        Ok(TransferRow {
            id: TransferId(self.set.ids.next()?),
            tenant_id: self.tenant,
            conversation_id: front,
            from_agent_id: self.serving(front)?,
            to_agent_id,
            from_group_id: row.group_id,
            to_group_id,
            reason: words.reason,
            note: words.note.to_owned(),
            transferred_by: self.actor.member(),
            at: self.set.now,
            msg_count: row.msg_count,
        })
    }
}
