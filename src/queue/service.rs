//! What can be asked of the queue.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use super::api::{Offer, QueuePlace, QueuedConversation};
use super::store;
use crate::app::App;
use crate::business_hours::service as business_hours;
use crate::conversations::access;
use crate::conversations::view::{Cards, StaffView};
use crate::db::AnyConnection;
use crate::domain::actor::Actor;
use crate::domain::conversation::ConversationRow;
use crate::domain::group::Sight;
use crate::domain::offer::OfferRow;
use crate::domain::permission::{Operation, require};
use crate::groups;
use crate::http::page::{Page, PageQuery};
use crate::journal::ephemeral::PlaceInQueue;
use crate::kernel::{ConversationId, GroupId, Millis, Result, TenantId};

/// The time from which an estimate is made.
const WINDOW_MS: i64 = 30 * 60 * 1_000;
/// Fewer assignments than this say nothing.
const THIN: i64 = 5;

/// The waiting conversations that the actor sees, with their places. Errors: `forbidden`.
pub async fn list(app: &App, actor: Actor, query: PageQuery) -> Result<Page<QueuedConversation>> {
    require(&actor, Operation::ReadQueue)?;
    let (limit, after) = (query.limit()?, query.after::<(i64, i64)>()?);
    let after = after.map(|(key, id)| (key, ConversationId(id)));
    let now = app.clock.now();
    app.db
        .read(move |connection| {
            let sight = groups::store::sight(connection, &actor)?;
            let rows = store::waiting(connection, actor.tenant, &sight, after, limit + 1)?;
            let cards = Cards::of(connection, actor.tenant, &rows)?;
            let place = |row: &ConversationRow| (row.queue_key.unwrap_or_default(), row.id.0);
            let page = Page::new(rows, limit, place);
            let places = number(connection, actor.tenant, &page.data, now)?;
            let numbered = page.data.iter().zip(places);
            let data = numbered.map(|(row, (position, estimated_wait_seconds))| {
                let conversation = StaffView::new(row, &cards);
                QueuedConversation { conversation, position, estimated_wait_seconds }
            });
            let data = data.collect();
            Ok(Page { data, next_cursor: page.next_cursor })
        })
        .await
}

/// The places and estimates of conversations that stand in the queue one after the other.
fn number(
    connection: &mut AnyConnection,
    tenant: TenantId,
    rows: &[ConversationRow],
    now: Millis,
) -> Result<Vec<(i64, Option<i64>)>> {
    let mut lines: HashMap<Option<GroupId>, Line> = HashMap::new();
    let mut places = Vec::with_capacity(rows.len());
    for row in rows {
        let line = match lines.entry(row.group_id) {
            Entry::Occupied(line) => line.into_mut(),
            Entry::Vacant(vacant) => {
                let place = (row.queue_key.unwrap_or_default(), row.id);
                vacant.insert(Line::read(connection, tenant, row.group_id, place, now)?)
            }
        };
        let position = line.next();
        places.push((position, line.pace.estimate(position)));
    }
    Ok(places)
}

/// Where the first waiting conversations of a tenant stand, at most `limit`.
pub(super) fn places(
    connection: &mut AnyConnection,
    tenant: TenantId,
    now: Millis,
    limit: i64,
) -> Result<Vec<PlaceInQueue>> {
    let rows = store::waiting(connection, tenant, &Sight::whole(), None, limit)?;
    let places = number(connection, tenant, &rows, now)?;
    let place = |(row, (position, estimated_wait_seconds)): (ConversationRow, _)| PlaceInQueue {
        conversation: row.id,
        customer: row.customer_id,
        position,
        since: row.waiting_since.unwrap_or_default(),
        estimated_wait_seconds,
    };
    Ok(rows.into_iter().zip(places).map(place).collect())
}

/// Where a page stands in the line of one group, or of none.
struct Line {
    before: i64,
    pace: Pace,
}

impl Line {
    fn read(
        connection: &mut AnyConnection,
        tenant: TenantId,
        group: Option<GroupId>,
        place: (i64, ConversationId),
        now: Millis,
    ) -> Result<Self> {
        let before = store::before(connection, tenant, group, place)?;
        Ok(Self { before, pace: Pace::read(connection, tenant, group, now)? })
    }

    /// The place of the next conversation of the page.
    fn next(&mut self) -> i64 {
        self.before += 1;
        self.before
    }
}

/// Where a conversation stands in the queue, for everybody who may see it.
pub async fn place(app: &App, actor: Actor, id: ConversationId) -> Result<QueuePlace> {
    let now = app.clock.now();
    app.db
        .read(move |connection| {
            let access = access::load(connection, &actor, id)?;
            let row = access.front();
            let mut line = match row.queue_key {
                Some(key) => Some(Line::read(connection, actor.tenant, row.group_id, (key, row.id), now)?),
                None => None,
            };
            let position = line.as_mut().map(Line::next);
            let estimated_wait_seconds = line.zip(position).and_then(|(line, at)| line.pace.estimate(at));
            let hours = business_hours::of_group(connection, actor.tenant, row.group_id, now)?;
            Ok(QueuePlace {
                conversation_id: row.id,
                position,
                waiting_since: row.waiting_since.map(Millis),
                estimated_wait_seconds,
                business_hours: hours.into(),
            })
        })
        .await
}

/// The offers that wait for the actor's answer or, of those `made`, for another's. Errors: `forbidden`.
pub async fn offers(app: &App, actor: Actor, made: bool) -> Result<Vec<Offer>> {
    require(&actor, Operation::AnswerOffer)?;
    let read = move |connection: &mut AnyConnection| match made {
        true => store::offers_by(connection, actor.tenant, actor.member),
        false => store::offers_to(connection, actor.tenant, actor.member),
    };
    Ok(app.db.read(read).await?.into_iter().map(Offer::from).collect())
}

impl From<OfferRow> for Offer {
    fn from(row: OfferRow) -> Self {
        Self {
            id: row.id,
            conversation_id: row.conversation_id,
            agent_id: row.agent_id,
            state: row.state,
            offered_at: Millis(row.offered_at),
            expires_at: Millis(row.expires_at),
            from_agent_id: row.from_agent_id,
            reason: row.reason,
            note: row.note,
        }
    }
}

/// How fast the line of a group, or of none, moves.
#[derive(Debug, Clone, Copy)]
struct Pace {
    assigned: i64,
    anybody_online: bool,
}

impl Pace {
    fn read(
        connection: &mut AnyConnection,
        tenant: TenantId,
        group: Option<GroupId>,
        now: Millis,
    ) -> Result<Self> {
        Ok(Self {
            assigned: store::assigned_since(connection, tenant, group, now.0 - WINDOW_MS)?,
            anybody_online: store::anybody_online(connection, tenant)?,
        })
    }

    /// How long the conversation at this place waits if the queue goes on as in the last half hour, in seconds.
    fn estimate(self, position: i64) -> Option<i64> {
        let known = self.anybody_online && self.assigned >= THIN;
        known.then(|| position * (WINDOW_MS / 1_000) / self.assigned)
    }
}

#[cfg(test)]
mod tests {
    use super::Pace;

    #[test]
    fn an_estimate_is_honest_or_absent() {
        let pace = |assigned, anybody_online| Pace { assigned, anybody_online };
        assert_eq!(pace(60, true).estimate(2), Some(60));
        assert_eq!(pace(5, true).estimate(1), Some(360));
        assert_eq!(pace(4, true).estimate(1), None);
        assert_eq!(pace(60, false).estimate(1), None);
    }
}
