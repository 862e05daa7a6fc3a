//! What WeChat brings to an official account's address (接收事件推送): the check of that address, and events, as XML or JSON,
//! plain or encrypted. Pure.
//!
//! Invariants: nothing counts that is not signed with the account's token, now; where the account has a key, what is not
//! encrypted does not count either; XML has no entities of its own, and only so many elements.

use aes::Aes256;
use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig, general_purpose::STANDARD};
use cbc::Decryptor;
use cbc::cipher::block_padding::NoPadding;
use cbc::cipher::{BlockModeDecrypt, KeyIvInit};
use quick_xml::Reader;
use quick_xml::events::Event;
use sha1::{Digest, Sha1};
use std::collections::HashMap;
use url::form_urlencoded;

use super::reports::report_of;
use super::sms::hex;
use super::wechat_follow;
use crate::domain::centre::account::WechatSettings;
use crate::domain::centre::binding::Follow;
use crate::domain::centre::receipt::Report;
use crate::kernel::secret::same;
use crate::kernel::{Code, Error, Millis, Result};

/// How far the time of a request may be from now, in seconds: WeChat brings it again for a while.
pub const TOLERANCE_SECONDS: i64 = 600;
/// Largest body, in bytes. WeChat's have some hundreds.
const BODY_MAX: usize = 65_536;
/// Most elements of a body.
const ELEMENTS_MAX: usize = 200;
/// What stands before the message in what is decrypted: random bytes and a length.
const HEAD: usize = 20;
/// Blocks are filled up to this, by PKCS#7.
const BLOCK: usize = 32;

/// The key is base64 whose last bits may be anything.
const KEY: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// The fields of an event, by their names.
type Fields = HashMap<String, String>;

/// The query of a request.
struct Query(Fields);

impl Query {
    fn of(text: &str) -> Self {
        Self(form_urlencoded::parse(text.as_bytes()).into_owned().collect())
    }

    fn get(&self, name: &str) -> &str {
        self.0.get(name).map(String::as_str).unwrap_or_default()
    }
}

/// Checks the signature of a request's query. Errors: `not_found` when the account takes no callbacks, `forbidden`.
fn checked(settings: &WechatSettings, query: &str, now: Millis) -> Result<Query> {
    let token = settings.callback_token.as_deref().ok_or_else(Error::not_found)?;
    let query = Query::of(query);
    let (timestamp, nonce) = (query.get("timestamp"), query.get("nonce"));
    let right = signature([token, timestamp, nonce]);
    let seconds: i64 = timestamp.parse().unwrap_or(0);
    let is_near = (now.0 / 1_000).abs_diff(seconds) <= TOLERANCE_SECONDS.unsigned_abs();
    match same(right.as_bytes(), query.get("signature").as_bytes()) && is_near {
        true => Ok(query),
        false => Err(forged()),
    }
}

fn forged() -> Error {
    Error::new(Code::Forbidden, "the request is not signed by WeChat, or long ago")
}

/// SHA-1 over texts in their order.
fn signature<const N: usize>(mut texts: [&str; N]) -> String {
    texts.sort_unstable();
    hex(&Sha1::digest(texts.concat()))
}

/// What WeChat wants to hear when the address is set in its console. Errors: `not_found`, `forbidden`.
pub fn echo(settings: &WechatSettings, query: &str, now: Millis) -> Result<String> {
    let query = checked(settings, query, now)?;
    Ok(query.get("echostr").chars().filter(|one| !one.is_control()).collect())
}

/// A request that WeChat signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signed {
    /// What it reports of a message, if anything.
    pub report: Option<Report>,
    /// What it says of who follows the account, if anything.
    pub follow: Option<Follow>,
    /// Its signature: WeChat makes one for each request.
    pub signature: String,
}

