//! The people of a bench, made over the public interface.

use std::net::SocketAddr;

use futures_util::{StreamExt, TryStreamExt, stream};
use serde_json::{Value, json};

use super::Outcome;
use super::http::{Http, request};

/// Somebody with a token.
#[derive(Debug, Clone)]
pub struct Person {
    pub id: String,
    pub token: String,
}

pub const PASSWORD: &str = "a-long-enough-password";
const AT_ONCE: usize = 16;

/// One request on a connection of its own.
pub async fn once(
    server: SocketAddr,
    method: &str,
    path: &str,
    token: Option<&str>,
    body: &Value,
) -> Outcome<Value> {
    let body = body.to_string();
    let body = (method != "GET").then_some(body.as_str());
    let answer =
        Http::connect(server).await?.call(&request(method, &format!("/api/v1{path}"), token, body)).await?;
    answer.json().map_err(|cause| format!("{method} {path}: {cause}").into())
}

fn person(answer: &Value) -> Outcome<Person> {
    let tokens = answer.get("tokens").unwrap_or(answer);
    let id = answer["member"]["id"].as_str().ok_or_else(|| format!("no member in {answer}"))?;
    let token = tokens["access_token"].as_str().ok_or_else(|| format!("no token in {answer}"))?;
    Ok(Person { id: id.to_owned(), token: token.to_owned() })
}

/// A tenant; returns its administrator.
pub async fn tenant(server: SocketAddr, slug: &str) -> Outcome<Person> {
    let body = json!({
        "name": slug, "slug": slug, "admin": { "login_name": "admin", "password": PASSWORD, "nickname": "Admin" },
    });
    once(server, "POST", "/tenants", None, &body).await?;
    let login = json!({ "tenant": slug, "name": "admin", "password": PASSWORD, "device": "bench" });
    person(&once(server, "POST", "/auth/login", None, &login).await?)
}

/// Visitors of a tenant.
pub async fn visitors(server: SocketAddr, slug: &str, count: usize) -> Outcome<Vec<Person>> {
    let one = |number: usize| async move {
        let body = json!({ "tenant": slug, "nickname": format!("Visitor {number}") });
        person(&once(server, "POST", "/visitors", None, &body).await?)
    };
    stream::iter((0..count).map(one)).buffered(AT_ONCE).try_collect().await
}

/// A conversation of each; returns their ids.
pub async fn conversations(server: SocketAddr, visitors: &[Person]) -> Outcome<Vec<String>> {
    let one = |visitor: &Person| {
        let token = visitor.token.clone();
        async move {
            let answer = once(server, "POST", "/conversations", Some(&token), &json!({})).await?;
            let view = answer.get("conversation").unwrap_or(&answer);
            let id = view["id"].as_str().ok_or_else(|| format!("no conversation in {answer}"))?;
            Ok(id.to_owned())
        }
    };
    let opening: Vec<_> = visitors.iter().map(one).collect();
    stream::iter(opening).buffered(AT_ONCE).try_collect().await
}
