//! The routes of accounts.

use actix_web::{HttpResponse, delete, get, patch, post, put, web};
use serde::{Deserialize, Deserializer};
use utoipa::{IntoParams, ToSchema};
use utoipa_actix_web::service_config::ServiceConfig;

use super::input::{MAX_ACCEPT_DEFAULT, NewMember, Patch};
use super::service;
use super::store::Filter;
use super::view::{Me, Member};
use crate::app::App;
use crate::auth::{Admin, Authenticated, Staff};
use crate::domain::member::{MemberStatus, Role};
use crate::http::json::Body;
use crate::http::page::{Page, PageQuery};
use crate::kernel::{MemberId, Millis, Result, text};
use crate::security::password::Password;

/// The routes of this module.
pub fn routes(config: &mut ServiceConfig<'_>) {
    config.service(get_me);
    config.service(update_me);
    config.service(list_members);
    config.service(create_member);
    config.service(get_member);
    config.service(update_member);
    config.service(delete_member);
    config.service(unlock_member);
    config.service(set_member_password);
}

/// Reads a field whose null means something else than its absence.
pub fn present<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> std::result::Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

/// What everybody may change about the own account; absent fields stay.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UpdateMe {
    /// The name that others see, 1 to 50 characters.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = String, required = false)]
    nickname: Option<String>,
    /// An http or https URL, or empty.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = String, required = false)]
    avatar: Option<String>,
    /// E-mail address, or empty.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = String, required = false)]
    email: Option<String>,
    /// Mobile number, or empty.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = String, required = false)]
    mobile: Option<String>,
    /// Which language the person reads: a tag of BCP 47 such as `zh-CN`, or empty.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = String, required = false)]
    locale: Option<String>,
}

/// A new account.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateMember {
    /// What it may do.
    role: Role,
    /// The name it signs in with; staff need one, service accounts have none. Trimmed, lower case, at most 125 characters.
    login_name: Option<String>,
    /// The password; needed with a login name.
    password: Option<Password>,
    /// The name that others see; the login name when absent.
    #[serde(default)]
    nickname: String,
    /// An http or https URL.
    #[serde(default)]
    avatar: String,
    /// E-mail address.
    #[serde(default)]
    email: String,
    /// Mobile number.
    #[serde(default)]
    mobile: String,
    /// Which language the person reads: a tag of BCP 47 such as `zh-CN`.
    #[serde(default)]
    locale: String,
    /// The tenant's own id of this customer.
    external_id: Option<String>,
    /// Makes it a sub-account of this member, with at most that member's role.
    parent_id: Option<MemberId>,
    /// At most 20, each at most 50 characters.
    #[serde(default)]
    tags: Vec<String>,
    /// At most 20, each at most 50 characters.
    #[serde(default)]
    skills: Vec<String>,
    /// How many conversations it accepts at once; 10 when absent.
    max_accept: Option<i32>,
    /// When the account ends.
    expires_at: Option<Millis>,
    /// Makes it the account of a program: one of the staff with a `nickname`, without a login name; it gets API keys.
    #[serde(default)]
    service_account: bool,
}

/// What to change about an account; absent fields stay, null clears where it is allowed.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UpdateMember {
    /// What it may do. Its tokens are refused until they are refreshed.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Role, required = false)]
    role: Option<Role>,
    /// Whether it may be used. Disabling ends its sessions.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = MemberStatus, required = false)]
    status: Option<MemberStatus>,
    /// The name it signs in with.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = String, required = false)]
    login_name: Option<String>,
    /// The name that others see.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = String, required = false)]
    nickname: Option<String>,
    /// An http or https URL, or empty.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = String, required = false)]
    avatar: Option<String>,
    /// E-mail address, or empty.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = String, required = false)]
    email: Option<String>,
    /// Mobile number, or empty.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = String, required = false)]
    mobile: Option<String>,
    /// Which language the person reads: a tag of BCP 47 such as `zh-CN`, or empty.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = String, required = false)]
    locale: Option<String>,
    /// The tenant's own id of this customer, or null.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>)]
    external_id: Option<Option<String>>,
    /// The account that this one is a sub-account of, or null.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<MemberId>)]
    parent_id: Option<Option<MemberId>>,
    /// All tags.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Vec<String>, required = false)]
    tags: Option<Vec<String>>,
    /// All skills, such as `refunds`, `de` or `refunds:3` (level 3, of 9).
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Vec<String>, required = false)]
    skills: Option<Vec<String>>,
    /// How many conversations it accepts at once.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = i32, required = false)]
    max_accept: Option<i32>,
    /// When the account ends, or null.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<Millis>)]
    expires_at: Option<Option<Millis>>,
}

