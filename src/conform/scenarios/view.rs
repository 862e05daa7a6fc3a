//! What is shown beside new entries: changes, unread numbers, read positions; and what a client does not know.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::conform::plan::Fault;
use crate::conform::script::{Script, Step};
use crate::conform::state::{FIRST, MEMBER, SECOND, ServerState};
use crate::gateway::protocol::table;

pub(super) async fn notices(script: &Script) -> Step {
    script.start_live().await?;
    let seq = script.say(FIRST, "with a misteak");
    script.shown("notices", FIRST, seq, "when it is live").await?;
    let changed = |state: &ServerState| state.last_report("changed", |report| report["seq"] == seq);
    {
        let mut state = script.state();
        let notice = state.change(FIRST, seq, Some("without a mistake"));
        state.push(&state.entry_frame(FIRST, notice));
    }
    let (_, report) = script.must("notices", "an edited message is not shown anew", changed).await?;
    let fits = report["text"].as_str().is_none_or(|text| text == "without a mistake");
    script.hold("notices", fits, "an edited message is shown with other words")?;
    {
        let mut state = script.state();
        let notice = state.change(FIRST, seq, None);
        state.push(&state.entry_frame(FIRST, notice));
    }
    let recalled = |state: &ServerState| changed(state).filter(|(_, report)| report["recalled"] == true);
    let (_, report) = script.must("notices", "a recalled message is not shown as recalled", recalled).await?;
    script.hold("notices", report["text"].is_null(), "a recalled message keeps its words")
}

pub(super) async fn refused_pull(script: &Script) -> Step {
    script.start_live().await?;
    let seq = script.say(FIRST, "with a misteak");
    script.shown("notices", FIRST, seq, "when it is live").await?;
    let pulls = |state: &ServerState| {
        let frames = state.sockets.iter().flat_map(|socket| &socket.frames);
        frames.filter(|(_, frame)| frame["type"] == "pull").count()
    };
    let before = {
        let mut state = script.state();
        state.plan.pull.push_back(Some(Fault::Refuse("not_found", false, None)));
        let notice = state.change(FIRST, seq, Some("without a mistake"));
        state.push(&state.entry_frame(FIRST, notice));
        pulls(&state)
    };
    let refused = |state: &ServerState| (pulls(state) > before).then_some(());
    script.must("notices", "an edited message is not pulled", refused).await?;
    let row = {
        let mut state = script.state();
        state.append(FIRST, None, None, "assigned", json!({}), None);
        json!({ "type": table::INBOX.name, "cursor": state.cursor(state.rev), "data": state.row(FIRST) })
    };
    script.push(&[row]);
    let changed = |state: &ServerState| state.last_report("changed", |report| report["seq"] == seq);
    let why = "an edited message whose pull was refused is not pulled again after the next row";
    script.must("notices", why, changed).await?;
    script.barrier("notices", "after the next row").await
}

/// Everything in the first conversation is erased; waits until the client says that it dropped it, and when.
async fn erase(script: &Script) -> Step<Instant> {
    let through = {
        let mut state = script.state();
        let through = state.head(FIRST);
        let notice = state.erase(FIRST);
        state.push(&state.entry_frame(FIRST, notice));
        through
    };
    let erased = |state: &ServerState| {
        state.last_report("erased", |report| {
            report["conversation_id"] == FIRST && report["through_seq"] == through
        })
    };
    script.must("erasure", "what was erased is not dropped", erased).await.map(|(at, _)| at)
}

pub(super) async fn erasure(script: &Script) -> Step {
    script.start_live().await?;
    let last = script.say(FIRST, "my number is 13800138000");
    script.shown("erasure", FIRST, last, "when it is live").await?;
    erase(script).await?;
    let next = script.say(FIRST, "after the erasure");
    script.shown("erasure", FIRST, next, "after what was erased").await?;
    script.barrier("erasure", "after what was erased").await
}

pub(super) async fn erasure_meets_pull(script: &Script) -> Step {
    script.start_live().await?;
    let seq = script.say(FIRST, "with a misteak");
    script.shown("notices", FIRST, seq, "when it is live").await?;
    let pulls = |state: &ServerState| {
        let frames = state.sockets.iter().flat_map(|socket| &socket.frames);
        frames.filter(|(_, frame)| frame["type"] == "pull" && frame["data"]["after_seq"] == seq - 1).count()
    };
    {
        let mut state = script.state();
        state.plan.pull.push_back(Some(Fault::Slow(Duration::from_secs(2))));
        let notice = state.change(FIRST, seq, Some("without a mistake"));
        state.push(&state.entry_frame(FIRST, notice));
    }
    let asked = |state: &ServerState| (pulls(state) > 0).then_some(());
    script.must("notices", "an edited message is not pulled", asked).await?;
    let at = erase(script).await?;
    // The answer with the words of before is on its way.
    script.pause(2_500).await;
    let late = script.state().last_report("changed", |report| report["seq"] == seq);
    let back = late.is_some_and(|(when, report)| when > at && !report["text"].is_null());
    script.hold("erasure", !back, "a late answer brings back what was erased")?;
    script.barrier("erasure", "after the late answer").await
}

