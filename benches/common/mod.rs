//! What the benches share: cheap clients, a server in this process or in a child, and the way numbers are printed.
//! The benches measure; they do not judge. Every number stands beside a ceiling that was measured in the same run.

#![allow(dead_code, missing_docs, reason = "each bench uses its part; these are programs, not a library")]

pub mod cast;
pub mod ceiling;
pub mod child;
pub mod databases;
pub mod http;
pub mod own;
pub mod socket;

use std::io::Write;
use std::time::Duration;

/// The allocator of the program.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// What ends a bench.
pub type Outcome<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// One line of the result.
pub fn say(line: impl std::fmt::Display) {
    let _ = writeln!(std::io::stdout().lock(), "{line}");
}

/// Prints the head of a table of results.
pub fn head() {
    say("| work | measured | against | ratio | must | aim |\n|---|---|---|---|---|---|");
}

/// Prints one result as a row of the table in `benches/README.md`; `–` stands where there is nothing to say.
pub fn row(cells: [&str; 6]) {
    say(format!("| {} |", cells.map(|cell| if cell.is_empty() { "–" } else { cell }).join(" | ")));
}

/// The middle one.
pub fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
}

/// Milliseconds.
pub fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1_000.0
}

/// The runtime that clients and the server of this process share.
pub fn runtime() -> Outcome<tokio::runtime::Runtime> {
    Ok(tokio::runtime::Builder::new_multi_thread().enable_all().build()?)
}

/// The flag that cargo adds.
#[derive(Debug, clap::Args)]
pub struct FromCargo {
    /// Set by cargo bench.
    #[arg(long, hide = true)]
    pub bench: bool,
}
