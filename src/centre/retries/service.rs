//! What a retry of many sends does.

use super::store::{Selection, selected};
use crate::app::App;
use crate::centre::fallbacks;
use crate::centre::sends::service::{again, apply};
use crate::db::AnyConnection;
use crate::domain::actor::Actor;
use crate::domain::audit::{Act, AuditAction};
use crate::domain::centre::send::{SendEvent, SendRow};
use crate::domain::permission::{Operation, require};
use crate::kernel::{MessageSendId, Result};

/// Sends of one transaction.
const AT_ONCE: i64 = 100;

/// What a retry took.
#[derive(Debug)]
pub struct Retried {
    /// The sends, each as it was before.
    pub sends: Vec<SendRow>,
    /// The last send that was looked at, when there may be more.
    pub next: Option<MessageSendId>,
}

/// Retries the sends that are selected, the oldest first, behind `after`, at most `limit`; a dry run changes nothing. What
/// is changed by others meanwhile is passed over. Errors: `forbidden`.
pub async fn retry(
    app: &App,
    actor: Actor,
    selection: Selection,
    after: MessageSendId,
    limit: i64,
    is_dry: bool,
) -> Result<Retried> {
    require(&actor, Operation::SendMessages)?;
    let audit = app.auditor(&actor)?;
    let mut retried = Retried { sends: Vec::new(), next: Some(after) };
    let mut rest = limit;
    while let (Some(after), true) = (retried.next, rest > 0) {
        let (now, ids, selection, count) =
            (app.clock.now().0, app.ids.clone(), selection.clone(), rest.min(AT_ONCE));
        let audit = audit.clone();
        let look = move |connection: &mut AnyConnection| {
            let found = selected(connection, actor.tenant, &selection, after, count)?;
            let next = found.last().map(|row| row.id).filter(|_| found.len() as i64 == count);
            if is_dry {
                return Ok((found, next));
            }
            let (mut taken, mut acts) = (Vec::new(), Vec::new());
            for row in found {
                if let Some(after) = apply(connection, &row, SendEvent::Retried, &again, now)? {
                    acts.push(Act::with_change(AuditAction::Retry, &row, &after));
                    taken.push(row);
                }
            }
            audit.note_each(connection, &ids, acts)?;
            let changed: Vec<MessageSendId> = taken.iter().map(|row| row.id).collect();
            fallbacks::make::follow(connection, &ids, &changed, now)?;
            Ok((taken, next))
        };
        let (taken, next) = match is_dry {
            true => app.db.read(look).await?,
            false => app.db.write(look).await?,
        };
        if !is_dry && !taken.is_empty() {
            app.message_sends.notify_one();
        }
        retried.sends.extend(taken);
        retried.next = next;
        rest -= count;
    }
    Ok(retried)
}
