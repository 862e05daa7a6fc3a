//! The conversation with a mail server: one message to one receiver on a connection of its own.

use std::net::IpAddr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use tokio::time::Instant;

use super::connect::{connect, secured};
use super::replies::{Stage, answer, passed};
use super::wire::{Reply, Silence, Wire, step};
use super::{Carrier, Envelope, mime};
use crate::centre::channels::Answer;
use crate::domain::centre::account::{SmtpSecurity, SmtpSettings};
use crate::domain::centre::send::Outcome;

/// A conversation under way.
struct Session<'a> {
    carrier: &'a Carrier,
    settings: &'a SmtpSettings,
    wire: Wire,
    /// Before when the final dot must have gone out.
    all: Instant,
    /// What the server says that it can do, in upper case.
    abilities: Vec<String>,
}

/// Hands a message over.
pub(super) async fn run(carrier: &Carrier, envelope: &Envelope, to: &str, message: &[u8]) -> Answer {
    talk(carrier, envelope, to, message).await.unwrap_or_else(|answer| answer)
}

async fn talk(carrier: &Carrier, envelope: &Envelope, to: &str, message: &[u8]) -> Result<Answer, Answer> {
    let all = Instant::now() + carrier.limits.before;
    let mut session = Session::open(carrier, &envelope.settings, all).await?;
    let answer = match session.prepare(to, message.len()).await {
        Ok(()) => session.hand_over(message).await,
        Err(answer) => answer,
    };
    // Whatever comes of it: the message has its answer.
    let _ = session.wire.command("QUIT", Instant::now() + carrier.limits.quit).await;
    Ok(answer)
}

impl<'a> Session<'a> {
    /// Connects and greets, with TLS as the account asks for it.
    async fn open(carrier: &'a Carrier, settings: &'a SmtpSettings, all: Instant) -> Result<Self, Answer> {
        let (stream, here) = connect(carrier, settings).await?;
        let mut wire = match settings.security {
            SmtpSecurity::Tls => {
                let until = step(carrier.limits.command, all);
                Wire::new(secured(carrier, settings, Box::new(stream), until).await?)
            }
            SmtpSecurity::Starttls | SmtpSecurity::None => Wire::new(Box::new(stream)),
        };
        let until = step(carrier.limits.command, all);
        let greeting = wire.reply(until).await.map_err(|silence| unsaid(Stage::Greeting, silence))?;
        passed(Stage::Greeting, greeting)?;
        let mut session = Self { carrier, settings, wire, all, abilities: Vec::new() };
        session.greet(here).await?;
        match settings.security {
            SmtpSecurity::Starttls => session.with_tls(here).await,
            SmtpSecurity::Tls | SmtpSecurity::None => Ok(session),
        }
    }

    /// Asks for TLS and greets anew (RFC 3207, 4.2: what was said before counts no more). Never goes on without.
    async fn with_tls(mut self, here: IpAddr) -> Result<Self, Answer> {
        let refused = |detail| Answer::without_reply(Outcome::Configuration, detail);
        if !self.abilities.iter().any(|line| line == "STARTTLS") {
            return Err(refused("the server offers no STARTTLS"));
        }
        self.command(Stage::Tls, "STARTTLS").await?;
        let Some(stream) = self.wire.into_quiet() else {
            return Err(refused("the server said more than it was asked before TLS"));
        };
        let until = step(self.carrier.limits.command, self.all);
        self.wire = Wire::new(secured(self.carrier, self.settings, stream, until).await?);
        self.greet(here).await?;
        Ok(self)
    }

    /// Says who calls, by its address (RFC 5321, 4.1.3): a server behind a router has no name that others know.
    async fn greet(&mut self, here: IpAddr) -> Result<(), Answer> {
        let here = match here {
            IpAddr::V4(address) => format!("[{address}]"),
            IpAddr::V6(address) => format!("[IPv6:{address}]"),
        };
        let reply = self.command(Stage::Hello, &format!("EHLO {here}")).await?;
        self.abilities = reply.lines.iter().skip(1).map(|line| line.trim().to_uppercase()).collect();
        Ok(())
    }

