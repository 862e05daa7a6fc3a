//! Queries over `attachment`, `stored_file` and `tenant_usage`. Every function but those of the sweep takes the tenant.
//!
//! Nobody waits in a circle: an upload holds the tenant's usage, its attachment, which has no file yet, and then an equal file; the
//! sweep holds a file and then an attachment that has it; the journal holds attachments only.

use diesel::prelude::*;

use crate::db::AnyConnection;
use crate::db::schema::{attachment, stored_file, tenant_usage};
use crate::domain::actor::Actor;
use crate::domain::attachment::{AttachmentRow, AttachmentState, StoredFileRow, StoredFileState};
use crate::kernel::{AttachmentId, Error, MemberId, Result, StoredFileId, TenantId};

/// An attachment by its id.
pub fn find(
    connection: &mut AnyConnection,
    tenant: TenantId,
    id: AttachmentId,
) -> Result<Option<AttachmentRow>> {
    Ok(attachment::table
        .filter(attachment::id.eq(id))
        .filter(attachment::tenant_id.eq(tenant))
        .select(AttachmentRow::as_select())
        .first(connection)
        .optional()?)
}

/// An attachment of the actor that is not erased. Errors: `not_found`.
pub fn own(connection: &mut AnyConnection, actor: Actor, id: AttachmentId) -> Result<AttachmentRow> {
    find(connection, actor.tenant, id)?
        .filter(|row| row.uploader_id == actor.member && row.state != AttachmentState::Erased)
        .ok_or_else(Error::not_found)
}

/// How many attachments of a member no message carries.
pub fn unused(connection: &mut AnyConnection, tenant: TenantId, uploader: MemberId) -> Result<i64> {
    Ok(attachment::table
        .filter(attachment::uploader_id.eq(uploader))
        .filter(attachment::sweep_at.is_not_null())
        .filter(attachment::tenant_id.eq(tenant))
        .filter(attachment::conversation_id.is_null())
        .count()
        .get_result(connection)?)
}

/// Stores a new attachment.
pub fn insert(connection: &mut AnyConnection, row: &AttachmentRow) -> Result<()> {
    diesel::insert_into(attachment::table).values(row).execute(connection)?;
    Ok(())
}

/// Holds the tenant's usage until the transaction ends; gives its bytes.
pub fn hold_usage(connection: &mut AnyConnection, tenant: TenantId) -> Result<i64> {
    let hold = |connection: &mut AnyConnection| {
        diesel::update(tenant_usage::table.find(tenant))
            .set(tenant_usage::bytes.eq(tenant_usage::bytes))
            .execute(connection)
    };
    // MySQL counts the rows that an update finds, as the others do: the connection asks for that.
    if hold(connection)? == 0 {
        crate::db::append::add_missing(connection, "tenant_usage", ["tenant_id", "bytes"], &[[tenant.0, 0]])?;
        hold(connection)?;
    }
    Ok(tenant_usage::table.find(tenant).select(tenant_usage::bytes).first(connection)?)
}

/// Adds to the tenant's usage, which is held.
pub fn add_usage(connection: &mut AnyConnection, tenant: TenantId, bytes: i64) -> Result<()> {
    diesel::update(tenant_usage::table.find(tenant))
        .set(tenant_usage::bytes.eq(tenant_usage::bytes + bytes))
        .execute(connection)?;
    Ok(())
}

/// The tenant's bytes.
pub fn usage(connection: &mut AnyConnection, tenant: TenantId) -> Result<i64> {
    let bytes = tenant_usage::table.find(tenant).select(tenant_usage::bytes).first(connection).optional()?;
    Ok(bytes.unwrap_or(0))
}

/// Says before its first byte that a file comes.
pub fn expect_file(connection: &mut AnyConnection, row: &StoredFileRow) -> Result<()> {
    diesel::insert_into(stored_file::table).values(row).execute(connection)?;
    Ok(())
}

