//! A filter that was read, and the predicate that it is over a conversation. No I/O.

use std::collections::HashMap;

use super::cell::Cell;
use super::field::Field;
use crate::domain::attribute_value::{AttributeKind, ValueColumns};
use crate::domain::conversation::ConversationRow;
use crate::kernel::AttributeId;

/// What a condition looks at.
#[derive(Debug, Clone, Copy)]
pub enum Operand {
    /// A field of the conversation itself.
    Field(&'static Field),
    /// A custom attribute.
    Attribute(AttributeId, AttributeKind),
}

/// What a condition asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Test {
    /// Whether it is this.
    Equals(Cell),
    /// Whether it is one of these; of a list, whether any of these is in it.
    OneOf(Vec<Cell>),
    /// Whether this text is in it; of a list, whether it is one of its texts.
    Contains(String),
    /// Whether it begins with this text.
    StartsWith(String),
    /// Whether it is more, or later.
    GreaterThan(Cell),
    /// Whether it is less, or earlier.
    LessThan(Cell),
    /// Whether there is anything.
    IsSet,
}

/// A filter, or a part of one.
#[derive(Debug, Clone)]
pub enum Filter {
    /// All of these hold.
    All(Vec<Filter>),
    /// One of these holds at least.
    Any(Vec<Filter>),
    /// This does not hold.
    Not(Box<Filter>),
    /// A condition.
    Condition(Operand, Test),
    /// A condition over what there is not any more: it never holds.
    Never,
}

/// A conversation with its custom attributes.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    /// The conversation.
    pub conversation: &'a ConversationRow,
    /// The values of its attributes.
    pub values: &'a HashMap<AttributeId, ValueColumns>,
}

impl Subject<'_> {
    fn cell(&self, operand: Operand) -> Cell {
        match operand {
            Operand::Field(field) => (field.cell)(self.conversation),
            Operand::Attribute(id, kind) => {
                let Some(columns) = self.values.get(&id) else { return Cell::Absent };
                let text = |text: &Option<String>| text.clone().map_or(Cell::Absent, Cell::Text);
                match kind {
                    AttributeKind::Text | AttributeKind::Choice => text(&columns.text),
                    AttributeKind::Date => text(&columns.date),
                    AttributeKind::Number => columns.number.into(),
                    AttributeKind::Boolean => columns.boolean.map_or(Cell::Absent, Cell::Boolean),
                }
            }
        }
    }
}

impl Filter {
    /// What every conversation that meets the filter has in this field, if the filter says so at its top.
    pub fn required(&self, name: &str) -> Option<&Cell> {
        match self {
            Self::All(parts) => parts.iter().find_map(|part| part.required(name)),
            Self::Condition(Operand::Field(field), Test::Equals(cell)) if field.name == name => Some(cell),
            _ => None,
        }
    }

    /// Whether this conversation meets the filter.
    pub fn matches(&self, subject: Subject<'_>) -> bool {
        match self {
            Self::All(parts) => parts.iter().all(|part| part.matches(subject)),
            Self::Any(parts) => parts.iter().any(|part| part.matches(subject)),
            Self::Not(part) => !part.matches(subject),
            Self::Condition(operand, test) => test.holds(&subject.cell(*operand)),
            Self::Never => false,
        }
    }
}

impl Test {
    fn holds(&self, cell: &Cell) -> bool {
        match (self, cell) {
            (_, Cell::Absent) => false,
            (Self::Equals(wanted), cell) => wanted == cell,
            (Self::OneOf(wanted), Cell::List(list)) => {
                let has = |one: &Cell| matches!(one, Cell::Text(text) if list.contains(text));
                wanted.iter().any(has)
            }
            (Self::OneOf(wanted), cell) => wanted.contains(cell),
            (Self::Contains(wanted), Cell::Text(text)) => text.contains(wanted.as_str()),
            (Self::Contains(wanted), Cell::List(list)) => list.contains(wanted),
            (Self::StartsWith(wanted), Cell::Text(text)) => text.starts_with(wanted.as_str()),
            (Self::GreaterThan(Cell::Number(wanted)), Cell::Number(number)) => number > wanted,
            (Self::GreaterThan(Cell::Text(wanted)), Cell::Text(text)) => text > wanted,
            (Self::LessThan(Cell::Number(wanted)), Cell::Number(number)) => number < wanted,
            (Self::LessThan(Cell::Text(wanted)), Cell::Text(text)) => text < wanted,
            (Self::IsSet, Cell::Text(text)) => !text.is_empty(),
            (Self::IsSet, Cell::List(list)) => !list.is_empty(),
            (Self::IsSet, _) => true,
            _ => false,
        }
    }
}
