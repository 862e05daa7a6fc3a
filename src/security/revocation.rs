//! Who no longer has access although its token is still valid: what was revoked within one lifetime of an access
//! token, in memory.
//!
//! Two ways feed it: the access notices of this process's own commits, at once, and the store, every second, for
//! what other processes and the command line did. A look at the store goes by the tenants' revs, which become visible
//! in their order and lean on no clock. Invariants: what is forgotten here can only concern tokens that have expired,
//! for it was known here for a token's whole life; of two states of a member the one of the higher rev counts.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use diesel::prelude::*;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::Auth;
use crate::db::schema::{auth_session, member, tenant, tenant_log};
use crate::db::{AnyConnection, Db};
use crate::domain::actor::Actor;
use crate::domain::member::{MemberStatus, Role};
use crate::domain::tenant::TenantStatus;
use crate::journal::feed::{AccessNotice, AccessState, Feed, FeedItem};
use crate::kernel::{Code, Error, MemberId, Millis, Result, SessionId, TenantId};

/// How far the first look reaches back behind a token's life, in milliseconds: further than clocks of processes differ.
const MARGIN_MS: i64 = 86_400_000;
/// Tenants in one question of a look.
const TENANTS_IN_QUESTION: usize = 100;

/// What is known to be revoked.
pub struct Revocations {
    /// Lifetime of an access token, in milliseconds.
    lifetime: i64,
    state: RwLock<State>,
}

#[derive(Default)]
struct State {
    sessions: HashMap<SessionId, Millis>,
    members: HashMap<MemberId, MemberAccess>,
    suspended: HashSet<TenantId>,
    /// Moves with every notice about a tenant, so that a look that began earlier does not undo it.
    notices: u64,
    /// Up to which rev of each tenant the store was read; `None` before the first look.
    seen: Option<Arc<HashMap<TenantId, i64>>>,
}

/// Why somebody with a valid token may not (or no longer) be here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DenyReason {
    /// The tenant is suspended.
    TenantSuspended,
    /// The account is disabled, deleted or over.
    AccountDisabled,
    /// The visitor was recognised as another member.
    IdentityChanged,
    /// The role is another one than in the token: refreshing it helps.
    RoleChanged,
    /// The session was signed out or revoked.
    SessionRevoked,
    /// The customer is banned.
    Banned,
}

impl From<DenyReason> for Error {
    fn from(barred: DenyReason) -> Self {
        match barred {
            DenyReason::TenantSuspended => Error::new(Code::TenantSuspended, Code::TenantSuspended.meaning()),
            DenyReason::AccountDisabled => Error::new(Code::AccountDisabled, Code::AccountDisabled.meaning()),
            DenyReason::IdentityChanged => {
                Error::new(Code::SessionRevoked, "the visitor was recognised as another member")
            }
            DenyReason::RoleChanged => {
                Error::new(Code::TokenExpired, "the member's role changed: refresh the token")
            }
            DenyReason::SessionRevoked => Error::new(Code::SessionRevoked, Code::SessionRevoked.meaning()),
            DenyReason::Banned => Error::new(Code::Banned, Code::Banned.meaning()),
        }
    }
}

/// How a member whose role or state changed lately stands now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct MemberAccess {
    role: Role,
    barred: bool,
    merged: bool,
    /// When the account ends.
    ends: Option<Millis>,
    rev: i64,
    /// When this process learned it, by its own clock.
    noticed_at: Millis,
}

/// One look at the store, between its beginning and its end.
#[derive(Debug, Clone)]
pub struct Look {
    seen: Option<Arc<HashMap<TenantId, i64>>>,
    /// How far the first look reaches back.
    oldest: Millis,
    began: Millis,
    notices: u64,
}

/// What a look at the store found.
#[derive(Debug, Default)]
pub struct Found {
    heads: HashMap<TenantId, i64>,
    sessions: Vec<SessionId>,
    members: Vec<(MemberId, MemberAccess)>,
    suspended: Vec<TenantId>,
}

impl Revocations {
    /// Nothing revoked; `lifetime` of an access token in milliseconds.
    pub fn new(lifetime: i64) -> Self {
        Self { lifetime, state: RwLock::default() }
    }

