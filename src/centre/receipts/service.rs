//! What is done with the receipts that a provider brings.

use std::time::Duration;

use super::{apply, store};
use crate::app::App;
use crate::centre::accounts;
use crate::centre::bindings;
use crate::centre::channels::reports::{Brought, Callback, brought};
use crate::centre::channels::wechat_callback;
use crate::centre::suppressions;
use crate::db::AnyConnection;
use crate::domain::centre::account::{AccountRow, Config, WechatSettings};
use crate::domain::centre::receipt::{REPORTS_MAX, ReceiptRow, Report};
use crate::kernel::secret::{same, token_hash};
use crate::kernel::{ChannelAccountId, Code, Error, MessageReceiptId, Result};

/// Receipts in one transaction: the account is held that long.
const TOGETHER: usize = 100;

/// How long WeChat is let wait: it gives up after 5 s.
const ANSWER: Duration = Duration::from_secs(4);

/// The account whose address for receipts has this token. Errors: `not_found`.
pub async fn account(app: &App, token: &str) -> Result<(AccountRow, Config)> {
    let (id, key) = token.split_once('-').ok_or_else(Error::not_found)?;
    let id = id.parse().map(ChannelAccountId).map_err(|_| Error::not_found())?;
    let row = app.db.read(move |connection| store::account(connection, id)).await?;
    let row = row.ok_or_else(Error::not_found)?;
    let config = accounts::service::open(app.auth.vault(), &row)?;
    match config.hook_key.as_deref().is_some_and(|own| same(own.as_bytes(), key.as_bytes())) {
        true => Ok((row, config)),
        false => Err(Error::not_found()),
    }
}

/// Stores and applies what a provider reports of an account's messages, and what is answered to them. Errors:
/// `malformed_json`, `forbidden` when it is not signed as the provider signs, `payload_too_large` when there are more
/// than [`REPORTS_MAX`].
pub async fn take(app: &App, account: &AccountRow, config: &Config, callback: Callback<'_>) -> Result<()> {
    let Brought { reports: found, answered } = brought(config, callback)?;
    if found.len() > REPORTS_MAX {
        return Err(Error::new(Code::PayloadTooLarge, format!("at most {REPORTS_MAX} receipts")));
    }
    let now = app.clock.now().0;
    let rows: Vec<ReceiptRow> =
        found.into_iter().map(|report| row(app, account, report, now)).collect::<Result<_>>()?;
    if let Some(answered) = answered {
        suppressions::service::answered(app, account, answered).await?;
    }
    let of = (account.id, account.provider);
    for some in rows.chunks(TOGETHER) {
        let (some, ids) = (some.to_vec(), app.ids.clone());
        let write =
            move |connection: &mut AnyConnection| apply::arrived(connection, of, some.clone(), &ids, now);
        if app.db.write(write).await? > 0 {
            app.message_sends.notify_one();
        }
    }
    Ok(())
}

/// Stores and applies what WeChat brings to an official account: what became of messages, and who follows it. Errors: as
/// [`take`], `malformed_json` and `forbidden` also when a signature comes with another body than before, and `busy` when the
/// store takes too long for WeChat, which brings it again then.
pub async fn take_wechat(
    app: &App,
    account: &AccountRow,
    settings: &WechatSettings,
    callback: Callback<'_>,
) -> Result<()> {
    let now = app.clock.now();
    let signed = wechat_callback::read(settings, callback.query, callback.body, now)?;
    let rows: Vec<ReceiptRow> =
        signed.report.into_iter().map(|report| row(app, account, report, now.0)).collect::<Result<_>>()?;
    let (id, tenant, signature, follow) = (account.id, account.tenant_id, signed.signature, signed.follow);
    let body = token_hash(&String::from_utf8_lossy(callback.body));
    // A signature that is too old counts no more, so it need not be known longer than it counts.
    let until = now.0 + 2 * wechat_callback::TOLERANCE_SECONDS * 1_000;
    let (ids, provider) = (app.ids.clone(), account.provider);
    let write = move |connection: &mut AnyConnection| {
        accounts::store::hold(connection, id)?;
        match store::first_body(connection, (tenant, id), &signature, &body, (now.0, until))? {
            true => {
                if let Some(follow) = &follow {
                    bindings::apply::followed(connection, (tenant, id), follow, &ids, now.0)?;
                }
                apply::arrived(connection, (id, provider), rows.clone(), &ids, now.0)
            }
            false => Err(Error::new(Code::Forbidden, "this signature came with another body")),
        }
    };
    let late = || Error::new(Code::Busy, "the store takes too long").retry_after(1_000);
    let made = tokio::time::timeout(ANSWER, app.db.write(write)).await.unwrap_or_else(|_| Err(late()))?;
    if made > 0 {
        app.message_sends.notify_one();
    }
    Ok(())
}

fn row(app: &App, account: &AccountRow, report: Report, now: i64) -> Result<ReceiptRow> {
    let Report { provider_message_id, send_id, status, code, message } = report;
    let send = send_id.map(|id| id.to_string());
    let what = serde_json::json!([account.id.to_string(), provider_message_id, send, status.as_str(), code]);
    Ok(ReceiptRow {
        id: MessageReceiptId(app.ids.next()?),
        tenant_id: account.tenant_id,
        account_id: account.id,
        dedupe: token_hash(&what.to_string()),
        provider_message_id,
        send_id,
        status,
        code,
        message,
        received_at: now,
        applied_at: None,
    })
}
