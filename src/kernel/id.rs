//! Identifiers. Owns their shape (63 bits: 42 of unix milliseconds, 8 of node number, 13 of counter), their JSON
//! form (a decimal string, because JavaScript's numbers end at 2^53) and the generator.
//!
//! Invariants: a generator never gives the same id twice and never goes backwards; two processes on one store
//! hold different node numbers (leased in table `node`), so their ids never meet.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Instant;

use super::clock::Clock;
use super::error::{Code, Error, Result};

const NODE_BITS: u32 = 8;
const COUNTER_BITS: u32 = 13;

/// How many node numbers there are, and so how many processes one store can serve.
pub const NODE_NUMBERS: i32 = 1 << NODE_BITS;

/// Gives out ids for one leased node number.
#[derive(Debug)]
pub struct IdGenerator {
    clock: Clock,
    node: AtomicI64,
    leased_until: AtomicI64,
    /// The same end, in milliseconds since `born`: a clock that is set back does not prolong a lease.
    leased_for: AtomicI64,
    born: Instant,
    /// Milliseconds and counter of the last id, side by side.
    last: AtomicI64,
}

impl IdGenerator {
    /// A generator that gives nothing until [`IdGenerator::lease`] is called.
    pub fn new(clock: Clock) -> Self {
        Self {
            clock,
            node: AtomicI64::new(0),
            leased_until: AtomicI64::new(0),
            leased_for: AtomicI64::new(0),
            born: Instant::now(),
            last: AtomicI64::new(0),
        }
    }

    /// Takes over a node number that this process holds until `until` (unix milliseconds).
    pub fn lease(&self, node: i32, until: i64) {
        self.node.store(i64::from(node), Ordering::SeqCst);
        let left = until.saturating_sub(self.clock.now().0);
        self.leased_for.store(self.age().saturating_add(left), Ordering::SeqCst);
        self.leased_until.store(until, Ordering::SeqCst);
    }

    fn age(&self) -> i64 {
        i64::try_from(self.born.elapsed().as_millis()).unwrap_or(i64::MAX)
    }

    /// How long the lease still lasts, in milliseconds; negative when it has run out.
    pub fn lease_left(&self) -> i64 {
        let by_clock = self.leased_until.load(Ordering::SeqCst).saturating_sub(self.clock.now().0);
        by_clock.min(self.leased_for.load(Ordering::SeqCst).saturating_sub(self.age()))
    }

    /// The next id. Fails with `busy` while the node number's lease has run out, since another process may hold
    /// the number by then.
    pub fn next(&self) -> Result<i64> {
        let now = self.clock.now().0;
        if self.lease_left() <= 0 {
            return Err(Error::new(Code::Busy, "this process holds no node number at the moment"));
        }
        let floor = now << COUNTER_BITS;
        let previous = self
            .last
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |last| Some(floor.max(last + 1)))
            .unwrap_or(floor);
        let stamp = floor.max(previous + 1);
        let (milliseconds, counter) = (stamp >> COUNTER_BITS, stamp & ((1 << COUNTER_BITS) - 1));
        let node = self.node.load(Ordering::SeqCst);
        Ok((milliseconds << (NODE_BITS + COUNTER_BITS)) | (node << COUNTER_BITS) | counter)
    }
}

/// The smallest id that an id made at this instant (unix milliseconds) can have.
pub fn first_id_at(milliseconds: i64) -> i64 {
    milliseconds << (NODE_BITS + COUNTER_BITS)
}

/// Text that is no id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InvalidId;

impl std::fmt::Display for InvalidId {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("expected an id: a string of digits without a sign or leading zeros")
    }
}

impl std::error::Error for InvalidId {}

/// Reads an id in its one form, so that equal ids are equal text.
fn parse(text: &str) -> std::result::Result<i64, InvalidId> {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    text.parse().ok().filter(|_| plain).ok_or(InvalidId)
}

