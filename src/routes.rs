//! The table of contents of the HTTP interface: every module's routes, in the order of a client's life. Owns where
//! they are mounted (`/api/v1`); each module owns its own.
//!
//! A module offers `pub fn routes(config: &mut ServiceConfig)` that calls `config.service(handler)` for handlers
//! with `#[utoipa::path(tag = "…")]` over `#[get("/conversations/{id}")]`: whole paths and no `scope`, because a
//! scope would swallow the paths of modules that share its first segment; never `.route(…)`, which the documents
//! cannot see. An operation without `security` needs a bearer token; a public one says `security(())`.

use utoipa_actix_web::scope;
use utoipa_actix_web::service_config::ServiceConfig;

/// Mounts everything.
pub fn configure(config: &mut ServiceConfig<'_>) {
    config.configure(crate::health::routes);
    config.service(scope("/api/v1").configure(|config| {
        crate::auth::routes(config);
        crate::tenants::routes(config);
        crate::visitors::routes(config);
        crate::members::routes(config);
        crate::api_keys::routes(config);
        crate::audit::routes(config);
        crate::presence::routes(config);
        crate::groups::routes(config);
        crate::rooms::routes(config);
        crate::conversations::routes(config);
        crate::attributes::routes(config);
        crate::saved_filters::routes(config);
        crate::business_hours::routes(config);
        crate::bans::routes(config);
        crate::erasure::routes(config);
        crate::exports::routes(config);
        crate::sla::routes(config);
        crate::canned_replies::routes(config);
        crate::ratings::routes(config);
        crate::reports::routes(config);
        crate::search::routes(config);
        crate::queue::routes(config);
        crate::messages::routes(config);
        crate::attachments::routes(config);
        crate::sync::routes(config);
        crate::notifications::routes(config);
        crate::centre::routes(config);
        crate::gateway::routes(config);
        crate::documents::routes(config);
    }));
}
