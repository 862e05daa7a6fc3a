//! What can be done with conversations. REST and sockets call the same functions.
//!
//! Here input is checked and handed to the journal, which decides with the present state in hand. Each change answers
//! the conversation as it stands afterwards.

use crate::app::App;
use crate::domain::actor::Actor;
use crate::domain::member::Role;
use crate::domain::permission::Operation;
use crate::http::page::Page;
use crate::journal::commands::{
    AddMember, AnswerOffer, Assign, Claim, Close, Dock, HandOff, Open, Release, RemoveMember, Reopen,
    TakeOver, Update,
};
use crate::journal::{Action, Command, Reply};
use crate::kernel::{Code, ConversationId, Error, GroupId, MemberId, Result, text};
use crate::limits::Key;
use crate::members::profile::Checker;
use crate::messages::service::draft;

use super::access;
use super::api::{
    Assignment, CloseConversation, ListConversations, OpenConversation, Participant, Sort, UpdateConversation,
};
use super::list::{Filter, newest_first, waiting_first};
use super::store;
use super::view::{Cards, Opened, View};
use crate::domain::conversation::{
    AssignmentRow, CloseReason, ConversationRow, ConversationStatus, IfVersion, Priority,
};

/// Longest subject, in characters.
pub const SUBJECT_MAX: usize = 200;
/// Longest reason for the staff, in characters.
pub const NOTE_MAX: usize = 2_000;
/// Most tags.
pub const TAGS_MAX: usize = 20;
/// Longest tag, in characters.
pub const TAG_MAX: usize = 64;
/// Most assignments that are shown of one conversation.
pub(super) const ASSIGNMENTS_MAX: i64 = 1_000;

/// Opens a customer's conversation, or finds the open one. A message is sent in either case.
pub async fn open(app: &App, actor: Actor, input: OpenConversation) -> Result<Opened> {
    let customer = match (actor.role, input.customer_id) {
        (Role::Customer, None) => actor.member,
        (_, Some(customer)) => customer,
        (_, None) => {
            return Err(Error::field("/customer_id", "required", "staff must say for which customer"));
        }
    };
    let subject = input.subject.unwrap_or_default();
    line("/subject", &subject, SUBJECT_MAX)?;
    let message = input.message.map(|first| {
        draft(actor.role, first.client_msg_id, first.kind, &first.content, first.reply_to_seq, "/message")
    });
    let message = message.transpose()?;
    let required_skills = skills("/required_skills", &input.required_skills.unwrap_or_default())?;
    let preferred_skills = skills("/preferred_skills", &input.preferred_skills.unwrap_or_default())?;
    let group = input.group_id;
    let open = Open { customer, subject, group, required_skills, preferred_skills, message };
    let counted = (!actor.role.is_staff()).then_some(Key::NewConversation(actor.tenant, actor.member));
    if let Some(key) = counted {
        check_new(app, actor, key).await?;
    }
    let reply = app.journal.submit(Command::new(actor, open)).await?;
    let id = reply.conversation.ok_or_else(|| Error::internal("a conversation was opened without an id"))?;
    if let Some(key) = counted.filter(|_| reply.created) {
        app.limiter.take(key);
    }
    let conversation = changed(app, actor, id).await?;
    let Reply { created, entry, duplicate, .. } = reply;
    Ok(Opened { conversation, created, entry, duplicate })
}

/// Fails when a customer has opened its share of conversations and has none open. Only the new ones are counted, so
/// the store is asked only when the share is used up.
async fn check_new(app: &App, actor: Actor, key: Key) -> Result<()> {
    let Some(refused) = app.limiter.look(key).and_then(|verdict| verdict.check().err()) else {
        return Ok(());
    };
    let open = app.db.read(move |connection| store::has_open(connection, actor.tenant, actor.member)).await?;
    if open { Ok(()) } else { Err(refused) }
}

