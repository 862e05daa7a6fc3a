//! Conversations with their messages: `conversations` and `messages`, and how pieces of any log are written.
//!
//! A conversation is made first, its messages follow in the order of their ids, and at the end it is told where it stands.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::accounts::CUSTOMERS;
use super::report::Outcome;
use super::row::{Refusal, Row};
use super::state::Import;
use super::store;
use super::tables::{CONVERSATIONS, MESSAGES, USERS};
use crate::app::App;
use crate::domain::actor::Principal;
use crate::domain::content::{Body, TEXT_MAX};
use crate::domain::conversation::ConversationStatus;
use crate::domain::entry::EntryKind;
use crate::journal::Command;
use crate::journal::command::Reply;
use crate::journal::commands::{ImportLog, PastEnd, PastEntry, PastLog};
use crate::kernel::{Code, ConversationId, Error, MemberId, Result, TenantId};

/// Entries of one command.
const ENTRIES: usize = 100;
/// Bytes of content of one command.
const BYTES: usize = 262_144;
/// How often a piece is tried whose log moves meanwhile.
const ATTEMPTS: usize = 20;

/// Imports a row of `conversations`, without where it stands.
pub async fn conversation(import: &mut Import, row: &Row) -> Result<Outcome> {
    let (card, _) = match card(import, row).await? {
        Ok(read) => read,
        Err(why) => return Ok(Outcome::Refused(why)),
    };
    make(import, CONVERSATIONS.name, &row.id.to_string(), card).await
}

/// Makes a conversation under its key.
pub async fn make(import: &mut Import, table: &'static str, key: &str, card: PastLog) -> Result<Outcome> {
    let id = ConversationId(import.ledger.reserve(table, key).await?);
    if import.dry_run {
        let tenant = import.tenant;
        let found = import.app.db.read(move |connection| store::log(connection, tenant, id, &[])).await?;
        return Ok(found.map_or(Outcome::Imported(Vec::new()), |_| Outcome::Present));
    }
    let made = submit(&import.app, import.tenant, piece(id, Some(card))).await;
    match refused(made)? {
        Ok(reply) if reply.created => Ok(Outcome::Imported(Vec::new())),
        Ok(_) => Ok(Outcome::Present),
        Err(why) => Ok(Outcome::Refused(why)),
    }
}

fn piece(conversation: ConversationId, card: Option<PastLog>) -> ImportLog {
    ImportLog { conversation, card, seq: 0, entries: Vec::new(), end: None }
}

/// What a row of `conversations` says.
async fn card(import: &Import, row: &Row) -> Result<std::result::Result<(PastLog, PastEnd), Refusal>> {
    let customer = row.text("customer_id").trim().to_owned();
    let Some(customer) = import.ledger.one(CUSTOMERS, &customer).await? else {
        return Ok(Err(format!("customer_id {customer:?} is no customer that came in")));
    };
    let agent = match row.some("agent_id") {
        None => None,
        Some(agent) => match staff(import, agent).await? {
            Some(agent) => Some(agent),
            None => return Ok(Err(format!("agent_id {agent:?} is none of the staff that came in"))),
        },
    };
    let read = |column: &str| row.moment(column, &import.zone);
    let (created, updated) = match (read("created_at"), read("updated_at")) {
        (Ok(created), Ok(updated)) => (created, updated),
        (Err(why), _) | (_, Err(why)) => return Ok(Err(why)),
    };
    let created_at = created.or(updated).unwrap_or_else(|| import.app.clock.now().0);
    let (end, agent) = match (row.text("status"), agent) {
        ("closed", agent) => (PastEnd::Closed(updated.unwrap_or(created_at)), agent),
        ("pending", Some(agent)) => (PastEnd::Served(agent), None),
        ("open" | "pending", _) => (PastEnd::Waits, None),
        (other, _) => return Ok(Err(format!("status is neither open, pending nor closed: {other:?}"))),
    };
    let customer = Some(MemberId(customer));
    Ok(Ok((PastLog { customer, agent, created_at, ..PastLog::default() }, end)))
}

async fn staff(import: &Import, key: &str) -> Result<Option<MemberId>> {
    if import.ledger.one(CUSTOMERS, key).await?.is_some() {
        return Ok(None);
    }
    Ok(import.ledger.one(USERS.name, key).await?.map(MemberId))
}

