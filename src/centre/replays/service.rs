//! What a replay does.

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::store::{self, Happened};
use crate::app::App;
use crate::centre::events::log;
use crate::centre::rules;
use crate::db::AnyConnection;
use crate::domain::actor::Actor;
use crate::domain::audit::{Act, AuditAction};
use crate::domain::centre::event::EventRow;
use crate::domain::centre::product::{ProductEvent, Source};
use crate::domain::centre::rule::{RuleRow, RuleStatus};
use crate::domain::permission::{Operation, require};
use crate::http::idempotency::{Once, once};
use crate::http::page::{decode, encode};
use crate::journal::history;
use crate::kernel::id::first_id_at;
use crate::kernel::{Code, Error, MessageEventId, MessageRuleId, Result};
use crate::messages::by_rev;
use crate::sync::cursor::{Cursor, Reader};

/// Pieces of the log that one request reads at most.
const PIECES: usize = 20;

/// What is asked for.
#[derive(Debug, Clone)]
pub struct Asked {
    /// What happened at this time or later, unix milliseconds, when there is no cursor.
    pub from: i64,
    /// What happened before this time.
    pub before: Option<i64>,
    /// What comes after it.
    pub cursor: Option<String>,
    /// About how many events.
    pub limit: usize,
}

/// What was made, or would be.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Replayed {
    /// How many events.
    pub count: usize,
    /// Those that were made.
    pub event_ids: Vec<MessageEventId>,
    /// Where the next request goes on.
    pub next_cursor: Option<String>,
}

/// What a replay would make. Errors: `forbidden`, `not_found`, `invalid_transition`, `cursor_reset`, `validation_failed`.
pub async fn counted(app: &App, actor: Actor, id: MessageRuleId, asked: Asked) -> Result<Replayed> {
    let (_, happened, next_cursor) = found(app, actor, id, asked).await?;
    Ok(Replayed { count: happened.len(), event_ids: Vec::new(), next_cursor })
}

/// Makes new events for a rule of what happened before. Errors: as of [`counted`], and `idempotency_conflict`.
pub async fn replay(
    app: &App,
    actor: Actor,
    id: MessageRuleId,
    asked: Asked,
    key: Option<Once>,
) -> Result<Replayed> {
    let (rule, happened, next_cursor) = found(app, actor, id, asked).await?;
    let now = app.clock.now().0;
    let event = |one: Happened| {
        Ok(EventRow {
            id: MessageEventId(app.ids.next()?),
            tenant_id: actor.tenant,
            key: rule.key.clone(),
            payload: one.payload,
            created_by: Some(actor.member),
            created_at: now,
            expanded_at: None,
            decisions: None,
            customer_id: one.customer_id,
            agent_id: one.agent_id,
            rule_id: Some(rule.id),
            origin: None,
        })
    };
    let rows = happened.into_iter().map(event).collect::<Result<Vec<_>>>()?;
    let audit = app.auditor(&actor)?;
    let mut act = Act::done(AuditAction::Replay, &rule);
    act.after.insert("count".to_owned(), json!(rows.len()));
    let write = move |connection: &mut AnyConnection| {
        once(connection, key.as_ref(), now, |connection| {
            store::insert(connection, &rows)?;
            audit.note(connection, act.clone())?;
            let event_ids = rows.iter().map(|row| row.id).collect();
            Ok(Replayed { count: rows.len(), event_ids, next_cursor: next_cursor.clone() })
        })
    };
    let replayed = app.db.write(write).await?;
    app.message_events.notify_one();
    Ok(replayed)
}

/// The rule, what happened, and where that goes on.
async fn found(
    app: &App,
    actor: Actor,
    id: MessageRuleId,
    asked: Asked,
) -> Result<(RuleRow, Vec<Happened>, Option<String>)> {
    require(&actor, Operation::SendMessages)?;
    let reader = Reader::tenant(&app.epoch, actor.tenant);
    let read = move |connection: &mut AnyConnection| {
        let rule = rules::store::find(connection, actor.tenant, id)?.ok_or_else(Error::not_found)?;
        if rule.status != RuleStatus::Active {
            let error = Error::new(Code::InvalidTransition, format!("the rule is {}", rule.status));
            return Err(error.with("status", rule.status.as_str()));
        }
        let key = ProductEvent::ALL.iter().find(|key| key.as_str() == rule.key);
        let (happened, next) = match key.filter(|key| key.source() == Source::Log) {
            Some(key) => of_log(connection, &rule, *key, &asked, reader)?,
            None => of_store(connection, &rule, &asked)?,
        };
        Ok((rule, happened, next))
    };
    app.db.read(read).await
}

/// What the entries of the log tell.
fn of_log(
    connection: &mut AnyConnection,
    rule: &RuleRow,
    key: ProductEvent,
    asked: &Asked,
    reader: Reader,
) -> Result<(Vec<Happened>, Option<String>)> {
    let tenant = rule.tenant_id;
    let head = history::head(connection, tenant)?;
    let mut rev = match &asked.cursor {
        Some(cursor) => cursor.parse::<Cursor>().map_err(|_| unknown_cursor())?.check(reader, head)?,
        None => by_rev::written_before(connection, tenant, asked.from, head)?,
    };
    let until = match asked.before {
        Some(before) => by_rev::written_before(connection, tenant, before, head)?,
        None => head,
    };
    let mut found = Vec::new();
    for _ in 0..PIECES {
        if rev >= until || found.len() >= asked.limit {
            break;
        }
        let (told, reached) = log::told(connection, tenant, &[key], (rev, until))?;
        found.extend(told.into_iter().map(|told| Happened {
            payload: told.payload.to_string(),
            customer_id: told.customer,
            agent_id: told.agent,
        }));
        rev = reached;
    }
    Ok((found, (rev < until).then(|| reader.at(rev).to_string())))
}

/// What the events that are kept tell.
fn of_store(
    connection: &mut AnyConnection,
    rule: &RuleRow,
    asked: &Asked,
) -> Result<(Vec<Happened>, Option<String>)> {
    let after = match &asked.cursor {
        Some(cursor) => decode(cursor).map_err(|_| unknown_cursor())?,
        None => MessageEventId(first_id_at(asked.from.max(0)) - 1),
    };
    let before = MessageEventId(asked.before.map_or(i64::MAX, |before| first_id_at(before.max(0))));
    let rows = store::events(connection, rule, (after, before), asked.limit)?;
    let last = rows.last().map(|(id, _)| *id).filter(|_| rows.len() == asked.limit);
    Ok((rows.into_iter().map(|(_, happened)| happened).collect(), last.map(|id| encode(&id))))
}

/// What is said of a cursor that no answer had.
pub fn unknown_cursor() -> Error {
    Error::field("/cursor", "invalid", "not one that this operation gave for this rule")
}