/// The conversation as the actor sees it.
pub async fn view(app: &App, actor: Actor, id: ConversationId) -> Result<View> {
    app.db
        .read(move |connection| {
            let access = access::load(connection, &actor, id)?;
            let cards = Cards::of(connection, actor.tenant, [&access.conversation])?;
            Ok(View::new(&access.conversation, &cards, actor.role))
        })
        .await
}

/// A page of the conversations that the actor may see: the newest first, or the waiting ones in the order of the queue.
pub async fn list(app: &App, actor: Actor, query: ListConversations) -> Result<Page<View>> {
    let page = query.page();
    let limit = page.limit()?;
    let sort = query.sort.unwrap_or(Sort::Newest);
    let waiting = sort == Sort::Waiting;
    if waiting && query.status.is_some_and(|status| status != ConversationStatus::Open) {
        return Err(Error::new(Code::InvalidParameter, "sort=waiting lists open conversations only"));
    }
    let before = if waiting { None } else { page.after::<i64>()?.map(ConversationId) };
    let after = if waiting { page.after::<(i64, i64)>()? } else { None };
    let after = after.map(|(since, id)| (since, ConversationId(id)));
    let filter = Filter {
        status: query.status,
        agent_id: query.agent_id,
        customer_id: query.customer_id,
        unassigned: query.unassigned.unwrap_or(false),
        // How urgent the staff find it and whose matter is nothing a customer could filter by.
        priority: query.priority.filter(|_| actor.role.is_staff()),
        group: query.group_id.filter(|_| actor.role.is_staff()).map(Some),
        ..Filter::default()
    };
    app.db
        .read(move |connection| {
            let tenant = actor.tenant;
            let reach = &access::reach(connection, &actor)?;
            let page = match sort {
                Sort::Newest => {
                    let rows = newest_first(connection, tenant, reach, &filter, before, limit + 1)?;
                    Page::new(rows, limit, |row: &ConversationRow| row.id.0)
                }
                Sort::Waiting => {
                    let rows = waiting_first(connection, tenant, reach, &filter, after, limit + 1)?;
                    Page::new(rows, limit, |row: &ConversationRow| (row.waiting_since, row.id.0))
                }
            };
            let cards = Cards::of(connection, actor.tenant, &page.data)?;
            Ok(page.map(|row| View::new(&row, &cards, actor.role)))
        })
        .await
}

/// A conversation that is to be changed.
#[derive(Debug, Clone)]
pub struct Target {
    /// Which.
    pub id: ConversationId,
    /// At which of its versions; absent means at any. At another one the change fails with `version_mismatch`.
    pub if_version: Option<IfVersion>,
}

pub(super) async fn change(
    app: &App,
    actor: Actor,
    target: Target,
    action: impl Into<Action>,
) -> Result<View> {
    let Target { id, if_version } = target;
    app.journal.submit(Command::new(actor, action).based_on(if_version)).await?;
    changed(app, actor, id).await
}

/// The conversation after a change of the actor. Access is not asked again: who released a conversation that another
/// claims at once still did what it did.
async fn changed(app: &App, actor: Actor, id: ConversationId) -> Result<View> {
    app.db
        .read(move |connection| {
            let row = store::find(connection, actor.tenant, id)?.ok_or_else(Error::not_found)?;
            let cards = Cards::of(connection, actor.tenant, [&row])?;
            Ok(View::new(&row, &cards, actor.role))
        })
        .await
}

/// Takes a waiting conversation. Of several at once exactly one wins; the others learn who.
pub async fn claim(app: &App, actor: Actor, target: Target) -> Result<View> {
    let conversation = target.id;
    change(app, actor, target, Claim { conversation }).await
}

/// Answers the offer of a conversation to the actor.
pub async fn answer_offer(app: &App, actor: Actor, target: Target, accept: bool) -> Result<View> {
    let conversation = target.id;
    change(app, actor, target, AnswerOffer { conversation, accept }).await
}

