//! The column lists of the journal's tables: one for each table, from which insert and update are made for the three
//! databases. The macro stands in `statements`.
//!
//! A column that is missing here does not compile, because every row is taken apart without a rest; a column that is
//! missing in the row is found by the test below. To add a table: its list here, and its lines in `flush`.
//!
//! `once` never changes after the insert. `seldom` changes with commands that are no messages, or stands in an index:
//! SQLite rewrites an index entry of every column that an update names, so that an update which leaves all of these
//! as they were names only `often`.

use super::statements::journal_table;
use crate::domain::attribute::ConversationAttributeRow;
use crate::domain::centre::notification::NotificationRow;
use crate::domain::conversation::{
    AssignmentEnd, AssignmentReason, AssignmentRow, CloseReason, ConversationKind, ConversationRow,
    ConversationStatus, MemberType, ParticipantRow, Priority,
};
use crate::domain::entry::{EntryKind, EntryRow, RevisionRow};
use crate::domain::group::{GroupMemberRow, GroupMemberType, GroupRow, Serving};
use crate::domain::member::Role;
use crate::domain::offer::{NeedsRow, OfferRow, OfferState};
use crate::domain::presence::{AgentStatusRow, PresenceChangeRow, PresenceStatus};
use crate::domain::rating::RatingRow;
use crate::domain::routing::RoutingStrategy;
use crate::domain::timers::ReminderRow;
use crate::domain::transfer::{TransferReason, TransferRow};
use crate::kernel::{
    AssignmentId, AttributeId, ConversationId, GroupId, MemberId, MessageSendId, NotificationId, OfferId,
    PresenceChangeId, RatingId, TenantId, TransferId,
};

journal_table! {
    /// Conversations and backstage logs.
    conversations of ConversationRow, "conversation",
    key { id: BigInt as ConversationId }
    once {
        tenant_id: BigInt as TenantId,
        kind: Text as ConversationKind,
        parent_id: Nullable<BigInt> as Option<ConversationId>,
        created_at: BigInt as i64,
    }
    seldom {
        backstage_id: Nullable<BigInt> as Option<ConversationId>,
        customer_id: Nullable<BigInt> as Option<MemberId>,
        agent_id: Nullable<BigInt> as Option<MemberId>,
        status: Nullable<Text> as Option<ConversationStatus>,
        priority: Text as Priority,
        subject: Text as String,
        tags: Text as String,
        version: BigInt as i64,
        open_key: Nullable<Text> as Option<String>,
        assigned_at: Nullable<BigInt> as Option<i64>,
        closed_at: Nullable<BigInt> as Option<i64>,
        close_reason: Nullable<Text> as Option<CloseReason>,
        merged_into_id: Nullable<BigInt> as Option<ConversationId>,
        waiting_since: Nullable<BigInt> as Option<i64>,
        group_id: Nullable<BigInt> as Option<GroupId>,
        queue_key: Nullable<BigInt> as Option<i64>,
    }
    often {
        seq: BigInt as i64,
        msg_count: BigInt as i64,
        recall_count: BigInt as i64,
        rev: BigInt as i64,
        last_rev: BigInt as i64,
        customer_read_seq: BigInt as i64,
        staff_read_seq: BigInt as i64,
        customer_delivered_seq: BigInt as i64,
        staff_delivered_seq: BigInt as i64,
        updated_at: BigInt as i64,
        last_at: BigInt as i64,
    }
}

journal_table! {
    /// Who is in which conversation.
    participants of ParticipantRow, "conversation_member",
    key { conversation_id: BigInt as ConversationId, member_id: BigInt as MemberId }
    once { tenant_id: BigInt as TenantId, created_at: BigInt as i64 }
    seldom {
        member_type: Text as MemberType,
        active: Bool as bool,
        joined_seq: BigInt as i64,
        left_seq: Nullable<BigInt> as Option<i64>,
        last_rev: BigInt as i64,
        rev: BigInt as i64,
        group_id: Nullable<BigInt> as Option<GroupId>,
    }
    often {
        read_seq: BigInt as i64,
        read_ver: BigInt as i64,
        last_sent_seq: BigInt as i64,
        delivered_seq: BigInt as i64,
        note_read_seq: BigInt as i64,
    }
}

