//! Requests that no route takes: 404, or 405 with `Allow` where the path exists with other methods. Owns the table
//! of routes, which is made from the mounted ones.

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, ResponseError, web};
use serde_json::Value;

use crate::kernel::{Code, Error};

/// Every mounted path with its methods.
#[derive(Debug)]
pub struct RouteTable {
    routes: Vec<(Vec<String>, Vec<&'static str>)>,
}

impl RouteTable {
    /// The table of the routes that a document describes.
    pub fn new(document: &Value) -> Self {
        let mut routes: Vec<_> = document["paths"]
            .as_object()
            .into_iter()
            .flatten()
            .map(|(path, item)| (path.split('/').map(str::to_owned).collect(), methods(item)))
            .collect();
        routes.sort();
        Self { routes }
    }

    /// The methods of a path, empty when there is no such path.
    pub fn allowed(&self, path: &str) -> Vec<&'static str> {
        let parts: Vec<&str> = path.split('/').collect();
        let fits = |template: &[String]| {
            template.len() == parts.len()
                && template
                    .iter()
                    .zip(&parts)
                    .all(|(one, part)| (one.starts_with('{') && !part.is_empty()) || one == part)
        };
        let mut methods: Vec<_> = self
            .routes
            .iter()
            .filter(|(template, _)| fits(template))
            .flat_map(|(_, methods)| methods.iter().copied())
            .collect();
        if methods.contains(&"GET") {
            methods.push("HEAD");
        }
        methods.sort_unstable();
        methods.dedup();
        methods
    }
}

/// The methods that a path item describes.
fn methods(item: &Value) -> Vec<&'static str> {
    let all = ["DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE"];
    all.into_iter().filter(|method| item[method.to_ascii_lowercase()].is_object()).collect()
}

/// The service behind all routes.
pub async fn fallback(request: HttpRequest, table: web::Data<RouteTable>) -> HttpResponse {
    let allowed = table.allowed(request.path());
    if allowed.is_empty() {
        return Error::not_found().error_response();
    }
    let error = Error::new(Code::MethodNotAllowed, Code::MethodNotAllowed.meaning());
    let mut response = error.error_response();
    if let Ok(value) = header::HeaderValue::from_str(&allowed.join(", ")) {
        response.headers_mut().insert(header::ALLOW, value);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::RouteTable;

    #[test]
    fn templates_match_by_segment() {
        let table = RouteTable {
            routes: vec![
                (vec!["".into(), "a".into(), "{id}".into()], vec!["GET", "PATCH"]),
                (vec!["".into(), "a".into(), "me".into()], vec!["PUT"]),
            ],
        };
        assert_eq!(table.allowed("/a/7"), ["GET", "HEAD", "PATCH"]);
        assert_eq!(table.allowed("/a/me"), ["GET", "HEAD", "PATCH", "PUT"]);
        assert!(table.allowed("/a").is_empty() && table.allowed("/a/").is_empty());
    }
}
