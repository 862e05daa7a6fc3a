//! Who a rule's recipients are at the moment, and where each is reached on a channel.

use std::collections::{HashMap, HashSet};

use diesel::prelude::*;

use crate::centre::{identities, opt_outs, suppressions};
use crate::db::AnyConnection;
use crate::db::schema::{group_member, member, message_recipient};
use crate::domain::centre::account::Channel;
use crate::domain::centre::recipient::{
    PERSONS_MAX, QuietHours, Recipient, RecipientRow, RecipientStatus, e164,
};
use crate::domain::centre::send::{MessagePriority, RecipientType};
use crate::domain::member::{MemberStatus, Role};
use crate::kernel::{ChannelAccountId, GroupId, MemberId, MessageRecipientId, PersonId, Result, TenantId};
use crate::on;

/// Members of one role or group that are looked at: one more than are reached, so that it is known whether there are more.
const LOOKED_AT: i64 = PERSONS_MAX as i64 + 1;

/// A person whom a message is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receiver {
    /// What it is.
    pub recipient_type: RecipientType,
    /// Which one.
    pub id: PersonId,
    /// What it is called.
    pub name: String,
    /// Where it is reached; `None`: nowhere on this channel.
    pub address: Option<String>,
    /// Which language it reads; `None`: nobody knows.
    pub locale: Option<String>,
    /// When it wants to be left alone.
    pub quiet_hours: Option<QuietHours>,
    /// Whether it does not want such messages.
    pub opted_out: bool,
    /// Whether nothing is sent to its address.
    pub suppressed: bool,
}

/// What a message asks for of its receivers.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'a> {
    /// The rule's list.
    pub recipients: &'a [Recipient],
    /// The customer whom the event is about.
    pub customer: Option<MemberId>,
    /// The agent who served its conversation.
    pub agent: Option<MemberId>,
    /// The channel.
    pub channel: Channel,
    /// Through which account: who a person is may depend on it.
    pub account: ChannelAccountId,
    /// How urgent the message is.
    pub priority: MessagePriority,
}

/// What is read of a member.
#[derive(Queryable)]
struct Person {
    id: MemberId,
    role: Role,
    nickname: String,
    email: String,
    mobile: String,
    locale: String,
}

/// How a person was found.
enum Found {
    Member(RecipientType, MemberId),
    Row(MessageRecipientId),
}

impl Found {
    fn person(&self) -> PersonId {
        match self {
            Self::Member(_, id) => PersonId(id.0),
            Self::Row(id) => PersonId(id.0),
        }
    }
}

/// What is known of persons beside their rows.
#[derive(Clone, Copy)]
struct Known<'a> {
    /// The members that may be reached.
    members: &'a HashMap<MemberId, Person>,
    /// Who they, and message recipients, are to the account.
    openids: &'a HashMap<PersonId, String>,
}

