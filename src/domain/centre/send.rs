//! Sends: one message to one receiver, from the rule that made it to the provider's answer.
//!
//! Invariants: every change of a send's state is one of [`SendStatus::after`]; `success` stands for a provider that said
//! so, and nothing else does; `delivered` stays.

use diesel::prelude::*;

use crate::db::schema::{message_attempt, message_send};
use crate::kernel::{
    ChannelAccountId, MessageEventId, MessageRuleId, MessageSendId, MessageTemplateId, PersonId, TenantId,
};
use crate::text_enum;

/// Longest text of an error that is kept of an attempt, in characters.
pub const MESSAGE_MAX: usize = 2_000;
/// Longest text of an error that is kept of a send, in characters.
pub const ERROR_MAX: usize = 500;
/// Longest code of a provider that is kept, in characters.
pub const CODE_MAX: usize = 64;
/// Longest name of a message at its provider that is kept, in characters.
pub const PROVIDER_MESSAGE_ID_MAX: usize = 128;
/// How often a send may be put off by a provider that asks to slow down, before that counts as an attempt.
pub const SLOWED_MAX: i64 = 20;

text_enum! {
    /// Where a send stands.
    SendStatus {
        /// It waits for its time, or for the next attempt.
        Unsent = "unsent",
        /// It is on its way to the provider.
        Sending = "sending",
        /// The provider took it.
        Success = "success",
        /// The provider said later that it arrived.
        Delivered = "delivered",
        /// The provider said later that it did not arrive.
        Undelivered = "undelivered",
        /// It was not sent, and will not be: `reason` says why.
        Failed = "failed",
        /// It was handed to the provider, whose answer never came: it may have arrived.
        Uncertain = "uncertain",
        /// It was called back before it was sent.
        Cancelled = "cancelled",
        /// Its time was over before it was sent.
        Expired = "expired",
        /// It is not sent to this person: `reason` says why.
        Suppressed = "suppressed",
    }
}

text_enum! {
    /// What happens to a send.
    SendEvent {
        /// A worker takes it.
        Claimed = "claimed",
        /// The provider took it.
        Accepted = "accepted",
        /// It did not arrive, and may be tried again.
        NotSent = "not_sent",
        /// It did not arrive, and trying again is of no use.
        Refused = "refused",
        /// Nobody knows whether it arrived.
        Lost = "lost",
        /// It is called back.
        Cancelled = "cancelled",
        /// Its time is over.
        Expired = "expired",
        /// The person does not want it.
        Suppressed = "suppressed",
        /// The provider says that it arrived.
        Delivered = "delivered",
        /// The provider says that it did not arrive.
        Undelivered = "undelivered",
        /// Somebody wants it sent again.
        Retried = "retried",
    }
}

impl SendStatus {
    /// What comes of this event; `None` when it cannot happen here.
    pub const fn after(self, event: SendEvent) -> Option<Self> {
        use SendEvent as E;
        Some(match (self, event) {
            (Self::Unsent, E::Claimed) => Self::Sending,
            (Self::Unsent, E::Cancelled) => Self::Cancelled,
            (Self::Unsent, E::Expired) => Self::Expired,
            (Self::Unsent, E::Suppressed) => Self::Suppressed,
            // What waits is refused with the account that it waits for.
            (Self::Unsent | Self::Sending, E::Refused) => Self::Failed,
            (Self::Sending | Self::Uncertain, E::Accepted) => Self::Success,
            (Self::Sending | Self::Uncertain, E::NotSent) => Self::Unsent,
            (Self::Sending, E::Lost) => Self::Uncertain,
            // Whatever was thought of it before: also of one that is to go out once more, or whose other attempts failed.
            (Self::Success | Self::Undelivered | Self::Uncertain | Self::Unsent, E::Delivered) => {
                Self::Delivered
            }
            (Self::Failed | Self::Expired | Self::Cancelled, E::Delivered) => Self::Delivered,
            (Self::Success | Self::Uncertain, E::Undelivered) => Self::Undelivered,
            (Self::Failed | Self::Uncertain | Self::Expired | Self::Cancelled, E::Retried) => Self::Unsent,
            (Self::Undelivered, E::Retried) => Self::Unsent,
            _ => return None,
        })
    }
}

