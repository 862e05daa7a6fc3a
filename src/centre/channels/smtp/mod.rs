//! E-mail over SMTP (RFC 5321): a message and one receiver, handed to the merchant's mail server.
//!
//! Owns what is handed over ([`Envelope`]), its form ([`mime`]), the conversation ([`session`]) and what the server's
//! replies mean ([`replies`]). Does not own when that happens or what follows from it (`dispatch`, `domain::centre`).
//!
//! Invariants: until the final dot could have gone out a failure is safe to repeat, and after it only the server's own
//! reply says what became of the message; the server's name is resolved here and connected to as resolved, and only at
//! public addresses unless the operator allows the host; with `tls` and `starttls` nothing but the greeting and `STARTTLS`
//! crosses an open line; a password stands in no answer.

mod connect;
mod mime;
mod replies;
mod session;
#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests;
mod wire;

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use rustls::ClientConfig;
use rustls::crypto::aws_lc_rs;
use rustls_platform_verifier::BuilderVerifierExt;
use tokio_rustls::TlsConnector;

use super::{Answer, Message};
use crate::domain::centre::account::{Config, Provider, Settings, SmtpSettings};
use crate::domain::centre::mailbox::mailbox;
use crate::domain::centre::send::Outcome;
use crate::domain::centre::template::Rendered;
use crate::kernel::outbound::Allowed;
use crate::kernel::{Error, MessageSendId, Millis, Result};

/// How long each step may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The name of the server and a connection to it.
    pub connect: Duration,
    /// A command and the reply to it, and the negotiation of TLS.
    pub command: Duration,
    /// Everything before the final dot.
    pub before: Duration,
    /// The reply to the final dot. A client that gives up early sends twice what the server took; RFC 5321, 4.5.3.2.6, asks
    /// for ten minutes, which is longer than a send may be left to one worker.
    pub reply: Duration,
    /// The farewell. The message is the server's by then.
    pub quit: Duration,
}

/// The limits outside of tests.
pub const LIMITS: Limits = Limits {
    connect: Duration::from_secs(10),
    command: Duration::from_secs(30),
    before: Duration::from_secs(120),
    reply: Duration::from_secs(300),
    quit: Duration::from_secs(2),
};

const _: () = assert!(
    LIMITS.before.as_secs() + LIMITS.reply.as_secs() + LIMITS.quit.as_secs()
        <= Provider::Smtp.attempt_limit().as_secs(),
    "the lease of a claim outlives an attempt"
);

/// A message that is to be handed to a mail server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Envelope {
    /// The server and the sender.
    pub settings: SmtpSettings,
    /// Which send it is: the same over all attempts.
    pub id: MessageSendId,
    /// When it was made.
    pub created_at: Millis,
    /// The receiver's address as it was stored.
    pub to: String,
    /// The subject.
    pub subject: String,
    /// The plain text.
    pub text: Option<String>,
    /// The HTML.
    pub html: Option<String>,
    /// Where its receiver says that it wants no more of the kind.
    pub unsubscribe_at: Option<String>,
}

impl Envelope {
    /// The `Message-ID` (RFC 5322, 3.6.4), by which servers and readers know repeats.
    pub fn message_id(&self) -> String {
        let domain = self.settings.from_address.rsplit('@').next().unwrap_or_default();
        format!("<{}@{domain}>", self.id)
    }
}

/// What is handed over. Fails when the message or the account is of another channel.
pub(super) fn envelope(config: &Config, message: Message<'_>) -> Result<Envelope> {
    let Rendered::Email { subject, text, html } = message.rendered else {
        return Err(Error::internal("the message is no e-mail"));
    };
    let Some(Settings::Smtp(settings)) = &config.settings else {
        return Err(Error::internal("the account has no mail server"));
    };
    Ok(Envelope {
        settings: settings.clone(),
        id: message.id,
        created_at: message.created_at,
        to: message.address.to_owned(),
        subject: subject.clone(),
        text: text.clone(),
        html: html.clone(),
        unsubscribe_at: message.unsubscribe_at.map(str::to_owned),
    })
}

/// Hands messages to mail servers. Cloning shares the certificates.
#[derive(Clone)]
pub struct Carrier {
    allowed: Allowed,
    limits: Limits,
    /// `None` when there is no certificate to check others by.
    tls: Arc<OnceLock<Option<TlsConnector>>>,
}

impl std::fmt::Debug for Carrier {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Carrier").field("limits", &self.limits).finish_non_exhaustive()
    }
}

impl Carrier {
    /// With the hosts that the operator allows beside the public ones. The certificates of this machine are read when the
    /// first server with TLS is spoken to.
    pub fn new(allowed: &Allowed) -> Self {
        Self { allowed: allowed.clone(), limits: LIMITS, tls: Arc::default() }
    }

    /// With other limits.
    pub fn with_limits(self, limits: Limits) -> Self {
        Self { limits, ..self }
    }

    /// With other certificates.
    pub fn with_tls(self, config: ClientConfig) -> Self {
        Self { tls: Arc::new(OnceLock::from(Some(TlsConnector::from(Arc::new(config))))), ..self }
    }

    fn tls(&self) -> Option<&TlsConnector> {
        let read = || {
            let config = platform_tls().inspect_err(|cause| {
                log::warn!(target: "deskwire::centre", "no mail will reach a server with TLS: {cause}");
            });
            config.ok().map(|config| TlsConnector::from(Arc::new(config)))
        };
        self.tls.get_or_init(read).as_ref()
    }

    /// Hands a message over; tells what is known of it afterwards.
    pub async fn carry(&self, envelope: &Envelope) -> Answer {
        let answer = match mailbox(&envelope.to) {
            Err(fault) => Answer::without_reply(Outcome::Recipient, fault),
            Ok(to) => match mime::message(envelope, &to) {
                Err(error) => {
                    log::error!(target: "deskwire::centre", "send {} is no e-mail: {error}", envelope.id);
                    Answer::without_reply(Outcome::Content, "the e-mail could not be made")
                }
                Ok(message) => session::run(self, envelope, &to, &message).await,
            },
        };
        Answer { provider_message_id: Some(envelope.message_id()), ..answer }
    }
}

/// TLS with the certificates that this machine trusts, as the client of the other providers has it.
fn platform_tls() -> std::result::Result<ClientConfig, rustls::Error> {
    Ok(ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_platform_verifier()?
        .with_no_client_auth())
}
