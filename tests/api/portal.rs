//! The portal: its headers, that its pages lead to each other and to what they name, and that everything in the
//! documents has a place in it. How it looks and works in a browser is tried by `.ci/portal`.

use std::collections::BTreeSet;

use deskwire::documents::portal::{FILES, PAGES, SNIPPETS, rest, socket};
use deskwire::domain::entry::EntryKind;
use deskwire::domain::permission::Operation;
use deskwire::gateway::protocol::close::CLOSE_CODES;
use deskwire::gateway::protocol::table::{CLIENT_FRAMES, SERVER_FRAMES};
use deskwire::kernel::Code;
use serde_json::Value;

use crate::harness::TestApp;

async fn get(app: &TestApp, path: &str) -> reqwest::Response {
    app.http().get(format!("{}{path}", app.base())).send().await.unwrap()
}

async fn page(app: &TestApp, path: &str) -> String {
    let answer = get(app, &format!("/docs/{path}")).await;
    assert_eq!(answer.status(), 200, "{path}");
    answer.text().await.unwrap()
}

fn header<'a>(answer: &'a reqwest::Response, name: &str) -> &'a str {
    answer.headers().get(name).map_or("", |value| value.to_str().unwrap())
}

/// The values of an attribute in a page.
fn attributes<'a>(text: &'a str, name: &str) -> BTreeSet<&'a str> {
    let start = format!(" {name}=\"");
    text.split(start.as_str()).skip(1).filter_map(|rest| Some(rest.split_once('"')?.0)).collect()
}

/// The places that the list at the head of a page leads to.
fn listed(text: &str) -> BTreeSet<&str> {
    let list = text.split_once("<div class=\"index").and_then(|(_, rest)| rest.split_once("</div>"));
    attributes(list.expect("the page has a list").0, "href")
}

async fn document(app: &TestApp, name: &str) -> Value {
    get(app, &format!("/api/v1/{name}.json")).await.json().await.unwrap()
}

