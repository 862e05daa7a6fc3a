//! The functional core: one command against the working set, in plain Rust. No I/O, no clock, no randomness. Each
//! command's own rules stand in its file under `commands`; here is what they share.
//!
//! Order of checks: authenticate, duplicate look-up, permission, version, state, limits; so a retry gets its first
//! answer even after a close, a removal or the end of a window. Repeating what already holds succeeds without an
//! entry, whatever version it is based on.
//! Invariant: a command that fails has changed nothing.

mod access;
mod attachment;
mod attributes;
mod bots;
mod capacity;
mod docking;
mod groups;
pub(crate) mod log;
mod membership;
mod message;
mod offer;
mod position;
mod queue;
mod rating;
mod rooms;
mod serve;
#[cfg(test)]
mod tests;
mod timers;
mod transfer;
mod version;

use std::sync::Arc;

use super::command::{Command, Reply};
use super::working_set::{MemberFacts, WorkingSet};
use crate::domain::actor::Principal;
use crate::domain::audit::{Act, Doer};
use crate::domain::ban::BanSet;
use crate::domain::conversation::{ConversationRow, IfVersion, ParticipantRow};
use crate::domain::permission::{self, Operation, Relation, Scope};
use crate::kernel::{AuditEventId, Code, ConversationId, Error, MemberId, Result, TenantId};

/// Most staff that a conversation can have.
pub const MEMBERS_MAX: usize = 200;

/// Decides one command and, if it holds, changes the working set.
pub fn decide(set: &mut WorkingSet, command: &Command) -> Result<Reply> {
    let mut context = CommandContext::begin(set, command)?;
    let mut reply = command.action.decide(&mut context)?;
    if reply.rev == 0 {
        reply.rev = context.rev.unwrap_or(0);
    }
    Ok(reply)
}

/// One command under way.
pub(crate) struct CommandContext<'w> {
    pub(crate) set: &'w mut WorkingSet,
    pub(crate) tenant: TenantId,
    /// On whose behalf; a member with its present role.
    pub(crate) actor: Principal,
    /// Whether it is history that the command brings, which is news to nobody.
    pub(crate) imports: bool,
    /// The versions that the command may be based on.
    if_version: Option<IfVersion>,
    /// The command's rev, once it needs one.
    rev: Option<i64>,
    request_id: Option<Arc<str>>,
}

impl<'w> CommandContext<'w> {
    fn begin(set: &'w mut WorkingSet, command: &Command) -> Result<Self> {
        let mut actor = command.actor;
        let tenant = set.tenants.get(&actor.tenant()).ok_or_else(Error::not_found)?;
        let needs_access = command.action.needs_access();
        if needs_access && tenant.suspended {
            return Err(Error::new(Code::TenantSuspended, Code::TenantSuspended.meaning()));
        }
        if let Principal::Member(member) = &mut actor {
            let facts = set.members.get(&member.member).filter(|facts| facts.tenant == member.tenant);
            // Its sessions have ended, which this process may not know yet.
            if needs_access && facts.is_some_and(|facts| facts.merged_into.is_some()) {
                return Err(Error::new(Code::SessionRevoked, Code::SessionRevoked.meaning()));
            }
            let facts = facts.filter(|facts| !needs_access || facts.is_usable(set.now));
            let disabled = || Error::new(Code::AccountDisabled, Code::AccountDisabled.meaning());
            member.role = facts.ok_or_else(disabled)?.role;
            let bars = |bans: &Arc<BanSet>| bans.bars(Some(member.member), &member.origin, set.now);
            if needs_access && !member.role.is_staff() && set.bans.get(&member.tenant).is_some_and(bars) {
                return Err(Error::new(Code::Banned, Code::Banned.meaning()));
            }
        }
        let (if_version, request_id) = (command.if_version.clone(), command.request_id.clone());
        Ok(Self { tenant: actor.tenant(), set, actor, imports: false, if_version, rev: None, request_id })
    }

