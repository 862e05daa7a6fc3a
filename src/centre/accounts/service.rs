//! What is done with channel accounts.

use url::Url;

use super::store;
use crate::app::App;
use crate::centre::channels::webhook::new_secret;
use crate::domain::actor::Actor;
use crate::domain::centre::account::{
    AccountRow, AccountStatus, Config, NAME_MAX, Provider, SECRET_MAX, URL_MAX,
};
use crate::domain::permission::{Operation, require};
use crate::http::page::{Page, PageQuery};
use crate::kernel::outbound::Allowed;
use crate::kernel::secret::{Secret, Vault};
use crate::kernel::{ChannelAccountId, Code, Error, Result};
use crate::members::profile::Checker;

/// How long the secret before signs too, after a change, in milliseconds: a day.
const ROTATION_MS: i64 = 86_400_000;
/// Most messages of an account's own limit.
pub const LIMIT_COUNT_MAX: i64 = 100_000;
/// Longest window of an account's own limit, in seconds: a day.
pub const LIMIT_SECONDS_MAX: i64 = 86_400;

/// An account that is to be made.
#[derive(Debug, Clone)]
pub struct New {
    /// What the merchant calls it.
    pub name: String,
    /// Whose protocol it speaks.
    pub provider: Provider,
    /// Its address.
    pub url: String,
    /// What signs: of robots only.
    pub secret: Option<String>,
    /// Its own limit, messages and seconds; `None`: the provider's.
    pub limit: Option<(i64, i64)>,
}

/// What changes of an account; `None` stays.
#[derive(Debug, Clone, Default)]
pub struct Change {
    /// What the merchant calls it.
    pub name: Option<String>,
    /// Whether it is used.
    pub status: Option<AccountStatus>,
    /// Its address.
    pub url: Option<String>,
    /// What signs: of robots only; `Some(None)`: nothing.
    pub secret: Option<Option<String>>,
    /// Its own limit; `Some(None)`: the provider's.
    pub limit: Option<Option<(i64, i64)>>,
}

/// The accounts of the tenant in the order of their ids. Errors: `forbidden`.
pub async fn list(app: &App, actor: Actor, page: PageQuery) -> Result<Page<AccountRow>> {
    require(&actor, Operation::ReadMessageCentre)?;
    let (limit, after) = (page.limit()?, page.after::<ChannelAccountId>()?);
    let read = move |connection: &mut _| store::list(connection, actor.tenant, after, limit + 1);
    Ok(Page::new(app.db.read(read).await?, limit, |row| row.id))
}

/// One account. Errors: `forbidden`, `not_found`.
pub async fn get(app: &App, actor: Actor, id: ChannelAccountId) -> Result<AccountRow> {
    require(&actor, Operation::ReadMessageCentre)?;
    let found = app.db.read(move |connection| store::find(connection, actor.tenant, id)).await?;
    found.ok_or_else(Error::not_found)
}

/// Makes an account; gives the secret of a webhook, which is never shown again. Errors: `forbidden`, `limit_reached`,
/// `validation_failed`.
pub async fn create(app: &App, actor: Actor, new: New) -> Result<(AccountRow, Option<String>)> {
    require(&actor, Operation::ManageMessageCentre)?;
    let mut check = Checker::default();
    let name = check.required_line("/name", &new.name, NAME_MAX);
    let host = address(&mut check, new.provider, &new.url, &app.settings.outbound_allow);
    let secret = secret(&mut check, new.provider, new.secret);
    let limit = new.limit.map(|limit| own_limit(&mut check, limit));
    check.finish()?;
    let made = (new.provider == Provider::Webhook).then(new_secret);
    let config =
        Config { url: new.url, secret: made.clone().or(secret), previous_secret: None, previous_until: 0 };
    let now = app.clock.now().0;
    let (limit_count, limit_seconds) = limit.unwrap_or_else(|| new.provider.limit());
    let row = AccountRow {
        id: ChannelAccountId(app.ids.next()?),
        tenant_id: actor.tenant,
        name,
        provider: new.provider,
        status: AccountStatus::Active,
        sealed_config: seal(app.auth.vault(), &config)?,
        host,
        limit_count,
        limit_seconds,
        fail_streak: 0,
        paused_until: 0,
        pause_reason: None,
        created_at: now,
        updated_at: now,
        deleted_at: None,
    };
    let kept = row.clone();
    app.db.write(move |connection| store::insert(connection, &kept)).await?;
    Ok((row, made))
}

