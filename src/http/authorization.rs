//! Reading `Authorization: Bearer …`.

use actix_web::HttpRequest;
use actix_web::http::header;

use crate::kernel::{Code, Error, Result};

/// The text after `Bearer` in the `Authorization` header.
pub fn bearer(request: &HttpRequest) -> Result<&str> {
    let header = request
        .headers()
        .get(header::AUTHORIZATION)
        .ok_or_else(|| Error::new(Code::Unauthenticated, Code::Unauthenticated.meaning()))?;
    header
        .to_str()
        .ok()
        .and_then(|text| text.split_once(' '))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
        .map(|(_, token)| token.trim())
        .ok_or_else(|| Error::new(Code::TokenInvalid, "expected Authorization: Bearer and a token"))
}
