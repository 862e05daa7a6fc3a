//! What is done with accounts. Usable without HTTP: the command line calls it too.

use super::input::{NO_SIGN_IN, NewMember, Patch, change_of, claimed, prepare, vouched};
use super::store::{self, Filter, MemberRow};
use crate::app::App;
use crate::auth::{service as sign_in, sessions};
use crate::db::AnyConnection;
use crate::domain::actor::Actor;
use crate::domain::actor::Principal;
use crate::domain::audit::{Act, AuditAction};
use crate::domain::member::{MemberStatus, Role};
use crate::domain::permission::{Operation, Scope, require};
use crate::http::page::{Page, PageQuery};
use crate::journal::audit::Auditor;
use crate::journal::bans;
use crate::journal::commands::{ChangeMember, RevokeSessions};
use crate::journal::store::transaction::{Wait, lock_tenants};
use crate::kernel::{Code, Error, MemberId, Millis, Result, TenantId};
use crate::security::password::{Password, Queue};

/// Makes an account. Errors: `forbidden`, `name_taken`, `validation_failed`.
pub async fn create(app: &App, actor: Actor, new: NewMember) -> Result<MemberRow> {
    administrate(&actor)?;
    let row = prepare(app, actor.tenant, new, Queue::Known).await?;
    let (kept, audit) = (row.clone(), app.auditor(&actor)?);
    app.db
        .write(move |connection| {
            if let Some(parent) = kept.parent_id {
                // No command changes the parent while this is decided.
                lock_tenants(connection, &[kept.tenant_id], Wait::Short)?;
                check_parent(connection, kept.tenant_id, parent, kept.role)?;
            }
            store::insert(connection, &kept)?;
            audit.note(connection, Act::created(&kept))
        })
        .await?;
    Ok(row)
}

/// One account that the actor may see: its own, a sub-account, or, for those who oversee, any of the tenant.
pub async fn get(app: &App, actor: Actor, id: MemberId) -> Result<MemberRow> {
    let scope = require(&actor, Operation::ReadMembers)?;
    let row = app.db.read(move |connection| store::find(connection, actor.tenant, id)).await?;
    row.filter(|row| scope == Scope::Tenant || row.id == actor.member || row.parent_id == Some(actor.member))
        .ok_or_else(Error::not_found)
}

/// The accounts that the actor may see, newest first. Who does not oversee sees its sub-accounts.
pub async fn list(app: &App, actor: Actor, mut filter: Filter, page: PageQuery) -> Result<Page<MemberRow>> {
    if require(&actor, Operation::ReadMembers)? != Scope::Tenant {
        if filter.parent_id.is_some_and(|parent| parent != actor.member) {
            return Ok(Page { data: Vec::new(), next_cursor: None });
        }
        filter.parent_id = Some(actor.member);
    }
    let (limit, before) = (page.limit()?, page.after::<MemberId>()?);
    let rows = app
        .db
        .read(move |connection| store::list(connection, actor.tenant, &filter, before, limit + 1))
        .await?;
    Ok(Page::new(rows, limit, |row| row.id))
}

/// Changes an account. Administrators change everything, but not their own role and state; others only the state of
/// their sub-accounts.
pub async fn update(app: &App, actor: Actor, id: MemberId, patch: Patch) -> Result<MemberRow> {
    let scope = require(&actor, Operation::ManageMembers)?;
    let present = get(app, actor, id).await?;
    let own = id == actor.member;
    let only_status = Patch { status: patch.status, ..Patch::default() };
    let (role, status) = (patch.role, patch.status);
    let expires_at = patch.expires_at.map(|end| end.map(|end| end.0));
    let change = vouched(change_of(app, patch.clone())?);
    if scope != Scope::Tenant && (present.parent_id != Some(actor.member) || patch != only_status) {
        return Err(Error::new(Code::Forbidden, "only the state of own sub-accounts may be changed"));
    }
    let new_end = expires_at.filter(|end| *end != present.expires_at);
    if own
        && (role.is_some_and(|role| role != present.role)
            || status == Some(MemberStatus::Disabled)
            || new_end.is_some())
    {
        return Err(Error::new(
            Code::Forbidden,
            "nobody changes the own role, state or end: another one must",
        ));
    }
    if present.service_account && patch.login_name.is_some() {
        return Err(Error::field("/login_name", "read_only", NO_SIGN_IN));
    }
    // What must hold of the tenant's accounts together is judged first, in the journal.
    let new_parent = patch.parent_id.filter(|parent| *parent != present.parent_id);
    if role.is_some() || status.is_some() || new_end.is_some() || new_parent.is_some() {
        let mut change = ChangeMember::of(id);
        (change.role, change.status) = (role, status);
        (change.expires_at, change.parent_id) = (new_end, new_parent);
        change_member(app, actor, change).await?;
        if let Some(role) = role.filter(|role| *role != present.role) {
            log_act(&actor, &present, &format!("role {} becomes {role}", present.role));
        }
        if let Some(status) = status.filter(|status| *status != present.status) {
            log_act(&actor, &present, status.as_str());
        }
    }
    if let Some(end) = new_end {
        log_act(
            &actor,
            &present,
            &end.map_or("has no end".to_owned(), |end| format!("ends {}", Millis(end))),
        );
    }
    let audit = app.auditor(&actor)?;
    app.db
        .write(move |connection| {
            let before = store::find(connection, actor.tenant, id)?.ok_or_else(Error::not_found)?;
            store::change(connection, actor.tenant, id, &change)?;
            let after = store::find(connection, actor.tenant, id)?.ok_or_else(Error::not_found)?;
            audit.note(connection, Act::updated(&before, &after))
        })
        .await?;
    // It may accept more than before, or have another skill.
    app.nudges.nudge(actor.tenant);
    get(app, actor, id).await
}

