//! What an erasure asks of attachments: those that no message carries go, and it is told when no file is left. Those that
//! messages carry are erased by the journal with their messages; the files of both go by the sweep.

use diesel::prelude::*;

use crate::db::AnyConnection;
use crate::db::schema::{attachment, stored_file};
use crate::domain::attachment::{AttachmentState, StoredFileState};
use crate::kernel::{ConversationId, MemberId, Result, TenantId};
use crate::on;

/// Erases some of what these members uploaded and no message carries; gives how many.
pub fn erase_unused(
    connection: &mut AnyConnection,
    tenant: TenantId,
    members: &[MemberId],
    now: i64,
) -> Result<usize> {
    Ok(on!(connection, inner => diesel::update(attachment::table
        .filter(attachment::tenant_id.eq(tenant))
        .filter(attachment::uploader_id.eq_any(members))
        .filter(attachment::conversation_id.is_null())
        .filter(attachment::state.ne(AttachmentState::Erased)))
        .set((
            attachment::state.eq(AttachmentState::Erased),
            attachment::name.eq(""),
            attachment::updated_at.eq(now),
            attachment::sweep_at.eq(now),
        ))
        .execute(inner))?)
}

/// Whether something that these members uploaded, or that messages of these logs carried, is not parted from its file yet, or
/// a file of the tenant from before this time is still being removed.
pub fn are_left(
    connection: &mut AnyConnection,
    tenant: TenantId,
    members: &[MemberId],
    logs: &[ConversationId],
    before: i64,
) -> Result<bool> {
    let own: i64 = on!(connection, inner => attachment::table
        .filter(attachment::tenant_id.eq(tenant))
        .filter(attachment::uploader_id.eq_any(members))
        .filter(attachment::sweep_at.is_not_null().or(attachment::stored_file_id.is_not_null()))
        .count()
        .get_result(inner))?;
    let carried: i64 = on!(connection, inner => attachment::table
        .filter(attachment::sweep_at.is_not_null())
        .filter(attachment::tenant_id.eq(tenant))
        .filter(attachment::conversation_id.eq_any(logs))
        .count()
        .get_result(inner))?;
    let files: i64 = stored_file::table
        .filter(stored_file::sweep_at.is_not_null())
        .filter(stored_file::tenant_id.eq(tenant))
        .filter(stored_file::state.eq(StoredFileState::Deleting))
        .filter(stored_file::created_at.le(before))
        .count()
        .get_result(connection)?;
    Ok(own + carried + files > 0)
}
