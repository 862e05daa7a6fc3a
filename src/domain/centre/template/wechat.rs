//! Template messages of WeChat (微信模板消息): a template of the official account, with a value for each of its fields.
//!
//! Owns their form and what WeChat takes in a field, which is read from the beginning of its name (模板消息参数值内容限制说明 in
//! WeChat's documents). WeChat refuses a whole message for one value that does not fit, with code 47003.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Fault, TITLE_MAX, render_text};
use crate::kernel::text;

/// Longest id of a template of an official account, in characters.
pub const WECHAT_TEMPLATE_ID_MAX: usize = 200;
/// Longest id of a template in WeChat's library, in characters.
pub const LIBRARY_ID_MAX: usize = 100;
/// Most fields of a template.
pub const FIELDS_MAX: usize = 20;
/// Longest name of a field, in characters.
pub const FIELD_NAME_MAX: usize = 32;
/// Longest address that a message opens, in characters.
pub const LINK_MAX: usize = 1_024;
/// Longest page of a mini program that a message opens, in characters.
pub const OPENED_PATH_MAX: usize = 1_024;
/// Longest value of a field whose name says nothing of its kind, in characters.
const VALUE_MAX: usize = 200;

/// The value of one field of a template.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WechatField {
    /// Its name in the template of the official account, such as `thing1` or `first`.
    pub name: String,
    /// A template for the value. What it may be depends on the name: a `thing` has at most 20 characters.
    pub value: String,
    /// The colour of the value, such as `#173177`. WeChat heeds it in old templates only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub color: Option<String>,
}

/// The mini program that a message opens. It must be bound to the official account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WechatMiniProgram {
    /// Its id (AppID).
    pub app_id: String,
    /// A template for the page that is opened, with its query.
    pub page_path: String,
}

/// What a template message says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WechatContent {
    /// The template, as the official account names it.
    pub template_id: String,
    /// The template's name in WeChat's library (`TM…`, `OPENTM…` or a number), to find it again; it is not sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template_id_short: Option<String>,
    /// The values of its fields.
    pub data: Vec<WechatField>,
    /// A template for the address that the message opens, `https` or `http`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// The mini program that it opens instead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mini_program: Option<WechatMiniProgram>,
}

