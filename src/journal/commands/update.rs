//! Changing what the staff keep about a conversation: subject, priority, tags, custom attributes, group. The visitor's log hears of the
//! subject only.

use super::JournalCommand;
use crate::db::types::json_text;
use crate::domain::actor::Principal;
use crate::domain::attribute::GivenValues;
use crate::domain::conversation::Priority;
use crate::domain::entry::EntryKind;
use crate::domain::notice::{EmptyContent, PriorityChangedContent, SkillsChangedContent, TagsChangedContent};
use crate::domain::permission::Operation;
use crate::domain::routing::{Needs, Skill};
use crate::journal::command::Reply;
use crate::journal::decide::{CommandContext, wrong_state};
use crate::journal::wants::Wants;
use crate::kernel::{ConversationId, Error, GroupId, Result};

/// Change what the staff keep about a conversation.
#[derive(Debug, Clone)]
pub struct Update {
    /// Which.
    pub conversation: ConversationId,
    /// A new subject (the visitor sees it).
    pub subject: Option<String>,
    /// A new priority.
    pub priority: Option<Priority>,
    /// New tags, all of them.
    pub tags: Option<Vec<String>>,
    /// Values of custom attributes, by key; null removes one. `Some(None)`: all are removed.
    pub attributes: Option<Option<GivenValues>>,
    /// The group whose matter it is from now on; `Some(None)`: no group's.
    pub group: Option<Option<GroupId>>,
    /// New required skills, all of them.
    pub required_skills: Option<Vec<String>>,
    /// New preferred skills, all of them.
    pub preferred_skills: Option<Vec<String>>,
}

impl Update {
    /// A change of this conversation that changes nothing yet.
    pub const fn of(conversation: ConversationId) -> Self {
        Self {
            conversation,
            subject: None,
            priority: None,
            tags: None,
            attributes: None,
            group: None,
            required_skills: None,
            preferred_skills: None,
        }
    }
}

impl JournalCommand for Update {
    fn wants(&self, _: &Principal, wants: &mut Wants) {
        wants.conversations.insert(self.conversation);
        if let Some(group) = self.group.flatten() {
            wants.groups.insert(group);
            wants.dockers.insert(group);
            wants.restarts = true;
        }
        if self.attributes.is_some() {
            wants.described.insert(self.conversation);
        }
        if self.required_skills.is_some() || self.preferred_skills.is_some() {
            wants.needs.insert(self.conversation);
        }
    }

    fn bytes(&self) -> usize {
        let values = self.attributes.iter().flatten().flatten();
        values.map(|(key, value)| key.len() + value.as_str().map_or(8, str::len)).sum()
    }

    fn decide(&self, context: &mut CommandContext<'_>) -> Result<Reply> {
        let front = self.conversation;
        if context.is_room(front)? {
            return self.rename_room(context);
        }
        context.support(front)?;
        context.require(front, Operation::UpdateConversation)?;
        let row = context.conversation(front)?;
        let subject = self.subject.as_deref().filter(|subject| *subject != row.subject);
        let from = row.priority;
        let priority = self.priority.filter(|priority| *priority != from);
        let tags = self.tags.as_ref().map(json_text).filter(|tags| *tags != row.tags);
        let group = self.group.filter(|group| *group != row.group_id);
        let needs = self.needs(context);
        let attributes = match &self.attributes {
            Some(given) => context.attribute_changes(front, given.as_ref())?,
            None => Vec::new(),
        };
        let notes_change =
            priority.is_some() || tags.is_some() || group.is_some() || needs.is_some() || !attributes.is_empty();
        if subject.is_none() && !notes_change {
            return Ok(Reply::about(front));
        }
        if let Some(group) = group.flatten() {
            context.require_group(group, "/group_id")?;
        }
        context.require_version(front)?;
        let row = context.conversation(front)?;
        if group.is_some() && row.docked_to().is_some() {
            return Err(wrong_state(row, "a group serves the conversation: dock it to the other group"));
        }
        let backstage = match notes_change {
            true => Some(context.backstage(front)?),
            false => None,
        };
        if let Some(subject) = subject {
            context.append_notice(front, EntryKind::SubjectChanged, &EmptyContent {}, None)?;
            subject.clone_into(&mut context.conversation_mut(front)?.subject);
        }
        if let (Some(priority), Some(log)) = (priority, backstage) {
            let content = PriorityChangedContent { from, to: priority };
            context.append_notice(log, EntryKind::PriorityChanged, &content, None)?;
            context.conversation_mut(front)?.set_priority(priority);
        }
        if let (Some(tags), Some(log)) = (tags, backstage) {
            let content = TagsChangedContent { tags: self.tags.clone().unwrap_or_default() };
            context.append_notice(log, EntryKind::TagsChanged, &content, None)?;
            context.conversation_mut(front)?.tags = tags;
        }
        if let (false, Some(log)) = (attributes.is_empty(), backstage) {
            context.set_attributes(front, log, attributes)?;
        }
        if let Some(group) = group {
            // Who was in a closed one by the group that had served it sees it no more.
            context.undock(front, None)?;
            context.move_to_group(front, group)?;
        }
        if let (Some(needs), Some(log)) = (needs, backstage) {
            let content = SkillsChangedContent {
                required_skills: needs.required.clone(),
                preferred_skills: needs.preferred.clone(),
            };
            context.append_notice(log, EntryKind::SkillsChanged, &content, None)?;
            context.keep_needs(front, &needs);
        }
        context.bump_version(front)?;
        if group.is_some() {
            context.dock_if_whole(front)?;
        }
        Ok(Reply::about(front))
    }
}

impl Update {
    /// The needs as they are to be; `None` when they stay.
    fn needs(&self, context: &CommandContext<'_>) -> Option<Needs> {
        let before = context.needs(self.conversation);
        let changed = |labels: &Option<Vec<String>>, before: &Vec<Skill>| match labels {
            Some(labels) => Skill::list(labels),
            None => before.clone(),
        };
        let needs = Needs {
            required: changed(&self.required_skills, &before.required),
            preferred: changed(&self.preferred_skills, &before.preferred),
            last_agent: before.last_agent,
        };
        (needs != before).then_some(needs)
    }

    /// A free room has a name, and nothing else that a conversation with a customer has.
    fn rename_room(&self, context: &mut CommandContext<'_>) -> Result<Reply> {
        let room = self.conversation;
        context.require_free_room(room)?;
        let given = [
            ("/priority", self.priority.is_some()),
            ("/tags", self.tags.is_some()),
            ("/attributes", self.attributes.is_some()),
            ("/group_id", self.group.is_some()),
            ("/required_skills", self.required_skills.is_some()),
            ("/preferred_skills", self.preferred_skills.is_some()),
        ];
        if let Some((pointer, _)) = given.into_iter().find(|(_, given)| *given) {
            return Err(Error::field(pointer, "invalid", "a room of the staff has only a subject"));
        }
        let present = &context.conversation(room)?.subject;
        if let Some(subject) = self.subject.as_ref().filter(|subject| *subject != present) {
            context.require_version(room)?;
            context.rename_room(room, subject)?;
        }
        Ok(Reply::about(room))
    }
}
