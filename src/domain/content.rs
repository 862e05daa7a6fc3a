//! What may be said: the bodies of messages by kind, their checks and their fingerprint. No I/O.
//!
//! Invariant: a [`Body`] is checked and canonical, so equal words have equal text and an equal hash.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::attachment::AttachmentReference;
use super::entry::EntryKind;
use super::member::Role;
use crate::kernel::{AttachmentId, Error, Result, json, text, url};

/// Longest text of a message, in bytes of UTF-8.
pub const TEXT_MAX: usize = 16_384;
/// Longest content of a card or a custom message as JSON, in bytes.
pub const CUSTOM_MAX: usize = 16_384;
/// Longest title of a card, in characters.
pub const CARD_TITLE_MAX: usize = 200;
/// Longest text of a card, in characters.
pub const CARD_TEXT_MAX: usize = 2_000;
/// Most buttons of a card.
pub const BUTTONS_MAX: usize = 10;
/// Longest label of a button, in characters.
pub const BUTTON_LABEL_MAX: usize = 80;
/// Longest value of a button, in characters.
pub const BUTTON_VALUE_MAX: usize = 500;
/// Shortest URL in a card, in characters.
pub const URL_MIN: usize = 9;
/// Longest URL in a card, in characters.
pub const URL_MAX: usize = 2_000;

crate::words_of! {
    /// The kinds that may be sent: [`Body::parse`] refuses the others.
    MessageKind: EntryKind, EntryKind::is_message
}

/// What is said, checked: the kind and its content as JSON text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Body {
    /// One of the message kinds.
    pub kind: EntryKind,
    /// The content as canonical JSON text.
    pub content: String,
}

/// Content of a text message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TextContent {
    /// 1 to 16,384 bytes of UTF-8, not only white space.
    pub text: String,
}

/// Content of a card.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CardContent {
    /// 1 to 200 characters.
    pub title: String,
    /// At most 2,000 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// `https` only, a public host, at most 2,000 characters. Staff only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image_url: Option<String>,
    /// `https` only, a public host, at most 2,000 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// At most 10. Staff only.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub buttons: Vec<CardButton>,
}

/// A button of a card: a link, or a value that the client sends back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CardButton {
    /// 1 to 80 characters.
    pub label: String,
    /// `https` only, a public host, at most 2,000 characters. Exactly one of `url` and `value`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// At most 500 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
}

/// Content of a custom message: named by its type so that clients can tell them apart.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CustomContent {
    /// The tenant's own name for this shape: a key of 1 to 64 of `A-Z a-z 0-9 . _ : -`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Any JSON, nested at most 32 deep with the body around it; the whole content is at most 16,384 bytes. Numbers
    /// that JSON clients would round (beyond 64 bits, more than 17 digits) are refused.
    pub data: serde_json::Value,
}

impl Body {
    /// Checks what a member of this role wants to say. `pointer` is where the content stands in the request.
    pub fn parse(role: Role, kind: EntryKind, content: &serde_json::Value, pointer: &str) -> Result<Self> {
        if text::json_has_nul(content) {
            return Err(Error::field(pointer, "invalid", "U+0000 is not allowed in text"));
        }
        let content = match kind {
            EntryKind::Text => canonical(&check_text(json::from_value(content, pointer)?, pointer)?),
            EntryKind::Card => canonical(&check_card(role, json::from_value(content, pointer)?, pointer)?),
            EntryKind::Custom => canonical(&check_custom(json::from_value(content, pointer)?, pointer)?),
            kind if kind.has_attachment() => {
                let reference: AttachmentReference = json::from_value(content, pointer)?;
                reference.check(kind, pointer)?;
                canonical(&reference)
            }
            _ => return Err(Error::field("/kind", "invalid", "there is no such kind of message")),
        };
        if kind != EntryKind::Text && content.len() > CUSTOM_MAX {
            return Err(Error::field(
                pointer,
                "too_long",
                format!("content is longer than {CUSTOM_MAX} bytes"),
            ));
        }
        Ok(Self { kind, content })
    }