/// Says where a conversation of a row stands, when its messages are there.
pub async fn conversation_end(import: &mut Import, row: &Row) -> Result<()> {
    let Ok((card, end)) = card(import, row).await? else { return Ok(()) };
    let Some(id) = import.ledger.one(CONVERSATIONS.name, &row.id.to_string()).await? else { return Ok(()) };
    let Some(status) = settle(import, ConversationId(id), card, end).await? else { return Ok(()) };
    let changed = match (end, status) {
        (PastEnd::Waits | PastEnd::Served(_), ConversationStatus::Closed) => {
            "it is closed: the customer has another open conversation"
        }
        (PastEnd::Served(_), ConversationStatus::Open) => "it waits: its agent cannot serve one more",
        _ => return Ok(()),
    };
    import.report.line(CONVERSATIONS.name, Some(row.id), "changed", changed.to_owned());
    Ok(())
}

/// Says where a conversation stands; gives that when it was not said before.
pub async fn settle(
    import: &Import,
    id: ConversationId,
    card: PastLog,
    end: PastEnd,
) -> Result<Option<ConversationStatus>> {
    if import.dry_run {
        return Ok(None);
    }
    let ended =
        submit(&import.app, import.tenant, ImportLog { end: Some(end), ..piece(id, Some(card)) }).await;
    Ok(refused(ended)?.ok().filter(|reply| reply.rev > 0).and_then(|reply| reply.status))
}

/// Imports a slice of `messages`.
pub async fn messages(import: &mut Import, rows: &[Row]) -> Result<()> {
    let logs =
        import.ledger.find(CONVERSATIONS.name, rows.iter().map(|row| row.text("conversation_id").to_owned()));
    let logs = logs.await?;
    let senders =
        import.ledger.find(USERS.name, rows.iter().map(|row| row.text("sender_id").to_owned())).await?;
    let mut pieces = Pieces::default();
    for row in rows {
        let (log, sender) = (row.text("conversation_id"), row.text("sender_id"));
        let entries = match (logs.get(log), senders.get(sender)) {
            (None, _) => Err(format!("conversation_id {log:?} did not come in")),
            (_, None) => Err(format!("sender_id {sender:?} did not come in")),
            (Some(id), Some(sender)) => row.moment("created_at", &import.zone).and_then(|at| {
                let at = at.ok_or("created_at is empty")?;
                let said = Said {
                    sender: Some(MemberId(*sender)),
                    at,
                    read: row.text("is_read") == "1",
                    ..Said::default()
                };
                Ok((
                    ConversationId(*id),
                    texts(&format!("import:messages:{}", row.id), row.text("content"), &said)?,
                ))
            }),
        };
        match entries {
            Ok((id, entries)) => pieces.add(id, row.id, entries),
            Err(why) => import.report.row(MESSAGES.name, row.id, Outcome::Refused(why)),
        }
    }
    pieces.write(import, MESSAGES.name).await
}

/// Who said something, when, and under which name.
#[derive(Debug, Clone, Default)]
pub struct Said {
    /// Who.
    pub sender: Option<MemberId>,
    /// The name of that day.
    pub name: String,
    /// The avatar of that day.
    pub avatar: String,
    /// When, unix milliseconds.
    pub at: i64,
    /// Whether the others have read it.
    pub read: bool,
}

impl Said {
    /// As an entry.
    pub fn entry(&self, key: String, kind: EntryKind, content: String) -> PastEntry {
        let Self { sender, name, avatar, at, read } = self.clone();
        PastEntry { key, kind, content, sender, name, avatar, at, read }
    }
}

/// A text as one message, or as several when it is longer than one may be.
pub fn texts(key: &str, text: &str, said: &Said) -> std::result::Result<Vec<PastEntry>, Refusal> {
    let mut entries = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let end = (0..=rest.len().min(TEXT_MAX))
            .rev()
            .find(|end| rest.is_char_boundary(*end))
            .unwrap_or(rest.len());
        let (piece, after) = rest.split_at(end);
        rest = after;
        let body = match Body::text(piece) {
            Ok(body) => body,
            // White space at the end of a long text.
            Err(_) if !entries.is_empty() && crate::kernel::text::is_blank(piece) => break,
            Err(error) => return Err(format!("it cannot be a message: {}", error.detail)),
        };
        let key = match entries.len() {
            0 => key.to_owned(),
            before => format!("{key}.{}", before + 1),
        };
        entries.push(said.entry(key, EntryKind::Text, body.content));
    }
    match entries.is_empty() {
        true => Err("it is empty".to_owned()),
        false => Ok(entries),
    }
}

