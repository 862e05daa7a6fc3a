//! Reading a filter from JSON. No I/O.
//!
//! Invariant: whatever is given, reading it takes bounded work and ends in a filter or in an error that names the place.

use serde_json::{Map, Value};

use super::cell::Cell;
use super::field::{FIELDS, FieldKind, FilterOperator, find};
use super::tree::{Filter, Operand, Test};
use super::{
    FILTER_BYTES_MAX, FILTER_CONDITIONS_MAX, FILTER_DEPTH_MAX, FILTER_SECONDS_MAX, FILTER_TEXT_MAX,
    FILTER_VALUES_ALL_MAX, FILTER_VALUES_MAX,
};
use crate::domain::attribute::AttributeRow;
use crate::domain::attribute_value::{AttributeKind, AttributeValue};
use crate::kernel::{Error, MemberId, Millis, Result, text};

/// For whom and when a filter is read.
#[derive(Debug, Clone, Copy)]
pub struct Reader<'a> {
    /// Who `me` is.
    pub me: MemberId,
    /// What times such as `{"seconds_ago": 60}` count from.
    pub now: Millis,
    /// The tenant's attributes of conversations.
    pub attributes: &'a [AttributeRow],
    /// Whether a condition over an attribute that is gone, or of another kind now, is taken for one that never holds. It is
    /// refused when a filter is given, and taken when a kept one is used.
    pub is_kept: bool,
}

/// How much was read of a filter.
#[derive(Default)]
struct Counts {
    conditions: usize,
    values: usize,
}

/// A condition that is being read.
struct Given<'a> {
    at: &'a str,
    operator: FilterOperator,
    value: Option<&'a Value>,
}

