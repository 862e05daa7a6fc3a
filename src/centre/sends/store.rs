//! Queries over `message_send` and `message_attempt`. Every function takes the tenant.

use diesel::prelude::*;

use crate::db::AnyConnection;
use crate::db::dialect::rows_in_statement;
use crate::db::schema::{message_attempt, message_send};
use crate::domain::centre::send::{AttemptRow, SendRow, SendStatus};
use crate::kernel::{MessageEventId, MessageRuleId, MessageSendId, PersonId, Result, TenantId};
use crate::on;

/// Most attempts that are shown of a send: the newest.
pub const ATTEMPTS_SHOWN: i64 = 100;

/// Bytes of messages in one statement: MySQL takes 16 MiB in all unless it is told otherwise.
const STATEMENT_BYTES: usize = 4 << 20;
/// Columns of `message_send`.
const COLUMNS: usize = 31;

/// Which sends a list is to show.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Only in this state.
    pub status: Option<SendStatus>,
    /// Only of this rule.
    pub rule_id: Option<MessageRuleId>,
    /// Only of this event.
    pub event_id: Option<MessageEventId>,
    /// Only to this person.
    pub recipient_id: Option<PersonId>,
}

/// Stores new sends, in statements that no server finds too long.
pub fn insert(connection: &mut AnyConnection, rows: &[SendRow]) -> Result<()> {
    let mut rest = rows;
    while !rest.is_empty() {
        let mut bytes = 0;
        let fits = rest.iter().take_while(|row| {
            bytes += row.body.len();
            bytes <= STATEMENT_BYTES
        });
        let count = fits.count().clamp(1, rows_in_statement(COLUMNS).min(rest.len()));
        let (now, later) = rest.split_at(count);
        on!(connection, inner => diesel::insert_into(message_send::table).values(now).execute(inner))?;
        rest = later;
    }
    Ok(())
}

/// A send.
pub fn find(connection: &mut AnyConnection, tenant: TenantId, id: MessageSendId) -> Result<Option<SendRow>> {
    Ok(message_send::table
        .filter(message_send::id.eq(id))
        .filter(message_send::tenant_id.eq(tenant))
        .select(SendRow::as_select())
        .get_result(connection)
        .optional()?)
}

/// The sends of a tenant, the newest first, below this one, at most `limit`.
pub fn list(
    connection: &mut AnyConnection,
    tenant: TenantId,
    filter: &Filter,
    before: Option<MessageSendId>,
    limit: i64,
) -> Result<Vec<SendRow>> {
    let mut query = message_send::table
        .filter(message_send::tenant_id.eq(tenant))
        .filter(message_send::id.lt(before.unwrap_or(MessageSendId(i64::MAX))))
        .order(message_send::id.desc())
        .limit(limit)
        .select(SendRow::as_select())
        .into_boxed();
    if let Some(status) = filter.status {
        query = query.filter(message_send::status.eq(status.as_str()));
    }
    if let Some(rule) = filter.rule_id {
        query = query.filter(message_send::rule_id.eq(rule));
    }
    if let Some(event) = filter.event_id {
        query = query.filter(message_send::event_id.eq(event));
    }
    if let Some(person) = filter.recipient_id {
        query = query.filter(message_send::recipient_id.eq(person));
    }
    Ok(query.load(connection)?)
}

/// Most sends that are shown of an event.
pub const SENDS_SHOWN: i64 = 200;

/// The first sends of an event, in the order of their ids: for each rule and person at most one, and its fallback.
pub fn of_event(
    connection: &mut AnyConnection,
    tenant: TenantId,
    event: MessageEventId,
) -> Result<Vec<SendRow>> {
    Ok(message_send::table
        .filter(message_send::event_id.eq(event))
        .filter(message_send::tenant_id.eq(tenant))
        .order(message_send::id.asc())
        .limit(SENDS_SHOWN)
        .select(SendRow::as_select())
        .load(connection)?)
}

/// The newest attempts of a send, the oldest first.
pub fn attempts(
    connection: &mut AnyConnection,
    tenant: TenantId,
    send: MessageSendId,
) -> Result<Vec<AttemptRow>> {
    let mut rows: Vec<AttemptRow> = message_attempt::table
        .filter(message_attempt::send_id.eq(send))
        .filter(message_attempt::tenant_id.eq(tenant))
        .order(message_attempt::number.desc())
        .limit(ATTEMPTS_SHOWN)
        .select(AttemptRow::as_select())
        .load(connection)?;
    rows.reverse();
    Ok(rows)
}

/// Stores what a person made of a send; `false` when it was no longer in the state that this was decided on.
pub fn change(connection: &mut AnyConnection, before: &SendRow, after: &SendRow) -> Result<bool> {
    let changed = diesel::update(
        message_send::table
            .filter(message_send::id.eq(before.id))
            .filter(message_send::tenant_id.eq(before.tenant_id))
            .filter(message_send::status.eq(before.status.as_str()))
            .filter(message_send::number.eq(before.number)),
    )
    .set((
        message_send::status.eq(after.status.as_str()),
        message_send::reason.eq(after.reason.map(|reason| reason.as_str())),
        message_send::attempts.eq(after.attempts),
        message_send::slowed.eq(after.slowed),
        message_send::may_duplicate.eq(after.may_duplicate),
        message_send::next_at.eq(after.next_at),
        message_send::expires_at.eq(after.expires_at),
        message_send::sent_at.eq(after.sent_at),
        message_send::updated_at.eq(after.updated_at),
    ))
    .execute(connection)?;
    Ok(changed == 1)
}
