//! Coming in with a name and a password, and changing the password.

use super::sessions::{self, Caller, Tokens};
use super::store::{self, Account};
use crate::app::App;
use crate::domain::actor::Actor;
use crate::kernel::secret::token_hash;
use crate::kernel::text::{is_key, login_name};
use crate::kernel::{Code, Error, Result};
use crate::members::store as members;
use crate::security::attempts::{Attempt, Lock};
use crate::security::password::Password;

/// What somebody says to come in.
#[derive(Debug, Clone)]
pub struct Credentials {
    /// The tenant's slug.
    pub tenant: String,
    /// The login name, in whatever case.
    pub name: String,
    /// The password.
    pub password: Password,
    /// The client's name for the device.
    pub device: Option<String>,
}

/// Signs in. Errors: `invalid_credentials` for whatever does not fit; only who knows the password is told
/// `account_locked`, `account_disabled` or `tenant_suspended`.
pub async fn login(app: &App, given: Credentials, caller: &Caller) -> Result<Tokens> {
    check_device(given.device.as_deref())?;
    let name = login_name(&given.name);
    let attempt =
        app.auth.attempts().begin(account_key(&given.tenant, &name), caller.address, app.clock.now())?;
    let (slug, now, counts) = (given.tenant.clone(), app.clock.now(), !attempt.is_locked());
    let account =
        app.db.write(move |connection| store::count_attempt(connection, &slug, &name, counts, now)).await?;
    let hash = account.as_ref().and_then(|account| account.member.password_hash.clone());
    let fits = app.auth.passwords().verify(&given.password, hash.clone()).await?;
    let locked = account.as_ref().is_some_and(|account| account.locked);
    let wrong = || Error::new(Code::InvalidCredentials, Code::InvalidCredentials.meaning());
    judge(app, attempt, hash.as_deref(), fits, locked, wrong)?;

    let Account { mut member, tenant_status, .. } = account.ok_or_else(wrong)?;
    sessions::admit(&member, tenant_status, now)?;
    let session =
        sessions::begin(app, member.tenant_id, member.id, member.role, given.device.as_deref(), caller)?;
    member.last_login_at = Some(session.row.created_at);
    member.last_login_ip = session.row.ip.clone();
    member.last_seen = Some(session.row.created_at);
    member.locked_until = None;
    sessions::keep(app, session, member, true).await
}

/// Ends an attempt: a wrong password counts, a right one opens unless there is a lock, of which only the right
/// password is told, and not too often.
fn judge(
    app: &App,
    attempt: Attempt,
    password_hash: Option<&str>,
    fits: bool,
    account_locked: bool,
    wrong: impl Fn() -> Error,
) -> Result<()> {
    match attempt.lock(password_hash) {
        _ if !fits => {
            attempt.failed(password_hash, app.clock.now());
            Err(wrong())
        }
        Lock::LockedHidden => Err(wrong()),
        Lock::LockedVisible => Err(Error::new(Code::AccountLocked, Code::AccountLocked.meaning())),
        Lock::Open if account_locked => Err(Error::new(Code::AccountLocked, Code::AccountLocked.meaning())),
        Lock::Open => {
            attempt.succeeded();
            Ok(())
        }
    }
}

/// The name under which failures of an account are counted in memory; short, however long the names are that were
/// sent.
pub fn account_key(tenant: &str, login_name: &str) -> String {
    token_hash(&format!("{tenant}/{login_name}"))
}

/// A device's name is a key, or absent.
pub fn check_device(device: Option<&str>) -> Result<()> {
    match device {
        Some(device) if !is_key(device) => {
            Err(Error::field("/device", "invalid", "1 to 64 of A-Z a-z 0-9 . _ : -"))
        }
        _ => Ok(()),
    }
}

/// Changes the actor's own password and ends its other sessions. A wrong present password is a wrong field, counted
/// like a failed sign-in.
pub async fn change_password(
    app: &App,
    actor: Actor,
    current: Password,
    new: Password,
    caller: &Caller,
) -> Result<()> {
    new.check("/new_password")?;
    let now = app.clock.now();
    let key = format!("{}#{}", actor.tenant, actor.member);
    let attempt = app.auth.attempts().begin(key, caller.address, now)?;
    let counts = !attempt.is_locked();
    let (hash, locked) = app
        .db
        .write(move |connection| {
            let locked = counts && store::count_for(connection, actor.tenant, actor.member, now)?;
            let member =
                members::find(connection, actor.tenant, actor.member)?.ok_or_else(Error::not_found)?;
            Ok((member.password_hash, locked))
        })
        .await?;
    if hash.is_none() {
        return Err(Error::new(Code::Forbidden, "this account has no password"));
    }
    let fits = app.auth.passwords().verify(&current, hash.clone()).await?;
    let wrong = || Error::field("/current_password", "invalid", "this is not the present password");
    judge(app, attempt, hash.as_deref(), fits, locked, wrong)?;
    let hash = app.auth.passwords().hash(&new).await?;
    app.db
        .write(move |connection| {
            store::clear_attempts(connection, actor.tenant, actor.member)?;
            members::set_password(connection, actor.tenant, actor.member, &hash, now)
        })
        .await?;
    sessions::end(app, actor, None, Some(actor.session), "password_changed").await
}
