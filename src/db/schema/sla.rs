//! The tables of SLA policies and clocks as Diesel sees them.

diesel::table! {
    sla_policy (id) {
        id -> BigInt,
        tenant_id -> BigInt,
        name -> Text,
        position -> BigInt,
        group_ids -> Text,
        priorities -> Text,
        first_response_seconds -> Nullable<BigInt>,
        next_response_seconds -> Nullable<BigInt>,
        resolution_seconds -> Nullable<BigInt>,
        warn_before_seconds -> Nullable<BigInt>,
        hours -> Text,
        created_at -> BigInt,
        updated_at -> BigInt,
    }
}

diesel::table! {
    sla_stretch (conversation_id) {
        conversation_id -> BigInt,
        tenant_id -> BigInt,
        began_at -> BigInt,
        began_seq -> BigInt,
        group_id -> Nullable<BigInt>,
        priority -> Text,
        asked_at -> Nullable<BigInt>,
        asked_seq -> Nullable<BigInt>,
        is_answered -> Bool,
    }
}

diesel::table! {
    sla_clock (conversation_id, metric, started_seq) {
        conversation_id -> BigInt,
        metric -> Text,
        started_seq -> BigInt,
        tenant_id -> BigInt,
        policy_id -> BigInt,
        started_at -> BigInt,
        due_at -> Nullable<BigInt>,
        warn_at -> Nullable<BigInt>,
        warned_at -> Nullable<BigInt>,
        breached_at -> Nullable<BigInt>,
        ended_at -> Nullable<BigInt>,
        state -> Text,
        next_at -> Nullable<BigInt>,
    }
}

diesel::table! {
    sla_refresh (tenant_id) {
        tenant_id -> BigInt,
        after_id -> BigInt,
    }
}
