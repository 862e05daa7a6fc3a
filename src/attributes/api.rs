//! The routes of the attributes themselves.

use actix_web::{HttpResponse, delete, get, patch, post, web};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_actix_web::service_config::ServiceConfig;

use super::service::{self, NewAttribute, Patch};
use crate::app::App;
use crate::auth::extract::Staff;
use crate::domain::attribute::{AttributeRow, AttributeTarget};
use crate::domain::attribute_value::AttributeKind;
use crate::http::json::Body;
use crate::http::page::{Page, PageQuery};
use crate::kernel::{AttributeId, Millis, Result};
use crate::members::api::present;

/// The routes of this file.
pub fn routes(config: &mut ServiceConfig<'_>) {
    config.service(create_attribute);
    config.service(list_attributes);
    config.service(get_attribute);
    config.service(update_attribute);
    config.service(delete_attribute);
}

/// A custom attribute of conversations or customers.
#[derive(Debug, Serialize, ToSchema)]
pub struct Attribute {
    /// The attribute.
    id: AttributeId,
    /// What it describes.
    target: AttributeTarget,
    /// By what programs name it.
    key: String,
    /// What people call it.
    title: String,
    /// What values it takes.
    kind: AttributeKind,
    /// The choices in their order; empty unless the kind is `choice`.
    choices: Vec<String>,
    /// Whether customers see the values of their own conversations and accounts.
    visible_to_customer: bool,
    /// When it was made.
    created_at: Millis,
    /// When it was last changed.
    updated_at: Millis,
}

impl From<AttributeRow> for Attribute {
    fn from(row: AttributeRow) -> Self {
        Self {
            choices: row.choices(),
            id: row.id,
            target: row.target,
            key: row.key,
            title: row.title,
            kind: row.kind,
            visible_to_customer: row.visible_to_customer,
            created_at: Millis(row.created_at),
            updated_at: Millis(row.updated_at),
        }
    }
}

/// An attribute that is to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateAttribute {
    /// What it describes. It never changes.
    target: AttributeTarget,
    /// By what programs name it: a letter, then letters, digits and `_`, in lower case; unique among those of the target. It
    /// never changes.
    key: String,
    /// What people call it, at most 100 characters.
    title: String,
    /// What values it takes. It never changes.
    kind: AttributeKind,
    /// Of the kind `choice`: the choices in their order, 1 to 100 different ones of 1 to 64 characters.
    #[serde(default)]
    choices: Vec<String>,
    /// Whether customers see the values of their own conversations and accounts. Absent: no.
    #[serde(default)]
    visible_to_customer: bool,
}

/// A change of an attribute. An absent field stays.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UpdateAttribute {
    /// What people call it.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = String, required = false)]
    title: Option<String>,
    /// All choices in their order. One that a value has cannot be left out (`409 in_use`).
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Vec<String>, required = false)]
    choices: Option<Vec<String>>,
    /// Whether customers see the values.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = bool, required = false)]
    visible_to_customer: Option<bool>,
}

/// Which attributes are asked for.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ListAttributes {
    /// Only of this target.
    target: Option<AttributeTarget>,
    /// Most rows to return, 1 to 200; 50 when absent.
    #[param(minimum = 1, maximum = 200, default = 50)]
    limit: Option<u32>,
    /// `next_cursor` of the page before; absent for the first page.
    cursor: Option<String>,
}

/// Create a custom attribute
///
/// At most 100 of conversations and 100 of customers. Values are set with `PATCH /conversations/{id}` and
/// `PATCH /members/{id}/attributes`.
#[utoipa::path(tag = "attributes", request_body = CreateAttribute, responses(
    (status = 201, description = "Made.", body = Attribute),
))]
#[post("/attributes")]
pub async fn create_attribute(
    app: web::Data<App>,
    caller: Staff,
    input: Body<CreateAttribute>,
) -> Result<HttpResponse> {
    let CreateAttribute { target, key, title, kind, choices, visible_to_customer } = input.into_inner();
    let new = NewAttribute { target, key, title, kind, choices, visible_to_customer };
    let row = service::create(&app, caller.actor, new).await?;
    Ok(HttpResponse::Created().json(Attribute::from(row)))
}

/// List custom attributes
///
/// In the order of their ids.
#[utoipa::path(tag = "attributes", params(ListAttributes), responses(
    (status = 200, description = "A page of attributes.", body = Page<Attribute>),
))]
#[get("/attributes")]
pub async fn list_attributes(
    app: web::Data<App>,
    caller: Staff,
    query: web::Query<ListAttributes>,
) -> Result<web::Json<Page<Attribute>>> {
    let ListAttributes { target, limit, cursor } = query.into_inner();
    let page = service::list(&app, caller.actor, target, PageQuery { limit, cursor }).await?;
    Ok(web::Json(page.map(Attribute::from)))
}

/// Read a custom attribute
///
/// A deleted one is not there any more.
#[utoipa::path(
    tag = "attributes", params(("id" = AttributeId, Path, description = "The attribute.")),
    responses((status = 200, description = "The attribute.", body = Attribute)),
)]
#[get("/attributes/{id}")]
pub async fn get_attribute(
    app: web::Data<App>,
    caller: Staff,
    id: web::Path<AttributeId>,
) -> Result<web::Json<Attribute>> {
    service::get(&app, caller.actor, id.into_inner()).await.map(|row| web::Json(row.into()))
}

/// Update a custom attribute
///
/// Target, key and kind never change. A choice that a value has cannot be left out: `409 in_use`.
#[utoipa::path(
    tag = "attributes", params(("id" = AttributeId, Path, description = "The attribute.")),
    request_body = UpdateAttribute,
    responses((status = 200, description = "The attribute as it is now.", body = Attribute)),
)]
#[patch("/attributes/{id}")]
pub async fn update_attribute(
    app: web::Data<App>,
    caller: Staff,
    id: web::Path<AttributeId>,
    input: Body<UpdateAttribute>,
) -> Result<web::Json<Attribute>> {
    let UpdateAttribute { title, choices, visible_to_customer } = input.into_inner();
    let patch = Patch { title, choices, visible_to_customer };
    let row = service::update(&app, caller.actor, id.into_inner(), patch).await?;
    Ok(web::Json(row.into()))
}

/// Delete a custom attribute
///
/// With all its values: none is shown from now on, and the key is free. Logs keep the notices of earlier changes.
#[utoipa::path(
    tag = "attributes", params(("id" = AttributeId, Path, description = "The attribute.")),
    responses((status = 204, description = "Deleted.")),
)]
#[delete("/attributes/{id}")]
pub async fn delete_attribute(
    app: web::Data<App>,
    caller: Staff,
    id: web::Path<AttributeId>,
) -> Result<HttpResponse> {
    service::delete(&app, caller.actor, id.into_inner()).await?;
    Ok(HttpResponse::NoContent().finish())
}