/// The entries of a slice by their conversations, each with the row that it comes from.
#[derive(Debug, Default)]
pub struct Pieces {
    logs: BTreeMap<ConversationId, Vec<(i64, PastEntry)>>,
}

impl Pieces {
    /// Adds what a row became.
    pub fn add(&mut self, id: ConversationId, row: i64, entries: Vec<PastEntry>) {
        self.logs.entry(id).or_default().extend(entries.into_iter().map(|entry| (row, entry)));
    }

    /// Writes all of it, and counts the rows.
    pub async fn write(self, import: &mut Import, table: &'static str) -> Result<()> {
        for (id, mut entries) in self.logs {
            // A slice is in the order of ids, and so is a log: order never depends on clocks.
            entries.sort_by_key(|(row, _)| *row);
            let written = write(&import.app, import.tenant, id, &entries, import.dry_run).await?;
            let mut rows: BTreeMap<i64, (usize, bool)> = BTreeMap::new();
            for (row, entry) in &entries {
                let (count, is_new) = rows.entry(*row).or_default();
                *count += 1;
                *is_new |= written.as_ref().is_ok_and(|new| new.contains(&entry.key));
            }
            for (row, (count, is_new)) in rows {
                let outcome = match (&written, is_new) {
                    (Err(why), _) => Outcome::Refused(why.clone()),
                    (Ok(_), false) => Outcome::Present,
                    (Ok(_), true) if count > 1 => {
                        Outcome::Imported(vec![format!("it became {count} messages")])
                    }
                    (Ok(_), true) => Outcome::Imported(Vec::new()),
                };
                import.report.row(table, row, outcome);
            }
        }
        Ok(())
    }
}

/// Writes entries that the log does not hold yet; gives the keys of those.
async fn write(
    app: &Arc<App>,
    tenant: TenantId,
    id: ConversationId,
    entries: &[(i64, PastEntry)],
    dry_run: bool,
) -> Result<std::result::Result<Vec<String>, Refusal>> {
    let keys: Vec<String> = entries.iter().map(|(_, entry)| entry.key.clone()).collect();
    let mut new = Vec::new();
    for _ in 0..ATTEMPTS {
        let asked = keys.clone();
        let log = app.db.read(move |connection| store::log(connection, tenant, id, &asked)).await?;
        let (mut seq, known) = match log {
            Some(log) => log,
            None if dry_run => return Ok(Ok(keys)),
            None => return Ok(Err("its conversation did not come in".to_owned())),
        };
        let mut rest =
            entries.iter().map(|(_, entry)| entry).filter(|entry| !known.contains(&entry.key)).peekable();
        let mut moved = false;
        while rest.peek().is_some() && !moved && !dry_run {
            let (mut piece, mut bytes) = (Vec::new(), 0);
            while let Some(entry) = rest.next_if(|next| {
                piece.is_empty() || (piece.len() < ENTRIES && bytes + next.content.len() <= BYTES)
            }) {
                bytes += entry.content.len();
                piece.push(entry.clone());
            }
            let count = piece.len();
            let keys: Vec<String> = piece.iter().map(|entry| entry.key.clone()).collect();
            let command = ImportLog { conversation: id, card: None, seq, entries: piece, end: None };
            match refused(submit(app, tenant, command).await) {
                Ok(Ok(_)) => {
                    seq += i64::try_from(count).unwrap_or_default();
                    new.extend(keys);
                }
                Ok(Err(why)) => return Ok(Err(why)),
                Err(error) if error.code == Code::Busy => moved = true,
                Err(error) => return Err(error),
            }
        }
        if !moved {
            new.extend(rest.map(|entry| entry.key.clone()));
            return Ok(Ok(new));
        }
    }
    Err(Error::new(Code::Busy, format!("the log of {id} moves all the time: run the import again")))
}

async fn submit(app: &Arc<App>, tenant: TenantId, command: ImportLog) -> Result<Reply> {
    app.journal.submit(Command::new(Principal::Operator(tenant), command)).await
}

/// Tells what a row is refused for from what ends the run.
fn refused(done: Result<Reply>) -> Result<std::result::Result<Reply, Refusal>> {
    match done {
        Ok(reply) => Ok(Ok(reply)),
        Err(error) if matches!(error.code, Code::NotFound | Code::LimitReached) => {
            Ok(Err(error.detail.into_owned()))
        }
        Err(error) => Err(error),
    }
}
