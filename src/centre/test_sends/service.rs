//! What is done for a test send.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::app::App;
use crate::centre::channels::transport::Transport;
use crate::centre::channels::{self, Answer, Carriage, Message, hidden, smtp};
use crate::centre::dispatch::limit;
use crate::centre::recipients::address::usable;
use crate::centre::tokens::Tokens;
use crate::centre::{accounts, opt_outs, suppressions, templates};
use crate::db::AnyConnection;
use crate::domain::actor::Actor;
use crate::domain::audit::{Act, AuditAction};
use crate::domain::centre::account::{AccountRow, Channel, Config};
use crate::domain::centre::send::Outcome;
use crate::domain::centre::template::{Rendered, samples};
use crate::domain::permission::{Operation, require};
use crate::kernel::{ChannelAccountId, Error, MessageSendId, MessageTemplateId, Millis, Result};

/// How long a test may take in all; longer than any provider is waited for.
const LIMIT: Duration = Duration::from_secs(45);
/// How long each step with a mail server may take: somebody waits for the answer.
pub const MAIL: smtp::Limits = smtp::Limits {
    connect: Duration::from_secs(5),
    command: Duration::from_secs(10),
    before: Duration::from_secs(15),
    reply: Duration::from_secs(25),
    quit: Duration::from_secs(1),
};

const _: () = assert!(
    MAIL.before.as_secs() + MAIL.reply.as_secs() + MAIL.quit.as_secs() < LIMIT.as_secs(),
    "a mail server says what it knows before the test is over"
);

/// How a template is tried.
#[derive(Debug, Clone)]
pub struct TestSend {
    /// Where it goes.
    pub account: ChannelAccountId,
    /// Whom it goes to, on channels with persons.
    pub address: Option<String>,
    /// The payload of an event; `None`: the samples.
    pub payload: Option<Value>,
    /// Which version; `None`: the draft.
    pub version: Option<i64>,
    /// As for whoever reads this language; `None`: nobody knows.
    pub locale: Option<String>,
}

/// What came of it.
#[derive(Debug, Clone)]
pub struct Tested {
    /// The id under which it went out.
    pub id: MessageSendId,
    /// What the provider said.
    pub answer: Answer,
    /// What was sent.
    pub rendered: Rendered,
    /// In which language, as far as the template tells.
    pub locale: Option<String>,
    /// Whom it went to.
    pub address: Option<String>,
    /// Whether somebody with this address has an opt-out on the channel.
    pub opted_out: bool,
    /// Whether what rules make is not sent to this address.
    pub suppressed: bool,
    /// How long it took.
    pub duration: Duration,
}

/// Sends a template once, at once, through the provider of an account. Errors: `forbidden`, `not_found`,
/// `validation_failed`, `invalid_transition` when the account is disabled, `rate_limited` when it takes no more at present.
pub async fn test(
    app: &App,
    transport: &Transport,
    actor: Actor,
    id: MessageTemplateId,
    wanted: TestSend,
) -> Result<Tested> {
    require(&actor, Operation::SendMessages)?;
    let (version, tenant) = (wanted.version, actor.tenant);
    let read = move |connection: &mut AnyConnection| {
        let row = templates::store::find(connection, tenant, id)?.ok_or_else(Error::not_found)?;
        let mut act = Act::done(AuditAction::TestSend, &row);
        act.after.insert("account_id".to_owned(), json!(wanted.account));
        let Some(version) = version else { return Ok((act, row.channel, row.read()?)) };
        let found = templates::store::version(connection, tenant, id, version)?
            .ok_or_else(|| Error::field("/version", "invalid", "no such version was published"))?;
        Ok((act, row.channel, found.read()?))
    };
    let (act, channel, (contents, variables)) = app.db.read(read).await?;
    let address = address(channel, wanted.address)?;
    let reader = templates::service::reader(wanted.locale)?;
    let payload = wanted.payload.unwrap_or_else(|| samples(&variables, true));
    let said = contents.render(&variables, &payload, reader.as_deref());
    let (locale, rendered) = said.map_err(templates::service::told)?;
    let (test, now, asked) = (MessageSendId(app.ids.next()?), app.clock.now().0, address.clone());
    let audit = app.auditor(&actor)?;
    let write = move |connection: &mut AnyConnection| {
        let account = limit::reserve(connection, tenant, wanted.account, test, LIMIT, now)?;
        if account.provider.channel() != channel {
            return Err(Error::field(
                "/account_id",
                "invalid",
                "the account is not of the template's channel",
            ));
        }
        let (opted_out, suppressed) = match &asked {
            Some(address) => (
                opt_outs::store::covers_address(connection, tenant, channel, address)?,
                !suppressions::store::held(connection, tenant, channel, &[address])?.is_empty(),
            ),
            None => (false, false),
        };
        // Before it goes out: nothing is sent that is told nowhere.
        audit.note(connection, act.clone())?;
        Ok((account, opted_out, suppressed))
    };
    let (account, opted_out, suppressed) = app.db.write(write).await?;
    let config = accounts::service::open(app.auth.vault(), &account)?;
    let message = Message {
        id: test,
        created_at: Millis(now),
        address: address.as_deref().unwrap_or_default(),
        rendered: &rendered,
        unsubscribe_at: None,
        now: Millis(now),
    };
    // Nobody would know a receipt of it, so none is asked for.
    let carriage = channels::carriage(account.provider, &config, message, None)?;
    let began = Instant::now();
    let carried = tokio::time::timeout(LIMIT, carry(app, transport, &account, &config, carriage)).await;
    let duration = began.elapsed();
    let late = || Ok(Answer::without_reply(Outcome::Uncertain, "no answer within 45 seconds"));
    let answer = carried.unwrap_or_else(|_| late())?;
    // The place is given back by itself when this fails: what the provider said is worth more.
    let end = app.db.write(move |connection| limit::ended(connection, tenant, test)).await;
    if let Err(error) = end {
        log::debug!(target: "deskwire::centre", "the end of a test was not written down: {error}");
    }
    let answer = hidden::hidden(answer, &config);
    Ok(Tested { id: test, answer, rendered, locale, address, opted_out, suppressed, duration })
}

/// Carries what goes out, with the account's access token where it needs one.
async fn carry(
    app: &App,
    transport: &Transport,
    account: &AccountRow,
    config: &Config,
    carriage: Carriage,
) -> Result<Answer> {
    let Carriage::Tokened(request) = carriage else {
        let means = (transport, &app.journal);
        return Ok(channels::carry(means, (account.tenant_id, account.provider), carriage).await);
    };
    let vault = app.auth.vault().clone();
    let tokens = Tokens::new(app.db.clone(), app.clock.clone(), vault, transport.clone());
    let wanted = Tokens::wanted(account, config)?;
    Ok(tokens.carry(&wanted, tokens.first(&wanted), &request, false).await.0)
}

/// The address in the form in which it is used.
fn address(channel: Channel, given: Option<String>) -> Result<Option<String>> {
    match given {
        None if channel.has_recipients() => {
            Err(Error::field("/address", "required", "whom the message goes to"))
        }
        None => Ok(None),
        Some(given) => usable(channel, &given).map(Some),
    }
}
