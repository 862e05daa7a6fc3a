//! The check of templates before they are saved, and their rendering.

use std::sync::LazyLock;

use minijinja::{Environment, UndefinedBehavior};
use serde_json::{Map, Value};

use crate::domain::centre::notification;

use super::{
    BODY_MAX, Content, EMAIL_BODY_MAX, EmailContent, FUEL, Fault, InAppContent, Rendered, SAMPLE_MAX,
    SMS_MAX, SMS_VALUE_MAX, SUBJECT_MAX, SmsContent, SmsParameter, VARIABLE_NAME_MAX, Variable,
};

/// The name under which the engine knows texts whose values it escapes.
const HTML: &str = "html";

static ENVIRONMENT: LazyLock<Environment<'static>> = LazyLock::new(|| {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_auto_escape_callback(|name| match name {
        HTML => minijinja::AutoEscape::Html,
        _ => minijinja::AutoEscape::None,
    });
    environment.set_fuel(Some(FUEL));
    environment
});

impl Content {
    /// Checks a template before it is saved: every variable it names is declared, and it can be rendered with the
    /// samples, with and without those that a payload may lack.
    pub fn check(&self, variables: &[Variable]) -> Result<(), Fault> {
        let mut names = std::collections::HashSet::new();
        for (index, variable) in variables.iter().enumerate() {
            let pointer = format!("/variables/{index}");
            let mut letters = variable.name.chars();
            let starts = letters.next().is_some_and(|one| one.is_ascii_alphabetic() || one == '_');
            let plain = starts && letters.all(|one| one.is_ascii_alphanumeric() || one == '_');
            if !plain || variable.name.len() > VARIABLE_NAME_MAX {
                return Err(Fault::new(
                    format!("{pointer}/name"),
                    "a letter or _, then letters, digits and _; at most 64",
                ));
            }
            if !names.insert(variable.name.as_str()) {
                return Err(Fault::new(format!("{pointer}/name"), "there is another variable of this name"));
            }
            if !variable.variable_type.fits(&variable.sample)
                || variable.sample.to_string().len() > SAMPLE_MAX
            {
                return Err(Fault::new(
                    format!("{pointer}/sample"),
                    "not a value of the variable's type, or longer than 4096 bytes",
                ));
            }
        }
        for (pointer, text) in self.texts() {
            let template =
                ENVIRONMENT.template_from_str(text).map_err(|cause| Fault::new(&pointer, told(&cause)))?;
            let unknown = template.undeclared_variables(false).into_iter().find(|name| {
                !names.contains(name.as_str()) && !ENVIRONMENT.globals().any(|(global, _)| global == name)
            });
            if let Some(unknown) = unknown {
                return Err(Fault::new(pointer, format!("the variable {unknown:?} is not declared")));
            }
        }
        self.render(variables, &samples(variables, true))?;
        self.render(variables, &samples(variables, false)).map(|_| ())
    }

    /// Every text of it that is a template, with its place.
    fn texts(&self) -> Vec<(String, &str)> {
        match self {
            Self::Webhook(content) => {
                let mut found = Vec::new();
                if let Some(data) = &content.data {
                    strings(data, "/webhook/data".to_owned(), &mut found);
                }
                found
            }
            Self::Robot(content) => {
                let title = content.title.as_deref().map(|title| ("/robot/title".to_owned(), title));
                title.into_iter().chain([("/robot/text".to_owned(), content.text.as_str())]).collect()
            }
            Self::Email(content) => {
                let subject = ("/email/subject".to_owned(), content.subject.as_str());
                let text = content.text.as_deref().map(|text| ("/email/text".to_owned(), text));
                let html = content.html.as_deref().map(|text| ("/email/html".to_owned(), text));
                [subject].into_iter().chain(text).chain(html).collect()
            }
            Self::Sms(content) => {
                let text = content.text.as_deref().map(|text| ("/sms/text".to_owned(), text));
                let values = content.params.iter().enumerate();
                let values = values.map(|(index, one)| (format!("/sms/params/{index}/value"), &*one.value));
                text.into_iter().chain(values).collect()
            }
            Self::InApp(content) => {
                let title = ("/in_app/title".to_owned(), content.title.as_str());
                let body = content.body.as_deref().map(|text| ("/in_app/body".to_owned(), text));
                let link = content.link.as_deref().map(|text| ("/in_app/link".to_owned(), text));
                let mut found: Vec<_> = [title].into_iter().chain(body).chain(link).collect();
                if let Some(data) = &content.data {
                    strings(data, "/in_app/data".to_owned(), &mut found);
                }
                found
            }
            Self::Wechat(content) => content.texts(),
        }
    }

