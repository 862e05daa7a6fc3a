//! Ratings: what customers say of how they were served, and the links through which they say it without signing in.
//!
//! Owns the routes `/ratings`, `/rating-links` and `/conversations/{id}/rating`, and reads the table `rating`. Does not own
//! whether a conversation may be rated (`domain::rating`), nor the writing of ratings: a rating is an entry that the staff
//! see, so that it goes through the journal (`journal::commands::Rate`).
//!
//! Invariants: one rating for each end of a conversation; only its customer gives it; no agent sees the ratings of others,
//! and no agent can make a link, through which it could rate itself.

pub mod api;
pub mod service;
pub mod store;

pub use api::routes;
