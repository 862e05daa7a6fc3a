//! Claims: a process takes sends of an account for a while.

use std::collections::HashMap;
use std::time::Duration;

use super::{limit, store};
use crate::centre::fallbacks;
use crate::db::{AnyConnection, time};
use crate::domain::centre::account::{AccountRow, AccountStatus, Provider};
use crate::domain::centre::send::{MessagePriority, SendReason, SendRow};
use crate::domain::centre::verdict::Health;
use crate::kernel::{ChannelAccountId, IdGenerator, MessageSendId, Result};

/// How much longer than an attempt a claim holds: what its end may take to be written (`worker::PATIENCE`), and some more.
const MARGIN: Duration = Duration::from_secs(40);

/// What was claimed.
pub(super) struct Claimed {
    /// The account as it is now.
    pub account: AccountRow,
    /// The sends.
    pub sends: Vec<SendRow>,
    /// Those of them that may have arrived, each with for how long, in milliseconds: of providers that know repeats for a
    /// time.
    pub doubts: HashMap<MessageSendId, i64>,
    /// How many others ended here: their time was over, nobody wants them, or nothing is sent to their addresses.
    pub passed: usize,
}

/// Takes as many sends of an account as it takes at once beside those that this process has under way, the most urgent
/// first, within the account's limit; of an account that may not work, one. `None` when the account is not to be used at
/// the moment.
pub(super) fn claim(
    connection: &mut AnyConnection,
    account: ChannelAccountId,
    (owner, ids): (&str, &IdGenerator),
    under_way: usize,
    now: i64,
) -> Result<Option<Claimed>> {
    let Some(account) = store::hold(connection, account, now)? else { return Ok(None) };
    if account.status != AccountStatus::Active {
        return Ok(None);
    }
    let database_now = time::now(connection)?;
    let places = match health(&account).is_on_trial() {
        true => 1,
        false => account.provider.concurrency(),
    };
    let mut room = i64::try_from(places.saturating_sub(under_way)).unwrap_or(0);
    if let Some(left) = limit::left(connection, &account, database_now)? {
        room = room.min(left);
    }
    let (mut taken, mut passed): (Vec<MessageSendId>, usize) = (Vec::new(), 0);
    for priority in MessagePriority::ALL {
        let left = room - i64::try_from(taken.len()).unwrap_or(i64::MAX);
        if left <= 0 {
            break;
        }
        let found = store::lane(connection, account.id, *priority, now, left)?;
        let is_over = |(_, end): &(MessageSendId, Option<i64>)| end.is_some_and(|end| end <= now);
        let (over, due): (Vec<_>, Vec<_>) = found.into_iter().partition(is_over);
        if !over.is_empty() {
            let over: Vec<MessageSendId> = over.into_iter().map(|(id, _)| id).collect();
            store::expire(connection, &over, now)?;
            fallbacks::make::follow(connection, ids, &over, now)?;
            passed += over.len();
        }
        taken.extend(due.into_iter().map(|(id, _)| id));
    }
    let channel = account.provider.channel();
    if channel.has_recipients() {
        let withheld = store::withheld(connection, account.tenant_id, channel, &taken)?;
        for reason in [SendReason::OptedOut, SendReason::AddressSuppressed] {
            let of_reason = withheld.iter().filter(|(_, why)| *why == reason);
            let ended: Vec<MessageSendId> = of_reason.map(|(id, _)| *id).collect();
            if !ended.is_empty() {
                store::suppress(connection, &ended, reason, now)?;
                fallbacks::make::follow(connection, ids, &ended, now)?;
                passed += ended.len();
                taken.retain(|id| !ended.contains(id));
            }
        }
    }
    let sends = match taken.is_empty() {
        true => Vec::new(),
        false => {
            let lease = account.provider.attempt_limit() + MARGIN;
            let until = database_now + i64::try_from(lease.as_millis()).unwrap_or(i64::MAX);
            store::lease(connection, &taken, owner, (now, database_now, until))?
        }
    };
    let mut doubts = HashMap::new();
    if knows_for_a_time(account.provider) {
        for send in sends.iter().filter(|send| send.attempts > 1) {
            let since = store::doubted(connection, send)?;
            doubts.extend(since.map(|since| (send.id, database_now - since)));
        }
    }
    Ok(Some(Claimed { account, sends, doubts, passed }))
}

/// Whether a provider knows repeats, but not for ever.
pub(super) const fn knows_for_a_time(provider: Provider) -> bool {
    provider.knows_repeats_ms() > 0 && !provider.is_replay_safe()
}

/// How an account is.
pub(super) fn health(account: &AccountRow) -> Health {
    Health { streak: account.fail_streak, paused_until: account.paused_until, reason: account.pause_reason }
}
