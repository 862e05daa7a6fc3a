//! What is done with API keys. Each change holds in this process before it is answered.

use super::check;
use super::store::{self, Filter};
use crate::app::App;
use crate::db::AnyConnection;
use crate::db::types::Json;
use crate::domain::actor::Actor;
use crate::domain::api_key::{self, ApiKeyRow};
use crate::domain::audit::{Act, AuditAction};
use crate::domain::operation::Operation;
use crate::domain::permission::require;
use crate::http::page::{Page, PageQuery};
use crate::journal::store::transaction::{Wait, lock_tenants};
use crate::kernel::secret::{Secret, token_hash};
use crate::kernel::{ApiKeyId, Code, Error, MemberId, Millis, Result, TenantId};
use crate::members::profile::Checker;
use crate::members::store::{self as members, MemberRow};

/// A key that is to be made.
#[derive(Debug, Clone)]
pub struct NewApiKey {
    /// The service account that it acts as.
    pub member: MemberId,
    /// What people call it.
    pub name: String,
    /// What it may be used for.
    pub operations: Vec<Operation>,
    /// From where; none: from everywhere.
    pub networks: Vec<String>,
    /// When it ends.
    pub expires_at: Option<Millis>,
}

/// What is to change; `None` stays.
#[derive(Debug, Clone, Default)]
pub struct Patch {
    /// What people call it.
    pub name: Option<String>,
    /// What it may be used for.
    pub operations: Option<Vec<Operation>>,
    /// From where.
    pub networks: Option<Vec<String>>,
    /// When it ends.
    pub expires_at: Option<Option<Millis>>,
}

/// The keys, the newest first; those that ended are among them. Errors: `forbidden`.
pub async fn list(app: &App, actor: Actor, filter: Filter, page: PageQuery) -> Result<Page<ApiKeyRow>> {
    require(&actor, Operation::ManageApiKeys)?;
    let (limit, before, now) = (page.limit()?, page.after::<ApiKeyId>()?, app.clock.now().0);
    let read = move |connection: &mut AnyConnection| {
        store::list(connection, actor.tenant, &filter, before, limit + 1, now)
    };
    Ok(Page::new(app.db.read(read).await?, limit, |row| row.id))
}

/// One key. Errors: `forbidden`, `not_found`.
pub async fn get(app: &App, actor: Actor, id: ApiKeyId) -> Result<ApiKeyRow> {
    require(&actor, Operation::ManageApiKeys)?;
    app.db.read(move |connection| found(connection, actor.tenant, id)).await
}

/// The key with which the request was made. Errors: `forbidden` for who signed in.
pub async fn current(app: &App, actor: Actor) -> Result<ApiKeyRow> {
    let id = ApiKeyId(actor.session.0);
    let row = app.db.read(move |connection| store::find(connection, actor.tenant, id)).await?;
    row.ok_or_else(|| Error::new(Code::Forbidden, "this request was made with an access token"))
}

fn found(connection: &mut AnyConnection, tenant: TenantId, id: ApiKeyId) -> Result<ApiKeyRow> {
    store::find(connection, tenant, id)?.ok_or_else(Error::not_found)
}

/// Holds what is decided about the tenant's keys: two changes at once come one after the other.
fn hold(connection: &mut AnyConnection, tenant: TenantId) -> Result<()> {
    lock_tenants(connection, &[tenant], Wait::Short)?;
    Ok(())
}

/// Makes a key and gives its text, which is shown this once. Errors: `forbidden`, `limit_reached`, `validation_failed`.
pub async fn create(app: &App, actor: Actor, new: NewApiKey) -> Result<(ApiKeyRow, Secret)> {
    require(&actor, Operation::ManageApiKeys)?;
    let now = app.clock.now();
    let id = ApiKeyId(app.ids.next()?);
    let (prefix, text) = api_key::issue();
    let (secret_hash, audit) = (token_hash(text.expose()), app.auditor(&actor)?);
    let write = move |connection: &mut AnyConnection| {
        hold(connection, actor.tenant)?;
        let account = service_account(connection, actor.tenant, new.member)?;
        let mut check = Checker::default();
        let name = check::name(&mut check, &new.name);
        let operations = check::operations(&mut check, account.role, &new.operations);
        let networks = check::networks(&mut check, &new.networks);
        let expires_at = check::end(&mut check, new.expires_at, now);
        check.finish()?;
        let row = ApiKeyRow {
            id,
            tenant_id: actor.tenant,
            member_id: account.id,
            name,
            prefix: prefix.clone(),
            secret_hash: secret_hash.clone(),
            operations: Json(operations),
            networks: Json(networks),
            expires_at,
            last_used_at: None,
            last_used_ip: String::new(),
            created_by: actor.member,
            created_at: now.0,
            updated_at: now.0,
            revoked_at: None,
            revoked_by: None,
        };
        store::insert(connection, &row)?;
        audit.note(connection, Act::created(&row))?;
        Ok(row)
    };
    let row = app.db.write(write).await?;
    note(&actor, &row, "made");
    Ok((row, text))
}