    /// Signs in, if the account has a user name.
    async fn sign_in(&mut self) -> Result<(), Answer> {
        let (Some(username), Some(password)) = (&self.settings.username, &self.settings.password) else {
            return Ok(());
        };
        let offered = |name: &str| {
            let lines = self.abilities.iter().filter_map(|line| line.strip_prefix("AUTH"));
            lines.flat_map(|line| line.split([' ', '='])).any(|word| word == name)
        };
        let (username, password) = (username.as_str(), password.as_str());
        if offered("PLAIN") {
            let token = STANDARD.encode(format!("\0{username}\0{password}"));
            self.login(&format!("AUTH PLAIN {token}"), 235, &[password, &token]).await
        } else if offered("LOGIN") {
            let (name, word) = (STANDARD.encode(username), STANDARD.encode(password));
            self.login("AUTH LOGIN", 334, &[password, &word]).await?;
            self.login(&name, 334, &[password, &word]).await?;
            self.login(&word, 235, &[password, &word]).await
        } else {
            let detail = "the server offers neither AUTH PLAIN nor AUTH LOGIN";
            Err(Answer::without_reply(Outcome::Configuration, detail))
        }
    }

    /// A line of signing in. A server that repeats a secret in its refusal is not quoted.
    async fn login(&mut self, line: &str, expected: u16, secrets: &[&str]) -> Result<(), Answer> {
        let said = self.command(Stage::Login, line).await;
        let refused = match said {
            Ok(reply) if reply.code == expected => return Ok(()),
            Ok(reply) => answer(Outcome::Configuration, &reply),
            Err(answer) => answer,
        };
        let quotes = |text: &Option<String>| {
            text.as_ref().is_some_and(|text| secrets.iter().any(|secret| text.contains(secret)))
        };
        Err(match quotes(&refused.message) || quotes(&refused.code) {
            true => {
                Answer { code: None, ..Answer::without_reply(refused.outcome, "the server refused AUTH") }
            }
            false => refused,
        })
    }

    /// Signs in and says from whom and to whom.
    async fn prepare(&mut self, to: &str, length: usize) -> Result<(), Answer> {
        self.sign_in().await?;
        let size = self.abilities.iter().find_map(|line| line.strip_prefix("SIZE"));
        let most: usize = size.and_then(|text| text.trim().parse().ok()).unwrap_or(0);
        if most > 0 && length > most {
            let detail = format!("the server takes messages of at most {most} bytes");
            return Err(Answer::without_reply(Outcome::Content, detail));
        }
        self.command(Stage::Sender, &format!("MAIL FROM:<{}>", self.settings.from_address)).await?;
        self.command(Stage::Recipient, &format!("RCPT TO:<{to}>")).await?;
        self.command(Stage::Data, "DATA").await?;
        Ok(())
    }

    /// Hands the message itself over.
    async fn hand_over(&mut self, message: &[u8]) -> Answer {
        // Until the final dot the server has nothing that it could deliver.
        if let Err(silence) = self.wire.send(&mime::stuffed(message), self.all).await {
            return unsaid(Stage::Message, silence);
        }
        let until = Instant::now() + self.carrier.limits.reply;
        let reply = match self.wire.command(".", until).await {
            Ok(reply) => reply,
            Err(Silence(detail)) => {
                let detail = format!("the message went out, and then: {detail}");
                return Answer::without_reply(Outcome::Uncertain, detail);
            }
        };
        match passed(Stage::Message, reply) {
            Ok(reply) => answer(Outcome::Accepted, &reply),
            Err(answer) => answer,
        }
    }

    /// A command before the message, whose reply lets the conversation go on.
    async fn command(&mut self, stage: Stage, line: &str) -> Result<Reply, Answer> {
        let until = step(self.carrier.limits.command, self.all);
        let reply = self.wire.command(line, until).await.map_err(|silence| unsaid(stage, silence))?;
        passed(stage, reply)
    }
}

/// An attempt that ended before the message was out.
fn unsaid(stage: Stage, Silence(detail): Silence) -> Answer {
    Answer::without_reply(Outcome::Retry, format!("at {}: {detail}", stage.name()))
}
