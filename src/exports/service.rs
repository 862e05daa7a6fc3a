//! What is asked of exports. The work itself is the task's (`worker`).

use std::fs::File;

use actix_files::NamedFile;

use super::{file, store};
use crate::app::App;
use crate::db::error_kind::{DbErrorKind, error_kind};
use crate::db::{AnyConnection, blocking};
use crate::domain::actor::Actor;
use crate::domain::audit::{Act, AuditAction};
use crate::domain::export::{ExportRow, ExportState};
use crate::domain::permission::{Operation, require};
use crate::erasure::store as persons;
use crate::http::page::{Page, PageQuery};
use crate::kernel::{Code, Error, ExportId, MemberId, Result, TenantId};

const MEMBER: &str = "/member_id";

/// Asks for an export of the tenant, or of a customer. Errors: `forbidden`, `attachments_off`, `validation_failed`,
/// `export_unfinished`.
pub async fn create(app: &App, actor: Actor, member: Option<MemberId>) -> Result<ExportRow> {
    require(&actor, Operation::ExportData)?;
    app.files.folder()?;
    let row = ExportRow {
        id: ExportId(app.ids.next()?),
        tenant_id: actor.tenant,
        member_id: member,
        state: ExportState::Waiting,
        requested_by: actor.member,
        requested_at: app.clock.now().0,
        started_at: None,
        finished_at: None,
        expires_at: None,
        failure: None,
        open_key: Some(actor.tenant),
        rev: 0,
        place: None,
        counts: "{}".to_owned(),
        line_count: 0,
        byte_count: 0,
        attempts: 0,
        lease_owner: None,
        lease_until: 0,
        fence: 0,
        sweep_at: None,
    };
    let audit = app.auditor(&actor)?;
    let write = move |connection: &mut AnyConnection| {
        if let Some(member) = member {
            check(connection, actor.tenant, member)?;
        }
        if let Some(other) = store::unfinished(connection, actor.tenant)? {
            return Err(unfinished().with("export_id", other));
        }
        audit.note(connection, Act::created(&row))?;
        match store::insert(connection, &row) {
            Ok(_) => Ok(row.clone()),
            Err(cause) if error_kind(&cause) == DbErrorKind::Unique => Err(unfinished().caused_by(cause)),
            Err(cause) => Err(cause.into()),
        }
    };
    let made = app.db.write(write).await;
    match made {
        // Of two at once, the second learns of the first here.
        Err(error) if error.code == Code::ExportUnfinished => {
            let other = app.db.read(move |connection| store::unfinished(connection, actor.tenant)).await?;
            Err(other.into_iter().fold(error, |error, other| error.with("export_id", other)))
        }
        made => made,
    }
}

fn unfinished() -> Error {
    Error::new(Code::ExportUnfinished, Code::ExportUnfinished.meaning())
}

/// Only customers can be named, by the account that they have now.
fn check(connection: &mut AnyConnection, tenant: TenantId, member: MemberId) -> Result<()> {
    let Some((role, merged_into)) = persons::account(connection, tenant, member)? else {
        return Err(Error::field(MEMBER, "invalid", "there is no such customer"));
    };
    if role.is_staff() {
        let detail = "what the staff did and said is in the tenant's export";
        return Err(Error::field(MEMBER, "customer_or_staff", detail));
    }
    match merged_into {
        Some(known) => {
            let detail = format!("this visitor was recognised as member {known}: export that one");
            Err(Error::field(MEMBER, "invalid", detail))
        }
        None => Ok(()),
    }
}

/// An export. Errors: `forbidden`, `not_found`.
pub async fn get(app: &App, actor: Actor, id: ExportId) -> Result<ExportRow> {
    require(&actor, Operation::ExportData)?;
    let found = app.db.read(move |connection| store::find(connection, actor.tenant, id)).await?;
    found.ok_or_else(Error::not_found)
}

/// The exports, the newest first. Errors: `forbidden`.
pub async fn list(
    app: &App,
    actor: Actor,
    (member, state): (Option<MemberId>, Option<ExportState>),
    page: PageQuery,
) -> Result<Page<ExportRow>> {
    require(&actor, Operation::ExportData)?;
    let (limit, before, now) = (page.limit()?, page.after::<ExportId>()?, app.clock.now().0);
    let read = move |connection: &mut AnyConnection| {
        store::list(connection, actor.tenant, (member, state, now), before, limit + 1)
    };
    Ok(Page::new(app.db.read(read).await?, limit, |row| row.id))
}

/// Ends an export and has its file removed, whether it is finished or not. One that was cancelled stays so. Errors:
/// `forbidden`, `not_found`, `invalid_transition` for one that failed or expired.
pub async fn cancel(app: &App, actor: Actor, id: ExportId) -> Result<ExportRow> {
    require(&actor, Operation::ExportData)?;
    let (now, audit) = (app.clock.now().0, app.auditor(&actor)?);
    let write = move |connection: &mut AnyConnection| {
        let row = store::hold(connection, actor.tenant, id)?.ok_or_else(Error::not_found)?;
        match row.state_at(now) {
            ExportState::Waiting | ExportState::Running | ExportState::Done => {}
            ExportState::Cancelled => return Ok(row),
            state @ (ExportState::Failed | ExportState::Expired) => {
                return Err(Error::new(Code::InvalidTransition, format!("the export is {state}")));
            }
        }
        store::end(connection, id, ExportState::Cancelled, now)?;
        let ended = store::find(connection, actor.tenant, id)?.ok_or_else(Error::not_found)?;
        audit.note(connection, Act::updated(&row, &ended))?;
        Ok(ended)
    };
    app.db.write(write).await
}

/// Opens the file of an export for the actor, which the audit log tells. Errors: `forbidden`, `not_found`,
/// `attachments_off`, `export_not_ready`, `export_ended`, `storage_unavailable`.
pub async fn open(app: &App, actor: Actor, id: ExportId) -> Result<NamedFile> {
    require(&actor, Operation::ExportData)?;
    let row = get(app, actor, id).await?;
    check_readable(&row, app.clock.now().0)?;
    let path = file::path(app.files.folder()?, row.id, row.fence);
    let opened = blocking(move || {
        let opened = File::open(&path).and_then(|file| NamedFile::from_file(file, &path));
        opened.map_err(|cause| {
            log::error!(target: "deskwire::exports", "{} cannot be read: {cause}", path.display());
            Error::new(Code::StorageUnavailable, "the file cannot be read")
                .retry_after(2_000)
                .caused_by(cause)
        })
    });
    let opened = opened.await?;
    let (now, audit) = (app.clock.now().0, app.auditor(&actor)?);
    let write = move |connection: &mut AnyConnection| {
        // What ended meanwhile is handed out no more.
        let row = store::hold(connection, actor.tenant, id)?.ok_or_else(Error::not_found)?;
        check_readable(&row, now)?;
        audit.note(connection, Act::done(AuditAction::Download, &row))
    };
    app.db.write(write).await?;
    Ok(opened)
}

fn check_readable(row: &ExportRow, now: i64) -> Result<()> {
    let refused = match row.state_at(now) {
        ExportState::Done => return Ok(()),
        ExportState::Waiting | ExportState::Running => Code::ExportNotReady,
        ExportState::Failed | ExportState::Cancelled | ExportState::Expired => Code::ExportEnded,
    };
    Err(Error::new(refused, refused.meaning()))
}
