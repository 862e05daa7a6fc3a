//! Requests over HTTP that are repeated until there is an answer, and whole lists. Owns no state.

use serde_json::Value;

use super::client::{Backoff, Failure, Rest};
use super::play::Run;

/// Requests that are under way at the same time.
pub const AT_ONCE: usize = 16;

/// Posts until there is an answer.
pub async fn insist(run: &Run, rest: &Rest, path: &str, body: &Value) -> Result<Value, Failure> {
    insist_on(run, rest, reqwest::Method::POST, path, body).await
}

/// Repeats a request until there is an answer. What was made by an attempt that left doubt is found by the next one: its
/// name is taken, and the answer is null.
pub async fn insist_on(
    run: &Run,
    rest: &Rest,
    method: reqwest::Method,
    path: &str,
    body: &Value,
) -> Result<Value, Failure> {
    let mut backoff = Backoff::new(run.patience);
    let mut lost = false;
    loop {
        match rest.call(method.clone(), path, Some(body)).await {
            Ok(answer) => return Ok(answer),
            Err(failure) if lost && failure.code() == Some("name_taken") => return Ok(Value::Null),
            Err(failure) => {
                lost |= failure.leaves_doubt();
                let told = format!("{method} {path}: {failure}");
                if let Err(last) = backoff.after(failure).await {
                    return Err(match last {
                        Failure::Refused { .. } => Failure::Over(told),
                        other => other,
                    });
                }
            }
        }
    }
}

/// Repeats a request until there is an answer; none when it is a refusal with one of these codes.
pub async fn insist_unless(
    run: &Run,
    rest: &Rest,
    (method, path): (reqwest::Method, &str),
    body: Option<&Value>,
    refusals: &[&str],
) -> Result<Option<Value>, Failure> {
    let mut backoff = Backoff::new(run.patience);
    loop {
        match rest.call(method.clone(), path, body).await {
            Ok(answer) => return Ok(Some(answer)),
            Err(failure) if failure.code().is_some_and(|code| refusals.contains(&code)) => return Ok(None),
            Err(failure) => backoff.after(failure).await?,
        }
    }
}

/// Reads until there is an answer.
pub async fn get(run: &Run, rest: &Rest, path: &str) -> Result<Value, Failure> {
    let mut backoff = Backoff::new(run.patience);
    loop {
        match rest.get(path).await {
            Ok(answer) => return Ok(answer),
            Err(failure) => {
                let told = format!("GET {path}: {failure}");
                backoff.after(failure).await.map_err(|_| Failure::Over(told))?;
            }
        }
    }
}

/// All pages of a list. `path` has a query already.
pub async fn pages(run: &Run, rest: &Rest, path: &str) -> Result<Vec<Value>, Failure> {
    let mut rows = Vec::new();
    let mut cursor: Option<String> = None;
    loop {
        let page = match &cursor {
            None => get(run, rest, path).await?,
            Some(cursor) => get(run, rest, &format!("{path}&cursor={cursor}")).await?,
        };
        rows.extend(page["data"].as_array().cloned().unwrap_or_default());
        match page["next_cursor"].as_str() {
            Some(next) => cursor = Some(next.to_owned()),
            None => return Ok(rows),
        }
    }
}