/// A stored file.
pub fn file(
    connection: &mut AnyConnection,
    tenant: TenantId,
    id: StoredFileId,
) -> Result<Option<StoredFileRow>> {
    Ok(stored_file::table
        .filter(stored_file::id.eq(id))
        .filter(stored_file::tenant_id.eq(tenant))
        .select(StoredFileRow::as_select())
        .first(connection)
        .optional()?)
}

/// Holds an attachment until the transaction ends, and reads it.
pub fn hold(
    connection: &mut AnyConnection,
    tenant: TenantId,
    id: AttachmentId,
) -> Result<Option<AttachmentRow>> {
    diesel::update(attachment::table.filter(attachment::id.eq(id)).filter(attachment::tenant_id.eq(tenant)))
        .set(attachment::updated_at.eq(attachment::updated_at))
        .execute(connection)?;
    find(connection, tenant, id)
}

/// The whole file with these bytes, held until the transaction ends.
pub fn hold_equal(
    connection: &mut AnyConnection,
    tenant: TenantId,
    sha256: &str,
) -> Result<Option<StoredFileRow>> {
    let equal = stored_file::table
        .filter(stored_file::tenant_id.eq(tenant))
        .filter(stored_file::sha256.eq(sha256))
        .filter(stored_file::state.eq(StoredFileState::Ready));
    // One that is being removed is found by what was read before, but not held.
    if diesel::update(equal).set(stored_file::size.eq(stored_file::size)).execute(connection)? == 0 {
        return Ok(None);
    }
    Ok(equal.select(StoredFileRow::as_select()).first(connection).optional()?)
}

/// Stores that an expected file is whole. Gives whether it is still expected.
pub fn file_is_whole(connection: &mut AnyConnection, row: &StoredFileRow) -> Result<bool> {
    let expected = stored_file::table
        .filter(stored_file::id.eq(row.id))
        .filter(stored_file::tenant_id.eq(row.tenant_id))
        .filter(stored_file::state.eq(StoredFileState::Uploading));
    let changed = diesel::update(expected)
        .set((
            stored_file::state.eq(StoredFileState::Ready),
            stored_file::sha256.eq(&row.sha256),
            stored_file::size.eq(row.size),
            stored_file::media_type.eq(&row.media_type),
            stored_file::width.eq(row.width),
            stored_file::height.eq(row.height),
            stored_file::thumbnail_type.eq(&row.thumbnail_type),
            stored_file::sweep_at.eq(None::<i64>),
        ))
        .execute(connection)?;
    Ok(changed > 0)
}

/// Stores that an attachment has its content.
pub fn is_ready(connection: &mut AnyConnection, row: &AttachmentRow) -> Result<()> {
    diesel::update(attachment::table.find(row.id).filter(attachment::tenant_id.eq(row.tenant_id)))
        .set((
            attachment::state.eq(AttachmentState::Ready),
            attachment::stored_file_id.eq(row.stored_file_id),
            attachment::media_type.eq(&row.media_type),
            attachment::width.eq(row.width),
            attachment::height.eq(row.height),
            attachment::has_thumbnail.eq(row.has_thumbnail),
            attachment::updated_at.eq(row.updated_at),
        ))
        .execute(connection)?;
    Ok(())
}

/// Erases an attachment that no message carries. Gives whether there was one.
pub fn erase_unused(
    connection: &mut AnyConnection,
    tenant: TenantId,
    id: AttachmentId,
    now: i64,
) -> Result<bool> {
    let unused = attachment::table
        .filter(attachment::id.eq(id))
        .filter(attachment::tenant_id.eq(tenant))
        .filter(attachment::conversation_id.is_null());
    let changed = diesel::update(unused)
        .set((
            attachment::state.eq(AttachmentState::Erased),
            attachment::updated_at.eq(now),
            attachment::sweep_at.eq(now),
        ))
        .execute(connection)?;
    Ok(changed > 0)
}

/// The attachments that are to be cleaned up, the longest due first, at most `limit`.
pub fn due_attachments(connection: &mut AnyConnection, now: i64, limit: i64) -> Result<Vec<AttachmentRow>> {
    Ok(attachment::table
        .filter(attachment::sweep_at.le(now))
        .order(attachment::sweep_at.asc())
        .limit(limit)
        .select(AttachmentRow::as_select())
        .load(connection)?)
}

