//! What is done with notifications.

use super::store;
use crate::app::App;
use crate::db::AnyConnection;
use crate::domain::actor::Actor;
use crate::domain::centre::notification::{AT_ONCE, Notification, WhichNotifications};
use crate::domain::permission::{Operation, require};
use crate::http::page::{Page, PageQuery};
use crate::journal::Command;
use crate::journal::commands::ReadNotifications;
use crate::kernel::{Error, NotificationId, Result};

/// Commands that one request to read everything may take: more is left, and said.
const ROUNDS: usize = 100;

/// The actor's notifications, the newest first, and how many are unread in all; only unread or only read ones when that is
/// asked for. Errors: `invalid_parameter`.
pub async fn list(
    app: &App,
    actor: Actor,
    unread: Option<bool>,
    page: PageQuery,
) -> Result<(Page<Notification>, i64)> {
    require(&actor, Operation::ReadNotifications)?;
    let (limit, before) = (page.limit()?, page.after::<NotificationId>()?);
    app.db
        .read(move |connection| {
            let own = store::own(connection, &actor)?;
            let rows = store::list(connection, &own, unread, before, limit + 1)?;
            let page = Page::new(rows, limit, |row| row.id).map(|row| Notification::from(&row));
            Ok((page, store::unread(connection, &own)?))
        })
        .await
}

/// Marks notifications of the actor as read: these, or all up to one. Gives how many are unread still. Errors:
/// `not_found`, `validation_failed`.
pub async fn read(
    app: &App,
    actor: Actor,
    ids: Option<Vec<NotificationId>>,
    until: Option<NotificationId>,
) -> Result<i64> {
    require(&actor, Operation::ReadNotifications)?;
    let which = match (ids, until) {
        (Some(ids), None) if ids.is_empty() => {
            return Err(Error::field("/ids", "too_short", "at least one"));
        }
        (Some(ids), None) if ids.len() > AT_ONCE => {
            return Err(Error::field("/ids", "too_long", format!("at most {AT_ONCE}")));
        }
        (Some(ids), None) => WhichNotifications::These(ids),
        (None, Some(until)) => WhichNotifications::Until(until),
        (Some(_), Some(_)) => return Err(Error::field("/until", "invalid", "either ids or until")),
        (None, None) => return Err(Error::field("/ids", "required", "either ids or until")),
    };
    for _ in 0..ROUNDS {
        let command = ReadNotifications { which: which.clone() };
        if !app.journal.submit(Command::new(actor, command)).await?.more {
            break;
        }
    }
    app.db
        .read(move |connection: &mut AnyConnection| {
            let own = store::own(connection, &actor)?;
            store::unread(connection, &own)
        })
        .await
}
