//! Erasing the logs of conversations: their words through the journal, and what hangs on them in other tables.

use std::sync::Arc;
use std::time::Duration;

use diesel::prelude::*;

use super::store::{self, Counts, Logs};
use crate::app::App;
use crate::db::AnyConnection;
use crate::db::schema::{assignment, conversation_attribute, message_revision, offer, rating, transfer};
use crate::domain::actor::Principal;
use crate::journal::commands::{ERASED_AT_ONCE, EraseLog, EraseStep};
use crate::journal::store::transaction::{Wait, lock_tenants};
use crate::journal::{Command, follower, history};
use crate::kernel::{ConversationId, Result, TenantId};
use crate::on;
use crate::search::erase::ErasedPostings;
use crate::search::index::SEARCH;

/// Conversations whose other rows are erased in one transaction.
pub const AT_ONCE: usize = 50;
/// How often it is looked how far the search index is, and for how long.
const INDEX_LOOK: Duration = Duration::from_millis(200);
const INDEX_WAIT: Duration = Duration::from_secs(30);
/// Revisions that one transaction deletes.
const REVISIONS: i64 = 500;

/// Takes the words of a conversation and of the log behind it. Nobody is told yet.
pub async fn take_words(app: &App, tenant: TenantId, logs: Logs) -> Result<()> {
    for log in [Some(logs.front), logs.backstage].into_iter().flatten() {
        erase(app, tenant, log).await?;
    }
    Ok(())
}

/// Takes what came meanwhile, and tells readers: of the conversation itself last, since its end says whether work is left.
pub async fn tell(app: &App, tenant: TenantId, logs: Logs) -> Result<()> {
    for log in [logs.backstage, Some(logs.front)].into_iter().flatten() {
        loop {
            erase(app, tenant, log).await?;
            // Nothing that is there now is erasable, so that what comes until the command makes the log longer.
            let last = app.db.read(move |connection| store::last_erased(connection, log)).await?;
            let Some(last) = last else { continue };
            let command =
                Command::new(Principal::System(tenant), EraseLog { log, step: EraseStep::Tell(last) });
            if !app.journal.submit(command).await?.more {
                break;
            }
        }
    }
    Ok(())
}

async fn erase(app: &App, tenant: TenantId, log: ConversationId) -> Result<()> {
    let mut after = 0;
    loop {
        let next = app.db.read(move |connection| store::next_erasable(connection, log, after)).await?;
        let Some(from) = next else { return Ok(()) };
        let command = Command::new(Principal::System(tenant), EraseLog { log, step: EraseStep::Words(from) });
        app.journal.submit(command).await?;
        after = from + ERASED_AT_ONCE - 1;
    }
}

/// Takes what other tables hold of these conversations: earlier words, custom attributes, comments of ratings, and what the
/// staff said of assignments, offers and transfers. Repeat it until it counts nothing.
pub fn take_hanging(connection: &mut AnyConnection, tenant: TenantId, logs: &[Logs]) -> Result<Counts> {
    let fronts: Vec<ConversationId> = logs.iter().map(|one| one.front).collect();
    let all = logs.iter().flat_map(|one| [Some(one.front), one.backstage]).flatten();
    // A command may have loaded the values that are deleted.
    lock_tenants(connection, &[tenant], Wait::Short)?;
    let mut counts = Counts::new();
    let mut add = |table: &str, count: usize| {
        *counts.entry(table.to_owned()).or_default() += i64::try_from(count).unwrap_or(i64::MAX);
    };
    for log in all {
        add("message_revision", take_revisions(connection, tenant, log)?);
    }
    add(
        "conversation_attribute",
        on!(connection, inner => diesel::delete(conversation_attribute::table
            .filter(conversation_attribute::tenant_id.eq(tenant))
            .filter(conversation_attribute::conversation_id.eq_any(&fronts)))
            .execute(inner))?,
    );
    add(
        "rating",
        on!(connection, inner => diesel::update(rating::table
            .filter(rating::tenant_id.eq(tenant))
            .filter(rating::conversation_id.eq_any(&fronts))
            .filter(rating::comment.ne("")))
            .set(rating::comment.eq(""))
            .execute(inner))?,
    );
    add(
        "assignment",
        on!(connection, inner => diesel::update(assignment::table
            .filter(assignment::tenant_id.eq(tenant))
            .filter(assignment::conversation_id.eq_any(&fronts))
            .filter(assignment::note.ne("")))
            .set(assignment::note.eq(""))
            .execute(inner))?,
    );
    add(
        "offer",
        on!(connection, inner => diesel::update(offer::table
            .filter(offer::tenant_id.eq(tenant))
            .filter(offer::conversation_id.eq_any(&fronts))
            .filter(offer::note.ne("")))
            .set(offer::note.eq(""))
            .execute(inner))?,
    );
    add(
        "transfer",
        on!(connection, inner => diesel::update(transfer::table
            .filter(transfer::tenant_id.eq(tenant))
            .filter(transfer::conversation_id.eq_any(&fronts))
            .filter(transfer::note.ne("")))
            .set(transfer::note.eq(""))
            .execute(inner))?,
    );
    counts.retain(|_, count| *count > 0);
    Ok(counts)
}

fn take_revisions(connection: &mut AnyConnection, tenant: TenantId, log: ConversationId) -> Result<usize> {
    let of_log = || {
        message_revision::table
            .filter(message_revision::conversation_id.eq(log))
            .filter(message_revision::tenant_id.eq(tenant))
    };
    let last: Option<i64> = of_log()
        .order((message_revision::seq.asc(), message_revision::revision.asc()))
        .offset(REVISIONS)
        .select(message_revision::seq)
        .first(connection)
        .optional()?;
    Ok(match last {
        // Those of one message go together.
        Some(last) => {
            let before = of_log().filter(message_revision::seq.le(last));
            diesel::delete(before).execute(connection)?
        }
        None => diesel::delete(of_log()).execute(connection)?,
    })
}

/// Takes the postings of these conversations out of the search index; gives how many.
pub async fn take_postings(app: &App, tenant: TenantId, logs: &[Logs]) -> Result<i64> {
    let ids: Vec<ConversationId> =
        logs.iter().flat_map(|one| [Some(one.front), one.backstage]).flatten().collect();
    let find = move |connection: &mut AnyConnection| {
        let mut found = ErasedPostings::default();
        ids.iter().try_for_each(|log| found.add(connection, *log))?;
        Ok(found)
    };
    let found = Arc::new(app.db.read(find).await?);
    let (mut taken, mut after, mut more) = (0, None, !found.is_empty());
    while more {
        let look = found.clone();
        let (keys, next) = app.db.read(move |connection| look.page(connection, tenant, after)).await?;
        if !keys.is_empty() {
            let take = found.clone();
            let count = app.db.write(move |connection| take.take(connection, tenant, &keys)).await?;
            taken += i64::try_from(count).unwrap_or(i64::MAX);
        }
        (after, more) = (next, next.is_some());
    }
    Ok(taken)
}

/// Waits until the search index has followed the log to its present end. Tells whether it has.
pub async fn index_follows(app: &App, tenant: TenantId) -> Result<bool> {
    let head = app.db.read(move |connection| history::head(connection, tenant)).await?;
    let follows = async {
        loop {
            let read = move |connection: &mut AnyConnection| follower::position(connection, SEARCH, tenant);
            if app.db.read(read).await? >= head {
                return Ok(());
            }
            tokio::time::sleep(INDEX_LOOK).await;
        }
    };
    tokio::time::timeout(INDEX_WAIT, follows).await.map_or(Ok(false), |done| done.map(|()| true))
}