/// The persons of a list, each once, at most [`PERSONS_MAX`] in the order of the list, and whether there are more.
pub fn receivers(
    connection: &mut AnyConnection,
    tenant: TenantId,
    wanted: Wanted<'_>,
    now: i64,
) -> Result<(Vec<Receiver>, bool)> {
    let mut found = Vec::new();
    for recipient in wanted.recipients {
        match *recipient {
            Recipient::Customer => {
                if let Some(customer) = wanted.customer {
                    let customer = present(connection, tenant, customer)?;
                    found.push(Found::Member(RecipientType::Customer, customer));
                }
            }
            Recipient::Agent => {
                found.extend(wanted.agent.map(|agent| Found::Member(RecipientType::Member, agent)));
            }
            Recipient::Recipient { id } => found.push(Found::Row(id)),
            Recipient::Member { id } => found.push(Found::Member(RecipientType::Member, id)),
            Recipient::Role { role } => {
                let ids = of_role(connection, tenant, role)?;
                found.extend(ids.into_iter().map(|id| Found::Member(RecipientType::Member, id)));
            }
            Recipient::Group { id } => {
                let ids = of_group(connection, tenant, id)?;
                found.extend(ids.into_iter().map(|id| Found::Member(RecipientType::Member, id)));
            }
        }
    }
    let rows = rows(connection, tenant, &found)?;
    let members = members(connection, tenant, &found, &rows, now)?;
    let openids = match wanted.channel {
        Channel::Wechat => {
            let persons: Vec<PersonId> = found
                .iter()
                .map(Found::person)
                .chain(rows.iter().map(|row| PersonId(row.id.0)))
                .chain(rows.iter().filter_map(|row| Some(PersonId(row.member_id?.0))))
                .collect();
            identities::store::openids(connection, tenant, wanted.account, &persons)?
        }
        _ => HashMap::new(),
    };
    let known = Known { members: &members, openids: &openids };
    let (mut receivers, mut seen, mut has_more) = (Vec::new(), HashSet::new(), false);
    for one in found {
        let row = match &one {
            Found::Row(id) => rows.iter().find(|row| row.id == *id),
            Found::Member(_, id) => rows.iter().find(|row| row.member_id == Some(*id)),
        };
        let Some(receiver) = receiver(&one, row, known, wanted.channel) else { continue };
        let person = row.and_then(|row| row.member_id).map_or(receiver.id, |member| PersonId(member.0));
        if !seen.insert(person) {
            continue;
        }
        match receivers.len() < PERSONS_MAX {
            true => receivers.push(receiver),
            false => has_more = true,
        }
    }
    let persons: Vec<_> = receivers.iter().map(|one| (one.id, wanted.priority)).collect();
    let refused = opt_outs::store::refused(connection, tenant, wanted.channel, &persons)?;
    let addresses: Vec<&str> = receivers.iter().filter_map(|one| one.address.as_deref()).collect();
    let held = suppressions::store::held(connection, tenant, wanted.channel, &addresses)?;
    for receiver in &mut receivers {
        receiver.suppressed = receiver.address.as_ref().is_some_and(|address| held.contains(address));
        receiver.opted_out = refused.contains(&(receiver.id, wanted.priority));
    }
    Ok((receivers, has_more))
}

/// These persons as they are now, each once, in their order; those who are not to be reached at all are left out.
pub fn persons(
    connection: &mut AnyConnection,
    tenant: TenantId,
    asked: &[(RecipientType, PersonId)],
    (account, channel, priority): (ChannelAccountId, Channel, MessagePriority),
    now: i64,
) -> Result<Vec<Receiver>> {
    let mut customer = None;
    let list: Vec<Recipient> = asked
        .iter()
        .map(|(recipient_type, id)| match recipient_type {
            RecipientType::Customer => {
                // An event is about one customer.
                customer = Some(MemberId(id.0));
                Recipient::Customer
            }
            RecipientType::Member => Recipient::Member { id: MemberId(id.0) },
            RecipientType::Recipient => Recipient::Recipient { id: MessageRecipientId(id.0) },
        })
        .collect();
    let wanted = Wanted { recipients: &list, customer, agent: None, channel, account, priority };
    Ok(receivers(connection, tenant, wanted, now)?.0)
}

/// A person with its address; `None` when it is not to be reached at all.
fn receiver(
    found: &Found,
    row: Option<&RecipientRow>,
    Known { members, openids }: Known<'_>,
    channel: Channel,
) -> Option<Receiver> {
    if row.is_some_and(|row| row.status == RecipientStatus::Disabled) {
        return None;
    }
    let (recipient_type, id, member) = match found {
        Found::Member(recipient_type, id) => {
            let member = members.get(id)?;
            if (*recipient_type == RecipientType::Customer) == member.role.is_staff() {
                return None;
            }
            (*recipient_type, PersonId(id.0), Some(member))
        }
        Found::Row(id) => {
            // Whoever may not sign in any more is not written to either.
            let member = match row?.member_id {
                Some(member) => Some(members.get(&member)?),
                None => None,
            };
            (RecipientType::Recipient, PersonId(id.0), member)
        }
    };
    let own = |field: fn(&RecipientRow) -> &String| row.map(field).filter(|text| !text.is_empty()).cloned();
    let address = match channel {
        Channel::Email => own(|row| &row.email).or_else(|| member.map(|member| member.email.clone())),
        Channel::Sms => own(|row| &row.phone).or_else(|| e164(&member?.mobile)),
        Channel::InApp => member.map(|member| member.id.to_string()),
        Channel::Wechat => {
            let of = |person: PersonId| openids.get(&person).cloned();
            row.and_then(|row| of(PersonId(row.id.0))).or_else(|| of(PersonId(member?.id.0)))
        }
        Channel::Webhook | Channel::Robot => None,
    };
    let nickname = || member.map(|member| member.nickname.clone()).unwrap_or_default();
    Some(Receiver {
        recipient_type,
        id,
        name: own(|row| &row.name).unwrap_or_else(nickname),
        address: address.filter(|address| !address.is_empty()),
        locale: own(|row| &row.locale)
            .or_else(|| member.map(|member| member.locale.clone()))
            .filter(|locale| !locale.is_empty()),
        quiet_hours: row.and_then(RecipientRow::quiet_hours),
        opted_out: false,
        suppressed: false,
    })
}

