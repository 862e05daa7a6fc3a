//! A worker: sends what waits for one account, many requests at once, until nothing is left or its turn is over.

use std::time::{Duration, Instant};

use futures_util::StreamExt;
use futures_util::future::{BoxFuture, FutureExt};
use futures_util::stream::FuturesUnordered;
use tokio_util::sync::CancellationToken;

use super::Dispatch;
use super::claim::{Claimed, claim};
use super::complete::{Ended, complete};
use super::store;
use crate::centre::accounts;
use crate::centre::channels::{self, Answer, Carriage, Message, hidden};
use crate::centre::tokens::{First, Tokens, Wanted};
use crate::centre::unsubscribe::link::Link;
use crate::db::AnyConnection;
use crate::domain::centre::account::{AccountRow, Channel, Config, Provider};
use crate::domain::centre::send::{Outcome, SendRow};
use crate::domain::centre::template::Rendered;
use crate::journal::fail_point::FailPoint;
use crate::kernel::{ChannelAccountId, Error, Millis, Result, TenantId};

/// How long a worker stays with an account while others wait.
const TURN: Duration = Duration::from_secs(10);
/// How long ended attempts wait for others to be written down with them.
const GATHER: Duration = Duration::from_millis(20);
/// How many ended attempts are written down at once.
const TOGETHER: usize = 50;
/// How long it is tried to write down what came of attempts; after that the leases are about to end.
const PATIENCE: Duration = Duration::from_secs(35);
/// How long is waited before that is tried again.
const PAUSE: Duration = Duration::from_millis(500);

/// How long nothing may end, of an account whose attempts may take minutes, before what came meanwhile is claimed beside it.
const STALL: Duration = Duration::from_secs(2);

type Running = FuturesUnordered<BoxFuture<'static, Ended>>;

impl Dispatch {
    /// Counts outcomes.
    pub(super) fn count(&self, outcomes: &[(Channel, Outcome)]) {
        for (channel, outcome) in outcomes {
            let labels = [channel.as_str(), outcome.as_str()];
            self.metrics.message_attempts.with_label_values(&labels).inc();
        }
    }
}

/// Works on an account; tells whether anything was done. Errors of the store end it; what it began is taken up when its
/// leases end.
pub(super) async fn run(dispatch: Dispatch, account: ChannelAccountId, shutdown: CancellationToken) -> bool {
    work(&dispatch, account, &shutdown).await.unwrap_or_else(|error| {
        log::warn!(target: "deskwire::centre", "sends of account {account} were left: {error}");
        false
    })
}

async fn work(dispatch: &Dispatch, account: ChannelAccountId, shutdown: &CancellationToken) -> Result<bool> {
    let (began, mut did) = (Instant::now(), false);
    let (mut running, mut ended): (Running, Vec<Ended>) = (FuturesUnordered::new(), Vec::new());
    // How many may be under way is known with the first claim.
    let (mut places, mut is_dry) = (1, false);
    let (mut is_patient, mut progress) = (false, Instant::now());
    loop {
        let over = shutdown.is_cancelled() || began.elapsed() >= TURN;
        // The place of this account is taken as long as anything is under way, so that its turn does not count then.
        let is_stalled = is_patient && !shutdown.is_cancelled() && progress.elapsed() >= STALL;
        // Half of the places are filled at once: a claim for each that becomes free would cost a commit each.
        let has_room = (!is_dry && !over && running.len() <= places / 2)
            || (is_stalled && !running.is_empty() && running.len() < places);
        if has_room {
            // An account that was paused or changed meanwhile gives nothing more; what is under way comes to its end, also
            // when the store is away for a moment: nobody would know what became of it.
            let taken = match take(dispatch, account, running.len()).await {
                Err(error) if running.is_empty() => return Err(error),
                Err(error) => {
                    log::debug!(target: "deskwire::centre", "no more sends of account {account}: {error}");
                    Taken::default()
                }
                Ok(taken) => taken.unwrap_or_default(),
            };
            (places, progress) = (taken.room.max(places), Instant::now());
            is_patient |= taken.is_patient;
            is_dry = taken.passed == 0 && taken.running.is_empty() && taken.failed.is_empty();
            did |= !is_dry;
            running.extend(taken.running);
            ended.extend(taken.failed);
        }
        let flush = ended.len() >= TOGETHER || (running.is_empty() && !ended.is_empty());
        if flush {
            write(dispatch, account, std::mem::take(&mut ended)).await?;
            continue;
        }
        if running.is_empty() {
            break;
        }
        tokio::select! {
            Some(one) = running.next() => {
                dispatch.survives(FailPoint::MessageAnswered)?;
                ended.push(one);
                progress = Instant::now();
            }
            () = tokio::time::sleep(STALL), if is_patient => {}
            () = tokio::time::sleep(GATHER), if !ended.is_empty() => {
                write(dispatch, account, std::mem::take(&mut ended)).await?;
            }
        }
    }
    Ok(did)
}

/// What a claim gave.
#[derive(Default)]
struct Taken {
    /// How many requests may be under way.
    room: usize,
    /// Whether they may take minutes.
    is_patient: bool,
    /// Those that are.
    running: Vec<BoxFuture<'static, Ended>>,
    /// Sends whose requests could not be made.
    failed: Vec<Ended>,
    /// How many sends ended without a request.
    passed: usize,
}

