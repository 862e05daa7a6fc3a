//! Tenants: the merchants that share one service, their settings, and the keys with which they sign their visitors'
//! identities.

pub mod model;
