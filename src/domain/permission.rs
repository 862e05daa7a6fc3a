//! Who may do what, by the one table of rights ([`super::operation`]), for REST, sockets and the journal alike. No I/O.
//!
//! Invariants: what an actor may not see answers 404, what it may see but not do answers 403; a role's row never
//! reaches beyond its tenant, because every query and command carries the actor's tenant.

use crate::domain::actor::Actor;
use crate::domain::conversation::{ConversationKind, ConversationRow, ConversationStatus, ParticipantRow};
use crate::domain::group::Sight;
pub use crate::domain::operation::{Operation, OperationSet, Scope, scope};
use crate::kernel::{Code, Error, Result};

/// How far this actor may do this: as far as its role, if it is not limited to other operations.
pub const fn reach(actor: &Actor, operation: Operation) -> Scope {
    match actor.operations.has(operation) {
        true => scope(actor.role, operation),
        false => Scope::Never,
    }
}

/// Fails with `forbidden` when the actor never has this right.
pub fn require(actor: &Actor, operation: Operation) -> Result<Scope> {
    match reach(actor, operation) {
        Scope::Never => Err(refusal(actor, operation)),
        scope => Ok(scope),
    }
}

fn refusal(actor: &Actor, operation: Operation) -> Error {
    let detail = match actor.operations.has(operation) {
        true => format!("the role {} may not {operation}", actor.role),
        false => format!("the API key does not allow {operation}"),
    };
    Error::new(Code::Forbidden, detail)
}

/// How an actor stands to a conversation. For a backstage conversation, pass its parent and the parent's participant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Relation {
    /// It may not know that the conversation exists.
    Stranger,
    /// It may see it.
    Viewer,
    /// It is in it.
    Insider,
}

/// How a member of this role stands to this conversation of its own tenant. What it sees by its groups is asked for only
/// when the conversation is a group's. Who is in it by a group is in it as long as it is in the group.
pub fn relation(
    actor: &Actor,
    conversation: &ConversationRow,
    participant: Option<&ParticipantRow>,
    sight: &Sight,
) -> Relation {
    if conversation.tenant_id != actor.tenant || conversation.kind == ConversationKind::Backstage {
        return Relation::Stranger;
    }
    let inside = |row: &ParticipantRow| {
        row.member_id == actor.member && row.is_in() && row.group_id.is_none_or(|group| sight.is_in(group))
    };
    if participant.is_some_and(inside) {
        return Relation::Insider;
    }
    // A room of the staff belongs to who is in it, whatever the others' roles.
    if conversation.kind.is_room() {
        return Relation::Stranger;
    }
    let visible = match scope(actor.role, Operation::ReadConversation) {
        Scope::Tenant => sight.reaches(conversation.group_id),
        Scope::Visible => match conversation.docked_to() {
            Some(group) => sight.is_in(group),
            None => {
                conversation.status == Some(ConversationStatus::Open) && sight.reaches(conversation.group_id)
            }
        },
        _ => false,
    };
    if visible { Relation::Viewer } else { Relation::Stranger }
}

/// How a member who is a stranger to a merged conversation stands to it, given how it stands to the conversation that
/// goes on: the staff who see that one may read the older log.
pub fn relation_by_merge(actor: &Actor, survivor: Relation) -> Relation {
    match actor.role.is_staff() && survivor != Relation::Stranger {
        true => Relation::Viewer,
        false => Relation::Stranger,
    }
}

/// Checks one operation on one conversation: 404 for strangers, 403 for those who may see but not do.
pub fn check(actor: &Actor, relation: Relation, operation: Operation) -> Result<()> {
    if relation == Relation::Stranger {
        return Err(Error::not_found());
    }
    match reach(actor, operation) {
        Scope::Never => Err(refusal(actor, operation)),
        Scope::Own | Scope::Inside if relation < Relation::Insider => {
            Err(Error::new(Code::NotAMember, Code::NotAMember.meaning()))
        }
        _ => Ok(()),
    }
}
