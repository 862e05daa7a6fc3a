//! Filters of conversations: conditions over what a conversation is, joined by `all`, `any` and `not`. No I/O.
//!
//! Owns the language ([`parse`]), the one table of fields ([`field`]), and its two readings: a condition of SQL ([`sql`])
//! and a predicate over a row ([`tree`]). Invariant: both readings give the same of every row on every database: a
//! condition over what a conversation has not is false and never unknown, texts are compared byte by byte, and times by the
//! millisecond.

pub mod cell;
pub mod field;
pub mod parse;
pub mod sql;
pub mod tree;

use super::attribute::ATTRIBUTE_KEY_MAX;

/// Most levels of `all`, `any` and `not`.
pub const FILTER_DEPTH_MAX: usize = 4;
/// Longest name of a field, in characters: `attributes.` and the longest key.
pub const FILTER_FIELD_MAX: usize = 11 + ATTRIBUTE_KEY_MAX;
/// Most conditions in all.
pub const FILTER_CONDITIONS_MAX: usize = 20;
/// Most values of a `one_of`.
pub const FILTER_VALUES_MAX: usize = 50;
/// Most values of all `one_of` together: a database may look at each of them for each conversation.
pub const FILTER_VALUES_ALL_MAX: usize = 200;
/// Longest text of a value, in characters.
pub const FILTER_TEXT_MAX: usize = 500;
/// Longest filter, in bytes of JSON.
pub const FILTER_BYTES_MAX: usize = 65_536;
/// Longest time that a condition looks back or ahead from now, in seconds: ten years.
pub const FILTER_SECONDS_MAX: i64 = 315_360_000;
