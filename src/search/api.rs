//! The route of search, and what it answers.

use actix_web::{get, web};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_actix_web::service_config::ServiceConfig;

use super::check::{Asked, Hit, Place};
use super::{Found, objects, service};
use crate::app::App;
use crate::auth::extract::{Authenticated, Staff};
use crate::conversations::view::View;
use crate::domain::entry::Entry;
use crate::domain::member::Role;
use crate::domain::search::{QUERY_MAX, Query, QueryFault, Range, SearchedKind, WORDS_MAX};
use crate::http::page;
use crate::kernel::{Code, ConversationId, Error, MemberId, Millis, Result};
use crate::members::view::Member;

/// The routes of this module.
pub fn routes(config: &mut ServiceConfig<'_>) {
    config.service(search_messages);
    config.service(search_members);
    config.service(search_conversations);
}

/// What is looked for, and where.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct SearchMessages {
    /// Up to 10 words, 200 characters in all; a message must hold all of them. A word is found by its beginning; Chinese,
    /// Japanese, Korean, Thai and the like anywhere. Two letters, digits or characters are enough.
    #[param(min_length = 1, max_length = 200)]
    q: String,
    /// Only in this conversation, and for the staff in the notes behind it.
    conversation_id: Option<ConversationId>,
    /// Only in conversations of this customer, and in the notes behind them.
    customer_id: Option<MemberId>,
    /// Only what this member wrote.
    sender_id: Option<MemberId>,
    /// Only messages of this kind.
    #[param(inline)]
    kind: Option<SearchedKind>,
    /// Only what was written at this time or later.
    from: Option<Millis>,
    /// Only what was written before this time.
    until: Option<Millis>,
    /// Most hits to return, 1 to 200; 50 when absent.
    #[param(minimum = 1, maximum = 200, default = 50)]
    limit: Option<u32>,
    /// `next_cursor` of the page before; absent for the first page.
    cursor: Option<String>,
}

impl SearchMessages {
    fn asked(self) -> Result<Asked> {
        let query = parsed(&self.q)?;
        let below: Option<Place> = self.cursor.as_deref().map(page::decode).transpose()?;
        Ok(Asked {
            query,
            conversation: self.conversation_id,
            customer: self.customer_id,
            sender: self.sender_id,
            kind: self.kind.map(SearchedKind::entry),
            from: self.from.map(|at| at.0),
            until: self.until.map(|at| at.0),
            below,
            limit: usize::try_from(page::limit(self.limit)?).unwrap_or_default(),
        })
    }
}

fn parsed(q: &str) -> Result<Query> {
    Query::parse(q).map_err(|fault| {
        let detail = match fault {
            QueryFault::TooLong => format!("q is longer than {QUERY_MAX} characters"),
            QueryFault::TooManyWords => format!("q has more than {WORDS_MAX} words"),
            QueryFault::TooShort => "q needs a word of two letters, digits or characters".to_owned(),
        };
        Error::new(Code::InvalidParameter, detail)
    })
}

/// Which accounts are looked for.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct SearchMembers {
    /// Up to 10 words, 200 characters in all; an account must have all of them in its nickname, e-mail address, external id
    /// or login name, or four digits or more in its mobile number.
    #[param(min_length = 1, max_length = 200)]
    q: String,
    /// Only those with this role.
    role: Option<Role>,
    /// Most hits to return, 1 to 200; 50 when absent.
    #[param(minimum = 1, maximum = 200, default = 50)]
    limit: Option<u32>,
    /// `next_cursor` of the page before; absent for the first page.
    cursor: Option<String>,
}

/// Which conversations are looked for.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct SearchConversations {
    /// Up to 10 words, 200 characters in all; the subject must hold all of them.
    #[param(min_length = 1, max_length = 200)]
    q: String,
    /// Most hits to return, 1 to 200; 50 when absent.
    #[param(minimum = 1, maximum = 200, default = 50)]
    limit: Option<u32>,
    /// `next_cursor` of the page before; absent for the first page.
    cursor: Option<String>,
}

fn asked(q: &str, limit: Option<u32>, cursor: Option<&str>) -> Result<objects::Asked> {
    Ok(objects::Asked {
        query: parsed(q)?,
        below: cursor.map(page::decode).transpose()?,
        limit: usize::try_from(page::limit(limit)?).unwrap_or_default(),
    })
}

