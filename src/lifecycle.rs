//! The lifecycle of conversations that are served: has customers and agents reminded, and what was left closed.
//!
//! Owns that tenants with timers are looked at and [`RunTimers`] is submitted. Does not own when
//! ([`crate::kernel::looks`]), what is due (`domain::timers`), what is read for it (`journal::overdue`), nor that it is
//! done (the journal). Every process runs one: what it finds is only a proposal.
//!
//! Invariants: those of [`crate::kernel::looks`]; a look reads at most so many conversations.

use diesel::dsl::exists;
use diesel::prelude::*;

use crate::db::schema::{conversation, member, tenant};
use crate::db::types::Json;
use crate::db::{AnyConnection, Db};
use crate::domain::actor::Principal;
use crate::domain::conversation::ConversationStatus;
use crate::domain::member::Role;
use crate::domain::tenant::{TenantSettings, TenantStatus};
use crate::domain::timers::TimerSettings;
use crate::journal::commands::RunTimers;
use crate::journal::wants::PIECE;
use crate::journal::{Command, Journal, overdue};
use crate::kernel::looks::{Looks, Times};
use crate::kernel::{ConversationId, Result, TenantId};

/// Tenants that are read together.
const TENANTS: usize = 500;
/// Conversations that are read together.
const PAGE: usize = 500;

/// What a tenant asks for.
#[derive(Debug, Clone, Copy)]
pub struct Asked {
    timers: TimerSettings,
    silence_seconds: i64,
    /// It has bots, which may leave customers waiting.
    has_bots: bool,
}

/// What the task works with.
#[derive(Clone)]
pub struct Lifecycle {
    /// The store.
    pub db: Db,
    /// Through which it is done.
    pub journal: Journal,
}

impl Looks for Lifecycle {
    const TARGET: &'static str = "deskwire::lifecycle";
    const PAGES: usize = 4;
    type Asked = Asked;
    type Place = ConversationId;

    async fn tenants(&self) -> Result<Vec<(TenantId, Asked)>> {
        timed(&self.db).await
    }

    fn shortest(asked: &Asked) -> i64 {
        let silence = asked.has_bots.then_some(asked.silence_seconds);
        asked.timers.shortest().into_iter().chain(silence).min().unwrap_or(0)
    }

    async fn page(
        &self,
        tenant: TenantId,
        asked: &Asked,
        after: Option<ConversationId>,
        times: Times,
    ) -> Result<Option<ConversationId>> {
        let (asked, after) = (*asked, after.unwrap_or(ConversationId(0)));
        let find = move |connection: &mut AnyConnection| {
            overdue::find(connection, tenant, (&asked.timers, asked.silence_seconds), after, PAGE, times)
        };
        let found = self.db.read(find).await?;
        let due: Vec<ConversationId> = found.conversations.into_iter().collect();
        for piece in due.chunks(PIECE) {
            let conversations = piece.iter().copied().collect();
            let command = Command::new(Principal::System(tenant), RunTimers { conversations });
            self.journal.submit(command).await?;
        }
        Ok(found.after)
    }
}

/// The tenants with timers where somebody is served, and those with bots.
async fn timed(db: &Db) -> Result<Vec<(TenantId, Asked)>> {
    let (mut all, mut after) = (Vec::new(), Some(TenantId(0)));
    while let Some(from) = after {
        let rows = db.read(move |connection| page_of_tenants(connection, from)).await?;
        after = rows.last().map(|(id, ..)| *id).filter(|_| rows.len() == TENANTS);
        let timed = rows.into_iter().map(|(id, settings, has_bots)| {
            let silence_seconds = settings.0.bot.silence_seconds;
            (id, Asked { timers: settings.0.timers, silence_seconds, has_bots })
        });
        all.extend(timed.filter(|(_, asked)| asked.has_bots || !asked.timers.are_off()));
    }
    Ok(all)
}

fn page_of_tenants(
    connection: &mut AnyConnection,
    after: TenantId,
) -> Result<Vec<(TenantId, Json<TenantSettings>, bool)>> {
    let served = conversation::table
        .filter(conversation::tenant_id.eq(tenant::id))
        .filter(conversation::status.eq(ConversationStatus::Pending));
    let bots = member::table.filter(member::tenant_id.eq(tenant::id)).filter(member::role.eq(Role::Bot));
    let answered = || exists(bots);
    // Settings without timers do not name them, so most tenants are not even read.
    let timed = tenant::settings.like("%\"timers\":%").and(exists(served));
    Ok(tenant::table
        .filter(tenant::id.gt(after))
        .filter(tenant::status.eq(TenantStatus::Active))
        .filter(timed.or(answered()))
        .order(tenant::id.asc())
        .limit(i64::try_from(TENANTS).unwrap_or(i64::MAX))
        .select((tenant::id, tenant::settings, answered()))
        .load(connection)?)
}
