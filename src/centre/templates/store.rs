//! Queries over `message_template` and `message_template_version`. Every function takes the tenant.

use std::collections::HashMap;

use diesel::prelude::*;

use crate::db::AnyConnection;
use crate::db::schema::{message_rule, message_template, message_template_version};
use crate::domain::centre::template::{Published, TEMPLATES_MAX, TemplateRow, VersionRow};
use crate::kernel::{Code, Error, MessageTemplateId, Result, TenantId};

/// A template that is not deleted.
pub fn find(
    connection: &mut AnyConnection,
    tenant: TenantId,
    id: MessageTemplateId,
) -> Result<Option<TemplateRow>> {
    Ok(message_template::table
        .filter(message_template::id.eq(id))
        .filter(message_template::tenant_id.eq(tenant))
        .filter(message_template::deleted_at.is_null())
        .select(TemplateRow::as_select())
        .get_result(connection)
        .optional()?)
}

/// The templates that are not deleted in the order of their ids, after this one, at most `limit`.
pub fn list(
    connection: &mut AnyConnection,
    tenant: TenantId,
    after: Option<MessageTemplateId>,
    limit: i64,
) -> Result<Vec<TemplateRow>> {
    Ok(message_template::table
        .filter(message_template::tenant_id.eq(tenant))
        .filter(message_template::deleted_at.is_null())
        .filter(message_template::id.gt(after.unwrap_or(MessageTemplateId(0))))
        .order(message_template::id.asc())
        .limit(limit)
        .select(TemplateRow::as_select())
        .load(connection)?)
}

/// The published versions of these templates, by template; those without one are left out, and one that cannot be read, of
/// which the log tells.
pub fn published(
    connection: &mut AnyConnection,
    tenant: TenantId,
    ids: &[MessageTemplateId],
) -> Result<HashMap<MessageTemplateId, Published>> {
    let mut found = HashMap::new();
    for id in ids {
        let version: Option<VersionRow> = message_template_version::table
            .inner_join(
                message_template::table.on(message_template::id
                    .eq(message_template_version::template_id)
                    .and(message_template::version.eq(message_template_version::version))),
            )
            .filter(message_template_version::template_id.eq(id))
            .filter(message_template_version::tenant_id.eq(tenant))
            .select(VersionRow::as_select())
            .get_result(connection)
            .optional()?;
        match version.as_ref().map(Published::try_from).transpose() {
            Ok(version) => found.extend(version.map(|version| (*id, version))),
            Err(error) => log::error!(target: "deskwire::centre", "template {id} cannot be applied: {error}"),
        }
    }
    Ok(found)
}

/// The versions of a template, the newest first, below this one, at most `limit`.
pub fn versions(
    connection: &mut AnyConnection,
    tenant: TenantId,
    id: MessageTemplateId,
    before: Option<i64>,
    limit: i64,
) -> Result<Vec<VersionRow>> {
    Ok(message_template_version::table
        .filter(message_template_version::template_id.eq(id))
        .filter(message_template_version::tenant_id.eq(tenant))
        .filter(message_template_version::version.lt(before.unwrap_or(i64::MAX)))
        .order(message_template_version::version.desc())
        .limit(limit)
        .select(VersionRow::as_select())
        .load(connection)?)
}

/// A version of a template.
pub fn version(
    connection: &mut AnyConnection,
    tenant: TenantId,
    id: MessageTemplateId,
    version: i64,
) -> Result<Option<VersionRow>> {
    Ok(message_template_version::table
        .find((id, version))
        .filter(message_template_version::tenant_id.eq(tenant))
        .select(VersionRow::as_select())
        .get_result(connection)
        .optional()?)
}

/// Stores a new template. Errors: `limit_reached`.
pub fn insert(connection: &mut AnyConnection, row: &TemplateRow) -> Result<()> {
    let count: i64 = message_template::table
        .filter(message_template::tenant_id.eq(row.tenant_id))
        .filter(message_template::deleted_at.is_null())
        .count()
        .get_result(connection)?;
    if count >= TEMPLATES_MAX {
        return Err(Error::new(Code::LimitReached, format!("at most {TEMPLATES_MAX} templates")));
    }
    diesel::insert_into(message_template::table).values(row).execute(connection)?;
    Ok(())
}

/// Stores a changed template.
pub fn update(connection: &mut AnyConnection, row: &TemplateRow) -> Result<()> {
    diesel::update(
        message_template::table
            .filter(message_template::id.eq(row.id))
            .filter(message_template::tenant_id.eq(row.tenant_id)),
    )
    .set((
        message_template::name.eq(&row.name),
        message_template::content.eq(&row.content),
        message_template::variables.eq(&row.variables),
        message_template::locale.eq(&row.locale),
        message_template::translations.eq(&row.translations),
        message_template::version.eq(row.version),
        message_template::changed.eq(row.changed),
        message_template::updated_at.eq(row.updated_at),
    ))
    .execute(connection)?;
    Ok(())
}

/// Stores a version.
pub fn insert_version(connection: &mut AnyConnection, row: &VersionRow) -> Result<()> {
    diesel::insert_into(message_template_version::table).values(row).execute(connection)?;
    Ok(())
}

/// Deletes a template; its versions stay, since sends name them. Errors: `not_found`, `in_use` while a rule uses it.
pub fn delete(
    connection: &mut AnyConnection,
    tenant: TenantId,
    id: MessageTemplateId,
    now: i64,
) -> Result<()> {
    if find(connection, tenant, id)?.is_none() {
        return Err(Error::not_found());
    }
    let rules: i64 = message_rule::table
        .filter(message_rule::tenant_id.eq(tenant))
        .filter(message_rule::deleted_at.is_null())
        .filter(message_rule::template_id.eq(id).or(message_rule::fallback_template_id.eq(id)))
        .count()
        .get_result(connection)?;
    if rules > 0 {
        return Err(Error::new(Code::InUse, format!("{rules} rules use this template")));
    }
    diesel::update(
        message_template::table
            .filter(message_template::id.eq(id))
            .filter(message_template::tenant_id.eq(tenant)),
    )
    .set((message_template::deleted_at.eq(now), message_template::updated_at.eq(now)))
    .execute(connection)?;
    Ok(())
}
