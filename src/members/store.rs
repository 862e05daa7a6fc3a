//! Accounts in the store.
//!
//! `role`, `status`, `expires_at`, `parent_id`, `deleted_at`, `merged_into` and `rev` are the journal's to write, because live
//! sockets must learn of them; everything else of `member` is written here. Accounts that were deleted are not found.

use diesel::prelude::*;
use serde_json::{Value, json};

use crate::db::schema::{auth_session, member};
use crate::db::types::{Json, json_text};
use crate::db::{AnyConnection, DbErrorKind};
use crate::domain::actor::{Actor, Origin};
use crate::domain::audit::{AuditTarget, Audited};
use crate::domain::member::{MemberStatus, Role};
use crate::domain::operation::OperationSet;
use crate::domain::search::{ObjectType, number_terms, object_terms};
use crate::journal::bans;
use crate::kernel::{Code, Error, MemberId, Millis, Result, SessionId, TenantId};
use crate::on;
use crate::search::terms;

/// A row of `member`.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable)]
#[diesel(table_name = member)]
#[allow(missing_docs, reason = "the columns are explained in the migration and in `view`")]
pub struct MemberRow {
    pub id: MemberId,
    pub tenant_id: TenantId,
    pub role: Role,
    pub login_name: Option<String>,
    pub password_hash: Option<String>,
    pub nickname: String,
    pub avatar: String,
    pub email: String,
    pub mobile: String,
    pub external_id: Option<String>,
    pub parent_id: Option<MemberId>,
    pub tags: Json<Vec<String>>,
    pub skills: Json<Vec<String>>,
    pub max_accept: i32,
    pub status: MemberStatus,
    pub login_fail_count: i32,
    pub locked_until: Option<i64>,
    pub last_login_at: Option<i64>,
    pub last_login_ip: String,
    pub last_seen: Option<i64>,
    pub expires_at: Option<i64>,
    pub merged_into: Option<MemberId>,
    pub rev: i64,
    pub created_at: i64,
    pub updated_at: i64,
    pub deleted_at: Option<i64>,
    pub email_verified: bool,
    pub mobile_verified: bool,
    pub locale: String,
    pub service_account: bool,
}

impl MemberRow {
    /// The member as the one on whose behalf something is done, from nowhere in particular.
    pub fn actor(&self, session: SessionId) -> Actor {
        let origin = Origin::default();
        Actor {
            tenant: self.tenant_id,
            member: self.id,
            role: self.role,
            session,
            origin,
            operations: OperationSet::ALL,
        }
    }
}

impl Audited for MemberRow {
    const TARGET: AuditTarget = AuditTarget::Member;

    fn audit_id(&self) -> i64 {
        self.id.0
    }

    fn audit_facts(&self) -> Value {
        json!({
            "role": self.role, "login_name": self.login_name, "nickname": self.nickname, "avatar": self.avatar,
            "email": self.email, "mobile": self.mobile, "locale": self.locale, "external_id": self.external_id,
            "parent_id": self.parent_id, "tags": self.tags.0, "skills": self.skills.0, "max_accept": self.max_accept,
            "status": self.status, "expires_at": self.expires_at, "service_account": self.service_account,
        })
    }
}

/// Columns that are changed together; `None` leaves a column alone.
#[derive(Debug, Clone, Default, AsChangeset)]
#[diesel(table_name = member)]
#[allow(missing_docs, reason = "the columns are explained in the migration and in `view`")]
pub struct MemberChange {
    pub login_name: Option<Option<String>>,
    pub nickname: Option<String>,
    pub avatar: Option<String>,
    pub email: Option<String>,
    pub mobile: Option<String>,
    pub external_id: Option<Option<String>>,
    pub tags: Option<String>,
    pub skills: Option<String>,
    pub max_accept: Option<i32>,
    pub email_verified: Option<bool>,
    pub mobile_verified: Option<bool>,
    pub locale: Option<String>,
    pub updated_at: i64,
}

impl MemberChange {
    /// Whether it changes what the account is found by.
    fn is_found_otherwise(&self) -> bool {
        let texts = [self.nickname.is_some(), self.email.is_some(), self.mobile.is_some()];
        texts.contains(&true) || self.external_id.is_some() || self.login_name.is_some()
    }
}

/// What a list of members is narrowed to.
#[derive(Debug, Clone, Default)]
#[allow(missing_docs, reason = "each narrows to the column of its name")]
pub struct Filter {
    pub role: Option<Role>,
    pub status: Option<MemberStatus>,
    pub email: Option<String>,
    pub mobile: Option<String>,
    pub parent_id: Option<MemberId>,
    pub login_name: Option<String>,
    pub service_account: Option<bool>,
}

