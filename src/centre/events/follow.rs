//! The follower that tells the message centre what happens in the product: it reads the log, and makes events of what a rule
//! asks for.
//!
//! Owns how entries become events. Does not own which do (`domain::centre::product`). Invariants: each entry becomes one
//! event at most, since events are stored in the transaction that moves the cursor; a tenant is followed only while one of
//! its active rules asks for it, from the moment when the first one does.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use diesel::prelude::*;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use serde_json::Value;
use tokio::sync::Notify;

use super::store;
use crate::app::App;
use crate::centre::rules;
use crate::db::schema::{conversation, group_message, member};
use crate::db::{AnyConnection, Db};
use crate::domain::centre::event::EventRow;
use crate::domain::centre::product::{Named, PRODUCT_EVENTS, ProductEvent, agent, payload};
use crate::domain::conversation::ConversationRow;
use crate::domain::entry::EntryRow;
use crate::journal::follower::{Follower, Progress, Slice, Start};
use crate::kernel::{ConversationId, IdGenerator, MemberId, MessageEventId, Result, TenantId};
use crate::on;

/// Entries of one piece.
const ENTRIES: i64 = 200;

/// The follower.
pub struct ProductEvents {
    db: Db,
    ids: Arc<IdGenerator>,
    news: Arc<Notify>,
}

impl ProductEvents {
    /// With the handles of this server.
    pub fn new(app: &App) -> Self {
        Self { db: app.db.clone(), ids: app.ids.clone(), news: app.message_events.clone() }
    }
}

impl Follower for ProductEvents {
    fn name(&self) -> &'static str {
        PRODUCT_EVENTS
    }

    fn start(&self) -> Start {
        Start::Begun
    }

    fn work<'a>(&'a self, slice: &'a Slice) -> BoxFuture<'a, Result<Progress>> {
        async move {
            let (tenant, after, head) = (slice.tenant, slice.after, slice.head);
            let (found, rev) = self.db.read(move |connection| read(connection, tenant, after, head)).await?;
            let progress = Progress { rev, more: rev < head };
            if found.is_empty() {
                return Ok(progress);
            }
            let rows = found
                .into_iter()
                .map(|told| Ok(told.row(MessageEventId(self.ids.next()?), tenant)))
                .collect::<Result<Vec<EventRow>>>()?;
            let slice = slice.clone();
            self.db
                .write(move |connection| {
                    store::insert(connection, &rows)?;
                    slice.advance(connection, rev)
                })
                .await?;
            self.news.notify_one();
            Ok(progress)
        }
        .boxed()
    }
}

/// An entry that is told.
struct Told {
    key: ProductEvent,
    payload: Value,
    customer: Option<MemberId>,
    agent: Option<MemberId>,
    at: i64,
}

impl Told {
    fn row(self, id: MessageEventId, tenant: TenantId) -> EventRow {
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
        }
    }
}

/// What is to be told of a piece of the log, and up to which rev that is all.
fn read(connection: &mut AnyConnection, tenant: TenantId, after: i64, head: i64) -> Result<(Vec<Told>, i64)> {
    let wanted = rules::store::followed(connection, tenant)?;
    if wanted.is_empty() {
        return Ok((Vec::new(), head));
    }
    let (entries, rev) = entries(connection, tenant, after, head)?;
    let conversations = conversations(connection, tenant, &entries)?;
    let front = |entry: &EntryRow| {
        let row = conversations.get(&entry.conversation_id)?;
        Some((row.kind, conversations.get(&row.parent_id.unwrap_or(row.id))?))
    };
    let mut found = Vec::new();
    for entry in &entries {
        let Some((kind, conversation)) = front(entry) else { continue };
        let key = ProductEvent::of(entry.kind, entry.sender_role, kind);
        let Some(key) = key.filter(|key| wanted.contains(key)) else { continue };
        found.push((key, entry, conversation, agent(entry, conversation)));
    }
    let ids = found.iter().flat_map(|(_, _, conversation, agent)| [conversation.customer_id, *agent]);
    let members = members(connection, tenant, ids.flatten().collect())?;
    let named = |id: Option<MemberId>| members.get(&id?);
    let told = found.into_iter().map(|(key, entry, conversation, agent)| Told {
        key,
        payload: payload(entry, conversation, named(conversation.customer_id), named(agent)),
        customer: conversation.customer_id,
        agent,
        at: entry.created_at,
    });
    Ok((told.collect(), rev))
}

/// The next entries that may be told, and up to which rev these are all.
fn entries(
    connection: &mut AnyConnection,
    tenant: TenantId,
    after: i64,
    head: i64,
) -> Result<(Vec<EntryRow>, i64)> {
    let kinds: Vec<&str> = ProductEvent::kinds().iter().map(|kind| kind.as_str()).collect();
    let mut rows: Vec<EntryRow> = on!(connection, inner => group_message::table
        .filter(group_message::tenant_id.eq(tenant))
        .filter(group_message::rev.gt(after))
        .filter(group_message::rev.le(head))
        .filter(group_message::kind.eq_any(&kinds))
        .order((group_message::rev.asc(), group_message::conversation_id.asc(), group_message::seq.asc()))
        .limit(ENTRIES)
        .select(EntryRow::as_select())
        .load(inner))?;
    let is_full = i64::try_from(rows.len()).is_ok_and(|count| count == ENTRIES);
    let Some(last) = rows.last().map(|row| row.rev).filter(|_| is_full) else { return Ok((rows, head)) };
    // A piece ends between two revs: one command's entries share one.
    rows.retain(|row| row.rev < last);
    if rows.is_empty() {
        let all = on!(connection, inner => group_message::table
            .filter(group_message::tenant_id.eq(tenant))
            .filter(group_message::rev.eq(last))
            .filter(group_message::kind.eq_any(&kinds))
            .order((group_message::conversation_id.asc(), group_message::seq.asc()))
            .select(EntryRow::as_select())
            .load(inner))?;
        return Ok((all, last));
    }
    Ok((rows, last - 1))
}

/// The conversations of entries, and those before them of entries behind the scenes.
fn conversations(
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

fn members(
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
