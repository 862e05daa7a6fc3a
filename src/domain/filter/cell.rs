//! What stands in a field of a conversation, and what it is compared with. No I/O.

/// What a conversation has in a field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cell {
    /// Nothing.
    Absent,
    /// A text.
    Text(String),
    /// A number, an id, or a time in unix milliseconds.
    Number(i64),
    /// Yes or no.
    Boolean(bool),
    /// A list of texts.
    List(Vec<String>),
}

impl<T: Into<i64>> From<Option<T>> for Cell {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Absent, |value| Self::Number(value.into()))
    }
}
