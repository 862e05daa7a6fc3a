//! Bringing a conversation from another system, a piece at a time: with its members, its entries of past days, and where it
//! stands.
//!
//! Does not own where it comes from (`import`). Invariants: its entries are marked ([`EntryRow::is_imported`]), so that nothing
//! that waits for news takes them for such; each piece names the head that it follows, so that a piece that is repeated, or that
//! two programs bring at once, is written once; until it was told where it stands, a support conversation is closed without a
//! time of closing, and then nothing changes that any more.
//!
//! [`EntryRow::is_imported`]: crate::domain::entry::EntryRow::is_imported

use super::JournalCommand;
use crate::db::types::json_text;
use crate::domain::actor::Principal;
use crate::domain::conversation::{
    AssignmentEnd, AssignmentReason, AssignmentRow, CloseReason, ConversationKind, ConversationRow,
    ConversationStatus, MemberType, support_open_key,
};
use crate::domain::entry::EntryKind;
use crate::domain::notice::{ClosedContent, EmptyContent};
use crate::journal::command::Reply;
use crate::journal::decide::log::{Voice, new_conversation};
use crate::journal::decide::{CommandContext, MEMBERS_MAX};
use crate::journal::wants::Wants;
use crate::kernel::{AssignmentId, Code, ConversationId, Error, MemberId, Result};

/// Bring a conversation, or a piece of one, from another system. The operator's only. Errors: `busy` when the log moved: read
/// what it holds and repeat with the rest.
#[derive(Debug, Clone)]
pub struct ImportLog {
    /// Its id, taken before.
    pub conversation: ConversationId,
    /// What it is: it is made when it is not there, and who is not in it yet is let in. `None`: it is there.
    pub card: Option<PastLog>,
    /// The head that the entries follow; 0 for a new one.
    pub seq: i64,
    /// What was said, in its order.
    pub entries: Vec<PastEntry>,
    /// Where it stands, when everything is there. Of support conversations only.
    pub end: Option<PastEnd>,
}

/// What a conversation of another system is.
#[derive(Debug, Clone, Default)]
pub struct PastLog {
    /// Whose it is; `None`: a room of the staff.
    pub customer: Option<MemberId>,
    /// Who served it last.
    pub agent: Option<MemberId>,
    /// Who else of the staff is in it, and as what.
    pub staff: Vec<(MemberId, MemberType)>,
    /// What it is about; may be empty.
    pub subject: String,
    /// When it began, unix milliseconds.
    pub created_at: i64,
}

/// An entry of another system.
#[derive(Debug, Clone)]
pub struct PastEntry {
    /// Its name: one entry of the conversation has it.
    pub key: String,
    /// [`EntryKind::Text`] or [`EntryKind::Imported`].
    pub kind: EntryKind,
    /// The content, checked.
    pub content: String,
    /// Who said it; `None`: that system.
    pub sender: Option<MemberId>,
    /// The sender's name of that day; empty: that of today.
    pub name: String,
    /// The sender's avatar of that day; empty: that of today.
    pub avatar: String,
    /// When, unix milliseconds.
    pub at: i64,
    /// Whether the others have read it.
    pub read: bool,
}

/// Where a conversation of another system stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PastEnd {
    /// It is over, since then (unix milliseconds).
    Closed(i64),
    /// It waits.
    Waits,
    /// This agent serves it; it waits when the agent cannot.
    Served(MemberId),
}

impl JournalCommand for ImportLog {
    // A tenant that is closed meanwhile is the safest to import into.
    const NEEDS_ACCESS: bool = false;

    fn wants(&self, _: &Principal, wants: &mut Wants) {
        wants.conversations.insert(self.conversation);
        if let Some(card) = &self.card {
            wants.openers.extend(card.customer);
            wants.members.extend(card.customer.iter().chain(&card.agent));
            wants.members.extend(card.staff.iter().map(|(member, _)| *member));
        }
        wants.members.extend(self.entries.iter().filter_map(|entry| entry.sender));
        if let Some(PastEnd::Served(agent)) = self.end {
            wants.members.insert(agent);
            wants.agents.insert(agent);
            wants.assignments = true;
        }
    }

    fn bytes(&self) -> usize {
        self.entries.iter().map(|entry| entry.content.len() + 256).sum()
    }

