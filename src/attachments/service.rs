//! What can be done with attachments. The content comes in through [`super::upload`].

use std::net::IpAddr;

use super::upload::quota;
use super::{store, upload};
use crate::app::App;
use crate::conversations::access;
use crate::db::AnyConnection;
use crate::domain::actor::Actor;
use crate::domain::attachment::{
    AttachmentRow, AttachmentState, StoredFileRow, UNUSED_MAX, UNUSED_MS, check_file_name,
};
use crate::domain::permission::{Operation, require};
use crate::kernel::{AttachmentId, Code, Error, Millis, Result};
use crate::security::file_links::{FILE_LINK_MS, FileLink};

pub use upload::receive;

/// Announces an attachment. Errors: `attachments_off`, `validation_failed`, `payload_too_large`, `limit_reached`,
/// `quota_exceeded`.
pub async fn create(app: &App, actor: Actor, name: String, size: i64) -> Result<AttachmentRow> {
    require(&actor, Operation::UploadAttachment)?;
    app.files.folder()?;
    check_file_name(&name, "/name")?;
    if size < 1 {
        return Err(Error::field("/size", "out_of_range", "a content has at least one byte"));
    }
    let limit = app.settings.files.attachment_limit;
    if usize::try_from(size).is_ok_and(|size| size > limit) {
        return Err(Error::new(Code::PayloadTooLarge, format!("an attachment has at most {limit} bytes")));
    }
    let now = app.clock.now().0;
    let row = AttachmentRow {
        id: AttachmentId(app.ids.next()?),
        tenant_id: actor.tenant,
        uploader_id: actor.member,
        name,
        size,
        state: AttachmentState::Pending,
        stored_file_id: None,
        media_type: None,
        width: None,
        height: None,
        has_thumbnail: false,
        conversation_id: None,
        seq: None,
        created_at: now,
        updated_at: now,
        sweep_at: Some(now + UNUSED_MS),
    };
    let tenant_limit = app.settings.files.tenant_files_limit;
    let write = move |connection: &mut AnyConnection| {
        quota(store::usage(connection, actor.tenant)?, size, tenant_limit)?;
        if store::unused(connection, actor.tenant, actor.member)? >= UNUSED_MAX {
            let detail = format!("at most {UNUSED_MAX} attachments that no message carries");
            return Err(Error::new(Code::LimitReached, detail));
        }
        store::insert(connection, &row)?;
        Ok(row.clone())
    };
    app.db.write(write).await
}

/// An attachment that the actor may read. Errors: `not_found`.
pub async fn get(app: &App, actor: Actor, id: AttachmentId) -> Result<AttachmentRow> {
    app.db.read(move |connection| readable(connection, &actor, id)).await
}

/// Removes an attachment of the actor that no message carries. Errors: `not_found`, `in_use`.
pub async fn delete(app: &App, actor: Actor, id: AttachmentId) -> Result<()> {
    let now = app.clock.now().0;
    let write = move |connection: &mut AnyConnection| {
        store::own(connection, actor, id)?;
        match store::erase_unused(connection, actor.tenant, id, now)? {
            true => Ok(()),
            false => {
                Err(Error::new(Code::InUse, "a message carries the attachment: recall the message instead"))
            }
        }
    };
    app.db.write(write).await
}

/// A link to a content.
#[derive(Debug)]
pub struct Link {
    /// Its path on this service.
    pub path: String,
    /// When it ends.
    pub ends: Millis,
}

/// Makes a link to a content, for the actor's session. Errors: `not_found`, `attachment_not_ready`.
pub async fn link(app: &App, actor: Actor, id: AttachmentId, thumbnail: bool) -> Result<Link> {
    app.db.read(move |connection| content(connection, &actor, id, thumbnail)).await?;
    let ends = app.clock.now().0 + FILE_LINK_MS;
    let token = app.auth.file_links().issue(&FileLink { actor, attachment: id, thumbnail, ends })?;
    Ok(Link { path: format!("/api/v1/files/{}", token.expose()), ends: Millis(ends) })
}

/// What a link leads to: the attachment and its file, or with `true` the thumbnail of the file. Errors: `not_found` for a link
/// that this service did not make or that leads to nothing any more, `token_expired`, `session_revoked`, `account_disabled`,
/// `tenant_suspended`, `banned`.
pub async fn follow(app: &App, token: &str, address: IpAddr) -> Result<(AttachmentRow, StoredFileRow, bool)> {
    let mut link = app.auth.file_links().read(token)?.ok_or_else(Error::not_found)?;
    link.actor.origin.address = Some(address);
    if link.ends <= app.clock.now().0 {
        return Err(Error::new(Code::TokenExpired, "the link has expired: ask for another one"));
    }
    if let Some(barred) = app.auth.barred(&link.actor) {
        return Err(barred.into());
    }
    let read = move |connection: &mut AnyConnection| {
        content(connection, &link.actor, link.attachment, link.thumbnail)
    };
    let (attachment, file) = app.db.read(read).await?;
    Ok((attachment, file, link.thumbnail))
}

/// An attachment whose message the actor may read, or that is its own. Errors: `not_found`.
fn readable(connection: &mut AnyConnection, actor: &Actor, id: AttachmentId) -> Result<AttachmentRow> {
    let row = store::find(connection, actor.tenant, id)?
        .filter(|row| row.state != AttachmentState::Erased)
        .ok_or_else(Error::not_found)?;
    match row.conversation_id {
        // Also its uploader may have lost the sight of the message.
        Some(conversation) => access::load(connection, actor, conversation).map(|_| row),
        None if row.uploader_id == actor.member => Ok(row),
        None => Err(Error::not_found()),
    }
}

/// A content that the actor may read. Errors: `not_found`, `attachment_not_ready`.
fn content(
    connection: &mut AnyConnection,
    actor: &Actor,
    id: AttachmentId,
    thumbnail: bool,
) -> Result<(AttachmentRow, StoredFileRow)> {
    let row = readable(connection, actor, id)?;
    if row.state == AttachmentState::Pending {
        return Err(Error::new(Code::AttachmentNotReady, Code::AttachmentNotReady.meaning()));
    }
    let file = match row.stored_file_id {
        Some(file) => store::file(connection, actor.tenant, file)?,
        None => None,
    };
    let file = file.filter(|file| !thumbnail || file.thumbnail_type.is_some());
    Ok((row, file.ok_or_else(Error::not_found)?))
}
