//! The tables of reports as Diesel sees them.

diesel::table! {
    report_stretch (conversation_id) {
        conversation_id -> BigInt,
        tenant_id -> BigInt,
        began_at -> BigInt,
        group_id -> Nullable<BigInt>,
        waiting_since -> Nullable<BigInt>,
        agent_id -> Nullable<BigInt>,
        served_since -> Nullable<BigInt>,
        asked_at -> Nullable<BigInt>,
        is_answered -> Bool,
    }
}

diesel::table! {
    report_bucket (tenant_id, metric, dimension, quarter_hour, dimension_id, bucket) {
        tenant_id -> BigInt,
        metric -> Text,
        dimension -> Text,
        quarter_hour -> BigInt,
        dimension_id -> BigInt,
        bucket -> SmallInt,
        measures -> BigInt,
        total -> BigInt,
    }
}
