//! Reading committed changes back from the store: the one repair path, for whoever saw a hole, an overflow or
//! silence behind the committed rev, in one process and in many.
//!
//! Invariant: what comes back has the same shape as what a lane publishes. Rows that change in place (participants,
//! sessions, members) are found under the rev of their last change only; who reads ranges up to the head misses
//! nothing, because a later change is in a later range.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use diesel::prelude::*;

use super::feed::{AccessNotice, AccessState, Changes, ConversationState};
use super::working_set::group_state;
use crate::db::AnyConnection;
use crate::db::schema::{
    agent_status, auth_session, conversation, conversation_member, group_member, group_message, member,
    notification, offer, tenant, tenant_log,
};
use crate::domain::centre::notification::{AT_ONCE, NotificationRow};
use crate::domain::conversation::{ConversationRow, ParticipantRow};
use crate::domain::entry::{EntryKind, EntryRow};
use crate::domain::group::GroupMemberRow;
use crate::domain::member::{MemberStatus, Role};
use crate::domain::offer::OfferRow;
use crate::domain::presence::AgentStatusRow;
use crate::kernel::{ConversationId, MemberId, Result, SessionId, TenantId};
use crate::on;

/// The tenant's last committed rev; 0 for an unknown tenant.
pub fn head(connection: &mut AnyConnection, tenant: TenantId) -> Result<i64> {
    let rev = tenant_log::table
        .filter(tenant_log::tenant_id.eq(tenant))
        .select(tenant_log::rev)
        .get_result(connection)
        .optional()?;
    Ok(rev.unwrap_or(0))
}

/// The last committed revs of these tenants.
pub fn heads(connection: &mut AnyConnection, tenants: &[TenantId]) -> Result<Vec<(TenantId, i64)>> {
    Ok(on!(connection, inner => tenant_log::table
        .filter(tenant_log::tenant_id.eq_any(tenants))
        .select((tenant_log::tenant_id, tenant_log::rev))
        .load(inner))?)
}

/// Revs that one piece spans at most.
const PIECE_REVS: i64 = 1_000;
/// Bytes of content after which a piece ends, at the end of a rev.
const PIECE_BYTES: usize = 1_048_576;
/// Entries that are read at once.
const PIECE_ROWS: i64 = 100;

/// What was committed from `from` on, up to `to` or to where a piece of bounded size ends (`rev_to` says where), as
/// far as the store still knows it: every entry; participants, sessions, members, presences, offers and notifications whose
/// last change lies in the range. `to` must not lie beyond the head.
pub fn changes(connection: &mut AnyConnection, tenant: TenantId, from: i64, to: i64) -> Result<Changes> {
    let to = to.min(from.saturating_add(PIECE_REVS - 1));
    let (notifications, to) = notifications(connection, tenant, from, to)?;
    let (entries, to) = entries(connection, tenant, from, to)?;
    let notifications = notifications.into_iter().filter(|row| row.rev <= to).collect();
    let moved: Vec<ConversationId> = conversation_member::table
        .filter(conversation_member::tenant_id.eq(tenant))
        .filter(conversation_member::rev.between(from, to))
        .select(conversation_member::conversation_id)
        .distinct()
        .load(connection)?;
    let ids: BTreeSet<ConversationId> =
        entries.iter().map(|entry| entry.conversation_id).chain(moved).collect();
    let ids = with_fronts(connection, tenant, ids, &entries)?;
    Ok(Changes {
        tenant,
        rev_from: from,
        rev_to: to,
        entries: entries.into_iter().map(Arc::new).collect(),
        conversations: conversations(connection, tenant, ids)?,
        access: access(connection, tenant, from, to)?,
        agents: agents(connection, tenant, from, to)?,
        offers: offers(connection, tenant, from, to)?,
        notifications,
    })
}

fn agents(
    connection: &mut AnyConnection,
    tenant: TenantId,
    from: i64,
    to: i64,
) -> Result<Vec<AgentStatusRow>> {
    Ok(agent_status::table
        .filter(agent_status::tenant_id.eq(tenant))
        .filter(agent_status::rev.between(from, to))
        .order(agent_status::rev.asc())
        .select(AgentStatusRow::as_select())
        .load(connection)?)
}

