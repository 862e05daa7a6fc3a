//! The sweep: what dead workers and deleted accounts left.

use std::collections::HashMap;

use super::Dispatch;
use super::complete::{Ended, complete};
use super::store;
use crate::centre::channels::Answer;
use crate::db::{AnyConnection, time};
use crate::domain::centre::send::{Outcome, Phase};
use crate::kernel::{ChannelAccountId, Result};

/// Sends of one sweep.
const SENDS: i64 = 200;

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
        .read(|connection| {
            let database_now = time::now(connection)?;
            Ok((store::abandoned(connection, database_now, SENDS)?, store::orphaned(connection, SENDS)?))
        })
        .await?;
    let (abandoned, orphaned) = found;
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
        let write = move |connection: &mut AnyConnection| complete(connection, account, &ended, now);
        dispatch.count(&dispatch.db.write(write).await?);
    }
    if !orphaned.is_empty() {
        let write = move |connection: &mut AnyConnection| store::fail_orphaned(connection, &orphaned, now);
        dispatch.db.write(write).await?;
    }
    Ok(())
}
