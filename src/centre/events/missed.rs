//! The follower that tells the message centre of messages whose addressee was not there: the agent who serves the
//! conversation, or the customer.
//!
//! Owns when it is looked: a while after the message, so that who is held for connected though it is gone, and what a device
//! has yet to report, is known by then. Does not own who was addressed (`domain::centre::product`) nor who of the staff is
//! connected (`attendance`). Of a customer it is known what its devices have, on every process (delivered and read
//! positions), and whether it has a live socket on this one. Invariants: each message becomes one event at most, since
//! events are stored in the transaction that moves the cursor, and nothing moves it beyond a message that is too young; a
//! tenant is followed only while one of its active rules asks for it.

use std::collections::BTreeSet;
use std::sync::Arc;

use diesel::prelude::*;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio::sync::Notify;

use super::log::{ENTRIES, Told, conversations, members};
use super::store;
use crate::app::App;
use crate::centre::rules;
use crate::connections::Connections;
use crate::db::schema::{agent_status, tenant};
use crate::db::types::Json;
use crate::db::{AnyConnection, Db};
use crate::domain::centre::event::EventRow;
use crate::domain::centre::product::{
    MISSED_MESSAGES, ProductEvent, Source, addressee, first_young, missed_after_ms, payload,
};
use crate::domain::entry::EntryKind;
use crate::domain::tenant::TenantSettings;
use crate::journal::calendars;
use crate::journal::follower::{Follower, Progress, Slice, Start};
use crate::kernel::{Clock, IdGenerator, MemberId, MessageEventId, Result, TenantId};
use crate::messages::by_rev::following;
use crate::on;

/// The follower.
pub struct MissedMessages {
    db: Db,
    ids: Arc<IdGenerator>,
    clock: Clock,
    connections: Connections,
    news: Arc<Notify>,
}

impl MissedMessages {
    /// With the handles of this server.
    pub fn new(app: &App) -> Self {
        Self {
            db: app.db.clone(),
            ids: app.ids.clone(),
            clock: app.clock.clone(),
            connections: app.connections.clone(),
            news: app.message_events.clone(),
        }
    }
}

impl Follower for MissedMessages {
    fn name(&self) -> &'static str {
        MISSED_MESSAGES
    }

    fn start(&self) -> Start {
        Start::Begun
    }

    fn work<'a>(&'a self, slice: &'a Slice) -> BoxFuture<'a, Result<Progress>> {
        async move {
            let (piece, now, connections) = (slice.clone(), self.clock.now().0, self.connections.clone());
            let read = move |connection: &mut AnyConnection| read(connection, &piece, &connections, now);
            let (found, progress) = self.db.read(read).await?;
            if found.is_empty() {
                return Ok(progress);
            }
            let rows = found
                .into_iter()
                .map(|told| Ok(told.row(MessageEventId(self.ids.next()?), slice.tenant)))
                .collect::<Result<Vec<EventRow>>>()?;
            let slice = slice.clone();
            self.db
                .write(move |connection| {
                    store::insert(connection, &rows)?;
                    slice.advance(connection, progress.rev)
                })
                .await?;
            self.news.notify_one();
            Ok(progress)
        }
        .boxed()
    }
}

/// What is to be told of a piece of the log, and how far that is all.
fn read(
    connection: &mut AnyConnection,
    slice: &Slice,
    connections: &Connections,
    now: i64,
) -> Result<(Vec<Told>, Progress)> {
    let (tenant, head) = (slice.tenant, slice.head);
    let mut wanted = rules::store::followed(connection, tenant)?;
    wanted.retain(|event| event.source() == Source::Absence);
    if wanted.is_empty() {
        return Ok((Vec::new(), Progress { rev: head, more: false }));
    }
    let kinds: Vec<EntryKind> = EntryKind::ALL.iter().copied().filter(|kind| kind.is_message()).collect();
    let (mut entries, rev) = following(connection, tenant, &kinds, (slice.after, head), ENTRIES)?;
    let written = entries.iter().map(|entry| (entry.rev, entry.created_at));
    let young = first_young(written, now, after_ms(connection, tenant)?);
    entries.retain(|entry| !entry.is_imported() && young.is_none_or(|young| entry.rev < young));
    let rev = young.map_or(rev, |young| young - 1);
    let progress = Progress { rev, more: young.is_none() && rev < head };
    let conversations = conversations(connection, tenant, &entries)?;
    let addressed: Vec<_> = entries
        .iter()
        .filter_map(|entry| {
            let conversation = conversations.get(&entry.conversation_id)?;
            let (key, member) = addressee(entry, conversation)?;
            wanted.contains(&key).then_some((key, member, entry, conversation))
        })
        .collect();
    let agents = addressed.iter().filter(|(key, ..)| *key == ProductEvent::MessageMissedByAgent);
    let there = connected(connection, tenant, agents.map(|(_, member, ..)| *member).collect())?;
    let missed: Vec<_> = addressed
        .into_iter()
        .filter(|(_, member, ..)| !there.contains(member) && !connections.has(tenant, *member))
        .collect();
    if missed.is_empty() {
        return Ok((Vec::new(), progress));
    }
    let ids = missed.iter().flat_map(|(.., conversation)| [conversation.customer_id, conversation.agent()]);
    let members = members(connection, tenant, ids.flatten().collect())?;
    let named = |id: Option<MemberId>| members.get(&id?);
    let hours = calendars::load(connection, tenant)?;
    let told = missed.into_iter().map(|(key, _, entry, conversation)| Told {
        key,
        payload: payload(
            entry,
            conversation,
            named(conversation.customer_id),
            named(conversation.agent()),
            hours.is_open(conversation.group_id, now),
        ),
        customer: conversation.customer_id,
        agent: conversation.agent(),
        at: now,
        rule: None,
        origin: None,
    });
    Ok((told.collect(), progress))
}

/// How long after a message of this tenant it is looked whether its addressee was there, in milliseconds.
fn after_ms(connection: &mut AnyConnection, tenant: TenantId) -> Result<i64> {
    let settings: Json<TenantSettings> =
        tenant::table.find(tenant).select(tenant::settings).first(connection)?;
    Ok(missed_after_ms(settings.0.presence_grace_seconds))
}

/// Those of these members of the staff who are connected to any process.
fn connected(
    connection: &mut AnyConnection,
    tenant: TenantId,
    members: BTreeSet<MemberId>,
) -> Result<BTreeSet<MemberId>> {
    let rows: Vec<MemberId> = on!(connection, inner => agent_status::table
        .filter(agent_status::tenant_id.eq(tenant))
        .filter(agent_status::member_id.eq_any(members))
        .filter(agent_status::connected.eq(true))
        .select(agent_status::member_id)
        .load(inner))?;
    Ok(rows.into_iter().collect())
}
