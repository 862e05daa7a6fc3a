//! Search: messages and notes by their words, conversations by their subjects, accounts by what they are called.
//!
//! Owns the routes `/search`, the index (tables `search_posting` for messages and `search_term` for the others) and the followers
//! that write it. Does not own how texts
//! are cut and compared (`domain::search`), nor who may see what (`conversations::access`).
//!
//! Invariants: the index only proposes, and the log decides. What is shown was read from the log in the same read, by somebody
//! who may see its conversation now, and holds the words now; so an index that is behind never shows what an edit, a recall or a
//! lost right took away. What it does not hold yet, new messages and edited ones, is read from the log itself, up to a limit, and
//! an answer says so when it did not look at everything.

pub mod api;
mod backfill;
mod check;
pub mod erase;
mod find;
pub mod index;
mod objects;
mod postings;
pub mod rebuild;
pub mod service;
mod store;
pub mod terms;
mod walk;

use std::sync::Arc;

pub use api::routes;

use crate::app::App;

/// What a search found. A place is where it goes on.
#[derive(Debug, Clone)]
pub struct Found<Hit, Place> {
    /// The newest first.
    pub hits: Vec<Hit>,
    /// Behind which place it goes on, when it does.
    pub next: Option<Place>,
    /// Whether everything between was looked at.
    pub is_complete: bool,
}

impl<Hit, Place> Found<Hit, Place> {
    /// There is nothing.
    pub const fn nothing() -> Self {
        Self { hits: Vec::new(), next: None, is_complete: true }
    }
}

/// Starts what writes the index. Must be called on a tokio runtime.
pub fn spawn_tasks(app: &Arc<App>) {
    app.follow(Arc::new(index::Indexer::new(app)));
    app.follow(Arc::new(backfill::Backfill { db: app.db.clone() }));
}
