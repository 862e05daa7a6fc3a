//! Signing in with a name and a password, and changing the password.

use std::net::IpAddr;

use super::sessions::{self, Beginning, ClientInfo, Tokens};
use super::store::{self, Account};
use crate::app::App;
use crate::domain::actor::Actor;
use crate::kernel::network::AddressBlock;
use crate::kernel::secret::{Secret, token_hash};
use crate::kernel::text::{is_key, login_name};
use crate::kernel::{Code, Error, MemberId, Result, TenantId};
use crate::members::store::{self as members, MemberRow};
use crate::security::attempts::{Attempt, Lock, Origin};
use crate::security::foreign_password::ForeignHash;
use crate::security::password::{Password, Queue};

/// What somebody says to sign in.
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
    /// A refresh token that the device held before.
    pub refresh_token: Option<Secret>,
}

/// Signs in. Errors: `invalid_credentials` for whatever does not fit; only who knows the password is told
/// `account_disabled`, `tenant_suspended` or `banned`, and `account_locked` only on a device or from an address that the
/// account knows.
pub async fn login(app: &App, given: Credentials, client: &ClientInfo) -> Result<Tokens> {
    check_device(given.device.as_deref())?;
    let name = login_name(&given.name);
    let key = account_key(&given.tenant, &name);
    let device = match &given.refresh_token {
        Some(token) => app.auth.refresh_tokens().read(token.expose())?.filter(|read| read.genuine),
        None => None,
    };
    let (slug, address, now) = (given.tenant, client.address, app.clock.now());
    let device = device.map(|read| read.session);
    let account =
        app.db.read(move |connection| store::find_account(connection, &slug, &name, device, address)).await?;
    let exists = account.is_some();
    let door = Door::new(
        account.as_ref().and_then(|account| account.device),
        account.as_ref().is_some_and(|account| account.known_address),
        address,
    );
    let attempt = app.auth.attempts().begin(key, exists, door.origin, now)?;
    let hash = account.as_ref().and_then(|account| account.member.password_hash.clone());
    let who = account.as_ref().map(|account| (account.member.tenant_id, account.member.id));
    let counts = !door.known && attempt.lock(hash.as_deref()) == Lock::Open;
    let locked = counts && count(app, who).await?;
    let fits = app.auth.passwords().verify(&given.password, hash.clone(), door.queue()).await?;
    let wrong = || Error::new(Code::InvalidCredentials, Code::InvalidCredentials.meaning());
    judge(app, attempt, &Guess { who, hash: hash.as_deref(), fits, locked, door }, wrong)?;

    let Account { mut member, tenant_status, .. } = account.ok_or_else(wrong)?;
    let device = given.device.as_deref().unwrap_or_default();
    let admitted = sessions::admit(&member, tenant_status, now)
        .and_then(|()| sessions::admit_customer(&app.auth, &member, client, device));
    if let Err(error) = admitted {
        log::info!(
            target: "deskwire::auth",
            "sign-in refused: member {} of tenant {}, address {address}, {}", member.id, member.tenant_id, error.code.name(),
        );
        return Err(error);
    }
    if member.password_hash.as_deref().is_some_and(|hash| ForeignHash::read(hash).is_some()) {
        member.password_hash = own_hash(app, &member, &given.password, door.queue()).await?;
    }
    let session =
        sessions::begin(app, member.tenant_id, member.id, member.role, given.device.as_deref(), client)?;
    member.last_login_at = Some(session.row.created_at);
    member.last_login_ip = session.row.ip.clone();
    member.last_seen = Some(session.row.created_at);
    let beginning = match door.known {
        true => Beginning::KnownSignIn,
        false => Beginning::SignIn,
    };
    if beginning == Beginning::SignIn {
        member.locked_until = None;
    }
    sessions::keep(app, session, member, beginning).await
}

/// Puts a hash of our own in the place of another system's, of which the password is known to fit. Gives the hash that the
/// account has then: of sign-ins at once one is the first, and the others take its hash when the password fits that.
async fn own_hash(
    app: &App,
    member: &MemberRow,
    password: &Password,
    queue: Queue,
) -> Result<Option<String>> {
    let (tenant, id, foreign) = (member.tenant_id, member.id, member.password_hash.clone());
    let hash = app.auth.passwords().hash(password, queue).await?;
    let own = hash.clone();
    let replace =
        move |connection: &mut _| store::replace_hash(connection, tenant, id, foreign.as_deref(), &own);
    if app.db.write(replace).await? {
        return Ok(Some(hash));
    }
    let present = app.db.read(move |connection| members::find(connection, tenant, id)).await?;
    let present = present.and_then(|member| member.password_hash);
    match app.auth.passwords().verify(password, present.clone(), queue).await? {
        true => Ok(present),
        false => Err(Error::new(Code::InvalidCredentials, Code::InvalidCredentials.meaning())),
    }
}