    /// What is sent for this payload.
    pub fn render(&self, variables: &[Variable], payload: &Value) -> Result<Rendered, Fault> {
        for variable in variables {
            match payload.get(&variable.name).filter(|value| !value.is_null()) {
                Some(value) if !variable.variable_type.fits(value) => {
                    let detail = format!("{:?} is not of the type {}", variable.name, variable.variable_type);
                    return Err(Fault::new(format!("/payload/{}", variable.name), detail));
                }
                None if variable.required => {
                    let detail = format!("{:?} is missing", variable.name);
                    return Err(Fault::new(format!("/payload/{}", variable.name), detail));
                }
                _ => {}
            }
        }
        let rendered = match self {
            Self::Webhook(content) => Rendered::Webhook {
                event_type: content.event_type.clone(),
                data: match &content.data {
                    Some(data) => render_json(data, "/webhook/data", payload)?,
                    None => payload.clone(),
                },
            },
            Self::Robot(content) => {
                let text = render_text(&content.text, "/robot/text", payload)?;
                let title = match &content.title {
                    Some(title) => render_text(title, "/robot/title", payload)?,
                    None => text.lines().next().unwrap_or_default().chars().take(100).collect(),
                };
                if text.trim().is_empty() {
                    return Err(Fault::new("/robot/text", "the text is empty"));
                }
                Rendered::Robot { format: content.format, title, text }
            }
            Self::Email(content) => email(content, payload)?,
            Self::Sms(content) => sms(content, payload)?,
            Self::InApp(content) => in_app(content, payload)?,
            Self::Wechat(content) => Rendered::Wechat(content.render(payload)?),
        };
        let size = serde_json::to_string(&rendered).map_or(usize::MAX, |text| text.len());
        let most = if matches!(self, Self::Email(_)) { EMAIL_BODY_MAX } else { BODY_MAX };
        match size > most {
            true => Err(Fault::new("", format!("the message is larger than {most} bytes"))),
            false => Ok(rendered),
        }
    }
}

fn email(content: &EmailContent, payload: &Value) -> Result<Rendered, Fault> {
    let subject = render_text(&content.subject, "/email/subject", payload)?.trim().to_owned();
    if let Some(fault) = crate::kernel::text::line_fault(&subject) {
        return Err(Fault::new("/email/subject", fault));
    }
    length("/email/subject", &subject, 1, SUBJECT_MAX)?;
    let text = content.text.as_deref().map(|text| render_text(text, "/email/text", payload)).transpose()?;
    let html = content.html.as_deref().map(|html| render_html(html, "/email/html", payload)).transpose()?;
    if [&text, &html].iter().all(|part| part.as_deref().unwrap_or_default().trim().is_empty()) {
        return Err(Fault::new("/email/text", "the e-mail is empty"));
    }
    Ok(Rendered::Email { subject, text, html })
}

fn sms(content: &SmsContent, payload: &Value) -> Result<Rendered, Fault> {
    let text = content.text.as_deref().map(|text| render_text(text, "/sms/text", payload)).transpose()?;
    if let Some(text) = &text {
        length("/sms/text", text.trim(), 1, SMS_MAX)?;
    }
    let mut params = Vec::with_capacity(content.params.len());
    for (index, parameter) in content.params.iter().enumerate() {
        let pointer = format!("/sms/params/{index}/value");
        let value = render_text(&parameter.value, &pointer, payload)?;
        length(&pointer, &value, 0, SMS_VALUE_MAX)?;
        params.push(SmsParameter { name: parameter.name.clone(), value });
    }
    Ok(Rendered::Sms { text, code: content.code.clone(), params })
}

fn in_app(content: &InAppContent, payload: &Value) -> Result<Rendered, Fault> {
    let title = render_text(&content.title, "/in_app/title", payload)?.trim().to_owned();
    if let Some(fault) = crate::kernel::text::line_fault(&title) {
        return Err(Fault::new("/in_app/title", fault));
    }
    length("/in_app/title", &title, 1, notification::TITLE_MAX)?;
    let body = content.body.as_deref().map(|text| render_text(text, "/in_app/body", payload)).transpose()?;
    let body = body.unwrap_or_default();
    length("/in_app/body", &body, 0, notification::BODY_MAX)?;
    let link = content.link.as_deref().map(|text| render_text(text, "/in_app/link", payload)).transpose()?;
    let link = link.map(|link| link.trim().to_owned()).filter(|link| !link.is_empty());
    if let Some(link) = &link {
        length("/in_app/link", link, 1, notification::LINK_MAX)?;
        if let Some(fault) = notification::link_fault(link) {
            return Err(Fault::new("/in_app/link", fault));
        }
    }
    let data = content.data.as_ref().map(|data| render_json(data, "/in_app/data", payload)).transpose()?;
    if data.as_ref().is_some_and(|data| data.to_string().len() > notification::DATA_MAX) {
        let detail = format!("larger than {} bytes", notification::DATA_MAX);
        return Err(Fault::new("/in_app/data", detail));
    }
    Ok(Rendered::InApp { title, body, link, data })
}

