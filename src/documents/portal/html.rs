//! Small pieces of HTML. Owns that every text from outside is escaped; knows nothing of what is shown.

use pulldown_cmark::{Event, Options, Parser, html};

use crate::documents::tables::Table;

/// A text as it may stand between tags and in attributes.
pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            other => out.push(other),
        }
    }
    out
}

/// Markdown of a document: what looks like HTML in it is text.
pub fn prose(markdown: &str) -> String {
    let events = Parser::new_ext(markdown, Options::ENABLE_TABLES).map(|event| match event {
        Event::Html(text) | Event::InlineHtml(text) => Event::Text(text),
        other => other,
    });
    let mut out = String::new();
    html::push_html(&mut out, events);
    scrolled(&out)
}

/// Markdown of one paragraph, without the paragraph's own tags.
pub fn inline(markdown: &str) -> String {
    let text = prose(markdown);
    let text = text.trim();
    match text.strip_prefix("<p>").and_then(|text| text.strip_suffix("</p>")) {
        Some(inner) if !inner.contains("<p>") => inner.to_owned(),
        _ => text.to_owned(),
    }
}

/// Markdown of a page of the portal, which may hold HTML.
pub fn page(markdown: &str) -> String {
    let mut out = String::new();
    html::push_html(&mut out, Parser::new_ext(markdown, Options::ENABLE_TABLES));
    scrolled(&out)
}

/// Gives tables of Markdown a box of their own to scroll in, so that the page never does.
fn scrolled(text: &str) -> String {
    text.replace("<table>", "<div class=\"scroll\" tabindex=\"0\"><table>")
        .replace("</table>", "</table></div>")
}

/// A table whose rows become blocks on a narrow screen; cells are HTML.
pub fn table(class: &str, headings: &[&str], rows: &[Vec<String>]) -> String {
    let mut out = format!("<table class=\"stack {class}\"><thead><tr>");
    for heading in headings {
        out.push_str(&format!("<th scope=\"col\">{}</th>", escape(heading)));
    }
    out.push_str("</tr></thead><tbody>");
    for row in rows {
        out.push_str("<tr>");
        for (heading, cell) in headings.iter().zip(row) {
            out.push_str(&format!("<td data-label=\"{}\">{cell}</td>", escape(heading)));
        }
        out.push_str("</tr>");
    }
    out + "</tbody></table>"
}

/// A table of the code; each name can be linked.
pub fn named_table(class: &str, of: &Table) -> String {
    let headings: Vec<&str> = of.headings.iter().map(String::as_str).collect();
    let named = |name: &str| {
        let name = escape(name);
        format!("<code id=\"{name}\"><a class=\"self\" href=\"#{name}\">{name}</a></code>")
    };
    let cell = |(at, text): (usize, &String)| if at == 0 { named(text) } else { inline(text) };
    let rows: Vec<Vec<String>> =
        of.rows.iter().map(|row| row.iter().enumerate().map(cell).collect()).collect();
    table(class, &headings, &rows)
}

/// A name as the end of a link: what is no letter or digit becomes a hyphen.
pub fn anchor(text: &str) -> String {
    let fits = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
    let parts = text.split(|letter: char| !fits(letter)).filter(|part| !part.is_empty());
    parts.collect::<Vec<_>>().join("-")
}

/// Program text.
pub fn code_block(language: &str, text: &str) -> String {
    format!(
        "<pre class=\"code\" tabindex=\"0\"><code class=\"language-{}\">{}</code></pre>",
        escape(language),
        escape(text.trim_end())
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_bring_no_tags_of_their_own() {
        assert_eq!(prose("a <b>x</b> `<i>`\n"), "<p>a &lt;b&gt;x&lt;/b&gt; <code>&lt;i&gt;</code></p>\n");
        assert_eq!(inline("**a** b"), "<strong>a</strong> b");
        let cell = table("", &["a\"b"], &[vec![escape("<x>")]]);
        assert!(cell.contains("data-label=\"a&quot;b\">&lt;x&gt;<"), "{cell}");
        assert_eq!(anchor("Page_Member of message.send"), "Page_Member-of-message-send");
    }
}
