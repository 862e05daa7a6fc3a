//! Whether one candidate fits one conversation, with every reason against it.

use super::{Candidate, RoutingSettings, Skill, Waiting};
use crate::domain::presence::PresenceStatus;
use crate::text_enum;

text_enum! {
    /// What keeps a member of the staff from being chosen.
    Obstacle {
        /// Its account may not be used.
        Disabled = "disabled",
        /// The conversation is the matter of a group that it is not in.
        NotInGroup = "not_in_group",
        /// It is offline, or has no live connection.
        Offline = "offline",
        /// It is away.
        Away = "away",
        /// It is busy: it wants no further conversation.
        Busy = "busy",
        /// It serves as many conversations as it accepts.
        Full = "full",
        /// It lacks a required skill, or has it at a lower level.
        SkillMissing = "skill_missing",
        /// An offer waits for its answer.
        HasOffer = "has_offer",
        /// It declined an offer of this conversation, let it pass, or gave the conversation back.
        PassedOver = "passed_over",
    }
}

/// What routing thinks of a candidate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// Everything that is against it; empty for one who fits.
    pub obstacles: Vec<Obstacle>,
    /// How much of the preferred skills it has: the sum of its levels, capped at what is asked for. Required ones count
    /// too once they are relaxed.
    pub score: u32,
    /// It fits only because the required skills are relaxed.
    pub relaxed: bool,
    /// It served the customer last.
    pub last_agent: bool,
}

impl Verdict {
    /// Whether it may be chosen.
    pub fn fits(&self) -> bool {
        self.obstacles.is_empty()
    }

    /// Whether nothing but its own refusal is against it.
    pub fn only_passed_over(&self) -> bool {
        self.obstacles == [Obstacle::PassedOver]
    }
}

/// Judges one candidate for one conversation at this time, unix milliseconds.
pub fn judge(settings: &RoutingSettings, now: i64, waiting: &Waiting, candidate: &Candidate) -> Verdict {
    let relaxes = |seconds: i64| now - waiting.since >= seconds.saturating_mul(1_000);
    let relaxed = settings.relax_after_seconds.is_some_and(relaxes);
    let has = |skill: &&Skill| skill.level_in(&candidate.skills) >= skill.level;
    let skilled = waiting.needs.required.iter().all(|skill| has(&skill));
    let mut obstacles = Vec::new();
    let mut against = |holds: bool, obstacle| {
        if holds {
            obstacles.push(obstacle);
        }
    };
    against(!candidate.usable, Obstacle::Disabled);
    against(!candidate.sight.reaches(waiting.group), Obstacle::NotInGroup);
    against(candidate.status == PresenceStatus::Offline, Obstacle::Offline);
    against(candidate.status == PresenceStatus::Away, Obstacle::Away);
    against(candidate.status == PresenceStatus::Busy, Obstacle::Busy);
    against(candidate.current >= candidate.max, Obstacle::Full);
    against(!skilled && !relaxed, Obstacle::SkillMissing);
    against(candidate.has_offer, Obstacle::HasOffer);
    against(waiting.passed_over.iter().any(|(who, _)| *who == candidate.member), Obstacle::PassedOver);
    let counted = waiting.needs.preferred.iter().chain(waiting.needs.required.iter().filter(|_| relaxed));
    let score = counted.map(|skill| u32::from(skill.level_in(&candidate.skills).min(skill.level))).sum();
    let last_agent = settings.last_agent_first && waiting.needs.last_agent == Some(candidate.member);
    Verdict { obstacles, score, relaxed: relaxed && !skilled, last_agent }
}
