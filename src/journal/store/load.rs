//! The store as a source of working sets: each question of [`Source`] as one query.

use std::collections::BTreeMap;

use diesel::prelude::*;

use super::load_docked;
use super::lookup;
use super::one_of::on_list;
use crate::db::AnyConnection;
use crate::db::schema::{
    agent_connection, agent_status, auth_session, chat_group, conversation, conversation_member,
    group_member, member, tenant, transfer,
};
use crate::db::time;
use crate::domain::conversation::{
    ConversationKind, ConversationRow, ConversationStatus, MemberType, ParticipantRow,
};
use crate::domain::entry::EntryRow;
use crate::domain::group::{GroupMemberRow, GroupRow};
use crate::domain::member::{MemberStatus, Role};
use crate::domain::presence::{AgentStatusRow, Sighting};
use crate::domain::tenant::{TenantSettings, TenantStatus};
use crate::domain::transfer::TransferRow;
use crate::journal::wants::{MessageKey, OpeningKey, Source};
use crate::journal::working_set::{MemberFacts, TenantFacts};
use crate::kernel::{ConversationId, GroupId, MemberId, Result, SessionId, TenantId};

type MemberColumns = (
    MemberId,
    TenantId,
    Role,
    MemberStatus,
    Option<i64>,
    Option<i64>,
    String,
    String,
    Option<MemberId>,
    Option<MemberId>,
    i32,
    i64,
    bool,
);

#[diesel::dsl::auto_type(no_type_alias)]
fn member_columns() -> _ {
    #[allow(clippy::type_complexity, reason = "a list of columns, as Diesel has it")]
    let columns: (
        member::id,
        member::tenant_id,
        member::role,
        member::status,
        member::deleted_at,
        member::expires_at,
        member::nickname,
        member::avatar,
        member::merged_into,
        member::parent_id,
        member::max_accept,
        member::rev,
        member::service_account,
    ) = (
        member::id,
        member::tenant_id,
        member::role,
        member::status,
        member::deleted_at,
        member::expires_at,
        member::nickname,
        member::avatar,
        member::merged_into,
        member::parent_id,
        member::max_accept,
        member::rev,
        member::service_account,
    );
    member::table.select(columns)
}

fn facts(columns: MemberColumns) -> MemberFacts {
    let (
        id,
        tenant,
        role,
        status,
        deleted_at,
        expires_at,
        nickname,
        avatar,
        merged_into,
        parent_id,
        max_accept,
        rev,
        service_account,
    ) = columns;
    MemberFacts {
        id,
        tenant,
        role,
        status,
        deleted: deleted_at.is_some(),
        expires_at,
        nickname,
        avatar,
        merged_into,
        parent_id,
        max_accept: i64::from(max_accept),
        rev,
        service_account,
    }
}

impl Source for AnyConnection {
    fn tenants(&mut self, ids: &[TenantId]) -> Result<Vec<(TenantId, TenantFacts)>> {
        let rows: Vec<(TenantId, String, String, i64, i64)> =
            on_list!(self, tenant::id, ids, |inner, among| tenant::table
                .filter(among)
                .select((tenant::id, tenant::status, tenant::settings, tenant::rev, tenant::bans_version))
                .load(inner))?;
        let facts = rows.into_iter().map(|(id, status, settings, state_rev, bans_version)| {
            // Settings that cannot be read are those of a new tenant: they were checked when they were stored.
            let settings: TenantSettings = serde_json::from_str(&settings).unwrap_or_default();
            let facts = TenantFacts {
                rev: 0,
                suspended: status == TenantStatus::Suspended.as_str(),
                state_rev,
                settings,
                bans_version,
            };
            (id, facts)
        });
        Ok(facts.collect())
    }

    fn members(&mut self, ids: &[MemberId]) -> Result<Vec<MemberFacts>> {
        let rows: Vec<MemberColumns> =
            on_list!(self, member::id, ids, |inner, among| member_columns().filter(among).load(inner))?;
        Ok(rows.into_iter().map(facts).collect())
    }

    fn merged_into(&mut self, ids: &[MemberId]) -> Result<Vec<(MemberId, MemberId)>> {
        let rows: Vec<(Option<MemberId>, MemberId)> =
            on_list!(self, member::merged_into, ids, |inner, among| member::table
                .filter(among)
                .select((member::merged_into, member::id))
                .load(inner))?;
        Ok(rows.into_iter().filter_map(|(into, from)| Some((into?, from))).collect())
    }

    fn sessions(&mut self, tenants: &[TenantId], ids: &[MemberId]) -> Result<Vec<(MemberId, SessionId)>> {
        Ok(on_list!(self, auth_session::member_id, ids, |inner, among| auth_session::table
            .filter(auth_session::tenant_id.eq_any(tenants))
            .filter(among)
            .filter(auth_session::revoked_at.is_null())
            .order(auth_session::id.asc())
            .select((auth_session::member_id, auth_session::id))
            .load(inner))?)
    }

