//! Flushing the working set: what the batch's commands made. The statements come from the column lists.
//!
//! Order matters: conversations that give up their `open_key` come before conversations that take it.

use diesel::prelude::*;

use super::columns::{self, LogRow};
use crate::db::AnyConnection;
use crate::db::schema::{assignment, attachment, auth_session, group_follow, member, tenant};
use crate::domain::audit::AuditEventRow;
use crate::domain::conversation::ConversationRow;
use crate::domain::group::GroupRow;
use crate::domain::tenant::TenantStatus;
use crate::journal::audit;
use crate::journal::table::{Change, Table};
use crate::journal::working_set::WorkingSet;
use crate::kernel::{AuditEventId, Error, Result};

/// Writes everything that was created or changed in the set.
pub fn flush(connection: &mut AnyConnection, set: &WorkingSet) -> Result<()> {
    flush_conversations(connection, set)?;
    columns::participants::insert(connection, &created(&set.participants))?;
    columns::participants::update(connection, &changed(&set.participants))?;
    columns::entries::insert(connection, &created(&set.entries))?;
    columns::entries::update(connection, &changed(&set.entries))?;
    columns::revisions::insert(connection, &set.revisions.iter().collect::<Vec<_>>())?;
    flush_assignments(connection, set)?;
    columns::agents::update(connection, &changed(&set.agents))?;
    columns::agents::insert(connection, &created(&set.agents))?;
    flush_groups(connection, set)?;
    columns::presence_changes::insert(connection, &set.presence_changes.iter().collect::<Vec<_>>())?;
    columns::transfers::insert(connection, &set.made_transfers.iter().collect::<Vec<_>>())?;
    columns::needs::update(connection, &changed(&set.needs))?;
    columns::needs::insert(connection, &created(&set.needs))?;
    columns::reminders::update(connection, &changed(&set.reminders))?;
    columns::reminders::insert(connection, &created(&set.reminders))?;
    columns::ratings::update(connection, &changed(&set.ratings))?;
    columns::ratings::insert(connection, &created(&set.ratings))?;
    columns::attribute_values::update(connection, &changed(&set.attribute_values))?;
    columns::attribute_values::insert(connection, &created(&set.attribute_values))?;
    flush_attachments(connection, set)?;
    columns::offers::update(connection, &changed(&set.offers))?;
    columns::offers::insert(connection, &created(&set.offers))?;
    columns::notifications::update(connection, &changed(&set.notifications))?;
    columns::notifications::insert(connection, &created(&set.notifications))?;
    flush_access(connection, set)?;
    for event in &set.audit {
        let id = AuditEventId(set.ids.next()?);
        audit::insert(connection, &AuditEventRow { id, ..event.clone() })?;
    }
    flush_revs(connection, set)
}

fn created<K: Ord + Clone, R: Clone + PartialEq>(table: &Table<K, R>) -> Vec<&R> {
    table.created().collect()
}

fn changed<K: Ord + Clone, R: Clone + PartialEq>(table: &Table<K, R>) -> Vec<Change<'_, R>> {
    table.changed().collect()
}

fn flush_conversations(connection: &mut AnyConnection, set: &WorkingSet) -> Result<()> {
    let keeps_a_key = |change: &Change<'_, ConversationRow>| change.after.open_key.is_some();
    let (keep, give_up): (Vec<_>, Vec<_>) = set.conversations.changed().partition(keeps_a_key);
    columns::conversations::update(connection, &give_up)?;
    columns::conversations::update(connection, &keep)?;
    columns::conversations::insert(connection, &created(&set.conversations))?;
    Ok(())
}

fn flush_groups(connection: &mut AnyConnection, set: &WorkingSet) -> Result<()> {
    // Names may go round within a batch: those that are given up are free before any is taken.
    let changes = changed(&set.groups);
    let moved = changes.iter().filter(|change| change.before.name_key != change.after.name_key);
    let nameless: Vec<_> = moved.map(|change| GroupRow { name_key: None, ..change.before.clone() }).collect();
    let free: Vec<_> = nameless
        .iter()
        .filter_map(|after| Some(Change { before: set.groups.loaded(&after.id)?, after }))
        .collect();
    columns::groups::update(connection, &free)?;
    columns::groups::update(connection, &changes)?;
    columns::groups::insert(connection, &created(&set.groups))?;
    columns::group_members::update(connection, &changed(&set.group_members))?;
    columns::group_members::insert(connection, &created(&set.group_members))?;
    flush_follows(connection, set)
}

fn flush_follows(connection: &mut AnyConnection, set: &WorkingSet) -> Result<()> {
    for (group, member) in set.follows.touched() {
        diesel::delete(group_follow::table.find((group, member))).execute(connection)?;
    }
    for (tenant, group, member) in set.follows.begun() {
        diesel::insert_into(group_follow::table)
            .values((
                group_follow::tenant_id.eq(tenant),
                group_follow::group_id.eq(group),
                group_follow::member_id.eq(member),
            ))
            .execute(connection)?;
    }
    Ok(())
}

fn flush_attachments(connection: &mut AnyConnection, set: &WorkingSet) -> Result<()> {
    for Change { after, .. } in set.attachments.changed() {
        diesel::update(attachment::table.find(after.id))
            .set((
                attachment::name.eq(&after.name),
                attachment::state.eq(after.state),
                attachment::conversation_id.eq(after.conversation_id),
                attachment::seq.eq(after.seq),
                attachment::updated_at.eq(after.updated_at),
                attachment::sweep_at.eq(after.sweep_at),
            ))
            .execute(connection)?;
    }
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
    columns::assignments::insert(connection, &created(&set.assignments))?;
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
    for facts in set.members.written() {
        let target = member::table.filter(member::id.eq(facts.id));
        diesel::update(target)
            .set((
                member::role.eq(facts.role),
                member::status.eq(facts.status),
                member::merged_into.eq(facts.merged_into),
                member::expires_at.eq(facts.expires_at),
                member::parent_id.eq(facts.parent_id),
                member::rev.eq(facts.rev),
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
    for (id, facts) in set.tenants.iter() {
        if set.tenants.loaded(id).is_none_or(|before| before.state_rev == facts.state_rev) {
            continue;
        }
        let status = if facts.suspended { TenantStatus::Suspended } else { TenantStatus::Active };
        diesel::update(tenant::table.filter(tenant::id.eq(id)))
            .set((
                tenant::status.eq(status.as_str()),
                tenant::rev.eq(facts.state_rev),
                tenant::updated_at.eq(set.now),
            ))
            .execute(connection)?;
    }
    Ok(())
}

fn flush_revs(connection: &mut AnyConnection, set: &WorkingSet) -> Result<()> {
    let rows: Vec<(LogRow, LogRow)> = set
        .moved_logs()
        .map(|(tenant_id, before, rev)| (LogRow { tenant_id, rev: before }, LogRow { tenant_id, rev }))
        .collect();
    let changes: Vec<Change<'_, LogRow>> =
        rows.iter().map(|(before, after)| Change { before, after }).collect();
    if columns::logs::update(connection, &changes)? != changes.len() {
        return Err(Error::internal("a tenant's log row is missing"));
    }
    Ok(())
}
