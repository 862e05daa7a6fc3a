//! Identity tokens that were used, in the store, so that none is used by two visitors, on whatever process.
//!
//! Invariant: a row lives no longer than its token; what has expired goes with the next tokens of the tenant.

use diesel::prelude::*;

use super::identity::{self, Identity};
use crate::db::AnyConnection;
use crate::db::error_kind::{DbErrorKind, error_kind};
use crate::db::schema::identity_use;
use crate::kernel::{Error, MemberId, Millis, Result};
use crate::members::store::MemberRow;

/// Most expired rows that one use takes away: more than it adds.
const CLEANED: i64 = 50;

/// Records that a visitor uses a token. The same visitor may use it again, after a lost answer; anybody else is
/// refused.
pub fn use_token(
    connection: &mut AnyConnection,
    visitor: &MemberRow,
    identity: &Identity,
    now: Millis,
) -> Result<()> {
    let tenant = visitor.tenant_id;
    let expired: Vec<String> = identity_use::table
        .filter(identity_use::tenant_id.eq(tenant))
        .filter(identity_use::expires_at.le(now.0))
        .order(identity_use::expires_at.asc())
        .limit(CLEANED)
        .select(identity_use::token_hash)
        .load(connection)?;
    for hash in expired {
        diesel::delete(
            identity_use::table
                .filter(identity_use::tenant_id.eq(tenant))
                .filter(identity_use::token_hash.eq(hash)),
        )
        .execute(connection)?;
    }
    let known: Option<MemberId> = identity_use::table
        .filter(identity_use::tenant_id.eq(tenant))
        .filter(identity_use::token_hash.eq(&identity.token_hash))
        .select(identity_use::member_id)
        .first(connection)
        .optional()?;
    match known {
        Some(first) if first == visitor.id => return Ok(()),
        Some(_) => return Err(identity::used()),
        None => {}
    }
    let inserted = diesel::insert_into(identity_use::table)
        .values((
            identity_use::tenant_id.eq(tenant),
            identity_use::token_hash.eq(&identity.token_hash),
            identity_use::member_id.eq(visitor.id),
            identity_use::expires_at.eq(identity.expires_at.0),
        ))
        .execute(connection);
    match inserted {
        Ok(_) => Ok(()),
        // Another visitor used it in this very moment.
        Err(cause) if error_kind(&cause) == DbErrorKind::Unique => Err(identity::used().caused_by(cause)),
        Err(cause) => Err(Error::from(cause)),
    }
}