    /// Why the actor of a valid token may not be here now; `None` when it may.
    pub fn barred(&self, actor: &Actor, now: Millis) -> Option<DenyReason> {
        let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
        if state.suspended.contains(&actor.tenant) {
            return Some(DenyReason::TenantSuspended);
        }
        match state.members.get(&actor.member) {
            Some(access) if access.barred || access.ends.is_some_and(|end| end <= now) => {
                return Some(DenyReason::AccountDisabled);
            }
            Some(access) if access.merged => return Some(DenyReason::IdentityChanged),
            _ => {}
        }
        // A session that is over cannot be refreshed, so it is told before a role that can.
        if state.sessions.contains_key(&actor.session) {
            return Some(DenyReason::SessionRevoked);
        }
        let other_role = |access: &MemberAccess| access.role != actor.role;
        state.members.get(&actor.member).filter(|access| other_role(access)).map(|_| DenyReason::RoleChanged)
    }

    /// Takes in the notices of a commit.
    pub fn notice(&self, tenant: TenantId, notices: &[AccessNotice], now: Millis) {
        if notices.is_empty() {
            return;
        }
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        for notice in notices {
            match &notice.change {
                AccessState::SessionRevoked { session, .. } => {
                    state.sessions.insert(*session, now);
                }
                AccessState::Member { member, role, status, deleted, merged_into, expires_at } => {
                    let barred = *deleted || *status == MemberStatus::Disabled;
                    let merged = merged_into.is_some();
                    let (rev, ends) = (notice.rev, expires_at.map(Millis));
                    let access = MemberAccess { role: *role, barred, merged, ends, rev, noticed_at: now };
                    state.learn(*member, access);
                }
                // What a member sees by its groups is asked of the store, request by request.
                AccessState::Group { .. } => {}
                AccessState::Tenant { suspended } => {
                    state.notices += 1;
                    if *suspended {
                        state.suspended.insert(tenant);
                    } else {
                        state.suspended.remove(&tenant);
                    }
                }
            }
        }
    }

    /// Begins a look at the store.
    pub fn look(&self, now: Millis) -> Look {
        let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
        let oldest = now.plus(-self.lifetime - MARGIN_MS);
        Look { seen: state.seen.clone(), oldest, began: now, notices: state.notices }
    }

    /// Takes in what a look found and forgets what can only concern expired tokens.
    pub fn apply(&self, look: &Look, found: Found) {
        let oldest = look.began.plus(-self.lifetime);
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        for session in found.sessions {
            state.sessions.entry(session).or_insert(look.began);
        }
        for (member, access) in found.members {
            state.learn(member, access);
        }
        if state.notices == look.notices {
            state.suspended = found.suspended.into_iter().collect();
        }
        // Set only now, so that a look that failed is made again as a whole. Of two looks at once either will do.
        state.seen = Some(Arc::new(found.heads));
        state.sessions.retain(|_, at| *at >= oldest);
        state.members.retain(|_, access| access.noticed_at >= oldest);
    }
}

impl State {
    fn learn(&mut self, member: MemberId, access: MemberAccess) {
        let known = self.members.entry(member).or_insert(access);
        if known.rev <= access.rev {
            *known = access;
        }
    }
}

type MemberColumns = (MemberId, Role, MemberStatus, Option<i64>, Option<MemberId>, Option<i64>, i64);

/// Reads what was revoked since the last look, in every tenant: the one question that is asked across tenants, since
/// the answer guards the process as a whole and is shown to nobody.
pub fn read(connection: &mut AnyConnection, look: &Look) -> Result<Found> {
    // The heads first: what is read after them holds at least everything up to them.
    let heads: Vec<(TenantId, i64)> =
        tenant_log::table.select((tenant_log::tenant_id, tenant_log::rev)).load(connection)?;
    let mut found = Found::default();
    match &look.seen {
        None => found.read_recent(connection, look)?,
        Some(seen) => {
            let moved = heads.iter().filter_map(|(tenant, head)| {
                let before = seen.get(tenant).copied().unwrap_or(0);
                (*head > before).then_some((*tenant, before))
            });
            let moved: Vec<(TenantId, i64)> = moved.collect();
            for tenants in moved.chunks(TENANTS_IN_QUESTION) {
                found.read_since(connection, tenants, look)?;
            }
        }
    }
    found.suspended = tenant::table
        .filter(tenant::status.eq(TenantStatus::Suspended))
        .select(tenant::id)
        .load(connection)?;
    found.heads = heads.into_iter().collect();
    Ok(found)
}

