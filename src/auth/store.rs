//! Sessions, known origins and sign-in counters in the store.
//!
//! `revoked_at`, `revoke_reason` and `rev` are the journal's to write; everything else of `auth_session` is
//! written here.

use std::net::IpAddr;

use diesel::prelude::*;

use crate::db::AnyConnection;
use crate::db::schema::{auth_session, member, tenant};
use crate::domain::tenant::TenantStatus;
use crate::kernel::network::AddressBlock;
use crate::kernel::{MemberId, Millis, Result, SessionId, TenantId};
use crate::members::store::MemberRow;
use crate::security::refresh::Family;

/// Consecutive failures after which an account is locked for every origin that is not known to it.
pub const ACCOUNT_FAILURES_MAX: i32 = 50;

/// A row of `auth_session`.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Insertable)]
#[diesel(table_name = auth_session, treat_none_as_default_value = false)]
#[allow(missing_docs, reason = "the columns are explained in the migration")]
pub struct SessionRow {
    pub id: SessionId,
    pub tenant_id: TenantId,
    pub member_id: MemberId,
    pub device: String,
    pub user_agent: String,
    pub ip: String,
    pub generation: i32,
    pub refresh_parent: Option<String>,
    pub refresh_current: String,
    pub created_at: i64,
    pub last_used_at: i64,
    pub expires_at: i64,
    pub revoked_at: Option<i64>,
    pub revoke_reason: Option<String>,
    pub rev: i64,
    pub refresh_siblings: Option<String>,
    pub rotated_at: i64,
}

impl SessionRow {
    /// The refresh tokens that are valid.
    pub fn family(&self) -> Family {
        Family {
            generation: self.generation,
            parent: self.refresh_parent.clone(),
            siblings: Family::hashes(self.refresh_siblings.as_deref().unwrap_or_default()),
            rotated_at: Millis(self.rotated_at),
            current: Family::hashes(&self.refresh_current),
        }
    }
}

/// Where and when a session was used.
#[derive(Debug, Clone)]
pub struct Use {
    /// From which address.
    pub ip: String,
    /// When.
    pub at: Millis,
    /// Until when the session lives without further use.
    pub expires_at: Millis,
}

/// Keeps a new session.
pub fn insert(connection: &mut AnyConnection, session: &SessionRow) -> Result<()> {
    diesel::insert_into(auth_session::table).values(session).execute(connection)?;
    Ok(())
}

/// The session that a refresh token names, with its member and the state of its tenant. The token is all that the
/// caller has, so this query alone takes no tenant: it is where the tenant is learned.
pub fn find(
    connection: &mut AnyConnection,
    session: SessionId,
) -> Result<Option<(SessionRow, MemberRow, TenantStatus)>> {
    let Some(row) = auth_session::table
        .find(session)
        .select(SessionRow::as_select())
        .get_result::<SessionRow>(connection)
        .optional()?
    else {
        return Ok(None);
    };
    let member = member::table
        .filter(member::tenant_id.eq(row.tenant_id))
        .filter(member::id.eq(row.member_id))
        .select(MemberRow::as_select())
        .get_result(connection)?;
    let status = tenant::table.find(row.tenant_id).select(tenant::status).get_result(connection)?;
    Ok(Some((row, member, status)))
}

/// Holds a session's row until the transaction ends, so that who renews it at the same time waits instead of losing.
pub fn hold(connection: &mut AnyConnection, session: SessionId) -> Result<()> {
    diesel::update(auth_session::table.find(session))
        .set(auth_session::rotated_at.eq(auth_session::rotated_at))
        .execute(connection)?;
    Ok(())
}

