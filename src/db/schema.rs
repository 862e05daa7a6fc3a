//! The tables as Diesel sees them: one description for the three databases. `diesel print_schema` is not
//! used because the three would differ in widths only; a test compares this file with the migrated stores.
#![allow(missing_docs)]

mod attributes;
mod centre;
mod desk;
mod reports;
mod sla;

pub use attributes::*;
pub use centre::*;
pub use desk::*;
pub use reports::*;
pub use sla::*;

diesel::table! {
    instance (id) {
        id -> BigInt,
        epoch -> Text,
        created_at -> BigInt,
    }
}

diesel::table! {
    node (number) {
        number -> Integer,
        holder -> Text,
        leased_until -> BigInt,
        ids_until -> BigInt,
    }
}

diesel::table! {
    store_probe (id) {
        id -> BigInt,
        padding -> Text,
    }
}

diesel::table! {
    lane_batch (id) {
        id -> BigInt,
    }
}

diesel::table! {
    follower (name, tenant_id) {
        name -> Text,
        tenant_id -> BigInt,
        rev -> BigInt,
        lease_owner -> Text,
        fence -> BigInt,
        lease_until -> BigInt,
        updated_at -> BigInt,
    }
}

diesel::table! {
    tenant (id) {
        id -> BigInt,
        slug -> Text,
        name -> Text,
        status -> Text,
        settings -> Text,
        rev -> BigInt,
        created_at -> BigInt,
        updated_at -> BigInt,
        bans_version -> BigInt,
    }
}

diesel::table! {
    tenant_log (tenant_id) {
        tenant_id -> BigInt,
        rev -> BigInt,
    }
}

diesel::table! {
    member (id) {
        id -> BigInt,
        tenant_id -> BigInt,
        role -> Text,
        login_name -> Nullable<Text>,
        password_hash -> Nullable<Text>,
        nickname -> Text,
        avatar -> Text,
        email -> Text,
        mobile -> Text,
        external_id -> Nullable<Text>,
        parent_id -> Nullable<BigInt>,
        tags -> Text,
        skills -> Text,
        max_accept -> Integer,
        status -> Text,
        login_fail_count -> Integer,
        locked_until -> Nullable<BigInt>,
        last_login_at -> Nullable<BigInt>,
        last_login_ip -> Text,
        last_seen -> Nullable<BigInt>,
        expires_at -> Nullable<BigInt>,
        merged_into -> Nullable<BigInt>,
        rev -> BigInt,
        created_at -> BigInt,
        updated_at -> BigInt,
        deleted_at -> Nullable<BigInt>,
        email_verified -> Bool,
        mobile_verified -> Bool,
        locale -> Text,
        service_account -> Bool,
    }
}

diesel::table! {
    auth_session (id) {
        id -> BigInt,
        tenant_id -> BigInt,
        member_id -> BigInt,
        device -> Text,
        user_agent -> Text,
        ip -> Text,
        generation -> Integer,
        refresh_parent -> Nullable<Text>,
        refresh_current -> Text,
        created_at -> BigInt,
        last_used_at -> BigInt,
        expires_at -> BigInt,
        revoked_at -> Nullable<BigInt>,
        revoke_reason -> Nullable<Text>,
        rev -> BigInt,
        refresh_siblings -> Nullable<Text>,
        rotated_at -> BigInt,
    }
}

diesel::table! {
    identity_key (id) {
        id -> BigInt,
        tenant_id -> BigInt,
        kid -> Text,
        sealed_secret -> Text,
        created_at -> BigInt,
        revoked_at -> Nullable<BigInt>,
    }
}

diesel::table! {
    identity_use (tenant_id, token_hash) {
        tenant_id -> BigInt,
        token_hash -> Text,
        member_id -> BigInt,
        expires_at -> BigInt,
    }
}

