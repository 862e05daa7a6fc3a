//! Conversations by a filter: a page of those that meet it, and which of one's filters a conversation meets. Reads only.

use std::collections::HashMap;

use serde_json::Value;

use super::{service, store};
use crate::app::App;
use crate::attributes::store as attributes;
use crate::conversations::access;
use crate::conversations::list::{floor, newest_first};
use crate::conversations::view::{Cards, View};
use crate::conversations::walks;
use crate::db::{AnyConnection, DatabaseKind};
use crate::domain::actor::Actor;
use crate::domain::attribute::AttributeTarget;
use crate::domain::conversation::{ConversationKind, ConversationRow, ConversationStatus};
use crate::domain::filter::cell::Cell;
use crate::domain::filter::parse::Reader;
use crate::domain::filter::sql::condition;
use crate::domain::filter::tree::{Filter, Subject};
use crate::domain::permission::{Operation, require};
use crate::domain::saved_filter::{SAVED_FILTERS_MAX, SavedFilterRow};
use crate::http::page::{Page, encode};
use crate::kernel::{ConversationId, Error, GroupId, MemberId, Result, SavedFilterId};

/// Most conversations that are looked at for one page.
pub const LOOKED_AT: i64 = 20_000;

/// By what conversations are searched.
#[derive(Debug, Clone)]
pub enum By {
    /// A filter as JSON.
    Given(Value),
    /// A saved filter that the actor has.
    Saved(SavedFilterId),
}

/// Which page of a search is asked for.
#[derive(Debug, Clone, Copy)]
pub struct Asked {
    /// Only conversations with ids below.
    pub before: Option<ConversationId>,
    /// Most rows.
    pub limit: i64,
    /// Most conversations that are looked at.
    pub looked_at: i64,
}

/// A page of the conversations that meet a filter, of those that the actor may list, the newest first. Errors: `forbidden`,
/// `not_found`, `validation_failed`.
pub async fn search(app: &App, actor: Actor, by: By, asked: Asked) -> Result<Page<View>> {
    require(&actor, Operation::UseSavedFilters)?;
    let now = app.clock.now();
    let read = move |connection: &mut AnyConnection| {
        let filter = match &by {
            By::Given(given) => service::read(connection, &actor, now, given, false)?,
            By::Saved(id) => {
                let row = store::find(connection, actor.tenant, actor.member, *id)?;
                let row = row.ok_or_else(Error::not_found)?;
                service::read(connection, &actor, now, &row.given(), true)?
            }
        };
        let page = page(connection, &actor, &filter, asked)?;
        let cards = Cards::of(connection, actor.tenant, &page.data)?;
        Ok(page.map(|row| View::new(&row, &cards, actor.role)))
    };
    app.db.read(read).await
}

/// A page of the conversations that meet a filter. It ends early, with a cursor, when as many were looked at as are allowed.
pub fn page(
    connection: &mut AnyConnection,
    actor: &Actor,
    filter: &Filter,
    asked: Asked,
) -> Result<Page<ConversationRow>> {
    let Asked { before, limit, looked_at } = asked;
    let reach = access::reach(connection, actor)?;
    let narrowed = narrowed(filter, connection.kind());
    let floor = floor(connection, actor.tenant, &reach, &narrowed, before, looked_at)?;
    let narrowed = walks::Filter { floor, ..narrowed };
    let rows = newest_first(connection, actor.tenant, &reach, &narrowed, before, limit + 1)?;
    let mut page = Page::new(rows, limit, |row| row.id.0);
    page.next_cursor = page.next_cursor.or_else(|| floor.map(|floor| encode(&floor.0)));
    Ok(page)
}

/// What is walked for a filter: the conversations of the one customer, agent or group that it asks for, or in the one state,
/// and of these the ones that meet it.
pub fn narrowed(filter: &Filter, database: DatabaseKind) -> walks::Filter {
    let id = |name| match filter.required(name) {
        Some(Cell::Number(id)) => Some(*id),
        _ => None,
    };
    let word = |name| match filter.required(name) {
        Some(Cell::Text(word)) => word.parse::<ConversationStatus>().ok(),
        _ => None,
    };
    // Each of these has an index of its own, in which the others would only be looked at and left out.
    let (customer, agent, group) = (id("customer_id"), id("agent_id"), id("group_id"));
    walks::Filter {
        customer_id: customer.map(MemberId),
        agent_id: agent.filter(|_| customer.is_none()).map(MemberId),
        group: group.filter(|_| customer.is_none() && agent.is_none()).map(|id| Some(GroupId(id))),
        status: word("status").filter(|_| customer.is_none()),
        condition: Some(condition(filter, database)),
        ..walks::Filter::default()
    }
}

/// The actor's filters that a conversation meets as it is now, in the order of their ids. Errors: `forbidden`, `not_found`.
pub async fn met(app: &App, actor: Actor, id: ConversationId) -> Result<Vec<SavedFilterRow>> {
    require(&actor, Operation::UseSavedFilters)?;
    let now = app.clock.now();
    let read = move |connection: &mut AnyConnection| {
        let tenant = actor.tenant;
        let access = access::load(connection, &actor, id)?;
        let conversation = access.front();
        if conversation.kind != ConversationKind::Support {
            return Ok(Vec::new());
        }
        let known = attributes::all(connection, tenant, AttributeTarget::Conversation)?;
        let values = attributes::values(connection, tenant, conversation.id)?;
        let values: HashMap<_, _> =
            values.iter().map(|value| (value.attribute_id, value.columns())).collect();
        let reader = Reader { me: actor.member, now, attributes: &known, is_kept: true };
        let subject = Subject { conversation, values: &values };
        let mut rows = store::list(connection, tenant, actor.member, None, 2 * SAVED_FILTERS_MAX)?;
        // One that this program cannot read, since another version saved it, is met by nothing.
        rows.retain(|row| reader.read(&row.given(), "/filter").is_ok_and(|filter| filter.matches(subject)));
        Ok(rows)
    };
    app.db.read(read).await
}
