//! Entries: once, in order, without holes.

use std::time::Duration;

use serde_json::json;

use crate::conform::plan::Fault;
use crate::conform::script::{Script, Step};
use crate::conform::state::{FIRST, SECOND, ServerState};
use crate::gateway::protocol::table;

pub(super) async fn duplicates(script: &Script) -> Step {
    script.start_live().await?;
    let seq = script.say(FIRST, "once");
    let again = script.state().entry_frame(FIRST, seq);
    let log = json!({ "conversation_id": FIRST, "entries": [again["data"]], "head_seq": seq });
    script.push(&[
        again.clone(),
        json!({ "type": table::ENTRIES.name, "cursor": again["cursor"], "data": log }),
    ]);
    script.push(&[again]);
    script.shown("identity", FIRST, seq, "though it came four times").await?;
    for text in ["mine, one", "mine, two"] {
        script.write(text);
        let sent = |state: &ServerState| (state.shows_text(FIRST, text) > 0).then_some(());
        script.must("identity", "an own message is not shown", sent).await?;
    }
    let own = script.state().entry_frame(FIRST, seq + 1);
    script.push(&[own]);
    script.barrier("identity", "after duplicates").await
}

pub(super) async fn hole(script: &Script) -> Step {
    script.start_live().await?;
    {
        let mut state = script.state();
        state.say(FIRST, "lost one");
        state.say(FIRST, "lost two");
    }
    let seq = script.say(FIRST, "beyond a hole");
    script.shown("order", FIRST, seq, "after the entries before it were lost").await?;
    let (early, late) = {
        let mut state = script.state();
        let early = state.say(FIRST, "comes second");
        let late = state.say(FIRST, "comes first");
        (state.entry_frame(FIRST, early), state.entry_frame(FIRST, late))
    };
    script.push(&[late, early]);
    script.shown("order", FIRST, seq + 2, "after it came in the wrong order").await?;
    script.barrier("order", "after holes").await
}

pub(super) async fn lost_tail(script: &Script) -> Step {
    script.start_live().await?;
    let (seq, row) = {
        let mut state = script.state();
        let seq = state.say(FIRST, "only a row tells of me");
        let row =
            json!({ "type": table::INBOX.name, "cursor": state.cursor(state.rev), "data": state.row(FIRST) });
        (seq, row)
    };
    script.push(&[row]);
    script.shown("tail", FIRST, seq, "though its row has come").await?;
    let log = {
        let mut state = script.state();
        let first = state.say(FIRST, "in the frame");
        state.say(FIRST, "beyond the frame");
        let log = json!({ "conversation_id": FIRST, "entries": [state.entry(FIRST, first)], "head_seq": first + 1 });
        json!({ "type": table::ENTRIES.name, "cursor": state.cursor(state.rev), "data": log })
    };
    script.push(&[log]);
    script.shown("tail", FIRST, seq + 2, "though the head of its log was named").await
}

pub(super) async fn before_rows(script: &Script) -> Step {
    script.start_live().await?;
    script.barrier("cursor", "when it is live").await?;
    let (old, seq) = {
        let mut state = script.state();
        let old = state.rev;
        let seq = state.say(FIRST, "before my row");
        let mut frame = state.entry_frame(FIRST, seq);
        frame["cursor"] = state.cursor(old).into();
        state.push(&frame);
        (old, seq)
    };
    script.shown("identity", FIRST, seq, "before its row").await?;
    script.cut_and_live().await?;
    let hello = script.last_hello();
    let rev = hello["cursor"].as_str().and_then(|cursor| cursor.rsplit('-').next()?.parse::<i64>().ok());
    let ahead = rev.is_some_and(|rev| rev > old);
    script.hold("cursor", !ahead, "the cursor is ahead of the last frame that had come")?;
    let row = {
        let state = script.state();
        json!({ "type": table::INBOX.name, "cursor": state.cursor(state.rev), "data": state.row(FIRST) })
    };
    script.push(&[row]);
    script.barrier("identity", "after the row").await
}

pub(super) async fn two_conversations(script: &Script) -> Step {
    script.start_live().await?;
    script.state().plan.pull.push_back(Some(Fault::Slow(Duration::from_secs(2))));
    script.state().say(SECOND, "lost");
    let second = script.say(SECOND, "beyond a hole");
    let first = script.say(FIRST, "goes on");
    script.shown("order", FIRST, first, "while another conversation has a hole").await?;
    script.shown("order", SECOND, second, "after its hole was filled").await?;
    script.barrier("order", "after both").await
}
