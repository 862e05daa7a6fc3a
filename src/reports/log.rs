//! Reads of the log for the follower: what happened to which conversation. Every function takes the tenant.

use std::collections::{BTreeSet, HashMap};

use diesel::prelude::*;
use serde::Deserialize;

use crate::db::AnyConnection;
use crate::db::schema::{conversation, group_message, rating};
use crate::domain::conversation::{CloseReason, ConversationKind};
use crate::domain::entry::{EntryKind, EntryRow};
use crate::domain::member::Role;
use crate::domain::notice::GroupChangedContent;
use crate::domain::report::stretch::Happening;
use crate::domain::report::tally::Credit;
use crate::kernel::{ConversationId, Error, GroupId, MemberId, Result, TenantId};
use crate::messages::by_rev;
use crate::on;

/// The kinds of entries that count.
const KINDS: [EntryKind; 18] = [
    EntryKind::Text,
    EntryKind::Card,
    EntryKind::Custom,
    EntryKind::Image,
    EntryKind::File,
    EntryKind::Voice,
    EntryKind::Video,
    EntryKind::Opened,
    EntryKind::Reopened,
    EntryKind::Assigned,
    EntryKind::Docked,
    EntryKind::BotAssigned,
    EntryKind::HandedOff,
    EntryKind::Released,
    EntryKind::Closed,
    EntryKind::Merged,
    EntryKind::GroupChanged,
    EntryKind::Rated,
];

/// What an entry says.
#[derive(Debug, Clone, Copy)]
pub enum Said {
    /// A stretch begins, as this group's matter.
    Begins(Option<GroupId>),
    /// Something happens in it.
    Happens(Happening),
    /// The customer goes on here with what it asked in this conversation.
    GoesOn(ConversationId),
    /// An end was rated at this time with this score; before, when it was rated before, with the other.
    Rated {
        /// When it was rated first.
        at: i64,
        /// The score before.
        before: Option<i16>,
        /// The score now.
        score: i16,
        /// Whose work it was.
        credit: Credit,
    },
}

/// What an entry says of a conversation.
#[derive(Debug, Clone, Copy)]
pub struct Line {
    /// Which.
    pub conversation: ConversationId,
    /// When, unix milliseconds.
    pub at: i64,
    /// What.
    pub said: Said,
}

#[derive(Deserialize)]
struct About {
    member_id: Option<MemberId>,
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
struct Rated {
    close_seq: i64,
    score: i16,
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
}

/// A notice behind a conversation.
type Notice = (ConversationId, i64, i64, String);
/// Who is judged by the rating of an end, and when it was given first.
type Judged = HashMap<(ConversationId, i64), (i64, Credit)>;

/// What the next piece of a log says, in its order, and up to which rev this is all.
pub fn piece(
    connection: &mut AnyConnection,
    tenant: TenantId,
    window: (i64, i64),
    most: i64,
) -> Result<(Vec<Line>, i64)> {
    let (mut entries, rev) = by_rev::following(connection, tenant, &KINDS, window, most)?;
    // Of one command the change of the group comes last: what it ended belongs to the group before.
    entries.sort_by_key(|entry| (entry.rev, entry.kind == EntryKind::GroupChanged));
    let of = |wanted: &dyn Fn(EntryKind) -> bool| -> BTreeSet<ConversationId> {
        entries.iter().filter(|entry| wanted(entry.kind)).map(|entry| entry.conversation_id).collect()
    };
    // The conversations first, then the changes of their groups: a change between the two says what was before.
    let facts = facts(connection, tenant, of(&|_| true))?;
    let begun = of(&|kind| matches!(kind, EntryKind::Opened | EntryKind::Reopened));
    let behind = begun.iter().filter_map(|id| facts.get(id)?.backstage_id).collect();
    let moves = notices(connection, tenant, EntryKind::GroupChanged, behind)?;
    let rated = of(&|kind| kind == EntryKind::Rated);
    let fronts = rated.iter().filter_map(|id| facts.get(id)?.parent_id).collect();
    let ratings = notices(connection, tenant, EntryKind::Rated, rated)?;
    let judged = judged(connection, tenant, fronts)?;
    let sources = Sources { facts, moves, ratings, judged };
    let mut lines = Vec::with_capacity(entries.len());
    for entry in &entries {
        lines.extend(sources.line(entry)?);
    }
    Ok((lines, rev))
}

struct Sources {
    facts: HashMap<ConversationId, Facts>,
    moves: Vec<Notice>,
    ratings: Vec<Notice>,
    judged: Judged,
}

impl Sources {
    /// What an entry says; nothing when it counts for nothing, as notes and rooms of the staff.
    fn line(&self, entry: &EntryRow) -> Result<Option<Line>> {
        let Some(facts) = self.facts.get(&entry.conversation_id) else { return Ok(None) };
        let front = match (facts.kind, entry.kind) {
            (ConversationKind::Support, _) => facts.id,
            (ConversationKind::Backstage, EntryKind::GroupChanged | EntryKind::Rated) => {
                match facts.parent_id {
                    Some(front) => front,
                    None => return Ok(None),
                }
            }
            _ => return Ok(None),
        };
        let happening = match entry.kind {
            EntryKind::Opened | EntryKind::Reopened => {
                let said = Said::Begins(self.group_at(facts, entry.rev)?);
                return Ok(Some(Line { conversation: front, at: entry.created_at, said }));
            }
            EntryKind::Merged => {
                let said = Said::GoesOn(read::<Merged>(entry)?.conversation_id);
                return Ok(Some(Line { conversation: front, at: entry.created_at, said }));
            }
            EntryKind::Rated => {
                let said = self.rated(entry, front)?;
                return Ok(said.map(|said| Line { conversation: front, at: entry.created_at, said }));
            }
            EntryKind::Assigned => read::<About>(entry)?.member_id.map(Happening::Assigned),
            EntryKind::Docked => Some(Happening::Docked),
            EntryKind::BotAssigned => Some(Happening::BotAssigned),
            EntryKind::HandedOff => Some(Happening::HandedOff),
            EntryKind::Released => Some(Happening::Released),
            EntryKind::Closed => Some(Happening::Closed(read::<Closed>(entry)?.reason)),
            EntryKind::GroupChanged => Some(Happening::GroupChanged(read::<GroupChangedContent>(entry)?.to)),
            kind if kind.is_message() => match (entry.sender_id, entry.sender_role) {
                (_, Some(Role::Customer)) => Some(Happening::CustomerWrote),
                (Some(sender), Some(role)) if role.is_person() => Some(Happening::StaffWrote(sender)),
                _ => None,
            },
            _ => None,
        };
        let line = |one| Line { conversation: front, at: entry.created_at, said: Said::Happens(one) };
        Ok(happening.map(line))
    }

