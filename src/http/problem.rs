//! How an error looks over HTTP: `application/problem+json` (RFC 9457) with a code from the one table. A failure
//! of ours shows no inner text; the request id leads to the log.

use actix_web::http::{StatusCode, header};
use actix_web::{HttpResponse, ResponseError};
use serde::Serialize;

use crate::kernel::{Error, FieldError, trace};

/// The body of every answer that is not 2xx.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Problem {
    /// A URI that names the code.
    #[serde(rename = "type")]
    pub kind: String,
    /// What the code means.
    pub title: &'static str,
    /// The HTTP status.
    pub status: u16,
    /// What went wrong, for programs: one of the table in the documents.
    #[schema(schema_with = crate::kernel::error::codes_schema)]
    pub code: &'static str,
    /// What went wrong here, for people.
    pub detail: String,
    /// The id under which the log knows this request.
    pub request_id: String,
    /// Whether the very same request may succeed later.
    pub retryable: bool,
    /// Which fields are wrong.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldError>,
    /// The present state that the client needs to go on.
    #[serde(skip_serializing_if = "serde_json::Map::is_empty")]
    #[schema(value_type = Object)]
    pub context: serde_json::Map<String, serde_json::Value>,
}

impl Problem {
    /// The problem of an error, for the request with this id.
    pub fn new(error: &Error, request_id: String) -> Self {
        Self {
            kind: format!("urn:deskwire:problem:{}", error.code.name()),
            title: error.code.meaning(),
            status: error.code.status(),
            code: error.code.name(),
            detail: error.public_detail().to_owned(),
            request_id,
            retryable: error.code.retryable(),
            errors: error.fields.clone(),
            context: error.context.clone(),
        }
    }
}

impl ResponseError for Error {
    fn status_code(&self) -> StatusCode {
        StatusCode::from_u16(self.code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    fn error_response(&self) -> HttpResponse {
        let mut response = HttpResponse::build(self.status_code());
        response.insert_header((header::CONTENT_TYPE, "application/problem+json"));
        if let Some(milliseconds) = self.retry_after_ms {
            response.insert_header((header::RETRY_AFTER, milliseconds.div_ceil(1_000).max(1).to_string()));
        }
        if self.status_code() == StatusCode::UNAUTHORIZED {
            response.insert_header((header::WWW_AUTHENTICATE, "Bearer"));
        }
        let request_id = trace::request_id().map(|id| id.to_string()).unwrap_or_default();
        response.json(Problem::new(self, request_id))
    }
}

/// The mark of a refusal that is a page for people: it goes out as it is, and not as a problem.
#[derive(Debug, Clone, Copy)]
pub struct ForPeople;
