//! How long what a template says may be, before it is rendered.

use crate::domain::centre::notification::LINK_MAX;
use crate::domain::centre::template::{
    Content, DATA_MAX, EMAIL_MAX, SMS_CODE_MAX, SMS_PARAMS_MAX, TEXT_MAX, TITLE_MAX, TYPE_MAX,
};
use crate::members::profile::Checker;

/// Notes what of a content is too long or missing.
pub(super) fn bounds(check: &mut Checker, content: &Content) {
    match content {
        Content::Webhook(content) => {
            check.required_line("/webhook/type", &content.event_type, TYPE_MAX);
            if content.data.as_ref().is_some_and(|data| data.to_string().len() > DATA_MAX) {
                check.wrong("/webhook/data", "too_long", format!("at most {DATA_MAX} bytes"));
            }
        }
        Content::Robot(content) => {
            let text = &content.text;
            if text.trim().is_empty() {
                check.wrong("/robot/text", "too_short", "must not be empty");
            }
            if text.chars().count() > TEXT_MAX {
                check.wrong("/robot/text", "too_long", format!("at most {TEXT_MAX} characters"));
            }
            if content.title.as_ref().is_some_and(|title| title.chars().count() > TITLE_MAX) {
                check.wrong("/robot/title", "too_long", format!("at most {TITLE_MAX} characters"));
            }
        }
        Content::Email(content) => {
            let (text, html) = (content.text.as_deref(), content.html.as_deref());
            check.required_line("/email/subject", &content.subject, TITLE_MAX);
            if text.is_none() && html.is_none() {
                check.wrong("/email/text", "required", "a text, HTML, or both");
            }
            most(check, "/email/text", text.unwrap_or_default(), EMAIL_MAX);
            most(check, "/email/html", html.unwrap_or_default(), EMAIL_MAX);
        }
        Content::Sms(content) => {
            if content.text.is_none() && content.code.is_none() {
                check.wrong("/sms/text", "required", "a text, the code of the provider's template, or both");
            }
            most(check, "/sms/text", content.text.as_deref().unwrap_or_default(), TEXT_MAX);
            if let Some(code) = &content.code {
                check.required_line("/sms/code", code, SMS_CODE_MAX);
            }
            if content.params.len() > SMS_PARAMS_MAX {
                check.wrong("/sms/params", "too_long", format!("at most {SMS_PARAMS_MAX}"));
            }
            for (index, parameter) in content.params.iter().enumerate() {
                let pointer = format!("/sms/params/{index}");
                check.required_line(&format!("{pointer}/name"), &parameter.name, SMS_CODE_MAX);
                most(check, &format!("{pointer}/value"), &parameter.value, TITLE_MAX);
            }
        }
        Content::InApp(content) => {
            check.required_line("/in_app/title", &content.title, TITLE_MAX);
            most(check, "/in_app/body", content.body.as_deref().unwrap_or_default(), TEXT_MAX);
            most(check, "/in_app/link", content.link.as_deref().unwrap_or_default(), LINK_MAX);
            if content.data.as_ref().is_some_and(|data| data.to_string().len() > DATA_MAX) {
                check.wrong("/in_app/data", "too_long", format!("at most {DATA_MAX} bytes"));
            }
        }
        Content::Wechat(content) => {
            for (pointer, code, detail) in content.faults() {
                check.wrong(&pointer, code, detail);
            }
        }
    }
}

fn most(check: &mut Checker, pointer: &str, text: &str, most: usize) {
    if text.chars().count() > most {
        check.wrong(pointer, "too_long", format!("at most {most} characters"));
    }
}
