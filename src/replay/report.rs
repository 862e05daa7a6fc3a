//! What a run found, as a table for people and as JSON for programs.

use std::collections::BTreeMap;
use std::io::Write;
use std::time::Duration;

use serde::Serialize;

use super::Arguments;
use super::evidence::Violation;
use super::history::History;
use super::round::Outcome;
use super::routing_figures::RoutingFigures;
use super::usage::Usage;

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
    /// Dialogues that were to be played; none when the time decided.
    pub dialogues: Option<usize>,
    /// From the first word to the last, in seconds.
    pub seconds: f64,
    /// Acknowledged messages in each of them.
    pub messages_per_second: f64,
    /// From the first attempt to its acknowledgement.
    pub acknowledgement: Percentiles,
    /// From the first attempt to the other side's screen.
    pub delivery: Percentiles,
    /// What happened how often.
    pub counts: BTreeMap<&'static str, u64>,
    /// What went wrong without breaking a promise: the run is not a proof.
    pub errors: Vec<String>,
    /// What the tenants' routing did, with `--routing auto`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub routing: Option<Routing>,
    /// Of a soak.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub soak: Option<Soak>,
    /// Broken promises.
    pub violations: Vec<Violation>,
}

/// What the tenants' routing did.
#[derive(Debug, Default, Serialize)]
pub struct Routing {
    /// Assignments by their reason.
    pub assignments: BTreeMap<String, u64>,
    /// Offers of routing by what became of them.
    pub offers: BTreeMap<&'static str, u64>,
    /// Offers from one agent to another by what became of them.
    pub transfer_offers: BTreeMap<&'static str, u64>,
    /// How often a whole group began to serve a conversation.
    pub docked: u64,
    /// Conversations that went back to the queue by why they did.
    pub freed: BTreeMap<String, u64>,
    /// Reminders and automatic ends.
    pub timers: BTreeMap<&'static str, u64>,
    /// From the moment that an agent could be given a waiting conversation to the assignment or the offer, by the
    /// server's clock.
    pub freed_to_given: Percentiles,
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

/// The sum of all rounds.
#[derive(Debug, Default)]
pub struct Totals {
    acknowledged: Vec<Duration>,
    delivered: Vec<Duration>,
    counts: BTreeMap<&'static str, u64>,
    took: Duration,
    routing: RoutingFigures,
    /// Dialogues that were to be played.
    pub dialogues: Option<usize>,
    /// What went wrong without breaking a promise.
    pub errors: Vec<String>,
    /// Broken promises.
    pub violations: Vec<Violation>,
}

impl Totals {
    /// Adds a round.
    pub fn add(&mut self, history: &History, outcome: Outcome) {
        let (acknowledged, delivered) = history.durations();
        self.acknowledged.extend(acknowledged);
        self.delivered.extend(delivered);
        for (name, count) in history.counters.all() {
            *self.counts.entry(name).or_default() += count;
        }
        self.took += outcome.took;
        self.routing.add(outcome.routing);
        self.errors.extend(history.error_kind());
        self.violations.extend(outcome.violations);
    }

    /// How often this happened.
    pub fn count(&self, name: &str) -> u64 {
        self.counts.get(name).copied().unwrap_or_default()
    }

