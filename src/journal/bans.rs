//! Who is banned, in the memory of a process: one list for the lanes and for whoever lets callers in.
//!
//! Owns how the bans of a tenant are loaded and `tenant.bans_version`, which moves under the lock of the tenant's log with
//! every change of whom they meet, also of a customer's e-mail address. Does not own the table `ban` (`crate::bans`).
//!
//! Invariants: a lane knows the version under that lock and loads the set that belongs to it, so that no process commits
//! a command of a customer after a ban of it was committed; whoever reads the list without the lock is behind the store by
//! no more than its last look (`security::bans`). A set that is asked about a customer costs no query.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use diesel::prelude::*;

use super::store::transaction::{Wait, lock_tenants};
use crate::db::AnyConnection;
use crate::db::schema::{ban, member, tenant};
use crate::domain::actor::Origin;
use crate::domain::ban::{BanKind, BanRow, BanSet};
use crate::kernel::{MemberId, Result, TenantId};
use crate::on;

/// E-mail addresses in one question.
const EMAILS_IN_QUESTION: usize = 200;

/// The bans of the tenants that ever had some. Cloning shares it.
#[derive(Debug, Clone, Default)]
pub struct BanList {
    known: Arc<RwLock<HashMap<TenantId, Known>>>,
}

#[derive(Debug)]
struct Known {
    version: i64,
    set: Arc<BanSet>,
}

impl BanList {
    /// Whether a customer of this tenant is banned at this time, unix milliseconds; without a member, somebody new from
    /// there. Says nothing about the staff, who are never banned.
    pub fn bars(&self, tenant: TenantId, member: Option<MemberId>, origin: &Origin, now: i64) -> bool {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        known.get(&tenant).is_some_and(|known| known.set.bars(member, origin, now))
    }

    fn known_at(&self, tenant: TenantId, version: i64) -> Option<Arc<BanSet>> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        known.get(&tenant).filter(|known| known.version == version).map(|known| known.set.clone())
    }

    /// The tenant's bans at this version, loaded when the list has another one.
    pub fn at(&self, connection: &mut AnyConnection, tenant: TenantId, version: i64) -> Result<Arc<BanSet>> {
        if let Some(set) = self.known_at(tenant, version) {
            return Ok(set);
        }
        let set = Arc::new(load(connection, tenant)?);
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        // Another thread may have loaded a newer one meanwhile.
        if known.get(&tenant).is_none_or(|known| known.version <= version) {
            known.insert(tenant, Known { version, set: set.clone() });
        }
        Ok(set)
    }

    /// The tenant's bans at this version within a transaction that may have changed them: the list keeps nothing of it.
    pub fn read_at(
        &self,
        connection: &mut AnyConnection,
        tenant: TenantId,
        version: i64,
    ) -> Result<Arc<BanSet>> {
        match self.known_at(tenant, version) {
            Some(set) => Ok(set),
            None => Ok(Arc::new(load(connection, tenant)?)),
        }
    }

    /// Takes in what was changed since the last look, by whatever process; gives the versions. It looks across tenants,
    /// since the answer guards the process as a whole and is shown to nobody.
    pub fn catch_up(&self, connection: &mut AnyConnection) -> Result<HashMap<TenantId, i64>> {
        // The versions first: what is read after them is at least as new, and read again when it was newer.
        let versions: HashMap<TenantId, i64> = tenant::table
            .filter(tenant::bans_version.gt(0))
            .select((tenant::id, tenant::bans_version))
            .load::<(TenantId, i64)>(connection)?
            .into_iter()
            .collect();
        for (tenant, version) in &versions {
            self.at(connection, *tenant, *version)?;
        }
        Ok(versions)
    }
}

fn load(connection: &mut AnyConnection, tenant_id: TenantId) -> Result<BanSet> {
    let rows: Vec<BanRow> =
        ban::table.filter(ban::tenant_id.eq(tenant_id)).select(BanRow::as_select()).load(connection)?;
    let emails: Vec<&str> =
        rows.iter().filter(|row| row.kind == BanKind::Email).map(|row| row.value.as_str()).collect();
    let mut owners: Vec<(String, MemberId)> = Vec::new();
    for emails in emails.chunks(EMAILS_IN_QUESTION) {
        let found: Vec<(String, MemberId)> = on!(connection, inner => member::table
            .filter(member::tenant_id.eq(tenant_id))
            .filter(member::email.eq_any(emails))
            .filter(member::deleted_at.is_null())
            .select((member::email, member::id))
            .load(inner))?;
        owners.extend(found);
    }
    Ok(BanSet::new(&rows, &owners))
}

/// Holds the tenant's log until the transaction ends: no command is decided meanwhile, and no other change of whom the bans
/// meet. Comes before every other lock of the transaction.
pub fn hold(connection: &mut AnyConnection, tenant_id: TenantId) -> Result<()> {
    lock_tenants(connection, &[tenant_id], Wait::Short)?;
    Ok(())
}

/// Says that the tenant's bans meet others than before. The caller [`hold`]s the tenant.
pub fn moved(connection: &mut AnyConnection, tenant_id: TenantId) -> Result<()> {
    diesel::update(tenant::table.find(tenant_id))
        .set(tenant::bans_version.eq(tenant::bans_version + 1))
        .execute(connection)?;
    Ok(())
}

/// Whether a customer is banned at this time (unix milliseconds) by its account or its e-mail address (in its stored form),
/// by the store itself; for who is about to become somebody else.
pub fn names(
    connection: &mut AnyConnection,
    tenant_id: TenantId,
    customer: MemberId,
    email: &str,
    now: i64,
) -> Result<bool> {
    let by_account = ban::kind.eq(BanKind::Member).and(ban::value.eq(customer.to_string()));
    let by_email = ban::kind.eq(BanKind::Email).and(ban::value.eq(email));
    let rows: Vec<BanRow> = ban::table
        .filter(ban::tenant_id.eq(tenant_id))
        .filter(by_account.or(by_email))
        .select(BanRow::as_select())
        .load(connection)?;
    Ok(rows.iter().any(|row| row.holds(now)))
}

/// A member's e-mail address is about to change from one of these to the other, or to be there at all: when a ban names
/// either, it meets others from now on. Holds the tenant, so that a ban that is made at this moment sees the change or is
/// seen by it.
pub fn email_changes(
    connection: &mut AnyConnection,
    tenant_id: TenantId,
    before: &str,
    after: &str,
) -> Result<()> {
    hold(connection, tenant_id)?;
    let named: i64 = ban::table
        .filter(ban::tenant_id.eq(tenant_id))
        .filter(ban::kind.eq(BanKind::Email))
        .filter(ban::value.eq(before).or(ban::value.eq(after)))
        .count()
        .get_result(connection)?;
    match named > 0 {
        true => moved(connection, tenant_id),
        false => Ok(()),
    }
}