on_every_database! {
    /// Every answer below /docs/ is bound to this host, and is asked for again without being sent again.
    async fn the_portal_is_bound_to_its_host(app: TestApp) {
        let all = PAGES.iter().map(|page| (page.path, "text/html; charset=utf-8"));
        let all: Vec<_> = all.chain(FILES.iter().map(|(name, kind, _)| (*name, *kind))).collect();
        for (path, kind) in all.iter().copied().chain([("nothing/of/this", "text/html; charset=utf-8")]) {
            let answer = get(&app, &format!("/docs/{path}")).await;
            let policy = header(&answer, "content-security-policy").to_owned();
            for part in ["default-src 'none'", "script-src 'self'", "style-src 'self'", "connect-src 'self'",
                "img-src 'self' data:", "frame-ancestors 'none'", "base-uri 'none'", "form-action 'none'"] {
                assert!(policy.split("; ").any(|one| one == part), "{path}: {part} is not in {policy}");
            }
            assert!(!policy.contains("unsafe"), "{policy}");
            assert_eq!(header(&answer, "x-content-type-options"), "nosniff");
            assert_eq!(header(&answer, "referrer-policy"), "no-referrer");
            assert_eq!(header(&answer, "content-type"), kind, "{path}");
            if answer.status() == 404 {
                assert_eq!(header(&answer, "cache-control"), "no-store");
                continue;
            }
            assert_eq!((answer.status().as_u16(), header(&answer, "cache-control")), (200, "no-cache"), "{path}");
            let tag = header(&answer, "etag").to_owned();
            let again = app.http().get(answer.url().clone());
            let known = again.try_clone().unwrap().header("if-none-match", &tag).send().await.unwrap();
            assert_eq!((known.status().as_u16(), header(&known, "etag")), (304, tag.as_str()), "{path}");
            assert!(known.bytes().await.unwrap().is_empty());
            let other = again.header("if-none-match", "\"other\"").send().await.unwrap();
            assert_eq!(other.status(), 200);
        }
        let missing = get(&app, "/docs/nothing").await;
        assert_eq!(missing.status(), 404);
        let missing = missing.text().await.unwrap();
        assert!(missing.contains("<h1>Not found</h1>") && missing.contains("href=\"/docs/rest\""));
        assert!(page(&app, "rest/").await.contains("<h1>REST reference</h1>"), "a slash too many leads to the page");
        assert_eq!(app.http().post(format!("{}/docs/", app.base())).send().await.unwrap().status(), 405);
    }

    /// No dead link, no dead anchor, nothing from elsewhere, nothing that the policy would stop.
    async fn every_link_of_the_portal_leads_somewhere(app: TestApp) {
        let mut pages = Vec::new();
        for page in PAGES {
            pages.push((page.path, self::page(&app, page.path).await));
        }
        for (path, text) in &pages {
            assert!(!text.contains("<!-- "), "{path}: something was not put in");
            assert!(!text.contains(" style=\"") && !text.contains("<style"), "{path}: a style inside the page");
            for script in text.split("<script").skip(1) {
                assert!(script.trim_start().starts_with("src=\"/docs/") || script.contains("src=\"/docs/"), "{path}");
                assert!(script.split_once('>').unwrap().1.starts_with("</script>"), "{path}: a script inside the page");
            }
            let ids: Vec<&str> = text.split(" id=\"").skip(1).filter_map(|rest| Some(rest.split_once('"')?.0)).collect();
            let unique: BTreeSet<&str> = ids.iter().copied().collect();
            assert_eq!(ids.len(), unique.len(), "{path}: an id stands twice");
            for other in PAGES {
                assert!(text.contains(&format!("<li><a href=\"/docs/{}\"", other.path)), "{path} does not lead to {}", other.path);
            }
            for link in attributes(text, "href").into_iter().chain(attributes(text, "src")) {
                let (target, anchor) = link.split_once('#').unwrap_or((link, ""));
                let found = match target.strip_prefix("/docs/") {
                    None if target.is_empty() => Some(text),
                    Some(target) => pages.iter().find(|(path, _)| *path == target).map(|(_, text)| text),
                    None => None,
                };
                match found {
                    Some(found) => assert!(anchor.is_empty() || found.contains(&format!(" id=\"{anchor}\"")), "{path}: {link}"),
                    None => assert_eq!((get(&app, target).await.status().as_u16(), anchor), (200, ""), "{path}: {link}"),
                }
            }
        }
    }

    /// A new operation, frame, code, right, kind, rule, limit or schema has its place by itself; this fails when it
    /// has none.
    async fn everything_in_the_documents_has_a_place_in_the_portal(app: TestApp) {
        let (openapi, asyncapi) = (document(&app, "openapi").await, document(&app, "asyncapi").await);
        let (rest_page, socket_page) = (page(&app, "rest").await, page(&app, "socket").await);
        let (ids, links) = (attributes(&rest_page, "id"), listed(&rest_page));
        let operations = rest::operations(&openapi);
        assert!(operations.len() > 50);
        for one in &operations {
            let id = one.id();
            assert!(ids.contains(id) && links.contains(format!("#{id}").as_str()), "{id} has no place");
            let form = format!("data-operation=\"{id}\" data-method=\"{}\"", one.method.to_uppercase());
            assert!(rest_page.contains(&form) || id == "open_socket", "{id} cannot be tried out");
        }
        for name in openapi["components"]["schemas"].as_object().unwrap().keys() {
            assert!(ids.contains(format!("schema-{name}").as_str()), "the schema {name} has no place");
        }
        let (ids, links) = (attributes(&socket_page, "id"), listed(&socket_page));
        let frames = CLIENT_FRAMES.iter().map(|frame| format!("client.{}", frame.name));
        let frames = frames.chain(SERVER_FRAMES.iter().map(|frame| format!("server.{}", frame.name)));
        for key in frames {
            let place = socket::place(&key);
            assert!(ids.contains(place.as_str()) && links.contains(format!("#{place}").as_str()), "{key} has no place");
        }
        for name in asyncapi["components"]["schemas"].as_object().unwrap().keys() {
            assert!(ids.contains(format!("schema-{name}").as_str()), "the schema {name} has no place");
        }
        for code in CLOSE_CODES {
            assert!(ids.contains(format!("close-{}", code.code).as_str()), "{} has no place", code.name);
        }
        let rules = asyncapi["x-client-rules"].as_array().unwrap();
        assert!(rules.len() > 10);
        for rule in rules {
            let name = rule["name"].as_str().unwrap();
            assert!(ids.contains(format!("rule-{}", name.replace(' ', "-")).as_str()), "{name} has no place");
            for test in rule["held_by"].as_array().unwrap() {
                assert!(socket_page.contains(&format!("<code>{}</code>", test.as_str().unwrap())), "{name}: {test}");
            }
        }
        for limit in asyncapi["x-limits"]["customer"].as_array().unwrap() {
            assert!(socket_page.contains(&format!("<code>{}</code>", limit["name"].as_str().unwrap())), "{limit}");
        }
        let console = page(&app, "console").await;
        for frame in CLIENT_FRAMES {
            assert_eq!(console.matches(&format!(">{}</option>", frame.name)).count(), 2, "{}", frame.name);
        }
        let errors = page(&app, "errors").await;
        for code in Code::ALL {
            assert!(attributes(&errors, "id").contains(code.name()), "{code} has no place");
        }
        let rights = page(&app, "rights").await;
        for right in Operation::ALL {
            assert!(attributes(&rights, "id").contains(right.to_string().as_str()), "{right} has no place");
        }
        let kinds = page(&app, "entry-kinds").await;
        for kind in EntryKind::ALL {
            assert!(attributes(&kinds, "id").contains(kind.to_string().as_str()), "{kind} has no place");
        }
    }

    /// Guides show the very files that `.ci` runs.
    async fn guides_show_their_snippets_as_they_stand(app: TestApp) {
        let guides = page(&app, "identify").await + &page(&app, "proxies").await;
        for (name, _, text) in SNIPPETS {
            let escaped = text.trim_end().replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
            let escaped = escaped.replace('"', "&quot;").replace('\'', "&#39;");
            assert!(guides.contains(&escaped), "{name} is not shown");
        }
    }
}
