//! The message centre: `message_info`, `message_work_user`, `message_rule`.

use super::report::Outcome;
use super::row::{Refusal, Row};
use super::state::Import;
use super::store as ledger;
use super::tables::{MESSAGE_INFO, MESSAGE_RULE, MESSAGE_WORK_USER};
use super::templates::content;
use crate::centre::templates::service::checked;
use crate::centre::{identities, recipients, rules, templates};
use crate::db::AnyConnection;
use crate::db::types::json_text;
use crate::domain::centre::account::{Channel, NAME_MAX};
use crate::domain::centre::recipient::{
    IdentityRow, OPENID_MAX, QuietHoursPolicy, Recipient, RecipientRow, RecipientStatus, e164,
};
use crate::domain::centre::rule::{RuleRow, RuleStatus};
use crate::domain::centre::send::MessagePriority;
use crate::domain::centre::template::{Contents, TemplateRow, VersionRow};
use crate::domain::centre::throttle::ThrottleBy;
use crate::kernel::text::is_key;
use crate::kernel::{
    Code, Error, MessageIdentityId, MessageRecipientId, MessageRuleId, MessageTemplateId, PersonId, Result,
};
use crate::members::profile::Checker;

/// Stores something under its row, unless it is there. What the rows of the message centre themselves refuse is a refusal.
pub async fn stored(
    import: &mut Import,
    table: &'static str,
    row: &Row,
    id: i64,
    changes: Vec<String>,
    mut write: impl FnMut(&mut AnyConnection) -> Result<()> + Send + 'static,
) -> Result<Outcome> {
    let key = row.id.to_string();
    if import.ledger.one(table, &key).await?.is_some() {
        return Ok(Outcome::Present);
    }
    if import.dry_run {
        import.ledger.plan(table, &key, id);
        return Ok(Outcome::Imported(changes));
    }
    let (tenant, source, now) = (import.tenant, import.ledger.source().to_owned(), import.app.clock.now().0);
    let kept = key.clone();
    let done = import
        .app
        .db
        .write(move |connection| {
            ledger::keep(connection, tenant, (&source, table), &kept, id, now)?;
            write(connection)
        })
        .await;
    match done {
        Ok(()) => Ok(Outcome::Imported(changes)),
        Err(_) if import.ledger.one(table, &key).await?.is_some() => Ok(Outcome::Present),
        Err(error) if matches!(error.code, Code::ValidationFailed | Code::LimitReached) => {
            Ok(Outcome::Refused(told(&error)))
        }
        Err(error) => Err(error),
    }
}

/// What is wrong, with the place where it stands.
fn told(error: &Error) -> Refusal {
    let place = error.fields.first().map(|field| format!("{}: ", field.pointer)).unwrap_or_default();
    format!("{place}{}", error.detail)
}

fn line(column: &str, text: &str) -> std::result::Result<String, Refusal> {
    let mut check = Checker::default();
    let line = check.required_line("", text, NAME_MAX);
    check.finish().map(|()| line).map_err(|error| format!("{column}: {}", error.detail))
}

/// When a row was made and changed.
fn times(import: &Import, row: &Row) -> std::result::Result<(i64, i64), Refusal> {
    let made = row.moment("ctm", &import.zone)?.ok_or("ctm is empty")?;
    Ok((made, row.moment("utm", &import.zone)?.unwrap_or(made)))
}

/// Imports `message_info`.
pub async fn template(import: &mut Import, row: &Row) -> Result<Outcome> {
    let id = MessageTemplateId(import.app.ids.next()?);
    let read = || {
        let name = line("name", row.text("name"))?;
        let (content, variables) = content(row)?;
        let contents = Contents { locale: None, content, translations: Vec::new() };
        checked(Checker::default(), &contents, &variables).map_err(|error| told(&error))?;
        let (created_at, updated_at) = times(import, row)?;
        Ok(TemplateRow {
            id,
            tenant_id: import.tenant,
            name,
            channel: contents.content.channel(),
            content: json_text(&contents.content),
            variables: json_text(&variables),
            version: 1,
            changed: false,
            created_at,
            updated_at,
            deleted_at: None,
            locale: None,
            translations: None,
        })
    };
    let made: TemplateRow = match read() {
        Ok(made) => made,
        Err(why) => return Ok(Outcome::Refused(why)),
    };
    let version = VersionRow {
        template_id: id,
        version: 1,
        tenant_id: made.tenant_id,
        content: made.content.clone(),
        variables: made.variables.clone(),
        created_at: made.updated_at,
        locale: None,
        translations: None,
    };
    if import.dry_run {
        import.channels.insert(id.0, made.channel);
    }
    stored(import, MESSAGE_INFO.name, row, id.0, Vec::new(), move |connection| {
        templates::store::insert(connection, &made)?;
        templates::store::insert_version(connection, &version)
    })
    .await
}

