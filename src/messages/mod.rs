//! Messages: what may be said, and the entries of the log.

pub mod model;
