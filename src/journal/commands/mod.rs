//! The journal's commands, one file each: the command's fields, what it wants loaded, its size, and its rules.
//!
//! Owns the one list that makes [`Action`] and its dispatch. To add a command: a file with a struct that implements
//! `JournalCommand`, and one line in the list. Helpers that several commands share stand in `decide`.
//!
//! Invariant: a command reads only what its `wants` named; the simulation in `decide/tests` loads nothing else and
//! compares with a set that holds everything.

use super::command::Reply;
use super::decide::CommandContext;
use super::wants::Wants;
use crate::domain::actor::Principal;
use crate::kernel::Result;

/// What a command must say and do.
pub(crate) trait JournalCommand {
    /// Whether the actor must be able to use its account, and the tenant be open. Commands that end access do not
    /// ask for it.
    const NEEDS_ACCESS: bool = true;

    /// Names what `decide` reads. The actor itself is loaded anyway.
    fn wants(&self, actor: &Principal, wants: &mut Wants);

    /// Bytes of content, for the queue's bound.
    fn bytes(&self) -> usize {
        0
    }

    /// Checks and does it. A command that fails has changed nothing.
    fn decide(&self, context: &mut CommandContext<'_>) -> Result<Reply>;
}

macro_rules! commands {
    ($($(#[doc = $meaning:literal])+ $file:ident::$name:ident;)+) => {
        $(mod $file; pub use $file::$name;)+
        pub use erase_log::{ERASED_AT_ONCE, EraseStep};
        pub use import_log::{PastEnd, PastEntry, PastLog};

        /// What a command does.
        #[derive(Debug, Clone)]
        pub enum Action {
            $($(#[doc = $meaning])+ $name($name),)+
        }

        $(impl From<$name> for Action {
            fn from(command: $name) -> Self {
                Self::$name(command)
            }
        })+

        impl Action {
            /// Whether the actor must be able to use its account, and the tenant be open.
            pub(crate) const fn needs_access(&self) -> bool {
                match self { $(Self::$name(_) => <$name as JournalCommand>::NEEDS_ACCESS,)+ }
            }

            /// Names what the rules will read.
            pub(crate) fn wants(&self, actor: &Principal, wants: &mut Wants) {
                match self { $(Self::$name(command) => command.wants(actor, wants),)+ }
            }

            /// Bytes of content.
            pub(crate) fn bytes(&self) -> usize {
                match self { $(Self::$name(command) => command.bytes(),)+ }
            }

            /// Checks and does it.
            pub(crate) fn decide(&self, context: &mut CommandContext<'_>) -> Result<Reply> {
                match self { $(Self::$name(command) => command.decide(context),)+ }
            }
        }
    };
}

commands! {
    /// Open a support conversation, or find the open one. With a message, that is sent in either case.
    open::Open;
    /// Send a message.
    send::Send;
    /// Replace the content of an own message.
    edit::Edit;
    /// Remove a message's content.
    recall::Recall;
    /// Take a waiting conversation.
    claim::Claim;
    /// Give a conversation to an agent.
    assign::Assign;
    /// Hand a conversation over to another agent.
    transfer::Transfer;
    /// Take back the offer to hand a conversation over.
    withdraw_transfer::WithdrawTransfer;
    /// Take a conversation from the agent who serves it.
    take_over::TakeOver;
    /// Let a whole group serve a conversation.
    dock::Dock;
    /// Dock what waits for a group that serves as a whole.
    dock_waiting::DockWaiting;
    /// End a bot's answering, so that the staff go on.
    hand_off::HandOff;
    /// Let a conversation wait again.
    release::Release;
    /// End a conversation.
    close::Close;
    /// Let a closed conversation wait again.
    reopen::Reopen;
    /// Say how one was served in a conversation that is over.
    rate::Rate;
    /// Add a staff member to a conversation (the actor itself: join).
    add_member::AddMember;
    /// Remove a staff member from a conversation (the actor itself: leave).
    remove_member::RemoveMember;
    /// Change what the staff keep about a conversation.
    update::Update;
    /// Say how far the log is read.
    read::Read;
    /// Move the read position back (or forward) and start a new version.
    mark_unread::MarkUnread;
    /// Say how far the log has reached a device.
    delivered::Delivered;
    /// Say what one is: online, busy, away or offline.
    set_presence::SetPresence;
    /// Make a free room of the staff.
    make_room::MakeRoom;
    /// Open the direct room of two members of the staff, or find it.
    open_direct::OpenDirect;
    /// Make a group of the staff.
    create_group::CreateGroup;
    /// Change what a group is called and said to be for.
    update_group::UpdateGroup;
    /// End a group.
    delete_group::DeleteGroup;
    /// Bring a member of the staff into a group, or change what it is there.
    set_group_member::SetGroupMember;
    /// Take a member out of a group (the actor itself: leave).
    remove_group_member::RemoveGroupMember;
    /// Let who came into a group or left it come into the conversations that the group serves, or leave them.
    follow_group::FollowGroup;
    /// Find out whether a member of the staff is connected, and keep it.
    set_connected::SetConnected;
    /// Let the conversations of an agent who is offline or away for too long wait again.
    requeue_absent::RequeueAbsent;
    /// Remind whoever leaves the other side waiting, and close what was left.
    run_timers::RunTimers;
    /// Tell that the target of an SLA clock is near or missed.
    tell_sla::TellSla;
    /// Give waiting conversations to agents, or offer them.
    route::Route;
    /// Accept or decline an offer.
    answer_offer::AnswerOffer;
    /// End sessions of a member.
    revoke_sessions::RevokeSessions;
    /// Change a member's role or state, or delete it.
    change_member::ChangeMember;
    /// Tell a member something inside the product.
    notify::Notify;
    /// Mark notifications as read.
    read_notifications::ReadNotifications;
    /// Recognise a visitor as an existing customer.
    merge::Merge;
    /// Bring a conversation, or a piece of one, from another system.
    import_log::ImportLog;
    /// Suspend or reopen the whole tenant.
    change_tenant::ChangeTenant;
    /// Take away what a log says, and leave its numbering.
    erase_log::EraseLog;
}
