//! Members: every account of a tenant, be it visitor, agent, supervisor or administrator.

pub mod model;
