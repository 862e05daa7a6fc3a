//! Text messages by Aliyun (阿里云短信服务, SendSms of 2017-05-25): a template of the provider with values by name, signed
//! as "V3 request body & signature" of Alibaba Cloud says. 5 000 requests a second; a repeat is sent again.

use serde_json::{Map, Value};
use url::Url;

use super::sms::{endpoint, hex, host, is_any, percent, provider_template, sha256_hex, unsigned, unspoken};
use super::{Answer, Message, Reply, Request, hmac_sha256, said};
use crate::domain::centre::account::AliyunSmsSettings;
use crate::domain::centre::send::Outcome;
use crate::kernel::Millis;

/// Where text messages are sent.
const ENDPOINT: &str = "https://dysmsapi.aliyuncs.com/";
const ACTION: &str = "SendSms";
const VERSION: &str = "2017-05-25";
/// The type of a body without anything in it: the values stand in the query, as in the provider's own libraries.
const CONTENT_TYPE: &str = "application/x-www-form-urlencoded";
/// How long an account is left alone whose messages of the day are used up, in milliseconds.
const USED_UP_MS: i64 = 1_800_000;

/// The request; `nonce` is another one each time. `Err` when the message cannot be sent to this provider.
pub(super) fn request(
    own: &str,
    settings: &AliyunSmsSettings,
    message: Message<'_>,
    nonce: &str,
) -> Result<Request, Answer> {
    let (code, values) = provider_template(message.rendered)?;
    let values: Map<String, Value> =
        values.into_iter().map(|(name, value)| (name.to_owned(), Value::from(value))).collect();
    let mut parameters = vec![
        ("OutId", message.id.to_string()),
        ("PhoneNumbers", phone(message.address).to_owned()),
        ("SignName", settings.sign_name.clone()),
        ("TemplateCode", code.to_owned()),
    ];
    if !values.is_empty() {
        parameters.push(("TemplateParam", Value::Object(values).to_string()));
    }
    let query = query(&parameters);
    let mut url: Url = endpoint(own, ENDPOINT)?;
    url.set_query(Some(&query));
    let (host, date, payload) = (host(&url), date(message.now), sha256_hex(b""));
    let headers = [
        ("content-type", CONTENT_TYPE),
        ("host", host.as_str()),
        ("x-acs-action", ACTION),
        ("x-acs-content-sha256", &payload),
        ("x-acs-date", &date),
        ("x-acs-signature-nonce", nonce),
        ("x-acs-version", VERSION),
    ];
    let secret = settings.access_key_secret.as_deref().unwrap_or_default();
    let signature = signature(secret, url.path(), &query, &headers, &payload).ok_or_else(unsigned)?;
    let authorization = format!(
        "ACS3-HMAC-SHA256 Credential={},SignedHeaders={},Signature={signature}",
        settings.access_key_id,
        names(&headers)
    );
    // The transport writes the type and the host itself.
    let sent = headers.into_iter().filter(|(name, _)| name.starts_with("x-acs-"));
    let mut sent: Vec<_> = sent.map(|(name, value)| (name, value.to_owned())).collect();
    sent.push(("authorization", authorization));
    Ok(Request { url: url.into(), content_type: CONTENT_TYPE, headers: sent, body: String::new() })
}

/// A phone as the provider takes it: of mainland China without the code of the country, of others without the `+`.
fn phone(e164: &str) -> &str {
    let digits = e164.strip_prefix('+').unwrap_or(e164);
    match digits.strip_prefix("86") {
        Some(mobile) if mobile.len() == 11 => mobile,
        _ => digits,
    }
}

/// `2023-10-26T10:22:32Z`: within 15 minutes of the provider's time.
fn date(now: Millis) -> String {
    jiff::Timestamp::from_second(now.0.div_euclid(1_000)).unwrap_or_default().to_string()
}

/// The query in the order of its names, which `parameters` are in already.
fn query(parameters: &[(&str, String)]) -> String {
    let pairs = parameters.iter().map(|(name, value)| format!("{}={}", percent(name), percent(value)));
    pairs.collect::<Vec<_>>().join("&")
}

