//! Suppressions: addresses to which nothing is sent, because nobody is there, or whoever is does not want it.
//!
//! Owns what a provider must say for an address to be one of them, and how addresses are compared. Invariant: only what
//! the provider's documents say of the address itself counts, never what is said of a message, an account or the
//! moment.

use diesel::prelude::*;

use super::account::{Channel, Provider};
use super::mailbox::mailbox;
use super::send::Outcome;
use crate::db::schema::message_suppression;
use crate::kernel::{SuppressionId, TenantId};
use crate::text_enum;

text_enum! {
    /// Why nothing is sent to an address.
    SuppressionReason {
        /// The mail server says that there is no such mailbox.
        Bounced = "bounced",
        /// Whoever is there said that it wants no more: to the provider, or in a text message.
        OptedOut = "opted_out",
        /// One of the merchant's staff wrote it down.
        Staff = "staff",
    }
}

/// A row of `message_suppression`.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Insertable)]
#[diesel(table_name = message_suppression, treat_none_as_default_value = false)]
pub struct SuppressionRow {
    /// The suppression.
    pub id: SuppressionId,
    /// Whose.
    pub tenant_id: TenantId,
    /// Of which channel.
    pub channel: Channel,
    /// The address, as [`comparable`] writes it.
    pub address: String,
    /// Why.
    pub reason: SuppressionReason,
    /// What the provider said.
    pub code: Option<String>,
    /// Since when, unix milliseconds.
    pub created_at: i64,
}

/// What somebody answered to text messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answered {
    /// Its phone.
    pub from: String,
    /// The provider's name for the answer.
    pub name: String,
    /// What it wants.
    pub word: Word,
}

/// What an answer asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Word {
    /// No more messages.
    Stop,
    /// Messages again.
    Start,
}

/// The same for all ways to write an address: e-mail in lower case with its domain in ASCII; the others as they are.
pub fn comparable(channel: Channel, address: &str) -> String {
    match channel {
        Channel::Email => mailbox(address).unwrap_or_else(|_| address.to_owned()).to_lowercase(),
        _ => address.to_owned(),
    }
}

/// What the answer to an attempt says of the address. A refusal that is not because of the receiver says nothing of it.
pub fn learned(provider: Provider, outcome: Outcome, code: Option<&str>) -> Option<SuppressionReason> {
    let code = code.filter(|_| outcome == Outcome::Recipient)?;
    match provider {
        Provider::Smtp => is_no_mailbox(code).then_some(SuppressionReason::Bounced),
        Provider::TwilioSms => (code == TWILIO_STOPPED).then_some(SuppressionReason::OptedOut),
        // The phone unsubscribed, or stands on a carrier's list.
        Provider::TencentSms => {
            (code == "FailedOperation.PhoneNumberInBlacklist").then_some(SuppressionReason::OptedOut)
        }
        _ => None,
    }
}

/// What a receipt of a message that did not arrive says of the address. Tencent Cloud's receipts name no such code.
pub fn reported(provider: Provider, code: Option<&str>) -> Option<SuppressionReason> {
    let is_refused = match provider {
        // Of a messaging service Twilio finds out after it took the message.
        Provider::TwilioSms => code == Some(TWILIO_STOPPED),
        // The phone's owner complained of the messages with this signature.
        Provider::AliyunSms => code == Some("W-BLACK"),
        _ => false,
    };
    is_refused.then_some(SuppressionReason::OptedOut)
}

/// The phone answered STOP (Error and Warning Dictionary of Twilio).
const TWILIO_STOPPED: &str = "21610";

/// Whether a refusal of the receiver such as `550 5.1.1` says that there is no such mailbox (X.1.1), or that its domain
/// takes no mail at all (X.1.10). X.1.2 is also said by a server whose own DNS fails, and X.2.1 by Gmail of a mailbox
/// that gets too much at the moment.
fn is_no_mailbox(code: &str) -> bool {
    code.starts_with('5') && matches!(code.split_once(' '), Some((_, "5.1.1" | "5.1.10")))
}

