//! Opening a support conversation, or finding the one that is open.

use super::JournalCommand;
use crate::domain::actor::Principal;
use crate::domain::conversation::{
    ConversationKind, ConversationRow, ConversationStatus, MemberType, support_open_key,
};
use crate::domain::entry::EntryKind;
use crate::domain::member::Role;
use crate::domain::notice::EmptyContent;
use crate::domain::permission::{Operation, Relation, Scope};
use crate::domain::routing::{Needs, Skill};
use crate::journal::command::{Draft, LogRef, Reply};
use crate::journal::decide::CommandContext;
use crate::journal::decide::log::new_conversation;
use crate::journal::wants::Wants;
use crate::kernel::{Code, ConversationId, Error, GroupId, MemberId, Result};

/// Open a support conversation, or find the open one. With a message, that is sent in either case.
#[derive(Debug, Clone)]
pub struct Open {
    /// The visitor; a visitor can name only itself.
    pub customer: MemberId,
    /// At most 200 characters; may be empty.
    pub subject: String,
    /// Whose matter it is; heeded when a conversation is made.
    pub group: Option<GroupId>,
    /// Skills that the agent must have; kept when a conversation is made.
    pub required_skills: Vec<String>,
    /// Skills that the agent should have; kept when a conversation is made.
    pub preferred_skills: Vec<String>,
    /// The first message.
    pub message: Option<Draft>,
}

impl Open {
    /// An opening for this customer that says nothing yet.
    pub const fn of(customer: MemberId) -> Self {
        Self {
            customer,
            subject: String::new(),
            group: None,
            required_skills: Vec::new(),
            preferred_skills: Vec::new(),
            message: None,
        }
    }
}

impl JournalCommand for Open {
    fn wants(&self, actor: &Principal, wants: &mut Wants) {
        wants.members.insert(self.customer);
        wants.openers.insert(self.customer);
        wants.groups.extend(self.group);
        wants.dockers.extend(self.group);
        wants.last_agents.insert(self.customer);
        wants.queue_length = true;
        wants.bots = true;
        wants.attachments.extend(self.message.as_ref().and_then(|draft| draft.body.attachment_id()));
        if let (Some(draft), Some(sender)) = (&self.message, actor.member()) {
            wants.openings.insert((self.customer, sender, draft.client_msg_id.clone()));
        }
    }

    fn bytes(&self) -> usize {
        self.message.as_ref().map_or(0, |draft| draft.body.content.len())
    }

    fn decide(&self, context: &mut CommandContext<'_>) -> Result<Reply> {
        let actor = context.actor_member()?;
        if let Some(draft) = &self.message
            && let Some(reply) = self.earlier(context, draft)?
        {
            return Ok(reply);
        }
        if context.allow(Operation::OpenConversation)? == Scope::Own && self.customer != actor {
            return Err(Error::new(Code::Forbidden, "a visitor can open only its own conversation"));
        }
        let now = context.set.now;
        let usable =
            context.facts(self.customer).filter(|facts| facts.role == Role::Customer && facts.is_usable(now));
        if usable.is_none() {
            return Err(Error::field("/customer_id", "invalid", "there is no such customer"));
        }
        let open_key = support_open_key(self.customer);
        let found = context.open_conversation(&open_key);
        if let Some(id) = found
            && context.relation(id)? == Relation::Stranger
        {
            let detail = "another agent serves the customer's open conversation: ask a supervisor to add you";
            return Err(Error::new(Code::OpenConversationExists, detail).with("conversation_id", id));
        }
        // A new conversation comes into being only with a message that will be accepted.
        if let Some(draft) = &self.message
            && draft.reply_to_seq.is_some()
            && found.is_none()
        {
            return Err(Error::field("/message/reply_to_seq", "invalid", "there is nothing to reply to yet"));
        }
        if let (Some(draft), None) = (&self.message, found) {
            context.attachable(&draft.body).map_err(within_message)?;
        }
        if let (Some(group), None) = (self.group, found) {
            context.require_group(group, "/group_id")?;
        }
        let conversation = match found {
            Some(id) => id,
            None => self.make(context, actor, open_key)?,
        };
        let mut reply = Reply::about(conversation);
        reply.created = found.is_none();
        if let Some(draft) = &self.message {
            // Staff who see the open conversation but are not in it learn which it is.
            let sent = context.send(LogRef::Log(conversation), draft, None);
            let sent = sent.map_err(|error| match error.code {
                Code::NotAMember => error.with("conversation_id", conversation),
                _ => within_message(error),
            })?;
            reply.entry = sent.entry;
            reply.duplicate = sent.duplicate;
        }
        Ok(reply)
    }
}

/// Says where in an opening the wrong fields of its message stand.
fn within_message(mut error: Error) -> Error {
    for field in &mut error.fields {
        field.pointer.insert_str(0, "/message");
    }
    error
}

impl Open {
    /// An opening that is repeated finds what the first one made, also after the conversation was closed and others
    /// were opened: its key is looked up over all the customer's conversations.
    fn earlier(&self, context: &CommandContext<'_>, draft: &Draft) -> Result<Option<Reply>> {
        let mut conflict = None;
        for log in context.conversations_with_key(self.customer, &draft.client_msg_id) {
            match context.duplicate(log, draft) {
                Ok(None) => {}
                Ok(found) => return Ok(found),
                Err(error) => conflict = conflict.or(Some(error)),
            }
        }
        conflict.map_or(Ok(None), Err)
    }

    fn make(
        &self,
        context: &mut CommandContext<'_>,
        actor: MemberId,
        open_key: String,
    ) -> Result<ConversationId> {
        // What the staff open for a customer is no question for a bot.
        let by_bot = self.customer == actor && context.bot().is_some();
        if self.customer == actor {
            let waits = !by_bot && !self.group.is_some_and(|group| context.docks(group));
            context.require_queue(waits)?;
        }
        let id = ConversationId(context.set.ids.next()?);
        let mut row = ConversationRow {
            customer_id: Some(self.customer),
            status: Some(ConversationStatus::Open),
            subject: self.subject.clone(),
            group_id: self.group,
            open_key: Some(open_key.clone()),
            ..new_conversation(context, id, ConversationKind::Support)
        };
        row.wait(context.set.now, false);
        context.set.conversations.create(id, row);
        let prefers = context.prefers_last_agent(self.group);
        let needs = Needs {
            required: Skill::list(&self.required_skills),
            preferred: Skill::list(&self.preferred_skills),
            last_agent: context.set.last_agents.get(&self.customer).copied().filter(|_| prefers),
        };
        if needs != Needs::default() {
            context.keep_needs(id, &needs);
        }
        context.set.open.insert((context.tenant, open_key), id);
        context.append_notice(id, EntryKind::Opened, &EmptyContent {}, None)?;
        context.enter(id, self.customer, MemberType::Customer)?;
        if self.customer != actor {
            context.enter(id, actor, MemberType::Member)?;
        }
        if by_bot {
            context.answer_by_bot(id)?;
        }
        context.dock_if_whole(id)?;
        if context.conversation(id)?.waiting_since.is_some() {
            context.count_waiting();
        }
        Ok(id)
    }
}
