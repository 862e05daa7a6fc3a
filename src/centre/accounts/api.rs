//! The routes of channel accounts.

use actix_web::{HttpResponse, delete, get, patch, post, web};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;

use super::service::{self, Change, New};
use crate::app::App;
use crate::auth::{Admin, Staff};
use crate::domain::actor::Actor;
use crate::domain::centre::account::{
    AccountRow, AccountStatus, AliyunSmsSettings, Channel, PauseReason, Provider, Settings, SmtpSettings,
    TencentSmsSettings, TwilioSmsSettings, WechatSettings,
};
use crate::http::json::Body;
use crate::http::page::{Page, PageQuery};
use crate::kernel::json::given;
use crate::kernel::{ChannelAccountId, Millis, Result};

/// The routes of this module.
pub fn routes(config: &mut ServiceConfig<'_>) {
    config.service(create_channel_account);
    config.service(list_channel_accounts);
    config.service(get_channel_account);
    config.service(update_channel_account);
    config.service(rotate_channel_account_secret);
    config.service(delete_channel_account);
}

/// How many messages an account takes within a time.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AccountLimit {
    /// Messages.
    count: i64,
    /// Within so many seconds, wherever they begin.
    seconds: i64,
}

/// Where messages go.
#[derive(Debug, Serialize, ToSchema)]
pub struct ChannelAccount {
    /// The account.
    id: ChannelAccountId,
    /// What the merchant calls it.
    name: String,
    /// Whose protocol it speaks.
    provider: Provider,
    /// The channel: templates for it can be sent here.
    channel: Channel,
    /// Whether it is used.
    status: AccountStatus,
    /// The host of its address, of its mail server or of its provider; the rest is never shown.
    host: String,
    /// How many messages it takes within a time; null: no limit.
    #[schema(required)]
    limit: Option<AccountLimit>,
    /// Nothing is sent before this; null: nothing holds it up.
    #[schema(required)]
    paused_until: Option<Millis>,
    /// Why nothing is sent.
    #[schema(required)]
    pause_reason: Option<PauseReason>,
    /// How many attempts failed in a row.
    fail_streak: i64,
    /// Where its provider brings receipts: set this path of this service in the provider's console (Twilio is told by
    /// itself). Shown to administrators only; null of accounts without receipts.
    #[schema(required)]
    receipt_path: Option<String>,
    /// When it was made.
    created_at: Millis,
    /// When it was last changed.
    updated_at: Millis,
}

impl ChannelAccount {
    /// As this actor sees it.
    fn of(app: &App, actor: &Actor, row: AccountRow) -> Result<Self> {
        let receipt_path = service::receipt_path(app, actor, &row)?;
        let limit = AccountLimit { count: row.limit_count, seconds: row.limit_seconds };
        Ok(Self {
            id: row.id,
            name: row.name,
            provider: row.provider,
            channel: row.provider.channel(),
            status: row.status,
            host: row.host,
            limit: (row.limit_count > 0).then_some(limit),
            paused_until: (row.paused_until > 0).then_some(Millis(row.paused_until)),
            pause_reason: row.pause_reason,
            fail_streak: row.fail_streak,
            receipt_path,
            created_at: Millis(row.created_at),
            updated_at: Millis(row.updated_at),
        })
    }
}

/// An account, and its secret when it has a new one.
#[derive(Debug, Serialize, ToSchema)]
pub struct ChannelAccountWithSecret {
    /// The account.
    account: ChannelAccount,
    /// The secret with which a webhook's receiver checks signatures (Standard Webhooks, `whsec_…`). Shown this once; null
    /// for the others.
    #[schema(required)]
    secret: Option<String>,
}