    /// A text body; for callers of our own.
    pub fn text(text: &str) -> Result<Self> {
        Self::parse(Role::Admin, EntryKind::Text, &serde_json::json!({ "text": text }), "/content")
    }

    /// The attachment that it names, and what else is said of it; `None` for kinds without one.
    pub fn attachment(&self) -> Option<AttachmentReference> {
        self.kind.has_attachment().then(|| serde_json::from_str(&self.content).ok()).flatten()
    }

    /// The id of the attachment that it names.
    pub fn attachment_id(&self) -> Option<AttachmentId> {
        self.attachment().map(|reference| reference.attachment_id)
    }

    /// The first 63 bits of SHA-256 over kind, content and reply target: tells a retry from another message under
    /// the same client_msg_id, also after an edit.
    pub fn hash(&self, reply_to_seq: Option<i64>) -> i64 {
        let mut digest = Sha256::new();
        digest.update(self.kind.as_str());
        digest.update([0]);
        digest.update(&self.content);
        digest.update(reply_to_seq.unwrap_or(0).to_be_bytes());
        let mut first = [0u8; 8];
        first.copy_from_slice(&digest.finalize()[..8]);
        i64::from_be_bytes(first) & i64::MAX
    }
}

fn canonical<T: Serialize>(content: &T) -> String {
    crate::db::types::json_text(content)
}

fn check_text(content: TextContent, pointer: &str) -> Result<TextContent> {
    let pointer = format!("{pointer}/text");
    if text::is_blank(&content.text) {
        return Err(Error::field(pointer, "too_short", "text is empty or invisible"));
    }
    if content.text.len() > TEXT_MAX {
        return Err(Error::field(
            pointer,
            "too_long",
            format!("text is longer than {TEXT_MAX} bytes of UTF-8"),
        ));
    }
    Ok(content)
}

fn check_card(role: Role, content: CardContent, pointer: &str) -> Result<CardContent> {
    line(&format!("{pointer}/title"), &content.title, CARD_TITLE_MAX)?;
    // Staff's clients show them as the tenant's own: a stranger must not put up a form.
    if !role.is_staff() && content.image_url.is_some() {
        return Err(Error::field(
            format!("{pointer}/image_url"),
            "invalid",
            "visitors may not send pictures in cards",
        ));
    }
    if !role.is_staff() && !content.buttons.is_empty() {
        return Err(Error::field(format!("{pointer}/buttons"), "invalid", "visitors may not send buttons"));
    }
    if let Some(text) = &content.text {
        length(&format!("{pointer}/text"), text, 0, CARD_TEXT_MAX)?;
    }
    https(&format!("{pointer}/image_url"), content.image_url.as_deref())?;
    https(&format!("{pointer}/url"), content.url.as_deref())?;
    if content.buttons.len() > BUTTONS_MAX {
        return Err(Error::field(
            format!("{pointer}/buttons"),
            "too_long",
            format!("at most {BUTTONS_MAX} buttons"),
        ));
    }
    for (index, button) in content.buttons.iter().enumerate() {
        let pointer = format!("{pointer}/buttons/{index}");
        line(&format!("{pointer}/label"), &button.label, BUTTON_LABEL_MAX)?;
        https(&format!("{pointer}/url"), button.url.as_deref())?;
        if let Some(value) = &button.value {
            length(&format!("{pointer}/value"), value, 1, BUTTON_VALUE_MAX)?;
        }
        if button.url.is_some() == button.value.is_some() {
            return Err(Error::field(pointer, "invalid", "a button has either url or value"));
        }
    }
    Ok(content)
}

fn check_custom(content: CustomContent, pointer: &str) -> Result<CustomContent> {
    if !text::is_key(&content.kind) {
        return Err(Error::field(
            format!("{pointer}/type"),
            "invalid",
            "type is 1 to 64 of A-Z a-z 0-9 . _ : -",
        ));
    }
    Ok(content)
}

