//! Changing a member's role, state, end or parent, or deleting it.
//!
//! Owns what must hold of a tenant's accounts together, however many change at once: a tenant keeps an administrator,
//! nobody becomes staff or customer by a change of role, and a sub-account's role is at most its parent's.

use super::JournalCommand;
use crate::domain::actor::Principal;
use crate::domain::audit::Act;
use crate::domain::conversation::{
    AssignmentEnd, CloseReason, ConversationStatus, HandOffReason, MemberType, support_open_key,
};
use crate::domain::member::{MemberStatus, Role};
use crate::journal::command::Reply;
use crate::journal::decide::CommandContext;
use crate::journal::wants::{PIECE, Wants};
use crate::journal::working_set::MemberFacts;
use crate::kernel::{Code, ConversationId, Error, MemberId, Result};

/// Change a member's role, state, end or parent, or delete it. Ends its live sockets; a member that is disabled,
/// deleted or past its end also loses its sessions, and leaves its groups, its rooms and the conversations that are not
/// closed: those that it served wait again. A member of the staff with a lower role than before leaves those that it only joined. About
/// [`PIECE`] conversations are left in one command: while the answer says `more`, the command is repeated.
#[derive(Debug, Clone)]
pub struct ChangeMember {
    /// Whom.
    pub member: MemberId,
    /// The new role, on the same side: staff or customer.
    pub role: Option<Role>,
    /// The new state.
    pub status: Option<MemberStatus>,
    /// The new end of the account; `Some(None)` takes it away.
    pub expires_at: Option<Option<i64>>,
    /// The new parent; `Some(None)` takes it away.
    pub parent_id: Option<Option<MemberId>>,
    /// Soft delete: the login name and external id become free.
    pub delete: bool,
    /// An earlier command lowered the role, and conversations to leave were left over.
    pub demoted: bool,
}

impl ChangeMember {
    /// A change of this member that changes nothing yet. Submitted as it is, it lets a member that may not use its
    /// account leave its conversations.
    pub const fn of(member: MemberId) -> Self {
        Self {
            member,
            role: None,
            status: None,
            expires_at: None,
            parent_id: None,
            delete: false,
            demoted: false,
        }
    }
}

impl JournalCommand for ChangeMember {
    const NEEDS_ACCESS: bool = false;

    fn wants(&self, _: &Principal, wants: &mut Wants) {
        wants.members.insert(self.member);
        wants.members.extend(self.parent_id.flatten());
        wants.sessions.insert(self.member);
        wants.changing.insert(self.member);
        if self.delete {
            wants.openers.insert(self.member);
        }
        wants.assignments = true;
        wants.agents.insert(self.member);
        wants.sights.insert(self.member);
    }

    fn decide(&self, context: &mut CommandContext<'_>) -> Result<Reply> {
        let before = context.facts(self.member).ok_or_else(Error::not_found)?.clone();
        let after = MemberFacts {
            role: self.role.unwrap_or(before.role),
            status: self.status.unwrap_or(before.status),
            deleted: before.deleted || self.delete,
            expires_at: self.expires_at.unwrap_or(before.expires_at),
            parent_id: self.parent_id.unwrap_or(before.parent_id),
            ..before.clone()
        };
        // First: of two administrators who end each other at once, the second learns why, though it is none any more.
        check_administrators(context, &before, &after)?;
        context.require_management(self.member)?;
        if before.role.is_staff() != after.role.is_staff() {
            let detail = "a customer never becomes staff, nor staff a customer: make another account";
            return Err(Error::field("/role", "customer_or_staff", detail));
        }
        if (before.role == Role::Bot) != (after.role == Role::Bot) {
            let detail = "a bot never becomes a person, nor a person a bot: make another account";
            return Err(Error::field("/role", "invalid", detail));
        }
        check_family(context, &before, &after)?;
        if after != before {
            context.note(match after.deleted && !before.deleted {
                true => Some(Act::deleted(&before)),
                false => Act::updated(&before, &after),
            });
            let rev = context.rev();
            if let Some(facts) = context.set.members.get_mut(&self.member) {
                *facts = MemberFacts { rev, ..after.clone() };
            }
            // Nobody is left to answer: what the customer still had open ends.
            if self.delete
                && after.role == Role::Customer
                && let Some(open) = context.open_conversation(&support_open_key(self.member))
            {
                context.end(open, CloseReason::CustomerDeleted)?;
            }
            if after.deleted || after.status == MemberStatus::Disabled {
                let reason = if after.deleted { "deleted" } else { "disabled" };
                context.revoke(self.member, |_| true, reason);
            } else if !after.is_usable(context.set.now) {
                context.revoke(self.member, |_| true, "expired");
            }
        }
        let more = self.leave_conversations(context, &before, &after)?;
        Ok(Reply { more, ..Reply::default() })
    }
}

