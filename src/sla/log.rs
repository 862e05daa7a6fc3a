//! Reads of the log for the follower: what happened to which conversation. Every function takes the tenant.
//!
//! What was imported says nothing: it is news to nobody. An imported conversation has clocks once it is reopened.

use std::collections::{BTreeSet, HashMap};

use diesel::prelude::*;
use serde::Deserialize;

use crate::db::AnyConnection;
use crate::db::schema::{conversation, group_message};
use crate::domain::conversation::{CloseReason, ConversationKind, Priority};
use crate::domain::entry::{EntryKind, EntryRow};
use crate::domain::member::Role;
use crate::domain::notice::{GroupChangedContent, SlaContent};
use crate::domain::sla::clock::SlaHappening;
use crate::kernel::{ConversationId, Error, GroupId, Result, TenantId};
use crate::messages::by_rev;
use crate::on;

/// The kinds of entries that count.
const KINDS: [EntryKind; 16] = [
    EntryKind::Text,
    EntryKind::Card,
    EntryKind::Custom,
    EntryKind::Image,
    EntryKind::File,
    EntryKind::Voice,
    EntryKind::Video,
    EntryKind::Opened,
    EntryKind::Reopened,
    EntryKind::Closed,
    EntryKind::Merged,
    EntryKind::HandedOff,
    EntryKind::GroupChanged,
    EntryKind::PriorityChanged,
    EntryKind::SlaWarned,
    EntryKind::SlaBreached,
];
/// Notices whose first one since a rev says how a conversation stood then.
const MOVES: [EntryKind; 2] = [EntryKind::GroupChanged, EntryKind::PriorityChanged];

/// What an entry says.
#[derive(Debug, Clone, Copy)]
pub(super) enum Said {
    /// Something happens.
    Happens(SlaHappening),
    /// The customer goes on here with what it asked in this conversation.
    GoesOn(ConversationId),
}

/// What an entry says of a conversation.
#[derive(Debug, Clone, Copy)]
pub(super) struct Line {
    /// Which.
    pub(super) conversation: ConversationId,
    /// When, unix milliseconds.
    pub(super) at: i64,
    /// The position of the entry in its log.
    pub(super) seq: i64,
    /// What.
    pub(super) said: Said,
}

#[derive(Deserialize)]
struct Closed {
    reason: CloseReason,
}

#[derive(Deserialize)]
struct Merged {
    conversation_id: ConversationId,
}

#[derive(Deserialize)]
struct PriorityMove {
    from: Priority,
    to: Priority,
}

/// A conversation as far as it is asked for here.
#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = conversation)]
struct Facts {
    id: ConversationId,
    kind: ConversationKind,
    parent_id: Option<ConversationId>,
    backstage_id: Option<ConversationId>,
    group_id: Option<GroupId>,
    priority: Priority,
}

/// A notice behind a conversation: its log, rev, kind and content.
type Notice = (ConversationId, i64, EntryKind, String);

/// What the next piece of a log says, in its order, and up to which rev this is all.
pub(super) fn piece(
    connection: &mut AnyConnection,
    tenant: TenantId,
    window: (i64, i64),
    most: i64,
) -> Result<(Vec<Line>, i64)> {
    let (mut entries, rev) = by_rev::following(connection, tenant, &KINDS, window, most)?;
    entries.retain(|entry| !entry.is_imported());
    // Of one command what the conversation is now comes last: what it ended belongs to what was before.
    entries.sort_by_key(|entry| (entry.rev, MOVES.contains(&entry.kind)));
    // The conversations first, then the changes: a change between the two says what was before.
    let facts = facts(connection, tenant, entries.iter().map(|entry| entry.conversation_id).collect())?;
    let begun = |entry: &&EntryRow| matches!(entry.kind, EntryKind::Opened | EntryKind::Reopened);
    let behind =
        entries.iter().filter(begun).filter_map(|entry| facts.get(&entry.conversation_id)?.backstage_id);
    let moves = moves(connection, tenant, behind.collect())?;
    let sources = Sources { facts, moves };
    let mut lines = Vec::with_capacity(entries.len());
    for entry in &entries {
        lines.extend(sources.line(entry)?);
    }
    Ok((lines, rev))
}

struct Sources {
    facts: HashMap<ConversationId, Facts>,
    moves: Vec<Notice>,
}

