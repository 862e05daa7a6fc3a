//! Whose rows are exported: a tenant's, or a person's. Owns the conditions by which tables are narrowed; they consist of
//! numbers only.

use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::Bool;

use crate::db::AnyConnection;
use crate::db::schema::{
    ban, chat_group, conversation, member, message_send, message_suppression, message_template,
};
use crate::domain::ban::BanKind;
use crate::domain::export::ExportRow;
use crate::erasure::person::Person;
use crate::erasure::store as persons;
use crate::kernel::{MemberId, Result, TenantId};

/// Rows on which those of other tables hang.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Parent {
    /// Conversations with those behind them, and rooms.
    Conversation,
    /// Accounts.
    Member,
    /// Groups.
    Group,
    /// Templates of the message centre.
    Template,
    /// Messages of the message centre.
    Send,
}

/// Whose rows.
#[derive(Debug, Clone)]
pub struct Scope {
    /// Whose.
    pub tenant: TenantId,
    /// Of whom; `None`: of everybody.
    pub person: Option<Subject>,
}

/// A person, by ids.
#[derive(Debug, Clone)]
pub struct Subject {
    members: Vec<i64>,
    /// With the message recipients that stand for the accounts.
    ids: Vec<i64>,
    bans: Vec<i64>,
    suppressions: Vec<i64>,
}

impl Scope {
    /// Of what an export is.
    pub fn load(connection: &mut AnyConnection, row: &ExportRow) -> Result<Self> {
        let tenant = row.tenant_id;
        let person = row.member_id.map(|member| Subject::load(connection, tenant, member)).transpose()?;
        Ok(Self { tenant, person })
    }

    /// What a root table is narrowed by: `None` when nothing of it belongs to a person.
    pub fn narrowed(&self, condition: Option<&str>) -> Option<String> {
        let Some(person) = &self.person else { return Some("1 = 1".to_owned()) };
        condition.map(|condition| person.filled(condition, self.tenant))
    }

    /// The next parents from this one on, in order.
    pub fn parents(
        &self,
        connection: &mut AnyConnection,
        parent: Parent,
        from: i64,
        limit: i64,
    ) -> Result<Vec<i64>> {
        let Some(narrowed) = self.narrowed(condition_of(parent)) else { return Ok(Vec::new()) };
        macro_rules! ids {
            ($table:ident) => {
                $table::table
                    .filter($table::tenant_id.eq(self.tenant))
                    .filter($table::id.ge(from))
                    .filter(sql::<Bool>(&format!("({narrowed})")))
                    .order($table::id.asc())
                    .limit(limit)
                    .select($table::id)
                    .load::<i64>(connection)?
            };
        }
        Ok(match parent {
            Parent::Conversation => ids!(conversation),
            Parent::Member => ids!(member),
            Parent::Group => ids!(chat_group),
            Parent::Template => ids!(message_template),
            Parent::Send => ids!(message_send),
        })
    }
}

/// Which of the parents are a person's.
const fn condition_of(parent: Parent) -> Option<&'static str> {
    match parent {
        Parent::Conversation => Some(CONVERSATIONS),
        Parent::Member => Some(MEMBERS),
        Parent::Send => Some(SENDS),
        Parent::Group | Parent::Template => None,
    }
}

/// A person's accounts.
pub const MEMBERS: &str = "id IN ({members})";
/// A person's conversations, and those behind them.
pub const CONVERSATIONS: &str = "customer_id IN ({members}) OR id IN (SELECT front.backstage_id FROM conversation front \
    WHERE front.tenant_id = {tenant} AND front.customer_id IN ({members}) AND front.backstage_id IS NOT NULL)";
/// Messages to a person, and those that events about it made.
pub const SENDS: &str = "recipient_id IN ({ids}) OR event_id IN (SELECT told.id FROM message_event told \
    WHERE told.tenant_id = {tenant} AND told.customer_id IN ({members}))";
