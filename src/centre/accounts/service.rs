//! What is done with channel accounts.

use super::check::{change_settings, moved, own_limit, own_settings, reached, secret};
use super::store;
use crate::app::App;
use crate::centre::channels::webhook::new_secret;
use crate::db::AnyConnection;
use crate::domain::actor::Actor;
use crate::domain::audit::{Act, AuditAction};
use crate::domain::centre::account::{AccountRow, AccountStatus, Config, NAME_MAX, Provider, Settings};
use crate::domain::permission::{Operation, require};
use crate::http::page::{Page, PageQuery};
use crate::kernel::secret::{Secret, Vault, random_key};
use crate::kernel::{ChannelAccountId, Code, Error, Result};
use crate::members::profile::Checker;

/// Random bytes of an address for receipts.
const HOOK_BYTES: usize = 24;
/// How long the secret before signs too, after a change, in milliseconds: a day.
const ROTATION_MS: i64 = 86_400_000;
/// An account that is to be made.
#[derive(Debug, Clone)]
pub struct New {
    /// What the merchant calls it.
    pub name: String,
    /// Whose protocol it speaks.
    pub provider: Provider,
    /// Its address.
    pub url: Option<String>,
    /// What signs: of robots only.
    pub secret: Option<String>,
    /// Its own limit, messages and seconds; `None`: the provider's.
    pub limit: Option<(i64, i64)>,
    /// The settings that were given; those of its provider are its own, and no others are taken.
    pub settings: Vec<Settings>,
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
    /// The settings that were given, each whole but for its secrets, which stay when they are absent.
    pub settings: Vec<Settings>,
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
    let allowed = &app.settings.outbound_allow;
    let own = own_settings(&mut check, new.provider, new.settings);
    let host = reached(&mut check, new.provider, new.url.as_deref(), own.as_ref(), allowed);
    let secret = secret(&mut check, new.provider, new.secret);
    let limit = new.limit.map(|limit| own_limit(&mut check, limit));
    check.finish()?;
    let made = (new.provider == Provider::Webhook).then(new_secret);
    let config = Config {
        url: new.url.unwrap_or_default(),
        secret: made.clone().or(secret),
        previous_secret: None,
        previous_until: 0,
        settings: own,
        hook_key: new.provider.has_receipts().then(|| random_key(HOOK_BYTES)),
    };
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
    let (kept, audit) = (row.clone(), app.auditor(&actor)?);
    let write = move |connection: &mut AnyConnection| {
        store::insert(connection, &kept)?;
        audit.note(connection, Act::created(&kept))
    };
    app.db.write(write).await?;
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
    let host = change.url.as_ref().map(|url| moved(&mut check, row.provider, url, &allowed));
    let new_secret = change.secret.map(|given| secret(&mut check, row.provider, given));
    let own = own_settings(&mut check, row.provider, change.settings);
    check.finish()?;
    let (status, url) = (change.status, change.url);
    let audit = app.auditor(&actor)?;
    let write = move |connection: &mut AnyConnection| {
        let mut row = store::find(connection, actor.tenant, id)?.ok_or_else(Error::not_found)?;
        let mut config = open(&vault, &row)?;
        let before = (row.clone(), config.clone());
        if let Some(url) = &url {
            config.url.clone_from(url);
        }
        if let Some(secret) = &new_secret {
            config.secret.clone_from(secret);
        }
        row.host = host.clone().unwrap_or(row.host);
        if let Some(own) = own.clone() {
            // Against what is stored now: a password that is not given again may have changed meanwhile.
            let mut check = Checker::default();
            row.host = change_settings(&mut check, &mut config, own, &allowed);
            check.finish()?;
        }
        row.sealed_config = seal(&vault, &config)?;
        row.name = name.clone().unwrap_or(row.name);
        row.status = status.unwrap_or(row.status);
        if let Some(limit) = limit {
            (row.limit_count, row.limit_seconds) = limit.unwrap_or_else(|| row.provider.limit());
        }
        row.updated_at = now;
        (row.fail_streak, row.paused_until, row.pause_reason) = (0, 0, None);
        store::update(connection, &row)?;
        audit.note(connection, changed(&before, (&row, &config)))?;
        Ok(row)
    };
    app.db.write(write).await
}

/// Gives a webhook a new secret, which is never shown again; the one before signs beside it for a day. Errors:
/// `forbidden`, `not_found`, `validation_failed` for the others, whose secrets come from their providers.
pub async fn rotate(app: &App, actor: Actor, id: ChannelAccountId) -> Result<(AccountRow, String)> {
    require(&actor, Operation::ManageMessageCentre)?;
    let (vault, now, made) = (app.auth.vault().clone(), app.clock.now().0, new_secret());
    let (secret, audit) = (made.clone(), app.auditor(&actor)?);
    let write = move |connection: &mut AnyConnection| {
        let mut row = store::find(connection, actor.tenant, id)?.ok_or_else(Error::not_found)?;
        if row.provider != Provider::Webhook {
            let detail = "only webhooks sign with a secret that is made here";
            return Err(Error::new(Code::ValidationFailed, detail));
        }
        let mut config = open(&vault, &row)?;
        config.previous_secret = config.secret.replace(secret.clone());
        config.previous_until = now + ROTATION_MS;
        row.sealed_config = seal(&vault, &config)?;
        row.updated_at = now;
        store::update(connection, &row)?;
        audit.note(connection, Act::done(AuditAction::RotateSecret, &row))?;
        Ok(row)
    };
    app.db.write(write).await.map(|row| (row, made))
}

/// Deletes an account; what waits for it fails. Errors: `forbidden`, `not_found`, `in_use`.
pub async fn delete(app: &App, actor: Actor, id: ChannelAccountId) -> Result<()> {
    require(&actor, Operation::ManageMessageCentre)?;
    let now = app.clock.now().0;
    let audit = app.auditor(&actor)?;
    let write = move |connection: &mut AnyConnection| {
        let row = store::find(connection, actor.tenant, id)?.ok_or_else(Error::not_found)?;
        store::delete(connection, actor.tenant, id, now)?;
        audit.note(connection, Act::deleted(&row))
    };
    app.db.write(write).await
}

/// What the audit log tells of a change: of the address, secrets and settings only that they were replaced, since addresses
/// of robots hold secrets too.
fn changed(before: &(AccountRow, Config), (row, config): (&AccountRow, &Config)) -> Option<Act> {
    let act = Act::updated(&before.0, row);
    if before.1 == *config {
        return act;
    }
    let mut act = act.unwrap_or_else(|| Act::done(AuditAction::Update, row));
    act.before.insert("settings".to_owned(), "as they were".into());
    act.after.insert("settings".to_owned(), "replaced".into());
    Some(act)
}

/// Where an account's provider brings receipts, for who may change the account: whoever knows it may report what it likes.
pub fn receipt_path(app: &App, actor: &Actor, row: &AccountRow) -> Result<Option<String>> {
    if !row.provider.has_receipts() || require(actor, Operation::ManageMessageCentre).is_err() {
        return Ok(None);
    }
    Ok(hook(row.id, &open(app.auth.vault(), row)?))
}

/// The path at which the provider of an account brings receipts, if it brings any.
pub fn hook(id: ChannelAccountId, config: &Config) -> Option<String> {
    config.hook_key.as_ref().map(|key| format!("/api/v1/hooks/{id}-{key}"))
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