/// Gives a conversation to a member of the staff.
pub async fn assign(app: &App, actor: Actor, target: Target, agent: MemberId, note: String) -> Result<View> {
    length("/note", &note, NOTE_MAX)?;
    let conversation = target.id;
    change(app, actor, target, Assign { conversation, agent, note }).await
}

/// Takes a conversation from the agent who serves it.
pub async fn take_over(app: &App, actor: Actor, target: Target, note: String) -> Result<View> {
    length("/note", &note, NOTE_MAX)?;
    let conversation = target.id;
    change(app, actor, target, TakeOver { conversation, note }).await
}

/// Lets a whole group serve a conversation.
pub async fn dock(app: &App, actor: Actor, target: Target, group: GroupId, note: String) -> Result<View> {
    length("/note", &note, NOTE_MAX)?;
    let conversation = target.id;
    change(app, actor, target, Dock { conversation, group, note }).await
}

/// Lets a conversation that a bot answers wait for the staff.
pub async fn hand_off(
    app: &App,
    actor: Actor,
    target: Target,
    group: Option<GroupId>,
    note: String,
) -> Result<View> {
    length("/note", &note, NOTE_MAX)?;
    let conversation = target.id;
    change(app, actor, target, HandOff { conversation, group, note }).await
}

/// Lets a conversation wait again.
pub async fn release(app: &App, actor: Actor, target: Target, note: String) -> Result<View> {
    length("/note", &note, NOTE_MAX)?;
    let conversation = target.id;
    change(app, actor, target, Release { conversation, note }).await
}

/// Ends a conversation.
pub async fn close(app: &App, actor: Actor, target: Target, input: CloseConversation) -> Result<View> {
    let note = input.note.unwrap_or_default();
    length("/note", &note, NOTE_MAX)?;
    let staff = actor.role.is_staff();
    if !staff && !note.is_empty() {
        return Err(Error::field("/note", "invalid", "only staff can leave a note"));
    }
    let usual = if staff { CloseReason::Resolved } else { CloseReason::CustomerLeft };
    let reason = input.reason.unwrap_or(usual);
    let own = staff || matches!(reason, CloseReason::CustomerLeft | CloseReason::Resolved);
    if !reason.may_be_given() || !own {
        return Err(Error::field("/reason", "invalid", "this reason is not allowed for your role"));
    }
    let conversation = target.id;
    change(app, actor, target, Close { conversation, reason, note }).await
}

/// Lets a closed conversation wait again.
pub async fn reopen(app: &App, actor: Actor, target: Target) -> Result<View> {
    let conversation = target.id;
    change(app, actor, target, Reopen { conversation }).await
}

/// Changes what the staff keep about a conversation.
pub async fn update(app: &App, actor: Actor, target: Target, input: UpdateConversation) -> Result<View> {
    // Absent leaves a field alone; null puts back what a new conversation has.
    let subject = input.subject.map(Option::unwrap_or_default);
    let priority = input.priority.map(|priority| priority.unwrap_or(Priority::Normal));
    let tags = input.tags.map(Option::unwrap_or_default);
    if let Some(subject) = &subject {
        line("/subject", subject, SUBJECT_MAX)?;
    }
    if let Some(tags) = &tags {
        check_tags(tags)?;
    }
    let changed = |pointer, all: Option<Option<Vec<String>>>| {
        all.map(|all| skills(pointer, &all.unwrap_or_default())).transpose()
    };
    let required_skills = changed("/required_skills", input.required_skills)?;
    let preferred_skills = changed("/preferred_skills", input.preferred_skills)?;
    let conversation = target.id;
    let group = input.group_id;
    let attributes = input.attributes;
    let update = Update {
        conversation,
        subject,
        priority,
        tags,
        attributes,
        group,
        required_skills,
        preferred_skills,
    };
    change(app, actor, target, update).await
}

/// Brings a member of the staff into a conversation.
pub async fn add_member(
    app: &App,
    actor: Actor,
    id: ConversationId,
    member: MemberId,
) -> Result<Vec<Participant>> {
    app.journal.submit(Command::new(actor, AddMember { conversation: id, member })).await?;
    members(app, actor, id).await
}

