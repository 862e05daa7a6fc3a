//! Access tokens: what an official account of WeChat shows with each call, one for all processes.
//!
//! Owns the table `channel_token`: when a token is got, by whom, and for how long it is used. Does not own how WeChat is
//! asked (`channels::wechat`), nor what follows for sends (`dispatch`).
//!
//! Invariants: whoever gets a token holds the lease of its account, and what it got is stored only while nobody else got
//! another (`generation` is the fence), so that a token is asked for once, however many need it; a token that a call found
//! stale is replaced once, because it is compared with the one that the call used; no token is got inside a transaction;
//! a token stands in no error, log or attempt.

mod store;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::future::{BoxFuture, FutureExt, Shared};
use tokio::time::{sleep, timeout};

use super::channels::transport::Transport;
use super::channels::{Answer, Reply, Request, wechat};
use crate::db::{AnyConnection, Db};
use crate::domain::centre::account::{AccountRow, Config, Settings};
use crate::domain::centre::send::Outcome;
use crate::kernel::secret::{Secret, Vault, random_key, token_hash};
use crate::kernel::{ChannelAccountId, Clock, Error, Result, TenantId};
use store::{Next, TokenRow};

/// How long a call for a token may take.
const CALL: Duration = Duration::from_secs(5);
/// How long getting a token may take in all, with waiting for others.
const LIMIT: Duration = Duration::from_secs(10);
/// How long a lease holds, the database's milliseconds: longer than a call and its writing.
const LEASE_MS: i64 = 15_000;
/// How long nobody asks after a call that failed, the database's milliseconds.
const HOLD_MS: i64 = 1_000;
/// How often whoever waits for another's call looks.
const LOOK: Duration = Duration::from_millis(100);
/// How many seconds before its end a token is renewed. WeChat has another one from five minutes before, and both hold.
const MARGIN_SECONDS: i64 = 240;
/// Most seconds for which a token is believed to hold; WeChat's hold 7 200.
const SECONDS_MAX: i64 = 86_400;

/// What access tokens are got with.
#[derive(Clone)]
pub struct Tokens {
    db: Db,
    clock: Clock,
    vault: Vault,
    transport: Transport,
}

/// Whose token is wanted, and how it is asked for.
#[derive(Clone)]
pub struct Wanted {
    account: ChannelAccountId,
    tenant: TenantId,
    secret: String,
    /// A token that was got with other settings is none.
    made_for: String,
    request: Request,
}

/// A token that holds.
#[derive(Clone)]
pub struct Token {
    text: Secret,
    generation: i64,
}

/// Why there is no token.
#[derive(Clone)]
pub struct NoToken {
    answer: Answer,
    /// Whether somebody was told already: what one call says counts once against the account.
    is_told: Arc<AtomicBool>,
}

impl NoToken {
    /// Told by the provider just now.
    fn news(answer: Answer) -> Self {
        Self { answer, is_told: Arc::default() }
    }

    /// Known from another, or not asked for.
    fn known(outcome: Outcome, detail: &str) -> Self {
        Self { answer: Answer::without_reply(outcome, detail), is_told: Arc::new(true.into()) }
    }

    fn store(error: &Error) -> Self {
        log::debug!(target: "deskwire::centre", "an access token could not be looked up: {error}");
        Self::known(Outcome::Abandoned, "the access token could not be looked up")
    }

    fn told(self) -> (Answer, bool) {
        let is_news = !self.is_told.swap(true, Ordering::Relaxed);
        (self.answer, is_news)
    }
}

/// The token for all requests that are made together.
pub type First = Shared<BoxFuture<'static, std::result::Result<Token, NoToken>>>;

impl Tokens {
    /// With the handles of this server.
    pub fn new(db: Db, clock: Clock, vault: Vault, transport: Transport) -> Self {
        Self { db, clock, vault, transport }
    }

    /// What this account asks for. Fails when it is no account with tokens.
    pub fn wanted(account: &AccountRow, config: &Config) -> Result<Wanted> {
        let Some(Settings::Wechat(settings)) = &config.settings else {
            return Err(Error::internal("the account has no access tokens"));
        };
        let request = wechat::token_request(&config.url, settings)
            .map_err(|_| Error::internal("the address of the account is no URL"))?;
        let secret = settings.app_secret.clone().unwrap_or_default();
        let made_for = token_hash(&format!("{}\n{}\n{secret}", config.url, settings.app_id));
        Ok(Wanted { account: account.id, tenant: account.tenant_id, secret, made_for, request })
    }

    /// The token with which some requests begin: it is looked up once for all of them.
    pub fn first(&self, wanted: &Wanted) -> First {
        let (tokens, wanted) = (self.clone(), wanted.clone());
        async move { tokens.get(&wanted, None).await }.boxed().shared()
    }

    /// Carries a request with a token, and once more with another one when the first was none any more. Gives what came of
    /// it, and whether that says something of the account. `is_repeat`: an attempt before may have arrived.
    pub async fn carry(
        &self,
        wanted: &Wanted,
        first: First,
        request: &Request,
        is_repeat: bool,
    ) -> (Answer, bool) {
        let judge = |reply: &Reply| (wechat::judge(reply, is_repeat, self.clock.now()), None::<()>);
        let (answer, is_news, _) = self.ask(wanted, first, request, judge).await;
        (answer, is_news)
    }

