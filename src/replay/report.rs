//! What a run found, as a table for people and as JSON for programs.

use std::io::Write;
use std::time::Duration;

use serde::Serialize;

use super::history::History;
use super::judge::Violation;

/// The result of a run.
#[derive(Debug, Serialize)]
pub struct Report {
    /// Where it was played.
    pub server: String,
    /// Visitors, agents of each tenant, tenants.
    pub visitors: u32,
    /// Agents of each tenant.
    pub agents: u32,
    /// Tenants.
    pub tenants: u32,
    /// Dialogues that were to be played.
    pub dialogues: usize,
    /// From the first word to the last, in seconds.
    pub seconds: f64,
    /// Acknowledged messages in each of them.
    pub messages_per_second: f64,
    /// From the first attempt to its acknowledgement.
    pub acknowledgement: Percentiles,
    /// From the first attempt to the other side's screen.
    pub delivery: Percentiles,
    /// What happened how often.
    pub counts: std::collections::BTreeMap<&'static str, u64>,
    /// What went wrong without breaking a promise: the run is not a proof.
    pub error_kind: Vec<String>,
    /// Broken promises.
    pub violations: Vec<Violation>,
}

/// Some points of a distribution, in milliseconds.
#[derive(Debug, Default, Serialize)]
pub struct Percentiles {
    /// How many were measured.
    pub count: usize,
    /// Half are at most this.
    pub p50: f64,
    /// 99 of 100 are at most this.
    pub p99: f64,
    /// The largest.
    pub max: f64,
}

impl Percentiles {
    /// Of durations in rising order.
    pub fn of(sorted: &[Duration]) -> Self {
        let at = |share: f64| {
            // The nearest rank; the cast is exact for any count that fits into memory.
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 ≤ rank ≤ len")]
            let rank = (sorted.len() as f64 * share).ceil() as usize;
            sorted.get(rank.saturating_sub(1)).map_or(0.0, |one| one.as_secs_f64() * 1_000.0)
        };
        Self { count: sorted.len(), p50: at(0.5), p99: at(0.99), max: at(1.0) }
    }
}

/// Violations and troubles that the table shows; the JSON has all.
const SHOWN: usize = 20;

impl Report {
    /// Puts the history's numbers into a report.
    pub fn fill(&mut self, history: &History, took: Duration) {
        let (acknowledged, delivered) = history.durations();
        self.acknowledgement = Percentiles::of(&acknowledged);
        self.delivery = Percentiles::of(&delivered);
        self.counts = history.counters.all().into_iter().collect();
        self.seconds = took.as_secs_f64();
        self.messages_per_second = acknowledged.len() as f64 / self.seconds.max(0.001);
        self.error_kind = history.error_kind();
    }

    /// Whether all went as it should.
    pub fn is_clean(&self) -> bool {
        self.violations.is_empty() && self.error_kind.is_empty()
    }

    /// The table.
    pub fn print(&self, out: &mut dyn Write) -> std::io::Result<()> {
        let count = |name: &str| self.counts.get(name).copied().unwrap_or_default();
        writeln!(out, "server           {}", self.server)?;
        writeln!(
            out,
            "cast             {} visitors, {} × {} agents, {} tenants",
            self.visitors, self.tenants, self.agents, self.tenants
        )?;
        writeln!(out, "dialogues        {} of {}", count("dialogues"), self.dialogues)?;
        writeln!(
            out,
            "messages         {} in {:.1} s: {:.0}/s, {} over a socket",
            count("messages"),
            self.seconds,
            self.messages_per_second,
            count("over_socket")
        )?;
        for (name, one) in [("acknowledgement", &self.acknowledgement), ("delivery", &self.delivery)] {
            writeln!(
                out,
                "{name:<16} p50 {:.1} ms, p99 {:.1} ms, longest {:.1} ms ({})",
                one.p50, one.p99, one.max, one.count
            )?;
        }
        writeln!(
            out,
            "connections      {} live, {} cut on purpose, {} dropped",
            count("connections"),
            count("cuts"),
            count("drops")
        )?;
        writeln!(
            out,
            "sends            {} repeated on purpose, {} without an answer, {} told to wait",
            count("repeats"),
            count("unknown"),
            count("deferred")
        )?;
        writeln!(
            out,
            "repair           {} entries sent again, {} pulls, {} lags, {} resets",
            count("resent"),
            count("pulls"),
            count("lags"),
            count("resets")
        )?;
        writeln!(out, "error_kind          {}", self.error_kind.len())?;
        self.error_kind.iter().take(SHOWN).try_for_each(|one| writeln!(out, "  {one}"))?;
        writeln!(out, "violations       {}", self.violations.len())?;
        self.violations.iter().take(SHOWN).try_for_each(|one| writeln!(out, "  {} {}", one.promise, one.what))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_nearest_ranks() {
        let durations: Vec<_> = (1..=200).map(Duration::from_millis).collect();
        let found = Percentiles::of(&durations);
        assert_eq!((found.p50, found.p99, found.max, found.count), (100.0, 198.0, 200.0, 200));
        assert_eq!(Percentiles::of(&[]).p99, 0.0);
    }
}
