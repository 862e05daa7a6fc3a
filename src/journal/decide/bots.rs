//! Bots: who answers a customer before the staff do.
//!
//! A conversation that a bot answers is open and waits in no queue; whoever of the staff claims it, is assigned it or writes
//! in it takes it from the bot in that command. Invariants: only an open conversation has a bot; its bot is in it; a bot
//! writes to a customer only while it answers, and only by the version of the conversation that holds, which moves in the
//! command with which another answers.

use super::CommandContext;
use super::log::Words;
use crate::domain::actor::Principal;
use crate::domain::conversation::{AssignmentReason, HandOffReason, MemberType};
use crate::domain::entry::EntryKind;
use crate::domain::member::Role;
use crate::domain::notice::HandedOffContent;
use crate::kernel::{Code, ConversationId, Error, MemberId, Result};

impl CommandContext<'_> {
    /// The tenant's bot, if it has one that may be used.
    pub(crate) fn bot(&self) -> Option<MemberId> {
        self.settings().bot.member_id.filter(|bot| self.is_usable_bot(*bot))
    }

    /// Whether this is a bot that may be used.
    pub(crate) fn is_usable_bot(&self, member: MemberId) -> bool {
        let facts = self.facts(member);
        facts.is_some_and(|facts| facts.role == Role::Bot && facts.is_usable(self.set.now))
    }

    /// Lets the tenant's bot answer a conversation that waits, if there is one. It is the service that does so.
    pub(crate) fn answer_by_bot(&mut self, front: ConversationId) -> Result<()> {
        let Some(bot) = self.bot() else { return Ok(()) };
        let service = Principal::System(self.tenant);
        let actor = std::mem::replace(&mut self.actor, service);
        let answered = self.give_to_bot(front, bot);
        self.actor = actor;
        answered
    }

    fn give_to_bot(&mut self, front: ConversationId, bot: MemberId) -> Result<()> {
        let card = self.public_card(bot);
        self.append_notice(front, EntryKind::BotAssigned, &card, None)?;
        self.enter(front, bot, MemberType::Bot)?;
        let row = self.conversation_mut(front)?;
        row.answer_by(bot);
        row.version += 1;
        Ok(())
    }

    /// The bot that answers a conversation now.
    pub(crate) fn answering_bot(&self, front: ConversationId) -> Result<Option<MemberId>> {
        Ok(self.conversation(front)?.bot())
    }

    /// Another than the bot answers from now on: it leaves.
    pub(crate) fn dismiss_bot(&mut self, front: ConversationId) -> Result<()> {
        match self.answering_bot(front)? {
            Some(bot) => self.leave(front, bot)?,
            None => return Ok(()),
        }
        self.conversation_mut(front)?.agent_id = None;
        Ok(())
    }

    /// Ends the bot's answering: the conversation waits for the staff, before those that no one has answered. Where the whole
    /// group serves it is docked to it at once.
    pub(crate) fn hand_off<'a>(
        &mut self,
        front: ConversationId,
        reason: HandOffReason,
        words: impl Into<Words<'a>>,
    ) -> Result<()> {
        let (now, words) = (self.set.now, words.into());
        let Some(bot) = self.answering_bot(front)? else { return Ok(()) };
        if !words.is_empty() {
            self.backstage(front)?;
        }
        let content = HandedOffContent { bot: self.public_card(bot), reason };
        let entry = self.append_notice(front, EntryKind::HandedOff, &content, None)?;
        self.restart_turn(&entry)?;
        self.dismiss_bot(front)?;
        let row = self.conversation_mut(front)?;
        row.wait(now, true);
        row.version += 1;
        self.remark(front, EntryKind::HandedOff, words)?;
        self.dock_if_whole(front)
    }

    /// Of a message to a customer: fails with `not_in_control` unless the bot that writes it answers now, and this is still
    /// the conversation's version.
    pub(crate) fn require_control(&self, front: ConversationId, version: Option<i64>) -> Result<()> {
        if self.actor.role() != Some(Role::Bot) {
            return Ok(());
        }
        let row = self.conversation(front)?;
        let answers = self.answering_bot(front)?;
        let Some(given) = version else {
            let detail = "a bot says on which version of the conversation its answer is based";
            return Err(Error::field("/version", "required", detail));
        };
        if answers == self.actor.member() && given == row.version {
            return Ok(());
        }
        let error = Error::new(Code::NotInControl, Code::NotInControl.meaning());
        let error = error.with("version", row.version).with("status", row.status);
        Err(match (answers, self.serving(front)?) {
            (Some(bot), _) => error.with("bot_id", bot),
            (None, Some(agent)) => error.with("agent_id", agent),
            (None, None) => error,
        })
    }

    /// A member of the staff has written to the customer of a conversation that a bot answers: it takes it over, or, when
    /// it cannot serve one more, the conversation waits for the others.
    pub(crate) fn take_from_bot(&mut self, front: ConversationId) -> Result<()> {
        let person = self.actor.role().is_some_and(Role::is_person);
        let (Some(_), Some(member), true) = (self.answering_bot(front)?, self.actor.member(), person) else {
            return Ok(());
        };
        match self.require_capacity(member, AssignmentReason::Claim) {
            Ok(()) => self.hand_to(front, member, AssignmentReason::Claim, ""),
            Err(error) if error.code == Code::AgentFull => {
                self.hand_off(front, HandOffReason::StaffAnswered, "")
            }
            Err(error) => Err(error),
        }
    }
}