/// What is wrong with a draft: the pointer, a code, and one sentence.
type Wrong = (String, &'static str, String);

impl WechatContent {
    /// What is wrong with a draft, apart from what its texts become.
    pub fn faults(&self) -> Vec<Wrong> {
        let mut found = Vec::new();
        let mut plain = |pointer: &str, text: &str, most: usize| {
            let is_plain = text.bytes().all(|one| one.is_ascii_alphanumeric() || b"_-".contains(&one));
            if !is_plain || !(1..=most).contains(&text.len()) {
                let detail = format!("1 to {most} letters, digits, hyphens and underscores");
                found.push((pointer.to_owned(), "invalid", detail));
            }
        };
        plain("/wechat/template_id", &self.template_id, WECHAT_TEMPLATE_ID_MAX);
        if let Some(short) = &self.template_id_short {
            plain("/wechat/template_id_short", short, LIBRARY_ID_MAX);
        }
        if let Some(program) = &self.mini_program {
            plain("/wechat/mini_program/app_id", &program.app_id, FIELD_NAME_MAX);
        }
        let mut most = |pointer: String, text: &str, most: usize| {
            if text.chars().count() > most {
                found.push((pointer, "too_long", format!("at most {most} characters")));
            }
        };
        most("/wechat/url".to_owned(), self.url.as_deref().unwrap_or_default(), LINK_MAX);
        if let Some(program) = &self.mini_program {
            most("/wechat/mini_program/page_path".to_owned(), &program.page_path, OPENED_PATH_MAX);
        }
        for (index, field) in self.data.iter().enumerate() {
            most(format!("/wechat/data/{index}/value"), &field.value, TITLE_MAX);
        }
        if !(1..=FIELDS_MAX).contains(&self.data.len()) {
            found.push(("/wechat/data".to_owned(), "invalid", format!("1 to {FIELDS_MAX} values")));
        }
        let mut names = std::collections::HashSet::new();
        for (index, field) in self.data.iter().enumerate() {
            found.extend(field.faults(&format!("/wechat/data/{index}")));
            if !names.insert(field.name.as_str()) {
                let detail = "there is another value of this name".to_owned();
                found.push((format!("/wechat/data/{index}/name"), "invalid", detail));
            }
        }
        found
    }

    /// Every text of it that is a template, with its place.
    pub(super) fn texts(&self) -> Vec<(String, &str)> {
        let values = self.data.iter().enumerate();
        let values = values.map(|(index, one)| (format!("/wechat/data/{index}/value"), &*one.value));
        let url = self.url.as_deref().map(|url| ("/wechat/url".to_owned(), url));
        let path = self.mini_program.as_ref().map(|program| &*program.page_path);
        let path = path.map(|path| ("/wechat/mini_program/page_path".to_owned(), path));
        values.chain(url).chain(path).collect()
    }

    /// What is sent for this payload: every value fits its field.
    pub(super) fn render(&self, payload: &Value) -> Result<Self, Fault> {
        let mut rendered = self.clone();
        for (index, field) in rendered.data.iter_mut().enumerate() {
            let pointer = format!("/wechat/data/{index}/value");
            field.value = render_text(&field.value, &pointer, payload)?.trim().to_owned();
            if let Some(detail) = misfit(&field.name, &field.value) {
                return Err(Fault::new(pointer, format!("{}: {detail}", field.name)));
            }
        }
        if let Some(url) = &mut rendered.url {
            *url = render_text(url, "/wechat/url", payload)?.trim().to_owned();
            let parsed = url::Url::parse(url).ok();
            if !parsed.is_some_and(|url| matches!(url.scheme(), "http" | "https")) {
                return Err(Fault::new("/wechat/url", "not an address of the web"));
            }
            super::render::length("/wechat/url", url, 1, LINK_MAX)?;
        }
        if let Some(program) = &mut rendered.mini_program {
            let pointer = "/wechat/mini_program/page_path";
            program.page_path = render_text(&program.page_path, pointer, payload)?.trim().to_owned();
            super::render::length(pointer, &program.page_path, 0, OPENED_PATH_MAX)?;
            if let Some(fault) = text::line_fault(&program.page_path) {
                return Err(Fault::new(pointer, fault));
            }
        }
        Ok(rendered)
    }
}

impl WechatField {
    fn faults(&self, pointer: &str) -> Vec<Wrong> {
        let mut found = Vec::new();
        let is_plain = self.name.bytes().all(|one| one.is_ascii_alphanumeric() || one == b'_');
        if !is_plain || !(1..=FIELD_NAME_MAX).contains(&self.name.len()) {
            let detail = format!("1 to {FIELD_NAME_MAX} letters, digits and underscores");
            found.push((format!("{pointer}/name"), "invalid", detail));
        }
        let is_color = |color: &str| {
            let digits = color.strip_prefix('#');
            digits
                .is_some_and(|digits| digits.len() == 6 && digits.bytes().all(|one| one.is_ascii_hexdigit()))
        };
        if self.color.as_deref().is_some_and(|color| !is_color(color)) {
            found.push((format!("{pointer}/color"), "invalid", "a colour such as #173177".to_owned()));
        }
        found
    }
}

/// Why WeChat takes no such value in a field of this name; `None`: it does.
fn misfit(name: &str, value: &str) -> Option<&'static str> {
    let kind = name.trim_end_matches(|one: char| one.is_ascii_digit());
    let count = value.chars().count();
    if kind == name || !KINDS.contains(&kind) {
        // Old templates: `first`, `keyword1`, `remark`.
        return (count > VALUE_MAX).then_some("at most 200 characters");
    }
    if value.is_empty() {
        return Some("must not be empty");
    }
    let all = |fits: fn(char) -> bool| value.chars().all(fits);
    let (fits, detail) = match kind {
        "thing" => (count <= 20, "at most 20 characters"),
        "const" => (count <= 20, "one of the template's words, at most 20 characters"),
        "number" => (count <= 32 && is_number(value), "a number of at most 32 digits"),
        "letter" => (count <= 32 && all(|one| one.is_ascii_alphabetic()), "at most 32 letters"),
        "symbol" => (count <= 5 && all(|one| !one.is_alphanumeric()), "at most 5 symbols"),
        "character_string" => {
            (count <= 32 && all(|one| (' '..='~').contains(&one)), "at most 32 letters, digits and symbols")
        }
        "time" | "date" => {
            let is_time = count <= 64 && all(is_of_time) && value.contains(|one: char| one.is_ascii_digit());
            (is_time, "a time such as 2026年11月28日 09:30, or two with ~ between")
        }
        "amount" => (is_amount(value), "a sign of a currency, at most 10 digits, and 元"),
        "phone_number" => (
            count <= 17 && all(|one| one.is_ascii_digit() || " +-()".contains(one)),
            "at most 17 digits and symbols",
        ),
        "car_number" => (count <= 8 && all(char::is_alphanumeric), "at most 8 letters and digits"),
        // With Chinese characters in it a name counts as a Chinese one.
        "name" => (
            count <= if value.is_ascii() { 20 } else { 10 } && !all(|one| one.is_numeric()),
            "at most 10 Chinese characters or 20 letters",
        ),
        _ => (count <= 5 && all(is_chinese), "at most 5 Chinese characters"),
    };
    (!fits).then_some(detail)
}