    fn decide(&self, context: &mut CommandContext<'_>) -> Result<Reply> {
        if !matches!(context.actor, Principal::Operator(_)) {
            return Err(Error::new(Code::Forbidden, "only the operator imports"));
        }
        self.check(context)?;
        let assignment = AssignmentId(context.set.ids.next()?);
        context.imports = true;
        let created = context.conversation(self.conversation).is_err();
        match created {
            true => self.make(context, self.card.as_ref().ok_or_else(Error::not_found)?)?,
            false => self.card.iter().try_for_each(|card| self.let_in(context, card))?,
        }
        for entry in &self.entries {
            self.append(context, entry)?;
        }
        if let Some(end) = self.end {
            self.settle(context, end, assignment)?;
        }
        let status = context.conversation(self.conversation)?.status;
        Ok(Reply { created, status, ..Reply::about(self.conversation) })
    }
}

impl ImportLog {
    /// Everything that can fail, before anything is changed.
    fn check(&self, context: &CommandContext<'_>) -> Result<()> {
        let there = |member: &MemberId| match context.facts(*member) {
            Some(_) => Ok(()),
            None => Err(Error::new(Code::NotFound, format!("there is no member {member}"))),
        };
        if let Some(card) = &self.card {
            card.customer.iter().chain(&card.agent).try_for_each(there)?;
            card.staff.iter().map(|(member, _)| member).try_for_each(there)?;
        }
        self.entries.iter().filter_map(|entry| entry.sender.as_ref()).try_for_each(there)?;
        let customer = self.card.as_ref().and_then(|card| context.facts(card.customer?));
        if customer.is_some_and(|facts| facts.role.is_staff()) {
            return Err(Error::new(Code::Forbidden, "a conversation is a customer's"));
        }
        if self.card.as_ref().is_some_and(|card| card.staff.len() > MEMBERS_MAX) {
            return Err(Error::new(Code::LimitReached, format!("at most {MEMBERS_MAX} staff in a conversation")));
        }
        let found = context.conversation(self.conversation);
        if found.is_err() && self.card.is_none() {
            return Err(Error::not_found());
        }
        let head = found.map_or(0, |row| row.seq);
        match head == self.seq || self.entries.is_empty() {
            true => Ok(()),
            false => Err(Error::new(Code::Busy, "the log moved meanwhile").with("seq", head)),
        }
    }

    fn make(&self, context: &mut CommandContext<'_>, card: &PastLog) -> Result<()> {
        let id = self.conversation;
        let (kind, status) = match card.customer {
            Some(_) => (ConversationKind::Support, Some(ConversationStatus::Closed)),
            None => (ConversationKind::Group, None),
        };
        let row = ConversationRow {
            customer_id: card.customer,
            status,
            subject: card.subject.clone(),
            close_reason: status.map(|_| CloseReason::Resolved),
            created_at: card.created_at,
            ..new_conversation(context, id, kind)
        };
        context.set.conversations.create(id, row);
        self.notice(context, EntryKind::Opened, json_text(&EmptyContent {}), card.created_at)?;
        self.let_in(context, card)
    }

    /// Lets those in who never were.
    fn let_in(&self, context: &mut CommandContext<'_>, card: &PastLog) -> Result<()> {
        let id = self.conversation;
        let customer = card.customer.map(|customer| (customer, MemberType::Customer));
        let agent = card.agent.map(|agent| (agent, MemberType::Manager));
        for (member, kind) in customer.into_iter().chain(agent).chain(card.staff.iter().copied()) {
            if context.participant(id, member).is_none() {
                context.enter(id, member, kind)?;
            }
        }
        Ok(())
    }

    fn notice(
        &self,
        context: &mut CommandContext<'_>,
        kind: EntryKind,
        content: String,
        at: i64,
    ) -> Result<()> {
        let entry = PastEntry {
            key: format!("import:{kind}"),
            kind,
            content,
            sender: None,
            name: String::new(),
            avatar: String::new(),
            at,
            read: true,
        };
        self.append(context, &entry)
    }

    fn append(&self, context: &mut CommandContext<'_>, entry: &PastEntry) -> Result<()> {
        let id = self.conversation;
        let facts = entry.sender.and_then(|sender| context.facts(sender)).cloned();
        let of_day = |text: &str, today: Option<&String>| match text.is_empty() {
            true => today.cloned().unwrap_or_default(),
            false => text.to_owned(),
        };
        let voice = Voice {
            sender: entry.sender,
            role: facts.as_ref().map(|facts| facts.role),
            name: of_day(&entry.name, facts.as_ref().map(|facts| &facts.nickname)),
            avatar: of_day(&entry.avatar, facts.as_ref().map(|facts| &facts.avatar)),
            key: Some(entry.key.clone()),
            body_hash: None,
            at: entry.at,
        };
        let seq = context.append_as(id, entry.kind, entry.content.clone(), None, voice)?.seq;
        self.read(context, entry, seq)
    }

