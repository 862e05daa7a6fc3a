//! Docking: has the conversations that a group serves follow who comes into the group and who leaves it, and docks what
//! waits for a group that serves as a whole.
//!
//! Owns when [`FollowGroup`] and [`DockWaiting`] are submitted: at once by who changes a group, and by a look at the store
//! for what was left over, because a process died, the journal was busy, an account came to its end, or a conversation
//! came back to its group. Does not own what follows (the journal) nor the list of it (`journal::follows`).
//!
//! Invariants: nothing is remembered that the store does not know, so that the task can be started again at any time;
//! processes do each other no harm, because the command decides with the present state.

use std::time::Duration;

use diesel::dsl::exists;
use diesel::prelude::*;
use tokio_util::sync::CancellationToken;

use crate::db::schema::{chat_group, conversation, group_follow, group_member};
use crate::db::{AnyConnection, Db};
use crate::domain::actor::Principal;
use crate::domain::group::Serving;
use crate::journal::commands::{DockWaiting, FollowGroup};
use crate::journal::{Command, Journal};
use crate::kernel::{GroupId, MemberId, Result, TenantId};

/// How often the store is looked at.
const LOOK: Duration = Duration::from_secs(1);
/// Places that are read at once.
const PAGE: i64 = 100;
/// Commands for one place before another has its turn.
const PIECES: usize = 10;

/// A place in a group that conversations are to follow.
type Place = (TenantId, GroupId, MemberId);

/// Has the conversations of a group follow what a member is in it now, as far as [`PIECES`] commands reach; the task
/// does the rest. Errors are the journal's.
pub async fn follow(journal: &Journal, tenant: TenantId, group: GroupId, member: MemberId) -> Result<()> {
    for _ in 0..PIECES {
        let command = Command::new(Principal::System(tenant), FollowGroup { group, member });
        if !journal.submit(command).await?.more {
            break;
        }
    }
    Ok(())
}

/// Docks what waits for a group, if the whole group serves, as far as [`PIECES`] commands reach; the task does the rest.
/// Errors are the journal's.
pub async fn dock_waiting(journal: &Journal, tenant: TenantId, group: GroupId) -> Result<()> {
    for _ in 0..PIECES {
        let command = Command::new(Principal::System(tenant), DockWaiting { group });
        if !journal.submit(command).await?.more {
            break;
        }
    }
    Ok(())
}

/// Runs until shutdown. One supervised task in each process.
pub async fn run(db: Db, journal: Journal, shutdown: CancellationToken) {
    loop {
        tokio::select! {
            () = tokio::time::sleep(LOOK) => {}
            () = shutdown.cancelled() => return,
        }
        if let Err(error) = look(&db, &journal, &shutdown).await {
            log::debug!(target: "deskwire::docking", "what follows its group could not be read: {error}");
        }
        if let Err(error) = look_for_waiting(&db, &journal, &shutdown).await {
            log::debug!(target: "deskwire::docking", "what waits for whole groups could not be read: {error}");
        }
    }
}

/// Does what is left over, place by place; one that fails does not keep the others waiting.
async fn look(db: &Db, journal: &Journal, shutdown: &CancellationToken) -> Result<()> {
    let mut after = None;
    loop {
        let places = db.read(move |connection| places(connection, after)).await?;
        for (tenant, group, member) in places.iter().copied() {
            tokio::select! {
                done = follow(journal, tenant, group, member) => if let Err(error) = done {
                    log::debug!(target: "deskwire::docking", "group {group} is followed later: {error}");
                },
                () = shutdown.cancelled() => return Ok(()),
            }
        }
        after = places.last().map(|(_, group, member)| (*group, *member));
        if places.len() < usize::try_from(PAGE).unwrap_or_default() {
            return Ok(());
        }
    }
}

/// Docks what waits, group by group; one that fails does not keep the others waiting.
async fn look_for_waiting(db: &Db, journal: &Journal, shutdown: &CancellationToken) -> Result<()> {
    let mut after = None;
    loop {
        let groups = db.read(move |connection| waited_for(connection, after)).await?;
        for (tenant, group) in groups.iter().copied() {
            tokio::select! {
                done = dock_waiting(journal, tenant, group) => if let Err(error) = done {
                    log::debug!(target: "deskwire::docking", "what waits for group {group} is docked later: {error}");
                },
                () = shutdown.cancelled() => return Ok(()),
            }
        }
        after = groups.last().map(|(_, group)| *group);
        if groups.len() < usize::try_from(PAGE).unwrap_or_default() {
            return Ok(());
        }
    }
}

/// The groups behind this one that serve as a whole and have members, and for which something waits.
fn waited_for(connection: &mut AnyConnection, after: Option<GroupId>) -> Result<Vec<(TenantId, GroupId)>> {
    let waits = conversation::table
        .filter(conversation::tenant_id.eq(chat_group::tenant_id))
        .filter(conversation::group_id.eq(chat_group::id.nullable()))
        .filter(conversation::waiting_since.is_not_null());
    let somebody = group_member::table
        .filter(group_member::group_id.eq(chat_group::id))
        .filter(group_member::left_at.is_null());
    let mut query = chat_group::table
        .filter(chat_group::serving.eq(Serving::Group))
        .filter(chat_group::deleted_at.is_null())
        .filter(exists(waits))
        .filter(exists(somebody))
        .order(chat_group::id.asc())
        .limit(PAGE)
        .select((chat_group::tenant_id, chat_group::id))
        .into_boxed();
    if let Some(after) = after {
        query = query.filter(chat_group::id.gt(after));
    }
    Ok(query.load(connection)?)
}

fn places(connection: &mut AnyConnection, after: Option<(GroupId, MemberId)>) -> Result<Vec<Place>> {
    let mut query = group_follow::table
        .order((group_follow::group_id.asc(), group_follow::member_id.asc()))
        .limit(PAGE)
        .select((group_follow::tenant_id, group_follow::group_id, group_follow::member_id))
        .into_boxed();
    if let Some((group, member)) = after {
        let later = group_follow::group_id.eq(group).and(group_follow::member_id.gt(member));
        query = query.filter(group_follow::group_id.gt(group).or(later));
    }
    Ok(query.load(connection)?)
}
