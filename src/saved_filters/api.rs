//! The routes of saved filters.

use actix_web::{HttpResponse, delete, get, patch, post, web};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::openapi::schema::{AdditionalProperties, ArrayBuilder, ObjectBuilder, SchemaType, Type};
use utoipa::openapi::{Ref, RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};
use utoipa_actix_web::service_config::ServiceConfig;

use super::service::{self, Given};
use crate::app::App;
use crate::auth::extract::Staff;
use crate::domain::filter::field::FilterOperator;
use crate::domain::saved_filter::SavedFilterRow;
use crate::http::json::Body;
use crate::http::page::{Page, PageQuery};
use crate::kernel::{MemberId, Millis, Result, SavedFilterId};
use crate::members::api::present;

/// The routes of this file.
pub fn routes(config: &mut ServiceConfig<'_>) {
    config.service(create_saved_filter);
    config.service(list_saved_filters);
    config.service(get_saved_filter);
    config.service(update_saved_filter);
    config.service(delete_saved_filter);
}

/// The schema of a filter. It has no values: what arrives is read as JSON and checked.
#[derive(Debug, Clone, Copy)]
pub struct ConversationFilter;

impl PartialSchema for ConversationFilter {
    fn schema() -> RefOr<Schema> {
        let filter = || Ref::from_schema_name("ConversationFilter");
        let filters = || ArrayBuilder::new().items(filter());
        let value = ObjectBuilder::new()
            .schema_type(SchemaType::AnyValue)
            .description(Some("What it is compared with, by the field and the operator."));
        ObjectBuilder::new()
            .schema_type(SchemaType::Type(Type::Object))
            .description(Some(
                "Exactly one of `all`, `any`, `not`, or a condition (`field`, `operator`, `value`); at most 4 levels and 20 \
                 conditions. The guide is /docs/filters.",
            ))
            .property("all", filters().description(Some("All of these hold.")))
            .property("any", filters().description(Some("At least one of these holds.")))
            .property("not", filter())
            .property(
                "field",
                ObjectBuilder::new()
                    .schema_type(SchemaType::Type(Type::String))
                    .description(Some("A field of conversations, or `attributes.` and the key of an attribute.")),
            )
            .property("operator", Ref::from_schema_name("FilterOperator"))
            .property("value", value)
            .additional_properties(Some(AdditionalProperties::<Schema>::FreeForm(false)))
            .build()
            .into()
    }
}

impl ToSchema for ConversationFilter {
    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        schemas.push(("FilterOperator".to_owned(), FilterOperator::schema()));
    }
}

/// A filter of conversations that somebody keeps.
#[derive(Debug, Serialize, ToSchema)]
pub struct SavedFilter {
    /// The saved filter.
    id: SavedFilterId,
    /// What it is called.
    name: String,
    /// Who made it; the account may be deleted.
    owner_id: MemberId,
    /// Whether all of the staff have it; else only its owner.
    shared: bool,
    /// The filter, as it was given.
    #[schema(value_type = ConversationFilter)]
    filter: Value,
    /// When it was made.
    created_at: Millis,
    /// When it was last changed.
    updated_at: Millis,
}

impl From<SavedFilterRow> for SavedFilter {
    fn from(row: SavedFilterRow) -> Self {
        Self {
            filter: row.given(),
            id: row.id,
            name: row.name,
            owner_id: row.owner_id,
            shared: row.shared,
            created_at: Millis(row.created_at),
            updated_at: Millis(row.updated_at),
        }
    }
}

/// A filter that is to be saved.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateSavedFilter {
    /// What it is called, at most 100 characters.
    name: String,
    /// Whether all of the staff have it: for supervisors and administrators. Absent: no.
    #[serde(default)]
    shared: bool,
    /// The filter.
    #[schema(value_type = ConversationFilter)]
    filter: Value,
}

