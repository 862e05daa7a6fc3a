//! What a row of `message_info` says: `content`, the fields of a message by name, and `conf`, which of them the payload fills.
//!
//! Nothing in the design says how both are written. Taken are: a JSON object whose values are texts, numbers, or objects with
//! `value` and `color` (as WeChat takes them, also below `data`); a JSON text, or a text that is no JSON. `conf` is a JSON object
//! that gives a field the name of the payload's field. What stands in a text is said as it is.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::row::{Refusal, Row};
use crate::domain::centre::template::{
    Content, InAppContent, SmsContent, SmsParameter, Variable, VariableType, WechatContent, WechatField,
};

/// What WeChat's message has beside its fields.
const NO_FIELDS: &[&str] = &["touser", "template_id", "url", "topcolor", "miniprogram", "data"];

/// The content and the variables of a template.
pub fn content(row: &Row) -> Result<(Content, Vec<Variable>), Refusal> {
    let mut filled = Filled::read(row.text("conf"))?;
    let said = match serde_json::from_str(row.text("content")) {
        Ok(said) => said,
        Err(_) if row.text("content").trim_start().starts_with(['{', '[']) => {
            return Err("content is no JSON".to_owned());
        }
        Err(_) => Value::String(row.text("content").to_owned()),
    };
    let content = match row.text("type") {
        "1" => Content::Wechat(wechat(row, &said, &mut filled)?),
        "2" => Content::Sms(sms(row, &said, &mut filled)?),
        "3" => Content::InApp(in_app(row, &said, &mut filled)?),
        other => return Err(format!("type is neither 1, 2 nor 3: {other:?}")),
    };
    Ok((content, filled.variables.into_values().collect()))
}

fn wechat(row: &Row, said: &Value, filled: &mut Filled) -> Result<WechatContent, Refusal> {
    let said = said.as_object().ok_or("content of a template message is no JSON object")?;
    let fields = said.get("data").and_then(Value::as_object).unwrap_or(said);
    let data = fields.iter().filter(|(name, _)| !NO_FIELDS.contains(&name.as_str())).map(|(name, value)| {
        let color = value.get("color").and_then(Value::as_str).map(ToOwned::to_owned);
        Ok(WechatField { name: name.clone(), value: filled.text(name, value)?, color })
    });
    let data = data.collect::<Result<Vec<_>, Refusal>>()?;
    let url = said.get("url").filter(|url| url.as_str().is_some_and(|url| !url.is_empty()));
    Ok(WechatContent {
        template_id: row.some("template_id").ok_or("template_id is empty")?.to_owned(),
        template_id_short: row.some("template_id_short").map(ToOwned::to_owned),
        data,
        url: url.map(|url| filled.text("url", url)).transpose()?,
        mini_program: None,
    })
}

fn sms(row: &Row, said: &Value, filled: &mut Filled) -> Result<SmsContent, Refusal> {
    let code = row.some("template_id").map(ToOwned::to_owned);
    let (text, params) = match said {
        Value::Object(fields) => {
            let text = first(fields, &["text", "content"]);
            let others = fields.iter().filter(|(name, _)| Some(name.as_str()) != text.map(|(name, _)| name));
            let params = others.map(|(name, value)| {
                Ok(SmsParameter { name: name.clone(), value: filled.text(name, value)? })
            });
            let params = params.collect::<Result<Vec<_>, Refusal>>()?;
            (text.map(|(name, value)| filled.text(name, value)).transpose()?, params)
        }
        other => (Some(filled.text("text", other)?), Vec::new()),
    };
    Ok(SmsContent { text, code, params })
}

fn in_app(row: &Row, said: &Value, filled: &mut Filled) -> Result<InAppContent, Refusal> {
    let (title, body) = match said {
        Value::Object(fields) => {
            let title =
                first(fields, &["title"]).map(|(name, value)| filled.text(name, value)).transpose()?;
            let body = first(fields, &["body", "text", "content"]);
            (title, body.map(|(name, value)| filled.text(name, value)).transpose()?)
        }
        other => (None, Some(filled.text("text", other)?)),
    };
    let title = title.unwrap_or_else(|| literal(row.text("name")));
    Ok(InAppContent { title, body, link: None, data: None })
}

