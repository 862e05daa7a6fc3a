//! The reference of the socket, from the AsyncAPI document: frames both ways, close codes, limits, rules for clients.
//! A frame stands under `#client-NAME` or `#server-NAME`; new ones appear by themselves.

use serde_json::{Value, json};

use super::html::{anchor, code_block, escape, inline, table};
use super::{sample, schema};

/// The messages that one side sends: `client` or `server`; an `ok` for each kind of answer.
pub fn messages<'a>(document: &'a Value, side: &str) -> Vec<(&'a str, &'a Value)> {
    let prefix = format!("{side}.");
    let all = document["components"]["messages"].as_object().into_iter().flatten();
    all.filter(|(key, _)| key.starts_with(&prefix)).map(|(key, message)| (key.as_str(), message)).collect()
}

/// The place of a message on the page.
pub fn place(key: &str) -> String {
    anchor(key)
}

/// The list of all frames, by side.
pub fn index(document: &Value) -> String {
    let mut out = String::from("<div class=\"index two\" data-filtered>");
    for (side, title) in [("client", "From the client"), ("server", "From the server")] {
        out.push_str(&format!("<section><h3>{title}</h3><ul>"));
        for (key, message) in messages(document, side) {
            let summary = message["summary"].as_str().unwrap_or("");
            out.push_str(&format!(
                "<li data-words=\"{}\"><a href=\"#{}\"><code>{}</code> <span>{}</span></a></li>",
                escape(&format!("{key} {summary}").to_lowercase()),
                place(key),
                title_of(key),
                inline(first_sentence(summary)),
            ));
        }
        out.push_str("</ul></section>");
    }
    out + "</div>"
}

fn first_sentence(text: &str) -> &str {
    let end = text.find(['.', ';', ':']).unwrap_or(text.len());
    &text[..end]
}

/// `message.send`, or `ok (PullReply)`.
fn title_of(key: &str) -> String {
    let name = key.split_once('.').map_or(key, |(_, name)| name);
    match name.strip_prefix("ok.") {
        Some(reply) => format!("ok ({})", escape(reply)),
        None => escape(name),
    }
}

/// The frames of one side in full.
pub fn frames(document: &Value, side: &str) -> String {
    messages(document, side).into_iter().map(|(key, message)| frame(document, key, message)).collect()
}

fn frame(document: &Value, key: &str, message: &Value) -> String {
    let all = schema::named(document);
    let id = place(key);
    let mut out = format!(
        "<section class=\"frame\" id=\"{id}\"><h3><a class=\"self\" href=\"#{id}\"><code>{}</code></a></h3><p>{}</p>",
        title_of(key),
        inline(message["summary"].as_str().unwrap_or("")),
    );
    if let Some(more) = message["description"].as_str() {
        out.push_str(&super::html::prose(more));
    }
    if let Some(name) = key.strip_prefix("client.") {
        let operation = &document["operations"][format!("receive.{name}")];
        let replies = operation["reply"]["messages"].as_array().into_iter().flatten();
        let replies: Vec<_> = replies
            .filter_map(|one| one["$ref"].as_str()?.rsplit('/').next())
            .map(|key| format!("<a href=\"#{}\"><code>{}</code></a>", place(key), title_of(key)))
            .collect();
        out.push_str(&format!(
            "<p class=\"note\">{}",
            inline(operation["description"].as_str().unwrap_or(""))
        ));
        if !replies.is_empty() {
            out.push_str(&format!(" Answered by {}.", replies.join(" or ")));
        }
        out.push_str("</p>");
        let codes = operation["x-problem-codes"].as_array().into_iter().flatten().filter_map(Value::as_str);
        let codes: Vec<_> = codes
            .map(|code| format!("<a href=\"/docs/errors#{0}\"><code>{0}</code></a>", escape(code)))
            .collect();
        if !codes.is_empty() {
            out.push_str(&format!("<p class=\"note\">Refused with {}.</p>", codes.join(", ")));
        }
    }
    let properties = &message["payload"]["properties"];
    let marks: Vec<_> =
        ["id", "reply_to", "cursor"].into_iter().filter(|name| properties[*name].is_object()).collect();
    let data = &properties["data"];
    if data.is_object() {
        let beside = marks.iter().map(|name| format!("<code>{name}</code>")).collect::<Vec<_>>().join(", ");
        let beside = if beside.is_empty() { String::new() } else { format!(" (beside it: {beside})") };
        out.push_str(&format!("<h4><code>data</code>: {}{beside}</h4>", schema::type_of(data)));
        out.push_str(&schema::fields(data, all));
    }
    let examples = message["examples"].as_array().into_iter().flatten().filter_map(|one| one.get("payload"));
    let examples: Vec<_> = examples.map(pretty).collect();
    if !examples.is_empty() {
        let blocks: String = examples.iter().map(|text| code_block("json", text)).collect();
        out.push_str(&format!("<details class=\"examples\"><summary>Example</summary>{blocks}</details>"));
    }
    out + "</section>"
}

