//! Custom attributes: what a tenant says that its conversations and customers have.
//!
//! Owns the routes `/attributes` and `/members/{id}/attributes`, the tables `attribute` and `customer_attribute`, and the
//! reading of `conversation_attribute`. Does not own the kinds and limits of values (`domain::attribute`), the change of a
//! conversation's values (`journal::commands::Update`), nor the removal of what belongs to a deleted attribute
//! (`cleaning`).
//!
//! Invariants: every change is made under the lock of the tenant's log, so that no value is set of an attribute that is
//! deleted, and no choice goes that a value has; values of deleted attributes are shown nowhere; a customer is shown those
//! of attributes that are visible to it only.

pub mod api;
pub mod customers;
pub mod service;
pub mod store;

use utoipa_actix_web::service_config::ServiceConfig;

/// The routes of this module.
pub fn routes(config: &mut ServiceConfig<'_>) {
    api::routes(config);
    customers::routes(config);
}
