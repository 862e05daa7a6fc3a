//! What is done with ratings.

use super::store::{self, Filter, Reach};
use crate::app::App;
use crate::auth::sessions::ClientInfo;
use crate::conversations::{self, access};
use crate::db::AnyConnection;
use crate::domain::actor::Actor;
use crate::domain::conversation::{ConversationKind, ConversationRow};
use crate::domain::member::Role;
use crate::domain::operation::OperationSet;
use crate::domain::permission::{Operation, Scope, require};
use crate::domain::rating::{
    COMMENT_MAX, RatingRow, RatingState, SCORE_MAX, SCORE_MIN, Standing, Stretch, standing,
};
use crate::domain::tenant::TenantStatus;
use crate::http::page::{Page, PageQuery};
use crate::journal::Command;
use crate::journal::commands::Rate;
use crate::journal::wants::rating_source::RatingSource;
use crate::kernel::secret::Secret;
use crate::kernel::{Code, ConversationId, Error, MemberId, RatingId, Result, SessionId};
use crate::members::{self, profile::Checker};
use crate::security::rating_links::RatingLink;
use crate::{groups, tenants};

/// What a customer says.
#[derive(Debug, Clone)]
pub struct Given {
    /// From 1 to 5.
    pub score: i16,
    /// Why; may be empty.
    pub comment: String,
}

/// How a conversation stands to its rating.
#[derive(Debug, Clone)]
pub struct Rated {
    /// Which conversation.
    pub conversation: ConversationRow,
    /// The entry with which it ended; `None` while it is not over.
    pub close_seq: Option<i64>,
    /// Whether it may be rated, and until when.
    pub standing: Standing,
    /// What was said of this end.
    pub given: Option<RatingRow>,
}

/// The ratings that the actor sees, the newest first, each with its conversation's customer. Errors: `forbidden`.
pub async fn list(
    app: &App,
    actor: Actor,
    filter: Filter,
    page: PageQuery,
) -> Result<Page<(RatingRow, Option<MemberId>)>> {
    let scope = require(&actor, Operation::ReadRatings)?;
    if filter.score.is_some_and(|score| !(SCORE_MIN..=SCORE_MAX).contains(&score)) {
        let detail = format!("score must be {SCORE_MIN} to {SCORE_MAX}");
        return Err(Error::new(Code::InvalidParameter, detail));
    }
    let (limit, before) = (page.limit()?, page.after::<RatingId>()?);
    let read = move |connection: &mut AnyConnection| {
        let reach = match scope {
            Scope::Tenant => match groups::store::sight(connection, &actor)? {
                sight if sight.is_whole() => Reach::Tenant,
                sight => Reach::Groups(actor.member, sight),
            },
            _ => Reach::Own(actor.member),
        };
        store::list(connection, actor.tenant, &reach, &filter, before, limit + 1)
    };
    Ok(Page::new(app.db.read(read).await?, limit, |(row, _)| row.id))
}

/// How a conversation that the actor sees stands to its rating. Errors: `not_found`.
pub async fn get(app: &App, actor: Actor, id: ConversationId) -> Result<Rated> {
    let now = app.clock.now().0;
    let read = move |connection: &mut AnyConnection| {
        let access = access::load(connection, &actor, id)?;
        if access.conversation.kind != ConversationKind::Support {
            return Err(Error::not_found());
        }
        rated(connection, access.conversation, now)
    };
    app.db.read(read).await
}

fn rated(connection: &mut AnyConnection, conversation: ConversationRow, now: i64) -> Result<Rated> {
    let (tenant, id) = (conversation.tenant_id, conversation.id);
    let stretch = Stretch::of(connection.last_bounds(id)?);
    let given = connection.ratings(id)?.into_iter().find(|row| row.close_seq == stretch.closed_seq);
    let window = tenants::store::find(connection, tenant)?.settings.0.rating_window_seconds;
    let staff_seq = store::staff_seq(connection, tenant, id)?;
    let standing = standing(&conversation, stretch, staff_seq, given.as_ref(), window, now);
    let close_seq = Some(stretch.closed_seq).filter(|_| standing.state != RatingState::NotClosed);
    let given = given.filter(|_| close_seq.is_some());
    Ok(Rated { conversation, close_seq, standing, given })
}

/// Rates the last end of a conversation of the actor, or says it anew. Errors: `forbidden`, `not_found`,
/// `invalid_transition`, `not_answered`, `rating_ended`, `validation_failed`.
pub async fn rate(app: &App, actor: Actor, id: ConversationId, given: Given) -> Result<Rated> {
    submit(app, actor, id, None, given).await?;
    get(app, actor, id).await
}