impl Found {
    /// The first look: what was revoked within a token's life, with a margin for clocks.
    fn read_recent(&mut self, connection: &mut AnyConnection, look: &Look) -> Result<()> {
        self.sessions = auth_session::table
            .filter(auth_session::revoked_at.ge(look.oldest.0))
            .select(auth_session::id)
            .load(connection)?;
        // A member whose role or state was never changed has rev 0: new visitors are not read here.
        // Read after the sessions: who sees that a session ended with a change of its member sees the change too.
        let members: Vec<MemberColumns> = member::table
            .filter(member::updated_at.ge(look.oldest.0))
            .filter(member::rev.gt(0))
            .select(member_columns())
            .load(connection)?;
        self.add_members(members, look);
        Ok(())
    }

    /// What these tenants changed after these revs.
    fn read_since(
        &mut self,
        connection: &mut AnyConnection,
        tenants: &[(TenantId, i64)],
        look: &Look,
    ) -> Result<()> {
        let mut sessions = auth_session::table.select(auth_session::id).into_boxed();
        let mut members = member::table.select(member_columns()).into_boxed();
        for (tenant, rev) in tenants {
            let ended = auth_session::tenant_id.eq(tenant).and(auth_session::rev.gt(rev));
            sessions = sessions.or_filter(ended.and(auth_session::revoked_at.is_not_null()));
            members = members.or_filter(member::tenant_id.eq(tenant).and(member::rev.gt(rev)));
        }
        self.sessions.extend(sessions.load::<SessionId>(connection)?);
        let members = members.load::<MemberColumns>(connection)?;
        self.add_members(members, look);
        Ok(())
    }

    fn add_members(&mut self, rows: Vec<MemberColumns>, look: &Look) {
        self.members.extend(rows.into_iter().map(
            |(id, role, status, deleted_at, merged_into, expires_at, rev)| {
                let barred = deleted_at.is_some() || status == MemberStatus::Disabled;
                let merged = merged_into.is_some();
                let ends = expires_at.map(Millis);
                (id, MemberAccess { role, barred, merged, ends, rev, noticed_at: look.began })
            },
        ));
    }
}

type MemberSelection = (
    member::id,
    member::role,
    member::status,
    member::deleted_at,
    member::merged_into,
    member::expires_at,
    member::rev,
);

const fn member_columns() -> MemberSelection {
    (
        member::id,
        member::role,
        member::status,
        member::deleted_at,
        member::merged_into,
        member::expires_at,
        member::rev,
    )
}

/// Follows the feed and the store until the server stops. One task for each process.
pub async fn follow(auth: Auth, db: Db, feed: Feed, shutdown: CancellationToken) {
    let every = Duration::from_secs(if db.kind().is_server() { 1 } else { 2 });
    let at_least = Duration::from_millis(200);
    let mut feed = feed.subscribe(1_024);
    let mut next = Instant::now();
    loop {
        tokio::select! {
            () = shutdown.cancelled() => return,
            item = feed.recv() => match item {
                Some(FeedItem::Changes(changes)) => auth.notice(changes.tenant, &changes.access),
                // Somebody else committed: look soon, though not after each of its commits.
                Some(FeedItem::Behind) => next = next.min(Instant::now() + at_least),
                Some(FeedItem::Ephemeral(_)) => {}
                None => return,
            },
            () = tokio::time::sleep_until(next) => {
                if let Err(error) = auth.catch_up(&db).await {
                    log::warn!(target: "deskwire::auth", "revocations could not be read, trying again: {error}");
                }
                next = Instant::now() + every;
            }
        }
    }
}

#[cfg(test)]
mod tests;
