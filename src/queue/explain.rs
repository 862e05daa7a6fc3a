//! Why routing chose or would choose: the rules of `domain::routing` over a snapshot of now. Changes nothing.

use std::collections::HashMap;

use super::api::{RoutingCandidate, RoutingExplanation, StrategySource};
use super::store::{self, StaffRow};
use crate::app::App;
use crate::conversations::access;
use crate::conversations::view::Cards;
use crate::db::AnyConnection;
use crate::domain::actor::Actor;
use crate::domain::conversation::ConversationRow;
use crate::domain::member::MemberStatus;
use crate::domain::offer::NeedsRow;
use crate::domain::permission::Operation;
use crate::domain::presence::{AgentStatusRow, PresenceStatus};
use crate::domain::routing::{Candidate, RoutingSettings, RoutingStrategy, Skill, Waiting, choose};
use crate::journal::calendars;
use crate::journal::wants::routing_source::{CANDIDATES_MAX, RoutingSource};
use crate::kernel::{ConversationId, Millis, Result};
use crate::{groups, tenants};

/// What routing thinks of this conversation now. Errors: `not_found`, `forbidden`.
pub async fn explain(
    app: &App,
    actor: Actor,
    id: ConversationId,
    strategy: Option<RoutingStrategy>,
) -> Result<RoutingExplanation> {
    let now = app.clock.now().0;
    app.db
        .read(move |connection| {
            let access = access::load(connection, &actor, id)?;
            access.check(&actor, Operation::ExplainRouting)?;
            let settings = tenants::store::find(connection, actor.tenant)?.settings.0.routing;
            let own = match access.front().group_id {
                Some(group) => groups::store::find(connection, actor.tenant, group)?,
                None => None,
            };
            let own = own.and_then(|group| group.strategy());
            let from = match (strategy, own) {
                (Some(_), _) => StrategySource::Request,
                (None, Some(_)) => StrategySource::Group,
                (None, None) => StrategySource::Tenant,
            };
            read(connection, &actor, access.front(), (settings.with(strategy.or(own)), from), now)
        })
        .await
}

fn read(
    connection: &mut AnyConnection,
    actor: &Actor,
    row: &ConversationRow,
    (settings, strategy_from): (RoutingSettings, StrategySource),
    now: i64,
) -> Result<RoutingExplanation> {
    let needs = store::needs(connection, actor.tenant, row.id)?;
    let since = row.waiting_since.unwrap_or(now);
    let refusals = connection.refusals(&[row.id])?;
    let waiting = Waiting {
        conversation: row.id,
        since,
        group: row.group_id,
        // It stands in the settings already.
        strategy: None,
        needs: needs.as_ref().map(NeedsRow::needs).unwrap_or_default(),
        passed_over: refusals
            .into_iter()
            .map(|(_, who, at)| (who, at))
            .filter(|(_, at)| *at >= since)
            .collect(),
    };
    let offered: HashMap<_, _> = connection
        .outstanding(actor.tenant)?
        .into_iter()
        .filter(|offer| offer.conversation_id != row.id && !offer.is_transfer())
        .map(|offer| (offer.agent_id, offer.id))
        .collect();
    let limit = i64::try_from(CANDIDATES_MAX).unwrap_or(i64::MAX);
    let staff = store::staff(connection, actor.tenant, limit)?;
    let candidates: Vec<Candidate> = staff
        .iter()
        .map(|row| Candidate { has_offer: offered.contains_key(&row.id), ..candidate(row, now) })
        .collect();
    let (chosen, verdicts) = choose(&settings, now, &waiting, &candidates);
    let closed = settings.within_business_hours
        && !calendars::load(connection, actor.tenant)?.is_open(row.group_id, now);
    let cards = Cards::load(connection, actor.tenant, staff.iter().map(|row| row.id))?;
    let shown =
        staff.iter().zip(&candidates).zip(verdicts).map(|((row, candidate), verdict)| RoutingCandidate {
            member: cards.get(row.id),
            role: row.role,
            effective_status: candidate.status,
            current_accept: candidate.current,
            max_accept: candidate.max,
            skills: candidate.skills.clone(),
            fits: verdict.fits(),
            obstacles: verdict.obstacles,
            score: verdict.score,
            last_agent: verdict.last_agent,
        });
    let relaxed_at =
        settings.relax_after_seconds.map(|seconds| Millis(since + seconds.saturating_mul(1_000)));
    Ok(RoutingExplanation {
        conversation_id: row.id,
        waiting: row.waiting_since.is_some(),
        strategy: settings.strategy,
        strategy_from,
        relaxed_at: relaxed_at.filter(|_| !waiting.needs.required.is_empty()),
        chosen: chosen
            .filter(|_| !closed)
            .and_then(|index| candidates.get(index))
            .map(|candidate| candidate.member),
        closed,
        candidates: shown.collect(),
        required_skills: waiting.needs.required,
        preferred_skills: waiting.needs.preferred,
    })
}

/// A member of the staff as routing sees it, without its offers.
pub(super) fn candidate(row: &StaffRow, now: i64) -> Candidate {
    let kept = row.kept.as_ref();
    let usable = row.status == MemberStatus::Enabled && row.expires_at.is_none_or(|end| now < end);
    Candidate {
        member: row.id,
        usable,
        status: kept.map_or(PresenceStatus::Offline, AgentStatusRow::effective),
        current: kept.map_or(0, |kept| kept.current_accept),
        max: i64::from(row.max_accept),
        sight: row.sight.clone(),
        skills: Skill::list(&row.skills),
        last_assigned_at: kept.and_then(|kept| kept.last_assigned_at),
        idle_since: kept.and_then(|kept| kept.idle_since),
        has_offer: false,
    }
}
