//! Sessions: how one begins, is renewed and ends. Called by sign-in, by new visitors and by identified ones.

use actix_web::http::header;
use actix_web::{FromRequest, HttpRequest, dev::Payload, web};
use std::future::{Ready, ready};
use std::net::IpAddr;

use super::store::{self, SessionRow, Use};
use crate::app::App;
use crate::domain::actor::{Actor, DeviceMark, Origin, Principal};
use crate::domain::member::{MemberStatus, Role};
use crate::domain::tenant::TenantStatus;
use crate::http::page::{Page, PageQuery};
use crate::journal::commands::RevokeSessions;
use crate::journal::{Action, Command, Reply};
use crate::kernel::secret::Secret;
use crate::kernel::{Code, Error, Millis, Result, SessionId, TenantId};
use crate::members::store::MemberRow;
use crate::security::Auth;
use crate::security::refresh::Presented;

/// Live sessions that one member may have.
pub const SESSIONS_MAX: i64 = 100;

const DAY_MS: i64 = 86_400_000;

/// Where a request comes from that begins a session or gives a password.
#[derive(Debug, Clone)]
pub struct ClientInfo {
    /// Its address.
    pub address: IpAddr,
    /// Its `User-Agent`, cut to 300 characters.
    pub user_agent: String,
}

impl ClientInfo {
    /// Where the client comes from, with a device of this name; it may be empty.
    pub fn origin(&self, device: &str) -> Origin {
        Origin { address: Some(self.address), device: DeviceMark::of(device), socket_device: None }
    }
}

impl FromRequest for ClientInfo {
    type Error = Error;
    type Future = Ready<Result<Self>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let address = match request.app_data::<web::Data<App>>() {
            Some(app) => crate::http::client_ip(request, &app.settings),
            None => return ready(Err(Error::internal("the server was built without its App"))),
        };
        let user_agent = request.headers().get(header::USER_AGENT);
        let user_agent = user_agent.and_then(|value| value.to_str().ok()).unwrap_or_default();
        ready(Ok(Self { address, user_agent: user_agent.chars().take(300).collect() }))
    }
}

/// What somebody who signed in holds.
#[derive(Debug, Clone)]
pub struct Tokens {
    /// The access token.
    pub access_token: Secret,
    /// When it ends.
    pub access_expires_at: Millis,
    /// The refresh token.
    pub refresh_token: Secret,
    /// When the session ends without further use.
    pub refresh_expires_at: Millis,
    /// Who signed in.
    pub member: MemberRow,
}

/// A session that is about to be kept.
#[derive(Debug, Clone)]
pub struct NewSession {
    /// Its row, for [`store::insert`].
    pub row: SessionRow,
    refresh_token: Secret,
}

/// Prepares a session of a member; nothing is written yet.
pub fn begin(
    app: &App,
    tenant: TenantId,
    member: crate::kernel::MemberId,
    role: Role,
    device: Option<&str>,
    client: &ClientInfo,
) -> Result<NewSession> {
    let now = app.clock.now();
    let id = SessionId(app.ids.next()?);
    let (refresh_token, hash) = app.auth.refresh_tokens().issue(id)?;
    let row = SessionRow {
        id,
        tenant_id: tenant,
        member_id: member,
        device: device.unwrap_or_default().to_owned(),
        user_agent: client.user_agent.clone(),
        ip: client.address.to_string(),
        generation: 0,
        refresh_parent: None,
        refresh_current: hash,
        created_at: now.0,
        last_used_at: now.0,
        expires_at: lives_until(app, role, now).0,
        revoked_at: None,
        revoke_reason: None,
        rev: 0,
        refresh_siblings: None,
        rotated_at: now.0,
    };
    Ok(NewSession { row, refresh_token })
}

/// How a session begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Beginning {
    /// With the right password, from an origin that the account knows. Counters of others' failures stay.
    KnownSignIn,
    /// With the right password, from elsewhere: the failures before it are forgotten.
    SignIn,
    /// Without a password.
    Identified,
}

