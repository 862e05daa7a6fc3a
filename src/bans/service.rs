//! What is done with bans. Each change is in the list of this process before it is answered.

use super::check;
use super::store::{self, Filter};
use crate::app::App;
use crate::db::AnyConnection;
use crate::domain::actor::Actor;
use crate::domain::audit::Act;
use crate::domain::ban::{BanKind, BanRow};
use crate::domain::permission::{Operation, require};
use crate::http::page::{Page, PageQuery};
use crate::journal::bans;
use crate::journal::ephemeral::Ephemeral;
use crate::kernel::{BanId, Error, MemberId, Millis, Result, TenantId};
use crate::members::profile::Checker;
use crate::members::store as members;

/// A ban that is to be made.
#[derive(Debug, Clone)]
pub struct NewBan {
    /// What it names.
    pub kind: BanKind,
    /// Which one.
    pub value: String,
    /// Why.
    pub reason: String,
    /// When it ends.
    pub expires_at: Option<Millis>,
}

/// What is to change; `None` stays.
#[derive(Debug, Clone)]
pub struct Patch {
    /// Why.
    pub reason: Option<String>,
    /// When it ends.
    pub expires_at: Option<Option<Millis>>,
}

/// Which bans are asked for; text that names nothing finds nothing.
#[derive(Debug, Clone, Default)]
pub struct Asked {
    /// Only of this kind.
    pub kind: Option<BanKind>,
    /// Only of this value, in whatever form.
    pub value: Option<String>,
    /// Only those that hold, or only those that ended.
    pub active: Option<bool>,
}

impl Asked {
    fn filter(self) -> Filter {
        let Self { kind, value, active } = self;
        let form = |kind: &BanKind, text: &str| {
            let mut check = Checker::default();
            let value = check::value(&mut check, *kind, text);
            check.finish().ok().map(|()| value)
        };
        let kinds = BanKind::ALL.iter().filter(|one| kind.is_none_or(|kind| **one == kind));
        let values = value.map(|text| kinds.filter_map(|kind| form(kind, &text)).collect());
        Filter { kind, values, active }
    }
}

/// The bans, the newest first; those that ended are among them. Errors: `forbidden`.
pub async fn list(app: &App, actor: Actor, asked: Asked, page: PageQuery) -> Result<Page<BanRow>> {
    require(&actor, Operation::ReadBans)?;
    let (limit, before, now) = (page.limit()?, page.after::<BanId>()?, app.clock.now().0);
    let filter = asked.filter();
    let read = move |connection: &mut AnyConnection| {
        store::list(connection, actor.tenant, filter, before, limit + 1, now)
    };
    Ok(Page::new(app.db.read(read).await?, limit, |row| row.id))
}

/// One ban. Errors: `forbidden`, `not_found`.
pub async fn get(app: &App, actor: Actor, id: BanId) -> Result<BanRow> {
    require(&actor, Operation::ReadBans)?;
    app.db.read(move |connection| found(connection, actor.tenant, id)).await
}

fn found(connection: &mut AnyConnection, tenant: TenantId, id: BanId) -> Result<BanRow> {
    store::find(connection, tenant, id)?.ok_or_else(Error::not_found)
}

/// Bans. Errors: `forbidden`, `limit_reached`, `name_taken` for what is banned already, `validation_failed`.
pub async fn create(app: &App, actor: Actor, new: NewBan) -> Result<BanRow> {
    require(&actor, Operation::ManageBans)?;
    let now = app.clock.now();
    let mut check = Checker::default();
    let value = check::value(&mut check, new.kind, &new.value);
    let reason = check::reason(&mut check, &new.reason);
    let expires_at = check::end(&mut check, new.expires_at, now);
    check.finish()?;
    let row = BanRow {
        id: BanId(app.ids.next()?),
        tenant_id: actor.tenant,
        kind: new.kind,
        value,
        reason,
        expires_at,
        created_by: actor.member,
        created_at: now.0,
        updated_at: now.0,
    };
    let (kept, audit) = (row.clone(), app.auditor(&actor)?);
    let write = move |connection: &mut AnyConnection| {
        bans::hold(connection, actor.tenant)?;
        if kept.kind == BanKind::Member {
            check_customer(connection, &kept)?;
        }
        store::insert(connection, &kept)?;
        audit.note(connection, Act::created(&kept))?;
        bans::moved(connection, actor.tenant)
    };
    app.db.write(write).await?;
    take_in(app, actor, row.id, "made").await;
    Ok(row)
}

