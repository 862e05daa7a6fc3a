//! The portal under `/docs/`: pages for people, made once at the start from files inside the program and from the
//! documents themselves.
//!
//! Owns the one table of pages and files ([`PAGES`], [`FILES`]), their headers and the page for what is not there.
//! Does not own what the documents say. Invariants: nothing is fetched from elsewhere, no script or style stands
//! inside a page (`http::middleware` sends the policy that says so), and every page is linked from every other.
//!
//! To add a page: a Markdown file in `docs/portal/pages` and a line in [`PAGES`]. `<!-- insert NAME -->` puts in what
//! is generated, `<!-- file PATH -->` a file of [`SNIPPETS`] as it stands.

mod html;
pub mod rest;
mod sample;
mod schema;
pub mod socket;

use std::collections::BTreeMap;

use actix_web::http::header::{self, HeaderValue};
use actix_web::{HttpRequest, HttpResponse, web};
use bytes::Bytes;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::tables;
use crate::http::problem::ForPeople;
use crate::kernel::{Error, Result};

/// A page of the portal.
#[derive(Debug, Clone, Copy)]
pub struct Page {
    /// Below `/docs/`; the first page has none.
    pub path: &'static str,
    /// The title, in the menu too.
    pub title: &'static str,
    /// Under which heading of the menu it stands.
    pub section: &'static str,
    /// The script that the page needs; every page reads without one.
    pub script: Option<&'static str>,
    text: &'static str,
}

macro_rules! pages {
    ($($path:literal $file:literal $title:literal $section:literal $script:expr;)+) => {
        /// Every page, in the order of the menu.
        pub const PAGES: &[Page] = &[$(Page {
            path: $path,
            title: $title,
            section: $section,
            script: $script,
            text: include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/portal/pages/", $file, ".md")),
        },)+];
    };
}

pages! {
    "" "start" "Overview" "Begin" None;
    "quick-start" "quick-start" "Quick start" "Begin" Some("quick-start.js");
    "rest" "rest" "REST reference" "Reference" Some("rest.js");
    "socket" "socket" "Socket reference" "Reference" Some("filter.js");
    "console" "console" "Socket console" "Reference" Some("console.js");
    "errors" "errors" "Error codes" "Reference" None;
    "rights" "rights" "Rights" "Reference" None;
    "entry-kinds" "entry-kinds" "Entry kinds" "Reference" None;
    "identify" "identify" "Identifying visitors" "Guides" None;
    "routing" "routing" "Routing and the queue" "Guides" None;
    "timers" "timers" "Reminders and endings" "Guides" None;
    "messages" "messages" "Message centre" "Guides" None;
    "message-rules" "message-rules" "Rules of messages" "Guides" None;
    "attachments" "attachments" "Attachments" "Guides" None;
    "api-keys" "api-keys" "API keys" "Guides" None;
    "bots" "bots" "Bots" "Guides" None;
    "reports" "reports" "Reports" "Guides" None;
    "erasure" "erasure" "Erasure and retention" "Guides" None;
    "exports" "exports" "Exports" "Guides" None;
    "filters" "filters" "Filters" "Guides" None;
    "service-levels" "service-levels" "Service levels" "Guides" None;
    "resuming" "resuming" "Resuming" "Guides" None;
    "proxies" "proxies" "Proxies and TLS" "Guides" None;
    "versioning" "versioning" "Changes and versions" "Guides" None;
}

macro_rules! files {
    ($list:ident, $folder:literal, $($name:literal $kind:literal)+) => {
        /// Files with their kind, embedded.
        pub const $list: &[(&str, &str, &str)] = &[
            $(($name, $kind, include_str!(concat!(env!("CARGO_MANIFEST_DIR"), $folder, $name))),)+
        ];
    };
}