/// Imports `message_work_user`.
pub async fn recipient(import: &mut Import, row: &Row) -> Result<Outcome> {
    let id = MessageRecipientId(import.app.ids.next()?);
    let mut changes = Vec::new();
    let status = match row.text("status") {
        "1" | "" => RecipientStatus::Active,
        "0" => RecipientStatus::Disabled,
        other => return Ok(Outcome::Refused(format!("status is neither 0 nor 1: {other:?}"))),
    };
    let (name, (created_at, _)) =
        match line("name", row.text("name")).and_then(|name| Ok((name, times(import, row)?))) {
            Ok(read) => read,
            Err(why) => return Ok(Outcome::Refused(why)),
        };
    let phone = row.some("phone").and_then(|phone| {
        let read = e164(phone);
        if read.is_none() {
            changes.push("phone is left out: it has no country, and is no mobile number of China".to_owned());
        }
        read
    });
    let made = RecipientRow {
        id,
        tenant_id: import.tenant,
        member_id: None,
        name,
        phone: phone.unwrap_or_default(),
        email: String::new(),
        time_zone: import.zone.iana_name().unwrap_or("UTC").to_owned(),
        quiet_from: None,
        quiet_until: None,
        status,
        created_at,
        updated_at: created_at,
        deleted_at: None,
        locale: String::new(),
    };
    let identity = match row.some("openid") {
        None => None,
        Some(openid) if openid.chars().count() > OPENID_MAX => {
            changes.push(format!("openid is left out: it is longer than {OPENID_MAX} characters"));
            None
        }
        Some(openid) => match account(import, Channel::Wechat).await? {
            None => {
                changes.push("openid is left out: the tenant has no channel account of WeChat".to_owned());
                None
            }
            Some(account_id) => Some(IdentityRow {
                id: MessageIdentityId(import.app.ids.next()?),
                tenant_id: import.tenant,
                account_id,
                person_id: PersonId(id.0),
                openid: openid.to_owned(),
                created_at,
                updated_at: created_at,
            }),
        },
    };
    stored(import, MESSAGE_WORK_USER.name, row, id.0, changes, move |connection| {
        recipients::store::insert(connection, &made)?;
        match identity.clone() {
            Some(identity) => identities::store::put(connection, identity).map(drop),
            None => Ok(()),
        }
    })
    .await
}

async fn account(import: &Import, channel: Channel) -> Result<Option<crate::kernel::ChannelAccountId>> {
    let tenant = import.tenant;
    let found = import.app.db.read(move |connection| ledger::account(connection, tenant, channel)).await?;
    Ok(found.map(|account| account.id))
}

/// Imports `message_rule`.
pub async fn rule(import: &mut Import, row: &Row) -> Result<Outcome> {
    let id = MessageRuleId(import.app.ids.next()?);
    let made = match read_rule(import, row, id).await? {
        Ok(made) => made,
        Err(why) => return Ok(Outcome::Refused(why)),
    };
    stored(import, MESSAGE_RULE.name, row, id.0, Vec::new(), move |connection| {
        rules::store::insert(connection, &made)
    })
    .await
}

async fn read_rule(
    import: &Import,
    row: &Row,
    id: MessageRuleId,
) -> Result<std::result::Result<RuleRow, Refusal>> {
    let status = match row.text("status") {
        "1" | "" => RuleStatus::Active,
        "0" => RuleStatus::Disabled,
        other => return Ok(Err(format!("status is neither 0 nor 1: {other:?}"))),
    };
    let key = row.text("key").trim().to_owned();
    if !is_key(&key) {
        return Ok(Err(format!("key is none: 1 to 64 of A-Z a-z 0-9 . _ : -: {key:?}")));
    }
    let (title, (created_at, updated_at)) =
        match line("title", row.text("title")).and_then(|title| Ok((title, times(import, row)?))) {
            Ok(read) => read,
            Err(why) => return Ok(Err(why)),
        };
    let info = row.text("info_id").to_owned();
    let Some(template) = import.ledger.one(MESSAGE_INFO.name, &info).await? else {
        return Ok(Err(format!("info_id {info:?} did not come in")));
    };
    let template_id = MessageTemplateId(template);
    let tenant = import.tenant;
    let template =
        import.app.db.read(move |connection| templates::store::find(connection, tenant, template_id)).await?;
    let channel = template.map(|template| template.channel).or(import.channels.get(&template_id.0).copied());
    let Some(channel) = channel else {
        return Ok(Err(format!("the template of info_id {info:?} is deleted")));
    };
    let Some(account_id) = account(import, channel).await? else {
        let why =
            format!("the tenant has no channel account of the channel {channel}: make one and import again");
        return Ok(Err(why));
    };
    let recipients = match read_recipients(import, row).await? {
        Ok(recipients) => recipients,
        Err(why) => return Ok(Err(why)),
    };
    Ok(Ok(RuleRow {
        id,
        tenant_id: import.tenant,
        title,
        key,
        template_id,
        account_id,
        status,
        priority: MessagePriority::Notice.rank(),
        conditions: "[]".to_owned(),
        delay_seconds: 0,
        ttl_seconds: 0,
        dedupe_seconds: 0,
        dedupe_key: String::new(),
        recipients: json_text(&recipients),
        quiet_hours: QuietHoursPolicy::Defer,
        created_at,
        updated_at,
        deleted_at: None,
        fallback_template_id: None,
        fallback_account_id: None,
        fallback_on: None,
        fallback_after_seconds: None,
        throttle_count: 0,
        throttle_seconds: 0,
        throttle_by: ThrottleBy::Rule,
        waiting_seconds: None,
        schedule: None,
        schedule_next_at: None,
        digest: None,
    }))
}

async fn read_recipients(import: &Import, row: &Row) -> Result<std::result::Result<Vec<Recipient>, Refusal>> {
    let mut recipients = Vec::new();
    for one in row.list("to_user") {
        let recipient = match one.as_str() {
            "1" => Recipient::Customer,
            "2" => {
                let work = row.text("work_id").to_owned();
                match import.ledger.one(MESSAGE_WORK_USER.name, &work).await? {
                    Some(id) => Recipient::Recipient { id: MessageRecipientId(id) },
                    None => return Ok(Err(format!("work_id {work:?} did not come in"))),
                }
            }
            other => return Ok(Err(format!("to_user is neither 1 nor 2: {other:?}"))),
        };
        if !recipients.contains(&recipient) {
            recipients.push(recipient);
        }
    }
    Ok(Ok(recipients))
}
