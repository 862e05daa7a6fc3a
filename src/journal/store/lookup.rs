//! Looking up entries by pairs and triples: what each database does best. SQLite runs one cached statement a row
//! (no round trip to save), the servers one statement for all.

use diesel::prelude::*;

use crate::db::AnyConnection;
use crate::db::schema::{conversation, group_message};
use crate::domain::entry::EntryRow;
use crate::journal::wants::{MessageKey, OpeningKey};
use crate::kernel::{ConversationId, TenantId};

const COLUMNS: &str = "m.conversation_id, m.seq, m.tenant_id, m.rev, m.message_type, m.kind, m.sender_id, \
     m.sender_role, m.sender_name, m.sender_avatar, m.client_msg_id, m.body_hash, m.content, m.ref_seq, \
     m.msg_count, m.recall_count, m.created_at, m.edited_at, m.recalled_at, m.erased_at";

/// Reads these columns of the entries at these positions, as rows of this type.
macro_rules! at_places {
    ($connection:ident, $places:ident, $columns:expr, $row:ty) => {
        match $connection {
            _ if $places.is_empty() => Ok(Vec::new()),
            #[cfg(feature = "sqlite")]
            AnyConnection::Sqlite(inner) => {
                let mut found = Vec::with_capacity($places.len());
                for (conversation, seq) in $places {
                    let one = group_message::table
                        .filter(group_message::conversation_id.eq(conversation))
                        .filter(group_message::seq.eq(seq))
                        .select(<$row>::as_select());
                    found.extend(one.get_result(inner).optional()?);
                }
                Ok(found)
            }
            #[cfg(feature = "postgres")]
            AnyConnection::Postgresql(inner) => {
                use diesel::sql_types::{Array, BigInt};
                let sql = format!(
                    "SELECT {} FROM unnest($1, $2) AS k (conversation, seq) \
                     JOIN group_message m ON m.conversation_id = k.conversation AND m.seq = k.seq",
                    $columns
                );
                let (conversations, seqs): (Vec<i64>, Vec<i64>) =
                    $places.iter().map(|(conversation, seq)| (conversation.0, *seq)).unzip();
                diesel::sql_query(sql)
                    .bind::<Array<BigInt>, _>(conversations)
                    .bind::<Array<BigInt>, _>(seqs)
                    .load(inner)
            }
            #[cfg(feature = "mysql")]
            AnyConnection::Mysql(inner) => {
                use diesel::sql_types::BigInt;
                let marks = vec!["(?, ?)"; $places.len()].join(", ");
                let sql = format!(
                    "SELECT {} FROM group_message m WHERE (m.conversation_id, m.seq) IN ({marks})",
                    $columns
                );
                let mut query = diesel::sql_query(sql).into_boxed();
                for (conversation, seq) in $places {
                    query = query.bind::<BigInt, _>(conversation.0).bind::<BigInt, _>(*seq);
                }
                query.load(inner)
            }
        }
    };
}

/// The entries at these positions; those that do not exist are absent.
pub fn entries_at(
    connection: &mut AnyConnection,
    places: &[(ConversationId, i64)],
) -> QueryResult<Vec<EntryRow>> {
    at_places!(connection, places, COLUMNS, EntryRow)
}

/// When an entry was written, and when it was recalled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Queryable, QueryableByName, Selectable)]
#[diesel(table_name = group_message)]
pub struct EntryTimes {
    /// The log.
    pub conversation_id: ConversationId,
    /// The position.
    pub seq: i64,
    /// Unix milliseconds.
    pub created_at: i64,
    /// Unix milliseconds.
    pub recalled_at: Option<i64>,
}

/// The times of the entries at these positions, without their words; those that do not exist are absent.
pub fn times_at(
    connection: &mut AnyConnection,
    places: &[(ConversationId, i64)],
) -> QueryResult<Vec<EntryTimes>> {
    at_places!(connection, places, "m.conversation_id, m.seq, m.created_at, m.recalled_at", EntryTimes)
}

/// The messages under these keys; those that do not exist are absent.
pub fn entries_by_key(connection: &mut AnyConnection, keys: &[MessageKey]) -> QueryResult<Vec<EntryRow>> {
    if keys.is_empty() {
        return Ok(Vec::new());
    }
    match connection {
        #[cfg(feature = "sqlite")]
        AnyConnection::Sqlite(inner) => {
            let mut found = Vec::new();
            for (conversation, sender, key) in keys {
                let one = group_message::table
                    .filter(group_message::conversation_id.eq(conversation))
                    .filter(group_message::sender_id.eq(sender))
                    .filter(group_message::client_msg_id.eq(key))
                    .select(EntryRow::as_select());
                found.extend(one.get_result(inner).optional()?);
            }
            Ok(found)
        }
        #[cfg(feature = "postgres")]
        AnyConnection::Postgresql(inner) => {
            use diesel::sql_types::{Array, BigInt, Text};
            let sql = format!(
                "SELECT {COLUMNS} FROM unnest($1, $2, $3) AS k (conversation, sender, name) JOIN group_message m \
                 ON m.conversation_id = k.conversation AND m.sender_id = k.sender AND m.client_msg_id = k.name"
            );
            let conversations: Vec<i64> = keys.iter().map(|key| key.0.0).collect();
            let senders: Vec<i64> = keys.iter().map(|key| key.1.0).collect();
            let names: Vec<&str> = keys.iter().map(|key| key.2.as_str()).collect();
            diesel::sql_query(sql)
                .bind::<Array<BigInt>, _>(conversations)
                .bind::<Array<BigInt>, _>(senders)
                .bind::<Array<Text>, _>(names)
                .load(inner)
        }
        #[cfg(feature = "mysql")]
        AnyConnection::Mysql(inner) => {
            use diesel::sql_types::{BigInt, Text};
            let marks = vec!["(?, ?, ?)"; keys.len()].join(", ");
            let sql = format!(
                "SELECT {COLUMNS} FROM group_message m \
                 WHERE (m.conversation_id, m.sender_id, m.client_msg_id) IN ({marks})"
            );
            let mut query = diesel::sql_query(sql).into_boxed();
            for (conversation, sender, key) in keys {
                query = query
                    .bind::<BigInt, _>(conversation.0)
                    .bind::<BigInt, _>(sender.0)
                    .bind::<Text, _>(key.as_str());
            }
            query.load(inner)
        }
    }
}

/// The messages under these keys in any conversation of the customer. Openings are rare and few of a customer's
/// conversations hold the key, so each is asked for by itself.
pub fn entries_by_opening(
    connection: &mut AnyConnection,
    tenants: &[TenantId],
    keys: &[OpeningKey],
) -> QueryResult<Vec<EntryRow>> {
    let mut found = Vec::new();
    for (customer, sender, key) in keys {
        let rows: Vec<EntryRow> = conversation::table
            .inner_join(group_message::table.on(group_message::conversation_id.eq(conversation::id)))
            .filter(conversation::tenant_id.eq_any(tenants.to_vec()))
            .filter(conversation::customer_id.eq(customer))
            .filter(group_message::sender_id.eq(sender))
            .filter(group_message::client_msg_id.eq(key))
            .select(EntryRow::as_select())
            .load(connection)?;
        found.extend(rows);
    }
    Ok(found)
}
