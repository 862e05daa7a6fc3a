//! The reference of the routes, from the OpenAPI document. Every operation stands under `#OPERATION_ID` with a form
//! that calls it (`rest.js`); new operations appear by themselves.

use serde_json::{Map, Value};

use super::html::{anchor, code_block, escape, inline, prose, table};
use super::{sample, schema};

const METHODS: [&str; 5] = ["get", "post", "put", "patch", "delete"];

/// An operation with its place in the document.
pub struct Operation<'a> {
    /// `get`, `post` and so on.
    pub method: &'a str,
    /// The path with its parameters in braces.
    pub path: &'a str,
    /// What the document says.
    pub value: &'a Value,
}

impl<'a> Operation<'a> {
    /// The name under which it is linked.
    pub fn id(&self) -> &'a str {
        self.value["operationId"].as_str().unwrap_or("")
    }

    fn tag(&self) -> &'a str {
        self.value["tags"][0].as_str().unwrap_or("")
    }

    fn is_public(&self) -> bool {
        self.value["security"].as_array().is_some_and(Vec::is_empty)
    }
}

/// Every operation of the document.
pub fn operations(document: &Value) -> Vec<Operation<'_>> {
    let paths = document["paths"].as_object().into_iter().flatten();
    paths
        .flat_map(|(path, item)| {
            METHODS
                .into_iter()
                .filter_map(move |method| Some(Operation { method, path, value: item.get(method)? }))
        })
        .collect()
}

/// The tags with their descriptions: those that the document describes first, then any others that are used.
fn tags(document: &Value) -> Vec<(&str, &str)> {
    let described = document["tags"].as_array().into_iter().flatten();
    let mut all: Vec<_> = described
        .filter_map(|tag| Some((tag["name"].as_str()?, tag["description"].as_str().unwrap_or(""))))
        .collect();
    for operation in operations(document) {
        if !all.iter().any(|(name, _)| *name == operation.tag()) {
            all.push((operation.tag(), ""));
        }
    }
    all
}

/// The list of all operations, by tag.
pub fn index(document: &Value) -> String {
    let mut out = String::from("<div class=\"index\" data-filtered>");
    for (tag, meaning) in tags(document) {
        let of_tag: Vec<_> = operations(document).into_iter().filter(|one| one.tag() == tag).collect();
        if of_tag.is_empty() {
            continue;
        }
        out.push_str(&format!(
            "<section><h3><a href=\"#tag-{0}\">{1}</a></h3><ul>",
            anchor(tag),
            escape(tag)
        ));
        for one in of_tag {
            let summary = one.value["summary"].as_str().unwrap_or("");
            out.push_str(&format!(
                "<li data-words=\"{words}\"><a href=\"#{id}\">{method}<span><span class=\"path\">{path}</span> \
                 {summary}</span></a></li>",
                words = escape(&format!("{} {} {summary} {tag} {meaning}", one.method, one.path).to_lowercase()),
                id = escape(one.id()),
                method = method_mark(one.method),
                path = breakable(short(one.path)),
                summary = escape(summary),
            ));
        }
        out.push_str("</ul></section>");
    }
    out + "</div>"
}

/// The path below the interface's own.
fn short(path: &str) -> &str {
    path.strip_prefix("/api/v1").unwrap_or(path)
}

/// A path that may be broken before its slashes.
fn breakable(path: &str) -> String {
    escape(path).replace('/', "<wbr>/")
}

fn method_mark(method: &str) -> String {
    format!("<span class=\"method {method}\">{}</span> ", method.to_uppercase())
}

/// Every operation in full, by tag.
pub fn reference(document: &Value) -> String {
    let all = schema::named(document);
    let mut out = String::new();
    for (tag, meaning) in tags(document) {
        out.push_str(&format!("<h2 id=\"tag-{}\">{}</h2>{}", anchor(tag), escape(tag), prose(meaning)));
        for one in operations(document).into_iter().filter(|one| one.tag() == tag) {
            out.push_str(&operation(&one, document, all));
        }
    }
    out
}

fn operation(one: &Operation<'_>, document: &Value, all: &Map<String, Value>) -> String {
    let id = escape(one.id());
    let mut out = format!(
        "<section class=\"operation\" id=\"{id}\"><h3><a class=\"self\" href=\"#{id}\">{}</a></h3>\
         <p class=\"line\">{}<code class=\"path\">{}</code></p>",
        escape(one.value["summary"].as_str().unwrap_or("")),
        method_mark(one.method),
        breakable(one.path),
    );
    out.push_str(&prose(one.value["description"].as_str().unwrap_or("")));
    if one.is_public() {
        out.push_str("<p class=\"note\">Needs no access token.</p>");
    }
    let parameters = parameters(one);
    if !parameters.is_empty() {
        let rows: Vec<_> = parameters.iter().map(|parameter| parameter_row(parameter)).collect();
        out.push_str("<h4>Parameters</h4>");
        out.push_str(&table("fields", &["name", "type", "meaning"], &rows));
    }
    let body = &one.value["requestBody"]["content"]["application/json"];
    if body["schema"].is_object() {
        out.push_str(&format!("<h4>Body: {}</h4>", schema::type_of(&body["schema"])));
        out.push_str(&schema::fields(&body["schema"], all));
    }
    out.push_str("<h4>Answers</h4>");
    out.push_str(&table("answers", &["status", "what", "body"], &answers(one, document)));
    out.push_str(&examples(one, document));
    if one.path != "/api/v1/ws" {
        out.push_str(&form(one, &parameters, &body["schema"], all));
    } else {
        out.push_str("<p>The <a href=\"/docs/socket\">socket reference</a> has the frames, the <a href=\"/docs/console\">console</a> tries them.</p>");
    }
    out + "</section>"
}

