//! What the members of the staff on this worker see by their groups, for those who watch.
//!
//! How it works: the first watch of a socket reads its member's groups; from then on the notices of the log keep them
//! up to date. Invariants: what a notice takes away is gone before the changes that bring it are handed out; a socket
//! whose groups are not known reaches no group's conversations.

use std::collections::HashMap;
use std::rc::Rc;

use super::protocol::server::GroupNotice;
use super::protocol::table;
use super::socket::Socket;
use super::tenant::Tenant;
use super::{collect, watch, wire};
use crate::db::AnyConnection;
use crate::domain::actor::Actor;
use crate::domain::group::Sight;
use crate::groups::store;
use crate::journal::feed::AccessState;
use crate::journal::{Changes, history};
use crate::kernel::{GroupId, Result};

/// What is known of a member's groups.
#[derive(Debug)]
pub enum Known {
    /// They are being read: what changed meanwhile, by group, with the rev and whether the member is in.
    Reading(HashMap<GroupId, (i64, bool)>),
    /// As they are now.
    Now(Sight),
}

/// Reads what the member on this socket sees, unless it is known.
pub async fn learn(socket: &Rc<Socket>, actor: Actor) -> Result<()> {
    let known = collect::with(socket, |pending| {
        let known = pending.sight.get_or_insert_with(|| Known::Reading(HashMap::new()));
        matches!(known, Known::Now(_))
    });
    if known {
        return Ok(());
    }
    // The head first: what is newer than it is taken from the notices once more, which changes nothing.
    let read = move |connection: &mut AnyConnection| {
        Ok((history::head(connection, actor.tenant)?, store::sight(connection, &actor)?))
    };
    let (head, mut sight) = socket.hub.app.db.read(read).await?;
    collect::with(socket, |pending| {
        if let Some(Known::Reading(changed)) = &pending.sight {
            for (group, (_, inside)) in changed.iter().filter(|(_, (rev, _))| *rev > head) {
                sight.change(*group, *inside);
            }
            pending.sight = Some(Known::Now(sight));
        }
    });
    Ok(())
}

/// Whether the conversations of this group, or of none, lie within the sight of who is on this socket.
pub fn reaches(socket: &Socket, group: Option<GroupId>) -> bool {
    let pending = socket.pending.borrow();
    match pending.as_ref().and_then(|pending| pending.sight.as_ref()) {
        Some(Known::Now(sight)) => sight.reaches(group),
        Some(Known::Reading(_)) | None => group.is_none(),
    }
}

/// What is known of the sight of who is on this socket.
pub fn of(socket: &Socket) -> Option<Sight> {
    let pending = socket.pending.borrow();
    match pending.as_ref().and_then(|pending| pending.sight.as_ref()) {
        Some(Known::Now(sight)) => Some(sight.clone()),
        Some(Known::Reading(_)) | None => None,
    }
}

/// The notices of this socket's tenant were not followed for a while: what was known may be wrong.
pub fn forget(socket: &Socket) {
    let mut pending = socket.pending.borrow_mut();
    if let Some(pending) = pending.as_mut() {
        pending.sight = None;
    }
}

/// Takes in who came into a group or left it, tells those members, and ends the watches of who may have lost sight.
pub fn take(tenant: &mut Tenant, changes: &Changes) {
    for notice in &changes.access {
        let AccessState::Group { member, group, stands_as } = notice.change else { continue };
        let sockets: Vec<Rc<Socket>> = tenant.members.get(&member).into_iter().flatten().cloned().collect();
        let told = GroupNotice { group_id: group, member_type: stands_as, rev: notice.rev };
        let bytes = wire::frame(table::GROUP, &told);
        for socket in sockets {
            if change(&socket, notice.rev, group, stands_as.is_some()) {
                watch::end_all(tenant, &socket);
            }
            socket.ephemeral(bytes.clone());
        }
    }
}

/// Notes a change. Tells whether the socket may have lost sight of something.
fn change(socket: &Socket, rev: i64, group: GroupId, inside: bool) -> bool {
    let mut pending = socket.pending.borrow_mut();
    match pending.as_mut().and_then(|pending| pending.sight.as_mut()) {
        Some(Known::Now(sight)) => sight.change(group, inside),
        Some(Known::Reading(changed)) => {
            changed.insert(group, (rev, inside));
            false
        }
        None => false,
    }
}