/// A change of a saved filter. An absent field stays.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UpdateSavedFilter {
    /// What it is called.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = String, required = false)]
    name: Option<String>,
    /// Whether all of the staff have it; else only who made it.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = bool, required = false)]
    shared: Option<bool>,
    /// The filter.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = ConversationFilter, required = false)]
    filter: Option<Value>,
}

/// Save a filter
///
/// At most 100 of one's own and 100 that are shared. Shared ones are made by supervisors and administrators. When an account
/// is deleted, what it shared stays, and what it kept for itself is removed. The guide is /docs/filters.
#[utoipa::path(tag = "saved-filters", request_body = CreateSavedFilter, responses(
    (status = 201, description = "Saved.", body = SavedFilter),
))]
#[post("/saved-filters")]
pub async fn create_saved_filter(
    app: web::Data<App>,
    caller: Staff,
    input: Body<CreateSavedFilter>,
) -> Result<HttpResponse> {
    let CreateSavedFilter { name, shared, filter } = input.into_inner();
    let given = Given { name: Some(name), shared: Some(shared), filter: Some(filter) };
    let row = service::create(&app, caller.actor, given).await?;
    Ok(HttpResponse::Created().json(SavedFilter::from(row)))
}

/// List saved filters
///
/// The own ones and the shared ones, in the order of their ids.
#[utoipa::path(tag = "saved-filters", params(PageQuery), responses(
    (status = 200, description = "A page of saved filters.", body = Page<SavedFilter>),
))]
#[get("/saved-filters")]
pub async fn list_saved_filters(
    app: web::Data<App>,
    caller: Staff,
    query: web::Query<PageQuery>,
) -> Result<web::Json<Page<SavedFilter>>> {
    let page = service::list(&app, caller.actor, query.into_inner()).await?;
    Ok(web::Json(page.map(SavedFilter::from)))
}

/// Read a saved filter
///
/// An own one, or a shared one.
#[utoipa::path(
    tag = "saved-filters", params(("id" = SavedFilterId, Path, description = "The saved filter.")),
    responses((status = 200, description = "The saved filter.", body = SavedFilter)),
)]
#[get("/saved-filters/{id}")]
pub async fn get_saved_filter(
    app: web::Data<App>,
    caller: Staff,
    id: web::Path<SavedFilterId>,
) -> Result<web::Json<SavedFilter>> {
    service::get(&app, caller.actor, id.into_inner()).await.map(|row| web::Json(row.into()))
}

/// Update a saved filter
///
/// An own one; a shared one by supervisors and administrators. Only its owner takes a shared one back for itself.
#[utoipa::path(
    tag = "saved-filters", params(("id" = SavedFilterId, Path, description = "The saved filter.")),
    request_body = UpdateSavedFilter,
    responses((status = 200, description = "The saved filter as it is now.", body = SavedFilter)),
)]
#[patch("/saved-filters/{id}")]
pub async fn update_saved_filter(
    app: web::Data<App>,
    caller: Staff,
    id: web::Path<SavedFilterId>,
    input: Body<UpdateSavedFilter>,
) -> Result<web::Json<SavedFilter>> {
    let UpdateSavedFilter { name, shared, filter } = input.into_inner();
    let row = service::update(&app, caller.actor, id.into_inner(), Given { name, shared, filter }).await?;
    Ok(web::Json(row.into()))
}

/// Delete a saved filter
///
/// An own one; a shared one by supervisors and administrators.
#[utoipa::path(
    tag = "saved-filters", params(("id" = SavedFilterId, Path, description = "The saved filter.")),
    responses((status = 204, description = "Deleted.")),
)]
#[delete("/saved-filters/{id}")]
pub async fn delete_saved_filter(
    app: web::Data<App>,
    caller: Staff,
    id: web::Path<SavedFilterId>,
) -> Result<HttpResponse> {
    service::delete(&app, caller.actor, id.into_inner()).await?;
    Ok(HttpResponse::NoContent().finish())
}
