//! Text messages by Tencent Cloud (腾讯云短信, SendSms of 2021-01-11): a template of the provider with values by position,
//! signed by TC3-HMAC-SHA256. 3 000 requests a second; a repeat is sent again.

use serde_json::{Value, json};

use super::sms::{endpoint, hex, host, is_any, provider_template, sha256_hex, unsigned, unspoken};
use super::{Answer, Message, Reply, Request, hmac_sha256, said};
use crate::domain::centre::account::TencentSmsSettings;
use crate::domain::centre::send::Outcome;

/// Where text messages are sent.
const ENDPOINT: &str = "https://sms.tencentcloudapi.com/";
const SERVICE: &str = "sms";
const ACTION: &str = "SendSms";
const VERSION: &str = "2021-01-11";
const CONTENT_TYPE: &str = "application/json; charset=utf-8";
/// How long an account is left alone whose messages of the day are used up, in milliseconds.
const USED_UP_MS: i64 = 1_800_000;

/// The request. `Err` when the message cannot be sent to this provider.
pub(super) fn request(
    own: &str,
    settings: &TencentSmsSettings,
    message: Message<'_>,
) -> Result<Request, Answer> {
    let (code, values) = provider_template(message.rendered)?;
    let values: Vec<&str> = values.into_iter().map(|(_, value)| value).collect();
    let mut body = json!({
        "PhoneNumberSet": [message.address],
        "SmsSdkAppId": settings.sdk_app_id,
        "TemplateId": code,
        "TemplateParamSet": values,
        "SessionContext": message.id.to_string(),
    });
    if let Some(name) = &settings.sign_name {
        body["SignName"] = Value::from(name.as_str());
    }
    let (url, body) = (endpoint(own, ENDPOINT)?, body.to_string());
    let seconds = message.now.0.div_euclid(1_000);
    let key = settings.secret_key.as_deref().unwrap_or_default();
    let (signature, scope) =
        signature(key, SERVICE, &host(&url), seconds, body.as_bytes()).ok_or_else(unsigned)?;
    let authorization = format!(
        "TC3-HMAC-SHA256 Credential={}/{scope}, SignedHeaders=content-type;host, Signature={signature}",
        settings.secret_id
    );
    let headers = vec![
        ("authorization", authorization),
        ("x-tc-action", ACTION.to_owned()),
        ("x-tc-version", VERSION.to_owned()),
        ("x-tc-region", settings.region().to_owned()),
        ("x-tc-timestamp", seconds.to_string()),
    ];
    Ok(Request { url: url.into(), content_type: CONTENT_TYPE, headers, body })
}

/// The signature of a request to the path `/` without a query, and what it is good for: a day (UTC) and a service.
fn signature(key: &str, service: &str, host: &str, seconds: i64, body: &[u8]) -> Option<(String, String)> {
    let instant = jiff::Timestamp::from_second(seconds).ok()?.to_string();
    let (date, _) = instant.split_once('T')?;
    let scope = format!("{date}/{service}/tc3_request");
    let canonical = format!(
        "POST\n/\n\ncontent-type:{CONTENT_TYPE}\nhost:{host}\n\ncontent-type;host\n{}",
        sha256_hex(body)
    );
    let text = format!("TC3-HMAC-SHA256\n{seconds}\n{scope}\n{}", sha256_hex(canonical.as_bytes()));
    let of_day = hmac_sha256(format!("TC3{key}").as_bytes(), date.as_bytes())?;
    let of_service = hmac_sha256(&of_day, service.as_bytes())?;
    let signing = hmac_sha256(&of_service, b"tc3_request")?;
    Some((hex(&hmac_sha256(&signing, text.as_bytes())?), scope))
}

/// The code `Ok` of the only phone is acceptance; another one, or an error, says that nothing was sent, unless it says that
/// nobody knows.
pub(super) fn judge(reply: &Reply) -> Answer {
    let body: Value = serde_json::from_str(&reply.body).unwrap_or_default();
    let (error, status) = (&body["Response"]["Error"], &body["Response"]["SendStatusSet"][0]);
    let said_by = if error.is_object() { error } else { status };
    let (code, text) = (said_by["Code"].as_str(), said_by["Message"].as_str().map(str::to_owned));
    let (outcome, wish) = match code {
        Some("Ok") if !error.is_object() && (200..300).contains(&reply.status) => (Outcome::Accepted, None),
        Some(code) if code != "Ok" => meaning(code),
        _ => (unspoken(reply), None),
    };
    let answer = Answer::of(reply, outcome, code.map(str::to_owned), text.or_else(|| said(reply)));
    let serial = status["SerialNo"].as_str().filter(|serial| !serial.is_empty());
    Answer {
        provider_message_id: serial.map(str::to_owned),
        retry_after_ms: answer.retry_after_ms.or(wish),
        ..answer
    }
}

