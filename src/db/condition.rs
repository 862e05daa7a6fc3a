//! A condition of a query that is put together at run time, out of SQL and texts that are bound. Owns how it becomes part of
//! a Diesel query; does not own what it says.
//!
//! Invariant: what a client gave is bound, and never part of the SQL.

use std::sync::Arc;

use diesel::backend::Backend;
use diesel::expression::{AppearsOnTable, Expression, SelectableExpression, ValidGrouping, is_aggregate};
use diesel::prelude::*;
use diesel::query_builder::{AstPass, QueryFragment, QueryId};
use diesel::serialize::ToSql;
use diesel::sql_types::{Bool, HasSqlType, Text};

#[derive(Debug, Clone)]
enum Part {
    Sql(String),
    Text(String),
}

/// A condition, in the order of its text.
#[derive(Debug, Clone, Default)]
pub struct Condition {
    parts: Arc<Vec<Part>>,
}

impl Condition {
    /// Goes on with this SQL, which nobody but the program wrote.
    pub fn sql(&mut self, sql: &str) {
        let parts = Arc::make_mut(&mut self.parts);
        match parts.last_mut() {
            Some(Part::Sql(before)) => before.push_str(sql),
            _ => parts.push(Part::Sql(sql.to_owned())),
        }
    }

    /// Goes on with a text that is bound.
    pub fn text(&mut self, text: &str) {
        Arc::make_mut(&mut self.parts).push(Part::Text(text.to_owned()));
    }
}

impl Expression for Condition {
    type SqlType = Bool;
}

impl<S> AppearsOnTable<S> for Condition {}

impl<S> SelectableExpression<S> for Condition {}

impl ValidGrouping<()> for Condition {
    type IsAggregate = is_aggregate::No;
}

impl QueryId for Condition {
    type QueryId = ();
    const HAS_STATIC_QUERY_ID: bool = false;
}

impl<DB> QueryFragment<DB> for Condition
where
    DB: Backend + HasSqlType<Text>,
    String: ToSql<Text, DB>,
{
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, DB>) -> QueryResult<()> {
        out.unsafe_to_cache_prepared();
        for part in self.parts.iter() {
            match part {
                Part::Sql(sql) => out.push_sql(sql),
                Part::Text(text) => out.push_bind_param::<Text, _>(text)?,
            }
        }
        Ok(())
    }
}
