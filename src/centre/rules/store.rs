//! Queries over `message_rule`. Every function takes the tenant.

use diesel::prelude::*;

use crate::centre::{accounts, recipients, templates};
use crate::db::AnyConnection;
use crate::db::schema::{chat_group, member, message_rule, tenant};
use crate::domain::centre::account::{AccountRow, Channel, Provider};
use crate::domain::centre::fallback::RuleFallback;
use crate::domain::centre::product::{MISSED_MESSAGES, PRODUCT_EVENTS, ProductEvent, Source};
use crate::domain::centre::recipient::Recipient;
use crate::domain::centre::rule::{RULES_MAX, RULES_OF_KEY_MAX, RuleRow, RuleStatus};
use crate::domain::centre::send::MessagePriority;
use crate::domain::centre::template::TemplateRow;
use crate::domain::centre::throttle::ThrottleBy;
use crate::domain::member::Role;
use crate::domain::tenant::TenantStatus;
use crate::journal::follower;
use crate::kernel::{Code, Error, MessageRuleId, MessageTemplateId, Result, TenantId};
use crate::on;

/// A rule that is not deleted.
pub fn find(connection: &mut AnyConnection, tenant: TenantId, id: MessageRuleId) -> Result<Option<RuleRow>> {
    Ok(message_rule::table
        .filter(message_rule::id.eq(id))
        .filter(message_rule::tenant_id.eq(tenant))
        .filter(message_rule::deleted_at.is_null())
        .select(RuleRow::as_select())
        .get_result(connection)
        .optional()?)
}

/// The rules that are not deleted in the order of their ids, after this one, at most `limit`; only those with this key
/// when one is given.
pub fn list(
    connection: &mut AnyConnection,
    tenant: TenantId,
    key: Option<String>,
    after: Option<MessageRuleId>,
    limit: i64,
) -> Result<Vec<RuleRow>> {
    let mut query = message_rule::table
        .filter(message_rule::tenant_id.eq(tenant))
        .filter(message_rule::deleted_at.is_null())
        .filter(message_rule::id.gt(after.unwrap_or(MessageRuleId(0))))
        .order(message_rule::id.asc())
        .limit(limit)
        .select(RuleRow::as_select())
        .into_boxed();
    if let Some(key) = key {
        query = query.filter(message_rule::key.eq(key));
    }
    Ok(query.load(connection)?)
}

/// The rules that are applied to events with this key, in the order of their ids.
pub fn active(connection: &mut AnyConnection, tenant: TenantId, key: &str) -> Result<Vec<RuleRow>> {
    Ok(message_rule::table
        .filter(message_rule::tenant_id.eq(tenant))
        .filter(message_rule::key.eq(key))
        .filter(message_rule::status.eq(RuleStatus::Active.as_str()))
        .filter(message_rule::deleted_at.is_null())
        .order(message_rule::id.asc())
        .limit(RULES_OF_KEY_MAX)
        .select(RuleRow::as_select())
        .load(connection)?)
}

/// Stores a new rule. Errors: `limit_reached`, `validation_failed` when its template and account do not fit.
pub fn insert(connection: &mut AnyConnection, row: &RuleRow) -> Result<()> {
    let live = || {
        message_rule::table
            .filter(message_rule::tenant_id.eq(row.tenant_id))
            .filter(message_rule::deleted_at.is_null())
    };
    let count: i64 = live().count().get_result(connection)?;
    if count >= RULES_MAX {
        return Err(Error::new(Code::LimitReached, format!("at most {RULES_MAX} rules")));
    }
    check(connection, row)?;
    diesel::insert_into(message_rule::table).values(row).execute(connection)?;
    follow(connection, row.tenant_id)
}

