//! The documents: OpenAPI for the routes, AsyncAPI for the socket, and the portal that shows them. Owns what is
//! generated from the code; a test holds the committed files in `openapi/` against it.

pub mod asyncapi;
pub mod bounds;
pub mod client_rules;
pub mod conversation_problems;
pub mod examples;
pub mod frame_problems;
pub mod openapi;
pub mod portal;
pub mod problems;
pub mod schema_form;
pub mod schemas;
pub mod tables;

use actix_web::http::header;
use actix_web::{HttpResponse, get, web};
use bytes::Bytes;
use serde_json::Value;
use utoipa_actix_web::service_config::ServiceConfig;

use self::portal::Portal;
use crate::kernel::{Error, Result};

/// The documents of a running server, written once.
pub struct Documents {
    /// What the routes take and give.
    pub openapi: Value,
    openapi_json: Bytes,
    asyncapi_json: Bytes,
    portal: web::Data<Portal>,
}

impl Documents {
    /// The pages for people.
    pub fn portal(&self) -> web::Data<Portal> {
        self.portal.clone()
    }

    /// Generates the documents of the routes that `configure` mounts.
    pub fn new(configure: impl FnOnce(&mut ServiceConfig<'_>)) -> Result<Self> {
        let openapi = openapi::document(configure);
        let openapi_json = Bytes::from(text(&openapi)?);
        let asyncapi = asyncapi::document();
        let asyncapi_json = Bytes::from(text(&asyncapi)?);
        let portal = web::Data::new(Portal::new(&openapi, &asyncapi)?);
        Ok(Self { openapi, openapi_json, asyncapi_json, portal })
    }
}

/// A document as it is committed and served: indented, with a final line end.
pub fn text(document: &impl serde::Serialize) -> Result<String> {
    serde_json::to_string_pretty(document)
        .map(|text| text + "\n")
        .map_err(|cause| Error::internal("a document could not be written").caused_by(cause))
}

/// The routes of this module.
pub fn routes(config: &mut ServiceConfig<'_>) {
    config.service(get_openapi);
    config.service(get_asyncapi);
}

/// Read the OpenAPI document of these routes
///
/// Made from the code of this very server; clients are generated from it.
#[utoipa::path(tag = "service", security(()), responses((status = 200, description = "OpenAPI 3.1", body = Object)))]
#[get("/openapi.json")]
async fn get_openapi(documents: web::Data<Documents>) -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((header::CONTENT_TYPE, "application/json"))
        .body(documents.openapi_json.clone())
}

/// Read the AsyncAPI document of the socket
///
/// Made from the code of this very server: frames, close codes, limits, and the rules that clients keep.
#[utoipa::path(tag = "service", security(()), responses((status = 200, description = "AsyncAPI 3.0", body = Object)))]
#[get("/asyncapi.json")]
async fn get_asyncapi(documents: web::Data<Documents>) -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((header::CONTENT_TYPE, "application/json"))
        .body(documents.asyncapi_json.clone())
}
