//! The OpenAPI document, from the mounted routes. Owns what all operations share: the introduction, tags, security,
//! problems.

use actix_web::App as ActixApp;
use utoipa::openapi::path::Operation;
use utoipa::openapi::schema::{AdditionalProperties, ArrayItems, Schema, SchemaType, Type};
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityRequirement, SecurityScheme};
use utoipa::openapi::tag::TagBuilder;
use utoipa::openapi::{ContentBuilder, InfoBuilder, License, OpenApi, Ref, RefOr, ResponseBuilder, Server};
use utoipa_actix_web::AppExt;
use utoipa_actix_web::service_config::ServiceConfig;

use super::tables;
use crate::http::problem::Problem;
use crate::kernel::FieldError;
use crate::sync::api::Include;

/// The conversations' tags, in the order in which a client meets them.
pub const TAGS: &[(&str, &str)] = &[
    ("auth", "Signing in and out, sessions, the own account."),
    ("tenants", "Merchants, and the keys with which they sign their visitors' identities."),
    ("visitors", "Visitors, anonymous or identified by their tenant."),
    ("members", "Accounts of a tenant."),
    ("conversations", "Conversations: opening, serving, closing."),
    ("messages", "Sending, changing and reading the log of a conversation."),
    ("reading", "Read and delivered positions."),
    ("sync", "Inbox, what changed since a cursor, and the tenant's whole feed."),
    ("socket", "The WebSocket; its frames are in the AsyncAPI document."),
    ("service", "Probes, numbers, documents."),
];

/// Builds the document of the routes that `configure` mounts.
pub fn document(configure: impl FnOnce(&mut ServiceConfig<'_>)) -> OpenApi {
    let (_, mut document) =
        ActixApp::new().into_utoipa_app().openapi(base()).configure(configure).split_for_parts();
    document.paths.paths.values_mut().flat_map(operations).for_each(complete);
    let schemas = document.components.iter_mut().flat_map(|components| components.schemas.values_mut());
    schemas.for_each(open_objects);
    name_items(&mut document);
    document
}

/// Lets lists of pages refer to their rows by name: a generic page holds its row in full, which generators would
/// give a type of its own.
fn name_items(document: &mut OpenApi) {
    let Some(components) = &mut document.components else { return };
    let known = components.schemas.clone();
    for schema in components.schemas.values_mut() {
        let RefOr::T(Schema::Object(object)) = schema else { continue };
        for property in object.properties.values_mut() {
            let RefOr::T(Schema::Array(array)) = property else { continue };
            let ArrayItems::RefOrSchema(items) = &mut array.items else { continue };
            if let Some((name, _)) = known.iter().find(|(_, one)| **one == **items) {
                **items = Ref::from_schema_name(name).into();
            }
        }
    }
}

/// Says of objects that are described by no field that they hold anything: generators take them for empty else.
fn open_objects(schema: &mut RefOr<Schema>) {
    let RefOr::T(schema) = schema else { return };
    match schema {
        Schema::Object(object) => {
            let is_object = object.schema_type == SchemaType::Type(Type::Object);
            if is_object && object.properties.is_empty() && object.additional_properties.is_none() {
                object.additional_properties = Some(Box::new(AdditionalProperties::FreeForm(true)));
            }
            object.properties.values_mut().for_each(open_objects);
        }
        Schema::Array(array) => {
            if let ArrayItems::RefOrSchema(items) = &mut array.items {
                open_objects(items);
            }
        }
        Schema::OneOf(one) => one.items.iter_mut().for_each(open_objects),
        Schema::AllOf(all) => all.items.iter_mut().for_each(open_objects),
        Schema::AnyOf(any) => any.items.iter_mut().for_each(open_objects),
        _ => {}
    }
}

fn base() -> OpenApi {
    #[derive(utoipa::OpenApi)]
    #[openapi(components(schemas(Problem, FieldError, Include)))]
    struct Base;
    let mut base = <Base as utoipa::OpenApi>::openapi();
    base.info = InfoBuilder::new()
        .title("Deskwire")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(description()))
        .license(Some(License::builder().name("Apache-2.0").identifier(Some("Apache-2.0")).build()))
        .build();
    base.servers = Some(vec![Server::new("/")]);
    let tag = |(name, text): &(&str, &str)| TagBuilder::new().name(*name).description(Some(*text)).build();
    base.tags = Some(TAGS.iter().map(tag).collect());
    if let Some(components) = &mut base.components {
        let mut bearer = Http::new(HttpAuthScheme::Bearer);
        bearer.bearer_format = Some("JWT".to_owned());
        bearer.description =
            Some("The access token of `/auth/login`, `/auth/refresh` or `/visitors`.".to_owned());
        components.add_security_scheme("bearer", SecurityScheme::Http(bearer));
    }
    base
}

