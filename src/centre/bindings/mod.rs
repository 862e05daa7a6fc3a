//! Bindings: a person scans a QR code with WeChat, and template messages of the official account reach it.
//!
//! Owns the routes `/message-bindings` and the table `message_binding`. Does not own what WeChat's words mean
//! (`channels::wechat_qr`, `channels::wechat_follow`), that they are signed (`receipts`), nor who persons are to accounts
//! (`identities`).
//!
//! Invariants: a code binds one person, whom its maker may bind, to one openid, once, before its end, and only by an event
//! that WeChat signed for the account that the code is of; a person has one pending code at an account; a scene is known to
//! WeChat alone, here a hash of it is kept; what a person is to an account ends when it unfollows; whoever writes a code's
//! state holds its account.

pub mod api;
pub mod apply;
pub mod image;
pub mod routes;
pub mod service;
pub mod store;

pub use routes::routes;
