//! What the user writes: once, in order, whatever becomes of connections and answers.

use std::time::Duration;

use serde_json::json;

use crate::conform::plan::{Fault, Out};
use crate::conform::script::{SOON, Script, Step};
use crate::conform::state::{FIRST, ServerState};
use crate::gateway::protocol::table;

fn shows(text: &'static str) -> impl Fn(&ServerState) -> Option<()> {
    move |state| (state.shows_text(FIRST, text) > 0).then_some(())
}

/// Every attempt at a text has the same key, no two texts have one, and the log has each text once.
fn once(script: &Script, texts: &[&str]) -> Step {
    let (mut keys, mut in_log) = (Vec::new(), Vec::new());
    {
        let state = script.state();
        for text in texts {
            let mut own: Vec<_> =
                state.sent.iter().filter(|sent| sent.text == *text).map(|sent| sent.key.clone()).collect();
            own.sort_unstable();
            own.dedup();
            keys.push(own);
        }
        for entry in state.after(FIRST, 0, usize::MAX) {
            in_log.extend(
                entry["content"]["text"].as_str().filter(|text| texts.contains(text)).map(str::to_owned),
            );
        }
    }
    script.hold(
        "outbox",
        keys.iter().all(|own| own.len() == 1),
        "a repeated message has another client_msg_id",
    )?;
    let mut all: Vec<_> = keys.concat();
    all.sort_unstable();
    all.dedup();
    script.hold("outbox", all.len() == texts.len(), "two messages have one client_msg_id")?;
    script.hold("outbox", in_log == texts, format!("the log has {in_log:?} instead of {texts:?}"))
}

pub(super) async fn cut_after_send(script: &Script) -> Step {
    script.start_live().await?;
    let texts = ["one: done, not answered", "two", "three", "four: lost on the way", "five"];
    script.state().plan.send.push_back(Some(Fault::CutAfter));
    texts[..3].iter().for_each(|text| script.write(text));
    script.must("outbox", "messages are not sent again after a cut", shows(texts[2])).await?;
    script.state().plan.send.push_back(Some(Fault::CutBefore));
    texts[3..].iter().for_each(|text| script.write(text));
    script.must("outbox", "messages are not sent again after a cut", shows(texts[4])).await?;
    once(script, &texts)
}

pub(super) async fn no_answer(script: &Script) -> Step {
    {
        let mut state = script.state();
        state.plan.answer_ms = 2_500;
        state.plan.ping_every = Duration::from_millis(800);
        state.plan.send.push_back(Some(Fault::Ignore));
    }
    script.start_live().await?;
    script.write("unanswered");
    let first = script.sent("no answer", 0, "the message is not sent").await?;
    let again = script.sent("no answer", 1, "a message without an answer is not sent again").await?;
    let early = again.at - first.at < Duration::from_millis(2_000);
    script.hold("no answer", !early, "it was sent again before `answer` was over")?;
    script.must("no answer", "the message is not shown", shows("unanswered")).await?;
    let repeats = script.state().sent.len();
    let lives = script.live_count();
    // The answer of the last attempt may still be under way.
    script.live(lives.saturating_sub(1)).await?;
    script.barrier("outbox", "after the answer").await?;
    script.cut_and_live().await?;
    script.barrier("outbox", "after a cut").await?;
    let count = script.state().sent.len();
    script.hold("outbox", count == repeats, "an answered message is sent again")?;
    script.state().plan.send.push_back(Some(Fault::Silent));
    script.write("done, unanswered");
    script.write("behind it");
    script.must("no answer", "a message behind an unanswered one is not shown", shows("behind it")).await?;
    once(script, &["unanswered", "done, unanswered", "behind it"])
}

pub(super) async fn slow_answer(script: &Script) -> Step {
    script.state().plan.send.push_back(Some(Fault::Slow(Duration::from_secs(4))));
    script.start_live().await?;
    script.write("slowly");
    script.must("no answer", "the message is not shown", shows("slowly")).await?;
    script.hold("no answer", script.live_count() == 1, "it connected again before `answer` was over")?;
    once(script, &["slowly"])
}

pub(super) async fn refusals(script: &Script) -> Step {
    script.start_live().await?;
    script.state().plan.send.push_back(Some(Fault::Refuse("busy", true, Some(1_500))));
    script.write("refused for now");
    let first = script.sent("outbox", 0, "the message is not sent").await?;
    let again = script.sent("no answer", 1, "a message that may succeed later is not sent again").await?;
    let early = again.at - first.at < Duration::from_millis(1_400);
    script.hold("no answer", !early, "it was sent again before retry_after_ms was over")?;
    script.must("outbox", "the message is not shown", shows("refused for now")).await?;
    script.state().plan.send.push_back(Some(Fault::Refuse("validation_failed", false, None)));
    script.write("refused for good");
    let failed = |state: &ServerState| state.last_report("failed", |_| true);
    script.must("outbox", "the user does not learn that a message was refused for good", failed).await?;
    script.write("after it");
    script.must("outbox", "a message behind a refused one is not shown", shows("after it")).await?;
    script.cut_and_live().await?;
    script.barrier("outbox", "after a cut").await?;
    let tries = script.state().sent.iter().filter(|sent| sent.text == "refused for good").count();
    script.hold("outbox", tries == 1, "a message that was refused for good is sent again")?;
    once(script, &["refused for now", "after it"])
}

pub(super) async fn draining(script: &Script) -> Step {
    script.start_live().await?;
    script.state().plan.send.push_back(Some(Fault::Refuse("draining", true, Some(300))));
    script.write("while it drains");
    script.sent("no answer", 0, "the message is not sent").await?;
    let bye =
        json!({ "code": 4000, "reason": "draining", "reconnect": true, "after_ms": 200, "spread_ms": 300 });
    let lives = script.live_count();
    script.push(&[json!({ "type": table::BYE.name, "data": bye })]);
    script.state().end(&Out::Close(4000, "draining"));
    script.live(lives).await?;
    script.must("no answer", "the message is not sent elsewhere", shows("while it drains")).await?;
    once(script, &["while it drains"])
}

pub(super) async fn killed(script: &Script) -> Step {
    script.start_live().await?;
    script.supports("restart")?;
    script.barrier("cursor", "when it is live").await?;
    script.state().plan.send.push_back(Some(Fault::Ignore));
    script.write("before the kill");
    script.sent("outbox", 0, "the message is not sent").await?;
    script.kill();
    let ended = |state: &ServerState| state.sockets.iter().all(|socket| socket.ended.is_some()).then_some(());
    script.until(SOON, ended).await;
    let away = script.state().say(FIRST, "while it was dead");
    let lives = script.live_count();
    script.start().await?;
    script.live(lives).await?;
    script.sent("outbox", 1, "an unanswered message is not sent again after a restart").await?;
    script.hold(
        "cursor",
        script.last_hello()["cursor"].is_string(),
        "it says hello without a cursor after a restart",
    )?;
    script.shown("cursor", FIRST, away, "after a restart").await?;
    script.barrier("outbox", "after a restart").await?;
    once(script, &["before the kill"])
}
