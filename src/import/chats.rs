//! Group chats: `chat_group` and `group_member` (a row for each member of a chat), and `group_message`.
//!
//! A chat with one customer becomes a closed support conversation, a chat of the staff a room. Who is no `member` is a customer.
//! A chat is read whole at the first of its rows.

use super::accounts::MEMBER_UUID;
use super::ledger::KEY_MAX;
use super::logs::{Pieces, Said, make, settle, texts};
use super::person::{Person, store};
use super::report::Outcome;
use super::row::{Refusal, Row};
use super::state::Import;
use super::tables::{CHAT_GROUP, GROUP_MEMBER, GROUP_MESSAGE, MEMBER};
use crate::db::types::json_text;
use crate::domain::conversation::MemberType;
use crate::domain::entry::EntryKind;
use crate::domain::member::Role;
use crate::domain::notice::ImportedContent;
use crate::journal::commands::{PastEnd, PastLog};
use crate::journal::decide::MEMBERS_MAX;
use crate::kernel::{ConversationId, MemberId, Result};
use crate::members::profile::{Checker, NAME_MAX};

/// Under which table of the ledger customers of chats stand.
const VISITOR: &str = "chat_group.customer";
/// Longest name of a chat, in characters.
const SUBJECT_MAX: usize = 200;

/// A chat, read whole.
struct Chat {
    card: PastLog,
    /// The rows of `chat_group` and of `group_member`.
    rows: (Vec<Row>, Vec<Row>),
    changes: Vec<String>,
}

/// Imports the chat of a row of `chat_group`, at its first row.
pub async fn chat(import: &mut Import, row: &Row) -> Result<()> {
    let uuid = row.text("uuid").to_owned();
    if uuid.trim().is_empty() || uuid.chars().count() > KEY_MAX {
        let why = format!("uuid is empty, or longer than {KEY_MAX} characters");
        import.report.row(CHAT_GROUP.name, row.id, Outcome::Refused(why));
        return Ok(());
    }
    let rows = rows(import, &uuid).await?;
    if !rows.0.iter().any(|one| one.id == row.id) {
        let why = format!("its chat has more than {} rows", rows.0.len());
        import.report.row(CHAT_GROUP.name, row.id, Outcome::Refused(why));
        return Ok(());
    }
    if rows.0.first().is_none_or(|first| first.id != row.id) {
        return Ok(());
    }
    let chat = match read(import, rows.clone()).await? {
        Ok(chat) => chat,
        Err(why) => {
            count(import, &rows, &Outcome::Refused(why), Vec::new());
            return Ok(());
        }
    };
    let outcome = make(import, CHAT_GROUP.name, &uuid, chat.card).await?;
    count(import, &chat.rows, &outcome, chat.changes);
    Ok(())
}

/// Says of a chat that it is over, when its messages are there.
pub async fn chat_end(import: &mut Import, row: &Row) -> Result<()> {
    let uuid = row.text("uuid").to_owned();
    let Some(id) = import.ledger.one(CHAT_GROUP.name, &uuid).await? else { return Ok(()) };
    let rows = rows(import, &uuid).await?;
    if rows.0.first().is_none_or(|first| first.id != row.id) {
        return Ok(());
    }
    let Ok(chat) = read(import, rows).await? else { return Ok(()) };
    settle(import, ConversationId(id), chat.card, PastEnd::Closed(0)).await?;
    Ok(())
}

/// Refuses rows of `group_member` whose chat is not there; the others were counted with it.
pub async fn group_members(import: &mut Import, rows: &[Row]) -> Result<()> {
    let known = import.known_chats(rows.iter().map(|row| row.text("group_id").to_owned())).await?;
    for row in rows.iter().filter(|row| !known.contains(row.text("group_id"))) {
        let why = format!("group_id {:?} is the uuid of no chat_group", row.text("group_id"));
        import.report.row(GROUP_MEMBER.name, row.id, Outcome::Refused(why));
    }
    Ok(())
}

