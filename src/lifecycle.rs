//! The lifecycle of conversations that are served: has customers and agents reminded, and what was left closed.
//!
//! Owns that tenants with timers are looked at and [`RunTimers`] is submitted. Does not own when
//! ([`crate::kernel::looks`]), what is due (`domain::timers`), what is read for it (`journal::overdue`), nor that it is
//! done (the journal). Every process runs one: what it finds is only a proposal.
//!
//! Invariants: those of [`crate::kernel::looks`]; a look reads at most so many conversations.

use diesel::dsl::exists;
use diesel::prelude::*;

use crate::db::schema::{conversation, tenant};
use crate::db::types::Json;
use crate::db::{AnyConnection, Db};
use crate::domain::actor::Principal;
use crate::domain::conversation::ConversationStatus;
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
    type Asked = TimerSettings;
    type Place = ConversationId;

    async fn tenants(&self) -> Result<Vec<(TenantId, TimerSettings)>> {
        timed(&self.db).await
    }

    fn shortest(asked: &TimerSettings) -> i64 {
        asked.shortest().unwrap_or(0)
    }

    async fn page(
        &self,
        tenant: TenantId,
        asked: &TimerSettings,
        after: Option<ConversationId>,
        times: Times,
    ) -> Result<Option<ConversationId>> {
        let (settings, after) = (*asked, after.unwrap_or(ConversationId(0)));
        let find = move |connection: &mut AnyConnection| {
            overdue::find(connection, tenant, &settings, after, PAGE, times)
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

/// The tenants with timers where somebody is served.
async fn timed(db: &Db) -> Result<Vec<(TenantId, TimerSettings)>> {
    let (mut all, mut after) = (Vec::new(), Some(TenantId(0)));
    while let Some(from) = after {
        let rows = db.read(move |connection| page_of_tenants(connection, from)).await?;
        after = rows.last().map(|(id, _)| *id).filter(|_| rows.len() == TENANTS);
        let timed = rows.into_iter().map(|(id, settings)| (id, settings.0.timers));
        all.extend(timed.filter(|(_, timers)| !timers.are_off()));
    }
    Ok(all)
}

fn page_of_tenants(
    connection: &mut AnyConnection,
    after: TenantId,
) -> Result<Vec<(TenantId, Json<TenantSettings>)>> {
    let served = conversation::table
        .filter(conversation::tenant_id.eq(tenant::id))
        .filter(conversation::status.eq(ConversationStatus::Pending));
    Ok(tenant::table
        .filter(tenant::id.gt(after))
        .filter(tenant::status.eq(TenantStatus::Active))
        // Settings without timers do not name them, so most tenants are not even read.
        .filter(tenant::settings.like("%\"timers\":%"))
        .filter(exists(served))
        .order(tenant::id.asc())
        .limit(i64::try_from(TENANTS).unwrap_or(i64::MAX))
        .select((tenant::id, tenant::settings))
        .load(connection)?)
}
