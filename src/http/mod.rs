//! What every route shares: problems, bodies, pages, limits, request ids, connections. Owns how HTTP looks on every route;
//! knows no feature and no table.

pub mod admission;
pub mod api_keys;
pub mod authorization;
pub mod client_ip;
pub mod connection;
pub mod cors;
pub mod etag;
pub mod fallback;
pub mod idempotency;
pub mod json;
pub mod middleware;
pub mod page;
pub mod parameters;
pub mod problem;

pub use client_ip::client_ip;