text_enum! {
    /// Why a send failed, or was not sent to this person.
    SendReason {
        /// The template could not be rendered with what the event holds.
        Template = "template",
        /// The provider refuses this content.
        Content = "content",
        /// Every attempt failed.
        Attempts = "attempts",
        /// The account was deleted.
        Account = "account",
        /// The provider refuses the receiver's address.
        Recipient = "recipient",
        /// The person has no address on this channel, or one that cannot be used.
        NoAddress = "no_address",
        /// The person does not want messages of this kind.
        OptedOut = "opted_out",
        /// Nothing is sent to this address: nobody is there, or whoever is does not want it.
        AddressSuppressed = "address_suppressed",
        /// It fell into the person's quiet hours, and the rule says that it is not sent later.
        QuietHours = "quiet_hours",
        /// The rule had sent as many messages as it does within the time.
        Throttled = "throttled",
    }
}

impl SendReason {
    /// Whether the channel has no address at which the person can be reached.
    pub const fn is_no_address(self) -> bool {
        matches!(self, Self::NoAddress | Self::AddressSuppressed)
    }
}

text_enum! {
    /// What a receiver is (the source's `user_type`: 1 user, 2 staff).
    RecipientType {
        /// The customer whom the event is about.
        Customer = "customer",
        /// One of the staff, by its account.
        Member = "member",
        /// A message recipient: a person with addresses of its own.
        Recipient = "recipient",
    }
}

text_enum! {
    /// How urgent a send is. Of one account the more urgent ones go first.
    MessagePriority {
        /// A code that somebody waits for.
        Code = "code",
        /// Somebody should act now.
        Urgent = "urgent",
        /// News.
        Notice = "notice",
        /// Advertisement.
        Marketing = "marketing",
    }
}

impl MessagePriority {
    /// As it is stored: smaller goes first.
    pub const fn rank(self) -> i64 {
        self as i64
    }

    /// From its stored form.
    pub fn from_rank(rank: i64) -> Self {
        Self::ALL.iter().copied().find(|one| one.rank() == rank).unwrap_or(Self::Notice)
    }
}

text_enum! {
    /// How far an attempt came.
    Phase {
        /// A worker took the send; nothing went out yet.
        Claimed = "claimed",
        /// Something may have gone out.
        Started = "started",
        /// It came to an end.
        Ended = "ended",
    }
}

text_enum! {
    /// What came of an attempt, the same for all providers.
    Outcome {
        /// The provider took it.
        Accepted = "accepted",
        /// It did not arrive; the next attempt may succeed.
        Retry = "retry",
        /// The provider asks to slow down.
        Slow = "slow",
        /// The provider refuses what the account is set to.
        Configuration = "configuration",
        /// The provider refuses this content.
        Content = "content",
        /// The provider refuses the receiver's address.
        Recipient = "recipient",
        /// The provider takes nothing for this receiver at present: there was too much, or it is the wrong hour.
        NotNow = "not_now",
        /// No answer came: it may have arrived.
        Uncertain = "uncertain",
        /// Nothing went out: the provider gave no access token.
        NoToken = "no_token",
        /// The worker died before anything went out.
        Abandoned = "abandoned",
    }
}