/// What an event reports or says. Errors: `not_found`, `forbidden`, `payload_too_large`, `malformed_json`.
pub fn read(settings: &WechatSettings, query: &str, body: &[u8], now: Millis) -> Result<Signed> {
    let query = checked(settings, query, now)?;
    if body.len() > BODY_MAX {
        return Err(Error::new(Code::PayloadTooLarge, format!("at most {BODY_MAX} bytes")));
    }
    let text = std::str::from_utf8(body).map_err(|_| malformed())?;
    let fields = fields(text)?;
    let fields = match &settings.encoding_aes_key {
        None => fields,
        Some(key) => {
            let sealed = fields.get("Encrypt").ok_or_else(forged)?;
            let token = settings.callback_token.as_deref().unwrap_or_default();
            let right = signature([token, query.get("timestamp"), query.get("nonce"), sealed]);
            if !same(right.as_bytes(), query.get("msg_signature").as_bytes()) {
                return Err(forged());
            }
            let (message, app_id) = opened(key, sealed).ok_or_else(forged)?;
            if app_id != settings.app_id {
                return Err(forged());
            }
            self::fields(&message)?
        }
    };
    let signature = query.get("signature").to_owned();
    Ok(Signed { report: report(&fields), follow: wechat_follow::follow(&fields), signature })
}

/// The message and the account of what was encrypted with the account's key; `None` when it was not.
fn opened(key: &str, sealed: &str) -> Option<(String, String)> {
    let key = KEY.decode(key).ok().filter(|key| key.len() == 32)?;
    let mut bytes = STANDARD.decode(sealed).ok()?;
    let cipher = Decryptor::<Aes256>::new_from_slices(&key, &key[..16]).ok()?;
    let plain = cipher.decrypt_padded::<NoPadding>(&mut bytes).ok()?;
    let filled = usize::from(*plain.last()?);
    let plain = plain.get(..plain.len().checked_sub(filled)?).filter(|_| (1..=BLOCK).contains(&filled))?;
    let length: [u8; 4] = plain.get(HEAD - 4..HEAD)?.try_into().ok()?;
    let end = HEAD.checked_add(usize::try_from(u32::from_be_bytes(length)).ok()?)?;
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).ok();
    Some((text(plain.get(HEAD..end)?)?, text(plain.get(end..)?)?))
}

/// What an event reports of a message; nothing of other events.
fn report(fields: &Fields) -> Option<Report> {
    let field = |name: &str| fields.get(name).map(String::as_str);
    let is_result = field("MsgType") == Some("event") && field("Event") == Some("TEMPLATESENDJOBFINISH");
    let status = field("Status").filter(|_| is_result)?.trim();
    let is_delivered = status == "success";
    let id = field("MsgID").or_else(|| field("MsgId"));
    report_of(is_delivered, id.map(str::trim), None, (Some(status).filter(|_| !is_delivered), None))
}

fn malformed() -> Error {
    Error::new(Code::MalformedJson, "expected the XML or JSON of an event")
}

/// The texts of the elements directly below the root.
fn fields(text: &str) -> Result<Fields> {
    if text.trim_start().starts_with('{') {
        let object: serde_json::Map<String, serde_json::Value> =
            serde_json::from_str(text).map_err(|cause| malformed().caused_by(cause))?;
        let plain = |value: serde_json::Value| match value {
            serde_json::Value::String(text) => text,
            other => other.to_string(),
        };
        return Ok(object.into_iter().map(|(name, value)| (name, plain(value))).collect());
    }
    let mut reader = Reader::from_str(text);
    let (mut fields, mut depth, mut count) = (Fields::new(), 0_usize, 0_usize);
    let mut current: Option<(String, String)> = None;
    loop {
        let event = reader.read_event().map_err(|cause| malformed().caused_by(cause))?;
        match event {
            Event::Start(start) => {
                (depth, count) = (depth + 1, count + 1);
                if depth == 2 {
                    current = Some((start.name().0.to_owned(), String::new()));
                }
            }
            Event::Empty(_) => count += 1,
            Event::End(_) => {
                depth = depth.checked_sub(1).ok_or_else(malformed)?;
                if depth == 1 {
                    fields.extend(current.take());
                }
            }
            Event::Text(text) => add(&mut current, depth, &text),
            Event::CData(text) => add(&mut current, depth, &text),
            Event::GeneralRef(name) => {
                let known = match name.resolve_char_ref().map_err(|cause| malformed().caused_by(cause))? {
                    Some(one) => one,
                    None => match &*name {
                        "amp" => '&',
                        "lt" => '<',
                        "gt" => '>',
                        "quot" => '"',
                        "apos" => '\'',
                        _ => return Err(malformed()),
                    },
                };
                add(&mut current, depth, known.encode_utf8(&mut [0; 4]));
            }
            // What declares entities is no event of WeChat's.
            Event::DocType(_) => return Err(malformed()),
            Event::Eof => break,
            Event::Comment(_) | Event::Decl(_) | Event::PI(_) => {}
        }
        if count > ELEMENTS_MAX {
            return Err(malformed());
        }
    }
    match depth == 0 && count > 0 {
        true => Ok(fields),
        false => Err(malformed()),
    }
}