fn names(headers: &[(&'static str, &str)]) -> String {
    headers.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(";")
}

/// The signature over method, path, query, headers (in the order of their names) and the hash of the body.
fn signature(
    secret: &str,
    path: &str,
    query: &str,
    headers: &[(&'static str, &str)],
    payload: &str,
) -> Option<String> {
    let lines: String = headers.iter().map(|(name, value)| format!("{name}:{value}\n")).collect();
    let canonical = format!("POST\n{path}\n{query}\n{lines}\n{}\n{payload}", names(headers));
    let text = format!("ACS3-HMAC-SHA256\n{}", sha256_hex(canonical.as_bytes()));
    hmac_sha256(secret.as_bytes(), text.as_bytes()).map(|bytes| hex(&bytes))
}

/// The code `OK` is acceptance, whatever the status; another code says that nothing was sent.
pub(super) fn judge(reply: &Reply) -> Answer {
    let body: Value = serde_json::from_str(&reply.body).unwrap_or_default();
    let (code, text) = (body["Code"].as_str(), body["Message"].as_str().map(str::to_owned));
    let (outcome, wish) = match code {
        Some("OK") if (200..300).contains(&reply.status) => (Outcome::Accepted, None),
        Some(code) if code != "OK" => meaning(code),
        _ => (unspoken(reply), None),
    };
    let answer = Answer::of(reply, outcome, code.map(str::to_owned), text.or_else(|| said(reply)));
    Answer {
        provider_message_id: body["BizId"].as_str().map(str::to_owned),
        retry_after_ms: answer.retry_after_ms.or(wish),
        ..answer
    }
}

/// What a code means (API error codes of SMS and common error codes of Alibaba Cloud). The signature of the messages is a
/// setting of the account, so a wrong one is its fault.
fn meaning(code: &str) -> (Outcome, Option<i64>) {
    let is = |known: &[&str]| is_any(code, known);
    if is(&["isv.MOBILE_NUMBER_ILLEGAL", "isv.PHONE_NUMBER_ILLEGAL", "isv.DOMESTIC_NUMBER_NOT_SUPPORTED"])
        || is(&["isv.NOT_SUPPORTED_COUNTRY", "isv.COUNTRY_RESTRICTED", "isv.BLACK_LIST*"])
    {
        (Outcome::Recipient, None)
    } else if is(&["isv.BUSINESS_LIMIT*", "BUSINESS_LIMIT*"]) {
        // So many a minute, an hour and a day for one phone.
        (Outcome::NotNow, None)
    } else if is(&["isv.DAY_LIMIT_CONTROL", "isv.MONTH_LIMIT_CONTROL"]) {
        (Outcome::Slow, Some(USED_UP_MS))
    } else if is(&["Throttling*"]) {
        (Outcome::Slow, None)
    } else if is(&["isv.SMS_SIGNATURE_SCENE_ILLEGAL", "isv.SMS_TEMPLATE_ILLEGAL", "isv.TEMPLATE_*"])
        || is(&["isv.INVALID_PARAMETERS", "isv.INVALID_JSON_PARAM", "isv.BLACK_KEY_CONTROL_LIMIT"])
        || is(&["isv.PARAM_*", "isv.SMS_CONTENT_*", "isv.UNSUPPORTED_CONTENT"])
    {
        (Outcome::Content, None)
    } else if is(&["isv.AMOUNT_NOT_ENOUGH", "isv.OUT_OF_SERVICE", "isv.PRODUCT_*", "isv.ACCOUNT_*"])
        || is(&["isv.SMS_SIGN*", "isv.DENY_IP_RANGE", "isv.EXTEND_CODE_ERROR", "isp.RAM_PERMISSION_DENY"])
        || is(&["InvalidAccessKeyId*", "IncompleteSignature", "SignatureDoesNotMatch", "InvalidTimeStamp*"])
        || is(&["Forbidden*", "NoPermission*", "MissingParameter", "MissingSecurityToken"])
    {
        (Outcome::Configuration, None)
    } else if is(&["SignatureNonceUsed"]) {
        // The request came twice, and this is the answer to the second.
        (Outcome::Uncertain, None)
    } else {
        (Outcome::Retry, None)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use crate::domain::centre::template::{Rendered, SmsParameter};
    use crate::kernel::MessageSendId;

    /// The example of the provider's document on signatures of version 3.
    #[test]
    fn signs_as_the_document_says() {
        let payload = sha256_hex(b"");
        let headers = [
            ("host", "ecs.cn-shanghai.aliyuncs.com"),
            ("x-acs-action", "RunInstances"),
            ("x-acs-content-sha256", payload.as_str()),
            ("x-acs-date", "2023-10-26T10:22:32Z"),
            ("x-acs-signature-nonce", "3156853299f313e23d1673dc12e1703d"),
            ("x-acs-version", "2014-05-26"),
        ];
        let image = "win2019_1809_x64_dtc_zh-cn_40G_alibase_20230811.vhd";
        let query = query(&[("ImageId", image.to_owned()), ("RegionId", "cn-shanghai".to_owned())]);
        let signature = signature("YourAccessKeySecret", "/", &query, &headers, &payload);
        assert_eq!(signature.unwrap(), "06563a9e1b43f5dfe96b81484da74bceab24a1d853912eee15083a6f0f3283c0");
        assert_eq!(date(Millis(1_698_315_752_999)), "2023-10-26T10:22:32Z");
    }

    #[test]
    fn phones_are_written_as_the_provider_takes_them() {
        for (e164, written) in [
            ("+8613800138000", "13800138000"),
            ("+85251234567", "85251234567"),
            ("+14158675309", "14158675309"),
            ("+862012345678", "862012345678"),
        ] {
            assert_eq!(phone(e164), written);
        }
    }

    fn settings() -> AliyunSmsSettings {
        AliyunSmsSettings {
            access_key_id: "LTAI".to_owned(),
            access_key_secret: Some("secret".to_owned()),
            sign_name: "商店".to_owned(),
        }
    }

    fn asked(rendered: &Rendered) -> Result<Request, Answer> {
        let message = Message {
            id: MessageSendId(7),
            created_at: Millis(5),
            address: "+8613800138000",
            rendered,
            unsubscribe_at: None,
            now: Millis(1_698_315_752_999),
        };
        request("", &settings(), message, "nonce")
    }

    #[test]
    fn the_values_go_by_name_and_the_send_by_its_id() {
        let values = [("code", "1 & 2"), ("name", "伊娃")];
        let params =
            values.map(|(name, value)| SmsParameter { name: name.to_owned(), value: value.to_owned() });
        let rendered = Rendered::Sms { text: None, code: Some("SMS_1".to_owned()), params: params.to_vec() };
        let request = asked(&rendered).unwrap();
        assert!(request.url.starts_with(ENDPOINT) && request.body.is_empty());
        let url = Url::parse(&request.url).unwrap();
        let pairs: Vec<(String, String)> = url.query_pairs().into_owned().collect();
        let expected = [
            ("OutId", "7"),
            ("PhoneNumbers", "13800138000"),
            ("SignName", "商店"),
            ("TemplateCode", "SMS_1"),
            ("TemplateParam", r#"{"code":"1 & 2","name":"伊娃"}"#),
        ];
        assert_eq!(pairs, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
        let (name, value) = request.headers.last().unwrap();
        assert_eq!(*name, "authorization");
        assert!(
            value.starts_with(
                "ACS3-HMAC-SHA256 Credential=LTAI,SignedHeaders=content-type;host;x-acs-action;"
            )
        );
        let text = Rendered::Sms { text: Some("hi".to_owned()), code: None, params: Vec::new() };
        assert_eq!(asked(&text).err().unwrap().outcome, Outcome::Content);
    }

    #[test]
    fn only_its_own_ok_is_acceptance() {
        let judged =
            |status: u16, body: &str| judge(&Reply { status, retry_after_ms: None, body: body.to_owned() });
        let accepted = judged(200, r#"{"Code":"OK","Message":"OK","BizId":"9006^0","RequestId":"x"}"#);
        assert_eq!(accepted.outcome, Outcome::Accepted);
        assert_eq!(accepted.provider_message_id.as_deref(), Some("9006^0"));
        for (code, outcome) in [
            ("isv.MOBILE_NUMBER_ILLEGAL", Outcome::Recipient),
            ("isv.BUSINESS_LIMIT_CONTROL", Outcome::NotNow),
            ("isv.SMS_TEMPLATE_ILLEGAL", Outcome::Content),
            ("isv.TEMPLATE_MISSING_PARAMETERS", Outcome::Content),
            ("isv.SMS_SIGNATURE_ILLEGAL", Outcome::Configuration),
            ("isv.AMOUNT_NOT_ENOUGH", Outcome::Configuration),
            ("InvalidAccessKeyId.NotFound", Outcome::Configuration),
            ("SignatureDoesNotMatch", Outcome::Configuration),
            ("Throttling.User", Outcome::Slow),
            ("isv.DAY_LIMIT_CONTROL", Outcome::Slow),
            ("SignatureNonceUsed", Outcome::Uncertain),
            ("isp.SYSTEM_ERROR", Outcome::Retry),
            ("something new", Outcome::Retry),
        ] {
            for status in [200, 400, 500] {
                let answer = judged(status, &format!(r#"{{"Code":"{code}","Message":"no"}}"#));
                assert_eq!((answer.outcome, answer.code.as_deref()), (outcome, Some(code)));
            }
        }
        for (status, body, outcome) in [
            (200, "<html>", Outcome::Uncertain),
            (200, "{}", Outcome::Uncertain),
            (500, r#"{"Code":"OK"}"#, Outcome::Uncertain),
            (302, "", Outcome::Uncertain),
            (502, "bad gateway", Outcome::Uncertain),
            (503, "", Outcome::Retry),
            (429, "", Outcome::Slow),
            (403, "", Outcome::Configuration),
        ] {
            assert_eq!(judged(status, body).outcome, outcome, "{status} {body}");
        }
    }
}