fn pretty(value: &Value) -> String {
    serde_json::to_string_pretty(value).unwrap_or_default()
}

/// The choices of the console: every frame that a client may send, with a first text for it.
pub fn choices(document: &Value) -> String {
    let all = schema::named(document);
    let mut out = String::new();
    for (key, message) in messages(document, "client") {
        let name = key.trim_start_matches("client.");
        let data = sample::of(&message["payload"]["properties"]["data"], all);
        let text = pretty(&json!({"type": name, "id": 1, "data": data}));
        out.push_str(&format!("<option data-sample=\"{}\">{}</option>", escape(&text), escape(name)));
    }
    out
}

fn rows<'a>(document: &'a Value, name: &str) -> impl Iterator<Item = &'a Value> {
    document[name].as_array().into_iter().flatten()
}

fn text<'a>(row: &'a Value, name: &str) -> &'a str {
    row[name].as_str().unwrap_or("")
}

/// Why the server closes a socket.
pub fn close_codes(document: &Value) -> String {
    let rows: Vec<_> = rows(document, "x-close-codes")
        .map(|row| {
            let code = &row["code"];
            vec![
                format!("<code id=\"close-{code}\">{code}</code>"),
                format!("<code>{}</code>", escape(text(row, "name"))),
                if row["reconnect"] == true { "yes" } else { "no" }.to_owned(),
                inline(text(row, "meaning")),
                inline(text(row, "advice")),
            ]
        })
        .collect();
    table("codes", &["code", "name", "connect again", "when", "what to do"], &rows)
}

/// What a socket may do, for visitors and for staff.
pub fn limits(document: &Value) -> String {
    let of = |role: &str| document["x-limits"][role].as_array().cloned().unwrap_or_default();
    let staff = of("staff");
    let rows: Vec<_> = of("customer")
        .iter()
        .map(|row| {
            let other = staff.iter().find(|one| one["name"] == row["name"]).unwrap_or(&Value::Null);
            vec![
                format!("<code>{}</code>", escape(text(row, "name"))),
                row["default"].to_string(),
                other["default"].to_string(),
                escape(text(row, "unit")),
                inline(text(row, "meaning")),
            ]
        })
        .collect();
    table("limits", &["name", "visitor", "staff", "unit", "meaning"], &rows)
}

/// What a client does so that nothing is lost on its side.
pub fn client_rules(document: &Value) -> String {
    let items = rows(document, "x-client-rules").map(|row| {
        let name = text(row, "name");
        let id = anchor(name);
        let tests = row["held_by"].as_array().into_iter().flatten().filter_map(Value::as_str);
        let tests: Vec<_> = tests.map(|test| format!("<code>{}</code>", escape(test))).collect();
        let held = format!(" <small>Held by {}.</small>", tests.join(", "));
        format!(
            "<li id=\"rule-{id}\"><strong><a class=\"self\" href=\"#rule-{id}\">{}</a></strong>: {}{held}</li>",
            escape(name),
            inline(text(row, "rule"))
        )
    });
    format!("<ol class=\"rules\">{}</ol>", items.collect::<String>())
}

/// One connection from hello to bye, frame by frame.
pub fn session(document: &Value) -> String {
    let frames = rows(document, "x-session").map(|row| {
        let (from, frame) = (text(row, "from"), &row["frame"]);
        let side = if from == "client" { "The client sends" } else { "The server sends" };
        format!(
            "<li><p>{side} <code>{}</code></p>{}</li>",
            escape(text(frame, "type")),
            code_block("json", &pretty(frame))
        )
    });
    format!(
        "<details class=\"session\"><summary>Every frame</summary><ol>{}</ol></details>",
        frames.collect::<String>()
    )
}

/// Every schema that the frames use.
pub fn schema_sections(document: &Value) -> String {
    schema::sections(schema::named(document))
}
