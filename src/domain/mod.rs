//! The domain: what conversations, entries, members and tenants are, and who may do what with them.
//!
//! Owns the rows that the journal keeps, their states, the content of messages and the one table of rights
//! ([`operation`]). Types and rules only: no I/O, no HTTP, no sockets. It stands below the journal and every feature
//! module, and uses only `kernel` and `db` (column types and the schema).

pub mod actor;
pub mod api_key;
pub mod attachment;
pub mod attribute;
pub mod attribute_value;
pub mod audit;
mod audit_facts;
pub mod ban;
pub mod business_hours;
pub mod canned_reply;
pub mod centre;
pub mod content;
pub mod conversation;
pub mod entry;
pub mod erasure;
pub mod export;
pub mod filter;
pub mod group;
pub mod member;
pub mod notice;
pub mod offer;
pub mod operation;
pub mod permission;
pub mod presence;
pub mod rating;
pub mod report;
pub mod routing;
pub mod saved_filter;
pub mod search;
pub mod sla;
pub mod tenant;
pub mod timers;
pub mod transfer;