/// Adds a text to the element that it stands in, unless it stands deeper.
fn add(current: &mut Option<(String, String)>, depth: usize, text: &str) {
    if let Some((_, value)) = current.as_mut().filter(|_| depth == 2) {
        value.push_str(text);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use crate::domain::centre::receipt::ReceiptStatus;

    /// The key of WeChat's own example.
    const EXAMPLE_KEY: &str = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG";
    const SEALED: &str =
        "jn1L23DB+6ELqJ+6bruv21Y6MD7KeIfP82D6gU39rmkgczbWwt5+3bnyg5K55bgVtVzd832WzZGMhkP72vVOfg==";
    const NOW: Millis = Millis(1_714_037_059_000);

    fn settings(key: Option<&str>) -> WechatSettings {
        WechatSettings {
            app_id: "wxb11529c136998cb6".to_owned(),
            app_secret: None,
            callback_token: Some("AAAAA".to_owned()),
            encoding_aes_key: key.map(str::to_owned),
        }
    }

    /// The example of WeChat's document on the access of messages (接入概述).
    const QUERY: &str =
        "signature=899cf89e464efb63f54ddac96b0a0a235f53aa78&timestamp=1714037059&nonce=486452656";

    #[test]
    fn signs_as_the_document_says() {
        assert_eq!(
            signature(["AAAAA", "1714037059", "486452656"]),
            "899cf89e464efb63f54ddac96b0a0a235f53aa78"
        );
        let query = format!("{QUERY}&echostr=4375120948345356249");
        assert_eq!(echo(&settings(None), &query, NOW).unwrap(), "4375120948345356249");
        let code =
            |query: &str, now: i64| echo(&settings(None), query, Millis(now)).map_err(|error| error.code);
        let edge = TOLERANCE_SECONDS * 1_000;
        assert!(code(&query, NOW.0 + edge).is_ok() && code(&query, NOW.0 - edge).is_ok());
        for (query, now) in [
            (query.as_str(), NOW.0 + edge + 1_000),
            (&query, NOW.0 - edge - 1_000),
            (&query.replace("486452656", "486452657"), NOW.0),
            (&query.replace("899c", "899d"), NOW.0),
            (&query.replace("signature=", "msg_signature="), NOW.0),
            ("", NOW.0),
        ] {
            assert_eq!(code(query, now), Err(Code::Forbidden), "{query} {now}");
        }
        let none = WechatSettings { callback_token: None, ..settings(None) };
        assert_eq!(echo(&none, &query, NOW).map_err(|error| error.code), Err(Code::NotFound));
    }

    #[test]
    fn opens_what_the_document_encrypts() {
        let (message, app_id) = opened(EXAMPLE_KEY, SEALED).unwrap();
        assert_eq!((message.as_str(), app_id.as_str()), ("我是中文abcd123", "wxb11529c136998cb6"));
        let other = EXAMPLE_KEY.replace('a', "b");
        for (key, sealed) in [
            (other.as_str(), SEALED),
            (EXAMPLE_KEY, &SEALED[..64]),
            (EXAMPLE_KEY, &SEALED[4..]),
            (EXAMPLE_KEY, "AAAA"),
            (EXAMPLE_KEY, ""),
            (EXAMPLE_KEY, "no base64"),
            ("short", SEALED),
        ] {
            assert_eq!(opened(key, sealed), None, "{key} {sealed}");
        }
    }

    fn event(status: &str) -> String {
        format!(
            "<xml><ToUserName><![CDATA[gh_7f083739789a]]></ToUserName><FromUserName>oia2</FromUserName>\
             <CreateTime>1395658920</CreateTime><MsgType><![CDATA[event]]></MsgType>\
             <Event><![CDATA[TEMPLATESENDJOBFINISH]]></Event><MsgID>3557254367693750277</MsgID>\
             <Status><![CDATA[{status}]]></Status></xml>"
        )
    }

    #[test]
    fn events_are_read_and_others_say_nothing() {
        let read = |body: &str| read(&settings(None), QUERY, body.as_bytes(), NOW).unwrap().report;
        let arrived = read(&event("success")).unwrap();
        assert_eq!((arrived.status, &arrived.code), (ReceiptStatus::Delivered, &None));
        assert_eq!(arrived.provider_message_id.as_deref(), Some("3557254367693750277"));
        for status in ["failed:user block", "failed: system failed", "failed:freq limit"] {
            let lost = read(&event(status)).unwrap();
            assert_eq!((lost.status, lost.code.as_deref()), (ReceiptStatus::Undelivered, Some(status)));
        }
        let json = r#"{"MsgType":"event","Event":"TEMPLATESENDJOBFINISH","MsgID":3557254367693750277,"Status":"success"}"#;
        assert_eq!(read(json), Some(arrived.clone()));
        let escaped = event("success").replace("<![CDATA[event]]>", "eve&#110;t");
        assert_eq!(read(&escaped), Some(arrived));
        for other in ["<xml/>", "<xml><MsgType>text</MsgType><Content>&lt;hi&gt;</Content></xml>", "{}"] {
            assert_eq!(read(other), None, "{other}");
        }
        let nested =
            event("success").replace("<Status>", "<a><Status>").replace("</Status>", "</Status></a>");
        assert_eq!(read(&nested), None);
    }

    #[test]
    fn hostile_bodies_are_refused() {
        let bomb = "<!DOCTYPE a [<!ENTITY b \"x\"><!ENTITY c \"&b;&b;\">]><xml><Status>&c;</Status></xml>";
        let many = format!("<xml>{}</xml>", "<a></a>".repeat(201));
        let deep = "<xml>".repeat(201);
        for body in [
            bomb,
            &many,
            &deep,
            "<xml><a>&unknown;</a></xml>",
            "<xml><a></xml>",
            "</xml>",
            "<xml",
            "",
            "{",
            "[]",
        ] {
            let refused = read(&settings(None), QUERY, body.as_bytes(), NOW).unwrap_err();
            assert_eq!(refused.code, Code::MalformedJson, "{}", &body[..body.len().min(60)]);
        }
        let large = read(&settings(None), QUERY, &vec![b' '; BODY_MAX + 1], NOW).unwrap_err();
        assert_eq!(large.code, Code::PayloadTooLarge);
        assert!(read(&settings(None), QUERY, b"\xff\xfe", NOW).is_err());
    }

    #[test]
    fn what_is_not_encrypted_does_not_count_where_there_is_a_key() {
        let settings = settings(Some(EXAMPLE_KEY));
        let code = |query: &str, body: &str| {
            read(&settings, query, body.as_bytes(), NOW)
                .map(|signed| signed.report)
                .map_err(|error| error.code)
        };
        assert_eq!(code(QUERY, &event("success")), Err(Code::Forbidden));
        let sealed = format!("<xml><Encrypt><![CDATA[{SEALED}]]></Encrypt></xml>");
        assert_eq!(code(QUERY, &sealed), Err(Code::Forbidden), "without its signature");
        let right = signature(["AAAAA", "1714037059", "486452656", SEALED]);
        // It is opened, and then it is no XML.
        assert_eq!(code(&format!("{QUERY}&msg_signature={right}"), &sealed), Err(Code::MalformedJson));
        let other = WechatSettings { app_id: "wx0".to_owned(), ..settings.clone() };
        let query = format!("{QUERY}&msg_signature={right}");
        assert_eq!(read(&other, &query, sealed.as_bytes(), NOW).unwrap_err().code, Code::Forbidden);
    }
}
