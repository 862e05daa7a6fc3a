//! What is done with canned replies.

use super::store::{self, Filter};
use crate::app::App;
use crate::conversations::access;
use crate::db::{AnyConnection, blocking};
use crate::domain::actor::Actor;
use crate::domain::audit::Act;
use crate::domain::canned_reply::{
    CANNED_TEXT_MAX, CannedReplyRow, CannedReplyScope, Names, SHORTCUT_MAX, TITLE_MAX, fault, rendered,
    shortcut,
};
use crate::domain::permission::{Operation, Scope, require};
use crate::http::page::{Page, PageQuery};
use crate::kernel::{CannedReplyId, Code, ConversationId, Error, GroupId, Result};
use crate::members::profile::Checker;
use crate::{members, tenants};

/// What is said of a canned reply; `None` stays.
#[derive(Debug, Clone, Default)]
pub struct Given {
    /// What is typed for it.
    pub shortcut: Option<String>,
    /// What it is called.
    pub title: Option<String>,
    /// A template for what it says.
    pub text: Option<String>,
}

/// The canned replies that the actor sees in the order of their ids. Errors: `forbidden`.
pub async fn list(app: &App, actor: Actor, filter: Filter, page: PageQuery) -> Result<Page<CannedReplyRow>> {
    require(&actor, Operation::UseCannedReplies)?;
    let (limit, after) = (page.limit()?, page.after::<CannedReplyId>()?);
    let read = move |connection: &mut _| store::list(connection, actor, &filter, after, limit + 1);
    Ok(Page::new(app.db.read(read).await?, limit, |row| row.id))
}

/// One canned reply. Errors: `forbidden`, `not_found`.
pub async fn get(app: &App, actor: Actor, id: CannedReplyId) -> Result<CannedReplyRow> {
    require(&actor, Operation::UseCannedReplies)?;
    app.db.read(move |connection| found(connection, actor, id)).await
}

fn found(connection: &mut AnyConnection, actor: Actor, id: CannedReplyId) -> Result<CannedReplyRow> {
    store::find(connection, actor, id)?.ok_or_else(Error::not_found)
}

/// Makes a canned reply. Errors: `forbidden`, `limit_reached`, `name_taken`, `validation_failed`.
pub async fn create(
    app: &App,
    actor: Actor,
    scope: CannedReplyScope,
    group: Option<GroupId>,
    given: Given,
) -> Result<CannedReplyRow> {
    may_manage(actor, scope)?;
    let given = blocking(move || checked(given)).await?;
    let now = app.clock.now().0;
    let row = CannedReplyRow {
        id: CannedReplyId(app.ids.next()?),
        tenant_id: actor.tenant,
        scope,
        scope_id: match scope {
            CannedReplyScope::Tenant => 0,
            CannedReplyScope::Member => actor.member.0,
            CannedReplyScope::Group => group.map_or(0, |group| group.0),
        },
        shortcut: given.shortcut.unwrap_or_default(),
        title: given.title.unwrap_or_default(),
        text: given.text.unwrap_or_default(),
        use_count: 0,
        created_by: actor.member,
        created_at: now,
        updated_at: now,
    };
    let audit = app.auditor(&actor)?;
    let write = move |connection: &mut AnyConnection| {
        match (scope, group) {
            (CannedReplyScope::Group, Some(group)) if !store::groups(connection, actor)?.contains(&group) => {
                return Err(Error::field("/group_id", "invalid", "there is no such group"));
            }
            (CannedReplyScope::Group, None) => {
                return Err(Error::field("/group_id", "required", "whose it is"));
            }
            (CannedReplyScope::Tenant | CannedReplyScope::Member, Some(_)) => {
                return Err(Error::field("/group_id", "invalid", "goes with the scope group only"));
            }
            _ => {}
        }
        store::insert(connection, &row)?;
        audit.note(connection, shared(&row).then(|| Act::created(&row)))?;
        Ok(row.clone())
    };
    app.db.write(write).await
}