pub(super) fn length(pointer: &str, text: &str, least: usize, most: usize) -> Result<(), Fault> {
    match text.chars().count() {
        count if count < least => Err(Fault::new(pointer, "the text is empty")),
        count if count > most => Err(Fault::new(pointer, format!("longer than {most} characters"))),
        _ => Ok(()),
    }
}

/// Values for a preview: the samples of all variables, or of those only that every payload has.
pub fn samples(variables: &[Variable], all: bool) -> Value {
    let chosen = variables.iter().filter(|variable| all || variable.required);
    Value::Object(chosen.map(|variable| (variable.name.clone(), variable.sample.clone())).collect())
}

/// Renders one text. The work that it may take bounds its output as well: each byte is paid for.
pub fn render_text(text: &str, pointer: &str, payload: &Value) -> Result<String, Fault> {
    let fault = |cause: minijinja::Error| Fault::new(pointer, told(&cause));
    let template = ENVIRONMENT.template_from_str(text).map_err(fault)?;
    template.render(minijinja::value::Serde(payload)).map_err(fault)
}

/// Renders HTML: what variables hold is escaped.
fn render_html(text: &str, pointer: &str, payload: &Value) -> Result<String, Fault> {
    let fault = |cause: minijinja::Error| Fault::new(pointer, told(&cause));
    let template = ENVIRONMENT.template_from_named_str(HTML, text).map_err(fault)?;
    template.render(minijinja::value::Serde(payload)).map_err(fault)
}

fn render_json(value: &Value, pointer: &str, payload: &Value) -> Result<Value, Fault> {
    Ok(match value {
        Value::String(text) => match expression(text) {
            Some(expression) => {
                let fault = |cause: minijinja::Error| Fault::new(pointer, told(&cause));
                let compiled = ENVIRONMENT.compile_expression(expression).map_err(fault)?;
                let value = compiled.eval(minijinja::value::Serde(payload)).map_err(fault)?;
                if value.is_undefined() {
                    return Err(Fault::new(pointer, format!("{expression:?} has no value")));
                }
                serde_json::to_value(value)
                    .map_err(|_| Fault::new(pointer, format!("{expression:?} is no JSON value")))?
            }
            None => Value::String(render_text(text, pointer, payload)?),
        },
        Value::Array(items) => {
            let each = items.iter().enumerate();
            let items: Result<_, _> =
                each.map(|(index, item)| render_json(item, &format!("{pointer}/{index}"), payload)).collect();
            Value::Array(items?)
        }
        Value::Object(fields) => {
            let mut rendered = Map::new();
            for (name, field) in fields {
                rendered.insert(name.clone(), render_json(field, &format!("{pointer}/{name}"), payload)?);
            }
            Value::Object(rendered)
        }
        other => other.clone(),
    })
}

fn strings<'a>(value: &'a Value, pointer: String, found: &mut Vec<(String, &'a str)>) {
    match value {
        Value::String(text) => found.push((pointer, text)),
        Value::Array(items) => {
            items
                .iter()
                .enumerate()
                .for_each(|(index, item)| strings(item, format!("{pointer}/{index}"), found));
        }
        Value::Object(fields) => {
            fields.iter().for_each(|(name, field)| strings(field, format!("{pointer}/{name}"), found));
        }
        _ => {}
    }
}

/// The expression of a text that is nothing but one.
fn expression(text: &str) -> Option<&str> {
    let inner = text.trim().strip_prefix("{{")?.strip_suffix("}}")?;
    (!inner.contains("{{") && !inner.contains("}}") && !inner.contains("{%"))
        .then(|| inner.trim_matches('-').trim())
}

/// One line of what the template engine says.
fn told(cause: &minijinja::Error) -> String {
    let line = cause.line().map(|line| format!(" in line {line}")).unwrap_or_default();
    let detail = cause.detail().map(|detail| format!(": {detail}")).unwrap_or_default();
    format!("{}{line}{detail}", cause.kind()).chars().take(300).collect()
}
