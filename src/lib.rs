//! # Deskwire: the map
//!
//! A headless customer-service messaging backend. Merchants' visitors talk to their agents over REST and WebSocket;
//! everything that anybody must not miss is an entry of a log, committed before it is acknowledged.
//!
//! ## The one idea
//! A tenant's life is one ordered log. Every conversation has a log with a dense `seq`; every change that readers
//! must learn takes the tenant's next `rev`. Resume, inbox, feed, followers and other processes all follow `rev`. What
//! staff say among themselves is the log of a second conversation behind the first (kind `backstage`), so a visitor
//! cannot be shown it by mistake: the visitor's log does not hold it.
//!
//! ## Layers, from the ground up
//! A module uses its own layer and those below it; `tests/api/tidy_layers.rs` holds that, and that no circle of files
//! grows.
//!
//! | layer | module | owns |
//! |---|---|---|
//! | kernel | [`kernel`] | ids, time, errors and their codes, secrets, text and JSON rules, supervised tasks, tasks that look at tenants now and then |
//! | database | [`db`] | connections to three databases, migrations, the second door for writing ([`db::Db::write`]) |
//! | domain | [`domain`] | actors, members, tenants, conversations, entries, content: types and rules without I/O; the one table of rights ([`domain::operation`]) |
//! | | [`settings`] | every flag and variable |
//! | journal | [`journal`] | the first door for writing: commands with their rules, lanes, the feed to readers, followers |
//! | ground of the features | [`security`] | tokens, passwords, the locks against guessing, revocations, secrets |
//! | | [`limits`], [`connections`] | rates of requests and frames; how many sockets an address and a member have |
//! | | [`attendance`] | who of the staff is connected to any process; whose conversations wait again for that |
//! | | [`cluster`] | what other processes on the same store committed; repair of holes |
//! | | [`assigning`] | has waiting conversations given to agents as soon as that may be possible |
//! | | [`docking`] | has the conversations that a group serves follow who comes into it and who leaves it; docks what waits for a group that serves as a whole |
//! | | [`lifecycle`] | has customers and agents reminded, and closes what customers left |
//! | | [`files`] | contents outside the database: their folder, their types, thumbnails, the scanner |
//! | | [`cleaning`] | the first follower: idle visitors, dead sessions, old receipts |
//! | | [`metrics`] | numbers for operators |
//! | what handlers share | [`app`] | the handles of the layers below, built once |
//! | http | [`http`] | what every request passes through: bounds, rates, bodies, problems |
//! | features | [`auth`] | sign-in, sessions, the caller of a request |
//! | | [`tenants`], [`members`], [`visitors`] | merchants, accounts, visitors and how they are recognised |
//! | | [`api_keys`] | keys with which programs act as service accounts |
//! | | [`audit`] | who did what to accounts, keys, groups, settings and rules |
//! | | [`presence`] | what the staff say that they are, whether they are connected, how many conversations they serve, and the history of it |
//! | | [`groups`] | standing groups of the staff and who is in them; whose conversations a member sees |
//! | | [`attributes`] | what a tenant says that its conversations and customers have, and the values of customers |
//! | | [`saved_filters`] | filters of conversations that the staff keep, and the search by a filter |
//! | | [`business_hours`] | when the desk and its groups are open |
//! | | [`bans`] | which customers are not let in any more; who is banned stands in memory ([`journal::bans`], [`security::bans`]) |
//! | | [`erasure`] | taking away what is known of a person, and what old conversations say |
//! | | [`exports`] | everything that is kept of a tenant or of a person, written to a file |
//! | | [`canned_replies`] | texts that the staff have ready |
//! | | [`ratings`] | what customers say of how they were served |
//! | | [`reports`] | numbers of the work of a desk by agent, group, tenant and time, counted by a follower of the log |
//! | | [`sla`] | how fast customers are to be answered: policies, clocks kept by a follower of the log, and who is told when a target is missed |
//! | | [`rooms`] | what the staff say among themselves, apart from any customer |
//! | | [`queue`] | the waiting conversations, offers to agents, why routing chose or would choose |
//! | | [`conversations`], [`messages`] | their routes, views and reads |
//! | | [`attachments`] | the files that members send: announced, uploaded, read through short links, cleaned up |
//! | | [`notifications`] | what members are told inside the product, and what they have read of it |
//! | | [`search`] | messages and notes by their words, conversations by subject, accounts by name and number; the index and the followers that write it |
//! | | [`sync`] | reading positions, exact unread, inbox, deltas, the tenant's feed |
//! | | [`centre`] | the message centre: events, rules, templates, channel accounts, sends and the dispatcher |
//! | gateway | [`gateway`] | the socket: frames, sessions, fan-out, resume, drain |
//! | documents | [`documents`], [`health`] | OpenAPI and AsyncAPI, generated from the same types; the portal that shows them ([`documents::portal`]); probes |
//! | server | [`routes`], [`server`] | where every route is mounted; start and stop |
//! | programs | [`cli`], [`replay`], [`conform`], [`simulate`], [`import`] | the program's sub-commands; the demo, load program and judge; the scripted server that tests clients; the comparison of routing strategies; what brings other systems' data into a tenant |
//!
//! A feature holds at most `mod.rs` (what it owns), `api.rs` and `routes.rs` (bodies and handlers), `service.rs`
//! (use-cases, called by REST and socket alike), `view.rs` (what readers see), `store.rs` (queries; each takes the
//! tenant).
//!
//! ## One message walked through
//! 1. `gateway` reads a `message.send` frame, or `messages::routes` a `POST …/messages`; both call
//!    [`messages::service::send`], which checks the content and submits a [`journal::Command`].
//! 2. `journal::queue` holds it (bounded, with a share for each tenant and a deadline) until the lane's thread takes it
//!    with whatever else waits: the previous commit is the timer.
//! 3. `journal::batch` locks the tenants (`journal::store::transaction`), loads what the commands want
//!    (`journal::wants`), decides each in plain Rust (`journal::commands`), flushes in bulk (`journal::store`) and
//!    commits.
//! 4. `journal::lane` answers the callers, then hands [`journal::Changes`] to the [`journal::Feed`].
//! 5. Each worker's hub in `gateway` gives the entry to its own sockets, serialised once. Whoever sees a hole in the
//!    revs has it read back from the store, once for the process (`cluster`): the same path after an overflow, a
//!    panic, or another process's write.
//!
//! ## How to add
//! - **A command**: a file under `journal/commands` (its fields, `wants`, `decide`) and a line in the list of
//!   `journal/commands/mod.rs`; a notice of its own is a variant of [`domain::entry::EntryKind`]. Then a function in
//!   the feature's `service.rs`, a handler, and a test in `tests/api`.
//! - **A table of the journal**: migrations for the three databases, `db/schema.rs`, a row in `domain`, its list in
//!   `journal/store/columns.rs` with its lines in `flush`, and how it is loaded when commands read it back. A forgotten
//!   column does not compile or fails a test. Any other table: migrations, schema, and a `store.rs`.
//! - **A frame**: see `gateway::protocol::table`.
//! - **A route**: a handler with `#[utoipa::path]` in the feature, registered in its `routes`; the documents
//!   and the portal follow. What an API key must allow for it stands in `http::api_keys`; what it changes of settings
//!   and accounts is told by [`app::App::auditor`] in the same transaction.
//! - **An example**: every operation and frame needs one; make it happen in `tests/api/examples`.
//! - **A page of the portal**: see [`documents::portal`].
//! - **A follower of the log**: a type that implements `journal::follower::Follower`, started in [`app`].
//! - **A long-lived task**: [`kernel::tasks::Tasks::spawn`], with handles of its own; it must rebuild its state from the
//!   store when it is started again.
//!
//! ## Glossary
//! | term | meaning |
//! |---|---|
//! | tenant | a merchant; nothing crosses from one to another |
//! | group | staff who serve together; a support conversation can be a group's matter |
//! | member | an account: customer (a visitor), bot, agent, supervisor or administrator |
//! | bot | a program that answers a customer before the staff do, by a service account of that role |
//! | service account | an account of the staff that a program uses, by its API keys |
//! | conversation | a log with members; a support conversation belongs to one customer |
//! | room | a conversation of the staff without a customer, seen by who is in it only |
//! | docked | served by a whole group instead of one agent |
//! | backstage | the conversation behind a support conversation that only staff read; its messages are notes |
//! | entry | one row of a log: a message (somebody said something) or a notice (something happened) |
//! | `seq` | the position of an entry in its log: dense, from 1 |
//! | *rev* | the position of a change in its tenant's history: without holes in commit order |
//! | cursor | an opaque text that names a rev for one member of one store |
//! | participant | a member's row of a conversation: membership and positions; shown to it as an inbox row |
//! | attachment | a file that one message carries |
//! | stored file | bytes in the folder of files; equal ones of a tenant are kept once |
//! | command | one thing that is asked of the journal; decided with the present state in hand |
//! | working set | the rows that a batch loaded, and what its commands made of them |
//! | message event | something that happened, told to the message centre; rules make messages of it |
//! | send | one message of the message centre to one receiver: the queue and the record of it |
//! | recipient | a person to whom a rule sends: the customer of an event, one of the staff, or a message recipient |
//! | digest | events that a rule collects and sends as one message |
//! | suppression | an address to which nothing is sent on a channel |
//! | receipt | what a provider says later of a message that it took: whether it arrived |
//! | binding | a QR code of WeChat that ties a person to its openid at an official account, once |
//! | channel account | where messages go: an address of a merchant, or its account with a provider |
//! | lane | a thread that commits batches of commands on a connection of its own |
//! | stretch | a conversation from its opening or reopening to its end |
//! | posting | where a token of the search index stands: a rev and a hash of its conversation |
//! | feed | committed changes on their way to the readers of this process |
//! | follower | durable work behind the log, with a stored cursor and a lease |
//! | hub | the sockets of one worker thread, and the task that serves them |
//!
//! ## Invariants that hold everywhere
//! An acknowledged write is committed. `(conversation, sender, client_msg_id)` names one entry for ever. `seq` is
//! dense; order never depends on clocks. Every query takes the tenant. No Diesel on async workers; no lock across
//! I/O; every queue has an end and every wait a limit; no long-lived task dies silently.

pub mod kernel;

pub mod settings;

pub mod domain;

pub mod db;

pub mod limits;

pub mod security;

pub mod auth;

pub mod tenants;

pub mod members;

pub mod api_keys;
pub mod audit;

pub mod visitors;

pub mod presence;

pub mod groups;

pub mod attributes;
pub mod bans;
pub mod business_hours;
pub mod canned_replies;

pub mod erasure;
pub mod exports;

pub mod ratings;
pub mod reports;
pub mod saved_filters;
pub mod sla;

pub mod rooms;

pub mod conversations;

pub mod messages;

pub mod attachments;

pub mod journal;

pub mod search;

pub mod sync;

pub mod centre;

pub mod attendance;

pub mod connections;

pub mod files;

pub mod gateway;

pub mod cluster;

pub mod cleaning;

pub mod assigning;

pub mod docking;

pub mod lifecycle;

pub mod notifications;
pub mod queue;

pub mod http;

pub mod server;

pub mod routes;

pub mod documents;

pub mod metrics;

pub mod health;

pub mod app;

pub mod cli;

pub mod import;

pub mod replay;

pub mod simulate;

pub mod conform;
