//! A filter as a condition of SQL over the row of `conversation`, for each of the three databases. No I/O.
//!
//! Invariants: no part is ever NULL, so that `NOT` means the same as in the predicate; texts are compared byte by byte,
//! whatever the database's collation; numbers and ids stand in the text, every text is bound; a custom attribute is looked
//! up once for each condition.

use super::cell::Cell;
use super::field::FieldKind;
use super::tree::{Filter, Operand, Test};
use crate::db::DatabaseKind;
use crate::db::condition::Condition;
use crate::domain::attribute_value::AttributeKind;

/// Writes a filter for this database.
pub fn condition(filter: &Filter, database: DatabaseKind) -> Condition {
    let mut writer = Writer { out: Condition::default(), database };
    writer.filter(filter);
    writer.out
}

struct Writer {
    out: Condition,
    database: DatabaseKind,
}

impl Operand {
    fn is_list(self) -> bool {
        matches!(self, Self::Field(field) if matches!(field.kind, FieldKind::Labels))
    }

    fn is_text(self) -> bool {
        match self {
            Self::Field(field) => matches!(field.kind, FieldKind::Word(_) | FieldKind::Text),
            Self::Attribute(_, kind) => matches!(kind, AttributeKind::Text | AttributeKind::Choice),
        }
    }
}

impl Writer {
    fn filter(&mut self, filter: &Filter) {
        match filter {
            Filter::All(parts) => self.joined(parts, " AND "),
            Filter::Any(parts) => self.joined(parts, " OR "),
            Filter::Not(part) => {
                self.out.sql("(NOT ");
                self.filter(part);
                self.out.sql(")");
            }
            Filter::Condition(operand, test) => self.condition(*operand, test),
            Filter::Never => self.out.sql("(1 = 0)"),
        }
    }

    fn joined(&mut self, parts: &[Filter], by: &str) {
        self.out.sql("(");
        for (index, part) in parts.iter().enumerate() {
            if index > 0 {
                self.out.sql(by);
            }
            self.filter(part);
        }
        self.out.sql(")");
    }

    /// A condition is false, and not NULL, over what a conversation has not.
    fn condition(&mut self, operand: Operand, test: &Test) {
        self.out.sql("(");
        let (x, end) = match operand {
            Operand::Field(field) => (format!("({})", field.sql), ")"),
            Operand::Attribute(id, kind) => {
                let column = match kind {
                    AttributeKind::Text | AttributeKind::Choice => "text_value",
                    AttributeKind::Number => "number_value",
                    AttributeKind::Boolean => "boolean_value",
                    AttributeKind::Date => "date_value",
                };
                // Counted, so that no planner makes a join of it that reads the values of all conversations.
                self.out.sql(&format!(
                    "(SELECT COUNT(*) FROM conversation_attribute described \
                     WHERE described.conversation_id = conversation.id AND described.attribute_id = {} AND ",
                    id.0
                ));
                (format!("described.{column}"), ") = 1)")
            }
        };
        self.out.sql(&format!("{x} IS NOT NULL AND "));
        self.test(operand, &x, test);
        self.out.sql(end);
    }

    fn test(&mut self, operand: Operand, x: &str, test: &Test) {
        match test {
            Test::OneOf(cells) if operand.is_list() => self.any_listed(x, cells),
            Test::Contains(text) if operand.is_list() => {
                self.any_listed(x, std::slice::from_ref(&Cell::Text(text.clone())));
            }
            Test::Equals(cell) => self.one_of(x, std::slice::from_ref(cell)),
            Test::OneOf(cells) => self.one_of(x, cells),
            Test::Contains(text) => self.placed(x, text, "> 0"),
            Test::StartsWith(text) => self.placed(x, text, "= 1"),
            Test::GreaterThan(cell) => self.ordered(x, ">", cell),
            Test::LessThan(cell) => self.ordered(x, "<", cell),
            Test::IsSet if operand.is_list() => self.out.sql(&format!("{x} <> '[]'")),
            Test::IsSet if operand.is_text() => self.out.sql(&format!("LENGTH({x}) > 0")),
            Test::IsSet => self.out.sql("1 = 1"),
        }
    }

