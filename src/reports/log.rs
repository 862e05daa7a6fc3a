//! Reads of the log for the follower: what happened to which conversation. Every function takes the tenant.

use std::collections::{BTreeSet, HashMap};

use diesel::prelude::*;
use serde::Deserialize;

use crate::db::AnyConnection;
use crate::db::schema::rating;
use crate::domain::conversation::ConversationKind;
use crate::domain::entry::{EntryKind, EntryRow};
use crate::domain::member::Role;
use crate::domain::notice::GroupChangedContent;
use crate::domain::report::stretch::Happening;
use crate::domain::report::tally::Credit;
use crate::kernel::{ConversationId, GroupId, MemberId, Result, TenantId};
use crate::messages::pieces::{Closed, Merged, Notice, Piece, notices, parse};
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
struct Rated {
    close_seq: i64,
    score: i16,
}

/// Who is judged by the rating of an end, and when it was given first.
type Judged = HashMap<(ConversationId, i64), (i64, Credit)>;

/// What the next piece of a log says, in its order, and up to which rev this is all.
pub fn piece(
    connection: &mut AnyConnection,
    tenant: TenantId,
    window: (i64, i64),
    most: i64,
) -> Result<(Vec<Line>, i64)> {
    let piece = Piece::read(connection, tenant, &KINDS, window, most)?;
    let rated = piece.entries.iter().filter(|entry| entry.kind == EntryKind::Rated);
    let rated: BTreeSet<ConversationId> = rated.map(|entry| entry.conversation_id).collect();
    let fronts = rated.iter().filter_map(|id| piece.facts(*id)?.parent_id).collect();
    let ratings = notices(connection, tenant, &[EntryKind::Rated], rated)?;
    let sources = Sources { judged: judged(connection, tenant, fronts)?, piece, ratings };
    let mut lines = Vec::with_capacity(sources.piece.entries.len());
    for entry in &sources.piece.entries {
        lines.extend(sources.line(entry)?);
    }
    Ok((lines, sources.piece.rev))
}

struct Sources {
    piece: Piece,
    ratings: Vec<Notice>,
    judged: Judged,
}

impl Sources {
    /// What an entry says; nothing when it counts for nothing, as notes and rooms of the staff.
    fn line(&self, entry: &EntryRow) -> Result<Option<Line>> {
        let Some(facts) = self.piece.facts(entry.conversation_id) else { return Ok(None) };
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
                let (group, _) = self.piece.stood(facts, entry.rev)?;
                let said = Said::Begins(group);
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

    fn rated(&self, entry: &EntryRow, front: ConversationId) -> Result<Option<Said>> {
        let Rated { close_seq, score } = read(entry)?;
        let mut before = None;
        for notice in &self.ratings {
            if notice.conversation_id == entry.conversation_id && notice.seq < entry.seq {
                let earlier = parse::<Rated>(&notice.content)?;
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