fn parameters<'a>(one: &Operation<'a>) -> Vec<&'a Value> {
    one.value["parameters"].as_array().into_iter().flatten().filter(|one| one["name"].is_string()).collect()
}

fn parameter_row(parameter: &Value) -> Vec<String> {
    let mark = match parameter["required"].as_bool() {
        Some(true) => " <span class=\"required\">required</span>",
        _ => "",
    };
    let name = escape(parameter["name"].as_str().unwrap_or(""));
    let place = escape(parameter["in"].as_str().unwrap_or(""));
    let mut meaning = inline(parameter["description"].as_str().unwrap_or(""));
    if meaning.is_empty() {
        meaning = format!("In the {place}.");
    }
    vec![format!("<code>{name}</code>{mark}"), schema::type_of(&parameter["schema"]), meaning]
}

/// A response or the one that it refers to.
fn resolved<'a>(response: &'a Value, document: &'a Value) -> &'a Value {
    let target = response["$ref"].as_str().and_then(|path| document.pointer(path.trim_start_matches('#')));
    target.unwrap_or(response)
}

fn answers(one: &Operation<'_>, document: &Value) -> Vec<Vec<String>> {
    let responses = one.value["responses"].as_object().into_iter().flatten();
    responses
        .map(|(status, response)| {
            let response = resolved(response, document);
            let contents = response["content"].as_object().into_iter().flatten();
            let bodies: Vec<_> = contents
                .filter(|(_, content)| content["schema"].is_object())
                .map(|(_, content)| schema::type_of(&content["schema"]))
                .collect();
            let body = if bodies.is_empty() { "–".to_owned() } else { bodies.join(" or ") };
            let status = match status.as_str() {
                "default" => "any other".to_owned(),
                status => format!("<code>{}</code>", escape(status)),
            };
            vec![status, inline(response["description"].as_str().unwrap_or("")), body]
        })
        .collect()
}

/// The values of one example or of several named ones.
fn values(content: &Value) -> Vec<&Value> {
    let named = content["examples"].as_object().into_iter().flatten().filter_map(|(_, one)| one.get("value"));
    content.get("example").into_iter().chain(named).collect()
}

fn pretty(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => serde_json::to_string_pretty(other).unwrap_or_default(),
    }
}

/// The examples that the document has for the request and for answers that succeed.
fn examples(one: &Operation<'_>, document: &Value) -> String {
    let mut out = String::new();
    for request in values(&one.value["requestBody"]["content"]["application/json"]) {
        out.push_str(&format!("<h5>Request</h5>{}", code_block("json", &pretty(request))));
    }
    for (status, response) in one.value["responses"].as_object().into_iter().flatten() {
        let contents = resolved(response, document)["content"].as_object().into_iter().flatten();
        for answer in contents.filter(|_| status.starts_with('2')).flat_map(|(_, content)| values(content)) {
            out.push_str(&format!(
                "<h5>Answer {}</h5>{}",
                escape(status),
                code_block("json", &pretty(answer))
            ));
        }
    }
    match out.is_empty() {
        true => out,
        false => format!("<details class=\"examples\"><summary>Examples</summary>{out}</details>"),
    }
}

/// The form that calls the operation.
fn form(one: &Operation<'_>, parameters: &[&Value], body: &Value, all: &Map<String, Value>) -> String {
    let id = escape(one.id());
    let mut fields = String::new();
    for parameter in parameters {
        let (name, place) =
            (parameter["name"].as_str().unwrap_or(""), parameter["in"].as_str().unwrap_or(""));
        fields.push_str(&format!(
            "<label>{name}<input name=\"{place}.{name}\" data-in=\"{place}\" data-name=\"{name}\" \
             autocomplete=\"off\"{required}></label>",
            name = escape(name),
            place = escape(place),
            required = if parameter["required"].as_bool() == Some(true) { " required" } else { "" },
        ));
    }
    if body.is_object() {
        let text = pretty(&sample::of(body, all));
        fields.push_str(&format!(
            "<label>Body<textarea name=\"body\" rows=\"{}\" spellcheck=\"false\">{}</textarea></label>",
            text.lines().count().clamp(2, 14),
            escape(&text)
        ));
    }
    format!(
        "<details class=\"try\"><summary>Try it out</summary><form data-operation=\"{id}\" data-method=\"{}\" \
         data-path=\"{}\" data-public=\"{}\">{fields}<div class=\"buttons\"><button type=\"submit\">Send</button></div>\
         <div class=\"result\" role=\"status\"></div></form></details>",
        one.method.to_uppercase(),
        escape(one.path),
        one.is_public(),
    )
}

/// Every schema that the operations use.
pub fn schemas(document: &Value) -> String {
    schema::sections(schema::named(document))
}
