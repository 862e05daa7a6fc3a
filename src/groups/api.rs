//! The routes of groups.

use actix_web::{HttpResponse, delete, get, patch, post, put, web};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_actix_web::service_config::ServiceConfig;

use super::service::{self, Placed};
use crate::app::App;
use crate::auth::{Admin, Staff};
use crate::conversations::view::Card;
use crate::domain::group::{GroupMemberType, GroupRow, Serving};
use crate::domain::routing::RoutingStrategy;
use crate::http::json::Body;
use crate::http::page::{Page, PageQuery};
use crate::journal::commands;
use crate::kernel::json::given;
use crate::kernel::{ConversationId, GroupId, MemberId, Millis, Result};

/// The routes of this module.
pub fn routes(config: &mut ServiceConfig<'_>) {
    config.service(list_groups);
    config.service(create_group);
    config.service(get_group);
    config.service(update_group);
    config.service(delete_group);
    config.service(list_group_members);
    config.service(get_group_member);
    config.service(set_group_member);
    config.service(remove_group_member);
    config.service(super::dock::dock_conversations);
}

/// A standing group of the staff.
#[derive(Debug, Serialize, ToSchema)]
pub struct Group {
    /// The group.
    id: GroupId,
    /// Its name, unique among the tenant's groups whatever the case of its letters.
    name: String,
    /// What it is for; may be empty.
    description: String,
    /// Its room, in which its members are; null until somebody is in the group.
    #[schema(required)]
    room_id: Option<ConversationId>,
    /// How what waits for it finds its agents; null: by the tenant's `routing.strategy`.
    #[schema(required)]
    routing_strategy: Option<RoutingStrategy>,
    /// Who serves what comes to it.
    serving: Serving,
    /// When it was made.
    created_at: Millis,
    /// When its name, its description or a setting last changed.
    updated_at: Millis,
}

impl From<GroupRow> for Group {
    fn from(row: GroupRow) -> Self {
        let GroupRow {
            id,
            name,
            description,
            room_id,
            routing_strategy,
            serving,
            created_at,
            updated_at,
            ..
        } = row;
        Self {
            id,
            name,
            description,
            room_id,
            routing_strategy,
            serving,
            created_at: Millis(created_at),
            updated_at: Millis(updated_at),
        }
    }
}

/// A group that is to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateGroup {
    /// Its name, at most 100 characters; no other group of the tenant has it, whatever the case of its letters.
    name: String,
    /// What it is for, at most 500 characters. Absent: empty.
    #[serde(default)]
    description: String,
    /// How what waits for it finds its agents, `manual`: they claim. null or absent: by the tenant's `routing.strategy`. The
    /// other settings of routing are the tenant's.
    #[serde(default)]
    routing_strategy: Option<RoutingStrategy>,
    /// Who serves what comes to it; `group`: whatever is opened for it, moved or transferred to it is docked to it, while
    /// somebody in it can serve, and `routing_strategy` does not count. Absent: `agent`.
    #[serde(default, deserialize_with = "crate::members::api::present")]
    #[schema(value_type = Serving, required = false)]
    serving: Option<Serving>,
}

/// A change of a group. An absent field stays; null empties the description, and takes the own strategy away.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UpdateGroup {
    /// Its name, at most 100 characters; no other group of the tenant has it, whatever the case of its letters.
    #[serde(default)]
    name: Option<String>,
    /// What it is for, at most 500 characters. null: empty.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>)]
    description: Option<Option<String>>,
    /// How what waits for it finds its agents from now on, `manual`: they claim. null: by the tenant's `routing.strategy`.
    /// The other settings of routing are the tenant's.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<RoutingStrategy>)]
    routing_strategy: Option<Option<RoutingStrategy>>,
    /// Who serves what comes to it from now on; `group`: whatever is opened for it, moved or transferred to it is docked to
    /// it, while somebody in it can serve, and `routing_strategy` does not count.
    #[serde(default, deserialize_with = "crate::members::api::present")]
    #[schema(value_type = Serving, required = false)]
    serving: Option<Serving>,
}

