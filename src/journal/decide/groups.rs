//! Groups of the staff: who is in them, what their members see, and whose matter a conversation is.
//!
//! Invariants: a conversation that is not closed belongs to a group that lives, or to none; a deleted group has no
//! members; who may not use its account is in no group; the limits hold however many join at once.

use super::CommandContext;
use crate::domain::actor::{Actor, Principal};
use crate::domain::conversation::ConversationRow;
use crate::domain::entry::EntryKind;
use crate::domain::group::{GroupMemberRow, GroupMemberType, GroupRow, Sight};
use crate::domain::member::Role;
use crate::domain::notice::GroupChangedContent;
use crate::domain::permission::{Operation, Scope};
use crate::kernel::{Code, ConversationId, Error, GroupId, MemberId, Result, text};

impl CommandContext<'_> {
    /// A group of this tenant that is not deleted.
    pub(crate) fn group(&self, id: GroupId) -> Result<&GroupRow> {
        let row = self.set.groups.get(&id).filter(|row| row.tenant_id == self.tenant);
        row.filter(|row| row.deleted_at.is_none()).ok_or_else(Error::not_found)
    }

    /// The same, to be changed.
    pub(crate) fn group_mut(&mut self, id: GroupId) -> Result<&mut GroupRow> {
        self.group(id)?;
        self.set.groups.get_mut(&id).ok_or_else(Error::not_found)
    }

    /// A living group, named in a request.
    pub(crate) fn require_group(&self, id: GroupId, pointer: &'static str) -> Result<()> {
        let missing = |_| Error::field(pointer, "invalid", "there is no such group");
        self.group(id).map(drop).map_err(missing)
    }

    /// Fails with `name_taken` when another living group of the tenant has this name.
    pub(crate) fn require_free_name(&self, name: &str, own: Option<GroupId>) -> Result<()> {
        let key = text::login_name(name);
        match self.living_groups().any(|row| row.name_key.as_deref() == Some(&key) && Some(row.id) != own) {
            true => Err(Error::new(Code::NameTaken, "another group has this name")),
            false => Ok(()),
        }
    }

    /// The groups of the tenant that are not deleted, as far as they are loaded.
    pub(crate) fn living_groups(&self) -> impl Iterator<Item = &GroupRow> {
        let tenant = self.tenant;
        let living = move |row: &&GroupRow| row.tenant_id == tenant && row.deleted_at.is_none();
        self.set.groups.values().filter(living)
    }

    /// What the actor sees of conversations by its groups, as far as this conversation is concerned.
    pub(super) fn sight_of(&self, actor: &Actor, conversation: &ConversationRow) -> Result<Sight> {
        if conversation.group_id.is_none() || actor.role == Role::Customer {
            return Ok(Sight::whole());
        }
        if !self.set.known_sights.contains(&actor.member) {
            return Err(Error::internal(format!("the groups of member {} were not loaded", actor.member)));
        }
        Ok(Sight::of(actor.role, self.groups_of(actor.member).map(|row| row.group_id)))
    }

    /// Where the member is in, as far as it is loaded.
    pub(crate) fn groups_of(&self, member: MemberId) -> impl Iterator<Item = &GroupMemberRow> {
        let rows = self.set.group_members.values();
        rows.filter(move |row| row.member_id == member && row.left_at.is_none())
    }

    /// Who is in the group, as far as it is loaded.
    pub(crate) fn roster(&self, group: GroupId) -> impl Iterator<Item = &GroupMemberRow> {
        let range = (group, MemberId(i64::MIN))..=(group, MemberId(i64::MAX));
        self.set.group_members.range(range).filter(|row| row.left_at.is_none())
    }

    /// Fails with `group_empty` unless somebody in the group, but for this one, could serve a conversation.
    pub(crate) fn require_somebody(&self, group: GroupId, but: Option<MemberId>) -> Result<()> {
        let now = self.set.now;
        let usable =
            |member| self.facts(member).is_some_and(|one| one.role.is_person() && one.is_usable(now));
        match self.roster(group).any(|row| Some(row.member_id) != but && usable(row.member_id)) {
            true => Ok(()),
            false => Err(Error::new(Code::GroupEmpty, Code::GroupEmpty.meaning()).with("group_id", group)),
        }
    }

    /// As what a member is in a group now.
    pub(crate) fn stands_as(&self, group: GroupId, member: MemberId) -> Option<GroupMemberType> {
        self.set.group_members.get(&(group, member)).and_then(GroupMemberRow::stands_as)
    }

    /// Fails unless the actor may add and remove members of this group: administrators of any, others of those that
    /// they manage. Tells how far it may.
    pub(crate) fn require_group_management(&self, group: GroupId) -> Result<Scope> {
        let scope = self.allow(Operation::ManageGroupMembers)?;
        let Principal::Member(actor) = &self.actor else { return Ok(scope) };
        let manages = self.stands_as(group, actor.member) == Some(GroupMemberType::Manager);
        match scope == Scope::Tenant || manages {
            true => Ok(scope),
            false => Err(Error::new(Code::Forbidden, "only administrators and the group's managers may")),
        }
    }

    /// Puts a member into a group, or gives it another place there.
    pub(crate) fn place(&mut self, group: GroupId, member: MemberId, member_type: GroupMemberType) {
        let (rev, now, tenant_id) = (self.rev(), self.set.now, self.tenant);
        match self.set.group_members.get_mut(&(group, member)) {
            Some(row) => {
                if row.left_at.take().is_some() {
                    row.created_at = now;
                }
                row.member_type = member_type;
                row.rev = rev;
            }
            None => {
                let row = GroupMemberRow {
                    group_id: group,
                    member_id: member,
                    tenant_id,
                    member_type,
                    rev,
                    created_at: now,
                    left_at: None,
                };
                self.set.group_members.create((group, member), row);
            }
        }
        self.set.follows.begin(tenant_id, group, member);
    }

    /// Takes a member out of a group that it is in.
    pub(crate) fn displace(&mut self, group: GroupId, member: MemberId) {
        let (rev, now) = (self.rev(), self.set.now);
        if let Some(row) = self.set.group_members.get_mut(&(group, member)) {
            row.left_at = Some(now);
            row.rev = rev;
        }
        self.set.follows.begin(self.tenant, group, member);
    }

    /// Takes a member out of every group that it is in. Fails when the command did not want its groups.
    pub(crate) fn leave_all_groups(&mut self, member: MemberId) -> Result<()> {
        if !self.set.known_sights.contains(&member) {
            return Err(Error::internal(format!("the groups of member {member} were not loaded")));
        }
        let groups: Vec<GroupId> = self.groups_of(member).map(|row| row.group_id).collect();
        groups.into_iter().for_each(|group| self.displace(group, member));
        Ok(())
    }

    /// Makes a conversation the matter of a group, or of none, and tells the staff. The caller moves the version.
    pub(crate) fn move_to_group(&mut self, front: ConversationId, to: Option<GroupId>) -> Result<()> {
        let log = self.backstage(front)?;
        let from = self.conversation(front)?.group_id;
        self.append_notice(log, EntryKind::GroupChanged, &GroupChangedContent { from, to }, None)?;
        self.conversation_mut(front)?.group_id = to;
        Ok(())
    }
}
