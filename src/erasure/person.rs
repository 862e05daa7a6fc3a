//! What is known of a person outside the logs and the message centre: sessions, uploads, bans, the audit log, the ledger of
//! imports, and at last the profile.

use diesel::prelude::*;

use super::store::{Counts, Logs};
use crate::db::AnyConnection;
use crate::db::schema::{
    audit_event, auth_session, ban, customer_attribute, idempotency_key, identity_use, import_row, member,
    message_identity, message_recipient, notification, saved_filter,
};
use crate::domain::audit::AuditTarget;
use crate::domain::ban::BanKind;
use crate::domain::centre::account::Channel;
use crate::domain::centre::suppression::comparable;
use crate::journal::bans;
use crate::kernel::{ConversationId, MemberId, Result, SavedFilterId, TenantId};
use crate::{attachments, on, search};

/// Shortest address that is looked for in the audit log and in saved filters, in characters: shorter ones are found everywhere.
const ADDRESS_MIN: usize = 5;

/// Whose data goes, as far as it is known while the profile is there.
#[derive(Debug, Clone)]
pub struct Person {
    /// Whose.
    pub tenant: TenantId,
    /// The account, and those that were recognised as it.
    pub members: Vec<MemberId>,
    /// The accounts, and the message recipients that stand for them.
    pub ids: Vec<i64>,
    /// The conversations.
    pub logs: Vec<Logs>,
    /// E-mail addresses, telephone numbers, openids, names of the tenant for the person.
    pub addresses: Vec<String>,
}

type Profile = (String, String, Option<String>);

impl Person {
    /// Reads who it is.
    pub fn load(
        connection: &mut AnyConnection,
        tenant: TenantId,
        members: Vec<MemberId>,
        logs: Vec<Logs>,
    ) -> Result<Self> {
        let mut addresses: Vec<String> = Vec::new();
        let profiles: Vec<Profile> = on!(connection, inner => member::table
            .filter(member::tenant_id.eq(tenant))
            .filter(member::id.eq_any(&members))
            .select((member::email, member::mobile, member::external_id))
            .load(inner))?;
        for (email, mobile, external_id) in profiles {
            addresses.extend([Some(email), Some(mobile), external_id].into_iter().flatten());
        }
        let mut ids: Vec<i64> = members.iter().map(|id| id.0).collect();
        let recipients: Vec<(i64, String, String)> = on!(connection, inner => message_recipient::table
            .filter(message_recipient::tenant_id.eq(tenant))
            .filter(message_recipient::member_id.eq_any(&members))
            .select((message_recipient::id, message_recipient::phone, message_recipient::email))
            .load(inner))?;
        for (id, phone, email) in recipients {
            ids.push(id);
            addresses.extend([phone, email]);
        }
        addresses.retain(|address| !address.is_empty());
        // Recipients that stand for nobody and have an address of the person: those that stood for it before, too.
        let others: Vec<i64> = on!(connection, inner => message_recipient::table
            .filter(message_recipient::tenant_id.eq(tenant))
            .filter(message_recipient::member_id.is_null())
            .filter(message_recipient::phone.eq_any(&addresses).or(message_recipient::email.eq_any(&addresses)))
            .select(message_recipient::id)
            .load(inner))?;
        ids.extend(others);
        let openids: Vec<String> = on!(connection, inner => message_identity::table
            .filter(message_identity::tenant_id.eq(tenant))
            .filter(message_identity::person_id.eq_any(&ids))
            .select(message_identity::openid)
            .load(inner))?;
        addresses.extend(openids);
        let emails = addresses.iter().filter(|address| address.contains('@'));
        let emails: Vec<String> = emails.map(|email| comparable(Channel::Email, email)).collect();
        addresses.extend(emails);
        addresses.sort_unstable();
        addresses.dedup();
        Ok(Self { tenant, members, ids, logs, addresses })
    }

    /// All logs, those behind the conversations too.
    pub fn all_logs(&self) -> Vec<ConversationId> {
        self.logs.iter().flat_map(|one| [Some(one.front), one.backstage]).flatten().collect()
    }
}

/// Counts what went of a table.
pub(super) fn add(counts: &mut Counts, table: &str, count: usize) {
    if count > 0 {
        *counts.entry(table.to_owned()).or_default() += i64::try_from(count).unwrap_or(i64::MAX);
    }
}

