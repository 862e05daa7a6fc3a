//! The query of the sends that a retry takes.

use diesel::prelude::*;

use crate::db::AnyConnection;
use crate::db::schema::message_send;
use crate::domain::centre::send::{SendReason, SendRow, SendStatus};
use crate::kernel::{
    ChannelAccountId, MessageEventId, MessageRuleId, MessageSendId, Millis, PersonId, Result, TenantId,
};
use crate::on;

/// Which sends are retried. What could not be rendered is never among them: there is nothing to send.
#[derive(Debug, Clone, Default)]
pub struct Selection {
    /// Those in one of these states.
    pub status: Vec<SendStatus>,
    /// Only of this rule.
    pub rule_id: Option<MessageRuleId>,
    /// Only of this event.
    pub event_id: Option<MessageEventId>,
    /// Only of this account.
    pub account_id: Option<ChannelAccountId>,
    /// Only to this person.
    pub recipient_id: Option<PersonId>,
    /// Only made at this time or later.
    pub created_from: Option<Millis>,
    /// Only made before this time.
    pub created_before: Option<Millis>,
}

/// The sends of a tenant that are selected, the oldest first, behind this one, at most `limit`.
pub fn selected(
    connection: &mut AnyConnection,
    tenant: TenantId,
    selection: &Selection,
    after: MessageSendId,
    limit: i64,
) -> Result<Vec<SendRow>> {
    let states: Vec<&str> = selection.status.iter().map(|status| status.as_str()).collect();
    Ok(on!(connection, inner => {
        let mut query = message_send::table
            .filter(message_send::tenant_id.eq(tenant))
            .filter(message_send::id.gt(after))
            .filter(message_send::status.eq_any(states))
            .filter(message_send::reason.is_null().or(message_send::reason.ne(SendReason::Template.as_str())))
            .order(message_send::id.asc())
            .limit(limit)
            .select(SendRow::as_select())
            .into_boxed();
        if let Some(rule) = selection.rule_id {
            query = query.filter(message_send::rule_id.eq(rule));
        }
        if let Some(event) = selection.event_id {
            query = query.filter(message_send::event_id.eq(event));
        }
        if let Some(account) = selection.account_id {
            query = query.filter(message_send::account_id.eq(account));
        }
        if let Some(person) = selection.recipient_id {
            query = query.filter(message_send::recipient_id.eq(person));
        }
        if let Some(from) = selection.created_from {
            query = query.filter(message_send::created_at.ge(from.0));
        }
        if let Some(before) = selection.created_before {
            query = query.filter(message_send::created_at.lt(before.0));
        }
        query.load(inner)
    })?)
}