/// Keeps a session of a member that exists, records its sign-in if it is one, and gives its tokens. When the member
/// has more than [`SESSIONS_MAX`] live sessions, the oldest one ends. Fails with `invalid_credentials` when the
/// password was changed after it was checked, so that no session outlives the old password.
pub async fn keep(app: &App, session: NewSession, member: MemberRow, beginning: Beginning) -> Result<Tokens> {
    let (row, hash) = (session.row.clone(), member.password_hash.clone());
    let surplus = app
        .db
        .write(move |connection| {
            let (tenant, member, now) = (row.tenant_id, row.member_id, Millis(row.created_at));
            if beginning != Beginning::Identified && !store::note_login(connection, &row, hash.as_deref())? {
                return Err(Error::new(Code::InvalidCredentials, Code::InvalidCredentials.meaning()));
            }
            if beginning == Beginning::SignIn {
                store::clear_attempts(connection, tenant, member)?;
            }
            store::insert(connection, &row)?;
            store::surplus(connection, tenant, member, now, SESSIONS_MAX)
        })
        .await?;
    if let Some(oldest) = surplus {
        end(app, member.actor(session.row.id), Some(oldest), None, "replaced").await?;
    }
    tokens(app, session, member)
}

/// The tokens of a session that was kept.
pub fn tokens(app: &App, session: NewSession, member: MemberRow) -> Result<Tokens> {
    let ends = Millis(session.row.expires_at);
    hand_out(app, (session.row.id, &session.row.device), session.refresh_token, ends, member)
}

fn hand_out(
    app: &App,
    (session, device): (SessionId, &str),
    refresh_token: Secret,
    refresh_expires_at: Millis,
    member: MemberRow,
) -> Result<Tokens> {
    let mut actor = member.actor(session);
    actor.origin.device = DeviceMark::of(device);
    let (access_token, access_expires_at) = app.auth.sign(&actor, member.expires_at.map(Millis))?;
    Ok(Tokens { access_token, access_expires_at, refresh_token, refresh_expires_at, member })
}

fn lives_until(app: &App, role: Role, now: Millis) -> Millis {
    let days = match role.is_staff() {
        true => app.settings.staff_session_days,
        false => app.settings.visitor_session_days,
    };
    now.plus(days * DAY_MS)
}

/// Whether this account may be used now. Errors: `tenant_suspended`, `account_disabled`.
pub fn admit(member: &MemberRow, tenant: TenantStatus, now: Millis) -> Result<()> {
    if tenant == TenantStatus::Suspended {
        return Err(Error::new(Code::TenantSuspended, Code::TenantSuspended.meaning()));
    }
    let over = member.expires_at.is_some_and(|end| end <= now.0);
    if over || member.deleted_at.is_some() || member.status == MemberStatus::Disabled {
        return Err(Error::new(Code::AccountDisabled, Code::AccountDisabled.meaning()));
    }
    Ok(())
}

/// Fails with `banned` for a customer who is, by what it is or by where it comes from. In memory.
pub fn admit_customer(auth: &Auth, member: &MemberRow, client: &ClientInfo, device: &str) -> Result<()> {
    match member.role.is_staff() {
        true => Ok(()),
        false => auth.admit(member.tenant_id, Some(member.id), &client.origin(device)),
    }
}

enum Renewal {
    Renewed(Box<SessionRow>, Box<MemberRow>),
    Stolen(Actor),
}

/// Renews a session for its refresh token. Errors: `token_invalid` for what was never issued, `session_revoked`,
/// `account_disabled`, `tenant_suspended`, `banned`.
pub async fn refresh(app: &App, token: &Secret, client: &ClientInfo) -> Result<Tokens> {
    let invalid = || Error::new(Code::TokenInvalid, Code::TokenInvalid.meaning());
    let presented = app.auth.refresh_tokens().read(token.expose())?.ok_or_else(invalid)?;
    let session = presented.session;
    let (successor, hash) = app.auth.refresh_tokens().issue(session)?;
    let now = app.clock.now();
    let days = (app.settings.staff_session_days, app.settings.visitor_session_days);
    let (auth, from) = (app.auth.clone(), client.clone());
    let renewal = app
        .db
        .write(move |connection| {
            let admit =
                |row: &SessionRow, member: &MemberRow| admit_customer(&auth, member, &from, &row.device);
            renew(connection, &presented, &hash, (&from, &admit), now, days)
        })
        .await?;
    match renewal {
        Renewal::Renewed(row, member) => {
            hand_out(app, (session, &row.device), successor, Millis(row.expires_at), *member)
        }
        Renewal::Stolen(actor) => {
            log::warn!(
                target: "deskwire::auth",
                "a copy of a refresh token was used: session {session} of member {} ends, address {}",
                actor.member,
                client.address,
            );
            end(app, actor, Some(session), None, "theft").await?;
            Err(revoked())
        }
    }
}

