//! The route of receipts, and how they are shown.

use actix_web::{HttpRequest, HttpResponse, get, post, web};
use serde::Serialize;
use utoipa::{IntoParams, ToSchema};
use utoipa_actix_web::service_config::ServiceConfig;

use super::service;
use crate::app::App;
use crate::centre::channels::reports::Callback;
use crate::centre::channels::wechat_callback;
use crate::domain::centre::account::{AccountRow, Config, Provider, Settings};
use crate::domain::centre::receipt::{ReceiptRow, ReceiptStatus};
use crate::http::client_ip;
use crate::http::json::Raw;
use crate::kernel::{Error, Millis, Result};
use crate::limits::Key;

/// The header in which Twilio signs.
const SIGNATURE: &str = "x-twilio-signature";

/// The routes of this module.
pub fn routes(config: &mut ServiceConfig<'_>) {
    config.service(receive_message_receipts);
    config.service(verify_receipt_address);
}

/// What a provider said later of a message that it took.
#[derive(Debug, Serialize, ToSchema)]
pub struct MessageReceipt {
    /// What it says.
    status: ReceiptStatus,
    /// The provider's name for the message.
    #[schema(required)]
    provider_message_id: Option<String>,
    /// The provider's code.
    #[schema(required)]
    code: Option<String>,
    /// What the provider said.
    #[schema(required)]
    message: Option<String>,
    /// When it came.
    received_at: Millis,
    /// When the send took note of it; null: the send is on its way.
    #[schema(required)]
    applied_at: Option<Millis>,
}

impl From<ReceiptRow> for MessageReceipt {
    fn from(row: ReceiptRow) -> Self {
        Self {
            status: row.status,
            provider_message_id: row.provider_message_id,
            code: row.code,
            message: row.message,
            received_at: Millis(row.received_at),
            applied_at: row.applied_at.map(Millis),
        }
    }
}

/// The answer that a provider waits for.
#[derive(Debug, Default, Serialize, ToSchema)]
pub struct ReceiptsTaken {
    /// To Aliyun: 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    code: Option<i64>,
    /// To Aliyun.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    msg: Option<&'static str>,
    /// To Tencent Cloud: 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    result: Option<i64>,
    /// To Tencent Cloud.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    errmsg: Option<&'static str>,
}

/// The account to whose address a request came, within its rate.
async fn called(app: &App, request: &HttpRequest, token: &str) -> Result<(AccountRow, Config)> {
    let (account, config) = match service::account(app, token).await {
        Ok(found) => found,
        Err(error) => {
            // Who guesses is counted as everybody without a token; who knows one is a provider, and may come often.
            app.limiter.check(Key::address(client_ip(request, &app.settings)))?;
            return Err(error);
        }
    };
    app.limiter.check(Key::Receipts(account.id))?;
    Ok((account, config))
}

/// An answer in words.
fn plain(text: String) -> HttpResponse {
    HttpResponse::Ok().content_type("text/plain; charset=utf-8").body(text)
}

/// What WeChat asks an address for.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
#[allow(dead_code, reason = "the query is read as it came, by the check of its signature")]
pub struct ReceiptAddressCheck {
    /// SHA-1 over the account's `callback_token`, `timestamp` and `nonce`, sorted.
    signature: String,
    /// When WeChat asks, unix seconds.
    timestamp: String,
    /// Another text each time.
    nonce: String,
    /// What is to be answered.
    echostr: String,
}

/// Verify the address of receipts
///
/// Called by WeChat at the `receipt_path` of an account with a `callback_token`, when the address is set in its console; the
/// signature is not older than 10 minutes.
#[utoipa::path(
    tag = "message-centre", security(()),
    params(("token" = String, Path, description = "The end of the account's `receipt_path`."), ReceiptAddressCheck),
    responses((status = 200, description = "The `echostr`.", body = String, content_type = "text/plain")),
)]
#[get("/hooks/{token}")]
pub async fn verify_receipt_address(
    app: web::Data<App>,
    request: HttpRequest,
    token: web::Path<String>,
) -> Result<HttpResponse> {
    let (_, config) = called(&app, &request, &token).await?;
    let Some(Settings::Wechat(settings)) = &config.settings else { return Err(Error::not_found()) };
    wechat_callback::echo(settings, request.query_string(), app.clock.now()).map(plain)
}

/// Receive receipts
///
/// Called by providers of messages, at the account's `receipt_path`, in their own forms: a JSON list of Aliyun
/// (SmsReport) or Tencent Cloud (status reports), a signed form of Twilio (status callback, or an incoming message, of
/// which `STOP` and `START` and words like them count: see suppressions), a signed event of WeChat as XML or JSON,
/// plain or encrypted (of which `TEMPLATESENDJOBFINISH`, scans of QR codes and `unsubscribe` count). At most 1000 at
/// once. Repeats and receipts of unknown messages are taken and change nothing.
#[utoipa::path(
    tag = "message-centre", security(()),
    params(("token" = String, Path, description = "The end of the account's `receipt_path`.")),
    request_body(content = serde_json::Value, description = "What the provider writes."),
    responses(
        (status = 200, description = "Taken, in the provider's words; of WeChat `success`.", content(
            (ReceiptsTaken = "application/json"), (String = "text/plain"),
        )),
        (status = 204, description = "Taken from Twilio."),
    ),
)]
#[post("/hooks/{token}")]
pub async fn receive_message_receipts(
    app: web::Data<App>,
    request: HttpRequest,
    token: web::Path<String>,
    body: Raw,
) -> Result<HttpResponse> {
    let (account, config) = called(&app, &request, &token).await?;
    let path = request.uri().path_and_query().map_or("", |all| all.as_str());
    let url = app.settings.public_url.as_ref().map(|public| format!("{}{path}", public.as_str()));
    let signature = request.headers().get(SIGNATURE).and_then(|value| value.to_str().ok());
    let callback = Callback { url: url.as_deref(), query: request.query_string(), signature, body: &body.0 };
    if let Some(Settings::Wechat(settings)) = &config.settings {
        service::take_wechat(&app, &account, settings, callback).await?;
        return Ok(plain("success".to_owned()));
    }
    service::take(&app, &account, &config, callback).await?;
    Ok(match account.provider {
        Provider::AliyunSms => {
            let taken = ReceiptsTaken { code: Some(0), msg: Some("OK"), ..ReceiptsTaken::default() };
            HttpResponse::Ok().json(taken)
        }
        Provider::TencentSms => {
            let taken = ReceiptsTaken { result: Some(0), errmsg: Some("OK"), ..ReceiptsTaken::default() };
            HttpResponse::Ok().json(taken)
        }
        _ => HttpResponse::NoContent().finish(),
    })
}
