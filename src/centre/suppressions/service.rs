//! What is done with suppressions.

use super::store;
use crate::app::App;
use crate::centre::recipients::address::usable;
use crate::centre::{accounts, receipts};
use crate::db::AnyConnection;
use crate::domain::actor::Actor;
use crate::domain::audit::Act;
use crate::domain::centre::account::{AccountRow, Channel};
use crate::domain::centre::recipient::e164;
use crate::domain::centre::suppression::{Answered, SuppressionReason, SuppressionRow, Word, comparable};
use crate::domain::permission::{Operation, require};
use crate::http::page::{Page, PageQuery};
use crate::kernel::secret::token_hash;
use crate::kernel::{Error, Result, SuppressionId};

/// The suppressions of the tenant in the order of their ids; only those of this channel, and of this address, when they
/// are given. Errors: `forbidden`.
pub async fn list(
    app: &App,
    actor: Actor,
    channel: Option<Channel>,
    address: Option<&str>,
    page: PageQuery,
) -> Result<Page<SuppressionRow>> {
    require(&actor, Operation::ReadMessageCentre)?;
    let (limit, after) = (page.limit()?, page.after::<SuppressionId>()?);
    // Of which channel it is need not be said, so that it is looked for in each form.
    let forms = address.map(str::trim).map(|text| {
        let phone = e164(text).unwrap_or_else(|| text.to_owned());
        [text.to_owned(), comparable(Channel::Email, text), phone]
    });
    let read = move |connection: &mut _| {
        store::list(connection, actor.tenant, (channel, forms.as_ref()), after, limit + 1)
    };
    Ok(Page::new(app.db.read(read).await?, limit, |row| row.id))
}

/// Writes down that nothing is sent to an address; gives what is written already when it is. Errors: `forbidden`,
/// `validation_failed`.
pub async fn create(app: &App, actor: Actor, channel: Channel, address: &str) -> Result<SuppressionRow> {
    require(&actor, Operation::ManageMessageCentre)?;
    if !channel.has_recipients() {
        return Err(Error::field("/channel", "invalid", "messages of this channel go to no person"));
    }
    let row = SuppressionRow {
        id: SuppressionId(app.ids.next()?),
        tenant_id: actor.tenant,
        channel,
        address: comparable(channel, &usable(channel, address)?),
        reason: SuppressionReason::Staff,
        code: None,
        created_at: app.clock.now().0,
    };
    let audit = app.auditor(&actor)?;
    let write = move |connection: &mut AnyConnection| {
        let kept = store::insert(connection, &row)?;
        // What was written before is given as it is.
        audit.note(connection, (kept.id == row.id).then(|| Act::created(&kept)))?;
        Ok(kept)
    };
    app.db.write(write).await
}

/// Deletes a suppression. Errors: `forbidden`, `not_found`.
pub async fn delete(app: &App, actor: Actor, id: SuppressionId) -> Result<()> {
    require(&actor, Operation::ManageMessageCentre)?;
    let audit = app.auditor(&actor)?;
    let write = move |connection: &mut AnyConnection| {
        let row = store::delete(connection, actor.tenant, id)?;
        audit.note(connection, Act::deleted(&row))
    };
    app.db.write(write).await
}

/// Takes note of what a phone answered to the messages of an account, once.
pub async fn answered(app: &App, account: &AccountRow, answered: Answered) -> Result<()> {
    let Answered { from, name, word } = answered;
    let (account, tenant, name) = (account.id, account.tenant_id, token_hash(&name));
    let row = SuppressionRow {
        id: SuppressionId(app.ids.next()?),
        tenant_id: tenant,
        channel: Channel::Sms,
        address: comparable(Channel::Sms, &from),
        reason: SuppressionReason::OptedOut,
        code: Some("STOP".to_owned()),
        created_at: app.clock.now().0,
    };
    let write = move |connection: &mut AnyConnection| {
        accounts::store::hold(connection, account)?;
        if !receipts::store::is_first(connection, (tenant, account), &name)? {
            return Ok(());
        }
        match word {
            Word::Stop => store::add(connection, &row),
            Word::Start => store::end(connection, tenant, row.channel, &row.address),
        }
    };
    app.db.write(write).await
}
