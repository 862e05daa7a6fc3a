//! Several processes on one store. Owns the tail: a task that learns from `tenant_log` what other processes
//! committed, for the tenants that somebody of this process follows. The store is the truth; a bus would only be
//! faster.

pub mod tail;
