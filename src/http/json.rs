//! Bodies of requests. Owns how large they may be, how long they may take, and what they must call themselves; what
//! may stand in them is `kernel::json`'s.

use std::future::Future;
use std::ops::Deref;
use std::pin::Pin;
use std::time::Duration;

use actix_web::dev::Payload;
use actix_web::http::header;
use actix_web::{FromRequest, HttpRequest, web};
use bytes::BytesMut;
use futures_util::StreamExt;
use serde::de::DeserializeOwned;
use tokio::time::{Instant, timeout_at};

use crate::app::App;
pub use crate::kernel::json::parse;
use crate::kernel::{Code, Error, Result};

/// Bytes a second that a body must bring beyond its first seconds.
const LEAST_RATE: u64 = 4_096;

/// A request body, parsed.
#[derive(Debug)]
pub struct Body<T>(pub T);

impl<T> Body<T> {
    /// The parsed value.
    pub fn into_inner(self) -> T {
        self.0
    }
}

impl<T> Deref for Body<T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T: DeserializeOwned + 'static> FromRequest for Body<T> {
    type Error = Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let checked = limits(request).and_then(|limits| check_head(request, limits.0).map(|()| limits));
        let mut payload = payload.take();
        Box::pin(async move {
            let (limit, patience) = checked?;
            let bytes = read(&mut payload, limit, patience).await?;
            parse(&bytes).map(Self)
        })
    }
}

/// A request body as it came, whatever it calls itself: of callers that have a form of their own.
#[derive(Debug)]
pub struct Raw(pub BytesMut);

impl FromRequest for Raw {
    type Error = Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let limits = limits(request).and_then(|limits| check_length(request, limits.0).map(|()| limits));
        let mut payload = payload.take();
        Box::pin(async move {
            let (limit, patience) = limits?;
            read(&mut payload, limit, patience).await.map(Self)
        })
    }
}

/// How large a body may be, and how long it may take.
fn limits(request: &HttpRequest) -> Result<(usize, Duration)> {
    request
        .app_data::<web::Data<App>>()
        .map(|app| (app.settings.body_limit, Duration::from_secs(app.settings.body_seconds)))
        .ok_or_else(|| Error::internal("the server was built without its App"))
}

/// Reads a whole body: at most `limit` bytes, within `patience` and what [`LEAST_RATE`] adds to it.
async fn read(payload: &mut Payload, limit: usize, patience: Duration) -> Result<BytesMut> {
    let started = Instant::now();
    let mut bytes = BytesMut::new();
    loop {
        let earned = Duration::from_millis(bytes.len() as u64 * 1_000 / LEAST_RATE);
        let Ok(chunk) = timeout_at(started + patience + earned, payload.next()).await else {
            return Err(Error::new(Code::RequestTimeout, Code::RequestTimeout.meaning()));
        };
        let Some(chunk) = chunk else { return Ok(bytes) };
        let chunk = chunk.map_err(|cause| {
            Error::new(Code::MalformedJson, "the body ended early or could not be decoded").caused_by(cause)
        })?;
        if bytes.len() + chunk.len() > limit {
            return Err(too_large(limit));
        }
        bytes.extend_from_slice(&chunk);
    }
}

fn check_head(request: &HttpRequest, limit: usize) -> Result<()> {
    let media =
        request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("");
    let media = media.split(';').next().unwrap_or("").trim().to_ascii_lowercase();
    if media != "application/json" && !(media.starts_with("application/") && media.ends_with("+json")) {
        return Err(Error::new(Code::UnsupportedMediaType, Code::UnsupportedMediaType.meaning()));
    }
    check_length(request, limit)
}

fn check_length(request: &HttpRequest, limit: usize) -> Result<()> {
    match announced_length(request)? {
        Some(length) if length > limit as u64 => Err(too_large(limit)),
        _ => Ok(()),
    }
}

/// How many bytes a request says that its body has. Errors: `unsupported_media_type` for an encoded body.
pub fn announced_length(request: &HttpRequest) -> Result<Option<u64>> {
    if let Some(coding) = request.headers().get(header::CONTENT_ENCODING)
        && !coding.as_bytes().eq_ignore_ascii_case(b"identity")
    {
        return Err(Error::new(Code::UnsupportedMediaType, "bodies are taken without Content-Encoding only"));
    }
    let announced = request.headers().get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok());
    Ok(announced.and_then(|text| text.parse().ok()))
}

fn too_large(limit: usize) -> Error {
    Error::new(Code::PayloadTooLarge, format!("the body is larger than {limit} bytes"))
}