/// Only customers can be banned, by the account that they have now.
fn check_customer(connection: &mut AnyConnection, row: &BanRow) -> Result<()> {
    let wrong = |detail: String| Error::field("/value", "invalid", detail);
    let id: MemberId = row.value.parse().map_err(|_| wrong("expected the id of a member".to_owned()))?;
    let member = members::find(connection, row.tenant_id, id)?;
    let member = member.ok_or_else(|| wrong("there is no such customer".to_owned()))?;
    if member.role.is_staff() {
        return Err(wrong("only customers can be banned: disable an account of the staff".to_owned()));
    }
    match member.merged_into {
        Some(known) => Err(wrong(format!("this visitor was recognised as member {known}: ban that one"))),
        None => Ok(()),
    }
}

/// Changes why a ban is there and when it ends. Errors: `forbidden`, `not_found`, `validation_failed`.
pub async fn update(app: &App, actor: Actor, id: BanId, patch: Patch) -> Result<BanRow> {
    require(&actor, Operation::ManageBans)?;
    let now = app.clock.now();
    let mut check = Checker::default();
    let reason = patch.reason.map(|reason| check::reason(&mut check, &reason));
    let expires_at = patch.expires_at.map(|end| check::end(&mut check, end, now));
    check.finish()?;
    let audit = app.auditor(&actor)?;
    let write = move |connection: &mut AnyConnection| {
        bans::hold(connection, actor.tenant)?;
        let before = found(connection, actor.tenant, id)?;
        let row = BanRow {
            reason: reason.clone().unwrap_or_else(|| before.reason.clone()),
            expires_at: expires_at.unwrap_or(before.expires_at),
            updated_at: now.0,
            ..before.clone()
        };
        store::update(connection, &row)?;
        audit.note(connection, Act::updated(&before, &row))?;
        bans::moved(connection, actor.tenant)?;
        Ok(row)
    };
    let row = app.db.write(write).await?;
    take_in(app, actor, id, "changed").await;
    Ok(row)
}

/// Lets in again whom a ban met. Errors: `forbidden`, `not_found`.
pub async fn delete(app: &App, actor: Actor, id: BanId) -> Result<()> {
    require(&actor, Operation::ManageBans)?;
    let audit = app.auditor(&actor)?;
    let write = move |connection: &mut AnyConnection| {
        bans::hold(connection, actor.tenant)?;
        let row = found(connection, actor.tenant, id)?;
        store::delete(connection, actor.tenant, id)?;
        audit.note(connection, Act::deleted(&row))?;
        bans::moved(connection, actor.tenant)
    };
    app.db.write(write).await?;
    take_in(app, actor, id, "deleted").await;
    Ok(())
}

/// Takes a change in here before it is answered, so that the next request meets it already, and has the sockets of this
/// process looked at. Leaves a line of ids and words of our own, so that nobody can forge one.
async fn take_in(app: &App, actor: Actor, id: BanId, what: &str) {
    if let Err(error) = app.auth.catch_up_bans(&app.db).await {
        log::warn!(target: "deskwire::auth", "a ban will take a moment longer: {error}");
    }
    app.feed.ephemeral(Ephemeral::Bans(actor.tenant));
    log::info!(
        target: "deskwire::auth",
        "ban {id} of tenant {}: {what}, by member {}", actor.tenant, actor.member,
    );
}
