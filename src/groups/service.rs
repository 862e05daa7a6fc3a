//! What is done with groups. Input is checked here; the journal decides with the present state in hand.

use super::store;
use crate::app::App;
use crate::conversations::view::{Card, Cards};
use crate::db::AnyConnection;
use crate::docking;
use crate::domain::actor::Actor;
use crate::domain::group::{DESCRIPTION_MAX, GROUP_NAME_MAX, GroupMemberRow, GroupMemberType, GroupRow};
use crate::domain::permission::{Operation, require};
use crate::http::page::{Page, PageQuery};
use crate::journal::commands::{CreateGroup, DeleteGroup, RemoveGroupMember, SetGroupMember, UpdateGroup};
use crate::journal::{Action, Command, Reply};
use crate::kernel::{Error, GroupId, MemberId, Result, TenantId};
use crate::members::profile::Checker;

/// Somebody who is in a group.
#[derive(Debug, Clone)]
pub struct Placed {
    /// Its place.
    pub row: GroupMemberRow,
    /// How it looks.
    pub card: Card,
}

/// The groups of the tenant in the order of their ids; only those of this member when one is given. Errors:
/// `forbidden`.
pub async fn list(
    app: &App,
    actor: Actor,
    member: Option<MemberId>,
    page: PageQuery,
) -> Result<Page<GroupRow>> {
    require(&actor, Operation::ReadGroups)?;
    let (limit, after) = (page.limit()?, page.after::<GroupId>()?);
    let read = move |connection: &mut _| store::list(connection, actor.tenant, member, after, limit + 1);
    Ok(Page::new(app.db.read(read).await?, limit, |row| row.id))
}

/// One group. Errors: `forbidden`, `not_found`.
pub async fn get(app: &App, actor: Actor, id: GroupId) -> Result<GroupRow> {
    require(&actor, Operation::ReadGroups)?;
    app.db.read(move |connection| found(connection, actor, id)).await
}

fn found(connection: &mut AnyConnection, actor: Actor, id: GroupId) -> Result<GroupRow> {
    store::find(connection, actor.tenant, id)?.ok_or_else(Error::not_found)
}

/// Makes a group. Errors: `forbidden`, `name_taken`, `limit_reached`, `validation_failed`.
pub async fn create(app: &App, actor: Actor, group: CreateGroup) -> Result<GroupRow> {
    require(&actor, Operation::ManageGroups)?;
    let mut check = Checker::default();
    let name = check.required_line("/name", &group.name, GROUP_NAME_MAX);
    let description = check.line("/description", &group.description, DESCRIPTION_MAX);
    check.finish()?;
    let reply = submit(app, actor, CreateGroup { name, description, ..group }).await?;
    let id = reply.group.ok_or_else(|| Error::internal("a group was made without an id"))?;
    get(app, actor, id).await
}

/// Changes a group's name, description or settings. Errors: `forbidden`, `not_found`, `name_taken`, `validation_failed`.
pub async fn update(app: &App, actor: Actor, change: UpdateGroup) -> Result<GroupRow> {
    require(&actor, Operation::ManageGroups)?;
    let group = change.group;
    let (routes, serving) = (change.routing_strategy.is_some(), change.serving.is_some());
    let mut check = Checker::default();
    let name = change.name.as_ref().map(|name| check.required_line("/name", name, GROUP_NAME_MAX));
    let description = change.description.as_ref();
    let description = description.map(|text| check.line("/description", text, DESCRIPTION_MAX));
    check.finish()?;
    submit(app, actor, UpdateGroup { name, description, ..change }).await?;
    if routes || serving {
        app.nudges.nudge(actor.tenant);
    }
    if serving {
        dock_waiting(app, actor.tenant, group).await;
    }
    get(app, actor, group).await
}

/// Deletes a group, in as many commands as its conversations take. Errors: `forbidden`, `not_found`.
pub async fn delete(app: &App, actor: Actor, group: GroupId) -> Result<()> {
    require(&actor, Operation::ManageGroups)?;
    while submit(app, actor, DeleteGroup { group }).await?.more {}
    Ok(())
}

/// Who is in a group, in the order of their ids. Errors: `forbidden`, `not_found`.
pub async fn members(app: &App, actor: Actor, group: GroupId, page: PageQuery) -> Result<Page<Placed>> {
    require(&actor, Operation::ReadGroups)?;
    let (limit, after) = (page.limit()?, page.after::<MemberId>()?);
    let read = move |connection: &mut AnyConnection| {
        found(connection, actor, group)?;
        let rows = store::members(connection, actor.tenant, group, after, limit + 1)?;
        let page = Page::new(rows, limit, |row| row.member_id);
        let cards = Cards::load(connection, actor.tenant, page.data.iter().map(|row| row.member_id))?;
        Ok(page.map(|row| Placed { card: cards.get(row.member_id), row }))
    };
    app.db.read(read).await
}

/// A member's place in a group. Errors: `forbidden`, `not_found`.
pub async fn member(app: &App, actor: Actor, group: GroupId, member: MemberId) -> Result<Placed> {
    require(&actor, Operation::ReadGroups)?;
    let read = move |connection: &mut AnyConnection| {
        found(connection, actor, group)?;
        let row = store::member(connection, actor.tenant, group, member)?.ok_or_else(Error::not_found)?;
        let cards = Cards::load(connection, actor.tenant, [member])?;
        Ok(Placed { card: cards.get(member), row })
    };
    app.db.read(read).await
}

/// Brings a member of the staff into a group, or changes what it is there. Errors: `forbidden`, `not_found`,
/// `limit_reached`, `validation_failed`.
pub async fn set_member(
    app: &App,
    actor: Actor,
    group: GroupId,
    who: MemberId,
    member_type: Option<GroupMemberType>,
) -> Result<Placed> {
    require(&actor, Operation::ManageGroupMembers)?;
    submit(app, actor, SetGroupMember { group, member: who, member_type }).await?;
    follow(app, actor.tenant, group, who).await;
    dock_waiting(app, actor.tenant, group).await;
    member(app, actor, group, who).await
}

/// Takes a member out of a group. Errors: `forbidden`, `not_found`, `last_manager`.
pub async fn remove_member(app: &App, actor: Actor, group: GroupId, member: MemberId) -> Result<()> {
    require(&actor, Operation::ManageGroupMembers)?;
    submit(app, actor, RemoveGroupMember { group, member }).await?;
    follow(app, actor.tenant, group, member).await;
    Ok(())
}

/// Has the conversations that the group serves follow at once. What fails here is done by the task that looks for
/// what is left (`docking`).
async fn follow(app: &App, tenant: TenantId, group: GroupId, member: MemberId) {
    if let Err(error) = docking::follow(&app.journal, tenant, group, member).await {
        log::debug!(target: "deskwire::groups", "the conversations of group {group} follow later: {error}");
    }
}

/// Docks what waits for the group, where the whole group serves. What fails here is done by the same task.
async fn dock_waiting(app: &App, tenant: TenantId, group: GroupId) {
    if let Err(error) = docking::dock_waiting(&app.journal, tenant, group).await {
        log::debug!(target: "deskwire::groups", "what waits for group {group} is docked later: {error}");
    }
}

async fn submit(app: &App, actor: Actor, action: impl Into<Action>) -> Result<Reply> {
    app.journal.submit(Command::new(actor, action)).await
}