journal_table! {
    /// Entries of logs.
    entries of EntryRow, "group_message",
    key { conversation_id: BigInt as ConversationId, seq: BigInt as i64 }
    once {
        tenant_id: BigInt as TenantId,
        rev: BigInt as i64,
        message_type: SmallInt as i16,
        kind: Text as EntryKind,
        sender_id: Nullable<BigInt> as Option<MemberId>,
        sender_role: Nullable<Text> as Option<Role>,
        ref_seq: Nullable<BigInt> as Option<i64>,
        msg_count: BigInt as i64,
        recall_count: BigInt as i64,
        created_at: BigInt as i64,
    }
    seldom {
        sender_name: Text as String,
        sender_avatar: Text as String,
        client_msg_id: Nullable<Text> as Option<String>,
        body_hash: Nullable<BigInt> as Option<i64>,
        recalled_at: Nullable<BigInt> as Option<i64>,
        erased_at: Nullable<BigInt> as Option<i64>,
    }
    often { content: Text as String, edited_at: Nullable<BigInt> as Option<i64> }
}

journal_table! {
    /// Content that was replaced.
    revisions of RevisionRow, "message_revision",
    key {
        conversation_id: BigInt as ConversationId,
        seq: BigInt as i64,
        revision: BigInt as i64,
    }
    once {
        tenant_id: BigInt as TenantId,
        kind: Text as EntryKind,
        content: Text as String,
        replaced_by: BigInt as MemberId,
        replaced_at: BigInt as i64,
    }
}

journal_table! {
    /// Who served which conversation.
    assignments of AssignmentRow, "assignment",
    key { id: BigInt as AssignmentId }
    once {
        tenant_id: BigInt as TenantId,
        conversation_id: BigInt as ConversationId,
        agent_id: BigInt as MemberId,
        reason: Text as AssignmentReason,
        note: Text as String,
        assigned_by: Nullable<BigInt> as Option<MemberId>,
        started_at: BigInt as i64,
        ended_at: Nullable<BigInt> as Option<i64>,
        end_reason: Nullable<Text> as Option<AssignmentEnd>,
        from_agent_id: Nullable<BigInt> as Option<MemberId>,
        msg_count: BigInt as i64,
    }
}

journal_table! {
    /// What members of the staff say that they are, whether they are connected, and how much they serve.
    agents of AgentStatusRow, "agent_status",
    key { member_id: BigInt as MemberId }
    once { tenant_id: BigInt as TenantId }
    seldom {
        status: Text as PresenceStatus,
        reason: Text as String,
        since: Nullable<BigInt> as Option<i64>,
        rev: BigInt as i64,
        connected: Bool as bool,
        last_seen: Nullable<BigInt> as Option<i64>,
    }
    often {
        current_accept: BigInt as i64,
        last_assigned_at: Nullable<BigInt> as Option<i64>,
        idle_since: Nullable<BigInt> as Option<i64>,
        misses: BigInt as i64,
    }
}

journal_table! {
    /// What conversations ask of their agents.
    needs of NeedsRow, "conversation_needs",
    key { conversation_id: BigInt as ConversationId }
    once { tenant_id: BigInt as TenantId }
    seldom {
        required_skills: Text as String,
        preferred_skills: Text as String,
    }
    often { last_agent_id: Nullable<BigInt> as Option<MemberId> }
}

journal_table! {
    /// What messages do not say about the turns of conversations.
    reminders of ReminderRow, "conversation_reminder",
    key { conversation_id: BigInt as ConversationId }
    once { tenant_id: BigInt as TenantId }
    seldom { }
    often {
        customer_seq: BigInt as i64,
        agent_seq: BigInt as i64,
        agent_id: Nullable<BigInt> as Option<MemberId>,
        restart_seq: BigInt as i64,
        restarted_at: BigInt as i64,
    }
}

journal_table! {
    /// What customers said of how they were served.
    ratings of RatingRow, "rating",
    key { id: BigInt as RatingId }
    once {
        tenant_id: BigInt as TenantId,
        conversation_id: BigInt as ConversationId,
        close_seq: BigInt as i64,
        agent_id: Nullable<BigInt> as Option<MemberId>,
        group_id: Nullable<BigInt> as Option<GroupId>,
        rated_at: BigInt as i64,
    }
    seldom { }
    often {
        score: SmallInt as i16,
        comment: Text as String,
        changed_at: BigInt as i64,
    }
}