macro_rules! id_types {
    ($($(#[$meta:meta])* $name:ident;)+) => {$(
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[derive(diesel::AsExpression, diesel::FromSqlRow)]
        #[diesel(sql_type = diesel::sql_types::BigInt)]
        pub struct $name(pub i64);

        impl std::fmt::Display for $name {
            fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.fmt(out)
            }
        }

        impl std::str::FromStr for $name {
            type Err = InvalidId;
            fn from_str(text: &str) -> std::result::Result<Self, InvalidId> {
                parse(text).map(Self)
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
                serializer.collect_str(&self.0)
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
                let text = <std::borrow::Cow<'_, str>>::deserialize(deserializer)?;
                parse(&text).map(Self).map_err(serde::de::Error::custom)
            }
        }

        impl<DB> diesel::deserialize::FromSql<diesel::sql_types::BigInt, DB> for $name
        where
            DB: diesel::backend::Backend,
            i64: diesel::deserialize::FromSql<diesel::sql_types::BigInt, DB>,
        {
            fn from_sql(value: DB::RawValue<'_>) -> diesel::deserialize::Result<Self> {
                i64::from_sql(value).map(Self)
            }
        }

        impl<DB> diesel::serialize::ToSql<diesel::sql_types::BigInt, DB> for $name
        where
            DB: diesel::backend::Backend,
            i64: diesel::serialize::ToSql<diesel::sql_types::BigInt, DB>,
        {
            fn to_sql<'b>(&'b self, out: &mut diesel::serialize::Output<'b, '_, DB>) -> diesel::serialize::Result {
                self.0.to_sql(out)
            }
        }

        impl utoipa::PartialSchema for $name {
            fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
                use utoipa::openapi::schema::{ObjectBuilder, Type};
                ObjectBuilder::new()
                    .schema_type(Type::String)
                    .pattern(Some("^(0|[1-9][0-9]{0,18})$"))
                    .description(Some("An id: a string of digits (63 bits, time-ordered)."))
                    .examples([serde_json::json!("3765201203527680000")])
                    .into()
            }
        }

        impl utoipa::ToSchema for $name {}
    )+};
}

id_types! {
    /// A merchant.
    TenantId;
    /// An account: visitor, agent, supervisor or administrator.
    MemberId;
    /// A signed-in device: one family of refresh tokens.
    SessionId;
    /// A key with which a tenant signs its visitors' identities.
    IdentityKeyId;
    /// A conversation with a log.
    ConversationId;
    /// One assignment of an agent to a conversation.
    AssignmentId;
    /// A standing group of the staff.
    GroupId;
    /// One change of a presence.
    PresenceChangeId;
    /// One offer of a conversation to an agent.
    OfferId;
    /// One transfer of a conversation.
    TransferId;
    /// A merchant's account with a provider, or an address that receives.
    ChannelAccountId;
    /// A template of messages.
    MessageTemplateId;
    /// A rule that says what is sent when something happens.
    MessageRuleId;
    /// Something that happened, for which rules may send messages.
    MessageEventId;
    /// One message to one receiver.
    MessageSendId;
    /// A person with addresses of its own for messages.
    MessageRecipientId;
    /// A member or a message recipient.
    PersonId;
    /// What a person does not want to be sent.
    OptOutId;
    /// An address to which nothing is sent.
    SuppressionId;
    /// What a provider said later of a message.
    MessageReceiptId;
    /// Something that a member is told inside the product.
    NotificationId;
    /// Who a person is to an official account.
    MessageIdentityId;
    /// A QR code that binds a person to an official account.
    MessageBindingId;
    /// Events that a rule sends as one message.
    MessageDigestId;
    /// What a customer said of how it was served.
    RatingId;
    /// A text that the staff have ready.
    CannedReplyId;
    /// The erasure of a person's data.
    ErasureId;
    /// An export of a tenant or of a person.
    ExportId;
    /// A file that a member sends.
    AttachmentId;
    /// Bytes in the folder of files.
    StoredFileId;
    /// When a desk is open.
    BusinessHoursId;
    /// How fast customers are to be answered.
    SlaPolicyId;
    /// Whom a tenant does not let in.
    BanId;
    /// A key of a service account.
    ApiKeyId;
    /// A custom attribute of conversations or customers.
    AttributeId;
    /// A filter of conversations that somebody keeps.
    SavedFilterId;
    /// Something that was done, as the audit log keeps it.
    AuditEventId;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_rise_and_never_repeat_even_when_the_clock_goes_back() {
        let clock = Clock::default();
        let ids = IdGenerator::new(clock.clone());
        ids.lease(7, i64::MAX);
        let mut last = 0;
        for round in 0..20_000 {
            if round == 10_000 {
                clock.advance(-3_600_000);
            }
            let id = ids.next().unwrap_or_default();
            assert!(id > last, "{id} after {last}");
            assert_eq!((id >> COUNTER_BITS) & 0xff, 7);
            last = id;
        }
    }

    #[test]
    fn an_id_has_one_form() {
        for good in ["0", "7", "9223372036854775807"] {
            assert_eq!(good.parse::<MemberId>().map(|id| id.to_string()).as_deref(), Ok(good));
        }
        for bad in ["", "+5", "-5", "05", "00", " 5", "5 ", "5.0", "0x5", "٥", "9223372036854775808"] {
            assert_eq!(bad.parse::<MemberId>(), Err(InvalidId), "{bad}");
        }
    }

    #[test]
    fn without_a_lease_there_are_no_ids() {
        let ids = IdGenerator::new(Clock::default());
        assert!(ids.next().is_err());
    }
}
