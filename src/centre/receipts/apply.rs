//! Application: receipts and sends find each other, whichever comes first.

use std::collections::{BTreeMap, HashMap};

use super::store;
use crate::centre::{accounts, fallbacks, suppressions};
use crate::db::AnyConnection;
use crate::domain::centre::account::Provider;
use crate::domain::centre::receipt::{ReceiptRow, ReceiptStatus};
use crate::domain::centre::send::{SendRow, SendStatus};
use crate::domain::centre::suppression::reported;
use crate::kernel::{ChannelAccountId, Error, IdGenerator, MessageSendId, Result};

/// Stores the receipts of one account that are new, and applies those whose sends are known. Gives how many fallbacks they
/// called for.
pub(super) fn arrived(
    connection: &mut AnyConnection,
    (account, provider): (ChannelAccountId, Provider),
    rows: Vec<ReceiptRow>,
    node: &IdGenerator,
    now: i64,
) -> Result<usize> {
    accounts::store::hold(connection, account)?;
    let mut new: BTreeMap<String, ReceiptRow> =
        rows.into_iter().map(|row| (row.dedupe.clone(), row)).collect();
    let dedupes: Vec<&str> = new.keys().map(String::as_str).collect();
    for known in store::known(connection, &dedupes)? {
        new.remove(&known);
    }
    if new.is_empty() {
        return Ok(0);
    }
    let mut rows: Vec<ReceiptRow> = new.into_values().collect();
    rows.sort_by_key(|row| row.id);
    let ids: Vec<MessageSendId> = rows.iter().filter_map(|row| row.send_id).collect();
    let names: Vec<&str> = rows.iter().filter_map(|row| row.provider_message_id.as_deref()).collect();
    let sends = store::sends(connection, account, &ids, &names)?;
    let sends: HashMap<MessageSendId, SendRow> = sends.into_iter().map(|send| (send.id, send)).collect();
    let by_name: HashMap<&str, MessageSendId> = sends
        .values()
        .filter_map(|send| send.provider_message_id.as_deref().map(|name| (name, send.id)))
        .collect();
    let mut of_sends: BTreeMap<MessageSendId, Vec<ReceiptRow>> = BTreeMap::new();
    for row in &mut rows {
        // What the provider gives back counts only for sends of this account.
        let given = row.send_id.filter(|id| sends.contains_key(id));
        let named = row.provider_message_id.as_deref().and_then(|name| by_name.get(name).copied());
        row.send_id = given.or(named);
        if let Some(id) = row.send_id {
            of_sends.entry(id).or_default().push(row.clone());
        }
    }
    store::insert(connection, &rows)?;
    for (id, receipts) in &of_sends {
        if let Some(send) = sends.get(id) {
            apply(connection, send, receipts, (provider, node), now)?;
        }
    }
    let changed: Vec<MessageSendId> = of_sends.into_keys().collect();
    fallbacks::make::follow(connection, node, &changed, now)
}

/// Applies the receipts that came before what came of an attempt was written down. The account is held since before that.
pub fn settled(
    connection: &mut AnyConnection,
    send: &SendRow,
    (provider, ids): (Provider, &IdGenerator),
    now: i64,
) -> Result<()> {
    let receipts = store::waiting(connection, send)?;
    match receipts.is_empty() {
        true => Ok(()),
        false => apply(connection, send, &receipts, (provider, ids), now),
    }
}

/// Applies receipts to their send. One that is on its way takes note of them when its attempt has ended.
fn apply(
    connection: &mut AnyConnection,
    send: &SendRow,
    receipts: &[ReceiptRow],
    (provider, node): (Provider, &IdGenerator),
    now: i64,
) -> Result<()> {
    if send.status == SendStatus::Sending {
        return Ok(());
    }
    let mut after = send.clone();
    for receipt in receipts {
        if let Some(status) = receipt.moves(&after) {
            let is_delivered = receipt.status == ReceiptStatus::Delivered;
            let code = receipt.code.as_deref().filter(|_| !is_delivered);
            if let Some(reason) = reported(provider, code) {
                let to = (send, provider.channel());
                suppressions::store::learn(connection, node, to, (reason, code), now)?;
            }
            after = SendRow {
                status,
                reason: None,
                provider_message_id: after.provider_message_id.or(receipt.provider_message_id.clone()),
                last_code: receipt.code.clone(),
                last_error: receipt.message.clone().filter(|_| !is_delivered),
                sent_at: after.sent_at.or(Some(now)),
                updated_at: now,
                ..after
            };
        }
    }
    // The send is held: it is as it was read.
    if after != *send && !store::change(connection, send, &after)? {
        return Err(Error::internal("a send changed while it was held"));
    }
    let ids: Vec<_> = receipts.iter().map(|receipt| receipt.id).collect();
    store::applied(connection, &ids, send.id, now)
}
