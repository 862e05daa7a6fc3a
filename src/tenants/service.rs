//! What is done with tenants. Usable without HTTP: the command line calls it too.

use std::net::IpAddr;

use super::bot::UpdateBotSettings;
use super::routing::{UpdateQueueSettings, UpdateRoutingSettings};
use super::store::{self, TenantRow};
use super::timers::{RATING_MAX_SECONDS, REOPEN_MAX_SECONDS, UpdateTimerSettings};
use crate::app::App;
use crate::auth::sessions::change_access;
use crate::db::types::Json;
use crate::domain::actor::{Actor, Principal};
use crate::domain::audit::Act;
use crate::domain::member::Role;
use crate::domain::permission::{Operation, require};
use crate::domain::tenant::{TenantSettings, TenantStatus};
use crate::journal::audit::Auditor;
use crate::journal::commands::ChangeTenant;
use crate::kernel::text::is_key;
use crate::kernel::{Code, Error, Result, TenantId};
use crate::members::input::{NewMember, prepare};
use crate::members::profile::Checker;
use crate::members::store::{self as members, MemberRow};
use crate::security::password::{Password, Queue};

/// Longest name of a tenant, in characters.
pub const NAME_MAX: usize = 200;
/// Longest window for edits and recalls: a week.
pub const WINDOW_MAX_SECONDS: i64 = 604_800;

/// Most transfers of a conversation within an hour that a tenant can allow.
pub const TRANSFER_LIMIT_MAX: i64 = 100;
/// Longest grace after the last socket, in seconds.
pub const GRACE_MAX_SECONDS: i64 = 600;
/// Longest time for which conversations are kept, when they are not kept for ever, in days: a hundred years.
pub const RETENTION_MAX_DAYS: i64 = 36_500;
/// Longest time for which an absent agent keeps its conversations, when it does not keep them for ever: a day.
pub const REQUEUE_MAX_SECONDS: i64 = 86_400;

/// A new tenant with its first administrator.
#[derive(Debug, Clone)]
pub struct NewTenant {
    /// The name in addresses and at sign-in: a key.
    pub slug: String,
    /// The name for people; the slug when empty.
    pub name: String,
    /// The administrator's login name.
    pub admin_name: String,
    /// The administrator's password.
    pub admin_password: Password,
    /// The administrator's nickname; the login name when empty.
    pub admin_nickname: String,
}

/// Makes a tenant and its first administrator, for somebody at this address. Errors: `name_taken`, `validation_failed`.
pub async fn create(app: &App, new: NewTenant, address: Option<IpAddr>) -> Result<(TenantRow, MemberRow)> {
    let mut check = Checker::default();
    if !is_key(&new.slug) {
        check.wrong("/slug", "invalid", "1 to 64 of A-Z a-z 0-9 . _ : -");
    }
    let name = check.line("/name", &new.name, NAME_MAX);
    check.finish()?;
    let now = app.clock.now().0;
    let tenant = TenantRow {
        id: TenantId(app.ids.next()?),
        name: if name.is_empty() { new.slug.clone() } else { name },
        slug: new.slug,
        status: TenantStatus::Active,
        settings: Json(TenantSettings::default()),
        rev: 0,
        created_at: now,
        updated_at: now,
    };
    let mut admin = NewMember::new(Role::Admin);
    admin.login_name = Some(new.admin_name);
    admin.password = Some(new.admin_password);
    admin.nickname = new.admin_nickname;
    let admin = prepare(app, tenant.id, admin, Queue::Strangers).await.map_err(below_admin)?;
    let audit = Auditor::stranger(tenant.id, address, &app.ids, &app.clock)?;
    let (kept, ids) = ((tenant.clone(), admin.clone()), app.ids.clone());
    app.db
        .write(move |connection| {
            store::insert(connection, &kept.0)?;
            members::insert(connection, &kept.1)?;
            audit.note_each(connection, &ids, [Act::created(&kept.0), Act::created(&kept.1)])
        })
        .await?;
    Ok((tenant, admin))
}

/// The administrator's fields stand under `/admin` in the body.
fn below_admin(mut error: Error) -> Error {
    for field in &mut error.fields {
        field.pointer = format!("/admin{}", field.pointer);
    }
    error
}

/// What is to change; `None` leaves a field alone.
#[derive(Debug, Clone, Default)]
pub struct Patch {
    /// The name for people.
    pub name: Option<String>,
    /// See [`TenantSettings::edit_window_seconds`].
    pub edit_window_seconds: Option<i64>,
    /// See [`TenantSettings::recall_window_seconds`].
    pub recall_window_seconds: Option<i64>,
    /// See [`TenantSettings::reopen_window_seconds`].
    pub reopen_window_seconds: Option<Option<i64>>,
    /// See [`TenantSettings::rating_window_seconds`].
    pub rating_window_seconds: Option<i64>,
    /// See [`TenantSettings::claim_above_max_accept`].
    pub claim_above_max_accept: Option<bool>,
    /// See [`TenantSettings::assign_above_max_accept`].
    pub assign_above_max_accept: Option<bool>,
    /// See [`TenantSettings::transfer_above_max_accept`].
    pub transfer_above_max_accept: Option<bool>,
    /// See [`TenantSettings::transfer_limit`].
    pub transfer_limit: Option<i64>,
    /// See [`TenantSettings::only_assignee_answers`].
    pub only_assignee_answers: Option<bool>,
    /// See [`TenantSettings::presence_grace_seconds`].
    pub presence_grace_seconds: Option<i64>,
    /// See [`TenantSettings::disconnect_requeue_seconds`].
    pub disconnect_requeue_seconds: Option<Option<i64>>,
    /// See [`TenantSettings::away_requeue_seconds`].
    pub away_requeue_seconds: Option<Option<i64>>,
    /// See [`TenantSettings::retention_days`].
    pub retention_days: Option<Option<i64>>,
    /// See [`TenantSettings::timers`].
    pub timers: UpdateTimerSettings,
    /// See [`TenantSettings::routing`].
    pub routing: UpdateRoutingSettings,
    /// See [`TenantSettings::queue`].
    pub queue: UpdateQueueSettings,
    /// See [`TenantSettings::bot`].
    pub bot: UpdateBotSettings,
}