/// Notifications of one piece: more than one command changes, so that a piece never ends where it began.
const NOTIFICATIONS: usize = 5 * AT_ONCE;

/// The notifications of a piece, and the last rev of which all are here.
fn notifications(
    connection: &mut AnyConnection,
    tenant: TenantId,
    from: i64,
    to: i64,
) -> Result<(Vec<NotificationRow>, i64)> {
    let mut rows: Vec<NotificationRow> = notification::table
        .filter(notification::tenant_id.eq(tenant))
        .filter(notification::rev.between(from, to))
        .order((notification::rev.asc(), notification::id.asc()))
        .limit(i64::try_from(NOTIFICATIONS).unwrap_or(i64::MAX))
        .select(NotificationRow::as_select())
        .load(connection)?;
    let to = match rows.last() {
        Some(last) if rows.len() == NOTIFICATIONS => last.rev - 1,
        _ => to,
    };
    rows.retain(|row| row.rev <= to);
    Ok((rows, to))
}

fn offers(connection: &mut AnyConnection, tenant: TenantId, from: i64, to: i64) -> Result<Vec<OfferRow>> {
    Ok(offer::table
        .filter(offer::tenant_id.eq(tenant))
        .filter(offer::rev.between(from, to))
        .order(offer::rev.asc())
        .select(OfferRow::as_select())
        .load(connection)?)
}

/// The entries of a piece, and the last rev of which all are here.
fn entries(
    connection: &mut AnyConnection,
    tenant: TenantId,
    from: i64,
    to: i64,
) -> Result<(Vec<EntryRow>, i64)> {
    let mut entries: Vec<EntryRow> = Vec::new();
    let (mut place, mut bytes) = ((from, i64::MIN, 0), 0);
    loop {
        let (rev, conversation, seq) = place;
        let later_in_log = group_message::conversation_id.eq(conversation).and(group_message::seq.gt(seq));
        let later_in_rev = group_message::conversation_id.gt(conversation).or(later_in_log);
        let rows: Vec<EntryRow> = group_message::table
            .filter(group_message::tenant_id.eq(tenant))
            .filter(group_message::rev.between(rev, to))
            .filter(group_message::rev.gt(rev).or(later_in_rev))
            .order((group_message::rev.asc(), group_message::conversation_id.asc(), group_message::seq.asc()))
            .limit(PIECE_ROWS)
            .select(EntryRow::as_select())
            .load(connection)?;
        let last = (rows.len() as i64) < PIECE_ROWS;
        for row in rows {
            // A piece ends between two revs only.
            if bytes >= PIECE_BYTES && entries.last().is_some_and(|before| before.rev < row.rev) {
                return Ok((entries, row.rev - 1));
            }
            bytes += row.content.len();
            place = (row.rev, row.conversation_id.0, row.seq);
            entries.push(row);
        }
        if last {
            return Ok((entries, to));
        }
    }
}

/// Most ids in one statement.
const CHUNK: usize = 500;

fn conversations(
    connection: &mut AnyConnection,
    tenant: TenantId,
    ids: BTreeSet<ConversationId>,
) -> Result<HashMap<ConversationId, ConversationState>> {
    let ids: Vec<ConversationId> = ids.into_iter().collect();
    let mut conversations: Vec<ConversationRow> = Vec::with_capacity(ids.len());
    for ids in ids.chunks(CHUNK) {
        conversations.extend(on!(connection, inner => conversation::table
            .filter(conversation::tenant_id.eq(tenant))
            .filter(conversation::id.eq_any(ids))
            .select(ConversationRow::as_select())
            .load::<ConversationRow>(inner))?);
    }
    let fronts: BTreeSet<ConversationId> =
        conversations.iter().map(|row| row.parent_id.unwrap_or(row.id)).collect();
    let fronts: Vec<ConversationId> = fronts.into_iter().collect();
    let mut participants: HashMap<ConversationId, Vec<ParticipantRow>> = HashMap::new();
    for fronts in fronts.chunks(CHUNK) {
        let rows: Vec<ParticipantRow> = on!(connection, inner => conversation_member::table
            .filter(conversation_member::tenant_id.eq(tenant))
            .filter(conversation_member::conversation_id.eq_any(fronts))
            .select(ParticipantRow::as_select())
            .load(inner))?;
        for row in rows {
            participants.entry(row.conversation_id).or_default().push(row);
        }
    }
    let state = |conversation: ConversationRow| {
        let front = conversation.parent_id.unwrap_or(conversation.id);
        let participants = participants.get(&front).cloned().unwrap_or_default();
        (conversation.id, ConversationState { conversation, participants })
    };
    Ok(conversations.into_iter().map(state).collect())
}