fn service_account(connection: &mut AnyConnection, tenant: TenantId, id: MemberId) -> Result<MemberRow> {
    let account = members::find(connection, tenant, id)?.filter(|account| account.service_account);
    account.ok_or_else(|| Error::field("/member_id", "invalid", "expected the id of a service account"))
}

/// Changes a key that was not revoked. Errors: `forbidden`, `invalid_transition`, `not_found`, `validation_failed`.
pub async fn update(app: &App, actor: Actor, id: ApiKeyId, patch: Patch) -> Result<ApiKeyRow> {
    require(&actor, Operation::ManageApiKeys)?;
    let (now, audit) = (app.clock.now(), app.auditor(&actor)?);
    let write = move |connection: &mut AnyConnection| {
        hold(connection, actor.tenant)?;
        let row = found(connection, actor.tenant, id)?;
        let before = row.clone();
        if row.revoked_at.is_some() {
            return Err(Error::new(Code::InvalidTransition, "the key was revoked: make another one"));
        }
        let patch = patch.clone();
        let mut check = Checker::default();
        let name = patch.name.map(|name| check::name(&mut check, &name));
        let operations = match patch.operations {
            None => None,
            Some(given) => {
                let account = service_account(connection, actor.tenant, row.member_id)?;
                Some(Json(check::operations(&mut check, account.role, &given)))
            }
        };
        let networks = patch.networks.map(|given| Json(check::networks(&mut check, &given)));
        let expires_at = patch.expires_at.map(|end| check::end(&mut check, end, now));
        check.finish()?;
        let row = ApiKeyRow {
            name: name.unwrap_or(row.name),
            operations: operations.unwrap_or(row.operations),
            networks: networks.unwrap_or(row.networks),
            expires_at: expires_at.unwrap_or(row.expires_at),
            updated_at: now.0,
            ..row
        };
        store::update(connection, &row)?;
        audit.note(connection, Act::updated(&before, &row))?;
        Ok(row)
    };
    let row = app.db.write(write).await?;
    app.auth.api_keys().forget(&row.prefix);
    note(&actor, &row, "changed");
    Ok(row)
}

/// Revokes a key, for ever; one that was revoked stays as it is. Errors: `forbidden`, `not_found`.
pub async fn revoke(app: &App, actor: Actor, id: ApiKeyId) -> Result<()> {
    require(&actor, Operation::ManageApiKeys)?;
    let (now, audit) = (app.clock.now().0, app.auditor(&actor)?);
    let write = move |connection: &mut AnyConnection| {
        hold(connection, actor.tenant)?;
        let row = found(connection, actor.tenant, id)?;
        if row.revoked_at.is_some() {
            return Ok(row);
        }
        let (revoked_at, revoked_by) = (Some(now), Some(actor.member));
        let row = ApiKeyRow { revoked_at, revoked_by, updated_at: now, ..row };
        store::update(connection, &row)?;
        audit.note(connection, Act::done(AuditAction::Revoke, &row))?;
        Ok(row)
    };
    let row = app.db.write(write).await?;
    app.auth.api_keys().forget(&row.prefix);
    note(&actor, &row, "revoked");
    Ok(())
}

/// Leaves a line of ids and words of our own, so that nobody can forge one.
fn note(actor: &Actor, row: &ApiKeyRow, what: &str) {
    log::info!(
        target: "deskwire::auth",
        "API key {} of member {} of tenant {}: {what}, by member {}", row.id, row.member_id, row.tenant_id, actor.member,
    );
}
