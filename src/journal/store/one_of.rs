//! `column IN (list)` with the whole list bound as one JSON text: a constant statement that SQLite keeps prepared,
//! whatever the list's length. Diesel's `eq_any` writes one mark for each value and is parsed anew every time.
//!
//! [`on_list!`] writes a query once: with this filter on SQLite, with `eq_any` on the servers.

use std::fmt::Write;

use crate::kernel::{AttachmentId, ConversationId, GroupId, MemberId, TenantId};

/// What can stand in a bound list.
pub(super) trait Listed {
    /// Writes the value as JSON.
    fn write_json(&self, list: &mut String);
}

macro_rules! listed_ids {
    ($($id:ty),+) => {$(
        impl Listed for $id {
            fn write_json(&self, list: &mut String) {
                let _ = write!(list, "{}", self.0);
            }
        }
    )+};
}
listed_ids!(TenantId, MemberId, ConversationId, GroupId, AttachmentId);

impl Listed for String {
    fn write_json(&self, list: &mut String) {
        list.push_str(&crate::db::types::json_text(self));
    }
}

#[cfg(feature = "sqlite")]
pub(super) use sqlite::one_of;

#[cfg(feature = "sqlite")]
mod sqlite {
    use diesel::expression::{AppearsOnTable, Expression, ValidGrouping, is_aggregate};
    use diesel::prelude::*;
    use diesel::query_builder::{AstPass, QueryFragment, QueryId};
    use diesel::sql_types::{Bool, Text};
    use diesel::sqlite::Sqlite;

    use super::Listed;

    /// See the module.
    #[derive(Debug, Clone)]
    pub struct OneOf<C> {
        column: C,
        list: String,
    }

    /// The filter `column IN (values)`.
    pub(in crate::journal) fn one_of<C>(column: C, values: &[impl Listed]) -> OneOf<C> {
        let mut list = String::from("[");
        for value in values {
            if list.len() > 1 {
                list.push(',');
            }
            value.write_json(&mut list);
        }
        list.push(']');
        OneOf { column, list }
    }

    impl<C: Expression> Expression for OneOf<C> {
        type SqlType = Bool;
    }

    impl<C, Q> AppearsOnTable<Q> for OneOf<C>
    where
        C: AppearsOnTable<Q>,
        Self: Expression,
    {
    }

    impl<C> ValidGrouping<()> for OneOf<C> {
        type IsAggregate = is_aggregate::No;
    }

    impl<C: QueryId> QueryId for OneOf<C> {
        type QueryId = OneOf<C::QueryId>;
        const HAS_STATIC_QUERY_ID: bool = C::HAS_STATIC_QUERY_ID;
    }

    impl<C: QueryFragment<Sqlite>> QueryFragment<Sqlite> for OneOf<C> {
        fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Sqlite>) -> QueryResult<()> {
            self.column.walk_ast(out.reborrow())?;
            out.push_sql(" IN (SELECT value FROM json_each(");
            out.push_bind_param::<Text, _>(&self.list)?;
            out.push_sql("))");
            Ok(())
        }
    }
}

/// Runs a query with a filter for "one of these values":
/// `on_list!(connection, column in values, |inner, among| query.filter(among).load(inner))`.
macro_rules! on_list {
    ($connection:expr, $column:expr, $values:expr, |$inner:ident, $among:ident| $query:expr) => {
        match $connection {
            #[cfg(feature = "sqlite")]
            $crate::db::AnyConnection::Sqlite($inner) => {
                let $among = $crate::journal::store::one_of::one_of($column, $values);
                $query
            }
            #[cfg(feature = "postgres")]
            $crate::db::AnyConnection::Postgresql($inner) => {
                let $among = $column.eq_any($values);
                $query
            }
            #[cfg(feature = "mysql")]
            $crate::db::AnyConnection::Mysql($inner) => {
                let $among = $column.eq_any($values);
                $query
            }
        }
    };
}
pub(super) use on_list;
