//! What admits a caller: access tokens, API keys, refresh tokens, passwords, the locks against guessing, revocations, secrets.
//!
//! Owns their rules and what they keep in memory. Does not own the routes of sign-in (`auth`) or accounts (`members`),
//! nor the writing of revocations: they take a rev, so they go through the journal like everything that live sockets
//! must learn.
//!
//! Invariants: an access token is verified in memory, without the store; refresh tokens are kept as hashes only; a
//! revocation holds in every process within about a second, because each one follows the store ([`revocation`]).

pub mod api_keys;
pub mod attempts;
pub mod bans;
mod common_passwords;
pub mod file_links;
pub mod foreign_password;
pub mod hs256;
pub mod marks;
pub mod password;
pub mod rating_links;
pub mod refresh;
pub mod revocation;
pub mod secrets;
pub mod tokens;

use std::collections::HashMap;
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

pub use revocation::DenyReason;
pub use tokens::Verified;

use crate::db::{Db, Target};
use crate::domain::actor::{Actor, Origin};
use crate::journal::bans::BanList;
use crate::journal::feed::AccessNotice;
use crate::kernel::secret::{Secret, Vault};
use crate::kernel::{Clock, Code, Error, MemberId, Millis, Result, TenantId};
use crate::settings::Settings;
use api_keys::ApiKeys;
use attempts::Attempts;
use file_links::FileLinkIssuer;
use password::Passwords;
use rating_links::RatingLinkIssuer;
use refresh::RefreshTokenIssuer;
use revocation::Revocations;
use tokens::Keys;

/// Verifies tokens and keeps what that needs in memory. Cloning shares it.
#[derive(Clone)]
pub struct Auth {
    inner: Arc<Inner>,
}

struct Inner {
    clock: Clock,
    keys: Keys,
    vault: Vault,
    refresh_tokens: RefreshTokenIssuer,
    rating_links: RatingLinkIssuer,
    file_links: FileLinkIssuer,
    passwords: Passwords,
    attempts: Attempts,
    revocations: Revocations,
    bans: BanList,
    api_keys: ApiKeys,
}

impl fmt::Debug for Auth {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Auth(…)")
    }
}

impl Auth {
    /// Loads or makes the secrets. Fails by the setting's name when one is missing or wrong.
    pub fn open(settings: &Settings, target: &Target, clock: &Clock) -> Result<Self> {
        let secrets = secrets::load(settings, target)?;
        let lifetime = settings.access_token_seconds;
        Ok(Self {
            inner: Arc::new(Inner {
                clock: clock.clone(),
                keys: Keys::new(&secrets.jwt_keys, lifetime),
                vault: Vault::new(&secrets.master_key),
                refresh_tokens: RefreshTokenIssuer::new(&secrets.master_key),
                rating_links: RatingLinkIssuer::new(&secrets.master_key),
                file_links: FileLinkIssuer::new(&secrets.master_key),
                passwords: Passwords::new(settings.bcrypt_cost),
                attempts: Attempts::default(),
                revocations: Revocations::new(lifetime * 1_000),
                bans: BanList::default(),
                api_keys: ApiKeys::default(),
            }),
        })
    }

    /// Makes an access token. It never outlives `account_ends`, the end of the member's account.
    pub fn sign(&self, actor: &Actor, account_ends: Option<Millis>) -> Result<(Secret, Millis)> {
        self.inner.keys.sign(actor, self.inner.clock.now(), account_ends)
    }

    /// Verifies an access token that came from this address: signature, expiry, and whether its session, member and
    /// tenant still have access and the customer is not banned. In memory. Errors: `token_invalid`, `token_expired`,
    /// `session_revoked`, `account_disabled`, `tenant_suspended`, `banned`.
    pub fn verify(&self, access_token: &str, address: Option<IpAddr>) -> Result<Verified> {
        if crate::domain::api_key::is_meant(access_token) {
            let detail = "this is an API key and no access token";
            return Err(Error::new(Code::TokenInvalid, detail));
        }
        let mut verified = self.inner.keys.verify(access_token, self.inner.clock.now())?;
        verified.actor.origin.address = address;
        match self.barred(&verified.actor) {
            Some(barred) => Err(barred.into()),
            None => Ok(verified),
        }
    }