/// Changes what everybody may change about the own account. What the tenant vouches for stays as it is. A customer does
/// not take an e-mail address that is banned (`banned`).
pub async fn update_own(app: &App, actor: Actor, patch: Patch) -> Result<MemberRow> {
    let change = change_of(app, patch)?;
    let now = app.clock.now().0;
    app.db
        .write(move |connection| {
            let present =
                store::find(connection, actor.tenant, actor.member)?.ok_or_else(Error::not_found)?;
            let change = claimed(change.clone(), &present)?;
            if let Some(email) = change.email.as_ref().filter(|_| !actor.role.is_staff())
                && bans::names(connection, actor.tenant, actor.member, email, now)?
            {
                return Err(Error::new(Code::Banned, Code::Banned.meaning()));
            }
            match store::change(connection, actor.tenant, actor.member, &change)? {
                true => store::find(connection, actor.tenant, actor.member)?.ok_or_else(Error::not_found),
                false => Err(Error::not_found()),
            }
        })
        .await
}

/// The own account.
pub async fn own(app: &App, actor: Actor) -> Result<MemberRow> {
    let row = app.db.read(move |connection| store::find(connection, actor.tenant, actor.member)).await?;
    row.ok_or_else(Error::not_found)
}

/// Deletes an account softly: its names become free, its sessions end, what it wrote stays.
pub async fn delete(app: &App, actor: Actor, id: MemberId) -> Result<()> {
    administrate(&actor)?;
    let row = get(app, actor, id).await?;
    if id == actor.member {
        return Err(Error::new(Code::Forbidden, "nobody deletes the own account: another one must"));
    }
    change_member(app, actor, ChangeMember { delete: true, ..ChangeMember::of(id) }).await?;
    log_act(&actor, &row, "deleted");
    Ok(())
}

/// Takes the locks of failed sign-ins away.
pub async fn unlock(app: &App, actor: Actor, id: MemberId) -> Result<()> {
    administrate(&actor)?;
    let row = get(app, actor, id).await?;
    let (audit, act) = (app.auditor(&actor)?, Act::done(AuditAction::Unlock, &row));
    let slug = app
        .db
        .write(move |connection| {
            crate::auth::store::clear_attempts(connection, actor.tenant, id)?;
            audit.note(connection, act.clone())?;
            crate::tenants::store::find(connection, actor.tenant)
        })
        .await?
        .slug;
    if let Some(name) = &row.login_name {
        app.auth.attempts().forget(&sign_in::account_key(&slug, name));
    }
    log_act(&actor, &row, "unlocked");
    Ok(())
}

/// Leaves a line about an administrative act in the log of the process. Ids and words of our own only, so that nobody can forge a line.
fn log_act(actor: &Actor, row: &MemberRow, what: &str) {
    log::info!(
        target: "deskwire::auth",
        "member {} of tenant {}: {what}, by member {}", row.id, row.tenant_id, actor.member,
    );
}

/// Sets another member's password; its sessions end. The own one needs the present password, so it is changed by
/// [`sign_in::change_password`] only.
pub async fn set_password(app: &App, actor: Actor, id: MemberId, password: Password) -> Result<()> {
    administrate(&actor)?;
    if id == actor.member {
        let detail = "change the own password with PUT /auth/password, which asks for the present one";
        return Err(Error::new(Code::Forbidden, detail));
    }
    let row = get(app, actor, id).await?;
    if row.login_name.is_none() {
        return Err(Error::new(Code::Forbidden, "this account has no login name"));
    }
    write_password(app, &row, password, app.auditor(&actor)?).await?;
    log_act(&actor, &row, "password set");
    revoke_all(app, actor, id, "password_changed").await
}