    /// Whose matter a conversation was before the command of this rev: the log says it with the first change since, and the
    /// conversation itself when there was none.
    fn group_at(&self, facts: &Facts, rev: i64) -> Result<Option<GroupId>> {
        let behind = facts.backstage_id;
        let first = self.moves.iter().find(|(log, _, at, _)| Some(*log) == behind && *at >= rev);
        match first {
            Some((.., content)) => Ok(parse::<GroupChangedContent>(content)?.from),
            None => Ok(facts.group_id),
        }
    }

    fn rated(&self, entry: &EntryRow, front: ConversationId) -> Result<Option<Said>> {
        let Rated { close_seq, score } = read(entry)?;
        let mut before = None;
        for (log, seq, _, content) in &self.ratings {
            if *log == entry.conversation_id && *seq < entry.seq {
                let earlier = parse::<Rated>(content)?;
                before = Some(earlier.score).filter(|_| earlier.close_seq == close_seq).or(before);
            }
        }
        let judged = self.judged.get(&(front, close_seq));
        Ok(judged.map(|(at, credit)| Said::Rated { at: *at, before, score, credit: *credit }))
    }
}

fn read<'a, T: Deserialize<'a>>(entry: &'a EntryRow) -> Result<T> {
    parse(&entry.content)
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

/// All notices of a kind in these logs, in the order of each.
fn notices(
    connection: &mut AnyConnection,
    tenant: TenantId,
    kind: EntryKind,
    logs: BTreeSet<ConversationId>,
) -> Result<Vec<Notice>> {
    if logs.is_empty() {
        return Ok(Vec::new());
    }
    Ok(on!(connection, inner => group_message::table
        .filter(group_message::tenant_id.eq(tenant))
        .filter(group_message::conversation_id.eq_any(logs))
        .filter(group_message::kind.eq(kind.as_str()))
        .order((group_message::conversation_id.asc(), group_message::seq.asc()))
        .select((group_message::conversation_id, group_message::seq, group_message::rev, group_message::content))
        .load(inner))?)
}

fn judged(
    connection: &mut AnyConnection,
    tenant: TenantId,
    fronts: BTreeSet<ConversationId>,
) -> Result<Judged> {
    if fronts.is_empty() {
        return Ok(Judged::new());
    }
    type Row = (ConversationId, i64, i64, Option<MemberId>, Option<GroupId>);
    let rows: Vec<Row> = on!(connection, inner => rating::table
        .filter(rating::tenant_id.eq(tenant))
        .filter(rating::conversation_id.eq_any(fronts))
        .select((rating::conversation_id, rating::close_seq, rating::rated_at, rating::agent_id, rating::group_id))
        .load(inner))?;
    let judged =
        rows.into_iter().map(|(front, seq, at, agent, group)| ((front, seq), (at, Credit { agent, group })));
    Ok(judged.collect())
}
