//! The fields by which conversations are filtered: the one table that the predicate and SQL read. No I/O.
//!
//! To add a field: a row of [`FIELDS`] with both of its readings. The property test (`tests/api/saved_filters_property.rs`)
//! compares them, and the guide lists it.

use super::cell::Cell;
use crate::domain::attribute_value::AttributeKind;
use crate::domain::conversation::{CloseReason, ConversationRow, ConversationStatus, Priority};
use crate::text_enum;

text_enum! {
    /// What a condition asks of a field.
    FilterOperator {
        /// It is this value.
        Equals = "equals",
        /// It is not this value, or there is none.
        NotEquals = "not_equals",
        /// It is one of these values; of `tags`: one of these tags is among them.
        OneOf = "one_of",
        /// The text is in it; of `tags`: the tag is among them.
        Contains = "contains",
        /// It begins with the text.
        StartsWith = "starts_with",
        /// It is more than this number, or later than this time or day.
        GreaterThan = "greater_than",
        /// It is less than this number, or earlier than this time or day.
        LessThan = "less_than",
        /// There is a value (`true`, the default), or none (`false`).
        IsSet = "is_set",
    }
}

/// What stands in a field.
#[derive(Debug, Clone, Copy)]
pub enum FieldKind {
    /// One of some words; whether a text is one.
    Word(fn(&str) -> bool),
    /// The id of a member; `me` is the caller.
    Member,
    /// The id of a group.
    Group,
    /// A text.
    Text,
    /// A list of texts.
    Labels,
    /// A time.
    Time,
    /// A whole number.
    Number,
    /// The value of a custom attribute.
    Attribute(AttributeKind),
}

impl FieldKind {
    /// What it is compared with, for the documents.
    pub const fn form(self) -> &'static str {
        match self {
            Self::Word(_) => "one of its words",
            Self::Member => "the id of a member, or `me`",
            Self::Group => "the id of a group",
            Self::Text | Self::Attribute(AttributeKind::Text) => "a text",
            Self::Labels => "a text that is one of them",
            Self::Time => "a time, or `{\"seconds_ago\": n}`",
            Self::Number => "a whole number",
            Self::Attribute(AttributeKind::Number) => "a number",
            Self::Attribute(AttributeKind::Boolean) => "`true` or `false`",
            Self::Attribute(AttributeKind::Date) => "a day",
            Self::Attribute(AttributeKind::Choice) => "a choice",
        }
    }

    /// Whether this can be asked of it.
    pub const fn takes(self, operator: FilterOperator) -> bool {
        use FilterOperator::{Contains, Equals, GreaterThan, IsSet, LessThan, NotEquals, OneOf, StartsWith};
        match self {
            Self::Word(_) | Self::Member | Self::Group | Self::Attribute(AttributeKind::Choice) => {
                matches!(operator, Equals | NotEquals | OneOf | IsSet)
            }
            Self::Text | Self::Attribute(AttributeKind::Text) => {
                matches!(operator, Equals | NotEquals | OneOf | IsSet | Contains | StartsWith)
            }
            Self::Labels => matches!(operator, Contains | OneOf | IsSet),
            Self::Time => matches!(operator, GreaterThan | LessThan | IsSet),
            Self::Number | Self::Attribute(AttributeKind::Number | AttributeKind::Date) => {
                matches!(operator, Equals | NotEquals | OneOf | GreaterThan | LessThan | IsSet)
            }
            Self::Attribute(AttributeKind::Boolean) => matches!(operator, Equals | NotEquals | IsSet),
        }
    }
}

/// A field.
#[derive(Debug, Clone, Copy)]
pub struct Field {
    /// Its name.
    pub name: &'static str,
    /// What stands in it, for the documents.
    pub meaning: &'static str,
    /// What stands in it.
    pub kind: FieldKind,
    /// The same in SQL: an expression over the row of `conversation`, NULL for nothing.
    pub sql: &'static str,
    /// What a conversation has in it.
    pub cell: fn(&ConversationRow) -> Cell,
}