async fn write_password(app: &App, row: &MemberRow, password: Password, audit: Auditor) -> Result<()> {
    password.check("/password", &[row.login_name.as_deref().unwrap_or_default(), &row.email])?;
    let hash = app.auth.passwords().hash(&password, Queue::Known).await?;
    let (tenant, id, now) = (row.tenant_id, row.id, app.clock.now());
    let act = Act::done(AuditAction::SetPassword, row);
    let write = move |connection: &mut AnyConnection| {
        store::set_password(connection, tenant, id, &hash, None, now)?;
        audit.note(connection, act.clone())
    };
    app.db.write(write).await
}

async fn revoke_all(
    app: &App,
    by: impl Into<Principal>,
    member: MemberId,
    reason: &'static str,
) -> Result<()> {
    let change = RevokeSessions { member, only: None, except: None, reason };
    sessions::change_access(app, by, change).await.map(drop)
}

/// Makes an administrator of a tenant that is named by its slug; for the command line.
pub async fn create_admin(
    app: &App,
    tenant_slug: &str,
    login_name: &str,
    password: Password,
) -> Result<MemberRow> {
    let slug = tenant_slug.to_owned();
    let tenant =
        app.db.read(move |connection| crate::tenants::store::find_by_slug(connection, &slug)).await?;
    let tenant = tenant.ok_or_else(|| Error::new(Code::NotFound, "there is no such tenant"))?;
    let mut new = NewMember::new(Role::Admin);
    new.login_name = Some(login_name.to_owned());
    new.password = Some(password);
    let row = prepare(app, tenant.id, new, Queue::Known).await?;
    let (kept, audit) = (row.clone(), Auditor::operator(tenant.id, &app.ids, &app.clock)?);
    let write = move |connection: &mut AnyConnection| {
        store::insert(connection, &kept)?;
        audit.note(connection, Act::created(&kept))
    };
    app.db.write(write).await?;
    Ok(row)
}

/// Sets the password of an account that is named by slug and login name, ends its sessions and takes its locks
/// away; for the command line.
pub async fn reset_password(
    app: &App,
    tenant_slug: &str,
    login_name: &str,
    password: Password,
) -> Result<MemberRow> {
    let (slug, name) = (tenant_slug.to_owned(), crate::kernel::text::login_name(login_name));
    let found = app
        .db
        .read(move |connection| match crate::tenants::store::find_by_slug(connection, &slug)? {
            Some(tenant) => store::find_by_login_name(connection, tenant.id, &name),
            None => Ok(None),
        })
        .await?;
    let row = found.ok_or_else(|| Error::new(Code::NotFound, "there is no such tenant or login name"))?;
    write_password(app, &row, password, Auditor::operator(row.tenant_id, &app.ids, &app.clock)?).await?;
    log::info!(target: "deskwire::auth", "password of member {} of tenant {} set by the operator", row.id, row.tenant_id);
    revoke_all(app, Principal::Operator(row.tenant_id), row.id, "password_changed").await?;
    Ok(row)
}

fn administrate(actor: &Actor) -> Result<()> {
    match require(actor, Operation::ManageMembers)? {
        Scope::Tenant => Ok(()),
        _ => Err(Error::new(Code::Forbidden, format!("the role {} may not do this", actor.role))),
    }
}

/// Changes a member; it leaves its conversations in as many commands as that takes.
async fn change_member(app: &App, actor: Actor, mut change: ChangeMember) -> Result<()> {
    while sessions::change_access(app, actor, change.clone()).await?.more {
        // Should the role have been lowered, the later commands no longer see that it was.
        change.demoted = change.role.is_some();
    }
    Ok(())
}

/// A new sub-account's parent is staff of the same tenant with at least its role, and is no sub-account itself.
fn check_parent(
    connection: &mut AnyConnection,
    tenant: TenantId,
    parent: MemberId,
    role: Role,
) -> Result<()> {
    let wrong = |detail: &str| Err(Error::field("/parent_id", "invalid", detail));
    let Some(row) = store::find(connection, tenant, parent)? else {
        return wrong("there is no such member");
    };
    if !row.role.is_staff() || row.role < role {
        return wrong("a sub-account's role is at most its parent's, and the parent is staff");
    }
    if row.parent_id.is_some() {
        return wrong("a sub-account has no sub-accounts");
    }
    Ok(())
}
