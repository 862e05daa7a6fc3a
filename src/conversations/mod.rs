//! Conversations: rooms with a log, their states, members and lists.

pub mod model;