/// A change of group stands behind the conversation and changes what is seen of the conversation itself.
fn with_fronts(
    connection: &mut AnyConnection,
    tenant: TenantId,
    mut ids: BTreeSet<ConversationId>,
    entries: &[EntryRow],
) -> Result<BTreeSet<ConversationId>> {
    let changed = entries.iter().filter(|entry| entry.kind == EntryKind::GroupChanged);
    let behind: BTreeSet<ConversationId> = changed.map(|entry| entry.conversation_id).collect();
    let behind: Vec<ConversationId> = behind.into_iter().collect();
    for behind in behind.chunks(CHUNK) {
        let fronts: Vec<Option<ConversationId>> = on!(connection, inner => conversation::table
            .filter(conversation::tenant_id.eq(tenant))
            .filter(conversation::id.eq_any(behind))
            .select(conversation::parent_id)
            .load(inner))?;
        ids.extend(fronts.into_iter().flatten());
    }
    Ok(ids)
}

type MemberColumns = (MemberId, i64, Role, MemberStatus, Option<i64>, Option<MemberId>, Option<i64>);

fn access(connection: &mut AnyConnection, tenant: TenantId, from: i64, to: i64) -> Result<Vec<AccessNotice>> {
    let sessions: Vec<(SessionId, MemberId, i64, Option<String>)> = auth_session::table
        .filter(auth_session::tenant_id.eq(tenant))
        .filter(auth_session::rev.between(from, to))
        .filter(auth_session::revoked_at.is_not_null())
        .select((auth_session::id, auth_session::member_id, auth_session::rev, auth_session::revoke_reason))
        .load(connection)?;
    let members: Vec<MemberColumns> = member::table
        .filter(member::tenant_id.eq(tenant))
        .filter(member::rev.between(from, to))
        .select((
            member::id,
            member::rev,
            member::role,
            member::status,
            member::deleted_at,
            member::merged_into,
            member::expires_at,
        ))
        .load(connection)?;
    let groups: Vec<GroupMemberRow> = group_member::table
        .filter(group_member::tenant_id.eq(tenant))
        .filter(group_member::rev.between(from, to))
        .select(GroupMemberRow::as_select())
        .load(connection)?;
    let tenants: Vec<(i64, String)> = tenant::table
        .filter(tenant::id.eq(tenant))
        .filter(tenant::rev.between(from, to))
        .select((tenant::rev, tenant::status))
        .load(connection)?;
    let sessions = sessions.into_iter().map(|(session, member, rev, reason)| AccessNotice {
        rev,
        change: AccessState::SessionRevoked { member, session, reason: reason.unwrap_or_default() },
    });
    let members = members.into_iter().map(|(member, rev, role, status, deleted, merged_into, expires_at)| {
        let deleted = deleted.is_some();
        let change = AccessState::Member { member, role, status, deleted, merged_into, expires_at };
        AccessNotice { rev, change }
    });
    let groups = groups.iter().map(|row| AccessNotice { rev: row.rev, change: group_state(row) });
    let tenants = tenants.into_iter().map(|(rev, status)| AccessNotice {
        rev,
        change: AccessState::Tenant { suspended: status == "suspended" },
    });
    // Of one rev the member comes first: that it was disabled or recognised says more than that its sessions ended.
    // A rev of 0 means that the row never changed who has access.
    let mut all: Vec<AccessNotice> =
        members.chain(sessions).chain(groups).chain(tenants).filter(|notice| notice.rev > 0).collect();
    all.sort_by_key(|notice| notice.rev);
    Ok(all)
}
