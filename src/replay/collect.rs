//! The end of a run: heals (every device reconnects and becomes whole), then reads every conversation and inbox over
//! REST and hands all the evidence to the judge.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use futures_util::{StreamExt, TryStreamExt, stream};
use serde_json::Value;

use super::client::fact::{Fact, id};
use super::client::view::{Row, View};
use super::client::{Backoff, Device, Failure, Rest};
use super::history::Id;
use super::judge::{DeviceView, Evidence, ServerLog, Violation, judge};
use super::play::Run;
use super::stage::Tenant;

/// A device and its tenant's place in the run.
pub type Player<'a> = (usize, &'a Device);

/// Once everything is healed, views must equal the server within this time.
const CONVERGE_WITHIN: Duration = Duration::from_secs(5);
/// How long a device may take to become whole.
const HEAL_WITHIN: Duration = Duration::from_secs(60);
/// Requests that are under way at the same time.
const AT_ONCE: usize = 16;

/// Reconnects everybody and waits until every device is live and misses nothing that it knows of.
pub async fn heal(run: &Run, players: &[Player<'_>]) {
    let healing: Vec<_> = players.iter().map(|(_, device)| heal_one(run, device)).collect();
    stream::iter(healing).buffer_unordered(256).collect::<Vec<()>>().await;
}

async fn heal_one(run: &Run, device: &Device) {
    let whole = |view: &View| (!view.lagging && view.behind().is_empty()).then_some(());
    let healed = async {
        device.reconnect(HEAL_WITHIN + run.patience).await?;
        device.until(HEAL_WITHIN, "the rest of its logs", whole).await
    };
    if let Err(failure) = healed.await {
        run.history.complain(format!("{} does not heal: {failure}", device.shared.name));
    }
}

/// Collects and judges; what may still be on its way gets a few seconds.
pub async fn verdict(
    run: &Run,
    tenants: &[Tenant],
    players: &[Player<'_>],
) -> Result<Vec<Violation>, Failure> {
    let begin = Instant::now();
    loop {
        let found = judge(&collect(run, tenants, players).await?);
        if found.is_empty() || begin.elapsed() > CONVERGE_WITHIN {
            return Ok(found);
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

async fn collect(run: &Run, tenants: &[Tenant], players: &[Player<'_>]) -> Result<Evidence, Failure> {
    let mut evidence = Evidence {
        sendings: run.history.sendings(),
        done: run.history.done(),
        logs: HashMap::new(),
        devices: Vec::new(),
        owners: HashMap::new(),
    };
    for (place, tenant) in tenants.iter().enumerate() {
        evidence.owners.extend(tenant.id.into_iter().chain([tenant.admin_id]).map(|id| (id, place)));
        let rows = pages(run, &tenant.admin, "/conversations?limit=200").await?;
        let conversations: Vec<Id> = rows.iter().filter_map(|row| row.get("id").and_then(id)).collect();
        let read = |conversation: Id| async move {
            Ok::<_, Failure>((conversation, entries(run, &tenant.admin, conversation).await?))
        };
        let logs: Vec<_> =
            stream::iter(conversations.into_iter().map(read)).buffer_unordered(AT_ONCE).try_collect().await?;
        for (conversation, entries) in logs {
            evidence.owners.insert(conversation, place);
            evidence.logs.insert(conversation, ServerLog { tenant: place, entries });
        }
    }
    for (place, device) in players {
        evidence.owners.insert(device.member(), *place);
    }
    let views: Vec<_> = players.iter().map(|(place, device)| device_view(run, *place, device)).collect();
    evidence.devices = stream::iter(views).buffer_unordered(AT_ONCE).try_collect().await?;
    Ok(evidence)
}

async fn device_view(run: &Run, tenant: usize, device: &Device) -> Result<DeviceView, Failure> {
    let rows = pages(run, &device.shared.rest, "/inbox?limit=100").await?;
    let inbox: HashMap<Id, Row> = rows.iter().filter_map(Row::parse).collect();
    if inbox.len() != rows.len() {
        run.history.complain(format!("{}: inbox rows that cannot be read or come twice", device.shared.name));
    }
    let ids = device.shared.rest.seen();
    let view = device.shared.view();
    Ok(DeviceView {
        tenant,
        member: view.member,
        logs: view.logs.iter().map(|(conversation, log)| (*conversation, log.entries.clone())).collect(),
        unread: view.rows.keys().filter_map(|room| Some((*room, view.unread(*room)?))).collect(),
        contradictions: view.contradictions.clone(),
        ids,
        inbox,
    })
}

async fn insist(run: &Run, rest: &Rest, path: &str) -> Result<Value, Failure> {
    let mut backoff = Backoff::new(run.patience);
    loop {
        match rest.get(path).await {
            Ok(answer) => return Ok(answer),
            Err(failure) => {
                let told = format!("GET {path}: {failure}");
                backoff.after(failure).await.map_err(|_| Failure::Over(told))?;
            }
        }
    }
}

/// All pages of a list. `path` has a query already.
async fn pages(run: &Run, rest: &Rest, path: &str) -> Result<Vec<Value>, Failure> {
    let mut rows = Vec::new();
    let mut cursor: Option<String> = None;
    loop {
        let page = match &cursor {
            None => insist(run, rest, path).await?,
            Some(cursor) => insist(run, rest, &format!("{path}&cursor={cursor}")).await?,
        };
        rows.extend(page["data"].as_array().cloned().unwrap_or_default());
        match page["next_cursor"].as_str() {
            Some(next) => cursor = Some(next.to_owned()),
            None => return Ok(rows),
        }
    }
}

/// A whole log, as the server gives it.
async fn entries(run: &Run, rest: &Rest, conversation: Id) -> Result<Vec<Fact>, Failure> {
    let mut facts: Vec<Fact> = Vec::new();
    loop {
        let after = facts.last().map_or(0, |fact| fact.seq);
        let path = format!("/conversations/{conversation}/entries?after_seq={after}&limit=200");
        let page = insist(run, rest, &path).await?;
        let entries = page["data"].as_array().map(Vec::as_slice).unwrap_or_default();
        let before = facts.len();
        facts.extend(entries.iter().filter_map(|entry| Fact::parse(entry).map(|(_, fact)| fact)));
        if facts.len() - before != entries.len() {
            run.history.complain(format!("{conversation}: entries that cannot be read"));
        }
        if entries.is_empty() || facts.last().is_none_or(|last| last.seq <= after) {
            return Ok(facts);
        }
    }
}