/// The actor's tenant.
pub async fn get(app: &App, actor: Actor) -> Result<TenantRow> {
    app.db.read(move |connection| store::find(connection, actor.tenant)).await
}

/// Changes the actor's tenant. Errors: `forbidden`, `validation_failed`.
pub async fn update(app: &App, actor: Actor, patch: Patch) -> Result<TenantRow> {
    require(&actor, Operation::ManageTenant)?;
    let mut check = Checker::default();
    let name = patch.name.map(|name| check.required_line("/name", &name, NAME_MAX));
    let numbers = [
        ("edit_window_seconds", patch.edit_window_seconds, WINDOW_MAX_SECONDS),
        ("recall_window_seconds", patch.recall_window_seconds, WINDOW_MAX_SECONDS),
        ("reopen_window_seconds", patch.reopen_window_seconds.flatten(), REOPEN_MAX_SECONDS),
        ("rating_window_seconds", patch.rating_window_seconds, RATING_MAX_SECONDS),
        ("transfer_limit", patch.transfer_limit, TRANSFER_LIMIT_MAX),
        ("presence_grace_seconds", patch.presence_grace_seconds, GRACE_MAX_SECONDS),
        ("disconnect_requeue_seconds", patch.disconnect_requeue_seconds.flatten(), REQUEUE_MAX_SECONDS),
        ("away_requeue_seconds", patch.away_requeue_seconds.flatten(), REQUEUE_MAX_SECONDS),
    ];
    for (name, number, most) in numbers {
        if number.is_some_and(|number| !(0..=most).contains(&number)) {
            check.wrong(&format!("/settings/{name}"), "out_of_range", format!("0 to {most}"));
        }
    }
    if patch.retention_days.flatten().is_some_and(|days| !(1..=RETENTION_MAX_DAYS).contains(&days)) {
        check.wrong("/settings/retention_days", "out_of_range", format!("1 to {RETENTION_MAX_DAYS}"));
    }
    patch.timers.check(&mut check);
    patch.routing.check(&mut check);
    patch.queue.check(&mut check);
    patch.bot.check(&mut check);
    check.finish()?;
    let (now, audit) = (app.clock.now(), app.auditor(&actor)?);
    let row = app
        .db
        .write(move |connection| {
            let present = store::find(connection, actor.tenant)?;
            let mut settings = present.settings.0;
            if let Some(window) = patch.edit_window_seconds {
                settings.edit_window_seconds = window;
            }
            if let Some(window) = patch.recall_window_seconds {
                settings.recall_window_seconds = window;
            }
            if let Some(window) = patch.rating_window_seconds {
                settings.rating_window_seconds = window;
            }
            if let Some(window) = patch.reopen_window_seconds {
                settings.reopen_window_seconds = window;
            }
            if let Some(allowed) = patch.claim_above_max_accept {
                settings.claim_above_max_accept = allowed;
            }
            if let Some(allowed) = patch.assign_above_max_accept {
                settings.assign_above_max_accept = allowed;
            }
            if let Some(allowed) = patch.transfer_above_max_accept {
                settings.transfer_above_max_accept = allowed;
            }
            if let Some(limit) = patch.transfer_limit {
                settings.transfer_limit = limit;
            }
            if let Some(only) = patch.only_assignee_answers {
                settings.only_assignee_answers = only;
            }
            if let Some(grace) = patch.presence_grace_seconds {
                settings.presence_grace_seconds = grace;
            }
            if let Some(after) = patch.disconnect_requeue_seconds {
                settings.disconnect_requeue_seconds = after;
            }
            if let Some(after) = patch.away_requeue_seconds {
                settings.away_requeue_seconds = after;
            }
            if let Some(days) = patch.retention_days {
                settings.retention_days = days;
            }
            settings.timers = patch.timers.apply(settings.timers)?;
            settings.routing = patch.routing.apply(settings.routing);
            settings.queue = patch.queue.apply(settings.queue);
            settings.bot = patch.bot.apply(connection, actor.tenant, settings.bot, now.0)?;
            let name = name.as_deref().unwrap_or(&present.name);
            store::change(connection, actor.tenant, name, &settings, now)?;
            let row = store::find(connection, actor.tenant)?;
            audit.note(connection, Act::updated(&present, &row))?;
            Ok(row)
        })
        .await?;
    app.nudges.nudge(actor.tenant);
    Ok(row)
}

/// Suspends a tenant or opens it again; for the operator, who stands above all tenants.
pub async fn set_suspended(app: &App, slug: &str, suspended: bool) -> Result<TenantRow> {
    let name = slug.to_owned();
    let tenant = app.db.read(move |connection| store::find_by_slug(connection, &name)).await?;
    let tenant = tenant.ok_or_else(|| Error::new(Code::NotFound, "there is no such tenant"))?;
    change_access(app, Principal::Operator(tenant.id), ChangeTenant { suspended }).await?;
    app.db.read(move |connection| store::find(connection, tenant.id)).await
}
