//! The check and the rendering of templates.

use serde_json::json;

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
    let content = Content::Webhook(WebhookContent { event_type: "order.paid".to_owned(), data: Some(data) });
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
    let render =
        |payload: Value| robot("Hello {{ name }}").render(&name(), &payload).map_err(|fault| fault.pointer);
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
    for (name, sample) in [("a b", json!("x")), ("", json!("x")), ("1a", json!("x")), ("a", json!(null))] {
        assert!(fault(&robot("x"), &[variable(name, sample, true)]).is_some(), "{name}");
    }
    let twice = [variable("a", json!("x"), true), variable("a", json!("x"), true)];
    assert_eq!(fault(&robot("x"), &twice).map(|(pointer, _)| pointer), Some("/variables/1/name".to_owned()));
}

#[test]
fn the_nearest_language_is_told() {
    let content =
        || Content::InApp(InAppContent { title: "x".to_owned(), body: None, link: None, data: None });
    let translation = |locale: &str| Translation { locale: locale.to_owned(), content: content() };
    let of = |own: Option<&str>, others: &[&str]| Contents {
        locale: own.map(str::to_owned),
        content: content(),
        translations: others.iter().map(|locale| translation(locale)).collect(),
    };
    let told = |contents: &Contents, reader| contents.for_reader(reader).map(|one| one.locale.clone());
    let own = of(Some("zh"), &["en", "zh-CN", "zh-Hant"]);
    for (reader, expected) in [
        ("zh-CN", Some("zh-CN")),
        ("zh-Hant-TW", Some("zh-Hant")),
        // The template's own is nearer than another region, and no translation is nearer than it.
        ("zh-TW", None),
        ("zh", None),
        ("en-GB", Some("en")),
        ("fr", None),
        ("e", None),
    ] {
        assert_eq!(told(&own, Some(reader)).as_deref(), expected, "{reader}");
    }
    assert_eq!(told(&own, None), None);
    assert_eq!(told(&of(None, &["en"]), Some("en")).as_deref(), Some("en"));
    assert_eq!(told(&of(None, &["en-GB"]), Some("en")), None, "a language is no case of one of its regions");
}

#[test]
fn html_escapes_what_variables_hold() {
    let content = Content::Email(EmailContent {
        subject: "To {{ name }}".to_owned(),
        text: Some("Dear {{ name }}".to_owned()),
        html: Some("<p>Dear {{ name }}</p>".to_owned()),
    });
    let variables = [variable("name", json!("Eva"), true)];
    assert_eq!(fault(&content, &variables), None);
    let rendered = content.render(&variables, &json!({"name": "<b>&"})).unwrap();
    let Rendered::Email { subject, text, html } = rendered else { panic!("no e-mail") };
    assert_eq!((subject.as_str(), text.as_deref()), ("To <b>&", Some("Dear <b>&")));
    assert_eq!(html.as_deref(), Some("<p>Dear &lt;b&gt;&amp;</p>"));
}

#[test]
fn a_subject_is_one_line() {
    let content = |subject: &str| {
        Content::Email(EmailContent {
            subject: subject.to_owned(),
            text: Some("Hello".to_owned()),
            html: None,
        })
    };
    let variables = [variable("name", json!("Eva"), true)];
    let render = |subject: &str, name: &str| {
        content(subject).render(&variables, &json!({ "name": name })).map_err(|fault| fault.pointer)
    };
    for name in ["Eva\r\nBcc: all@example.com", "Eva\nX", "Eva\u{85}X", ""] {
        assert_eq!(render("{{ name }}", name), Err("/email/subject".to_owned()), "{name:?}");
    }
    assert_eq!(render("{{ name }}", &"x".repeat(251)), Err("/email/subject".to_owned()));
    assert!(render("To {{ name }}", "Eva").is_ok());
}

#[test]
fn a_text_message_is_bounded() {
    let content = Content::Sms(SmsContent {
        text: None,
        code: Some("SMS_1".to_owned()),
        params: vec![SmsParameter { name: "code".to_owned(), value: "{{ code }}".to_owned() }],
    });
    let variables = [variable("code", json!("1234"), true)];
    let render = |code: &str| content.render(&variables, &json!({ "code": code }));
    let Ok(Rendered::Sms { text: None, code: Some(code), params }) = render("99") else {
        panic!("no text message")
    };
    assert_eq!((code.as_str(), params[0].name.as_str(), params[0].value.as_str()), ("SMS_1", "code", "99"));
    assert_eq!(
        render(&"9".repeat(201)).map_err(|fault| fault.pointer),
        Err("/sms/params/0/value".to_owned())
    );
}