async fn submit(
    app: &App,
    actor: Actor,
    conversation: ConversationId,
    close_seq: Option<i64>,
    given: Given,
) -> Result<()> {
    let mut check = Checker::default();
    if !(SCORE_MIN..=SCORE_MAX).contains(&given.score) {
        check.wrong("/score", "out_of_range", format!("{SCORE_MIN} to {SCORE_MAX}"));
    }
    if given.comment.chars().count() > COMMENT_MAX {
        check.wrong("/comment", "too_long", format!("at most {COMMENT_MAX} characters"));
    }
    if given.comment.contains('\0') {
        check.wrong("/comment", "invalid", "no null characters".to_owned());
    }
    check.finish()?;
    let (score, comment) = (given.score, given.comment.trim().to_owned());
    let rate = Rate { conversation, close_seq, score, comment };
    app.journal.submit(Command::new(actor, rate)).await?;
    Ok(())
}

/// A link through which whoever has it rates the last end of a conversation. Errors: `forbidden`, `not_found`,
/// `invalid_transition`, `not_answered`, `rating_ended`.
pub async fn make_link(app: &App, actor: Actor, id: ConversationId) -> Result<(Secret, i64)> {
    require(&actor, Operation::MakeRatingLink)?;
    let rated = get(app, actor, id).await?;
    let (close_seq, ends) = match (rated.close_seq, rated.standing) {
        (Some(close_seq), Standing { until: Some(until), .. }) => (close_seq, until),
        (_, standing) => return Err(refusal(standing.state)),
    };
    let link = RatingLink { tenant: actor.tenant, conversation: id, close_seq, ends };
    Ok((app.auth.rating_links().issue(&link)?, ends))
}

fn refusal(state: RatingState) -> Error {
    match state {
        RatingState::NotClosed => {
            Error::new(Code::InvalidTransition, "only a conversation that is over can be rated")
        }
        RatingState::NotAnswered => Error::new(Code::NotAnswered, Code::NotAnswered.meaning()),
        RatingState::Asked | RatingState::Answered | RatingState::Expired => {
            Error::new(Code::RatingEnded, "the time in which the conversation could be rated is over")
        }
    }
}

/// What somebody with a link is shown.
#[derive(Debug, Clone)]
pub struct Linked {
    /// How the conversation stands to its rating.
    pub rated: Rated,
    /// The merchant's name.
    pub tenant: String,
    /// The name and the avatar of who served it.
    pub agent: Option<(String, String)>,
}

/// What a link is about. Errors: `not_found` for text that is no link, `rating_ended`, `tenant_suspended`, `banned`.
pub async fn linked(app: &App, token: &str, client: &ClientInfo) -> Result<Linked> {
    let (link, now) = (read_link(app, token)?, app.clock.now().0);
    let (auth, origin) = (app.auth.clone(), client.origin(""));
    let read = move |connection: &mut AnyConnection| {
        let tenant = tenants::store::find(connection, link.tenant)?;
        if tenant.status == TenantStatus::Suspended {
            return Err(Error::new(Code::TenantSuspended, Code::TenantSuspended.meaning()));
        }
        let found = conversations::store::find(connection, link.tenant, link.conversation)?;
        let rated = rated(connection, found.ok_or_else(Error::not_found)?, now)?;
        auth.admit(link.tenant, rated.conversation.customer_id, &origin)?;
        if rated.close_seq.is_some_and(|seq| seq > link.close_seq) {
            return Err(Error::new(Code::RatingEnded, "the conversation was closed once more since"));
        }
        let agent = match rated.conversation.agent_id {
            Some(agent) => members::store::find(connection, link.tenant, agent)?,
            None => None,
        };
        let agent = agent.map(|agent| (agent.nickname, agent.avatar));
        Ok(Linked { rated, tenant: tenant.name, agent })
    };
    app.db.read(read).await
}

/// Rates what a link is about, on behalf of the conversation's customer. Errors: those of [`rate`] and of [`linked`].
pub async fn rate_linked(app: &App, token: &str, given: Given, client: &ClientInfo) -> Result<Linked> {
    let link = read_link(app, token)?;
    let found = linked(app, token, client).await?;
    let customer = found.rated.conversation.customer_id.ok_or_else(Error::not_found)?;
    // It acts for the customer without a session: the journal asks whether the account may be used.
    let (role, session, origin) = (Role::Customer, SessionId(0), client.origin(""));
    let actor =
        Actor { tenant: link.tenant, member: customer, role, session, origin, operations: OperationSet::ALL };
    submit(app, actor, link.conversation, Some(link.close_seq), given).await?;
    linked(app, token, client).await
}

fn read_link(app: &App, token: &str) -> Result<RatingLink> {
    let link = app.auth.rating_links().read(token)?.ok_or_else(Error::not_found)?;
    match app.clock.now().0 < link.ends {
        true => Ok(link),
        false => Err(refusal(RatingState::Expired)),
    }
}