    fn conversations(&mut self, ids: &[ConversationId]) -> Result<Vec<ConversationRow>> {
        Ok(on_list!(self, conversation::id, ids, |inner, among| conversation::table
            .filter(among)
            .select(ConversationRow::as_select())
            .load(inner))?)
    }

    fn open_conversations(&mut self, tenants: &[TenantId], keys: &[String]) -> Result<Vec<ConversationRow>> {
        Ok(on_list!(self, conversation::open_key, keys, |inner, among| conversation::table
            .filter(conversation::tenant_id.eq_any(tenants))
            .filter(among)
            .select(ConversationRow::as_select())
            .load(inner))?)
    }

    fn owned(&mut self, tenants: &[TenantId], owner: MemberId, limit: usize) -> Result<Vec<ConversationId>> {
        Ok(conversation::table
            .filter(conversation::customer_id.eq(owner))
            .filter(conversation::tenant_id.eq_any(tenants.to_vec()))
            .order(conversation::id.asc())
            .limit(i64::try_from(limit).unwrap_or(i64::MAX))
            .select(conversation::id)
            .load(self)?)
    }

    fn administrators(&mut self, tenant: TenantId, now: i64, limit: usize) -> Result<Vec<MemberFacts>> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let usable = || {
            member_columns()
                .filter(member::tenant_id.eq(tenant))
                .filter(member::role.eq(Role::Admin))
                .filter(member::service_account.eq(false))
                .filter(member::status.eq(MemberStatus::Enabled))
                .filter(member::deleted_at.is_null())
                .limit(limit)
        };
        let mut rows: Vec<MemberColumns> = usable().filter(member::expires_at.is_null()).load(self)?;
        rows.extend(usable().filter(member::expires_at.gt(now)).load::<MemberColumns>(self)?);
        Ok(rows.into_iter().map(facts).collect())
    }

    fn below(&mut self, parent: MemberId, limit: usize) -> Result<Vec<MemberFacts>> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let below = || {
            member_columns()
                .filter(member::parent_id.eq(parent))
                .filter(member::deleted_at.is_null())
                .limit(limit)
        };
        let mut rows: Vec<MemberColumns> = below().filter(member::role.eq(Role::Agent)).load(self)?;
        rows.extend(below().filter(member::role.ne(Role::Agent)).load::<MemberColumns>(self)?);
        Ok(rows.into_iter().map(facts).collect())
    }

    fn inside(
        &mut self,
        tenants: &[TenantId],
        member: MemberId,
        kind: MemberType,
        limit: usize,
    ) -> Result<Vec<ConversationId>> {
        Ok(conversation_member::table
            .inner_join(conversation::table.on(conversation::id.eq(conversation_member::conversation_id)))
            .filter(conversation_member::member_id.eq(member))
            .filter(conversation_member::active.eq(true))
            .filter(conversation_member::member_type.eq(kind))
            .filter(conversation_member::group_id.is_null())
            .filter(conversation::kind.eq(ConversationKind::Support))
            .filter(conversation_member::tenant_id.eq_any(tenants.to_vec()))
            .order(conversation_member::conversation_id.asc())
            .limit(i64::try_from(limit).unwrap_or(i64::MAX))
            .select(conversation_member::conversation_id)
            .load(self)?)
    }

    fn rooms(&mut self, tenants: &[TenantId], member: MemberId, limit: usize) -> Result<Vec<ConversationId>> {
        Ok(conversation_member::table
            .inner_join(conversation::table.on(conversation::id.eq(conversation_member::conversation_id)))
            .filter(conversation_member::member_id.eq(member))
            .filter(conversation_member::active.eq(true))
            .filter(conversation::kind.ne(ConversationKind::Support))
            .filter(conversation_member::tenant_id.eq_any(tenants.to_vec()))
            .order(conversation_member::conversation_id.asc())
            .limit(i64::try_from(limit).unwrap_or(i64::MAX))
            .select(conversation_member::conversation_id)
            .load(self)?)
    }

    fn agents(&mut self, ids: &[MemberId]) -> Result<Vec<AgentStatusRow>> {
        Ok(on_list!(self, agent_status::member_id, ids, |inner, among| agent_status::table
            .filter(among)
            .select(AgentStatusRow::as_select())
            .load(inner))?)
    }

    fn groups(&mut self, ids: &[GroupId]) -> Result<Vec<GroupRow>> {
        Ok(on_list!(self, chat_group::id, ids, |inner, among| chat_group::table
            .filter(among)
            .select(GroupRow::as_select())
            .load(inner))?)
    }

    fn living_groups(&mut self, tenant: TenantId) -> Result<Vec<GroupRow>> {
        Ok(chat_group::table
            .filter(chat_group::tenant_id.eq(tenant))
            .filter(chat_group::name_key.is_not_null())
            .select(GroupRow::as_select())
            .load(self)?)
    }

    fn rosters(&mut self, groups: &[GroupId]) -> Result<Vec<GroupMemberRow>> {
        Ok(on_list!(self, group_member::group_id, groups, |inner, among| group_member::table
            .filter(among)
            .filter(group_member::left_at.is_null())
            .select(GroupMemberRow::as_select())
            .load(inner))?)
    }

    fn memberships(&mut self, members: &[MemberId]) -> Result<Vec<GroupMemberRow>> {
        Ok(on_list!(self, group_member::member_id, members, |inner, among| group_member::table
            .filter(among)
            .filter(group_member::left_at.is_null())
            .select(GroupMemberRow::as_select())
            .load(inner))?)
    }

    fn places(&mut self, groups: &[GroupId], members: &[MemberId]) -> Result<Vec<GroupMemberRow>> {
        let (members, groups) = (members.to_vec(), groups);
        Ok(on_list!(self, group_member::group_id, groups, |inner, among| group_member::table
            .filter(among)
            .filter(group_member::member_id.eq_any(members))
            .select(GroupMemberRow::as_select())
            .load(inner))?)
    }

    fn of_group(
        &mut self,
        tenants: &[TenantId],
        group: GroupId,
        limit: usize,
    ) -> Result<Vec<ConversationId>> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let mut found = Vec::new();
        for status in [ConversationStatus::Open, ConversationStatus::Pending] {
            let ids: Vec<ConversationId> = conversation::table
                .filter(conversation::tenant_id.eq_any(tenants.to_vec()))
                .filter(conversation::group_id.eq(group))
                .filter(conversation::status.eq(status))
                .order(conversation::id.asc())
                .limit(limit)
                .select(conversation::id)
                .load(self)?;
            found.extend(ids);
        }
        Ok(found)
    }

    fn docked(
        &mut self,
        tenants: &[TenantId],
        group: GroupId,
        without: Option<MemberId>,
        limit: usize,
    ) -> Result<Vec<ConversationId>> {
        load_docked::of_group(self, tenants, group, without, limit)
    }

    fn waiting_for(
        &mut self,
        tenants: &[TenantId],
        group: GroupId,
        limit: usize,
    ) -> Result<Vec<ConversationId>> {
        load_docked::waiting_for(self, tenants, group, limit)
    }

    fn inside_by(
        &mut self,
        tenants: &[TenantId],
        group: GroupId,
        member: MemberId,
        limit: usize,
    ) -> Result<Vec<ConversationId>> {
        load_docked::inside_by(self, tenants, group, member, limit)
    }

    fn sightings(&mut self, ids: &[MemberId]) -> Result<Vec<(MemberId, Sighting)>> {
        let rows: Vec<(MemberId, i64, i64)> =
            on_list!(self, agent_connection::member_id, ids, |inner, among| agent_connection::table
                .filter(among)
                .select((
                    agent_connection::member_id,
                    agent_connection::leased_until,
                    agent_connection::seen_at
                ))
                .load(inner))?;
        // By the database's clock, on which the processes agree that write the leases.
        let now = time::now(self)?;
        let mut all: BTreeMap<MemberId, Sighting> = BTreeMap::new();
        for (member, leased_until, seen_at) in rows {
            let sighting = match leased_until > now {
                true => Sighting::Live,
                false => Sighting::Silent(now - seen_at),
            };
            // A live one comes before every silent one, and the shortest silence before longer ones.
            all.entry(member).and_modify(|known| *known = sighting.min(*known)).or_insert(sighting);
        }
        Ok(all.into_iter().collect())
    }

    fn transfers(&mut self, of: ConversationId, after: i64, limit: usize) -> Result<Vec<TransferRow>> {
        Ok(transfer::table
            .filter(transfer::conversation_id.eq(of))
            .filter(transfer::at.gt(after))
            .order(transfer::id.desc())
            .limit(i64::try_from(limit).unwrap_or(i64::MAX))
            .select(TransferRow::as_select())
            .load(self)?)
    }

    fn participants(&mut self, fronts: &[ConversationId]) -> Result<Vec<ParticipantRow>> {
        Ok(on_list!(self, conversation_member::conversation_id, fronts, |inner, among| {
            conversation_member::table.filter(among).select(ParticipantRow::as_select()).load(inner)
        })?)
    }

    fn entries_at(&mut self, places: &[(ConversationId, i64)]) -> Result<Vec<EntryRow>> {
        Ok(lookup::entries_at(self, places)?)
    }

    fn entries_by_key(&mut self, keys: &[MessageKey]) -> Result<Vec<EntryRow>> {
        Ok(lookup::entries_by_key(self, keys)?)
    }

    fn entries_by_opening(&mut self, tenants: &[TenantId], keys: &[OpeningKey]) -> Result<Vec<EntryRow>> {
        Ok(lookup::entries_by_opening(self, tenants, keys)?)
    }
}
