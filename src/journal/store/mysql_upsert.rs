//! Bulk upserts for MySQL and MariaDB, which Diesel cannot say: many rows in one `INSERT … ON DUPLICATE KEY UPDATE`.
//! The callers give existing rows (or, for participants and tenants, rows with one unique key), so the primary key
//! is the only one that can be met.
#![cfg(feature = "mysql")]

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Bool, Nullable, Text};

use crate::db::dialect::rows_in_statement;
use crate::domain::conversation::{ConversationRow, ParticipantRow};

macro_rules! bulk_upsert {
    ($(#[$meta:meta])* $name:ident of $row:ty, $table:literal,
     key { $($key:ident: $key_type:ty),+ $(,)? } once { $($once:ident: $once_type:ty),* $(,)? }
     set { $($column:ident: $type:ty),+ $(,)? }) => {
        $(#[$meta])*
        pub(super) fn $name(connection: &mut MysqlConnection, rows: &[&$row]) -> QueryResult<usize> {
            const COLUMNS: &[&str] =
                &[$(stringify!($key),)+ $(stringify!($once),)* $(stringify!($column),)+];
            const SET: &[&str] =
                &[$(concat!(stringify!($column), " = VALUES(", stringify!($column), ")"),)+];
            let marks = format!("({})", vec!["?"; COLUMNS.len()].join(", "));
            let mut written = 0;
            for rows in rows.chunks(rows_in_statement(COLUMNS.len())) {
                let sql = format!(
                    "INSERT INTO {} ({}) VALUES {} ON DUPLICATE KEY UPDATE {}",
                    $table,
                    COLUMNS.join(", "),
                    vec![marks.as_str(); rows.len()].join(", "),
                    SET.join(", "),
                );
                let mut query = diesel::sql_query(sql).into_boxed();
                for row in rows {
                    $(query = query.bind::<$key_type, _>(&row.$key);)+
                    $(query = query.bind::<$once_type, _>(&row.$once);)*
                    $(query = query.bind::<$type, _>(&row.$column);)+
                }
                written += query.execute(connection)?;
            }
            Ok(written)
        }
    };
}

bulk_upsert! {
    /// Writes everything of existing conversations that can change.
    conversations of ConversationRow, "conversation",
    key { id: BigInt }
    once { tenant_id: BigInt, kind: Text, parent_id: Nullable<BigInt>, created_at: BigInt }
    set {
        backstage_id: Nullable<BigInt>, customer_id: Nullable<BigInt>, agent_id: Nullable<BigInt>,
        status: Nullable<Text>, priority: Text, subject: Text, tags: Text, seq: BigInt, msg_count: BigInt,
        recall_count: BigInt, rev: BigInt, last_rev: BigInt, version: BigInt, customer_read_seq: BigInt,
        staff_read_seq: BigInt, customer_delivered_seq: BigInt, staff_delivered_seq: BigInt,
        open_key: Nullable<Text>, updated_at: BigInt, last_at: BigInt, assigned_at: Nullable<BigInt>,
        closed_at: Nullable<BigInt>, close_reason: Nullable<Text>,
    }
}

bulk_upsert! {
    /// Writes new and changed participants.
    participants of ParticipantRow, "conversation_member",
    key { conversation_id: BigInt, member_id: BigInt }
    once { tenant_id: BigInt, created_at: BigInt }
    set {
        member_type: Text, active: Bool, joined_seq: BigInt, left_seq: Nullable<BigInt>, read_seq: BigInt,
        read_ver: BigInt, last_sent_seq: BigInt, delivered_seq: BigInt, note_read_seq: BigInt, last_rev: BigInt,
        rev: BigInt,
    }
}

/// A tenant's new rev.
pub(super) struct Rev {
    pub(super) tenant_id: i64,
    pub(super) rev: i64,
}

bulk_upsert! {
    /// Writes the revs of existing tenants.
    revs of Rev, "tenant_log",
    key { tenant_id: BigInt }
    once { }
    set { rev: BigInt }
}
