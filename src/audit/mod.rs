//! The audit log: who did what to the tenant's accounts, keys, groups, settings and rules, when, from where, and what was
//! before and after.
//!
//! Owns the route `/audit-events` and reading the table `audit_event`. Does not own what is told of an act (`domain::audit`)
//! nor the storing of it (`journal::audit`, in the transaction of the act): each feature notes its own acts. There is no
//! route that writes; what is older than `DESKWIRE_AUDIT_DAYS` is forgotten by `cleaning`.

pub mod api;
pub mod service;
pub mod store;

pub use api::routes;
