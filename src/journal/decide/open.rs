//! Opening a support conversation, or finding the one that is open.

use serde_json::json;

use super::log::new_room;
use super::{CommandContext, about};
use crate::domain::conversation::{
    ConversationKind, ConversationRow, ConversationStatus, MemberType, support_open_key,
};
use crate::domain::entry::EntryKind;
use crate::domain::member::Role;
use crate::domain::permission::{self, Operation, Scope};
use crate::journal::command::{Draft, Reply, Room};
use crate::kernel::{Code, ConversationId, Error, MemberId, Result};

impl CommandContext<'_> {
    pub(super) fn open(
        &mut self,
        customer: MemberId,
        subject: &str,
        message: Option<&Draft>,
    ) -> Result<Reply> {
        if let Some(draft) = message
            && let Some(reply) = self.earlier_opening(customer, draft)?
        {
            return Ok(reply);
        }
        if permission::require(&self.actor, Operation::OpenConversation)? == Scope::Own
            && customer != self.actor.member
        {
            return Err(Error::new(Code::Forbidden, "a visitor can open only its own conversation"));
        }
        let now = self.set.now;
        let usable =
            self.facts(customer).filter(|facts| facts.role == Role::Customer && facts.is_usable(now));
        if usable.is_none() {
            return Err(Error::field("/customer_id", "invalid", "there is no such customer"));
        }
        let open_key = support_open_key(customer);
        let found = self.set.open.get(&(self.tenant, open_key.clone())).copied();
        // A new conversation comes into being only with a message that will be accepted.
        if let Some(draft) = message
            && draft.reply_to_seq.is_some()
            && found.is_none()
        {
            return Err(Error::field("/message/reply_to_seq", "invalid", "there is nothing to reply to yet"));
        }
        let conversation = match found {
            Some(id) => id,
            None => self.make(customer, subject, open_key)?,
        };
        let mut reply = about(conversation);
        reply.created = found.is_none();
        if let Some(draft) = message {
            let sent = self.send(Room::Log(conversation), draft, None)?;
            reply.entry = sent.entry;
            reply.duplicate = sent.duplicate;
        }
        Ok(reply)
    }

    /// An opening that is repeated after the conversation was closed finds what the first one made.
    fn earlier_opening(&self, customer: MemberId, draft: &Draft) -> Result<Option<Reply>> {
        let Some(newest) = self.set.newest.get(&customer).copied() else { return Ok(None) };
        self.duplicate(newest, draft)
    }

    fn make(&mut self, customer: MemberId, subject: &str, open_key: String) -> Result<ConversationId> {
        let id = ConversationId(self.set.ids.next()?);
        let row = ConversationRow {
            customer_id: Some(customer),
            status: Some(ConversationStatus::Open),
            subject: subject.to_owned(),
            open_key: Some(open_key.clone()),
            ..new_room(self, id, ConversationKind::Support)
        };
        self.set.conversations.insert(id, row);
        self.set.created_conversations.insert(id);
        self.set.open.insert((self.tenant, open_key), id);
        self.set.newest.insert(customer, id);
        self.append_notice(id, EntryKind::Opened, &json!({}), None)?;
        self.enter(id, customer, MemberType::Customer)?;
        if customer != self.actor.member {
            self.enter(id, self.actor.member, MemberType::Member)?;
        }
        Ok(id)
    }
}
