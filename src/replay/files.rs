//! Files in a run: visitors say some turns by a file, and every file is read at the end.

use futures_util::{StreamExt, TryStreamExt, stream};
use reqwest::Method;
use serde_json::json;

use super::client::fact::{digest, id};
use super::client::{Failure, Rest};
use super::dialogue::Turn;
use super::history::{Action, Done, Id, Key, count};
use super::member::Member;
use super::play::{Attached, Run};
use super::requests::{AT_ONCE, insist_unless};

/// How likely it is that a turn is said by a file.
const ATTACHES: f64 = 0.05;

/// Now and then uploads what a turn says; the content is JSON, which is text.
pub async fn maybe_upload(
    run: &Run,
    member: &Member,
    conversation: Id,
    key: &Key,
    turn: &Turn,
) -> Result<Option<Attached>, Failure> {
    if !run.chance(ATTACHES) {
        return Ok(None);
    }
    run.pace.wait().await;
    let said = json!(&*turn.text);
    let (name, size) = (format!("{key}.txt"), said.to_string().len());
    let file = json!({"name": name, "size": size});
    let made = (Method::POST, "/attachments");
    let made = insist_unless(run, member.rest(), made, Some(&file), &["attachments_off"]).await?;
    let Some(made) = made else { return Ok(None) };
    let attachment = made["attachment"].get("id").and_then(id);
    let attachment = attachment.ok_or_else(|| Failure::Over(format!("{file} was answered by {made}")))?;
    let path = format!("/attachments/{attachment}/content");
    insist_unless(run, member.rest(), (Method::PUT, &path), Some(&said), &[]).await?;
    let uploaded = Action::Uploaded { attachment, key: key.clone(), words: digest(&said) };
    run.history.note(member.id(), conversation, uploaded);
    count(&run.history.counters.files);
    let content = json!({
        "attachment_id": attachment.to_string(), "name": name, "size": size, "media_type": "text/plain",
        "has_thumbnail": false,
    });
    Ok(Some(Attached { content }))
}

/// What the administrator of a tenant reads of its files: the digest of each, or nothing of one that is gone.
pub async fn read(run: &Run, admin: &Rest, uploaded: &[Done]) -> Result<Vec<(Id, Option<u64>)>, Failure> {
    let ids = uploaded.iter().filter_map(|done| match done.action {
        Action::Uploaded { attachment, .. } => Some(attachment),
        _ => None,
    });
    let read = |attachment: Id| async move {
        let path = format!("/attachments/{attachment}/url");
        let link = insist_unless(run, admin, (Method::GET, &path), None, &["not_found"]).await?;
        let Some(link) = link else { return Ok((attachment, None)) };
        let path = link["url"].as_str().and_then(|url| url.strip_prefix("/api/v1"));
        let path = path.ok_or_else(|| Failure::Over(format!("no link in {link}")))?;
        let content = insist_unless(run, admin, (Method::GET, path), None, &[]).await?;
        Ok::<_, Failure>((attachment, content.as_ref().map(digest)))
    };
    let reading: Vec<_> = ids.map(read).collect();
    stream::iter(reading).buffer_unordered(AT_ONCE).try_collect().await
}