/// Whether the customer with this session may come in.
type Admit<'a> = &'a dyn Fn(&SessionRow, &MemberRow) -> Result<()>;

fn renew(
    connection: &mut crate::db::AnyConnection,
    presented: &Presented,
    successor: &str,
    (client, admit_from): (&ClientInfo, Admit<'_>),
    now: Millis,
    (staff_days, visitor_days): (i64, i64),
) -> Result<Renewal> {
    store::hold(connection, presented.session)?;
    let found = store::find(connection, presented.session)?;
    let Some((mut row, member, tenant)) = found else {
        return Err(Error::new(Code::TokenInvalid, Code::TokenInvalid.meaning()));
    };
    let Some(family) = row.family().present(&presented.hash, successor.to_owned(), now) else {
        return match (presented.genuine, row.revoked_at) {
            (true, None) => Ok(Renewal::Stolen(member.actor(row.id))),
            (true, Some(_)) => Err(revoked()),
            (false, _) => Err(Error::new(Code::TokenInvalid, Code::TokenInvalid.meaning())),
        };
    };
    admit(&member, tenant, now)?;
    if row.revoked_at.is_some() || row.expires_at <= now.0 {
        return Err(revoked());
    }
    admit_from(&row, &member)?;
    let days = if member.role.is_staff() { staff_days } else { visitor_days };
    let used = Use { ip: client.address.to_string(), at: now, expires_at: now.plus(days * DAY_MS) };
    if !store::renew(connection, &row, &family, &used)? {
        return Err(revoked());
    }
    row.expires_at = used.expires_at.0;
    Ok(Renewal::Renewed(Box::new(row), Box::new(member)))
}

/// Gives the holder of a live session one more refresh token of it, for a member that changed underneath.
pub async fn extend(app: &App, actor: Actor, client: &ClientInfo) -> Result<Tokens> {
    let (token, hash) = app.auth.refresh_tokens().issue(actor.session)?;
    let now = app.clock.now();
    let expires_at = lives_until(app, actor.role, now);
    let used = Use { ip: client.address.to_string(), at: now, expires_at };
    let (member, device) = app
        .db
        .write(move |connection| {
            store::hold(connection, actor.session)?;
            let found = store::find(connection, actor.session)?;
            let (row, member, _) = found.filter(|(row, ..)| row.revoked_at.is_none()).ok_or_else(revoked)?;
            match store::renew(connection, &row, &row.family().sibling(hash.clone()), &used)? {
                true => Ok((member, row.device)),
                false => Err(revoked()),
            }
        })
        .await?;
    hand_out(app, (actor.session, &device), token, expires_at, member)
}

fn revoked() -> Error {
    Error::new(Code::SessionRevoked, Code::SessionRevoked.meaning())
}

/// The actor's live sessions, newest first.
pub async fn list(app: &App, actor: Actor, page: PageQuery) -> Result<Page<SessionRow>> {
    let (limit, before, now) = (page.limit()?, page.after::<SessionId>()?, app.clock.now());
    let rows = app
        .db
        .read(move |connection| store::live(connection, actor.tenant, actor.member, now, before, limit + 1))
        .await?;
    Ok(Page::new(rows, limit, |row| row.id))
}

/// Ends one of the actor's sessions. Sessions of others are not found.
pub async fn revoke(app: &App, actor: Actor, session: SessionId) -> Result<()> {
    let now = app.clock.now();
    let live = app
        .db
        .read(move |connection| store::is_live(connection, actor.tenant, actor.member, session, now))
        .await?;
    if !live {
        return Err(Error::not_found());
    }
    end(app, actor, Some(session), None, "revoked").await
}

/// Ends sessions of the actor: one, or all but one.
pub async fn end(
    app: &App,
    actor: Actor,
    only: Option<SessionId>,
    except: Option<SessionId>,
    reason: &'static str,
) -> Result<()> {
    let change = RevokeSessions { member: actor.member, only, except, reason };
    change_access(app, actor, change).await.map(drop)
}

/// Submits a change of who has access, and takes it in here before answering, so that the caller's next request
/// meets it already.
pub async fn change_access(app: &App, by: impl Into<Principal>, change: impl Into<Action>) -> Result<Reply> {
    let reply = app.journal.submit(Command::new(by, change)).await?;
    if let Err(error) = app.auth.catch_up(&app.db).await {
        log::warn!(target: "deskwire::auth", "a revocation will take a moment longer: {error}");
    }
    Ok(reply)
}
