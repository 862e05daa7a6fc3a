//! Text messages by Twilio (Programmable Messaging, 2010-04-01): a text from a number or a messaging service, with the
//! account's token as the password of HTTP. A repeat is sent again.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use url::form_urlencoded;

use super::sms::{endpoint, text, unspoken};
use super::{Answer, Message, Reply, Request, said};
use crate::domain::centre::account::TwilioSmsSettings;
use crate::domain::centre::send::Outcome;

/// Where text messages are sent.
const ENDPOINT: &str = "https://api.twilio.com/";
const CONTENT_TYPE: &str = "application/x-www-form-urlencoded";

/// The request; `callback` is where delivery reports are asked for, if anywhere. `Err` when the message cannot be sent to
/// this provider.
pub(super) fn request(
    own: &str,
    settings: &TwilioSmsSettings,
    message: Message<'_>,
    callback: Option<&str>,
) -> Result<Request, Answer> {
    let text = text(message.rendered)?;
    let mut url = endpoint(own, ENDPOINT)?;
    let sid = &settings.account_sid;
    url.set_path(&format!("/2010-04-01/Accounts/{sid}/Messages.json"));
    let mut form = form_urlencoded::Serializer::new(String::new());
    form.append_pair("To", message.address).append_pair("Body", text);
    if let Some(from) = &settings.from {
        form.append_pair("From", from);
    }
    if let Some(service) = &settings.messaging_service_sid {
        form.append_pair("MessagingServiceSid", service);
    }
    if let Some(callback) = callback {
        form.append_pair("StatusCallback", callback);
    }
    let token = settings.auth_token.as_deref().unwrap_or_default();
    let authorization = format!("Basic {}", STANDARD.encode(format!("{sid}:{token}")));
    Ok(Request {
        url: url.into(),
        content_type: CONTENT_TYPE,
        headers: vec![("authorization", authorization)],
        body: form.finish(),
    })
}

/// A success with the message's id is acceptance; a refusal has a code.
pub(super) fn judge(reply: &Reply) -> Answer {
    let body: Value = serde_json::from_str(&reply.body).unwrap_or_default();
    let is_success = (200..300).contains(&reply.status);
    let sid = body["sid"].as_str().filter(|sid| is_success && !sid.is_empty());
    let code = body["code"].as_i64().filter(|_| !is_success);
    let outcome = match (sid, code, reply.status) {
        (Some(_), ..) => Outcome::Accepted,
        (None, Some(code), 400..=499) => meaning(code, reply.status),
        _ => unspoken(reply),
    };
    let text = body["message"].as_str().map(str::to_owned);
    let answer = Answer::of(reply, outcome, code.map(|code| code.to_string()), text.or_else(|| said(reply)));
    Answer { provider_message_id: sid.map(str::to_owned), ..answer }
}

