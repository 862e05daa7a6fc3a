//! Bringing another system's data into a tenant: the program behind `deskwire import`.
//!
//! Owns which tables are known and what becomes of each column ([`tables`]), the order of the work, and the report. Does not own
//! how another system's rows are read (`db::foreign`), nor how conversations are written (`journal::commands::ImportLog`).
//!
//! Invariants: what a row became is kept in `import_row` in the transaction that made it, or, of what the journal writes, before
//! it, and entries have keys of their own; so a run that ends anywhere and is repeated ends as one that did not, and two runs at
//! once make nothing twice. Each row that is read is counted once: imported, there already, or refused with a reason. Tables are
//! read in slices; of a dry run, which writes nothing, the ids of accounts and conversations stand in memory. Nothing that the
//! tenant had before is changed.

mod accounts;
mod centre;
mod chats;
mod ledger;
mod logs;
mod person;
mod report;
mod row;
mod run;
mod sends;
mod state;
mod store;
pub mod tables;
mod templates;

pub use report::{Line, Outcome, Report, TableReport};
pub use run::{Asked, import};