fn count(import: &mut Import, rows: &(Vec<Row>, Vec<Row>), outcome: &Outcome, mut changes: Vec<String>) {
    for (table, rows) in [(CHAT_GROUP.name, &rows.0), (GROUP_MEMBER.name, &rows.1)] {
        for row in rows {
            // What was changed is told once, at the first row.
            let outcome = match outcome {
                Outcome::Imported(_) => Outcome::Imported(std::mem::take(&mut changes)),
                other => other.clone(),
            };
            import.report.row(table, row.id, outcome);
        }
    }
}

async fn rows(import: &mut Import, uuid: &str) -> Result<(Vec<Row>, Vec<Row>)> {
    let limit = i64::try_from(MEMBERS_MAX + 2).unwrap_or(i64::MAX);
    let chat = import.rows_with(&CHAT_GROUP, ("uuid", uuid), limit).await?;
    Ok((chat, import.rows_with(&GROUP_MEMBER, ("group_id", uuid), limit).await?))
}

async fn read(import: &mut Import, rows: (Vec<Row>, Vec<Row>)) -> Result<std::result::Result<Chat, Refusal>> {
    let Some(first) = rows.0.first() else { return Ok(Err("it has no rows".to_owned())) };
    let subject = {
        let mut check = Checker::default();
        let subject = check.line("", first.text("group_name"), SUBJECT_MAX);
        check.finish().map(|()| subject).map_err(|error| error.detail)
    };
    let subject = match subject {
        Ok(subject) => subject,
        Err(why) => return Ok(Err(format!("group_name cannot be a subject: {why}"))),
    };
    let mut created_at = None;
    for row in &rows.0 {
        match row.moment("created_at", &import.zone) {
            Ok(at) => created_at = created_at.into_iter().chain(at).min(),
            Err(why) => return Ok(Err(why)),
        }
    }
    let mut card = PastLog { subject, ..PastLog::default() };
    card.created_at = created_at.unwrap_or_else(|| import.app.clock.now().0);
    let mut changes = Vec::new();
    // Names and avatars of customers stand in `group_member`, so that it comes first. Nobody is made before all are known.
    let mut visitor: Option<(&str, &Row)> = None;
    for row in rows.1.iter().chain(&rows.0) {
        let kind = match row.text("member_type") {
            "1" => MemberType::Manager,
            "2" | "" => MemberType::Member,
            other => return Ok(Err(format!("member_type is neither 1 nor 2: {other:?}"))),
        };
        let key = row.text("member_id").trim();
        if key.is_empty() || key.chars().count() > NAME_MAX {
            return Ok(Err(format!("member_id is empty, or longer than {NAME_MAX} characters")));
        }
        match staff(import, key).await? {
            Some(member) => match card.staff.iter_mut().find(|(one, _)| *one == member) {
                Some((_, present)) if kind == MemberType::Manager => *present = kind,
                Some(_) => {}
                None => card.staff.push((member, kind)),
            },
            None if visitor.is_some_and(|(one, _)| one != key) => {
                return Ok(Err("two customers are in it: a support conversation has one".to_owned()));
            }
            None => visitor = visitor.or(Some((key, row))),
        }
    }
    if let Some((key, row)) = visitor {
        for column in ["uuid", "id"] {
            if !import.rows_with(&MEMBER, (column, key), 1).await?.is_empty() {
                return Ok(Err(format!("the member {key:?} did not come in")));
            }
        }
        card.customer = Some(customer(import, key, row, card.created_at, &mut changes).await?);
    }
    if card.staff.len() > MEMBERS_MAX {
        return Ok(Err(format!("more than {MEMBERS_MAX} of the staff are in it")));
    }
    let manager = card.staff.iter().position(|(_, kind)| *kind == MemberType::Manager);
    match (card.customer, manager) {
        // The manager of a conversation is the one who served it.
        (Some(_), at) => {
            card.agent = at.map(|at| card.staff.remove(at).0);
            card.staff.iter_mut().for_each(|(_, kind)| *kind = MemberType::Member);
        }
        (None, None) => card.staff.iter_mut().take(1).for_each(|(_, kind)| *kind = MemberType::Manager),
        (None, Some(_)) => {}
    }
    Ok(Ok(Chat { card, rows, changes }))
}