/// Keeps a new account. Fails with `name_taken` when the login name or external id is in use.
pub fn insert(connection: &mut AnyConnection, row: &MemberRow) -> Result<()> {
    let columns = (
        member::id.eq(row.id),
        member::tenant_id.eq(row.tenant_id),
        member::role.eq(row.role),
        member::login_name.eq(&row.login_name),
        member::password_hash.eq(&row.password_hash),
        member::nickname.eq(&row.nickname),
        member::avatar.eq(&row.avatar),
        member::email.eq(&row.email),
        member::mobile.eq(&row.mobile),
        member::external_id.eq(&row.external_id),
        member::parent_id.eq(row.parent_id),
        member::tags.eq(json_text(&row.tags.0)),
        member::skills.eq(json_text(&row.skills.0)),
        member::max_accept.eq(row.max_accept),
        member::status.eq(row.status),
        member::login_fail_count.eq(row.login_fail_count),
        member::locked_until.eq(row.locked_until),
        member::last_login_at.eq(row.last_login_at),
        member::last_login_ip.eq(&row.last_login_ip),
        member::last_seen.eq(row.last_seen),
        member::expires_at.eq(row.expires_at),
        member::merged_into.eq(row.merged_into),
        member::rev.eq(row.rev),
        member::created_at.eq(row.created_at),
        member::updated_at.eq(row.updated_at),
        member::deleted_at.eq(row.deleted_at),
        member::email_verified.eq(row.email_verified),
        member::mobile_verified.eq(row.mobile_verified),
        member::locale.eq(&row.locale),
        member::service_account.eq(row.service_account),
    );
    if !row.email.is_empty() {
        bans::email_changes(connection, row.tenant_id, "", &row.email)?;
    }
    diesel::insert_into(member::table).values(columns).execute(connection).map_err(taken)?;
    index(connection, std::slice::from_ref(row))
}

/// The texts of an account by which it is found, besides its mobile number.
pub fn texts(row: &MemberRow) -> [&str; 4] {
    let external_id = row.external_id.as_deref().unwrap_or_default();
    [&row.nickname, &row.email, external_id, row.login_name.as_deref().unwrap_or_default()]
}

/// Has accounts of one tenant found by what they are called now.
pub fn index(connection: &mut AnyConnection, rows: &[MemberRow]) -> Result<()> {
    let Some(tenant) = rows.first().map(|row| row.tenant_id) else { return Ok(()) };
    let of = |row: &MemberRow| {
        let mut terms = object_terms(tenant, texts(row));
        terms.extend(number_terms(tenant, &row.mobile));
        (row.id.0, terms)
    };
    terms::add(connection, tenant, ObjectType::Member, &rows.iter().map(of).collect::<Vec<_>>())
}

fn taken(cause: diesel::result::Error) -> Error {
    match crate::db::error_kind::error_kind(&cause) {
        DbErrorKind::Unique => Error::new(Code::NameTaken, Code::NameTaken.meaning()).caused_by(cause),
        _ => cause.into(),
    }
}

/// One account.
pub fn find(connection: &mut AnyConnection, tenant: TenantId, id: MemberId) -> Result<Option<MemberRow>> {
    Ok(member::table
        .filter(member::tenant_id.eq(tenant))
        .filter(member::id.eq(id))
        .filter(member::deleted_at.is_null())
        .select(MemberRow::as_select())
        .get_result(connection)
        .optional()?)
}

/// These accounts, in no order; what is not there is left out.
pub fn find_many(
    connection: &mut AnyConnection,
    tenant: TenantId,
    ids: &[MemberId],
) -> Result<Vec<MemberRow>> {
    Ok(on!(connection, inner => member::table
        .filter(member::tenant_id.eq(tenant))
        .filter(member::id.eq_any(ids))
        .filter(member::deleted_at.is_null())
        .select(MemberRow::as_select())
        .load(inner))?)
}

/// Accounts with ids above this one, the oldest first.
pub fn following(
    connection: &mut AnyConnection,
    tenant: TenantId,
    after: MemberId,
    limit: i64,
) -> Result<Vec<MemberRow>> {
    Ok(member::table
        .filter(member::tenant_id.eq(tenant))
        .filter(member::id.gt(after))
        .filter(member::deleted_at.is_null())
        .order(member::id.asc())
        .limit(limit)
        .select(MemberRow::as_select())
        .load(connection)?)
}

