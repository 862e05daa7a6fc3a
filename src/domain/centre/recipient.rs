//! Recipients: whom a rule's messages are for, where each person is reached, when it wants to be left alone, and what it
//! does not want at all.

use diesel::prelude::*;
use jiff::civil;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use super::account::Channel;
use super::send::MessagePriority;
use crate::db::schema::{message_identity, message_opt_out, message_recipient};
use crate::domain::member::Role;
use crate::kernel::{
    ChannelAccountId, GroupId, MemberId, MessageIdentityId, MessageRecipientId, OptOutId, PersonId, TenantId,
};
use crate::text_enum;

/// Most message recipients of a tenant.
pub const RECIPIENTS_MAX: i64 = 10_000;
/// Most entries in a rule's list of recipients.
pub const RECIPIENTS_OF_RULE_MAX: usize = 20;
/// Most persons whom one rule reaches with one event.
pub const PERSONS_MAX: usize = 200;
/// Longest name of a time zone, in characters.
pub const TIME_ZONE_MAX: usize = 64;
/// Longest openid, in characters; WeChat's have 28.
pub const OPENID_MAX: usize = 128;
/// Most opt-outs of a person.
pub const OPT_OUTS_MAX: i64 = 50;

/// Whom a rule's messages are for (the source's `to_user` and `work_id`). Exactly one field is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "type", deny_unknown_fields)]
pub enum Recipient {
    /// The customer whom the event is about (1 of the source).
    Customer,
    /// A message recipient (2 of the source).
    Recipient {
        /// Which one.
        id: MessageRecipientId,
    },
    /// The agent who served the conversation that the event is about.
    Agent,
    /// One of the staff.
    Member {
        /// Which one.
        id: MemberId,
    },
    /// Everybody with this role.
    Role {
        /// A role of the staff.
        role: Role,
    },
    /// Everybody in a group.
    Group {
        /// Which one.
        id: GroupId,
    },
}

text_enum! {
    /// What becomes of a message in its receiver's quiet hours. Codes go out at all hours.
    QuietHoursPolicy {
        /// It is sent when they are over.
        Defer = "defer",
        /// It is not sent.
        Drop = "drop",
        /// It is sent.
        Ignore = "ignore",
    }
}

text_enum! {
    /// Whether a message recipient is sent anything (the source: 1 valid, 0 invalid).
    RecipientStatus {
        /// It is.
        Active = "active",
        /// It is not.
        Disabled = "disabled",
    }
}

text_enum! {
    /// Who said that a person does not want something.
    OptOutSource {
        /// One of the merchant's staff.
        Staff = "staff",
        /// The provider.
        Provider = "provider",
        /// The person, by the link in an e-mail.
        Person = "person",
    }
}

/// A row of `message_recipient`.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Insertable)]
#[diesel(table_name = message_recipient, treat_none_as_default_value = false)]
pub struct RecipientRow {
    /// The recipient.
    pub id: MessageRecipientId,
    /// Whose.
    pub tenant_id: TenantId,
    /// The member that it is; `None`: somebody without an account.
    pub member_id: Option<MemberId>,
    /// What it is called.
    pub name: String,
    /// Its phone, E.164; empty: none of its own.
    pub phone: String,
    /// Its e-mail address; empty: none of its own.
    pub email: String,
    /// The time zone of its quiet hours, by the names of the IANA.
    pub time_zone: String,
    /// When its quiet hours begin, in minutes of the day; `None`: it has none.
    pub quiet_from: Option<i64>,
    /// When they end.
    pub quiet_until: Option<i64>,
    /// Whether it is sent anything.
    pub status: RecipientStatus,
    /// When it was made, unix milliseconds.
    pub created_at: i64,
    /// When it last changed, unix milliseconds.
    pub updated_at: i64,
    /// When it was deleted, unix milliseconds.
    pub deleted_at: Option<i64>,
    /// Which language it reads; empty: as its member.
    pub locale: String,
}

