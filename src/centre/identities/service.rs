//! What is done with identities.

use super::store;
use crate::app::App;
use crate::centre::{accounts, events};
use crate::db::AnyConnection;
use crate::domain::actor::Actor;
use crate::domain::audit::Act;
use crate::domain::centre::account::Channel;
use crate::domain::centre::recipient::{IdentityRow, openid};
use crate::domain::permission::{Operation, require};
use crate::http::page::{Page, PageQuery};
use crate::kernel::{ChannelAccountId, Error, MessageIdentityId, PersonId, Result};

/// What a merchant says of a person. Exactly one of `person_id` and `customer_external_id` is there.
#[derive(Debug, Clone)]
pub struct Given {
    /// To which account.
    pub account_id: ChannelAccountId,
    /// Which member or message recipient.
    pub person_id: Option<PersonId>,
    /// Which customer, by the merchant's own id.
    pub customer_external_id: Option<String>,
    /// Its name at the account.
    pub openid: String,
}

/// The identities of the tenant in the order of their ids; only those of this person, and to this account, when one is
/// given. Errors: `forbidden`.
pub async fn list(
    app: &App,
    actor: Actor,
    of: (Option<PersonId>, Option<ChannelAccountId>),
    page: PageQuery,
) -> Result<Page<IdentityRow>> {
    require(&actor, Operation::ReadMessageCentre)?;
    let (limit, after) = (page.limit()?, page.after::<MessageIdentityId>()?);
    let read = move |connection: &mut _| store::list(connection, actor.tenant, of, after, limit + 1);
    Ok(Page::new(app.db.read(read).await?, limit, |row| row.id))
}

/// Writes down who a person is to an account; what was written before gives way. Errors: `forbidden`,
/// `validation_failed`.
pub async fn create(app: &App, actor: Actor, given: Given) -> Result<IdentityRow> {
    require(&actor, Operation::ManageMessageCentre)?;
    let openid = openid(&given.openid).map_err(|detail| Error::field("/openid", "invalid", detail))?;
    if given.person_id.is_some() == given.customer_external_id.is_some() {
        return Err(Error::field("/person_id", "invalid", "one of person_id and customer_external_id"));
    }
    let (id, now) = (MessageIdentityId(app.ids.next()?), app.clock.now().0);
    let audit = app.auditor(&actor)?;
    let write = move |connection: &mut AnyConnection| {
        let account = accounts::store::find(connection, actor.tenant, given.account_id)?;
        if account.is_none_or(|account| account.provider.channel() != Channel::Wechat) {
            return Err(Error::field("/account_id", "invalid", "there is no such official account"));
        }
        let person_id = match (&given.person_id, &given.customer_external_id) {
            (Some(person), _) => *person,
            (None, name) => {
                let name = name.as_deref().unwrap_or_default();
                let customer = events::store::customer_of(connection, actor.tenant, name)?;
                let none = || Error::field("/customer_external_id", "invalid", "there is no such customer");
                PersonId(customer.ok_or_else(none)?.0)
            }
        };
        let row = IdentityRow {
            id,
            tenant_id: actor.tenant,
            account_id: given.account_id,
            person_id,
            openid: openid.clone(),
            created_at: now,
            updated_at: now,
        };
        let kept = store::put(connection, row)?;
        audit.note(connection, Act::created(&kept))?;
        Ok(kept)
    };
    app.db.write(write).await
}

/// Deletes an identity. Errors: `forbidden`, `not_found`.
pub async fn delete(app: &App, actor: Actor, id: MessageIdentityId) -> Result<()> {
    require(&actor, Operation::ManageMessageCentre)?;
    let audit = app.auditor(&actor)?;
    let write = move |connection: &mut AnyConnection| {
        let row = store::delete(connection, actor.tenant, id)?;
        audit.note(connection, Act::deleted(&row))
    };
    app.db.write(write).await
}