/// The account of a `member` that a text names: by its uuid or its id.
async fn staff(import: &Import, key: &str) -> Result<Option<MemberId>> {
    let found = match import.ledger.one(MEMBER_UUID, key).await? {
        None => import.ledger.one(MEMBER.name, key).await?,
        found => found,
    };
    Ok(found.map(MemberId))
}

async fn customer(
    import: &mut Import,
    key: &str,
    row: &Row,
    since: i64,
    changes: &mut Vec<String>,
) -> Result<MemberId> {
    if let Some(known) = import.ledger.one(VISITOR, key).await? {
        return Ok(MemberId(known));
    }
    let mut person = Person::new(import, Role::Customer)?;
    person.row.external_id = Some(key.to_owned());
    (person.row.created_at, person.row.updated_at) = (since, since);
    let avatar = ("member_avatar", row.text("member_avatar"));
    person.contact(row.text("member_name"), avatar, "", ("", ""));
    if let Outcome::Imported(told) = store(import, VISITOR, key, Vec::new(), person).await? {
        changes.extend(told);
    }
    let made = import.ledger.one(VISITOR, key).await?;
    made.map(MemberId).ok_or_else(|| crate::kernel::Error::internal("a customer of a chat is gone"))
}

/// Imports a slice of `group_message`.
pub async fn messages(import: &mut Import, rows: &[Row]) -> Result<()> {
    let logs =
        import.ledger.find(CHAT_GROUP.name, rows.iter().map(|row| row.text("group_id").to_owned())).await?;
    let senders: Vec<String> = rows.iter().map(|row| row.text("sender").trim().to_owned()).collect();
    let mut known = import.ledger.find(VISITOR, senders.clone()).await?;
    known.extend(import.ledger.find(MEMBER.name, senders.clone()).await?);
    known.extend(import.ledger.find(MEMBER_UUID, senders).await?);
    let mut pieces = Pieces::default();
    for row in rows {
        let log = row.text("group_id");
        let sender = row.some("sender").map(|sender| known.get(sender).copied().ok_or(sender));
        let entries = match (logs.get(log), sender.transpose()) {
            (None, _) => Err(format!("group_id {log:?} did not come in")),
            (_, Err(sender)) => Err(format!("sender {sender:?} did not come in")),
            (Some(id), Ok(sender)) => {
                entries(import, row, sender.map(MemberId)).map(|entries| (ConversationId(*id), entries))
            }
        };
        match entries {
            Ok((id, entries)) => pieces.add(id, row.id, entries),
            Err(why) => import.report.row(GROUP_MESSAGE.name, row.id, Outcome::Refused(why)),
        }
    }
    pieces.write(import, GROUP_MESSAGE.name).await
}

fn entries(
    import: &Import,
    row: &Row,
    sender: Option<MemberId>,
) -> std::result::Result<Vec<crate::journal::commands::PastEntry>, Refusal> {
    let said = Said {
        sender,
        name: row.text("sender_name").chars().take(crate::members::profile::NICKNAME_MAX).collect(),
        avatar: Some(row.text("sender_avatar"))
            .filter(|url| crate::kernel::url::fault(url).is_none())
            .unwrap_or_default()
            .to_owned(),
        at: row.moment("created_at", &import.zone)?.ok_or("created_at is empty")?,
        read: true,
    };
    let (key, text) = (format!("import:group_message:{}", row.id), row.text("message_content"));
    match (row.text("message_type"), sender) {
        ("1" | "", Some(_)) => texts(&key, text, &said),
        ("1" | "", None) => Err("a message has no sender".to_owned()),
        // Checked as the text of a message, and kept as what that system said.
        ("2", _) => {
            let text = text.trim();
            texts(&key, text, &said)?;
            let content = json_text(&ImportedContent { text: text.to_owned() });
            Ok(vec![said.entry(key, EntryKind::Imported, content)])
        }
        (other, _) => Err(format!("message_type is neither 1 nor 2: {other:?}")),
    }
}