    /// Why somebody who had access no longer has it; `None` when it may. In memory.
    pub fn barred(&self, actor: &Actor) -> Option<DenyReason> {
        let now = self.inner.clock.now();
        self.inner.revocations.barred(actor, now).or_else(|| {
            let member = Some(actor.member).filter(|_| !actor.role.is_staff());
            let banned = member.is_some() && self.inner.bans.bars(actor.tenant, member, &actor.origin, now.0);
            banned.then_some(DenyReason::Banned)
        })
    }

    /// Fails with `banned` for a customer who is; without a member, for somebody new from there. In memory.
    pub fn admit(&self, tenant: TenantId, member: Option<MemberId>, origin: &Origin) -> Result<()> {
        match self.inner.bans.bars(tenant, member, origin, self.inner.clock.now().0) {
            true => Err(DenyReason::Banned.into()),
            false => Ok(()),
        }
    }

    /// What is known of API keys.
    pub fn api_keys(&self) -> &ApiKeys {
        &self.inner.api_keys
    }

    /// The time by which tokens and keys end.
    pub fn now(&self) -> Millis {
        self.inner.clock.now()
    }

    /// Who is banned.
    pub fn bans(&self) -> &BanList {
        &self.inner.bans
    }

    /// Seals what is kept at rest and read again.
    pub fn vault(&self) -> &Vault {
        &self.inner.vault
    }

    /// Makes and reads refresh tokens.
    pub fn refresh_tokens(&self) -> &RefreshTokenIssuer {
        &self.inner.refresh_tokens
    }

    /// Makes and reads the tokens of links to rate.
    pub fn rating_links(&self) -> &RatingLinkIssuer {
        &self.inner.rating_links
    }

    /// Makes and reads the tokens of links to files.
    pub fn file_links(&self) -> &FileLinkIssuer {
        &self.inner.file_links
    }

    /// Hashes and checks passwords.
    pub fn passwords(&self) -> &Passwords {
        &self.inner.passwords
    }

    /// Failed sign-ins, in memory.
    pub fn attempts(&self) -> &Attempts {
        &self.inner.attempts
    }

    /// Takes in what a committed change says about who has access.
    pub fn notice(&self, tenant: TenantId, notices: &[AccessNotice]) {
        self.inner.revocations.notice(tenant, notices, self.inner.clock.now());
    }

    /// Reads from the store what was revoked since the last look, by whatever process.
    pub async fn catch_up(&self, db: &Db) -> Result<()> {
        let look = self.inner.revocations.look(self.inner.clock.now());
        let looking = look.clone();
        let found = db.read(move |connection| revocation::read(connection, &looking)).await?;
        self.inner.revocations.apply(&look, found);
        Ok(())
    }

    /// Reads from the store which bans were changed since the last look, by whatever process; gives the version of the
    /// bans of each tenant that ever had some.
    pub async fn catch_up_bans(&self, db: &Db) -> Result<HashMap<TenantId, i64>> {
        let bans = self.inner.bans.clone();
        db.read(move |connection| bans.catch_up(connection)).await
    }

    /// [`Auth::catch_up`] and [`Auth::catch_up_bans`] for threads that may block.
    pub fn catch_up_blocking(&self, db: &Db) -> Result<()> {
        let look = self.inner.revocations.look(self.inner.clock.now());
        let found = db.read_blocking(|connection| revocation::read(connection, &look))?;
        self.inner.revocations.apply(&look, found);
        db.read_blocking(|connection| self.inner.bans.catch_up(connection))?;
        Ok(())
    }
}
