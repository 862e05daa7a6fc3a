//! The end of a run: heals (every device reconnects and becomes whole), then reads every conversation and inbox over
//! REST and hands all the evidence to the judge.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::{StreamExt, TryStreamExt, stream};

use super::client::fact::{Fact, id};
use super::client::view::{Row, View};
use super::client::{Device, Failure, Rest};
use super::evidence::{DeviceView, Evidence, ServerLog, Violation};
use super::history::Id;
use super::judge::judge;
use super::member::Member;
use super::play::Run;
use super::requests::{AT_ONCE, get, pages};
use super::routing_figures::{RoutingFigures, figures};
use super::setup::Tenant;
use super::visitor::read_for_good;
use super::{collect_desk, collect_search, files, judge_events, ratings};

/// A member of the run, as the judge has to take it.
#[derive(Debug, Clone)]
pub struct Player {
    /// The tenant's place in the run.
    pub tenant: usize,
    /// Whose devices.
    pub member: Arc<Member>,
    /// A visitor, who must never see what is meant for staff.
    pub customer: bool,
    /// It turned out to be a known customer: it has no logs and no inbox any more.
    pub retired: bool,
}

/// Once everything is healed, views must equal the server within this time.
const CONVERGE_WITHIN: Duration = Duration::from_secs(5);
/// How long a device may take to become whole.
const HEAL_WITHIN: Duration = Duration::from_secs(60);

/// Reconnects everybody and waits until every device is live and misses nothing that it knows of.
///
/// Then everybody reads something to its end, so that the others hear of it on connections that last.
pub async fn heal(run: &Run, players: &[Player]) {
    let present = || players.iter().filter(|player| !player.retired).map(|player| &player.member);
    let healing: Vec<_> =
        present().flat_map(|member| member.devices()).map(|device| heal_one(run, device)).collect();
    stream::iter(healing).buffer_unordered(256).collect::<Vec<()>>().await;
    let reading: Vec<_> = present().map(|member| read_one(run, member)).collect();
    stream::iter(reading).buffer_unordered(AT_ONCE).collect::<Vec<()>>().await;
}

async fn read_one(run: &Run, member: &Member) {
    let newest = member.first().shared.view().rows.keys().max().copied();
    if let Some(conversation) = newest
        && let Err(failure) = read_for_good(run, member.first(), conversation).await
    {
        run.history.complain(format!("{} cannot read {conversation}: {failure}", member.first().shared.name));
    }
}

