//! The check of templates before they are saved, and their rendering.

use std::sync::LazyLock;

use minijinja::{Environment, UndefinedBehavior};
use serde_json::{Map, Value};

use super::{BODY_MAX, Content, FUEL, Fault, Rendered, SAMPLE_MAX, VARIABLE_NAME_MAX, Variable};

static ENVIRONMENT: LazyLock<Environment<'static>> = LazyLock::new(|| {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_auto_escape_callback(|_| minijinja::AutoEscape::None);
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
        };
        let size = serde_json::to_string(&rendered).map_or(usize::MAX, |text| text.len());
        match size > BODY_MAX {
            true => Err(Fault::new("", format!("the message is larger than {BODY_MAX} bytes"))),
            false => Ok(rendered),
        }
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

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]
mod tests {
    use serde_json::json;

    use super::super::{RobotContent, RobotFormat, VariableType, WebhookContent};
    use super::*;

    fn variable(name: &str, sample: Value, required: bool) -> Variable {
        let variable_type = match &sample {
            Value::Number(_) => VariableType::Number,
            Value::Object(_) => VariableType::Object,
            Value::Array(_) => VariableType::Array,
            _ => VariableType::String,
        };
        Variable { name: name.to_owned(), variable_type, required, sample }
    }

    fn robot(text: &str) -> Content {
        Content::Robot(RobotContent { format: RobotFormat::Text, title: None, text: text.to_owned() })
    }

    fn fault(content: &Content, variables: &[Variable]) -> Option<(String, String)> {
        content.check(variables).err().map(|fault| (fault.pointer, fault.detail))
    }

    #[test]
    fn one_expression_keeps_its_type() {
        let data =
            json!({"total": "{{ total }}", "line": "{{ total }} CNY", "list": ["{{ order.id }}", 1, null]});
        let content =
            Content::Webhook(WebhookContent { event_type: "order.paid".to_owned(), data: Some(data) });
        let variables = [variable("total", json!(9.5), true), variable("order", json!({"id": "7"}), true)];
        assert_eq!(fault(&content, &variables), None);
        let payload = json!({"total": 12, "order": {"id": {"deep": [1]}}});
        let Ok(Rendered::Webhook { data, .. }) = content.render(&variables, &payload) else {
            panic!("not rendered")
        };
        assert_eq!(data, json!({"total": 12, "line": "12 CNY", "list": [{"deep": [1]}, 1, null]}));
    }

    #[test]
    fn what_is_not_there_is_told() {
        let name = || [variable("name", json!("Eva"), true)];
        let (pointer, detail) = fault(&robot("Hello {{ nam }}"), &name()).unwrap();
        assert!(pointer == "/robot/text" && detail.contains("nam"), "{pointer} {detail}");
        assert_eq!(fault(&robot("Hello {{ name }}, {{ range(3)|join }}"), &name()), None);
        let optional = [variable("name", json!("Eva"), false)];
        assert!(fault(&robot("Hello {{ name }}"), &optional).is_some());
        assert_eq!(fault(&robot("Hello {{ name|default('you') }}"), &optional), None);
        let render = |payload: Value| {
            robot("Hello {{ name }}").render(&name(), &payload).map_err(|fault| fault.pointer)
        };
        assert_eq!(render(json!({})), Err("/payload/name".to_owned()));
        assert_eq!(render(json!({"name": null})), Err("/payload/name".to_owned()));
        assert_eq!(render(json!({"name": 7})), Err("/payload/name".to_owned()));
        assert!(fault(&robot("Hello {{ name "), &name()).is_some());
        assert!(fault(&robot("{{ name.first }}"), &name()).is_some());
        assert!(fault(&robot("{% include 'other' %}"), &[]).is_some());
    }

    #[test]
    fn hostile_templates_end() {
        for text in [
            "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}x",
            "{% for a in range(9999) %}{{ 'x' * 10000 }}{% endfor %}",
            "{{ 'x' * 9999999999 }}",
            "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
            "{% set ns = namespace(s='x') %}{% for a in range(60) %}{% set ns.s = ns.s ~ ns.s %}{% endfor %}{{ ns.s }}",
        ] {
            assert!(fault(&robot(text), &[]).is_some(), "{text}");
        }
    }

    #[test]
    fn variables_are_declared_once_and_rightly() {
        for (name, sample) in [("a b", json!("x")), ("", json!("x")), ("1a", json!("x")), ("a", json!(null))]
        {
            assert!(fault(&robot("x"), &[variable(name, sample, true)]).is_some(), "{name}");
        }
        let twice = [variable("a", json!("x"), true), variable("a", json!("x"), true)];
        assert_eq!(
            fault(&robot("x"), &twice).map(|(pointer, _)| pointer),
            Some("/variables/1/name".to_owned())
        );
    }
}
