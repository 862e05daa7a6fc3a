//! Business hours: when the tenant's desk and its groups are open.
//!
//! Owns the routes `/business-hours` and the tables `business_hours` and `business_hours_group`. Does not own what the hours
//! say of an instant (`domain::business_hours`).
//!
//! Invariants: a group has at most one of them, and so has what is no such group's; without any, a desk is always open.
//! Nothing is refused because a desk is closed: the answer of the queue and the events of rules say it.

pub mod api;
pub mod check;
pub mod service;
pub mod store;

pub use api::routes;