/// What hangs on those messages.
pub const OF_SENDS: &str = "send_id IN (SELECT sent.id FROM message_send sent WHERE sent.tenant_id = {tenant} AND \
    (sent.recipient_id IN ({ids}) OR sent.event_id IN (SELECT told.id FROM message_event told \
    WHERE told.tenant_id = {tenant} AND told.customer_id IN ({members}))))";
/// Files of a person's conversations, and those that it brought.
pub const ATTACHMENTS: &str = "uploader_id IN ({members}) OR conversation_id IN (SELECT room.id FROM conversation room \
    WHERE room.tenant_id = {tenant} AND (room.customer_id IN ({members}) OR room.id IN (SELECT front.backstage_id \
    FROM conversation front WHERE front.tenant_id = {tenant} AND front.customer_id IN ({members}) \
    AND front.backstage_id IS NOT NULL)))";
/// Their bytes.
pub const STORED_FILES: &str = "id IN (SELECT kept.stored_file_id FROM attachment kept WHERE kept.tenant_id = {tenant} \
    AND (kept.uploader_id IN ({members}) OR kept.conversation_id IN (SELECT room.id FROM conversation room \
    WHERE room.tenant_id = {tenant} AND (room.customer_id IN ({members}) OR room.id IN (SELECT front.backstage_id \
    FROM conversation front WHERE front.tenant_id = {tenant} AND front.customer_id IN ({members}) \
    AND front.backstage_id IS NOT NULL)))))";

impl Subject {
    fn load(connection: &mut AnyConnection, tenant: TenantId, member: MemberId) -> Result<Self> {
        let members = persons::accounts_of(connection, tenant, member)?;
        let person = Person::load(connection, tenant, members, Vec::new())?;
        let named: Vec<String> = person.members.iter().map(ToString::to_string).collect();
        let by_account = ban::kind.eq(BanKind::Member.as_str()).and(ban::value.eq_any(named));
        let by_address =
            ban::kind.eq(BanKind::Email.as_str()).and(ban::value.eq_any(person.addresses.clone()));
        let bans = ban::table
            .filter(ban::tenant_id.eq(tenant))
            .filter(by_account.or(by_address))
            .select(ban::id)
            .load(connection)?;
        let suppressions = message_suppression::table
            .filter(message_suppression::tenant_id.eq(tenant))
            .filter(message_suppression::address.eq_any(person.addresses))
            .select(message_suppression::id)
            .load(connection)?;
        let members = person.members.iter().map(|id| id.0).collect();
        Ok(Self { members, ids: person.ids, bans, suppressions })
    }

    fn filled(&self, condition: &str, tenant: TenantId) -> String {
        let list = |ids: &[i64]| match ids {
            [] => "NULL".to_owned(),
            ids => ids.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
        };
        condition
            .replace("{tenant}", &tenant.to_string())
            .replace("{members}", &list(&self.members))
            .replace("{ids}", &list(&self.ids))
            .replace("{bans}", &list(&self.bans))
            .replace("{suppressions}", &list(&self.suppressions))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions_consist_of_numbers() {
        let person = Subject { members: vec![1, 2], ids: vec![1, 2, 3], bans: vec![], suppressions: vec![9] };
        let scope = Scope { tenant: TenantId(7), person: Some(person) };
        let all = [
            MEMBERS,
            CONVERSATIONS,
            SENDS,
            OF_SENDS,
            ATTACHMENTS,
            STORED_FILES,
            "id IN ({bans})",
            "id IN ({suppressions})",
        ];
        for condition in all {
            let filled = scope.narrowed(Some(condition)).unwrap_or_default();
            assert!(!filled.contains('{') && !filled.contains('\''), "{filled}");
        }
        assert_eq!(scope.narrowed(Some("id IN ({bans})")).as_deref(), Some("id IN (NULL)"));
        assert_eq!(scope.narrowed(None), None);
        let everybody = Scope { person: None, ..scope };
        assert_eq!(everybody.narrowed(None).as_deref(), Some("1 = 1"));
    }
}