    /// The command's rev: the tenant's next one, taken once.
    pub(crate) fn rev(&mut self) -> i64 {
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

    /// Has the audit log tell of an act, if there is one. What the service does by itself, such as cleaning up, is nobody's act.
    pub(crate) fn note(&mut self, act: impl Into<Option<Act>>) {
        let Some(act) = act.into().filter(|_| !matches!(self.actor, Principal::System(_))) else { return };
        let request_id = self.request_id.as_deref().unwrap_or_default().to_owned();
        let doer = Doer::in_request(&self.actor, request_id);
        let facts = self.actor.member().and_then(|member| self.facts(member));
        let name = facts.map(|facts| facts.nickname.clone()).unwrap_or_default();
        let event = doer.event(AuditEventId(0), &name, self.set.now, act);
        self.set.audit.push(event);
    }

    /// The member on whose behalf the command is done, for what only a member can do.
    pub(crate) fn actor_member(&self) -> Result<MemberId> {
        self.actor.member().ok_or_else(|| Error::new(Code::Forbidden, "only a member can do this"))
    }

    /// Fails with `forbidden` for everybody but the service itself.
    pub(crate) fn require_system(&self) -> Result<()> {
        match &self.actor {
            Principal::System(_) => Ok(()),
            _ => Err(Error::new(Code::Forbidden, "only the service itself does this")),
        }
    }

    /// What is known of a member of this tenant.
    pub(crate) fn facts(&self, member: MemberId) -> Option<&MemberFacts> {
        self.set.members.get(&member).filter(|facts| facts.tenant == self.tenant)
    }

    /// A conversation or backstage log of this tenant.
    pub(crate) fn conversation(&self, id: ConversationId) -> Result<&ConversationRow> {
        let row = self.set.conversations.get(&id).filter(|row| row.tenant_id == self.tenant);
        row.ok_or_else(Error::not_found)
    }

    /// The same, to be changed.
    pub(crate) fn conversation_mut(&mut self, id: ConversationId) -> Result<&mut ConversationRow> {
        self.conversation(id)?;
        self.set.conversations.get_mut(&id).ok_or_else(Error::not_found)
    }

    /// The open support conversation under this `open_key`.
    pub(crate) fn open_conversation(&self, open_key: &str) -> Option<ConversationId> {
        self.set.open.get(&(self.tenant, open_key.to_owned())).copied()
    }

    pub(crate) fn participant(&self, front: ConversationId, member: MemberId) -> Option<&ParticipantRow> {
        self.set.participants.get(&(front, member))
    }

    pub(crate) fn participant_mut(
        &mut self,
        front: ConversationId,
        member: MemberId,
    ) -> Option<&mut ParticipantRow> {
        self.set.participants.get_mut(&(front, member))
    }

    /// The front conversation of an id: itself, or the parent of a backstage log.
    pub(crate) fn front(&self, id: ConversationId) -> Result<ConversationId> {
        Ok(self.conversation(id)?.parent_id.unwrap_or(id))
    }

    /// How far the actor may do this. The system and the operator reach the whole tenant.
    pub(crate) fn scope(&self, operation: Operation) -> Scope {
        match &self.actor {
            Principal::Member(actor) => permission::reach(actor, operation),
            Principal::System(_) | Principal::Operator(_) => Scope::Tenant,
        }
    }

    /// Fails with `forbidden` when the actor never has this right.
    pub(crate) fn allow(&self, operation: Operation) -> Result<Scope> {
        match &self.actor {
            Principal::Member(actor) => permission::require(actor, operation),
            Principal::System(_) | Principal::Operator(_) => Ok(Scope::Tenant),
        }
    }

    /// How the actor stands to a front conversation.
    pub(crate) fn relation(&self, front: ConversationId) -> Result<Relation> {
        let row = self.conversation(front)?;
        Ok(match &self.actor {
            Principal::Member(actor) => {
                let sight = self.sight_of(actor, row)?;
                let own = permission::relation(actor, row, self.participant(front, actor.member), &sight);
                match row.merged_into_id.filter(|_| own == Relation::Stranger) {
                    None => own,
                    Some(id) => {
                        let survivor = self.conversation(id)?;
                        let there = self.participant(id, actor.member);
                        let sight = self.sight_of(actor, survivor)?;
                        let there = permission::relation(actor, survivor, there, &sight);
                        permission::relation_by_merge(actor, there)
                    }
                }
            }
            Principal::System(_) | Principal::Operator(_) => Relation::Viewer,
        })
    }

    /// Checks one right on one front conversation.
    pub(crate) fn require(&self, front: ConversationId, operation: Operation) -> Result<Relation> {
        let relation = self.relation(front)?;
        if let Principal::Member(actor) = &self.actor {
            permission::check(actor, relation, operation)?;
        }
        Ok(relation)
    }

    /// Whether the actor's right on this operation reaches the whole tenant.
    pub(crate) fn oversees(&self, operation: Operation) -> bool {
        self.scope(operation) == Scope::Tenant
    }

    /// The actor and everybody who was recognised as the actor: the senders that count as oneself.
    pub(crate) fn selves(&self) -> Vec<MemberId> {
        let Some(member) = self.actor.member() else { return Vec::new() };
        let mut selves = vec![member];
        if let Some(merged) = self.set.merged.get(&member) {
            selves.extend(merged);
        }
        selves
    }
}

/// The present state of a conversation, for those whose command does not fit it.
pub(crate) fn wrong_state(row: &ConversationRow, detail: &'static str) -> Error {
    let error = Error::new(Code::InvalidTransition, detail).with("status", row.status);
    match row.agent_id {
        Some(agent) => error.with("agent_id", agent),
        None => error,
    }
}