/// Stores a changed rule. Errors: `limit_reached`, `validation_failed` when its template and account do not fit.
pub fn update(connection: &mut AnyConnection, row: &RuleRow) -> Result<()> {
    check(connection, row)?;
    diesel::update(
        message_rule::table
            .filter(message_rule::id.eq(row.id))
            .filter(message_rule::tenant_id.eq(row.tenant_id)),
    )
    .set((
        message_rule::title.eq(&row.title),
        message_rule::key.eq(&row.key),
        message_rule::template_id.eq(row.template_id),
        message_rule::account_id.eq(row.account_id),
        message_rule::status.eq(row.status.as_str()),
        message_rule::priority.eq(row.priority),
        message_rule::conditions.eq(&row.conditions),
        message_rule::recipients.eq(&row.recipients),
        message_rule::quiet_hours.eq(row.quiet_hours.as_str()),
        (
            message_rule::delay_seconds.eq(row.delay_seconds),
            message_rule::ttl_seconds.eq(row.ttl_seconds),
            message_rule::dedupe_seconds.eq(row.dedupe_seconds),
            message_rule::dedupe_key.eq(&row.dedupe_key),
            message_rule::updated_at.eq(row.updated_at),
        ),
        (
            message_rule::fallback_template_id.eq(row.fallback_template_id),
            message_rule::fallback_account_id.eq(row.fallback_account_id),
            message_rule::fallback_on.eq(row.fallback_on.as_deref()),
            message_rule::fallback_after_seconds.eq(row.fallback_after_seconds),
        ),
        (
            message_rule::throttle_count.eq(row.throttle_count),
            message_rule::throttle_seconds.eq(row.throttle_seconds),
            message_rule::throttle_by.eq(row.throttle_by.as_str()),
            message_rule::waiting_seconds.eq(row.waiting_seconds),
            message_rule::schedule.eq(row.schedule.as_deref()),
            message_rule::schedule_next_at.eq(row.schedule_next_at),
            message_rule::digest.eq(row.digest.as_deref()),
        ),
    ))
    .execute(connection)?;
    follow(connection, row.tenant_id)
}

/// Deletes a rule; what it made is sent all the same. Errors: `not_found`.
pub fn delete(connection: &mut AnyConnection, tenant: TenantId, id: MessageRuleId, now: i64) -> Result<()> {
    let deleted = diesel::update(
        message_rule::table
            .filter(message_rule::id.eq(id))
            .filter(message_rule::tenant_id.eq(tenant))
            .filter(message_rule::deleted_at.is_null()),
    )
    .set((message_rule::deleted_at.eq(now), message_rule::updated_at.eq(now)))
    .execute(connection)?;
    match deleted {
        1 => follow(connection, tenant),
        _ => Err(Error::not_found()),
    }
}

/// The keys of what the product tells itself for which a tenant has an active rule.
pub fn followed(connection: &mut AnyConnection, tenant: TenantId) -> Result<Vec<ProductEvent>> {
    let keys: Vec<&str> = ProductEvent::ALL.iter().map(|event| event.as_str()).collect();
    let found: Vec<String> = on!(connection, inner => message_rule::table
        .filter(message_rule::tenant_id.eq(tenant))
        .filter(message_rule::key.eq_any(&keys))
        .filter(message_rule::status.eq(RuleStatus::Active.as_str()))
        .filter(message_rule::deleted_at.is_null())
        .select(message_rule::key)
        .load(inner))?;
    Ok(ProductEvent::ALL
        .iter()
        .copied()
        .filter(|event| found.iter().any(|key| key == event.as_str()))
        .collect())
}

/// Has the tenant's log followed while a rule asks for it, from where it is now.
fn follow(connection: &mut AnyConnection, tenant: TenantId) -> Result<()> {
    let followed = followed(connection, tenant)?;
    for (name, source) in [(PRODUCT_EVENTS, Source::Log), (MISSED_MESSAGES, Source::Absence)] {
        match followed.iter().any(|event| event.source() == source) {
            true => follower::begin(connection, name, tenant)?,
            false => follower::end(connection, name, tenant)?,
        }
    }
    Ok(())
}

/// The active rules, of active tenants, whose next time came until now, those that are late first, at most `limit`.
pub fn scheduled(connection: &mut AnyConnection, now: i64, limit: i64) -> Result<Vec<RuleRow>> {
    Ok(message_rule::table
        .inner_join(tenant::table.on(tenant::id.eq(message_rule::tenant_id)))
        .filter(message_rule::schedule_next_at.le(now))
        .filter(message_rule::status.eq(RuleStatus::Active.as_str()))
        .filter(message_rule::deleted_at.is_null())
        .filter(tenant::status.eq(TenantStatus::Active))
        .order((message_rule::schedule_next_at.asc(), message_rule::id.asc()))
        .limit(limit)
        .select(RuleRow::as_select())
        .load(connection)?)
}