/// Changes an account, and has it tried again at once. Errors: `forbidden`, `not_found`, `validation_failed`.
pub async fn update(app: &App, actor: Actor, id: ChannelAccountId, change: Change) -> Result<AccountRow> {
    require(&actor, Operation::ManageMessageCentre)?;
    let mut check = Checker::default();
    let name = change.name.map(|name| check.required_line("/name", &name, NAME_MAX));
    let limit = change.limit.map(|limit| limit.map(|limit| own_limit(&mut check, limit)));
    let (vault, allowed, now) =
        (app.auth.vault().clone(), app.settings.outbound_allow.clone(), app.clock.now().0);
    let row = get(app, actor, id).await?;
    let host = change.url.as_ref().map(|url| address(&mut check, row.provider, url, &allowed));
    let new_secret = change.secret.map(|given| secret(&mut check, row.provider, given));
    check.finish()?;
    let (status, url) = (change.status, change.url);
    let write = move |connection: &mut _| {
        let mut row = store::find(connection, actor.tenant, id)?.ok_or_else(Error::not_found)?;
        let mut config = open(&vault, &row)?;
        if let Some(url) = &url {
            config.url.clone_from(url);
        }
        if let Some(secret) = &new_secret {
            config.secret.clone_from(secret);
        }
        row.sealed_config = seal(&vault, &config)?;
        row.host = host.clone().unwrap_or(row.host);
        row.name = name.clone().unwrap_or(row.name);
        row.status = status.unwrap_or(row.status);
        if let Some(limit) = limit {
            (row.limit_count, row.limit_seconds) = limit.unwrap_or_else(|| row.provider.limit());
        }
        row.updated_at = now;
        (row.fail_streak, row.paused_until, row.pause_reason) = (0, 0, None);
        store::update(connection, &row)?;
        Ok(row)
    };
    app.db.write(write).await
}

/// Gives a webhook a new secret, which is never shown again; the one before signs beside it for a day. Errors:
/// `forbidden`, `not_found`, `validation_failed` for robots, whose secrets come from the messenger.
pub async fn rotate(app: &App, actor: Actor, id: ChannelAccountId) -> Result<(AccountRow, String)> {
    require(&actor, Operation::ManageMessageCentre)?;
    let (vault, now, made) = (app.auth.vault().clone(), app.clock.now().0, new_secret());
    let secret = made.clone();
    let write = move |connection: &mut _| {
        let mut row = store::find(connection, actor.tenant, id)?.ok_or_else(Error::not_found)?;
        if row.provider != Provider::Webhook {
            return Err(Error::new(Code::ValidationFailed, "the secret of a robot comes from its messenger"));
        }
        let mut config = open(&vault, &row)?;
        config.previous_secret = config.secret.replace(secret.clone());
        config.previous_until = now + ROTATION_MS;
        row.sealed_config = seal(&vault, &config)?;
        row.updated_at = now;
        store::update(connection, &row)?;
        Ok(row)
    };
    app.db.write(write).await.map(|row| (row, made))
}

/// Deletes an account; what waits for it fails. Errors: `forbidden`, `not_found`, `in_use`.
pub async fn delete(app: &App, actor: Actor, id: ChannelAccountId) -> Result<()> {
    require(&actor, Operation::ManageMessageCentre)?;
    let now = app.clock.now().0;
    app.db.write(move |connection| store::delete(connection, actor.tenant, id, now)).await
}

/// Opens what is sealed of an account.
pub fn open(vault: &Vault, row: &AccountRow) -> Result<Config> {
    let opened = vault.open(&row.sealed_config)?;
    serde_json::from_str(opened.expose())
        .map_err(|cause| Error::internal("a stored channel account cannot be read").caused_by(cause))
}

fn seal(vault: &Vault, config: &Config) -> Result<String> {
    let text = serde_json::to_string(config)
        .map_err(|cause| Error::internal("a channel account cannot be stored").caused_by(cause))?;
    vault.seal(&Secret::new(text))
}

/// Checks the address of an account; gives its host.
fn address(check: &mut Checker, provider: Provider, text: &str, allowed: &Allowed) -> String {
    let parsed = Url::parse(text).ok();
    let host = parsed.as_ref().and_then(Url::host_str).unwrap_or_default().to_owned();
    if text.chars().count() > URL_MAX {
        check.wrong("/url", "too_long", format!("at most {URL_MAX} characters"));
    } else if parsed.as_ref().is_some_and(|url| allowed.allows(url)) {
        return host;
    } else if let Some(fault) = crate::kernel::url::fault(text) {
        check.wrong("/url", "invalid", fault);
    } else if !provider.hosts().is_empty() && !provider.hosts().contains(&host.as_str()) {
        check.wrong(
            "/url",
            "invalid",
            format!("the host of a {provider} is {}", provider.hosts().join(" or ")),
        );
    }
    host
}

/// Checks what a robot signs with.
fn secret(check: &mut Checker, provider: Provider, secret: Option<String>) -> Option<String> {
    let signs = matches!(provider, Provider::DingtalkRobot | Provider::FeishuRobot);
    let secret = secret.filter(|secret| !secret.is_empty())?;
    if !signs {
        check.wrong("/secret", "invalid", "only robots of DingTalk and Feishu are given a secret");
    }
    Some(check.line("/secret", &secret, SECRET_MAX))
}

fn own_limit(check: &mut Checker, (count, seconds): (i64, i64)) -> (i64, i64) {
    if !(1..=LIMIT_COUNT_MAX).contains(&count) {
        check.wrong("/limit/count", "out_of_range", format!("1 to {LIMIT_COUNT_MAX}"));
    }
    if !(1..=LIMIT_SECONDS_MAX).contains(&seconds) {
        check.wrong("/limit/seconds", "out_of_range", format!("1 to {LIMIT_SECONDS_MAX}"));
    }
    (count, seconds)
}
