//! Whom a rule's messages are for, as requests and answers show it.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::centre::events::reach::Delivery;
use crate::centre::recipients::resolve::Receiver;
use crate::domain::centre::recipient::Recipient;
use crate::domain::centre::send::{RecipientType, SendReason, SendStatus};
use crate::domain::member::Role;
use crate::kernel::{Error, GroupId, MemberId, MessageRecipientId, Millis, PersonId, Result};
use crate::text_enum;

text_enum! {
    /// Which persons are meant.
    RuleRecipientType {
        /// The customer whom the event is about (1 of the source).
        Customer = "customer",
        /// The agent who serves the conversation that the event is about: of what the product tells itself.
        Agent = "agent",
        /// A message recipient (2 of the source).
        Recipient = "recipient",
        /// One of the staff.
        Member = "member",
        /// Everybody with a role.
        Role = "role",
        /// Everybody in a group.
        Group = "group",
    }
}

/// Whom a rule's messages are for.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RuleRecipient {
    /// Which persons are meant.
    #[serde(rename = "type")]
    recipient_type: RuleRecipientType,
    /// The message recipient, the member or the group; of the others absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    id: Option<PersonId>,
    /// The role: `agent`, `supervisor` or `admin`; of the others absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    role: Option<Role>,
}

impl From<Recipient> for RuleRecipient {
    fn from(recipient: Recipient) -> Self {
        use RuleRecipientType as T;
        let (recipient_type, id, role) = match recipient {
            Recipient::Customer => (T::Customer, None, None),
            Recipient::Agent => (T::Agent, None, None),
            Recipient::Recipient { id } => (T::Recipient, Some(PersonId(id.0)), None),
            Recipient::Member { id } => (T::Member, Some(PersonId(id.0)), None),
            Recipient::Role { role } => (T::Role, None, Some(role)),
            Recipient::Group { id } => (T::Group, Some(PersonId(id.0)), None),
        };
        Self { recipient_type, id, role }
    }
}

/// Reads a list. Errors: `validation_failed` when one has not the fields of its type.
pub(super) fn recipients(given: Vec<RuleRecipient>) -> Result<Vec<Recipient>> {
    given
        .into_iter()
        .enumerate()
        .map(|(index, one)| recipient(&format!("/recipients/{index}"), one))
        .collect()
}

fn recipient(pointer: &str, given: RuleRecipient) -> Result<Recipient> {
    use RuleRecipientType as T;
    let RuleRecipient { recipient_type, id, role } = given;
    Ok(match (recipient_type, id, role) {
        (T::Customer, None, None) => Recipient::Customer,
        (T::Agent, None, None) => Recipient::Agent,
        (T::Recipient, Some(id), None) => Recipient::Recipient { id: MessageRecipientId(id.0) },
        (T::Member, Some(id), None) => Recipient::Member { id: MemberId(id.0) },
        (T::Role, None, Some(role)) => Recipient::Role { role },
        (T::Group, Some(id), None) => Recipient::Group { id: GroupId(id.0) },
        (T::Role, _, None) => return Err(Error::field(format!("{pointer}/role"), "required", "which role")),
        (T::Recipient | T::Member | T::Group, None, _) => {
            return Err(Error::field(format!("{pointer}/id"), "required", "which one"));
        }
        (T::Customer | T::Agent | T::Role, Some(_), _) => {
            return Err(Error::field(format!("{pointer}/id"), "invalid", "this type has no id"));
        }
        (_, _, Some(_)) => {
            return Err(Error::field(format!("{pointer}/role"), "invalid", "this type has no role"));
        }
    })
}

/// Somebody to whom a message would be sent.
#[derive(Debug, Serialize, ToSchema)]
pub struct SimulatedReceiver {
    /// What it is.
    recipient_type: RecipientType,
    /// Which one.
    recipient_id: PersonId,
    /// What it is called.
    name: String,
    /// Its address on the channel; null: it has none.
    #[schema(required)]
    address: Option<String>,
    /// In which language it would be told; null: the template does not say.
    #[schema(required)]
    locale: Option<String>,
    /// `unsent`: it would be sent; `suppressed`: it would not; `failed`: it cannot be said in the receiver's language.
    status: SendStatus,
    /// Why not.
    #[schema(required)]
    reason: Option<SendReason>,
    /// When it would be sent.
    next_at: Millis,
}

impl From<(Receiver, Delivery)> for SimulatedReceiver {
    fn from((receiver, delivery): (Receiver, Delivery)) -> Self {
        Self {
            recipient_type: receiver.recipient_type,
            recipient_id: receiver.id,
            name: receiver.name,
            address: receiver.address,
            locale: receiver.locale,
            status: delivery.status,
            reason: delivery.reason,
            next_at: Millis(delivery.next_at),
        }
    }
}
