//! The result: scenario by scenario, and rule by rule.

use std::fmt;
use std::io::Write;
use std::time::Duration;

use serde::Serialize;

use super::plan::Broken;
use super::scenarios::{SCENARIOS, Scenario};
use super::script::{Step, Stop};
use crate::documents::client_rules::CLIENT_RULES;

/// What came of a rule, or of a scenario.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "result", rename_all = "snake_case")]
pub enum Verdict {
    /// It was tested and kept.
    Kept,
    /// It was broken.
    Broken {
        /// How, each with the name of the scenario.
        why: Vec<String>,
    },
    /// Nothing can be said.
    NotTested {
        /// Why not.
        why: String,
    },
}

/// What came of a scenario.
#[derive(Debug, Clone, Serialize)]
pub struct Outcome {
    /// The scenario.
    pub scenario: &'static str,
    /// The rules that it judges, when it was played to its end.
    pub kept: Vec<&'static str>,
    /// Rules that were broken in it, and how.
    pub broken: Vec<(&'static str, String)>,
    /// Why it was not played.
    pub skipped: Option<String>,
    /// Why it could not be played.
    pub not_played: Option<String>,
    /// How long it took.
    pub seconds: f64,
}

impl Outcome {
    /// From the end of a scenario and what was seen on the way.
    pub fn new(scenario: &'static Scenario, end: Step, seen: Vec<Broken>, took: Duration) -> Self {
        let mut outcome = Self {
            scenario: scenario.name,
            kept: Vec::new(),
            broken: seen.into_iter().map(|broken| (broken.rule, broken.why)).collect(),
            skipped: None,
            not_played: None,
            seconds: (took.as_secs_f64() * 10.0).round() / 10.0,
        };
        match end {
            Ok(()) => {
                let broken: Vec<_> = outcome.broken.iter().map(|(rule, _)| *rule).collect();
                outcome.kept.extend(scenario.rules.iter().filter(|rule| !broken.contains(rule)));
            }
            Err(Stop::Broken(broken)) => outcome.broken.push((broken.rule, broken.why)),
            Err(Stop::Unsupported(what)) => {
                outcome.skipped = Some(format!("the client does not support {what}"))
            }
            Err(Stop::NotPlayed(cause)) => outcome.not_played = Some(cause),
        }
        outcome.broken.dedup();
        outcome
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{:<22} {:>5.1} s  ", self.scenario, self.seconds)?;
        match (&self.not_played, &self.skipped, self.broken.first()) {
            (Some(cause), _, _) => write!(out, "not played: {cause}"),
            (None, _, Some((rule, why))) => write!(out, "broken: {rule}: {why}"),
            (None, Some(why), None) => write!(out, "skipped: {why}"),
            (None, None, None) => write!(out, "kept"),
        }
    }
}

/// A rule, and what came of it.
#[derive(Debug, Clone, Serialize)]
pub struct Rule {
    /// Its name in `CLIENT_RULES`.
    pub rule: &'static str,
    /// What came of it.
    #[serde(flatten)]
    pub verdict: Verdict,
}

/// The result.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// By rule, in the order of the document.
    pub rules: Vec<Rule>,
    /// By scenario.
    pub scenarios: Vec<Outcome>,
}

impl Report {
    /// From what came of the scenarios.
    pub fn new(scenarios: Vec<Outcome>) -> Self {
        let rule = |name| Rule { rule: name, verdict: verdict(name, &scenarios) };
        let rules = CLIENT_RULES.iter().map(|one| rule(one.name)).collect();
        Self { rules, scenarios }
    }

    /// Whether a rule was broken.
    pub fn is_broken(&self) -> bool {
        self.rules.iter().any(|one| matches!(one.verdict, Verdict::Broken { .. }))
    }

    /// Whether a scenario could not be played.
    pub fn is_incomplete(&self) -> bool {
        self.scenarios.iter().any(|outcome| outcome.not_played.is_some())
    }

    /// Prints the table.
    pub fn print(&self, out: &mut dyn Write) -> std::io::Result<()> {
        writeln!(out)?;
        for Rule { rule, verdict } in &self.rules {
            match verdict {
                Verdict::Kept => writeln!(out, "{rule:<18} kept")?,
                Verdict::NotTested { why } => writeln!(out, "{rule:<18} not tested: {why}")?,
                Verdict::Broken { why } => {
                    for (number, why) in why.iter().enumerate() {
                        let (name, word) = if number == 0 { (*rule, "broken:") } else { ("", "       ") };
                        writeln!(out, "{name:<18} {word} {why}")?;
                    }
                }
            }
        }
        for outcome in self.scenarios.iter().filter(|outcome| outcome.not_played.is_some()) {
            writeln!(out, "{outcome}")?;
        }
        Ok(())
    }
}

fn verdict(rule: &str, outcomes: &[Outcome]) -> Verdict {
    let mut why = Vec::new();
    for outcome in outcomes {
        let broken = outcome.broken.iter().filter(|(broken, _)| *broken == rule);
        why.extend(broken.map(|(_, why)| format!("{why} ({})", outcome.scenario)));
    }
    if !why.is_empty() {
        return Verdict::Broken { why };
    }
    if outcomes.iter().any(|outcome| outcome.kept.contains(&rule)) {
        return Verdict::Kept;
    }
    let judges: Vec<_> =
        SCENARIOS.iter().filter(|one| one.rules.contains(&rule)).map(|one| one.name).collect();
    let reason = outcomes.iter().filter(|one| judges.contains(&one.scenario)).find_map(|one| {
        let other = one.broken.first().map(|(rule, _)| format!("`{rule}` was broken before"));
        one.not_played.clone().or(one.skipped.clone()).or(other)
    });
    Verdict::NotTested { why: reason.unwrap_or_else(|| "its scenarios were not chosen".to_owned()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(name: &str, end: Step, seen: Vec<Broken>) -> Option<Outcome> {
        let scenario = SCENARIOS.iter().find(|one| one.name == name)?;
        Some(Outcome::new(scenario, end, seen, Duration::from_secs(1)))
    }

    #[test]
    fn a_rule_is_kept_only_when_it_was_tested_and_nowhere_broken() {
        let outcomes = [
            outcome("hole", Ok(()), Vec::new()),
            outcome("lag", Err(Broken::new("tail", "nothing came").into()), Vec::new()),
            outcome("lost tail", Ok(()), Vec::new()),
            outcome("watches", Err(Stop::Unsupported("watch")), Vec::new()),
            outcome("token", Ok(()), vec![Broken::new("growth", "an unknown field was sent")]),
        ];
        let report = Report::new(outcomes.into_iter().flatten().collect());
        let find = |name: &str| report.rules.iter().find(|one| one.rule == name).map(|one| &one.verdict);
        assert_eq!(find("order"), Some(&Verdict::Kept));
        assert_eq!(find("token"), Some(&Verdict::Kept));
        assert_eq!(find("tail"), Some(&Verdict::Broken { why: vec!["nothing came (lag)".to_owned()] }));
        assert!(matches!(find("growth"), Some(Verdict::Broken { .. })));
        let why = "the client does not support watch".to_owned();
        assert_eq!(find("watches"), Some(&Verdict::NotTested { why }));
        assert!(report.is_broken());
    }
}