/// Where words stand in one text of a message.
#[derive(Debug, Serialize, ToSchema)]
pub struct Highlight {
    /// The text, as a JSON pointer into the message's content, such as `/text`.
    pointer: &'static str,
    /// In order, without overlaps, at most 100.
    ranges: Vec<Range>,
}

/// A message that was found.
#[derive(Debug, Serialize, ToSchema)]
pub struct FoundMessage {
    /// The conversation; of a note, the one that it stands behind.
    conversation_id: ConversationId,
    /// Whether it is a note of the staff.
    is_note: bool,
    /// The message.
    message: Entry,
    /// Where the words stand in it.
    highlights: Vec<Highlight>,
}

impl From<Hit> for FoundMessage {
    fn from(hit: Hit) -> Self {
        let highlights = hit.highlights.into_iter().map(|(pointer, ranges)| Highlight { pointer, ranges });
        Self {
            conversation_id: hit.front,
            is_note: hit.is_note,
            highlights: highlights.collect(),
            message: hit.entry.into(),
        }
    }
}

/// A page of what was found.
#[derive(Debug, Serialize, ToSchema)]
pub struct SearchPage<T> {
    /// The newest first.
    data: Vec<T>,
    /// Give this as `cursor` to read on; null when there is no more.
    #[schema(required)]
    next_cursor: Option<String>,
    /// false: the search ended before the page was full, because it had looked at enough; read on with `next_cursor` for
    /// what there is.
    complete: bool,
}

impl<T> SearchPage<T> {
    fn of<U, P: Serialize>(found: Found<U, P>, view: impl FnMut(U) -> T) -> Self {
        Self {
            data: found.hits.into_iter().map(view).collect(),
            next_cursor: found.next.map(|place| page::encode(&place)),
            complete: found.is_complete,
        }
    }
}

/// Search messages
///
/// Finds messages, and for the staff notes, in conversations that the caller may read, by their present words: texts, and the
/// titles and texts of cards. Letters are compared without regard to case and width. The newest come first. A message is found
/// at once, and one that was edited by its new words. A page holds fewer than `limit` when the messages
/// are long, or when `complete` is false.
#[utoipa::path(tag = "search", params(SearchMessages), responses(
    (status = 200, description = "A page of messages.", body = SearchPage<FoundMessage>),
))]
#[get("/search/messages")]
pub async fn search_messages(
    app: web::Data<App>,
    caller: Authenticated,
    query: web::Query<SearchMessages>,
) -> Result<web::Json<SearchPage<FoundMessage>>> {
    let asked = query.into_inner().asked()?;
    let found = service::messages(&app, caller.actor, asked).await?;
    Ok(web::Json(SearchPage::of(found, FoundMessage::from)))
}

/// Search accounts
///
/// Finds accounts, customers too, by what they are called and by the digits of their mobile numbers. Agents find their
/// sub-accounts only, as they list them. Visitors who were recognised as another customer are left out.
#[utoipa::path(tag = "search", params(SearchMembers), responses(
    (status = 200, description = "A page of accounts.", body = SearchPage<Member>),
))]
#[get("/search/members")]
pub async fn search_members(
    app: web::Data<App>,
    caller: Staff,
    query: web::Query<SearchMembers>,
) -> Result<web::Json<SearchPage<Member>>> {
    let SearchMembers { q, role, limit, cursor } = query.into_inner();
    let asked = asked(&q, limit, cursor.as_deref())?;
    let found = service::members(&app, caller.actor, role, asked).await?;
    Ok(web::Json(SearchPage::of(found, Member::from)))
}

/// Search conversations
///
/// Finds conversations and rooms that the caller may read by their subjects. A subject is found within a second or two.
#[utoipa::path(tag = "search", params(SearchConversations), responses(
    (status = 200, description = "A page of conversations.", body = SearchPage<View>),
))]
#[get("/search/conversations")]
pub async fn search_conversations(
    app: web::Data<App>,
    caller: Authenticated,
    query: web::Query<SearchConversations>,
) -> Result<web::Json<SearchPage<View>>> {
    let SearchConversations { q, limit, cursor } = query.into_inner();
    let asked = asked(&q, limit, cursor.as_deref())?;
    let found = service::conversations(&app, caller.actor, asked).await?;
    Ok(web::Json(SearchPage::of(found, |view| view)))
}
