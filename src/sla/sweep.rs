//! The task that has warnings and breaches told, and gives clocks new targets after a change of policies or business hours.
//!
//! Every process runs one: what it finds is only a proposal to the journal, and new targets are given under the row of the
//! follower. Invariant: it reads how far the follower has come before it reads the clocks, so that they are no older.

use std::collections::BTreeMap;

use futures_util::{StreamExt, stream};

use super::follower::SLA_CLOCKS;
use super::{refresh, store};
use crate::db::{AnyConnection, Db};
use crate::domain::actor::Principal;
use crate::domain::notice::SlaContent;
use crate::domain::sla::clock::SlaClockRow;
use crate::journal::commands::TellSla;
use crate::journal::{Command, Journal, follower};
use crate::kernel::looks::{Looks, Times};
use crate::kernel::{Clock, ConversationId, Millis, Result, SlaPolicyId, TenantId};

/// Tenants of one round.
const TENANTS: i64 = 500;
/// Conversations that are read together.
const PAGE: usize = 200;
/// Conversations that are given new targets in one transaction.
const PIECE: i64 = 100;
/// Transactions of new targets in one look at a tenant.
const PIECES: usize = 20;
/// Commands that wait for a lane at once.
const AT_ONCE: usize = 32;

/// What the task works with.
#[derive(Clone)]
pub(super) struct Sweep {
    /// The store.
    pub(super) db: Db,
    /// Through which it is told.
    pub(super) journal: Journal,
    /// Time.
    pub(super) clock: Clock,
}

impl Looks for Sweep {
    const TARGET: &'static str = "deskwire::sla";
    const PAGES: usize = 4;
    type Asked = ();
    type Place = ConversationId;

    async fn tenants(&self) -> Result<Vec<(TenantId, ())>> {
        let now = self.clock.now().0;
        let find = move |connection: &mut AnyConnection| {
            let mut tenants = store::due_tenants(connection, now, TENANTS)?;
            tenants.extend(refresh::asked(connection, TENANTS)?);
            tenants.sort_unstable();
            tenants.dedup();
            Ok(tenants)
        };
        Ok(self.db.read(find).await?.into_iter().map(|tenant| (tenant, ())).collect())
    }

    fn shortest((): &()) -> i64 {
        0
    }

    async fn page(
        &self,
        tenant: TenantId,
        (): &(),
        after: Option<ConversationId>,
        (_, now): Times,
    ) -> Result<Option<ConversationId>> {
        for _ in 0..PIECES {
            let aim = move |connection: &mut AnyConnection| aim(connection, tenant, now);
            if !self.db.write(aim).await? {
                break;
            }
        }
        let after = after.unwrap_or(ConversationId(0));
        let find = move |connection: &mut AnyConnection| find(connection, tenant, now, after);
        let (commands, last) = self.db.read(find).await?;
        let submitted = stream::iter(commands).map(|command| self.tell(tenant, command));
        submitted.buffer_unordered(AT_ONCE).for_each(|()| async {}).await;
        Ok(last)
    }
}

impl Sweep {
    /// One that fails is found again, and holds up no other.
    async fn tell(&self, tenant: TenantId, command: TellSla) {
        let conversation = command.conversation;
        let told = self.journal.submit(Command::new(Principal::System(tenant), command)).await;
        if let Err(error) = told {
            log::debug!(target: Self::TARGET, "conversation {conversation} is looked at again: {error}");
        }
    }
}

/// Gives some clocks of a tenant new targets, if that is asked for; whether there may be more.
fn aim(connection: &mut AnyConnection, tenant: TenantId, now: i64) -> Result<bool> {
    follower::hold(connection, SLA_CLOCKS, tenant)?;
    let Some(after) = refresh::hold(connection, tenant)? else { return Ok(false) };
    let rules = store::rules(connection, tenant)?;
    let conversations = store::open(connection, tenant, after, PIECE)?;
    let mut tracks = store::tracks(connection, tenant, &conversations)?;
    tracks.values_mut().for_each(|track| track.aim(now, &rules, true));
    store::replace(connection, tenant, &conversations, tracks.into_values())?;
    let is_full = i64::try_from(conversations.len()).is_ok_and(|count| count == PIECE);
    let last = conversations.last().copied().filter(|_| is_full);
    refresh::moved(connection, tenant, last)?;
    Ok(last.is_some())
}

/// What is to be told in some conversations, and behind which one there may be more.
fn find(
    connection: &mut AnyConnection,
    tenant: TenantId,
    now: i64,
    after: ConversationId,
) -> Result<(Vec<TellSla>, Option<ConversationId>)> {
    let through_rev = follower::position(connection, SLA_CLOCKS, tenant)?;
    let limit = i64::try_from(PAGE).unwrap_or(i64::MAX);
    let conversations = store::due(connection, tenant, now, after, limit)?;
    let last = conversations.last().copied().filter(|_| conversations.len() == PAGE);
    if conversations.is_empty() {
        return Ok((Vec::new(), None));
    }
    let rules = store::rules(connection, tenant)?;
    let names: BTreeMap<SlaPolicyId, &str> =
        rules.policies.iter().map(|policy| (policy.id, policy.name.as_str())).collect();
    let content = |clock: &SlaClockRow, due: i64| SlaContent {
        metric: clock.metric,
        policy_id: clock.policy_id,
        policy_name: names.get(&clock.policy_id).copied().unwrap_or_default().to_owned(),
        started_seq: clock.started_seq,
        started_at: Millis(clock.started_at),
        due_at: Millis(due),
    };
    let mut commands: Vec<TellSla> = Vec::new();
    for (conversation, track) in store::tracks(connection, tenant, &conversations)? {
        let told = track
            .clocks
            .values()
            .filter_map(|clock| Some((clock.told_at(now)?, content(clock, clock.due_at?))));
        commands.push(TellSla { conversation, through_rev, told: told.collect() });
    }
    commands.retain(|command| !command.told.is_empty());
    commands.sort_by_key(|command| command.conversation);
    Ok((commands, last))
}
