//! Application: what a scan binds, and what an unfollowing ends. The account must be held.

use super::store;
use crate::centre::recipients::resolve;
use crate::centre::{events, identities, opt_outs};
use crate::db::AnyConnection;
use crate::domain::centre::binding::{BindingStatus, Follow, FollowAct};
use crate::domain::centre::recipient::IdentityRow;
use crate::kernel::secret::token_hash;
use crate::kernel::{
    ChannelAccountId, Error, IdGenerator, MemberId, MessageIdentityId, PersonId, Result, TenantId,
};

/// Does what follows when somebody scans a code of the account, or unfollows it.
pub fn followed(
    connection: &mut AnyConnection,
    at: (TenantId, ChannelAccountId),
    follow: &Follow,
    ids: &IdGenerator,
    now: i64,
) -> Result<()> {
    match &follow.act {
        FollowAct::Scanned(scene) => scanned(connection, at, (follow, scene), ids, now),
        FollowAct::Left => left(connection, at, follow),
    }
}

/// Binds the openid to the person of the code, if the code is this account's and pending. An openid that is another
/// person's moves only where one follower may be both: from one customer to another (a visitor who came back as somebody
/// new), and between a member and its message recipient. Otherwise it stays where it is.
fn scanned(
    connection: &mut AnyConnection,
    (tenant, account): (TenantId, ChannelAccountId),
    (follow, scene): (&Follow, &str),
    ids: &IdGenerator,
    now: i64,
) -> Result<()> {
    let Some(code) = store::by_scene(connection, account, &token_hash(scene))? else { return Ok(()) };
    if code.tenant_id != tenant || code.status_at(now) != BindingStatus::Pending {
        return Ok(());
    }
    // A visitor who was recognised meanwhile is the customer that it was recognised as.
    let person = PersonId(resolve::present(connection, tenant, MemberId(code.person_id.0))?.0);
    if !opt_outs::store::is_there(connection, tenant, person)? {
        return Ok(());
    }
    let holder = identities::store::holder(connection, tenant, account, &follow.openid)?;
    if let Some(holder) = holder.filter(|holder| holder.person_id != person) {
        let is_there = opt_outs::store::is_there(connection, tenant, holder.person_id)?;
        if is_there && !may_move(connection, tenant, holder.person_id, person)? {
            return store::refuse(connection, code.id, now);
        }
        identities::store::delete(connection, tenant, holder.id)?;
    }
    let identity = IdentityRow {
        id: MessageIdentityId(ids.next()?),
        tenant_id: tenant,
        account_id: account,
        person_id: person,
        openid: follow.openid.clone(),
        created_at: now,
        updated_at: now,
    };
    identities::store::put(connection, identity)?;
    match store::bind(connection, (code.id, person), follow.at, now)? {
        true => Ok(()),
        false => Err(Error::internal("a code changed while its account was held")),
    }
}

/// Whether an openid may go from one person to the other.
fn may_move(connection: &mut AnyConnection, tenant: TenantId, from: PersonId, to: PersonId) -> Result<bool> {
    if opt_outs::store::pairs(connection, tenant, &[from])?.contains(&(from, to)) {
        return Ok(true);
    }
    let mut is_customer = |person: PersonId| {
        events::store::customer(connection, tenant, MemberId(person.0)).map(|found| found.is_some())
    };
    Ok(is_customer(from)? && is_customer(to)?)
}

/// Ends who the openid is. An event that comes late, after a scan that was later, ends nothing.
fn left(
    connection: &mut AnyConnection,
    (tenant, account): (TenantId, ChannelAccountId),
    follow: &Follow,
) -> Result<()> {
    let holder = identities::store::holder(connection, tenant, account, &follow.openid)?;
    let Some(holder) = holder else { return Ok(()) };
    let last = store::last_scan(connection, tenant, account, holder.person_id)?;
    match last.is_some_and(|last| last > follow.at) {
        true => Ok(()),
        false => identities::store::delete(connection, tenant, holder.id).map(drop),
    }
}