impl RecipientRow {
    /// Its quiet hours, if it has any.
    pub fn quiet_hours(&self) -> Option<QuietHours> {
        Some(QuietHours {
            from: self.quiet_from?,
            until: self.quiet_until?,
            time_zone: self.time_zone.clone(),
        })
    }
}

/// A row of `message_identity`.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Insertable)]
#[diesel(table_name = message_identity, treat_none_as_default_value = false)]
pub struct IdentityRow {
    /// The identity.
    pub id: MessageIdentityId,
    /// Whose.
    pub tenant_id: TenantId,
    /// To which account.
    pub account_id: ChannelAccountId,
    /// Who: a member or a message recipient.
    pub person_id: PersonId,
    /// Its name at the account.
    pub openid: String,
    /// When it was made, unix milliseconds.
    pub created_at: i64,
    /// When it last changed, unix milliseconds.
    pub updated_at: i64,
}

/// A row of `message_opt_out`.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Insertable)]
#[diesel(table_name = message_opt_out, treat_none_as_default_value = false)]
pub struct OptOutRow {
    /// The opt-out.
    pub id: OptOutId,
    /// Whose.
    pub tenant_id: TenantId,
    /// Who does not want it.
    pub person_id: PersonId,
    /// On which channel.
    pub channel: Channel,
    /// Of which priority: its word; empty: everything but codes.
    pub priority: String,
    /// Who said so.
    pub source: OptOutSource,
    /// When, unix milliseconds.
    pub created_at: i64,
}

impl OptOutRow {
    /// Whether a message of this priority is not wanted on this channel.
    pub fn covers(&self, channel: Channel, priority: MessagePriority) -> bool {
        self.channel == channel
            && match self.priority.is_empty() {
                true => priority != MessagePriority::Code,
                false => self.priority == priority.as_str(),
            }
    }
}

/// The hours of the day in which a person wants to be left alone. They may go over midnight.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuietHours {
    /// When they begin, in minutes of the day.
    pub from: i64,
    /// When they end, in minutes of the day.
    pub until: i64,
    /// In which time zone.
    pub time_zone: String,
}

impl QuietHours {
    /// When the quiet hours that this instant falls into are over, both unix milliseconds; `None`: it falls into none. Of
    /// a time that does not exist on a day when the clocks are put forward, the first one after it counts.
    pub fn end(&self, at: i64) -> Option<i64> {
        let zone = TimeZone::get(&self.time_zone).ok()?;
        let local = jiff::Timestamp::from_millisecond(at).ok()?.to_zoned(zone.clone());
        let minute = i64::from(local.hour()) * 60 + i64::from(local.minute());
        let over_midnight = self.from > self.until;
        let is_quiet = match over_midnight {
            true => minute >= self.from || minute < self.until,
            false => (self.from..self.until).contains(&minute),
        };
        if !is_quiet {
            return None;
        }
        let is_tomorrow = over_midnight && minute >= self.from;
        let day = if is_tomorrow { local.date().tomorrow().ok()? } else { local.date() };
        let (hour, minute) = (i8::try_from(self.until / 60).ok()?, i8::try_from(self.until % 60).ok()?);
        let end = day.to_datetime(civil::Time::new(hour, minute, 0, 0).ok()?).to_zoned(zone).ok()?;
        // A clock that was put back shows the same hour twice.
        Some(end.timestamp().as_millisecond()).filter(|end| *end > at)
    }
}

/// An openid without spaces around; what is wrong with it otherwise.
pub fn openid(text: &str) -> Result<String, String> {
    let openid = text.trim();
    let is_plain = openid.bytes().all(|one| one.is_ascii_alphanumeric() || b"_-".contains(&one));
    match is_plain && (1..=OPENID_MAX).contains(&openid.len()) {
        true => Ok(openid.to_owned()),
        false => Err(format!("1 to {OPENID_MAX} letters, digits, hyphens and underscores")),
    }
}

