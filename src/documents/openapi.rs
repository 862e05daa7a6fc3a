//! The OpenAPI document, from the mounted routes. Owns what all operations share: the introduction, tags, security;
//! what they may answer stands in [`super::problems`], the form of schemas in [`super::schemas`].

use std::collections::{BTreeMap, BTreeSet};

use actix_web::App as ActixApp;
use serde_json::{Map, Value, json};
use utoipa::openapi::OpenApi;
use utoipa_actix_web::AppExt;
use utoipa_actix_web::service_config::ServiceConfig;

use super::{bounds, examples, problems, schemas, tables};
use crate::domain::report::ReportFormat;
use crate::http::api_keys::{self, Needs};
use crate::http::problem::Problem;
use crate::kernel::FieldError;
use crate::sync::api::Include;

/// The operations' tags, in the order in which a client meets them.
pub const TAGS: &[(&str, &str)] = &[
    ("auth", "Signing in and out, sessions, the own account."),
    ("tenants", "Merchants, and the keys with which they sign their visitors' identities."),
    ("visitors", "Visitors, anonymous or identified by their tenant."),
    ("members", "Accounts of a tenant."),
    ("api-keys", "Keys with which programs act as service accounts."),
    ("audit", "Who did what to accounts, keys, groups, settings and rules."),
    (
        "presence",
        "What the staff say that they are, whether they are connected, how many conversations they serve, and what they were.",
    ),
    ("groups", "Standing groups of the staff, and who is in them."),
    ("rooms", "Rooms of the staff, apart from any customer."),
    (
        "queue",
        "The waiting conversations in their order, offers of them to agents, and why routing chooses whom.",
    ),
    ("conversations", "Opening, serving and closing conversations."),
    ("attributes", "Custom attributes of conversations and customers."),
    ("saved-filters", "Filters of conversations, and the search by a filter."),
    ("business-hours", "When the desk and its groups are open."),
    ("sla", "How fast customers are to be answered."),
    ("bans", "Customers who are not let in any more."),
    ("erasure", "Taking away what is known of a customer."),
    ("exports", "Everything that is kept of the tenant or of a person, as a file."),
    ("canned-replies", "Texts that the staff have ready."),
    ("ratings", "What customers say of how they were served."),
    ("reports", "Numbers of the work of the desk."),
    ("search", "Messages and notes by their words."),
    ("messages", "Sending, changing and reading the log of a conversation."),
    ("attachments", "Files of messages: announcing, uploading and reading them."),
    ("reading", "Read and delivered positions."),
    ("sync", "Inbox, what changed since a cursor, and the tenant's whole feed."),
    ("notifications", "What members are told inside the product, beside their conversations."),
    (
        "message-centre",
        "Events, the rules that make messages of them, their templates, the accounts that they go to, and what became of each.",
    ),
    ("socket", "The WebSocket; its frames are in the AsyncAPI document."),
    ("service", "Probes, numbers, documents."),
];

