//! New visitors, and visitors who identify.

use super::identity::{self, Identity};
use super::store;
use crate::app::App;
use crate::auth::service::check_device;
use crate::auth::sessions::{self, Beginning, ClientInfo, Tokens, change_access};
use crate::auth::store as session_store;
use crate::db::AnyConnection;
use crate::domain::actor::Actor;
use crate::domain::member::Role;
use crate::domain::tenant::TenantStatus;
use crate::journal::bans;
use crate::journal::commands::Merge;
use crate::kernel::secret::Secret;
use crate::kernel::{Code, Error, Millis, Result};
use crate::limits::Key;
use crate::members::input::{NewMember, prepare};
use crate::members::store::{self as members, MemberChange, MemberRow};
use crate::security::password::Queue;
use crate::tenants::identity_keys;
use crate::tenants::store as tenants;

/// A new visitor.
#[derive(Debug, Clone)]
pub struct NewVisitor {
    /// The tenant's slug.
    pub tenant: String,
    /// The name that the staff see; one is made up when it is empty.
    pub nickname: String,
    /// Which language it reads; may be empty.
    pub locale: String,
    /// The client's name for the device.
    pub device: Option<String>,
}

/// Makes a visitor with a session. Errors: `not_found` for an unknown tenant, `tenant_suspended`, `banned`,
/// `validation_failed`.
pub async fn create(app: &App, new: NewVisitor, client: &ClientInfo) -> Result<Tokens> {
    check_device(new.device.as_deref())?;
    let slug = new.tenant;
    let tenant = app.db.read(move |connection| tenants::find_by_slug(connection, &slug)).await?;
    let tenant = tenant.ok_or_else(Error::not_found)?;
    if tenant.status == TenantStatus::Suspended {
        return Err(Error::new(Code::TenantSuspended, Code::TenantSuspended.meaning()));
    }
    app.auth.admit(tenant.id, None, &client.origin(new.device.as_deref().unwrap_or_default()))?;
    app.limiter.check(Key::new_visitor(client.address))?;
    let mut member = NewMember::new(Role::Customer);
    (member.nickname, member.locale) = (new.nickname, new.locale);
    let mut row = prepare(app, tenant.id, member, Queue::Strangers).await?;
    if row.nickname.is_empty() {
        row.nickname = format!("Visitor {:04}", rand::random_range(0..10_000));
    }
    row.last_seen = Some(row.created_at);
    let session = sessions::begin(app, tenant.id, row.id, row.role, new.device.as_deref(), client)?;
    let kept = (row.clone(), session.row.clone());
    app.db
        .write(move |connection| {
            members::insert(connection, &kept.0)?;
            session_store::insert(connection, &kept.1)
        })
        .await?;
    sessions::tokens(app, session, row)
}

/// What identifying comes to.
#[derive(Debug, Clone)]
enum Outcome {
    /// The visitor is that customer, now or already: it goes on as it is.
    Same,
    /// The anonymous visitor is this known customer.
    Merge(Box<MemberRow>),
    /// The visitor was somebody else: this customer comes in, and nothing moves.
    Switch(Box<MemberRow>),
}

/// Identifies the caller by an identity token, and gives it the tokens of that customer. Errors: `forbidden` for
/// staff, `validation_failed` for whatever is wrong with the token, `account_disabled`, `banned` for a customer or an
/// e-mail address that is.
pub async fn identify(app: &App, actor: Actor, token: Secret, client: &ClientInfo) -> Result<Tokens> {
    if actor.role != Role::Customer {
        return Err(Error::new(Code::Forbidden, "only visitors identify"));
    }
    let identity = read_token(app, actor, &token).await?;
    // For a customer who is somebody else so far and is not known yet.
    let mut fresh = NewMember::new(Role::Customer);
    fresh.external_id = Some(identity.external_id.clone());
    fresh.nickname = identity.nickname.clone().unwrap_or_default();
    let mut fresh = prepare(app, actor.tenant, fresh, Queue::Strangers).await?;
    if fresh.nickname.is_empty() {
        fresh.nickname = identity.external_id.chars().take(50).collect();
    }
    let now = app.clock.now();
    let decide_once = || {
        let (identity, fresh) = (identity.clone(), fresh.clone());
        app.db.write(move |connection| decide(connection, actor, &identity, &fresh, now))
    };
    let outcome = match decide_once().await {
        // Another device identified as the same customer in this very moment: now it is known.
        Err(error) if error.code == Code::NameTaken => decide_once().await?,
        outcome => outcome?,
    };
    match outcome {
        Outcome::Same => sessions::extend(app, actor, client).await,
        Outcome::Merge(into) => {
            // The new session comes first: the merge ends the old one, and a failure in between locks nobody out.
            let tokens = begin_session(app, actor, &into, client).await?;
            let change = Merge { from: actor.member, into: into.id };
            while change_access(app, actor, change.clone()).await?.more {}
            Ok(tokens)
        }
        Outcome::Switch(into) => begin_session(app, actor, &into, client).await,
    }
}

