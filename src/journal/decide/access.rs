//! Who may come in: revoked sessions, changed members, recognised visitors, suspended tenants. Authorised by the
//! caller; here only what must share a rev with the log is done.

use serde_json::json;

use super::CommandContext;
use crate::domain::conversation::{CloseReason, ConversationStatus, MemberType, support_open_key};
use crate::domain::entry::EntryKind;
use crate::domain::member::{MemberStatus, Role};
use crate::journal::command::{AccessChange, Reply};
use crate::journal::working_set::RevokedSession;
use crate::kernel::{Code, ConversationId, Error, MemberId, Result, SessionId};

/// Most conversations that one command moves to a recognised customer.
pub const MERGE_MAX: usize = 100;

impl CommandContext<'_> {
    pub(super) fn access(&mut self, change: &AccessChange) -> Result<Reply> {
        match change {
            AccessChange::RevokeSessions { member, only, except, reason } => {
                self.facts(*member).ok_or_else(Error::not_found)?;
                self.revoke(
                    *member,
                    |session| {
                        only.is_none_or(|only| only == session)
                            && except.is_none_or(|except| except != session)
                    },
                    reason,
                );
            }
            AccessChange::Member { member, role, status, delete } => {
                self.change_member(*member, *role, *status, *delete)?;
            }
            AccessChange::Merge { from, into } => return self.merge(*from, *into),
            AccessChange::Tenant { suspended } => self.suspend(*suspended),
        }
        Ok(Reply::default())
    }

    fn revoke(&mut self, member: MemberId, which: impl Fn(SessionId) -> bool, reason: &'static str) {
        let sessions = self.set.sessions.get(&member).cloned().unwrap_or_default();
        let ended: Vec<_> = sessions.iter().copied().filter(|session| which(*session)).collect();
        for session in &ended {
            let rev = self.rev();
            let (tenant, session) = (self.tenant, *session);
            self.set.revoked_sessions.push(RevokedSession { session, member, tenant, reason, rev });
        }
        if let Some(live) = self.set.sessions.get_mut(&member) {
            live.retain(|session| !ended.contains(session));
        }
    }

    fn change_member(
        &mut self,
        member: MemberId,
        role: Option<Role>,
        status: Option<MemberStatus>,
        delete: bool,
    ) -> Result<()> {
        let facts = self.facts(member).ok_or_else(Error::not_found)?;
        let role = role.unwrap_or(facts.role);
        let status = status.unwrap_or(facts.status);
        let deleted = facts.deleted || delete;
        if (role, status, deleted) == (facts.role, facts.status, facts.deleted) {
            return Ok(());
        }
        let rev = self.rev();
        if let Some(facts) = self.set.members.get_mut(&member) {
            facts.role = role;
            facts.status = status;
            facts.deleted = deleted;
        }
        self.set.changed_members.insert(member, rev);
        if deleted || status == MemberStatus::Disabled {
            self.revoke(member, |_| true, if deleted { "deleted" } else { "disabled" });
        }
        Ok(())
    }

    fn suspend(&mut self, suspended: bool) {
        let tenant = self.tenant;
        if self.set.tenants.get(&tenant).is_some_and(|facts| facts.suspended == suspended) {
            return;
        }
        let rev = self.rev();
        if let Some(facts) = self.set.tenants.get_mut(&tenant) {
            facts.suspended = suspended;
        }
        self.set.changed_tenants.insert(tenant, rev);
    }

    /// An anonymous visitor turned out to be a known customer: its rooms change customer by an entry, senders keep
    /// their stamp, and of two open conversations the anonymous one closes.
    fn merge(&mut self, from: MemberId, into: MemberId) -> Result<Reply> {
        let source = self.facts(from).ok_or_else(Error::not_found)?;
        let target = self.facts(into).filter(|facts| facts.is_usable(self.set.now));
        let target =
            target.ok_or_else(|| Error::new(Code::AccountDisabled, Code::AccountDisabled.meaning()))?;
        if source.role != Role::Customer || target.role != Role::Customer || from == into {
            return Err(Error::new(Code::Forbidden, "only one customer can be recognised as another"));
        }
        if source.merged_into.is_some_and(|known| known != into) {
            return Err(Error::new(Code::SessionRevoked, "this visitor was recognised as somebody else"));
        }
        let rooms = self.set.owned.get(&from).cloned().unwrap_or_default();
        let more = rooms.len() > MERGE_MAX;
        for room in rooms.into_iter().take(MERGE_MAX) {
            self.move_room(room, from, into)?;
        }
        if !more {
            let rev = self.rev();
            if let Some(facts) = self.set.members.get_mut(&from) {
                facts.merged_into = Some(into);
            }
            self.set.changed_members.insert(from, rev);
            self.revoke(from, |_| true, "merged");
        }
        Ok(Reply { more, ..Reply::default() })
    }

    fn move_room(&mut self, front: ConversationId, from: MemberId, into: MemberId) -> Result<()> {
        if self.room(front)?.customer_id != Some(from) {
            return Ok(());
        }
        let (tenant, key) = (self.tenant, support_open_key(into));
        let open = self.room(front)?.status != Some(ConversationStatus::Closed);
        if open && self.set.open.contains_key(&(tenant, key.clone())) {
            self.end(front, CloseReason::Merged)?;
        }
        let card = self.public_card(into);
        self.append_notice(front, EntryKind::CustomerChanged, &json!({ "customer": card }), None)?;
        let room = self.room_mut(front)?;
        room.customer_id = Some(into);
        room.version += 1;
        if let Some(old) = room.open_key.take() {
            room.open_key = Some(key.clone());
            self.set.open.remove(&(tenant, old));
            self.set.open.insert((tenant, key), front);
        }
        self.leave(front, from)?;
        self.enter(front, into, MemberType::Customer)
    }
}