/// What a text message asks for that came to Twilio. `kind` is its `OptOutType`, which a messaging service with words
/// of its own (Advanced Opt-Out) adds; without it Twilio's usual words count, alone and in either case.
pub fn word(kind: Option<&str>, body: &str) -> Option<Word> {
    let said = kind.unwrap_or(body).trim().to_ascii_uppercase();
    match said.as_str() {
        "STOP" => Some(Word::Stop),
        "STOPALL" | "UNSUBSCRIBE" | "CANCEL" | "END" | "QUIT" | "REVOKE" | "OPTOUT" if kind.is_none() => {
            Some(Word::Stop)
        }
        "START" => Some(Word::Start),
        "UNSTOP" if kind.is_none() => Some(Word::Start),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_said_of_the_address_is_learned() {
        use SuppressionReason as R;
        let of = |provider, code| learned(provider, Outcome::Recipient, Some(code));
        for (code, expected) in [
            ("550 5.1.1", Some(R::Bounced)),
            ("551 5.1.1", Some(R::Bounced)),
            ("556 5.1.10", Some(R::Bounced)),
            ("550", None),
            ("550 5.1.2", None),
            ("501 5.1.3", None),
            ("550 5.1.11", None),
            ("550 5.2.1", None),
            ("552 5.2.2", None),
            ("550 5.7.1", None),
            ("550 5.0.0", None),
            ("450 5.1.1", None),
            ("550 4.1.1", None),
            ("21610", None),
        ] {
            assert_eq!(of(Provider::Smtp, code), expected, "{code}");
        }
        for (code, expected) in
            [("21610", Some(R::OptedOut)), ("21211", None), ("21614", None), ("30007", None)]
        {
            assert_eq!(of(Provider::TwilioSms, code), expected, "{code}");
            assert_eq!(reported(Provider::TwilioSms, Some(code)), expected, "{code}");
            assert_eq!(of(Provider::AliyunSms, code), None);
        }
        let black = "FailedOperation.PhoneNumberInBlacklist";
        assert_eq!(of(Provider::TencentSms, black), Some(R::OptedOut));
        assert_eq!(of(Provider::TencentSms, "InvalidParameterValue.IncorrectPhoneNumber"), None);
        assert_eq!(reported(Provider::TencentSms, Some(black)), None);
        assert_eq!(reported(Provider::AliyunSms, Some("W-BLACK")), Some(R::OptedOut));
        assert_eq!(reported(Provider::AliyunSms, Some("isv.BLACK_KEY_CONTROL_LIMIT")), None);
        assert_eq!(
            (reported(Provider::AliyunSms, None), reported(Provider::Smtp, Some("550 5.1.1"))),
            (None, None)
        );
    }

    /// A code counts only where it is the receiver who is refused.
    #[test]
    fn what_is_said_of_the_message_or_the_account_is_not_learned() {
        for outcome in Outcome::ALL.iter().filter(|outcome| **outcome != Outcome::Recipient) {
            assert_eq!(learned(Provider::Smtp, *outcome, Some("550 5.1.1")), None, "{outcome}");
            assert_eq!(learned(Provider::TwilioSms, *outcome, Some("21610")), None, "{outcome}");
        }
        assert_eq!(learned(Provider::Smtp, Outcome::Recipient, None), None);
    }

    #[test]
    fn words_count_alone_and_the_service_has_the_last_word() {
        for (kind, body, expected) in [
            (None, "STOP", Some(Word::Stop)),
            (None, " stop\n", Some(Word::Stop)),
            (None, "Unsubscribe", Some(Word::Stop)),
            (None, "stop please", None),
            (None, "START", Some(Word::Start)),
            (None, "unstop", Some(Word::Start)),
            (None, "yes", None),
            (None, "", None),
            (Some("STOP"), "arrêter", Some(Word::Stop)),
            (Some("START"), "oui", Some(Word::Start)),
            (Some("HELP"), "STOP", None),
            (Some("END"), "END", None),
        ] {
            assert_eq!(word(kind, body), expected, "{kind:?} {body}");
        }
    }

    #[test]
    fn addresses_are_compared_in_one_form() {
        let same = |one: &str, other: &str| {
            assert_eq!(comparable(Channel::Email, one), comparable(Channel::Email, other));
        };
        same("Eva@Shop.example", "eva@shop.example");
        same("eva@b\u{fc}cher.example", "eva@xn--bcher-kva.example");
        assert_eq!(comparable(Channel::Email, "No Address"), "no address");
        assert_eq!(comparable(Channel::Sms, "+8613800138000"), "+8613800138000");
        assert_eq!(comparable(Channel::Wechat, "oA-b_C"), "oA-b_C");
    }
}
