//! Connections: cut, closed, silent, refused.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::conform::plan::{Ending, Fault, Out};
use crate::conform::script::{SOON, Script, Step};
use crate::conform::socket::answered_ping;
use crate::conform::state::{FIRST, ServerState};
use crate::gateway::protocol::table;

/// Nobody comes within this time who does not mean to.
const QUIET: Duration = Duration::from_secs(4);

pub(super) async fn cut_before_ready(script: &Script) -> Step {
    script.state().plan.hello.extend([Some(Fault::CutBefore), Some(Fault::CutAfter), Some(Fault::CutBefore)]);
    script.start_live().await?;
    script.barrier("reconnect", "after three cuts before live").await
}

pub(super) async fn cut_again(script: &Script) -> Step {
    script.start_live().await?;
    for _ in 0..4 {
        script.cut_and_live().await?;
    }
    script.barrier("closing", "after four cuts").await?;
    let waited: Duration = {
        let state = script.state();
        let ends = state.sockets.iter().filter_map(|socket| socket.ended);
        ends.zip(state.upgrades.iter().skip(1))
            .map(|((end, _), again)| again.saturating_duration_since(end))
            .sum()
    };
    // Four waits with full jitter take 3.75 s on average; less than this is no wait at all.
    let kept = waited >= Duration::from_millis(150);
    script.hold(
        "reconnect",
        kept,
        format!("four times it connected again within {} ms together", waited.as_millis()),
    )
}

pub(super) async fn refused_upgrade(script: &Script) -> Step {
    let faults = [(503, Some(1)), (408, None), (429, Some(1))];
    script.state().plan.upgrade.extend(faults.map(|(status, after)| Some(Fault::Status(status, after))));
    script.start_live().await?;
    script.barrier("reconnect", "after three refused upgrades").await
}

pub(super) async fn bye(script: &Script) -> Step {
    script.start_live().await?;
    let advice = json!({ "code": 4000, "reason": "draining", "reconnect": true, "after_ms": 2_000, "spread_ms": 1_000 });
    let (since, lives) = (Instant::now(), script.live_count());
    script.push(&[json!({ "type": table::BYE.name, "data": advice })]);
    script.state().end(&Out::Close(4000, "draining"));
    script.write("while it waits");
    let came = script.attempt_after(since, SOON).await;
    let early = came.is_some_and(|wait| wait < Duration::from_millis(1_900));
    script.hold("reconnect", !early, "it connected again before after_ms was over")?;
    script.live(lives).await?;
    let shown = |state: &ServerState| (state.shows_text(FIRST, "while it waits") > 0).then_some(());
    script.must("outbox", "what was written during the wait is not sent and shown", shown).await
}

pub(super) async fn closed_for_good(script: &Script) -> Step {
    for (code, reason, says_bye) in [(4505, "kicked", true), (4599, "made later", false)] {
        let lives = script.live_count();
        script.start().await?;
        script.live(lives).await?;
        if says_bye {
            let bye =
                json!({ "code": code, "reason": reason, "reconnect": false, "after_ms": 0, "spread_ms": 0 });
            script.push(&[json!({ "type": table::BYE.name, "data": bye })]);
        }
        let since = Instant::now();
        script.state().end(&Out::Close(code, reason));
        let again = script.attempt_after(since, QUIET).await;
        script.hold(
            "reconnect",
            again.is_none(),
            format!("it connected again after it was closed with {code}"),
        )?;
        script.kill();
    }
    Ok(())
}

pub(super) async fn close_without_bye(script: &Script) -> Step {
    script.start_live().await?;
    let lives = script.live_count();
    script.state().end(&Out::Close(1001, ""));
    script.live(lives).await?;
    script.barrier("closing", "after a close without bye").await?;
    let last = script.state().sockets.len().saturating_sub(1);
    script.instruct(&json!({ "do": "stop" }));
    let ending = script
        .must("closing", "it does not end the connection when it is asked to stop", |state| {
            state.sockets.get(last).and_then(|socket| socket.ended)
        })
        .await?;
    script.hold("closing", ending.1 == Ending::ClientClose, "it leaves without saying Close")
}

pub(super) async fn silence(script: &Script) -> Step {
    {
        let mut state = script.state();
        state.plan.silence_ms = 4_000;
        state.plan.ping_every = Duration::from_millis(800);
    }
    script.start_live().await?;
    let pinged = |state: &ServerState| {
        let number = state.sockets.len().checked_sub(1)?;
        answered_ping(&state.sockets.get(number)?.frames, number).then_some(())
    };
    script.must("waking up", "the server's ping is not answered", pinged).await?;
    script.pause(6_000).await;
    script.hold("silence", script.live_count() == 1, "it connected again though pings came")?;
    let since = Instant::now();
    script.state().plan.ping_every = Duration::from_secs(3_600);
    let came = script.attempt_after(since, SOON + Duration::from_secs(4)).await;
    script.hold(
        "silence",
        came.is_some(),
        "it did not connect again though nothing came for longer than `silence`",
    )?;
    let early = came.is_some_and(|wait| wait < Duration::from_secs(2));
    script.hold("silence", !early, "it connected again long before `silence` was over")?;
    script.live(1).await
}

pub(super) async fn silent_hello(script: &Script) -> Step {
    script.state().plan.hello.push_back(Some(Fault::Ignore));
    let since = Instant::now();
    script.start().await?;
    let first = script.attempt_after(since, SOON).await.unwrap_or_default();
    let again = script.attempt_after(since + first, Duration::from_secs(30) + SOON).await;
    script.hold("silence", again.is_some(), "it waited longer than 30 seconds for ready")?;
    let early = again.is_some_and(|wait| wait < Duration::from_secs(19));
    script.hold("silence", !early, "it did not give the server 20 seconds for its hello")?;
    script.live(0).await
}

pub(super) async fn waking_up(script: &Script) -> Step {
    script.start_live().await?;
    script.supports("wake")?;
    // Instructions do not come over the socket: the client must have taken `live` before it is told to wake up.
    script.barrier("waking up", "when it is live").await?;
    script.instruct(&json!({ "do": "wake" }));
    let pinged = |state: &ServerState| {
        state.sockets.last()?.frames.iter().any(|(_, frame)| frame["type"] == "ping").then_some(())
    };
    script.must("waking up", "it sends no ping when it wakes up", pinged).await?;
    script.pause(5_000).await;
    script.hold("waking up", script.live_count() == 1, "it connected again though its ping was answered")?;
    script.state().plan.pongs = false;
    let since = Instant::now();
    script.instruct(&json!({ "do": "wake" }));
    let came = script.attempt_after(since, SOON).await;
    script.hold("waking up", came.is_some(), "it did not connect again though its ping was not answered")?;
    script.live(1).await
}
