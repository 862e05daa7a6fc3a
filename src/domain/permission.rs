//! Who may do what: the one table of rights, for REST, sockets and the journal alike, and shown in the documents.
//! No I/O.
//!
//! Invariants: what an actor may not see answers 404, what it may see but not do answers 403; a role's row never
//! reaches beyond its tenant, because every query and command carries the actor's tenant.

use crate::domain::actor::Actor;
use crate::domain::conversation::{ConversationKind, ConversationRow, ConversationStatus, ParticipantRow};
use crate::domain::group::Sight;
use crate::domain::member::Role;
use crate::kernel::{Code, Error, Result};
use crate::text_enum;

text_enum! {
    /// How far a right reaches.
    Scope {
        /// Nowhere.
        Never = "never",
        /// What the member itself owns: its account, its own conversations as a customer.
        Own = "own",
        /// Conversations that the member is in.
        Inside = "inside",
        /// Conversations that the member can see: those it is in, those that its groups serve, and the waiting ones (who
        /// is in groups: the waiting ones of its groups and of no group).
        Visible = "visible",
        /// Everything of the tenant. A supervisor who is in groups: of conversations those that it is in, those of its
        /// groups and those of no group.
        Tenant = "tenant",
    }
}

macro_rules! rights {
    ($($(#[doc = $meaning:literal])+ $operation:ident $word:literal : $customer:ident $agent:ident $supervisor:ident $admin:ident;)+) => {
        text_enum! {
            /// What can be done.
            Operation { $($(#[doc = $meaning])+ $operation = $word,)+ }
        }

        /// How far this role may do this.
        pub const fn scope(role: Role, operation: Operation) -> Scope {
            match (operation, role) {
                $(
                    (Operation::$operation, Role::Customer) => Scope::$customer,
                    (Operation::$operation, Role::Agent) => Scope::$agent,
                    (Operation::$operation, Role::Supervisor) => Scope::$supervisor,
                    (Operation::$operation, Role::Admin) => Scope::$admin,
                )+
            }
        }
    };
}

rights! {
    //                                                             customer agent supervisor admin
    /// See and change the own account, sessions and password.
    UseAccount "use_account":                                      Own Own Own Own;
    /// Open a conversation (staff: on behalf of a customer).
    OpenConversation "open_conversation":                          Own Tenant Tenant Tenant;
    /// Read a conversation, its log and its members.
    ReadConversation "read_conversation":                          Own Visible Tenant Tenant;
    /// Send to a conversation; edit and recall own messages within their windows; move own positions.
    SendMessage "send_message":                                    Inside Inside Inside Inside;
    /// Upload files for messages. Who reads a message reads its file.
    UploadAttachment "upload_attachment":                          Own Own Own Own;
    /// Recall anybody's message, at any time.
    RecallAny "recall_any":                                        Never Never Tenant Tenant;
    /// Read the notes behind a conversation.
    ReadNotes "read_notes":                                        Never Visible Tenant Tenant;
    /// Write notes behind a conversation.
    WriteNote "write_note":                                        Never Inside Tenant Tenant;
    /// Take a waiting conversation.
    Claim "claim":                                                 Never Visible Tenant Tenant;
    /// Give a conversation to an agent.
    Assign "assign":                                               Never Never Tenant Tenant;
    /// Hand a conversation over to another agent or to a group, or offer it to an agent (agents: one that they serve).
    Transfer "transfer":                                           Never Inside Tenant Tenant;
    /// Take a conversation from the agent who serves it.
    TakeOver "take_over":                                          Never Never Tenant Tenant;
    /// Let a whole group serve a conversation (agents: one that they serve, or that waits).
    Dock "dock":                                                   Never Visible Tenant Tenant;
    /// Let a conversation wait again.
    Release "release":                                             Never Inside Tenant Tenant;
    /// End a conversation.
    Close "close":                                                 Own Inside Tenant Tenant;
    /// Let a closed conversation wait again.
    Reopen "reopen":                                               Own Inside Tenant Tenant;
    /// Say how one was served in a conversation that is over.
    RateConversation "rate_conversation":                          Own Never Never Never;
    /// List the ratings (agents: of what they served; supervisors who are in groups: those of their groups and of no group).
    ReadRatings "read_ratings":                                    Never Own Tenant Tenant;
    /// Read reports (agents: their own numbers; supervisors who are in groups: those of their groups and of who is in them).
    ReadReports "read_reports":                                    Never Own Tenant Tenant;
    /// Make links through which customers rate without signing in. Whoever has one can rate, so that no agent may make one.
    MakeRatingLink "make_rating_link":                             Never Never Never Tenant;
    /// Bring staff into a conversation.
    AddMember "add_member":                                        Never Inside Tenant Tenant;
    /// Take others of the staff out of a conversation (everybody of the staff may leave).
    RemoveMember "remove_member":                                  Never Never Tenant Tenant;
    /// Change subject, priority and tags.
    UpdateConversation "update_conversation":                      Never Inside Tenant Tenant;
    /// Read the earlier words of edited and recalled messages, and the assignments.
    ReadRevisions "read_revisions":                                Never Never Tenant Tenant;
    /// List and read accounts (agents: their sub-accounts).
    ReadMembers "read_members":                                    Never Own Tenant Tenant;
    /// Create, change, disable and delete accounts (others: disable their sub-accounts).
    ManageMembers "manage_members":                                Never Own Own Tenant;
    /// See what colleagues are, and how many conversations they serve.
    ReadPresence "read_presence":                                  Never Tenant Tenant Tenant;
    /// Read what members of the staff were, and when.
    ReadPresenceHistory "read_presence_history":                   Never Own Tenant Tenant;
    /// Say what one is: online, busy, away or offline.
    SetPresence "set_presence":                                    Never Own Own Own;
    /// Make rooms of the staff, and open direct ones. What is said there is seen by who is in them only.
    OpenRoom "open_room":                                          Never Tenant Tenant Tenant;
    /// See the groups of the staff and who is in them.
    ReadGroups "read_groups":                                      Never Tenant Tenant Tenant;
    /// Make, change and delete groups; appoint their managers.
    ManageGroups "manage_groups":                                  Never Never Never Tenant;
    /// Add and remove members of groups (others: of the groups that they manage).
    ManageGroupMembers "manage_group_members":                     Never Own Own Tenant;
    /// See the waiting conversations in their order.
    ReadQueue "read_queue":                                        Never Tenant Tenant Tenant;
    /// Accept and decline the own offers.
    AnswerOffer "answer_offer":                                    Never Own Own Own;
    /// See what routing thinks of a conversation.
    ExplainRouting "explain_routing":                              Never Visible Tenant Tenant;
    /// Read business hours.
    ReadBusinessHours "read_business_hours":                       Never Tenant Tenant Tenant;
    /// Make, change and delete business hours.
    ManageBusinessHours "manage_business_hours":                   Never Never Never Tenant;
    /// Read whom the tenant lets in no more.
    ReadBans "read_bans":                                          Never Never Tenant Tenant;
    /// Ban customers, and let them in again.
    ManageBans "manage_bans":                                      Never Never Tenant Tenant;
    /// Read and use canned replies: those of the tenant, of the own groups (supervisors and administrators: of every group),
    /// and the own ones.
    UseCannedReplies "use_canned_replies":                         Never Own Own Own;
    /// Make, change and delete canned replies (agents: their own ones).
    ManageCannedReplies "manage_canned_replies":                   Never Own Tenant Tenant;
    /// Read the message centre: accounts, templates, rules, events and sends.
    ReadMessageCentre "read_message_centre":                       Never Never Tenant Tenant;
    /// Change channel accounts, templates and rules of the message centre.
    ManageMessageCentre "manage_message_centre":                   Never Never Never Tenant;
    /// Tell the message centre what happened; cancel, repeat and resolve sends.
    SendMessages "send_messages":                                  Never Never Never Tenant;
    /// Make QR codes of WeChat that bind a person to an official account (others: for themselves, and for customers whom
    /// they serve).
    BindIdentity "bind_identity":                                  Own Inside Tenant Tenant;
    /// Read the own notifications, and mark them as read.
    ReadNotifications "read_notifications":                        Own Own Own Own;
    /// Change the tenant's name and settings; manage identity keys.
    ManageTenant "manage_tenant":                                  Never Never Never Tenant;
    /// Read the whole tenant's entries as a feed.
    ReadFeed "read_feed":                                          Never Never Never Tenant;
}

/// Fails with `forbidden` when the role never has this right.
pub fn require(actor: &Actor, operation: Operation) -> Result<Scope> {
    match scope(actor.role, operation) {
        Scope::Never => {
            Err(Error::new(Code::Forbidden, format!("the role {} may not {operation}", actor.role)))
        }
        scope => Ok(scope),
    }
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
    match scope(actor.role, operation) {
        Scope::Never => {
            Err(Error::new(Code::Forbidden, format!("the role {} may not {operation}", actor.role)))
        }
        Scope::Own | Scope::Inside if relation < Relation::Insider => {
            Err(Error::new(Code::NotAMember, Code::NotAMember.meaning()))
        }
        _ => Ok(()),
    }
}