    /// The report.
    pub fn report(mut self, arguments: &Arguments, server: String, soak: Option<Soak>) -> Report {
        self.acknowledged.sort_unstable();
        self.delivered.sort_unstable();
        self.routing.taken.sort_unstable();
        let routing = (arguments.routing == super::Routing::Auto).then(|| Routing {
            assignments: self.routing.assignments,
            offers: self.routing.offers,
            transfer_offers: self.routing.transfer_offers,
            docked: self.routing.docked,
            freed: self.routing.freed,
            timers: self.routing.timers,
            freed_to_given: Percentiles::of(&self.routing.taken),
        });
        let seconds = self.took.as_secs_f64();
        Report {
            server,
            visitors: arguments.visitors,
            agents: arguments.agents,
            tenants: arguments.tenants,
            dialogues: self.dialogues,
            seconds,
            messages_per_second: self.acknowledged.len() as f64 / seconds.max(0.001),
            acknowledgement: Percentiles::of(&self.acknowledged),
            delivery: Percentiles::of(&self.delivered),
            counts: self.counts,
            errors: self.errors,
            routing,
            soak,
            violations: self.violations,
        }
    }
}

impl Report {
    /// The table.
    pub fn print(&self, out: &mut dyn Write) -> std::io::Result<()> {
        let count = |name: &str| self.counts.get(name).copied().unwrap_or_default();
        writeln!(out, "server           {}", self.server)?;
        writeln!(
            out,
            "cast             {} visitors, {} × {} agents, {} tenants",
            self.visitors, self.tenants, self.agents, self.tenants
        )?;
        let of = self.dialogues.map(|wanted| format!(" of {wanted}")).unwrap_or_default();
        writeln!(out, "dialogues        {}{of}", count("dialogues"))?;
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
        writeln!(
            out,
            "actions          {} edits, {} recalls, {} notes, {} marked unread, {} typing, {} delivered reports, {} \
             identified, {} merged, {} ratings, {} files",
            count("edits"),
            count("recalls"),
            count("notes"),
            count("marked_unread"),
            count("typings"),
            count("delivered_reports"),
            count("identified"),
            count("merged"),
            count("ratings"),
            count("files")
        )?;
        if let Some(routing) = &self.routing {
            self.print_routing(routing, out)?;
        }
        if let Some(soak) = &self.soak {
            writeln!(
                out,
                "soak             {:.1} minutes, {} rounds, {} kills",
                soak.minutes, soak.rounds, soak.kills
            )?;
            for one in &soak.processes {
                writeln!(
                    out,
                    "process          {}: memory {} KiB first, {} last, {:+.0} a minute; descriptors {} first, {} \
                     last, {:+.2} a minute; {} lives, {} samples",
                    one.process,
                    one.memory_first_kib,
                    one.memory_last_kib,
                    one.memory_kib_per_minute,
                    one.descriptors_first,
                    one.descriptors_last,
                    one.descriptors_per_minute,
                    one.lives,
                    one.samples
                )?;
            }
        }
        writeln!(out, "errors           {}", self.errors.len())?;
        self.errors.iter().take(SHOWN).try_for_each(|one| writeln!(out, "  {one}"))?;
        writeln!(out, "violations       {}", self.violations.len())?;
        self.violations.iter().take(SHOWN).try_for_each(|one| writeln!(out, "  {} {}", one.promise, one.what))
    }

    fn print_routing(&self, routing: &Routing, out: &mut dyn Write) -> std::io::Result<()> {
        let count = |name: &str| self.counts.get(name).copied().unwrap_or_default();
        let list = |rows: &mut dyn Iterator<Item = (&str, u64)>| {
            rows.map(|(name, count)| format!("{count} {name}")).collect::<Vec<_>>().join(", ")
        };
        let assignments = list(&mut routing.assignments.iter().map(|(name, count)| (name.as_str(), *count)));
        let named =
            |rows: &BTreeMap<&'static str, u64>| list(&mut rows.iter().map(|(name, count)| (*name, *count)));
        let freed = list(&mut routing.freed.iter().map(|(name, count)| (name.as_str(), *count)));
        writeln!(out, "assignments      {assignments}")?;
        writeln!(out, "offers           {}", named(&routing.offers))?;
        writeln!(out, "between agents   {}", named(&routing.transfer_offers))?;
        writeln!(out, "back in queue    {freed}")?;
        writeln!(out, "docked           {} times, {} taken out", routing.docked, count("taken_out"))?;
        writeln!(
            out,
            "timers           {}; {} customers went away, {} nudges",
            named(&routing.timers),
            count("left"),
            count("nudges")
        )?;
        let one = &routing.freed_to_given;
        writeln!(
            out,
            "freed to given   p50 {:.1} ms, p99 {:.1} ms, longest {:.1} ms ({})",
            one.p50, one.p99, one.max, one.count
        )?;
        writeln!(
            out,
            "desk             {} transfers, {} to a group, {} offered, {} taken back, {} refused, {} docks, {} released, \
             {} by a supervisor, {} lost, {} absences",
            count("transfers"),
            count("group_transfers"),
            count("transfers_offered"),
            count("transfers_withdrawn"),
            count("transfers_refused"),
            count("docks"),
            count("releases"),
            count("supervised"),
            count("lost"),
            count("absences")
        )
    }
}

/// What a soak adds to the report.
#[derive(Debug, Clone, Serialize)]
pub struct Soak {
    /// Minutes that it took.
    pub minutes: f64,
    /// Rounds that were judged.
    pub rounds: u32,
    /// Processes that were killed and started again.
    pub kills: u32,
    /// The server's processes.
    pub processes: Vec<Usage>,
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
