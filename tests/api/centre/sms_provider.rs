//! What the scripted provider does as a provider of text messages: it checks signatures itself, written a second time.

use std::collections::HashMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::provider::{Act, Delivery};

/// The secret of every account.
pub const SECRET: &str = "s3cret-of-the-tests";
/// The Twilio account.
pub const ACCOUNT_SID: &str = "AC00000000000000000000000000000001";
/// Where Twilio is asked.
pub const TWILIO: &str = "/2010-04-01/Accounts/AC00000000000000000000000000000001/Messages.json";

/// What Twilio says of a phone that answered STOP.
pub const STOPPED: Act = Act::Answer(
    400,
    "content-type: application/json\r\n",
    r#"{"code":21610,"message":"Attempt to send to unsubscribed recipient","more_info":"https://www.twilio.com/docs/errors/21610","status":400}"#,
);
/// What Tencent Cloud says of a phone on its list.
pub const BLACKLISTED: Act = Act::Answer(
    200,
    "content-type: application/json\r\n",
    r#"{"Response":{"SendStatusSet":[{"SerialNo":"","PhoneNumber":"+8613800138000","Fee":0,"SessionContext":"","Code":"FailedOperation.PhoneNumberInBlacklist","Message":"phone is in blacklist","IsoCode":"CN"}],"RequestId":"r"}}"#,
);

/// What each provider says to a request; `None` when it is for none of them.
pub fn accept(delivery: &Delivery) -> Option<(u16, &'static str, String)> {
    let (status, body) = match delivery.path.as_str() {
        "/aliyun" => match aliyun_signed(delivery) {
            true => {
                let biz = format!("900619746936498440^{}", delivery.query["OutId"]);
                (200, json!({"Code": "OK", "Message": "OK", "BizId": biz, "RequestId": "r"}))
            }
            false => (400, json!({"Code": "SignatureDoesNotMatch", "Message": "wrong", "RequestId": "r"})),
        },
        "/tencent" => match tencent_signed(delivery) {
            true => {
                let context = delivery.body["SessionContext"].as_str().unwrap();
                let status = json!({"SerialNo": format!("2028:{context}"), "Fee": 1, "SessionContext": context,
                    "PhoneNumber": delivery.body["PhoneNumberSet"][0], "Code": "Ok",
                    "Message": "send success", "IsoCode": "CN"});
                (200, json!({"Response": {"SendStatusSet": [status], "RequestId": "r"}}))
            }
            false => {
                let error = json!({"Code": "AuthFailure.SignatureFailure", "Message": "wrong"});
                (200, json!({"Response": {"Error": error, "RequestId": "r"}}))
            }
        },
        TWILIO => {
            let right = format!("Basic {}", STANDARD.encode(format!("{ACCOUNT_SID}:{SECRET}")));
            match delivery.headers.get("authorization") == Some(&right) {
                true => (201, json!({"sid": twilio_sid(delivery), "status": "queued", "error_code": null})),
                false => (401, json!({"code": 20003, "message": "Authenticate", "status": 401})),
            }
        }
        _ => return None,
    };
    Some((status, "content-type: application/json\r\n", body.to_string()))
}

/// Twilio's name for the message of a request.
pub fn twilio_sid(delivery: &Delivery) -> String {
    format!("SM{}", &hex(&Sha256::digest(&delivery.raw))[..32])
}

/// The fields of a form.
pub fn form(delivery: &Delivery) -> HashMap<String, String> {
    url::form_urlencoded::parse(delivery.raw.as_bytes()).into_owned().collect()
}

/// A header; empty when it is not there.
fn header<'a>(delivery: &'a Delivery, name: &str) -> &'a str {
    delivery.headers.get(name).map(String::as_str).unwrap_or_default()
}

