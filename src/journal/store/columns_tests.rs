//! The column lists name every column of the schema.

use diesel::Table;
use diesel::query_builder::QueryFragment;

use crate::db::schema;

/// The names in the schema, in the order of their text.
#[cfg(feature = "sqlite")]
fn in_schema<T>(table: T) -> Vec<String>
where
    T: Table,
    T::AllColumns: QueryFragment<diesel::sqlite::Sqlite>,
{
    let _ = table;
    let text = diesel::debug_query::<diesel::sqlite::Sqlite, _>(&T::all_columns()).to_string();
    let text = text.split(" -- ").next().unwrap_or_default().to_owned();
    let mut names: Vec<String> = text
        .split(", ")
        .filter_map(|column| column.rsplit('.').next())
        .map(|name| name.trim_matches('`').to_owned())
        .collect();
    names.sort();
    names
}

#[cfg(feature = "sqlite")]
#[test]
fn no_column_of_the_schema_is_forgotten() {
    let listed = |columns: &[&str]| {
        let mut names: Vec<String> = columns.iter().map(|name| (*name).to_owned()).collect();
        names.sort();
        names
    };
    assert_eq!(listed(super::conversations::COLUMNS), in_schema(schema::conversation::table));
    assert_eq!(listed(super::participants::COLUMNS), in_schema(schema::conversation_member::table));
    assert_eq!(listed(super::entries::COLUMNS), in_schema(schema::group_message::table));
    assert_eq!(listed(super::revisions::COLUMNS), in_schema(schema::message_revision::table));
    assert_eq!(listed(super::assignments::COLUMNS), in_schema(schema::assignment::table));
    assert_eq!(listed(super::agents::COLUMNS), in_schema(schema::agent_status::table));
    assert_eq!(listed(super::groups::COLUMNS), in_schema(schema::chat_group::table));
    assert_eq!(listed(super::group_members::COLUMNS), in_schema(schema::group_member::table));
    assert_eq!(listed(super::presence_changes::COLUMNS), in_schema(schema::presence_change::table));
    assert_eq!(listed(super::transfers::COLUMNS), in_schema(schema::transfer::table));
    assert_eq!(listed(super::needs::COLUMNS), in_schema(schema::conversation_needs::table));
    assert_eq!(listed(super::reminders::COLUMNS), in_schema(schema::conversation_reminder::table));
    assert_eq!(listed(super::ratings::COLUMNS), in_schema(schema::rating::table));
    let values = listed(super::attribute_values::COLUMNS);
    assert_eq!(values, in_schema(schema::conversation_attribute::table));
    assert_eq!(listed(super::offers::COLUMNS), in_schema(schema::offer::table));
    assert_eq!(listed(super::notifications::COLUMNS), in_schema(schema::notification::table));
    assert_eq!(listed(super::logs::COLUMNS), in_schema(schema::tenant_log::table));
}
