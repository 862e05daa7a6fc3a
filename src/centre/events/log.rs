//! What the product's own events are made of: entries of the log, their conversations, and the members whom events name.

use std::collections::{BTreeSet, HashMap};

use diesel::prelude::*;
use serde_json::Value;

use crate::db::AnyConnection;
use crate::db::schema::{conversation, member};
use crate::domain::centre::event::EventRow;
use crate::domain::centre::product::{Named, ProductEvent, agent, payload};
use crate::domain::conversation::ConversationRow;
use crate::domain::entry::EntryRow;
use crate::journal::calendars;
use crate::kernel::{ConversationId, MemberId, MessageEventId, MessageRuleId, Result, TenantId};
use crate::messages::by_rev::following;
use crate::on;

/// Entries of one piece.
pub const ENTRIES: i64 = 200;

/// What is told.
#[derive(Debug, Clone)]
pub struct Told {
    /// What it is.
    pub key: ProductEvent,
    /// What is known of it.
    pub payload: Value,
    /// The customer whom it is about.
    pub customer: Option<MemberId>,
    /// The agent whom it is about.
    pub agent: Option<MemberId>,
    /// When it happened, unix milliseconds.
    pub at: i64,
    /// The only rule that it is for.
    pub rule: Option<MessageRuleId>,
    /// What makes it one event only.
    pub origin: Option<String>,
}

impl Told {
    /// As an event with this id.
    pub fn row(self, id: MessageEventId, tenant: TenantId) -> EventRow {
        EventRow {
            id,
            tenant_id: tenant,
            key: self.key.as_str().to_owned(),
            payload: self.payload.to_string(),
            created_by: None,
            created_at: self.at,
            expanded_at: None,
            decisions: None,
            customer_id: self.customer,
            agent_id: self.agent,
            rule_id: self.rule,
            origin: self.origin,
        }
    }
}

/// What the entries of a piece of the log are that these keys name, and up to which rev that is all.
pub fn told(
    connection: &mut AnyConnection,
    tenant: TenantId,
    wanted: &[ProductEvent],
    (after, head): (i64, i64),
) -> Result<(Vec<Told>, i64)> {
    let (entries, rev) = following(connection, tenant, &ProductEvent::kinds(), (after, head), ENTRIES)?;
    let conversations = conversations(connection, tenant, &entries)?;
    let front = |entry: &EntryRow| {
        let row = conversations.get(&entry.conversation_id)?;
        Some((row.kind, conversations.get(&row.parent_id.unwrap_or(row.id))?))
    };
    let mut found = Vec::new();
    for entry in entries.iter().filter(|entry| !entry.is_imported()) {
        let Some((kind, conversation)) = front(entry) else { continue };
        let key = ProductEvent::of(entry.kind, entry.sender_role, kind);
        let Some(key) = key.filter(|key| wanted.contains(key)) else { continue };
        found.push((key, entry, conversation, agent(entry, conversation)));
    }
    if found.is_empty() {
        return Ok((Vec::new(), rev));
    }
    let ids = found.iter().flat_map(|(_, _, conversation, agent)| [conversation.customer_id, *agent]);
    let members = members(connection, tenant, ids.flatten().collect())?;
    let named = |id: Option<MemberId>| members.get(&id?);
    let hours = calendars::load(connection, tenant)?;
    let told = found.into_iter().map(|(key, entry, conversation, agent)| Told {
        key,
        payload: payload(
            entry,
            conversation,
            named(conversation.customer_id),
            named(agent),
            hours.is_open(conversation.group_id, entry.created_at),
        ),
        customer: conversation.customer_id,
        agent,
        at: entry.created_at,
        rule: None,
        origin: None,
    });
    Ok((told.collect(), rev))
}

/// The conversations of entries, and those before them of entries behind the scenes.
pub fn conversations(
    connection: &mut AnyConnection,
    tenant: TenantId,
    entries: &[EntryRow],
) -> Result<HashMap<ConversationId, ConversationRow>> {
    let mut load = |ids: BTreeSet<ConversationId>| -> Result<Vec<ConversationRow>> {
        Ok(on!(connection, inner => conversation::table
            .filter(conversation::tenant_id.eq(tenant))
            .filter(conversation::id.eq_any(ids))
            .select(ConversationRow::as_select())
            .load(inner))?)
    };
    let mut rows = load(entries.iter().map(|entry| entry.conversation_id).collect())?;
    let fronts: BTreeSet<ConversationId> = rows.iter().filter_map(|row| row.parent_id).collect();
    rows.extend(load(fronts)?);
    Ok(rows.into_iter().map(|row| (row.id, row)).collect())
}

/// Members by their ids, as events name them.
pub fn members(
    connection: &mut AnyConnection,
    tenant: TenantId,
    ids: BTreeSet<MemberId>,
) -> Result<HashMap<MemberId, Named>> {
    let rows: Vec<(MemberId, String, Option<String>)> = on!(connection, inner => member::table
        .filter(member::tenant_id.eq(tenant))
        .filter(member::id.eq_any(ids))
        .select((member::id, member::nickname, member::external_id))
        .load(inner))?;
    let named = rows.into_iter().map(|(id, nickname, external_id)| (id, Named { id, nickname, external_id }));
    Ok(named.collect())
}
