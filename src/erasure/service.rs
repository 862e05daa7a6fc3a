//! What is asked of erasures. The work itself is the task's (`worker`).

use super::list;
use super::store;
use crate::app::App;
use crate::db::error_kind::{DbErrorKind, error_kind};
use crate::db::{AnyConnection, blocking};
use crate::domain::actor::Actor;
use crate::domain::audit::Act;
use crate::domain::erasure::{ErasureRow, ErasureState};
use crate::domain::permission::{Operation, require};
use crate::http::page::{Page, PageQuery};
use crate::kernel::{Code, ErasureId, Error, MemberId, Result};

const MEMBER: &str = "/member_id";

/// Has the data of a customer erased; gives the erasure and whether it is a new one. One that was done begins anew, since
/// something may have come since. Errors: `forbidden`, `validation_failed`.
pub async fn create(app: &App, actor: Actor, member: MemberId) -> Result<(ErasureRow, bool)> {
    require(&actor, Operation::EraseMembers)?;
    let new = ErasureRow {
        id: ErasureId(app.ids.next()?),
        tenant_id: actor.tenant,
        member_id: member,
        state: ErasureState::Running,
        requested_by: Some(actor.member),
        requested_at: app.clock.now().0,
        finished_at: None,
        receipt: "{}".to_owned(),
    };
    let audit = app.auditor(&actor)?;
    let write = move |connection: &mut AnyConnection| {
        check(connection, &new)?;
        if let Some(known) = store::of_member(connection, new.tenant_id, member)? {
            if store::begin_anew(connection, &ErasureRow { id: known.id, ..new.clone() })? {
                audit.note(connection, Act::updated(&known, &ErasureRow { id: known.id, ..new.clone() }))?;
            }
            return Ok((store::of_member(connection, new.tenant_id, member)?.unwrap_or(known), false));
        }
        audit.note(connection, Act::created(&new))?;
        match store::insert(connection, &new) {
            Ok(_) => Ok((new.clone(), true)),
            // Of two requests at once, the second is told to look again.
            Err(cause) if error_kind(&cause) == DbErrorKind::Unique => {
                let error = Error::new(Code::Busy, "this erasure began at the same moment: ask again");
                Err(error.retry_after(100).caused_by(cause))
            }
            Err(cause) => Err(cause.into()),
        }
    };
    let (row, created) = app.db.write(write).await?;
    if let Some(path) = list::path(app.db.target()) {
        let listed = list::Listed::from(&row);
        // The task adds it as well, before it takes anything.
        if let Err(error) = blocking(move || list::add(&path, listed)).await {
            log::warn!(target: "deskwire::erasure", "the list of erasures cannot be written: {error}");
        }
    }
    Ok((row, created))
}

/// Only what is known of customers can be erased, and of them under the account that they have now.
fn check(connection: &mut AnyConnection, row: &ErasureRow) -> Result<()> {
    let account = store::account(connection, row.tenant_id, row.member_id)?;
    let Some((role, merged_into)) = account else {
        return Err(Error::field(MEMBER, "invalid", "there is no such customer"));
    };
    if role.is_staff() {
        let detail = "what the staff did and said is the tenant's record: delete the account instead";
        return Err(Error::field(MEMBER, "customer_or_staff", detail));
    }
    match merged_into {
        Some(known) => {
            let detail = format!("this visitor was recognised as member {known}: erase that one");
            Err(Error::field(MEMBER, "invalid", detail))
        }
        None => Ok(()),
    }
}

/// An erasure. Errors: `forbidden`, `not_found`.
pub async fn get(app: &App, actor: Actor, id: ErasureId) -> Result<ErasureRow> {
    require(&actor, Operation::EraseMembers)?;
    let found = app.db.read(move |connection| store::find(connection, actor.tenant, id)).await?;
    found.ok_or_else(Error::not_found)
}

/// The erasures, the newest first. Errors: `forbidden`.
pub async fn list(
    app: &App,
    actor: Actor,
    filter: (Option<MemberId>, Option<ErasureState>),
    page: PageQuery,
) -> Result<Page<ErasureRow>> {
    require(&actor, Operation::EraseMembers)?;
    let (limit, before) = (page.limit()?, page.after::<ErasureId>()?);
    let read = move |connection: &mut AnyConnection| {
        store::list(connection, actor.tenant, filter, before, limit + 1)
    };
    Ok(Page::new(app.db.read(read).await?, limit, |row| row.id))
}
