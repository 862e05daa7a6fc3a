//! Flushing the working set: what the batch's commands made, in bulk statements on the servers and in cached
//! single-row statements on SQLite.
//!
//! Order matters: rooms that give up their `open_key` come before rooms that take it.

use diesel::prelude::*;
use diesel::upsert::excluded;

use crate::db::AnyConnection;
use crate::db::dialect::rows_in_statement;
use crate::db::schema::{
    assignment, auth_session, conversation, conversation_member, group_message, member, message_revision,
    tenant, tenant_log,
};
use crate::domain::conversation::{ConversationRow, ParticipantRow};
use crate::domain::entry::{EntryRow, RevisionRow};
use crate::journal::working_set::WorkingSet;
use crate::kernel::{Error, Result, TenantId};
use crate::on;

/// Rows in one statement: even the widest of these tables stays below what a statement may carry.
const ROWS: usize = rows_in_statement(32);

/// Writes everything that is marked in the set.
pub fn flush(connection: &mut AnyConnection, set: &WorkingSet) -> Result<()> {
    let mut changed: Vec<&ConversationRow> =
        set.changed_conversations.iter().filter_map(|id| set.conversations.get(id)).collect();
    changed.sort_by_key(|row| (row.open_key.is_some(), row.id));
    update_conversations(connection, &changed)?;
    let created: Vec<&ConversationRow> =
        set.created_conversations.iter().filter_map(|id| set.conversations.get(id)).collect();
    insert_conversations(connection, &created)?;
    flush_participants(connection, set)?;
    let entries: Vec<&EntryRow> = set.appended.iter().filter_map(|key| set.entries.get(key)).collect();
    insert_entries(connection, &entries)?;
    flush_rewritten(connection, set)?;
    flush_assignments(connection, set)?;
    flush_access(connection, set)?;
    flush_revs(connection, set)
}

/// Inserts many rows: one statement on the servers, one cached statement a row on SQLite, where nothing travels.
macro_rules! insert_many {
    ($connection:expr, $table:ident, $rows:expr) => {{
        let rows = $rows;
        if rows.is_empty() {
            return Ok(());
        }
        match $connection {
            #[cfg(feature = "sqlite")]
            AnyConnection::Sqlite(inner) => {
                for row in rows {
                    diesel::insert_into($table::table).values(*row).execute(inner)?;
                }
            }
            #[cfg(feature = "postgres")]
            AnyConnection::Postgresql(inner) => {
                for rows in rows.chunks(ROWS) {
                    diesel::insert_into($table::table).values(rows.to_vec()).execute(inner)?;
                }
            }
            #[cfg(feature = "mysql")]
            AnyConnection::Mysql(inner) => {
                for rows in rows.chunks(ROWS) {
                    diesel::insert_into($table::table).values(rows.to_vec()).execute(inner)?;
                }
            }
        }
        Ok(())
    }};
}

fn insert_conversations(connection: &mut AnyConnection, rows: &[&ConversationRow]) -> Result<()> {
    insert_many!(connection, conversation, rows)
}

fn insert_entries(connection: &mut AnyConnection, rows: &[&EntryRow]) -> Result<()> {
    insert_many!(connection, group_message, rows)
}

/// Every column in the tuple takes the value of the row that was offered.
macro_rules! overwrite {
    ($table:ident: $($column:ident),+ $(,)?) => {
        ($($table::$column.eq(excluded($table::$column)),)+)
    };
}

macro_rules! conversation_columns {
    () => {
        overwrite!(conversation: backstage_id, customer_id, agent_id, status, priority, subject, tags, seq,
            msg_count, recall_count, rev, last_rev, version, customer_read_seq, staff_read_seq,
            customer_delivered_seq, staff_delivered_seq, open_key, updated_at, last_at, assigned_at, closed_at,
            close_reason)
    };
}

macro_rules! participant_columns {
    () => {
        overwrite!(conversation_member: member_type, active, joined_seq, left_seq, read_seq, read_ver,
            last_sent_seq, delivered_seq, note_read_seq, last_rev, rev)
    };
}

fn update_conversations(connection: &mut AnyConnection, rows: &[&ConversationRow]) -> Result<()> {
    if rows.is_empty() {
        return Ok(());
    }
    match connection {
        #[cfg(feature = "sqlite")]
        AnyConnection::Sqlite(inner) => {
            for row in rows {
                super::sqlite_update::UpdateConversation(row).execute(inner)?;
            }
        }
        #[cfg(feature = "postgres")]
        AnyConnection::Postgresql(inner) => {
            for rows in rows.chunks(ROWS) {
                diesel::insert_into(conversation::table)
                    .values(rows.to_vec())
                    .on_conflict(conversation::id)
                    .do_update()
                    .set(conversation_columns!())
                    .execute(inner)?;
            }
        }
        #[cfg(feature = "mysql")]
        AnyConnection::Mysql(inner) => {
            super::mysql_upsert::conversations(inner, rows)?;
        }
    }
    Ok(())
}

fn flush_participants(connection: &mut AnyConnection, set: &WorkingSet) -> Result<()> {
    let rows = |keys: &std::collections::BTreeSet<_>| -> Vec<&ParticipantRow> {
        keys.iter().filter_map(|key| set.participants.get(key)).collect()
    };
    let (created, changed) = (rows(&set.created_participants), rows(&set.changed_participants));
    match connection {
        #[cfg(feature = "sqlite")]
        AnyConnection::Sqlite(inner) => {
            for row in created {
                diesel::insert_into(conversation_member::table).values(row).execute(inner)?;
            }
            for row in changed {
                super::sqlite_update::UpdateParticipant(row).execute(inner)?;
            }
        }
        #[cfg(feature = "postgres")]
        AnyConnection::Postgresql(inner) => {
            let rows: Vec<_> = created.into_iter().chain(changed).collect();
            for rows in rows.chunks(ROWS) {
                diesel::insert_into(conversation_member::table)
                    .values(rows.to_vec())
                    .on_conflict((conversation_member::conversation_id, conversation_member::member_id))
                    .do_update()
                    .set(participant_columns!())
                    .execute(inner)?;
            }
        }
        #[cfg(feature = "mysql")]
        AnyConnection::Mysql(inner) => {
            let rows: Vec<_> = created.into_iter().chain(changed).collect();
            super::mysql_upsert::participants(inner, &rows)?;
        }
    }
    Ok(())
}

