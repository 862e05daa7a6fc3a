//! Custom attributes of conversations, as the batch sees them.

use super::CommandContext;
use crate::domain::attribute::{AttributeRow, ConversationAttributeRow, GivenValues, changes};
use crate::domain::attribute_value::AttributeValue;
use crate::domain::entry::EntryKind;
use crate::domain::notice::{AttributeChange, AttributesChangedContent};
use crate::kernel::{AttributeId, ConversationId, Error, Result};

/// A value that changes: of which attribute, what it was, and what it is to be.
type Changed = (AttributeRow, Option<AttributeValue>, Option<AttributeValue>);

impl CommandContext<'_> {
    /// What is to change of a conversation's attributes, without what holds already; `None`: all values go. Errors:
    /// `validation_failed`.
    pub(crate) fn attribute_changes(
        &self,
        front: ConversationId,
        given: Option<&GivenValues>,
    ) -> Result<Vec<Changed>> {
        let attributes = self.set.attributes.get(&self.tenant);
        let attributes = attributes.ok_or_else(|| Error::internal("the attributes were not loaded"))?;
        let wanted = match given {
            Some(given) => changes(attributes, given)?,
            None => attributes.iter().map(|attribute| (attribute, None)).collect(),
        };
        let changed = wanted.into_iter().filter_map(|(attribute, value)| {
            let row = self.set.attribute_values.get(&(front, attribute.id));
            let before = row.and_then(|row| attribute.value(&row.columns()));
            (before != value).then(|| (attribute.clone(), before, value))
        });
        Ok(changed.collect())
    }

    /// Sets values, and tells the log behind the conversation.
    pub(crate) fn set_attributes(
        &mut self,
        front: ConversationId,
        log: ConversationId,
        changed: Vec<Changed>,
    ) -> Result<()> {
        let now = self.set.now;
        let mut told = Vec::with_capacity(changed.len());
        for (attribute, from, to) in changed {
            let key = (front, attribute.id);
            match self.set.attribute_values.get_mut(&key) {
                Some(row) => *row = row.clone().with(to.as_ref(), now),
                None => {
                    let row = ConversationAttributeRow::empty(front, &attribute).with(to.as_ref(), now);
                    self.set.attribute_values.create(key, row);
                }
            }
            told.push(AttributeChange { attribute_id: attribute.id, key: attribute.key, from, to });
        }
        told.sort_by(|one, other| one.key.cmp(&other.key));
        let content = AttributesChangedContent { changes: told };
        self.append_notice(log, EntryKind::AttributesChanged, &content, None)?;
        Ok(())
    }

    /// Takes all values of a conversation, those of deleted attributes too.
    pub(crate) fn erase_attributes(&mut self, front: ConversationId) {
        let now = self.set.now;
        let all = (front, AttributeId(i64::MIN))..=(front, AttributeId(i64::MAX));
        let keys = self.set.attribute_values.range(all).map(|row| (row.conversation_id, row.attribute_id));
        for key in keys.collect::<Vec<_>>() {
            if let Some(row) = self.set.attribute_values.get_mut(&key) {
                *row = row.clone().with(None, now);
            }
        }
    }
}
