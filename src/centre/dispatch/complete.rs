//! Completion: what came of attempts is written down, and what follows from it for sends and accounts.

use super::claim::{health, knows_for_a_time};
use super::store;
use crate::centre::channels::Answer;
use crate::centre::{accounts, fallbacks, receipts, suppressions};
use crate::db::{AnyConnection, time};
use crate::domain::centre::account::{AccountRow, Channel};
use crate::domain::centre::send::{
    AttemptRow, CODE_MAX, ERROR_MAX, MESSAGE_MAX, MessagePriority, Outcome, PROVIDER_MESSAGE_ID_MAX, Phase,
    SendEvent, SendRow,
};
use crate::domain::centre::suppression::learned;
use crate::domain::centre::verdict::{Attempted, judge};
use crate::kernel::{ChannelAccountId, Error, IdGenerator, Result};

/// An attempt that has ended.
#[derive(Debug, Clone)]
pub(super) struct Ended {
    /// The send as it was claimed.
    pub send: SendRow,
    /// What came of it.
    pub answer: Answer,
    /// Between 0 and 1: spreads the next attempts.
    pub jitter: f64,
    /// Whether it says something about the account; a worker that died does not.
    pub is_telling: bool,
}

/// Writes down how attempts of one account ended, in their order. What is no longer the claim's is left as it is. Gives the
/// outcomes that were written, each with its channel.
pub(super) fn complete(
    connection: &mut AnyConnection,
    account: ChannelAccountId,
    ended: &[Ended],
    ids: &IdGenerator,
    now: i64,
) -> Result<Vec<(Channel, Outcome)>> {
    let database_now = time::now(connection)?;
    let account = store::account(connection, account)?;
    let has_receipts = account.provider.has_receipts();
    if has_receipts {
        accounts::store::hold(connection, account.id)?;
    }
    let before = health(&account);
    let (mut after, mut written) = (before, Vec::with_capacity(ended.len()));
    let mut changed = Vec::with_capacity(ended.len());
    for one in ended {
        let (send, answer) = (&one.send, &one.answer);
        let attempted = Attempted {
            provider: account.provider,
            priority: MessagePriority::from_rank(send.priority),
            attempts: send.attempts,
            slowed: send.slowed,
            may_duplicate: send.may_duplicate,
            doubt_ms: doubt(connection, &account, send, answer.outcome)?.map(|since| database_now - since),
        };
        let verdict = judge(attempted, answer.outcome, answer.retry_after_ms, one.jitter);
        let status = send
            .status
            .after(verdict.event)
            .ok_or_else(|| Error::internal(format!("a {} send cannot be {}", send.status, verdict.event)))?;
        let is_sent = verdict.event == SendEvent::Accepted;
        let settled = SendRow {
            status,
            reason: verdict.reason,
            attempts: verdict.attempts,
            slowed: verdict.slowed,
            may_duplicate: verdict.may_duplicate,
            next_at: now + verdict.wait_ms,
            provider_message_id: cut(answer.provider_message_id.as_deref(), PROVIDER_MESSAGE_ID_MAX),
            last_code: cut(answer.code.as_deref(), CODE_MAX),
            last_error: cut(answer.message.as_deref(), ERROR_MAX).filter(|_| !is_sent),
            updated_at: now,
            sent_at: is_sent.then_some(now),
            ..send.clone()
        };
        if !store::settle(connection, send, &settled)? {
            continue;
        }
        let attempt = AttemptRow {
            send_id: send.id,
            number: send.number,
            tenant_id: send.tenant_id,
            account_id: send.account_id,
            phase: Phase::Ended,
            outcome: Some(answer.outcome),
            http_status: answer.http_status.map(i64::from),
            code: cut(answer.code.as_deref(), CODE_MAX),
            message: cut(answer.message.as_deref(), MESSAGE_MAX),
            started_at: 0,
            ended_at: Some(database_now),
        };
        store::end_attempt(connection, &attempt)?;
        if let Some(reason) = learned(account.provider, answer.outcome, answer.code.as_deref()) {
            let to = (&settled, account.provider.channel());
            suppressions::store::learn(connection, ids, to, (reason, settled.last_code.as_deref()), now)?;
        }
        if has_receipts {
            receipts::apply::settled(connection, &settled, (account.provider, ids), now)?;
        }
        if one.is_telling {
            after = after.after(answer.outcome, answer.retry_after_ms, now);
        }
        written.push((account.provider.channel(), answer.outcome));
        changed.push(send.id);
    }
    fallbacks::make::follow(connection, ids, &changed, now)?;
    if after != before {
        store::set_health(connection, account.id, after)?;
    }
    Ok(written)
}

/// Since when a send may have arrived, of a provider that knows repeats for a time.
fn doubt(
    connection: &mut AnyConnection,
    account: &AccountRow,
    send: &SendRow,
    outcome: Outcome,
) -> Result<Option<i64>> {
    let is_new = outcome == Outcome::Uncertain;
    if !knows_for_a_time(account.provider) || (send.attempts <= 1 && !is_new) {
        return Ok(None);
    }
    let before = store::doubted(connection, send)?;
    match (before, is_new) {
        (None, true) => store::started(connection, send).map(Some),
        (before, _) => Ok(before),
    }
}

fn cut(text: Option<&str>, most: usize) -> Option<String> {
    text.map(|text| text.chars().filter(|one| *one != '\0').take(most).collect())
}
