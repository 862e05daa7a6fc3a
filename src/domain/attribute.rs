//! Custom attributes: what a tenant says that its conversations or customers have. No I/O.
//!
//! Owns the rows and the reading of what is to change. Does not own the kinds of values (`domain::attribute_value`). Invariants: a value fits the kind of its
//! attribute, which never changes; of its columns at most one is set, none when the value was removed.

use std::collections::BTreeMap;

use diesel::prelude::*;
use serde_json::{Map, Value, json};

use super::attribute_value::{AttributeKind, AttributeValue, ValueColumns, ValueFault};
use super::audit::{AuditTarget, Audited};
use crate::db::schema::{attribute, conversation_attribute, customer_attribute};
use crate::kernel::{AttributeId, Code, ConversationId, Error, FieldError, MemberId, Result, TenantId};
use crate::text_enum;

/// Most attributes of conversations, and most of customers, that a tenant has.
pub const ATTRIBUTES_MAX: usize = 100;
/// Longest key, in characters.
pub const ATTRIBUTE_KEY_MAX: usize = 64;
/// The form of a key.
pub const ATTRIBUTE_KEY_PATTERN: &str = "^[a-z][a-z0-9_]*$";
/// Longest title, in characters.
pub const ATTRIBUTE_TITLE_MAX: usize = 100;
/// Most choices of an attribute.
pub const CHOICES_MAX: usize = 100;
/// Longest choice, in characters.
pub const CHOICE_MAX: usize = 64;
text_enum! {
    /// What an attribute describes.
    AttributeTarget {
        /// Conversations with customers.
        Conversation = "conversation",
        /// Customers.
        Customer = "customer",
    }
}

/// A row of `attribute`.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Insertable)]
#[diesel(table_name = attribute, treat_none_as_default_value = false)]
pub struct AttributeRow {
    /// The attribute.
    pub id: AttributeId,
    /// Whose.
    pub tenant_id: TenantId,
    /// What it describes.
    pub target: AttributeTarget,
    /// By what programs name it; unique in the tenant and target. Of a deleted one a text that is no key.
    pub key: String,
    /// What people call it.
    pub title: String,
    /// What values it takes.
    pub kind: AttributeKind,
    /// A JSON list of texts; empty unless the kind is `choice`.
    pub choices: String,
    /// Whether customers see the values of their own conversations and accounts.
    pub visible_to_customer: bool,
    /// When it was made, unix milliseconds.
    pub created_at: i64,
    /// When it was last changed, unix milliseconds.
    pub updated_at: i64,
    /// When it was deleted, unix milliseconds. Its values go in the background, then the row.
    pub deleted_at: Option<i64>,
}

impl AttributeRow {
    /// The choices in their order.
    pub fn choices(&self) -> Vec<String> {
        serde_json::from_str(&self.choices).unwrap_or_default()
    }

    /// Reads a value as a client gives it.
    pub fn read(&self, given: &Value) -> std::result::Result<AttributeValue, ValueFault> {
        self.kind.read(given, &self.choices())
    }

    /// The value that these columns hold; `None` when it was removed.
    pub fn value(&self, columns: &ValueColumns) -> Option<AttributeValue> {
        self.kind.value(columns)
    }
}

impl Audited for AttributeRow {
    const TARGET: AuditTarget = AuditTarget::Attribute;

    fn audit_id(&self) -> i64 {
        self.id.0
    }

    fn audit_facts(&self) -> Value {
        let Self { target, key, title, kind, visible_to_customer, .. } = self;
        json!({
            "target": target, "key": key, "title": title, "kind": kind, "choices": self.choices(),
            "visible_to_customer": visible_to_customer,
        })
    }
}

