//! The tables of the message centre as Diesel sees them.

use super::tenant;

diesel::table! {
    channel_account (id) {
        id -> BigInt,
        tenant_id -> BigInt,
        name -> Text,
        provider -> Text,
        status -> Text,
        sealed_config -> Text,
        host -> Text,
        limit_count -> BigInt,
        limit_seconds -> BigInt,
        fail_streak -> BigInt,
        paused_until -> BigInt,
        pause_reason -> Nullable<Text>,
        created_at -> BigInt,
        updated_at -> BigInt,
        deleted_at -> Nullable<BigInt>,
    }
}

diesel::table! {
    message_template (id) {
        id -> BigInt,
        tenant_id -> BigInt,
        name -> Text,
        channel -> Text,
        content -> Text,
        variables -> Text,
        version -> BigInt,
        changed -> Bool,
        created_at -> BigInt,
        updated_at -> BigInt,
        deleted_at -> Nullable<BigInt>,
        locale -> Nullable<Text>,
        translations -> Nullable<Text>,
    }
}

diesel::table! {
    message_template_version (template_id, version) {
        template_id -> BigInt,
        version -> BigInt,
        tenant_id -> BigInt,
        content -> Text,
        variables -> Text,
        created_at -> BigInt,
        locale -> Nullable<Text>,
        translations -> Nullable<Text>,
    }
}

diesel::table! {
    message_rule (id) {
        id -> BigInt,
        tenant_id -> BigInt,
        title -> Text,
        key -> Text,
        template_id -> BigInt,
        account_id -> BigInt,
        status -> Text,
        priority -> BigInt,
        conditions -> Text,
        delay_seconds -> BigInt,
        ttl_seconds -> BigInt,
        dedupe_seconds -> BigInt,
        dedupe_key -> Text,
        created_at -> BigInt,
        updated_at -> BigInt,
        deleted_at -> Nullable<BigInt>,
        recipients -> Text,
        quiet_hours -> Text,
        fallback_template_id -> Nullable<BigInt>,
        fallback_account_id -> Nullable<BigInt>,
        fallback_on -> Nullable<Text>,
        fallback_after_seconds -> Nullable<BigInt>,
        throttle_count -> BigInt,
        throttle_seconds -> BigInt,
        throttle_by -> Text,
        waiting_seconds -> Nullable<BigInt>,
        schedule -> Nullable<Text>,
        schedule_next_at -> Nullable<BigInt>,
        digest -> Nullable<Text>,
    }
}

diesel::table! {
    message_event (id) {
        id -> BigInt,
        tenant_id -> BigInt,
        key -> Text,
        payload -> Text,
        created_by -> Nullable<BigInt>,
        created_at -> BigInt,
        expanded_at -> Nullable<BigInt>,
        decisions -> Nullable<Text>,
        customer_id -> Nullable<BigInt>,
        agent_id -> Nullable<BigInt>,
        rule_id -> Nullable<BigInt>,
        origin -> Nullable<Text>,
    }
}

diesel::table! {
    message_send (id) {
        id -> BigInt,
        tenant_id -> BigInt,
        event_id -> BigInt,
        step -> Text,
        rule_id -> BigInt,
        template_id -> BigInt,
        template_version -> BigInt,
        account_id -> BigInt,
        priority -> BigInt,
        status -> Text,
        reason -> Nullable<Text>,
        body -> Text,
        number -> BigInt,
        attempts -> BigInt,
        slowed -> BigInt,
        may_duplicate -> Bool,
        next_at -> BigInt,
        expires_at -> Nullable<BigInt>,
        lease_owner -> Nullable<Text>,
        lease_until -> BigInt,
        last_code -> Nullable<Text>,
        last_error -> Nullable<Text>,
        created_at -> BigInt,
        updated_at -> BigInt,
        sent_at -> Nullable<BigInt>,
        recipient_type -> Nullable<Text>,
        recipient_id -> Nullable<BigInt>,
        address -> Nullable<Text>,
        provider_message_id -> Nullable<Text>,
        fallback_of -> Nullable<BigInt>,
        locale -> Nullable<Text>,
    }
}

diesel::table! {
    message_recipient (id) {
        id -> BigInt,
        tenant_id -> BigInt,
        member_id -> Nullable<BigInt>,
        name -> Text,
        phone -> Text,
        email -> Text,
        time_zone -> Text,
        quiet_from -> Nullable<BigInt>,
        quiet_until -> Nullable<BigInt>,
        status -> Text,
        created_at -> BigInt,
        updated_at -> BigInt,
        deleted_at -> Nullable<BigInt>,
        locale -> Text,
    }
}

diesel::table! {
    message_opt_out (id) {
        id -> BigInt,
        tenant_id -> BigInt,
        person_id -> BigInt,
        channel -> Text,
        priority -> Text,
        source -> Text,
        created_at -> BigInt,
    }
}

