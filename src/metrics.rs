//! Numbers for operators, in Prometheus' text form. Owns their names and the registry; other modules count through
//! the handles here and never make a metric of their own.
//!
//! Invariant: no label takes a value that clients choose: routes are templates, methods are the known ones.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use prometheus::{
    Encoder, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry,
    TextEncoder,
};

use crate::db::Db;
use crate::journal::Journal;
use crate::journal::follower::Lags;
use crate::kernel::tasks::Tasks;
use crate::kernel::{Error, Result};

/// The numbers of one server. Cloning shares them.
#[derive(Clone)]
pub struct Metrics {
    inner: Arc<Inner>,
}

impl std::ops::Deref for Metrics {
    type Target = Inner;
    fn deref(&self) -> &Inner {
        &self.inner
    }
}

macro_rules! metrics {
    ($($(#[doc = $help:literal])+ $name:ident: $kind:ident $full:literal $arguments:tt;)+) => {
        /// The handles.
        pub struct Inner {
            registry: Registry,
            $($(#[doc = $help])+ pub $name: $kind,)+
        }

        impl Metrics {
            /// A registry with every number at its start.
            pub fn new() -> Result<Self> {
                let build = || -> prometheus::Result<Self> {
                    let registry = Registry::new();
                    $(
                        let $name = metrics!(@make $kind $full, concat!($($help),+).trim(), $arguments);
                        registry.register(Box::new($name.clone()))?;
                    )+
                    Ok(Self { inner: Arc::new(Inner { registry, $($name,)+ }) })
                };
                build().map_err(|cause| Error::internal("the metrics could not be made").caused_by(cause))
            }

            /// Every name, for the tests of the documents.
            pub const NAMES: &'static [&'static str] = &[$($full),+];
        }
    };
    (@make IntCounter $full:literal, $help:expr, ()) => { IntCounter::new($full, $help)? };
    (@make IntGaugeVec $full:literal, $help:expr, ($($label:literal),+)) => {
        IntGaugeVec::new(Opts::new($full, $help), &[$($label),+])?
    };
    (@make IntGauge $full:literal, $help:expr, ()) => { IntGauge::new($full, $help)? };
    (@make IntCounterVec $full:literal, $help:expr, ($($label:literal),+)) => {
        IntCounterVec::new(Opts::new($full, $help), &[$($label),+])?
    };
    (@make HistogramVec $full:literal, $help:expr, ($buckets:expr; $($label:literal),+)) => {
        HistogramVec::new(HistogramOpts::new($full, $help).buckets($buckets), &[$($label),+])?
    };
}

fn latencies() -> Vec<f64> {
    vec![0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0]
}

metrics! {
    /// Requests by method, route template and status.
    requests: IntCounterVec "deskwire_http_requests_total" ("method", "route", "status");
    /// Time to answer a request, in seconds, by method and route template.
    request_seconds: HistogramVec "deskwire_http_request_seconds" (latencies(); "method", "route");
    /// Connections that were refused because there were too many, by reason (full, address).
    connections_refused: IntCounterVec "deskwire_connections_refused_total" ("reason");
    /// Commands and closures that wait for a lane.
    lane_depth: IntGauge "deskwire_lane_depth" ();
    /// Threads of lanes that run: one on SQLite, two for each lane on servers.
    lanes: IntGauge "deskwire_lanes" ();
    /// Committed batches.
    batches: IntCounter "deskwire_batches_total" ();
    /// Commands and closures in committed batches; divided by the batches it gives their size.
    batch_commands: IntCounter "deskwire_batch_commands_total" ();
    /// Commands in the latest batch.
    last_batch: IntGauge "deskwire_last_batch_commands" ();
    /// Batches tried again after a conflict.
    batch_retries: IntCounter "deskwire_batch_retries_total" ();
    /// Batches split because a statement failed.
    batch_bisections: IntCounter "deskwire_batch_bisections_total" ();
    /// Commits whose outcome had to be looked up.
    unknown_commits: IntCounter "deskwire_unknown_commits_total" ();
    /// Commands that waited for a tenant held by another process.
    skips: IntCounter "deskwire_skipped_commands_total" ();
    /// Panics in the rules of one command, which was refused.
    command_panics: IntCounter "deskwire_command_panics_total" ();
    /// Restarts of long-lived tasks that panicked, by task.
    task_restarts: IntCounterVec "deskwire_task_restarts_total" ("task");
    /// Revs of all tenants that a follower of the log has yet to follow, by follower.
    follower_lag: IntGaugeVec "deskwire_follower_lag_revs" ("follower");
    /// Live sockets.
    sockets: IntGauge "deskwire_sockets" ();
    /// Sockets that resumed from a cursor.
    resumes: IntCounter "deskwire_socket_resumes_total" ();
    /// Times that a socket was told that durable frames were dropped.
    lags: IntCounter "deskwire_socket_lags_total" ();
    /// Sockets that the server closed, by close code.
    closes: IntCounterVec "deskwire_socket_closes_total" ("code");
    /// Times that missed changes were read back from the database.
    repairs: IntCounter "deskwire_feed_repairs_total" ();
    /// Cursors refused because they belong to another history.
    cursors_refused: IntCounter "deskwire_cursors_refused_total" ();
    /// Attempts to send a message of the message centre that ended, by channel and outcome.
    message_attempts: IntCounterVec "deskwire_message_attempts_total" ("channel", "outcome");
    /// Exports of all tenants that wait or are being written.
    exports_unfinished: IntGauge "deskwire_exports_unfinished" ();
    /// Bytes that this process wrote to files of exports.
    export_bytes: IntCounter "deskwire_export_bytes_total" ();
    /// Database connections in use.
    pool_in_use: IntGauge "deskwire_pool_connections_in_use" ();
    /// Database connections that are open.
    pool_open: IntGauge "deskwire_pool_connections" ();
    /// Reads and writes that had to wait for a pooled connection.
    pool_waits: IntCounter "deskwire_pool_waits_total" ();
}

impl Metrics {
    /// Counts one answered request.
    pub fn request(&self, method: &str, route: &str, status: u16, took: Duration) {
        let method = match method {
            "GET" | "POST" | "PUT" | "PATCH" | "DELETE" | "OPTIONS" | "HEAD" => method,
            _ => "other",
        };
        let mut digits = [0u8; 5];
        self.requests.with_label_values(&[method, route, decimal(status, &mut digits)]).inc();
        self.request_seconds.with_label_values(&[method, route]).observe(took.as_secs_f64());
    }

    /// Takes over what the lanes, the pool and the supervised tasks counted until now.
    pub fn collect(&self, journal: &Journal, db: &Db, tasks: &Tasks, lags: &Lags) {
        let statistics = journal.statistics();
        let counters = [
            (&self.batches, &statistics.batches),
            (&self.batch_commands, &statistics.commands),
            (&self.batch_retries, &statistics.retries),
            (&self.batch_bisections, &statistics.bisections),
            (&self.unknown_commits, &statistics.unknown_commits),
            (&self.skips, &statistics.skips),
            (&self.command_panics, &statistics.command_panics),
        ];
        for (counter, counted) in counters {
            counter.inc_by(counted.load(Ordering::Relaxed).saturating_sub(counter.get()));
        }
        let lanes = ("lane", statistics.lane_restarts.load(Ordering::Relaxed));
        for (task, restarts) in tasks.restarts().into_iter().chain([lanes]) {
            let counter = self.task_restarts.with_label_values(&[task]);
            counter.inc_by(restarts.saturating_sub(counter.get()));
        }
        for (follower, revs) in lags.all() {
            self.follower_lag.with_label_values(&[follower]).set(revs);
        }
        let gauge = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
        self.last_batch.set(gauge(statistics.last_batch.load(Ordering::Relaxed)));
        self.lanes.set(gauge(statistics.lanes_alive.load(Ordering::Relaxed)));
        self.lane_depth.set(gauge(journal.depth() as u64));
        let (in_use, open) = db.pool_state();
        self.pool_in_use.set(in_use.into());
        self.pool_open.set(open.into());
        self.pool_waits.inc_by(db.pool_waits().saturating_sub(self.pool_waits.get()));
    }

    /// Everything in Prometheus' text form.
    pub fn render(&self) -> Result<String> {
        let mut out = Vec::with_capacity(16 * 1_024);
        TextEncoder::new()
            .encode(&self.registry.gather(), &mut out)
            .map_err(|cause| Error::internal("the metrics could not be written").caused_by(cause))?;
        String::from_utf8(out).map_err(|cause| Error::internal("the metrics are not text").caused_by(cause))
    }
}

/// Writes a number without allocating: this runs for every request.
fn decimal(mut number: u16, digits: &mut [u8; 5]) -> &str {
    let mut start = digits.len();
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + (number % 10) as u8;
        number /= 10;
        start -= 1;
        if number == 0 {
            break;
        }
    }
    digits.get(start..).and_then(|used| std::str::from_utf8(used).ok()).unwrap_or("0")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_counted_by_template() -> Result<()> {
        let metrics = Metrics::new()?;
        metrics.request("GET", "/api/v1/conversations/{id}", 200, Duration::from_millis(3));
        metrics.request("BREW", "none", 405, Duration::ZERO);
        let text = metrics.render()?;
        assert!(text.contains(
            "deskwire_http_requests_total{method=\"GET\",route=\"/api/v1/conversations/{id}\",status=\"200\"} 1"
        ));
        assert!(text.contains("method=\"other\",route=\"none\",status=\"405\""));
        assert!(text.contains("deskwire_lane_depth 0"));
        Ok(())
    }

    #[test]
    fn decimals_are_written_whole() {
        for number in [0, 7, 200, 65_535] {
            assert_eq!(decimal(number, &mut [0; 5]), number.to_string());
        }
    }
}