macro_rules! value_row {
    ($(#[$meta:meta])* $row:ident of $table:ident, $(#[doc = $whose:literal])+ $key:ident: $id:ty) => {
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Insertable)]
        #[diesel(table_name = $table, treat_none_as_default_value = false)]
        pub struct $row {
            $(#[doc = $whose])+
            pub $key: $id,
            /// Of which attribute.
            pub attribute_id: AttributeId,
            /// In which tenant.
            pub tenant_id: TenantId,
            /// See [`ValueColumns::text`].
            pub text_value: Option<String>,
            /// See [`ValueColumns::number`].
            pub number_value: Option<i64>,
            /// See [`ValueColumns::boolean`].
            pub boolean_value: Option<bool>,
            /// See [`ValueColumns::date`].
            pub date_value: Option<String>,
            /// When it was last changed, unix milliseconds.
            pub updated_at: i64,
        }

        impl $row {
            /// The columns of the value.
            pub fn columns(&self) -> ValueColumns {
                ValueColumns {
                    text: self.text_value.clone(),
                    number: self.number_value,
                    boolean: self.boolean_value,
                    date: self.date_value.clone(),
                }
            }

            /// The same row with another value, at this time.
            #[must_use]
            pub fn with(self, value: Option<&AttributeValue>, now: i64) -> Self {
                let ValueColumns { text, number, boolean, date } = value.into();
                Self {
                    text_value: text,
                    number_value: number,
                    boolean_value: boolean,
                    date_value: date,
                    updated_at: now,
                    ..self
                }
            }

            /// A row without a value.
            pub const fn empty($key: $id, attribute: &AttributeRow) -> Self {
                Self {
                    $key,
                    attribute_id: attribute.id,
                    tenant_id: attribute.tenant_id,
                    text_value: None,
                    number_value: None,
                    boolean_value: None,
                    date_value: None,
                    updated_at: 0,
                }
            }
        }
    };
}

value_row! {
    /// A row of `conversation_attribute`.
    ConversationAttributeRow of conversation_attribute,
    /// Of which conversation.
    conversation_id: ConversationId
}

value_row! {
    /// A row of `customer_attribute`.
    CustomerAttributeRow of customer_attribute,
    /// Of which customer.
    member_id: MemberId
}

/// What is to become of values, by key; null removes one.
pub type GivenValues = Map<String, Value>;

/// One value that is to be set, or removed.
pub type ValueChange<'a> = (&'a AttributeRow, Option<AttributeValue>);

/// Reads what is given for these attributes, in the order of the keys. Errors: `validation_failed` with all that is wrong.
pub fn changes<'a>(attributes: &'a [AttributeRow], given: &GivenValues) -> Result<Vec<ValueChange<'a>>> {
    if given.len() > ATTRIBUTES_MAX {
        return Err(Error::field("/attributes", "too_long", format!("at most {ATTRIBUTES_MAX} at once")));
    }
    let known: BTreeMap<&str, &AttributeRow> =
        attributes.iter().map(|attribute| (attribute.key.as_str(), attribute)).collect();
    let (mut changes, mut wrong) = (Vec::new(), Vec::new());
    for (key, value) in given {
        let read = match known.get(key.as_str()) {
            None => Err(("invalid", "there is no such attribute".to_owned())),
            Some(attribute) if value.is_null() => Ok((*attribute, None)),
            Some(attribute) => attribute.read(value).map(|value| (*attribute, Some(value))),
        };
        match read {
            Ok(change) => changes.push(change),
            Err((code, detail)) => wrong.push(FieldError {
                pointer: format!("/attributes/{}", key.replace('~', "~0").replace('/', "~1")),
                code: code.into(),
                detail,
            }),
        }
    }
    let Some(first) = wrong.first() else {
        changes.sort_by(|one, other| one.0.key.cmp(&other.0.key));
        return Ok(changes);
    };
    let mut error = Error::new(Code::ValidationFailed, first.detail.clone());
    error.fields = wrong;
    Err(error)
}

/// Whether a text can be a key: a lower-case letter, then lower-case letters, digits and `_`.
pub fn is_attribute_key(text: &str) -> bool {
    let fits = |one: u8| one.is_ascii_lowercase() || one.is_ascii_digit() || one == b'_';
    text.len() <= ATTRIBUTE_KEY_MAX
        && text.bytes().next().is_some_and(|first| first.is_ascii_lowercase())
        && text.bytes().all(fits)
}

#[cfg(test)]
#[path = "attribute_tests.rs"]
mod tests;
