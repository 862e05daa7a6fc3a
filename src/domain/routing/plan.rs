//! Giving a queue to its candidates: the first in the queue chooses first, and every choice changes the candidates for
//! those behind.

use std::cmp::Reverse;

use super::{Candidate, RoutingSettings, Verdict, Waiting, judge, strategy};
use crate::kernel::{ConversationId, MemberId};

/// Where conversations are assigned without asking, an agent who gave one back is not given it again for so long, in
/// seconds, unless there is somebody else.
const REST_SECONDS: i64 = 60;

/// Who gets a conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Choice {
    /// What is given.
    pub conversation: ConversationId,
    /// To whom.
    pub agent: MemberId,
    /// The agent lacks a required skill; the conversation has waited so long that it is not required any more.
    pub relaxed: bool,
}

/// What came of a plan.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan {
    /// In the order of the queue.
    pub choices: Vec<Choice>,
}

/// Who gets this conversation now by the strategy of its group, and what is thought of every candidate, in their order.
///
/// Of those who fit, who served the customer last comes first, then who has more of the preferred skills, then the
/// strategy decides. When everybody who would fit has refused the conversation, whose refusal is older than the time of an
/// offer (a minute where there are no offers) is asked again.
pub fn choose(
    settings: &RoutingSettings,
    now: i64,
    waiting: &Waiting,
    candidates: &[Candidate],
) -> (Option<usize>, Vec<Verdict>) {
    let settings = &settings.with(waiting.strategy);
    let mut verdicts: Vec<Verdict> =
        candidates.iter().map(|candidate| judge(settings, now, waiting, candidate)).collect();
    if !settings.is_automatic() {
        return (None, verdicts);
    }
    if !waiting.passed_over.is_empty() && !verdicts.iter().any(Verdict::fits) {
        ask_again(settings, now, waiting, candidates, &mut verdicts);
    }
    let fits = candidates.iter().zip(&verdicts).enumerate().filter(|(_, (_, verdict))| verdict.fits());
    let best = fits.min_by(|(_, (left, one)), (_, (right, other))| {
        let rank = |verdict: &Verdict| (Reverse(verdict.last_agent), Reverse(verdict.score));
        let order = rank(one).cmp(&rank(other));
        order.then_with(|| strategy::order(settings.strategy, left, right))
    });
    (best.map(|(index, _)| index), verdicts)
}

/// Forgets refusals that are older than the time of an offer.
fn ask_again(
    settings: &RoutingSettings,
    now: i64,
    waiting: &Waiting,
    candidates: &[Candidate],
    verdicts: &mut [Verdict],
) {
    let rest = settings.offer_seconds.unwrap_or(REST_SECONDS).saturating_mul(1_000);
    let refused = |member: MemberId| {
        let times = waiting.passed_over.iter().filter(|(who, _)| *who == member);
        times.map(|(_, at)| *at).max()
    };
    for (candidate, verdict) in candidates.iter().zip(verdicts) {
        if verdict.only_passed_over() && refused(candidate.member).is_some_and(|at| now - at >= rest) {
            verdict.obstacles.clear();
        }
    }
}

/// Gives the queue, the first in it first, to the candidates, at most `limit` conversations. A chosen candidate is
/// changed as the choice changes it.
pub fn plan(
    settings: &RoutingSettings,
    now: i64,
    queue: &[Waiting],
    candidates: &mut [Candidate],
    limit: usize,
) -> Plan {
    let mut plan = Plan::default();
    let has_room = |one: &Candidate| one.usable && one.current < one.max && !one.has_offer;
    for waiting in queue {
        if plan.choices.len() >= limit || !candidates.iter().any(has_room) {
            break;
        }
        // Where agents claim nobody needs to be judged.
        if !settings.with(waiting.strategy).is_automatic() {
            continue;
        }
        let (Some(index), verdicts) = choose(settings, now, waiting, candidates) else { continue };
        let relaxed = verdicts.get(index).is_some_and(|verdict| verdict.relaxed);
        let Some(chosen) = candidates.get_mut(index) else { continue };
        plan.choices.push(Choice { conversation: waiting.conversation, agent: chosen.member, relaxed });
        match settings.offer_seconds {
            Some(_) => chosen.has_offer = true,
            None => {
                chosen.current += 1;
                chosen.last_assigned_at = Some(now);
                chosen.idle_since = Some(now);
            }
        }
    }
    plan
}
