//! What is done with codes.

use std::time::Duration;

use tokio::time::timeout;

use super::{image, store};
use crate::app::App;
use crate::centre::channels::transport::Transport;
use crate::centre::channels::wechat_qr::{self, Made};
use crate::centre::channels::{Answer, hidden};
use crate::centre::recipients::resolve;
use crate::centre::tokens::Tokens;
use crate::centre::{accounts, events, opt_outs};
use crate::db::AnyConnection;
use crate::domain::actor::Actor;
use crate::domain::centre::account::{ACCOUNTS_MAX, AccountRow, AccountStatus, Channel, Config, Settings};
use crate::domain::centre::binding::{
    BindingRow, BindingStatus, CODES_FOR_CUSTOMERS, CODES_OF_ACCOUNT, CODES_OF_PERSON, LIFE, LIFE_MAX,
    LIFE_MIN,
};
use crate::domain::centre::send::Outcome;
use crate::domain::member::Role;
use crate::domain::permission::{Operation, Scope, reach, require};
use crate::groups;
use crate::http::page::{Page, PageQuery};
use crate::kernel::secret::{random_key, token_hash};
use crate::kernel::{ChannelAccountId, Code, Error, MemberId, MessageBindingId, PersonId, Result};

/// How long WeChat is let take to make a code, with the access token for it: somebody waits for the answer.
const LIMIT: Duration = Duration::from_secs(10);
/// Random bytes of a scene: 43 characters of the 64 that WeChat takes.
const SCENE: usize = 32;
const HOUR_MS: i64 = 3_600_000;

/// For whom a code is wanted.
#[derive(Debug, Clone, Default)]
pub struct Given {
    /// Of which account; `None`: the only one.
    pub account_id: Option<ChannelAccountId>,
    /// Which member or message recipient; `None`: the caller, unless a customer is named.
    pub person_id: Option<PersonId>,
    /// Which customer, by the merchant's own id.
    pub customer_external_id: Option<String>,
    /// How long it lives.
    pub expires_in_seconds: Option<i64>,
}

/// Has WeChat make a code that binds a person, whose pending code at the account ends. Errors: `forbidden`,
/// `validation_failed`, `invalid_transition` when the account is disabled, `rate_limited` when there were too many of late,
/// `provider_failed` when WeChat makes none.
pub async fn create(app: &App, transport: &Transport, actor: Actor, given: Given) -> Result<BindingRow> {
    require(&actor, Operation::BindIdentity)?;
    let seconds = given.expires_in_seconds.unwrap_or(LIFE);
    if !(LIFE_MIN..=LIFE_MAX).contains(&seconds) {
        let detail = format!("{LIFE_MIN} to {LIFE_MAX}");
        return Err(Error::field("/expires_in_seconds", "out_of_range", detail));
    }
    let read = move |connection: &mut AnyConnection| {
        Ok((account(connection, &actor, given.account_id)?, person(connection, &actor, &given)?))
    };
    let (account, person) = app.db.read(read).await?;
    let config = accounts::service::open(app.auth.vault(), &account)?;
    if !matches!(&config.settings, Some(Settings::Wechat(settings)) if settings.callback_token.is_some()) {
        let detail = "the account has no callback_token, so that nobody would hear of a scan";
        return Err(Error::field("/account_id", "invalid", detail));
    }
    let (scene, now) = (random_key(SCENE), app.clock.now().0);
    let row = BindingRow {
        id: MessageBindingId(app.ids.next()?),
        tenant_id: actor.tenant,
        account_id: account.id,
        person_id: person,
        created_by: actor.member,
        scene_hash: token_hash(&scene),
        url: String::new(),
        // Until WeChat has made it nobody can scan it.
        status: BindingStatus::Cancelled,
        created_at: now,
        expires_at: now + seconds * 1_000,
        scanned_at: None,
        bound_at: None,
        refused_at: None,
    };
    let kept = row.clone();
    app.db.write(move |connection| reserve(connection, &actor, &kept)).await?;
    let made = make(app, transport, (&account, &config), &scene, seconds).await;
    let made = made?.map_err(|answer| failed(&actor, hidden::hidden(answer, &config)))?;
    let row = BindingRow {
        url: made.url,
        status: BindingStatus::Pending,
        expires_at: now + made.seconds.min(seconds) * 1_000,
        ..row
    };
    let write = move |connection: &mut AnyConnection| {
        accounts::store::hold(connection, row.account_id)?;
        // It may have gone while WeChat was asked.
        self::account(connection, &actor, Some(row.account_id))?;
        store::put(connection, &row)?;
        Ok(row.clone())
    };
    app.db.write(write).await
}

