//! Reads of the log for the follower: what happened to which conversation. Every function takes the tenant.
//!
//! What was imported says nothing: it is news to nobody. An imported conversation has clocks once it is reopened.

use crate::db::AnyConnection;
use crate::domain::conversation::ConversationKind;
use crate::domain::entry::{EntryKind, EntryRow};
use crate::domain::member::Role;
use crate::domain::notice::{GroupChangedContent, SlaContent};
use crate::domain::sla::clock::SlaHappening;
use crate::kernel::{ConversationId, Result, TenantId};
use crate::messages::pieces::{Closed, Merged, Piece, PriorityMove, parse};

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
/// What an entry says.
#[derive(Debug, Clone, Copy)]
pub enum Said {
    /// Something happens.
    Happens(SlaHappening),
    /// The customer goes on here with what it asked in this conversation.
    GoesOn(ConversationId),
}

/// What an entry says of a conversation.
#[derive(Debug, Clone, Copy)]
pub struct Line {
    /// Which.
    pub conversation: ConversationId,
    /// When, unix milliseconds.
    pub at: i64,
    /// The position of the entry in its log.
    pub seq: i64,
    /// What.
    pub said: Said,
}

/// What the next piece of a log says, in its order, and up to which rev this is all.
pub fn piece(
    connection: &mut AnyConnection,
    tenant: TenantId,
    window: (i64, i64),
    most: i64,
) -> Result<(Vec<Line>, i64)> {
    let piece = Piece::read(connection, tenant, &KINDS, window, most)?;
    let mut lines = Vec::with_capacity(piece.entries.len());
    for entry in piece.entries.iter().filter(|entry| !entry.is_imported()) {
        lines.extend(line(&piece, entry)?);
    }
    Ok((lines, piece.rev))
}

/// What an entry says; nothing when it counts for nothing, as notes and rooms of the staff.
fn line(piece: &Piece, entry: &EntryRow) -> Result<Option<Line>> {
    let Some(facts) = piece.facts(entry.conversation_id) else { return Ok(None) };
    let happening = match (facts.kind, entry.kind) {
        (ConversationKind::Support, EntryKind::Opened | EntryKind::Reopened) => {
            let (group, priority) = piece.stood(facts, entry.rev)?;
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