diesel::table! {
    message_suppression (id) {
        id -> BigInt,
        tenant_id -> BigInt,
        channel -> Text,
        address -> Text,
        reason -> Text,
        code -> Nullable<Text>,
        created_at -> BigInt,
    }
}

diesel::table! {
    message_identity (id) {
        id -> BigInt,
        tenant_id -> BigInt,
        account_id -> BigInt,
        person_id -> BigInt,
        openid -> Text,
        created_at -> BigInt,
        updated_at -> BigInt,
    }
}

diesel::table! {
    message_binding (id) {
        id -> BigInt,
        tenant_id -> BigInt,
        account_id -> BigInt,
        person_id -> BigInt,
        created_by -> BigInt,
        scene_hash -> Text,
        url -> Text,
        status -> Text,
        created_at -> BigInt,
        expires_at -> BigInt,
        scanned_at -> Nullable<BigInt>,
        bound_at -> Nullable<BigInt>,
        refused_at -> Nullable<BigInt>,
    }
}

diesel::table! {
    channel_token (account_id) {
        account_id -> BigInt,
        tenant_id -> BigInt,
        sealed_token -> Text,
        made_for -> Text,
        generation -> BigInt,
        renew_at -> BigInt,
        expires_at -> BigInt,
        lease_owner -> Nullable<Text>,
        lease_until -> BigInt,
    }
}

diesel::table! {
    channel_callback (account_id, signature) {
        account_id -> BigInt,
        signature -> Text,
        tenant_id -> BigInt,
        body_hash -> Text,
        until -> BigInt,
    }
}

diesel::table! {
    message_attempt (send_id, number) {
        send_id -> BigInt,
        number -> BigInt,
        tenant_id -> BigInt,
        account_id -> BigInt,
        phase -> Text,
        outcome -> Nullable<Text>,
        http_status -> Nullable<BigInt>,
        code -> Nullable<Text>,
        message -> Nullable<Text>,
        started_at -> BigInt,
        ended_at -> Nullable<BigInt>,
    }
}

diesel::table! {
    message_dedupe (rule_id, hash) {
        rule_id -> BigInt,
        hash -> Text,
        tenant_id -> BigInt,
        until -> BigInt,
    }
}

diesel::table! {
    idempotency_key (tenant_id, member_id, route, key) {
        tenant_id -> BigInt,
        member_id -> BigInt,
        route -> Text,
        key -> Text,
        body_hash -> Text,
        made -> Text,
        created_at -> BigInt,
    }
}

diesel::table! {
    message_receipt (id) {
        id -> BigInt,
        tenant_id -> BigInt,
        account_id -> BigInt,
        dedupe -> Text,
        provider_message_id -> Nullable<Text>,
        send_id -> Nullable<BigInt>,
        status -> Text,
        code -> Nullable<Text>,
        message -> Nullable<Text>,
        received_at -> BigInt,
        applied_at -> Nullable<BigInt>,
    }
}

diesel::table! {
    message_fallback (send_id) {
        send_id -> BigInt,
        tenant_id -> BigInt,
        template_id -> BigInt,
        template_version -> BigInt,
        account_id -> BigInt,
        triggers -> Text,
        after_seconds -> Nullable<BigInt>,
        quiet_hours -> Text,
        ttl_seconds -> BigInt,
        body -> Text,
        fault -> Text,
        due_at -> Nullable<BigInt>,
        locale -> Nullable<Text>,
    }
}

diesel::table! {
    message_throttle (rule_id, person_id) {
        rule_id -> BigInt,
        person_id -> BigInt,
        tenant_id -> BigInt,
        sent -> BigInt,
        until -> BigInt,
    }
}

diesel::table! {
    message_digest (id) {
        id -> BigInt,
        tenant_id -> BigInt,
        rule_id -> BigInt,
        hash -> Text,
        customer_id -> Nullable<BigInt>,
        agent_id -> Nullable<BigInt>,
        event_count -> BigInt,
        bytes -> BigInt,
        created_at -> BigInt,
        due_at -> BigInt,
    }
}

diesel::table! {
    message_digest_event (digest_id, event_id) {
        digest_id -> BigInt,
        event_id -> BigInt,
        tenant_id -> BigInt,
    }
}

diesel::table! {
    message_test_send (id) {
        id -> BigInt,
        tenant_id -> BigInt,
        account_id -> BigInt,
        ended_at -> BigInt,
    }
}

diesel::table! {
    notification (id) {
        id -> BigInt,
        tenant_id -> BigInt,
        member_id -> BigInt,
        send_id -> BigInt,
        title -> Text,
        body -> Text,
        link -> Nullable<Text>,
        data -> Nullable<Text>,
        created_at -> BigInt,
        read_at -> Nullable<BigInt>,
        rev -> BigInt,
    }
}

diesel::allow_tables_to_appear_in_same_query!(
    channel_account,
    message_digest,
    message_digest_event,
    message_event,
    message_rule,
    message_send,
    message_template,
    message_template_version,
    tenant
);
