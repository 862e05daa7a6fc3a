//! The values of custom attributes: their kinds, their limits, and the forms in which they are given, stored and shown. No
//! I/O.

use std::collections::BTreeMap;

use serde::Serialize;
use serde::ser::Serializer;
use serde_json::Value;
use utoipa::openapi::schema::{ObjectBuilder, SchemaType, Type};
use utoipa::openapi::{Ref, RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

use super::business_hours::date;
use crate::kernel::text;
use crate::text_enum;

/// Longest value of the kind `text`, in characters.
pub const ATTRIBUTE_TEXT_MAX: usize = 500;
/// Largest value of the kind `number`, below and above zero, in thousandths: what every client reads exactly.
pub const ATTRIBUTE_NUMBER_MAX: i64 = 999_999_999_999_999;

text_enum! {
    /// What values an attribute takes.
    AttributeKind {
        /// One line of text.
        Text = "text",
        /// A number with at most three decimals.
        Number = "number",
        /// Yes or no.
        Boolean = "boolean",
        /// A day, `YYYY-MM-DD`, from 1970 on.
        Date = "date",
        /// One of the attribute's choices.
        Choice = "choice",
    }
}

impl AttributeKind {
    /// Reads a value as a client gives it. `choices` are those of the attribute.
    pub fn read(self, given: &Value, choices: &[String]) -> Result<AttributeValue, ValueFault> {
        let wrong = |detail: &str| ("invalid", detail.to_owned());
        match (self, given) {
            (Self::Text, Value::String(given)) => {
                let line = given.trim();
                if line.chars().count() > ATTRIBUTE_TEXT_MAX {
                    return Err(("too_long", format!("at most {ATTRIBUTE_TEXT_MAX} characters")));
                }
                match text::line_fault(line) {
                    _ if line.is_empty() => {
                        Err(("too_short", "must not be empty; null removes the value".to_owned()))
                    }
                    Some(fault) => Err(wrong(fault)),
                    None => Ok(AttributeValue::Text(line.to_owned())),
                }
            }
            (Self::Number, Value::Number(given)) => {
                let given = given.as_f64().ok_or_else(|| wrong("expected a number"))?;
                thousandths(given).map(AttributeValue::Number)
            }
            (Self::Boolean, Value::Bool(given)) => Ok(AttributeValue::Boolean(*given)),
            (Self::Date, Value::String(given)) => match date(given) {
                Some(_) => Ok(AttributeValue::Date(given.clone())),
                None => Err(wrong("expected a day, YYYY-MM-DD, from 1970 on")),
            },
            (Self::Choice, Value::String(given)) => match choices.contains(given) {
                true => Ok(AttributeValue::Choice(given.clone())),
                false => Err(wrong("expected one of the attribute's choices")),
            },
            (Self::Number, _) => Err(wrong("expected a number")),
            (Self::Boolean, _) => Err(wrong("expected true or false")),
            (Self::Text | Self::Date | Self::Choice, _) => Err(wrong("expected a text")),
        }
    }

    /// The value that these columns hold; `None` when it was removed.
    pub fn value(self, columns: &ValueColumns) -> Option<AttributeValue> {
        match self {
            Self::Text => columns.text.clone().map(AttributeValue::Text),
            Self::Choice => columns.text.clone().map(AttributeValue::Choice),
            Self::Number => columns.number.map(AttributeValue::Number),
            Self::Boolean => columns.boolean.map(AttributeValue::Boolean),
            Self::Date => columns.date.clone().map(AttributeValue::Date),
        }
    }
}

/// Why a value is refused: the code of the field, and what is wrong.
pub type ValueFault = (&'static str, String);

/// A number in thousandths.
fn thousandths(given: f64) -> Result<i64, ValueFault> {
    let scaled = (given * 1_000.0).round();
    if scaled.abs() > ATTRIBUTE_NUMBER_MAX as f64 {
        return Err(("out_of_range", "at most 999999999999.999, below zero too".to_owned()));
    }
    // With 15 digits in all, the number that is nearest to the text is found again.
    match scaled / 1_000.0 == given {
        true => Ok(scaled as i64),
        false => Err(("invalid", "at most three decimals".to_owned())),
    }
}

/// The value of an attribute.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum AttributeValue {
    /// Of the kind `text`.
    Text(String),
    /// Of the kind `number`, in thousandths.
    Number(i64),
    /// Of the kind `boolean`.
    Boolean(bool),
    /// Of the kind `date`: `YYYY-MM-DD`.
    Date(String),
    /// Of the kind `choice`.
    Choice(String),
}

impl Serialize for AttributeValue {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Text(text) | Self::Date(text) | Self::Choice(text) => out.serialize_str(text),
            Self::Boolean(boolean) => out.serialize_bool(*boolean),
            Self::Number(number) if number % 1_000 == 0 => out.serialize_i64(number / 1_000),
            Self::Number(number) => out.serialize_f64(*number as f64 / 1_000.0),
        }
    }
}

impl PartialSchema for AttributeValue {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(SchemaType::Array(vec![Type::String, Type::Number, Type::Boolean]))
            .description(Some(
                "A text (`text`, `choice`; of `date` as `YYYY-MM-DD`), a number or a boolean, by the attribute's kind.",
            ))
            .max_length(Some(ATTRIBUTE_TEXT_MAX))
            .build()
            .into()
    }
}

impl ToSchema for AttributeValue {}

/// The columns of a value.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ValueColumns {
    /// `text_value`: of the kinds `text` and `choice`.
    pub text: Option<String>,
    /// `number_value`, in thousandths.
    pub number: Option<i64>,
    /// `boolean_value`.
    pub boolean: Option<bool>,
    /// `date_value`: `YYYY-MM-DD`.
    pub date: Option<String>,
}

impl From<Option<&AttributeValue>> for ValueColumns {
    fn from(value: Option<&AttributeValue>) -> Self {
        match value {
            None => Self::default(),
            Some(AttributeValue::Text(text) | AttributeValue::Choice(text)) => {
                Self { text: Some(text.clone()), ..Self::default() }
            }
            Some(AttributeValue::Number(number)) => Self { number: Some(*number), ..Self::default() },
            Some(AttributeValue::Boolean(boolean)) => Self { boolean: Some(*boolean), ..Self::default() },
            Some(AttributeValue::Date(date)) => Self { date: Some(date.clone()), ..Self::default() },
        }
    }
}

/// Values by the keys of their attributes; what has no value is left out.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct AttributeValues(pub BTreeMap<String, AttributeValue>);

impl PartialSchema for AttributeValues {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .description(Some("Values by the keys of their attributes; what has no value is left out."))
            .additional_properties(Some(Ref::from_schema_name("AttributeValue")))
            .build()
            .into()
    }
}

impl ToSchema for AttributeValues {
    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        schemas.push(("AttributeValue".to_owned(), AttributeValue::schema()));
    }
}

/// The schema of values that are to be set. It has no values: what arrives is read as JSON and checked.
#[derive(Debug, Clone, Copy)]
pub struct AttributeChanges;

impl PartialSchema for AttributeChanges {
    fn schema() -> RefOr<Schema> {
        let value = ObjectBuilder::new()
            .schema_type(SchemaType::Array(vec![Type::String, Type::Number, Type::Boolean, Type::Null]))
            .max_length(Some(ATTRIBUTE_TEXT_MAX));
        ObjectBuilder::new()
            .description(Some(
                "Values by the keys of their attributes; null removes one, and what is not named stays.",
            ))
            .additional_properties(Some(value))
            .build()
            .into()
    }
}

impl ToSchema for AttributeChanges {}