/// The stored files that are to be removed, the longest due first, at most `limit`.
pub fn due_files(connection: &mut AnyConnection, now: i64, limit: i64) -> Result<Vec<StoredFileRow>> {
    Ok(stored_file::table
        .filter(stored_file::sweep_at.le(now))
        .order(stored_file::sweep_at.asc())
        .limit(limit)
        .select(StoredFileRow::as_select())
        .load(connection)?)
}

/// Parts an erased attachment from its file, which is removed when no other attachment has it. One that no message carried is
/// forgotten.
pub fn part(connection: &mut AnyConnection, row: &AttachmentRow, now: i64) -> Result<()> {
    let of_tenant = stored_file::table.filter(stored_file::tenant_id.eq(row.tenant_id));
    // Held before anything is read: an upload of the same bytes holds it too, and what is read must be newer than that.
    if let Some(file) = row.stored_file_id {
        let held = of_tenant.filter(stored_file::id.eq(file));
        diesel::update(held).set(stored_file::size.eq(stored_file::size)).execute(connection)?;
    }
    let seen = row.stored_file_id;
    let Some(row) = hold(connection, row.tenant_id, row.id)? else { return Ok(()) };
    // Otherwise it changed since it was listed, and is looked at again.
    if row.state != AttachmentState::Erased || row.stored_file_id != seen {
        return Ok(());
    }
    if let Some(file) = row.stored_file_id {
        let others: i64 = attachment::table
            .filter(attachment::stored_file_id.eq(file))
            .filter(attachment::state.eq(AttachmentState::Ready))
            .count()
            .get_result(connection)?;
        if others == 0 {
            let whole = of_tenant
                .filter(stored_file::id.eq(file))
                .filter(stored_file::state.eq(StoredFileState::Ready));
            diesel::update(whole)
                .set((
                    stored_file::state.eq(StoredFileState::Deleting),
                    stored_file::sha256.eq(None::<String>),
                    stored_file::sweep_at.eq(now),
                ))
                .execute(connection)?;
        }
    }
    let parted = attachment::table.find(row.id);
    match row.conversation_id {
        None => diesel::delete(parted).execute(connection)?,
        Some(_) => diesel::update(parted)
            .set((attachment::stored_file_id.eq(None::<StoredFileId>), attachment::sweep_at.eq(None::<i64>)))
            .execute(connection)?,
    };
    Ok(())
}

/// Forgets a file that was removed.
pub fn forget_file(connection: &mut AnyConnection, row: &StoredFileRow) -> Result<()> {
    hold_usage(connection, row.tenant_id)?;
    let gone = stored_file::table.find(row.id).filter(stored_file::state.eq(row.state));
    let deleted = diesel::delete(gone).execute(connection)?;
    // Of two processes one has deleted it.
    if deleted > 0 {
        add_usage(connection, row.tenant_id, -row.size)?;
    }
    Ok(())
}

/// Lets a file that could not be removed be removed later.
pub fn put_off(connection: &mut AnyConnection, row: &StoredFileRow, until: i64) -> Result<()> {
    diesel::update(stored_file::table.find(row.id).filter(stored_file::state.eq(row.state)))
        .set(stored_file::sweep_at.eq(until))
        .execute(connection)?;
    Ok(())
}

/// Gives up a file that is still expected: it is removed, and never counts.
pub fn abandon(connection: &mut AnyConnection, tenant: TenantId, file: StoredFileId, now: i64) -> Result<()> {
    let expected = stored_file::table
        .filter(stored_file::id.eq(file))
        .filter(stored_file::tenant_id.eq(tenant))
        .filter(stored_file::state.eq(StoredFileState::Uploading));
    diesel::update(expected)
        .set((
            stored_file::state.eq(StoredFileState::Deleting),
            // It was never counted, so that nothing is taken away.
            stored_file::size.eq(0),
            stored_file::sweep_at.eq(now),
        ))
        .execute(connection)?;
    Ok(())
}