/// Where a guess at a password comes from.
#[derive(Debug, Clone, Copy)]
struct Door {
    origin: Origin,
    /// The account knows it: it is neither locked out nor delayed by what others do.
    known: bool,
    address: IpAddr,
}

impl Door {
    fn new(device: Option<crate::kernel::SessionId>, known_address: bool, address: IpAddr) -> Self {
        let origin = device.map_or(Origin::Address(AddressBlock::of(address)), Origin::Device);
        Self { origin, known: device.is_some() || known_address, address }
    }

    fn queue(&self) -> Queue {
        if self.known { Queue::Known } else { Queue::Strangers }
    }
}

/// Counts a guess from an unknown origin against the whole account, and says whether that is locked for such
/// origins. A name that does not exist runs the same statements.
async fn count(app: &App, who: Option<(TenantId, MemberId)>) -> Result<bool> {
    let ((tenant, member), now) = (who.unwrap_or((TenantId(0), MemberId(0))), app.clock.now());
    app.db.write(move |connection| store::count_for(connection, tenant, member, now)).await
}

/// One guess at a password, checked.
struct Guess<'a> {
    /// Whose password; `None` for a name that does not exist.
    who: Option<(TenantId, MemberId)>,
    hash: Option<&'a str>,
    fits: bool,
    /// The account is locked for origins that it does not know.
    locked: bool,
    door: Door,
}

/// Ends an attempt: a wrong password counts; a right one opens unless there is a lock. Of a lock only a known origin
/// that gives the right password is told, and not too often; any other is answered like a wrong password, and counts
/// like one, so that nothing tells them apart.
fn judge(app: &App, mut attempt: Attempt, guess: &Guess<'_>, wrong: impl Fn() -> Error) -> Result<()> {
    let lock = attempt.lock(guess.hash);
    if guess.fits && lock == Lock::Open && !guess.locked {
        attempt.succeeded();
        return Ok(());
    }
    let why = match (guess.who, guess.fits) {
        (None, _) => "unknown name",
        (_, false) => "wrong password",
        (_, true) => "locked",
    };
    let address = guess.door.address;
    let (tenant, member) = guess.who.unwrap_or((TenantId(0), MemberId(0)));
    log::info!(
        target: "deskwire::auth",
        "sign-in refused: member {member} of tenant {tenant}, address {address}, {why}",
    );
    if guess.locked {
        log::warn!(
            target: "deskwire::auth",
            "member {member} of tenant {tenant} is locked for origins that it does not know",
        );
    }
    let told = guess.fits && guess.door.known && lock == Lock::LockedVisible;
    if attempt.failed(guess.hash, app.clock.now()) && guess.who.is_some() {
        log::warn!(
            target: "deskwire::auth",
            "member {member} of tenant {tenant} is locked for address {address} after failed sign-ins",
        );
    }
    match told {
        true => Err(Error::new(Code::AccountLocked, Code::AccountLocked.meaning())),
        false => Err(wrong()),
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

/// Changes the actor's own password and ends its other sessions, both or neither. A wrong present password is a
/// wrong field, counted like a failed sign-in from this address.
pub async fn change_password(
    app: &App,
    actor: Actor,
    current: Password,
    new: Password,
    client: &ClientInfo,
) -> Result<()> {
    let now = app.clock.now();
    let member = app
        .db
        .read(move |connection| members::find(connection, actor.tenant, actor.member))
        .await?
        .ok_or_else(Error::not_found)?;
    let hash = member.password_hash.clone();
    if hash.is_none() {
        return Err(Error::new(Code::Forbidden, "this account has no password"));
    }
    let names = [member.login_name.as_deref().unwrap_or_default(), &member.email];
    new.check("/new_password", &names)?;
    // The session that asks is known: only its own failures lock it.
    let door = Door { origin: Origin::Device(actor.session), known: true, address: client.address };
    let attempt =
        app.auth.attempts().begin(format!("{}#{}", actor.tenant, actor.member), true, door.origin, now)?;
    let fits = app.auth.passwords().verify(&current, hash.clone(), door.queue()).await?;
    let wrong = || Error::field("/current_password", "invalid", "this is not the present password");
    let who = Some((actor.tenant, actor.member));
    judge(app, attempt, &Guess { who, hash: hash.as_deref(), fits, locked: false, door }, wrong)?;
    if new.is(&current) {
        return Err(Error::field("/new_password", "unchanged", "this is the present password"));
    }
    let hash = app.auth.passwords().hash(&new, Queue::Known).await?;
    log::info!(
        target: "deskwire::auth",
        "password changed: member {} of tenant {}, address {}", actor.member, actor.tenant, client.address,
    );
    app.db
        .write(move |connection| {
            members::set_password(connection, actor.tenant, actor.member, &hash, Some(actor.session), now)
        })
        .await?;
    sessions::end(app, actor, None, Some(actor.session), "password_changed").await
}