files! { FILES, "/docs/portal/",
    "portal.css" "text/css; charset=utf-8"
    "theme.js" "text/javascript; charset=utf-8"
    "session.js" "text/javascript; charset=utf-8"
    "filter.js" "text/javascript; charset=utf-8"
    "panel.js" "text/javascript; charset=utf-8"
    "quick-start.js" "text/javascript; charset=utf-8"
    "rest.js" "text/javascript; charset=utf-8"
    "line.js" "text/javascript; charset=utf-8"
    "console.js" "text/javascript; charset=utf-8"
    "icon.svg" "image/svg+xml"
}

// What guides show as it stands; `.ci` runs the same files.
files! { SNIPPETS, "/docs/",
    "snippets/identity.mjs" "javascript"
    "snippets/identity.php" "php"
    "snippets/IdentityToken.java" "java"
    "snippets/identity.py" "python"
    "proxies/nginx.conf" "nginx"
    "proxies/Caddyfile" "caddy"
}

const LAYOUT: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/portal/layout.html"));
const MISSING: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/portal/pages/missing.md"));
const HTML: &str = "text/html; charset=utf-8";

/// What is served under one path.
#[derive(Debug, Clone)]
struct Served {
    kind: HeaderValue,
    tag: HeaderValue,
    body: Bytes,
}

impl Served {
    fn new(kind: &'static str, body: Bytes) -> Result<Self> {
        let digest: String =
            Sha256::digest(&body).iter().take(12).map(|byte| format!("{byte:02x}")).collect();
        let tag = HeaderValue::from_str(&format!("\"{digest}\""))
            .map_err(|cause| Error::internal("a tag is no header").caused_by(cause))?;
        Ok(Self { kind: HeaderValue::from_static(kind), tag, body })
    }
}

/// All pages and files of a running server, made once.
#[derive(Debug)]
pub struct Portal {
    served: BTreeMap<&'static str, Served>,
    missing: Bytes,
}

impl Portal {
    /// Makes the pages from the documents.
    pub fn new(openapi: &Value, asyncapi: &Value) -> Result<Self> {
        let mut served = BTreeMap::new();
        for page in PAGES {
            let body = filled(page.text, openapi, asyncapi)?;
            served
                .insert(page.path, Served::new(HTML, Bytes::from(laid_out(Some(page), page.title, &body)))?);
        }
        for (name, kind, text) in FILES {
            served.insert(name, Served::new(kind, Bytes::from_static(text.as_bytes()))?);
        }
        let missing = Bytes::from(laid_out(None, "Not found", &filled(MISSING, openapi, asyncapi)?));
        Ok(Self { served, missing })
    }

    fn answer(&self, path: &str, request: &HttpRequest) -> HttpResponse {
        let Some(found) = self.served.get(path) else {
            let mut missing = HttpResponse::NotFound()
                .insert_header((header::CONTENT_TYPE, HTML))
                .insert_header((header::CACHE_CONTROL, "no-store"))
                .body(self.missing.clone());
            missing.extensions_mut().insert(ForPeople);
            return missing;
        };
        // Asked again each time, and answered without a body while nothing changed: no page of an older program.
        let known = is_known(request, &found.tag);
        let mut response = if known { HttpResponse::NotModified() } else { HttpResponse::Ok() };
        response.insert_header((header::ETAG, found.tag.clone()));
        response.insert_header((header::CACHE_CONTROL, "no-cache"));
        match known {
            true => response.finish(),
            false => {
                response.insert_header((header::CONTENT_TYPE, found.kind.clone())).body(found.body.clone())
            }
        }
    }
}

/// Whether the client has it already.
fn is_known(request: &HttpRequest, tag: &HeaderValue) -> bool {
    let (Some(asked), Ok(tag)) = (request.headers().get(header::IF_NONE_MATCH), tag.to_str()) else {
        return false;
    };
    let asked = asked.to_str().unwrap_or("");
    asked.split(',').any(|one| one.trim().trim_start_matches("W/") == tag || one.trim() == "*")
}

