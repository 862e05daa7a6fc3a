//! Coming back: cursors, lag, resets, new conversations, watches.

use std::time::Duration;

use serde_json::{Value, json};

use crate::conform::plan::Fault;
use crate::conform::script::{Script, Step};
use crate::conform::state::{FIRST, LATER, SECOND, ServerState, VISITOR};
use crate::gateway::protocol::table;

pub(super) async fn resume(script: &Script) -> Step {
    script.start_live().await?;
    for text in ["one", "two", "three"] {
        script.say(FIRST, text);
    }
    script.barrier("order", "when it is live").await?;
    let away = |state: &mut ServerState| {
        (state.say(FIRST, "while it was away"), state.say(SECOND, "while it was away"))
    };
    let (first, second) = script.cut_while(away).await?;
    script.hold("cursor", script.last_hello()["cursor"].is_string(), "it says hello without a cursor")?;
    script.shown("order", FIRST, first, "after a cut").await?;
    script.shown("order", SECOND, second, "after a cut").await?;
    script.barrier("order", "after a cut").await
}

/// Entries that the client is not sent, and word that frames were dropped. Returns the last seqs.
fn lose(script: &Script) -> (i64, i64) {
    let mut state = script.state();
    let before = state.rev;
    state.say(FIRST, "dropped");
    let second = state.say(SECOND, "dropped");
    state.plan.lagging = true;
    state.push(
        &json!({ "type": table::LAG.name, "data": { "cursor": format!("lag-{before}"), "all": true } }),
    );
    let first = state.say(FIRST, "not dropped");
    state.push(&state.entry_frame(FIRST, first));
    (first, second)
}

fn syncs(state: &ServerState) -> usize {
    state
        .sockets
        .iter()
        .flat_map(|socket| &socket.frames)
        .filter(|(_, frame)| frame["type"] == "sync")
        .count()
}

pub(super) async fn lag(script: &Script) -> Step {
    script.start_live().await?;
    script.barrier("cursor", "when it is live").await?;
    script.state().plan.sync.push_back(Some(Fault::CutBefore));
    let lives = script.live_count();
    let (first, second) = lose(script);
    script.must("cursor", "lag is not answered with sync", |state| (syncs(state) > 0).then_some(())).await?;
    script.live(lives).await?;
    script.shown("tail", FIRST, first, "after a lag and a cut").await?;
    script.shown("tail", SECOND, second, "after a lag and a cut").await?;
    script.barrier("cursor", "after a lag and a cut").await?;
    let reached = script.state().rev;
    script.cut_and_live().await?;
    let stored =
        script.last_hello()["cursor"].as_str().and_then(|cursor| cursor.rsplit('-').next()?.parse().ok());
    let kept = stored.is_some_and(|stored: i64| stored >= reached);
    script.hold("cursor", kept, "no cursor is stored any more after a lag that a cut ended")?;
    script.state().plan.pages = true;
    script.state().plan.sync.push_back(Some(Fault::Slow(Duration::from_secs(1))));
    let (first, second) = lose(script);
    script
        .must("cursor", "sync is not asked until more is false", |state| (syncs(state) > 2).then_some(()))
        .await?;
    script.shown("tail", FIRST, first, "after a lag").await?;
    script.shown("tail", SECOND, second, "after a lag").await?;
    script.cut_and_live().await?;
    script.barrier("cursor", "after a lag").await
}

fn dropped(conversation: Value) -> impl Fn(&ServerState) -> Option<()> {
    move |state| state.last_report("dropped", |report| report["conversation_id"] == conversation).map(drop)
}

fn names(hello: &Value, conversation: &str) -> bool {
    hello["conversations"].as_array().is_some_and(|list| list.iter().any(|one| one[0] == conversation))
}

