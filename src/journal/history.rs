//! Reading committed changes back from the store: the one repair path.

use crate::db::AnyConnection;
use crate::kernel::{Result, TenantId};

use super::feed::Changes;

/// The tenant's last committed rev; 0 for an unknown tenant.
pub fn head(_connection: &mut AnyConnection, _tenant: TenantId) -> Result<i64> {
    Err(crate::kernel::Error::internal("being written"))
}

/// What was committed in `from..=to`, as far as the store still knows it: every entry; participants, sessions and
/// members whose last change lies in the range. `to` must not lie beyond the head.
pub fn changes(_connection: &mut AnyConnection, _tenant: TenantId, _from: i64, _to: i64) -> Result<Changes> {
    Err(crate::kernel::Error::internal("being written"))
}
