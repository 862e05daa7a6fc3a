//! Delivery reports as the providers of text messages write them, and what is answered to those messages. Pure.
//!
//! Aliyun and Tencent Cloud sign nothing: that they come to an address which nobody else knows must do. Twilio signs. What
//! WeChat brings stands in [`super::wechat_callback`].

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac};
use serde_json::Value;
use sha1::Sha1;
use url::form_urlencoded;

use crate::domain::centre::account::{Config, Settings};
use crate::domain::centre::receipt::{ReceiptStatus, Report};
use crate::domain::centre::recipient::e164;
use crate::domain::centre::send::{CODE_MAX, ERROR_MAX, PROVIDER_MESSAGE_ID_MAX};
use crate::domain::centre::suppression::{Answered, word};
use crate::kernel::secret::same;
use crate::kernel::{Code, Error, MessageSendId, Result};

/// The field of the query in which a send's id goes to Twilio and comes back.
pub(super) const SEND: &str = "send";

/// What came to an account's address for receipts.
#[derive(Debug, Clone, Copy)]
pub struct Callback<'a> {
    /// The address as the provider was told it; `None`: nobody knows it.
    pub url: Option<&'a str>,
    /// Its query.
    pub query: &'a str,
    /// The signature.
    pub signature: Option<&'a str>,
    /// The body.
    pub body: &'a [u8],
}

/// What a provider brought.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Brought {
    /// What became of messages.
    pub reports: Vec<Report>,
    /// What a phone answered.
    pub answered: Option<Answered>,
}

impl Brought {
    fn of(reports: impl Iterator<Item = Report>) -> Self {
        Self { reports: reports.collect(), answered: None }
    }
}

/// What is reported: nothing of messages that are still on their way. Errors: `malformed_json`, `forbidden`.
pub fn brought(config: &Config, callback: Callback<'_>) -> Result<Brought> {
    match &config.settings {
        Some(Settings::AliyunSms(_)) => Ok(Brought::of(list(callback.body)?.iter().filter_map(aliyun))),
        Some(Settings::TencentSms(_)) => Ok(Brought::of(list(callback.body)?.iter().filter_map(tencent))),
        Some(Settings::TwilioSms(settings)) => {
            let fields: Vec<(String, String)> = form_urlencoded::parse(callback.body).into_owned().collect();
            let token = settings.auth_token.as_deref().unwrap_or_default();
            let right = callback.url.and_then(|url| signature(token, url, &fields));
            let is_right = right
                .zip(callback.signature)
                .is_some_and(|(right, given)| same(right.as_bytes(), given.as_bytes()));
            match is_right {
                true => Ok(Brought {
                    answered: answered(&fields),
                    ..Brought::of(twilio(&fields, callback.query).into_iter())
                }),
                false => Err(Error::new(Code::Forbidden, "the request is not signed by Twilio")),
            }
        }
        _ => Err(Error::not_found()),
    }
}

fn list(body: &[u8]) -> Result<Vec<Value>> {
    serde_json::from_slice(body)
        .map_err(|cause| Error::new(Code::MalformedJson, "expected a JSON list").caused_by(cause))
}

/// `SmsReport` of Aliyun.
fn aliyun(report: &Value) -> Option<Report> {
    let success = &report["success"];
    let is_delivered = success.as_bool().or_else(|| success.as_str()?.parse().ok())?;
    report_of(
        is_delivered,
        report["biz_id"].as_str(),
        report["out_id"].as_str(),
        (report["err_code"].as_str(), report["err_msg"].as_str()),
    )
}

/// A status report of Tencent Cloud.
fn tencent(report: &Value) -> Option<Report> {
    let is_delivered = match report["report_status"].as_str()? {
        "SUCCESS" => true,
        "FAIL" => false,
        _ => return None,
    };
    report_of(
        is_delivered,
        report["sid"].as_str(),
        report["session_context"].as_str().or_else(|| report["ext"].as_str()),
        (report["errmsg"].as_str(), report["description"].as_str()),
    )
}

fn field<'a>(fields: &'a [(String, String)], name: &str) -> Option<&'a str> {
    fields.iter().find(|(one, _)| one == name).map(|(_, value)| value.as_str())
}

/// A message that came to Twilio and asks for something; `None` of every other one.
fn answered(fields: &[(String, String)]) -> Option<Answered> {
    let field = |name: &str| field(fields, name);
    // A status callback has no body.
    let word = word(field("OptOutType"), field("Body")?)?;
    Some(Answered { from: e164(field("From")?)?, name: field("MessageSid")?.to_owned(), word })
}

/// A status callback of Twilio.
fn twilio(fields: &[(String, String)], query: &str) -> Option<Report> {
    let field = |name: &str| field(fields, name);
    let is_delivered = match field("MessageStatus")? {
        "delivered" | "read" => true,
        "undelivered" | "failed" | "canceled" => false,
        _ => return None,
    };
    let send = form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == SEND);
    report_of(
        is_delivered,
        field("MessageSid"),
        send.as_ref().map(|(_, id)| id.as_ref()),
        (field("ErrorCode"), field("ErrorMessage")),
    )
}

