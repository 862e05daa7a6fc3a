//! Saved filters, and the search for conversations by a filter.
//!
//! Owns the routes `/saved-filters`, `POST /conversations/search` and `GET /conversations/{id}/saved-filters`, and the table
//! `saved_filter`. Does not own the language of filters (`domain::filter`), nor which conversations a member sees
//! (`conversations::access`), nor the removal of what a deleted member kept for itself (`cleaning`).
//!
//! Invariants: a search finds nothing that the caller could not list; one request looks at a bounded number of
//! conversations; a saved filter is read anew with the attributes of today, and a condition over one that is gone never
//! holds; changes of a tenant's filters wait for each other, since they are counted.

pub mod api;
pub mod routes;
pub mod search;
pub mod service;
pub mod store;

use utoipa_actix_web::service_config::ServiceConfig;

/// The routes of this module.
pub fn routes(config: &mut ServiceConfig<'_>) {
    api::routes(config);
    routes::routes(config);
}