/// Moves a rule from the time at which it was read to the next one; `false` when another process did, or when it was
/// changed since.
pub fn moved_on(connection: &mut AnyConnection, rule: &RuleRow, next: Option<i64>) -> Result<bool> {
    let moved = diesel::update(
        message_rule::table
            .filter(message_rule::id.eq(rule.id))
            .filter(message_rule::tenant_id.eq(rule.tenant_id))
            .filter(message_rule::status.eq(RuleStatus::Active.as_str()))
            .filter(message_rule::deleted_at.is_null())
            .filter(message_rule::schedule.eq(rule.schedule.as_deref()))
            .filter(message_rule::schedule_next_at.eq(rule.schedule_next_at)),
    )
    .set(message_rule::schedule_next_at.eq(next))
    .execute(connection)?;
    Ok(moved == 1)
}

/// The active rules that are told of conversations that wait too long, of active tenants, in the order of their ids, after
/// this one, at most `limit`: the rule, whose it is, and how many seconds it allows.
pub fn of_waits(
    connection: &mut AnyConnection,
    after: MessageRuleId,
    limit: i64,
) -> Result<Vec<(MessageRuleId, TenantId, i64)>> {
    Ok(message_rule::table
        .inner_join(tenant::table.on(tenant::id.eq(message_rule::tenant_id)))
        .filter(message_rule::key.eq(ProductEvent::ConversationWaitingLong.as_str()))
        .filter(message_rule::id.gt(after))
        .filter(message_rule::status.eq(RuleStatus::Active.as_str()))
        .filter(message_rule::deleted_at.is_null())
        .filter(message_rule::waiting_seconds.is_not_null())
        .filter(tenant::status.eq(TenantStatus::Active))
        .order(message_rule::id.asc())
        .limit(limit)
        .select((message_rule::id, message_rule::tenant_id, message_rule::waiting_seconds.assume_not_null()))
        .load(connection)?)
}

/// Whether the template and the account are there and fit, and the key has room.
fn check(connection: &mut AnyConnection, row: &RuleRow) -> Result<()> {
    let of_key: i64 = message_rule::table
        .filter(message_rule::tenant_id.eq(row.tenant_id))
        .filter(message_rule::key.eq(&row.key))
        .filter(message_rule::deleted_at.is_null())
        .filter(message_rule::id.ne(row.id))
        .count()
        .get_result(connection)?;
    if of_key >= RULES_OF_KEY_MAX {
        return Err(Error::new(Code::LimitReached, format!("at most {RULES_OF_KEY_MAX} rules with one key")));
    }
    let is_of_waits = row.key == ProductEvent::ConversationWaitingLong.as_str();
    match (is_of_waits, row.waiting_seconds) {
        (true, None) => {
            return Err(Error::field("/waiting_seconds", "required", "how long a conversation may wait"));
        }
        (false, Some(_)) => {
            let detail = format!("goes with the key {} only", ProductEvent::ConversationWaitingLong);
            return Err(Error::field("/waiting_seconds", "invalid", detail));
        }
        _ => {}
    }
    let is_product = ProductEvent::ALL.iter().any(|event| event.as_str() == row.key);
    if is_product && row.schedule.is_some() {
        let detail = "the product tells what this key names: it has no schedule";
        return Err(Error::field("/schedule", "invalid", detail));
    }
    if row.digest.is_some() && row.schedule.is_some() {
        return Err(Error::field("/digest", "invalid", "what sends by its schedule collects nothing"));
    }
    if row.digest.is_some() && row.priority == MessagePriority::Code.rank() {
        return Err(Error::field("/digest", "invalid", "somebody waits for a code: it goes out at once"));
    }
    let template = templates::store::find(connection, row.tenant_id, row.template_id)?
        .ok_or_else(|| Error::field("/template_id", "invalid", "there is no such template"))?;
    let account = accounts::store::find(connection, row.tenant_id, row.account_id)?
        .ok_or_else(|| Error::field("/account_id", "invalid", "there is no such channel account"))?;
    if account.provider.channel() != template.channel {
        return Err(Error::field("/account_id", "invalid", "the account is not of the template's channel"));
    }
    check_content(connection, &template, account.provider, "/template_id")?;
    if let Some(fallback) = row.fallback() {
        check_fallback(connection, row.tenant_id, &fallback, &account, template.channel)?;
    }
    if row.throttle().is_some_and(|throttle| throttle.by == ThrottleBy::Person)
        && !template.channel.has_recipients()
    {
        let detail = format!("what goes to a {} goes to no person", template.channel);
        return Err(Error::field("/throttle/by", "invalid", detail));
    }
    let recipients = row.read_recipients()?;
    match (template.channel.has_recipients(), recipients.is_empty()) {
        (true, true) => Err(Error::field("/recipients", "required", "whom the messages are for")),
        (false, false) => {
            let detail = format!("what goes to a {} has no recipients", template.channel);
            Err(Error::field("/recipients", "invalid", detail))
        }
        _ => recipients.iter().enumerate().try_for_each(|(index, recipient)| {
            match exists(connection, row.tenant_id, *recipient)? {
                true => Ok(()),
                false => {
                    let detail = "there is no such message recipient, member of the staff or group";
                    Err(Error::field(format!("/recipients/{index}/id"), "invalid", detail))
                }
            }
        }),
    }
}

