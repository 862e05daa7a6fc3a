//! The store as the source of what attachments ask.

use diesel::prelude::*;

use crate::db::AnyConnection;
use crate::db::schema::attachment;
use crate::domain::attachment::AttachmentRow;
use crate::journal::wants::attachment_source::AttachmentSource;
use crate::kernel::{AttachmentId, Result};

#[diesel::dsl::auto_type(no_type_alias)]
fn in_order<'a>(ids: &'a [AttachmentId]) -> _ {
    attachment::table.filter(attachment::id.eq_any(ids)).order(attachment::id.asc())
}

impl AttachmentSource for AnyConnection {
    fn attachments(&mut self, ids: &[AttachmentId]) -> Result<Vec<AttachmentRow>> {
        // On SQLite a batch is the only writer. Elsewhere the rows are locked, in the order in which others lock them.
        Ok(match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite(inner) => attachment::table
                .filter(super::one_of::one_of(attachment::id, ids))
                .select(AttachmentRow::as_select())
                .load(inner)?,
            #[cfg(feature = "postgres")]
            Self::Postgresql(inner) => {
                in_order(ids).select(AttachmentRow::as_select()).for_update().load(inner)?
            }
            #[cfg(feature = "mysql")]
            Self::Mysql(inner) => {
                in_order(ids).select(AttachmentRow::as_select()).for_update().load(inner)?
            }
        })
    }
}
