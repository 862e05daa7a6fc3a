//! Judging the numbers: recomputes what is kept beside the log from the log itself and tells every difference.
//!
//! Nothing here is repaired, because nothing may drift: a difference is a bug.

use std::collections::HashMap;

use diesel::dsl::{count_star, max};
use diesel::prelude::*;

use crate::db::AnyConnection;
use crate::db::schema::{agent_status, conversation, conversation_member, group_message};
use crate::db::snapshot::snapshot;
use crate::domain::conversation::{ConversationKind, ConversationRow, ConversationStatus, ParticipantRow};
use crate::domain::entry::{EntryKind, MESSAGE};
use crate::kernel::{ConversationId, MemberId, Result, TenantId};

use super::{store, unread};

/// How many conversations are judged at once.
const CHUNK: i64 = 200;
/// How many differences are told in words.
const TOLD: usize = 100;

/// What was found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// How many numbers were recomputed.
    pub checked: u64,
    /// How many differed; must be 0.
    pub drift: u64,
    /// The first hundred differences, in words.
    pub told: Vec<String>,
}

impl Report {
    fn compare(&mut self, what: impl FnOnce() -> String, kept: i64, counted: i64) {
        self.checked += 1;
        if kept != counted {
            self.drift += 1;
            if self.told.len() < TOLD {
                self.told.push(format!("{}: kept {kept}, counted {counted}", what()));
            }
        }
    }
}

/// Recomputes heads, running counts, everybody's unread and how many conversations each agent serves, of one tenant or of all, a few hundred conversations at
/// a time, each portion in one snapshot: the server may be at work meanwhile.
pub fn recompute_all(connection: &mut AnyConnection, tenant: Option<TenantId>) -> Result<Report> {
    let mut report = Report::default();
    let mut after = Some(ConversationId(0));
    while let Some(place) = after {
        after = snapshot(connection, |connection| portion(connection, tenant, place, &mut report))?;
    }
    snapshot(connection, |connection| judge_agents(connection, tenant, &mut report))?;
    Ok(report)
}

/// How many conversations each member of the staff serves, counted and as it is kept.
fn judge_agents(connection: &mut AnyConnection, tenant: Option<TenantId>, report: &mut Report) -> Result<()> {
    let mut kept =
        agent_status::table.select((agent_status::member_id, agent_status::current_accept)).into_boxed();
    let mut counted = conversation::table
        .filter(conversation::status.eq(ConversationStatus::Pending))
        .filter(conversation::agent_id.is_not_null())
        .group_by(conversation::agent_id)
        .select((conversation::agent_id.assume_not_null(), count_star()))
        .into_boxed();
    if let Some(tenant) = tenant {
        kept = kept.filter(agent_status::tenant_id.eq(tenant));
        counted = counted.filter(conversation::tenant_id.eq(tenant));
    }
    let mut served: HashMap<MemberId, (i64, i64)> = HashMap::new();
    for (member, number) in kept.load::<(MemberId, i64)>(connection)? {
        served.entry(member).or_default().0 = number;
    }
    for (member, number) in counted.load::<(MemberId, i64)>(connection)? {
        served.entry(member).or_default().1 = number;
    }
    for (member, (kept, counted)) in served {
        report.compare(|| format!("current_accept of member {member}"), kept, counted);
    }
    Ok(())
}

/// Checks the conversations after a position; returns the next position.
fn portion(
    connection: &mut AnyConnection,
    tenant: Option<TenantId>,
    after: ConversationId,
    report: &mut Report,
) -> Result<Option<ConversationId>> {
    let mut query = conversation::table
        .filter(conversation::id.gt(after))
        .order(conversation::id.asc())
        .limit(CHUNK)
        .select(ConversationRow::as_select())
        .into_boxed();
    if let Some(tenant) = tenant {
        query = query.filter(conversation::tenant_id.eq(tenant));
    }
    let rows: Vec<ConversationRow> = query.load(connection)?;
    for row in &rows {
        judge_log(connection, row, report)?;
        if row.kind != ConversationKind::Backstage {
            judge_unread(connection, row, report)?;
        }
    }
    Ok(rows.last().map(|row| row.id))
}

fn judge_log(connection: &mut AnyConnection, row: &ConversationRow, report: &mut Report) -> Result<()> {
    let log = || {
        group_message::table
            .filter(group_message::conversation_id.eq(row.id))
            .filter(group_message::tenant_id.eq(row.tenant_id))
            // Says nothing, but keeps SQLite on the primary key.
            .filter(group_message::seq.gt(0))
    };
    let entries: i64 = log().count().get_result(connection)?;
    let head: Option<i64> = log().select(max(group_message::seq)).get_result(connection)?;
    let messages: i64 =
        log().filter(group_message::message_type.eq(MESSAGE)).count().get_result(connection)?;
    let recalls: i64 =
        log().filter(group_message::kind.eq(EntryKind::Recalled)).count().get_result(connection)?;
    let recalled: i64 =
        log().filter(group_message::recalled_at.is_not_null()).count().get_result(connection)?;
    let of = |what: &str| format!("conversation {}: {what}", row.id);
    report.compare(|| of("seq"), row.seq, head.unwrap_or(0));
    report.compare(|| of("entries without holes"), row.seq, entries);
    report.compare(|| of("msg_count"), row.msg_count, messages);
    report.compare(|| of("recall_count"), row.recall_count, recalls);
    report.compare(|| of("recalled messages"), row.recall_count, recalled);
    Ok(())
}

fn judge_unread(connection: &mut AnyConnection, row: &ConversationRow, report: &mut Report) -> Result<()> {
    let participants: Vec<ParticipantRow> = conversation_member::table
        .filter(conversation_member::conversation_id.eq(row.id))
        .filter(conversation_member::tenant_id.eq(row.tenant_id))
        .select(ParticipantRow::as_select())
        .load(connection)?;
    let inbox = store::rows_of(connection, row.tenant_id, &participants)?;
    for (one, shown) in participants.iter().zip(inbox) {
        let of = |what: &str| format!("conversation {}, member {}: {what}", row.id, one.member_id);
        let counted = match one.is_in() {
            true => unread::count(connection, row.tenant_id, row.id, one, one.read_seq, unread::CAP)?,
            false => 0,
        };
        report.compare(|| of("unread"), shown.unread, counted);
        if let Some(notes) = shown.notes {
            let log = notes.conversation_id;
            let counted = unread::count(connection, row.tenant_id, log, one, one.note_read_seq, unread::CAP)?;
            report.compare(|| of("unread notes"), notes.unread, counted);
        }
    }
    Ok(())
}