/// What a code of a refused request means (Error and Warning Dictionary of Twilio).
fn meaning(code: i64, status: u16) -> Outcome {
    match code {
        // No phone, none that takes messages, one that the account may not write to, one that unsubscribed.
        21_211 | 21_214 | 21_217 | 21_265 | 21_408 | 21_608 | 21_610 | 21_612 | 21_614 | 21_635 => {
            Outcome::Recipient
        }
        20_429 | 14_107 | 21_611 | 63_017 => Outcome::Slow,
        // No text, or one that is too long.
        21_602 | 21_605 | 21_617 | 21_619 => Outcome::Content,
        // A token, an account or a sender that is none, or may not send.
        20_003..=20_008 | 20_403 | 20_404 | 21_212 | 21_603 | 21_606 | 21_659..=21_661 | 21_701..=21_710 => {
            Outcome::Configuration
        }
        _ => match status {
            401 | 403 | 404 => Outcome::Configuration,
            429 => Outcome::Slow,
            408 => Outcome::Uncertain,
            _ => Outcome::Content,
        },
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use std::collections::HashMap;

    use super::*;
    use crate::domain::centre::template::Rendered;
    use crate::kernel::{MessageSendId, Millis};

    fn asked(rendered: &Rendered, from: Option<&str>, callback: Option<&str>) -> Result<Request, Answer> {
        let settings = TwilioSmsSettings {
            account_sid: "AC1".to_owned(),
            auth_token: Some("token".to_owned()),
            from: from.map(str::to_owned),
            messaging_service_sid: from.is_none().then(|| "MG1".to_owned()),
        };
        let message = Message {
            id: MessageSendId(7),
            created_at: Millis(5),
            address: "+14158675309",
            rendered,
            unsubscribe_at: None,
            now: Millis(5),
        };
        request("", &settings, message, callback)
    }

    #[test]
    fn the_text_goes_as_a_form() {
        let rendered = Rendered::Sms { text: Some("a & b = 商".to_owned()), code: None, params: Vec::new() };
        let request = asked(&rendered, Some("+15005550006"), Some("https://desk.example/x?send=7")).unwrap();
        assert_eq!(request.url, "https://api.twilio.com/2010-04-01/Accounts/AC1/Messages.json");
        assert_eq!(request.headers, [("authorization", "Basic QUMxOnRva2Vu".to_owned())]);
        let form = |request: &Request| -> HashMap<String, String> {
            form_urlencoded::parse(request.body.as_bytes()).into_owned().collect()
        };
        let fields = form(&request);
        assert_eq!((fields["To"].as_str(), fields["From"].as_str()), ("+14158675309", "+15005550006"));
        assert_eq!((fields["Body"].as_str(), fields.len()), ("a & b = 商", 4));
        assert_eq!(fields["StatusCallback"], "https://desk.example/x?send=7");
        let fields = form(&asked(&rendered, None, None).unwrap());
        assert_eq!((fields["MessagingServiceSid"].as_str(), fields.len()), ("MG1", 3));
        let code = Rendered::Sms { text: None, code: Some("SMS_1".to_owned()), params: Vec::new() };
        assert_eq!(asked(&code, None, None).err().unwrap().outcome, Outcome::Content);
    }

    #[test]
    fn only_a_success_with_an_id_is_acceptance() {
        let judged =
            |status: u16, body: &str| judge(&Reply { status, retry_after_ms: None, body: body.to_owned() });
        let accepted = judged(201, r#"{"sid":"SM1","status":"queued","error_code":null}"#);
        assert_eq!(
            (accepted.outcome, accepted.provider_message_id.as_deref()),
            (Outcome::Accepted, Some("SM1"))
        );
        for (status, code, outcome) in [
            (400, 21_211, Outcome::Recipient),
            (400, 21_610, Outcome::Recipient),
            (400, 21_602, Outcome::Content),
            (400, 99_999, Outcome::Content),
            (401, 20_003, Outcome::Configuration),
            (400, 21_606, Outcome::Configuration),
            (404, 20_404, Outcome::Configuration),
            (429, 20_429, Outcome::Slow),
            (429, 63_017, Outcome::Slow),
            (500, 20_500, Outcome::Uncertain),
            (503, 20_503, Outcome::Retry),
        ] {
            let answer = judged(status, &format!(r#"{{"code":{code},"message":"no","status":{status}}}"#));
            assert_eq!((answer.outcome, answer.code), (outcome, Some(code.to_string())), "{status} {code}");
        }
        for (status, body, outcome) in [
            (200, "<html>", Outcome::Uncertain),
            (201, r#"{"sid":""}"#, Outcome::Uncertain),
            (200, r#"{"code":21211}"#, Outcome::Uncertain),
            (400, r#"{"sid":"SM1"}"#, Outcome::Configuration),
            (502, "", Outcome::Uncertain),
            (503, "", Outcome::Retry),
            (429, "", Outcome::Slow),
        ] {
            assert_eq!(judged(status, body).outcome, outcome, "{status} {body}");
        }
    }
}
