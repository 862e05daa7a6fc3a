//! Taking away what the log of a customer's conversation, or the log behind it, says.
//!
//! Owns that the numbering, the counts and the revs of the log stay, and that readers are told. What is left of an entry
//! stands in `domain::erasure`; which entries are left, and what stands beside the log, is the caller's.

use super::JournalCommand;
use crate::domain::actor::Principal;
use crate::domain::conversation::ConversationKind;
use crate::domain::entry::{EntryKind, EntryRow};
use crate::domain::notice::ErasedContent;
use crate::journal::command::Reply;
use crate::journal::decide::CommandContext;
use crate::journal::wants::Wants;
use crate::kernel::{ConversationId, Error, Result};

/// Entries that one command erases.
pub const ERASED_AT_ONCE: i64 = 100;

/// Take away what a log says. Only the service itself does it.
#[derive(Debug, Clone)]
pub struct EraseLog {
    /// The log.
    pub log: ConversationId,
    /// What of it.
    pub step: EraseStep,
}

/// A step of the erasure of a log.
#[derive(Debug, Clone, Copy)]
pub enum EraseStep {
    /// Take the words of this entry and of those behind it, [`ERASED_AT_ONCE`] in all.
    Words(i64),
    /// All entries up to this one are erased: take the subject, the tags and the custom attributes, and tell readers. The answer says `more` when
    /// the log is longer by now.
    Tell(i64),
}

impl JournalCommand for EraseLog {
    const NEEDS_ACCESS: bool = false;

    fn wants(&self, _: &Principal, wants: &mut Wants) {
        wants.conversations.insert(self.log);
        if matches!(self.step, EraseStep::Tell(_)) {
            wants.described.insert(self.log);
        }
        let places = match self.step {
            EraseStep::Words(from) => from..=from.saturating_add(ERASED_AT_ONCE - 1),
            // The last one may be the notice that all before it was erased.
            EraseStep::Tell(last) => last..=last,
        };
        for seq in places {
            wants.entries.insert((self.log, seq));
            wants.recalled.insert((self.log, seq));
        }
    }

    fn decide(&self, context: &mut CommandContext<'_>) -> Result<Reply> {
        context.require_system()?;
        let row = context.conversation(self.log)?;
        if !matches!(row.kind, ConversationKind::Support | ConversationKind::Backstage) {
            return Err(Error::not_found());
        }
        match self.step {
            EraseStep::Words(from) => self.take_words(context, from),
            EraseStep::Tell(last) => self.tell(context, last),
        }
    }
}

impl EraseLog {
    fn take_words(&self, context: &mut CommandContext<'_>, from: i64) -> Result<Reply> {
        let log = self.log;
        let places = from..=from.saturating_add(ERASED_AT_ONCE - 1);
        let entries = places.filter_map(|seq| context.set.entries.get(&(log, seq)));
        let entries: Vec<EntryRow> = entries.filter(|entry| entry.is_erasable()).cloned().collect();
        if entries.is_empty() {
            return Ok(Reply::about(log));
        }
        let (rev, now) = (context.rev(), context.set.now);
        for mut entry in entries {
            context.erase_attachment(&entry);
            entry.erase(now);
            if let Some(kept) = context.set.entries.get_mut(&(log, entry.seq)) {
                *kept = entry;
            }
        }
        context.conversation_mut(log)?.rev = rev;
        Ok(Reply::about(log))
    }

    fn tell(&self, context: &mut CommandContext<'_>, last: i64) -> Result<Reply> {
        let log = self.log;
        let head = context.conversation(log)?.seq;
        if head > last {
            return Ok(Reply { more: true, ..Reply::about(log) });
        }
        let entry = context.set.entries.get(&(log, head));
        if entry.is_none_or(|entry| entry.kind == EntryKind::Erased) {
            return Ok(Reply::about(log));
        }
        let content = ErasedContent { through_seq: head };
        let notice = context.append_notice(log, EntryKind::Erased, &content, None)?;
        let row = context.conversation_mut(log)?;
        row.subject = String::new();
        row.tags = "[]".to_owned();
        context.erase_attributes(log);
        Ok(Reply { entry: Some(notice), ..Reply::about(log) })
    }
}
