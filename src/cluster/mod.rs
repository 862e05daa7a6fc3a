//! What the process learns from the store instead of from its own lanes. Owns the tail, a task that learns from
//! `tenant_log` what other processes committed, for the tenants that somebody of this process follows; and the
//! repair, a task that reads what a reader missed. The store is the truth; a bus would only be faster.

pub mod repair;
pub mod tail;