pub(super) async fn unread(script: &Script) -> Step {
    script.start_live().await?;
    script.supports("unread")?;
    let shows = |number: i64| {
        move |state: &ServerState| {
            let (_, report) = state.last_report("unread", |report| report["conversation_id"] == FIRST)?;
            (report["unread"] == number).then_some(())
        }
    };
    script.must("unread", "the row's number is not shown", shows(1)).await?;
    let seq = script.say(FIRST, "one more");
    script.say(FIRST, "and one more");
    script.must("unread", "messages of others are not counted", shows(3)).await?;
    {
        // Entries do not wait for rows: one comes before the row that was made before it.
        let mut state = script.state();
        let row =
            json!({ "type": table::INBOX.name, "cursor": state.cursor(state.rev), "data": state.row(FIRST) });
        let newer = state.say(FIRST, "newer than the row");
        state.push(&state.entry_frame(FIRST, newer));
        state.push(&row);
    }
    script.say(FIRST, "newer, too");
    script.must("unread", "entries that are newer than a row are not counted on top of it", shows(5)).await?;
    {
        let mut state = script.state();
        let own =
            state.append(FIRST, Some(MEMBER), Some("elsewhere"), "text", json!({ "text": "mine" }), None);
        state.push(&state.entry_frame(FIRST, own));
        let notice = state.change(FIRST, seq, None);
        state.push(&state.entry_frame(FIRST, notice));
    }
    script.must("unread", "own messages are counted, or recalled ones are not taken away", shows(4)).await?;
    let row = {
        let mut state = script.state();
        let head = state.head(FIRST);
        if let Some(log) = state.logs.get_mut(FIRST) {
            log.read_seq = head;
        }
        state.rev += 1;
        let rev = state.rev;
        if let Some(log) = state.logs.get_mut(FIRST) {
            log.rev = rev;
        }
        json!({ "type": table::INBOX.name, "cursor": state.cursor(rev), "data": state.row(FIRST) })
    };
    script.push(&[row]);
    script.must("unread", "the next row does not replace the number", shows(0)).await
}

fn reads(state: &ServerState) -> Vec<Value> {
    let frames = state.sockets.iter().flat_map(|socket| &socket.frames);
    frames.filter(|(_, frame)| frame["type"] == "read").map(|(_, frame)| frame["data"].clone()).collect()
}

pub(super) async fn read(script: &Script) -> Step {
    script.state().set_read_ver(FIRST, 3);
    script.start_live().await?;
    script.supports("read")?;
    let seq = script.say(FIRST, "received");
    script.shown("read", FIRST, seq, "when it is live").await?;
    script.pause(1_500).await;
    let reported = reads(&script.state()).iter().any(|data| data["seq"].as_i64() >= Some(seq));
    script.hold("read", !reported, "what was received is reported as read before it was displayed")?;
    script.instruct(&json!({ "do": "read", "conversation_id": FIRST, "seq": seq }));
    let data = script
        .must("read", "what was displayed is not reported", |state| {
            reads(state).into_iter().find(|data| data["seq"] == seq)
        })
        .await?;
    script.hold("read", data["read_ver"] == 3, "read_ver is not that of the last row")?;
    script.say(FIRST, "not displayed");
    script.write("an answer");
    let sent = |state: &ServerState| {
        let frames = state.sockets.iter().flat_map(|socket| &socket.frames);
        frames.map(|(_, frame)| frame).find(|frame| frame["type"] == "message.send").cloned()
    };
    let frame = script.must("read", "the message is not sent", sent).await?;
    let given = frame["data"]["read_seq"] == seq;
    script.hold("read", given, "a message is not sent with the read_seq of what was displayed")
}

pub(super) async fn growth(script: &Script) -> Step {
    script.start_live().await?;
    let cursor = script.state().cursor(2);
    script.push(&[
        json!({ "type": "hologram", "cursor": cursor, "data": { "any": ["thing"] } }),
        json!({ "type": "weather", "data": null, "more": true }),
    ]);
    let seq = {
        let mut state = script.state();
        let kind = state.append(FIRST, Some(MEMBER), None, "hologram", json!({ "light": 1 }), None);
        let mut frame = state.entry_frame(FIRST, kind);
        frame["more"] = json!({ "any": "field" });
        frame["data"]["mood"] = "good".into();
        frame["data"]["message_type"] = "whisper".into();
        frame["data"]["sender"]["role"] = "robot".into();
        state.push(&frame);
        let mut row = state.row(SECOND);
        row["mood"] = "good".into();
        row["conversation"]["status"] = "sleeping".into();
        row["conversation"]["priority"] = 7.into();
        state.push(&json!({ "type": table::INBOX.name, "cursor": state.cursor(state.rev), "data": row }));
        state.push(&json!({ "type": table::RECEIPT.name, "data": { "conversation_id": FIRST, "robot_read_seq": 1 } }));
        state.push(&json!({ "type": table::RESET.name, "data": { "conversation_id": "3765201203527680999", "all": false, "reason": "because" } }));
        kind
    };
    script.shown("growth", FIRST, seq, "since its kind is unknown").await?;
    script.write("after what is unknown");
    let shown = |state: &ServerState| (state.shows_text(FIRST, "after what is unknown") > 0).then_some(());
    script.must("growth", "it does not work any more", shown).await?;
    script.barrier("growth", "after what is unknown").await?;
    script.hold("growth", script.live_count() == 1, "it connected again because of something unknown")
}