/// A page's Markdown with everything that it names put in.
fn filled(markdown: &str, openapi: &Value, asyncapi: &Value) -> Result<String> {
    let mut rest = html::page(markdown);
    let mut out = String::with_capacity(rest.len());
    while let Some((before, after)) = rest.split_once("<!-- ") {
        let (command, after) =
            after.split_once(" -->").ok_or_else(|| Error::internal("a page has an open comment"))?;
        out.push_str(before);
        out.push_str(&inserted(command, openapi, asyncapi)?);
        rest = after.to_owned();
    }
    Ok(out + &rest)
}

fn inserted(command: &str, openapi: &Value, asyncapi: &Value) -> Result<String> {
    let unknown = || Error::internal(format!("the portal cannot put in {command:?}"));
    if let Some(path) = command.strip_prefix("file ") {
        let (_, language, text) = SNIPPETS.iter().find(|(name, ..)| *name == path).ok_or_else(unknown)?;
        return Ok(html::code_block(language, text));
    }
    Ok(match command.strip_prefix("insert ").ok_or_else(unknown)? {
        "operation-index" => rest::index(openapi),
        "operations" => rest::reference(openapi),
        "rest-schemas" => rest::schemas(openapi),
        "frame-index" => socket::index(asyncapi),
        "client-frames" => socket::frames(asyncapi, "client"),
        "server-frames" => socket::frames(asyncapi, "server"),
        "frame-choices" => socket::choices(asyncapi),
        "close-codes" => socket::close_codes(asyncapi),
        "limits" => socket::limits(asyncapi),
        "client-rules" => socket::client_rules(asyncapi),
        "session" => socket::session(asyncapi),
        "socket-schemas" => socket::schema_sections(asyncapi),
        "error-codes" => html::named_table("codes", &tables::error_codes()),
        "rights" => html::named_table("rights", &tables::rights()),
        "filter-fields" => html::named_table("fields", &tables::filter_fields()),
        "filter-attributes" => html::named_table("kinds", &tables::filter_attributes()),
        "filter-operators" => html::named_table("operators", &tables::filter_operators()),
        "entry-kinds" => html::named_table("kinds", &tables::entry_kinds()),
        "export-types" => html::named_table("types", &tables::export_types()),
        "erasure-tables" => html::named_table("tables", &tables::erasure()),
        "version" => env!("CARGO_PKG_VERSION").to_owned(),
        _ => return Err(unknown()),
    })
}

fn laid_out(page: Option<&Page>, title: &str, body: &str) -> String {
    let mut menu = String::new();
    let mut section = "";
    for one in PAGES {
        if one.section != section {
            menu.push_str(if section.is_empty() { "" } else { "</ul>" });
            menu.push_str(&format!("<p>{}</p><ul>", one.section));
            section = one.section;
        }
        let here = page.is_some_and(|page| page.path == one.path);
        let mark = if here { " aria-current=\"page\"" } else { "" };
        menu.push_str(&format!("<li><a href=\"/docs/{}\"{mark}>{}</a></li>", one.path, one.title));
    }
    menu.push_str("</ul>");
    let script = page
        .and_then(|page| page.script)
        .map_or_else(String::new, |name| format!("<script type=\"module\" src=\"/docs/{name}\"></script>"));
    LAYOUT
        .replace("{title}", title)
        .replace("{menu}", &menu)
        .replace("{script}", &script)
        .replace("{version}", env!("CARGO_PKG_VERSION"))
        .replace("{body}", body)
}

/// The routes of the pages. They are for people, so they are no operations of the documents.
pub fn routes(config: &mut web::ServiceConfig) {
    config.service(web::redirect("/docs", "/docs/"));
    config.service(web::resource("/docs/{path:.*}").get(serve));
}

async fn serve(request: HttpRequest, path: web::Path<String>, portal: web::Data<Portal>) -> HttpResponse {
    let path = path.into_inner();
    // One page, one address: a slash too many leads there.
    match path.strip_suffix('/').filter(|page| portal.served.contains_key(page)) {
        Some(page) => HttpResponse::PermanentRedirect()
            .insert_header((header::LOCATION, format!("/docs/{page}")))
            .finish(),
        None => portal.answer(&path, &request),
    }
}