/// Takes everything but the profile. Repeat it until it counts nothing.
pub fn take(connection: &mut AnyConnection, person: &Person, now: i64) -> Result<Counts> {
    let (tenant, members) = (person.tenant, &person.members);
    let mut counts = Counts::new();
    let unused = attachments::erase::erase_unused(connection, tenant, members, now)?;
    add(&mut counts, "attachment", unused);
    let sessions =
        auth_session::device.ne("").or(auth_session::user_agent.ne("")).or(auth_session::ip.ne(""));
    let sessions = on!(connection, inner => diesel::update(auth_session::table
        .filter(auth_session::tenant_id.eq(tenant))
        .filter(auth_session::member_id.eq_any(members))
        .filter(sessions))
        .set((auth_session::device.eq(""), auth_session::user_agent.eq(""), auth_session::ip.eq("")))
        .execute(inner))?;
    add(&mut counts, "auth_session", sessions);
    let keys = on!(connection, inner => diesel::delete(idempotency_key::table
        .filter(idempotency_key::tenant_id.eq(tenant))
        .filter(idempotency_key::member_id.eq_any(members)))
        .execute(inner))?;
    add(&mut counts, "idempotency_key", keys);
    let uses = on!(connection, inner => diesel::delete(identity_use::table
        .filter(identity_use::tenant_id.eq(tenant))
        .filter(identity_use::member_id.eq_any(members)))
        .execute(inner))?;
    add(&mut counts, "identity_use", uses);
    let told = on!(connection, inner => diesel::delete(notification::table
        .filter(notification::tenant_id.eq(tenant))
        .filter(notification::member_id.eq_any(members)))
        .execute(inner))?;
    add(&mut counts, "notification", told);
    let mut targets = person.ids.clone();
    targets.extend(person.logs.iter().map(|one| one.front.0));
    add(&mut counts, "import_row", forget_imports(connection, tenant, &targets)?);
    add(&mut counts, "ban", take_bans(connection, person)?);
    add(&mut counts, "saved_filter", take_filters(connection, person)?);
    add(&mut counts, "audit_event", take_audit(connection, person)?);
    Ok(counts)
}

/// Forgets which rows of other systems became these: an import of the same rows brings them again.
pub(super) fn forget_imports(
    connection: &mut AnyConnection,
    tenant: TenantId,
    targets: &[i64],
) -> Result<usize> {
    Ok(on!(connection, inner => diesel::delete(import_row::table
        .filter(import_row::tenant_id.eq(tenant))
        .filter(import_row::target_id.eq_any(targets)))
        .execute(inner))?)
}

/// Deletes the bans that name the person by its account or by an address.
fn take_bans(connection: &mut AnyConnection, person: &Person) -> Result<usize> {
    let tenant = person.tenant;
    let mut values: Vec<String> = person.members.iter().map(ToString::to_string).collect();
    values.extend(person.addresses.iter().cloned());
    let kinds = [BanKind::Member, BanKind::Email].map(BanKind::as_str);
    let named = |connection: &mut AnyConnection| -> Result<Vec<i64>> {
        Ok(on!(connection, inner => ban::table
            .filter(ban::tenant_id.eq(tenant))
            .filter(ban::kind.eq_any(kinds))
            .filter(ban::value.eq_any(&values))
            .select(ban::id)
            .load(inner))?)
    };
    if named(connection)?.is_empty() {
        return Ok(0);
    }
    bans::hold(connection, tenant)?;
    let ids = named(connection)?;
    forget_target(connection, tenant, AuditTarget::Ban, &ids)?;
    let gone =
        on!(connection, inner => diesel::delete(ban::table.filter(ban::id.eq_any(&ids))).execute(inner))?;
    bans::moved(connection, tenant)?;
    Ok(gone)
}

/// Takes the facts of what was done to these out of the audit log; gives of how many events.
pub(super) fn forget_target(
    connection: &mut AnyConnection,
    tenant: TenantId,
    target: AuditTarget,
    ids: &[i64],
) -> Result<usize> {
    if ids.is_empty() {
        return Ok(0);
    }
    Ok(on!(connection, inner => diesel::update(audit_event::table
        .filter(audit_event::tenant_id.eq(tenant))
        .filter(audit_event::target_type.eq(target.as_str()))
        .filter(audit_event::target_id.eq_any(ids))
        .filter(audit_event::facts_before.ne("{}").or(audit_event::facts_after.ne("{}"))))
        .set((audit_event::facts_before.eq("{}"), audit_event::facts_after.eq("{}")))
        .execute(inner))?)
}

