//! Exports: everything that is kept of a tenant, or of a person, written to a file of gzip with one JSON object a line.
//!
//! Owns the routes `/exports`, the table `export`, the files, the work that writes and removes them, and [`tables`], which
//! says of every table whether and how it is in an export. Does not own where the folder is (`files`).
//!
//! Invariants: the row is there before its file and says until when it is to be removed; a file is written by one process at
//! a time, piece by piece, each a gzip member of its own, and `byte_count` says how much of it is whole, so that a death at any
//! point costs one piece; every owner writes to a file of its own name, so that one that was stopped and goes on cannot
//! spoil it; no secret and no hash of one is read; an erasure ends every export that may hold what it takes.

pub mod api;
mod entries;
pub mod erase;
mod file;
mod form;
mod piece;
mod place;
mod scope;
mod service;
pub mod store;
mod sweep;
pub mod tables;
pub mod window;
mod worker;

use std::sync::Arc;

use crate::app::App;

pub use api::routes;

/// Starts what writes exports and what removes their files, where there is a folder. Must be called on a tokio runtime.
pub fn spawn_tasks(app: &Arc<App>) {
    let Ok(folder) = app.files.folder().cloned() else { return };
    worker::spawn(app, &folder);
    sweep::spawn(app, &folder);
}
