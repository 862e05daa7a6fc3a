//! Log lines: when, how bad, where, for which request, what. Owns their form; secrets never reach it, because their
//! type does not print itself.

use std::io::Write;

use crate::kernel::{Clock, trace};

/// Starts logging to standard error with a filter such as `info,deskwire::http=debug`.
pub fn start(filter: &str) {
    let clock = Clock::default();
    let started = env_logger::Builder::new()
        .parse_filters(filter)
        .format(move |out, record| {
            let style = out.default_level_style(record.level());
            let (now, level, target) = (clock.now(), record.level(), record.target());
            let request_id = trace::request_id();
            let request_id = request_id.as_deref().unwrap_or("-");
            writeln!(out, "{now} {style}{level:<5}{style:#} {target} [{request_id}] {}", record.args())
        })
        .try_init();
    // Somebody else's logger stays: the program can be started twice in one process by tests.
    drop(started);
}
