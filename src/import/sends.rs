//! The record of what was sent: `message_send`. Each row becomes a send of an event of its own, whose rules are not applied and
//! which nothing sends again.

use super::centre::stored;
use super::report::Outcome;
use super::row::{Refusal, Row};
use super::state::Import;
use super::tables::{MESSAGE_INFO, MESSAGE_RULE, MESSAGE_SEND, MESSAGE_WORK_USER};
use crate::centre::{events, rules, sends};
use crate::domain::centre::event::EventRow;
use crate::domain::centre::rule::RuleRow;
use crate::domain::centre::send::{PROVIDER_MESSAGE_ID_MAX, RecipientType, SendReason, SendRow, SendStatus};
use crate::kernel::{MessageEventId, MessageRuleId, MessageSendId, PersonId, Result};

/// Imports `message_send`.
pub async fn send(import: &mut Import, row: &Row) -> Result<Outcome> {
    let (event, id) = (MessageEventId(import.app.ids.next()?), MessageSendId(import.app.ids.next()?));
    let rule = match rule(import, row).await? {
        Ok(rule) => rule,
        Err(why) => return Ok(Outcome::Refused(why)),
    };
    if let Err(why) =
        status(row).and_then(|_| row.moment("ctm", &import.zone)?.ok_or("ctm is empty".to_owned()))
    {
        return Ok(Outcome::Refused(why));
    }
    let Some(rule) = rule else {
        // Of a dry run the rule is not there.
        return stored(import, MESSAGE_SEND.name, row, id.0, Vec::new(), |_| Ok(())).await;
    };
    let mut changes = Vec::new();
    let person = match person(import, row).await? {
        Ok(person) => person,
        Err(why) => {
            changes.push(why);
            None
        }
    };
    let (sent, at) = match read(import, row, (event, id), &rule, person) {
        Ok(sent) => (sent, row.moment("ctm", &import.zone).ok().flatten().unwrap_or_default()),
        Err(why) => return Ok(Outcome::Refused(why)),
    };
    if sent.status == SendStatus::Cancelled {
        changes.push("it was not sent there: it is cancelled, and may be sent by hand".to_owned());
    }
    let happened = EventRow {
        id: event,
        tenant_id: import.tenant,
        key: rule.key.clone(),
        payload: "{}".to_owned(),
        created_by: None,
        created_at: at,
        expanded_at: Some(import.app.clock.now().0),
        decisions: Some("[]".to_owned()),
        customer_id: None,
        agent_id: None,
        rule_id: Some(rule.id),
        origin: None,
    };
    stored(import, MESSAGE_SEND.name, row, id.0, changes, move |connection| {
        events::store::insert(connection, std::slice::from_ref(&happened))?;
        sends::store::insert(connection, std::slice::from_ref(&sent))
    })
    .await
}

/// The rule that made it; `None` in a dry run.
async fn rule(import: &Import, row: &Row) -> Result<std::result::Result<Option<RuleRow>, Refusal>> {
    for (table, column) in [(MESSAGE_INFO.name, "info_id"), (MESSAGE_RULE.name, "rule_id")] {
        let key = row.text(column).to_owned();
        if import.ledger.one(table, &key).await?.is_none() {
            return Ok(Err(format!("{column} {key:?} did not come in")));
        }
    }
    let id = import.ledger.one(MESSAGE_RULE.name, row.text("rule_id")).await?.unwrap_or_default();
    let tenant = import.tenant;
    let read = move |connection: &mut _| rules::store::find(connection, tenant, MessageRuleId(id));
    match import.app.db.read(read).await? {
        Some(rule) => Ok(Ok(Some(rule))),
        None if import.dry_run => Ok(Ok(None)),
        None => Ok(Err("the rule of rule_id is deleted".to_owned())),
    }
}

/// Whom it was sent to, or why nobody knows.
async fn person(
    import: &Import,
    row: &Row,
) -> Result<std::result::Result<Option<(RecipientType, PersonId)>, Refusal>> {
    let uid = row.text("uid").to_owned();
    Ok(match row.text("user_type") {
        "2" => match import.ledger.one(MESSAGE_WORK_USER.name, &uid).await? {
            Some(id) => Ok(Some((RecipientType::Recipient, PersonId(id)))),
            None => Err(format!("its receiver is left out: the message_work_user {uid:?} did not come in")),
        },
        "1" => Err("its receiver is left out: wx_user_info is none of the tables".to_owned()),
        other => Err(format!("its receiver is left out: user_type is neither 1 nor 2: {other:?}")),
    })
}

fn read(
    import: &Import,
    row: &Row,
    (event, id): (MessageEventId, MessageSendId),
    rule: &RuleRow,
    person: Option<(RecipientType, PersonId)>,
) -> std::result::Result<SendRow, Refusal> {
    let (status, reason) = status(row)?;
    let created_at = row.moment("ctm", &import.zone)?.ok_or("ctm is empty")?;
    let sent_at = row.moment("stm", &import.zone)?;
    let name = row.some("msgid").filter(|name| name.chars().count() <= PROVIDER_MESSAGE_ID_MAX);
    let attempts = i64::from(status != SendStatus::Cancelled);
    Ok(SendRow {
        id,
        tenant_id: import.tenant,
        event_id: event,
        step: "import".to_owned(),
        rule_id: rule.id,
        template_id: rule.template_id,
        template_version: 1,
        account_id: rule.account_id,
        priority: rule.priority,
        status,
        reason,
        recipient_type: person.map(|(kind, _)| kind),
        recipient_id: person.map(|(_, id)| id),
        address: None,
        // The source kept no words.
        body: "null".to_owned(),
        number: attempts,
        attempts,
        slowed: 0,
        may_duplicate: false,
        next_at: created_at,
        expires_at: None,
        lease_owner: None,
        lease_until: 0,
        provider_message_id: name.map(ToOwned::to_owned),
        last_code: None,
        last_error: None,
        created_at,
        updated_at: sent_at.unwrap_or(created_at),
        sent_at: sent_at.or((status == SendStatus::Success).then_some(created_at)),
        fallback_of: None,
        locale: None,
    })
}

/// Where it stands, and why. What was on its way is known by nobody.
fn status(row: &Row) -> std::result::Result<(SendStatus, Option<SendReason>), Refusal> {
    match row.text("status") {
        "0" => Ok((SendStatus::Cancelled, None)),
        "1" => Ok((SendStatus::Success, None)),
        "2" => Ok((SendStatus::Uncertain, None)),
        "3" => Ok((SendStatus::Failed, Some(SendReason::Attempts))),
        other => Err(format!("status is neither 0, 1, 2 nor 3: {other:?}")),
    }
}