/// A row of `message_send`.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Insertable)]
#[diesel(table_name = message_send, treat_none_as_default_value = false)]
pub struct SendRow {
    /// The send.
    pub id: MessageSendId,
    /// Whose.
    pub tenant_id: TenantId,
    /// Of what happened.
    pub event_id: MessageEventId,
    /// Which of its event's sends it is: an event makes each once.
    pub step: String,
    /// The rule that made it.
    pub rule_id: MessageRuleId,
    /// The template.
    pub template_id: MessageTemplateId,
    /// Which version of it.
    pub template_version: i64,
    /// Where it goes.
    pub account_id: ChannelAccountId,
    /// [`MessagePriority::rank`].
    pub priority: i64,
    /// Where it stands.
    pub status: SendStatus,
    /// Why it failed.
    pub reason: Option<SendReason>,
    /// What its receiver is; of channels without persons, nothing.
    pub recipient_type: Option<RecipientType>,
    /// The member or the message recipient.
    pub recipient_id: Option<PersonId>,
    /// The receiver's address on the channel.
    pub address: Option<String>,
    /// What is said: JSON of the channel's form.
    pub body: String,
    /// How many attempts there were.
    pub number: i64,
    /// How many of them count.
    pub attempts: i64,
    /// How often the provider asked to slow down.
    pub slowed: i64,
    /// Whether it was sent again although it may have arrived.
    pub may_duplicate: bool,
    /// When it may be sent, unix milliseconds.
    pub next_at: i64,
    /// Until when it may be sent, unix milliseconds.
    pub expires_at: Option<i64>,
    /// The process that is at it.
    pub lease_owner: Option<String>,
    /// Until when it is left to that process, the database's unix milliseconds.
    pub lease_until: i64,
    /// The provider's name for the message (the source's `msgid`).
    pub provider_message_id: Option<String>,
    /// The provider's last code.
    pub last_code: Option<String>,
    /// What went wrong last.
    pub last_error: Option<String>,
    /// When it was made, unix milliseconds.
    pub created_at: i64,
    /// When it last changed, unix milliseconds.
    pub updated_at: i64,
    /// When the provider took it, unix milliseconds.
    pub sent_at: Option<i64>,
    /// The send whose fallback it is.
    pub fallback_of: Option<MessageSendId>,
    /// In which language it is said, as far as its template tells.
    pub locale: Option<String>,
}

impl SendRow {
    /// Whom it is for, on channels with persons.
    pub fn person(&self) -> Option<(RecipientType, PersonId)> {
        self.recipient_type.zip(self.recipient_id)
    }
}

/// A row of `message_attempt`.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Insertable)]
#[diesel(table_name = message_attempt, treat_none_as_default_value = false)]
pub struct AttemptRow {
    /// Of which send.
    pub send_id: MessageSendId,
    /// The how manieth.
    pub number: i64,
    /// Whose.
    pub tenant_id: TenantId,
    /// Where it went.
    pub account_id: ChannelAccountId,
    /// How far it came.
    pub phase: Phase,
    /// What came of it.
    pub outcome: Option<Outcome>,
    /// The status of the HTTP answer.
    pub http_status: Option<i64>,
    /// The provider's code.
    pub code: Option<String>,
    /// What the provider said, or what kept it from saying anything.
    pub message: Option<String>,
    /// When it was claimed, the database's unix milliseconds.
    pub started_at: i64,
    /// When it came to an end, the database's unix milliseconds.
    pub ended_at: Option<i64>,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The table of moves, written out a second time: what is not here cannot happen.
    #[test]
    fn only_these_moves_are_legal() {
        let legal = [
            "unsent claimed sending",
            "unsent cancelled cancelled",
            "unsent expired expired",
            "unsent suppressed suppressed",
            "unsent refused failed",
            "sending accepted success",
            "sending not_sent unsent",
            "sending refused failed",
            "sending lost uncertain",
            "uncertain accepted success",
            "uncertain not_sent unsent",
            "uncertain retried unsent",
            "failed retried unsent",
            "success delivered delivered",
            "success undelivered undelivered",
            "uncertain delivered delivered",
            "uncertain undelivered undelivered",
            "undelivered delivered delivered",
            "undelivered retried unsent",
            "unsent delivered delivered",
            "failed delivered delivered",
            "expired delivered delivered",
            "cancelled delivered delivered",
            "expired retried unsent",
            "cancelled retried unsent",
        ];
        let mut found = Vec::new();
        for status in SendStatus::ALL {
            for event in SendEvent::ALL {
                if let Some(next) = status.after(*event) {
                    found.push(format!("{status} {event} {next}"));
                }
            }
        }
        let mut legal: Vec<String> = legal.iter().map(ToString::to_string).collect();
        legal.sort();
        found.sort();
        assert_eq!(found, legal);
    }

    #[test]
    fn ranks_are_read_back() {
        for priority in MessagePriority::ALL {
            assert_eq!(MessagePriority::from_rank(priority.rank()), *priority);
        }
    }
}