    /// Whoever had read everything before has read this too, when it is its own, or was read.
    fn read(&self, context: &mut CommandContext<'_>, entry: &PastEntry, seq: i64) -> Result<()> {
        let (id, rev) = (self.conversation, context.rev());
        let inside: Vec<MemberId> = context.set.participants_of(id).map(|row| row.member_id).collect();
        let (mut by_customer, mut by_staff) = (0, 0);
        for member in inside {
            let Some(row) = context.participant_mut(id, member) else { continue };
            let own = entry.sender == Some(member);
            if own {
                row.last_sent_seq = seq;
            }
            row.delivered_seq = row.delivered_seq.max(seq);
            if row.read_seq == seq - 1 && (own || entry.read || !entry.kind.is_message()) {
                row.read_seq = seq;
            }
            row.rev = rev;
            let side = match row.member_type {
                MemberType::Customer => &mut by_customer,
                MemberType::Manager | MemberType::Member | MemberType::Bot => &mut by_staff,
            };
            *side = row.read_seq.max(*side);
        }
        let row = context.conversation_mut(id)?;
        row.customer_read_seq = row.customer_read_seq.max(by_customer);
        row.staff_read_seq = row.staff_read_seq.max(by_staff);
        (row.customer_delivered_seq, row.staff_delivered_seq) = (seq, seq);
        Ok(())
    }

    /// Says where a support conversation stands that was not told yet.
    fn settle(
        &self,
        context: &mut CommandContext<'_>,
        end: PastEnd,
        assignment: AssignmentId,
    ) -> Result<()> {
        let id = self.conversation;
        let row = context.conversation(id)?;
        if row.status != Some(ConversationStatus::Closed) || row.closed_at.is_some() {
            return Ok(());
        }
        let Some(key) = row.customer_id.map(support_open_key) else { return Ok(()) };
        let last = row.last_at;
        match end {
            PastEnd::Closed(at) => self.close(context, at.max(last), assignment),
            // A customer has one open conversation: the others are over.
            _ if context.open_conversation(&key).is_some() => self.close(context, last, assignment),
            PastEnd::Waits => self.open(context, key),
            PastEnd::Served(agent) => {
                self.open(context, key)?;
                let can = context.require_staff(agent, "/agent_id").is_ok()
                    && context.require_capacity(agent, AssignmentReason::Assign).is_ok();
                // It waits when it cannot be handed over, which is found before anything is changed.
                let _handed = can && context.hand_to(id, agent, AssignmentReason::Assign, "").is_ok();
                Ok(())
            }
        }
    }

    /// Waiting begins now: what was waited elsewhere is nobody's alarm here.
    fn open(&self, context: &mut CommandContext<'_>, key: String) -> Result<()> {
        let (id, now, tenant) = (self.conversation, context.set.now, context.tenant);
        let row = context.conversation_mut(id)?;
        row.status = Some(ConversationStatus::Open);
        row.close_reason = None;
        row.open_key = Some(key.clone());
        row.wait(now, false);
        row.version += 1;
        let last_rev = row.last_rev;
        context.set.open.insert((tenant, key), id);
        let rev = context.rev();
        context.conversation_mut(id)?.rev = rev;
        context.set_active(id, true, last_rev)
    }

    fn close(
        &self,
        context: &mut CommandContext<'_>,
        at: i64,
        assignment: AssignmentId,
    ) -> Result<()> {
        let (id, tenant) = (self.conversation, context.tenant);
        let agent = self.card.as_ref().and_then(|card| card.agent);
        let began = context.conversation(id)?.created_at;
        let at = at.max(began);
        if let Some(agent) = agent {
            let row = AssignmentRow {
                id: assignment,
                tenant_id: tenant,
                conversation_id: id,
                agent_id: agent,
                reason: AssignmentReason::Assign,
                note: String::new(),
                assigned_by: None,
                started_at: began,
                ended_at: Some(at),
                end_reason: Some(AssignmentEnd::Close),
                from_agent_id: None,
                msg_count: 0,
            };
            context.set.assignments.create(assignment, row);
        }
        let reason = CloseReason::Resolved;
        self.notice(context, EntryKind::Closed, json_text(&ClosedContent { reason }), at)?;
        let row = context.conversation_mut(id)?;
        row.agent_id = agent;
        row.assigned_at = agent.map(|_| began);
        row.closed_at = Some(at);
        row.close_reason = Some(reason);
        row.version += 1;
        Ok(())
    }
}
