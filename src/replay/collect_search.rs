//! Searches at the end of a run: some members look for words of the newest message that they can read.

use futures_util::{StreamExt, TryStreamExt, stream};
use reqwest::Method;
use serde_json::Value;

use super::client::Failure;
use super::client::fact::Fact;
use super::evidence::Searched;
use super::member::Member;
use super::play::Run;
use super::requests::{get, insist_unless, pages};

/// Most members who search.
const SEARCHERS: usize = 50;
/// Searches that are under way at the same time.
const AT_ONCE: usize = 4;
/// Longest word that is looked for, in characters.
const WORD: usize = 6;

/// Has some of these members search; each comes with whether it is a visitor.
pub async fn searches(
    run: &Run,
    members: impl Iterator<Item = (&Member, bool)>,
) -> Result<Vec<Searched>, Failure> {
    let searching: Vec<_> =
        members.take(SEARCHERS).map(|(member, is_visitor)| search(run, member, is_visitor)).collect();
    let found: Vec<Option<Searched>> =
        stream::iter(searching).buffer_unordered(AT_ONCE).try_collect().await?;
    Ok(found.into_iter().flatten().collect())
}

async fn search(run: &Run, member: &Member, is_visitor: bool) -> Result<Option<Searched>, Failure> {
    let newest = {
        let view = member.first().shared.view();
        view.rows.iter().filter(|(_, row)| row.active || is_visitor).map(|(id, _)| *id).max()
    };
    let Some(conversation) = newest else { return Ok(None) };
    let path = format!("/conversations/{conversation}/messages?limit=50");
    // It may have gone to somebody else meanwhile.
    let log = insist_unless(run, member.rest(), (Method::GET, &path), None, &["not_found"]).await?;
    let wanted = log.as_ref().and_then(|log| log["data"].as_array()?.iter().rev().find_map(wanted));
    let Some((seq, words)) = wanted else { return Ok(None) };
    let path = format!("/search/messages?q={words}&conversation_id={conversation}");
    let first = insist_unless(run, member.rest(), (Method::GET, &path), None, &["not_found"]).await?;
    if first.is_none() {
        return Ok(None);
    }
    let rows = pages(run, member.rest(), &format!("{path}&limit=200")).await?;
    let hits = rows.iter().filter_map(|hit| Fact::parse(&hit["message"])).collect();
    // Only so that what it shows is seen: what it finds elsewhere is as long as the run.
    get(run, member.rest(), &format!("/search/messages?q={words}&limit=200")).await?;
    Ok(Some(Searched { member: member.id(), wanted: (conversation, seq), words, hits }))
}

/// The place of a message and a word of it.
fn wanted(message: &Value) -> Option<(i64, String)> {
    let text = message["content"]["text"].as_str().filter(|_| message["kind"] == "text")?;
    Some((message["seq"].as_i64()?, word(text)?))
}

/// The beginning of the first run of plain letters, digits and Chinese characters.
fn word(text: &str) -> Option<String> {
    let is_plain = |one: char| one.is_ascii_alphanumeric() || ('\u{4e00}'..='\u{9fff}').contains(&one);
    // A letter before or behind that is not plain may belong to the same word.
    let mut runs = text.split(|one: char| !one.is_alphanumeric());
    let run = runs.find(|run| run.chars().count() > 1 && run.chars().all(is_plain))?;
    Some(run.chars().take(WORD).collect())
}

#[cfg(test)]
mod tests {
    use super::word;

    #[test]
    fn a_word_is_one_that_must_be_found() {
        assert_eq!(word("A parcel, please").as_deref(), Some("parcel"));
        assert_eq!(word("你好，我的包裹").as_deref(), Some("你好"));
        assert_eq!(word("internationally").as_deref(), Some("intern"));
        assert_eq!(word("naïve 1001").as_deref(), Some("1001"));
        assert_eq!(word("?! a 好 😀"), None);
    }
}