/// A line that shows something.
fn line(pointer: &str, text: &str, most: usize) -> Result<()> {
    if text::is_blank(text) {
        return Err(Error::field(pointer, "too_short", "the text is empty or invisible"));
    }
    if let Some(fault) = text::line_fault(text) {
        return Err(Error::field(pointer, "invalid", fault));
    }
    length(pointer, text, 1, most)
}

fn length(pointer: &str, text: &str, least: usize, most: usize) -> Result<()> {
    let count = text.chars().count();
    if count < least || text.trim().len() < least {
        return Err(Error::field(pointer, "too_short", format!("at least {least} characters")));
    }
    if count > most {
        return Err(Error::field(pointer, "too_long", format!("at most {most} characters")));
    }
    Ok(())
}

fn https(pointer: &str, url: Option<&str>) -> Result<()> {
    let Some(url) = url else { return Ok(()) };
    length(pointer, url, URL_MIN, URL_MAX)?;
    match url::fault(url) {
        Some(fault) => Err(Error::field(pointer, "invalid", fault)),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn bodies_are_checked_by_kind() {
        assert!(Body::text("hello").is_ok());
        assert!(Body::text(" \n").is_err());
        assert!(Body::text("a\0b").is_err());
        assert!(Body::text(&"字".repeat(5_461)).is_ok());
        assert!(Body::text(&"字".repeat(5_462)).is_err());
        let parse = |kind, content| Body::parse(Role::Agent, kind, &content, "/content");
        assert!(parse(EntryKind::Text, json!({"text": "x", "more": 1})).is_err());
        assert!(parse(EntryKind::Card, json!({"title": "t", "url": "http://x"})).is_err());
        assert!(parse(EntryKind::Card, json!({"title": "t", "buttons": [{"label": "b"}]})).is_err());
        assert!(
            parse(EntryKind::Card, json!({"title": "t", "buttons": [{"label": "b", "value": "v"}]})).is_ok()
        );
        assert!(parse(EntryKind::Custom, json!({"type": "order.v1", "data": {"n": 1}})).is_ok());
        assert!(parse(EntryKind::Custom, json!({"type": "bad key", "data": 1})).is_err());
        assert!(parse(EntryKind::Closed, json!({})).is_err());
        assert!(Body::text("\u{200b}\u{202e}").is_err(), "nothing is shown");
        assert!(parse(EntryKind::Text, json!(["x"])).is_err(), "a list is no content");
        assert!(parse(EntryKind::Card, json!({"title": "t", "buttons": [["b", null, "v"]]})).is_err());
        for url in ["https://x\" onerror=\"y", "https://a:b@shop.example/", "https://127.0.0.1/"] {
            assert!(parse(EntryKind::Card, json!({"title": "t", "url": url})).is_err(), "{url}");
        }
    }

    #[test]
    fn a_visitor_sends_plain_cards_only() {
        let pointer = |content| {
            let refused = Body::parse(Role::Customer, EntryKind::Card, &content, "/content").err();
            refused.and_then(|error| error.fields.first().map(|field| field.pointer.clone()))
        };
        assert_eq!(pointer(json!({"title": "t", "text": "x", "url": "https://shop.example/"})), None);
        let buttons = json!({"title": "t", "buttons": [{"label": "b", "value": "v"}]});
        assert_eq!(pointer(buttons).as_deref(), Some("/content/buttons"));
        let picture = json!({"title": "t", "image_url": "https://shop.example/a.png"});
        assert_eq!(pointer(picture).as_deref(), Some("/content/image_url"));
    }

    #[test]
    fn the_hash_tells_kind_content_and_reply_apart() -> Result<()> {
        let body = Body::text("hello")?;
        assert_eq!(body.hash(None), Body::text("hello")?.hash(None));
        assert_ne!(body.hash(None), body.hash(Some(1)));
        assert_ne!(body.hash(None), Body::text("hello ")?.hash(None));
        Ok(())
    }
}