/// A phone number as E.164 writes it (`+8613800138000`); `None` when it is none. Spaces, hyphens, dots and brackets are left
/// out, `00` stands for `+`, and eleven digits that begin with 13 to 19 are a mobile of mainland China.
pub fn e164(text: &str) -> Option<String> {
    let plain: String = text.chars().filter(|one| !" -.()\u{a0}".contains(*one)).collect();
    let digits = match plain.strip_prefix('+').or_else(|| plain.strip_prefix("00")) {
        Some(digits) => digits.to_owned(),
        None if plain.len() == 11
            && plain.starts_with('1')
            && plain.as_bytes().get(1).is_some_and(|two| *two >= b'3') =>
        {
            format!("86{plain}")
        }
        None => return None,
    };
    let fits = (8..=15).contains(&digits.len()) && !digits.starts_with('0');
    (fits && digits.bytes().all(|one| one.is_ascii_digit())).then(|| format!("+{digits}"))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    fn at(text: &str) -> i64 {
        text.parse::<jiff::Timestamp>().unwrap().as_millisecond()
    }

    #[test]
    fn quiet_hours_end_where_the_person_lives() {
        let night = |zone: &str| QuietHours { from: 22 * 60, until: 8 * 60, time_zone: zone.to_owned() };
        let shanghai = night("Asia/Shanghai");
        // 23:30 and 07:59 in Shanghai.
        assert_eq!(shanghai.end(at("2026-11-28T15:30:00Z")), Some(at("2026-11-29T00:00:00Z")));
        assert_eq!(shanghai.end(at("2026-11-28T23:59:59Z")), Some(at("2026-11-29T00:00:00Z")));
        assert_eq!(shanghai.end(at("2026-11-29T00:00:00Z")), None);
        assert_eq!(shanghai.end(at("2026-11-29T13:59:59Z")), None);
        let noon = QuietHours { from: 12 * 60, until: 14 * 60, time_zone: "Europe/Berlin".to_owned() };
        assert_eq!(noon.end(at("2026-07-01T10:00:00Z")), Some(at("2026-07-01T12:00:00Z")));
        assert_eq!(noon.end(at("2026-07-01T12:00:00Z")), None);
        assert_eq!(night("Nowhere/Town").end(at("2026-11-28T15:30:00Z")), None);
    }

    #[test]
    fn quiet_hours_end_on_days_when_clocks_change() {
        let early = QuietHours { from: 60, until: 150, time_zone: "Europe/Berlin".to_owned() };
        // 2026-03-29 has no 02:30 in Berlin: 03:30 is the first such time after it.
        assert_eq!(early.end(at("2026-03-29T00:30:00Z")), Some(at("2026-03-29T01:30:00Z")));
        // 2026-10-25 has it twice; the first one counts.
        assert_eq!(early.end(at("2026-10-25T00:10:00Z")), Some(at("2026-10-25T00:30:00Z")));
        assert_eq!(early.end(at("2026-10-25T01:10:00Z")), None);
    }

    #[test]
    fn phones_are_written_one_way() {
        for text in ["+86 138-0013-8000", "0086 13800138000", "138 0013 8000", "+86(138)00138000"] {
            assert_eq!(e164(text).as_deref(), Some("+8613800138000"), "{text}");
        }
        assert_eq!(e164("+1 415 867 5309").as_deref(), Some("+14158675309"));
        for text in [
            "",
            "4158675309",
            "+0123456789",
            "+1234567",
            "+1234567890123456",
            "12800138000",
            "+86x3800138000",
        ] {
            assert_eq!(e164(text), None, "{text}");
        }
    }

    #[test]
    fn an_opt_out_of_everything_leaves_codes() {
        let row = |priority: &str| OptOutRow {
            id: OptOutId(1),
            tenant_id: TenantId(1),
            person_id: PersonId(1),
            channel: Channel::Sms,
            priority: priority.to_owned(),
            source: OptOutSource::Staff,
            created_at: 0,
        };
        for priority in MessagePriority::ALL {
            let (everything, one) = (row(""), row("code"));
            assert_eq!(everything.covers(Channel::Sms, *priority), *priority != MessagePriority::Code);
            assert_eq!(one.covers(Channel::Sms, *priority), *priority == MessagePriority::Code);
            assert!(!everything.covers(Channel::Email, *priority));
        }
    }
}