diesel::table! {
    conversation (id) {
        id -> BigInt,
        tenant_id -> BigInt,
        kind -> Text,
        parent_id -> Nullable<BigInt>,
        backstage_id -> Nullable<BigInt>,
        customer_id -> Nullable<BigInt>,
        agent_id -> Nullable<BigInt>,
        status -> Nullable<Text>,
        priority -> Text,
        subject -> Text,
        tags -> Text,
        seq -> BigInt,
        msg_count -> BigInt,
        recall_count -> BigInt,
        rev -> BigInt,
        last_rev -> BigInt,
        version -> BigInt,
        customer_read_seq -> BigInt,
        staff_read_seq -> BigInt,
        customer_delivered_seq -> BigInt,
        staff_delivered_seq -> BigInt,
        open_key -> Nullable<Text>,
        created_at -> BigInt,
        updated_at -> BigInt,
        last_at -> BigInt,
        assigned_at -> Nullable<BigInt>,
        closed_at -> Nullable<BigInt>,
        close_reason -> Nullable<Text>,
        merged_into_id -> Nullable<BigInt>,
        waiting_since -> Nullable<BigInt>,
        group_id -> Nullable<BigInt>,
        queue_key -> Nullable<BigInt>,
    }
}

diesel::table! {
    chat_group (id) {
        id -> BigInt,
        tenant_id -> BigInt,
        name -> Text,
        name_key -> Nullable<Text>,
        description -> Text,
        room_id -> Nullable<BigInt>,
        rev -> BigInt,
        created_at -> BigInt,
        updated_at -> BigInt,
        deleted_at -> Nullable<BigInt>,
        routing_strategy -> Nullable<Text>,
        serving -> Text,
    }
}

diesel::table! {
    group_member (group_id, member_id) {
        group_id -> BigInt,
        member_id -> BigInt,
        tenant_id -> BigInt,
        member_type -> Text,
        rev -> BigInt,
        created_at -> BigInt,
        left_at -> Nullable<BigInt>,
    }
}

diesel::table! {
    conversation_member (conversation_id, member_id) {
        conversation_id -> BigInt,
        member_id -> BigInt,
        tenant_id -> BigInt,
        member_type -> Text,
        active -> Bool,
        joined_seq -> BigInt,
        left_seq -> Nullable<BigInt>,
        read_seq -> BigInt,
        read_ver -> BigInt,
        last_sent_seq -> BigInt,
        delivered_seq -> BigInt,
        note_read_seq -> BigInt,
        last_rev -> BigInt,
        rev -> BigInt,
        created_at -> BigInt,
        group_id -> Nullable<BigInt>,
    }
}

diesel::table! {
    group_follow (group_id, member_id) {
        group_id -> BigInt,
        member_id -> BigInt,
        tenant_id -> BigInt,
    }
}

diesel::table! {
    group_message (conversation_id, seq) {
        conversation_id -> BigInt,
        seq -> BigInt,
        tenant_id -> BigInt,
        rev -> BigInt,
        message_type -> SmallInt,
        kind -> Text,
        sender_id -> Nullable<BigInt>,
        sender_role -> Nullable<Text>,
        sender_name -> Text,
        sender_avatar -> Text,
        client_msg_id -> Nullable<Text>,
        body_hash -> Nullable<BigInt>,
        content -> Text,
        ref_seq -> Nullable<BigInt>,
        msg_count -> BigInt,
        recall_count -> BigInt,
        created_at -> BigInt,
        edited_at -> Nullable<BigInt>,
        recalled_at -> Nullable<BigInt>,
        erased_at -> Nullable<BigInt>,
    }
}

diesel::table! {
    message_revision (conversation_id, seq, revision) {
        conversation_id -> BigInt,
        seq -> BigInt,
        revision -> BigInt,
        tenant_id -> BigInt,
        kind -> Text,
        content -> Text,
        replaced_by -> BigInt,
        replaced_at -> BigInt,
    }
}

diesel::allow_tables_to_appear_in_same_query!(
    agent_connection,
    agent_status,
    api_key,
    assignment,
    attribute,
    auth_session,
    chat_group,
    conversation,
    conversation_attribute,
    conversation_member,
    group_member,
    conversation_needs,
    customer_attribute,
    group_message,
    member,
    rating,
    saved_filter,
    tenant
);