impl ChangeMember {
    /// Takes the member out of the conversations where it has no more business. Tells whether some are left over.
    fn leave_conversations(
        &self,
        context: &mut CommandContext<'_>,
        before: &MemberFacts,
        after: &MemberFacts,
    ) -> Result<bool> {
        let gone = !after.is_usable(context.set.now);
        let demoted = self.demoted || after.role < before.role;
        // A customer's conversation stays its own.
        if !after.role.is_staff() || !(gone || demoted) {
            return Ok(false);
        }
        if gone {
            context.sign_off(self.member)?;
            context.leave_all_groups(self.member)?;
        }
        let leaves = |kind: MemberType| {
            kind == MemberType::Member || (gone && matches!(kind, MemberType::Manager | MemberType::Bot))
        };
        let inside = context.set.inside.iter();
        let mut inside = inside.filter(|((member, kind), _)| *member == self.member && leaves(*kind));
        let rooms = context.set.rooms.get(&self.member).map_or(0, Vec::len);
        let more = inside.any(|(_, conversations)| conversations.len() > PIECE) || (gone && rooms > PIECE);
        // Also what was claimed or joined earlier in this batch.
        let rows = context.set.participants.values();
        let left: Vec<ConversationId> = rows
            .filter(|row| row.member_id == self.member && row.active && leaves(row.member_type))
            // Where it is by a group, it follows the group.
            .filter(|row| row.group_id.is_none())
            .map(|row| row.conversation_id)
            .collect();
        for front in left {
            let row = context.conversation(front)?;
            if row.kind.is_room() {
                // A lower role is no reason to leave a room.
                if gone {
                    context.leave_room(front, self.member)?;
                }
                continue;
            }
            let serves = row.agent_id == Some(self.member) && row.status == Some(ConversationStatus::Pending);
            if row.bot() == Some(self.member) {
                context.hand_off(front, HandOffReason::BotGone, "")?;
                continue;
            }
            match serves {
                true => context.free(front, AssignmentEnd::AgentGone, "")?,
                false => context.go(front, self.member)?,
            }
        }
        Ok(more)
    }
}

/// A sub-account's role is at most its parent's, the parent is staff, and there is one level only. A parent that was
/// deleted binds nobody.
fn check_family(context: &CommandContext<'_>, before: &MemberFacts, after: &MemberFacts) -> Result<()> {
    let wrong = |pointer: &'static str, detail: &str| Err(Error::field(pointer, "invalid", detail));
    let moved = after.parent_id != before.parent_id;
    if !moved && after.role == before.role {
        return Ok(());
    }
    let below = || {
        let members = context.set.members.values();
        members.filter(|one| one.tenant == context.tenant && one.parent_id == Some(after.id) && !one.deleted)
    };
    if below().any(|one| one.role > after.role) {
        return wrong("/role", "a sub-account has a higher role");
    }
    let Some(parent) = after.parent_id else { return Ok(()) };
    let Some(parent) = context.facts(parent).filter(|parent| !parent.deleted) else {
        return if moved { wrong("/parent_id", "there is no such member") } else { Ok(()) };
    };
    if !parent.role.is_staff() || parent.role < after.role {
        let pointer = if moved { "/parent_id" } else { "/role" };
        return wrong(pointer, "a sub-account's role is at most its parent's, and the parent is staff");
    }
    if moved && (parent.parent_id.is_some() || parent.id == after.id) {
        return wrong("/parent_id", "a sub-account has no sub-accounts");
    }
    if moved && below().next().is_some() {
        return wrong("/parent_id", "this account has sub-accounts itself");
    }
    Ok(())
}

/// A tenant that has an administrator keeps one; if one of them has no end, there stays one without an end.
fn check_administrators(
    context: &CommandContext<'_>,
    before: &MemberFacts,
    after: &MemberFacts,
) -> Result<()> {
    let now = context.set.now;
    // A program does not sign in, so it runs no tenant.
    let runs = |one: &MemberFacts| one.role == Role::Admin && !one.service_account && one.is_usable(now);
    let lasts = |one: &MemberFacts| runs(one) && one.expires_at.is_none();
    let others = || {
        let members = context.set.members.values();
        members.filter(|one| one.tenant == context.tenant && one.id != before.id)
    };
    let loses = |fits: &dyn Fn(&MemberFacts) -> bool| fits(before) && !fits(after) && !others().any(fits);
    match loses(&runs) || loses(&lasts) {
        true => Err(Error::new(Code::LastAdmin, Code::LastAdmin.meaning())),
        false => Ok(()),
    }
}