/// Signature version 3 of Alibaba Cloud, from the request as it came.
fn aliyun_signed(delivery: &Delivery) -> bool {
    let authorization = header(delivery, "authorization");
    let part = |name: &str| {
        let (_, rest) = authorization.split_once(&format!("{name}=")).unwrap_or_default();
        rest.split(',').next().unwrap_or_default().to_owned()
    };
    let names = part("SignedHeaders");
    // Everything that must be signed is.
    let needed = delivery
        .headers
        .keys()
        .filter(|name| name.starts_with("x-acs-") || ["host", "content-type"].contains(&name.as_str()));
    if !needed.clone().all(|name| names.split(';').any(|one| one == name)) || needed.count() < 7 {
        return false;
    }
    let mut pairs: Vec<(String, String)> =
        delivery.query.iter().map(|(name, value)| (escape(name), escape(value))).collect();
    pairs.sort();
    let query: Vec<String> = pairs.into_iter().map(|(name, value)| format!("{name}={value}")).collect();
    let mut canonical = vec!["POST".to_owned(), delivery.path.clone(), query.join("&")];
    canonical.extend(names.split(';').map(|name| format!("{name}:{}", header(delivery, name))));
    canonical.extend([String::new(), names.clone(), hex(&Sha256::digest(&delivery.raw))]);
    let text = format!("ACS3-HMAC-SHA256\n{}", hex(&Sha256::digest(canonical.join("\n"))));
    let date = header(delivery, "x-acs-date");
    let is_now = date.parse::<jiff::Timestamp>().is_ok_and(|date| is_near(date, 15));
    date.len() == 20
        && date.ends_with('Z')
        && is_now
        && header(delivery, "x-acs-action") == "SendSms"
        && header(delivery, "x-acs-content-sha256") == hex(&Sha256::digest(&delivery.raw))
        && part("Signature") == hex(&mac(SECRET.as_bytes(), &text))
}

/// Whether a time is within so many minutes of now, as the providers ask for.
fn is_near(time: jiff::Timestamp, minutes: i64) -> bool {
    (time.as_second() - jiff::Timestamp::now().as_second()).abs() <= minutes * 60
}

/// TC3-HMAC-SHA256 of Tencent Cloud, from the request as it came. The day is reckoned from the time that is told.
fn tencent_signed(delivery: &Delivery) -> bool {
    let seconds: i64 = header(delivery, "x-tc-timestamp").parse().unwrap_or_default();
    let time = jiff::Timestamp::from_second(seconds).unwrap();
    if !is_near(time, 5) {
        return false;
    }
    let day = time.strftime("%Y-%m-%d").to_string();
    let scope = format!("{day}/sms/tc3_request");
    let canonical = [
        "POST",
        "/",
        "",
        &format!("content-type:{}", header(delivery, "content-type")),
        &format!("host:{}", header(delivery, "host")),
        "",
        "content-type;host",
        &hex(&Sha256::digest(&delivery.raw)),
    ]
    .join("\n");
    let text = format!("TC3-HMAC-SHA256\n{seconds}\n{scope}\n{}", hex(&Sha256::digest(canonical)));
    let key = [day.as_str(), "sms", "tc3_request"]
        .iter()
        .fold(format!("TC3{SECRET}").into_bytes(), |key, text| mac(&key, text));
    let right = format!(
        "TC3-HMAC-SHA256 Credential=AKIDtest/{scope}, SignedHeaders=content-type;host, Signature={}",
        hex(&mac(&key, &text))
    );
    header(delivery, "authorization") == right
        && (header(delivery, "x-tc-action"), header(delivery, "x-tc-version")) == ("SendSms", "2021-01-11")
}

fn mac(key: &[u8], text: &str) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Escapes as RFC 3986 says, by what `url` does and it does not.
fn escape(text: &str) -> String {
    let form: String = url::form_urlencoded::byte_serialize(text.as_bytes()).collect();
    form.replace('+', "%20").replace('*', "%2A").replace("%7E", "~")
}

/// The fields of an account of this provider.
pub fn settings(kind: &str, secret: &str) -> Value {
    match kind {
        "aliyun_sms" => {
            json!({"access_key_id": "LTAI5test", "access_key_secret": secret, "sign_name": "我的商店"})
        }
        "tencent_sms" => json!({"secret_id": "AKIDtest", "secret_key": secret, "sdk_app_id": "1400006666",
            "sign_name": "我的商店"}),
        _ => json!({"account_sid": ACCOUNT_SID, "auth_token": secret, "from": "+15005550006"}),
    }
}