/// An account that is to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateChannelAccount {
    /// What it is called, at most 100 characters.
    name: String,
    /// Whose protocol it speaks.
    provider: Provider,
    /// Its address, `https` and public: of a webhook any, of a robot the one that its messenger shows, of a provider of
    /// text messages or of WeChat another endpoint of that provider. A mail server has none.
    #[serde(default)]
    url: Option<String>,
    /// What a robot of DingTalk or Feishu signs with, when it was set to sign.
    #[serde(default)]
    secret: Option<String>,
    /// How many messages it takes within a time. Absent: what the provider allows.
    #[serde(default)]
    limit: Option<AccountLimit>,
    /// The mail server of an account of `smtp`.
    #[serde(default)]
    smtp: Option<SmtpSettings>,
    /// The settings of an account of `aliyun_sms`.
    #[serde(default)]
    aliyun_sms: Option<AliyunSmsSettings>,
    /// The settings of an account of `tencent_sms`.
    #[serde(default)]
    tencent_sms: Option<TencentSmsSettings>,
    /// The settings of an account of `twilio_sms`.
    #[serde(default)]
    twilio_sms: Option<TwilioSmsSettings>,
    /// The official account of an account of `wechat`.
    #[serde(default)]
    wechat: Option<WechatSettings>,
}

/// A change of an account. An absent field stays.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UpdateChannelAccount {
    /// What it is called, at most 100 characters.
    #[serde(default)]
    name: Option<String>,
    /// Whether it is used.
    #[serde(default)]
    status: Option<AccountStatus>,
    /// Its address.
    #[serde(default)]
    url: Option<String>,
    /// What a robot of DingTalk or Feishu signs with; null: it does not sign.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>)]
    secret: Option<Option<String>>,
    /// How many messages it takes within a time; null: what the provider allows.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<AccountLimit>)]
    limit: Option<Option<AccountLimit>>,
    /// The whole mail server of an account of `smtp`; only the password may be absent, and stays then, unless the host or
    /// the user name changes.
    #[serde(default)]
    smtp: Option<SmtpSettings>,
    /// The whole settings of an account of `aliyun_sms`; the secret may be absent, and stays then with its key.
    #[serde(default)]
    aliyun_sms: Option<AliyunSmsSettings>,
    /// The whole settings of an account of `tencent_sms`; the key may be absent, and stays then with its id.
    #[serde(default)]
    tencent_sms: Option<TencentSmsSettings>,
    /// The whole settings of an account of `twilio_sms`; the token may be absent, and stays then with its account.
    #[serde(default)]
    twilio_sms: Option<TwilioSmsSettings>,
    /// The whole official account of an account of `wechat`; its secret may be absent, and stays then with its id.
    #[serde(default)]
    wechat: Option<WechatSettings>,
}

/// The settings among the fields of a request.
fn settings(
    smtp: Option<SmtpSettings>,
    aliyun: Option<AliyunSmsSettings>,
    tencent: Option<TencentSmsSettings>,
    twilio: Option<TwilioSmsSettings>,
    wechat: Option<WechatSettings>,
) -> Vec<Settings> {
    let given = [
        smtp.map(Settings::Smtp),
        aliyun.map(Settings::AliyunSms),
        tencent.map(Settings::TencentSms),
        twilio.map(Settings::TwilioSms),
        wechat.map(Settings::Wechat),
    ];
    given.into_iter().flatten().collect()
}

/// Create a channel account
///
/// A webhook gets a secret, which is shown in this answer only. A tenant has at most 200 accounts.
#[utoipa::path(tag = "message-centre", request_body = CreateChannelAccount, responses(
    (status = 201, description = "Made.", body = ChannelAccountWithSecret),
))]
#[post("/channel-accounts")]
pub async fn create_channel_account(
    app: web::Data<App>,
    caller: Admin,
    input: Body<CreateChannelAccount>,
) -> Result<HttpResponse> {
    let CreateChannelAccount {
        name,
        provider,
        url,
        secret,
        limit,
        smtp,
        aliyun_sms,
        tencent_sms,
        twilio_sms,
        wechat,
    } = input.into_inner();
    let limit = limit.map(|limit| (limit.count, limit.seconds));
    let settings = settings(smtp, aliyun_sms, tencent_sms, twilio_sms, wechat);
    let new = New { name, provider, url, secret, limit, settings };
    let (row, secret) = service::create(&app, caller.actor, new).await?;
    let account = ChannelAccount::of(&app, &caller.actor, row)?;
    Ok(HttpResponse::Created().json(ChannelAccountWithSecret { account, secret }))
}