journal_table! {
    /// Custom attributes of conversations.
    attribute_values of ConversationAttributeRow, "conversation_attribute",
    key { conversation_id: BigInt as ConversationId, attribute_id: BigInt as AttributeId }
    once { tenant_id: BigInt as TenantId }
    seldom {
        text_value: Nullable<Text> as Option<String>,
        number_value: Nullable<BigInt> as Option<i64>,
        boolean_value: Nullable<Bool> as Option<bool>,
        date_value: Nullable<Text> as Option<String>,
    }
    often { updated_at: BigInt as i64 }
}

journal_table! {
    /// Offers of conversations to agents.
    offers of OfferRow, "offer",
    key { id: BigInt as OfferId }
    once {
        tenant_id: BigInt as TenantId,
        conversation_id: BigInt as ConversationId,
        agent_id: BigInt as MemberId,
        offered_at: BigInt as i64,
        expires_at: BigInt as i64,
        from_agent_id: Nullable<BigInt> as Option<MemberId>,
        offered_by: Nullable<BigInt> as Option<MemberId>,
        reason: Nullable<Text> as Option<TransferReason>,
        note: Text as String,
    }
    seldom { state: Text as OfferState, rev: BigInt as i64 }
    often { ended_at: Nullable<BigInt> as Option<i64> }
}

journal_table! {
    /// Groups of the staff.
    groups of GroupRow, "chat_group",
    key { id: BigInt as GroupId }
    once { tenant_id: BigInt as TenantId, created_at: BigInt as i64 }
    seldom {
        name: Text as String,
        name_key: Nullable<Text> as Option<String>,
        description: Text as String,
        room_id: Nullable<BigInt> as Option<ConversationId>,
        deleted_at: Nullable<BigInt> as Option<i64>,
        routing_strategy: Nullable<Text> as Option<RoutingStrategy>,
        serving: Text as Serving,
    }
    often { rev: BigInt as i64, updated_at: BigInt as i64 }
}

journal_table! {
    /// Who is in which group.
    group_members of GroupMemberRow, "group_member",
    key { group_id: BigInt as GroupId, member_id: BigInt as MemberId }
    once { tenant_id: BigInt as TenantId }
    seldom {
        member_type: Text as GroupMemberType,
        created_at: BigInt as i64,
        left_at: Nullable<BigInt> as Option<i64>,
    }
    often { rev: BigInt as i64 }
}

journal_table! {
    /// What members of the staff were, and from when on.
    presence_changes of PresenceChangeRow, "presence_change",
    key { id: BigInt as PresenceChangeId }
    once {
        tenant_id: BigInt as TenantId,
        member_id: BigInt as MemberId,
        at: BigInt as i64,
        status: Text as PresenceStatus,
        effective_status: Text as PresenceStatus,
        reason: Text as String,
    }
}

journal_table! {
    /// What was handed over, to whom and why.
    transfers of TransferRow, "transfer",
    key { id: BigInt as TransferId }
    once {
        tenant_id: BigInt as TenantId,
        conversation_id: BigInt as ConversationId,
        from_agent_id: Nullable<BigInt> as Option<MemberId>,
        to_agent_id: Nullable<BigInt> as Option<MemberId>,
        from_group_id: Nullable<BigInt> as Option<GroupId>,
        to_group_id: Nullable<BigInt> as Option<GroupId>,
        reason: Nullable<Text> as Option<TransferReason>,
        note: Text as String,
        transferred_by: Nullable<BigInt> as Option<MemberId>,
        at: BigInt as i64,
        msg_count: BigInt as i64,
    }
}

journal_table! {
    /// What members are told inside the product.
    notifications of NotificationRow, "notification",
    key { id: BigInt as NotificationId }
    once {
        tenant_id: BigInt as TenantId,
        send_id: BigInt as MessageSendId,
        title: Text as String,
        body: Text as String,
        link: Nullable<Text> as Option<String>,
        data: Nullable<Text> as Option<String>,
        created_at: BigInt as i64,
    }
    seldom {
        member_id: BigInt as MemberId,
        read_at: Nullable<BigInt> as Option<i64>,
    }
    often { rev: BigInt as i64 }
}

/// The hot row of a tenant: the last rev given out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct LogRow {
    /// Whose.
    pub(super) tenant_id: TenantId,
    /// The last rev.
    pub(super) rev: i64,
}

journal_table! {
    /// The revs of tenants.
    logs of LogRow, "tenant_log",
    key { tenant_id: BigInt as TenantId }
    once { }
    seldom { }
    often { rev: BigInt as i64 }
}

#[cfg(test)]
#[path = "columns_tests.rs"]
mod tests;
