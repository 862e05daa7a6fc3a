//! What every route shares: problems, bodies, pages, limits, request ids. Owns how HTTP looks on every route;
//! knows no room and no table.

pub mod authorization;
pub mod client_ip;
pub mod cors;
pub mod fallback;
pub mod json;
pub mod limit;
pub mod middleware;
pub mod page;
pub mod parameters;
pub mod problem;

pub use client_ip::client_ip;
