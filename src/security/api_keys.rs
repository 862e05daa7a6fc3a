//! Which API keys are good: what the store says of a key, kept for a second, and when each was last used.
//!
//! The limit of staleness: a key that is revoked or changed is refused at once by the process that did it and within a
//! second by every other one; so is the key of a service account that was disabled, deleted or given another role. The end
//! of a key, by time, needs no look. Invariants: no text of a key is kept; a key that the store cannot be asked about is
//! refused as `storage_unavailable` or `busy`, never let in.

use std::collections::HashMap;
use std::net::IpAddr;
use std::num::NonZeroUsize;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use diesel::prelude::*;
use lru::LruCache;
use tokio_util::sync::CancellationToken;

use super::{Auth, DenyReason, Verified};
use crate::db::schema::{api_key, member};
use crate::db::{AnyConnection, Db};
use crate::domain::actor::{Actor, Origin};
use crate::domain::api_key::{self as keys, ApiKeyRow};
use crate::domain::member::{MemberStatus, Role};
use crate::domain::operation::OperationSet;
use crate::kernel::network::Network;
use crate::kernel::secret::{same, token_hash};
use crate::kernel::{ApiKeyId, Code, Error, MemberId, Millis, Result, SessionId, TenantId};

/// How long what the store said of a key counts.
const FRESH: Duration = Duration::from_secs(1);
/// Most keys that are kept in mind.
const KEPT: NonZeroUsize = NonZeroUsize::MIN.saturating_add(9_999);
/// How often the times of last use are stored.
const USES_STORED_EVERY: Duration = Duration::from_secs(10);
/// For how long an answer to an API key counts as verified, in milliseconds; each request is verified anew.
const VERIFIED_MS: i64 = 60_000;

/// What is known of the keys that were used lately.
#[derive(Default)]
pub struct ApiKeys {
    state: Mutex<State>,
}

struct State {
    known: LruCache<String, Known>,
    /// Moves with every key that is forgotten, so that a look that began before it is not kept.
    forgotten: u64,
    uses: HashMap<ApiKeyId, Use>,
}

impl Default for State {
    fn default() -> Self {
        Self { known: LruCache::new(KEPT), forgotten: 0, uses: HashMap::new() }
    }
}

#[derive(Clone)]
struct Known {
    facts: Facts,
    read_at: Instant,
}

/// When and from where a key was used.
#[derive(Debug, Clone, Copy)]
struct Use {
    tenant: TenantId,
    at: Millis,
    address: IpAddr,
}

/// What the store says of a key.
#[derive(Debug, Clone)]
struct Facts {
    id: ApiKeyId,
    tenant: TenantId,
    member: MemberId,
    role: Role,
    hash: String,
    operations: OperationSet,
    networks: Vec<Network>,
    expires_at: Option<i64>,
    revoked: bool,
    /// The account is an enabled service account of the staff.
    usable: bool,
    account_ends: Option<i64>,
}