/// Changes a canned reply. Errors: `forbidden`, `not_found`, `name_taken`, `validation_failed`.
pub async fn update(app: &App, actor: Actor, id: CannedReplyId, given: Given) -> Result<CannedReplyRow> {
    require(&actor, Operation::ManageCannedReplies)?;
    let given = blocking(move || checked(given)).await?;
    let now = app.clock.now().0;
    let audit = app.auditor(&actor)?;
    let write = move |connection: &mut AnyConnection| {
        let row = found(connection, actor, id)?;
        may_manage(actor, row.scope)?;
        let (before, given) = (row.clone(), given.clone());
        let row = CannedReplyRow {
            shortcut: given.shortcut.unwrap_or(row.shortcut),
            title: given.title.unwrap_or(row.title),
            text: given.text.unwrap_or(row.text),
            updated_at: now,
            ..row
        };
        store::update(connection, &row)?;
        audit.note(connection, Act::updated(&before, &row).filter(|_| shared(&row)))?;
        Ok(row)
    };
    app.db.write(write).await
}

/// Deletes a canned reply. Errors: `forbidden`, `not_found`.
pub async fn delete(app: &App, actor: Actor, id: CannedReplyId) -> Result<()> {
    require(&actor, Operation::ManageCannedReplies)?;
    let audit = app.auditor(&actor)?;
    let write = move |connection: &mut AnyConnection| {
        let row = found(connection, actor, id)?;
        may_manage(actor, row.scope)?;
        store::delete(connection, actor.tenant, id)?;
        audit.note(connection, shared(&row).then(|| Act::deleted(&row)))
    };
    app.db.write(write).await
}

/// What a canned reply says in a conversation that the actor sees. Counts as a use. Errors: `forbidden`, `not_found`,
/// `validation_failed` when the text names what is not known of this conversation.
pub async fn render(
    app: &App,
    actor: Actor,
    id: CannedReplyId,
    conversation: ConversationId,
) -> Result<String> {
    require(&actor, Operation::UseCannedReplies)?;
    let read = move |connection: &mut AnyConnection| {
        let row = found(connection, actor, id)?;
        let access = access::load(connection, &actor, conversation).map_err(|error| match error.code {
            Code::NotFound => Error::field("/conversation_id", "invalid", "there is no such conversation"),
            _ => error,
        })?;
        let front = access.front();
        let customer = match front.customer_id {
            Some(customer) => members::store::find(connection, actor.tenant, customer)?,
            None => None,
        };
        let agent = members::store::find(connection, actor.tenant, actor.member)?;
        let names = Names {
            customer: customer.map(|customer| (customer.nickname, customer.external_id)),
            agent: agent.map(|agent| agent.nickname).unwrap_or_default(),
            tenant: tenants::store::find(connection, actor.tenant)?.name,
            conversation: front.id.to_string(),
            subject: Some(front.subject.clone()),
        };
        rendered(&row.text, &names).map_err(|fault| Error::field(fault.pointer, "invalid", fault.detail))
    };
    let text = app.db.read(read).await?;
    app.db.write(move |connection| store::used(connection, actor.tenant, id)).await?;
    Ok(text)
}

/// Whether others use it too, so that the audit log tells of it.
fn shared(row: &CannedReplyRow) -> bool {
    row.scope != CannedReplyScope::Member
}

/// Fails with `forbidden` when the actor may not change canned replies of this scope.
fn may_manage(actor: Actor, scope: CannedReplyScope) -> Result<()> {
    match (require(&actor, Operation::ManageCannedReplies)?, scope) {
        (Scope::Tenant, _) | (_, CannedReplyScope::Member) => Ok(()),
        _ => Err(Error::new(Code::Forbidden, format!("the role {} may change its own only", actor.role))),
    }
}

fn checked(given: Given) -> Result<Given> {
    let mut check = Checker::default();
    let kept = given.shortcut.as_deref().map(shortcut);
    if kept == Some(None) {
        let detail = format!("1 to {SHORTCUT_MAX} characters without spaces and /");
        check.wrong("/shortcut", "invalid", detail);
    }
    let title = given.title.as_ref().map(|title| check.required_line("/title", title, TITLE_MAX));
    if let Some(text) = &given.text {
        let is_long = text.chars().count() > CANNED_TEXT_MAX;
        match (text.trim().is_empty(), is_long, fault(text).filter(|_| !is_long)) {
            (true, ..) => check.wrong("/text", "required", "what it says"),
            (_, true, _) => check.wrong("/text", "too_long", format!("at most {CANNED_TEXT_MAX} characters")),
            (.., Some(fault)) => check.wrong("/text", "invalid", fault.detail),
            _ => {}
        }
    }
    check.finish()?;
    Ok(Given { shortcut: kept.flatten(), title, text: given.text })
}
