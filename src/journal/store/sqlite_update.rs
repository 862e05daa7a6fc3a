//! Updates that SQLite keeps prepared. Diesel never caches `update().set()`, and parsing would cost more than the
//! update itself, so the two hot updates are statements of our own with a fixed text.
#![cfg(feature = "sqlite")]

use diesel::prelude::*;
use diesel::query_builder::{AstPass, QueryFragment, QueryId};
use diesel::sql_types::{BigInt, Bool, Nullable, Text};
use diesel::sqlite::Sqlite;

use crate::domain::conversation::{ConversationRow, ParticipantRow};

macro_rules! cached_update {
    ($(#[$meta:meta])* $name:ident of $row:ty, $table:literal,
     set { $($column:ident: $type:ty),+ $(,)? } key { $first:ident: $first_type:ty $(, $key:ident: $key_type:ty)* }) => {
        $(#[$meta])*
        pub(super) struct $name<'a>(pub(super) &'a $row);

        impl QueryId for $name<'_> {
            type QueryId = $name<'static>;
            const HAS_STATIC_QUERY_ID: bool = true;
        }

        impl QueryFragment<Sqlite> for $name<'_> {
            fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Sqlite>) -> QueryResult<()> {
                let mut separator = concat!("UPDATE ", $table, " SET ");
                $(
                    out.push_sql(separator);
                    out.push_sql(concat!(stringify!($column), " = "));
                    out.push_bind_param::<$type, _>(&self.0.$column)?;
                    separator = ", ";
                )+
                let _ = separator;
                out.push_sql(concat!(" WHERE ", stringify!($first), " = "));
                out.push_bind_param::<$first_type, _>(&self.0.$first)?;
                $(
                    out.push_sql(concat!(" AND ", stringify!($key), " = "));
                    out.push_bind_param::<$key_type, _>(&self.0.$key)?;
                )*
                Ok(())
            }
        }

        impl RunQueryDsl<SqliteConnection> for $name<'_> {}
    };
}

cached_update! {
    /// Writes everything of a conversation that can change.
    UpdateConversation of ConversationRow, "conversation",
    set {
        backstage_id: Nullable<BigInt>, customer_id: Nullable<BigInt>, agent_id: Nullable<BigInt>,
        status: Nullable<Text>, priority: Text, subject: Text, tags: Text, seq: BigInt, msg_count: BigInt,
        recall_count: BigInt, rev: BigInt, last_rev: BigInt, version: BigInt, customer_read_seq: BigInt,
        staff_read_seq: BigInt, customer_delivered_seq: BigInt, staff_delivered_seq: BigInt,
        open_key: Nullable<Text>, updated_at: BigInt, last_at: BigInt, assigned_at: Nullable<BigInt>,
        closed_at: Nullable<BigInt>, close_reason: Nullable<Text>,
    }
    key { id: BigInt }
}

cached_update! {
    /// Writes everything of a participant that can change.
    UpdateParticipant of ParticipantRow, "conversation_member",
    set {
        member_type: Text, active: Bool, joined_seq: BigInt, left_seq: Nullable<BigInt>, read_seq: BigInt,
        read_ver: BigInt, last_sent_seq: BigInt, delivered_seq: BigInt, note_read_seq: BigInt, last_rev: BigInt,
        rev: BigInt,
    }
    key { conversation_id: BigInt, member_id: BigInt }
}
