//! The OpenAPI document, from the mounted routes. Owns what all operations share: security, problems, tags.

use actix_web::App as ActixApp;
use utoipa::openapi::OpenApi;
use utoipa::openapi::path::Operation;
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{ContentBuilder, Ref, ResponseBuilder};
use utoipa_actix_web::AppExt;

use crate::http::problem::Problem;
use crate::kernel::FieldError;

/// Builds the document.
pub fn document() -> OpenApi {
    let (_, mut document) = ActixApp::new()
        .into_utoipa_app()
        .openapi(base())
        .configure(crate::routes::configure)
        .split_for_parts();
    document.paths.paths.values_mut().flat_map(operations).for_each(complete);
    document
}

fn base() -> OpenApi {
    #[derive(utoipa::OpenApi)]
    #[openapi(info(title = "Deskwire"), components(schemas(Problem, FieldError)))]
    struct Base;
    let mut base = <Base as utoipa::OpenApi>::openapi();
    if let Some(components) = &mut base.components {
        components.add_security_scheme("bearer", SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer)));
    }
    base
}

fn operations(item: &mut utoipa::openapi::PathItem) -> impl Iterator<Item = &mut Operation> {
    [&mut item.get, &mut item.post, &mut item.put, &mut item.patch, &mut item.delete]
        .into_iter()
        .filter_map(Option::as_mut)
}

fn complete(operation: &mut Operation) {
    operation.security.get_or_insert_with(|| vec![SecurityRequirement::new("bearer", [] as [&str; 0])]);
    let problem = ResponseBuilder::new()
        .description("A problem; `code` says which.")
        .content(
            "application/problem+json",
            ContentBuilder::new().schema(Some(Ref::from_schema_name("Problem"))).build(),
        )
        .build();
    operation.responses.responses.entry("default".to_owned()).or_insert(problem.into());
}