    /// As [`Tokens::carry`], for what is no message: `judge` says what a reply means, and what was asked for when it is there.
    pub async fn ask<T>(
        &self,
        wanted: &Wanted,
        first: First,
        request: &Request,
        judge: impl Fn(&Reply) -> (Answer, Option<T>),
    ) -> (Answer, bool, Option<T>) {
        let none = |none: NoToken| {
            let (answer, is_news) = none.told();
            (answer, is_news, None)
        };
        let mut token = match first.await {
            Ok(token) => token,
            Err(cause) => return none(cause),
        };
        let mut is_last = false;
        loop {
            let with_token = wechat::with_token(request, token.text.expose());
            let (answer, given) = match self.transport.carry(with_token).await {
                Ok(reply) => judge(&reply),
                Err(answer) => (answer, None),
            };
            if is_last || !wechat::is_stale(&answer) {
                let message = answer.message.map(|text| text.replace(token.text.expose(), "…"));
                return (Answer { message, ..answer }, true, given);
            }
            token = match self.get(wanted, Some(token.generation)).await {
                Ok(token) => token,
                Err(cause) => return none(cause),
            };
            is_last = true;
        }
    }

    /// A token that holds; not this one, which was found stale.
    async fn get(&self, wanted: &Wanted, stale: Option<i64>) -> std::result::Result<Token, NoToken> {
        let late = || NoToken::known(Outcome::NoToken, "no access token in time");
        timeout(LIMIT, self.look(wanted, stale)).await.unwrap_or_else(|_| Err(late()))
    }

    async fn look(&self, wanted: &Wanted, stale: Option<i64>) -> std::result::Result<Token, NoToken> {
        let account = wanted.account;
        loop {
            let now = self.clock.now().0;
            let read = move |connection: &mut AnyConnection| store::find(connection, account);
            let (row, database_now) = self.db.read(read).await.map_err(|error| NoToken::store(&error))?;
            let holds = |row: &TokenRow| {
                row.generation > 0
                    && row.made_for == wanted.made_for
                    && stale != Some(row.generation)
                    && row.expires_at > now
            };
            match Next::of(row.as_ref(), holds, now, database_now) {
                Next::Use => return self.token(row),
                Next::Refused => {
                    return Err(NoToken::known(Outcome::NoToken, "there was no access token just now"));
                }
                Next::Wait => sleep(LOOK).await,
                Next::Ask => {
                    let generation = row.as_ref().map_or(0, |row| row.generation);
                    if let Some(token) = self.renew(wanted, generation).await? {
                        return Ok(token);
                    }
                }
            }
        }
    }

    fn token(&self, row: Option<TokenRow>) -> std::result::Result<Token, NoToken> {
        let row = row.ok_or_else(|| NoToken::known(Outcome::NoToken, "there is no access token"))?;
        let text = self.vault.open(&row.sealed_token).map_err(|error| NoToken::store(&error))?;
        Ok(Token { text, generation: row.generation })
    }

    /// Asks for the token after this generation, if nobody else does; `None`: somebody else does, or did.
    async fn renew(&self, wanted: &Wanted, generation: i64) -> std::result::Result<Option<Token>, NoToken> {
        let owner = random_key(16);
        let (account, tenant, mine) = (wanted.account, wanted.tenant, owner.clone());
        let lease = move |connection: &mut AnyConnection| {
            store::lease(connection, (tenant, account), generation, &mine, LEASE_MS)
        };
        if !self.db.write(lease).await.map_err(|error| NoToken::store(&error))? {
            return Ok(None);
        }
        let carried = timeout(CALL, self.transport.carry(wanted.request.clone())).await;
        let got = match carried {
            Ok(Ok(reply)) => wechat::token(&reply, &wanted.secret),
            Ok(Err(answer)) if answer.outcome == Outcome::Configuration => Err(answer),
            // Whatever became of a call without an answer: no message went out.
            Ok(Err(answer)) => Err(Answer { outcome: Outcome::NoToken, ..answer }),
            Err(_) => {
                Err(Answer::without_reply(Outcome::NoToken, "no answer to the call for an access token"))
            }
        };
        let (text, seconds) = match got {
            Ok(got) => got,
            Err(answer) => {
                let write = move |connection: &mut AnyConnection| {
                    store::refuse(connection, account, generation, &owner, HOLD_MS)
                };
                // A lease that is not given back ends by itself.
                let _ = self.db.write(write).await;
                return Err(NoToken::news(answer));
            }
        };
        let (text, now) = (Secret::new(text), self.clock.now().0);
        let seconds = seconds.clamp(1, SECONDS_MAX);
        let renew = (seconds - MARGIN_SECONDS).max(seconds / 2);
        let row = TokenRow {
            account_id: account,
            tenant_id: tenant,
            sealed_token: self.vault.seal(&text).map_err(|error| NoToken::store(&error))?,
            made_for: wanted.made_for.clone(),
            generation: generation + 1,
            renew_at: now + renew * 1_000,
            expires_at: now + seconds * 1_000,
            lease_owner: None,
            lease_until: 0,
        };
        let keep = move |connection: &mut AnyConnection| store::keep(connection, &row, &owner);
        let is_kept = self.db.write(keep).await.map_err(|error| NoToken::store(&error))?;
        Ok(is_kept.then_some(Token { text, generation: generation + 1 }))
    }
}