/// Builds the document of the routes that `configure` mounts.
pub fn document(configure: impl FnOnce(&mut ServiceConfig<'_>)) -> Value {
    let (_, document) =
        ActixApp::new().into_utoipa_app().openapi(base()).configure(configure).split_for_parts();
    let mut document = json!(document);
    introduce(&mut document);
    operations(&mut document).for_each(complete);
    admit_keys(&mut document);
    arrange(&mut document);
    share_answers(&mut document);
    examples::add_to_openapi(&mut document);
    document["components"]["headers"] = problems::header_components();
    document["x-error-codes"] = json!(tables::error_code_rows());
    document["x-rights"] = json!(tables::right_rows());
    document["x-entry-kinds"] = json!(tables::entry_kind_rows());
    document
}

fn base() -> OpenApi {
    #[derive(utoipa::OpenApi)]
    #[openapi(components(schemas(Problem, FieldError, Include, ReportFormat)))]
    struct Base;
    <Base as utoipa::OpenApi>::openapi()
}

/// What stands before the operations. The introduction is short, because generators copy it into every file; the
/// long text is the portal's.
fn introduce(document: &mut Value) {
    document["info"] = json!({
        "title": "Deskwire",
        "version": env!("CARGO_PKG_VERSION"),
        "description": "Deskwire is a headless customer-service messaging backend. Rules, guides and tables stand \
            under /docs/ of every server; the socket is described in /api/v1/asyncapi.json.",
        "contact": contact(),
        "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
    });
    document["servers"] = json!([{"url": "/", "description": "The server that gave this document."}]);
    let tags = TAGS.iter().map(|(name, text)| json!({"name": name, "description": text}));
    document["tags"] = tags.collect();
    document["components"]["securitySchemes"] = json!({
        "bearer": {
            "type": "http",
            "scheme": "bearer",
            "bearerFormat": "JWT",
            "description": "The access token of `/auth/login`, `/auth/refresh` or `/visitors`.",
        },
        "api_key": {
            "type": "http",
            "scheme": "bearer",
            "description": "The secret of an API key (`/api-keys`), for programs. `x-rights` of an operation says what the key \
                must allow.",
        },
        "platform_key": {
            "type": "http",
            "scheme": "bearer",
            "description": "The operator's key (`DESKWIRE_PLATFORM_KEY`), for making tenants where sign-up is off.",
        },
    });
}

/// Whom to ask; in both documents.
pub fn contact() -> Value {
    json!({"name": "Whoever runs this server"})
}

/// Every operation of the document.
fn operations(document: &mut Value) -> impl Iterator<Item = &mut Value> {
    let items = document["paths"].as_object_mut().into_iter().flat_map(Map::values_mut);
    items
        .flat_map(|item| item.as_object_mut().into_iter().flat_map(Map::values_mut))
        .filter(|one| one.is_object())
}

/// Adds what every operation shares.
fn complete(operation: &mut Value) {
    match operation.get("security") {
        None => operation["security"] = json!([{"bearer": []}]),
        // The way in which OpenAPI says that nothing is needed.
        Some(given) if *given == json!([{}]) => operation["security"] = json!([]),
        Some(_) => {}
    }
    problems::complete(operation);
}

/// Says of each operation whether an API key may be used for it, and what the key must allow.
fn admit_keys(document: &mut Value) {
    for (method, path, needs) in api_keys::ROUTES {
        let Some(operation) =
            document["paths"][format!("/api/v1{path}")].get_mut(method.to_ascii_lowercase())
        else {
            continue;
        };
        if let Some(security) = operation["security"].as_array_mut() {
            security.push(json!({"api_key": []}));
        }
        let (all, one) = match needs {
            Needs::Either(..) => (Vec::new(), needs.operations()),
            _ => (needs.operations(), Vec::new()),
        };
        operation["x-rights"] = json!({"all_of": all, "one_of": one});
    }
}

/// Brings the schemas into form: those of pages refer to their rows by name, since a generic page holds its row in
/// full and generators would give it a type of its own; parameters hold their words themselves; the rest is
/// [`schemas::arrange`].
fn arrange(document: &mut Value) {
    let Some(Value::Object(mut all)) = document.pointer_mut("/components/schemas").map(Value::take) else {
        return;
    };
    schemas::name_items(&mut all);
    let pages = schemas::name_pages(&mut all);
    schemas::add_contents(&mut all);
    let (mut written, mut read) = (BTreeSet::new(), BTreeSet::new());
    for operation in operations(document) {
        schemas::rename(operation, &pages);
        for parameter in list(operation, "parameters") {
            schemas::put_in_parameter(parameter, &all);
        }
        written.extend(schemas::names(&operation["parameters"]));
        written.extend(schemas::names(&operation["requestBody"]));
        read.extend(schemas::names(&operation["responses"]));
    }
    let arranged = schemas::arrange(&mut all, &written, &read);
    for operation in operations(document) {
        for parameter in list(operation, "parameters") {
            schemas::rename(parameter, &arranged.inputs);
        }
        if let Some(body) = operation.get_mut("requestBody") {
            schemas::rename(body, &arranged.inputs);
        }
    }
    bounds::add(&mut all, &arranged.written);
    document["components"]["schemas"] = Value::Object(all);
}

/// Gives the commonest refusal of each status a name and refers to it: else every operation would repeat them.
fn share_answers(document: &mut Value) {
    let mut counted: BTreeMap<(String, String), usize> = BTreeMap::new();
    for operation in operations(document) {
        for (status, answer) in operation["responses"].as_object().into_iter().flatten() {
            if problems::name_of(status).is_some() {
                *counted.entry((status.clone(), answer.to_string())).or_default() += 1;
            }
        }
    }
    let mut common: BTreeMap<String, (usize, String)> = BTreeMap::new();
    for ((status, answer), count) in counted.into_iter().filter(|(_, count)| *count > 1) {
        let best = common.entry(status).or_default();
        if count > best.0 {
            *best = (count, answer);
        }
    }
    let mut shared = Map::new();
    for operation in operations(document) {
        for (status, answer) in operation["responses"].as_object_mut().into_iter().flatten() {
            let Some(name) = problems::name_of(status) else { continue };
            let text = answer.to_string();
            if common.get(status).is_some_and(|(_, best)| *best == text) {
                let reference = json!({"$ref": format!("#/components/responses/{name}")});
                shared.insert(name.to_owned(), std::mem::replace(answer, reference));
            }
        }
    }
    document["components"]["responses"] = Value::Object(shared);
}

fn list<'a>(value: &'a mut Value, name: &str) -> impl Iterator<Item = &'a mut Value> {
    value.get_mut(name).and_then(Value::as_array_mut).into_iter().flatten()
}
