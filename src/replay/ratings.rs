//! Ratings in a run: visitors rate what is over, and the ratings are read at the end.

use reqwest::Method;
use serde_json::{Value, json};

use super::client::fact::id;
use super::client::{Failure, Rest};
use super::evidence::Rating;
use super::history::{Action, Id, count};
use super::member::Member;
use super::play::Run;
use super::requests::{insist_unless, pages};

/// How likely it is that a visitor rates a conversation.
const RATES: f64 = 0.5;
/// How likely it is that it thinks otherwise afterwards.
const CHANGES: f64 = 0.2;
/// It was reopened or goes on in another one, or nobody answered.
const REFUSALS: [&str; 2] = ["invalid_transition", "not_answered"];

/// Now and then rates a conversation that is over.
pub async fn maybe_rate(run: &Run, member: &Member, conversation: Id) -> Result<(), Failure> {
    if !run.chance(RATES) {
        return Ok(());
    }
    loop {
        run.pace.wait().await;
        let path = format!("/conversations/{conversation}/rating");
        let body = json!({"score": 1 + run.below(5), "comment": "as I was served"});
        let answer = insist_unless(run, member.rest(), (Method::PUT, &path), Some(&body), &REFUSALS).await?;
        let Some(answer) = answer else { return Ok(()) };
        let rating =
            parse(&answer["rating"], 0).filter(|rating| Some(rating.score) == body["score"].as_i64());
        let Some(Rating { id, close_seq, score, .. }) = rating else {
            return Err(Failure::Over(format!("{body} was answered by {answer}")));
        };
        run.history.note(member.id(), conversation, Action::Rated { id, close_seq, score });
        count(&run.history.counters.ratings);
        if !run.chance(CHANGES) {
            return Ok(());
        }
    }
}

/// Reads the ratings of the tenant in this place.
pub async fn ratings(run: &Run, admin: &Rest, tenant: usize) -> Result<Vec<Rating>, Failure> {
    let rows = pages(run, admin, "/ratings?limit=200").await?;
    Ok(rows.iter().filter_map(|row| parse(row, tenant)).collect())
}

fn parse(row: &Value, tenant: usize) -> Option<Rating> {
    Some(Rating {
        tenant,
        id: row.get("id").and_then(id)?,
        conversation: row.get("conversation_id").and_then(id)?,
        close_seq: row["close_seq"].as_i64()?,
        agent: row.get("agent_id").and_then(id),
        score: row["score"].as_i64()?,
    })
}
