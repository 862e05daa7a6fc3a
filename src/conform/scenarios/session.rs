//! Tokens: renewed in time, and refreshed whatever becomes of the answer.

use std::time::Duration;

use crate::conform::plan::Fault;
use crate::conform::script::{SOON, Script, Step};

pub(super) async fn token(script: &Script) -> Step {
    script.state().plan.hello_token_ms = Some(12_000);
    script.start_live().await?;
    let old = script.state().expires;
    let auth = script.until(SOON, |state| {
        let frames = &state.sockets.first()?.frames;
        frames.iter().any(|(_, frame)| frame["type"] == "auth").then(|| state.now())
    });
    let auth = auth.await;
    script.hold("token", auth.is_some(), "no auth is sent on the socket whose token ends")?;
    script.hold("token", auth.is_some_and(|at| at < old), "auth is sent after token_expires_at")?;
    script.barrier("token", "after auth").await?;
    script.hold("token", script.live_count() == 1, "it connected again instead of sending auth")
}

pub(super) async fn refresh(script: &Script) -> Step {
    {
        let mut state = script.state();
        state.expires = state.now();
        let faults = [Fault::Status(503, Some(2)), Fault::Status(408, None), Fault::CutAfter];
        state.plan.refresh.extend(faults.map(Some));
    }
    script.start().await?;
    let given = script
        .must("refresh", "it does not refresh its token until it gets one", |state| {
            (state.refreshes.len() >= 4).then(|| state.refreshes.clone())
        })
        .await?;
    let early = given
        .first()
        .zip(given.get(1))
        .is_some_and(|(one, next)| next.0 - one.0 < Duration::from_millis(1_900));
    script.hold("refresh", !early, "it refreshed again before Retry-After was over")?;
    let same = given.windows(2).all(|pair| matches!(pair, [(_, one), (_, next)] if one == next));
    script.hold("refresh", same, "after a lost answer it does not send the old token again")?;
    script.live(0).await?;
    script.barrier("refresh", "after a refresh").await
}