/// A new password.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SetPassword {
    /// The new password.
    password: Password,
}

/// Which members to list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ListMembers {
    /// Only this role.
    role: Option<Role>,
    /// Only this state.
    status: Option<MemberStatus>,
    /// Only this e-mail address.
    email: Option<String>,
    /// Only this mobile number.
    mobile: Option<String>,
    /// Only sub-accounts of this member.
    parent_id: Option<MemberId>,
    /// Only this login name.
    name: Option<String>,
    /// Only service accounts (true), or only people (false).
    service_account: Option<bool>,
    /// Most rows to return, 1 to 200; 50 when absent.
    #[param(minimum = 1, maximum = 200, default = 50)]
    limit: Option<u32>,
    /// `next_cursor` of the page before; absent for the first page.
    cursor: Option<String>,
}

/// Read your account
///
/// A customer gets what is its own; the staff also what is kept about the account.
#[utoipa::path(tag = "auth", responses((status = 200, description = "The account.", body = Me)))]
#[get("/me")]
pub async fn get_me(app: web::Data<App>, caller: Authenticated) -> Result<web::Json<Me>> {
    service::own(&app, caller.actor).await.map(|row| web::Json(row.into()))
}

/// Update your account
///
/// A customer's e-mail address and mobile number that the shop has verified stay as they are (`read_only`).
#[utoipa::path(tag = "auth", request_body = UpdateMe, responses(
    (status = 200, description = "The account as it is now.", body = Me),
))]
#[patch("/me")]
pub async fn update_me(
    app: web::Data<App>,
    caller: Authenticated,
    input: Body<UpdateMe>,
) -> Result<web::Json<Me>> {
    let UpdateMe { nickname, avatar, email, mobile, locale } = input.into_inner();
    let patch = Patch { nickname, avatar, email, mobile, locale, ..Patch::default() };
    service::update_own(&app, caller.actor, patch).await.map(|row| web::Json(row.into()))
}

/// List accounts
///
/// Newest first. Agents see their sub-accounts only. Visitors who were recognised as another customer are left out.
#[utoipa::path(tag = "members", params(ListMembers), responses(
    (status = 200, description = "A page of accounts.", body = Page<Member>),
))]
#[get("/members")]
pub async fn list_members(
    app: web::Data<App>,
    caller: Staff,
    query: web::Query<ListMembers>,
) -> Result<web::Json<Page<Member>>> {
    let ListMembers { role, status, email, mobile, parent_id, name, service_account, limit, cursor } =
        query.into_inner();
    let email = email.map(|email| text::login_name(&email));
    let login_name = name.map(|name| text::login_name(&name));
    let filter = Filter { role, status, email, mobile, parent_id, login_name, service_account };
    let page = service::list(&app, caller.actor, filter, PageQuery { limit, cursor }).await?;
    Ok(web::Json(page.map(Member::from)))
}