/// Puts a family in the place of the one that was read. `false` when it is not there any more, or the session was
/// revoked meanwhile; neither happens to who [`hold`]s the session.
pub fn renew(connection: &mut AnyConnection, read: &SessionRow, family: &Family, used: &Use) -> Result<bool> {
    let changed = diesel::update(
        auth_session::table
            .filter(auth_session::tenant_id.eq(read.tenant_id))
            .filter(auth_session::id.eq(read.id))
            .filter(auth_session::generation.eq(read.generation))
            .filter(auth_session::refresh_current.eq(&read.refresh_current))
            .filter(auth_session::revoked_at.is_null()),
    )
    .set((
        auth_session::generation.eq(family.generation),
        auth_session::refresh_parent.eq(&family.parent),
        auth_session::refresh_siblings.eq(Family::column(&family.siblings)),
        auth_session::rotated_at.eq(family.rotated_at.0),
        auth_session::refresh_current.eq(Family::column(&family.current)),
        auth_session::last_used_at.eq(used.at.0),
        auth_session::expires_at.eq(used.expires_at.0),
        auth_session::ip.eq(&used.ip),
    ))
    .execute(connection)?;
    if changed == 1 {
        diesel::update(
            member::table.filter(member::tenant_id.eq(read.tenant_id)).filter(member::id.eq(read.member_id)),
        )
        .set(member::last_seen.eq(used.at.0))
        .execute(connection)?;
    }
    Ok(changed == 1)
}

/// A member's live sessions, newest first, below `before`.
pub fn live(
    connection: &mut AnyConnection,
    tenant: TenantId,
    member: MemberId,
    now: Millis,
    before: Option<SessionId>,
    limit: i64,
) -> Result<Vec<SessionRow>> {
    Ok(auth_session::table
        .filter(auth_session::tenant_id.eq(tenant))
        .filter(auth_session::member_id.eq(member))
        .filter(auth_session::revoked_at.is_null())
        .filter(auth_session::expires_at.gt(now.0))
        .filter(auth_session::id.lt(before.unwrap_or(SessionId(i64::MAX))))
        .order(auth_session::id.desc())
        .limit(limit)
        .select(SessionRow::as_select())
        .load(connection)?)
}

/// The newest of a member's live sessions that are more than `most`.
pub fn surplus(
    connection: &mut AnyConnection,
    tenant: TenantId,
    member: MemberId,
    now: Millis,
    most: i64,
) -> Result<Option<SessionId>> {
    Ok(auth_session::table
        .filter(auth_session::tenant_id.eq(tenant))
        .filter(auth_session::member_id.eq(member))
        .filter(auth_session::revoked_at.is_null())
        .filter(auth_session::expires_at.gt(now.0))
        .order(auth_session::id.desc())
        .offset(most)
        .limit(1)
        .select(auth_session::id)
        .first(connection)
        .optional()?)
}

/// Whether the member has this session and it lives.
pub fn is_live(
    connection: &mut AnyConnection,
    tenant: TenantId,
    member: MemberId,
    session: SessionId,
    now: Millis,
) -> Result<bool> {
    let found: i64 = auth_session::table
        .filter(auth_session::tenant_id.eq(tenant))
        .filter(auth_session::member_id.eq(member))
        .filter(auth_session::id.eq(session))
        .filter(auth_session::revoked_at.is_null())
        .filter(auth_session::expires_at.gt(now.0))
        .count()
        .get_result(connection)?;
    Ok(found > 0)
}

/// How many sessions of an account are looked at for known addresses.
const KNOWN_SESSIONS: i64 = 200;

/// An account that somebody tries to enter.
#[derive(Debug, Clone)]
pub struct Account {
    /// The member.
    pub member: MemberRow,
    /// Its tenant's state.
    pub tenant_status: TenantStatus,
    /// The session that the device had, when it is one of this account.
    pub device: Option<SessionId>,
    /// Whether a session of this account was used from the address.
    pub known_address: bool,
}

/// Finds an account by slug and login name, and whether it knows the device or the address that asks. A name that
/// does not exist runs the same statements.
pub fn find_account(
    connection: &mut AnyConnection,
    slug: &str,
    login_name: &str,
    device: Option<SessionId>,
    address: IpAddr,
) -> Result<Option<Account>> {
    let found: Option<(TenantId, TenantStatus)> = tenant::table
        .filter(tenant::slug.eq(slug))
        .select((tenant::id, tenant::status))
        .first(connection)
        .optional()?;
    let (tenant_id, tenant_status) = found.unwrap_or((TenantId(0), TenantStatus::Active));
    let member: Option<MemberRow> = member::table
        .filter(member::tenant_id.eq(tenant_id))
        .filter(member::login_name.eq(login_name))
        .filter(member::deleted_at.is_null())
        .select(MemberRow::as_select())
        .first(connection)
        .optional()?;
    let member_id = member.as_ref().map_or(MemberId(0), |member| member.id);
    let (device, known_address) = known_origin(connection, tenant_id, member_id, device, address)?;
    Ok(member.map(|member| Account { member, tenant_status, device, known_address }))
}

