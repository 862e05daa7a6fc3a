//! What can be done, and how far each role may do it: the one table of rights. No I/O.
//!
//! Owns the table and sets of operations. Does not own how a member stands to a conversation (`domain::permission`).

use crate::domain::member::Role;
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
    ($($(#[doc = $meaning:literal])+ $operation:ident $word:literal : $customer:ident $bot:ident $agent:ident $supervisor:ident $admin:ident;)+) => {
        text_enum! {
            /// What can be done.
            Operation { $($(#[doc = $meaning])+ $operation = $word,)+ }
        }

        /// How far this role may do this.
        pub const fn scope(role: Role, operation: Operation) -> Scope {
            match (operation, role) {
                $(
                    (Operation::$operation, Role::Customer) => Scope::$customer,
                    (Operation::$operation, Role::Bot) => Scope::$bot,
                    (Operation::$operation, Role::Agent) => Scope::$agent,
                    (Operation::$operation, Role::Supervisor) => Scope::$supervisor,
                    (Operation::$operation, Role::Admin) => Scope::$admin,
                )+
            }
        }
    };
}

rights! {
    //                                                             customer bot agent supervisor admin
    /// See and change the own account, sessions and password.
    UseAccount "use_account":                                      Own Own Own Own Own;
    /// Open a conversation (staff: on behalf of a customer).
    OpenConversation "open_conversation":                          Own Never Tenant Tenant Tenant;
    /// Read a conversation, its log and its members.
    ReadConversation "read_conversation":                          Own Inside Visible Tenant Tenant;
    /// Send to a conversation; edit and recall own messages within their windows; move own positions.
    SendMessage "send_message":                                    Inside Inside Inside Inside Inside;
    /// Upload files for messages. Who reads a message reads its file.
    UploadAttachment "upload_attachment":                          Own Own Own Own Own;
    /// Recall anybody's message, at any time.
    RecallAny "recall_any":                                        Never Never Never Tenant Tenant;
    /// Read the notes behind a conversation.
    ReadNotes "read_notes":                                        Never Inside Visible Tenant Tenant;
    /// Write notes behind a conversation.
    WriteNote "write_note":                                        Never Inside Inside Tenant Tenant;
    /// Take a waiting conversation.
    Claim "claim":                                                 Never Never Visible Tenant Tenant;
    /// Give a conversation to an agent.
    Assign "assign":                                               Never Never Never Tenant Tenant;
    /// Hand a conversation over to another agent or to a group, or offer it to an agent (agents: one that they serve).
    Transfer "transfer":                                           Never Never Inside Tenant Tenant;
    /// Take a conversation from the agent who serves it.
    TakeOver "take_over":                                          Never Never Never Tenant Tenant;
    /// End a bot's answering, so that the conversation waits for the staff (a bot: its own).
    HandOff "hand_off":                                            Never Inside Inside Tenant Tenant;
    /// Let a whole group serve a conversation (agents: one that they serve, or that waits).
    Dock "dock":                                                   Never Never Visible Tenant Tenant;
    /// Let a conversation wait again.
    Release "release":                                             Never Never Inside Tenant Tenant;
    /// End a conversation.
    Close "close":                                                 Own Inside Inside Tenant Tenant;
    /// Let a closed conversation wait again.
    Reopen "reopen":                                               Own Never Inside Tenant Tenant;
    /// Say how one was served in a conversation that is over.
    RateConversation "rate_conversation":                          Own Never Never Never Never;
    /// List the ratings (agents: of what they served; supervisors who are in groups: those of their groups and of no group).
    ReadRatings "read_ratings":                                    Never Never Own Tenant Tenant;
    /// Read reports (agents: their own numbers; supervisors who are in groups: those of their groups and of who is in them).
    ReadReports "read_reports":                                    Never Never Own Tenant Tenant;
    /// Make links through which customers rate without signing in. Whoever has one can rate, so that no agent may make one.
    MakeRatingLink "make_rating_link":                             Never Never Never Never Tenant;
    /// Bring staff into a conversation.
    AddMember "add_member":                                        Never Never Inside Tenant Tenant;
    /// Take others of the staff out of a conversation (everybody of the staff may leave).
    RemoveMember "remove_member":                                  Never Never Never Tenant Tenant;
    /// Change subject, priority, tags and custom attributes.
    UpdateConversation "update_conversation":                      Never Inside Inside Tenant Tenant;
    /// Read the earlier words of edited and recalled messages, and the assignments.
    ReadRevisions "read_revisions":                                Never Never Never Tenant Tenant;
    /// List and read accounts (agents: their sub-accounts).
    ReadMembers "read_members":                                    Never Never Own Tenant Tenant;
    /// Create, change, disable and delete accounts (others: disable their sub-accounts).
    ManageMembers "manage_members":                                Never Never Own Own Tenant;
    /// See what colleagues are, and how many conversations they serve.
    ReadPresence "read_presence":                                  Never Tenant Tenant Tenant Tenant;
    /// Read what members of the staff were, and when.
    ReadPresenceHistory "read_presence_history":                   Never Never Own Tenant Tenant;
    /// Say what one is: online, busy, away or offline.
    SetPresence "set_presence":                                    Never Never Own Own Own;
    /// Make rooms of the staff, and open direct ones. What is said there is seen by who is in them only.
    OpenRoom "open_room":                                          Never Never Tenant Tenant Tenant;
    /// See the groups of the staff and who is in them.
    ReadGroups "read_groups":                                      Never Tenant Tenant Tenant Tenant;
    /// Make, change and delete groups; appoint their managers.
    ManageGroups "manage_groups":                                  Never Never Never Never Tenant;
    /// Add and remove members of groups (others: of the groups that they manage).
    ManageGroupMembers "manage_group_members":                     Never Never Own Own Tenant;
    /// See the waiting conversations in their order.
    ReadQueue "read_queue":                                        Never Never Tenant Tenant Tenant;
    /// Accept and decline the own offers.
    AnswerOffer "answer_offer":                                    Never Never Own Own Own;
    /// See what routing thinks of a conversation.
    ExplainRouting "explain_routing":                              Never Never Visible Tenant Tenant;
    /// Read business hours.
    ReadBusinessHours "read_business_hours":                       Never Tenant Tenant Tenant Tenant;
    /// Make, change and delete business hours.
    ManageBusinessHours "manage_business_hours":                   Never Never Never Never Tenant;
    /// Read SLA policies.
    ReadSlaPolicies "read_sla_policies":                           Never Never Tenant Tenant Tenant;
    /// Make, change and delete SLA policies.
    ManageSlaPolicies "manage_sla_policies":                       Never Never Never Never Tenant;
    /// Read which custom attributes there are.
    ReadAttributes "read_attributes":                              Never Tenant Tenant Tenant Tenant;
    /// Make, change and delete custom attributes.
    ManageAttributes "manage_attributes":                          Never Never Never Never Tenant;
    /// Read the custom attributes of a customer (agents and bots: of customers whom they serve; a customer: its own that it may
    /// see).
    ReadCustomerAttributes "read_customer_attributes":             Own Inside Inside Tenant Tenant;
    /// Set the custom attributes of a customer (agents and bots: of customers whom they serve).
    UpdateCustomerAttributes "update_customer_attributes":         Never Inside Inside Tenant Tenant;
    /// Save filters, use the own and the shared ones, and search conversations by a filter.
    UseSavedFilters "use_saved_filters":                           Never Own Own Own Own;
    /// Share filters with all of the staff, change and delete shared ones.
    ShareSavedFilters "share_saved_filters":                       Never Never Never Tenant Tenant;
    /// Read whom the tenant lets in no more.
    ReadBans "read_bans":                                          Never Never Never Tenant Tenant;
    /// Ban customers, and let them in again.
    ManageBans "manage_bans":                                      Never Never Never Tenant Tenant;
    /// Read and use canned replies: those of the tenant, of the own groups (supervisors and administrators: of every group),
    /// and the own ones.
    UseCannedReplies "use_canned_replies":                         Never Own Own Own Own;
    /// Make, change and delete canned replies (agents: their own ones).
    ManageCannedReplies "manage_canned_replies":                   Never Never Own Tenant Tenant;
    /// Read the message centre: accounts, templates, rules, events and sends.
    ReadMessageCentre "read_message_centre":                       Never Never Never Tenant Tenant;
    /// Change channel accounts, templates and rules of the message centre.
    ManageMessageCentre "manage_message_centre":                   Never Never Never Never Tenant;
    /// Tell the message centre what happened; cancel, repeat and resolve sends.
    SendMessages "send_messages":                                  Never Never Never Never Tenant;
    /// Make QR codes of WeChat that bind a person to an official account (others: for themselves, and for customers whom
    /// they serve).
    BindIdentity "bind_identity":                                  Own Never Inside Tenant Tenant;
    /// Read the own notifications, and mark them as read.
    ReadNotifications "read_notifications":                        Own Own Own Own Own;
    /// Change the tenant's name and settings; manage identity keys.
    ManageTenant "manage_tenant":                                  Never Never Never Never Tenant;
    /// Make, change and revoke the keys of service accounts.
    ManageApiKeys "manage_api_keys":                               Never Never Never Never Tenant;
    /// Read who did what to accounts, keys, groups, settings and rules.
    ReadAudit "read_audit":                                        Never Never Never Never Tenant;
    /// Have a person's data erased, and read what became of it.
    EraseMembers "erase_members":                                  Never Never Never Never Tenant;
    /// Have everything that is kept of the tenant or of a person written to a file, and read it: rooms of the staff as well.
    ExportData "export_data":                                      Never Never Never Never Tenant;
    /// Read the whole tenant's entries as a feed.
    ReadFeed "read_feed":                                          Never Never Never Never Tenant;
}

/// Operations that an actor is limited to, whatever its role may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OperationSet(u128);

impl OperationSet {
    /// No limit: what every signed-in member has.
    pub const ALL: Self = Self(u128::MAX);

    /// Whether the operation is in it.
    pub const fn has(self, operation: Operation) -> bool {
        self.0 & (1 << operation as u32) != 0
    }
}

impl FromIterator<Operation> for OperationSet {
    fn from_iter<I: IntoIterator<Item = Operation>>(operations: I) -> Self {
        Self(operations.into_iter().fold(0, |set, operation| set | 1 << operation as u32))
    }
}

#[cfg(test)]
mod tests {
    use super::{Operation, OperationSet};

    #[test]
    fn a_set_holds_what_was_put_in_only() {
        assert!(Operation::ALL.len() <= 128, "a set has a bit for each operation");
        for one in Operation::ALL {
            let set = OperationSet::from_iter([*one]);
            let held: Vec<_> = Operation::ALL.iter().filter(|other| set.has(**other)).collect();
            assert_eq!(held, [one]);
            assert!(OperationSet::ALL.has(*one));
        }
    }
}