/// The official account that is named, or the only one. Errors: `validation_failed`, `invalid_transition`.
fn account(
    connection: &mut AnyConnection,
    actor: &Actor,
    id: Option<ChannelAccountId>,
) -> Result<AccountRow> {
    let is_official = |account: &AccountRow| account.provider.channel() == Channel::Wechat;
    let Some(id) = id else {
        let all = accounts::store::list(connection, actor.tenant, None, ACCOUNTS_MAX)?;
        let mut official =
            all.into_iter().filter(is_official).filter(|one| one.status == AccountStatus::Active);
        return match (official.next(), official.next()) {
            (Some(only), None) => Ok(only),
            (None, _) => Err(Error::field("/account_id", "required", "there is no official account")),
            _ => Err(Error::field("/account_id", "required", "there are several official accounts")),
        };
    };
    let found = accounts::store::find(connection, actor.tenant, id)?.filter(is_official);
    let found =
        found.ok_or_else(|| Error::field("/account_id", "invalid", "there is no such official account"))?;
    match found.status {
        AccountStatus::Active => Ok(found),
        status => {
            let error = Error::new(Code::InvalidTransition, "the channel account is disabled");
            Err(error.with("status", status.as_str()))
        }
    }
}

/// Whom the code binds. Whoever is not to be bound by this actor is answered as if nobody was there.
fn person(connection: &mut AnyConnection, actor: &Actor, given: &Given) -> Result<PersonId> {
    let own = PersonId(actor.member.0);
    let (pointer, asked) = match (given.person_id, &given.customer_external_id) {
        (None, None) => return Ok(own),
        (Some(_), Some(_)) => {
            let detail = "at most one of person_id and customer_external_id";
            return Err(Error::field("/person_id", "invalid", detail));
        }
        (Some(person), None) => ("/person_id", Some(person)),
        (None, Some(name)) => {
            let customer = events::store::customer_of(connection, actor.tenant, name)?;
            ("/customer_external_id", customer.map(|id| PersonId(id.0)))
        }
    };
    let nobody = || Error::field(pointer, "invalid", "there is nobody of that name whom you may bind");
    let person = asked.ok_or_else(nobody)?;
    let may = match reach(actor, Operation::BindIdentity) {
        _ if person == own => true,
        Scope::Tenant => opt_outs::store::is_there(connection, actor.tenant, person)?,
        Scope::Inside => is_served(connection, actor, MemberId(person.0))?,
        _ => false,
    };
    match may {
        true => Ok(person),
        false => Err(nobody()),
    }
}

/// Whether the member is in a conversation of this customer that is not closed.
fn is_served(connection: &mut AnyConnection, actor: &Actor, customer: MemberId) -> Result<bool> {
    let found = store::serves(connection, actor.tenant, actor.member, customer)?;
    if found.is_empty() || events::store::customer(connection, actor.tenant, customer)?.is_none() {
        return Ok(false);
    }
    let sight = groups::store::sight(connection, actor)?;
    Ok(found.into_iter().any(|group| group.is_none_or(|group| sight.is_in(group))))
}

/// Stores a code that WeChat is about to make, if there were not too many of late.
fn reserve(connection: &mut AnyConnection, actor: &Actor, row: &BindingRow) -> Result<()> {
    accounts::store::hold(connection, row.account_id)?;
    let (since, person) = (row.created_at - HOUR_MS, (row.person_id, CODES_OF_PERSON));
    let (all, oldest) = store::made_since(connection, row.account_id, person, since)?;
    let refused = |wait: i64| {
        let error = Error::new(Code::RateLimited, "there were too many codes within an hour");
        Err(error.retry_after(wait.clamp(1_000, HOUR_MS).unsigned_abs()))
    };
    let most = if actor.role == Role::Customer { CODES_FOR_CUSTOMERS } else { CODES_OF_ACCOUNT };
    match oldest {
        Some(oldest) => refused(oldest - since),
        None if all >= most => refused(HOUR_MS / most),
        None => store::insert(connection, row),
    }
}