/// Somebody who is in a group.
#[derive(Debug, Serialize, ToSchema)]
pub struct GroupMember {
    /// Who.
    member: Card,
    /// As what.
    member_type: GroupMemberType,
    /// When it joined, the last time.
    created_at: Millis,
}

impl From<Placed> for GroupMember {
    fn from(Placed { row, card }: Placed) -> Self {
        Self { member: card, member_type: row.member_type, created_at: Millis(row.created_at) }
    }
}

/// As what somebody is to be in a group.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SetGroupMember {
    /// As what. Absent: as what it is already, or as a member. Only administrators appoint and dismiss managers.
    #[serde(default)]
    member_type: Option<GroupMemberType>,
}

/// Which groups are asked for.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ListGroups {
    /// Only those that this member is in.
    member_id: Option<MemberId>,
    /// Most rows to return, 1 to 200; 50 when absent.
    #[param(minimum = 1, maximum = 200, default = 50)]
    limit: Option<u32>,
    /// `next_cursor` of the page before; absent for the first page.
    cursor: Option<String>,
}

/// List groups
///
/// In the order of their ids. A tenant has at most 500.
#[utoipa::path(tag = "groups", params(ListGroups), responses(
    (status = 200, description = "A page of groups.", body = Page<Group>),
))]
#[get("/groups")]
pub async fn list_groups(
    app: web::Data<App>,
    caller: Staff,
    query: web::Query<ListGroups>,
) -> Result<web::Json<Page<Group>>> {
    let ListGroups { member_id, limit, cursor } = query.into_inner();
    let page = service::list(&app, caller.actor, member_id, PageQuery { limit, cursor }).await?;
    Ok(web::Json(page.map(Group::from)))
}

/// Create a group
///
/// Without members. A conversation can be made its matter (`group_id`): while it waits, of the staff who are in groups
/// only those of this group see it.
#[utoipa::path(tag = "groups", request_body = CreateGroup, responses(
    (status = 201, description = "Made.", body = Group),
))]
#[post("/groups")]
pub async fn create_group(
    app: web::Data<App>,
    caller: Admin,
    input: Body<CreateGroup>,
) -> Result<HttpResponse> {
    let CreateGroup { name, description, routing_strategy, serving } = input.into_inner();
    let serving = serving.unwrap_or(Serving::Agent);
    let group = commands::CreateGroup { name, description, routing_strategy, serving };
    let row = service::create(&app, caller.actor, group).await?;
    Ok(HttpResponse::Created().json(Group::from(row)))
}

/// Read a group
///
/// One that was deleted is `404`.
#[utoipa::path(tag = "groups", params(("id" = GroupId, Path, description = "The group.")), responses(
    (status = 200, description = "The group.", body = Group),
))]
#[get("/groups/{id}")]
pub async fn get_group(
    app: web::Data<App>,
    caller: Staff,
    id: web::Path<GroupId>,
) -> Result<web::Json<Group>> {
    service::get(&app, caller.actor, id.into_inner()).await.map(|row| web::Json(row.into()))
}

/// Update a group
///
/// An absent field stays. What waits for the group is routed by another strategy at once, or docked when the whole group
/// serves from now on; what is docked to it stays so when it does not any more.
#[utoipa::path(
    tag = "groups", params(("id" = GroupId, Path, description = "The group.")), request_body = UpdateGroup,
    responses((status = 200, description = "The group as it is now.", body = Group)),
)]
#[patch("/groups/{id}")]
pub async fn update_group(
    app: web::Data<App>,
    caller: Admin,
    id: web::Path<GroupId>,
    input: Body<UpdateGroup>,
) -> Result<web::Json<Group>> {
    let UpdateGroup { name, description, routing_strategy, serving } = input.into_inner();
    let (group, description) = (id.into_inner(), description.map(Option::unwrap_or_default));
    let change = commands::UpdateGroup { group, name, description, routing_strategy, serving };
    let row = service::update(&app, caller.actor, change).await?;
    Ok(web::Json(row.into()))
}