/// `None` when it names no message at all.
pub(super) fn report_of(
    is_delivered: bool,
    name: Option<&str>,
    send: Option<&str>,
    (code, message): (Option<&str>, Option<&str>),
) -> Option<Report> {
    let cut = |text: Option<&str>, most: usize| -> Option<String> {
        let text = text.filter(|text| !text.is_empty())?;
        Some(text.chars().filter(|one| *one != '\0').take(most).collect())
    };
    let provider_message_id = cut(name, PROVIDER_MESSAGE_ID_MAX);
    let send_id = send.and_then(|id| id.parse().ok()).map(MessageSendId);
    (provider_message_id.is_some() || send_id.is_some()).then(|| Report {
        provider_message_id,
        send_id,
        status: if is_delivered { ReceiptStatus::Delivered } else { ReceiptStatus::Undelivered },
        code: cut(code, CODE_MAX),
        message: cut(message, ERROR_MAX),
    })
}

/// The `X-Twilio-Signature` of a form: over the whole address and the fields in the order of their names.
fn signature(token: &str, url: &str, fields: &[(String, String)]) -> Option<String> {
    let mut fields: Vec<&(String, String)> = fields.iter().collect();
    fields.sort();
    let text = fields.iter().fold(url.to_owned(), |text, (name, value)| text + name + value);
    let mut mac = Hmac::<Sha1>::new_from_slice(token.as_bytes()).ok()?;
    mac.update(text.as_bytes());
    Some(STANDARD.encode(mac.finalize().into_bytes()))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::domain::centre::suppression::Word;

    /// The example of Twilio's document on the security of its requests.
    #[test]
    fn twilio_signs_as_its_document_says() {
        let fields = [
            ("Digits", "1234"),
            ("CallSid", "CA1234567890ABCDE"),
            ("To", "+18005551212"),
            ("Caller", "+14158675309"),
            ("From", "+14158675309"),
        ];
        let fields = fields.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let signature = signature("12345", "https://mycompany.com/myapp.php?foo=1&bar=2", &fields);
        assert_eq!(signature.unwrap(), "RSOYDt4T1cUTdK1PDd93/VVr8B8=");
    }

    #[test]
    fn reports_are_read_and_those_of_the_way_are_not() {
        let report = json!({"phone_number": "13800138000", "success": true, "err_code": "DELIVERED",
            "err_msg": "用户接收成功", "biz_id": "9006^0", "out_id": "7"});
        let read = aliyun(&report).unwrap();
        assert_eq!(read.status, ReceiptStatus::Delivered);
        assert_eq!(
            (read.provider_message_id.as_deref(), read.send_id),
            (Some("9006^0"), Some(MessageSendId(7)))
        );
        assert_eq!(
            (read.code.as_deref(), read.message.as_deref()),
            (Some("DELIVERED"), Some("用户接收成功"))
        );
        let report =
            json!({"report_status": "FAIL", "sid": "2028:f8", "errmsg": "MK:0001", "description": "x"});
        let read = tencent(&report).unwrap();
        assert_eq!((read.status, read.send_id), (ReceiptStatus::Undelivered, None));
        let callback = |status: &str| {
            let fields = [("MessageSid", "SM1"), ("MessageStatus", status), ("ErrorCode", "30003")];
            let fields = fields.map(|(name, value)| (name.to_owned(), value.to_owned()));
            twilio(&fields, "send=7").map(|read| (read.status, read.send_id))
        };
        assert_eq!(callback("delivered"), Some((ReceiptStatus::Delivered, Some(MessageSendId(7)))));
        assert_eq!(callback("undelivered"), Some((ReceiptStatus::Undelivered, Some(MessageSendId(7)))));
        assert_eq!(callback("sent"), None);
        let text = |kind: Option<&str>, from: &str, body: &str| {
            let mut fields =
                vec![("MessageSid", "SM2"), ("From", from), ("Body", body), ("SmsStatus", "received")];
            fields.extend(kind.map(|kind| ("OptOutType", kind)));
            let fields: Vec<_> =
                fields.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
            assert_eq!(twilio(&fields, ""), None, "it is no report");
            answered(&fields).map(|one| (one.from, one.name, one.word))
        };
        let stopped = Some(("+14158675309".to_owned(), "SM2".to_owned(), Word::Stop));
        assert_eq!(text(None, "+14158675309", "Stop"), stopped);
        assert_eq!(text(Some("STOP"), "+14158675309", "arr\u{ea}ter"), stopped);
        assert_eq!(text(None, "+14158675309", "hello"), None);
        assert_eq!(text(None, "whatsapp:+14158675309", "STOP"), None);
        for nothing in [json!(null), json!(7), json!({}), json!({"success": true}), json!({"biz_id": "1"})] {
            assert_eq!((aliyun(&nothing), tencent(&nothing)), (None, None), "{nothing}");
        }
        assert!(list(b"{}").is_err() && list(b"<xml>").is_err() && list(b"[]").unwrap().is_empty());
        let long = json!({"success": false, "biz_id": "x".repeat(500), "err_code": "\0y", "out_id": "-"});
        let read = aliyun(&long).unwrap();
        assert_eq!(
            (read.provider_message_id.unwrap().len(), read.code.as_deref(), read.send_id),
            (128, Some("y"), None)
        );
    }
}
