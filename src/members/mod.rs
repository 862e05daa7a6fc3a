//! Members: every account of a tenant, be it visitor, agent, supervisor or administrator.
//!
//! Owns what an account holds, sub-accounts, and the routes `/members` and `/me`. Does not own sign-in (`auth`) nor
//! how a visitor becomes a member (`visitors`).
//!
//! Invariants: a login name and an external id are unique within the tenant; a sub-account's role is at most its
//! parent's; nobody can take the own rights away, so a tenant keeps an administrator.

pub mod api;
pub mod input;
pub mod profile;
pub mod service;
pub mod store;
pub mod view;

pub use api::routes;
