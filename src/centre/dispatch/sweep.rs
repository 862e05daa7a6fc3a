//! The sweep: what dead workers and deleted accounts left, and fallbacks whose time has come.

use std::collections::HashMap;

use super::Dispatch;
use super::complete::{Ended, complete};
use super::store;
use crate::centre::channels::Answer;
use crate::centre::fallbacks;
use crate::db::{AnyConnection, time};
use crate::domain::centre::send::{Outcome, Phase};
use crate::kernel::{ChannelAccountId, Result};

/// Sends of one sweep.
const SENDS: i64 = 200;
/// Fallbacks of one transaction.
const TOGETHER: usize = 20;

/// Takes up what is left. Whatever fails is left for the next sweep.
pub(super) async fn run(dispatch: Dispatch) {
    if let Err(error) = sweep(&dispatch).await {
        log::debug!(target: "deskwire::centre", "what was left could not be taken up: {error}");
    }
}

async fn sweep(dispatch: &Dispatch) -> Result<()> {
    let now = dispatch.clock.now().0;
    let found = dispatch
        .db
        .read(move |connection| {
            let database_now = time::now(connection)?;
            let abandoned = store::abandoned(connection, database_now, SENDS)?;
            let due = fallbacks::store::due(connection, now, SENDS)?;
            Ok((abandoned, store::orphaned(connection, SENDS)?, due))
        })
        .await?;
    let (abandoned, orphaned, due) = found;
    let mut by_account: HashMap<ChannelAccountId, Vec<Ended>> = HashMap::new();
    for (send, phase) in abandoned {
        let answer = match phase {
            Phase::Started => {
                Answer::without_reply(Outcome::Uncertain, "the worker ended before an answer came")
            }
            _ => Answer::without_reply(Outcome::Abandoned, "the worker ended before anything went out"),
        };
        let account = send.account_id;
        let ended = Ended { send, answer, jitter: rand::random(), is_telling: false };
        by_account.entry(account).or_default().push(ended);
    }
    for (account, ended) in by_account {
        let ids = dispatch.ids.clone();
        let write = move |connection: &mut AnyConnection| complete(connection, account, &ended, &ids, now);
        dispatch.count(&dispatch.db.write(write).await?);
    }
    if !orphaned.is_empty() {
        let ids = dispatch.ids.clone();
        let write = move |connection: &mut AnyConnection| {
            fallbacks::store::hold(connection, &orphaned)?;
            store::fail_orphaned(connection, &orphaned, now)?;
            fallbacks::make::follow(connection, &ids, &orphaned, now)
        };
        dispatch.db.write(write).await?;
    }
    for some in due.chunks(TOGETHER) {
        let (some, ids) = (some.to_vec(), dispatch.ids.clone());
        let write = move |connection: &mut AnyConnection| {
            // Whatever changes a send meanwhile is seen: the plans are read once the sends are held.
            fallbacks::store::hold(connection, &some)?;
            fallbacks::make::follow(connection, &ids, &some, now)
        };
        dispatch.db.write(write).await?;
    }
    Ok(())
}