/// List channel accounts
///
/// In the order of their ids. Supervisors and administrators.
#[utoipa::path(tag = "message-centre", params(PageQuery), responses(
    (status = 200, description = "A page of accounts.", body = Page<ChannelAccount>),
))]
#[get("/channel-accounts")]
pub async fn list_channel_accounts(
    app: web::Data<App>,
    caller: Staff,
    query: web::Query<PageQuery>,
) -> Result<web::Json<Page<ChannelAccount>>> {
    let Page { data, next_cursor } = service::list(&app, caller.actor, query.into_inner()).await?;
    let seen = data.into_iter().map(|row| ChannelAccount::of(&app, &caller.actor, row));
    Ok(web::Json(Page { data: seen.collect::<Result<_>>()?, next_cursor }))
}

/// Read a channel account
///
/// With what holds it up, if anything does. Its address and secret are never shown.
#[utoipa::path(
    tag = "message-centre", params(("id" = ChannelAccountId, Path, description = "The account.")),
    responses((status = 200, description = "The account.", body = ChannelAccount)),
)]
#[get("/channel-accounts/{id}")]
pub async fn get_channel_account(
    app: web::Data<App>,
    caller: Staff,
    id: web::Path<ChannelAccountId>,
) -> Result<web::Json<ChannelAccount>> {
    let row = service::get(&app, caller.actor, id.into_inner()).await?;
    ChannelAccount::of(&app, &caller.actor, row).map(web::Json)
}

/// Update a channel account
///
/// An absent field stays. Any change ends a pause: what was wrong may be mended, and what waits is tried again at once.
#[utoipa::path(
    tag = "message-centre", params(("id" = ChannelAccountId, Path, description = "The account.")),
    request_body = UpdateChannelAccount,
    responses((status = 200, description = "The account as it is now.", body = ChannelAccount)),
)]
#[patch("/channel-accounts/{id}")]
pub async fn update_channel_account(
    app: web::Data<App>,
    caller: Admin,
    id: web::Path<ChannelAccountId>,
    input: Body<UpdateChannelAccount>,
) -> Result<web::Json<ChannelAccount>> {
    let UpdateChannelAccount {
        name,
        status,
        url,
        secret,
        limit,
        smtp,
        aliyun_sms,
        tencent_sms,
        twilio_sms,
        wechat,
    } = input.into_inner();
    let limit = limit.map(|limit| limit.map(|limit| (limit.count, limit.seconds)));
    let settings = settings(smtp, aliyun_sms, tencent_sms, twilio_sms, wechat);
    let change = Change { name, status, url, secret, limit, settings };
    let row = service::update(&app, caller.actor, id.into_inner(), change).await?;
    ChannelAccount::of(&app, &caller.actor, row).map(web::Json)
}

/// Rotate the secret of a webhook
///
/// The new secret is shown in this answer only. For a day every request carries two signatures, one by the secret before.
#[utoipa::path(
    tag = "message-centre", params(("id" = ChannelAccountId, Path, description = "The account.")),
    responses((status = 200, description = "The account and its new secret.", body = ChannelAccountWithSecret)),
)]
#[post("/channel-accounts/{id}/rotate_secret")]
pub async fn rotate_channel_account_secret(
    app: web::Data<App>,
    caller: Admin,
    id: web::Path<ChannelAccountId>,
) -> Result<web::Json<ChannelAccountWithSecret>> {
    let (row, secret) = service::rotate(&app, caller.actor, id.into_inner()).await?;
    let account = ChannelAccount::of(&app, &caller.actor, row)?;
    Ok(web::Json(ChannelAccountWithSecret { account, secret: Some(secret) }))
}

/// Delete a channel account
///
/// Refused with `409 in_use` while a rule sends to it. What waits for it fails.
#[utoipa::path(
    tag = "message-centre", params(("id" = ChannelAccountId, Path, description = "The account.")),
    responses((status = 204, description = "Deleted.")),
)]
#[delete("/channel-accounts/{id}")]
pub async fn delete_channel_account(
    app: web::Data<App>,
    caller: Admin,
    id: web::Path<ChannelAccountId>,
) -> Result<HttpResponse> {
    service::delete(&app, caller.actor, id.into_inner()).await?;
    Ok(HttpResponse::NoContent().finish())
}