    /// A text as it is compared: MariaDB takes texts for equal that differ in the spaces at their ends, but not bytes.
    fn bytes(&self, x: &str) -> String {
        match self.database {
            DatabaseKind::Mysql => format!("CAST({x} AS BINARY)"),
            DatabaseKind::Sqlite | DatabaseKind::Postgresql => x.to_owned(),
        }
    }

    fn bound(&mut self, text: &str) {
        let is_cast = self.database == DatabaseKind::Mysql;
        self.out.sql(if is_cast { "CAST(" } else { "" });
        self.out.text(text);
        self.out.sql(if is_cast { " AS BINARY)" } else { "" });
    }

    fn value(&mut self, cell: &Cell) {
        match cell {
            Cell::Number(number) => self.out.sql(&number.to_string()),
            Cell::Boolean(true) => self.out.sql("TRUE"),
            Cell::Boolean(false) => self.out.sql("FALSE"),
            Cell::Text(text) => self.bound(text),
            // No condition is read with one of these.
            Cell::Absent | Cell::List(_) => self.out.sql("NULL"),
        }
    }

    fn compared(&self, x: &str, cell: Option<&Cell>) -> String {
        if matches!(cell, Some(Cell::Text(_))) { self.bytes(x) } else { x.to_owned() }
    }

    fn one_of(&mut self, x: &str, cells: &[Cell]) {
        self.out.sql(&format!("{} IN (", self.compared(x, cells.first())));
        for (index, cell) in cells.iter().enumerate() {
            self.out.sql(if index > 0 { ", " } else { "" });
            self.value(cell);
        }
        self.out.sql(")");
    }

    /// Of texts only days are in an order.
    fn ordered(&mut self, x: &str, by: &str, cell: &Cell) {
        self.out.sql(&format!("{} {by} ", self.compared(x, Some(cell))));
        self.value(cell);
        if self.database == DatabaseKind::Postgresql && matches!(cell, Cell::Text(_)) {
            self.out.sql(" COLLATE \"C\"");
        }
    }

    /// At which place of a text another one begins. Nothing in it has a meaning of its own, as it would in a pattern.
    fn placed(&mut self, x: &str, text: &str, place: &str) {
        let function = match self.database {
            DatabaseKind::Postgresql => "STRPOS",
            DatabaseKind::Sqlite | DatabaseKind::Mysql => "INSTR",
        };
        self.out.sql(&format!("{function}({}, ", self.bytes(x)));
        self.bound(text);
        self.out.sql(&format!(") {place}"));
    }

    /// Whether one of these texts is in a list, which is kept as JSON.
    fn any_listed(&mut self, x: &str, cells: &[Cell]) {
        let texts = cells.iter().filter_map(|cell| match cell {
            Cell::Text(text) => Some(text.as_str()),
            _ => None,
        });
        let (before, between, after) = match self.database {
            DatabaseKind::Sqlite => (
                format!("EXISTS (SELECT 1 FROM json_each({x}) one WHERE one.value IN ("),
                ", ".to_owned(),
                "))",
            ),
            DatabaseKind::Postgresql => (format!("CAST({x} AS JSONB) ?| ARRAY["), ", ".to_owned(), "]"),
            DatabaseKind::Mysql => {
                let one = format!("JSON_CONTAINS({x}, JSON_QUOTE(");
                (format!("({one}"), format!(")) = 1 OR {one}"), ")) = 1)")
            }
        };
        self.out.sql(&before);
        for (index, text) in texts.enumerate() {
            self.out.sql(if index > 0 { &between } else { "" });
            self.out.text(text);
        }
        self.out.sql(after);
    }
}