/// Whether a provider can send what a template says: as it is published, or as it is drafted while it is not.
fn check_content(
    connection: &mut AnyConnection,
    template: &TemplateRow,
    provider: Provider,
    pointer: &str,
) -> Result<()> {
    let mut published = templates::store::published(connection, template.tenant_id, &[template.id])?;
    let contents = match published.remove(&template.id) {
        Some(published) => published.contents,
        None => template.read()?.0,
    };
    match contents.lacks(provider) {
        None => Ok(()),
        Some(what) => {
            let detail = format!("the template has no {what}, which the provider {provider} needs");
            Err(Error::field(pointer, "invalid", detail))
        }
    }
}

/// Whether what is sent instead can be, of a rule with this account and channel.
fn check_fallback(
    connection: &mut AnyConnection,
    tenant: TenantId,
    fallback: &RuleFallback,
    first: &AccountRow,
    channel: Channel,
) -> Result<()> {
    let refused =
        |field: &str, detail: &str| Err(Error::field(format!("/fallback/{field}"), "invalid", detail));
    let Some(template) = templates::store::find(connection, tenant, fallback.template_id)? else {
        return refused("template_id", "there is no such template");
    };
    let Some(account) = accounts::store::find(connection, tenant, fallback.account_id)? else {
        return refused("account_id", "there is no such channel account");
    };
    if account.provider.channel() != template.channel {
        return refused("account_id", "the account is not of the template's channel");
    }
    check_content(connection, &template, account.provider, "/fallback/template_id")?;
    if template.channel.has_recipients() && !channel.has_recipients() {
        return refused("template_id", "the rule has no recipients whom its fallback could be for");
    }
    if fallback.after_seconds.is_some() && !first.provider.has_receipts() {
        return refused("after_seconds", "the rule's account brings no receipts");
    }
    Ok(())
}

/// The templates that rules send from, first and instead.
pub fn templates(rules: &[RuleRow]) -> Vec<MessageTemplateId> {
    rules.iter().flat_map(|rule| [Some(rule.template_id), rule.fallback_template_id]).flatten().collect()
}

/// Whether whom a rule names is there.
fn exists(connection: &mut AnyConnection, tenant: TenantId, recipient: Recipient) -> Result<bool> {
    let count: i64 = match recipient {
        Recipient::Customer | Recipient::Agent | Recipient::Role { .. } => return Ok(true),
        Recipient::Recipient { id } => {
            return Ok(recipients::store::find(connection, tenant, id)?.is_some());
        }
        Recipient::Member { id } => member::table
            .filter(member::id.eq(id))
            .filter(member::tenant_id.eq(tenant))
            .filter(member::role.ne(Role::Customer.as_str()))
            .filter(member::deleted_at.is_null())
            .count()
            .get_result(connection)?,
        Recipient::Group { id } => chat_group::table
            .filter(chat_group::id.eq(id))
            .filter(chat_group::tenant_id.eq(tenant))
            .filter(chat_group::deleted_at.is_null())
            .count()
            .get_result(connection)?,
    };
    Ok(count > 0)
}
