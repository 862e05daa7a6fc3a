//! What the replies of a mail server mean (RFC 5321, 4.2; RFC 4954, 6; RFC 3207).

use super::wire::Reply;
use crate::centre::channels::Answer;
use crate::domain::centre::send::Outcome;

/// How far a conversation has come: what a reply is a reply to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// The connection.
    Greeting,
    /// `EHLO`.
    Hello,
    /// `STARTTLS`.
    Tls,
    /// `AUTH`.
    Login,
    /// `MAIL`.
    Sender,
    /// `RCPT`.
    Recipient,
    /// `DATA`.
    Data,
    /// The message and its final dot.
    Message,
}

impl Stage {
    /// As it is told.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Greeting => "the connection",
            Self::Hello => "EHLO",
            Self::Tls => "STARTTLS",
            Self::Login => "AUTH",
            Self::Sender => "MAIL",
            Self::Recipient => "RCPT",
            Self::Data => "DATA",
            Self::Message => "the message",
        }
    }

    /// Whether this reply lets the conversation go on.
    const fn is_passed(self, code: u16) -> bool {
        match self {
            Self::Greeting | Self::Tls => code == 220,
            Self::Login => code == 235 || code == 334,
            Self::Data => code == 354,
            Self::Hello | Self::Sender | Self::Recipient | Self::Message => code >= 200 && code <= 299,
        }
    }
}

/// Takes a reply that lets the conversation go on; of any other, what became of the attempt.
pub(super) fn passed(stage: Stage, reply: Reply) -> Result<Reply, Answer> {
    match stage.is_passed(reply.code) {
        true => Ok(reply),
        false => Err(answer(outcome(stage, reply.code), &reply)),
    }
}

/// What a reply means that does not let the conversation go on.
fn outcome(stage: Stage, code: u16) -> Outcome {
    match (stage, code) {
        // Who is to sign in, and cannot; and what needs TLS (RFC 4954, 6; RFC 3207, 4).
        (_, 530 | 534 | 535 | 538) => Outcome::Configuration,
        (_, 400..=499) => Outcome::Retry,
        // A server that lost the thread says nothing about the receiver.
        (Stage::Recipient, 500 | 502..=504) => Outcome::Retry,
        (Stage::Recipient, 500..=599) => Outcome::Recipient,
        (Stage::Data | Stage::Message, 500..=599) => Outcome::Content,
        (_, 500..=599) => Outcome::Configuration,
        // Neither yes nor no.
        (Stage::Message, _) => Outcome::Uncertain,
        _ => Outcome::Retry,
    }
}

/// An attempt that ended with this reply.
pub(super) fn answer(outcome: Outcome, reply: &Reply) -> Answer {
    let text = reply.text();
    let code = match text.split(' ').next().filter(|word| is_enhanced(word)) {
        Some(word) => format!("{} {word}", reply.code),
        None => reply.code.to_string(),
    };
    let said = format!("{} {text}", reply.code).trim_end().to_owned();
    Answer { code: Some(code), ..Answer::without_reply(outcome, said) }
}

/// Whether this is an enhanced status code (RFC 3463), such as `5.1.1`.
fn is_enhanced(word: &str) -> bool {
    let parts: Vec<&str> = word.split('.').collect();
    let is_number =
        |part: &&str| (1..=3).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit());
    parts.len() == 3 && parts.iter().all(is_number)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn refusals_are_of_the_account_the_receiver_or_the_content() {
        use Outcome as O;
        for (stage, codes, expected) in [
            (Stage::Greeting, &[421, 450, 454][..], O::Retry),
            (Stage::Greeting, &[554], O::Configuration),
            (Stage::Hello, &[500, 502, 550], O::Configuration),
            (Stage::Tls, &[454], O::Retry),
            (Stage::Tls, &[502, 503], O::Configuration),
            (Stage::Login, &[454, 421], O::Retry),
            (Stage::Login, &[504, 530, 534, 535, 538], O::Configuration),
            (Stage::Sender, &[421, 451, 452], O::Retry),
            (Stage::Sender, &[530, 550, 553, 501], O::Configuration),
            (Stage::Recipient, &[421, 450, 451, 452], O::Retry),
            (Stage::Recipient, &[501, 550, 551, 552, 553, 554], O::Recipient),
            (Stage::Recipient, &[503, 354], O::Retry),
            (Stage::Recipient, &[530, 535], O::Configuration),
            (Stage::Data, &[451], O::Retry),
            (Stage::Data, &[250], O::Retry),
            (Stage::Data, &[550, 554], O::Content),
            (Stage::Message, &[421, 450, 451, 452], O::Retry),
            (Stage::Message, &[550, 552, 554], O::Content),
            (Stage::Message, &[530, 535], O::Configuration),
            (Stage::Message, &[100, 354, 600, 999], O::Uncertain),
        ] {
            for code in codes {
                let reply = Reply { code: *code, lines: vec!["x".to_owned()] };
                assert_eq!(passed(stage, reply).unwrap_err().outcome, expected, "{stage:?} {code}");
            }
        }
    }

    #[test]
    fn codes_are_told_with_their_details() {
        let told = |text: &str| {
            let answer = answer(Outcome::Recipient, &Reply { code: 550, lines: vec![text.to_owned()] });
            (answer.code.unwrap(), answer.message.unwrap())
        };
        assert_eq!(told("5.1.1 no such user"), ("550 5.1.1".to_owned(), "550 5.1.1 no such user".to_owned()));
        assert_eq!(told("no 5.1.1"), ("550".to_owned(), "550 no 5.1.1".to_owned()));
        assert_eq!(told(""), ("550".to_owned(), "550".to_owned()));
    }
}