impl Sources {
    /// What an entry says; nothing when it counts for nothing, as notes and rooms of the staff.
    fn line(&self, entry: &EntryRow) -> Result<Option<Line>> {
        let Some(facts) = self.facts.get(&entry.conversation_id) else { return Ok(None) };
        let happening = match (facts.kind, entry.kind) {
            (ConversationKind::Support, EntryKind::Opened | EntryKind::Reopened) => {
                let (group, priority) = self.stood(facts, entry.rev)?;
                SlaHappening::Began(group, priority)
            }
            (ConversationKind::Support, EntryKind::Closed) => {
                SlaHappening::Closed(parse::<Closed>(&entry.content)?.reason)
            }
            (ConversationKind::Support, EntryKind::Merged) => {
                let said = Said::GoesOn(parse::<Merged>(&entry.content)?.conversation_id);
                let (at, seq) = (entry.created_at, entry.seq);
                return Ok(Some(Line { conversation: facts.id, at, seq, said }));
            }
            (ConversationKind::Support, kind) if kind.is_message() => match entry.sender_role {
                Some(Role::Customer) => SlaHappening::CustomerWrote,
                Some(Role::Bot) => SlaHappening::BotWrote,
                Some(_) => SlaHappening::StaffWrote,
                None => return Ok(None),
            },
            (ConversationKind::Support, EntryKind::HandedOff) => SlaHappening::HandedOff,
            (ConversationKind::Backstage, EntryKind::GroupChanged) => {
                SlaHappening::GroupChanged(parse::<GroupChangedContent>(&entry.content)?.to)
            }
            (ConversationKind::Backstage, EntryKind::PriorityChanged) => {
                SlaHappening::PriorityChanged(parse::<PriorityMove>(&entry.content)?.to)
            }
            (ConversationKind::Backstage, EntryKind::SlaWarned) => {
                let told = parse::<SlaContent>(&entry.content)?;
                SlaHappening::Warned(told.metric, told.started_seq)
            }
            (ConversationKind::Backstage, EntryKind::SlaBreached) => {
                let told = parse::<SlaContent>(&entry.content)?;
                SlaHappening::Breached(told.metric, told.started_seq, told.due_at.0)
            }
            _ => return Ok(None),
        };
        let front = match facts.kind {
            ConversationKind::Backstage => facts.parent_id,
            _ => Some(facts.id),
        };
        let said = Said::Happens(happening);
        Ok(front.map(|conversation| Line { conversation, at: entry.created_at, seq: entry.seq, said }))
    }

    /// Whose matter a conversation was before the command of this rev, and how urgent: the log says it with the first change
    /// since, and the conversation itself when there was none.
    fn stood(&self, facts: &Facts, rev: i64) -> Result<(Option<GroupId>, Priority)> {
        let first = |wanted: EntryKind| {
            self.moves
                .iter()
                .find(|(log, at, kind, _)| Some(*log) == facts.backstage_id && *at >= rev && *kind == wanted)
        };
        let group = match first(EntryKind::GroupChanged) {
            Some((.., content)) => parse::<GroupChangedContent>(content)?.from,
            None => facts.group_id,
        };
        let priority = match first(EntryKind::PriorityChanged) {
            Some((.., content)) => parse::<PriorityMove>(content)?.from,
            None => facts.priority,
        };
        Ok((group, priority))
    }
}

fn parse<'a, T: Deserialize<'a>>(content: &'a str) -> Result<T> {
    serde_json::from_str(content).map_err(|cause| Error::internal(format!("a notice of the log: {cause}")))
}

fn facts(
    connection: &mut AnyConnection,
    tenant: TenantId,
    ids: BTreeSet<ConversationId>,
) -> Result<HashMap<ConversationId, Facts>> {
    let rows: Vec<Facts> = on!(connection, inner => conversation::table
        .filter(conversation::tenant_id.eq(tenant))
        .filter(conversation::id.eq_any(ids))
        .select(Facts::as_select())
        .load(inner))?;
    Ok(rows.into_iter().map(|row| (row.id, row)).collect())
}

/// All changes of group and priority in these logs, in the order of each.
fn moves(
    connection: &mut AnyConnection,
    tenant: TenantId,
    logs: BTreeSet<ConversationId>,
) -> Result<Vec<Notice>> {
    if logs.is_empty() {
        return Ok(Vec::new());
    }
    Ok(on!(connection, inner => group_message::table
        .filter(group_message::tenant_id.eq(tenant))
        .filter(group_message::conversation_id.eq_any(logs))
        .filter(group_message::kind.eq_any(MOVES.map(EntryKind::as_str)))
        .order((group_message::conversation_id.asc(), group_message::seq.asc()))
        .select((group_message::conversation_id, group_message::rev, group_message::kind, group_message::content))
        .load(inner))?)
}