impl ApiKeys {
    fn with<T>(&self, work: impl FnOnce(&mut State) -> T) -> T {
        // Nothing here can be left half done by a panic.
        work(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Has the store asked again about a key, by its prefix: it was changed or revoked.
    pub fn forget(&self, prefix: &str) {
        self.with(|state| {
            state.forgotten += 1;
            state.known.pop(prefix);
        });
    }

    /// What the store says of the key with this prefix, or said a moment ago.
    async fn facts(&self, db: &Db, prefix: &str) -> Result<Option<Facts>> {
        let (known, forgotten) = self.with(|state| (state.known.get(prefix).cloned(), state.forgotten));
        if let Some(known) = known.filter(|known| known.read_at.elapsed() < FRESH) {
            return Ok(Some(known.facts));
        }
        let (asked, read_at) = (prefix.to_owned(), Instant::now());
        let Some(facts) = db.read(move |connection| read(connection, &asked)).await? else { return Ok(None) };
        self.with(|state| {
            if state.forgotten == forgotten {
                state.known.put(prefix.to_owned(), Known { facts: facts.clone(), read_at });
            }
        });
        Ok(Some(facts))
    }
}

/// The key with this prefix. The key is all that the caller has, so this query takes no tenant: it is where the tenant is
/// learned.
fn read(connection: &mut AnyConnection, prefix: &str) -> Result<Option<Facts>> {
    type Account = (Role, MemberStatus, Option<i64>, Option<i64>, bool);
    let found: Option<(ApiKeyRow, Account)> = api_key::table
        .inner_join(
            member::table.on(member::id.eq(api_key::member_id).and(member::tenant_id.eq(api_key::tenant_id))),
        )
        .filter(api_key::prefix.eq(prefix))
        .select((
            ApiKeyRow::as_select(),
            (member::role, member::status, member::deleted_at, member::expires_at, member::service_account),
        ))
        .first(connection)
        .optional()?;
    Ok(found.map(|(row, (role, status, deleted_at, account_ends, service_account))| Facts {
        id: row.id,
        tenant: row.tenant_id,
        member: row.member_id,
        role,
        hash: row.secret_hash,
        operations: row.operations.0.into_iter().filter(|one| keys::is_grantable(*one)).collect(),
        networks: row.networks.0.iter().filter_map(|text| keys::network(text)).collect(),
        expires_at: row.expires_at,
        revoked: row.revoked_at.is_some(),
        usable: service_account && role.is_staff() && status == MemberStatus::Enabled && deleted_at.is_none(),
        account_ends,
    }))
}

impl Auth {
    /// Verifies an API key that came from this address. Errors: `api_key_invalid`, `api_key_expired`, `account_disabled`,
    /// `tenant_suspended`, `address_not_allowed`, and those of the store.
    pub async fn verify_api_key(&self, db: &Db, text: &str, address: IpAddr) -> Result<Verified> {
        let refused = |code: Code| Error::new(code, code.meaning());
        let prefix = keys::prefix(text).ok_or_else(|| refused(Code::ApiKeyInvalid))?;
        let facts = self.api_keys().facts(db, prefix).await?;
        let hash = token_hash(text);
        let facts = facts
            .filter(|facts| same(facts.hash.as_bytes(), hash.as_bytes()) && !facts.revoked)
            .ok_or_else(|| refused(Code::ApiKeyInvalid))?;
        let actor = self.actor_of(&facts, address)?;
        let now = self.now();
        let used = Use { tenant: facts.tenant, at: now, address };
        self.api_keys().with(|state| state.uses.insert(facts.id, used));
        Ok(Verified { actor, issued_at: now, expires_at: now.plus(VERIFIED_MS) })
    }

    /// Whether the API key with this prefix is still good for what it was verified as; then when it ends, if it does. Errors: those
    /// of [`Auth::verify_api_key`]; `token_expired` when the account has another role or the key allows something else by now.
    pub async fn still_allows(&self, db: &Db, prefix: &str, actor: &Actor) -> Result<Option<Millis>> {
        let refused = |code: Code| Error::new(code, code.meaning());
        let facts = self.api_keys().facts(db, prefix).await?;
        let facts = facts
            .filter(|facts| facts.id.0 == actor.session.0 && !facts.revoked)
            .ok_or_else(|| refused(Code::ApiKeyInvalid))?;
        let address = actor.origin.address.ok_or_else(|| refused(Code::AddressNotAllowed))?;
        let now = self.actor_of(&facts, address)?;
        if (now.role, now.operations) != (actor.role, actor.operations) {
            let detail = "what the API key allows was changed: say hello again";
            return Err(Error::new(Code::TokenExpired, detail));
        }
        let ends = [facts.expires_at, facts.account_ends].into_iter().flatten().min();
        Ok(ends.map(Millis))
    }

    /// On whose behalf a key acts that came from this address.
    fn actor_of(&self, facts: &Facts, address: IpAddr) -> Result<Actor> {
        let refused = |code: Code| Error::new(code, code.meaning());
        let now = self.now();
        let over = |end: Option<i64>| end.is_some_and(|end| end <= now.0);
        if over(facts.expires_at) {
            return Err(refused(Code::ApiKeyExpired));
        }
        if !facts.usable || over(facts.account_ends) {
            return Err(refused(Code::AccountDisabled));
        }
        let actor = Actor {
            tenant: facts.tenant,
            member: facts.member,
            role: facts.role,
            session: SessionId(facts.id.0),
            origin: Origin { address: Some(address), ..Origin::default() },
            operations: facts.operations,
        };
        // The role is the store's, of a second ago at most: no token has to be refreshed for it.
        let barred = self.barred(&actor).filter(|barred| *barred != DenyReason::RoleChanged);
        if let Some(barred) = barred {
            return Err(barred.into());
        }
        if !keys::allows(&facts.networks, address) {
            return Err(refused(Code::AddressNotAllowed));
        }
        Ok(actor)
    }
}

/// Stores when each key was last used, until the server stops. One task for each process; what was not stored when the
/// process ends is lost.
pub async fn keep_uses(auth: Auth, db: Db, shutdown: CancellationToken) {
    loop {
        tokio::select! {
            () = shutdown.cancelled() => return,
            () = tokio::time::sleep(USES_STORED_EVERY) => {}
        }
        let uses = auth.api_keys().with(|state| std::mem::take(&mut state.uses));
        if uses.is_empty() {
            continue;
        }
        if let Err(error) = db.write(move |connection| store_uses(connection, &uses)).await {
            log::warn!(target: "deskwire::auth", "when API keys were last used could not be stored: {error}");
        }
    }
}

fn store_uses(connection: &mut AnyConnection, uses: &HashMap<ApiKeyId, Use>) -> Result<()> {
    for (id, used) in uses {
        let key = api_key::table.filter(api_key::id.eq(id)).filter(api_key::tenant_id.eq(used.tenant));
        // Another process may have stored a later use.
        diesel::update(key.filter(api_key::last_used_at.is_null().or(api_key::last_used_at.lt(used.at.0))))
            .set((
                api_key::last_used_at.eq(used.at.0),
                api_key::last_used_ip.eq(used.address.to_canonical().to_string()),
            ))
            .execute(connection)?;
    }
    Ok(())
}