/// Has WeChat make a code.
async fn make(
    app: &App,
    transport: &Transport,
    (account, config): (&AccountRow, &Config),
    scene: &str,
    seconds: i64,
) -> Result<std::result::Result<Made, Answer>> {
    let vault = app.auth.vault().clone();
    let tokens = Tokens::new(app.db.clone(), app.clock.clone(), vault, transport.clone());
    let wanted = Tokens::wanted(account, config)?;
    let request = match wechat_qr::request(&config.url, scene, seconds) {
        Ok(request) => request,
        Err(answer) => return Ok(Err(answer)),
    };
    let asking = tokens.ask(&wanted, tokens.first(&wanted), &request, wechat_qr::judge);
    Ok(match timeout(LIMIT, asking).await {
        Ok((answer, _, made)) => made.ok_or(answer),
        Err(_) => Err(Answer::without_reply(Outcome::Uncertain, "no answer in time")),
    })
}

/// What is told of a code that WeChat did not make; its own words only to who may see the account.
fn failed(actor: &Actor, answer: Answer) -> Error {
    let error = Error::new(Code::ProviderFailed, "WeChat made no code");
    let error = error.with("outcome", answer.outcome.as_str());
    let error = match answer.retry_after_ms {
        Some(wait) => error.retry_after(wait.unsigned_abs()),
        None => error,
    };
    match require(actor, Operation::ReadMessageCentre) {
        Ok(_) => error.with("provider_code", answer.code).with("message", answer.message),
        Err(_) => error,
    }
}

/// The codes of the tenant in the order of their ids; only those of this person, and of this account, when one is given.
/// Errors: `forbidden`.
pub async fn list(
    app: &App,
    actor: Actor,
    of: (Option<PersonId>, Option<ChannelAccountId>),
    page: PageQuery,
) -> Result<Page<BindingRow>> {
    require(&actor, Operation::ReadMessageCentre)?;
    let (limit, after) = (page.limit()?, page.after::<MessageBindingId>()?);
    let read = move |connection: &mut _| store::list(connection, actor.tenant, of, after, limit + 1);
    Ok(Page::new(app.db.read(read).await?, limit, |row| row.id))
}

/// A code that the actor had made, or that is its own, or any for who may bind anybody. Errors: `not_found`.
pub async fn get(app: &App, actor: Actor, id: MessageBindingId) -> Result<BindingRow> {
    app.db.read(move |connection| seen(connection, &actor, id)).await
}

fn seen(connection: &mut AnyConnection, actor: &Actor, id: MessageBindingId) -> Result<BindingRow> {
    let row = store::find(connection, actor.tenant, id)?.ok_or_else(Error::not_found)?;
    let is_own = |person: i64| person == actor.member.0;
    let is_seen = reach(actor, Operation::BindIdentity) == Scope::Tenant
        || is_own(row.created_by.0)
        || is_own(resolve::present(connection, actor.tenant, MemberId(row.person_id.0))?.0);
    match is_seen {
        true => Ok(row),
        false => Err(Error::not_found()),
    }
}

/// Calls a code back. Errors: `not_found`, `invalid_transition` when it is not pending.
pub async fn cancel(app: &App, actor: Actor, id: MessageBindingId) -> Result<BindingRow> {
    let now = app.clock.now().0;
    let write = move |connection: &mut AnyConnection| {
        let row = seen(connection, &actor, id)?;
        accounts::store::hold(connection, row.account_id)?;
        match row.status_at(now) == BindingStatus::Pending && store::cancel(connection, &row)? {
            true => Ok(BindingRow { status: BindingStatus::Cancelled, ..row }),
            false => Err(not_pending(row.status_at(now))),
        }
    };
    app.db.write(write).await
}

fn not_pending(status: BindingStatus) -> Error {
    Error::new(Code::InvalidTransition, "the code is not pending").with("status", status.as_str())
}

/// A pending code as SVG. Errors: `not_found`, `invalid_transition` when it is not pending.
pub async fn svg(app: &App, actor: Actor, id: MessageBindingId) -> Result<String> {
    image::svg(&pending(app, actor, id).await?.url)
}

/// A pending code as PNG. Errors: `not_found`, `invalid_transition` when it is not pending.
pub async fn png(app: &App, actor: Actor, id: MessageBindingId) -> Result<Vec<u8>> {
    image::png(&pending(app, actor, id).await?.url)
}

async fn pending(app: &App, actor: Actor, id: MessageBindingId) -> Result<BindingRow> {
    let row = get(app, actor, id).await?;
    match row.status_at(app.clock.now().0) {
        BindingStatus::Pending => Ok(row),
        status => Err(not_pending(status)),
    }
}