/// Create an account
///
/// A login name or external id that is in use answers `name_taken`. For a program make a service account and give it an API
/// key (`/api-keys`).
#[utoipa::path(tag = "members", request_body = CreateMember, responses(
    (status = 201, description = "The new account.", body = Member),
))]
#[post("/members")]
pub async fn create_member(
    app: web::Data<App>,
    caller: Admin,
    input: Body<CreateMember>,
) -> Result<HttpResponse> {
    let input = input.into_inner();
    let new = NewMember {
        role: input.role,
        login_name: input.login_name,
        password: input.password,
        nickname: input.nickname,
        avatar: input.avatar,
        email: input.email,
        mobile: input.mobile,
        locale: input.locale,
        external_id: input.external_id,
        parent_id: input.parent_id,
        tags: input.tags,
        skills: input.skills,
        max_accept: input.max_accept.unwrap_or(MAX_ACCEPT_DEFAULT),
        expires_at: input.expires_at,
        service_account: input.service_account,
    };
    let row = service::create(&app, caller.actor, new).await?;
    Ok(HttpResponse::Created().json(Member::from(row)))
}

/// Read an account
///
/// Supervisors and administrators read every account of the tenant, agents their sub-accounts.
#[utoipa::path(tag = "members", params(("id" = MemberId, Path, description = "The member.")), responses(
    (status = 200, description = "The account.", body = Member),
))]
#[get("/members/{id}")]
pub async fn get_member(
    app: web::Data<App>,
    caller: Staff,
    id: web::Path<MemberId>,
) -> Result<web::Json<Member>> {
    service::get(&app, caller.actor, id.into_inner()).await.map(|row| web::Json(row.into()))
}

/// Update an account
///
/// Administrators change everything but their own role and state; others only the state of their sub-accounts.
/// A change of role or state reaches live sockets within a second.
#[utoipa::path(
    tag = "members", params(("id" = MemberId, Path, description = "The member.")), request_body = UpdateMember,
    responses((status = 200, description = "The account as it is now.", body = Member)),
)]
#[patch("/members/{id}")]
pub async fn update_member(
    app: web::Data<App>,
    caller: Staff,
    id: web::Path<MemberId>,
    input: Body<UpdateMember>,
) -> Result<web::Json<Member>> {
    let input = input.into_inner();
    let patch = Patch {
        role: input.role,
        status: input.status,
        login_name: input.login_name,
        nickname: input.nickname,
        avatar: input.avatar,
        email: input.email,
        mobile: input.mobile,
        locale: input.locale,
        external_id: input.external_id,
        parent_id: input.parent_id,
        tags: input.tags,
        skills: input.skills,
        max_accept: input.max_accept,
        expires_at: input.expires_at,
    };
    service::update(&app, caller.actor, id.into_inner(), patch).await.map(|row| web::Json(row.into()))
}

/// Delete an account
///
/// Its login name and external id become free and its sessions end; what it wrote stays, under its name.
#[utoipa::path(tag = "members", params(("id" = MemberId, Path, description = "The member.")), responses(
    (status = 204, description = "Deleted."),
))]
#[delete("/members/{id}")]
pub async fn delete_member(
    app: web::Data<App>,
    caller: Admin,
    id: web::Path<MemberId>,
) -> Result<HttpResponse> {
    service::delete(&app, caller.actor, id.into_inner()).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Unlock an account after failed sign-ins
///
/// The lock of the account ends; the locks by address end on the process that answers.
#[utoipa::path(tag = "members", params(("id" = MemberId, Path, description = "The member.")), responses(
    (status = 204, description = "Unlocked."),
))]
#[post("/members/{id}/unlock")]
pub async fn unlock_member(
    app: web::Data<App>,
    caller: Admin,
    id: web::Path<MemberId>,
) -> Result<HttpResponse> {
    service::unlock(&app, caller.actor, id.into_inner()).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Set an account's password
///
/// All its sessions end and its locks are taken away. The own password is changed with `PUT /auth/password`, which
/// asks for the present one.
#[utoipa::path(
    tag = "members", params(("id" = MemberId, Path, description = "The member.")), request_body = SetPassword,
    responses((status = 204, description = "Set.")),
)]
#[put("/members/{id}/password")]
pub async fn set_member_password(
    app: web::Data<App>,
    caller: Admin,
    id: web::Path<MemberId>,
    input: Body<SetPassword>,
) -> Result<HttpResponse> {
    service::set_password(&app, caller.actor, id.into_inner(), input.into_inner().password).await?;
    Ok(HttpResponse::NoContent().finish())
}