async fn heal_one(run: &Run, device: &Device) {
    let whole = |view: &View| view.is_whole().then_some(());
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
    players: &[Player],
) -> Result<(Vec<Violation>, RoutingFigures), Failure> {
    let begin = Instant::now();
    loop {
        let evidence = collect(run, tenants, players).await?;
        let found = judge(&evidence);
        if found.is_empty() || begin.elapsed() > CONVERGE_WITHIN {
            return Ok((found, figures(&evidence)));
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

async fn collect(run: &Run, tenants: &[Tenant], players: &[Player]) -> Result<Evidence, Failure> {
    let mut evidence =
        Evidence { sendings: run.history.sendings(), done: run.history.done(), ..Evidence::default() };
    // Agents stay away on purpose, visitors do not.
    let visitors: HashSet<Id> =
        players.iter().filter(|player| player.customer).map(|player| player.member.id()).collect();
    let by_visitors = evidence.sendings.iter().filter(|sending| visitors.contains(&sending.sender));
    let slowest = by_visitors.filter_map(|sending| sending.took).max().unwrap_or_default();
    evidence.slowest_ms = i64::try_from(slowest.as_millis()).unwrap_or(i64::MAX);
    for (place, tenant) in tenants.iter().enumerate() {
        evidence.owners.extend(tenant.id.into_iter().chain([tenant.admin_id]).map(|id| (id, place)));
        let rows = pages(run, &tenant.admin, "/conversations?limit=200").await?;
        let mut logs: Vec<Id> = rows.iter().filter_map(|row| row.get("id").and_then(id)).collect();
        for row in &rows {
            if let (Some(front), Some(backstage)) =
                (row.get("id").and_then(id), row.get("backstage_id").and_then(id))
            {
                evidence.backstages.insert(backstage, front);
                logs.push(backstage);
            }
        }
        let read = |log: Id| async move { Ok::<_, Failure>((log, entries(run, &tenant.admin, log).await?)) };
        let logs: Vec<_> =
            stream::iter(logs.into_iter().map(read)).buffer_unordered(AT_ONCE).try_collect().await?;
        for (conversation, entries) in logs {
            evidence.owners.insert(conversation, place);
            evidence.logs.insert(conversation, ServerLog { tenant: place, entries });
        }
        evidence.ratings.extend(ratings::ratings(run, &tenant.admin, place).await?);
        let (owners, done) = (&evidence.owners, &evidence.done);
        let uploaded: Vec<_> =
            done.iter().filter(|done| owners.get(&done.conversation) == Some(&place)).cloned().collect();
        evidence.files.extend(files::read(run, &tenant.admin, &uploaded).await?);
        if let Some(desk) = &tenant.desk {
            let staff = players.iter().filter(|player| player.tenant == place && !player.customer);
            let told = staff
                .flat_map(|player| player.member.devices())
                .flat_map(|device| device.shared.view().presences.clone())
                .collect();
            let desk = collect_desk::desk(run, (place, tenant, desk), &rows, told).await?;
            evidence.served.extend(desk.served());
            let docked = judge_events::docked_members(&evidence, &desk);
            evidence.served.extend(docked);
            evidence.desks.push(desk);
        }
    }
    evidence.owners.extend(players.iter().map(|player| (player.member.id(), player.tenant)));
    // Before the views, so that what searches showed is among what their members saw.
    let searching = players.iter().filter(|player| !player.retired);
    let searching = searching.map(|player| (&*player.member, player.customer));
    evidence.searches = collect_search::searches(run, searching).await?;
    let views: Vec<_> = players
        .iter()
        .flat_map(|player| player.member.devices().map(move |device| (player, device)))
        .map(|(player, device)| device_view(run, player, device))
        .collect();
    evidence.devices = stream::iter(views).buffer_unordered(AT_ONCE).try_collect().await?;
    rooms(run, players, &mut evidence).await?;
    Ok(evidence)
}

/// Reads the rooms of the staff, which only those see who are in them.
async fn rooms(run: &Run, players: &[Player], evidence: &mut Evidence) -> Result<(), Failure> {
    for player in players.iter().filter(|player| !player.customer) {
        let unknown: Vec<Id> = {
            let view = player.member.first().shared.view();
            let rooms = view
                .rows
                .iter()
                .filter(|(log, row)| row.active && row.is_room() && !evidence.logs.contains_key(log));
            rooms.map(|(room, _)| *room).collect()
        };
        for room in unknown {
            let entries = entries(run, player.member.rest(), room).await?;
            evidence.owners.insert(room, player.tenant);
            evidence.rooms.insert(room);
            evidence.logs.insert(room, ServerLog { tenant: player.tenant, entries });
        }
    }
    Ok(())
}

async fn device_view(run: &Run, player: &Player, device: &Device) -> Result<DeviceView, Failure> {
    let rows = match player.retired {
        true => Vec::new(),
        false => pages(run, &device.shared.rest, "/inbox?limit=100").await?,
    };
    let inbox: HashMap<Id, Row> = rows.iter().filter_map(Row::parse).collect();
    if inbox.len() != rows.len() {
        run.history.complain(format!("{}: inbox rows that cannot be read or come twice", device.shared.name));
    }
    let ids = device.shared.rest.seen();
    let view = device.shared.view();
    Ok(DeviceView {
        tenant: player.tenant,
        member: view.member,
        customer: player.customer,
        retired: player.retired,
        logs: view.logs.iter().map(|(conversation, log)| (*conversation, log.entries.clone())).collect(),
        unread: view.rows.keys().filter_map(|log| Some((*log, view.unread(*log)?))).collect(),
        rows: view.rows.clone(),
        heard: view.heard.clone(),
        until: view.age(),
        contradictions: view.contradictions.iter().chain(view.refused.values()).cloned().collect(),
        ids,
        inbox,
    })
}

/// A whole log, as the server gives it.
async fn entries(run: &Run, rest: &Rest, conversation: Id) -> Result<Vec<Fact>, Failure> {
    let mut facts: Vec<Fact> = Vec::new();
    loop {
        let after = facts.last().map_or(0, |fact| fact.seq);
        let path = format!("/conversations/{conversation}/entries?after_seq={after}&limit=200");
        let page = get(run, rest, &path).await?;
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
