//! Which problems the operations of conversations, messages and files may answer: a part of the table of
//! [`super::problems`].

use crate::kernel::Code::{self, *};

/// The codes that this operation answers beside the shared ones; `None` for an operation without a line.
pub fn own(operation: &str) -> Option<&'static [Code]> {
    Some(match operation {
        "open_conversation" => &[
            Forbidden,
            NotAMember,
            NotAssignee,
            NotFound,
            IdempotencyConflict,
            OpenConversationExists,
            AttachmentNotReady,
            QueueFull,
            QueueClosed,
        ],
        "list_conversations" => &[],
        "get_conversation" | "list_conversation_members" => &[NotFound],
        "update_conversation" => &[Forbidden, NotAMember, NotFound, InvalidTransition, VersionMismatch],
        "claim_conversation" => {
            &[Forbidden, NotFound, AlreadyAssigned, AgentFull, InvalidTransition, VersionMismatch]
        }
        "assign_conversation" => &[Forbidden, NotFound, AgentFull, InvalidTransition, VersionMismatch],
        "transfer_conversation" => &[
            Forbidden,
            NotAMember,
            NotFound,
            AgentAbsent,
            AgentFull,
            GroupEmpty,
            OfferPending,
            TransferLoop,
            InvalidTransition,
            VersionMismatch,
        ],
        "dock_conversation" => {
            &[Forbidden, NotAMember, NotFound, GroupEmpty, InvalidTransition, VersionMismatch]
        }
        "withdraw_transfer" => &[Forbidden, NotAMember, NotFound, InvalidTransition, VersionMismatch],
        "take_over_conversation" => &[Forbidden, NotFound, AgentFull, InvalidTransition, VersionMismatch],
        "hand_off_conversation" => {
            &[Forbidden, NotAMember, NotFound, GroupEmpty, InvalidTransition, VersionMismatch]
        }
        "release_conversation" => &[Forbidden, NotAMember, NotFound, InvalidTransition, VersionMismatch],
        "close_conversation" => &[Forbidden, NotAMember, NotFound, VersionMismatch],
        "reopen_conversation" => &[
            Forbidden,
            NotAMember,
            NotFound,
            InvalidTransition,
            OpenConversationExists,
            ReopenExpired,
            VersionMismatch,
        ],
        "add_conversation_member" => &[Forbidden, NotAMember, NotFound, LimitReached, InvalidTransition],
        "remove_conversation_member" => &[Forbidden, NotAMember, NotFound, InvalidTransition],
        "list_queue" | "list_offers" => &[Forbidden],
        "get_queue_place" => &[NotFound],
        "accept_offer" => &[Forbidden, NotFound, AgentFull, OfferEnded, VersionMismatch],
        "decline_offer" => &[Forbidden, NotFound, OfferEnded, VersionMismatch],
        "explain_routing" => &[Forbidden, NotFound],
        "list_assignments" | "list_transfers" => &[Forbidden, NotFound],

        "send_message" => &[
            Forbidden,
            NotAMember,
            NotAssignee,
            NotFound,
            NotInControl,
            IdempotencyConflict,
            ConversationClosed,
            AttachmentNotReady,
        ],
        "send_note" => &[Forbidden, NotAMember, NotFound, IdempotencyConflict, AttachmentNotReady],
        "create_attachment" => &[AttachmentsOff, LimitReached, QuotaExceeded],
        "get_attachment" => &[NotFound],
        "delete_attachment" => &[NotFound, InUse],
        "upload_attachment" => &[
            NotFound,
            AttachmentsOff,
            AttachmentInfected,
            FileTypeRefused,
            QuotaExceeded,
            ScannerUnavailable,
            UploadMismatch,
        ],
        "get_attachment_url" => &[NotFound, AttachmentNotReady],
        "read_file" => &[
            NotFound,
            TokenExpired,
            SessionRevoked,
            AccountDisabled,
            TenantSuspended,
            Banned,
            AttachmentNotReady,
            RangeNotSatisfiable,
        ],
        "list_messages" | "get_message" | "list_entries" => &[NotFound],
        "edit_message" => {
            &[Forbidden, NotAMember, NotFound, ConversationClosed, WindowExpired, MessageRecalled, StaleEdit]
        }
        "recall_message" => &[Forbidden, NotAMember, NotFound, WindowExpired],
        "list_revisions" | "list_notes" => &[Forbidden, NotFound],

        "read_conversation" | "mark_conversation_unread" | "report_delivered" => &[NotAMember, NotFound],
        "read_notifications" => &[NotFound],
        "sync_inbox" => &[CursorReset],
        "list_tenant_entries" => &[Forbidden, CursorReset],
        _ => return None,
    })
}