async fn read_token(app: &App, actor: Actor, token: &Secret) -> Result<Identity> {
    let kid = identity::key_name(token.expose())?;
    let (sealed, tenant) = app
        .db
        .read(move |connection| {
            let sealed = identity_keys::sealed(connection, actor.tenant, &kid)?;
            Ok((sealed, tenants::find(connection, actor.tenant)?))
        })
        .await?;
    let secret = app.auth.vault().open(&sealed.ok_or_else(identity::refused)?)?;
    identity::verify(token.expose(), &secret, &tenant.slug, app.clock.now())
}

/// Begins a session of the customer that the actor is, on the actor's device.
async fn begin_session(app: &App, actor: Actor, member: &MemberRow, client: &ClientInfo) -> Result<Tokens> {
    let before = app.db.read(move |connection| session_store::find(connection, actor.session)).await?;
    let device = before.map(|(row, ..)| row.device).filter(|device| !device.is_empty());
    let (tenant, role) = (member.tenant_id, member.role);
    let session = sessions::begin(app, tenant, member.id, role, device.as_deref(), client)?;
    sessions::keep(app, session, member.clone(), Beginning::Identified).await
}

fn decide(
    connection: &mut AnyConnection,
    actor: Actor,
    identity: &Identity,
    fresh: &MemberRow,
    now: Millis,
) -> Result<Outcome> {
    let me = members::find(connection, actor.tenant, actor.member)?.ok_or_else(Error::not_found)?;
    store::use_token(connection, &me, identity, now)?;
    let email = identity.email.as_deref().unwrap_or_default();
    if bans::names(connection, actor.tenant, me.id, email, now.0)? {
        return Err(banned());
    }
    let anonymous = me.external_id.is_none() && me.login_name.is_none();
    let known = members::find_by_external_id(connection, actor.tenant, &identity.external_id)?;
    match known {
        Some(known) => {
            if known.role != Role::Customer {
                return Err(Error::new(Code::Forbidden, "this identity belongs to the staff"));
            }
            sessions::admit(&known, TenantStatus::Active, now)?;
            if bans::names(connection, actor.tenant, known.id, &known.email, now.0)? {
                return Err(banned());
            }
            members::change(connection, actor.tenant, known.id, &profile(identity, now))?;
            let same = known.id == me.id;
            let known = members::find(connection, actor.tenant, known.id)?.ok_or_else(Error::not_found)?;
            Ok(match (same, anonymous) {
                (true, _) => Outcome::Same,
                (false, true) => Outcome::Merge(Box::new(known)),
                (false, false) => Outcome::Switch(Box::new(known)),
            })
        }
        None if me.external_id.is_none() => {
            let mut change = profile(identity, now);
            change.external_id = Some(Some(identity.external_id.clone()));
            members::change(connection, actor.tenant, me.id, &change)?;
            Ok(Outcome::Same)
        }
        None => {
            members::insert(connection, fresh)?;
            members::change(connection, actor.tenant, fresh.id, &profile(identity, now))?;
            let fresh = members::find(connection, actor.tenant, fresh.id)?.ok_or_else(Error::not_found)?;
            Ok(Outcome::Switch(Box::new(fresh)))
        }
    }
}

fn banned() -> Error {
    Error::new(Code::Banned, Code::Banned.meaning())
}

fn profile(identity: &Identity, now: Millis) -> MemberChange {
    MemberChange {
        nickname: identity.nickname.clone(),
        avatar: identity.avatar.clone(),
        email: identity.email.clone(),
        mobile: identity.mobile.clone(),
        locale: identity.locale.clone(),
        email_verified: identity.email.as_ref().map(|text| !text.is_empty()),
        mobile_verified: identity.mobile.as_ref().map(|text| !text.is_empty()),
        updated_at: now.0,
        ..MemberChange::default()
    }
}