/// The account that the tenant knows under this id of its own.
pub fn find_by_external_id(
    connection: &mut AnyConnection,
    tenant: TenantId,
    external_id: &str,
) -> Result<Option<MemberRow>> {
    Ok(member::table
        .filter(member::tenant_id.eq(tenant))
        .filter(member::external_id.eq(external_id))
        .filter(member::deleted_at.is_null())
        .select(MemberRow::as_select())
        .first(connection)
        .optional()?)
}

/// The account with this login name (in its stored form).
pub fn find_by_login_name(
    connection: &mut AnyConnection,
    tenant: TenantId,
    login_name: &str,
) -> Result<Option<MemberRow>> {
    Ok(member::table
        .filter(member::tenant_id.eq(tenant))
        .filter(member::login_name.eq(login_name))
        .filter(member::deleted_at.is_null())
        .select(MemberRow::as_select())
        .first(connection)
        .optional()?)
}

/// Accounts below `before`, newest first. Visitors who were recognised as somebody else are left out.
pub fn list(
    connection: &mut AnyConnection,
    tenant: TenantId,
    filter: &Filter,
    before: Option<MemberId>,
    limit: i64,
) -> Result<Vec<MemberRow>> {
    let mut query = member::table
        .filter(member::tenant_id.eq(tenant))
        .filter(member::deleted_at.is_null())
        .filter(member::merged_into.is_null())
        .into_boxed();
    if let Some(role) = filter.role {
        query = query.filter(member::role.eq(role));
    }
    if let Some(status) = filter.status {
        query = query.filter(member::status.eq(status));
    }
    if let Some(email) = &filter.email {
        query = query.filter(member::email.eq(email.clone()));
    }
    if let Some(mobile) = &filter.mobile {
        query = query.filter(member::mobile.eq(mobile.clone()));
    }
    if let Some(parent) = filter.parent_id {
        query = query.filter(member::parent_id.eq(parent));
    }
    if let Some(login_name) = &filter.login_name {
        query = query.filter(member::login_name.eq(login_name.clone()));
    }
    if let Some(service_account) = filter.service_account {
        query = query.filter(member::service_account.eq(service_account));
    }
    if let Some(before) = before {
        query = query.filter(member::id.lt(before));
    }
    Ok(query.order(member::id.desc()).limit(limit).select(MemberRow::as_select()).load(connection)?)
}

/// Changes columns of one account. `false` when it is not there; `name_taken` when a name is in use.
pub fn change(
    connection: &mut AnyConnection,
    tenant: TenantId,
    id: MemberId,
    change: &MemberChange,
) -> Result<bool> {
    let one = || {
        member::table
            .filter(member::tenant_id.eq(tenant))
            .filter(member::id.eq(id))
            .filter(member::deleted_at.is_null())
    };
    if let Some(email) = &change.email {
        let before: Option<String> = one().select(member::email).first(connection).optional()?;
        if let Some(before) = before.filter(|before| before != email) {
            bans::email_changes(connection, tenant, &before, email)?;
        }
    }
    let is_there = diesel::update(one()).set(change.clone()).execute(connection).map_err(taken)? == 1;
    if is_there && change.is_found_otherwise() {
        let now = find_many(connection, tenant, &[id])?;
        index(connection, &now)?;
    }
    Ok(is_there)
}

/// Sets a password hash, takes the locks away, and makes the refresh tokens of all sessions but one worthless: all
/// in one transaction, so that no crash and no sign-in at the same moment leaves a session of the old password. The
/// member comes first: a sign-in that is under way holds its row until its session can be seen here.
///
/// That the sessions have ended is written by the journal afterwards; sockets and access tokens learn it from there.
pub fn set_password(
    connection: &mut AnyConnection,
    tenant: TenantId,
    id: MemberId,
    hash: &str,
    except: Option<SessionId>,
    now: Millis,
) -> Result<()> {
    let one = member::table.filter(member::tenant_id.eq(tenant)).filter(member::id.eq(id));
    diesel::update(one)
        .set((
            member::password_hash.eq(hash),
            member::login_fail_count.eq(0),
            member::locked_until.eq(None::<i64>),
            member::updated_at.eq(now.0),
        ))
        .execute(connection)?;
    diesel::update(
        auth_session::table
            .filter(auth_session::tenant_id.eq(tenant))
            .filter(auth_session::member_id.eq(id))
            .filter(auth_session::id.ne(except.unwrap_or(SessionId(0)))),
    )
    .set((
        auth_session::refresh_current.eq(""),
        auth_session::refresh_parent.eq(None::<String>),
        auth_session::refresh_siblings.eq(None::<String>),
    ))
    .execute(connection)?;
    Ok(())
}