impl Reader<'_> {
    /// Reads a filter that stands at this place of the request. Errors: `validation_failed`.
    pub fn read(&self, given: &Value, at: &str) -> Result<Filter> {
        if given.to_string().len() > FILTER_BYTES_MAX {
            return Err(Error::field(at, "too_long", format!("at most {FILTER_BYTES_MAX} bytes")));
        }
        self.part(given, at, FILTER_DEPTH_MAX, &mut Counts::default())
    }

    fn part(&self, given: &Value, at: &str, depth: usize, counts: &mut Counts) -> Result<Filter> {
        let Value::Object(fields) = given else {
            return Err(Error::field(at, "invalid", "expected an object"));
        };
        if fields.contains_key("field") {
            counts.conditions += 1;
            if counts.conditions > FILTER_CONDITIONS_MAX {
                let detail = format!("at most {FILTER_CONDITIONS_MAX} conditions in all");
                return Err(Error::field(at, "too_long", detail));
            }
            return self.condition(fields, at, counts);
        }
        let (name, inner) = match fields.iter().next() {
            Some((name, inner)) if fields.len() == 1 => (name.as_str(), inner),
            _ => {
                return Err(Error::field(
                    at,
                    "invalid",
                    "expected all, any, not, or a condition with a field",
                ));
            }
        };
        let Some(depth) = depth.checked_sub(1) else {
            let detail = format!("at most {FILTER_DEPTH_MAX} levels of all, any and not");
            return Err(Error::field(at, "too_long", detail));
        };
        match (name, inner) {
            ("not", inner) => {
                Ok(Filter::Not(Box::new(self.part(inner, &format!("{at}/not"), depth, counts)?)))
            }
            ("all" | "any", Value::Array(parts)) => {
                let at = format!("{at}/{name}");
                if parts.is_empty() || parts.len() > FILTER_CONDITIONS_MAX {
                    let detail = format!("1 to {FILTER_CONDITIONS_MAX} of them");
                    return Err(Error::field(&at, "out_of_range", detail));
                }
                let parts = parts.iter().enumerate();
                let parts =
                    parts.map(|(index, part)| self.part(part, &format!("{at}/{index}"), depth, counts));
                let parts = parts.collect::<Result<Vec<_>>>()?;
                Ok(if name == "all" { Filter::All(parts) } else { Filter::Any(parts) })
            }
            ("all" | "any", _) => Err(Error::field(format!("{at}/{name}"), "invalid", "expected a list")),
            _ => Err(Error::field(at, "invalid", "expected all, any, not, or a condition with a field")),
        }
    }

    fn condition(&self, fields: &Map<String, Value>, at: &str, counts: &mut Counts) -> Result<Filter> {
        if fields.keys().any(|name| !matches!(name.as_str(), "field" | "operator" | "value")) {
            return Err(Error::field(at, "invalid", "a condition has field, operator and value only"));
        }
        let name = fields.get("field").and_then(Value::as_str).unwrap_or_default();
        let operator = fields.get("operator").and_then(Value::as_str).and_then(|word| word.parse().ok());
        let Some(operator) = operator else {
            let words: Vec<_> = FilterOperator::ALL.iter().map(|one| one.as_str()).collect();
            let detail = format!("expected one of {}", words.join(", "));
            return Err(Error::field(format!("{at}/operator"), "invalid", detail));
        };
        let given = Given { at, operator, value: fields.get("value") };
        counts.values += given.value.and_then(Value::as_array).map_or(0, Vec::len);
        if counts.values > FILTER_VALUES_ALL_MAX {
            let detail = format!("at most {FILTER_VALUES_ALL_MAX} values of all one_of together");
            return Err(Error::field(format!("{at}/value"), "too_long", detail));
        }
        if let Some(key) = name.strip_prefix("attributes.") {
            let attribute = self.attributes.iter().find(|attribute| attribute.key == key);
            let read = match attribute {
                Some(attribute) => {
                    let operand = Operand::Attribute(attribute.id, attribute.kind);
                    self.tested(operand, FieldKind::Attribute(attribute.kind), &given)
                }
                None => Err(Error::field(format!("{at}/field"), "invalid", "there is no such attribute")),
            };
            return match read {
                Err(_) if self.is_kept => Ok(never(&given)),
                read => read,
            };
        }
        match find(name) {
            Some(field) => self.tested(Operand::Field(field), field.kind, &given),
            None => {
                let names: Vec<_> = FIELDS.iter().map(|field| field.name).collect();
                let detail = format!("expected attributes.KEY or one of {}", names.join(", "));
                Err(Error::field(format!("{at}/field"), "invalid", detail))
            }
        }
    }

    fn tested(&self, operand: Operand, kind: FieldKind, given: &Given<'_>) -> Result<Filter> {
        let Given { at, operator, value } = *given;
        if !kind.takes(operator) {
            let detail = format!("{operator} cannot be asked of this field");
            return Err(Error::field(format!("{at}/operator"), "invalid", detail));
        }
        let place = format!("{at}/value");
        if operator == FilterOperator::IsSet {
            let condition = Filter::Condition(operand, Test::IsSet);
            return match value {
                None | Some(Value::Bool(true)) => Ok(condition),
                Some(Value::Bool(false)) => Ok(Filter::Not(Box::new(condition))),
                Some(_) => Err(Error::field(place, "invalid", "expected true or false")),
            };
        }
        let Some(value) = value else {
            return Err(Error::field(place, "required", "what is it compared with?"));
        };
        let one = |value: &Value, place: &str| {
            self.value(kind, value).map_err(|detail| Error::field(place, "invalid", detail))
        };
        let test = match operator {
            FilterOperator::Equals | FilterOperator::NotEquals => Test::Equals(one(value, &place)?),
            FilterOperator::GreaterThan => Test::GreaterThan(one(value, &place)?),
            FilterOperator::LessThan => Test::LessThan(one(value, &place)?),
            FilterOperator::OneOf => {
                let Value::Array(values) = value else {
                    return Err(Error::field(place, "invalid", "expected a list"));
                };
                if values.is_empty() || values.len() > FILTER_VALUES_MAX {
                    return Err(Error::field(
                        place,
                        "out_of_range",
                        format!("1 to {FILTER_VALUES_MAX} values"),
                    ));
                }
                let values = values.iter().enumerate();
                let values = values.map(|(index, value)| one(value, &format!("{place}/{index}")));
                Test::OneOf(values.collect::<Result<_>>()?)
            }
            FilterOperator::Contains | FilterOperator::StartsWith => match plain(value) {
                Ok(text) if operator == FilterOperator::Contains => Test::Contains(text),
                Ok(text) => Test::StartsWith(text),
                Err(detail) => return Err(Error::field(place, "invalid", detail)),
            },
            FilterOperator::IsSet => Test::IsSet,
        };
        let condition = Filter::Condition(operand, test);
        Ok(match operator {
            FilterOperator::NotEquals => Filter::Not(Box::new(condition)),
            _ => condition,
        })
    }

    fn value(&self, kind: FieldKind, value: &Value) -> std::result::Result<Cell, String> {
        match kind {
            FieldKind::Word(is_word) => match value.as_str().filter(|text| is_word(text)) {
                Some(word) => Ok(Cell::Text(word.to_owned())),
                None => Err("this field never has such a word".to_owned()),
            },
            FieldKind::Member if value == "me" => Ok(Cell::Number(self.me.0)),
            FieldKind::Member | FieldKind::Group => {
                let id = value.as_str().and_then(|text| text.parse::<i64>().ok()).filter(|id| *id > 0);
                id.map(Cell::Number).ok_or_else(|| "expected an id".to_owned())
            }
            FieldKind::Text | FieldKind::Labels => plain(value).map(Cell::Text),
            FieldKind::Time => self.time(value).map(Cell::Number),
            FieldKind::Number => {
                value.as_i64().map(Cell::Number).ok_or_else(|| "expected a whole number".to_owned())
            }
            FieldKind::Attribute(AttributeKind::Text) => plain(value).map(Cell::Text),
            // A choice that there is not any more is nowhere.
            FieldKind::Attribute(AttributeKind::Choice) => plain(value).map(Cell::Text),
            FieldKind::Attribute(kind) => match kind.read(value, &[]) {
                Ok(AttributeValue::Number(number)) => Ok(Cell::Number(number)),
                Ok(AttributeValue::Boolean(boolean)) => Ok(Cell::Boolean(boolean)),
                Ok(
                    AttributeValue::Date(text) | AttributeValue::Text(text) | AttributeValue::Choice(text),
                ) => Ok(Cell::Text(text)),
                Err((_, detail)) => Err(detail),
            },
        }
    }

    /// An instant, or so many seconds before now.
    fn time(&self, value: &Value) -> std::result::Result<i64, String> {
        let wrong = || "expected a time, or seconds_ago with at most ten years".to_owned();
        match value {
            Value::String(_) => {
                serde_json::from_value::<Millis>(value.clone()).map(|time| time.0).map_err(|_| wrong())
            }
            Value::Object(fields) if fields.len() == 1 => {
                let seconds = fields.get("seconds_ago").and_then(Value::as_i64);
                let seconds = seconds.filter(|seconds| (0..=FILTER_SECONDS_MAX).contains(seconds));
                seconds.map(|seconds| self.now.0 - seconds * 1_000).ok_or_else(wrong)
            }
            _ => Err(wrong()),
        }
    }
}

/// A text that is not empty.
fn plain(value: &Value) -> std::result::Result<String, String> {
    match value.as_str() {
        None => Err("expected a text".to_owned()),
        Some(text) if text.is_empty() || text.chars().count() > FILTER_TEXT_MAX || text::has_nul(text) => {
            Err(format!("1 to {FILTER_TEXT_MAX} characters"))
        }
        Some(text) => Ok(text.to_owned()),
    }
}

/// A condition over what there is not any more: it never holds, unless it asks that there is nothing.
fn never(given: &Given<'_>) -> Filter {
    let asks_for_nothing = match given.operator {
        FilterOperator::IsSet => given.value == Some(&Value::Bool(false)),
        operator => operator == FilterOperator::NotEquals,
    };
    match asks_for_nothing {
        true => Filter::Not(Box::new(Filter::Never)),
        false => Filter::Never,
    }
}

#[cfg(test)]
#[path = "parse_tests.rs"]
mod tests;