fn word<T: std::str::FromStr>(text: &str) -> bool {
    text.parse::<T>().is_ok()
}

fn text(value: Option<&str>) -> Cell {
    value.map_or(Cell::Absent, |value| Cell::Text(value.to_owned()))
}

/// Every field of a conversation itself. Custom attributes are named `attributes.` and their key.
pub const FIELDS: &[Field] = &[
    Field {
        name: "status",
        meaning: "The state: `open`, `pending` or `closed`.",
        kind: FieldKind::Word(word::<ConversationStatus>),
        sql: "conversation.status",
        cell: |row| text(row.status.map(ConversationStatus::as_str)),
    },
    Field {
        name: "priority",
        meaning: "How urgent the staff find it.",
        kind: FieldKind::Word(word::<Priority>),
        sql: "conversation.priority",
        cell: |row| text(Some(row.priority.as_str())),
    },
    Field {
        name: "close_reason",
        meaning: "Why it was closed.",
        kind: FieldKind::Word(word::<CloseReason>),
        sql: "conversation.close_reason",
        cell: |row| text(row.close_reason.map(CloseReason::as_str)),
    },
    Field {
        name: "agent_id",
        meaning: "Who of the staff serves it, or served it until it was closed.",
        kind: FieldKind::Member,
        sql: "CASE WHEN conversation.status = 'open' THEN NULL ELSE conversation.agent_id END",
        cell: |row| row.agent().map(|id| id.0).into(),
    },
    Field {
        name: "bot_id",
        meaning: "The bot that answers it.",
        kind: FieldKind::Member,
        sql: "CASE WHEN conversation.status = 'open' THEN conversation.agent_id ELSE NULL END",
        cell: |row| row.bot().map(|id| id.0).into(),
    },
    Field {
        name: "customer_id",
        meaning: "Whose it is.",
        kind: FieldKind::Member,
        sql: "conversation.customer_id",
        cell: |row| row.customer_id.map(|id| id.0).into(),
    },
    Field {
        name: "group_id",
        meaning: "Whose matter it is.",
        kind: FieldKind::Group,
        sql: "conversation.group_id",
        cell: |row| row.group_id.map(|id| id.0).into(),
    },
    Field {
        name: "subject",
        meaning: "What it is about. An empty one is not set.",
        kind: FieldKind::Text,
        sql: "conversation.subject",
        cell: |row| text(Some(&row.subject)),
    },
    Field {
        name: "tags",
        meaning: "Its free labels.",
        kind: FieldKind::Labels,
        sql: "conversation.tags",
        cell: |row| Cell::List(serde_json::from_str(&row.tags).unwrap_or_default()),
    },
    Field {
        name: "msg_count",
        meaning: "How many messages its log has.",
        kind: FieldKind::Number,
        sql: "conversation.msg_count",
        cell: |row| Cell::Number(row.msg_count),
    },
    Field {
        name: "created_at",
        meaning: "When it was opened first.",
        kind: FieldKind::Time,
        sql: "conversation.created_at",
        cell: |row| Cell::Number(row.created_at),
    },
    Field {
        name: "last_at",
        meaning: "When the last entry of its log was written.",
        kind: FieldKind::Time,
        sql: "conversation.last_at",
        cell: |row| Cell::Number(row.last_at),
    },
    Field {
        name: "waiting_since",
        meaning: "Since when it waits in the queue.",
        kind: FieldKind::Time,
        sql: "conversation.waiting_since",
        cell: |row| row.waiting_since.into(),
    },
    Field {
        name: "assigned_at",
        meaning: "When it was given to who serves it.",
        kind: FieldKind::Time,
        sql: "conversation.assigned_at",
        cell: |row| row.assigned_at.into(),
    },
    Field {
        name: "closed_at",
        meaning: "When it was closed.",
        kind: FieldKind::Time,
        sql: "conversation.closed_at",
        cell: |row| row.closed_at.into(),
    },
];

/// The field of this name.
pub fn find(name: &str) -> Option<&'static Field> {
    FIELDS.iter().find(|field| field.name == name)
}
