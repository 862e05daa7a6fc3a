//! The task that does erasures. One in each process; what is left to do is found in the store, and two processes may do the
//! same.

use std::sync::Arc;
use std::time::Duration;

use super::adopt::adopt;
use super::person::{self, Person};
use super::store::{self, Counts};
use super::{centre, list, logs, retention};
use crate::app::App;
use crate::db::{AnyConnection, blocking};
use crate::domain::actor::Principal;
use crate::domain::erasure::ErasureRow;
use crate::journal::Command;
use crate::journal::commands::ChangeMember;
use crate::kernel::{ErasureId, MemberId, Result, TenantId};
use crate::{attachments, exports};

/// How often it is looked for erasures.
const EVERY: Duration = Duration::from_secs(1);
/// How long the task rests after an error.
const REST: Duration = Duration::from_secs(5);
/// Erasures of one look.
const ROWS: i64 = 20;
/// How long it is waited for who may still write what it read before the words went.
const SETTLE: Duration = Duration::from_secs(1);

/// Who else works on the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Beside {
    /// Servers, whose followers may be behind the log.
    Servers,
    /// Nobody.
    Nobody,
}

/// Starts the task, and that of retention. Must be called on a tokio runtime.
pub fn spawn_tasks(app: &Arc<App>) {
    let (handle, shutdown) = (app.clone(), app.tasks.shutdown().clone());
    app.tasks.spawn("erasure", move || {
        let (app, shutdown) = (handle.clone(), shutdown.clone());
        async move {
            let mut rest = EVERY;
            let mut is_adopted = false;
            loop {
                tokio::select! {
                    () = tokio::time::sleep(rest) => {}
                    () = shutdown.cancelled() => return,
                }
                let looked = tokio::select! {
                    looked = round(&app, &mut is_adopted) => looked,
                    () = shutdown.cancelled() => return,
                };
                rest = match looked {
                    Ok(()) => EVERY,
                    Err(error) => {
                        log::warn!(target: "deskwire::erasure", "an erasure goes on later: {error}");
                        REST
                    }
                };
            }
        }
    });
    retention::spawn(app);
}

/// Begins what stands in the list beside the database and not in it: somebody put an older copy in its place.
async fn adopt_list(app: &App) -> Result<()> {
    let Some(path) = list::path(app.db.target()) else { return Ok(()) };
    let listed = blocking(move || list::read(&path)).await?;
    let begun = adopt(app, listed).await?;
    if begun > 0 {
        log::warn!(target: "deskwire::erasure", "{begun} erasures are done again: the database is an older copy");
    }
    Ok(())
}

/// Takes in the list, once that is possible, and does what is under way, also while it is not.
async fn round(app: &Arc<App>, is_adopted: &mut bool) -> Result<()> {
    let adopted = match *is_adopted {
        true => Ok(()),
        false => adopt_list(app).await,
    };
    *is_adopted = adopted.is_ok();
    look(app).await.and(adopted)
}

async fn look(app: &Arc<App>) -> Result<()> {
    let rows = app.db.read(|connection| store::running(connection, ROWS)).await?;
    let mut failed = None;
    for row in rows {
        // One that fails keeps no other from its turn.
        if let Err(error) = run(app, &row, Beside::Servers).await {
            failed = Some(error);
        }
    }
    failed.map_or(Ok(()), Err)
}

/// Does what can be done of an erasure now. Tells whether it is done.
pub async fn run(app: &Arc<App>, row: &ErasureRow, beside: Beside) -> Result<bool> {
    let (tenant, member) = (row.tenant_id, row.member_id);
    if let Some(path) = list::path(app.db.target()) {
        let listed = list::Listed::from(row);
        blocking(move || list::add(&path, listed)).await?;
    }
    let accounts = app.db.read(move |connection| store::accounts_of(connection, tenant, member)).await?;
    for account in accounts {
        let end = ChangeMember { delete: true, ..ChangeMember::of(account) };
        while app.journal.submit(Command::new(Principal::System(tenant), end.clone())).await?.more {}
    }
    let person = Arc::new(app.db.read(move |connection| load(connection, tenant, member)).await?);
    for one in &person.logs {
        logs::take_words(app, tenant, *one).await?;
    }
    take_rest(app, row.id, &person).await?;
    if beside == Beside::Servers {
        if !logs::index_follows(app, tenant).await? {
            return Ok(false);
        }
        tokio::time::sleep(SETTLE).await;
        take_rest(app, row.id, &person).await?;
    }
    let taken = logs::take_postings(app, tenant, &person.logs).await?;
    let (id, counts) = (row.id, Counts::from([("search_posting".to_owned(), taken)]));
    app.db.write(move |connection| store::count(connection, id, &counts)).await?;
    for one in &person.logs {
        logs::tell(app, tenant, *one).await?;
    }
    finish(app, row, person).await
}