/// Edits and recalls are rare: one statement each.
fn flush_rewritten(connection: &mut AnyConnection, set: &WorkingSet) -> Result<()> {
    for key in set.rewritten.iter().filter(|key| !set.appended.contains(key)) {
        let Some(row) = set.entries.get(key) else { continue };
        let target = group_message::table
            .filter(group_message::conversation_id.eq(key.0))
            .filter(group_message::seq.eq(key.1));
        diesel::update(target)
            .set((
                group_message::content.eq(&row.content),
                group_message::edited_at.eq(row.edited_at),
                group_message::recalled_at.eq(row.recalled_at),
            ))
            .execute(connection)?;
    }
    for row in &set.revisions {
        insert_revision(connection, row)?;
    }
    Ok(())
}

fn insert_revision(connection: &mut AnyConnection, row: &RevisionRow) -> Result<()> {
    on!(connection, inner => diesel::insert_into(message_revision::table).values(row).execute(inner))?;
    Ok(())
}

fn flush_assignments(connection: &mut AnyConnection, set: &WorkingSet) -> Result<()> {
    for ended in &set.ended_assignments {
        let target = assignment::table
            .filter(assignment::conversation_id.eq(ended.conversation))
            .filter(assignment::ended_at.is_null());
        diesel::update(target)
            .set((assignment::ended_at.eq(ended.at), assignment::end_reason.eq(ended.reason)))
            .execute(connection)?;
    }
    for row in &set.assignments {
        on!(connection, inner => diesel::insert_into(assignment::table).values(row).execute(inner))?;
    }
    Ok(())
}

fn flush_access(connection: &mut AnyConnection, set: &WorkingSet) -> Result<()> {
    for revoked in &set.revoked_sessions {
        diesel::update(auth_session::table.filter(auth_session::id.eq(revoked.session)))
            .set((
                auth_session::revoked_at.eq(set.now),
                auth_session::revoke_reason.eq(revoked.reason),
                auth_session::rev.eq(revoked.rev),
            ))
            .execute(connection)?;
    }
    for (id, rev) in &set.changed_members {
        let Some(facts) = set.members.get(id) else { continue };
        let target = member::table.filter(member::id.eq(id));
        diesel::update(target)
            .set((
                member::role.eq(facts.role),
                member::status.eq(facts.status),
                member::merged_into.eq(facts.merged_into),
                member::rev.eq(rev),
                member::updated_at.eq(set.now),
            ))
            .execute(connection)?;
        if facts.deleted {
            // The names become free for others; the row stays for the log's sake.
            diesel::update(target.filter(member::deleted_at.is_null()))
                .set((
                    member::deleted_at.eq(set.now),
                    member::login_name.eq(None::<String>),
                    member::external_id.eq(None::<String>),
                ))
                .execute(connection)?;
        }
    }
    for (id, rev) in &set.changed_tenants {
        let suspended = set.tenants.get(id).is_some_and(|facts| facts.suspended);
        diesel::update(tenant::table.filter(tenant::id.eq(id)))
            .set((
                tenant::status.eq(if suspended { "suspended" } else { "active" }),
                tenant::rev.eq(rev),
                tenant::updated_at.eq(set.now),
            ))
            .execute(connection)?;
    }
    Ok(())
}

fn flush_revs(connection: &mut AnyConnection, set: &WorkingSet) -> Result<()> {
    let mut moved: Vec<(TenantId, i64)> = set
        .tenants
        .iter()
        .filter(|(_, facts)| facts.rev > facts.rev_before)
        .map(|(id, facts)| (*id, facts.rev))
        .collect();
    moved.sort();
    if moved.is_empty() {
        return Ok(());
    }
    match connection {
        #[cfg(feature = "sqlite")]
        AnyConnection::Sqlite(inner) => {
            for (id, rev) in moved {
                let updated = diesel::update(tenant_log::table.filter(tenant_log::tenant_id.eq(id)))
                    .set(tenant_log::rev.eq(rev))
                    .execute(inner)?;
                if updated != 1 {
                    return Err(Error::internal("a tenant's log row is missing"));
                }
            }
        }
        #[cfg(feature = "postgres")]
        AnyConnection::Postgresql(inner) => {
            use diesel::sql_types::{Array, BigInt};
            let (ids, revs): (Vec<i64>, Vec<i64>) = moved.iter().map(|(id, rev)| (id.0, *rev)).unzip();
            diesel::sql_query(
                "UPDATE tenant_log SET rev = v.rev FROM unnest($1, $2) AS v (id, rev) WHERE tenant_id = v.id",
            )
            .bind::<Array<BigInt>, _>(ids)
            .bind::<Array<BigInt>, _>(revs)
            .execute(inner)?;
        }
        #[cfg(feature = "mysql")]
        AnyConnection::Mysql(inner) => {
            use super::mysql_upsert::{Rev, revs};
            let rows: Vec<Rev> = moved.iter().map(|(id, rev)| Rev { tenant_id: id.0, rev: *rev }).collect();
            revs(inner, &rows.iter().collect::<Vec<_>>())?;
        }
    }
    Ok(())
}
