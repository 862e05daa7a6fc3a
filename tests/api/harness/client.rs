//! A client of the REST interface, and what it is answered.

use deskwire::domain::actor::Actor;
use reqwest::Method;
use serde_json::{Value, json};

use super::documented;
use super::socket::Socket;

/// Somebody with (or without) an access token. Paths are those under `/api/v1`.
#[derive(Debug, Clone)]
pub struct Client {
    pub(super) http: reqwest::Client,
    /// `http://127.0.0.1:PORT`
    pub base: String,
    /// Sent as `Authorization: Bearer`.
    pub token: Option<String>,
    /// Who the token is about; `None` for nobody, or for a token that came from elsewhere.
    pub actor: Option<Actor>,
}

/// What the server answered.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The JSON body; `Null` when there is none.
    pub body: Value,
    /// The headers.
    pub headers: reqwest::header::HeaderMap,
    /// For messages of failed tests.
    request: String,
}

impl Client {
    /// The same caller with another token.
    pub fn with_token(&self, token: impl Into<String>) -> Self {
        Self { token: Some(token.into()), actor: None, ..self.clone() }
    }

    /// The same server without a token.
    pub fn anonymous(&self) -> Self {
        Self { token: None, actor: None, ..self.clone() }
    }

    /// The member's id as JSON shows it.
    pub fn id(&self) -> String {
        self.actor.expect("this client is a member").member.to_string()
    }

    /// GET.
    pub async fn get(&self, path: &str) -> Answer {
        self.call(Method::GET, path, None).await
    }

    /// POST with a JSON body.
    pub async fn post(&self, path: &str, body: Value) -> Answer {
        self.call(Method::POST, path, Some(body)).await
    }

    /// PUT with a JSON body.
    pub async fn put(&self, path: &str, body: Value) -> Answer {
        self.call(Method::PUT, path, Some(body)).await
    }

    /// PATCH with a JSON body.
    pub async fn patch(&self, path: &str, body: Value) -> Answer {
        self.call(Method::PATCH, path, Some(body)).await
    }

    /// DELETE.
    pub async fn delete(&self, path: &str) -> Answer {
        self.call(Method::DELETE, path, None).await
    }

    /// Any method.
    pub async fn call(&self, method: Method, path: &str, body: Option<Value>) -> Answer {
        let request = self.request(method, path);
        let request = match &body {
            Some(body) => request.json(body),
            None => request,
        };
        Answer::of(request).await
    }

    /// A request to be changed before it is given to [`Answer::of`]: other headers, other bytes.
    pub fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        let url = match path.starts_with("http") {
            true => path.to_owned(),
            false => format!("{}/api/v1{path}", self.base),
        };
        let request = self.http.request(method, url);
        match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }

    /// A path outside `/api/v1`, such as `/healthz`.
    pub async fn get_root(&self, path: &str) -> Answer {
        self.get(&format!("{}{path}", self.base)).await
    }

    /// A socket on which hello has been said and everything up to `live` has been received.
    pub async fn socket(&self) -> Socket {
        self.socket_with(json!({})).await
    }

    /// [`Client::socket`] with more in `hello`, such as a cursor or another device.
    pub async fn socket_with(&self, hello: Value) -> Socket {
        let mut socket = Socket::connect(&self.base).await;
        let mut data = json!({"token": self.token, "device": "test-device"});
        for (name, value) in hello.as_object().expect("an object") {
            data[name] = value.clone();
        }
        socket.hello(data).await;
        socket
    }
}

impl Answer {
    /// Sends a request and reads its answer. Whatever is not 2xx must be a complete problem document.
    pub async fn of(request: reqwest::RequestBuilder) -> Self {
        let (client, request) = request.build_split();
        let request = request.expect("a request");
        let line = format!("{} {}", request.method(), request.url());
        let (method, url) = (request.method().clone(), request.url().clone());
        let sent = request.body().and_then(reqwest::Body::as_bytes).map(<[u8]>::to_vec);
        let response = client.execute(request).await.unwrap_or_else(|cause| panic!("{line}: {cause:?}"));
        let status = response.status().as_u16();
        let headers = response.headers().clone();
        let bytes = response.bytes().await.unwrap_or_else(|cause| panic!("{line}: {cause:?}"));
        let body = match bytes.is_empty() {
            true => Value::Null,
            false => serde_json::from_slice(&bytes)
                .unwrap_or_else(|_| Value::String(String::from_utf8_lossy(&bytes).into_owned())),
        };
        let answer = Self { status, body, headers, request: line };
        if !(200..300).contains(&status) {
            answer.check_problem();
        }
        documented::check(&documented::Exchange {
            method: method.as_str(),
            path: url.path(),
            query: url.query().unwrap_or(""),
            sent: sent.as_deref(),
            status,
            headers: &answer.headers,
            body: &answer.body,
        });
        answer
    }

    /// Requires 2xx and gives the body.
    #[track_caller]
    pub fn ok(self) -> Value {
        assert!((200..300).contains(&self.status), "{self}");
        self.body
    }

    /// Requires this status and gives the body.
    #[track_caller]
    pub fn status(self, status: u16) -> Value {
        assert_eq!(self.status, status, "{self}");
        self.body
    }

    /// Requires this refusal and gives the problem.
    #[track_caller]
    pub fn refused(self, status: u16, code: &str) -> Value {
        assert_eq!((self.status, self.code()), (status, code), "{self}");
        self.body
    }

    /// The problem's code; empty when this is none.
    pub fn code(&self) -> &str {
        self.body["code"].as_str().unwrap_or_default()
    }

    /// A header as text; empty when absent.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    #[track_caller]
    fn check_problem(&self) {
        assert_eq!(self.header("content-type"), "application/problem+json", "{self}");
        assert_eq!(self.body["status"], self.status, "{self}");
        for name in ["type", "title", "code", "detail", "request_id"] {
            assert!(self.body[name].as_str().is_some_and(|text| !text.is_empty()), "no {name}: {self}");
        }
        assert!(self.body["retryable"].is_boolean(), "no retryable: {self}");
        assert_eq!(self.header("x-request-id"), self.body["request_id"], "{self}");
        let known = deskwire::kernel::Code::ALL.iter().find(|code| code.name() == self.code());
        let known = known.unwrap_or_else(|| panic!("a code outside the table: {self}"));
        assert_eq!(known.status(), self.status, "{self}");
    }
}

impl std::fmt::Display for Answer {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "{} answered {}: {}", self.request, self.status, self.body)
    }
}