/// Whether the device's session is one of this account, and whether one was used from this address. A session that
/// was stolen vouches for nothing.
pub fn known_origin(
    connection: &mut AnyConnection,
    tenant_id: TenantId,
    member_id: MemberId,
    device: Option<SessionId>,
    address: IpAddr,
) -> Result<(Option<SessionId>, bool)> {
    let of_account = || {
        auth_session::table
            .filter(auth_session::tenant_id.eq(tenant_id))
            .filter(auth_session::member_id.eq(member_id))
            .filter(auth_session::revoke_reason.is_null().or(auth_session::revoke_reason.ne("theft")))
    };
    let device = of_account()
        .filter(auth_session::id.eq(device.unwrap_or(SessionId(0))))
        .select(auth_session::id)
        .first(connection)
        .optional()?;
    let addresses: Vec<String> = of_account()
        .order(auth_session::id.desc())
        .limit(KNOWN_SESSIONS)
        .select(auth_session::ip)
        .load(connection)?;
    let wanted = AddressBlock::of(address);
    let known = addresses
        .iter()
        .filter_map(|text| text.parse::<IpAddr>().ok())
        .any(|known| AddressBlock::of(known) == wanted);
    Ok((device, known))
}

/// Counts an attempt from an origin that is not known to the account, and says whether the account is locked for
/// such origins. The update comes first, so that its row lock makes parallel attempts see each other.
pub fn count_for(
    connection: &mut AnyConnection,
    tenant_id: TenantId,
    member_id: MemberId,
    now: Millis,
) -> Result<bool> {
    let one = || member::table.filter(member::tenant_id.eq(tenant_id)).filter(member::id.eq(member_id));
    diesel::update(one())
        .set(member::login_fail_count.eq(member::login_fail_count + 1))
        .execute(connection)?;
    let counted: Option<(i32, Option<i64>)> =
        one().select((member::login_fail_count, member::locked_until)).first(connection).optional()?;
    let Some((count, locked_until)) = counted else { return Ok(false) };
    let locked = locked_until.is_some_and(|until| now.0 < until);
    if !locked && count <= ACCOUNT_FAILURES_MAX {
        return Ok(false);
    }
    // The lock starts the count anew, so that it takes as many failures again to lengthen it.
    let until = match locked {
        true => locked_until,
        false => Some(now.plus(crate::security::attempts::LOCK_MS).0),
    };
    diesel::update(one())
        .set((member::login_fail_count.eq(0), member::locked_until.eq(until)))
        .execute(connection)?;
    Ok(true)
}

/// Takes back the count after the right password was given.
pub fn clear_attempts(
    connection: &mut AnyConnection,
    tenant_id: TenantId,
    member_id: MemberId,
) -> Result<()> {
    diesel::update(member::table.filter(member::tenant_id.eq(tenant_id)).filter(member::id.eq(member_id)))
        .set((member::login_fail_count.eq(0), member::locked_until.eq(None::<i64>)))
        .execute(connection)?;
    Ok(())
}

/// Replaces a password hash by another one of the same password; `false` when it is no longer the one that was found.
pub fn replace_hash(
    connection: &mut AnyConnection,
    tenant: TenantId,
    id: MemberId,
    found: Option<&str>,
    hash: &str,
) -> Result<bool> {
    let one = member::table.filter(member::tenant_id.eq(tenant)).filter(member::id.eq(id));
    let changed = diesel::update(one.filter(member::password_hash.eq(found)))
        .set(member::password_hash.eq(hash))
        .execute(connection)?;
    Ok(changed == 1)
}

/// Records a sign-in. `false` when the account's password is not the one any more that was checked.
pub fn note_login(
    connection: &mut AnyConnection,
    session: &SessionRow,
    password_hash: Option<&str>,
) -> Result<bool> {
    let changed = diesel::update(
        member::table
            .filter(member::tenant_id.eq(session.tenant_id))
            .filter(member::id.eq(session.member_id))
            .filter(member::password_hash.eq(password_hash))
            .filter(member::deleted_at.is_null()),
    )
    .set((
        member::last_login_at.eq(session.created_at),
        member::last_login_ip.eq(&session.ip),
        member::last_seen.eq(session.created_at),
    ))
    .execute(connection)?;
    Ok(changed == 1)
}
