//! # Deskwire: the map
//!
//! A headless customer-service messaging backend. Merchants' visitors talk to their agents over REST and WebSocket;
//! everything that anybody must not miss is an entry of a log, committed before it is acknowledged.
//!
//! ## The one idea
//! A tenant's life is one ordered log. Every conversation is a room with a dense `seq`; every change that readers
//! must learn takes the tenant's next `rev`. Resume, inbox, feed and other processes all follow `rev`. What staff
//! say among themselves lives in a second room behind the conversation (kind `backstage`), so a visitor cannot be
//! shown it by mistake: the visitor's log does not hold it.
//!
//! ## Rooms, in reading order
//! | room | owns |
//! |---|---|
//! | [`kernel`] | ids, time, errors and their codes, secrets, text rules, supervised tasks |
//! | [`settings`] | every flag and variable |
//! | [`db`] | connections to three databases, migrations, the second door for writing ([`db::Db::write`]) |
//! | [`domain`] | actors, members, tenants, conversations, entries, content: types and rules without I/O; the one table of rights ([`domain::permission`]) |
//! | [`limits`] | how much one member or address may ask for, over REST and sockets together |
//! | [`security`] | tokens, passwords, the locks against guessing, revocations, secrets |
//! | [`auth`] | sign-in, sessions, the caller of a request |
//! | [`tenants`], [`members`], [`visitors`] | merchants, accounts, visitors and how they are recognised |
//! | [`conversations`], [`messages`] | what rooms and entries are, their routes and reads |
//! | [`journal`] | the first door for writing: commands, rules, lanes, the feed to readers |
//! | [`sync`] | reading positions, exact unread, inbox, deltas, the tenant's feed |
//! | [`gateway`] | the socket: frames, sessions, fan-out, resume, drain |
//! | [`cluster`] | what other processes on the same store committed |
//! | [`cleaning`] | what nobody will ask for again is taken away: the first follower of the log ([`journal::follower`]) |
//! | [`http`], [`server`], [`routes`] | what every request passes through; where every route is mounted |
//! | [`documents`] | OpenAPI and AsyncAPI, generated from the same types |
//! | [`metrics`], [`health`] | numbers and probes |
//! | [`app`] | one server: what the rooms share, start and stop |
//! | [`cli`], [`replay`] | the program's sub-commands; the demo, load program and judge |
//!
//! A room holds at most `mod.rs` (what it owns), `model.rs` (types and rules, no I/O), `routes.rs`/`api.rs`
//! (handlers and their bodies), `service.rs` (use-cases, called by REST and socket alike), `store.rs` (queries; each
//! takes the tenant).
//!
//! ## The dependency rule
//! `kernel` knows nobody. `db` and `http` know `kernel`. A room's `model` does no I/O; its `store` knows `db`; its
//! `service` knows stores and the journal; its handlers know `http` and the service. The journal knows models and
//! `db`, never HTTP or sockets. The gateway calls services. `app`, `server`, `routes`, `documents` and `cli` know
//! everybody.
//!
//! ## One message walked through
//! 1. `gateway` reads a `message.send` frame, or `messages::routes` a `POST …/messages`; both call
//!    [`messages::service::send`], which checks the body and submits a [`journal::Command`].
//! 2. `journal::queue` holds it (bounded, with a share for each tenant) until the lane's thread takes it with
//!    whatever else waits: the previous commit is the timer.
//! 3. `journal::batch` locks the tenants (`journal::store::transaction`), loads the working set
//!    (`journal::store::load`), decides each command in plain Rust (`journal::decide`), flushes in bulk
//!    (`journal::store::flush`) and commits.
//! 4. `journal::lane` answers the callers, then hands [`journal::Changes`] to the [`journal::Feed`].
//! 5. Each worker's hub in `gateway` gives the entry to its own sockets, serialised once. Whoever sees a hole in the
//!    revs reads the store (`journal::history`): the same path after an overflow, a panic, or another process's
//!    write (`cluster::tail`).
//!
//! ## Invariants that hold everywhere
//! An acknowledged write is committed. `(conversation, sender, client_msg_id)` names one entry for ever. `seq` is
//! dense; order never depends on clocks. Every query takes the tenant. No Diesel on async workers; no lock across
//! I/O; every queue has an end.

pub mod kernel;

pub mod settings;

pub mod domain;

pub mod db;

pub mod limits;

pub mod security;

pub mod auth;

pub mod tenants;

pub mod members;

pub mod visitors;

pub mod conversations;

pub mod messages;

pub mod journal;

pub mod sync;

pub mod connections;

pub mod gateway;

pub mod cluster;

pub mod cleaning;

pub mod http;

pub mod server;

pub mod routes;

pub mod documents;

pub mod metrics;

pub mod health;

pub mod app;

pub mod cli;

pub mod replay;
