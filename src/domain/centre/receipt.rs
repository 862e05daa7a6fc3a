//! Receipts: what a provider says later of a message that it took, that it arrived or that it did not.
//!
//! Owns what a receipt makes of a send. Invariants: a receipt only moves a send forward, so that the order in which they
//! come, and how often, changes nothing; what arrived stays arrived.

use diesel::prelude::*;

use super::send::{SendEvent, SendRow, SendStatus};
use crate::db::schema::message_receipt;
use crate::kernel::{ChannelAccountId, MessageReceiptId, MessageSendId, TenantId};
use crate::text_enum;

/// Most receipts that one request of a provider may bring.
pub const REPORTS_MAX: usize = 1_000;

text_enum! {
    /// What a receipt says.
    ReceiptStatus {
        /// The message arrived at the phone.
        Delivered = "delivered",
        /// It did not, and will not.
        Undelivered = "undelivered",
    }
}

/// What a provider reports of one message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// The provider's name for the message.
    pub provider_message_id: Option<String>,
    /// The send, as the provider gives its id back.
    pub send_id: Option<MessageSendId>,
    /// What became of it.
    pub status: ReceiptStatus,
    /// The provider's code.
    pub code: Option<String>,
    /// What the provider said.
    pub message: Option<String>,
}

/// A row of `message_receipt`.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Insertable)]
#[diesel(table_name = message_receipt, treat_none_as_default_value = false)]
pub struct ReceiptRow {
    /// The receipt.
    pub id: MessageReceiptId,
    /// Whose.
    pub tenant_id: TenantId,
    /// Of which account.
    pub account_id: ChannelAccountId,
    /// What tells repeats: a hash of the account and of what is reported.
    pub dedupe: String,
    /// The provider's name for the message.
    pub provider_message_id: Option<String>,
    /// The send that it is of; `None`: it is not known yet.
    pub send_id: Option<MessageSendId>,
    /// What it says.
    pub status: ReceiptStatus,
    /// The provider's code.
    pub code: Option<String>,
    /// What the provider said.
    pub message: Option<String>,
    /// When it came, unix milliseconds.
    pub received_at: i64,
    /// When the send took note of it, unix milliseconds; `None`: the send is not known yet, or is on its way.
    pub applied_at: Option<i64>,
}

impl ReceiptRow {
    /// Where the send stands after this receipt; `None` when it changes nothing.
    ///
    /// A send that went out twice has two messages at the provider. One that arrived is enough; one that did not counts
    /// only if it is the message that the send knows, or if it knows none.
    pub fn moves(&self, send: &SendRow) -> Option<SendStatus> {
        if send.number == 0 {
            return None;
        }
        let event = match self.status {
            ReceiptStatus::Delivered => SendEvent::Delivered,
            ReceiptStatus::Undelivered => {
                let is_another = match (&self.provider_message_id, &send.provider_message_id) {
                    (Some(reported), Some(known)) => reported != known,
                    _ => false,
                };
                if is_another {
                    return None;
                }
                SendEvent::Undelivered
            }
        };
        send.status.after(event)
    }
}