/// Takes the facts about the person's accounts, and every fact that names one of its addresses.
fn take_audit(connection: &mut AnyConnection, person: &Person) -> Result<usize> {
    let tenant = person.tenant;
    let accounts: Vec<i64> = person.members.iter().map(|id| id.0).collect();
    let mut taken = forget_target(connection, tenant, AuditTarget::Member, &accounts)?;
    taken += on!(connection, inner => diesel::update(audit_event::table
        .filter(audit_event::tenant_id.eq(tenant))
        .filter(audit_event::actor_id.eq_any(&person.members))
        .filter(audit_event::actor_name.ne("").or(audit_event::ip.ne(""))))
        .set((audit_event::actor_name.eq(""), audit_event::ip.eq("")))
        .execute(inner))?;
    for pattern in patterns(person) {
        let names = audit_event::facts_before
            .like(&pattern)
            .escape('!')
            .or(audit_event::facts_after.like(&pattern).escape('!'));
        taken += on!(connection, inner => diesel::update(audit_event::table
            .filter(audit_event::tenant_id.eq(tenant))
            .filter(names))
            .set((audit_event::facts_before.eq("{}"), audit_event::facts_after.eq("{}")))
            .execute(inner))?;
    }
    Ok(taken)
}

/// Deletes the saved filters that name one of the person's addresses.
fn take_filters(connection: &mut AnyConnection, person: &Person) -> Result<usize> {
    let mut gone = 0;
    for pattern in patterns(person) {
        let names =
            saved_filter::name.like(&pattern).escape('!').or(saved_filter::filter.like(&pattern).escape('!'));
        let named: Vec<SavedFilterId> = on!(connection, inner => saved_filter::table
            .filter(saved_filter::tenant_id.eq(person.tenant))
            .filter(names)
            .select(saved_filter::id)
            .load(inner))?;
        gone += on!(connection, inner => diesel::delete(saved_filter::table
            .filter(saved_filter::tenant_id.eq(person.tenant))
            .filter(saved_filter::id.eq_any(&named)))
            .execute(inner))?;
    }
    Ok(gone)
}

/// What finds the person's addresses within JSON.
fn patterns(person: &Person) -> impl Iterator<Item = String> {
    let long = person.addresses.iter().filter(|address| address.chars().count() >= ADDRESS_MIN);
    long.map(|address| format!("%{}%", escaped(address)))
}

/// A text as it stands within JSON, with what a pattern gives a meaning of its own escaped.
fn escaped(text: &str) -> String {
    let json = serde_json::to_string(text).unwrap_or_default();
    let json = json.strip_prefix('"').and_then(|json| json.strip_suffix('"')).unwrap_or_default();
    let special = |letter: char| matches!(letter, '%' | '_' | '!');
    json.chars().flat_map(|letter| special(letter).then_some('!').into_iter().chain([letter])).collect()
}

/// Takes the profile: an account without anything in it is left, to which the logs' ids lead.
pub fn take_profile(connection: &mut AnyConnection, person: &Person, now: i64) -> Result<Counts> {
    let (tenant, members) = (person.tenant, &person.members);
    let mut counts = Counts::new();
    let emails: Vec<String> = on!(connection, inner => member::table
        .filter(member::tenant_id.eq(tenant))
        .filter(member::id.eq_any(members))
        .filter(member::email.ne(""))
        .select(member::email)
        .load(inner))?;
    for email in emails {
        bans::email_changes(connection, tenant, &email, "")?;
    }
    let values = on!(connection, inner => diesel::delete(customer_attribute::table
        .filter(customer_attribute::tenant_id.eq(tenant))
        .filter(customer_attribute::member_id.eq_any(members)))
        .execute(inner))?;
    add(&mut counts, "customer_attribute", values);
    on!(connection, inner => diesel::update(member::table
        .filter(member::tenant_id.eq(tenant))
        .filter(member::id.eq_any(members)))
        .set((
            (member::login_name.eq(None::<String>), member::password_hash.eq(None::<String>)),
            (member::nickname.eq(""), member::avatar.eq(""), member::email.eq(""), member::mobile.eq("")),
            (member::external_id.eq(None::<String>), member::tags.eq("[]"), member::skills.eq("[]")),
            (member::last_login_at.eq(None::<i64>), member::last_login_ip.eq("")),
            (member::last_seen.eq(None::<i64>), member::locale.eq("")),
            (member::email_verified.eq(false), member::mobile_verified.eq(false)),
            member::updated_at.eq(now),
        ))
        .execute(inner))?;
    add(&mut counts, "search_term", search::erase::take_members(connection, tenant, members)?);
    let fronts: Vec<ConversationId> = person.logs.iter().map(|one| one.front).collect();
    for fronts in fronts.chunks(super::logs::AT_ONCE) {
        add(&mut counts, "search_term", search::erase::take_conversations(connection, tenant, fronts)?);
    }
    Ok(counts)
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_pattern_finds_the_text_itself_only() {
        assert_eq!(super::escaped("a_b%c!"), "a!_b!%c!!");
        assert_eq!(super::escaped("say \"x\""), "say \\\"x\\\"");
    }
}