/// The kinds of fields.
const KINDS: [&str; 13] = [
    "thing",
    "const",
    "number",
    "letter",
    "symbol",
    "character_string",
    "time",
    "date",
    "amount",
    "phone_number",
    "car_number",
    "name",
    "phrase",
];

fn is_chinese(one: char) -> bool {
    matches!(one, '\u{3400}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{323af}')
}

fn is_of_time(one: char) -> bool {
    one.is_ascii_digit() || " :-/.~年月日时分秒:上下午".contains(one)
}

/// Digits, perhaps with a sign and a point among them.
fn is_number(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let (whole, part) = digits.split_once('.').unwrap_or((digits, "0"));
    [whole, part].iter().all(|part| !part.is_empty() && part.bytes().all(|one| one.is_ascii_digit()))
}

fn is_amount(text: &str) -> bool {
    let text = text.strip_suffix('元').unwrap_or(text);
    let sign = text.chars().next().filter(|one| !one.is_ascii_digit());
    let number = sign.map_or(text, |sign| &text[sign.len_utf8()..]);
    let digits = number.bytes().filter(u8::is_ascii_digit).count();
    sign.is_none_or(|sign| !sign.is_alphabetic() && !"-.".contains(sign))
        && is_number(number)
        && digits <= 10
        && !number.starts_with('-')
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::domain::centre::template::{Content, Rendered, Variable, VariableType};

    #[test]
    fn each_kind_takes_what_wechat_takes() {
        let long = "单".repeat(21);
        for (name, good, bad) in [
            ("thing1", vec!["订单已发货😀", &long[..60]], vec!["", &*long]),
            ("const5", vec!["已完成"], vec![""]),
            ("number2", vec!["12", "-1.50"], vec!["1,000", "twelve", ".", "1.", &"9".repeat(33)]),
            ("letter3", vec!["abcZ"], vec!["a1", "字"]),
            ("symbol1", vec!["+-*"], vec!["a", "+-*/=!"]),
            ("character_string7", vec!["SF1001-22 x"], vec!["单号1", &"x".repeat(33)]),
            ("time4", vec!["15:01", "2019年10月1日 15:01", "2019-10-01 15:01~16:30"], vec!["tomorrow", "年"]),
            ("date4", vec!["2019年10月1日"], vec!["soon"]),
            ("amount8", vec!["¥100.50元", "100", "$9"], vec!["¥", "CNY 5", "12345678901", "-5", "¥-5"]),
            ("phone_number1", vec!["+86-0766-66888866", "13800138000"], vec!["call", "123456789012345678"]),
            ("car_number9", vec!["粤A8Z888挂"], vec!["粤A8Z88888", "粤A·8"]),
            ("name2", vec!["张三", "Wang Fang"], vec!["一二三四五六七八九十百", "张Wang Xiaoming", "123"]),
            ("phrase3", vec!["配送中"], vec!["配送中了好的吧", "done"]),
            ("keyword1", vec!["", "anything at all"], vec![&*"x".repeat(201)]),
            ("first", vec!["您好"], vec![]),
            ("thing", vec![&*long], vec![]),
        ] {
            for value in good {
                assert_eq!(misfit(name, value), None, "{name} {value}");
            }
            for value in bad {
                assert!(misfit(name, value).is_some(), "{name} {value}");
            }
        }
    }

    fn content(more: Value) -> WechatContent {
        let mut body = json!({"template_id": "ngqIpbwh8bUfcSsECmogfXcV14J0tQlEpBO27izEYtY", "template_id_short":
            "OPENTM200000001", "data": [{"name": "thing1", "value": "{{ what }}", "color": "#173177"}],
            "url": "https://shop.example/orders/{{ id }}"});
        for (name, value) in more.as_object().unwrap() {
            body[name] = value.clone();
        }
        serde_json::from_value(body).unwrap()
    }

    #[test]
    fn values_are_checked_at_save_and_at_render() {
        let variable = |name: &str, sample: &str| Variable {
            name: name.to_owned(),
            variable_type: VariableType::String,
            required: true,
            sample: json!(sample),
        };
        let variables = |what: &str| [variable("what", what), variable("id", "7")];
        let good = Content::Wechat(content(json!({})));
        assert_eq!(good.check(&variables("Shoes")), Ok(()));
        let at = |fault: Fault| fault.pointer;
        assert_eq!(
            good.check(&variables(&"x".repeat(21))).map_err(at),
            Err("/wechat/data/0/value".to_owned())
        );
        let rendered = good.render(&variables("Shoes"), &json!({"what": " Boots ", "id": "9"})).unwrap();
        let Rendered::Wechat(rendered) = rendered else { panic!("no template message") };
        assert_eq!(rendered.data[0].value, "Boots");
        assert_eq!(rendered.url.as_deref(), Some("https://shop.example/orders/9"));
        for (payload, pointer) in [
            (json!({"what": "", "id": "9"}), "/wechat/data/0/value"),
            (json!({"id": "9"}), "/payload/what"),
            (json!({"what": "x", "id": "9".repeat(2_000)}), "/wechat/url"),
        ] {
            assert_eq!(good.render(&variables("x"), &payload).map_err(at), Err(pointer.to_owned()));
        }
        let link = Content::Wechat(content(json!({"url": "javascript:alert(1)"})));
        assert_eq!(link.check(&variables("x")).map_err(at), Err("/wechat/url".to_owned()));
        let program = json!({"app_id": "wx1", "page_path": "index?{{ what }}"});
        let program = Content::Wechat(content(json!({ "mini_program": program })));
        let payload = json!({"what": "a\nb", "id": "9"});
        // The field's own value is looked at first.
        assert!(program.render(&variables("x"), &payload).is_err());
        assert_eq!(program.check(&variables("x")), Ok(()));
    }

    #[test]
    fn what_cannot_be_a_template_is_told() {
        let at = |more: Value| -> Vec<String> {
            content(more).faults().into_iter().map(|(pointer, ..)| pointer).collect()
        };
        assert_eq!(at(json!({})), Vec::<String>::new());
        let field = |name: &str| json!({"name": name, "value": "x"});
        for (more, pointer) in [
            (json!({"template_id": ""}), "/wechat/template_id"),
            (json!({"template_id": "a b"}), "/wechat/template_id"),
            (json!({"template_id_short": ""}), "/wechat/template_id_short"),
            (json!({"data": []}), "/wechat/data"),
            (json!({"data": [field("a-b")]}), "/wechat/data/0/name"),
            (json!({"data": [field("a"), field("a")]}), "/wechat/data/1/name"),
            (json!({"data": [{"name": "a", "value": "x", "color": "red"}]}), "/wechat/data/0/color"),
            (json!({"data": [{"name": "a", "value": "x".repeat(501)}]}), "/wechat/data/0/value"),
            (json!({"mini_program": {"app_id": "", "page_path": ""}}), "/wechat/mini_program/app_id"),
            (json!({"url": "x".repeat(1_025)}), "/wechat/url"),
        ] {
            assert_eq!(at(more), [pointer]);
        }
    }
}
