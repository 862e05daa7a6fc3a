//! Reads what is known of a tenant that routes: assignments, transfers, presences, and what agents heard of each other.

use std::collections::HashMap;

use futures_util::{StreamExt, TryStreamExt, stream};
use serde_json::Value;

use super::client::Failure;
use super::client::fact::id;
use super::client::signal::Presence;
use super::desk::Desk;
use super::evidence::{AgentEvidence, AssignmentEvidence, ConversationEvidence, DeskEvidence, Receiver};
use super::history::Id;
use super::play::Run;
use super::requests::{AT_ONCE, get, pages};
use super::setup::Tenant;

/// Reads a tenant. `rows` are its conversations as its administrator sees them, `told` what its agents heard.
pub async fn desk(
    run: &Run,
    (place, tenant, desk): (usize, &Tenant, &Desk),
    rows: &[Value],
    told: Vec<Presence>,
) -> Result<DeskEvidence, Failure> {
    let read = |(conversation, row): (Id, Value)| async move {
        Ok::<_, Failure>((conversation, self::conversation(run, tenant, conversation, &row).await?))
    };
    let ids: Vec<(Id, Value)> =
        rows.iter().filter_map(|row| Some((row.get("id").and_then(id)?, row.clone()))).collect();
    let conversations =
        stream::iter(ids.into_iter().map(read)).buffer_unordered(AT_ONCE).try_collect().await?;
    Ok(DeskEvidence {
        tenant: place,
        offer_seconds: desk.offer_seconds,
        transfer_above: desk.transfer_above,
        timers: desk.timers,
        agents: agents(run, tenant, desk).await?,
        conversations,
        told,
    })
}

async fn conversation(
    run: &Run,
    tenant: &Tenant,
    conversation: Id,
    row: &Value,
) -> Result<ConversationEvidence, Failure> {
    let page = get(run, &tenant.admin, &format!("/conversations/{conversation}/assignments")).await?;
    let assignment = |row: &Value| {
        Some(AssignmentEvidence {
            agent: row["agent"].get("id").and_then(id)?,
            reason: row["reason"].as_str()?.to_owned(),
            from: row["from_agent"].get("id").and_then(id),
            ended: row["end_reason"].as_str().map(str::to_owned),
            holds: row["ended_at"].is_null(),
            times: (row["started_at"].to_string(), row["ended_at"].to_string()),
        })
    };
    let transfers = get(run, &tenant.admin, &format!("/conversations/{conversation}/transfers")).await?;
    let transfer = |row: &Value| {
        let agent = row["to_agent"].get("id").and_then(id).map(Receiver::Agent);
        let group = row.get("to_group_id").and_then(id).map(Receiver::Group);
        Some((row["from_agent"].get("id").and_then(id), agent.or(group)?))
    };
    Ok(ConversationEvidence {
        asked: run.history.asked(conversation),
        status: row["status"].as_str().unwrap_or_default().to_owned(),
        agent: row["agent"].get("id").and_then(id),
        docked: row["docked"] == true,
        group: row.get("group_id").and_then(id),
        backstage: row.get("backstage_id").and_then(id),
        merged_into: row.get("merged_into_id").and_then(id),
        assignments: page["data"].as_array().into_iter().flatten().filter_map(assignment).collect(),
        transfers: transfers["data"].as_array().into_iter().flatten().filter_map(transfer).collect(),
    })
}

async fn agents(run: &Run, tenant: &Tenant, desk: &Desk) -> Result<HashMap<Id, AgentEvidence>, Failure> {
    let presences = pages(run, &tenant.admin, "/presence?limit=200").await?;
    let mut agents = HashMap::new();
    for seated in desk.seated() {
        let member = seated.member;
        let of = |row: &&Value| row["member"].get("id").and_then(id) == Some(member);
        let current_accept = presences.iter().find(of).and_then(|row| row["current_accept"].as_i64());
        let mut history = pages(run, &tenant.admin, &format!("/presence/{member}/history?limit=200")).await?;
        history.reverse();
        let change = |row: &Value| {
            let at = row["at"].as_str()?.parse::<jiff::Timestamp>().ok()?;
            Some((at.as_millisecond(), row["effective_status"] == "online"))
        };
        let agent = AgentEvidence {
            max_accept: seated.max_accept,
            groups: seated.groups,
            skills: seated.skills,
            current_accept: current_accept.unwrap_or(-1),
            online: history.iter().filter_map(change).collect(),
        };
        agents.insert(member, agent);
    }
    Ok(agents)
}
