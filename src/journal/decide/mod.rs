//! The functional core: one command against the working set, in plain Rust. No I/O, no clock, no randomness.
//!
//! Order of checks: authenticate, duplicate look-up, permission, state, limits; so a retry gets its first answer
//! even after a close, a removal or the end of a window. Repeating what already holds succeeds without an entry.
//! Invariant: a command that fails has changed nothing.

mod access;
pub use access::MERGE_MAX;
mod conversation;
mod log;
mod membership;
mod message;
mod open;
mod position;
mod serve;
#[cfg(test)]
mod tests;

use super::command::{Action, Command, Reply};
use super::working_set::{MemberFacts, WorkingSet};
use crate::domain::actor::Actor;
use crate::domain::conversation::{ConversationRow, ParticipantRow};
use crate::domain::permission::{self, Operation, Relation};
use crate::kernel::{Code, ConversationId, Error, MemberId, Result, TenantId};

/// Most staff that a conversation can have.
pub const MEMBERS_MAX: usize = 200;

/// Decides one command and, if it holds, changes the working set.
pub fn decide(set: &mut WorkingSet, command: &Command) -> Result<Reply> {
    let mut deciding = CommandContext::begin(set, command)?;
    let mut reply = match &command.action {
        Action::Open { customer, subject, message } => deciding.open(*customer, subject, message.as_ref()),
        Action::Send { room, draft, read_seq } => deciding.send(*room, draft, *read_seq),
        Action::Edit { conversation, seq, body } => deciding.edit(*conversation, *seq, body),
        Action::Recall { conversation, seq } => deciding.recall(*conversation, *seq),
        Action::Claim { conversation } => deciding.claim(*conversation),
        Action::Assign { conversation, agent, note } => deciding.assign(*conversation, *agent, note),
        Action::Release { conversation, note } => deciding.release(*conversation, note),
        Action::Close { conversation, reason, note } => deciding.close(*conversation, *reason, note),
        Action::Reopen { conversation } => deciding.reopen(*conversation),
        Action::AddMember { conversation, member } => deciding.add_member(*conversation, *member),
        Action::RemoveMember { conversation, member } => deciding.remove_member(*conversation, *member),
        Action::Update { conversation, subject, priority, tags } => {
            deciding.update(*conversation, subject.as_deref(), *priority, tags.as_deref())
        }
        Action::Read { conversation, seq, read_ver } => deciding.read(*conversation, *seq, *read_ver),
        Action::MarkUnread { conversation, seq } => deciding.mark_unread(*conversation, *seq),
        Action::Delivered { conversation, seq } => deciding.delivered(*conversation, *seq),
        Action::Access(change) => deciding.access(change),
    }?;
    if reply.rev == 0 {
        reply.rev = deciding.rev.unwrap_or(0);
    }
    Ok(reply)
}

/// One command under way.
struct CommandContext<'w> {
    set: &'w mut WorkingSet,
    tenant: TenantId,
    /// The actor with its present role.
    actor: Actor,
    /// The command's rev, once it needs one.
    rev: Option<i64>,
}

impl<'w> CommandContext<'w> {
    fn begin(set: &'w mut WorkingSet, command: &Command) -> Result<Self> {
        let mut actor = command.actor;
        let tenant = set.tenants.get(&actor.tenant).ok_or_else(Error::not_found)?;
        let access = matches!(command.action, Action::Access(_));
        // Changes of access were authorised by the caller, which may be the operator's command line.
        if !access {
            if tenant.suspended {
                return Err(Error::new(Code::TenantSuspended, Code::TenantSuspended.meaning()));
            }
            let now = set.now;
            let facts = set.members.get(&actor.member).filter(|facts| facts.tenant == actor.tenant);
            let facts = facts.filter(|facts| facts.is_usable(now));
            let disabled = || Error::new(Code::AccountDisabled, Code::AccountDisabled.meaning());
            actor.role = facts.ok_or_else(disabled)?.role;
        }
        Ok(Self { tenant: actor.tenant, set, actor, rev: None })
    }

    /// The command's rev: the tenant's next one, taken once.
    fn rev(&mut self) -> i64 {
        if let Some(rev) = self.rev {
            return rev;
        }
        let next = match self.set.tenants.get_mut(&self.tenant) {
            Some(tenant) => {
                tenant.rev += 1;
                tenant.rev
            }
            None => 0,
        };
        self.rev = Some(next);
        next
    }

    fn facts(&self, member: MemberId) -> Option<&MemberFacts> {
        self.set.members.get(&member).filter(|facts| facts.tenant == self.tenant)
    }

    /// A room of this tenant.
    fn room(&self, id: ConversationId) -> Result<&ConversationRow> {
        let row = self.set.conversations.get(&id).filter(|row| row.tenant_id == self.tenant);
        row.ok_or_else(Error::not_found)
    }

    fn room_mut(&mut self, id: ConversationId) -> Result<&mut ConversationRow> {
        self.set.touch_conversation(id);
        let tenant = self.tenant;
        let row = self.set.conversations.get_mut(&id).filter(|row| row.tenant_id == tenant);
        row.ok_or_else(Error::not_found)
    }

    fn participant(&self, room: ConversationId, member: MemberId) -> Option<&ParticipantRow> {
        self.set.participants.get(&(room, member))
    }

    fn participant_mut(&mut self, room: ConversationId, member: MemberId) -> Option<&mut ParticipantRow> {
        if self.set.participants.contains_key(&(room, member)) {
            self.set.touch_participant((room, member));
        }
        self.set.participants.get_mut(&(room, member))
    }

    /// The front room of an id: itself, or the parent of a backstage room.
    fn front(&self, id: ConversationId) -> Result<ConversationId> {
        Ok(self.room(id)?.parent_id.unwrap_or(id))
    }

    /// How the actor stands to a front room.
    fn relation(&self, front: ConversationId) -> Result<Relation> {
        let participant = self.participant(front, self.actor.member);
        Ok(permission::relation(&self.actor, self.room(front)?, participant))
    }

    /// Checks one right on one front room.
    fn require(&self, front: ConversationId, operation: Operation) -> Result<Relation> {
        let relation = self.relation(front)?;
        permission::check(&self.actor, relation, operation)?;
        Ok(relation)
    }

    /// The actor and everybody who was recognised as the actor: the senders that count as oneself.
    fn selves(&self) -> Vec<MemberId> {
        let mut selves = vec![self.actor.member];
        if let Some(merged) = self.set.merged.get(&self.actor.member) {
            selves.extend(merged);
        }
        selves
    }
}

/// The present state of a room, for those whose command does not fit it.
fn wrong_state(room: &ConversationRow, detail: &'static str) -> Error {
    let error = Error::new(Code::InvalidTransition, detail).with("status", room.status);
    match room.agent_id {
        Some(agent) => error.with("agent_id", agent),
        None => error,
    }
}

fn about(conversation: ConversationId) -> Reply {
    Reply { conversation: Some(conversation), ..Reply::default() }
}