fn load(connection: &mut AnyConnection, tenant: TenantId, member: MemberId) -> Result<Person> {
    let members = store::accounts_of(connection, tenant, member)?;
    let logs = store::conversations_of(connection, tenant, &members)?;
    Person::load(connection, tenant, members, logs)
}

/// Takes everything beside the logs but the profile, in pieces, until nothing is found.
async fn take_rest(app: &App, id: ErasureId, person: &Arc<Person>) -> Result<()> {
    let tenant = person.tenant;
    for piece in person.logs.chunks(logs::AT_ONCE) {
        let piece = piece.to_vec();
        counted(app, id, move |connection| logs::take_hanging(connection, tenant, &piece)).await?;
    }
    let (of, now) = (person.clone(), app.clock.now().0);
    counted(app, id, move |connection| person::take(connection, &of, now)).await?;
    let of = person.clone();
    counted(app, id, move |connection| centre::take(connection, &of)).await?;
    let of = person.clone();
    counted(app, id, move |connection| take_exports(connection, &of, now)).await
}

/// Ends the exports that may hold what goes.
fn take_exports(connection: &mut AnyConnection, person: &Person, now: i64) -> Result<Counts> {
    let taken = exports::erase::take(connection, person.tenant, &person.members, now)?;
    let mut counts = Counts::new();
    person::add(&mut counts, "export", taken);
    Ok(counts)
}

/// Repeats a piece until it counts nothing; each is counted in its own transaction.
async fn counted(
    app: &App,
    id: ErasureId,
    take: impl Fn(&mut AnyConnection) -> Result<Counts> + Send + Sync + 'static,
) -> Result<()> {
    let take = Arc::new(take);
    loop {
        let piece = take.clone();
        let write = move |connection: &mut AnyConnection| {
            let counts = piece(connection)?;
            store::count(connection, id, &counts)?;
            Ok(!counts.is_empty())
        };
        if !app.db.write(write).await? {
            return Ok(());
        }
    }
}

/// Takes the profile and ends the erasure, unless messages are on their way, files are left, an export was begun before the
/// profile went, or a reader of the database keeps former content in its log.
async fn finish(app: &App, row: &ErasureRow, person: Arc<Person>) -> Result<bool> {
    let (id, now, before) = (row.id, app.clock.now().0, row.requested_at);
    let of = person.clone();
    let is_left = move |connection: &mut AnyConnection| {
        let logs = of.all_logs();
        Ok(centre::are_left(connection, &of)?
            || attachments::erase::are_left(connection, of.tenant, &of.members, &logs, before)?
            || exports::erase::are_left(connection, of.tenant, &of.members)?)
    };
    if app.db.read(is_left).await? {
        return Ok(false);
    }
    let of = person.clone();
    let profile = move |connection: &mut AnyConnection| {
        let counts = person::take_profile(connection, &of, now)?;
        store::count(connection, id, &counts)
    };
    app.db.write(profile).await?;
    // Before it is said to be done, so that no former content is left by then.
    if !app.db.empty_log().await? {
        return Ok(false);
    }
    let write = move |connection: &mut AnyConnection| {
        let exports = take_exports(connection, &person, now)?;
        if !exports.is_empty() {
            store::count(connection, id, &exports)?;
            return Ok(false);
        }
        let erased = store::erased_entries(connection, &person.all_logs())?;
        let members = i64::try_from(person.members.len()).unwrap_or(i64::MAX);
        let counts = Counts::from([("group_message".to_owned(), erased), ("member".to_owned(), members)]);
        store::finish(connection, id, now, &counts)?;
        Ok(true)
    };
    if !app.db.write(write).await? {
        return Ok(false);
    }
    log::info!(target: "deskwire::erasure", "erasure {id} of tenant {} is done", row.tenant_id);
    Ok(true)
}