/// Takes a member of the staff out of a conversation.
pub async fn remove_member(app: &App, actor: Actor, id: ConversationId, member: MemberId) -> Result<Reply> {
    app.journal.submit(Command::new(actor, RemoveMember { conversation: id, member })).await
}

/// Who is in a conversation, and how far each has come.
pub async fn members(app: &App, actor: Actor, id: ConversationId) -> Result<Vec<Participant>> {
    app.db
        .read(move |connection| {
            let front = access::load(connection, &actor, id)?.front().id;
            let rows = store::participants_in(connection, actor.tenant, front)?;
            let cards = Cards::load(connection, actor.tenant, rows.iter().map(|row| row.member_id))?;
            Ok(rows.iter().map(|row| Participant::new(row, &cards)).collect())
        })
        .await
}

/// Every assignment of a conversation, the oldest first.
pub async fn assignments(app: &App, actor: Actor, id: ConversationId) -> Result<Vec<Assignment>> {
    app.db
        .read(move |connection| {
            let access = access::load(connection, &actor, id)?;
            access.check(&actor, Operation::ReadRevisions)?;
            let rows = store::assignments(connection, actor.tenant, access.front().id, ASSIGNMENTS_MAX)?;
            let people = |row: &AssignmentRow| [Some(row.agent_id), row.assigned_by, row.from_agent_id];
            let members = rows.iter().flat_map(people).flatten();
            let cards = Cards::load(connection, actor.tenant, members)?;
            Ok(rows.iter().map(|row| Assignment::new(row, &cards)).collect())
        })
        .await
}

pub(super) fn length(pointer: &str, text: &str, most: usize) -> Result<()> {
    match text.chars().count() <= most {
        true => Ok(()),
        false => Err(Error::field(pointer, "too_long", format!("at most {most} characters"))),
    }
}

/// One line of text.
fn line(pointer: &str, text: &str, most: usize) -> Result<()> {
    match text::line_fault(text) {
        Some(fault) => Err(Error::field(pointer, "invalid", fault)),
        None => length(pointer, text, most),
    }
}

/// Skills that a conversation asks for, by the rules for those of members.
fn skills(pointer: &str, skills: &[String]) -> Result<Vec<String>> {
    let mut check = Checker::default();
    let skills = check.labels(pointer, skills);
    check.finish()?;
    Ok(skills)
}

fn check_tags(tags: &[String]) -> Result<()> {
    if tags.len() > TAGS_MAX {
        return Err(Error::field("/tags", "too_long", format!("at most {TAGS_MAX} tags")));
    }
    for (index, tag) in tags.iter().enumerate() {
        let pointer = format!("/tags/{index}");
        if tag.is_empty() || tag.trim() != tag {
            return Err(Error::field(pointer, "invalid", "a tag is not empty and has no space at its ends"));
        }
        line(&pointer, tag, TAG_MAX)?;
        if tags[..index].contains(tag) {
            return Err(Error::field(pointer, "invalid", "this tag stands there twice"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_short_plain_and_different() {
        let tags = |tags: &[&str]| check_tags(&tags.iter().map(|tag| (*tag).to_owned()).collect::<Vec<_>>());
        assert!(tags(&["vip", "退款"]).is_ok());
        assert!(tags(&[""]).is_err());
        assert!(tags(&["vip "]).is_err());
        assert!(tags(&["a\u{7}b"]).is_err() && tags(&["\u{200b}"]).is_err() && tags(&["\u{202e}a"]).is_err());
        assert!(tags(&["vip", "vip"]).is_err());
        assert!(tags(&[&"字".repeat(64)]).is_ok());
        assert!(tags(&[&"字".repeat(65)]).is_err());
        assert!(check_tags(&(0..21).map(|index| index.to_string()).collect::<Vec<_>>()).is_err());
    }
}
