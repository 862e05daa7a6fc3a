//! The entries of logs as they are exported: of a tenant in the order of revs, of a person conversation by conversation. Each
//! up to the rev at which the export was begun, once.

use std::collections::HashMap;

use diesel::prelude::*;

use super::place::{PARENTS, Piece, Place, ROWS};
use super::scope::{Parent, Scope};
use super::tables::ENTRIES;
use crate::db::AnyConnection;
use crate::db::schema::{conversation, group_message};
use crate::db::types::json_text;
use crate::domain::conversation::ConversationKind;
use crate::domain::entry::{Entry, EntryRow};
use crate::kernel::{ConversationId, Result, TenantId};

/// How many revs one statement looks at: a narrow range, so that every database walks the index of revs from its start.
const REVS: i64 = 5_000;

/// What an entry is called in an export, by its log: what the customer sees, what the staff alone see of it, and rooms.
pub const fn kind_of(log: ConversationKind) -> &'static str {
    match log {
        ConversationKind::Support => "entry",
        ConversationKind::Backstage => "backstage_entry",
        ConversationKind::Group | ConversationKind::Direct => "room_entry",
    }
}

/// The next entries behind a place, up to a rev.
pub fn read(connection: &mut AnyConnection, scope: &Scope, head: i64, after: [i64; 3]) -> Result<Piece> {
    let (rows, next) = match scope.person {
        None => by_rev(connection, scope.tenant, head, after)?,
        Some(_) => by_conversation(connection, scope, head, after)?,
    };
    let kinds = kinds(connection, scope.tenant, &rows)?;
    let line = |row: EntryRow| {
        let kind = kinds.get(&row.conversation_id).copied().map(kind_of)?;
        let entry = json_text(&Entry::from(row));
        Some((kind, format!("{{\"type\":\"{kind}\",{}", entry.strip_prefix('{')?)))
    };
    let next = next.map(|after| Place { table: ENTRIES.to_owned(), after });
    Ok(Piece { lines: rows.into_iter().filter_map(line).collect(), next })
}

type Found = (Vec<EntryRow>, Option<[i64; 3]>);

fn by_rev(
    connection: &mut AnyConnection,
    tenant: TenantId,
    head: i64,
    [rev, id, seq]: [i64; 3],
) -> Result<Found> {
    let until = head.min(rev.saturating_add(REVS));
    let later_in_log = group_message::conversation_id.eq(id).and(group_message::seq.gt(seq));
    let later_in_rev = group_message::conversation_id.gt(id).or(later_in_log);
    let rows: Vec<EntryRow> = group_message::table
        .filter(group_message::tenant_id.eq(tenant))
        .filter(group_message::rev.ge(rev).and(group_message::rev.le(until)))
        .filter(group_message::rev.gt(rev).or(later_in_rev))
        .order((group_message::rev.asc(), group_message::conversation_id.asc(), group_message::seq.asc()))
        .limit(ROWS)
        .select(EntryRow::as_select())
        .load(connection)?;
    let last = rows.last().filter(|_| is_full(&rows)).map(|row| [row.rev, row.conversation_id.0, row.seq]);
    let next = last.or_else(|| (until < head).then_some([until, i64::MAX, i64::MAX]));
    Ok((rows, next))
}

fn by_conversation(
    connection: &mut AnyConnection,
    scope: &Scope,
    head: i64,
    [id, seq, _]: [i64; 3],
) -> Result<Found> {
    let logs = scope.parents(connection, Parent::Conversation, id, PARENTS)?;
    let more = logs.last().copied().filter(|_| i64::try_from(logs.len()) == Ok(PARENTS));
    let rows: Vec<EntryRow> = group_message::table
        .filter(group_message::conversation_id.eq_any(logs))
        .filter(group_message::conversation_id.gt(id).or(group_message::seq.gt(seq)))
        .filter(group_message::seq.gt(0))
        .filter(group_message::tenant_id.eq(scope.tenant))
        .filter(group_message::rev.le(head))
        .order((group_message::conversation_id.asc(), group_message::seq.asc()))
        .limit(ROWS)
        .select(EntryRow::as_select())
        .load(connection)?;
    let last = rows.last().filter(|_| is_full(&rows)).map(|row| [row.conversation_id.0, row.seq, 0]);
    Ok((rows, last.or_else(|| more.map(|id| [id, i64::MAX, 0]))))
}

fn is_full(rows: &[EntryRow]) -> bool {
    i64::try_from(rows.len()) == Ok(ROWS)
}

fn kinds(
    connection: &mut AnyConnection,
    tenant: TenantId,
    rows: &[EntryRow],
) -> Result<HashMap<ConversationId, ConversationKind>> {
    let mut ids: Vec<ConversationId> = rows.iter().map(|row| row.conversation_id).collect();
    ids.sort_unstable();
    ids.dedup();
    let found: Vec<(ConversationId, ConversationKind)> = conversation::table
        .filter(conversation::id.eq_any(ids).and(conversation::tenant_id.eq(tenant)))
        .select((conversation::id, conversation::kind))
        .load(connection)?;
    Ok(found.into_iter().collect())
}