fn first<'a>(fields: &'a Map<String, Value>, names: &[&'a str]) -> Option<(&'a str, &'a Value)> {
    names.iter().find_map(|name| Some((*name, fields.get(*name)?)))
}

/// Which fields the payload fills, and the variables that this takes.
struct Filled {
    names: Map<String, Value>,
    variables: BTreeMap<String, Variable>,
}

impl Filled {
    fn read(conf: &str) -> Result<Self, Refusal> {
        let names = match conf.trim() {
            "" => Map::new(),
            conf => serde_json::from_str(conf).map_err(|_| "conf is no JSON object".to_owned())?,
        };
        Ok(Self { names, variables: BTreeMap::new() })
    }

    /// A field as a template: the payload's field that `conf` names, or what stands there.
    fn text(&mut self, field: &str, value: &Value) -> Result<String, Refusal> {
        let wrong = || format!("the field {field:?} is neither a text nor a number");
        let text = match value.get("value").unwrap_or(value) {
            Value::String(text) => text.clone(),
            Value::Number(number) => number.to_string(),
            _ => return Err(wrong()),
        };
        let Some(name) = self.names.get(field) else { return Ok(literal(&text)) };
        let name = name.as_str().ok_or_else(|| format!("conf of the field {field:?} is no text"))?.trim();
        let fits = |(at, one): (usize, char)| {
            one == '_' || one.is_ascii_alphabetic() || (at > 0 && one.is_ascii_digit())
        };
        if name.is_empty() || !name.chars().enumerate().all(fits) {
            return Err(format!("conf fills {field:?} from {name:?}, which is no name of a variable"));
        }
        let sample = if text.trim().is_empty() { "1".to_owned() } else { text };
        let variable = Variable {
            name: name.to_owned(),
            variable_type: VariableType::String,
            required: true,
            sample: Value::String(sample),
        };
        self.variables.entry(name.to_owned()).or_insert(variable);
        Ok(format!("{{{{ {name} }}}}"))
    }
}

/// A text that says itself, whatever stands in it.
fn literal(text: &str) -> String {
    match ["{{", "{%", "{#"].iter().any(|mark| text.contains(mark)) {
        true => format!("{{{{ {} }}}}", Value::String(text.to_owned())),
        false => text.to_owned(),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    fn row(fields: &[(&str, &str)]) -> Row {
        let fields = fields.iter().map(|(name, text)| ((*name).to_owned(), Some((*text).to_owned())));
        Row { id: 1, fields: fields.collect() }
    }

    #[test]
    fn fields_are_filled_by_conf_and_said_as_they_are_without() {
        let read = row(&[
            ("type", "1"),
            ("template_id", "abc"),
            (
                "content",
                r##"{"first": {"value": "Paid", "color": "#173177"}, "thing1": "a {{b.DATA}}", "url": "https://shop.example"}"##,
            ),
            ("conf", r#"{"first": "state"}"#),
        ]);
        let (content, variables) = content(&read).unwrap();
        let Content::Wechat(content) = content else { panic!("{content:?}") };
        let values: Vec<&str> = content.data.iter().map(|field| field.value.as_str()).collect();
        assert_eq!(values, ["{{ state }}", r#"{{ "a {{b.DATA}}" }}"#]);
        assert_eq!((content.url.as_deref(), variables.len()), (Some("https://shop.example"), 1));
        assert_eq!(variables[0].sample, "Paid");
    }

    #[test]
    fn what_cannot_be_read_is_refused() {
        for (kind, text, conf) in [
            ("1", "{broken", ""),
            ("1", "just a text", ""),
            ("1", r#"{"first": ["x"]}"#, ""),
            ("2", r#"{"code": "1"}"#, r#"{"code": "order.code"}"#),
            ("2", r#"{"code": "1"}"#, "[1]"),
            ("4", "text", ""),
        ] {
            let read = row(&[("type", kind), ("template_id", "abc"), ("content", text), ("conf", conf)]);
            assert!(content(&read).is_err(), "{kind} {text} {conf}");
        }
    }
}