/// Claims sends and makes their requests.
async fn take(dispatch: &Dispatch, account: ChannelAccountId, under_way: usize) -> Result<Option<Taken>> {
    let (owner, ids, now) = (dispatch.owner.clone(), dispatch.ids.clone(), dispatch.clock.now());
    let write =
        move |connection: &mut AnyConnection| claim(connection, account, (&owner, &ids), under_way, now.0);
    let Some(claimed) = dispatch.db.write(write).await? else { return Ok(None) };
    let Claimed { account, mut sends, doubts, passed } = claimed;
    if !sends.is_empty() {
        dispatch.survives(FailPoint::MessageClaimed)?;
    }
    let room = account.provider.concurrency();
    if !account.provider.is_replay_safe() && !sends.is_empty() {
        let claims: Vec<_> = sends.iter().map(|send| (send.id, send.number)).collect();
        let owner = dispatch.owner.clone();
        let held = dispatch.db.write(move |connection| store::start(connection, &claims, &owner)).await?;
        sends.retain(|send| held.contains(&send.id));
        dispatch.survives(FailPoint::MessageStarted)?;
    }
    let (mut running, mut failed): (Vec<BoxFuture<'static, Ended>>, Vec<Ended>) = (Vec::new(), Vec::new());
    let mut keys = None;
    for send in sends {
        let doubt = doubts.get(&send.id).copied();
        if doubt.is_some_and(|doubt| doubt >= account.provider.knows_repeats_ms()) && !send.may_duplicate {
            let answer =
                Answer::without_reply(Outcome::Uncertain, "a repeat would not be known as one any more");
            failed.push(Ended { send, answer, jitter: rand::random(), is_telling: false });
            continue;
        }
        match prepare(dispatch, &account, &send, now, &mut keys) {
            Ok(out) => {
                let attempt = attempt(
                    dispatch.clone(),
                    (account.tenant_id, account.provider),
                    send,
                    out,
                    doubt.is_some(),
                );
                running.push(attempt.boxed());
            }
            Err(error) => {
                log::error!(target: "deskwire::centre", "send {} cannot be made: {error}", send.id);
                let answer = Answer::without_reply(Outcome::Configuration, "the request could not be made");
                failed.push(Ended { send, answer, jitter: rand::random(), is_telling: true });
            }
        }
    }
    let is_patient = account.provider.is_patient();
    Ok(Some(Taken { room, is_patient, running, failed, passed }))
}

/// Whose token requests carry, and the one with which they begin.
type Keys = (Wanted, First);

/// What goes out of a send, and with what.
struct Out {
    carriage: Carriage,
    config: Config,
    /// The token that it needs, the same for all that are made together.
    keys: Option<Keys>,
}

/// What goes out of a send.
fn prepare(
    dispatch: &Dispatch,
    account: &AccountRow,
    send: &SendRow,
    now: Millis,
    keys: &mut Option<Keys>,
) -> Result<Out> {
    let config = accounts::service::open(&dispatch.vault, account)?;
    let rendered: Option<Rendered> = serde_json::from_str(&send.body)
        .map_err(|cause| Error::internal("a stored message cannot be read").caused_by(cause))?;
    let rendered = rendered.ok_or_else(|| Error::internal("there is nothing to send"))?;
    let unsubscribe_at = unsubscribe_at(dispatch, account.provider, send)?;
    let message = Message {
        id: send.id,
        created_at: Millis(send.created_at),
        address: send.address.as_deref().unwrap_or_default(),
        rendered: &rendered,
        unsubscribe_at: unsubscribe_at.as_deref(),
        now,
    };
    let path = accounts::service::hook(account.id, &config);
    let receipts_at = dispatch.public_url.as_ref().zip(path).map(|(public, path)| format!("{public}{path}"));
    let carriage = channels::carriage(account.provider, &config, message, receipts_at.as_deref())?;
    if !matches!(carriage, Carriage::Tokened(_)) {
        return Ok(Out { carriage, config, keys: None });
    }
    if keys.is_none() {
        let wanted = Tokens::wanted(account, &config)?;
        let first = dispatch.tokens.first(&wanted);
        *keys = Some((wanted, first));
    }
    Ok(Out { carriage, config, keys: keys.clone() })
}

/// Where the receiver of an e-mail says that it wants no more of the kind, when the world reaches this service.
fn unsubscribe_at(dispatch: &Dispatch, provider: Provider, send: &SendRow) -> Result<Option<String>> {
    let link = Link::of(send).filter(|_| provider.channel() == Channel::Email);
    let known = dispatch.public_url.as_ref().zip(link);
    known.map(|(public, link)| link.address(public, &dispatch.vault)).transpose()
}

async fn attempt(
    dispatch: Dispatch,
    of: (TenantId, Provider),
    send: SendRow,
    out: Out,
    is_repeat: bool,
) -> Ended {
    let (answer, is_telling) = match (out.carriage, out.keys) {
        (Carriage::Tokened(request), Some((wanted, first))) => {
            dispatch.tokens.carry(&wanted, first, &request, is_repeat).await
        }
        (carriage, _) => {
            let means = (&dispatch.transport, &dispatch.journal);
            (channels::carry(means, of, carriage).await, true)
        }
    };
    let answer = hidden::hidden(answer, &out.config);
    Ended { send, answer, jitter: rand::random(), is_telling }
}

/// Writes down how attempts ended; a store that is away for a moment is waited for.
async fn write(dispatch: &Dispatch, account: ChannelAccountId, ended: Vec<Ended>) -> Result<()> {
    let began = Instant::now();
    let ended = std::sync::Arc::new(ended);
    loop {
        let (now, ids, shared) = (dispatch.clock.now().0, dispatch.ids.clone(), ended.clone());
        let write = move |connection: &mut AnyConnection| complete(connection, account, &shared, &ids, now);
        match dispatch.db.write(write).await {
            Ok(outcomes) => {
                dispatch.count(&outcomes);
                return Ok(());
            }
            Err(error) if began.elapsed() >= PATIENCE => return Err(error),
            Err(error) => {
                log::debug!(target: "deskwire::centre", "ended attempts are written again: {error}");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}