/// The customer that this one was merged into, if it was.
pub fn present(connection: &mut AnyConnection, tenant: TenantId, customer: MemberId) -> Result<MemberId> {
    let merged: Option<Option<MemberId>> = member::table
        .filter(member::id.eq(customer))
        .filter(member::tenant_id.eq(tenant))
        .select(member::merged_into)
        .first(connection)
        .optional()?;
    Ok(merged.flatten().unwrap_or(customer))
}

fn of_role(connection: &mut AnyConnection, tenant: TenantId, role: Role) -> Result<Vec<MemberId>> {
    Ok(member::table
        .filter(member::tenant_id.eq(tenant))
        .filter(member::role.eq(role.as_str()))
        .filter(member::deleted_at.is_null())
        .filter(member::status.eq(MemberStatus::Enabled.as_str()))
        .order(member::id.asc())
        .limit(LOOKED_AT)
        .select(member::id)
        .load(connection)?)
}

fn of_group(connection: &mut AnyConnection, tenant: TenantId, group: GroupId) -> Result<Vec<MemberId>> {
    Ok(group_member::table
        .filter(group_member::group_id.eq(group))
        .filter(group_member::tenant_id.eq(tenant))
        .filter(group_member::left_at.is_null())
        .order(group_member::member_id.asc())
        .limit(LOOKED_AT)
        .select(group_member::member_id)
        .load(connection)?)
}

/// The message recipients that were named, and those of the members that were.
fn rows(connection: &mut AnyConnection, tenant: TenantId, found: &[Found]) -> Result<Vec<RecipientRow>> {
    let (mut ids, mut members) = (Vec::new(), Vec::new());
    for one in found {
        match one {
            Found::Row(id) => ids.push(*id),
            Found::Member(_, id) => members.push(*id),
        }
    }
    Ok(on!(connection, inner => message_recipient::table
        .filter(message_recipient::tenant_id.eq(tenant))
        .filter(message_recipient::deleted_at.is_null())
        .filter(message_recipient::id.eq_any(&ids).or(message_recipient::member_id.eq_any(&members)))
        .select(RecipientRow::as_select())
        .load(inner))?)
}

/// The members behind them that may be reached.
fn members(
    connection: &mut AnyConnection,
    tenant: TenantId,
    found: &[Found],
    rows: &[RecipientRow],
    now: i64,
) -> Result<HashMap<MemberId, Person>> {
    let named = found.iter().filter_map(|one| match one {
        Found::Member(_, id) => Some(*id),
        Found::Row(_) => None,
    });
    let ids: Vec<MemberId> = named.chain(rows.iter().filter_map(|row| row.member_id)).collect();
    let persons: Vec<Person> = on!(connection, inner => member::table
        .filter(member::tenant_id.eq(tenant))
        .filter(member::id.eq_any(&ids))
        .filter(member::deleted_at.is_null())
        .filter(member::status.eq(MemberStatus::Enabled.as_str()))
        .filter(member::expires_at.is_null().or(member::expires_at.gt(now)))
        .select((member::id, member::role, member::nickname, member::email, member::mobile, member::locale))
        .load(inner))?;
    Ok(persons.into_iter().map(|person| (person.id, person)).collect())
}