/// The operations of a path.
pub fn operations(item: &mut utoipa::openapi::PathItem) -> impl Iterator<Item = &mut Operation> {
    [&mut item.get, &mut item.post, &mut item.put, &mut item.patch, &mut item.delete]
        .into_iter()
        .filter_map(Option::as_mut)
}

/// Adds what every operation shares.
fn complete(operation: &mut Operation) {
    let security =
        operation.security.get_or_insert_with(|| vec![SecurityRequirement::new("bearer", [] as [&str; 0])]);
    let public = serde_json::to_value(&*security).is_ok_and(|list| list == serde_json::json!([{}]));
    if public {
        // The way in which OpenAPI says that nothing is needed.
        security.clear();
    }
    let mut add = |status: &str, description: &str| {
        let problem = ResponseBuilder::new()
            .description(description)
            .content(
                "application/problem+json",
                ContentBuilder::new().schema(Some(Ref::from_schema_name("Problem"))).build(),
            )
            .build();
        operation.responses.responses.entry(status.to_owned()).or_insert(problem.into());
    };
    if !public {
        add(
            "401",
            "No valid access token: `unauthenticated`, `token_invalid`, `token_expired`, `session_revoked`.",
        );
    }
    if operation.request_body.is_some() {
        add("413", "The body is too large: `payload_too_large`.");
        add("415", "The body is not JSON: `unsupported_media_type`.");
        add("422", "A field is missing, unknown or wrong: `validation_failed`; `errors` says which.");
    }
    if operation.tags.as_ref().is_none_or(|tags| tags.iter().all(|tag| tag != "service")) {
        add("400", "A parameter or the JSON itself has a wrong form: `invalid_parameter`, `malformed_json`.");
        add("429", "Too many requests: `rate_limited`, `tenant_busy`; wait for `Retry-After`.");
        add("503", "Busy, draining, or without its database: repeat after `Retry-After`.");
    }
    add("default", "A problem; `code` says which.");
}

fn description() -> String {
    format!(
        "Deskwire is a headless customer-service messaging backend. Each tenant's visitors talk to its staff in \
         conversations; every conversation is a log of entries, numbered 1, 2, 3… without holes; reading from a \
         number or a cursor gives exactly what is missing. The socket at `/api/v1/ws` is described in \
         `/api/v1/asyncapi.json`.\n\n\
         ## Rules\n\n\
         - Ids are strings of digits; `seq`, `rev` and versions are numbers; times are RFC 3339 in UTC; cursors are \
         opaque.\n\
         - Unknown fields are refused in what you send. In what you receive fields, enum values and entry kinds may \
         grow: ignore what you do not know.\n\
         - Lists are `{{data, next_cursor}}`; give `next_cursor` as `cursor` to read on. `limit` is 1 to 200.\n\
         - A message is sent once per `client_msg_id`, for ever: repeat the same request after a lost answer and you \
         get the first answer. The same key with another body is refused. Other actions may be repeated safely: \
         what already holds is answered with 200.\n\
         - No right to see answers 404, may see but not do answers 403.\n\
         - `X-Request-Id` (1 to 64 of `A-Z a-z 0-9 . _ : -`) is taken from the request or made, and stands in the \
         answer, in problems and in the log.\n\
         - `RateLimit-Limit`, `RateLimit-Remaining` and `RateLimit-Reset` tell how many requests may come at once, how \
         many are left and in how many seconds all are back; `429` and `503` carry `Retry-After`.\n\n\
         ## Problems\n\n\
         Every answer that is not 2xx is `application/problem+json` (RFC 9457) with a `code` of this table. `retryable` \
         means that the very same request may succeed later.\n\n{}\n\
         ## Rights\n\n\
         Per role: `never`; `own` (what the member itself owns); `inside` (conversations that it is in); `visible` \
         (those and the waiting ones); `tenant` (everything of the tenant).\n\n{}\n\
         ## Entry kinds\n\n{}",
        tables::error_codes().markdown(),
        tables::rights().markdown(),
        tables::entry_kinds().markdown(),
    )
}
