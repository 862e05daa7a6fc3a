//! The tables of custom attributes and saved filters as Diesel sees them.

diesel::table! {
    attribute (id) {
        id -> BigInt,
        tenant_id -> BigInt,
        target -> Text,
        key -> Text,
        title -> Text,
        kind -> Text,
        choices -> Text,
        visible_to_customer -> Bool,
        created_at -> BigInt,
        updated_at -> BigInt,
        deleted_at -> Nullable<BigInt>,
    }
}

diesel::table! {
    conversation_attribute (conversation_id, attribute_id) {
        conversation_id -> BigInt,
        attribute_id -> BigInt,
        tenant_id -> BigInt,
        text_value -> Nullable<Text>,
        number_value -> Nullable<BigInt>,
        boolean_value -> Nullable<Bool>,
        date_value -> Nullable<Text>,
        updated_at -> BigInt,
    }
}

diesel::table! {
    customer_attribute (member_id, attribute_id) {
        member_id -> BigInt,
        attribute_id -> BigInt,
        tenant_id -> BigInt,
        text_value -> Nullable<Text>,
        number_value -> Nullable<BigInt>,
        boolean_value -> Nullable<Bool>,
        date_value -> Nullable<Text>,
        updated_at -> BigInt,
    }
}

diesel::table! {
    saved_filter (id) {
        id -> BigInt,
        tenant_id -> BigInt,
        owner_id -> BigInt,
        name -> Text,
        shared -> Bool,
        filter -> Text,
        created_at -> BigInt,
        updated_at -> BigInt,
    }
}