/// What a code means (error codes of SMS 2021-01-11 and common error codes). The signature of the messages and the
/// application are settings of the account, so wrong ones are its fault.
fn meaning(code: &str) -> (Outcome, Option<i64>) {
    let is = |known: &[&str]| is_any(code, known);
    if is(&["FailedOperation.PhoneNumber*", "InvalidParameterValue.IncorrectPhoneNumber"])
        || is(&["UnsupportedOperation.ChineseMainland*", "UnsupportedOperation.GlobalPhone*"])
        || is(&["UnsupportedOperation.GlobalTemplate*", "UnsupportedOperation.UnsuportedRegion"])
    {
        (Outcome::Recipient, None)
    } else if is(&["LimitExceeded.PhoneNumber*", "LimitExceeded.DeliveryFrequencyLimit"])
        || is(&["FailedOperation.MarketingSendTimeConstraint"])
    {
        // So many for one phone within 30 seconds, an hour and a day; advertisement by day only.
        (Outcome::NotNow, None)
    } else if is(&["LimitExceeded.DailyLimit", "LimitExceeded.App*"]) {
        (Outcome::Slow, Some(USED_UP_MS))
    } else if is(&["LimitExceeded*", "RequestLimitExceeded*"]) {
        (Outcome::Slow, None)
    } else if is(&["InternalError.Timeout", "InternalError.SendAndRecvFail"])
        || is(&["InternalError.ParseBackendResponseFail"])
    {
        (Outcome::Uncertain, None)
    } else if is(&["FailedOperation.InsufficientBalance*", "FailedOperation.Signature*"])
        || is(&["FailedOperation.MissingSignature*", "FailedOperation.SignIdNotExist"])
        || is(&["InvalidParameterValue.SdkAppIdNotExist", "InvalidParameter.AppidAndBizId"])
        || is(&["AuthFailure*", "UnauthorizedOperation*", "UnsupportedRegion", "ResourceInsufficient*"])
        || is(&["InvalidParameterValue.SignNameLengthTooLong", "FailedOperation.NotEnterpriseCertification"])
    {
        (Outcome::Configuration, None)
    } else if is(&["FailedOperation.ContainSensitiveWord", "FailedOperation.Template*"])
        || is(&["FailedOperation.MissingTemplate*", "FailedOperation.ForbidAddMarketingTemplates"])
        || is(&["InvalidParameter*", "MissingParameter*", "UnknownParameter*", "UnsupportedOperation*"])
        || is(&["FailedOperation.ParametersOtherError"])
    {
        (Outcome::Content, None)
    } else {
        (Outcome::Retry, None)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use crate::domain::centre::template::{Rendered, SmsParameter};
    use crate::kernel::{MessageSendId, Millis};

    /// The example of the provider's document on TC3-HMAC-SHA256.
    #[test]
    fn signs_as_the_document_says() {
        let body =
            r#"{"Limit": 1, "Filters": [{"Values": ["\u672a\u547d\u540d"], "Name": "instance-name"}]}"#;
        let (signature, scope) = signature(
            "Gu5t9xGARNpq86cd98joQYCN3EXAMPLE",
            "cvm",
            "cvm.tencentcloudapi.com",
            1_551_113_065,
            body.as_bytes(),
        )
        .unwrap();
        assert_eq!(signature, "72e494ea809ad7a8c8f7a4507b9bddcbaa8e581f516e8da2f66e2c5a96525168");
        assert_eq!(scope, "2019-02-25/cvm/tc3_request");
    }

    fn asked(rendered: &Rendered) -> Result<Request, Answer> {
        let settings = TencentSmsSettings {
            secret_id: "AKID".to_owned(),
            secret_key: Some("key".to_owned()),
            sdk_app_id: "1400006666".to_owned(),
            sign_name: Some("商店".to_owned()),
            region: None,
        };
        let message = Message {
            id: MessageSendId(7),
            created_at: Millis(5),
            address: "+8613800138000",
            rendered,
            unsubscribe_at: None,
            now: Millis(1_551_113_065_999),
        };
        request("", &settings, message)
    }

    #[test]
    fn the_values_go_by_position_and_the_send_by_its_id() {
        let values = [("time", "5"), ("code", "1234")];
        let params =
            values.map(|(name, value)| SmsParameter { name: name.to_owned(), value: value.to_owned() });
        let rendered = Rendered::Sms { text: None, code: Some("1110".to_owned()), params: params.to_vec() };
        let request = asked(&rendered).unwrap();
        let body: Value = serde_json::from_str(&request.body).unwrap();
        assert_eq!(
            body,
            json!({
                "PhoneNumberSet": ["+8613800138000"], "SmsSdkAppId": "1400006666", "TemplateId": "1110",
                "SignName": "商店", "TemplateParamSet": ["5", "1234"], "SessionContext": "7",
            })
        );
        assert_eq!(request.url, ENDPOINT);
        assert!(
            request.headers[0].1.starts_with("TC3-HMAC-SHA256 Credential=AKID/2019-02-25/sms/tc3_request, ")
        );
        assert!(request.headers.contains(&("x-tc-timestamp", "1551113065".to_owned())));
        let text = Rendered::Sms { text: Some("hi".to_owned()), code: None, params: Vec::new() };
        assert_eq!(asked(&text).err().unwrap().outcome, Outcome::Content);
    }

    #[test]
    fn only_its_own_ok_is_acceptance() {
        let judged = |status: u16, body: &Value| {
            judge(&Reply { status, retry_after_ms: None, body: body.to_string() })
        };
        let of_phone = |code: &str, serial: &str| {
            let status = json!({"SerialNo": serial, "PhoneNumber": "+86", "Fee": 1, "SessionContext": "7",
                "Code": code, "Message": "send success", "IsoCode": "CN"});
            json!({"Response": {"SendStatusSet": [status], "RequestId": "x"}})
        };
        let of_request = |code: &str| json!({"Response": {"Error": {"Code": code, "Message": "no"}}});
        let accepted = judged(200, &of_phone("Ok", "2028:f8"));
        assert_eq!(accepted.outcome, Outcome::Accepted);
        assert_eq!(accepted.provider_message_id.as_deref(), Some("2028:f8"));
        for (code, outcome) in [
            ("FailedOperation.PhoneNumberInBlacklist", Outcome::Recipient),
            ("InvalidParameterValue.IncorrectPhoneNumber", Outcome::Recipient),
            ("UnsupportedOperation.ChineseMainlandTemplateToGlobalPhone", Outcome::Recipient),
            ("LimitExceeded.PhoneNumberThirtySecondLimit", Outcome::NotNow),
            ("LimitExceeded.PhoneNumberDailyLimit", Outcome::NotNow),
            ("FailedOperation.MarketingSendTimeConstraint", Outcome::NotNow),
            ("LimitExceeded.AppDailyLimit", Outcome::Slow),
            ("RequestLimitExceeded", Outcome::Slow),
            ("FailedOperation.TemplateIncorrectOrUnapproved", Outcome::Content),
            ("FailedOperation.ContainSensitiveWord", Outcome::Content),
            ("InvalidParameterValue.TemplateParameterFormatError", Outcome::Content),
            ("FailedOperation.SignatureIncorrectOrUnapproved", Outcome::Configuration),
            ("FailedOperation.InsufficientBalanceInSmsPackage", Outcome::Configuration),
            ("AuthFailure.SignatureExpire", Outcome::Configuration),
            ("UnauthorizedOperation.SmsSdkAppIdVerifyFail", Outcome::Configuration),
            ("InternalError.Timeout", Outcome::Uncertain),
            ("InternalError.OtherError", Outcome::Retry),
            ("something new", Outcome::Retry),
        ] {
            for body in [of_phone(code, ""), of_request(code)] {
                let answer = judged(200, &body);
                assert_eq!((answer.outcome, answer.code.as_deref()), (outcome, Some(code)));
                assert_eq!(answer.provider_message_id, None);
            }
        }
        let mixed = json!({"Response": {"Error": {"Code": "Ok"}, "SendStatusSet": [{"Code": "Ok"}]}});
        for (status, body, outcome) in [
            (200, json!("<html>"), Outcome::Uncertain),
            (200, json!({"Response": {"SendStatusSet": []}}), Outcome::Uncertain),
            (200, mixed, Outcome::Uncertain),
            (500, of_phone("Ok", "1"), Outcome::Uncertain),
            (502, json!("bad gateway"), Outcome::Uncertain),
            (503, json!(""), Outcome::Retry),
            (429, json!(""), Outcome::Slow),
            (404, json!(""), Outcome::Configuration),
        ] {
            assert_eq!(judged(status, &body).outcome, outcome, "{status} {body}");
        }
    }
}
