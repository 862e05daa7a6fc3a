//! What the staff keep about a conversation: subject, priority, tags. The visitor's log hears of the subject only.

use serde_json::json;

use super::{CommandContext, about};
use crate::db::types::json_text;
use crate::domain::conversation::Priority;
use crate::domain::entry::EntryKind;
use crate::domain::permission::Operation;
use crate::journal::command::Reply;
use crate::kernel::{ConversationId, Result};

impl CommandContext<'_> {
    pub(super) fn update(
        &mut self,
        front: ConversationId,
        subject: Option<&str>,
        priority: Option<Priority>,
        tags: Option<&[String]>,
    ) -> Result<Reply> {
        self.support(front)?;
        self.require(front, Operation::UpdateConversation)?;
        let room = self.room(front)?;
        let subject = subject.filter(|subject| *subject != room.subject);
        let priority = priority.filter(|priority| *priority != room.priority);
        let tags = tags.filter(|tags| json_text(tags) != room.tags);
        if subject.is_none() && priority.is_none() && tags.is_none() {
            return Ok(about(front));
        }
        if priority.is_some() || tags.is_some() {
            self.backstage(front)?;
        }
        if let Some(subject) = subject {
            self.append_notice(front, EntryKind::SubjectChanged, &json!({}), None)?;
            self.room_mut(front)?.subject = subject.to_owned();
        }
        if let Some(priority) = priority {
            let room = self.backstage(front)?;
            let content = json!({ "from": self.room(front)?.priority, "to": priority });
            self.append_notice(room, EntryKind::PriorityChanged, &content, None)?;
            self.room_mut(front)?.priority = priority;
        }
        if let Some(tags) = tags {
            let room = self.backstage(front)?;
            self.append_notice(room, EntryKind::TagsChanged, &json!({ "tags": tags }), None)?;
            self.room_mut(front)?.tags = json_text(&tags);
        }
        self.bump_version(front)?;
        Ok(about(front))
    }
}