/// Delete a group
///
/// Its members are out, its name is free, and its conversations that are not closed are no group's any more.
#[utoipa::path(tag = "groups", params(("id" = GroupId, Path, description = "The group.")), responses(
    (status = 204, description = "Deleted."),
))]
#[delete("/groups/{id}")]
pub async fn delete_group(
    app: web::Data<App>,
    caller: Admin,
    id: web::Path<GroupId>,
) -> Result<HttpResponse> {
    service::delete(&app, caller.actor, id.into_inner()).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// List the members of a group
///
/// In the order of their ids; at most 200.
#[utoipa::path(
    tag = "groups", params(("id" = GroupId, Path, description = "The group."), PageQuery),
    responses((status = 200, description = "A page of members.", body = Page<GroupMember>)),
)]
#[get("/groups/{id}/members")]
pub async fn list_group_members(
    app: web::Data<App>,
    caller: Staff,
    id: web::Path<GroupId>,
    query: web::Query<PageQuery>,
) -> Result<web::Json<Page<GroupMember>>> {
    let page = service::members(&app, caller.actor, id.into_inner(), query.into_inner()).await?;
    Ok(web::Json(page.map(GroupMember::from)))
}

/// Read a member of a group
///
/// Who is not in the group is `404`.
#[utoipa::path(
    tag = "groups",
    params(
        ("id" = GroupId, Path, description = "The group."),
        ("member_id" = MemberId, Path, description = "The member of the staff."),
    ),
    responses((status = 200, description = "Its place in the group.", body = GroupMember)),
)]
#[get("/groups/{id}/members/{member_id}")]
pub async fn get_group_member(
    app: web::Data<App>,
    caller: Staff,
    path: web::Path<(GroupId, MemberId)>,
) -> Result<web::Json<GroupMember>> {
    let (group, member) = path.into_inner();
    service::member(&app, caller.actor, group, member).await.map(|placed| web::Json(placed.into()))
}

/// Put a member into a group
///
/// Or change what it is there: who is that already stays. Administrators, and managers of the group. A group has at most
/// 200 members, and a member is in at most 50 groups. From now on the member sees the group's conversations, and of
/// those of other groups only the ones that it is in.
#[utoipa::path(
    tag = "groups",
    params(
        ("id" = GroupId, Path, description = "The group."),
        ("member_id" = MemberId, Path, description = "The member of the staff."),
    ),
    request_body = SetGroupMember,
    responses((status = 200, description = "Its place in the group.", body = GroupMember)),
)]
#[put("/groups/{id}/members/{member_id}")]
pub async fn set_group_member(
    app: web::Data<App>,
    caller: Staff,
    path: web::Path<(GroupId, MemberId)>,
    input: Body<SetGroupMember>,
) -> Result<web::Json<GroupMember>> {
    let ((group, member), SetGroupMember { member_type }) = (path.into_inner(), input.into_inner());
    let placed = service::set_member(&app, caller.actor, group, member, member_type).await?;
    Ok(web::Json(placed.into()))
}

/// Take a member out of a group
///
/// Administrators take out anybody, managers of the group its members. A manager leaves by itself, unless it is the last
/// one: `409 last_manager`. Who has left already stays out. In no group a member sees the conversations of all.
#[utoipa::path(
    tag = "groups",
    params(
        ("id" = GroupId, Path, description = "The group."),
        ("member_id" = MemberId, Path, description = "The member of the staff."),
    ),
    responses((status = 204, description = "No longer in it.")),
)]
#[delete("/groups/{id}/members/{member_id}")]
pub async fn remove_group_member(
    app: web::Data<App>,
    caller: Staff,
    path: web::Path<(GroupId, MemberId)>,
) -> Result<HttpResponse> {
    let (group, member) = path.into_inner();
    service::remove_member(&app, caller.actor, group, member).await?;
    Ok(HttpResponse::NoContent().finish())
}