pub(super) async fn removed(script: &Script) -> Step {
    script.start_live().await?;
    let seq = script.say(SECOND, "before the removal");
    script.shown("reset", SECOND, seq, "when it is live").await?;
    let reset = {
        let state = script.state();
        let reset = json!({ "conversation_id": SECOND, "all": false, "reason": "removed" });
        json!({ "type": table::RESET.name, "cursor": state.cursor(state.rev), "data": reset })
    };
    script.push(&[reset]);
    script.must("reset", "the conversation is not dropped", dropped(SECOND.into())).await?;
    script.barrier("reset", "after a reset").await?;
    script.cut_and_live().await?;
    script.hold("reset", !names(&script.last_hello(), SECOND), "a dropped conversation is named in hello")?;
    let row = {
        let mut state = script.state();
        state.say(SECOND, "while it was not there");
        let joined = json!({ "member": VISITOR });
        state.append(SECOND, Some(VISITOR), None, "joined", joined, Some(1));
        json!({ "type": table::INBOX.name, "cursor": state.cursor(state.rev), "data": state.row(SECOND) })
    };
    script.push(&[row]);
    let seq = script.say(SECOND, "after it joined again");
    script.shown("new conversations", SECOND, seq, "after the member joined again").await
}

pub(super) async fn cursor_refused(script: &Script) -> Step {
    script.start_live().await?;
    script.barrier("reset", "when it is live").await?;
    {
        let mut state = script.state();
        state.plan.reset_all = true;
        state.plan.hello.push_back(Some(Fault::CutAfter));
    }
    script.cut_and_live().await?;
    script.must("reset", "the local copy is not dropped", dropped(Value::Null)).await?;
    let hello = script.last_hello();
    script.hold("reset", !hello["cursor"].is_string(), "a cursor that was reset is used again")?;
    script.barrier("reset", "after a reset of everything").await
}

pub(super) async fn new_conversation(script: &Script) -> Step {
    script.start_live().await?;
    let row = {
        let mut state = script.state();
        for number in 1..=40 {
            state.say(LATER, &format!("number {number}"));
        }
        json!({ "type": table::INBOX.name, "cursor": state.cursor(state.rev), "data": state.row(LATER) })
    };
    script.push(&[row]);
    script.barrier("new conversations", "after the row of a new conversation").await?;
    let seq = script.cut_while(|state| state.say(LATER, "while it was away")).await?;
    script.shown("new conversations", LATER, seq, "though its row had come before the cut").await?;
    let seq = script.say(LATER, "the next one");
    script.shown("new conversations", LATER, seq, "after a cut").await
}

/// How often the last socket was asked to watch the conversation.
fn watched(state: &ServerState) -> usize {
    let frames = state.sockets.last().map(|socket| socket.frames.as_slice()).unwrap_or_default();
    let asks = |frame: &Value| {
        frame["type"] == "watch"
            && frame["data"]["conversations"]
                .as_array()
                .is_some_and(|list| list.iter().any(|one| one == LATER))
    };
    frames.iter().filter(|(_, frame)| asks(frame)).count()
}

pub(super) async fn watches(script: &Script) -> Step {
    script.start_live().await?;
    script.supports("watch")?;
    {
        let mut state = script.state();
        state.say(LATER, "before it was watched");
        if let Some(log) = state.logs.get_mut(LATER) {
            log.foreign = true;
        }
    }
    script.instruct(&json!({ "do": "watch", "conversation_id": LATER }));
    let asked = |times: usize| move |state: &ServerState| (watched(state) >= times).then_some(());
    script.must("watches", "it does not watch", asked(1)).await?;
    let seq = script.say(LATER, "watched");
    script.shown("watches", LATER, seq, "though it is watched").await?;
    script.cut_and_live().await?;
    script.must("watches", "it does not watch again after a cut", asked(1)).await?;
    let lag = json!({ "cursor": format!("lag-{}", script.state().rev), "all": true });
    script.push(&[json!({ "type": table::LAG.name, "data": lag })]);
    script.must("watches", "it does not watch again after a lag of everything", asked(2)).await?;
    let reset = json!({ "conversation_id": LATER, "all": false, "reason": "unwatched" });
    script.push(&[json!({ "type": table::RESET.name, "data": reset })]);
    script.must("watches", "what may no longer be watched is not dropped", dropped(LATER.into())).await?;
    script.cut_and_live().await?;
    script.barrier("watches", "after a cut").await?;
    let again = watched(&script.state());
    script.hold("watches", again == 0, "it watches again what it may no longer watch")
}
